// The page of labels: saves corrections without loading the page, and takes keys.

import { add, send } from "./jobs.js";

const tiles = [...document.querySelectorAll(".labelled li")];

document.addEventListener("submit", (event) => {
  if (!event.target.closest(".labelled")) return;
  event.preventDefault();
  save(event.target, event.submitter);
});
document.addEventListener("change", (event) => {
  if (event.target.name === "correction") save(event.target.form, null);
});
document.addEventListener("keydown", press);

/** Save a picture's label: the one that is chosen, or none with the button that takes it back. Goes on by `step`. */
async function save(form, button, step = 0) {
  const undone = button?.name === "correction";
  const tile = form.closest("li");
  if (!(await send(form, undone ? button : null))) {
    form.correction[0].value = tile.dataset.label;
    return;
  }
  const [right, undo] = form.querySelectorAll("button");
  add("#checked", Number(!undone) - Number(right.ariaPressed === "true"));
  right.ariaPressed = String(!undone);
  if (undone) right.focus();
  undo.hidden = undone;
  const label = undone ? tile.dataset.guess : form.correction[0].value;
  form.correction[0].value = label;
  add(`.chip[data-label="${CSS.escape(tile.dataset.label)}"] i`, -1);
  add(`.chip[data-label="${CSS.escape(label)}"] i`, 1);
  tile.dataset.label = label;
  if (step) go(tile, step);
}

/** Keys count on a picture only: elsewhere they are the browser's, or a screen reader's. */
function press(event) {
  const tile = event.target.closest(".labelled li");
  if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
  const form = tile.querySelector("form");
  const [right, undo] = form.querySelectorAll("button");
  const step = { n: 1, p: -1 }[event.key];
  const number = "123456789".indexOf(event.key);
  if (step) go(tile, step);
  else if (event.key === "y") save(form, null, 1);
  else if (event.key === "u" && !undo.hidden) save(form, undo);
  else if (number >= 0 && form.correction[0].options[number]) {
    form.correction[0].selectedIndex = number;
    save(form, null, 1);
  } else return;
  event.preventDefault();
}

function go(tile, step) {
  tiles[tiles.indexOf(tile) + step]?.querySelector("[aria-pressed]").focus();
}
