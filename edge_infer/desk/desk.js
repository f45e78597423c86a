// The live list: rows arrive, are searched, ticked and opened; another page of the desk sees it too.

import { makeViewer } from "./viewer.js";

const find = (id) => document.getElementById(id);
const words = JSON.parse(document.body.dataset.words);
// A Mac writes file names with Hangul taken apart; NFC puts it together again.
const plain = (text) => text.normalize("NFC").toLowerCase();
const byCode = (a, b) => Number(a > b) - Number(a < b);
const byName = new Intl.Collator(undefined, { numeric: true });

const post = (address, said) => fetch(address, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(said),
  cache: "no-store",
});

// The rows: one element for each examination, moved, replaced and removed as the news say.

const lines = new Map();

const take = (body) => {
  const cells = body.querySelectorAll(".rank, .film, .label, .likeliest, .reason, .said");
  lines.set(body.id, {
    body,
    text: plain([...cells].map((cell) => cell.textContent).join(" ")),
    rank: Number(body.dataset.rank),
    score: Number(body.dataset.score),
    time: body.dataset.time,
    path: body.querySelector(".film .path").textContent,
  });
};
document.querySelectorAll("main tbody").forEach(take);

const orders = {
  rank: (a, b) => a.rank - b.rank,
  score: (a, b) => b.score - a.score || a.rank - b.rank,
  // What has no time comes last.
  time: (a, b) => byCode(a.time || "~", b.time || "~") || a.rank - b.rank,
  path: (a, b) => byName.compare(a.path, b.path) || a.rank - b.rank,
};

const make = (html) => {
  const template = document.createElement("template");
  template.innerHTML = `<table>${html}</table>`;
  return template.content.querySelector("tbody");
};

/** Where the focus stands inside a row, so that a new row can have it too. */
const focusIn = (body) => {
  const { activeElement } = document;
  if (!body.contains(activeElement)) return null;
  const { film, kind } = activeElement.dataset;
  return kind ? `[data-film="${film}"][data-kind="${kind}"]` : `.open[data-film="${film}"]`;
};

const put = (key, html) => {
  const body = make(html);
  const before = lines.get(key)?.body;
  const focused = before && focusIn(before);
  if (before) {
    body.hidden = before.hidden;
    before.replaceWith(body);
  }
  take(body);
  if (focused) body.querySelector(focused)?.focus();
};

const arrange = () => {
  const groups = new Map();
  for (const [key, line] of lines) {
    const table = line.body.closest("table");
    if (table === null) continue;
    groups.set(table, [...(groups.get(table) ?? []), { ...line, key }]);
  }
  for (const [table, group] of groups) {
    group.sort(orders[find("sort").value]);
    let at = table.querySelector("tbody");
    for (const { body } of group) {
      if (body === at) at = at.nextElementSibling;
      else table.insertBefore(body, at);
    }
  }
};

// A table of 500 rows takes the browser half a second to lay out: what is on the screen comes at
// once, the rest in pieces between which it can do something else.
const PIECE = 40;
let waiting = [];
let showing = 0;
const showBody = (body) => {
  body.hidden = false;
  // Not when it is scrolled to: Chromium prints a picture that was not fetched as a black square.
  for (const picture of body.querySelectorAll("img[loading]")) picture.loading = "eager";
};
const showPiece = () => {
  waiting.splice(0, PIECE).forEach(showBody);
  showing = waiting.length ? setTimeout(showPiece, 0) : 0;
};
const showAll = () => {
  waiting.splice(0).forEach(showBody);
};

const filter = () => {
  const wanted = plain(find("find").value).split(/\s+/).filter(Boolean);
  const chosen = find("show").value;
  let count = 0;
  waiting = [];
  for (const section of document.querySelectorAll("section.group")) {
    const isChosen = !chosen || chosen === section.id;
    let visible = 0;
    for (const body of section.querySelectorAll("tbody")) {
      const { text } = lines.get(body.id);
      const isHidden = !isChosen || !wanted.every((word) => text.includes(word));
      if (isHidden && !body.hidden) body.hidden = true;
      if (!isHidden && body.hidden) waiting.push(body);
      visible += isHidden ? 0 : 1;
    }
    section.hidden = visible === 0;
    count += visible;
  }
  clearTimeout(showing);
  showPiece();
  const isWhole = !wanted.length && !chosen;
  find("shown").textContent = isWhole
    ? "" : words.shown.replace("{shown}", count).replace("{total}", lines.size);
};

const showHead = (head) => {
  document.title = head.title;
  for (const name of ["status", "warnings", "task", "tiles", "date"]) {
    // Only what changed: a screen reader says it again.
    if (find(name).dataset.said !== head[name]) find(name).innerHTML = head[name];
    find(name).dataset.said = head[name];
  }
};

const showNews = (news) => {
  const referred = new Set([...document.querySelectorAll("#refer tbody")].map((one) => one.id));
  for (const [key, html] of Object.entries(news.lines)) put(key, html);
  const alive = new Set(Object.values(news.groups).flat());
  for (const [key, { body }] of lines) {
    if (alive.has(key)) continue;
    body.remove();
    lines.delete(key);
  }
  for (const [group, keys] of Object.entries(news.groups)) {
    const table = find(group).querySelector("table");
    for (const key of keys) {
      const { body } = lines.get(key);
      if (body.closest("table") !== table) table.append(body);
    }
    find(group).querySelector(".count").textContent = keys.length;
  }
  arrange();
  filter();
  showHead(news.head);
  viewer.renew();
  if (news.groups.refer.some((key) => !referred.has(key))) tell(news.head["to-order"]);
};

// News, and the loss of the desk.

let lost = 0;
const news = new EventSource(`news?since=${document.body.dataset.version}`);
news.addEventListener("message", (event) => showNews(JSON.parse(event.data)));
news.addEventListener("open", () => {
  clearTimeout(lost);
  find("lost").hidden = true;
  find("status").classList.remove("lost");
});
news.addEventListener("error", () => {
  clearTimeout(lost);
  lost = setTimeout(() => {
    find("lost").textContent = words.lost;
    find("lost").hidden = false;
    find("status").classList.add("lost");
  }, 3000);
});

// A new referral: told aloud where somebody asked for it.

const remember = (box, name) => {
  box.checked = localStorage.getItem(name) === "1";
  box.addEventListener("change", () => localStorage.setItem(name, box.checked ? "1" : ""));
};
remember(find("notify"), "notify");
remember(find("sound"), "sound");
let audio = null;
const wakeAudio = () => {
  audio ??= new AudioContext();
  audio.resume();
};
const beep = () => {
  wakeAudio();
  for (const [after, pitch] of [[0, 660], [0.18, 880]]) {
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0.15, audio.currentTime + after);
    loudness.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + after + 0.3);
    tone.connect(loudness).connect(audio.destination);
    tone.start(audio.currentTime + after);
    tone.stop(audio.currentTime + after + 0.3);
  }
};
const tell = (count) => {
  const text = words.newReferral.replace("{n}", count);
  document.body.dataset.told = String(Number(document.body.dataset.told ?? 0) + 1);
  if (find("notify").checked && "Notification" in window && Notification.permission === "granted") {
    new Notification(text, { tag: "referral" });
  }
  if (find("sound").checked) beep();
};
find("notify").addEventListener("change", async () => {
  if (!find("notify").checked || Notification.permission === "granted") return;
  if (await Notification.requestPermission() === "granted") return;
  find("notify").checked = false;
  localStorage.setItem("notify", "");
  say(words.notifyForbidden);
});
find("sound").addEventListener("change", () => find("sound").checked && beep());

// What is said of a film, and taken back.

let hiding = 0;
let undoable = 0;
const say = (text, step = 0) => {
  undoable = step;
  find("toast-text").textContent = text;
  find("undo").hidden = step === 0;
  // In front of the viewer where that is open: a modal dialog covers all else.
  (find("viewer").open ? find("viewer") : document.body).append(find("toast"));
  find("toast").classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => find("toast").classList.remove("shown"), step ? 12000 : 5000);
};
// One after the other: who undoes at once means what was ticked a moment ago.
let saying = Promise.resolve();
const inTurn = (act) => {
  saying = saying.then(act);
  return saying;
};
const mark = (film, kind, value, what) => inTurn(async () => {
  try {
    const answer = await post("mark", { film, kind, value });
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).reason);
    const { step } = await answer.json();
    say((value ? words.kept : words.takenBack).replace("{what}", what), step);
  } catch {
    say(words.notKept);
    viewer.renew();
    document.querySelectorAll(`main input[data-film="${film}"][data-kind="${kind}"]`)
      .forEach((box) => { box.checked = !value; });
  }
});
const undo = () => inTurn(async () => {
  if (!undoable) return;
  const answer = await post("undo", { step: undoable }).catch(() => null);
  say(answer === null ? words.notKept : answer.ok ? words.undone : words.notUndone);
});
find("undo").addEventListener("click", undo);
find("list").addEventListener("change", ({ target }) => {
  const { film, kind, what } = target.dataset;
  if (kind) mark(Number(film), kind, target.checked ? "1" : "", what);
});

// Opening films; the neighbours are those that are shown.

const viewer = makeViewer({
  words,
  post,
  mark,
  undo,
  tell: say,
  neighbour(film, by) {
    showAll();
    const rows = [...document.querySelectorAll("main section:not([hidden]) tbody:not([hidden]) tr[data-film]")];
    const at = rows.findIndex((row) => Number(row.dataset.film) === film);
    const next = rows[at + by];
    return at < 0 || !next ? null : Number(next.dataset.film);
  },
});
find("list").addEventListener("click", (event) => {
  if (event.target.closest("input, label, a")) return;
  const row = event.target.closest("tr[data-film]");
  if (row === null || String(getSelection())) return;
  viewer.open(Number(row.dataset.film));
});

// Whoever is about to open a film need not wait for what reads it to start.
let readyAt = -Infinity;
const getReady = () => {
  if (performance.now() - readyAt < 60_000) return;
  readyAt = performance.now();
  fetch("ready", { cache: "no-store" }).catch(() => {});
};
for (const name of ["pointerover", "focusin"]) find("list").addEventListener(name, getReady);

find("find").addEventListener("input", filter);
find("show").addEventListener("change", filter);
find("sort").addEventListener("change", arrange);
find("tiles").addEventListener("click", (event) => {
  if (!event.target.closest("a")) return;
  find("find").value = find("show").value = "";
  filter();
});
find("print").addEventListener("click", () => print());
addEventListener("beforeprint", showAll);
find("how").addEventListener("click", () => find("keys").showModal());
find("close-keys").addEventListener("click", () => find("keys").close());
find("end")?.addEventListener("click", async () => {
  if (!confirm(words.endSure)) return;
  news.close();
  await post("end", {}).catch(() => {});
  clearTimeout(lost);
  find("lost").textContent = words.ended;
  find("lost").hidden = false;
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || document.querySelector("dialog[open]")) return;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "u") undo();
  if (event.key === "/") {
    event.preventDefault();
    find("find").focus();
  }
});
document.documentElement.classList.add("scripted");
filter();
