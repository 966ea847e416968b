"""Saving score tables: where to, what is in the way, and what becomes of a file that is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nifti_kit.core.wording import counted
from nifti_kit.datasets.dataset import Dataset, rescan
from nifti_kit.datasets.scanning import Mended
from nifti_kit.errors import BadScores
from nifti_kit.widgets.mapping.files import path_of, spare_name
from nifti_kit.widgets.scores.drafts import Draft

__all__ = ["faults_in_the_way", "path_blockers", "saved", "with_drafts"]

ENDING = ".csv"
"""What a score table is recognised by."""


def faults_in_the_way(draft: Draft) -> list[str]:
    """Return what would be missing in a saved table, in plain words."""
    errors = [fault for fault in draft.read.faults if fault.severity == "error"]
    if not errors:
        return []
    what = "cell or row" if len(errors) == 1 else "cells or rows"
    first = errors[0].message
    return [f"{len(errors)} {what} cannot be read ({first}): correct them, or leave them out."]


def path_blockers(dataset: Dataset, path: str) -> list[str]:
    """Return why a table cannot be written to a path."""
    if not path.strip():
        return ["Give the name of the file to save."]
    target = path_of(path)
    if target.suffix.casefold() != ENDING:
        return [f"The name of the file must end in {ENDING}, not in {target.suffix!r}."]
    if target.is_dir():
        return [f"{path} is a folder: give the name of a file in it."]
    above = target.resolve().parents
    if dataset.root.resolve() in above:
        return ["The file would lie in the source folder, which is never written to."]
    return []


def saved(draft: Draft, path: str, drop_faulty: bool) -> tuple[Path, str]:
    """Write a table; return where, and in words what became of a file that was there.

    Raises
    ------
    NiftiKitError
        If something cannot be read and is not to be left out, or the file cannot be written.
    """
    place, kept = path_of(path), ""
    text = draft.read.to_csv(drop_faulty=drop_faulty)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and place.read_bytes() != text.encode():
            spare = spare_name(place)
            shutil.copy2(place, spare)
            kept = f" What was there is kept as {spare.name}."
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = "the file that is there cannot be kept, or its folder not be made"
        raise BadScores(message, path=place, found=reason, remedy="Save elsewhere.") from error
    draft.read.save(place, overwrite=True, drop_faulty=drop_faulty)
    said = f"Saved {counted(len(draft.read), 'score')} to {place}.{kept}"
    if draft.frames != "file" and draft.count is None:
        said += f" Without masks it is to be scanned with score_frames={draft.frames!r}."
    return place, said


def with_drafts(dataset: Dataset, drafts: Iterable[Draft], drop_faulty: bool) -> Dataset:
    """Return a dataset with drafts in the place of its tables; nothing is read again.

    Raises
    ------
    BadScores
        If something cannot be read and is not to be left out.
    """
    mended, frames = [], dataset.choices.score_frames
    for draft in drafts:
        text = draft.read.to_csv(drop_faulty=drop_faulty)
        mended.append(Mended(draft.table.relative, text.encode(), "scores corrected by hand"))
        if draft.count is None:
            frames = draft.frames
    choices = replace(dataset.choices, score_frames=frames)
    return rescan(replace(dataset, choices=choices), mended)
