// What holds for the whole of an app; it shows nothing itself.

// JupyterLab has shortcuts on plain letters, arrows and Enter. On a button or a row of a table they
// are not for the notebook: "x" would cut the cell that the app is in. The mark has to be on the
// element that has the focus.
const keepKeys = (part) => {
  if (part.closest("[class*='nk-']")) part.setAttribute("data-lm-suppress-shortcuts", "true");
};

// ipywidgets gives the parts of a slider, and boxes without a label, no name: a screen reader would
// read a number alone. Of two sides it would not say which one it is in.
const nameParts = (part) => {
  const slider = part.matches(".noUi-handle, .widget-readout, .nk-slice input");
  const label = slider && part.closest(".nk-slice, .widget-slider")?.querySelector(".widget-label");
  if (label) part.setAttribute("aria-label", label.textContent.replace(/\s+/g, " "));
  const side = part.closest(".nk-side");
  if (side && !side.hasAttribute("role")) {
    side.setAttribute("role", "group");
    side.setAttribute("aria-label", side.querySelector(".nk-heading").textContent.trim());
  }
};

const entered = ({ target }) => {
  if (!target.closest) return;
  keepKeys(target);
  nameParts(target);
};

// What stays in sight beside a longer part: what is taller than the page stays with its end, so that
// all of it can be reached.
const scrolled = ({ target }) => {
  const room = target === document ? window.innerHeight : target.clientHeight;
  for (const part of document.querySelectorAll(".nk-beside > *")) {
    if (target.contains(part)) part.style.setProperty("--nk-top", `${Math.min(0, room - part.offsetHeight)}px`);
  }
};

function render({ model }) {
  model.send({ kind: "there" });
  document.removeEventListener("scroll", scrolled, true);
  document.addEventListener("scroll", scrolled, { capture: true, passive: true });
  document.removeEventListener("focusin", entered, true);
  document.addEventListener("focusin", entered, true);
}

export default { render };
