// A score table as a grid: layers by labels. All text is put in as text: it comes from files.

const SIGNS = { error: "✖", warning: "▲", note: "●" };
const HERE = "▮";
const NOTED = "❝";
const LAYER = "Layer";
const HEAD = "head";

const ROW_PX = 26; // as in heat.css: rows that are not in view are empty space of this height
const MORE = 12; // rows drawn above and below what is in view
const PAGE = 10; // layers that PageUp and PageDown go
const GO_PAUSE_MS = 120; // the kernel is told where one is when the arrow keys rest

// cividis, as the plots have it: dark blue (0) to yellow (1), in order of brightness.
const COLORS = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];

const shade = (score) => {
  const at = score * (COLORS.length - 1);
  const low = Math.min(Math.floor(at), COLORS.length - 2);
  return COLORS[low].map((part, k) => Math.round(part + (COLORS[low + 1][k] - part) * (at - low)));
};

const luminance = (rgb) => {
  const [r, g, b] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

// Whichever of black and white has more contrast: never below 4.5 : 1.
const ink = (rgb) => (luminance(rgb) > 0.179 ? "#000" : "#fff");

function render({ model, el: root }) {
  const say = (message) => model.send(message);
  const grid = el("table", { role: "grid" });
  const scroll = el("div", { class: "nk-heat-scroll", tabindex: "-1" }, grid);
  const empty = el("p", { class: "nk-heat-empty", text: "There is no table to show." });
  const scale = el("span", { class: "nk-heat-scale", "aria-hidden": "true" });
  scale.style.background = `linear-gradient(to right, ${COLORS.map((rgb) => `rgb(${rgb})`).join(",")})`;
  const legend = el("p", { class: "nk-heat-legend" }, "Score 0 ", scale,
    ` 1; blank: none. ${HERE} the mask has the label on this slice. ✖ error, ▲ warning, ● note. ${NOTED} comment.`);
  const help = el("p", { class: "nk-heat-help", text:
    "Keys: arrows move; Enter shows the slice; F2 or typing edits (Enter keeps, Escape does not); Delete clears; F8 goes to the next finding; Ctrl+Z undoes. The Layer of a row and the name of a column can be edited too." });
  root.append(legend, scroll, empty, help);

  let shown = { columns: [], rows: [] };
  let names = [];      // names of the columns, by their place
  let places = {};     // places of the rows, by their key
  let at = { row: 0, column: 2 };  // row -1 is the header; column 1 is the slice
  let drawn = [0, 0];
  let editing = null;
  let drawing = false;
  let going = null;
  let chosen = ["", ""]; // row and column that a person was at last, whatever became of them

  const key = () => (at.row < 0 ? HEAD : shown.rows[at.row]?.key ?? "");
  const name = () => (names[at.column] === "" ? LAYER : names[at.column]) ?? "";

  const label = (cell, column) => {
    if (!cell) return `${column.name}: no score`;
    const [text, , here, , hint, comment] = cell;
    return [`${column.name}: ${text || "no score"}`, here ? "label here" : "", hint, comment ? `comment: ${comment}` : ""]
      .filter(Boolean).join("; ");
  };

  const dress = (made, row, column) => {
    const isAt = row === at.row && column === at.column;
    made.tabIndex = isAt ? 0 : -1;
    made.setAttribute("aria-selected", isAt ? "true" : "false");
    made.dataset.row = row;
    made.dataset.column = column;
    if (row >= 0) made.setAttribute("aria-colindex", column + 1);
    return made;
  };

  const sign = (tone) => (tone ? [el("span", { class: `nk-heat-sign nk-heat-${tone}`, text: SIGNS[tone], "aria-hidden": "true" })] : []);

  const scoreCell = (cell, row, column) => {
    const made = dress(el("td", { role: "gridcell" }), row, column);
    made.setAttribute("aria-label", label(cell, shown.columns[column - 2]));
    if (!cell) return made;
    const [text, score, here, tone, hint, comment] = cell;
    if (score !== null) {
      const rgb = shade(score);
      made.style.background = `rgb(${rgb})`;
      made.style.color = ink(rgb);
    }
    if (tone) made.classList.add("nk-heat-flagged");
    const said = [hint, comment ? `comment: ${comment}` : ""].filter(Boolean).join("\n");
    if (said) made.title = said;
    made.append(...sign(tone), el("span", { class: "nk-heat-text", text }));
    if (comment) made.append(el("span", { class: "nk-heat-noted", text: NOTED, "aria-hidden": "true" }));
    if (here) made.append(el("span", { class: "nk-heat-here", text: HERE, "aria-hidden": "true" }));
    return made;
  };

  const line = (row, at) => {
    const head = dress(el("th", { scope: "row", role: "rowheader", title: row.hint || null },
      ...sign(row.tone), el("span", { text: row.layer })), at, 0);
    head.setAttribute("aria-label", [`Layer ${row.layer}`, row.hint].filter(Boolean).join("; "));
    if (row.tone) head.classList.add("nk-heat-flagged");
    const slice = dress(el("td", { role: "gridcell", class: "nk-heat-slice", text: row.slice }), at, 1);
    slice.setAttribute("aria-label", row.slice ? `RAS slice ${row.slice}` : "no slice");
    return el("tr", { role: "row", "aria-rowindex": at + 2, "data-key": row.key }, head, slice,
      ...row.cells.map((cell, k) => scoreCell(cell, at, k + 2)));
  };

  const header = () => {
    const cells = shown.columns.map((column, k) => {
      const made = dress(el("th", { scope: "col", role: "columnheader", title: [column.title, column.hint].filter(Boolean).join("\n") || null },
        ...sign(column.tone), el("span", { class: "nk-heat-name", text: column.name }),
        ...(column.title ? [el("span", { class: "nk-heat-class", text: column.title })] : [])), -1, k + 2);
      if (column.tone) made.classList.add("nk-heat-flagged");
      if (column.hint) made.setAttribute("aria-label", [column.name, column.title, column.hint].filter(Boolean).join("; "));
      return made;
    });
    const first = [LAYER, "RAS slice"].map((text, k) => dress(el("th", { scope: "col", role: "columnheader", text }), -1, k));
    return el("thead", {}, el("tr", { role: "row", "aria-rowindex": 1 }, ...first, ...cells));
  };

  const spacer = (rows) => {
    const made = el("tr", { "aria-hidden": "true", class: "nk-heat-space" });
    made.style.height = `${rows * ROW_PX}px`;
    return made;
  };

  const inView = () => {
    const height = scroll.clientHeight || 400;
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW_PX) - MORE);
    return [first, Math.min(shown.rows.length, first + Math.ceil(height / ROW_PX) + 2 * MORE)];
  };

  const cellAt = () => grid.querySelector(`[data-row="${at.row}"][data-column="${at.column}"]`);

  const draw = () => {
    const held = scroll.contains(document.activeElement);
    const [first, last] = (drawn = inView());
    const body = el("tbody", {}, spacer(first), ...shown.rows.slice(first, last).map((row, k) => line(row, first + k)), spacer(shown.rows.length - last));
    grid.replaceChildren(header(), body);
    grid.setAttribute("aria-rowcount", shown.rows.length + 1);
    grid.setAttribute("aria-colcount", names.length);
    grid.setAttribute("aria-label", model.get("label"));
    const cell = cellAt();
    // A person who scrolls on with the wheel keeps the keyboard.
    drawing = true;
    if (held) (cell ?? scroll).focus({ preventScroll: true });
    drawing = false;
    // One cell can always be reached with Tab.
    if (!cell) grid.querySelector("tbody td")?.setAttribute("tabindex", "0");
    for (const part of [scroll, legend, help]) part.hidden = !shown.columns.length;
    empty.hidden = Boolean(shown.columns.length);
  };

  const bring = () => {
    if (at.row >= 0) {
      const head = grid.tHead?.offsetHeight ?? ROW_PX;
      const top = at.row * ROW_PX;
      const room = scroll.clientHeight - head - ROW_PX;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      else if (top > scroll.scrollTop + room) scroll.scrollTop = top - room;
    }
    if (!cellAt() || inView().some((end, k) => end !== drawn[k])) draw();
  };

  const move = (row, column, grab = true) => {
    for (const cell of grid.querySelectorAll("[tabindex='0']")) {
      cell.tabIndex = -1;
      cell.setAttribute("aria-selected", "false");
    }
    at = { row: Math.min(Math.max(row, -1), shown.rows.length - 1), column: Math.min(Math.max(column, 0), names.length - 1) };
    chosen = [key(), name()];
    bring();
    const cell = cellAt();
    if (!cell) return;
    cell.tabIndex = 0;
    cell.setAttribute("aria-selected", "true");
    if (grab) {
      cell.focus({ preventScroll: true });
      cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  };

  const tell = () => {
    clearTimeout(going);
    going = setTimeout(() => say({ do: "go", row: key(), column: name() }), GO_PAUSE_MS);
  };

  const finish = (text) => {
    const box = editing;
    if (!box) return;
    editing = null;
    const cell = box.parentElement;
    if (text === null || text === box.defaultValue) draw();
    else {
      clearTimeout(going);
      cell.replaceChildren(el("span", { class: "nk-heat-text nk-heat-pending", text }));
      say({ do: "type", row: key(), column: name(), text });
    }
  };

  const edit = (begin = null) => {
    if (at.column === 1 || (at.row < 0 && at.column < 2)) return;
    const cell = cellAt();
    if (!cell) return;
    const row = shown.rows[at.row];
    const before = at.row < 0 ? names[at.column] : at.column === 0 ? row.layer : row.cells[at.column - 2]?.[0] ?? "";
    const box = el("input", { type: "text", class: "nk-heat-edit", "aria-label": `${at.row < 0 ? "Column" : `Layer ${row.layer},`} ${name()}` });
    box.defaultValue = before;
    box.value = begin ?? before;
    cell.replaceChildren(box);
    editing = box;
    box.focus();
    if (begin === null) box.select();
    box.addEventListener("blur", () => {
      if (editing === box) finish(box.value);
    });
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape" && event.key !== "Tab") return;
      event.preventDefault();
      const step = event.key === "Tab" ? (event.shiftKey ? -1 : 1) : 0;
      finish(event.key === "Escape" ? null : box.value);
      cellAt()?.focus({ preventScroll: true });
      if (step) {
        move(at.row, at.column + step);
        tell();
      }
    });
  };

  const flagged = (step) => {
    const found = [];
    shown.columns.forEach((column, k) => column.tone && found.push([-1, k + 2]));
    shown.rows.forEach((row, r) => {
      if (row.tone) found.push([r, 0]);
      row.cells.forEach((cell, k) => cell && cell[3] && found.push([r, k + 2]));
    });
    const rank = ([row, column]) => row * names.length + column;
    const here = rank([at.row, at.column]);
    const next = step > 0 ? found.find((one) => rank(one) > here) ?? found[0]
      : found.findLast((one) => rank(one) < here) ?? found.at(-1);
    if (next) move(...next);
  };

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-PAGE, 0], PageDown: [PAGE, 0] };

  const pressed = (event) => {
    const { key: pressedKey, ctrlKey, metaKey, altKey, shiftKey } = event;
    const step = STEPS[pressedKey];
    if (altKey) return false;
    if (ctrlKey || metaKey) {
      if (pressedKey === "Home") move(0, 0);
      else if (pressedKey === "End") move(shown.rows.length - 1, names.length - 1);
      else if (pressedKey.toLowerCase() === "z") say({ do: "undo", row: key(), column: name() });
      else return false;
    } else if (step) {
      const least = pressedKey === "PageUp" ? 0 : -1;
      move(Math.max(at.row + step[0], least), at.column + step[1]);
    } else if (pressedKey === "Home") move(at.row, 0);
    else if (pressedKey === "End") move(at.row, names.length - 1);
    else if (pressedKey === "F8") flagged(shiftKey ? -1 : 1);
    else if (pressedKey === "Enter") {
      clearTimeout(going);
      say({ do: "open", row: key(), column: name() });
      return true;
    } else if (pressedKey === "F2") edit();
    else if (pressedKey === "Delete" || pressedKey === "Backspace") {
      if (at.row >= 0 && at.column >= 2) say({ do: "type", row: key(), column: name(), text: "" });
      return true;
    } else if (pressedKey.length === 1 && pressedKey !== " ") edit(pressedKey);
    else return false;
    if (!editing) tell();
    return true;
  };

  scroll.addEventListener("keydown", (event) => {
    if (editing || !pressed(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  const placed = (event) => {
    const cell = event.target.closest("[data-row]");
    if (!cell || event.target === editing) return null;
    move(Number(cell.dataset.row), Number(cell.dataset.column));
    return cell;
  };
  scroll.addEventListener("click", (event) => {
    if (placed(event)) say({ do: "open", row: key(), column: name() });
  });
  scroll.addEventListener("dblclick", (event) => {
    if (placed(event)) edit();
  });
  // Where Tab came in is where one is.
  scroll.addEventListener("focusin", (event) => {
    event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    const cell = event.target.closest("[data-row]");
    if (!cell || event.target !== cell || drawing) return;
    at = { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
    chosen = [key(), name()];
  });
  scroll.addEventListener("scroll", () => {
    const [first, last] = inView();
    const isFar = Math.abs(first - drawn[0]) >= MORE / 2 || last > drawn[1] || first < drawn[0] - 1;
    if (!editing && isFar) draw();
  });

  const take = () => {
    const before = [key(), names[at.column]];
    shown = model.get("grid");
    names = [LAYER, "", ...shown.columns.map((column) => column.name)];
    places = Object.fromEntries(shown.rows.map((row, k) => [row.key, k]));
    const column = names.indexOf(before[1]);
    at = {
      row: before[0] === HEAD ? -1 : places[before[0]] ?? Math.min(at.row, shown.rows.length - 1),
      column: column >= 0 ? column : Math.min(2, names.length - 1),
    };
    if (!editing) draw();
  };
  const jump = () => {
    const there = model.get("at");
    const asked = there.asked ?? [];
    if (asked.length && asked.some((part, k) => part !== chosen[k])) return;
    const row = there.row === HEAD ? -1 : places[there.row];
    const column = names.indexOf(there.column);
    if (row === undefined || column < 0 || editing) return;
    move(row, column, Boolean(there.grab) || scroll.contains(document.activeElement));
  };
  const redraw = () => !editing && draw();
  model.on("change:grid", take);
  model.on("change:at", jump);
  model.on("change:answered", redraw);
  take();
  jump();
  // The height is known only once it is on the page.
  const seen = new ResizeObserver(redraw);
  seen.observe(scroll);
  return () => {
    seen.disconnect();
    clearTimeout(going);
    model.off("change:grid", take);
    model.off("change:at", jump);
    model.off("change:answered", redraw);
  };
}

export default { render };
