"""Names of an export's files: of volumes, of the datasets' folders, and by plane."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nifti_kit.core.files import NOT_IN_A_NAME, short_name
from nifti_kit.datasets.names import ANNOTATION, SCORE, VOLUME, FileName, free_name, parse_name
from nifti_kit.errors import visible
from nifti_kit.targets.records import VolumeRef

ENDING = ".nii.gz"

_LONGEST_BEHIND = "~" * len("_inference_65535.nii.gz.part")
"""What may stand behind a volume's name in those of its other files."""

_ROLE = re.compile(r"anatomic(al)?s?", re.IGNORECASE)


def file_stem(name: str) -> str:
    """Return a name that others gave as one that a file can have, without its ending."""
    kept = "".join("_" if one in NOT_IN_A_NAME or visible(one) != one else one for one in name)
    bare = kept.strip(" ").lstrip(".").rstrip(".") or "volume"
    return short_name(bare, _LONGEST_BEHIND).removesuffix(_LONGEST_BEHIND)


def volume_stems(volumes: Iterable[VolumeRef]) -> dict[int, str]:
    """Return the name of each volume's file, without its ending, by the volume's id.

    No two of a dataset are alike, in any case: a number stands behind those that would be.
    """
    taken: dict[str, set[str]] = {}
    stems = {}
    for volume in volumes:
        known = taken.setdefault(volume.dataset, set())
        ends = volume.name.casefold().endswith(_ON_TARGET)
        bare = volume.name[: -len(_ON_TARGET)] if ends else volume.name
        stems[volume.id] = free_name(file_stem(bare), known)
        known.add(stems[volume.id].casefold())
    return stems


_ON_TARGET = ".nrrd"
"""How volumes end that were uploaded; others may have other names."""


def read_back_as(name: str, stem: str) -> str:
    """Return what is to be known of a volume whose file is read back under another name."""
    again = f"{stem}{_ON_TARGET}"
    return "" if again == name else f"it is read back as {again}"


def dataset_folders(volumes: Sequence[VolumeRef], stems: dict[int, str]) -> dict[str, str]:
    """Return the folder of each dataset below the export's, with ``/``; nested as they are.

    None is named like a volume: it would be read as the folder of that volume's masks.
    """
    folders: dict[str, str] = {}
    taken = {name.casefold() for name in stems.values()}
    for dataset in dict.fromkeys(volume.dataset for volume in volumes):
        own = [file_stem(name) for name in dataset.split("/")]
        own = [f"{name}_dataset" if name.casefold() in taken else name for name in own]
        folders[dataset] = free_name("/".join(own), [one.casefold() for one in folders.values()])
    return folders


# By plane: names with plane and role (specification)


def as_volume(name: str) -> str | None:
    """Return the name (without ending) of a volume by plane: with ``anatomic`` in it.

    None where its name has no plane, or says that it is something else.
    """
    known = parse_name(name + ENDING)
    if known.plane is None:
        known = parse_name(f"{name}_anatomic{ENDING}")
        return f"{name}_anatomic" if known.plane and known.role == VOLUME else None
    if known.role is None:
        return f"{name}_anatomic"
    return name if known.role == VOLUME else None


def as_annotation(volume: str, index: int | None) -> str:
    """Return the name of a volume's annotation file; ``index`` is that of its class."""
    return _as_role(volume, "inference", ANNOTATION, index, ENDING)


def as_table(volume: str, index: int | None) -> str:
    """Return the name of a volume's score table; ``index`` is that of its annotation file."""
    return _as_role(volume, "score", SCORE, index, ".csv")


def _as_role(volume: str, word: str, role: str, index: int | None, ending: str) -> str:
    """Return a volume's name with another role; the last word that says ``anatomic`` goes."""
    known = parse_name(volume + ENDING)
    behind = "" if index is None else f"_{index}"
    for found in reversed(list(_ROLE.finditer(volume))):
        name = f"{volume[: found.start()]}{word}{volume[found.end() :]}{behind}{ending}"
        if _is_of(parse_name(name), known, role, index):
            return name
    numbers = "".join(f"_{number}" for number in known.tail)
    case = f"{known.case}_" if known.case else ""
    return f"{case}{known.plane}_{word}{numbers}{behind}{ending}"


def _is_of(name: FileName, volume: FileName, role: str, index: int | None) -> bool:
    tail = volume.tail if index is None else (*volume.tail, index)
    return (name.role, name.plane, name.case, name.tail) == (
        role, volume.plane, volume.case, tail
    )  # fmt: skip
