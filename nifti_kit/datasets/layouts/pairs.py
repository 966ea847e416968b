"""The pairs layout: which mask belongs to which image is said, one by one or as a pattern."""

from __future__ import annotations

import difflib
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from nifti_kit.core.findings import finding
from nifti_kit.core.text import listed
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.layouts.grouping import Files, Grouping, folder_of, note_prefixed_names
from nifti_kit.datasets.names import natural_key, stem, unique_names
from nifti_kit.errors import BadSource

ARROW = "->"
"""Between the mask and its images, in a pattern."""

NO_MASK = ""
"""The key of a dictionary under which images without a mask stand."""

SHOWN = 3
"""Files or faults that an error names before it counts the rest."""

FORMS = (
    "a dictionary such as {'labelsTr/a.nii.gz': 'imagesTr/a_0000.nii.gz'} (or a list of images), "
    "a pattern such as 'labelsTr/{case}.nii.gz -> imagesTr/{case}_*.nii.gz', or the path of a "
    "JSON file of pairs"
)

_LABEL = re.compile(
    r"(label|labelmap|mask|seg|segmentation|dseg|gt|groundtruth|truth|roi|annotation|ann|inference"
    r"|pred|prediction|contour|delineation)s?"
)
"""Words of a name that say nothing but that it is a label map."""

WORD = re.compile(r"[^\W_]+")
"""A word of a name or path."""
PARTED = re.compile(r"([a-z]+)(tr|ts|te|va|val|train|test|\d+)")
"""``labelsTr``, ``img0001``: a word and what is written to it without a gap."""
_BIDS_CLASS = re.compile(r"_(?:label|desc)-([^_]+)")
_FIELD = re.compile(r"\{(\w+)\}|(\*)")


@dataclass(frozen=True)
class Pairing:
    """Which mask belongs to which images, all of them files of the source."""

    images: Mapping[PurePosixPath, tuple[PurePosixPath, ...]]  # for each mask its images
    alone: tuple[PurePosixPath, ...] = ()  # images without a mask
    faults: tuple[tuple[PurePosixPath, str], ...] = ()  # what could not be paired: file and reason
    # For each mask of a pattern with one field that its images do not have: what that field is
    # (``"{case}/{organ}.nii.gz -> {case}/ct.nii.gz"``).
    classes: Mapping[PurePosixPath, str] = field(default_factory=dict)

    @property
    def volumes(self) -> tuple[PurePosixPath, ...]:
        """Every image, with a mask or without, once, in natural order."""
        owners = [image for own in self.images.values() for image in own]
        return tuple(sorted({*owners, *self.alone}, key=natural_key))

    def with_frames(self, frames: Mapping[PurePosixPath, Sequence[PurePosixPath]]) -> Pairing:
        """Return pairs in which the frames of images stand in their place."""

        def split(images: Iterable[PurePosixPath]) -> tuple[PurePosixPath, ...]:
            return tuple(one for image in images for one in frames.get(image, (image,)))

        images = {mask: split(own) for mask, own in self.images.items()}
        return replace(self, images=images, alone=split(self.alone))

    @property
    def files(self) -> frozenset[PurePosixPath]:
        """Every file that the pairs name."""
        return frozenset((*self.images, *self.volumes))


def pair_up(pairs: Any, niftis: Sequence[PurePosixPath]) -> Pairing:
    """Return the pairs that a person gave, held against the NIfTI files of a source.

    Images beside those of the pairs, in folders in which no mask lies, belong to it without one.

    Raises BadSource if it is neither a dictionary nor a pattern, or no pair of it fits.
    """
    if isinstance(pairs, str):
        found = _by_pattern(pairs, niftis)
    elif isinstance(pairs, Mapping):
        found = _by_names(pairs, niftis)
    else:
        raise bad_pairs(type(pairs).__name__)
    found = _checked(found)
    if not found.images:
        said = [f"{path}: {why}" for path, why in found.faults]
        raise BadSource(
            "the pairs fit nothing in the source",
            found=listed(said, SHOWN, "; ") if said else repr(pairs),
            expected=f"files of it, such as {listed(niftis, SHOWN) or 'a NIfTI file'}",
            remedy="Write the paths as they are below the source, with / between folders.",
        )
    return found


def bad_pairs(found: str) -> BadSource:
    """Return the error for pairs that are in no known form."""
    return BadSource(
        "the pairs are in no known form", found=found, expected=FORMS, remedy="Give one of these."
    )


def _checked(pairing: Pairing) -> Pairing:
    """Return pairs without those in which a file would be a mask and an image."""
    images = {image for own in pairing.images.values() for image in own} | {*pairing.alone}
    kept, faults = {}, list(pairing.faults)
    for mask, own in pairing.images.items():
        if mask in own:
            faults.append((mask, "it is given as the mask of itself"))
        elif mask in images:
            faults.append((mask, "it is given as a mask, and as the image of another mask"))
        else:
            kept[mask] = own
    return Pairing(kept, pairing.alone, tuple(faults), pairing.classes)


# A dictionary: mask to image, or to several


def _by_names(pairs: Mapping[Any, Any], niftis: Sequence[PurePosixPath]) -> Pairing:
    there = frozenset(niftis)
    found: dict[PurePosixPath, tuple[PurePosixPath, ...]] = {}
    alone: tuple[PurePosixPath, ...] = ()
    faults: list[tuple[PurePosixPath, str]] = []
    for key, value in pairs.items():
        many = [value] if isinstance(value, str | os.PathLike) else value
        if not isinstance(many, list | tuple) or not many:
            raise bad_pairs(f"{key!r}: {value!r}")
        images = tuple(dict.fromkeys(_relative(one) for one in many))
        missing = [image for image in images if image not in there]
        faults += [(image, f"it is not in the source{_near(image, niftis)}") for image in missing]
        kept = tuple(image for image in images if image in there)
        if key == NO_MASK:
            alone = (*alone, *kept)
            continue
        mask = _relative(key)
        if mask not in there:
            faults.append((mask, f"it is not in the source{_near(mask, niftis)}"))
        elif not kept:
            faults.append((mask, f"its image is not there: {listed(images, SHOWN)}"))
        else:
            found[mask] = tuple(dict.fromkeys((*found.get(mask, ()), *kept)))
    return _with_bare(Pairing(found, alone, tuple(faults)), niftis)


def _relative(given: Any) -> PurePosixPath:
    if not isinstance(given, str | os.PathLike):
        raise bad_pairs(repr(given))
    return PurePosixPath(os.fspath(given).replace("\\", "/"))


def _near(path: PurePosixPath, niftis: Iterable[PurePosixPath]) -> str:
    near = difflib.get_close_matches(str(path), map(str, niftis), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _with_bare(pairing: Pairing, niftis: Iterable[PurePosixPath]) -> Pairing:
    """Return pairs with the images beside those of the pairs, in folders of images only."""
    folders = {image.parent for own in pairing.images.values() for image in own}
    folders -= {mask.parent for mask in pairing.images}
    named = pairing.files | {path for path, _ in pairing.faults}
    bare = [file for file in niftis if file.parent in folders and file not in named]
    return Pairing(pairing.images, (*pairing.alone, *bare), pairing.faults, pairing.classes)


# A pattern: fields in braces, and * for the rest of a name


@dataclass(frozen=True)
class _Side:
    """One side of a pattern: pieces of text, fields and stars in their order."""

    pieces: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str) -> _Side:
        pieces, end = [], 0
        for match in _FIELD.finditer(text):
            pieces.append(("text", text[end : match.start()]))
            pieces.append(("star", "*") if match[2] else ("field", match[1]))
            end = match.end()
        pieces.append(("text", text[end:]))
        return cls(tuple(piece for piece in pieces if piece[1]))

    def filled(self, known: Mapping[str, str]) -> _Side:
        """Return it with the known fields as text; the other fields are stars."""
        filled = [
            ("text", known[text])
            if kind == "field" and text in known
            else ("star", "*")
            if kind == "field"
            else (kind, text)
            for kind, text in self.pieces
        ]
        return _Side(tuple(filled))

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces)

    @property
    def fields(self) -> set[str]:
        return {text for kind, text in self.pieces if kind == "field"}

    @property
    def is_open(self) -> bool:
        return any(kind != "text" for kind, _ in self.pieces)

    @property
    def regex(self) -> re.Pattern[str]:
        """What a path that fits looks like; a field that comes twice is the same twice."""
        seen: set[str] = set()
        parts = []
        for kind, text in self.pieces:
            if kind == "text":
                parts.append(re.escape(text))
            elif kind == "star":
                parts.append("[^/]*")
            else:
                parts.append(f"(?P={text})" if text in seen else f"(?P<{text}>[^/]+)")
                seen.add(text)
        return re.compile("".join(parts))


def _readings(
    pieces: Sequence[tuple[str, str]], text: str, known: dict[str, str]
) -> Iterator[dict[str, str]]:
    """Yield every way in which a text fits the pieces of a pattern: its fields and their values."""
    if not pieces:
        if not text:
            yield known
        return
    (kind, name), rest = pieces[0], pieces[1:]
    fixed = name if kind == "text" else known.get(name) if kind == "field" else None
    if fixed is not None:
        if text.startswith(fixed):
            yield from _readings(rest, text[len(fixed) :], known)
        return
    longest = len(text.split("/", 1)[0])
    for end in range(1 if kind == "field" else 0, longest + 1):
        value = {name: text[:end]} if kind == "field" else {}
        yield from _readings(rest, text[end:], known | value)


def _by_pattern(pattern: str, niftis: Sequence[PurePosixPath]) -> Pairing:
    sides = [_Side.of(side.strip()) for side in pattern.split(ARROW)]
    if len(sides) != len(("mask", "image")) or not all(side.pieces for side in sides):
        raise bad_pairs(repr(pattern))
    left, right = sides
    fits = left.regex
    masks = [file for file in niftis if fits.fullmatch(str(file))]
    images = _Images(right, niftis, frozenset(masks))
    found: dict[PurePosixPath, tuple[PurePosixPath, ...]] = {}
    faults: list[tuple[PurePosixPath, str]] = []
    classes: dict[PurePosixPath, str] = {}
    own_fields = left.fields - right.fields
    for mask in masks:
        readings = list(_readings(left.pieces, str(mask), {}))
        ways = {own: known for known in readings if (own := images.of(known))}
        if len(ways) == 1:
            ((found[mask], known),) = ways.items()
            if len(own_fields) == 1:
                classes[mask] = _left(known[next(iter(own_fields))], set())
        elif ways:
            shown = listed((" and ".join(map(str, own)) for own in sorted(ways)), SHOWN, " or ")
            faults.append((mask, f"the pattern can be read in several ways for it: {shown}"))
        else:
            wanted = right.filled(readings[0]).text
            faults.append((mask, f"its image is not there: {wanted}"))
    owners = {image for mask, own in found.items() for image in own if image != mask}
    # A name that fits, but is the image of other masks, is none.
    found = {mask: own for mask, own in found.items() if own != (mask,) or mask not in owners}
    faults = [fault for fault in faults if fault[0] not in owners]
    return _with_bare(Pairing(found, (), tuple(faults), classes), niftis)


class _Images:
    """Finds the images of a mask: those that the right side of a pattern names."""

    def __init__(
        self, side: _Side, niftis: Sequence[PurePosixPath], masks: frozenset[PurePosixPath]
    ) -> None:
        self._side, self._there, self._masks = side, frozenset(niftis), masks
        self._sorted = sorted(map(str, niftis))
        self._known: dict[str, tuple[PurePosixPath, ...]] = {}

    def of(self, known: Mapping[str, str]) -> tuple[PurePosixPath, ...]:
        side = self._side.filled(known)
        if side.text not in self._known:
            self._known[side.text] = self._found(side)
        return self._known[side.text]

    def _found(self, side: _Side) -> tuple[PurePosixPath, ...]:
        if not side.is_open:
            path = PurePosixPath(side.text)
            return (path,) if path in self._there else ()
        fits = side.regex
        kind, begin = side.pieces[0]
        begin = begin if kind == "text" else ""
        first, last = (bisect_left(self._sorted, begin + end) for end in ("", chr(sys.maxunicode)))
        names = self._sorted[first:last]
        found = {PurePosixPath(name) for name in names if fits.fullmatch(name)}
        return tuple(sorted(found - self._masks, key=natural_key))


# Items of pairs


@dataclass
class _Volume:
    """An image with the masks that were given to it."""

    relative: PurePosixPath
    masks: list[PurePosixPath] = field(default_factory=list)


def group_pairs(files: Files, pairing: Pairing) -> Grouping:
    """Return one item for each image of the pairs; a mask of several images is in each of them."""
    grouping = Grouping()
    for _, relative in files.tables:
        grouping.unused[relative] = "score tables belong to volumes by plane"
    for path, message in pairing.faults:
        grouping.findings.append(finding("pairs-file", path, message))
        if path in {*files.unreadable, *(image.relative for image in files.images)}:
            grouping.unused[path] = ""
    images = {image.relative: image for image in files.images}
    volumes = {path: _Volume(path) for path in pairing.volumes if path in images}
    for mask in sorted(pairing.images, key=natural_key):
        owners = [image for image in pairing.images[mask] if image in volumes]
        for image in owners if mask in images else ():
            volumes[image].masks.append(mask)
        if not owners and mask in images:
            lost = listed(pairing.images[mask], SHOWN)
            message = f"its volume {lost} cannot be used"
            grouping.findings.append(finding("annotation-without-volume", mask, message))
            grouping.unused[mask] = ""
    names = unique_names(list(volumes))
    for name, volume in zip(names, volumes.values(), strict=True):
        classes = class_names(volume.masks, pairing.images) | {
            mask: pairing.classes[mask] for mask in volume.masks if mask in pairing.classes
        }
        masks = tuple(
            MaskFile(images[mask], None, _class_name(files, mask, classes)) for mask in volume.masks
        )
        kind = "semantic" if files.segmentation == "auto" else files.segmentation
        folder = folder_of(volume.relative)
        grouping.items.append(
            Item(
                name,
                images[volume.relative],
                masks,
                folder=folder,
                segmentation=kind if masks else None,
                set_key=(folder, name),
            )
        )
    note_prefixed_names([images[path] for path in volumes], names, grouping)
    return grouping


def _class_name(
    files: Files, mask: PurePosixPath, classes: Mapping[PurePosixPath, str]
) -> str | None:
    """Return the class that a mask's name is; None where its values are classes, or classes 1."""
    if files.segmentation == "semantic":
        return None
    if files.segmentation == "instance" and len(classes) > 1:
        return classes[mask] or stem(mask.name)
    return classes[mask] or None


def class_names(
    masks: Sequence[PurePosixPath], images: Mapping[PurePosixPath, Sequence[PurePosixPath]]
) -> dict[PurePosixPath, str]:
    """Return what the name of each mask of an image says of its class; empty where nothing.

    That is what is left without the words of its images (the case), and without those that say
    nothing but label map; where the files of several masks are called alike, their folders say it.
    """
    names = {mask: _class_of(mask, images[mask]) for mask in masks}
    if len(masks) > 1 and not any(names.values()):
        folders = {mask: _left(mask.parent.name, path_words(images[mask])) for mask in masks}
        if len(set(folders.values())) == len(masks):
            return folders
    return names


def _class_of(mask: PurePosixPath, images: Sequence[PurePosixPath]) -> str:
    name = stem(mask.name)
    if name.startswith("sub-"):  # BIDS: entities
        match = _BIDS_CLASS.search(name)
        return match[1] if match and not name.endswith("dseg") else ""
    return _left(name, path_words(images))


def path_words(paths: Iterable[PurePosixPath]) -> set[str]:
    """Return the words of paths, in lower case."""
    return {
        token.casefold()
        for path in paths
        for part in (*path.parent.parts, stem(path.name))
        for token in WORD.findall(part)
    }


def _left(name: str, known: set[str]) -> str:
    """Return a name without known words and those of label maps; empty where numbers are left."""
    tokens = WORD.findall(name)
    left = [token for token in tokens if token.casefold() not in known and not is_label_word(token)]
    if all(token.isdigit() for token in left):
        return ""
    return name if len(left) == len(tokens) else "_".join(left)


def says_nothing(mask: PurePosixPath) -> bool:
    """Say whether a mask's name has no word but those of its folder and of label maps: ``GT``."""
    return not _left(stem(mask.name), path_words([mask.parent]))


def is_label_word(token: str) -> bool:
    """Say whether a word says label map: ``mask``, ``labelsTr``, ``seg0001``."""
    word = token.casefold()
    parted = PARTED.fullmatch(word)
    return any(map(_LABEL.fullmatch, [word] if parted is None else [word, parted[1]]))
