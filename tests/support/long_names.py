"""Data that strains a layout: long names, 104 classes, many items, a score for every class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.builders import write_nifti

CLASSES = 104
"""As many as TotalSegmentator has."""

SHAPE = (96, 80, 40)

CASE = "sub-00{at}_ses-20260131T1200_acq-highres_desc-preprocessed_space-individual"

PARTS = (
    "vertebrae",
    "rib_left",
    "rib_right",
    "lung_upper_lobe",
    "iliac_artery",
    "costal_cartilage",
)


def class_name(value: int) -> str:
    """Return a class name such as real ones are, with its number."""
    return f"{PARTS[value % len(PARTS)]}_segment_{value}"


def label_map() -> np.ndarray:
    """Return a map of boxes with the values 1 to 104."""
    labels = np.zeros(SHAPE, np.uint8)
    for value in range(1, CLASSES + 1):
        at = value - 1
        i, j, k = 8 + 8 * (at % 10), 6 + 11 * (at // 10 % 6), 4 + 17 * (at // 60)
        labels[i : i + 6, j : j + 8, k : k + 12] = value
    return labels


def write_long_names(folder: Path, cases: int = 3, moved: int = 0) -> Path:
    """Write cases by plane, each with a label map of 104 classes; the first has score tables.

    The label maps are moved by voxels along the first axis; the volumes stay.
    """
    labels, random = label_map(), np.random.default_rng(7)
    there = np.roll(labels, moved, axis=0)
    grey = (labels.astype(np.int16) * 6 + random.normal(40, 15, SHAPE)).astype(np.int16)
    affine = np.diag([1.5, 1.5, 3.0, 1.0])
    for at in range(1, cases + 1):
        case = CASE.format(at=at)
        for plane in ("axl", "cor", "sag"):
            stem = folder / f"delivery_2026-01_site-Rotterdam/{case}" / f"{case}_{plane}"
            write_nifti(Path(f"{stem}_anatomic.nii.gz"), grey, affine)
            write_nifti(Path(f"{stem}_inference.nii.gz"), there, affine)
            if at == 1:
                Path(f"{stem}_score.csv").write_text(
                    score_table(SHAPE[2] if plane == "axl" else 20)
                )
    lines = (f"{value} {class_name(value)} {value * 2} 90 {255 - value}" for value in range(1, 105))
    (folder / "cls_color_map.txt").write_text("\n".join(lines))
    return folder


def write_annotations(folder: Path, source: Path) -> Path:
    """Copy the label maps of a source alone, as for a second import of annotations."""
    for path in sorted(source.rglob("*_inference.nii.gz")):
        copy = folder / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder


def score_table(layers: int) -> str:
    """Return a score for each class and layer, and one out of range."""
    head = "Layer," + ",".join(f"Label-{value}" for value in range(1, CLASSES + 1))
    rows = [",".join([str(layer), *["0.80"] * CLASSES]) for layer in range(1, layers + 1)]
    rows[3] = rows[3].replace("0.80", "1.80", 1)
    return "\n".join([head, *rows])
