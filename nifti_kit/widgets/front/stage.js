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
    if ((what === "window" || what === "nudge") && before) {
      this.waiting[what] = [before[0] + value[0], before[1] + value[1]];
    } else if (what === "step" && before) {
      const steps = before[0] === value[0] ? before[1] : 0;
      this.waiting.step = [value[0], steps + value[1]];
    } else if (what === "magnify" && before) {
      this.waiting.magnify = before * value;
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

function listenToPointer(model, stage, img, queue) {
  let dragged = null; // {plane} moves the crosshair, {x, y} the window
  let last = 0;
  stage.addEventListener("pointerdown", (event) => {
    stage.focus({ preventScroll: true });
    if (event.button === 2 || (event.button === 0 && event.shiftKey)) {
      dragged = { x: event.clientX, y: event.clientY, moved: false };
    } else if (event.button === 0) {
      const at = place(img, event);
      const plane = planeAt(model, at);
      if (!plane) return;
      dragged = { plane };
      queue.tell("pick", [...at, plane]);
    } else return;
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (dragged && dragged.plane) queue.tell("pick", [...place(img, event), dragged.plane]);
    else if (dragged) {
      queue.tell("window", [event.clientX - dragged.x, event.clientY - dragged.y]);
      dragged = { x: event.clientX, y: event.clientY, moved: true };
    } else if (event.timeStamp - last >= HOVER_MS) {
      last = event.timeStamp;
      queue.tell("hover", place(img, event));
    }
  });
  const end = () => {
    if (dragged && dragged.moved) stage.dataset.dragged = "true";
    dragged = null;
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("pointerleave", () => queue.tell("hover", null));
  // A right click alone keeps the browser's menu, by which the picture can be saved.
  stage.addEventListener("contextmenu", (event) => {
    if (stage.dataset.dragged || dragged) event.preventDefault();
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
      if (document.activeElement !== stage || event.ctrlKey) return;
      const plane = planeAt(model, place(img, event));
      if (!plane) return;
      event.preventDefault();
      const delta = event.deltaY * (event.deltaMode === 1 ? LINE : 1);
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
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  if (event.shiftKey && event.key in arrows) return ["nudge", arrows[event.key]];
  if (event.key in steps) return ["step", [active, steps[event.key]]];
  if (event.key in ends) return ["step", [active, ends[event.key]]];
  if (event.key in zooms) return ["magnify", zooms[event.key]];
  if (event.key in PLANES) return ["active", PLANES[event.key]];
  return null;
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
    const hint = el("div", { class: "nk-stage-hint" });
    hint.id = `nk-hint-${Math.random().toString(36).slice(2)}`;
    stage.setAttribute("aria-describedby", hint.id);
    hint.textContent = model.get("hint");
    stage.append(img);
    root.append(stage, reading, hint);
    const queue = new MessageQueue(model);
    const stop = showFrames(model, img);
    const read = () => {
      reading.textContent = model.get("reading");
    };
    const answered = () => queue.answered();
    model.on("change:reading", read);
    model.on("change:answered", answered);
    read();
    listenToPointer(model, stage, img, queue);
    listenToWheel(model, stage, img, queue);
    stage.addEventListener("keydown", (event) => {
      const told = keyed(event, queue.active);
      if (!told) return;
      event.preventDefault();
      event.stopPropagation();
      queue.tell(...told);
    });
    return () => {
      stop();
      model.off("change:reading", read);
      model.off("change:answered", answered);
    };
  },
};
