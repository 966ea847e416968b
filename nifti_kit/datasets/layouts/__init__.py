"""Layouts: how the files of a source belong together. Pure grouping by names and folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from nifti_kit.datasets.layouts.annotations import group_annotations
from nifti_kit.datasets.layouts.by_folder import group_by_folder
from nifti_kit.datasets.layouts.by_plane import group_by_plane
from nifti_kit.datasets.layouts.by_volume import group_by_volume
from nifti_kit.datasets.layouts.grouping import Files, Grouping
from nifti_kit.datasets.layouts.pairs import Pairing, group_pairs
from nifti_kit.datasets.names import ANNOTATION, VOLUME, natural_key, parse_name

__all__ = ["EVERY_LAYOUT", "LAYOUTS", "Files", "Grouping", "detect_layout", "group_files"]

_GROUPERS = {
    "by_volume": group_by_volume,
    "by_plane": group_by_plane,
    "annotations": group_annotations,
}
LAYOUTS = tuple(_GROUPERS)
EVERY_LAYOUT = (*LAYOUTS, "pairs")


def detect_layout(names: Iterable[PurePosixPath], further: tuple[str, ...] = ()) -> str:
    """Return the layout that the NIfTI file names of a source speak of.

    ``by_plane`` if any carries a plane and the anatomic role; ``annotations`` if every one
    carries a plane and an annotation role; else ``by_volume``. ``further`` are type words of
    annotations beside the usual ones.
    """
    parsed = [parse_name(path.name, further) for path in names]
    if any(name.plane and name.role == VOLUME for name in parsed):
        return "by_plane"
    if parsed and all(name.plane and name.role == ANNOTATION for name in parsed):
        return "annotations"
    return "by_volume"


def group_files(layout: str, files: Files, pairing: Pairing | None = None) -> Grouping:
    """Return the items of a layout, one of ``LAYOUTS``; by ``pairing`` where that is given.

    With ``files.by_folder``, ``by_plane`` is the layout of the folders that have volumes by plane;
    the others are read by volume.
    """
    if pairing is not None:
        grouping = group_pairs(files, pairing)
    elif layout == "by_plane" and files.by_folder:
        grouping = group_by_folder(files)
    else:
        grouping = _GROUPERS[layout](files)
    grouping.items.sort(key=lambda item: natural_key(f"{item.folder}/{item.name}"))
    return grouping
