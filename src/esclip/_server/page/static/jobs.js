// What the pages of jobs share: how far a job is, and forms that are sent without loading the page.

import { $, complain } from "./dom.js";

for (const form of document.querySelectorAll("form[data-job]")) follow(form);

/** Show how far the job is, and its pairs when it has ended. */
async function follow(form) {
  const response = await fetch(`v1/jobs/${form.dataset.job}`).catch(() => null);
  const job = response?.ok && (await response.json());
  if (job && job.state === "running") {
    const { done, total } = job.progress;
    const bar = form.querySelector("progress");
    if (total) [bar.max, bar.value] = [total, done];
    const count = (number) => number.toLocaleString("en");
    form.querySelector("#done").textContent = `${count(done)}${total ? ` of ${count(total)}` : ""} pictures`;
    setTimeout(follow, 500, form);
  } else if (response) location.replace(location.href);
  else setTimeout(follow, 2000, form);
}

/** Send a form as its button would. Returns whether it was taken; else what is wrong is said, and nothing changes. */
export async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const request = { method: "POST", body, redirect: "manual", headers: { Accept: "text/html" } };
  const response = await fetch(form.getAttribute("action"), request).catch(() => null);
  const isTaken = response?.type === "opaqueredirect";
  complain(isTaken ? "" : `Not saved. ${await reason(response)}`);
  return isTaken;
}

/** What a response says is wrong, in words. */
async function reason(response) {
  if (!response) return "The server can't be reached.";
  if (response.status === 401) location.reload(); // to the form for the token
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return ["h2", "p"].map((tag) => $(`[role=alert] ${tag}`, page)?.textContent).filter(Boolean).join(": ");
}

/** Count what has changed. */
export function add(selector, number) {
  const count = $(selector);
  count.textContent = (Number(count.textContent.replaceAll(",", "")) + number).toLocaleString("en");
}
