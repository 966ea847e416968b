"""Repairs of score tables: which frame a layer is."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from nifti_kit.core.geometry import plane_axis
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset, with_mended
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.datasets.surveys import survey_item
from nifti_kit.errors import RepairRefused
from nifti_kit.formats.scores import ScoreTable, in_ranges, read_scores
from nifti_kit.repairs.repair import FileChange, Repair, tables_meant

SHOWN_RANGES = 8
"""Ranges of layers that a proof lists before it counts the rest."""


def rebase_layers(
    dataset: Dataset,
    files: Any,
    *,
    base: int = 0,
    reverse: bool = False,
    drop_faulty: bool = False,
) -> Repair:
    """Return the dataset with score tables whose layers are counted anew.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    files
        The score tables: paths, or findings about them.
    base
        What their ``Layer`` column really counts from: 0 (the platform's exporter) or 1.
    reverse
        Whether it really counts from the last frame of the mask.
    drop_faulty
        Whether rows and cells that cannot be read, and layers that the masks do not have, are
        left out; else the former are refused, and the latter stay.

    Raises
    ------
    RepairRefused
        If a file is no score table of the dataset, or belongs to masks of several lengths; or to
        none, and is to be reversed: ``scan(..., score_frames="reversed")`` does that.
    BadScores
        If a table cannot be read, has faulty cells, or has layers that do not fit.
    """
    tables = tables_meant(dataset, files)
    read = [_read(table, base, item, dataset, reverse, drop_faulty) for item, table in tables]
    how = f"read as counting from {base}{', from the last frame' if reverse else ''}"
    mended = [
        Mended(table.relative, own.to_csv(drop_faulty=drop_faulty).encode(), f"layers {how}")
        for (_, table), own in zip(tables, read, strict=True)
    ]
    return _repaired(dataset, tables, mended)


def replace_table(dataset: Dataset, files: Any, text: str) -> Repair:
    r"""Return the dataset with another text in the place of a score table: a corrected one.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    files
        The score table: its path, or a finding about it.
    text
        The new table: CSV as the specification has it, layers counted from 1.

    Raises
    ------
    RepairRefused
        If no score table of the dataset is meant, or several.
    BadScores
        If the text cannot be read.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/scores")
    >>> done = nk.repairs.replace_table(dataset, "axl_score.csv", "Layer, Label-1\n3, 0.5\n")
    >>> done.files[0].what
    'another text'
    """
    tables = tables_meant(dataset, files)
    if len(tables) != 1:
        found = f"{len(tables)} tables"
        raise RepairRefused("one text is for one table", found=found, remedy="Name one table.")
    (_, table), content = tables[0], text.encode()
    anew = read_scores(table.path, base=1, relative=str(table.relative), content=content)
    placed = "" if _scored(anew) == _scored_before(dataset, *tables[0]) else "replace_table"
    mended = Mended(table.relative, content, "another text", placed=placed)
    return _repaired(dataset, tables, [mended])


def _scored(table: ScoreTable) -> set[tuple[int, int]]:
    """Return which values are scored on which frames."""
    return {(score.frame, score.value) for score in table if score.score is not None}


def _scored_before(dataset: Dataset, item: Item, table: TableFile) -> set[tuple[int, int]]:
    known = survey_item(dataset, item).tables
    return next((_scored(one.read) for one in known if one.table.relative == table.relative), set())


def _repaired(
    dataset: Dataset, tables: list[tuple[Item, TableFile]], mended: list[Mended]
) -> Repair:
    anew = with_mended(dataset, mended)
    after = tables_meant(anew, [table for _, table in tables])
    changes = [
        FileChange(
            str(table.relative),
            change.what,
            _standing(dataset, item, table.relative),
            _standing(anew, renewed, table.relative),
        )
        for (item, table), (renewed, _), change in zip(tables, after, mended, strict=True)
    ]
    return Repair(anew, [table.relative for _, table in tables], changes, ())


def _read(
    table: TableFile, base: int, item: Item, dataset: Dataset, reverse: bool, drop_faulty: bool
) -> ScoreTable:
    read = read_scores(table.path, base=base, relative=str(table.relative), content=table.content)
    counts = _counts(item, dataset)
    if drop_faulty and counts:
        read = read.within(max(counts))
    return read.reversed(_frames(item, dataset, table)) if reverse else read


def _counts(item: Item, dataset: Dataset) -> set[int]:
    """Return how many frames the masks of an item have along the plane's normal."""
    return {
        mask.mask.grid.shape[plane_axis(mask.mask.grid, item.plane, mask.orientation)[0]]
        for mask in survey_item(dataset, item).masks
        if mask.orientation is not None and item.plane is not None
    }


def _frames(item: Item, dataset: Dataset, table: TableFile) -> int:
    """Return how many frames the masks of a table have along the plane's normal."""
    if item.is_scores_alone:
        raise RepairRefused(
            "a table without masks does not say how many frames there are",
            path=str(table.relative),
            found="no mask and no volume in the dataset",
            remedy="nk.scan(..., score_frames='reversed') counts from the last slice of the volume "
            "on the target; or give a dataset that has the volume and its masks with the table.",
        )
    counts = _counts(item, dataset)
    if len(counts) != 1:
        raise RepairRefused(
            "its masks do not say how many frames there are",
            path=str(table.relative),
            found=f"{sorted(counts) or 'no mask with a usable grid'}",
            remedy="Repair the masks first, or turn the table round with ScoreTable.reversed.",
        )
    return counts.pop()


def _standing(dataset: Dataset, item: Item, relative: PurePosixPath) -> str:
    """Return what a table says and how much of it lands, in words."""
    survey = survey_item(dataset, item)
    for found in survey.tables:
        if found.table.relative == relative:
            layers = sorted({score.frame - 1 + found.read.base for score in found.read})
            ranges = in_ranges(layers, SHOWN_RANGES) if layers else "none"
            faults = [f for f in survey.score_findings if f.path == str(relative)]
            wrong = f"; {counted(len(faults), 'finding')}" if faults else ""
            return f"{counted(len(found.read), 'score')} on layers {ranges}{wrong}"
    return "not readable"
