"""How much an app says to the browser when it is made.

A kernel hands its messages on through a queue of a thousand, and drops what does not fit, without a
word: widgets are missing then, and cells look as if they never end. A burst has to stay below.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
from comm.base_comm import BaseComm

from nifti_kit import widgets
from tests.support.builders import SAMPLES

QUEUE = 1000
"""ZeroMQ's high-water mark, which ipykernel leaves as it is."""

APPS = {
    "Compare": lambda: widgets.Compare("", ""),
    "Inspect": lambda: widgets.Inspect(SAMPLES / "by_volume"),
    "ScoreEditor": lambda: widgets.ScoreEditor(SAMPLES / "scores"),
    "Uploader": lambda: widgets.Uploader(SAMPLES / "by_volume"),
    "Workbench": lambda: widgets.Workbench(SAMPLES / "by_volume"),
}

CHANGES = {"Compare": 240, "Inspect": 240, "ScoreEditor": 180, "Uploader": 230, "Workbench": 260}
"""The most messages that change a widget which was opened; one for each CSS class is more."""

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many messages of each kind widgets send from now on."""
    count: Counter[str] = Counter()

    class Counted(BaseComm):
        def publish_msg(self, msg_type: str, *_: Any, **__: Any) -> None:
            count[msg_type] += 1

    monkeypatch.setattr("comm.create_comm", Counted)
    return count


@pytest.mark.parametrize("name", APPS)
def test_an_app_is_made_with_few_messages(name: str, said: Counter[str]) -> None:
    app = APPS[name]()
    getattr(app.model, "join", lambda: None)()
    assert said["comm_open"] > 100
    assert said.total() < QUEUE * 3 / 4
    assert said["comm_msg"] < CHANGES[name]


def test_a_model_alone_says_nothing(said: Counter[str]) -> None:
    widgets.UploadModel(SAMPLES / "by_volume").source.scan()
    assert said.total() == 0


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_make_no_app_that_nobody_sees(path: Path) -> None:
    """Their cells run one after the other, quicker than a busy server passes messages on."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        made = [line for line in cell.source.splitlines() if " = widgets." in line]
        for line in made:
            name, call = line.split(" = ", 1)
            assert call.startswith("widgets.UploadModel(") or cell.source.endswith(f"\n{name}")
