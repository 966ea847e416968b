// A board of pictures, each with its marks. All text is put in as text, never as markup.

const KEYS = { p: "pass", f: "fail", "?": "?" };
const SIGNS = { pass: "✔ pass", fail: "✖ fail", "?": "? unsure" };

function render({ model, el: root }) {
  // JupyterLab has shortcuts on plain letters and arrows: they are not for what happens in here.
  root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  const say = (message) => model.send(message);
  const only = el("select", { class: "nk-only", "aria-label": "Show" });
  for (const [value, text] of [["", "Show: all"], ["unmarked", "Show: unmarked"], ["pass", "Show: pass"], ["fail", "Show: fail"], ["?", "Show: unsure"]]) {
    only.append(el("option", { value, text }));
  }
  only.addEventListener("change", () => say({ do: "only", value: only.value }));
  const count = el("span", { class: "nk-count", role: "status", "aria-live": "polite" });
  const back = el("button", { type: "button", class: "nk-back", text: "◀", "aria-label": "Previous page" });
  const page = el("span", { class: "nk-page" });
  const on = el("button", { type: "button", class: "nk-next", text: "▶", "aria-label": "Next page" });
  back.addEventListener("click", () => say({ do: "turn", value: -1 }));
  on.addEventListener("click", () => say({ do: "turn", value: 1 }));
  const help = el("p", { class: "nk-board-help", text: "With a picture chosen (Tab, then arrow keys): p pass, f fail, ? unsure, Backspace no mark, Enter opens the item." });
  const cards = el("div", { class: "nk-cards", role: "list" });
  const empty = el("p", { class: "nk-board-empty" });
  root.append(el("div", { class: "nk-table-bar" }, only, count, back, page, on), help, cards, empty);

  const addresses = new Map(); // pictures come as bytes: each gets an address within the page
  const address = (name, bytes) => {
    const known = addresses.get(name);
    if (known?.bytes === bytes) return known.url;
    if (known) URL.revokeObjectURL(known.url);
    const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    addresses.set(name, { bytes, url });
    return url;
  };

  const step = (card, by) => {
    const all = [...cards.children];
    all[Math.min(Math.max(all.indexOf(card) + by, 0), all.length - 1)]?.focus();
  };
  const columns = () => {
    const tops = [...cards.children].map((card) => card.offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  };

  const card = (item, group, isStop) => {
    const made = el("div", { class: "nk-card", role: "listitem", tabindex: isStop ? "0" : "-1", "data-item": item.name,
      "data-mark": item.mark, "aria-current": item.selected ? "true" : null,
      "aria-label": `${item.name}, ${item.mark ? SIGNS[item.mark].slice(2) : "no mark"}` });
    const bytes = model.get("pictures")[item.name];
    const frame = el("div", { class: "nk-frame" });
    if (bytes) frame.append(el("img", { src: address(item.name, bytes), alt: `${item.name}: ${item.caption}` }));
    else frame.append(el("span", { text: item.drawn ? "No picture: see the findings." : "Not drawn yet." }));
    const marks = el("fieldset", {}, el("legend", { class: "nk-item", text: item.name, title: item.name }));
    for (const [mark, text] of Object.entries(SIGNS)) {
      const radio = el("input", { type: "radio", name: `${group}-${item.name}`, value: mark });
      radio.checked = item.mark === mark;
      radio.addEventListener("change", () => say({ do: "mark", key: item.name, value: mark }));
      marks.append(el("label", {}, radio, el("span", { text })));
    }
    made.append(frame, marks);
    frame.addEventListener("click", () => { made.focus(); say({ do: "select", key: item.name }); });
    made.addEventListener("keydown", (event) => {
      if (event.target !== made || event.ctrlKey || event.metaKey || event.altKey) return;
      const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
      const mark = KEYS[event.key.toLowerCase()];
      if (move) step(made, move);
      else if (mark) say({ do: "mark", key: item.name, value: mark });
      else if (event.key === "Backspace" || event.key === "Delete") say({ do: "mark", key: item.name, value: "" });
      else if (event.key === "Enter") say({ do: "select", key: item.name });
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return made;
  };

  const group = `nk-${Math.random().toString(36).slice(2)}`; // radio buttons of two boards are apart
  const draw = () => {
    const shown = model.get("shown");
    const focused = cards.contains(document.activeElement) ? document.activeElement : null;
    const kept = focused?.closest("[data-item]")?.dataset.item;
    const radio = focused?.type === "radio" ? focused.value : null;
    const place = focused ? [...cards.children].indexOf(focused.closest("[data-item]")) : -1;
    cards.setAttribute("aria-label", model.get("label"));
    // One card is a stop of the Tab key, from which the arrow keys lead to the others.
    const stop = Math.max(0, shown.items.findIndex((item) => item.selected));
    cards.replaceChildren(...shown.items.map((item, at) => card(item, group, at === stop)));
    if (place >= 0) {
      // An item that is filtered out after its mark leaves the focus to the next one.
      const same = [...cards.children].find((made) => made.dataset.item === kept);
      const target = same ?? cards.children[Math.min(place, cards.children.length - 1)];
      const part = same && radio ? [...same.querySelectorAll("input")].find((box) => box.value === radio) : target;
      (part ?? target)?.focus({ preventScroll: true });
    }
    const counts = shown.counts;
    count.textContent = `${counts.pass} pass, ${counts.fail} fail, ${counts["?"]} unsure, ${counts.unmarked} unmarked`;
    page.textContent = `page ${shown.page + 1} of ${shown.pages}`;
    back.disabled = shown.page === 0;
    on.disabled = shown.page + 1 >= shown.pages;
    for (const part of [back, page, on]) part.hidden = shown.pages < 2;
    only.value = shown.only;
    empty.hidden = shown.items.length > 0;
    empty.textContent = shown.total ? "No item has this mark." : "There are no items.";
    help.hidden = !shown.items.length;
  };
  const events = ["change:shown", "change:pictures", "change:label"];
  for (const event of events) model.on(event, draw);
  draw();
  return () => {
    for (const event of events) model.off(event, draw);
    for (const { url } of addresses.values()) URL.revokeObjectURL(url);
  };
}

export default { render };
