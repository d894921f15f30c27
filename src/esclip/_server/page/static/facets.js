/* The panel of filters: counted again when the filters change, by it or by anything else. */

import { $, $$, complain } from "./dom.js";
import { ask, go, here } from "./search.js";

const aside = $("#facets");
const panel = $("div", aside);
const FILTERS = /^(where$|(is|min|max)\.)/;
let counted = panel.firstElementChild && filters();

/* What of the URL the counts depend on. */
function filters() {
  const pairs = [...new URLSearchParams(location.search)];
  return JSON.stringify(pairs.filter(([name]) => FILTERS.test(name)));
}

/* Show the panel with the counts of the URL. */
async function show() {
  const wanted = filters();
  if (wanted === counted) return;
  counted = wanted;
  try {
    const found = await ask(location.href, "facets");
    if (wanted === counted) put(found);
  } catch (error) {
    counted = null;
    if ($("#count")) complain(error.message); // else it is said in the place of results
  }
}

/* Put a new panel in the place of the old one: what was open stays open, what had the focus keeps it. */
function put(found) {
  for (const old of $$("details", panel)) {
    const same = $(`details[data-field="${CSS.escape(old.dataset.field)}"]`, found);
    if (same) same.open = old.open;
  }
  const { name, value, type } = document.activeElement;
  const had = panel.contains(document.activeElement) && name;
  panel.replaceChildren(found);
  if (!had) return;
  const same = $$(`[name="${CSS.escape(name)}"][type="${type}"]`, panel);
  same.find((one) => type !== "checkbox" || one.value === value)?.focus();
}

/* Search with what is chosen now: at a check, or at the end of typing. A condition becomes a chip. */
aside.addEventListener("change", (event) => {
  const url = new URL(here(), location.href);
  for (const name of [...url.searchParams.keys()]) if (FILTERS.test(name)) url.searchParams.delete(name);
  for (const [name, value] of new FormData(event.target.form)) {
    if (FILTERS.test(name) && value.trim()) url.searchParams.append(name, value);
  }
  go(url.search || "./");
});
aside.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("shown", show);
show();
