"""A data set in which everything that has a name is named with markup."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.builders import AFFINE, labels, volume, write_nifti

MARKUP = "<img src=x onerror=alert(1)>"

OTHER_MARKUP = "<svg onload=alert(2)>"

SHAPE = (24, 20, 16)


def hostile_dataset(parent: Path) -> Path:
    """A by-plane set with score tables in a folder named with markup, as are its files,
    classes and a column; no error in it blocks an upload."""
    folder = parent / MARKUP
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{MARKUP}_{plane}_anatomic.nii.gz", volume(SHAPE), AFFINE)
        write_nifti(folder / f"{MARKUP}_{plane}_inference.nii.gz", labels(SHAPE), AFFINE)
        table = f"Layer,Label-1,{MARKUP}\n3,0.5,{MARKUP}\n"
        (folder / f"{MARKUP}_{plane}_score.csv").write_text(table)
    (folder / f"{MARKUP}.pdf").touch()
    _name_classes(folder)
    return folder


def hostile_reader(parent: Path) -> Path:
    """The same as `hostile_dataset` by a second reader, whose masks lie a voxel further."""
    folder = hostile_dataset(parent / "second")
    for mask in folder.glob("*_inference.nii.gz"):
        write_nifti(mask, np.roll(labels(SHAPE), 1, axis=0), AFFINE)
    return folder


def _name_classes(folder: Path) -> None:
    names = f"1 {MARKUP} 200 80 80\n2 {OTHER_MARKUP} 80 80 200\n"
    (folder / "cls_color_map.txt").write_text(names)
