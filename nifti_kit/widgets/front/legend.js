// The legend of a viewer: a list of classes with check boxes, in a box that scrolls.
//
// Names come from files: they are set as text, never as markup.

const DARK = 0.45; // a swatch of less luminance (0 to 1) gets a white letter

function luminance([r, g, b]) {
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}

function button(kind, text, label, click) {
  const made = el("button", { class: `nk-legend-button ${kind}`, text: text });
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", click);
  return made;
}

function row(found, tell) {
  const item = el("li", { class: "nk-legend-row" });
  const label = el("label", { class: "nk-legend-label" });
  const box = el("input", { class: "nk-legend-box" });
  box.type = "checkbox";
  box.addEventListener("change", () => tell({ show: found.name, on: box.checked }));
  const swatch = el("span", { class: "nk-legend-swatch", text: found.mark });
  swatch.style.backgroundColor = `rgb(${found.color.map(Number).join(",")})`;
  swatch.style.color = luminance(found.color) < DARK ? "#fff" : "#000";
  const name = el("span", { class: "nk-legend-name", title: found.name }, ...broken(found.name));
  const voxels = el("span", { class: "nk-legend-voxels", text: found.voxels });
  label.append(box, swatch, name, voxels);
  item.append(
    label,
    button("nk-legend-find", "Find", `Find ${found.name}`, () => tell({ find: found.name })),
    button("nk-legend-only", "Only", `Show only ${found.name}`, () => tell({ only: found.name })),
  );
  return { item, box };
}

export default {
  render({ model, el: outer }) {
    const tell = (what) => model.send(what);
    const root = el("div", { class: "nk-legend-root" });
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    const head = el("div", { class: "nk-legend-head" });
    const search = el("input", { class: "nk-legend-search" });
    search.type = "search";
    search.placeholder = "Search classes";
    search.setAttribute("aria-label", "Search classes");
    search.value = model.get("search");
    search.addEventListener("input", () => tell({ search: search.value }));
    head.append(
      search,
      button("nk-legend-all", "All", "Show all listed classes", () => tell({ all: true })),
      button("nk-legend-none", "None", "Hide all listed classes", () => tell({ none: true })),
    );
    const list = el("ul", { class: "nk-legend-list" });
    list.setAttribute("aria-label", "Classes");
    const count = el("div", { class: "nk-legend-count" });
    count.setAttribute("role", "status");
    // Masks that are not in the picture, or not where they seem: said before the classes.
    const notes = el("ul", { class: "nk-legend-notes", role: "status", "aria-label": "Notes" });
    root.append(notes, head, list, count);
    outer.append(root);
    let names = null;
    let rows = [];
    const show = () => {
      const found = model.get("rows");
      const now = JSON.stringify(found.map((one) => one.name));
      if (now !== names) {
        // The same rows keep their elements, and with them the keyboard's place.
        rows = found.map((one) => row(one, tell));
        list.replaceChildren(...rows.map((one) => one.item));
        names = now;
      }
      found.forEach((one, at) => {
        rows[at].box.checked = one.shown;
        rows[at].item.classList.toggle("nk-hidden-class", !one.shown);
      });
      count.textContent = model.get("count");
      const said = model.get("notes");
      notes.hidden = !said.length;
      notes.replaceChildren(...said.map((note) => el("li", { text: note })));
    };
    const searched = () => {
      if (search.value !== model.get("search") && document.activeElement !== search)
        search.value = model.get("search");
    };
    model.on("change:rows change:count change:notes", show);
    model.on("change:search", searched);
    show();
    return () => {
      model.off("change:rows change:count change:notes", show);
      model.off("change:search", searched);
    };
  },
};
