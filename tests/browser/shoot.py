"""A picture of a notebook's page: ``python -m tests.browser.shoot NOTEBOOK OUT.png``."""

from __future__ import annotations

import argparse
import ast
import tempfile
from pathlib import Path

from .chrome import chromium
from .lab import running_lab
from .opened import CellFailed
from .voila import running_voila


def main() -> None:
    """Run the notebook on a copy of the samples, say what is wrong, save the picture."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("notebook", help="a name in notebooks/, or a path")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--voila", action="store_true", help="as an app")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1300, help="of the window, in pixels")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--click", action="append", default=[], metavar="SELECTOR")
    parser.add_argument("--only", metavar="SELECTOR", help="only this part of the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        start = running_voila if options.voila else running_lab
        with start(browser, Path(folder)) as server:
            _shoot(server, options)


def _shoot(server, options) -> None:
    given = Path(options.notebook)
    notebook = given.resolve() if given.is_file() else options.notebook
    parameters = dict(_parameter(text) for text in options.set)
    theme = "dark" if options.dark else "light"
    opened = server.open(notebook, theme=theme, **parameters)
    try:
        if not options.voila:
            opened.run_all()
    except CellFailed as error:
        print(f"A cell failed: {error}")
    opened.page.set_viewport_size({"width": options.width, "height": 1000})
    for selector in options.click:
        opened.find(selector).first.click()
    path = options.picture.resolve()
    if options.only:
        opened.find(options.only).first.screenshot(path=path)
    else:
        opened.screenshot(str(path))
    for what in ("alerts", "requests_elsewhere", "console_errors", "kernel_errors"):
        print(f"{what}:", *(getattr(opened, what) or ["none"]), sep="\n  ")
    print("Picture:", path)


def _parameter(text: str) -> tuple[str, object]:
    """NAME=VALUE; the value is Python, or else text. A path is taken from the folder we are in."""
    name, _, value = text.partition("=")
    if Path(value).exists():
        return name, str(Path(value).resolve())
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


if __name__ == "__main__":
    main()
