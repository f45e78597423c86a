"use strict";
// Search, filter and sort what stands in the page; without this script it is a plain, whole list.
(() => {
  const tools = document.querySelector(".tools");
  const [find, show, sort] = ["find", "show", "sort"].map((id) => document.getElementById(id));
  const shown = document.getElementById("shown");
  const byName = new Intl.Collator(undefined, { numeric: true });
  const byCode = (a, b) => (a < b ? -1 : Number(a > b));
  // A Mac writes file names with Hangul taken apart; NFC puts it together again.
  const plain = (text) => text.normalize("NFC").toLowerCase();

  const groups = [...document.querySelectorAll("section.group")].map((section) => ({
    section,
    table: section.querySelector("table"),
    lines: [...section.querySelectorAll("tbody")].map((body) => {
      const cells = body.querySelectorAll(".rank, .film, .label, .likeliest, .reason");
      return {
        body,
        text: plain([...cells].map((cell) => cell.textContent).join(" ")),
        rank: Number(body.dataset.rank),
        score: Number(body.dataset.score),
        time: body.dataset.time,
        path: body.querySelector(".film .path").textContent,
      };
    }),
  }));

  const orders = {
    rank: (a, b) => a.rank - b.rank,
    score: (a, b) => b.score - a.score || a.rank - b.rank,
    // What has no time comes last.
    time: (a, b) => byCode(a.time || "~", b.time || "~") || a.rank - b.rank,
    path: (a, b) => byName.compare(a.path, b.path) || a.rank - b.rank,
  };

  const filter = () => {
    const wanted = plain(find.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { section, lines } of groups) {
      const isChosen = !show.value || show.value === section.id;
      let visible = 0;
      for (const line of lines) {
        line.body.hidden = !isChosen || !wanted.every((word) => line.text.includes(word));
        visible += line.body.hidden ? 0 : 1;
      }
      section.hidden = visible === 0;
      count += visible;
    }
    const { total, shown: words } = tools.dataset;
    const isWhole = !wanted.length && !show.value;
    shown.textContent = isWhole ? "" : words.replace("{shown}", count).replace("{total}", total);
  };

  find.addEventListener("input", filter);
  show.addEventListener("change", filter);
  sort.addEventListener("change", () => {
    for (const { table, lines } of groups) {
      table.append(...lines.sort(orders[sort.value]).map((line) => line.body));
    }
  });
  for (const link of document.querySelectorAll(".tiles a")) {
    link.addEventListener("click", () => {
      find.value = show.value = "";
      filter();
    });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.look");
    if (button) button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const button of document.querySelectorAll("button.look[aria-pressed=true]")) {
      button.setAttribute("aria-pressed", "false");
    }
    if (document.activeElement.matches("button.look")) document.activeElement.blur();
  });
  document.documentElement.classList.add("scripted");
  tools.hidden = false;
  filter(); // a browser may fill the fields again after a reload
})();
