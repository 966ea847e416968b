"""File names: plane, role, case and index; unique names on the platform.

The words are the specification's: planes ``axl``, ``cor``, ``sag``; ``anatomic`` (or
``anatomical``) for volumes; ``inference``, ``mask``, ``ann`` and others for annotations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from types import MappingProxyType

from nifti_kit.errors import BadSource

PLANE_WORDS = ("axl", "cor", "sag")

VOLUME, ANNOTATION, SCORE = "volume", "annotation", "score"

_ANATOMIC = re.compile(r"anatomic(al)?s?")
_ANNOTATION = r"inference|label|annotation|ann|mask|segmentation|seg|labelmap|dseg"
_ANNOTATION_WITHIN = r"inference(al)?|label|annotation|mask|segmentation"
_SCORE = re.compile(r"score(s|al)?")
_ANATOMIC_WITHIN = re.compile(r"anatomic(al)?")
"""What is long enough to be looked for inside a longer word; ``ann`` and ``seg`` are not
(``hannah``). ``inferenceal``, ``scoreal``: the exporter replaces ``anatomic`` in ``anatomical``."""

_LONG_WORD = 4
"""Letters of a further type word that is looked for inside longer words, as ``mask`` is."""

_PLANE_WITHIN = {"axl": "axl", "cor": "cor(onal)?", "sag": "sag(ittal)?"}
"""What is taken out of a longer word; ``coronal`` and ``sagittal`` say nothing but the plane."""
_OTHER_AXIAL = re.compile(r"ax|axi|axial\w*|tra|trans|transversa?l?e?")
"""How others write ``axl``: no plane identifier of the specification, but meant as one."""
_NIFTI_ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_TOKENS = re.compile(r"\d+(?:\.\d+){2,}|[^\W\d_]*v\d+(?:\.\d+)+|[^\W_]+", re.IGNORECASE)
"""The words of a name. A UID or a date (``1.2.840.7``), and a version (``v2.1``), are one word."""
_DOTTED_TOKENS = re.compile(r"\d+(?:\.\d+){4,}|[^\W_]+")
"""Those of a name whose only separators are dots: there a UID alone is one word."""


@dataclass(frozen=True)
class _TypeWords:
    """The type words in force, compiled.

    ``joined`` finds further ones of several words (``ground_truth``); it is None without such.
    """

    annotation: re.Pattern[str]
    numbered: re.Pattern[str]
    within: Mapping[str, re.Pattern[str]]
    joined: re.Pattern[str] | None


@lru_cache(maxsize=64)
def _type_words(further: tuple[str, ...]) -> _TypeWords:
    plain = {word: re.escape(re.sub(r"[\W_]+", "", word)) for word in further}
    annotation = rf"({'|'.join((_ANNOTATION, *plain.values()))})s?"
    within = [_ANNOTATION_WITHIN]
    for word in plain.values():  # a short one only beside a plane: axlgt, gtaxl
        beside = rf"(?<=axl|cor|sag){word}(?=[0-9]*$)|^{word}(?=axl|cor|sag)"
        within.append(word if len(word) >= _LONG_WORD else beside)
    several = [re.sub(r"[\W_]+", r"[\\W_]*", word) for word in further if plain[word] != word]
    roles = f"{_ANATOMIC.pattern}|{annotation}|{_SCORE.pattern}"
    return _TypeWords(
        re.compile(annotation),
        re.compile(rf"({roles})(?P<number>[0-9]{{1,4}})"),
        {VOLUME: _ANATOMIC_WITHIN, ANNOTATION: re.compile("|".join(within)), SCORE: _SCORE},
        re.compile(rf"(?<![^\W_])({'|'.join(several)})(?![^\W\d_])") if several else None,
    )


def further_words(given: object) -> tuple[str, ...]:
    """Return further annotation type words as they are compared: lower case, each once.

    Raises BadSource if one is no word (letters and digits, ``_`` or ``-`` inside), or means another
    thing: a plane, ``anatomic``, ``score``.
    """
    is_list = isinstance(given, Iterable) and not isinstance(given, str)
    words: Iterable[object] = given if is_list else [given]  # type: ignore[assignment]
    found: list[str] = []
    for word in words:
        plain = word.casefold() if isinstance(word, str) else ""
        if not re.fullmatch(r"[^\W_]+([_ -]+[^\W_]+)*", plain) or _means_another(plain):
            raise BadSource(
                "annotation_words has no such choice",
                found=repr(word),
                expected="words of names that say annotation, such as ('gt', 'prediction')",
            )
        found.append(plain)
    return tuple(dict.fromkeys(found))


def _means_another(word: str) -> bool:
    said = parse_name(word)
    role = said.role in (VOLUME, "ambiguous") or _SCORE.fullmatch(word) is not None
    return role or said.plane is not None or planes_meant(said)[0] is not None


@dataclass(frozen=True)
class FileName:
    """What a file's name says."""

    stem: str  # the name without its NIfTI, NRRD or CSV ending
    plane: str | None  # ``axl``, ``cor``, ``sag`` or None
    # ``volume``, ``annotation``, ``score``, ``ambiguous`` (says both volume and annotation) or
    # None.
    role: str | None
    case: str  # the words that are left, lower case, joined by ``_``: patient, body part, ...
    tail: tuple[int, ...]  # the numbers at the end: ``axl_inference_1_2`` has (1, 2)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the case, in their order."""
        return tuple(self.case.split("_")) if self.case else ()


def is_nifti(name: str) -> bool:
    """Say whether a file name ends in ``.nii`` or ``.nii.gz``, in any case."""
    return _NIFTI_ENDING.search(name) is not None


def stem(name: str) -> str:
    """Return a file name without ``.nii``, ``.nii.gz``, ``.nrrd`` or another last ending."""
    if is_nifti(name):
        return _NIFTI_ENDING.sub("", name) or name  # as pathlib has it of a name that is all ending
    return PurePosixPath(name).stem


def natural_key(path: PurePosixPath | str) -> tuple[object, ...]:
    """Return a key that sorts ``item_2`` before ``item_10``."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return (
        tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts),
        str(path),
    )


def parse_name(name: str, further: tuple[str, ...] = ()) -> FileName:
    """Return what a file's name says of plane, role, case and index.

    A plane is a token between other than letters and digits; only where there is none, and the
    name has a role, is it looked for inside the words that are left, and then only if exactly
    one of the three fits. ``further`` are type words of annotations beside the usual ones, as
    :func:`further_words` returns them.
    """
    types = _type_words(further)
    root = stem(name)
    tokens = words_of(types.joined.sub(_join, root.casefold()) if types.joined else root)
    tail = _tail(tokens)
    words = tokens[: len(tokens) - len(tail)]
    if words and (numbered := types.numbered.fullmatch(words[-1])):
        number = numbered["number"]  # inference2 is inference_2
        words[-1], tail = words[-1].removesuffix(number), [number, *tail]
    role, words = _take_role(words, types, is_table=name.casefold().endswith(".csv"))
    plane, words = _take_plane(words, search_inside=role is not None)
    return FileName(root, plane, role, "_".join(words), tuple(int(number) for number in tail))


def words_of(text: str) -> list[str]:
    """Return the words of a name, lower case; a UID (``1.2.840.7``) and ``v2.1`` are one word."""
    return [word.casefold() for word in _written_words(text)]


def _written_words(text: str) -> list[str]:
    tokens = _TOKENS if re.search(r"[^\w.]|_", text) else _DOTTED_TOKENS
    return tokens.findall(text)


def _join(match: re.Match[str]) -> str:
    return re.sub(r"[\W_]+", "", match.group())


def spelled(name: FileName, words: Iterable[str]) -> str:
    """Return words of a name, joined by ``_``, in upper and lower case as the name has them."""
    written = {word.casefold(): word for word in _written_words(name.stem)}
    return "_".join(written.get(word, word) for word in words)


def planes_meant(name: FileName) -> tuple[str | None, str]:
    """Return the plane that a name without one of its own means, and its word: ``axial``.

    ``coronal`` and ``sagittal`` hold their plane, which counts only beside a type word; ``axial``
    and ``transversal`` do not hold ``axl``.
    """
    for written in _written_words(name.stem):
        word = written.casefold().rstrip("0123456789")
        if _OTHER_AXIAL.fullmatch(word):
            return "axl", written
        for plane, within in _PLANE_WITHIN.items():
            if re.fullmatch(within, word):
                return plane, written
    return None, ""


def speaks_of_annotation(relative: PurePosixPath) -> bool:
    """Say whether a file's name or one of its folders has an annotation word: ``labelsTr``."""
    texts = [stem(relative.name), *relative.parent.parts]
    tokens = [re.sub(r"(tr|ts|\d+)$", "", token) for text in texts for token in words_of(text)]
    return any(_type_words(()).annotation.fullmatch(token) for token in tokens)


def _tail(tokens: Sequence[str]) -> list[str]:
    """Return the plain numbers at the end; long ones are dates or ids, not indices."""
    numbers: list[str] = []
    for token in reversed(tokens):
        if not (token.isascii() and token.isdigit()):
            break
        numbers.insert(0, token)
    if len(numbers) >= _UID_NUMBERS:
        return []
    long = [at for at, number in enumerate(numbers) if len(number) > _LONGEST_INDEX]
    return numbers[long[-1] + 1 :] if long else numbers


_LONGEST_INDEX = 4
"""Digits of an index or number at most: 20240131 is a date, and part of the case."""

_UID_NUMBERS = 5
"""So many numbers in a row are a UID (1_2_840_113619_2): its last ones are no index."""


def _take_role(
    words: list[str], types: _TypeWords, *, is_table: bool
) -> tuple[str | None, list[str]]:
    """Return the role, and the words without the one that names it."""
    if is_table:
        position = _find(words, _SCORE)
        if position is None:
            return _take_role_within(words, types, SCORE)
        return SCORE, words[:position] + words[position + 1 :]
    anatomic = _find(words, _ANATOMIC)
    annotation = _find(words, types.annotation)
    if anatomic is not None and annotation is not None:
        return "ambiguous", [w for i, w in enumerate(words) if i not in (anatomic, annotation)]
    if anatomic is not None:
        return VOLUME, words[:anatomic] + words[anatomic + 1 :]
    if annotation is not None:
        return ANNOTATION, words[:annotation] + words[annotation + 1 :]
    return _take_role_within(words, types, VOLUME, ANNOTATION)


def _find(words: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    """Return the last word that is the pattern, with or without a number behind it."""
    for position in reversed(range(len(words))):
        word = words[position]
        if pattern.fullmatch(word) or pattern.fullmatch(word.rstrip("0123456789")):
            return position
    return None


def _take_role_within(
    words: list[str], types: _TypeWords, *roles: str
) -> tuple[str | None, list[str]]:
    found = [role for role in roles if any(types.within[role].search(word) for word in words)]
    if len(found) > 1:
        return "ambiguous", words
    for role in found:
        for position, word in enumerate(words):
            rest, count = types.within[role].subn("", word, count=1)
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
    of its parent folders' names in front that tells them apart, joined by ``_``. None begins with a
    dot: a file of such a name is hidden, and in a project it is one that is being written.
    """
    names = [_unhidden(stem(path.name)) for path in paths]
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
            names[index] = _unhidden("_".join([*prefix, stem(paths[index].name)]))
        if not progress:
            _number(names, clashes)
    return [f"{name}.nrrd" for name in names]


def _unhidden(name: str) -> str:
    return name.lstrip(".") or "volume"


def _clashes(names: Sequence[str]) -> list[int]:
    counts = Counter(name.casefold() for name in names)
    return [index for index, name in enumerate(names) if counts[name.casefold()] > 1]


def _number(names: list[str], clashes: Sequence[int]) -> None:
    """Number what folders cannot tell apart: ``scan.nii`` beside ``scan.nii.gz``."""
    taken = {name.casefold() for index, name in enumerate(names) if index not in clashes}
    for index in clashes:
        names[index] = free_name(names[index], taken)
        taken.add(names[index].casefold())


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken (in lower case): itself, or with a number behind it."""
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    return free


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
        there = (pair[0], other) in beside
        return "" if there else f"half of an image in two files: its .{other} is not there"
    if known := _FORMATS.get(file.suffix.casefold()):
        return f"an image in another format ({known}): convert it to .nii.gz"
    return _BY_NAME.get(file.name, "neither a NIfTI file nor a score table, class map or mapping")


_BY_NAME = {"relabelled.tsv": "the table of old and new label values that a repair wrote"}

KNOWN_JSON = MappingProxyType(
    {
        "dataset.json": "the description of a data set (nnU-Net, Medical Segmentation Decathlon)",
        "dataset_description.json": "the description of a data set (BIDS)",
        "plans.json": "what nnU-Net has planned",
        "dataset_fingerprint.json": "what nnU-Net has measured of a data set",
        "not_exported.json": "what an export could not write as NIfTI",
        "splits_final.json": "which cases nnU-Net trains and validates with",
        "meta.json": "the classes of a Supervisely project",
        "key_id_map.json": "the keys and ids of a Supervisely project",
    }
)
"""Files that other tools put beside images, and what they are."""


def why_json(file: PurePosixPath, images: Mapping[PurePosixPath, PurePosixPath]) -> str:
    """Return what a JSON file is that is no mapping; ``images`` by their paths without ending."""
    known = KNOWN_JSON.get(file.name.casefold())
    if known:
        return f"{known}: no part of what lands"
    image = images.get(file.with_suffix(""))
    if image is not None:
        return f"the sidecar of {image.name} (how it was acquired, as dcm2niix writes it)"
    return NO_MAPPING


NO_MAPPING = "a JSON file that is no mapping"
