"""For each code about what stands out: what makes it fire, and what just does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.bodies import Fault, divided, exchanged, shrunk, usual, write_bodies

Case = Callable[[Path], Findings]


def bodies(fault: Fault | None = None, count: int = 6) -> Case:
    """Return a case: usual bodies, one of them with a fault."""

    def case(folder: Path) -> Findings:
        faults = {2: fault} if fault else {}
        return nk.check(nk.scan(write_bodies(folder, usual(count, 3), faults)))

    return case


def cut(voxels: np.ndarray) -> np.ndarray:
    """What is left of the liver lies at the edge."""
    found = shrunk(voxels)
    found[found == 1] = 0
    found[:3, 15:18, 25:28] = 1
    return found


CASES: dict[str, tuple[Case, Case]] = {
    "outlier-volume": (bodies(shrunk), bodies()),
    "outlier-place": (bodies(exchanged), bodies(exchanged, count=5)),
    "outlier-parts": (bodies(divided), bodies()),
    "outlier-cut": (bodies(cut), bodies(shrunk)),
}
