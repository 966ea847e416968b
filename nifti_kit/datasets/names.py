"""File names: plane, role, case and index; unique names on the platform.

The words are the specification's: planes ``axl``, ``cor``, ``sag``; ``anatomic`` (or
``anatomical``) for volumes; ``inference``, ``mask``, ``ann`` and others for annotations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

PLANE_WORDS = ("axl", "cor", "sag")

VOLUME, ANNOTATION, SCORE = "volume", "annotation", "score"

_ANATOMIC = re.compile(r"anatomic(al)?s?")
_ANNOTATION_TOKEN = re.compile(
    r"(inference|label|annotation|ann|mask|segmentation|seg|labelmap|dseg)s?"
)
_SCORE = re.compile(r"score(s|al)?")
_WITHIN = {
    VOLUME: re.compile(r"anatomic(al)?"),
    ANNOTATION: re.compile(r"inference(al)?|label|annotation|mask|segmentation"),
    SCORE: _SCORE,
}
"""Long enough to be looked for inside a longer word; ``ann`` and ``seg`` are not (``hannah``).
``inferenceal``, ``scoreal``: the exporter replaces ``anatomic`` within ``anatomical``."""
_NUMBERED_ROLE = re.compile(
    rf"({_ANATOMIC.pattern}|{_ANNOTATION_TOKEN.pattern}|{_SCORE.pattern})(?P<number>[0-9]{{1,4}})"
)
_PLANE_WITHIN = {"axl": "axl", "cor": "cor(onal)?", "sag": "sag(ittal)?"}
"""What is taken out of a longer word; ``coronal`` and ``sagittal`` say nothing but the plane."""
_NIFTI_ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_TOKENS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class FileName:
    """What a file's name says.

    Attributes
    ----------
    stem
        The name without its NIfTI, NRRD or CSV ending.
    plane
        ``axl``, ``cor``, ``sag`` or None.
    role
        ``volume``, ``annotation``, ``score``, ``ambiguous`` (says both volume and annotation) or
        None.
    case
        The words that are left, lower case, joined by ``_``: patient, body part, ...
    tail
        The numbers at the end: ``axl_inference_1_2`` has (1, 2).
    """

    stem: str
    plane: str | None
    role: str | None
    case: str
    tail: tuple[int, ...]


def is_nifti(name: str) -> bool:
    """Say whether a file name ends in ``.nii`` or ``.nii.gz``, in any case."""
    return _NIFTI_ENDING.search(name) is not None


def stem(name: str) -> str:
    """Return a file name without ``.nii``, ``.nii.gz``, ``.nrrd`` or another last ending."""
    if is_nifti(name):
        return _NIFTI_ENDING.sub("", name)
    return PurePosixPath(name).stem


def natural_key(path: PurePosixPath | str) -> tuple[object, ...]:
    """Return a key that sorts ``item_2`` before ``item_10``."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return (
        tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts),
        str(path),
    )


def parse_name(name: str) -> FileName:
    """Return what a file's name says of plane, role, case and index.

    A plane is a token between other than letters and digits; only where there is none, and the
    name has a role, is it looked for inside the words that are left, and then only if exactly
    one of the three fits.
    """
    root = stem(name)
    tokens = [match.group().casefold() for match in _TOKENS.finditer(root)]
    tail = _tail(tokens)
    words = tokens[: len(tokens) - len(tail)]
    if words and (numbered := _NUMBERED_ROLE.fullmatch(words[-1])):
        number = numbered["number"]  # inference2 is inference_2
        words[-1], tail = words[-1].removesuffix(number), [number, *tail]
    role, words = _take_role(words, is_table=name.casefold().endswith(".csv"))
    plane, words = _take_plane(words, search_inside=role is not None)
    return FileName(root, plane, role, "_".join(words), tuple(int(number) for number in tail))


def speaks_of_annotation(relative: PurePosixPath) -> bool:
    """Say whether a file's name or one of its folders has an annotation word: ``labelsTr``."""
    texts = [stem(relative.name), *relative.parent.parts]
    tokens = [token.group().casefold() for text in texts for token in _TOKENS.finditer(text)]
    return any(_ANNOTATION_TOKEN.fullmatch(re.sub(r"(tr|ts|\d+)$", "", t)) for t in tokens)


def _tail(tokens: Sequence[str]) -> list[str]:
    """Return the plain numbers at the end; long ones are dates or ids, not indices."""
    tail: list[str] = []
    for token in reversed(tokens):
        if not (token.isascii() and token.isdigit() and len(token) <= _LONGEST_INDEX):
            break
        tail.insert(0, token)
    return tail


_LONGEST_INDEX = 4
"""Digits of an index or number at most: 20240131 is a date, and part of the case."""


def _take_role(words: list[str], *, is_table: bool) -> tuple[str | None, list[str]]:
    """Return the role, and the words without the one that names it."""
    if is_table:
        position = _find(words, _SCORE)
        if position is None:
            return _take_role_within(words, SCORE)
        return SCORE, words[:position] + words[position + 1 :]
    anatomic = _find(words, _ANATOMIC)
    annotation = _find(words, _ANNOTATION_TOKEN)
    if anatomic is not None and annotation is not None:
        return "ambiguous", [w for i, w in enumerate(words) if i not in (anatomic, annotation)]
    if anatomic is not None:
        return VOLUME, words[:anatomic] + words[anatomic + 1 :]
    if annotation is not None:
        return ANNOTATION, words[:annotation] + words[annotation + 1 :]
    return _take_role_within(words, VOLUME, ANNOTATION)


def _find(words: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    """Return the last word that is the pattern, with or without a number behind it."""
    for position in reversed(range(len(words))):
        if pattern.fullmatch(words[position].rstrip("0123456789")):
            return position
    return None


def _take_role_within(words: list[str], *roles: str) -> tuple[str | None, list[str]]:
    found = [role for role in roles if any(_WITHIN[role].search(word) for word in words)]
    if len(found) > 1:
        return "ambiguous", words
    for role in found:
        for position, word in enumerate(words):
            rest, count = _WITHIN[role].subn("", word, count=1)
            if count:
                kept = [rest] if rest else []
                return role, words[:position] + kept + words[position + 1 :]
    return None, words


def _take_plane(words: list[str], *, search_inside: bool) -> tuple[str | None, list[str]]:
    tokens = [word for word in words if word in PLANE_WORDS]
    if len(set(tokens)) == 1:
        return tokens[0], [word for word in words if word not in PLANE_WORDS]
    if tokens or not search_inside:
        return None, words
    inside = [plane for plane in PLANE_WORDS if any(plane in word for word in words)]
    if len(inside) != 1:
        return None, words
    rest = [re.sub(_PLANE_WITHIN[inside[0]], "", word, count=1) for word in words]
    return inside[0], [word for word in rest if word]


def unique_names(paths: Sequence[PurePosixPath]) -> list[str]:
    """Return one platform name (``.nrrd``) per volume file, unique in a dataset.

    The name is the file's stem. Where several are alike (in any case), each gets the shortest run
    of its parent folders' names in front that tells them apart, joined by ``_``.
    """
    names = [stem(path.name) for path in paths]
    depth = [0] * len(paths)
    while clashes := _clashes(names):
        progress = False
        for index in clashes:
            parents = paths[index].parent.parts
            if depth[index] < len(parents):
                depth[index] += 1
                progress = True
            above = parents[len(parents) - depth[index] :]
            prefix = [part for part in above if part not in ("", ".")]
            names[index] = "_".join([*prefix, stem(paths[index].name)])
        if not progress:
            _number(names, clashes)
    return [f"{name}.nrrd" for name in names]


def _clashes(names: Sequence[str]) -> list[int]:
    counts = Counter(name.casefold() for name in names)
    return [index for index, name in enumerate(names) if counts[name.casefold()] > 1]


def _number(names: list[str], clashes: Sequence[int]) -> None:
    """Number what folders cannot tell apart: ``scan.nii`` beside ``scan.nii.gz``."""
    taken = {name.casefold() for index, name in enumerate(names) if index not in clashes}
    for index in clashes:
        name, number = names[index], 1
        while name.casefold() in taken:
            number += 1
            name = f"{names[index]}_{number}"
        taken.add(name.casefold())
        names[index] = name


_ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")

_FORMATS = {
    ".nrrd": "NRRD", ".nhdr": "NRRD", ".mha": "MetaImage", ".mhd": "MetaImage",
    ".mgz": "FreeSurfer MGH", ".mgh": "FreeSurfer MGH", ".dcm": "DICOM", ".ima": "DICOM",
    ".mnc": "MINC", ".gipl": "GIPL", ".vtk": "VTK", ".vti": "VTK", ".tif": "TIFF", ".tiff": "TIFF",
    ".npy": "NumPy", ".npz": "NumPy",
}  # fmt: skip
"""Formats that people keep volumes and masks in, by the ending of the name."""

_PACKED_NIFTI = re.compile(r"\.nii\.(zip|bz2|xz|zst|z|7z|rar|lz4)$", re.IGNORECASE)
_PAIR = re.compile(r"\.(hdr|img)(\.gz)?$", re.IGNORECASE)


def pair_key(relative: PurePosixPath) -> tuple[str, str] | None:
    """Return what the two files of an image have in common: path without ending, and the ending.

    ``head.hdr`` and ``head.img.gz`` give (``head``, ``hdr``) and (``head``, ``img``); any other
    name gives None.
    """
    match = _PAIR.search(relative.name)
    if match is None:
        return None
    return str(relative.parent / relative.name[: match.start()]), match[1].lower()


def why_unused(file: PurePosixPath, beside: Container[tuple[str, str] | None] = ()) -> str:
    """Return why a file that is neither NIfTI, table nor text will not land.

    Empty for the two files of an ANALYZE or NIfTI pair, which have a finding of their own;
    ``beside`` are the ``pair_key`` of the source's files.
    """
    if packed := _PACKED_NIFTI.search(file.name):
        return f"a NIfTI file packed as .{packed[1].lower()}: unpack it, or convert it to .nii.gz"
    if file.name.casefold().endswith(_ARCHIVE_ENDINGS):
        return "an archive inside the source is not unpacked"
    if pair := pair_key(file):
        other = "img" if pair[1] == "hdr" else "hdr"
        if (pair[0], other) in beside:
            return ""
        return f"half of an image in two files: its .{other} is not there"
    if known := _FORMATS.get(file.suffix.casefold()):
        return f"an image in another format ({known}): convert it to .nii.gz"
    return "neither a NIfTI file nor a score table, class map or mapping"
