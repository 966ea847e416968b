// What holds for the whole of an app; it shows nothing itself.

// JupyterLab has shortcuts on plain letters, arrows and Enter. On a button or a row of a table they
// are not for the notebook: "x" would cut the cell that the app is in. The mark has to be on the
// element that has the focus.
const keepKeys = (event) => {
  if (event.target.closest?.("[class*='nk-']")) event.target.setAttribute("data-lm-suppress-shortcuts", "true");
};

function render() {
  document.removeEventListener("focusin", keepKeys, true);
  document.addEventListener("focusin", keepKeys, true);
}

export default { render };
