// Search, filter and sort what stands in the page; without this script it is a plain, whole list.

const tools = document.querySelector(".tools");
const lines = new Map();
for (const section of document.querySelectorAll("section.group")) {
  for (const body of section.querySelectorAll("tbody")) {
    lines.set(body, readLine(body, section.id));
  }
}
makeTables(lines, {
  say(count) {
    const { total, shown } = tools.dataset;
    document.getElementById("shown").textContent = count === null
      ? "" : shown.replace("{shown}", count).replace("{total}", total);
  },
}).renew(); // a browser may fill the fields again after a reload

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
