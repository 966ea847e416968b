"""The rule that annotation files of one volume share no voxel.

Where each file has labels is kept from the reading that found its labels; only what is too much
to be kept is read again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import Cutout, Grid, Orientation, placed_on
from nifti_kit.core.text import counted
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.reading import MARKS_BYTES
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey
from nifti_kit.formats.components import CloserLook
from nifti_kit.formats.labels import FLOAT32_WHOLE, Box, common_box, label_frames
from nifti_kit.formats.marks import NOTHING, Extents, Marks, MarksKept, Room, extents_of, in_frame
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.runs import Runs, runs_of

OPEN_FILES = 100
"""Files read side by side: systems allow 256 or more at once, and each holds a frame."""

PIECES_AT_ONCE = 1 << 14
"""Pieces of a frame counted in one product: 100 files take 6 MB."""

AS_STORED = Orientation((0, 1, 2), (False, False, False))

Pair = tuple[int, int]
Mask = npt.NDArray[np.uint8]
"""1 where a file has labels."""

Looks = Mapping[ImageFile, CloserLook]


@rule("looks", "masks")
def masks_overlap(looks: Looks, survey: ItemSurvey) -> Iterator[Finding]:
    """No voxel is in two annotation files of one volume."""
    overlaps: dict[Pair, _Overlap] = {}
    for lattice in _lattices(survey, looks):
        overlaps |= _overlaps(lattice, looks)
    for (one, other), overlap in sorted(overlaps.items()):
        yield _overlapping(survey.masks[one], survey.masks[other], overlap)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A mask in the voxel order of its lattice."""

    position: int  # which mask of the item it is
    survey: MaskSurvey
    orientation: Orientation  # from its own voxel order
    cutout: Cutout  # where its voxels are in the common grid

    @cached_property
    def own_box(self) -> Box:
        """What holds all its labels, in its own order."""
        assert self.survey.labels is not None
        return common_box(label.box for label in self.survey.labels.labels)

    @cached_property
    def box(self) -> Box:
        """What holds all its labels, in the common order."""
        shape = self.survey.mask.grid.shape
        return self.cutout.moved(self.orientation.apply_box(self.own_box, shape))

    @property
    def is_streamed(self) -> bool:
        """True where its frames are those of the common grid."""
        whole = self.survey.mask.grid.shape == self.cutout.shape
        return whole and self.orientation == AS_STORED


@dataclass
class _Overlap:
    """The voxels of a pair of files, and the first of them in the second one's file order."""

    voxels: int
    first: tuple[int, int, int]


def _lattices(survey: ItemSurvey, looks: Looks) -> list[list[_Placed]]:
    """Return the masks that have labels, grouped by the voxels that they share.

    The common grid is that of the first of them, or the volume's where that covers a part of it.
    """
    commons: list[Grid] = []
    lattices: list[list[_Placed]] = []
    for position, mask in enumerate(survey.masks):
        grid = mask.mask.grid
        usable = mask.mask.image in looks and not grid.problem
        if not usable or mask.labels is None or not mask.labels.labels:
            continue
        found = ((at, placed_on(grid, common)) for at, common in enumerate(commons))
        inside = [(at, p) for at, p in found if p is not None and p.is_inside(commons[at].shape)]
        if not inside:
            commons.append(_common(survey.item, mask))
            lattices.append([])
        at, place = inside[0] if inside else (len(commons) - 1, placed_on(grid, commons[-1]))
        assert place is not None  # it is the volume's, or the grid's own
        cutout = Cutout(commons[at].shape, place.first)
        lattices[at].append(_Placed(position, mask, place.orientation, cutout))
    return lattices


def _common(item: Item, mask: MaskSurvey) -> Grid:
    """Return the volume's grid for a part of it; else a mask's own."""
    is_part = item.volume is not None and mask.cutout is not None
    if item.volume is None or not is_part or placed_on(mask.mask.grid, item.volume.grid) is None:
        return mask.mask.grid
    return item.volume.grid


def _meet(one: Box, other: Box) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def _overlaps(lattice: Sequence[_Placed], looks: Looks) -> dict[Pair, _Overlap]:
    """Return the overlap of each pair of masks that share voxels."""
    open_pairs = {
        (a.position, b.position) for a, b in combinations(lattice, 2) if _meet(a.box, b.box)
    }
    needed = {position for pair in open_pairs for position in pair}
    room = Room(MARKS_BYTES)
    sources = [_Source(p, looks, room) for p in lattice if p.position in needed]
    found: dict[Pair, _Overlap] = {}
    for team in _teams(sources):
        positions = {source.placed.position for source in team}
        now = {pair for pair in open_pairs if positions.issuperset(pair)}
        open_pairs -= now
        asked = {position for pair in now for position in pair}
        if asked:
            found |= _count([s for s in team if s.placed.position in asked], now)
    return found


class _Source:
    """Where a mask has labels, frame by frame in the common order: from memory, or its file."""

    def __init__(self, placed: _Placed, looks: Looks, room: Room) -> None:
        self.placed = placed
        self._marks = looks[placed.survey.mask.image].marks
        if self._marks is not None and not placed.is_streamed:
            self._marks = self._reordered(self._marks, room)

    @property
    def is_kept(self) -> bool:
        """True where its file need not be read again."""
        return self._marks is not None

    def _reordered(self, marks: Marks, room: Room) -> Marks | None:
        image, shape = self.placed.survey.mask.image, self.placed.cutout.shape
        frames = (_painted(marks.frame(k), image.shape[:2]) for k in range(image.shape[2]))
        inside, kept = self._held(frames), MarksKept(shape, room)
        for k in range(shape[2]):
            if (runs := self._runs(inside, k)) is not None:
                kept.add(runs)
        return kept.result()

    def _held(self, frames: Iterable[npt.NDArray[Any]]) -> Mask:
        """Return where the mask has labels, within its box, in the common order."""
        i, j, depth = self.placed.own_box
        shape = (i.stop - i.start, j.stop - j.start, depth.stop - depth.start)
        inside = np.zeros(shape, dtype=np.uint8)
        for k, frame in enumerate(frames):
            if depth.start <= k < depth.stop:
                inside[:, :, k - depth.start] = frame[i, j] > 0
        return self.placed.orientation.apply(inside)

    def _runs(self, inside: Mask, k: int) -> Runs | None:
        """Return the runs of what is held, of a frame of the common grid."""
        i, j, depth = self.placed.box
        runs = None
        if depth.start <= k < depth.stop:
            runs = runs_of(inside[:, :, k - depth.start, np.newaxis])
        return None if runs is None else runs.moved(i.start, j.start, k)

    def frames(self) -> Generator[Extents]:
        """Yield where the mask has labels in each frame of the common grid."""
        image, shape = self.placed.survey.mask.image, self.placed.cutout.shape
        if self._marks is not None:
            yield from map(self._marks.frame, range(shape[2]))
        elif self.placed.is_streamed:
            yield from map(extents_of, label_frames(image))
        else:
            inside = self._held(label_frames(image))
            for k in range(shape[2]):
                runs = self._runs(inside, k)
                yield NOTHING if runs is None else in_frame(runs, shape[0])


def _painted(extents: Extents, shape: tuple[int, int]) -> Mask:
    """Return a frame of which the extents are 1."""
    start, stop = extents
    steps = np.zeros(shape[0] * shape[1] + 1, dtype=np.int8)
    steps[start] += 1
    steps[stop] -= 1
    return steps[:-1].cumsum(dtype=np.uint8).reshape(shape, order="F")


def _teams(sources: Sequence[_Source]) -> Iterator[list[_Source]]:
    """Yield sets of masks to be gone through side by side, so that every pair is in one of them.

    What is kept is in all of them. Of what is read again, masks in the common order are streamed;
    of those in another one at most two are held at once.
    """
    kept = [source for source in sources if source.is_kept]
    again = [source for source in sources if not source.is_kept]
    streamed = [source for source in again if source.placed.is_streamed]
    held = [source for source in again if not source.placed.is_streamed]
    if len(streamed) <= OPEN_FILES:
        yield kept + streamed
    else:
        blocks = _blocks(streamed, OPEN_FILES // 2)
        yield from (kept + a + b for a, b in combinations(blocks, 2))
    for number, source in enumerate(held):
        yield [*kept, source]
        yield from ([*block, source] for block in _blocks(streamed, OPEN_FILES - 1))
        yield from ([source, other] for other in held[number + 1 :])


def _blocks(sources: list[_Source], size: int) -> list[list[_Source]]:
    return [sources[at : at + size] for at in range(0, len(sources), size)]


def _count(team: Sequence[_Source], pairs: set[Pair]) -> dict[Pair, _Overlap]:
    """Return the overlaps of the given pairs, frame by frame in the common order."""
    team = sorted(team, key=lambda source: source.placed.position)
    end = max(source.placed.box[2].stop for source in team)
    found: dict[Pair, _Overlap] = {}
    with ExitStack() as stack:
        sources = [stack.enter_context(closing(source.frames())) for source in team]
        for k, frames in zip(range(end), zip(*sources, strict=True), strict=False):
            there = [row for row, (start, _) in enumerate(frames) if len(start)]
            extents = [frames[row] for row in there]
            if not _is_shared(extents):
                continue
            placed = [team[row].placed for row in there]
            for (row, other), pixel, count in _shared(extents):
                one, second = placed[row], placed[other]
                pair = (one.position, second.position)
                if pair not in pairs:
                    continue
                if pair not in found:
                    rows = second.cutout.shape[0]
                    voxel = (pixel % rows, pixel // rows, k)
                    found[pair] = _Overlap(0, _in_file(second, voxel))
                found[pair].voxels += count
    return found


def _is_shared(frames: Sequence[Extents]) -> bool:
    """Say whether any pixel is in two masks: one then begins before all those before it end."""
    if len(frames) < len(("one", "other")):
        return False
    starts, stops = (np.sort(np.concatenate(ends)) for ends in zip(*frames, strict=True))
    return bool((starts[1:] < stops[:-1]).any())


def _shared(frames: Sequence[Extents]) -> Iterator[tuple[Pair, int, int]]:
    """Yield the pairs of masks that share pixels of a frame, the first of these, their number."""
    edges = _edges(frames)
    steps = np.zeros((len(frames), len(edges)), dtype=np.int8)
    for row, (start, stop) in enumerate(frames):
        steps[row, np.searchsorted(edges, start)] += 1
        steps[row, np.searchsorted(edges, stop)] -= 1
    inside = steps.cumsum(axis=1, dtype=np.int8)[:, :-1]  # from each edge to the next
    several = np.flatnonzero(inside.sum(axis=0) > 1)
    inside, first, sizes = inside[:, several] > 0, edges[several], np.diff(edges)[several]
    counts = _together(inside, sizes)
    for row, other in np.argwhere(np.triu(counts, 1)).tolist():
        pixel = first[int((inside[row] & inside[other]).argmax())]
        yield (row, other), int(pixel), int(counts[row, other])


def _edges(frames: Sequence[Extents]) -> npt.NDArray[np.int64]:
    """Return where anything begins or ends in a frame, in rising order."""
    is_edge = np.zeros(max(int(stop[-1]) for _, stop in frames) + 1, dtype=bool)
    for start, stop in frames:
        is_edge[start] = is_edge[stop] = True
    return np.flatnonzero(is_edge)


def _together(inside: npt.NDArray[np.bool_], sizes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return how many pixels each two masks (rows) share, of pieces (columns) of these sizes."""
    kind = np.float32 if sizes.sum() <= FLOAT32_WHOLE else np.float64
    sizes = sizes.astype(kind)
    counts = np.zeros((len(inside), len(inside)), dtype=np.int64)
    for at in range(0, len(sizes), PIECES_AT_ONCE):
        some = inside[:, at : at + PIECES_AT_ONCE].astype(kind)
        counts += ((some * sizes[at : at + PIECES_AT_ONCE]) @ some.T).astype(np.int64)
    return counts


def _in_file(placed: _Placed, voxel: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return a voxel's indices in a mask's own file order."""
    to_file = placed.orientation.index_map(placed.survey.mask.grid.shape)
    own = np.subtract(voxel, placed.cutout.first)
    i, j, k = (to_file @ [*own, 1])[:3].astype(int).tolist()
    return (i, j, k)


def _overlapping(one: MaskSurvey, other: MaskSurvey, overlap: _Overlap) -> Finding:
    sizes = {
        survey.mask.relative.name: sum(label.voxels for label in survey.labels.labels)
        for survey in (other, one)
        if survey.labels
    }
    inner = [name for name, voxels in sizes.items() if voxels == overlap.voxels]
    whole = f", all of {inner[0]}" if inner else ""
    verb = "is" if overlap.voxels == 1 else "are"
    message = (
        f"{_named(one)} and {_named(other)}: {counted(overlap.voxels, 'voxel')} {verb} in both"
        f"{whole}"
    )
    return finding("masks-overlap", other.mask.relative, message, voxel=overlap.first)


def _named(survey: MaskSurvey) -> str:
    """Return a mask's file name and class: by its file name, or by its index."""
    mask = survey.mask
    if mask.class_name is not None:
        return f"{mask.relative.name} ({mask.class_name})"
    return f"{mask.relative.name} (index {mask.index})" if mask.index else mask.relative.name
