"""Pictures of every app with long names and 104 classes: ``python -m tests.browser.gallery OUT``.

At 1280 and 1920 pixels, light and dark, in JupyterLab and in Voilà; ``--only Inspect --lab`` for
some of them. To look at before and after each change of a style.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import nifti_kit as nk
from tests.support.long_names import write_annotations, write_long_names

from .chrome import chromium
from .lab import running_lab
from .opened import notebook_of
from .voila import running_voila

WIDTHS = (1280, 1920)

THEMES = ("light", "dark")

START = "import nifti_kit as nk\nfrom nifti_kit import widgets\n"

APPS = {
    "Inspect": "app = widgets.Inspect({source!r}); app.model.join()\napp",
    "MappingEditor": (
        "app = widgets.MappingEditor({annotations!r}, {project!r})\n"
        "app.model.table.select(app.model.table.rows[0].key)\napp"
    ),
    "ScoreEditor": "app = widgets.ScoreEditor({source!r}); app.model.join()\napp",
    "Uploader": (
        "app = widgets.Uploader({source!r}, nk.ProjectFolder({project!r}, 'spine'))\n"
        "app.model.source.scan(); app.model.source.join(); app.model.plan().join()\napp"
    ),
    "Workbench": (
        "app = widgets.Workbench({source!r}, nk.ProjectFolder({project!r}, 'spine'), tab='mend')\n"
        "app.model.join(); app.model.findings.select(0)\napp"
    ),
    "Compare": (
        "app = widgets.Compare({source!r}, {moved!r}); app.model.join()\n"
        "app.model.table.select(app.model.table.rows[0].key)\napp"
    ),
}


def main() -> None:
    """Make the data, open each app in each place, save the pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", action="append", default=[], choices=APPS)
    parser.add_argument("--lab", action="store_true", help="JupyterLab alone")
    parser.add_argument("--cases", type=int, default=3, help="each is three items")
    options = parser.parse_args()
    os.environ["NIFTI_KIT_SHOTS"] = str(options.out.resolve())
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        codes = _codes(Path(folder), options)
        with running_lab(browser, Path(folder) / "lab") as lab:
            for name, code in codes.items():
                _shoot_lab(lab.open(notebook_of(code)), name)
                lab.close_all()
        for theme in () if options.lab else THEMES:
            with running_voila(browser, Path(folder) / f"voila-{theme}") as voila:
                for name, code in codes.items():
                    _shoot(voila.open(notebook_of(code), theme=theme), f"{name}-voila-{theme}")
                    voila.close_all()


def _codes(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Write the data; return the cell of each app."""
    source = write_long_names(folder / "from_the_scanner", options.cases)
    project = nk.ProjectFolder(folder / "project", "spine")
    nk.upload(nk.plan(nk.scan(source)), project, on_progress=lambda _: None)
    places = {
        "source": str(source),
        "project": str(folder / "project"),
        "moved": str(write_long_names(folder / "from_the_reader", options.cases, moved=2)),
        "annotations": str(write_annotations(folder / "second_delivery", source)),
    }
    names = options.only or list(APPS)
    return {name: START + APPS[name].format(**places) for name in names}


def _shoot_lab(opened, name: str) -> None:
    opened.run_all()
    for theme in THEMES:
        opened.use_theme(theme)
        _shoot(opened, f"{name}-lab-{theme}")


def _shoot(opened, name: str) -> None:
    """Save a picture at each width, and say what is wider than its place or went wrong."""
    opened.find(".nk-app").first.wait_for()
    opened.page.wait_for_timeout(1500)  # pictures come after the widgets
    for width in WIDTHS:
        opened.page.set_viewport_size({"width": width, "height": 1000})
        print(opened.screenshot(f"{name}-{width}"))
        for selector in opened.page.evaluate(SCROLLED):
            print("  scrolls within the page:", selector)
    for what in ("alerts", "requests_elsewhere", "console_errors", "kernel_errors"):
        for line in getattr(opened, what):
            print(f"  {what}: {line}")


SCROLLED = """() => [...document.querySelectorAll('.nk-app, .nk-app *')].filter(part => {
    const style = getComputedStyle(part);
    const scrolls = (long, room, how) => long > room + 1 && ['auto', 'scroll'].includes(how);
    return part.clientHeight && part.matches(':not(select, textarea)') && (
        scrolls(part.scrollHeight, part.clientHeight, style.overflowY) ||
        scrolls(part.scrollWidth, part.clientWidth, style.overflowX));
}).map(part => `${part.className} ${part.scrollWidth} x ${part.scrollHeight} in ` +
    `${part.clientWidth} x ${part.clientHeight}`)"""


if __name__ == "__main__":
    main()
