/* What all scripts of the page share. */

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/* Say what went wrong without taking anything away; an empty text takes it back. */
export function complain(text) {
  $("#wrong").textContent = text;
}

/* Say to who can't see it what is shown now. */
export function tell(text) {
  $("#told").textContent = text;
}
