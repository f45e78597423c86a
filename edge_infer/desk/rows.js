// The list's rows, one element for each examination. They stand in tables of a few rows each, of
// which the browser lays out those near the screen only: one table of 500 rows took seconds.

const PART = 10;
/** Rows made or shown before the browser may do something else. */
const PIECE = 20;
/** Rows shown at once after a keystroke: about a screen. */
const SCREEN = 10;

const find = (id) => document.getElementById(id);
// A Mac writes file names with Hangul taken apart; NFC puts it together again.
const plain = (text) => text.normalize("NFC").toLowerCase();
const byCode = (a, b) => Number(a > b) - Number(a < b);
const byName = new Intl.Collator(undefined, { numeric: true });

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

/** Hold the rows; `shown` is what the page says of how many a search has left. */
export function makeRows({ shown }) {
  const groups = [...document.querySelectorAll("section.group")];
  const lines = new Map();
  /** Lines that are known and not made yet, by key. */
  const coming = new Map();
  let groupOf = new Map();
  /** The rows from top to bottom. */
  let ordered = [];
  let making = 0;
  let revealing = 0;

  const take = (body, group) => {
    const cells = body.querySelectorAll(".rank, .film, .label, .likeliest, .reason, .said");
    lines.set(body.id, {
      body,
      group,
      text: plain([...cells].map((cell) => cell.textContent).join(" ")),
      rank: Number(body.dataset.rank),
      score: Number(body.dataset.score),
      time: body.dataset.time,
      path: body.querySelector(".film .path").textContent,
    });
  };
  for (const { id } of groups) {
    for (const body of find(id).querySelectorAll("tbody")) {
      take(body, id);
      groupOf.set(body.id, id);
    }
  }

  const put = (key, html) => {
    const body = make(html);
    const before = lines.get(key)?.body;
    const focused = before && focusIn(before);
    if (before) {
      body.hidden = before.hidden;
      before.replaceWith(body);
    }
    take(body, groupOf.get(key));
    if (focused) body.querySelector(focused)?.focus();
  };

  const addPart = (group) => {
    const part = group.querySelector(".part").cloneNode(false);
    const table = document.createElement("table");
    for (const name of ["colgroup", "thead"]) {
      table.append(group.querySelector(name).cloneNode(true));
    }
    part.append(table);
    group.append(part);
    return part;
  };

  /** Put each row into its place; `most` rows in a table. */
  const arrange = (most = PART) => {
    const focused = document.activeElement;
    const sorted = [...lines.values()].sort(orders[find("sort").value]);
    ordered = [];
    for (const group of groups) {
      const own = sorted.filter((line) => line.group === group.id);
      const parts = [...group.querySelectorAll(".part")];
      let part = null;
      let at = null;
      own.forEach((line, index) => {
        if (index % most === 0) {
          part = parts.shift() ?? addPart(group);
          at = part.querySelector("tbody");
        }
        line.part = part;
        if (line.body === at) at = at.nextElementSibling;
        else part.firstElementChild.insertBefore(line.body, at);
      });
      // The first one stays, for its head; of a group that is empty now, nothing is shown.
      for (const left of own.length ? parts : parts.slice(1)) left.remove();
      ordered.push(...own);
    }
    // What is moved from one table to another loses it.
    if (focused !== document.activeElement && focused?.isConnected) {
      focused.focus({ preventScroll: true });
    }
  };

  /** Show rows that are wanted and hidden, from the top; when some are left, soon again. */
  const reveal = (most) => {
    clearTimeout(revealing);
    const counts = new Map();
    let left = most;
    for (const { body, group, isWanted, part } of ordered) {
      if (isWanted && body.hidden && left > 0) {
        body.hidden = false;
        left -= 1;
      }
      if (body.hidden) continue;
      for (const place of [group, part]) counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    for (const group of groups) {
      group.hidden = !counts.has(group.id);
      for (const part of group.querySelectorAll(".part")) {
        part.hidden = !counts.has(part);
        // For its height while it is not laid out.
        part.style.setProperty("--rows", counts.get(part) ?? 0);
      }
    }
    revealing = left > 0 ? 0 : setTimeout(() => reveal(PIECE), 0);
  };

  const filter = () => {
    const wanted = plain(find("find").value).split(/\s+/).filter(Boolean);
    const chosen = find("show").value;
    let total = 0;
    for (const line of ordered) {
      const isChosen = !chosen || chosen === line.group;
      line.isWanted = isChosen && wanted.every((word) => line.text.includes(word));
      if (line.isWanted) total += 1;
      else if (!line.body.hidden) line.body.hidden = true;
    }
    reveal(SCREEN);
    const isWhole = !wanted.length && !chosen;
    const all = String(lines.size + coming.size);
    find("shown").textContent = isWhole
      ? "" : shown.replace("{shown}", total).replace("{total}", all);
  };

  const show = () => {
    arrange();
    filter();
  };

  const makeSome = (most) => {
    clearTimeout(making);
    for (const [key, html] of [...coming].slice(0, most)) {
      coming.delete(key);
      put(key, html);
    }
    making = coming.size ? setTimeout(makePiece, 0) : 0;
  };
  const makePiece = () => {
    makeSome(PIECE);
    show();
  };
  const makeAll = () => {
    makeSome(Infinity);
    show();
    reveal(Infinity);
  };

  addEventListener("beforeprint", () => {
    makeAll();
    // One table a group: its head stands on top of each sheet.
    arrange(Infinity);
    reveal(Infinity);
  });
  addEventListener("afterprint", show);
  find("find").addEventListener("input", filter);
  find("show").addEventListener("change", filter);
  find("sort").addEventListener("change", show);
  show();

  return {
    filter,
    /** How many there are in the page. */
    get size() {
      return lines.size;
    },

    /** Do as the news say; return whether a group has rows that it had not before. */
    take(news, watched) {
      const before = groupOf;
      groupOf = new Map();
      for (const [group, keys] of Object.entries(news.groups)) {
        for (const key of keys) groupOf.set(key, group);
        find(group).querySelector(".count").textContent = keys.length;
      }
      for (const [key, { body }] of lines) {
        if (groupOf.has(key)) continue;
        body.remove();
        lines.delete(key);
      }
      for (const key of coming.keys()) if (!groupOf.has(key)) coming.delete(key);
      for (const [key, html] of Object.entries(news.lines)) {
        coming.delete(key);
        put(key, html);
      }
      // What the page had not room for at first: its lines are no news.
      const rest = Object.entries(news.rest ?? {});
      for (const [key, html] of rest) {
        before.set(key, groupOf.get(key));
        if (!lines.has(key)) coming.set(key, html);
      }
      for (const [key, line] of lines) line.group = groupOf.get(key);
      show();
      if (rest.length) making = setTimeout(makePiece, 0);
      return news.groups[watched].some((key) => before.get(key) !== watched);
    },

    /** Return the film that stands `by` rows after one, of those that are shown; or null. */
    neighbour(film, by) {
      makeAll();
      const all = [...document.querySelectorAll("main tbody:not([hidden]) tr[data-film]")];
      const at = all.findIndex((row) => Number(row.dataset.film) === film);
      const next = all[at + by];
      return at < 0 || !next ? null : Number(next.dataset.film);
    },
  };
}
