"""Datasets: what ``scan`` found, by headers and names only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nifti_kit import html
from nifti_kit.classes import ClassMap, as_class_map, is_named_class_map, looks_like_class_map
from nifti_kit.errors import BadSource, NiftiKitError, UnsupportedImage
from nifti_kit.findings import Finding, finding
from nifti_kit.images import ImageFile, read_header
from nifti_kit.items import Item
from nifti_kit.layouts import LAYOUTS, Files, Grouping, detect_layout, group_files
from nifti_kit.mappings import Mapping, looks_like_mapping, read_mapping
from nifti_kit.names import SCORE, is_nifti, natural_key, pair_key, parse_name, why_unused
from nifti_kit.one_by_one import in_order, one_by_one
from nifti_kit.sources import Source, open_source
from nifti_kit.texts import read_text
from nifti_kit.wording import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Choices", "Dataset", "Mended", "rescan", "scan"]

MAPS_ABOVE = ("color_map.txt", "cls_color_map.txt")
"""Where the platform's exporter puts its class map: one level above the dataset's folder."""

OnFile = Callable[[int, int], Any]
"""Is told how many headers were read, and how many there are."""


@dataclass(frozen=True)
class Choices:
    """What a person chose in the call of :func:`scan`."""

    layout: str = "auto"
    segmentation: str = "auto"
    classes: ClassMap | None = None
    score_base: int = 1
    score_frames: str = "file"


SCORE_FRAMES = ("file", "ras", "reversed")
"""What layers count along: the slices of the NIfTI file, those of the landed volume (RAS+), or
those from the other end."""


@dataclass(frozen=True)
class Mended:
    """A file of a dataset as a repair left it, in memory; the file on disk is as it was.

    Attributes
    ----------
    relative
        The file, relative to the source.
    content
        The bytes that stand in its place.
    what
        What was done to it, in plain words.
    """

    relative: PurePosixPath
    content: bytes = field(repr=False)
    what: str


@dataclass(eq=False)
class Dataset:
    """The items of a source, what else lies in it, and what is wrong so far.

    Attributes
    ----------
    layout
        ``by_volume``, ``by_plane`` or ``annotations``.
    items
        What becomes a volume, or the annotations of one.
    unused
        The files that will not land; each is named in a finding with its reason.
    classes
        The class map; empty where there is none.
    mapping
        The JSON mapping of the ``annotations`` layout, or None.
    score_base
        What score tables count layers from: 1 (specification) or 0 (the platform's exporter).
    findings
        What scanning found; :func:`nifti_kit.check` finds the rest.
    mended
        What repairs put in the place of files (:mod:`nifti_kit.repairs`).
    """

    source: Source
    layout: str
    items: tuple[Item, ...]
    unused: tuple[Path, ...]
    classes: ClassMap
    mapping: Mapping | None
    score_base: int
    findings: tuple[Finding, ...]
    choices: Choices = field(default_factory=Choices)
    mended: tuple[Mended, ...] = ()
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What was surveyed already, so that no file is read twice."""

    @property
    def root(self) -> Path:
        """The folder that relative paths start from; for an archive a temporary one."""
        return self.source.root

    @property
    def annotation_paths(self) -> tuple[PurePosixPath, ...]:
        """The files that need a volume, relative to the source: annotations, scores alone."""
        return tuple(path for item in self.items for path in item.annotation_paths)

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`, one row per item."""
        import pandas as pd

        return pd.DataFrame([_row(item) for item in self.items], columns=_COLUMNS)

    def _title(self) -> str:
        masks = sum(len(item.masks) for item in self.items)
        alone = sum(item.is_scores_alone for item in self.items)
        tables = f"{counted(alone, 'score table')} alone, " if alone else ""
        return (
            f"{self.source.given.name or self.source.given}: layout {self.layout}, "
            f"{counted(len(self.items), 'item')}, {counted(masks, 'mask file')}, {tables}"
            f"{counted(len(self.classes), 'class')} in the class map, "
            f"{counted(len(self.unused), 'file')} unused"
        )

    def __repr__(self) -> str:
        lines = [self._title(), *(f"  {item!r}" for item in self.items[:_SHOWN])]
        if len(self.items) > _SHOWN:
            lines.append(f"  ... and {len(self.items) - _SHOWN} more items")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [list(_row(item).values()) for item in self.items[:_SHOWN]]
        more = len(self.items) - _SHOWN
        note = html.title(f"... and {more} more items") if more > 0 else html.Markup("")
        return html.title(self._title()) + html.table(_COLUMNS, rows) + note


_SHOWN = 50
"""Items that a repr shows; ``to_frame()`` has them all."""

_COLUMNS = [
    "item",
    "folder",
    "plane",
    "shape",
    "voxel size (mm)",
    "axes",
    "masks",
    "kind",
    "scores",
]


def _row(item: Item) -> dict[str, Any]:
    image = item.images[0] if item.images else None
    usable = image is not None and not image.grid.problem
    masks = ", ".join(mask.relative.name for mask in item.masks)
    cells = (
        item.name,
        item.folder,
        item.plane or "",
        " x ".join(map(str, image.shape)) if image else "",
        " x ".join(f"{mm:g}" for mm in image.grid.voxel_size) if image else "",
        (image.grid.axis_codes if usable else "?") if image else "",
        masks,
        item.segmentation or "",
        item.scores.name if item.scores else "",
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def scan(
    source: str | os.PathLike[str],
    *,
    layout: str = "auto",
    segmentation: str = "auto",
    classes: Any = None,
    score_base: int = 1,
    score_frames: str = "file",
    on_file: OnFile | None = None,
) -> Dataset:
    """Return what a folder, an archive or one NIfTI file holds; headers only, no voxel is read.

    Parameters
    ----------
    source
        A folder, a ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``, or one ``.nii`` / ``.nii.gz``.
    layout
        ``auto``, ``by_volume``, ``by_plane`` or ``annotations``.
    segmentation
        ``auto``, ``semantic`` (class = value) or ``instance`` (class = file, object = value).
    classes
        A class map to use instead of the source's own: a path, or ``{value: name}``.
    score_base
        What the ``Layer`` column of score tables counts from: 1, or 0 as the platform's exporter
        writes it.
    score_frames
        For score tables without their annotation file: what their layers count along. ``ras``:
        the slices of the volume on the platform (slice = layer - base), as its exporter writes
        them; ``reversed``: those slices from the other end (slice = count - 1 - (layer - base));
        ``file``: the NIfTI file, so that such tables are an error, because it is not there.
    on_file
        Called before each header is read with how many were read, and how many there are; what
        it raises ends the scan. A bar by default.

    Raises
    ------
    BadSource
        If there is no such path, or the archive is damaged or hostile. Faults of single files
        are findings, not exceptions.
    """
    _one_of("layout", layout, ("auto", *LAYOUTS))
    _one_of("segmentation", segmentation, ("auto", "semantic", "instance"))
    _one_of("score_base", score_base, (0, 1))
    _one_of("score_frames", score_frames, SCORE_FRAMES)
    given = None if classes is None else as_class_map(classes)
    choices = Choices(layout, segmentation, given, score_base, score_frames)
    return _dataset(_Scanner(open_source(source), choices, on_file=on_file))


def rescan(dataset: Dataset, mended: Iterable[Mended]) -> Dataset:
    """Return a dataset anew, with mended files in the place of those on disk.

    Earlier repairs stay. What else was read is not read again.
    """
    together = {found.relative: found for found in dataset.mended}
    for found in mended:
        before = together.get(found.relative)
        what = f"{before.what}; {found.what}" if before else found.what
        together[found.relative] = replace(found, what=what)
    anew = _dataset(_Scanner(dataset.source, dataset.choices, together, _images(dataset)))
    kept = {image for image in _images(anew).values() if image.relative not in together}
    anew.memory |= {key: known for key, known in dataset.memory.items() if _image_of(key) in kept}
    return anew


def _dataset(scanner: _Scanner) -> Dataset:
    class_map = scanner.class_map()
    mapping = scanner.mapping()
    return Dataset(
        scanner.source,
        scanner.layout,
        tuple(scanner.grouping.items),
        scanner.unused(),
        class_map,
        mapping,
        scanner.choices.score_base,
        tuple(scanner.findings),
        scanner.choices,
        tuple(scanner.mended.values()),
    )


def _images(dataset: Dataset) -> dict[PurePosixPath, ImageFile]:
    found = [image for item in dataset.items for image in item.images]
    return {image.relative: image for image in found}


def _image_of(key: Any) -> Any:
    """Return the image that a key of a dataset's memory is about: ``(what, image)``."""
    return key[1] if isinstance(key, tuple) else None


def _one_of(name: str, value: object, choices: Iterable[object]) -> None:
    if value not in choices:
        expected = ", ".join(map(repr, choices))
        raise BadSource(f"{name} has no such choice", found=repr(value), expected=expected)


class _Scanner:
    """Sorts the files of one source, and keeps book of those without a use."""

    def __init__(
        self,
        source: Source,
        choices: Choices,
        mended: MappingABC[PurePosixPath, Mended] = MappingProxyType({}),
        known: MappingABC[PurePosixPath, ImageFile] = MappingProxyType({}),
        on_file: OnFile | None = None,
    ) -> None:
        self.source, self.choices = source, choices
        self.mended, self.known = mended, known
        self._on_file = on_file
        self.findings: list[Finding] = list(source.findings)
        self.findings += [
            finding("repaired", found.relative, found.what) for found in mended.values()
        ]
        self._reasons: dict[PurePosixPath, str] = {}
        niftis = [file for file in source.files if is_nifti(file.name)]
        self.layout = self._layout(niftis) if choices.layout == "auto" else choices.layout
        self.grouping = self._grouped(niftis, choices.segmentation)
        if not niftis and not self.grouping.items:
            self.findings.append(finding("source-empty", "", f"{source.given}: no NIfTI file"))
        self._reasons.update(self.grouping.unused)
        self.findings += self.grouping.findings
        if choices.score_frames == "file":
            self.findings += _frames_unknown(self.grouping.items)
        pairs = frozenset(map(pair_key, source.files))
        for file in source.files:
            if not is_nifti(file.name) and file.suffix.casefold() not in _OTHER_INPUTS:
                self._reasons[file] = why_unused(file, pairs)

    def _layout(self, niftis: list[PurePosixPath]) -> str:
        """Return the layout that the names speak of; score tables alone are annotations."""
        if not niftis and any(_is_score_table(file.name) for file in self._files(".csv")):
            return "annotations"
        return detect_layout(niftis)

    def _files(self, suffix: str) -> list[PurePosixPath]:
        found = [file for file in self.source.files if file.suffix.casefold() == suffix]
        return sorted(found, key=lambda file: (len(file.parts), natural_key(file)))

    def _grouped(self, niftis: list[PurePosixPath], segmentation: str) -> Grouping:
        images = sorted(self._headers(niftis), key=lambda image: natural_key(image.relative))
        tables = sorted(self._files(".csv"), key=natural_key)
        paths = tuple((self.source.root / table, table) for table in tables)
        readable = {image.relative for image in images}
        unreadable = tuple(file for file in niftis if file not in readable)
        files = Files(tuple(images), paths, segmentation, unreadable)
        grouping = group_files(self.layout, files)
        grouping.items = [self._with_tables(item) for item in grouping.items]
        return grouping

    def _with_tables(self, item: Item) -> Item:
        """Return an item whose score tables are the mended ones, where there are such."""
        if not any(table.relative in self.mended for table in item.tables):
            return item
        tables = (replace(table, content=self._content(table.relative)) for table in item.tables)
        return replace(item, tables=tuple(tables))

    def _content(self, file: PurePosixPath) -> bytes | None:
        return self.mended[file].content if file in self.mended else None

    def _headers(self, niftis: Sequence[PurePosixPath]) -> Iterator[ImageFile]:
        """Yield the images whose headers can be read; the others are findings."""

        def told(at: int, _: PurePosixPath) -> None:
            assert self._on_file is not None
            self._on_file(at, len(niftis))

        on_file = None if self._on_file is None else told
        with closing(in_order(self._header, niftis)) as headers:
            for file in one_by_one(niftis, on_file, "Reading headers", "file"):
                found = next(headers)
                if isinstance(found, ImageFile):
                    yield found
                else:
                    self.findings.append(file_fault(file, found))
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

    def class_map(self) -> ClassMap:
        """Return the class map in force; texts that are none have no use."""
        given = self.choices.classes
        read = [self._read_map(file, given) for file in self._files(".txt")]
        maps = [found for found in read if found is not None]
        chosen = self._chosen_map(maps) if given is None else given
        self.findings += chosen.faults
        return chosen

    def _read_map(self, file: PurePosixPath, given: ClassMap | None) -> ClassMap | None:
        """Return the class map that a text is; a text that is none, or not in force, has no use."""
        path = self.source.root / file
        found = looks_like_class_map(path, relative=str(file))
        named = is_named_class_map(file.stem)
        if found is None and not named:
            self._reasons[file] = "a text that is no class map"
        elif given is not None:
            if not given.path or Path(given.path).resolve() != path.resolve():
                self._reasons[file] = "another class map was given"
        elif found is None:
            message = "its name says class map, but no line of it is a class"
            self.findings.append(finding("class-map-line", file, message))
            self._reasons[file] = ""
        return found

    def _chosen_map(self, maps: list[ClassMap]) -> ClassMap:
        if not maps:
            return self._map_above()
        different = [other for other in maps[1:] if other != maps[0]]
        if different:
            names = ", ".join(found.path for found in [maps[0], *different])
            message = f"{len(different) + 1} class maps that differ: {names}"
            self.findings.append(finding("class-map-several", maps[0].path, message))
            for other in different:
                self._reasons[PurePosixPath(other.path)] = f"{maps[0].path} is the class map"
        return maps[0]

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
        """Return the JSON mapping of the annotations layout; other JSON files have no use."""
        files = self._files(".json")
        if self.layout != "annotations":
            self._reasons.update(dict.fromkeys(files, "a mapping belongs to annotations alone"))
            return None
        meant = [file for file in files if self._may_be_mapping(file)]
        if len(meant) > 1:
            names = ", ".join(map(str, meant))
            self.findings.append(finding("mapping-several", meant[0], f"which one: {names}?"))
            self._reasons.update(dict.fromkeys(meant, "one of several mappings"))
        if len(meant) != 1:
            return None
        annotations = [path for item in self.grouping.items for path in item.annotation_paths]
        try:
            path = self.source.root / meant[0]
            mapping = read_mapping(path, annotations, relative=str(meant[0]))
        except NiftiKitError as error:
            self.findings.append(finding("mapping-unreadable", meant[0], describe(error)))
            self._reasons[meant[0]] = ""
            return None
        self.findings += mapping.faults
        return mapping

    def _may_be_mapping(self, file: PurePosixPath) -> bool:
        try:
            meant = looks_like_mapping(read_text(self.source.root / file))
        except NiftiKitError:
            meant = False
        if not meant:
            self._reasons[file] = "a JSON file that is no mapping"
        return meant

    def unused(self) -> tuple[Path, ...]:
        """Return the files without a use, and name each in a finding (once)."""
        for file, reason in self._reasons.items():
            if reason:
                self.findings.append(finding("file-unused", file, reason))
        ordered = sorted(self._reasons, key=natural_key)
        return tuple(self.source.root / file for file in ordered)


def _is_score_table(name: str) -> bool:
    """Say whether a name is that of the score table of a plane."""
    parsed = parse_name(name)
    return parsed.role == SCORE and parsed.plane is not None


def _frames_unknown(items: Iterable[Item]) -> Iterator[Finding]:
    """It is known in which direction the frames of each score table count on the volume."""
    for item in items:
        for table in item.tables if item.is_scores_alone else ():
            message = (
                "there is no annotation file of its plane and case, which would say in which "
                "direction its layers count on the volume"
            )
            yield finding("scores-frames-unknown", table.relative, message)


_OTHER_INPUTS = (".csv", ".txt", ".json")


def describe(error: NiftiKitError) -> str:
    """Return an error's text without its path and remedy, for a finding that has them apart."""
    parts = [error.message]
    if error.found is not None:
        parts.append(f"found {error.found}")
    if error.expected is not None:
        parts.append(f"expected {error.expected}")
    return "; ".join(parts)


def file_fault(file: PurePosixPath, error: NiftiKitError) -> Finding:
    """Return the finding for an image that cannot be taken in."""
    code = "image-unsupported" if isinstance(error, UnsupportedImage) else "file-unreadable"
    return finding(code, file, describe(error), remedy=error.remedy)
