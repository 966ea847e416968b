"""What a page weighs: an app that is opened, and a notebook after all its cells have run.

Measure with ``python -m pytest tests/benchmarks/test_page_weight.py --benchmark-enable -s``;
without that flag the apps are opened once, and a notebook of one cell is run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from comm.base_comm import BaseComm
from nbclient import NotebookClient

from tests.browser.opened import CHECKOUT, Runs, notebook_of
from tests.widgets.test_messages import APPS

BEFORE = {
    "Compare": (651, 341, 1),
    "Inspect": (594, 465, 2),
    "ScoreEditor": (399, 222, 2),
    "Uploader": (660, 470, 1),
}
"""Messages, their kB, and kB of HTML in them at commit 8a3b262, by this very file."""

NOTEBOOKS_BEFORE = {
    "00_quickstart.ipynb": (1579, 1685),
    "01_inspect.ipynb": (22, 769),
    "02_mapping.ipynb": (23, 615),
    "03_scores.ipynb": (27, 944),
    "04_upload.ipynb": (100, 718),
    "05_alignment.ipynb": (1745, 1801),
    "06_workers.ipynb": (106, 224),
    "07_compare.ipynb": (8, 835),
}
"""kB of outputs as saved, and of messages, at commit 8a3b262, by this very file."""

SECONDS = 600
"""The longest run of a notebook on a busy machine."""


def size(data: Any, buffers: Any = None) -> int:
    """Return the bytes of a message: its JSON, and what travels beside it."""
    return len(json.dumps(data or {}, default=str).encode()) + sum(
        memoryview(one).nbytes for one in buffers or ()
    )


def ratios(told: Sequence[int], before: Sequence[int]) -> str:
    """Return each of the numbers beside what it was; nothing of what was not there."""
    both = zip(told, before, strict=True) if before else ()
    return "".join(f"; {now / old:.2f} x" for now, old in both)


def texts(data: Any) -> int:
    """Return the bytes of the HTML that a widget is made with, or given later."""
    value = (data or {}).get("state", {}).get("value")
    return len(value.encode()) if isinstance(value, str) and value.startswith("<") else 0


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many messages widgets send from now on, their bytes, and those of HTML."""
    count: Counter[str] = Counter()

    class Counted(BaseComm):
        def publish_msg(self, *_: Any, **sent: Any) -> None:
            data, buffers = sent.get("data"), sent.get("buffers")
            count.update(messages=1, bytes=size(data, buffers), html=texts(data))

    monkeypatch.setattr("comm.create_comm", Counted)
    return count


@pytest.mark.parametrize("name", APPS)
def test_what_opening_an_app_sends(benchmark: Any, name: str, said: Counter[str]) -> None:
    app = benchmark.pedantic(APPS[name])
    getattr(app.model, "join", lambda: None)()
    told = said["messages"], said["bytes"] // 1000, said["html"] // 1000
    assert said["bytes"] > said["html"] > 0
    if benchmark.enabled:
        print(f"\n{name}: {told[0]} messages, {told[1]} kB, {told[2]} kB of HTML", end="")
        print(ratios(told, BEFORE.get(name, ())))


class Listener(NotebookClient):
    """Runs a notebook, and counts the bytes of what its kernel says."""

    heard = 0

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        self.heard += size(msg["content"], msg.get("buffers"))
        return super().process_message(msg, cell, cell_index)


def weight(path: Path) -> tuple[int, int]:
    """Return the bytes of a notebook's outputs after its run, and of the messages of the run."""
    notebook = nbformat.read(path, as_version=4)
    metadata = {"path": str(path.parent)}
    client = Listener(notebook, timeout=SECONDS, resources={"metadata": metadata})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return size(outputs), client.heard


NAMES = sorted(path.name for path in CHECKOUT.glob("notebooks/*.ipynb"))


def test_a_notebook_weighs_what_its_cells_show(tmp_path: Path) -> None:
    text = "a line of thirty characters, ..."
    runs = Runs(tmp_path)
    small = weight(runs.write(notebook_of("print()"), runs.new(), {}))
    large = weight(runs.write(notebook_of(f"print({text!r} * 99)"), runs.new(), {}))
    assert large[0] - small[0] == 99 * len(text)
    assert large[1] - small[1] >= 99 * len(text)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_notebook_weighs_after_its_run(benchmark: Any, name: str, tmp_path: Path) -> None:
    if not benchmark.enabled:
        pytest.skip("a measurement: the run of a whole notebook")
    runs = Runs(tmp_path)
    path = runs.write(name, runs.new(), {})
    told = [part // 1000 for part in benchmark.pedantic(lambda: weight(path))]
    print(f"\n{name}: {told[0]} kB saved, {told[1]} kB of messages", end="")
    print(ratios(told, NOTEBOOKS_BEFORE.get(name, ())))
