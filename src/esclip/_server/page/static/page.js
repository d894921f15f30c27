/* Improves the page where scripts run: all but dropping pictures works without.

   page.js: typing, clicks, going back   search.js: a URL's results   keys.js: single keys
   Loaded when they are wanted: viewer.js, pictures.js, copy.js, facets.js */

import { $ } from "./dom.js";
import "./keys.js";
import { count, go, here, isShown, more, remember, restore, sent, watch } from "./search.js";

const PAUSE = 150; // ms after the last key
const SETTLED = 1500; // ms after which another text is another entry of the history

const form = $("#search");
const field = $("#q");
const viewer = () => import("./viewer.js");
const pictures = () => import("./pictures.js");
const facets = () => import("./facets.js");
let timer, settling;
let settled = true;

function settle() {
  clearTimeout(timer);
  clearTimeout(settling);
  settled = true;
}

function search() {
  const url = here({ q: field.value.trim() });
  if (new URL(url, location.href).search === location.search && isShown()) return;
  go(url, settled ? "push" : "replace");
  settled = false;
  clearTimeout(settling);
  settling = setTimeout(settle, SETTLED);
}

function typed(event) {
  clearTimeout(timer);
  if (!event.isComposing) timer = setTimeout(search, PAUSE);
}

function submit(event) {
  event.preventDefault();
  search();
  settle();
}

function follow(event) {
  const link = event.target.closest("a[href]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  const away = url.origin !== location.origin || url.pathname !== location.pathname;
  if (away || link.matches(".skip")) return;
  event.preventDefault();
  if (link.closest("#facets")) facets().then(() => $("#facets").classList.toggle("open"));
  else if (link.matches(".close")) viewer().then(({ leave }) => leave());
  else if (url.searchParams.has("view")) {
    viewer().then(({ view }) => view(url, link.matches(".turn") ? "replace" : "push"));
  }
  else if (link.matches(".pages [rel=next]")) more(true);
  else visit(url);
}

function visit(url) {
  settle();
  $("#viewer").close();
  go(url);
  field.value = url.searchParams.get("q") ?? "";
}

async function goBack() {
  settle();
  const { place, pictures: wanted = [], shown } = history.state ?? {};
  const given = new URLSearchParams(location.search);
  field.value = given.get("q") ?? "";
  if (wanted.length || sent.kept.length) (await pictures()).reuse(wanted);
  if (given.has("view")) (await viewer()).view(location.href, "");
  else if ($("#viewer").open) (await viewer()).hide(isShown());
  if (isShown()) return;
  await go(location.href, "", shown);
  restore(place);
}

/* After a reload, and on the way back from another site. */
async function arrive() {
  const { place, pictures: wanted = [], shown } = history.state ?? {};
  if (wanted.length) (await pictures()).reuse(wanted);
  if (shown > count()) await go(location.href, "", shown);
  restore(place);
}

async function take(files) {
  const list = [...files]; // of an event, which has them no longer than it lasts
  (await pictures()).add(list);
}

function drag(event) {
  const holds = event.dataTransfer.types.includes("Files");
  document.body.classList.toggle("drop", holds && event.type === "dragover");
  if (!holds) return;
  event.preventDefault();
  if (event.type === "drop") take(event.dataTransfer.files);
}

/* A picture of a host that the page's policy lacks: by now the server knows it. */
function reloadOnce(event) {
  const host = event.blockedURI.split("/")[2];
  if (event.effectiveDirective !== "img-src" || sessionStorage.getItem(host)) return;
  sessionStorage.setItem(host, "1");
  location.reload();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-text]");
  if (button) import("./copy.js").then(({ copy }) => copy(button));
});
document.addEventListener("securitypolicyviolation", reloadOnce);
if (form) {
  history.scrollRestoration = "manual";
  field.addEventListener("input", typed);
  field.addEventListener("compositionend", typed);
  form.addEventListener("submit", submit);
  $("#results").addEventListener("change", (event) => go(here({ sort: event.target.value })));
  document.addEventListener("click", follow);
  addEventListener("popstate", goBack);
  let scrolled;
  const keep = () => $("#viewer").open || remember();
  addEventListener("scroll", () => {
    clearTimeout(scrolled);
    scrolled = setTimeout(keep, 200);
  }, { passive: true });
  addEventListener("pagehide", keep);
  for (const type of ["dragover", "dragleave", "drop"]) document.addEventListener(type, drag);
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  $("#file").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = "";
  });
  watch();
  arrive();
  if (matchMedia("(min-width:64rem)").matches) facets();
}
