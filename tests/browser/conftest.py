"""Servers and a browser, started once for all browser tests and ended before the others.

While Playwright runs, an event loop runs in this thread: other tests could not start theirs.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .chrome import NAMES, chromium, executable
from .lab import Lab, running_lab
from .opened import Server
from .voila import Voila, running_voila

FAILED = pytest.StashKey[bool]()


def _missing(*packages: str) -> list[str]:
    missing = [f"the package {name}" for name in packages if not importlib.util.find_spec(name)]
    if executable() is None:
        missing.append(f"Chromium ({', '.join(NAMES)}, or its path in NIFTI_KIT_CHROMIUM)")
    return missing


def _need(*packages: str) -> None:
    if not (missing := _missing(*packages)):
        return
    reason = f"the browser tests need {' and '.join(missing)}"
    if os.environ.get("NIFTI_KIT_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="package")
def chrome() -> Iterator[Any]:
    """Playwright's Chromium; skipped where it is missing, unless it is required."""
    _need("playwright")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def lab_server(chrome: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab, with a root folder of its own."""
    _need("jupyterlab")
    with running_lab(chrome, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="package")
def voila_server(chrome: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voila]:
    """Voilà, with a root folder of its own."""
    _need("voila")
    with running_voila(chrome, tmp_path_factory.mktemp("voila")) as voila:
        yield voila


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember whether the test failed, for the picture of its end."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


def _lent(server: Server, request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    """The server for one test: its pages are closed at the end, and seen when it failed."""
    before, server.shots = len(server.opened), folder
    yield server
    try:
        if request.node.stash.get(FAILED, False):
            name = re.sub(r"\W+", "-", request.node.name).strip("-")
            for number, opened in enumerate(server.opened[before:]):
                print("Picture of the end:", opened.screenshot(f"failed-{name}-{number}"))
    finally:
        server.close_all(keep=before)


@pytest.fixture
def lab(lab_server: Lab, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab: ``lab.open("01_inspect.ipynb", SOURCE=folder)``."""
    yield from _lent(lab_server, request, tmp_path)


@pytest.fixture
def voila(voila_server: Voila, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Voila]:
    """Voilà: ``voila.open("01_inspect.ipynb", SOURCE=folder)``."""
    yield from _lent(voila_server, request, tmp_path)
