/* Searches: what the URL says becomes what the page shows. A newer search ends an older one. */

import { $, $$, complain, tell } from "./dom.js";

/* Pictures of pictures.js: what is sent with a search, and what the history keeps of it. */
export const sent = { parts: [], kept: [] };

const AUTOMATIC = 3; // so many further pages come by themselves
const AHEAD = "900px"; // before the end of the page is seen

const results = $("#results");
let running = new AbortController();
let automatic = AUTOMATIC;
let shown = key();

/* What the results depend on. */
function key() {
  const given = new URLSearchParams(location.search);
  for (const name of ["view", "at"]) given.delete(name);
  return `${given} ${JSON.stringify(sent.kept)}`;
}

/* Whether the results are those of the URL. */
export const isShown = () => shown === key();

/* The URL of the search from its beginning, with other parameters. */
export function here(changes = {}) {
  const given = new URLSearchParams(location.search);
  for (const name of ["offset", "view", "at"]) given.delete(name);
  for (const [name, value] of Object.entries(changes)) value ? given.set(name, value) : given.delete(name);
  return `${given}` ? `?${given}` : "./";
}

/* A part of the page as HTML. Throws what is wrong, in words. */
export async function ask(url, part, signal, count, parts = sent.parts) {
  const asked = new URL(url, location.href);
  asked.searchParams.set("part", part);
  if (count) asked.searchParams.set("shown", Math.min(count, 1000));
  const request = { signal, headers: { Accept: "text/html", "Content-Type": "application/json" } };
  if (parts.length) Object.assign(request, { method: "POST", body: JSON.stringify({ parts }) });
  const answer = await fetch(asked, request).catch((error) => {
    throw error.name === "AbortError" ? error : new Error("The server can't be reached.");
  });
  const text = await answer.text();
  if (answer.status === 401) location.reload(); // to the form for the token
  const found = document.createElement("template");
  if (answer.headers.get("Content-Type").startsWith("text/html")) found.innerHTML = text;
  if (answer.ok) return found.content;
  const [title, detail] = ["h2", "p"].map((tag) => $(tag, found.content)?.textContent);
  throw new Error(title ? `${title}: ${detail}` : JSON.parse(text).detail || JSON.parse(text).title);
}

/* Search by a URL, which becomes the page's: how is push, replace, or empty where it is already. */
export async function go(url, how = "push", count = 0) {
  running.abort();
  const mine = (running = new AbortController());
  if (how === "push") remember();
  if (how) history[`${how}State`]({ pictures: sent.kept }, "", url);
  document.body.classList.add("busy");
  try {
    const found = await ask(location.href, "results", mine.signal, count);
    if (mine.signal.aborted) return;
    complain("");
    const { activeElement: had } = document;
    const same = results.contains(had) && `[name="${had.name ?? ""}"]`;
    results.replaceChildren(found);
    if (same) ($(same, results) ?? $("#count")).focus({ preventScroll: true });
    shown = key();
    automatic = AUTOMATIC;
    watch();
    const text = new URLSearchParams(location.search).get("q");
    document.title = [text, $(".brand span")?.textContent, "esclip"].filter(Boolean).join(" – ");
    tell([text, ...["#count", ".doubt"].map((one) => $(one)?.textContent)].filter(Boolean).join(". "));
    document.dispatchEvent(new Event("shown"));
    if (how) scrollTo(0, 0);
  } catch (error) {
    if (mine === running) complain(error.message);
  } finally {
    if (mine === running) document.body.classList.remove("busy");
  }
}

/* Append the next page to the results. */
export async function more(byHand = false) {
  const link = $("a[rel=next]", results);
  const mine = running;
  if (!link || link.ariaBusy) return;
  link.ariaBusy = "true";
  try {
    const found = await ask(link.href, "results", mine.signal);
    await new Promise(requestAnimationFrame); // isSeen holds until it is painted
    if (mine.signal.aborted) return;
    const first = $(".tile", found);
    append(found);
    if (byHand) $("a", first).focus();
    watch();
  } catch (error) {
    link.ariaBusy = null;
    document.body.classList.remove("onward");
    if (mine === running) complain(error.message);
  }
}

function append(found) {
  const [pages, fitting, weak] = [".pages", ".fitting", ".weak"].map((name) => $(name, found));
  $(".pages", results).remove();
  $("[rel=prev]", found)?.remove();
  const last = $$(".fitting", results).at(-1);
  if (fitting && isSeen(last?.lastElementChild)) last.after(fitting);
  else if (fitting) last.append(...fitting.children);
  const folded = $(".weak", results);
  if (weak && folded) $(".grid", folded).append(...$(".grid", weak).children);
  else if (weak) {
    weak.open = false;
    results.append(weak);
  }
  if (pages) ($(".weak", results) ?? results).append(pages);
}

/* Whether a tile is in view: further ones in its row would move it. */
const isSeen = (tile) => tile?.getBoundingClientRect().top < innerHeight;

const watcher = new IntersectionObserver(
  (seen) => seen.some((one) => one.isIntersecting) && automatic-- > 0 && more(),
  { rootMargin: AHEAD },
);

/* Look out for the end of the page. */
export function watch() {
  watcher.disconnect();
  const link = $("a[rel=next]", results);
  if (link) watcher.observe(link);
  document.body.classList.toggle("onward", Boolean(link?.offsetParent) && automatic > 0); // what comes would move its end
}

/* Keep in the history what is seen now: how many pictures, and which of them where. */
export function remember() {
  const tiles = $$(".tile", results);
  const top = $(".bar").getBoundingClientRect().bottom;
  const seen = document.activeElement.closest?.(".tile") ??
    tiles.find((tile) => tile.getBoundingClientRect().bottom > top + 40);
  const place = seen && { id: seen.id, top: seen.getBoundingClientRect().top };
  const isLast = tiles.indexOf(seen) > tiles.length - 20; // to be so high up, it needs others below it
  history.replaceState({ ...history.state, place, shown: tiles.length + (isLast ? 30 : 0) }, "");
}

/* Bring a picture where it was. */
export function restore(place) {
  const tile = place && document.getElementById(place.id);
  if (!tile) return;
  tile.closest("details")?.setAttribute("open", "");
  scrollBy(0, tile.getBoundingClientRect().top - place.top);
  $("a", tile).focus({ preventScroll: true });
}

export const count = () => $$(".tile", results).length;
