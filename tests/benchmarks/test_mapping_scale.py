"""Time of the mapping table with 2,000 files and as many volumes: opening it, editing a row;
and of matching up to 10,000.

Measure with ``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the
same code runs once on a few files, as a test.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid, lattices
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.formats.nifti import read_header
from nifti_kit.targets.records import VolumeRef
from nifti_kit.widgets.mapping import rows
from nifti_kit.widgets.mapping.candidates import CHOICES
from nifti_kit.widgets.mapping.model import MappingModel

from tests.support.builders import AFFINE, SHAPE, labels, write_nifti  # isort: skip

LARGE, SMALL = 2000, 70


def volumes(count: int) -> list[VolumeRef]:
    """Return volumes of as many cases, each with a place of its own."""
    return [
        VolumeRef(
            number, format(number, "032x"), f"case{number:04}_axl_anatomic.nrrd", "knees", grid
        )
        for number, grid in enumerate(grids(count), start=1)
    ]


def grids(count: int) -> Iterator[Grid]:
    for number in range(count):
        affine = np.array(AFFINE)
        affine[:3, 3] += (0.5 * (number % 97), 0.25 * (number % 89), 0)
        yield Grid(SHAPE, affine)


def annotations(folder: Path, count: int, word: str = "case") -> Dataset:
    """Return as many annotation files: headers of one file in other places."""
    write_nifti(folder / "case0001_axl_inference.nii", labels())
    dataset = nk.scan(folder, layout="annotations")
    image = read_header(folder / "case0001_axl_inference.nii", PurePosixPath("one.nii"))
    items = []
    for number, grid in enumerate(grids(count), start=1):
        name = f"{word}{number:04}_axl_inference.nii"
        own = image.__class__(**{**vars(image), "relative": PurePosixPath(name), "grid": grid})
        case = f"case{number:04}"
        items.append(Item(f"{case}.nrrd", None, (MaskFile(own),), (), "axl", case, "", "semantic"))
    dataset.items = tuple(items)
    return dataset


def matching(folder: Path, count: int) -> MappingModel:
    """Return the model for as many annotation files."""
    dataset = annotations(folder, count)
    return MappingModel(
        dataset, SimpleNamespace(volumes=lambda: volumes(count)), path=folder / "m.json"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> MappingModel:
    measured = request.config.getoption("--benchmark-enable")
    return matching(tmp_path_factory.mktemp("mapping"), LARGE if measured else SMALL)


@pytest.mark.parametrize("word", ["case", "other"], ids=["exact names", "nothing in common"])
def test_matching_takes_time_in_proportion(
    benchmark: Any, tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few pairs of grids are compared, and time grows with the files, not with the pairs."""
    counts = (2500, 5000, 10_000) if benchmark.enabled else (SMALL,)
    compared: list[object] = []
    exactly = lattices.lattice_orientation
    monkeypatch.setattr(
        lattices, "lattice_orientation", lambda *pair: compared.append(pair) or exactly(*pair)
    )
    seconds = []
    for count in counts:
        dataset, there = annotations(tmp_path / str(count), count, word), volumes(count)
        start = time.process_time()
        mapping = nk.match(dataset, there)
        seconds.append(time.process_time() - start)
        assert {row.volume is None for row in mapping} == {word == "other"}
        assert {len(row.candidates) + row.further for row in mapping} == (
            {count} if word == "other" else {1}
        )
    assert len(compared) <= sum(counts)
    benchmark.pedantic(nk.match, (dataset, there), rounds=1)
    if benchmark.enabled:
        growth = [later / earlier for earlier, later in itertools.pairwise(seconds)]
        benchmark.extra_info.update(seconds=seconds, growth=growth)
        said = ", ".join(f"{n} x {n}: {t:.2f} s" for n, t in zip(counts, seconds, strict=True))
        print(f"\nmatch, {said}; per doubling {', '.join(f'{g:.2f}' for g in growth)}")


def test_opening_the_table(benchmark: Any, model: MappingModel) -> None:
    made = benchmark.pedantic(rows.MappingRows, (model.dataset, model.volumes, None), rounds=1)
    assert made.count("matched") == made.with_volume == len(made.rows) == len(model.volumes)


def test_editing_a_row(benchmark: Any, model: MappingModel) -> None:
    label = model.volumes.label(2)

    def edit() -> None:
        model.table.edit("case0002_axl_inference.nii", "volume", "not matched")
        model.table.edit("case0002_axl_inference.nii", "volume", label)

    benchmark.pedantic(edit, rounds=5)
    assert model.standing("case0002_axl_inference.nii").state == "chosen"


def test_showing_a_page_with_its_select_boxes(benchmark: Any, model: MappingModel) -> None:
    def page() -> list[list[str]]:
        model.table.search = "" if model.table.search else "case"
        return [list(row.choices["volume"]) for row in model.table.shown]

    shown = benchmark.pedantic(page, rounds=3)
    assert [len(choices) for choices in shown] == [CHOICES + 1] * 25


def test_opening_the_candidates_of_a_row(benchmark: Any, model: MappingModel) -> None:
    def select() -> None:
        model.table.select("")
        model.table.select("case0003_axl_inference.nii")

    benchmark.pedantic(select, rounds=3)
    assert len(model.candidates.rows) == len(model.volumes)
    assert model.candidates.rows[0].cells["place"] == "same grid"


def test_searching(benchmark: Any, model: MappingModel) -> None:
    def search() -> int:
        model.table.search = "case0007"
        found = len(model.table.found)
        model.table.search = ""
        return found

    assert benchmark.pedantic(search, rounds=3) == 1


def test_an_edit_works_out_one_row(model: MappingModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    pair = rows.Pair
    monkeypatch.setattr(rows, "Pair", lambda *given: made.append(given) or pair(*given))
    model.leave_out("case0005_axl_inference.nii")
    assert len(made) == 1
    model.choose("case0005_axl_inference.nii", 6)  # that of another file, whose row says so now
    assert len(made) == 3
    model.undo()
    model.undo()
    assert len(made) == 6
    before = model.table.rows
    model.accept("case0005_axl_inference.nii")
    assert len(made) == 7
    same = [one is other for one, other in zip(before, model.table.rows, strict=True)]
    assert same.count(False) == 1


def test_no_row_is_worked_out_for_a_page_or_a_selection(
    model: MappingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "Pair", None)
    model.table.turn(1)
    model.table.select("case0033_axl_inference.nii")
    model.table.filter_by("state", "matched")
    assert model.table.found
    model.table.filter_by("state", "")
