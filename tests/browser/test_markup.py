"""A file, class, column or dataset that is named with markup runs no script in any notebook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest

from .hostile import (
    MARKUP,
    OTHER_MARKUP,
    hostile_annotations,
    hostile_dataset,
    hostile_project,
)
from .opened import parameters_of
from .serving import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
WITHOUT_APP = {"00_quickstart", "05_alignment", "06_workers"}
"""Their tables are those of the others: JupyterLab alone shows them here."""


class Case(NamedTuple):
    """What a notebook is given, of the parameters that it has, and the names that it shows."""

    parameters: Callable[[Path], dict[str, Any]]
    shows: tuple[str, ...] = (MARKUP, OTHER_MARKUP)


def _dataset(folder: Path) -> dict[str, Any]:
    return {"SOURCE": hostile_dataset(folder), "DATASET": MARKUP}


def _annotations(folder: Path) -> dict[str, Any]:
    source, project = hostile_annotations(folder), hostile_project(folder)
    return {"SOURCE": source, "PROJECT": project, "DATASET": MARKUP}


CASES = {
    "02_mapping": Case(_annotations),
    "05_alignment": Case(_dataset, shows=(MARKUP,)),  # it tells of files, not of classes
}


PLACES = [
    pytest.param(path, place, id=f"{path.stem}-{place}")
    for path in NOTEBOOKS
    for place in ("lab", "voila")
    if place == "lab" or path.stem not in WITHOUT_APP
]


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_markup_in_names_is_shown_as_text(path, place, request, tmp_path):
    server = request.getfixturevalue(place)
    case = CASES.get(path.stem, Case(_dataset))
    known = parameters_of(nbformat.read(path, as_version=4))
    given = {name: value for name, value in case.parameters(tmp_path).items() if name in known}
    opened = server.open(path, **given)
    if place == "lab":
        opened.run_all()
    assert opened.find('img[src="x"], svg[onload]').count() == 0
    assert opened.alerts == []
    shown = "\n".join(opened.find(".jp-OutputArea").all_inner_texts())  # not the parameters cell
    assert [name for name in case.shows if name not in shown] == []
