// The picture of a viewer, and what mouse and keyboard do on it.
//
// The kernel draws; this only shows its JPEG and says what a person did. One message is under way
// at a time: what comes while it is answered is put together and sent as one, so that a fast wheel
// never runs ahead of the picture.

const PLANES = { 1: "axl", 2: "cor", 3: "sag" };
const HOVER_MS = 50; // how often the pointer is told of, at most
const LOST_MS = 3000; // an answer that takes longer will not come: the kernel was restarted
const NOTCH = 100; // what one notch of a wheel turns, at least (pixels)
const TOUCHPAD = 40; // how far two fingers move for one slice (pixels)
const LINE = 33; // pixels of a line, for browsers that count the wheel in lines

const ZOOM = 1.25;
const DRAG_ZOOM = 1.01; // of a right drag, for each pixel upward
const CINE_MS = 80; // between two slices that are played, at least
const SUMS = ["window", "nudge", "pan"]; // movements that are added up

class MessageQueue {
  // Sends what was done: places as they are last, steps added up.
  constructor(model) {
    this.model = model;
    this.waiting = null;
    this.since = 0;
    this.number = 0;
    this.active = model.get("active"); // the plane of the keys, ahead of the kernel's answer
    model.on("change:active", () => {
      this.active = model.get("active");
    });
  }

  tell(what, value) {
    this.waiting ??= {};
    if (what === "active") this.active = value;
    if (what === "step") this.active = value[0];
    if (what === "pick") this.active = value[2];
    const before = this.waiting[what];
    if (SUMS.includes(what) && before) {
      this.waiting[what] = [before[0] + value[0], before[1] + value[1], ...value.slice(2)];
    } else if (what === "step" && before) {
      const steps = before[0] === value[0] ? before[1] : 0;
      this.waiting.step = [value[0], steps + value[1]];
    } else if ((what === "magnify" || what === "zoom") && before) {
      this.waiting[what] = [before[0] * value[0], ...value.slice(1)];
    } else {
      this.waiting[what] = value;
    }
    this.send();
  }

  send() {
    const lost = performance.now() - this.since > LOST_MS;
    if (!this.waiting || (this.since && !lost)) return;
    this.since = performance.now();
    this.number += 1;
    this.model.send({ number: this.number, ...this.waiting });
    this.waiting = null;
  }

  get isFree() {
    return !this.waiting && !this.since;
  }

  answered() {
    this.since = 0;
    this.send();
  }
}

function showFrames(model, img) {
  let shown = null;
  const show = () => {
    const frame = model.get("frame");
    if (!frame || !frame.byteLength) return;
    const url = URL.createObjectURL(new Blob([frame], { type: "image/jpeg" }));
    const before = shown;
    shown = url;
    img.onload = () => before && URL.revokeObjectURL(before);
    img.src = url;
  };
  const describe = () => {
    img.alt = model.get("description");
  };
  model.on("change:frame", show);
  model.on("change:description", describe);
  show();
  describe();
  return () => {
    model.off("change:frame", show);
    model.off("change:description", describe);
    if (shown) URL.revokeObjectURL(shown);
  };
}

// Where an event is in the picture, in the picture's own pixels, however large it is shown.
function place(img, event) {
  const box = img.getBoundingClientRect();
  const x = ((event.clientX - box.left) * img.naturalWidth) / box.width;
  const y = ((event.clientY - box.top) * img.naturalHeight) / box.height;
  return [Math.round(x), Math.round(y)];
}

function planeAt(model, [x, y]) {
  const found = model
    .get("panes")
    .find((p) => x >= p.left && x < p.left + p.width && y >= p.top && y < p.top + p.height);
  return found ? found.plane : null;
}

// What a button of the mouse does where it is pressed, as in ITK-SNAP.
function grabbed(model, img, event, isSpace) {
  const at = place(img, event);
  const plane = planeAt(model, at);
  const start = { at, plane, x: event.clientX, y: event.clientY, moved: false };
  if (event.button === 0 && event.altKey) return { what: "toggleAt", ...start };
  if (event.button === 0 && event.shiftKey) return { what: "window", ...start };
  if (event.button === 1 || (event.button === 0 && isSpace)) return plane && { what: "pan", ...start };
  if (event.button === 2) return plane && { what: "zoom", ...start };
  return event.button === 0 && plane ? { what: "pick", ...start } : null;
}

function dragTo(img, event, dragged, queue) {
  const [dx, dy] = [event.clientX - dragged.x, event.clientY - dragged.y];
  const scale = img.naturalWidth / img.getBoundingClientRect().width;
  if (dragged.what === "pick") queue.tell("pick", [...place(img, event), dragged.plane]);
  if (dragged.what === "window") queue.tell("window", [dx, dy]);
  if (dragged.what === "pan") queue.tell("pan", [dx * scale, dy * scale, dragged.plane]);
  if (dragged.what === "zoom") queue.tell("zoom", [DRAG_ZOOM ** -dy, ...dragged.at]);
  return { ...dragged, x: event.clientX, y: event.clientY, moved: true };
}

function listenToPointer(model, stage, img, queue, keys) {
  let dragged = null; // what is done by the drag, and where it is
  let last = 0;
  stage.addEventListener("pointerdown", (event) => {
    stage.focus({ preventScroll: true });
    dragged = grabbed(model, img, event, keys.isSpace);
    if (!dragged) return;
    if (dragged.what === "pick") queue.tell("pick", [...dragged.at, dragged.plane]);
    if (dragged.what === "toggleAt") queue.tell("toggleAt", dragged.at);
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (dragged) {
      dragged = dragTo(img, event, dragged, queue);
    } else if (event.timeStamp - last >= HOVER_MS) {
      last = event.timeStamp;
      queue.tell("hover", place(img, event));
    }
  });
  const end = () => {
    if (dragged && dragged.moved && dragged.what === "zoom") stage.dataset.dragged = "true";
    dragged = null;
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("pointerleave", () => queue.tell("hover", null));
  // The middle button would begin the browser's own scrolling.
  stage.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
  // A right click alone keeps the browser's menu, by which the picture can be saved.
  stage.addEventListener("contextmenu", (event) => {
    if (stage.dataset.dragged || dragged) {
      event.preventDefault();
      event.stopPropagation(); // or JupyterLab opens a menu of its own, which takes the keys
    }
    delete stage.dataset.dragged;
  });
  img.draggable = false;
}

function listenToWheel(model, stage, img, queue) {
  let turned = 0;
  stage.addEventListener(
    "wheel",
    (event) => {
      // Until the picture is clicked, or reached by Tab, the page scrolls over it.
      if (document.activeElement !== stage) return;
      const at = place(img, event);
      const plane = planeAt(model, at);
      if (!plane) return;
      event.preventDefault();
      const delta = event.deltaY * (event.deltaMode === 1 ? LINE : 1);
      if (event.ctrlKey) {
        queue.tell("zoom", [ZOOM ** (-delta / NOTCH), ...at]);
        return;
      }
      if (Math.abs(delta) >= NOTCH) turned = 0;
      turned += delta;
      const notches = Math.abs(delta) >= NOTCH ? Math.round(delta / NOTCH) : 0;
      const slices = notches || Math.trunc(turned / TOUCHPAD);
      if (!slices) return;
      turned = notches ? 0 : turned % TOUCHPAD;
      queue.tell("step", [plane, -slices]);
    },
    { passive: false },
  );
}

function keyed(event, active) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
  const ends = { Home: -1e6, End: 1e6 };
  const zooms = { "+": ZOOM, "=": ZOOM, "-": 1 / ZOOM };
  const plain = { h: "toggle", l: "turn", r: "reset" };
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  if (event.shiftKey && event.key in arrows) return ["nudge", arrows[event.key]];
  if (event.key in steps) return ["step", [active, steps[event.key]]];
  if (event.key in ends) return ["step", [active, ends[event.key]]];
  if (event.key in zooms) return ["magnify", [zooms[event.key]]];
  if (event.key.toLowerCase() in plain) return [plain[event.key.toLowerCase()], []];
  if (event.key in PLANES) return ["active", PLANES[event.key]];
  return null;
}

// Plays the slices of the active plane; a slow kernel makes it slower, never late.
function cine(queue) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
  };
  const start = () => {
    timer = setInterval(() => queue.isFree && queue.tell("advance", []), CINE_MS);
  };
  return { stop, turn: () => (timer ? stop() : start()) };
}

function listenToKeys(stage, queue, keys, film) {
  const release = () => {
    keys.isSpace = false;
    stage.classList.remove("nk-panning");
  };
  stage.addEventListener("keydown", (event) => {
    const isPlain = !(event.altKey || event.ctrlKey || event.metaKey);
    const isSpace = isPlain && event.key === " ";
    const isFilm = isPlain && event.key.toLowerCase() === "c";
    const told = keyed(event, queue.active);
    if (!told && !isSpace && !isFilm) return;
    event.preventDefault();
    event.stopPropagation();
    if (isFilm) return event.repeat || film.turn();
    film.stop();
    if (isSpace) {
      keys.isSpace = true;
      stage.classList.add("nk-panning");
    } else if (!event.repeat || !["toggle", "turn"].includes(told[0])) queue.tell(...told);
  });
  stage.addEventListener("keyup", (event) => event.key === " " && release());
  stage.addEventListener("blur", () => {
    release();
    film.stop();
  });
  stage.addEventListener("pointerdown", film.stop);
  stage.addEventListener("wheel", film.stop, { passive: true });
}

export default {
  render({ model, el: root }) {
    const stage = el("div", { class: "nk-stage",
      tabindex: "0",
      role: "application",
      "aria-label": "Linked planes",
      // JupyterLab's own keys would act on the cell: 1, 2 and 3 make headings of it.
      "data-lm-suppress-shortcuts": "true",
    });
    const img = el("img", { class: "nk-stage-picture" });
    const reading = el("div", { class: "nk-stage-reading" });
    const id = `nk-hint-${Math.random().toString(36).slice(2)}`;
    stage.setAttribute("aria-describedby", id); // it is told, too, where it is not shown
    const hint = el("details", { class: "nk-stage-hint" },
      el("summary", { text: "Click: crosshair; wheel: slices; right button: zoom; all of mouse and keys" }),
      el("div", { id, text: model.get("hint") }));
    stage.append(img);
    root.append(stage, reading, hint);
    const queue = new MessageQueue(model);
    const stop = showFrames(model, img);
    if (model.get("seeks")) { // asked for further up on the page
      model.set("seeks", false);
      img.addEventListener("load", () => stage.scrollIntoView({ block: "nearest" }), { once: true });
    }
    const read = () => {
      reading.textContent = model.get("reading");
    };
    const answered = () => queue.answered();
    model.on("change:reading", read);
    model.on("change:answered", answered);
    read();
    const keys = { isSpace: false };
    const film = cine(queue);
    listenToPointer(model, stage, img, queue, keys);
    listenToWheel(model, stage, img, queue);
    listenToKeys(stage, queue, keys, film);
    return () => {
      stop();
      film.stop();
      model.off("change:reading", read);
      model.off("change:answered", answered);
    };
  },
};
