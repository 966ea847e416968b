"""For each code about labels, overlaps and classes: what makes it fire, and what just does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import SHAPE, write_nifti
from tests.support.handmade import write_array

Case = Callable[[Path], Findings]
PLANES = ("axl", "cor", "sag")


def found(folder: Path, **choices: Any) -> Findings:
    """Return what check() finds."""
    return nk.check(nk.scan(folder, **choices))


def block(value: float = 1, dtype: str = "u1", columns: int = 3) -> np.ndarray:
    """Return a map with one block of 3 x columns x 4 voxels."""
    array = np.zeros(SHAPE, dtype)
    array[1:4, 1 : 1 + columns, 2:6] = value
    return array


def with_voxel(place: tuple[int, int, int], value: int = 1) -> np.ndarray:
    array = block()
    array[place] = value
    return array


def two_values() -> np.ndarray:
    array = block()
    array[1, 1:4, 2:6] = 2
    return array


def picture(step: int) -> np.ndarray:
    """Return 30 values, in bands of ``step`` columns."""
    return np.repeat(np.arange(1, 31, dtype="u1"), step)[:, None, None] * np.ones((1, 2, 5), "u1")


def masks(segmentation: str = "auto", **arrays: np.ndarray) -> Case:
    """Return a case: CT.nii, and beside it CT/<class>.nii for each array."""

    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii", np.zeros(next(iter(arrays.values())).shape, "i2"))
        for name, array in arrays.items():
            write_nifti(folder / "CT" / f"{name}.nii", array)
        return found(folder, segmentation=segmentation)

    return case


def scaled(of: str = "CT/lung.nii", **fields: float) -> Case:
    def case(folder: Path) -> Findings:
        for name in ("CT.nii", "CT/lung.nii"):
            write_array(folder / name, block(), **(fields if name == of else {}))
        return found(folder)

    return case


def planes(names: tuple[str, ...], classes: str = "", map_name: str = "colours.txt") -> Case:
    """Return a case: three planes, annotation files of values 1 and 2, and a class map."""

    def case(folder: Path) -> Findings:
        for plane in PLANES:
            write_nifti(folder / f"{plane}_anatomic.nii")
        for name in names:
            write_nifti(folder / f"{name}.nii", two_values())
        if classes:
            (folder / map_name).write_text(classes)
        return found(folder)

    return case


def two_maps(second: str) -> Case:
    def case(folder: Path) -> Findings:
        (folder / "class_map.txt").parent.mkdir(parents=True, exist_ok=True)
        (folder / "class_map.txt").write_text(second)
        return planes(("axl_inference",), "1 Femur\n2 Tibia\n")(folder)

    return case


def map_above(name: str, classes: str = "1 Femur\n2 Tibia\n") -> Case:
    def case(folder: Path) -> Findings:
        inner = folder / "dataset"
        inner.mkdir(parents=True)
        (folder / name).write_text(classes)
        return planes(("axl_inference",))(inner)

    return case


def in_folder(classes: str) -> Case:
    """Return a case: one label map of two values in the volume's folder, and a class map."""

    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii")
        write_nifti(folder / "CT" / "organs.nii", two_values())
        (folder / "labels.txt").write_text(classes)
        return found(folder)

    return case


def two_items(first: str, second: str) -> Case:
    def case(folder: Path) -> Findings:
        for number, name in enumerate((first, second)):
            write_nifti(folder / f"CT{number}.nii")
            write_nifti(folder / f"CT{number}" / f"{name}.nii", block())
        return found(folder)

    return case


def tiny(voxels: int) -> np.ndarray:
    array = np.zeros((20, 6, 7), "u1")
    array[:voxels, 1, 1] = 1
    return array


FEMUR_TIBIA = "1 Femur\n2 Tibia\n"
SEMANTIC = ("axl_inference",)
NUMBERED = ("axl_inference_1",)
EXPORTED = ("axl_inference", "axl_inference_2")

CASES: dict[str, tuple[Case, Case]] = {
    "labels-unusable": (masks(lung=block(0.5, "f4")), masks(lung=block(1.0, "f4"))),
    "labels-rounded": (masks(lung=block(2.0004, "f4")), masks(lung=block(2.0, "f4"))),
    "labels-scaled": (scaled(scl_slope=0.9), scaled(scl_slope=1)),
    "labels-merged": (scaled(scl_slope=2), scaled(scl_slope=0.9)),
    "scaling-ignored": (scaled(scl_slope=np.inf), scaled(scl_slope=0, scl_inter=np.inf)),
    "mask-frames": (
        masks(lung=block(), tumor=np.stack([block(), block()], axis=-1)),
        masks(lung=block(), tumor=block()[..., None]),
    ),
    "mask-empty": (masks(lung=0 * block()), masks(lung=with_voxel((0, 0, 0)))),
    "mask-full": (
        masks(lung=np.ones(SHAPE, "u1")),
        masks(lung=1 - block(columns=1)),
    ),
    "label-specks": (masks(lung=tiny(9)), masks(lung=tiny(10))),
    "label-disconnected": (
        masks(lung=with_voxel((0, 5, 0))),
        masks(lung=with_voxel((0, 0, 1))),
    ),
    "labels-gradient": (masks(lung=picture(1)), masks(lung=picture(5))),
    "masks-overlap": (
        masks(lung=with_voxel((0, 0, 0)), tumor=1 - block()),
        masks(lung=block(), tumor=1 - block()),
    ),
    "annotation-repeated": (
        planes(("axl_inference_1", "axl_mask_1")),
        planes(("axl_inference_1", "axl_mask_2")),
    ),
    "class-map-line": (
        planes(SEMANTIC, FEMUR_TIBIA + "3 Patella 256 0 0\n"),
        planes(SEMANTIC, FEMUR_TIBIA + "3 Patella 255 0 0\n"),
    ),
    "class-map-several": (two_maps("1 Femur\n2 Fibula\n"), two_maps("1 Femur\n2 Tibia\n")),
    "class-map-above": (map_above("color_map.txt"), map_above("README.txt")),
    "value-without-class": (planes(SEMANTIC, "1 Femur\n"), planes(SEMANTIC, FEMUR_TIBIA)),
    "instance-classes-unknown": (
        planes(EXPORTED, FEMUR_TIBIA, "color_map.txt"),
        planes(EXPORTED, FEMUR_TIBIA, "colours.txt"),
    ),
    "class-without-value": (
        planes(SEMANTIC, FEMUR_TIBIA + "3 Patella\n"),
        planes(SEMANTIC, FEMUR_TIBIA),
    ),
    "class-names-alike": (two_items("Left_lung", "left lung"), two_items("Lung", "Lungs")),
    "class-two-readings": (
        in_folder("1 Femur\n2 Tibia\n"),
        in_folder("1 Femur\n3 Tibia\n"),
    ),
    "segmentation-unknown": (
        map_above("color_map.txt", "1 Femur\n"),
        planes(SEMANTIC, "1 Femur\n", "color_map.txt"),
    ),
    "segmentation-ambiguous": (planes(NUMBERED, FEMUR_TIBIA), planes(NUMBERED, "1 Femur\n")),
}
