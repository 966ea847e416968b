"""What other notebooks saved, for this source: mappings, and corrected score tables."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePosixPath

from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import survey_item
from nifti_kit.errors import BadMapping, BadScores
from nifti_kit.formats.mappings import Mapping, read_mapping
from nifti_kit.formats.scores import ScoreTable, read_scores
from nifti_kit.formats.scores.cells import table_text
from nifti_kit.repairs.steps import Step

MAPPING = "mapping.json"
"""The name under which a matching is saved at first."""

MOST_FOLDERS, MOST_FILES = 100, 50
"""Folders that are looked into, and files that are offered: any other can be given by its path."""

SHOWN = 3
"""Files that an error names."""


def found_beside(out: Path, dataset: Dataset) -> tuple[str, ...]:
    """Return what a data set could take: files in a folder of results, and in those beside it.

    A mapping for annotations; for each score table one of its path below the folder. Nothing is
    read of them. The paths are as seen from the current folder.
    """
    names = _taken_by(dataset)
    folders = _folders(out.resolve().parent) if names else []
    found = (folder / name for folder in folders for name in names)
    fit = (os.path.relpath(p) for p in found if p.is_file() and not dataset.source.holds(p))
    return tuple(islice(fit, MOST_FILES))


def takes_files(dataset: Dataset) -> bool:
    """Say whether a data set could take a mapping, or a corrected table."""
    return bool(_taken_by(dataset))


def mapping_for(path: Path, dataset: Dataset) -> Mapping:
    """Return the mapping in a JSON file, each of whose keys names an annotation of a data set.

    Raises BadMapping if the source has volumes of its own, or a key names no annotation file of it.
    Raises NiftiKitError if the file cannot be read.
    """
    if dataset.layout != "annotations":
        raise BadMapping(
            "this source takes no mapping",
            path=str(path),
            found=f"volumes in the source itself (layout {dataset.layout})",
            remedy="A mapping is for annotations alone; a corrected score table ends in .csv.",
        )
    mapping = read_mapping(path, dataset)
    strange = [fault.message for fault in mapping.faults if fault.code == "mapping-key"]
    if strange or len(mapping.unmatched) == len(mapping):
        raise BadMapping(
            "the mapping is not for this source",
            path=str(path),
            found="; ".join(strange) or "no volume for any of its files",
            expected=listed(dataset.annotation_paths, SHOWN),
            remedy="Give the mapping of this source, or match its files under Match.",
        )
    return mapping


def table_step(path: Path, dataset: Dataset) -> Step:
    """Return the step that puts a CSV file, its layers counted from 1, in the place of a table.

    Raises BadScores if its path ends like that of no table of the data set, or of several; or it
    has the scores and comments of the table that is there. Raises UnreadableFile if the file cannot
    be read.
    """
    tables = _tables(dataset)
    meant = [name for name in tables if path.absolute().parts[-len(name.parts) :] == name.parts]
    if len(meant) != 1:
        raise BadScores(
            f"it is named like {'several tables' if meant else 'no table'} of this source",
            path=str(path),
            found=listed(meant, SHOWN) if meant else path.name,
            expected=listed(tables, SHOWN) or "a source with score tables",
            remedy="Give the file the path of the table that it stands for, below any folder.",
        )
    text = table_text(path)
    anew = read_scores(path, base=1, content=text.encode())
    now = _read(dataset, meant[0])
    if now is not None and (now.cells, len(now.faults)) == (anew.cells, len(anew.faults)):
        raise BadScores("it says what the table here says", path=str(path), found=str(meant[0]))
    return Step("replace_table", (str(meant[0]),), {"text": text})


def _read(dataset: Dataset, name: PurePosixPath) -> ScoreTable | None:
    """Return a table as it is read now; None where it cannot be read."""
    items = (item for item in dataset.items if name in [one.relative for one in item.tables])
    tables = (one for item in items for one in survey_item(dataset, item).tables)
    return next((one.read for one in tables if one.table.relative == name), None)


def _taken_by(dataset: Dataset) -> list[PurePosixPath]:
    mappings = [PurePosixPath(MAPPING)] if dataset.layout == "annotations" else []
    return [*mappings, *_tables(dataset)]


def _tables(dataset: Dataset) -> list[PurePosixPath]:
    return list(dict.fromkeys(one.relative for item in dataset.items for one in item.tables))


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(islice((one for one in parent.iterdir() if one.is_dir()), MOST_FOLDERS))
    except OSError:  # it is not there yet, or not for us
        return []
