// The gallery of a notebook whose pictures can be selected. Every text is set as text: none of it is markup.
//
// model: items (what `show_hit` says of each hit), selected_ids <─> a checkbox for each picture

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function link(text, address) {
  if (!address) return element("span", "", text);
  const made = element("a", "", text);
  made.href = address;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

function picture(item) {
  if (item.text) return element("blockquote", "", item.text);
  if (!item.picture) return element("code", "", item.place);
  const place = element("span", "esclip-picture");
  const image = element("img");
  image.src = item.picture.source;
  image.width = item.picture.width;
  image.height = item.picture.height;
  image.alt = item.alt;
  image.loading = "lazy";
  image.referrerPolicy = "no-referrer";
  place.append(image);
  if (item.box) {
    const frame = element("span", "esclip-frame");
    for (const side of ["left", "top", "width", "height"]) frame.style[side] = `${item.box[side]}%`;
    place.append(frame);
  }
  return place;
}

function figure(item, number) {
  const place = element("li");
  const label = element("label");
  const box = element("input");
  box.type = "checkbox";
  box.value = item.id;
  box.setAttribute("aria-label", `${number}: ${item.alt || item.title}`);
  label.append(box, picture(item));
  const caption = element("div", "esclip-caption");
  const lines = [
    [item.score],
    [item.title, item.link],
    [item.description],
    [item.credit, item.credit_link],
    [item.part],
    [item.alike],
  ];
  for (const [text, address] of lines) if (text) caption.append(link(text, address), element("br"));
  place.append(label, caption);
  return place;
}

// The box that an arrow leads to: the next one in the row, or the nearest one of the row above or below.
function neighbour(boxes, box, key) {
  const at = boxes.indexOf(box);
  if (key === "Home") return boxes[0];
  if (key === "End") return boxes[boxes.length - 1];
  if (key === "ArrowLeft") return boxes[at - 1];
  if (key === "ArrowRight") return boxes[at + 1];
  const here = box.closest("li").getBoundingClientRect();
  const down = key === "ArrowDown";
  let best, least = Infinity;
  for (const other of boxes) {
    const there = other.closest("li").getBoundingClientRect();
    if (down ? there.top <= here.top : there.top >= here.top) continue;
    const distance = 10 * Math.abs(there.top - here.top) + Math.abs(there.left - here.left);
    if (distance < least) [best, least] = [other, distance];
  }
  return best;
}

function render({ model, el }) {
  const items = model.get("items");
  const root = element("div", "esclip-gallery");
  const list = element("ul");
  list.append(...items.map((item, place) => figure(item, place + 1)));
  const boxes = [...list.querySelectorAll("input")];
  const bar = element("p");
  const count = element("span");
  count.setAttribute("role", "status");
  const all = element("button", "", "Select all");
  const none = element("button", "", "Clear");
  bar.append(count, all, none);
  root.append(bar, list);
  if (model.get("more")) root.append(element("p", "", model.get("more")));
  el.append(root);

  function show() {
    const selected = new Set(model.get("selected_ids"));
    for (const box of boxes) {
      box.checked = selected.has(box.value);
      box.closest("li").classList.toggle("esclip-selected", box.checked);
    }
    count.textContent = `${boxes.filter((box) => box.checked).length} of ${boxes.length} selected`;
  }

  function select(wanted) {
    model.set("selected_ids", boxes.filter(wanted).map((box) => box.value));
    model.save_changes();
    show();
  }

  list.addEventListener("change", () => select((box) => box.checked));
  all.addEventListener("click", () => select(() => true));
  none.addEventListener("click", () => select(() => false));
  list.addEventListener("keydown", (event) => {
    if (event.target.type !== "checkbox") return;
    event.stopPropagation(); // or the notebook takes it for a command of its own
    if (event.key === "Escape") return select(() => false);
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return select(() => true);
    }
    if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) return;
    event.preventDefault();
    neighbour(boxes, event.target, event.key)?.focus();
  });
  model.on("change:selected_ids", show);
  show();
  return () => model.off("change:selected_ids", show);
}

export default { render };
