// A page of a table. All text is put in as text, never as markup: it comes from files.

const TYPING_PAUSE_MS = 200; // a search for each letter would make the table flicker

const LONG = /\S{21}/; // a name wants room of its own, words flow

// A row's tone is told by a sign with a word, not by colour alone.
const SIGNS = { error: "✖", warning: "▲", note: "●", good: "✔" };

function render({ model, el: root }) {
  // JupyterLab has shortcuts on plain letters and arrows: they are not for what happens in here.
  root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  const say = (message) => model.send(message);
  const search = el("input", { type: "search", placeholder: "Search", class: "nk-search" });
  const filters = el("span", { class: "nk-filters" });
  const count = el("span", { class: "nk-count", role: "status", "aria-live": "polite" });
  const back = el("button", { type: "button", class: "nk-back", text: "◀", "aria-label": "Previous page" });
  const number = el("input", { type: "number", min: "1", "aria-label": "Page" });
  const last = el("span", {});
  const page = el("label", { class: "nk-page" }, "page ", number, last);
  const on = el("button", { type: "button", class: "nk-next", text: "▶", "aria-label": "Next page" });
  const bar = el("div", { class: "nk-table-bar" }, search, filters, count, back, page, on);
  const table = el("table", {});
  const scroll = el("div", { class: "nk-table-scroll", tabindex: "0", role: "group" }, table);
  const empty = el("p", { class: "nk-table-empty" });
  root.append(bar, scroll, empty);

  let waiting = null;
  let drawing = false;
  let entering = ""; // the row of another page that the keyboard goes on to
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => say({ do: "search", value: search.value }), TYPING_PAUSE_MS);
  });
  back.addEventListener("click", () => say({ do: "turn", value: -1 }));
  on.addEventListener("click", () => say({ do: "turn", value: 1 }));
  const jump = () => {
    const now = model.get("shown").page;
    if (!Number.isInteger(number.valueAsNumber)) number.value = now + 1;
    else if (number.valueAsNumber !== now + 1) say({ do: "turn", value: number.valueAsNumber - 1 - now });
  };
  number.addEventListener("change", jump);
  // Of Enter a notebook lets no "change" come.
  number.addEventListener("keydown", (event) => { if (event.key === "Enter") jump(); });

  const editor = (row, column, cell, name) => {
    const key = row.key;
    const edit = (value) => say({ do: "edit", key, column, value });
    if (cell.kind === "choice") {
      const box = el("select", { "aria-label": name, title: cell.hint || null });
      for (const choice of cell.choices) box.append(el("option", { value: choice, text: choice }));
      box.value = cell.value;
      const finish = () => {
        if (drawing) return;
        delete box.dataset.draft;
        if (box.value !== cell.value) edit(box.value);
      };
      // A closed box changes at each arrow key: a person goes over choices before taking one, by
      // Enter or by going on.
      box.addEventListener("change", () => { if (!box.dataset.draft) finish(); });
      box.addEventListener("blur", finish);
      box.addEventListener("keydown", (event) => {
        if (event.key === "Enter") finish();
        else if (event.key === "Escape") box.value = cell.value;
        else if (event.key !== "Tab") box.dataset.draft = "yes";
      });
      return box;
    }
    if (cell.kind === "check") {
      const box = el("input", { type: "checkbox", "aria-label": name, title: cell.hint || null });
      box.checked = Boolean(cell.value);
      box.addEventListener("change", () => edit(box.checked));
      return box;
    }
    const box = el("input", { type: "text", "aria-label": name, title: cell.hint || null });
    box.value = cell.value;
    // Not "change": a browser does not send it for a draft that was kept over a redraw.
    const finish = () => {
      if (drawing || !box.dataset.draft) return;
      delete box.dataset.draft;
      edit(box.value);
    };
    box.addEventListener("input", () => { box.dataset.draft = "yes"; });
    box.addEventListener("blur", finish);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") finish();
      if (event.key !== "Escape") return;
      delete box.dataset.draft;
      box.value = cell.value;
    });
    return box;
  };

  const content = (row, column, cell, name) => {
    if (cell.edited) return [editor(row, column.name, cell, name)];
    if (column.kind === "button") {
      if (!cell.value) return [];
      const button = el("button", { type: "button", text: cell.value, title: cell.hint || null });
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        say({ do: "press", key: row.key, column: column.name });
      });
      return [button];
    }
    const text = el("span", { title: cell.hint || null }, ...broken(cell.value));
    if (!cell.color) return [text];
    const patch = el("span", { class: "nk-patch", "aria-hidden": "true" });
    patch.style.background = `rgb(${cell.color.join(",")})`;
    return [patch, text];
  };

  const look = (column, cell) => `nk-${column.kind}` + (column.minor ? " nk-minor" : "") + (column.kind !== "choice" && LONG.test(cell?.value) ? " nk-long" : "");

  const header = (column, sort) => {
    const order = sort === column.name ? "ascending" : sort === `-${column.name}` ? "descending" : "none";
    const mark = { ascending: " ▲", descending: " ▼", none: "" }[order];
    const button = el("button", { type: "button", text: column.title + mark });
    button.addEventListener("click", () => say({ do: "sort", column: column.name }));
    return el("th", { scope: "col", "aria-sort": order, class: look(column) }, button);
  };

  // One row is a stop of the Tab key, from which the arrow keys lead to the others.
  const stop = (shown) => {
    const keys = shown.rows.map((row) => row.key);
    return keys.includes(shown.selected) ? shown.selected : keys[0];
  };

  const line = (row, shown) => {
    const selected = row.key === shown.selected;
    const made = el("tr", {
      "data-key": row.key,
      tabindex: row.key === stop(shown) ? "0" : "-1",
      "aria-selected": selected ? "true" : "false",
      class: row.tone ? `nk-tone-${row.tone}` : null,
    });
    const name = row.cells.find((cell) => !cell.edited)?.value ?? row.key;
    made.setAttribute("aria-label", row.tone ? `${name}, ${row.tone}` : name);
    row.cells.forEach((cell, at) => {
      const column = shown.columns[at];
      cell.kind = column.kind;
      const title = `${column.title}: ${name}`;
      const sign = at === 0 && row.tone ? [el("span", { class: "nk-sign", text: SIGNS[row.tone], title: row.tone, role: "img", "aria-label": row.tone })] : [];
      made.append(el("td", { class: look(column, cell), "data-column": column.name },
        el("div", { class: "nk-cell" }, ...sign, ...content(row, column, cell, title))));
    });
    const choose = (event) => {
      if (event.target.closest("select, input, button")) return;
      say({ do: "select", key: row.key });
    };
    made.addEventListener("click", choose);
    made.addEventListener("keydown", (event) => {
      if (event.target !== made) return;
      const other = { ArrowDown: made.nextElementSibling, ArrowUp: made.previousElementSibling }[event.key];
      const pages = { ArrowDown: 1, ArrowUp: -1, PageDown: 1, PageUp: -1 }[event.key];
      const there = shown.page + (pages ?? 0);
      if (other) other.focus();
      else if (pages && there >= 0 && there < shown.pages) {
        entering = event.key === "ArrowUp" ? "last" : "first";
        say({ do: "turn", value: pages });
      }
      else if (event.key === "Enter" || event.key === " ") say({ do: "select", key: row.key });
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return made;
  };

  // What has the keyboard's focus is found again after the rows are made anew.
  const place = () => {
    const now = document.activeElement;
    if (!table.contains(now)) return null;
    const row = now.closest("tr[data-key]");
    return {
      key: row?.dataset.key,
      column: now.closest("td")?.dataset.column,
      header: now.closest("th")?.cellIndex,
      // What is being typed is kept when the rows are made anew for another reason.
      draft: now.dataset.draft ? [now.value, now.selectionStart ?? 0, now.selectionEnd ?? 0] : null,
    };
  };
  const restore = (kept) => {
    const rows = [...table.querySelectorAll("tr[data-key]")];
    const entered = entering && rows.at(entering === "last" ? -1 : 0);
    entering = "";
    if (!kept) return;
    if (entered) {
      entered.focus();
      return;
    }
    if (kept.header !== undefined) {
      table.tHead?.rows[0]?.cells[kept.header]?.querySelector("button")?.focus();
      return;
    }
    const row = rows.find((found) => found.dataset.key === kept.key);
    const cell = [...(row?.cells ?? [])].find((found) => found.dataset.column === kept.column);
    const part = cell?.querySelector("select, input, button") ?? row;
    part?.focus({ preventScroll: true });
    if (kept.draft && part?.matches("select, input[type=text]")) {
      const [text, start, end] = kept.draft;
      part.value = text;
      part.dataset.draft = "yes";
      part.setSelectionRange?.(start, end);
    }
  };

  const draw = () => {
    const shown = model.get("shown");
    const label = model.get("label");
    const kept = place();
    search.setAttribute("aria-label", `Search: ${label}`);
    table.setAttribute("aria-label", label);
    scroll.setAttribute("aria-label", label);
    if (document.activeElement !== search) search.value = shown.search;
    const held = filters.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    filters.replaceChildren(
      ...shown.columns.filter((column) => column.values).map((column) => {
        const box = el("select", { "aria-label": `Filter by ${column.title}`, "data-column": column.name, class: "nk-filter" });
        box.append(el("option", { value: "", text: `${column.title}: all` }));
        for (const value of column.values) box.append(el("option", { value, text: value }));
        box.value = column.filter;
        box.addEventListener("change", () => say({ do: "filter", column: column.name, value: box.value }));
        return box;
      }),
    );
    if (held) [...filters.children].find((box) => box.dataset.column === held)?.focus();
    const rows = shown.total === 1 ? "1 row" : `${shown.total} rows`;
    count.textContent = shown.found === shown.total ? rows : `${shown.found} of ${rows}`;
    number.value = shown.page + 1;
    number.max = shown.pages;
    last.textContent = `of ${shown.pages}`;
    back.disabled = shown.page === 0;
    on.disabled = shown.page + 1 >= shown.pages;
    for (const part of [back, page, on]) part.hidden = shown.pages < 2;
    const head = el("thead", {}, el("tr", {}, ...shown.columns.map((column) => header(column, shown.sort))));
    drawing = true;
    table.replaceChildren(head, el("tbody", {}, ...shown.rows.map((row) => line(row, shown))));
    drawing = false;
    scroll.hidden = !shown.found;
    empty.hidden = Boolean(shown.found);
    empty.textContent = shown.total ? "No row fits the search and the filters." : "There are no rows.";
    bar.hidden = !shown.total;
    restore(kept);
  };
  model.on("change:shown", draw);
  model.on("change:label", draw);
  draw();
  return () => {
    model.off("change:shown", draw);
    model.off("change:label", draw);
  };
}

export default { render };
