/* Links and credits as text for other programs. */

import { tell } from "./dom.js";
import { sent } from "./search.js";

/* Copy what a button is for. */
export async function copy(button) {
  const text = button.dataset.text ?? new URL(button.dataset.copy, location.href).href;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = sent.kept.length ? "Copied, without your pictures" : "Copied";
    tell(button.textContent);
  } catch {
    prompt("Copy it:", text); // no clipboard but over TLS or on this machine
  }
}
