"""Notebooks made ready for a run, and the page of one, in plain words."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat

from .chrome import SECONDS, WIDE, Watch
from .serving import CHECKOUT, POLL_SECONDS

SAMPLES = CHECKOUT / "data_samples"

RUN_SECONDS = 300
"""The longest run of a notebook; each takes a few seconds on a quiet machine."""

WIDGETS_SHOWN = """() => ![...document.querySelectorAll('.jp-OutputArea-output')]
    .some(output => output.textContent.trim() === 'Loading widget...')"""

PICTURES_SHOWN = "() => [...document.images].every(image => image.complete)"

TALLEST = 16000
"""Pixels; Chromium cannot draw much taller pages."""


class CellFailed(AssertionError):
    """A cell ended with an error; says which, and the error's text."""


class Runs:
    """A root folder with one folder for each run: notebooks/, data_samples/, out/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._numbers = count(1)
        # Copied: a run cannot reach the files of the checkout.
        shutil.copytree(SAMPLES, root / "data_samples", ignore=shutil.ignore_patterns("*.py"))

    def new(self) -> Path:
        """A new folder for a run, with the samples."""
        folder = self.root / f"run{next(self._numbers)}"
        (folder / "notebooks").mkdir(parents=True)
        (folder / "data_samples").symlink_to(self.root / "data_samples")
        return folder

    def write(self, notebook: str | Path | Any, folder: Path, parameters: dict[str, Any]) -> Path:
        """A copy of the notebook in the run's folder with these parameters; return its path.

        `notebook` is a name in the checkout's ``notebooks/``, a path, or a notebook.
        """
        name = "notebook.ipynb"
        if isinstance(notebook, str | Path):
            source = CHECKOUT / "notebooks" / notebook
            inside = source.is_relative_to(CHECKOUT / "notebooks")
            name = source.relative_to(CHECKOUT / "notebooks") if inside else source.name
            notebook = nbformat.read(source, as_version=4)
        set_parameters(notebook, parameters)
        path = folder / "notebooks" / name
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path


def set_parameters(notebook: Any, parameters: dict[str, Any]) -> None:
    """Add assignments to the parameters cell; its own lines give the defaults of the others."""
    if not parameters:
        return
    known = parameters_of(notebook)
    if unknown := sorted(set(parameters) - set(known)):
        raise ValueError(f"no parameters of this notebook: {unknown}; it has {known}")
    values = {
        name: str(value) if isinstance(value, Path) else value for name, value in parameters.items()
    }
    lines = "".join(f"\n{name} = {value!r}" for name, value in values.items())
    _parameters_cell(notebook).source += lines


def parameters_of(notebook: Any) -> list[str]:
    """The names that the parameters cell assigns."""
    source = _parameters_cell(notebook).source
    return re.findall(r"^(\w+)\s*(?::[^=]+)?=", source, re.MULTILINE)


def _parameters_cell(notebook: Any) -> Any:
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} cells have the tag 'parameters'; expected one")
    return cells[0]


def notebook_of(*sources: str) -> Any:
    """A notebook with these code cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def expect(locator: Any) -> Any:
    """Playwright's assertions of a locator, which wait: a page shows a change some time later."""
    from playwright.sync_api import expect as expect_of

    expect_of.set_options(timeout=SECONDS * 1000)
    return expect_of(locator)


class Opened:
    """A notebook in a page of its own.

    Attributes
    ----------
    page
        Playwright's page, for the mouse and the keyboard.
    folder
        The run's folder: what the notebook calls ``..``.
    """

    def __init__(self, browser: Any, host: str, path: Path, shots: Path, **watched: Any) -> None:
        self.path = path
        self.folder = next(above.parent for above in path.parents if above.name == "notebooks")
        self._shots = Path(os.environ.get("NIFTI_KIT_SHOTS") or shots)
        self.page = browser.new_context(viewport=WIDE).new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self._watch = Watch(self.page, host, **watched)

    @property
    def out(self) -> Path:
        """The folder of the results, ``../out`` for the notebook."""
        return self.folder / "out"

    @property
    def alerts(self) -> list[str]:
        """The texts of the dialogs that opened: scripts that ran."""
        return self._seen().alerts

    @property
    def requests(self) -> list[str]:
        """All addresses that the page asked for."""
        return self._seen().requests

    @property
    def requests_elsewhere(self) -> list[str]:
        """Addresses on other hosts that the page asked for (and did not get)."""
        return self._seen().requests_elsewhere

    @property
    def console_errors(self) -> list[str]:
        """Errors in the browser's console."""
        return self._seen().console_errors

    @property
    def kernel_errors(self) -> list[str]:
        """Errors in callbacks and threads, which no cell shows."""
        return self._seen().kernel_errors

    def wait_for(
        self, condition: Callable[[], Any], what: str = "the condition", seconds: float = SECONDS
    ) -> Any:
        """What the condition returns, as soon as it is true: of a file on disk, of `alerts`."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s: {what}")
            self.page.wait_for_timeout(POLL_SECONDS * 1000)
        return value

    def wait_for_text(self, place: str | Any, text: str) -> None:
        """Wait until an element of this selector, or locator, shows the text."""
        found = self.find(place) if isinstance(place, str) else place
        self.wait_for(
            lambda: any(text in shown for shown in found.all_inner_texts()), f"{text!r} in {place}"
        )

    def find(self, selector: str) -> Any:
        """Playwright's locator of what is on the page: ``find(".nk-table tbody tr")``."""
        return self.page.locator(selector)

    def text(self) -> str:
        """All text that is on the page."""
        return self.page.locator("body").inner_text()

    def screenshot(self, name: str) -> Path:
        """The whole page as a PNG of this name, in ``NIFTI_KIT_SHOTS`` or the test's folder."""
        path = self._shots / (name if name.endswith(".png") else f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        self.page.set_viewport_size({**before, "height": min(self._height(), TALLEST)})
        self.page.wait_for_function(PICTURES_SHOWN)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(before)
        return path

    def await_(self, script: str, seconds: float) -> Any:
        """What an asynchronous function in the page returns; Playwright would wait forever."""
        return self.page.evaluate(
            f"""seconds => Promise.race([({script})(), new Promise((_, refuse) => setTimeout(
                () => refuse(new Error(`not within ${{seconds}} s`)), seconds * 1000))])""",
            seconds,
        )

    def _height(self) -> int:
        raise NotImplementedError

    def _seen(self) -> Watch:
        # Events come to us only while the browser is asked something.
        self.page.evaluate("() => new Promise(done => setTimeout(done, 0))")
        return self._watch


class Server:
    """A running server of notebooks and the pages that are open."""

    def __init__(self, browser: Any, address: str, runs: Runs, shots: Path, token: str) -> None:
        self.address, self.runs, self.shots = address, runs, shots
        self.host = address.removeprefix("http://")
        self.opened: list[Any] = []
        self._browser, self._token = browser, token

    def close_all(self, keep: int = 0) -> None:
        """Close the pages and end their kernels, but those that were opened first."""
        while len(self.opened) > keep:
            self._close(self.opened.pop())

    def _written(self, notebook: Any, folder: Path | None, parameters: dict[str, Any]) -> Path:
        """The path of the copy to open. An earlier page of it is closed, or it kept its kernel."""
        path = self.runs.write(notebook, folder or self.runs.new(), parameters)
        for earlier in [opened for opened in self.opened if opened.path == path]:
            self.opened.remove(earlier)
            self._close(earlier)
        return path

    def _enter(self, opened: Any) -> Any:
        self.opened.append(opened)
        return opened

    def _close(self, opened: Opened) -> None:
        opened.page.context.close()

    def _place(self, path: Path) -> str:
        """The notebook's part of an address."""
        return quote(path.relative_to(self.runs.root).as_posix())
