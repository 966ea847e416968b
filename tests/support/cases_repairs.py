"""For the code of repairs: an input that makes it fire, and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import SHAPE, write_nifti, write_planes

MASK = "axl_inference.nii.gz"


def repaired(folder: Path) -> Findings:
    dataset = nk.scan(write_planes(folder))
    return nk.check(nk.repairs.reorient(dataset, MASK).dataset)


def repaired_elsewhere(folder: Path) -> Findings:
    """A repair changes a dataset of its own: the one that was given is as it was."""
    dataset = nk.scan(write_planes(folder))
    nk.repairs.reorient(dataset, MASK)
    return nk.check(dataset)


def picked(folder: Path, frames: int) -> Findings:
    write_nifti(folder / "MR.nii", np.zeros((*SHAPE, frames), "i2"))
    return nk.check(nk.repairs.pick_frame(nk.scan(folder), "MR.nii", 1).dataset)


CASES: dict[str, tuple[Callable[[Path], Findings], Callable[[Path], Findings]]] = {
    "repaired": (repaired, repaired_elsewhere),
    "frames-left": (lambda folder: picked(folder, 2), lambda folder: picked(folder, 1)),
}
