"""Datasets: what ``scan`` found, by headers and names only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.findings import Finding
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import counted
from nifti_kit.datasets.file_classes import split_classes, with_written_names
from nifti_kit.datasets.given_volumes import paired_paths, paths_of
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.layouts import EVERY_LAYOUT
from nifti_kit.datasets.names import further_words, is_nifti
from nifti_kit.datasets.proposals import Proposal, as_pairs, propose
from nifti_kit.datasets.scanning import SCORE_FRAMES, Choices, Mended, OnFile, Scanner
from nifti_kit.datasets.sources import Source, open_source
from nifti_kit.errors import BadSource
from nifti_kit.formats import mappings
from nifti_kit.formats.class_maps import ClassMap, as_class_map
from nifti_kit.formats.nifti import ImageFile


@dataclass(eq=False, repr=False)
class Dataset(Report):
    """The items of a source, what else lies in it, and what is wrong so far.

    Attributes
    ----------
    layout
        ``by_volume``, ``by_plane``, ``annotations`` or ``pairs``. A tree with volumes by plane is
        ``by_plane``; its folders without such are read by volume all the same, and their items
        have no plane.
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

    word, row_word, text_rows, html_rows = "dataset", "item", 50, 50
    columns = (
        "item", "folder", "plane", "shape", "voxel size (mm)", "axes", "masks", "kind", "scores",
    )  # fmt: skip

    source: Source
    layout: str
    items: tuple[Item, ...]
    unused: tuple[Path, ...]
    classes: ClassMap
    mapping: mappings.Mapping | None
    score_base: int
    findings: tuple[Finding, ...]
    choices: Choices = field(default_factory=Choices)
    mended: tuple[Mended, ...] = ()
    taken: Proposal | None = None  # the proposal that ``layout="pairs"`` took
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

    @property
    def proposal(self) -> Proposal | None:
        """Which mask would go to which image, where the whole tree is of a known make.

        It is shown; ``scan(..., layout="pairs")`` takes it. None where the files are read so
        already, or speak of planes.
        """
        if self.layout == "pairs":
            return self.taken
        if self.layout != "by_volume":
            return None
        if _PROPOSAL not in self.memory:
            self.memory[_PROPOSAL] = self._proposed()
        found: Proposal | None = self.memory[_PROPOSAL]
        return found

    def _proposed(self) -> Proposal | None:
        files = self.source.files
        niftis = [file for file in files if is_nifti(file.name)]
        grids = {image.relative: image.grid for item in self.items for image in item.images}
        found = propose(niftis, set(files).difference(niftis), grids.get)
        read = {
            str(mask.relative): [str(item.volume.relative)]
            for item in self.items
            for mask in item.masks
            if item.volume
        }
        return None if found is None or found.masks_of == read else found

    def title(self) -> str:
        """Return the layout and the counts in one line."""
        masks = sum(len(item.masks) for item in self.items)
        alone = sum(item.is_scores_alone for item in self.items)
        tables = f"{counted(alone, 'score table')} alone, " if alone else ""
        return (
            f"{self.source.given.name or self.source.given}: layout {self.layout}, "
            f"{counted(len(self.items), 'item')}, {counted(masks, 'mask file')}, {tables}"
            f"{counted(len(self.classes), 'class')} in the class map, "
            f"{counted(len(self.unused), 'file')} unused"
        )

    def rows(self) -> Iterable[Row]:
        """Yield one row per item."""
        return map(_row, self.items)

    def told(self) -> Iterable[str]:
        """Yield a line of text for each item."""
        return map(repr, self.items)


_PROPOSAL = "proposal"
"""The key of a dataset's memory."""


def _row(item: Item) -> Row:
    image = item.images[0] if item.images else None
    usable = image is not None and not image.grid.problem
    return (
        item.name,
        item.folder,
        item.plane or "",
        " x ".join(map(str, image.shape)) if image else "",
        " x ".join(f"{mm:.4g}" for mm in image.grid.voxel_size) if image else "",
        (image.grid.axis_codes if usable else "?") if image else "",
        ", ".join(mask.relative.name for mask in item.masks),
        item.segmentation or "",
        item.scores.name if item.scores else "",
    )


def scan(  # noqa: PLR0913 (each is one thing that a person may want to choose)
    source: str | os.PathLike[str],
    *,
    layout: str = "auto",
    segmentation: str = "auto",
    classes: Any = None,
    score_base: int | None = None,
    score_frames: str = "file",
    pairs: Any = None,
    annotation_words: str | Iterable[str] = (),
    leave_out: str | Iterable[str] = (),
    volumes: Mapping[str, str] | None = None,
    incomplete: str | Iterable[str] = (),
    on_file: OnFile | None = None,
) -> Dataset:
    """Return what a folder, an archive or one NIfTI file holds; headers only, no voxel is read.

    Parameters
    ----------
    source
        A folder, a ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``, or one ``.nii`` / ``.nii.gz``.
    layout
        ``auto`` (each folder of a tree by its own layout, by plane or by volume), ``by_volume``,
        ``by_plane`` or ``annotations`` (every folder by this one), or ``pairs``: the pairs of a
        tree of a known make (nnU-Net, Medical Segmentation Decathlon, TotalSegmentator, BraTS,
        BIDS, ACDC, ...), which ``Dataset.proposal`` shows.
    segmentation
        ``auto``, ``semantic`` (class = value) or ``instance`` (class = file, object = value). In
        pairs ``auto`` is semantic, but a mask of one value is of the class that its name says.
    classes
        A path to a class map that is used instead of the source's own; or ``{value: name}``, which
        is added to it: these values have these names, others those of the source. ``{}`` passes
        the source's map over. A key that is a text gives the class of one annotation file (its
        path below the source, or its name where that is the only one): each value in it is an
        object of that class, as in ``{"ds/cor_inference.nii.gz": "Tibia"}``.
    score_base
        What the ``Layer`` column of score tables counts from: 1 (by default), or 0 as the
        platform's exporter writes it. A table that may be one of the exporter blocks a plan until
        one of them is given.
    score_frames
        For score tables without their annotation file: what their layers count along. ``ras``:
        the slices of the volume on the platform (slice = layer - base), as its exporter writes
        them; ``reversed``: those slices from the other end (slice = count - 1 - (layer - base));
        ``file``: the NIfTI file, so that such tables are an error, because it is not there.
    pairs
        Which mask belongs to which image, by their paths below the source: a dictionary (mask to
        its image, or to a list of images; images without a mask under the key ``""``); a pattern
        such as ``"labelsTr/{case}.nii.gz -> imagesTr/{case}_*.nii.gz"``, in which a field in
        braces is the same on both sides and ``*`` is anything, so that a mask may have several
        images; a proposal; or the JSON file that a proposal was saved to.
    annotation_words
        Words of names that say annotation, beside ``inference``, ``mask``, ``ann``, ...: such as
        ``("gt", "prediction")``.
    leave_out
        Files that do not land: their paths below the source. Each stays on record as a finding.
    volumes
        The volume of an annotation file or score table, in the place of the one that its name and
        folder speak of: their paths below the source, as in
        ``{"p1/axl_inference.nii.gz": "p2/axl_anatomic.nii.gz"}``.
    incomplete
        Folders whose sets of planes are known to lack some: what is there lands. Their paths as
        findings have them.
    on_file
        Called before each header is read with how many were read, and how many there are; what
        it raises ends the scan. A bar by default.

    Raises
    ------
    BadSource
        If there is no such path, it is a pipe or a device, it holds more files than any data set,
        or the archive is damaged or hostile; if ``pairs`` are in no known form or fit nothing, or
        no known tree is there for ``layout="pairs"``. Faults of single files, and links out of the
        source, are findings, not exceptions. If ``leave_out``, ``volumes`` or
        ``incomplete`` names what is not there.
    BadClassMap
        If ``classes`` is no class map, or a key of it names no annotation file.
    WrongArgument
        If it is no path at all.

    Examples
    --------
    >>> dataset = scan("data_samples/by_volume")
    >>> dataset.layout
    'by_volume'
    """
    _one_of("layout", layout, ("auto", *EVERY_LAYOUT))
    _one_of("segmentation", segmentation, ("auto", "semantic", "instance"))
    if score_base is not None:
        _one_of("score_base", score_base, (0, 1))
    _one_of("score_frames", score_frames, SCORE_FRAMES)
    values, by_file = split_classes(classes)
    given = None if values is None else as_class_map(values)
    words = further_words(annotation_words)
    if pairs is not None:
        _one_of("layout, where pairs are given,", layout, ("auto", "pairs"))
        pairs = as_pairs(pairs, source)
    choices = Choices(
        layout,
        segmentation,
        given,
        score_base,
        score_frames,
        pairs,
        words,
        by_file,
        isinstance(values, Mapping) and bool(values),
        paths_of(leave_out),
        paired_paths(volumes),
        paths_of(incomplete),
    )
    return _dataset(Scanner(open_source(source), choices, on_file=on_file))


def rescan(  # noqa: PLR0913 (as scan)
    dataset: Dataset,
    *,
    classes: Mapping[int, Any] | None = None,
    score_base: int | None = None,
    score_frames: str | None = None,
    segmentation: str | None = None,
    leave_out: str | Iterable[str] = (),
    volumes: Mapping[str, str] | None = None,
    incomplete: str | Iterable[str] = (),
) -> Dataset:
    """Return a dataset as :func:`scan` would read it with further choices; repairs stay.

    What was chosen before stays too: files, folders and classes are added to it.
    Nothing is read again that was read already.

    Parameters
    ----------
    dataset
        What :func:`scan`, a repair or this returned.
    classes, score_base, score_frames, segmentation, leave_out, volumes, incomplete
        As :func:`scan` has them; ``classes`` by value, or by file. With a volume its masks and
        tables are left out too.

    Raises
    ------
    BadSource, BadClassMap
        As :func:`scan` raises them.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_plane_semantic")
    >>> nk.rescan(dataset, classes={1: "Hepar"}).classes[1].name
    'Hepar'
    """
    known = dataset.choices
    values, by_file = split_classes(classes)
    given, adds = known.classes, known.adds_classes
    if values is not None:
        further = as_class_map(values)
        adds = adds or given is None
        given = further if given is None else given.overlaid(further)
    if score_base is not None:
        _one_of("score_base", score_base, (0, 1))
    if score_frames is not None:
        _one_of("score_frames", score_frames, SCORE_FRAMES)
    if segmentation is not None:
        _one_of("segmentation", segmentation, ("auto", "semantic", "instance"))
    choices = replace(
        known,
        classes=given,
        adds_classes=adds,
        file_classes=tuple((dict(known.file_classes) | dict(by_file)).items()),
        score_base=known.score_base if score_base is None else score_base,
        score_frames=score_frames or known.score_frames,
        segmentation=segmentation or known.segmentation,
        left_out=tuple(dict.fromkeys((*known.left_out, *_with_own(dataset, paths_of(leave_out))))),
        incomplete=tuple(dict.fromkeys((*known.incomplete, *paths_of(incomplete)))),
        volumes=tuple((dict(known.volumes) | dict(paired_paths(volumes))).items()),
    )
    return with_mended(replace(dataset, choices=choices))


def _with_own(dataset: Dataset, files: Sequence[str]) -> Iterator[str]:
    """Yield files, and the masks and tables of the volumes among them, unless others have them.

    Without their volume they would be taken for those of another case.
    """
    yield from files
    gone = set(files)
    kept: set[PurePosixPath] = set()
    lost: list[PurePosixPath] = []
    for item in dataset.items if gone else ():
        own = [*(mask.relative for mask in item.masks), *(one.relative for one in item.tables)]
        if item.volume is not None and str(item.volume.relative) in gone:
            lost += own
        else:
            kept.update(own)
    yield from (str(file) for file in lost if file not in kept)


def with_mended(dataset: Dataset, mended: Iterable[Mended] = ()) -> Dataset:
    """Return a dataset anew, with mended files in the place of those on disk.

    Earlier repairs stay. What else was read is not read again.
    """
    together = {found.relative: found for found in dataset.mended}
    for found in mended:
        together[found.relative] = found.after(together.get(found.relative))
    source = _with_files(dataset.source, together.values())
    anew = _dataset(Scanner(source, dataset.choices, together, _images(dataset)))
    kept = {image for image in _images(anew).values() if image.relative not in together}
    anew.memory |= {
        key: known
        for key, known in dataset.memory.items()
        if isinstance(key, tuple) and key[1] in kept
    }
    return anew


def _with_files(source: Source, mended: Iterable[Mended]) -> Source:
    """Return a source without the files that are gone, and with those that repairs made."""
    files = set(source.files)
    for found in mended:
        if found.content is None:
            files.discard(found.relative)
        else:
            files.add(found.relative)
    if files == set(source.files):
        return source
    ordered = tuple(sorted(files, key=lambda file: (str(file).casefold(), str(file))))
    return replace(source, files=ordered, original=source)


def _dataset(scanner: Scanner) -> Dataset:
    class_map = scanner.class_map()
    mapping = scanner.mapping()
    return Dataset(
        scanner.source,
        scanner.layout,
        tuple(with_written_names(scanner.grouping.items, class_map)),
        scanner.unused(),
        class_map,
        mapping,
        1 if scanner.choices.score_base is None else scanner.choices.score_base,
        tuple(scanner.findings),
        scanner.choices,
        tuple(scanner.mended.values()),
        scanner.proposal,
    )


def _images(dataset: Dataset) -> dict[PurePosixPath, ImageFile]:
    found = [image for item in dataset.items for image in item.images]
    return {image.relative: image for image in found}


def _one_of(name: str, value: object, choices: Iterable[object]) -> None:
    if value not in choices:
        expected = ", ".join(map(repr, choices))
        raise BadSource(f"{name} has no such choice", found=repr(value), expected=expected)
