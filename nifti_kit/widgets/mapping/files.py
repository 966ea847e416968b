"""Mapping files: where ``mapping.json`` may be written, in which form, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

from nifti_kit.core.files import save_as
from nifti_kit.core.text import counted
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping
from nifti_kit.widgets.parts.acts import kept_aside, path_of, spare_name

FORMS = ("auto", "dataset", "project")
"""Of the specification: keys are file names (``dataset``), or have the dataset's folder in front
(``project``); ``auto`` is what the folders and the target ask for."""


def in_form(mapping: Mapping, form: str) -> Mapping:
    """Return a mapping whose JSON is of a form."""
    scope = {"dataset": False, "project": True}.get(form, mapping.project)
    return Mapping(mapping.rows, mapping.path, mapping.faults, names=mapping.names, project=scope)


def form_blockers(mapping: Mapping, form: str) -> list[str]:
    """Return why a mapping cannot be written in a form."""
    if form not in FORMS:
        return [f"There is no form {form!r}: take one of {', '.join(FORMS)}."]
    rows = [row for row in mapping.rows if row.volume is not None]
    folders = {row.annotation.parent for row in mapping.rows}
    if form == "dataset" and len(folders) > 1:
        where = f"the files lie in {len(folders)} folders"
        return [f"The dataset form has file names alone, but {where}: take the project form."]
    bare = [row.annotation for row in rows if len(row.annotation.parts) == 1]
    if form == "project" and bare:
        what = "The project form has a dataset's folder before each file name"
        return [f"{what}, but {bare[0]} lies in none: take the dataset form."]
    return []


def save_mapping(mapping: Mapping, path: Path) -> Path | None:
    """Write a mapping as JSON; return where the file that was there is kept, if it was another.

    Raises NiftiKitError if the file cannot be written.
    """
    text = json.dumps(mapping.to_dict(), ensure_ascii=False, indent=4)
    # Names that are no letters are written as their codes, as ``save_as`` does it.
    kept = kept_aside(path, text.encode("utf-8", "backslashreplace"), BadMapping)
    save_as(path, "mapping", {".json": lambda: text})
    return kept


def saved_text(mapping: Mapping, place: Path, kept: Path | None) -> str:
    """Return what was saved, what was not, and what became of the file that was there."""
    missing = len(mapping.unmatched)
    text = f"Saved the volumes of {counted(len(mapping) - missing, 'file')} to {place}."
    if missing:
        text += f" {counted(missing, 'file')} without a volume: not in it."
    return text + (f" What was there is kept as {kept.name}." if kept else "")


def where_text(path: str) -> str:
    """Return where a mapping goes, and what becomes of a file that is there."""
    place = path_of(path).resolve()
    if not place.is_file():
        return f"It goes to {place}."
    return f"It goes to {place}. The file there is kept as {spare_name(place).name} if it differs."
