"""Folders of volumes, masks and scores in the specification's layouts, drawn by chance.

Written with nibabel and numpy alone; any mask may lie in another voxel order than its volume, cover
a part of it, and be stored in another type and byte order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from hypothesis import strategies as st

from tests.support.builders import write_nifti
from tests.support.handmade import write_array

SHAPE = (5, 6, 7)

ORDERS = [
    (axes, flips)
    for axes in itertools.permutations((0, 1, 2))
    for flips in itertools.product((1, -1), repeat=3)
]

VOXELS = [(2.0, 3.0, 5.0), (0.4, 0.4, 9.0), (3.0, 0.7, 0.7)]
"""Voxel sizes (mm); the slices of the second are thick."""

KINDS: list[dict[str, Any]] = [
    {"dtype": "u1"}, {"dtype": "i2"}, {"dtype": "f4"}, {"dtype": "u2", "order": ">"},
    {"dtype": "f8", "order": ">"}, {"dtype": "u1", "scl_slope": 0.5}, {"dtype": "i8"},
]  # fmt: skip
"""Types, byte orders and scalings of label maps."""

CELLS = ["0.8", "1", "0.1234", "", " "]
COMMENTS = ["", "", "fine", '"a, ""b"""', "größer"]

FOLDERS = ["", "item 1", "deep/item_2"]
"""Sets of planes stand in folders of their own; the same names in each."""


@dataclass
class Image:
    """An array in RAS+ order that a file holds in another one."""

    array: np.ndarray
    affine: np.ndarray

    def stored(self, order: tuple[Any, Any]) -> Image:
        """Return it as a file with this voxel order holds it."""
        axes, flips = order
        affine = self.affine.copy()
        for new, (old, step) in enumerate(zip(axes, flips, strict=True)):
            affine[:3, new] = step * self.affine[:3, old]
            if step < 0:
                affine[:3, 3] += self.affine[:3, old] * (self.array.shape[old] - 1)
        steps = tuple(slice(None, None, step) for step in flips)
        return Image(self.array.transpose(axes)[steps], affine)

    def part(self) -> Image:
        """Return it without the planes at its ends that are empty."""
        found = np.nonzero(self.array)
        box = tuple(slice(int(one.min()), int(one.max()) + 1) for one in found)
        affine = self.affine.copy()
        affine[:3, 3] = (self.affine @ [*(side.start for side in box), 1])[:3]
        return Image(self.array[box], affine)


@dataclass
class Mask:
    """Labels with the values of ``boxes``; ``name`` is a class, or the end of a name by plane."""

    name: str
    boxes: dict[int, tuple[tuple[int, int], ...]]
    order: Any
    kind: dict[str, Any]
    is_part: bool
    scores: dict[int, list[str]]

    def labels(self) -> np.ndarray:
        found = np.zeros(SHAPE, dtype=np.int16)
        for value, box in self.boxes.items():
            found[tuple(slice(*side) for side in box)] = value
        return found


@dataclass
class Case:
    """A volume with its masks: ``stem`` is that of its file, ``folder`` that of its set."""

    folder: str
    stem: str
    affine: np.ndarray
    order: Any
    masks: list[Mask]


@dataclass
class Source:
    """``layout`` is by_volume, semantic or instance; ``entries`` those of the class map."""

    layout: str
    cases: list[Case]
    entries: list[tuple[int, str]]


def sources(layout: str) -> st.SearchStrategy[Source]:
    """Return sources of a layout, with one to three volumes in one or two folders."""
    return st.composite(_draw)(layout)


def _box(draw: Any) -> tuple[tuple[int, int], ...]:
    first = [draw(st.integers(0, size - 3)) for size in SHAPE]
    return tuple((at, at + draw(st.integers(1, 3))) for at in first)


def _mask(draw: Any, name: str, values: tuple[int, ...], *, scored: bool) -> Mask:
    boxes = {value: _box(draw) for value in draw(st.lists(st.sampled_from(values), min_size=1,
                                                          max_size=3, unique=True))}  # fmt: skip
    kind = draw(st.sampled_from(KINDS))
    is_part = draw(st.booleans()) and not scored
    mask = Mask(name, boxes, draw(st.sampled_from(ORDERS)), kind, is_part, {})
    if scored:
        there = sorted(set(np.unique(mask.labels()).tolist()) - {0})
        for layer in draw(st.sets(st.integers(1, 5), max_size=2)):
            mask.scores[layer] = [
                cell
                for _ in there
                for cell in (draw(st.sampled_from(CELLS)), draw(st.sampled_from(COMMENTS)))
            ]
    return mask


def _draw(draw: Any, layout: str) -> Source:
    by_volume = layout == "by_volume"
    folders = draw(st.lists(st.sampled_from(FOLDERS[1:]), min_size=1, max_size=2, unique=True))
    stems = ("knee", "Hip joint") if by_volume else ("axl_anatomic", "cor_anatomic", "sag_anatomic")
    cases = []
    for folder, stem in itertools.product([""] if by_volume else folders, stems):
        affine = np.eye(4)
        turn = draw(st.sampled_from([0.0, 0.21]))
        turned = nib.eulerangles.euler2mat(z=turn, y=-turn / 2, x=turn / 3)
        affine[:3, :3] = turned @ np.diag(draw(st.sampled_from(VOXELS)))
        affine[:3, 3] = -13.25, 7.625, 41.3125
        order = draw(st.sampled_from(ORDERS))
        if by_volume:
            names = draw(
                st.lists(st.sampled_from(["Tibia", "cortex", "a b"]), max_size=3, unique=True)
            )
            masks = [_mask(draw, name, (1, 2, 7, 300), scored=False) for name in names]
        elif layout == "semantic":
            masks = [_mask(draw, "_inference", (1, 3, 9, 300), scored=True)]
        else:
            indices = draw(
                st.lists(st.sampled_from([1, 2, 5]), min_size=1, max_size=3, unique=True)
            )
            masks = [_mask(draw, f"_inference_{i}", (1, 2, 3), scored=True) for i in indices]
        for mask in masks:
            if mask.kind["dtype"] == "u1" and max(mask.boxes) > 100:
                mask.kind = KINDS[1]
            if mask.scores:  # a table counts the frames of both files, which are the same
                mask.order = order
        cases.append(Case(folder, stem, affine, order, masks))
    values = [] if by_volume else [1, 2, 3, 5, 9, 300, 12]
    return Source(layout, cases, [(value, f"Class {value} of it") for value in values])


def write_source(source: Source, folder: Path) -> Path:
    """Write a source; return its folder."""
    for number, case in enumerate(source.cases):
        place = folder / case.folder
        ramp = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) + np.int16(number)
        image = Image(ramp, case.affine).stored(case.order)
        write_nifti(place / f"{case.stem}.nii.gz", image.array, image.affine, sform=1, qform=1)
        for mask in case.masks:
            if source.layout == "by_volume":
                path = place / case.stem / f"{mask.name}.nii.gz"
            else:
                path = place / f"{case.stem.removesuffix('_anatomic')}{mask.name}.nii.gz"
            _write_mask(path, mask, case)
    if source.entries:
        lines = [f"{value} {name} {value % 256} 10 20\n" for value, name in source.entries]
        (folder / "cls_color_map.txt").write_text("".join(lines))
    return folder


def _write_mask(path: Path, mask: Mask, case: Case) -> None:
    image = Image(mask.labels(), case.affine)
    image = (image.part() if mask.is_part else image).stored(mask.order)
    kind = dict(mask.kind)
    array = (image.array / kind.get("scl_slope", 1)).astype(kind.pop("dtype"))
    write_array(path, array, affine=image.affine, packed=True, descrip=b"drawn", **kind)
    if mask.scores:
        values = sorted(set(np.unique(mask.labels()).tolist()) - {0})
        head = "Layer, " + ", ".join(f"Label-{value}, Comment-{value}" for value in values)
        rows = [f"{layer}, " + ", ".join(cells) for layer, cells in sorted(mask.scores.items())]
        name = path.name.replace("inference", "score").replace(".nii.gz", ".csv")
        path.with_name(name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
