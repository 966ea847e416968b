"""What runs that were killed have left half written: files that never took their place."""

from __future__ import annotations

import re
from pathlib import Path

from nifti_kit.core.files import written

_PART = re.compile(r"\.(.+)\.[0-9]+\.part", re.DOTALL)
"""How ``core.files.write_beside`` names a file while it is written; see there."""

_SHORT = re.compile("[0-9a-f]{16}")
"""What stands for a name that is too long."""

_IN_PROJECT = ("meta.json", "key_id_map.json")


def is_leftover(path: Path) -> bool:
    """Say whether a file in a project's folder itself is one that a run was about to write."""
    return _name_of(path) in _IN_PROJECT


def remove_leftovers(project: Path, kept: Path) -> None:
    """Remove what was half written in a project, and in the folder of what it has replaced.

    No upload may be under way.
    """
    for path in project.iterdir() if project.is_dir() else ():
        if is_leftover(path):
            _remove(path)
    for folder, is_one in ((project, _is_of_dataset), (kept, _is_kept)):
        for path in folder.rglob(".*.part"):
            if is_one(path):
                _remove(path)


def _remove(path: Path) -> None:
    with written(path):
        path.unlink(missing_ok=True)


def _name_of(path: Path) -> str:
    """Return the name that a half written file was to have; empty where it is none."""
    found = _PART.fullmatch(path.name)
    return found[1] if found and path.is_file() and not path.is_symlink() else ""


def _is_of_dataset(path: Path) -> bool:
    """Say whether it was to be a volume, an annotation or a mask."""
    name, folder = _name_of(path), path.parent
    if folder.name == "volume":
        return bool(name)
    if folder.name == "ann":
        return _ends(name, ".json")
    return folder.parent.name == "mask" and _ends(name, ".nrrd")


def _is_kept(path: Path) -> bool:
    return _ends(_name_of(path), ".json")


def _ends(name: str, ending: str) -> bool:
    return name.endswith(ending) or bool(_SHORT.fullmatch(name))
