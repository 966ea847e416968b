"""Proposals: which mask would go to which image, where a whole tree is of a known make."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.files import save_as
from nifti_kit.core.geometry import Grid, compare_grids
from nifti_kit.core.report import Row, Summary
from nifti_kit.core.text import counted, listed, read_text
from nifti_kit.datasets.layouts.pairs import (
    ARROW,
    NO_MASK,
    PARTED,
    WORD,
    Pairing,
    bad_pairs,
    is_label_word,
    pair_up,
)
from nifti_kit.datasets.names import natural_key, stem
from nifti_kit.errors import BadSource, NiftiKitError

SHOWN_FILES = 3
"""Files that a reason names before it counts the rest."""

GridOf = Callable[[PurePosixPath], Grid | None]
"""Gives the grid of a file by its header; None where it has none."""


@dataclass(frozen=True, repr=False)
class Proposal(Summary):
    """Which mask would go to which image, and why; nothing is taken until a person says so.

    Take it with ``nk.scan(folder, layout="pairs")``, or ``nk.scan(folder, pairs=proposal)``.

    Attributes
    ----------
    name
        What the tree is: ``nnU-Net``, ``BraTS``, ...
    pairs
        For each mask its image, or the list of its images: paths below the source, with ``/``.
    reasons
        Why, in sentences.
    images
        Images without a mask; they land too.
    left_out
        Files that are neither, with the reason.

    Examples
    --------
    >>> found = Proposal("nnU-Net", {"labelsTr/a.nii.gz": "imagesTr/a_0000.nii.gz"}, ("...",))
    >>> found
    nnU-Net: 1 mask for 1 image
      labelsTr/a.nii.gz -> imagesTr/a_0000.nii.gz
      Why: ...
    """

    columns, row_word, html_rows = ("mask", "images"), "mask", 20

    name: str
    pairs: Mapping[str, str | list[str]]
    reasons: tuple[str, ...]
    images: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def masks_of(self) -> dict[str, list[str]]:
        """The images of each mask, as lists."""
        pairs = self.pairs.items()
        return {mask: [own] if isinstance(own, str) else list(own) for mask, own in pairs}

    @property
    def summary(self) -> str:
        """What it is, and of how much, in one line."""
        owners = {image for own in self.masks_of.values() for image in own}
        bare = f", {counted(len(self.images), 'image')} without a mask" if self.images else ""
        masks = counted(len(self.pairs), "mask")
        return f"{self.name}: {masks} for {counted(len(owners), 'image')}{bare}"

    def as_given(self) -> dict[str, str | list[str]]:
        """Return it as ``nk.scan(..., pairs=...)`` takes it."""
        bare: dict[str, str | list[str]] = {NO_MASK: list(self.images)} if self.images else {}
        return {**self.pairs, **bare}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the pairs as JSON; ``nk.scan(folder, pairs="pairs.json")`` takes them again.

        Raises
        ------
        NiftiKitError
            If the name does not end in ``.json``, or the file cannot be written.
        """
        form = {".json": lambda: json.dumps(self.as_given(), ensure_ascii=False, indent=2)}
        save_as(path, "pairs", form)

    def title(self) -> str:
        """Return the summary."""
        return self.summary

    def cells(self) -> Iterable[Row]:
        """Yield one row for each mask."""
        return ((mask, ", ".join(own)) for mask, own in self.masks_of.items())

    def told(self) -> Iterable[str]:
        """Yield a line of text for each mask."""
        return (f"{mask} {ARROW} {images}" for mask, images in self.cells())

    def lines(self) -> Sequence[str]:
        """Return why."""
        return [f"Why: {reason}" for reason in self.reasons]


def as_pairs(pairs: Any, source: str | os.PathLike[str]) -> Any:
    """Return pairs as a dictionary or a pattern: of a proposal or of a JSON file what it holds.

    A JSON file is looked for in the current folder, then in the source.

    Raises BadSource if there is no such file, or it is no JSON of pairs.
    """
    if isinstance(pairs, Proposal):
        return pairs.as_given()
    if isinstance(pairs, str) and ARROW in pairs:
        return pairs
    if not isinstance(pairs, str | os.PathLike):
        if not isinstance(pairs, Mapping):
            raise bad_pairs(type(pairs).__name__)
        return dict(pairs)
    file = Path(pairs)
    inside = Path(source) / file
    try:
        found = json.loads(read_text(inside if not file.is_file() and inside.is_file() else file))
    except (NiftiKitError, ValueError) as error:
        raise bad_pairs(f"{os.fspath(pairs)!r}, which is neither: {error}") from error
    if isinstance(found, str) and ARROW in found:
        return found
    if not isinstance(found, dict):
        raise bad_pairs(f"a JSON {type(found).__name__} in {os.fspath(pairs)!r}")
    return found


def taken(found: Proposal | None, niftis: Sequence[PurePosixPath]) -> Pairing:
    """Return the pairs of a proposal that a person takes by ``layout="pairs"``.

    Raises BadSource if there is none.
    """
    if found is None:
        raise BadSource(
            "the files are in no tree whose pairs are known",
            found=listed(niftis, SHOWN_FILES) or "no NIfTI file",
            expected="a whole tree of nnU-Net, Medical Segmentation Decathlon, TotalSegmentator, "
            "BraTS, BIDS, ACDC, or images and masks whose names differ in such words only",
            remedy="Say which mask belongs to which image: scan(..., pairs=...).",
        )
    return pair_up(found.as_given(), niftis)


def propose(
    niftis: Sequence[PurePosixPath], others: Iterable[PurePosixPath], grid_of: GridOf
) -> Proposal | None:
    """Return the pairs of a tree of a known make; None where it does not fit as a whole.

    ``grid_of``: gives the grid of a file; asked for those only whose names do not decide.
    """
    tree = _Tree(tuple(sorted(niftis, key=natural_key)), frozenset(others), grid_of)
    for recognised in _RECOGNISED:
        found = recognised(tree) if tree.niftis else None
        if found is not None and found.pairs:
            return found
    return None


@dataclass(frozen=True)
class _Tree:
    """The files of a source, for those who recognise it."""

    niftis: tuple[PurePosixPath, ...]
    others: frozenset[PurePosixPath]
    grid_of: GridOf

    @cached_property
    def by_folder(self) -> dict[PurePosixPath, list[PurePosixPath]]:
        found: defaultdict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for file in self.niftis:
            found[file.parent].append(file)
        return dict(found)

    def proposal(
        self,
        name: str,
        pairs: Mapping[PurePosixPath, Sequence[PurePosixPath]],
        reasons: Iterable[str],
        left_out: Mapping[PurePosixPath, str] | None = None,
    ) -> Proposal:
        """Return a proposal; the images are the files that are neither masks nor left out."""
        left = {} if left_out is None else left_out
        owners = {image for own in pairs.values() for image in own}
        bare = [f for f in self.niftis if f not in pairs and f not in owners and f not in left]
        shown = {str(mask): one_or_many(own) for mask, own in pairs.items()}
        said = [*reasons, f"All {counted(len(self.niftis), 'NIfTI file')} fit."]
        if left:
            said.append(f"Left out: {listed(left, SHOWN_FILES)}.")
        if odd := [
            mask for mask, own in pairs.items() if not all(self.lands(mask, i) for i in own)
        ]:
            said.append(f"Not on the grid of its image: {listed(odd, SHOWN_FILES)}.")
        out = {str(file): reason for file, reason in left.items()}
        return Proposal(name, shown, tuple(said), tuple(map(str, bare)), out)

    def lands(self, mask: PurePosixPath, image: PurePosixPath) -> bool:
        """Say whether a mask is on the grid of an image; so it is where a header cannot tell."""
        first, second = self.grid_of(mask), self.grid_of(image)
        if first is None or second is None or first == second:
            return True
        return compare_grids(first, second).lands


def one_or_many(own: Sequence[PurePosixPath]) -> str | list[str]:
    """Return the images of a mask as ``nk.scan(pairs=)`` takes them."""
    return str(own[0]) if len(own) == 1 else [str(image) for image in own]


_SUBSET = re.compile(r"(images|labels)(Tr|Ts|Te|Va|Val)")
_CHANNEL = re.compile(r"(.+)_(\d{4})")


def _nnunet(tree: _Tree) -> Proposal | None:
    """nnU-Net (case_0000 in imagesTr, case in labelsTr) and the Decathlon (no channel number)."""
    images: defaultdict[tuple[PurePosixPath, str, str], list[PurePosixPath]] = defaultdict(list)
    masks: dict[PurePosixPath, tuple[PurePosixPath, str, str]] = {}
    for file in tree.niftis:
        match = _SUBSET.fullmatch(file.parent.name)
        if match is None:
            return None
        base, subset, case = file.parent.parent, match[2], stem(file.name)
        if match[1] == "labels":
            masks[file] = (base, subset, case)
            continue
        images[base, subset, case].append(file)
        if channel := _CHANNEL.fullmatch(case):
            images[base, subset, channel[1]].append(file)
    pairs = {mask: images[key] for mask, key in masks.items()}
    if not all(pairs.values()):
        return None
    # A case that is an image's whole name, and another's but for the channel, has two readings.
    if any(len({_is_channel(mask, i) for i in own}) > 1 for mask, own in pairs.items()):
        return None
    channels = {mask: own for mask, own in pairs.items() if _is_channel(mask, own[0])}
    several = bool(channels)
    if not all(
        any(stem(image.name).endswith("_0000") for image in own) for own in channels.values()
    ):
        return None  # channels count from 0: these numbers are of cases
    reasons = ["Images are in imagesTr and its like, label maps in labelsTr and its like."]
    if several:
        reasons.append("A label map belongs to every channel of its case (_0000, _0001, ...).")
    else:
        reasons.append("A label map has the name of its image.")
    if any(file.name == "dataset.json" for file in tree.others):
        reasons.append("There is a dataset.json.")
    name = "nnU-Net" if several else "Medical Segmentation Decathlon"
    return tree.proposal(name, pairs, reasons)


def _is_channel(mask: PurePosixPath, image: PurePosixPath) -> bool:
    return stem(mask.name) != stem(image.name)


_SCANS = ("ct", "mri", "mr")


def _totalsegmentator(tree: _Tree) -> Proposal | None:
    """A folder for each case: ct.nii.gz (or mri.nii.gz), and segmentations with a file an organ."""
    images: dict[PurePosixPath, PurePosixPath] = {}
    masks: dict[PurePosixPath, PurePosixPath] = {}
    for file in tree.niftis:
        if file.parent.name == "segmentations":
            masks[file] = file.parent.parent
        elif stem(file.name).casefold() in _SCANS and file.parent not in images:
            images[file.parent] = file
        else:
            return None
    if not all(case in images for case in masks.values()):
        return None
    pairs = {mask: [images[case]] for mask, case in masks.items()}
    reasons = ["Each case is a folder with ct.nii.gz or mri.nii.gz and a folder segmentations."]
    reasons.append("Each file of segmentations is a class by its name.")
    return tree.proposal("TotalSegmentator", pairs, reasons)


_BRATS = re.compile(
    r"(?P<case>.+)[_-](?:(?P<image>t1|t1ce|t1gd|t1c|t1n|t2|t2w|t2f|flair)|(?P<mask>seg))",
    re.IGNORECASE,
)


def _brats(tree: _Tree) -> Proposal | None:
    """Images of several contrasts and one label map: case_t1, case_t1ce, case_t2, case_seg."""
    images: defaultdict[tuple[PurePosixPath, str], list[PurePosixPath]] = defaultdict(list)
    masks: dict[PurePosixPath, tuple[PurePosixPath, str]] = {}
    for file in tree.niftis:
        match = _BRATS.fullmatch(stem(file.name))
        if match is None:
            return None
        key = (file.parent, match["case"])
        if match["mask"]:
            masks[file] = key
        else:
            images[key].append(file)
    pairs = {mask: images[key] for mask, key in masks.items()}
    if not all(pairs.values()) or len(set(masks.values())) < len(masks):
        return None
    reasons = [
        "Each case has images by contrast (t1, t1ce, t2, flair, or t1n, t1c, t2w, t2f), and _seg.",
        "The label map of a case lands on each of its images.",
    ]
    return tree.proposal("BraTS", pairs, reasons)


_BIDS = re.compile(r"(?P<entities>sub-[^_]+(?:_[a-zA-Z]+-[^_]+)*)_(?P<suffix>[A-Za-z0-9]+)")
_BIDS_SESSION = re.compile(r"ses-[A-Za-z0-9]+")
_BIDS_MASKS = ("dseg", "mask")
_BIDS_OF_MASKS = ("label", "desc", "atlas", "seg", "res", "den")
"""Entities that a mask has of its own, not of its image."""


@dataclass(frozen=True)
class _BidsFile:
    """A file of a BIDS tree: what its name says."""

    path: PurePosixPath
    entities: Mapping[str, str]
    suffix: str

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """The entities that a mask shares with its image."""
        own = (pair for pair in self.entities.items() if pair[0] not in _BIDS_OF_MASKS)
        return tuple(sorted(own))


def _bids(tree: _Tree) -> Proposal | None:
    """BIDS: sub-01_T1w, and sub-01_dseg or sub-01_desc-brain_mask, in derivatives or beside it."""
    files = []
    for path in tree.niftis:
        match = _BIDS.fullmatch(stem(path.name))
        if match is None:
            return None
        above = [part for part in path.parent.parts if _BIDS_SESSION.fullmatch(part)]
        named = [*above[-1:], *match["entities"].split("_")]
        entities = dict(entity.split("-", 1) for entity in named)
        files.append(_BidsFile(path, entities, match["suffix"]))
    out = {f.path: "a probability map" for f in files if f.suffix == "probseg"}
    images = [f for f in files if f.suffix not in _BIDS_MASKS and f.path not in out]
    by_key: defaultdict[tuple[tuple[str, str], ...], list[_BidsFile]] = defaultdict(list)
    for image in images:
        by_key[image.key].append(image)
    pairs = {}
    for mask in files:
        if mask.suffix in _BIDS_MASKS:
            fits = [f.path for f in by_key[mask.key] if tree.lands(mask.path, f.path)]
            pairs[mask.path] = [path for path in fits if path.parent == mask.path.parent] or fits
    if not all(pairs.values()):
        return None
    reasons = [
        "Names are of BIDS: _dseg and _mask are label maps.",
        "A label map belongs to the images of its subject, session and space on its grid.",
    ]
    return tree.proposal("BIDS", pairs, reasons, out)


def _acdc(tree: _Tree) -> Proposal | None:
    """ACDC: patient001_frame01 and patient001_frame01_gt; patient001_4d is neither."""
    by_place = {(file.parent, stem(file.name).casefold()): file for file in tree.niftis}
    pairs, out = {}, {}
    for file in tree.niftis:
        name = stem(file.name).casefold()
        if name.endswith("_gt"):
            image = by_place.get((file.parent, name.removesuffix("_gt")))
            if image is None:
                return None
            pairs[file] = [image]
        elif name.endswith("_4d"):
            out[file] = "the whole series, whose frames are files of their own"
        elif says_label(file):
            return None
    reasons = ["The label map of each image is beside it, with _gt behind the name."]
    return tree.proposal("ACDC", pairs, reasons, out)


_IMAGE = re.compile(r"(image|img|imaging|volume|vol|scan|ct|mri?)", re.IGNORECASE)


def _image_and_masks(tree: _Tree) -> Proposal | None:
    """A folder for each case: image.nii.gz, and mask.nii.gz or mask_liver.nii.gz, ... ."""
    pairs: dict[PurePosixPath, list[PurePosixPath]] = {}
    for files in tree.by_folder.values():
        masks = [f for f in files if is_label_word(re.split(r"[\W_]+", stem(f.name))[0])]
        images = [file for file in files if _IMAGE.fullmatch(stem(file.name))]
        if len(images) != 1 or len(masks) + 1 != len(files):
            return None
        pairs |= dict.fromkeys(masks, images)
    reasons = ["Each folder has one image, and files that are called mask (or seg, label, ...)."]
    return tree.proposal("image and masks", pairs, reasons)


_IMAGE_WORD = re.compile(
    r"(image|img|imaging|volume|vol|scan|data|raw|orig|original|ct|mr|mri|anatomic|anatomical)s?"
)


def _by_words(tree: _Tree) -> Proposal | None:
    """Images and label maps whose paths differ in words for image and label only.

    ``img/a`` and ``gt/a``, ``volume-0`` and ``segmentation-0``, ``a`` and ``a_roi``. More words
    before or behind are a class (``a_mask_liver``). All masks are on the grid of their image.
    """
    if all(_SUBSET.fullmatch(file.parent.name) for file in tree.niftis):
        return None  # a tree of nnU-Net that is not whole, or has two readings
    masks = dict.fromkeys(file for file in tree.niftis if says_label(file))
    images: defaultdict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    for file in tree.niftis:
        if file not in masks:
            images[(*_plain_folders(file), *_plain_words(stem(file.name)))].append(file)
    pairs = {}
    for mask in masks:
        # With as many words left there may be another image: 1_2 beside 1 and 2.
        own = next((found for keys in _shorter(mask) if (found := _those(images, keys))), [])
        if len(own) != 1 or not tree.lands(mask, own[0]):
            return None
        pairs[mask] = own
    reasons = [
        "The names of label maps and images differ in words such as image and mask only.",
        "Each label map is on the grid of its image.",
    ]
    return tree.proposal("images and label maps by name", pairs, reasons)


def says_label(relative: PurePosixPath) -> bool:
    """Say whether a file's name, or that of one of its folders, says that it is a label map."""
    parts = (*relative.parent.parts, stem(relative.name))
    return any(is_label_word(token) for part in parts for token in WORD.findall(part))


def _plain_folders(file: PurePosixPath) -> tuple[str, ...]:
    return tuple(word for part in file.parent.parts for word in _plain_words(part))


def _plain_words(name: str) -> tuple[str, ...]:
    words = []
    for token in map(str.casefold, WORD.findall(name)):
        glued = PARTED.fullmatch(token)
        if glued and (is_label_word(glued[1]) or _IMAGE_WORD.fullmatch(glued[1])):
            words.append(glued[2])
        elif not is_label_word(token) and not _IMAGE_WORD.fullmatch(token):
            words.append(token)
    return tuple(words)


def _those(
    images: Mapping[tuple[str, ...], list[PurePosixPath]], keys: Iterable[tuple[str, ...]]
) -> list[PurePosixPath]:
    return list(dict.fromkeys(image for key in keys for image in images.get(key, ())))


def _shorter(mask: PurePosixPath) -> Iterable[tuple[tuple[str, ...], ...]]:
    """Yield the words of a mask's path, whole, then with ever fewer of its name's own words."""
    folders, words = _plain_folders(mask), _plain_words(stem(mask.name))
    for count in range(len(words) + 1):
        kept = len(words) - count
        yield (*folders, *words[:kept]), (*folders, *words[count:])


_RECOGNISED = (_nnunet, _totalsegmentator, _brats, _bids, _acdc, _image_and_masks, _by_words)
"""From the most particular to the most general; the first that fits is proposed."""
