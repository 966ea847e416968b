"""Scanning: the files of a source are sorted into items, and those without a use are named."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from nifti_kit.core.findings import Finding, describe, finding
from nifti_kit.core.geometry import Grid
from nifti_kit.core.parallel import in_order, with_progress
from nifti_kit.core.text import listed
from nifti_kit.datasets.faults import empty, frames_unknown, image_fault
from nifti_kit.datasets.file_classes import FileClasses, with_file_classes
from nifti_kit.datasets.given_volumes import GivenVolumes, as_delivered, without
from nifti_kit.datasets.items import Item, Origin
from nifti_kit.datasets.layouts import Files, Grouping, detect_layout, group_files
from nifti_kit.datasets.layouts.pairs import Pairing, pair_up
from nifti_kit.datasets.names import (
    ANNOTATION,
    KNOWN_JSON,
    NO_MAPPING,
    SCORE,
    VOLUME,
    is_nifti,
    natural_key,
    pair_key,
    parse_name,
    speaks_of_annotation,
    stem,
    why_json,
    why_unused,
)
from nifti_kit.datasets.proposals import Proposal, propose, taken
from nifti_kit.datasets.sources import Source
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.class_maps import (
    JSON_TABLES,
    ClassMap,
    is_named_class_map,
    is_readme,
    looks_like_class_map,
    no_class_map,
)
from nifti_kit.formats.mappings import (
    Mapping,
    is_named_mapping,
    looks_like_mapping,
    mapping_text,
    read_mapping,
)
from nifti_kit.formats.nifti import ImageFile, read_header

_LOG = logging.getLogger("nifti_kit.datasets")

MAPS_ABOVE = ("color_map.txt", "cls_color_map.txt", *JSON_TABLES)
"""Where the platform's exporter, nnU-Net and MSD put it: one level above the dataset's folder."""

TABLE_ENDINGS = (".txt", ".ctbl", ".ctab", ".lut", ".label", ".csv", ".tsv")
"""How the names of label tables end, besides the JSON files with a name of their own."""

LOOKED_INTO = 200
"""Texts of any name that are opened to see whether they are a class map; a source may have a
report beside each of thousands of masks."""

OnFile = Callable[[int, int], Any]
"""Is told how many headers were read, and how many there are."""


@dataclass(frozen=True)
class Choices:
    """What a person chose in the call of :func:`scan`."""

    layout: str = "auto"
    segmentation: str = "auto"
    classes: ClassMap | None = None
    score_base: int | None = None
    score_frames: str = "file"
    pairs: Any = None  # a dictionary or a pattern; None where none was given
    annotation_words: tuple[str, ...] = ()
    file_classes: FileClasses = ()
    adds_classes: bool = False
    """Whether ``classes`` stand beside those of a sound map of the source, not in its place."""
    left_out: tuple[str, ...] = ()  # files below the source that a person leaves out
    volumes: tuple[tuple[str, str], ...] = ()
    """Annotation files and tables with the volume that a person gave each."""
    incomplete: tuple[str, ...] = ()  # folders whose sets of planes are known to lack some


SHOWN = 4
"""Files that a message names before it counts the rest."""

SCORE_FRAMES = ("file", "ras", "reversed")
"""What layers count along: the slices of the NIfTI file, those of the landed volume (RAS+), or
those from the other end."""


@dataclass(frozen=True)
class Mended:
    """A file of a dataset as a repair left it, in memory; the file on disk is as it was."""

    relative: PurePosixPath  # the file, relative to the source
    # The bytes that stand in its place; None where other files do, and it is gone.
    content: bytes | None = field(repr=False)
    what: str  # what was done to it, in plain words
    left: str = ""  # what of it does not land, in plain words; empty where all of it does
    # By pixel value, what the repair made it of; empty where values are as they were.
    origins: MappingABC[int, Origin] = field(default_factory=dict, repr=False)
    # The repair that put it elsewhere by a person's word, not by what its file says of its place;
    # empty where none did.
    placed: str = ""

    def after(self, before: Mended | None) -> Mended:
        """Return this repair on top of an earlier one of the same file."""
        if before is None:
            return self
        origins = self.origins or before.origins
        left = self.left or before.left
        placed = self.placed or before.placed
        what = f"{before.what}; {self.what}"
        return replace(self, what=what, left=left, origins=origins, placed=placed)


class Scanner:
    """Sorts the files of one source, and keeps book of those without a use."""

    def __init__(
        self,
        source: Source,
        choices: Choices,
        mended: MappingABC[PurePosixPath, Mended] = MappingProxyType({}),
        known: MappingABC[PurePosixPath, ImageFile] = MappingProxyType({}),
        on_file: OnFile | None = None,
    ) -> None:
        self.source, left_out = without(source, choices.left_out)
        self.choices = choices
        self.mended, self.known = mended, known
        self._on_file = on_file
        self.findings: list[Finding] = list(source.findings)
        self.findings += [finding("left-out", file, "left out, as was chosen") for file in left_out]
        self.findings += [
            finding("repaired", found.relative, found.what) for found in mended.values()
        ]
        self.findings += [
            finding("frames-left", found.relative, found.left)
            for found in mended.values()
            if found.left
        ]
        self._reasons: dict[PurePosixPath, str] = dict.fromkeys(left_out, "")
        self._unread: dict[PurePosixPath, str] = {}
        self._maps: set[PurePosixPath] = set()
        source = self.source
        niftis = [file for file in source.files if is_nifti(file.name)]
        self._by_stem = {file.with_name(stem(file.name)): file for file in niftis}
        self._mappings = self._mapping_files(niftis)
        self.layout = self._layout(niftis) if choices.layout == "auto" else choices.layout
        self.proposal: Proposal | None = None
        self.pairing = self._paired(niftis) if self.layout == "pairs" else None
        self.grouping = self._grouped(niftis, choices.segmentation)
        if not niftis and not self.grouping.items:
            self.findings.append(empty(source))
        self._reasons.update(self.grouping.unused)
        self.findings += self.grouping.findings
        if choices.score_frames == "file":
            self.findings += frames_unknown(self.grouping.items)
        pairs = frozenset(map(pair_key, source.files))
        for file in source.files:
            if not is_nifti(file.name) and file.suffix.casefold() not in _OTHER_INPUTS:
                image = self._by_stem.get(file.with_suffix(""))
                if image is not None and file.suffix.casefold() in _GRADIENTS:
                    self._reasons[file] = f"the diffusion gradients of {image.name}"
                else:
                    self._reasons[file] = why_unused(file, pairs)

    def _layout(self, niftis: list[PurePosixPath]) -> str:
        """Return the layout that the names speak of; score tables alone are annotations.

        So are files that a mapping names, whatever their names, unless their volumes are here.
        """
        if self.choices.pairs is not None:
            return "pairs"
        if not niftis and any(_is_score_table(file.name) for file in self._files(".csv")):
            return "annotations"
        layout = detect_layout(niftis, self.choices.annotation_words)
        if layout == "by_volume" and self._mapped(niftis) and not _with_volumes(niftis):
            return "annotations"
        return layout

    def _paired(self, niftis: list[PurePosixPath]) -> Pairing:
        """Return which mask belongs to which image; the files of no pair have no use."""
        frames = self._frames(niftis)
        made = {frame for own in frames.values() for frame in own}
        named = [*(file for file in niftis if file not in made), *frames]
        if self.choices.pairs is not None:
            pairing, left_out = pair_up(self.choices.pairs, named), {}
        else:
            others = [file for file in self.source.files if not is_nifti(file.name)]
            self.proposal = propose(named, others, self._grid)
            pairing = taken(self.proposal, named)
            assert self.proposal is not None
            left_out = dict(self.proposal.left_out)
            self.findings.append(finding("pairs-taken", "", self.proposal.summary))
        pairing = pairing.with_frames(frames)
        for file in niftis:
            if file not in pairing.files:
                self._reasons[file] = left_out.get(str(file), "no pair names it")
        return pairing

    def _frames(self, niftis: list[PurePosixPath]) -> dict[PurePosixPath, list[PurePosixPath]]:
        """Return the volumes that repairs made of an image's frames (``MR_0`` of ``MR``)."""
        made = [file for file in niftis if file in self.mended and self._is_new(file)]
        gone = set(self.mended).difference(self.source.files)
        return {
            image: [
                file
                for file in made
                if file.parent == image.parent
                and re.fullmatch(rf"{re.escape(stem(image.name))}_\d+", stem(file.name))
            ]
            for image in gone
        }

    def _is_new(self, file: PurePosixPath) -> bool:
        return not (self.source.root / file).exists()

    def _grid(self, file: PurePosixPath) -> Grid | None:
        image = self._header(file)
        return image.grid if isinstance(image, ImageFile) else None

    def _mapped(self, niftis: list[PurePosixPath]) -> bool:
        """Say whether a file that is named like a mapping has NIfTI files in its keys."""
        named = [file for file in self._mappings if is_named_mapping(file)]
        return any(looks_like_mapping(self._text(file) or "", niftis) for file in named)

    def _text(self, file: PurePosixPath) -> str | None:
        """Return the text of a file; None where it is none, or larger than any mapping."""
        try:
            return mapping_text(self.source.root / file)
        except NiftiKitError as error:
            self._unread[file] = f"{NO_MAPPING} that can be read: {describe(error)}"
            return None

    def _mapping_files(self, niftis: list[PurePosixPath]) -> list[PurePosixPath]:
        """Return the files that are named like a mapping, and the JSON files that look like one."""
        found = []
        for file in self._files(".json"):
            text = self._text(file)
            known = file.name.casefold() in (*KNOWN_JSON, *JSON_TABLES)
            beside = file.with_suffix("") in self._by_stem or known
            meant = text is not None and looks_like_mapping(text) and not beside
            named = is_named_mapping(file) and not beside
            if meant or named or looks_like_mapping(text or "", niftis):
                found.append(file)
        return found

    def _files(self, suffix: str) -> list[PurePosixPath]:
        found = [file for file in self.source.files if file.suffix.casefold() == suffix]
        return sorted(found, key=lambda file: (len(file.parts), natural_key(file)))

    def _grouped(self, niftis: list[PurePosixPath], segmentation: str) -> Grouping:
        if self.pairing is not None:
            niftis = [file for file in niftis if file in self.pairing.files]
        images = sorted(self._headers(niftis), key=lambda image: natural_key(image.relative))
        given = GivenVolumes(self.source, self.choices.volumes)
        tables = [file for file in self._files(".csv") if file not in given.files]
        tables.sort(key=natural_key)
        paths = tuple((self.source.root / table, table) for table in tables)
        moved = [image for image in images if image.relative in given.files]
        images = [image for image in images if image.relative not in given.files]
        readable = {image.relative for image in images}
        unreadable = tuple(file for file in niftis if file not in readable)
        words, by_folder = self.choices.annotation_words, self.choices.layout == "auto"
        files = Files(tuple(images), paths, segmentation, unreadable, words, by_folder)
        grouping = group_files(self.layout, files, self.pairing)
        grouping.findings = [*as_delivered(grouping.findings, self.choices.incomplete)]
        grouping.items = given.attached(grouping.items, moved, words, segmentation)
        grouping.findings += given.findings
        grouping.items = [self._as_mended(item) for item in grouping.items]
        grouping.items = with_file_classes(grouping.items, self.choices.file_classes)
        return grouping

    def _as_mended(self, item: Item) -> Item:
        """Return an item with what repairs say of its score tables and label values."""
        files = [*(table.relative for table in item.tables), *(m.relative for m in item.masks)]
        if not any(file in self.mended for file in files):
            return item
        tables = (replace(table, content=self._content(table.relative)) for table in item.tables)
        masks = (
            replace(mask, origins=self.mended[mask.relative].origins)
            if mask.relative in self.mended
            else mask
            for mask in item.masks
        )
        return replace(item, tables=tuple(tables), masks=tuple(masks))

    def _content(self, file: PurePosixPath) -> bytes | None:
        return self.mended[file].content if file in self.mended else None

    def _headers(self, niftis: Sequence[PurePosixPath]) -> Iterator[ImageFile]:
        """Yield the images whose headers can be read; the others are findings."""

        def told(at: int, _: PurePosixPath) -> None:
            assert self._on_file is not None
            self._on_file(at, len(niftis))

        on_file = None if self._on_file is None else told
        with closing(in_order(self._header, niftis)) as headers:
            for file in with_progress(niftis, on_file, "Reading headers", "file"):
                found = next(headers)
                if isinstance(found, ImageFile):
                    yield found
                else:
                    is_mask = self._is_mask(file, niftis)
                    self.findings.append(image_fault(file, found, is_mask=is_mask))
                    self._reasons[file] = ""

    def _header(self, file: PurePosixPath) -> ImageFile | NiftiKitError:
        """Return an image, or what is wrong with it; other threads read others meanwhile."""
        content = self._content(file)
        if file in self.known and content is self.known[file].content:
            return self.known[file]
        try:
            return read_header(self.source.root / file, file, content)
        except NiftiKitError as error:
            return error.with_traceback(None)

    def _is_mask(self, file: PurePosixPath, niftis: Sequence[PurePosixPath]) -> bool:
        """Say whether a file is a mask by its name or place, as its header says nothing of it."""
        role = parse_name(file.name).role
        if self.layout == "annotations" or role is not None:
            return self.layout == "annotations" or role == ANNOTATION
        owner = any(one.with_name(stem(one.name)) == file.parent for one in niftis)
        return owner or speaks_of_annotation(file)

    def class_map(self) -> ClassMap:
        """Return the class map in force; texts that are none have no use."""
        given = self.choices.classes
        if given is None:
            return self._own_map()
        if self.choices.adds_classes:
            before = len(self.findings), dict(self._reasons), set(self._maps)
            own = self._own_map()
            new = self.findings[before[0] :]
            if own and not any(found.severity == "error" for found in new):
                return own.overlaid(given)
            del self.findings[before[0] :]
            _, self._reasons, self._maps = before
        for file in self._tables():
            self._read_map(file, given)
        self.findings += given.faults
        return given

    def _own_map(self) -> ClassMap:
        """Return the class map that the source has."""
        read = [self._read_map(file, None) for file in self._tables()]
        chosen = self._chosen_map([found for found in read if found is not None])
        self.findings += chosen.faults
        return chosen

    def _tables(self) -> Iterator[PurePosixPath]:
        """Yield the files that may be class maps: by their names, and some of any name."""
        unnamed: list[PurePosixPath] = []

        def order(file: PurePosixPath) -> tuple[Any, ...]:
            return len(file.parts), natural_key(file)

        for file in sorted(self.source.files, key=order):
            if self.layout == "annotations" and is_named_mapping(file):
                continue  # it counts as a mapping, or blocks
            if file.name.casefold() in JSON_TABLES:
                yield file
            elif file.suffix.casefold() in TABLE_ENDINGS and not _is_score_table(file.name):
                if is_named_class_map(file.stem) or len(unnamed) < LOOKED_INTO:
                    yield file
                else:
                    self._reasons[file] = (
                        f"one of many texts, of which {LOOKED_INTO} were looked into; if it is the "
                        f"class map: scan(..., classes=dataset.root / {str(file)!r})"
                    )
                if not is_named_class_map(file.stem):
                    unnamed.append(file)

    def _read_map(self, file: PurePosixPath, given: ClassMap | None) -> ClassMap | None:
        """Return the class map that a text is; a text that is none, or not in force, has no use."""
        path = self.source.root / file
        found = looks_like_class_map(path, relative=str(file))
        named = is_named_class_map(file.stem)
        if found is not None and is_readme(file.name) and given is None:
            at = f"dataset.root / {str(file)!r}"
            self._reasons[file] = f"a README is no class map; if it is one: scan(..., classes={at})"
            return None
        if found is None and not named:
            if file.suffix.casefold() == ".txt":
                self._reasons[file] = "a text that is no class map"
        elif given is not None:
            if not given.path or Path(given.path).resolve() != path.resolve():
                self._reasons[file] = "another class map was given"
            else:
                self._reasons.pop(file, None)
        elif found is None:
            self.findings.append(no_class_map(path, str(file)))
            self._reasons[file] = ""
        else:
            self._reasons.pop(file, None)
        self._maps |= {file} if found is not None else set()
        return found

    def _chosen_map(self, maps: list[ClassMap]) -> ClassMap:
        """Return the class map of several: they are the same, agree, or are told apart."""
        for regions in (found for found in maps if not found):  # a dataset.json without a class
            self.findings += regions.faults
        maps = self._without_numbering([found for found in maps if found])
        if not maps:
            return self._map_above()
        together, used, different = maps[0], [maps[0]], []
        for other in maps[1:]:
            if other != maps[0] and not together.agrees_with(other):
                different.append(other)
                continue
            joined = together.joined(other)
            used += [other] if joined != together else []  # what it repeats is not worth a word
            together = joined
        if different:
            names = ", ".join(found.path for found in [maps[0], *different])
            message = f"{len(different) + 1} class maps that differ: {names}"
            self.findings.append(finding("class-map-several", maps[0].path, message))
            for other in different:
                self._reasons[PurePosixPath(other.path)] = f"{maps[0].path} is the class map"
        if len(used) > 1:
            message = f"used together, since they agree: {listed((m.path for m in used), SHOWN)}"
            self.findings.append(finding("class-tables-joined", maps[0].path, message))
        return together

    def _without_numbering(self, maps: list[ClassMap]) -> list[ClassMap]:
        """Leave out the platform's ``class2idx.json`` beside its ``color_map.txt``.

        The one counts the classes of the project, the other has their pixel values.
        """
        values = {PurePosixPath(m.path).parent for m in maps if m.path.endswith(MAPS_ABOVE[0])}
        kept = []
        for found in maps:
            path = PurePosixPath(found.path)
            if found.dialect == "class2idx" and path.parent in values:
                self._reasons[path] = f"{MAPS_ABOVE[0]} beside it has the pixel values"
            else:
                kept.append(found)
        return kept

    def _map_above(self) -> ClassMap:
        """Return the class map that the platform's exporter puts above a dataset's folder."""
        if self.source.is_archive or not self.source.given.is_dir():
            return ClassMap()
        for name in MAPS_ABOVE:
            path = self.source.given.resolve().parent / name
            if path.is_file():
                found = looks_like_class_map(path, relative=f"../{name}")
                if found is not None:
                    message = f"{len(found)} classes are taken from it"
                    self.findings.append(finding("class-map-above", f"../{name}", message))
                    return found
        return ClassMap()

    def mapping(self) -> Mapping | None:
        """Return the mapping of the annotations layout; what is named like one counts or blocks."""
        for file in self._files(".json"):
            if file not in self._mappings and file not in self._maps:
                why = why_json(file, self._by_stem)
                self._reasons[file] = self._unread.get(file, why) if why == NO_MAPPING else why
        meant = self._mappings
        if self.layout == "annotations":
            meant = [*meant, *self._other_mappings()]
        if len(meant) > 1 and self.layout == "annotations":
            names = ", ".join(map(str, meant))
            self.findings.append(finding("mapping-several", meant[0], f"which one: {names}?"))
            self._reasons.update(dict.fromkeys(meant, "one of several mappings"))
            return None
        read = [self._read_mapping(file) for file in meant]
        return read[0] if self.layout == "annotations" and read else None

    def _other_mappings(self) -> list[PurePosixPath]:
        """Return the files of other kinds that are named like a mapping: they cannot be read."""
        named = [file for file in self.source.files if is_named_mapping(file)]
        return [file for file in named if file.suffix.casefold() != ".json"]

    def _read_mapping(self, file: PurePosixPath) -> Mapping | None:
        """Return a mapping; one that cannot be read, or that has volumes beside it, is an error."""
        alone = self.layout == "annotations"
        niftis = [one for one in self.source.files if is_nifti(one.name)]
        annotations = [path for item in self.grouping.items for path in item.annotation_paths]
        faulty = {found.path for found in self.findings if found.severity == "error"}
        if alone:  # an export's mapping names its volumes too, which may be elsewhere
            faulty |= {*map(str, self.grouping.unused), *self._volume_keys(file)}
        try:
            mapping = read_mapping(
                self.source.root / file,
                annotations if alone else niftis,
                relative=str(file),
                faulty=faulty,
            )
        except NiftiKitError as error:
            found = finding("mapping-unreadable", file, describe(error), remedy=error.remedy)
            self.findings.append(found)
            self._reasons[file] = ""
            return None
        if alone:
            self._reasons.pop(file, None)  # whatever its ending: it is in use
            self.findings += mapping.faults
            return mapping
        if self._is_of_these_volumes(mapping):
            self._reasons.pop(file, None)
            return None
        self._reasons[file] = ""
        code = "mapping-beside-volumes"
        message = f"it gives ids to files, but the layout is {self.layout}: volumes are here"
        if not looks_like_mapping(self._text(file) or "", niftis):
            code = "mapping-unreadable"
            message = "it is named like a mapping, but no NIfTI file is a key of it"
        self.findings.append(finding(code, file, message))
        return None

    def _volume_keys(self, file: PurePosixPath) -> Iterator[str]:
        """Yield the keys of a mapping that name volumes by plane."""
        try:
            content = json.loads(self._text(file) or "")
        except (ValueError, RecursionError):  # what is wrong with it is told where it is read
            return
        keys = content if isinstance(content, dict) else ()
        yield from (key for key in keys if parse_name(PurePosixPath(key).name).role == VOLUME)

    def _is_of_these_volumes(self, mapping: Mapping) -> bool:
        """Say whether a mapping gives each volume here its id, and no mask that of another one.

        An export writes it so: the volumes here and those of the ids are the same.
        """
        ids = [
            {mapping.volume_of(image.relative) for image in item.images}
            for item in self.grouping.items
        ]
        return bool(ids) and all(len(own) == 1 and None not in own for own in ids)

    def unused(self) -> tuple[Path, ...]:
        """Return the files without a use, and name each in a finding (once)."""
        for file, reason in self._reasons.items():
            if reason:
                _LOG.info("%s: not used: %s", file, reason)
                remedy = _TABLE_REMEDY if _is_score_table(file.name) else ""
                self.findings.append(finding("file-unused", file, reason, remedy=remedy))
        ordered = sorted(self._reasons, key=natural_key)
        return tuple(self.source.root / file for file in ordered)


def _with_volumes(niftis: Iterable[PurePosixPath]) -> bool:
    """Say whether a file has a folder of its own name with others in it: masks, by volume."""
    files = list(niftis)
    folders = {file.parent for file in files}
    return any(file.with_name(stem(file.name)) in folders for file in files)


def _is_score_table(name: str) -> bool:
    """Say whether a name is that of the score table of a plane."""
    parsed = parse_name(name)
    return parsed.role == SCORE and parsed.plane is not None


_TABLE_REMEDY = (
    "Its scores do not land: put its annotation file, of the same plane and words, into its folder "
    "and scan again; or leave it."
)


_OTHER_INPUTS = (".csv", ".txt", ".json")

_GRADIENTS = (".bval", ".bvec")
"""What dcm2niix writes beside a diffusion image."""
