"""For the code of repairs: an input that makes it fire, and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import write_planes

MASK = "axl_inference.nii.gz"


def repaired(folder: Path) -> Findings:
    dataset = nk.scan(write_planes(folder))
    return nk.check(nk.repairs.reorient(dataset, MASK).dataset)


def repaired_elsewhere(folder: Path) -> Findings:
    """A repair changes a dataset of its own: the one that was given is as it was."""
    dataset = nk.scan(write_planes(folder))
    nk.repairs.reorient(dataset, MASK)
    return nk.check(dataset)


CASES: dict[str, tuple[Callable[[Path], Findings], Callable[[Path], Findings]]] = {
    "repaired": (repaired, repaired_elsewhere)
}
