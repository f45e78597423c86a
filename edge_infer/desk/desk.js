// The live list: rows arrive, are searched, ticked and opened; another page of the desk sees it too.

import { makeRows } from "./rows.js";
import { makeViewer } from "./viewer.js";

const find = (id) => document.getElementById(id);
const words = JSON.parse(document.body.dataset.words);
const post = (address, said) => fetch(address, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(said),
  cache: "no-store",
});

const showHead = (head) => {
  document.title = head.title;
  for (const name of ["status", "warnings", "task", "tiles", "date"]) {
    // Only what changed: a screen reader says it again.
    if (find(name).dataset.said !== head[name]) find(name).innerHTML = head[name];
    find(name).dataset.said = head[name];
  }
};

const rows = makeRows(words);
const showNews = (said) => {
  const isNew = rows.take(said, "refer");
  showHead(said.head);
  viewer.renew();
  if (isNew) tell(said.head["to-order"]);
};

// News, and the loss of the desk.

let lost = 0;
const { version, examinations } = document.body.dataset;
// The page comes with its first rows only, so that it is there at once.
const rest = rows.size < Number(examinations) ? "&rest" : "";
const news = new EventSource(`news?since=${version}${rest}`);
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
    // Which film it was: another one may be in front by the time it is read.
    const rank = document.querySelector(`main tr[data-film="${film}"] .rank`)?.textContent;
    const whole = rank ? `${words.film.replace("{rank}", rank)}, ${what}` : what;
    say((value ? words.kept : words.takenBack).replace("{what}", whole), step);
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
  neighbour: rows.neighbour,
  getReady: (film) => getReady(film),
});
find("list").addEventListener("click", (event) => {
  if (event.target.closest("input, label, a")) return;
  const row = event.target.closest("tr[data-film]");
  if (row === null || String(getSelection())) return;
  viewer.open(Number(row.dataset.film));
});

// Whoever is about to open a film need not wait for it: what the pointer or the focus rests on is
// read ahead, and the one after a film that is looked at.
let resting = 0;
let [readyFor, readyAt] = [null, 0];
const getReady = (film) => {
  // The reader rests when nobody has asked for it for some minutes.
  if (film === readyFor && performance.now() - readyAt < 60_000) return;
  [readyFor, readyAt] = [film, performance.now()];
  fetch(`ready?film=${film}`, { cache: "no-store" }).catch(() => {});
};
setTimeout(() => getReady(""), 1000); // the reader itself, once the page is there
for (const name of ["pointerover", "focusin"]) {
  find("list").addEventListener(name, ({ target }) => {
    const row = target.closest("tr[data-film]");
    if (row === null) return;
    clearTimeout(resting);
    resting = setTimeout(() => getReady(Number(row.dataset.film)), 80);
  });
}

find("print").addEventListener("click", () => print());
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
