/* Single keys. Who doesn't want them turns them off in the list of keys. */

import { $, $$ } from "./dom.js";

const OFF = "esclip-keys-off";
const help = $("#help");
const choice = $("#use-keys");
choice.checked = !localStorage.getItem(OFF);
choice.addEventListener("change", () => {
  choice.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1");
});
$("#keys")?.addEventListener("click", () => help.showModal());

const tiles = () => $$(".tile").filter((tile) => tile.offsetParent);
const focus = (tile) => $("a", tile).focus();
const middle = (box) => box.left + box.width / 2;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (help.open) return;
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  const done = event.key.startsWith("Arrow") ? arrow(event.key, event.target, typing)
    : !typing && choice.checked && letter(event.key, event.target);
  if (done) event.preventDefault();
});

function letter(key, target) {
  const viewer = $("#viewer[open], main.viewer");
  if (key === "?") help.showModal();
  else if (key === "/" && !viewer) $("#q").select();
  else if ("mls".includes(key)) {
    const link = $(`[data-key=${key}]`, viewer ?? target.closest(".tile") ?? document.createElement("i"));
    link?.click();
    return link;
  } else return false;
  return true;
}

function arrow(key, target, typing) {
  const viewer = $("#viewer[open], main.viewer");
  if (viewer) {
    const link = $({ ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]" }[key] ?? "no", viewer);
    link?.click();
    return link;
  }
  const all = tiles();
  const tile = target.closest(".tile");
  const into = typing ? target.id === "q" && key === "ArrowDown" : target.matches("body,#count") && key === "ArrowRight";
  if (into && all.length) focus(all.find((one) => one.getBoundingClientRect().top > 0) ?? all[0]);
  if (!tile) return into;
  const next = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const found = next ? all[all.indexOf(tile) + next] : inRow(all, tile, key === "ArrowDown");
  if (found) focus(found);
  else if (key === "ArrowUp") $("#q").focus();
  return true;
}

/* The tile above or below another: of the next row, the one whose middle is nearest. */
function inRow(all, tile, below) {
  const from = tile.getBoundingClientRect();
  const beyond = all
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([, box]) => (below ? box.top > from.top + 5 : box.top < from.top - 5));
  const tops = beyond.map(([, box]) => box.top);
  const row = below ? Math.min(...tops) : Math.max(...tops);
  const distance = ([, box]) => Math.abs(middle(box) - middle(from));
  return beyond.filter(([, box]) => Math.abs(box.top - row) < 5).sort((a, b) => distance(a) - distance(b))[0]?.[0];
}
