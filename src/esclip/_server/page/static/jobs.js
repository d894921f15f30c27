// What the pages of jobs share: how far a job is, and forms that are sent without loading the page.

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

/** Send a form as its button would. Returns whether it was taken; else the browser sends it, and shows what is wrong. */
export async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const request = { method: "POST", body, redirect: "manual" };
  const response = await fetch(form.getAttribute("action"), request).catch(() => null);
  if (response?.type === "opaqueredirect") return true;
  if (button?.name) {
    const { name, value } = button;
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  form.submit();
  return false;
}
