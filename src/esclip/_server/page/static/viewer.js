/* A picture large, in a dialog. It is an entry of the history: going back closes it. */

import { $, complain } from "./dom.js";
import { ask, count, go, remember } from "./search.js";

const dialog = $("#viewer");
let newest = 0;
let rank = 0;

/* Show the picture of a URL, which becomes the page's: how is push, replace, or empty where it is already. */
export async function view(url, how = "push") {
  const mine = ++newest;
  if (how === "push") remember();
  const { pictures } = history.state ?? {};
  const opened = how === "push" || history.state?.opened;
  if (how) history[`${how}State`]({ pictures, opened }, "", url);
  rank = Number(new URLSearchParams(location.search).get("at"));
  try {
    const found = await ask(location.href, "viewer");
    if (mine !== newest) return;
    dialog.replaceChildren(found);
    dialog.setAttribute("aria-label", $("h2", dialog).textContent);
    if (!dialog.open) dialog.showModal();
    $(".about", dialog).focus({ preventScroll: true });
  } catch (error) {
    complain(error.message);
  }
}

/* Back to the results, to the picture that was seen last. */
export function leave() {
  if (history.state?.opened) history.back();
  else {
    history.replaceState({}, "", $(".close", dialog).href);
    hide();
  }
}

/* Close it; `back`: with the focus on the picture's tile. */
export async function hide(back = true) {
  newest++;
  if (!dialog.open) return;
  dialog.close();
  if (!back) return;
  if (rank > count()) await go(location.href, "", rank);
  const tile = document.getElementById(`hit-${rank}`);
  if (!tile) return;
  tile.closest("details")?.setAttribute("open", "");
  tile.scrollIntoView({ block: "nearest" });
  $("a", tile).focus({ preventScroll: true });
}

dialog?.addEventListener("cancel", (event) => {
  event.preventDefault();
  leave();
});
dialog?.addEventListener("click", (event) => event.target === dialog && leave());
