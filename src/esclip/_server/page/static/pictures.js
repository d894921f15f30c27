/* Pictures to search with: dropped, pasted or chosen, made small here, kept while the page lives. */

import { $, complain } from "./dom.js";
import { ask, go, here, sent } from "./search.js";

const SIDE = 1024;
const MOST = 8;
const WEIGHTS = [[1, "like it"], [0.5, "a little like it"], [-0.5, "unlike it"]];

const known = []; // data in base64, thumbnail
const chips = $("#sent");

/* Search with these files, too. What is wrong with some is said last: results take it back. */
export async function add(files) {
  const before = sent.kept;
  const wrong = [];
  for (const file of files) {
    if (sent.kept.length === MOST) {
      wrong.push(`A search takes ${MOST} pictures.`);
      break;
    }
    try {
      known.push(await shrink(file));
      sent.kept = [...sent.kept, [known.length - 1, 1]];
    } catch (error) {
      wrong.push(`${file.name}: ${error.message}`);
    }
  }
  if (sent.kept !== before) {
    draw();
    await go(here());
  }
  if (wrong.length) complain(wrong.join(" "));
}

/* Search with those that the history has, as far as the page still has them. */
export function reuse(wanted = []) {
  sent.kept = wanted.filter(([number]) => known[number]);
  if (sent.kept.length < wanted.length) complain("The pictures that you dropped are gone: drop them again.");
  draw();
}

chips.addEventListener("change", (event) => {
  const place = event.target.closest("li").value;
  const weight = Number(event.target.value);
  sent.kept = sent.kept.map((one, number) => (number === place ? [one[0], weight] : one));
  draw();
  go(here());
});
chips.addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON") return;
  const place = event.target.closest("li").value;
  sent.kept = sent.kept.filter((_, number) => number !== place);
  draw();
  $("#q").focus();
  go(here());
});

async function shrink(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    if (!file.type.startsWith("image/")) throw new Error("This is no picture.");
    const data = await base64(file); // the server may know what this browser doesn't: it is asked at once
    await ask("./", "results", null, 1, [{ image: data }]);
    return { data };
  }
  return { data: paint(bitmap, SIDE).toDataURL("image/jpeg", 0.9).split(",")[1], small: paint(bitmap, 84) };
}

function paint(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, bitmap.width * scale);
  canvas.height = Math.max(1, bitmap.height * scale);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const base64 = (file) =>
  new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(",")[1]);
    reader.onerror = fail;
    reader.readAsDataURL(file);
  });

/* The chips; what is sent with a search is what they say. */
function draw() {
  sent.parts = sent.kept.map(([number, weight]) => ({
    image: known[number].data,
    weight: weight / sent.kept.length,
  }));
  chips.replaceChildren(...sent.kept.map(([number, weight], place) => {
    const chip = $("#sent-chip").content.firstElementChild.cloneNode(true);
    chip.value = place;
    chip.prepend(known[number].small ?? "");
    for (const [value, text] of WEIGHTS) $("select", chip).add(new Option(text, value, false, value === weight));
    return chip;
  }));
}
