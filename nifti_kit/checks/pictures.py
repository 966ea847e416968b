"""Pictures: a small picture of the place that a finding speaks of.

One volume slice and one mask are in memory at a time, whatever the size of the volume. Pictures
follow the radiological convention, as :mod:`nifti_kit.render.scene` has it, in the volume's RAS+
order.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from nifti_kit.checks.measures import ClassOutlier, outliers_behind
from nifti_kit.core.findings import Finding
from nifti_kit.core.geometry import PLANES, Grid
from nifti_kit.core.html import Illustration
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import ImageFile, iter_frames
from nifti_kit.formats.volumes import read_slices, slice_box
from nifti_kit.render import Layer, Scene
from nifti_kit.render.paint import Pixels, grey_pane, outline_of
from nifti_kit.render.panes import Pane
from nifti_kit.render.picture import write_sides
from nifti_kit.render.position import (
    Points,
    best_slice,
    indices_in,
    labelled,
    telling_plane,
    within,
)
from nifti_kit.render.scene import AXIAL, BY_NORMAL, CORONAL, SAGITTAL, Color, Mask, Plane
from nifti_kit.render.strips import strip

MISALIGNED = frozenset(
    (
        *(
            "mask-axes-exchanged",
            "mask-header-lost",
            "mask-header-inexact",
            "mask-translated",
            "mask-mirrored",
        ),
        *("mask-resampled", "mask-apart", "mask-reoriented", "mask-cropped"),
    )
)
"""Codes about where a mask lies: both places are drawn."""

LONGEST = 240
"""The longer side of a picture (pixels): three stand beside each other in a report."""

LARGE = 420
"""The same where one stands alone, or two beside each other, in an app."""

NARROWEST = 60
"""A picture is at least as wide and high, with black beside it: letters and marks need it."""

MAX_SIDE = 512
"""A longer side of a slice is sampled: more than two voxels a pixel are not seen."""

MAX_MASK_VOXELS = 2**28
"""A larger mask is sampled: its voxels take a byte each (256 MB)."""

EDGE, BOX = (0, 0, 0), (120, 126, 134)
"""What stands around a ring, and the volume's box in a schematic."""

MARK: Color = (255, 214, 10)
"""Yellow: the ring around a finding's voxel."""

RING = 9
"""Radius of that ring (pixels)."""

OWN: Color = (255, 59, 48)
"""Red: where a mask's own header puts it."""

ASSUMED: Color = (0, 229, 255)
"""Cyan, dashed: where a mask would be with its volume's header."""

FILL = 0.25
"""Of a mask's colour over the image: the grey values stay visible under it."""

DASH = 4
"""Pixels of a dash, and of the gap after it."""

COVERED = 80
"""Of 255: a pixel of which a mask covers as much is in it; thin structures stay in view."""

MARGIN = 24
"""Around the two boxes of a schematic (pixels): the letters stand there."""

FARTHEST_MM = 1e9
"""Images further from the scanner than a thousand kilometres are not drawn (mm)."""

TIE = 1e-6
"""Voxels that are as near to the middle of a slice, but for rounding (voxels)."""

DOT = 3
"""Half the size of a box in a schematic, at least (pixels): far apart, boxes become points."""


@dataclass(frozen=True)
class Illustrator:
    """Draws findings of a dataset: call it with one.

    It returns the picture of the slice where the fault is seen best; None where the finding is
    about no item's file, or its files cannot be read or placed.
    """

    dataset: Dataset
    longest: int = LONGEST

    def __call__(self, found: Finding) -> Illustration | None:
        """Return the picture of a finding, or None."""
        subject = self._subject(found.path)
        if subject is None:
            return None
        subject = replace(subject, longest=self.longest)
        behind = outliers_behind(self.dataset, found)
        if behind:
            subject = subject.showing(behind[0])
        try:
            # Grey values may be anything: NaN, infinite, or too large for a difference.
            with np.errstate(all="ignore"):
                return _with_strip(_drawn(subject, found), behind)
        except NiftiKitError:
            return None  # the finding itself, or another one, says what is wrong with the file

    def _subject(self, path: str) -> _Subject | None:
        for item in self.dataset.items if path else ():
            if item.volume is not None and str(item.volume.relative) == path:
                return _Subject.of(item, None, about=item.volume)
            for mask in item.masks:
                if str(mask.relative) == path:
                    return _Subject.of(item, mask.image, about=mask.image)
            for table in item.tables:
                if str(table.relative) == path:
                    own = [mask for mask in item.masks if mask.index == table.index]
                    masks = own or list(item.masks)
                    return _Subject.of(item, masks[0].image if masks else None, about=None)
        return None


@dataclass(frozen=True)
class _Subject:
    """What is drawn: ``base`` is the volume, or the mask itself where there is none.

    ``about`` is the image that a finding's voxel counts in, ``value`` the only label of the mask
    that is drawn; 0 for all.
    """

    base: ImageFile
    volume: ImageFile | None
    mask: ImageFile | None
    about: ImageFile | None
    plane: Plane
    value: int = 0
    longest: int = LONGEST

    def showing(self, outlier: ClassOutlier) -> _Subject:
        """Return what shows a class that stands out: it alone, in a plane that shows its place."""
        number, plane = outlier.number, self.plane
        if number.measure == "place" and plane.normal == number.axis:
            plane = AXIAL if plane is not AXIAL else CORONAL
        return replace(self, plane=plane, value=outlier.value)

    @classmethod
    def of(cls, item: Item, mask: ImageFile | None, about: ImageFile | None) -> _Subject | None:
        base = item.volume or mask
        if base is None or not all(_can_be_placed(image) for image in (base, mask or base)):
            return None
        plane = BY_NORMAL[PLANES[item.plane]] if item.plane else AXIAL
        return cls(base, item.volume, mask, about, plane)


def _can_be_placed(image: ImageFile) -> bool:
    grid = image.grid
    return not grid.problem and bool(np.abs(_whole(grid)).max() < FARTHEST_MM)


class _View(NamedTuple):
    """Which slice is drawn, and why; ``at`` is the RAS+ voxel to mark, or None."""

    plane: Plane
    position: int
    why: str
    at: Points | None = None


def _drawn(subject: _Subject, found: Finding) -> Illustration:
    masks = _masks(subject, misplaced=found.code in MISALIGNED)
    ras = subject.base.grid.to_ras()
    places = [indices_in(ras, mask.grid.world(labelled(mask)[0])) for mask in masks]
    view = _marked(subject, found, ras)
    pair = subject.volume is not None and subject.mask is not None
    if view is None and pair and _is_elsewhere(found, places, ras):
        return _schematic(subject.base.grid, masks[0], subject.longest)
    view = view or _fullest(subject.plane, ras, places)
    picture, scene = _slice_picture(subject, view, masks)
    where = f"{view.plane.title} slice at {scene.place(view.plane.normal)}, {view.why}."
    at = view.plane.code, _middle(view, places, ras)
    return _illustration(picture, where + _legend(masks, places, subject.base.grid), at)


def _middle(view: _View, places: Sequence[Points], ras: Grid) -> tuple[float, float, float]:
    """Return what a person looks at in a slice (RAS+ mm): its mark, else a voxel of the mask."""
    normal = view.plane.normal
    seen = [np.empty((0, 3), np.int64) if view.at is None else view.at[None]]
    seen += [within(place, ras) for place in places]
    inside = [points[points[:, normal] == view.position] for points in seen]
    points = next(filter(len, inside), np.array([ras.shape]) // 2)
    away = np.abs(points - points.mean(axis=0)).sum(axis=1)
    at = min(points[away <= away.min() + TIE].tolist())  # whatever their order in the file
    at[normal] = view.position
    x, y, z = ras.world(at).tolist()
    return x, y, z


def _masks(subject: _Subject, *, misplaced: bool) -> list[Mask]:
    """Return the mask where its header puts it and, if misplaced, where the volume's would."""
    if subject.mask is None:
        return []
    own = _inside(subject.mask, subject.value)
    if not misplaced or subject.mask.shape != subject.base.shape or subject.volume is None:
        return [own]
    step = math.ceil(subject.mask.shape[0] / own.inside.shape[0])
    assumed = _sampled(subject.volume.grid, (step,) * 3, own.inside.shape)
    return [own, Mask("assumed", ASSUMED, own.inside, assumed)]


def _inside(image: ImageFile, value: int = 0) -> Mask:
    """Return where a label map is not 0, or has a value; one byte a voxel, a large one sampled."""
    step = math.ceil((math.prod(image.shape) / MAX_MASK_VOXELS) ** (1 / 3))
    step = max(1, step)
    inside = np.empty([math.ceil(size / step) for size in image.shape], dtype=bool, order="F")
    for k, frame in enumerate(iter_frames(image)):
        if k % step == 0:
            inside[:, :, k // step] = _is_label(frame[::step, ::step], image, value)
    return Mask("own", OWN, inside, _sampled(image.grid, (step,) * 3, inside.shape))


def _is_label(stored: npt.NDArray[Any], image: ImageFile, value: int) -> npt.NDArray[np.bool_]:
    if stored.dtype.kind != "f" and not image.is_scaled:
        return np.asarray(stored == value if value else stored != 0)
    values = np.rint(stored.astype(np.float64) * image.slope + image.intercept)
    return np.asarray(values == value if value else np.isfinite(values) & (values != 0))


def _sampled(grid: Grid, step: Sequence[int], shape: Sequence[int]) -> Grid:
    """Return the grid of one in so many voxels along each axis, from the first on."""
    affine = grid.affine.copy()
    affine[:3, :3] *= step
    return Grid((shape[0], shape[1], shape[2]), affine)


def _is_elsewhere(found: Finding, places: Sequence[Points], ras: Grid) -> bool:
    """Say whether there are labelled voxels, and a slice would not show where."""
    if found.code == "mask-apart":
        return True
    return any(map(len, places)) and not any(len(within(place, ras)) for place in places)


def _marked(subject: _Subject, found: Finding, ras: Grid) -> _View | None:
    """Return the slice through the finding's own voxel, if it has one in view."""
    if found.voxel is None or subject.about is None:
        return None
    at = within(indices_in(ras, subject.about.grid.world([found.voxel])), ras)
    if not len(at):
        return None
    i, j, k = found.voxel
    why = f"through voxel {i}, {j}, {k} of the file (ring)"
    return _View(subject.plane, int(at[0][subject.plane.normal]), why, at[0])


def _fullest(plane: Plane, ras: Grid, places: Sequence[Points]) -> _View:
    """Return the slice with most labelled voxels, of all places together; else the middle."""
    if len(places) > 1 and len(places[0]):
        plane = telling_plane(plane, ras, places)
    size = ras.shape[plane.normal]
    seen = [within(place, ras)[:, plane.normal] for place in places]
    why = "where most voxels are labelled" if any(map(len, seen)) else "in the middle"
    areas = [np.bincount(found, minlength=size) for found in seen]
    return _View(plane, best_slice(areas, size), why)


def _legend(masks: Sequence[Mask], places: Sequence[Points], base: Grid) -> str:
    if not masks:
        return ""
    if not len(places[0]):
        return " The mask has no labelled voxel."
    if len(masks) == 1:
        return " Red: the mask."
    unseen, ras = "", base.to_ras()
    if not len(within(places[0], ras)):
        away = np.linalg.norm(_gap(_whole(base), ras.world(places[0])))
        unseen = f", {away:,.1f} mm outside of the volume"
    return (
        f" Red: where the mask's own header puts it{unseen}. "
        "Cyan, dashed: where it would be with the volume's header."
    )


def _slice_picture(subject: _Subject, view: _View, masks: Iterable[Mask]) -> tuple[Pixels, Scene]:
    """Return the picture of a slice, and the scene it shows."""
    voxels, grid = _slice(subject.base, view)
    if subject.volume is None:
        voxels = np.zeros(voxels.shape)  # a mask without a volume: its own values are no greys
    scene = Scene.of(voxels, grid)
    pixels, pane = _masked(scene, view.plane, masks, subject.longest)
    if view.at is not None:
        sizes = subject.base.grid.to_ras().shape
        across = 1 - (view.at[view.plane.across] + 0.5) / sizes[view.plane.across]
        up = 1 - (view.at[view.plane.up] + 0.5) / sizes[view.plane.up]
        pixels = _ringed(pixels, pane.left + across * pane.width, pane.top + up * pane.height)
    write_sides(pixels, view.plane)
    return pixels, scene


def _masked(
    scene: Scene, plane: Plane, masks: Iterable[Mask], longest: int = LONGEST
) -> tuple[Pixels, Pane]:
    """Return a slice with masks over it, and its place in the picture."""
    pane, voxels = Pane.whole(scene.grid, plane, longest), Pane.whole(scene.grid, plane)
    width, height = max(pane.width, NARROWEST), max(pane.height, NARROWEST)
    pane = replace(pane, left=(width - pane.width) // 2, top=(height - pane.height) // 2)
    pixels, index = np.zeros((height, width, 3), np.uint8), scene.position[plane.normal]
    part = pixels[pane.top : pane.top + pane.height, pane.left : pane.left + pane.width]
    part[...] = grey_pane(scene.volume, pane, index, scene.limits)[..., None]
    for mask in masks:
        section = Layer.of_mask(mask).section(scene.grid, voxels, index)
        covered = Image.fromarray(section * np.uint8(255)).resize(
            (pane.width, pane.height), Image.Resampling.BOX
        )
        _paint(part, np.asarray(covered) >= COVERED, mask.color, dashed=mask.color == ASSUMED)
    return pixels, pane


def two_masks(
    voxels: npt.NDArray[Any], grid: Grid, axis: int, masks: tuple[Mask | None, Mask | None]
) -> Illustration:
    """Return the picture of a slice with two masks over it: red, and cyan and dashed.

    ``voxels``: grey values (i, j, k) of one slice, in any order of axes.
    ``grid``: where they are (RAS+ mm).
    ``axis``: the RAS+ axis along which there is one.
    ``masks``: the two masks; None where there is none.
    """
    plane = BY_NORMAL[axis]
    colored = zip(masks, (OWN, ASSUMED), strict=True)
    drawn = [replace(mask, color=color) for mask, color in colored if mask is not None]
    with np.errstate(all="ignore"):  # grey values may be anything
        scene = Scene.of(voxels, grid)
        pixels, _ = _masked(scene, plane, drawn)
    write_sides(pixels, plane)
    return _illustration(pixels, f"{plane.title} slice at {scene.place(axis)}.")


def _slice(image: ImageFile, view: _View) -> tuple[npt.NDArray[np.float64], Grid]:
    """Return the values of a slice (i, j, k), one of them of length 1, and its grid.

    The file is read frame by frame; nothing but the slice is kept.
    """
    box = slice_box(image.grid, view.plane.normal, view.position)
    ((stored, grid),) = read_slices(iter_frames(image), image.grid, [box])
    i, j, k = step = [max(1, math.ceil(size / MAX_SIDE)) for size in stored.shape]
    values = stored[::i, ::j, ::k] * image.slope + image.intercept
    return values, _sampled(grid, step, values.shape)


def _paint(part: Pixels, inside: npt.NDArray[np.bool_], color: Color, *, dashed: bool) -> None:
    """Draw a mask over a picture (rows, columns, RGB): its outline and, if solid, a light fill."""
    outline = outline_of(np.pad(inside, 1))[1:-1, 1:-1]  # also along the picture's edge
    if dashed:
        row, column = np.indices(inside.shape)
        # A chessboard: lines of every direction are dashed.
        outline &= (row // DASH + column // DASH) % 2 == 0
    else:
        part[inside] = (part[inside] * (1 - FILL) + np.array(color) * FILL).astype(np.uint8)
    part[outline] = color


def _ringed(pixels: Pixels, x: float, y: float) -> Pixels:
    picture = Image.fromarray(pixels)
    for radius, width, color in ((RING + 1, 4, EDGE), (RING, 2, MARK)):
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(picture).ellipse(box, outline=color, width=width)
    return np.array(picture)


def _schematic(volume: Grid, own: Mask, longest: int) -> Illustration:
    """Return both fields of view in world space, from the side that shows the gap."""
    points, _ = labelled(own)
    boxes = [_whole(volume), _whole(own.grid)]
    if len(points):
        boxes.append(_box(own.grid, points.min(axis=0) - 0.5, points.max(axis=0) + 0.5))
    gap = _gap(boxes[0], boxes[1])
    plane = min((CORONAL, SAGITTAL, AXIAL), key=lambda plane: gap[plane.normal])
    corners = np.concatenate(boxes)[:, [plane.across, plane.up]]
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = (longest - 2 * MARGIN) / float((high - low).max())
    size = np.maximum(np.rint((high - low) * scale).astype(int) + 2 * MARGIN, NARROWEST)
    picture = Image.new("RGB", (int(size[0]), int(size[1])))
    draw = ImageDraw.Draw(picture)
    middle = (low + high) / 2
    for box, color in zip(boxes, (BOX, OWN, OWN), strict=False):
        # Right to left and upward, as slices are drawn.
        flat = size / 2 - (box[:, [plane.across, plane.up]] - middle) * scale
        for first, second in _EDGES:
            draw.line([tuple(flat[first]), tuple(flat[second])], fill=color, width=2)
        if (flat.max(axis=0) - flat.min(axis=0)).max() < 2 * DOT:
            x, y = flat.mean(axis=0).tolist()
            draw.rectangle((x - DOT, y - DOT, x + DOT, y + DOT), fill=color)
    pixels = np.array(picture)
    write_sides(pixels, plane)
    return _illustration(pixels, _apart(plane, gap, boxes))


def _apart(plane: Plane, gap: Points, boxes: Sequence[Points]) -> str:
    """Return the caption of a schematic."""
    mm, what = float(np.linalg.norm(gap)), "the mask's field of view (red)"
    if not mm and boxes[2:]:
        mm = float(np.linalg.norm(_gap(boxes[0], boxes[-1])))
        what = "what the mask labels (the inner red box)"
    how = f"{mm:,.1f} mm from" if mm else "beside"
    return (
        f"{plane.title} view of where both lie, not of a slice: {what} is {how} its volume (grey)."
    )


_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b).bit_count() == 1]
"""Corners of a box that an edge joins: they differ in one axis."""


def _box(grid: Grid, low: npt.ArrayLike, high: npt.ArrayLike) -> Points:
    """Return the world positions (8, 3) of the corners of a box of indices (RAS+ mm)."""
    ends = np.stack([np.asarray(low, np.float64), np.asarray(high, np.float64)])
    corners = [[ends[at >> axis & 1, axis] for axis in range(3)] for at in range(8)]
    return grid.world(corners)


def _whole(grid: Grid) -> Points:
    """Return the corners of a field of view, at the outer faces of its voxels (RAS+ mm)."""
    return _box(grid, [-0.5] * 3, np.array(grid.shape) - 0.5)


def _gap(first: Points, second: Points) -> Points:
    """Return how far two sets of points lie apart along each RAS+ axis (mm); 0 where they meet."""
    between = np.maximum(first.min(0) - second.max(0), second.min(0) - first.max(0))
    return np.asarray(np.maximum(between, 0))


def _with_strip(drawn: Illustration, behind: Sequence[ClassOutlier]) -> Illustration:
    """Return a picture with the numbers of all items below it, if a class stands out."""
    if not behind:
        return drawn
    outlier, number = behind[0], behind[0].number
    # As in the picture the patient's right is on the left.
    way = -1 if number.measure == "place" and number.axis == 0 else 1
    numbers = strip(
        sorted(way * number.others),
        way * number.value,
        (outlier.told(number.value), outlier.reach),
        drawn.width,
        by_ratio=number.measure == "volume",
    )
    what = outlier.name or "all classes together"
    caption = f"{drawn.caption} Below: {what} in all items; this one is red."
    above = np.asarray(Image.open(io.BytesIO(drawn.png)))
    return _illustration(np.vstack([above, np.asarray(numbers)]), caption, drawn.at)


def _illustration(pixels: Pixels, caption: str, at: Any = None) -> Illustration:
    out, picture = io.BytesIO(), Image.fromarray(pixels)
    picture.save(out, "PNG", optimize=True)
    return Illustration(out.getvalue(), caption, *picture.size, at)
