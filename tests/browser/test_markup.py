"""A file, class, column or dataset that is named with markup runs no script in any notebook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest

from .hostile import MARKUP, OTHER_MARKUP, hostile_dataset, hostile_reader
from .opened import parameters_of
from .serving import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
TRIED_BY_HAND = {"01_inspect", "02_mapping", "04_upload"}
"""Their own tests open every part of the app on such names, in JupyterLab and Voilà."""


class Case(NamedTuple):
    """What a notebook is given, of the parameters that it has, and the names that it shows."""

    parameters: Callable[[Path], dict[str, Any]]
    shows: tuple[str, ...] = (MARKUP, OTHER_MARKUP)


def _dataset(folder: Path) -> dict[str, Any]:
    return {"SOURCE": hostile_dataset(folder), "DATASET": MARKUP}


def _two_readers(folder: Path) -> dict[str, Any]:
    return {"A": hostile_dataset(folder), "B": hostile_reader(folder)}


CASES = {
    "03_scores": Case(_dataset, shows=(MARKUP,)),  # its list of tables; test_scores opens cells
    "05_alignment": Case(_dataset, shows=(MARKUP,)),  # it tells of files, not of classes
    "07_compare": Case(_two_readers),
}


PLACES = [pytest.param(path, id=path.stem) for path in NOTEBOOKS if path.stem not in TRIED_BY_HAND]


@pytest.mark.parametrize("path", PLACES)
def test_markup_in_names_is_shown_as_text(path, lab, tmp_path):
    case = CASES.get(path.stem, Case(_dataset))
    known = parameters_of(nbformat.read(path, as_version=4))
    given = {name: value for name, value in case.parameters(tmp_path).items() if name in known}
    opened = lab.open(path, **given)
    opened.run_all()
    assert opened.find('img[src="x"], svg[onload]').count() == 0
    assert opened.alerts == []
    shown = "\n".join(opened.find(".jp-OutputArea").all_inner_texts())  # not the parameters cell
    assert [name for name in case.shows if name not in shown] == []
