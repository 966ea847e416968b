"""Fifteen volumes in a project, and thirty annotations of them in the names of five people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nifti_kit as nk
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti
from tests.support.landings import quiet

PLANES = ("axl", "cor", "sag")

STYLES = {
    1: "patient01 {} seg",
    2: "pat_2-{}_mask",
    3: "reader {} mask",
    4: "04_{}_final_ann",
    5: "drawn {} mask",
}
"""How the files of each patient are named; those of the third and the fifth do not say whose."""

WORDS = {"axl": "axl", "cor": "coronal", "sag": "sagittal"}

MM = {1: 0.0, 2: 40.0, 3: 80.0, 4: 80.0, 5: 120.0}
"""Where the patients lie along x: the third and the fourth in one place."""


def grid_of(patient: int, plane: str) -> np.ndarray:
    affine = np.array(AFFINE)
    affine[0, 3] += MM[patient] + 10 * PLANES.index(plane)
    return affine


def names_of(patient: int, plane: str) -> list[str]:
    word = WORDS[plane] if patient == 1 else plane
    stem = STYLES[patient].format(word)
    return [f"{stem}_{number}.nii.gz" for number in (1, 2)]


def write_project(folder: Path) -> nk.ProjectFolder:
    """Land fifteen volumes, ``P01_axl_anatomic`` to ``P05_sag_anatomic``, without annotations."""
    for patient in MM:
        for plane in PLANES:
            path = folder / "volumes" / f"P{patient:02}_{plane}_anatomic.nii.gz"
            write_nifti(path, volume() + patient, grid_of(patient, plane))
    target = nk.ProjectFolder(folder / "project", dataset="study")
    nk.upload(nk.plan(nk.scan(folder / "volumes")), target, on_progress=quiet)
    return target


def write_annotations(folder: Path) -> Path:
    """Write two files for each volume, each with one object."""
    for patient in MM:
        for plane in PLANES:
            for value, name in enumerate(names_of(patient, plane), start=1):
                mask = np.roll(labels(SHAPE, (value,)) > 0, patient % 2, axis=2)
                write_nifti(folder / name, mask.astype(np.uint8), grid_of(patient, plane))
    return folder


def truth(target: nk.ProjectFolder) -> dict[str, int]:
    """Return the volume of each file."""
    ids = {ref.name: ref.id for ref in target.volumes()}
    return {
        name: ids[f"P{patient:02}_{plane}_anatomic.nrrd"]
        for patient in MM
        for plane in PLANES
        for name in names_of(patient, plane)
    }
