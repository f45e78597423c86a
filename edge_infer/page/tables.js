// Rows in tables of a few each, of which the browser lays out those near the screen only, searched,
// filtered and sorted: one table of 500 rows took it half a second at every keystroke.

const PART = 10;
/** Rows shown before the browser may do something else. */
export const PIECE = 20;
/** Rows shown at once after a keystroke: about a screen. */
const SCREEN = 10;

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

/** Read what a row is found and sorted by; `group` is the id of its section. */
export function readLine(body, group) {
  const cells = body.querySelectorAll(".rank, .film, .label, .likeliest, .reason, .said");
  return {
    body,
    group,
    text: plain([...cells].map((cell) => cell.textContent).join(" ")),
    rank: Number(body.dataset.rank),
    score: Number(body.dataset.score),
    time: body.dataset.time,
    path: body.querySelector(".film .path").textContent,
  };
}

/** Arrange `lines`, a map of what `readLine` read; `say` is told how many a search has left. */
export function makeTables(lines, { say, makeAll = () => {} }) {
  const [find, show, sort] = ["find", "show", "sort"].map((id) => document.getElementById(id));
  const groups = [...document.querySelectorAll("section.group")];
  /** The rows from top to bottom. */
  let ordered = [];
  let revealing = 0;
  /** Rows in a table. */
  let most = PART;

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

  /** Put each row into its place. */
  const arrange = () => {
    const focused = document.activeElement;
    const sorted = [...lines.values()].sort(orders[sort.value]);
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
  const reveal = (count) => {
    clearTimeout(revealing);
    const counts = new Map();
    let left = count;
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
    const wanted = plain(find.value).split(/\s+/).filter(Boolean);
    let total = 0;
    for (const line of ordered) {
      const isChosen = !show.value || show.value === line.group;
      line.isWanted = isChosen && wanted.every((word) => line.text.includes(word));
      if (line.isWanted) total += 1;
      else if (!line.body.hidden) line.body.hidden = true;
    }
    reveal(SCREEN);
    say(wanted.length || show.value ? total : null);
  };

  const renew = () => {
    arrange();
    filter();
  };

  addEventListener("beforeprint", () => {
    makeAll();
    // One table a group: its head stands on top of each sheet.
    most = Infinity;
    arrange();
    reveal(Infinity);
  });
  addEventListener("afterprint", () => {
    most = PART;
    renew();
  });
  find.addEventListener("input", filter);
  show.addEventListener("change", filter);
  sort.addEventListener("change", renew);
  // Every row again, for whoever goes to a group.
  document.querySelector(".tiles").addEventListener("click", (event) => {
    if (!event.target.closest("a")) return;
    find.value = show.value = "";
    filter();
    reveal(Infinity);
  });
  return { renew, revealAll: () => reveal(Infinity) };
}
