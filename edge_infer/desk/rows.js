// The list's rows as the news bring them, one element for each examination.

import { makeTables, PIECE, readLine } from "./tables.js";

const find = (id) => document.getElementById(id);

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
  const lines = new Map();
  /** Lines that are known and not made yet, by key. */
  const coming = new Map();
  let groupOf = new Map();
  let making = 0;

  for (const { id } of document.querySelectorAll("section.group")) {
    for (const body of find(id).querySelectorAll("tbody")) {
      lines.set(body.id, readLine(body, id));
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
    lines.set(key, readLine(body, groupOf.get(key)));
    if (focused) body.querySelector(focused)?.focus();
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
    tables.renew();
  };
  const makeAll = () => {
    makeSome(Infinity);
    tables.renew();
    tables.revealAll();
  };

  const tables = makeTables(lines, {
    makeAll,
    say(count) {
      find("shown").textContent = count === null ? "" : shown
        .replace("{shown}", count)
        .replace("{total}", String(lines.size + coming.size));
    },
  });
  tables.renew();

  return {
    /** How many there are in the page. */
    get size() {
      return lines.size;
    },

    /** Do as the news say; return whether the group `watched` has rows that it had not before. */
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
      tables.renew();
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
