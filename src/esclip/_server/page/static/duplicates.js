// The page of near-duplicates: saves choices without loading the page, keys, both pictures moved together.

import { add, send } from "./jobs.js";

const KEYS = { l: "left", r: "right", b: "both", u: "undecided" };

document.addEventListener("submit", save);
document.addEventListener("keydown", press);
document.addEventListener("scroll", moveTogether, { capture: true, passive: true });
document.addEventListener("change", zoom);

/** Save a choice. */
async function save(event) {
  const form = event.target;
  const button = event.submitter;
  const pair = form.closest(".pair");
  if (!pair || button?.name !== "keep") return;
  event.preventDefault();
  if (!(await send(form, button))) return;
  const undone = button.value === "undecided";
  const decided = form.querySelector("[aria-pressed=true]");
  add("#decided", Number(!undone) - Number(Boolean(decided)));
  document.querySelector(".export").hidden = false;
  for (const other of form.querySelectorAll("[aria-pressed]")) other.ariaPressed = String(other === button);
  form.querySelector("[value=undecided]").hidden = undone;
  if (undone) pair.focus();
}

/** Keys count within a pair only: elsewhere they are the browser's, or a screen reader's. */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio])")) return;
  const pair = event.target.closest(".pair");
  if (!pair) return;
  const step = { n: 1, p: -1 }[event.key];
  if (step) {
    const pairs = [...document.querySelectorAll(".pair")];
    pairs[pairs.indexOf(pair) + step]?.focus();
  } else if (KEYS[event.key]) {
    const button = pair.querySelector(`[name=keep][value=${KEYS[event.key]}]`);
    if (!button.hidden) button.click();
  } else return;
  event.preventDefault();
}

function moveTogether({ target }) {
  const other = target.closest?.(".sides")?.querySelector(`.pane:not([data-side=${target.dataset.side}])`);
  if (!other) return;
  other.scrollLeft = target.scrollLeft;
  other.scrollTop = target.scrollTop;
}

/** Zoomed pictures are sharp, and can be moved by keys. */
function zoom({ target }) {
  if (target.name !== "zoom") return;
  for (const pane of document.querySelectorAll(".pane")) {
    pane.tabIndex = target.value > 1 ? 0 : -1;
    pane.querySelector("img").sizes = `${45 * target.value}vw`;
    const share = (1 - 1 / target.value) / 2;
    pane.scrollTo(pane.scrollWidth * share, pane.scrollHeight * share);
  }
}
