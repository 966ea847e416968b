"""Bodies: small data sets of patients with a few organs, as alike and as different as real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.support.builders import write_nifti

ORGANS = {
    1: ("liver", (45.0, 5.0, 0.0), (42.0, 36.0, 40.0)),
    2: ("spleen", (-55.0, -20.0, 10.0), (22.0, 24.0, 28.0)),
    3: ("kidney left", (-40.0, -30.0, -55.0), (17.0, 17.0, 27.0)),
    4: ("kidney right", (40.0, -30.0, -65.0), (17.0, 17.0, 27.0)),
    5: ("heart", (-15.0, 20.0, 80.0), (30.0, 30.0, 30.0)),
}
"""Name, centre and half axes (mm, RAS+, from the middle of the body), by value."""

CLASS_MAP = "".join(f"{value} {name}\n" for value, (name, _, _) in ORGANS.items())


@dataclass(frozen=True)
class Body:
    """A patient as imaged: size beside the usual one, place in the scanner and in the image (mm).

    ``vary`` is the share by which organs vary, in size and place; ``voxel`` their size (mm),
    ``codes`` the directions in which the axes of the files grow.
    """

    seed: int
    scale: float = 1.0
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    voxel: tuple[float, float, float] = (6.0, 6.0, 6.0)
    vary: float = 0.05
    length: float = 300.0
    organs: tuple[int, ...] = tuple(ORGANS)

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the label map, (i, j, k) uint8, and its affine."""
        rng = np.random.default_rng(self.seed)
        shape = np.rint(np.array([240.0, 200.0, self.length]) / self.voxel).astype(int)
        affine = np.diag([*self.voxel, 1.0])
        affine[:3, 3] = np.array(self.origin) - (shape - 1) / 2 * self.voxel
        at = np.stack(np.indices(shape), axis=-1) * self.voxel + affine[:3, 3] - self.origin
        voxels = np.zeros(shape, dtype=np.uint8)
        for value, (_, centre, half) in ORGANS.items():
            sizes = np.array(half) * self.scale * np.exp(rng.normal(0, self.vary, 3))
            middle = (np.array(centre) + rng.normal(0, 60 * self.vary, 3)) * self.scale + self.shift
            inside = (((at - middle) / sizes) ** 2).sum(axis=-1) <= 1
            if value in self.organs:
                voxels[inside] = value
        return voxels, affine


def usual(count: int, seed: int = 0) -> list[Body]:
    """Return bodies that differ in size and place as adults do."""
    rng = np.random.default_rng(seed)
    return [
        Body(
            seed * 1000 + number,
            scale=float(np.exp(rng.normal(0, 0.04))),
            origin=tuple(rng.normal(0, 200, 3).tolist()),
            shift=tuple(rng.normal(0, 5, 3).tolist()),
        )
        for number in range(count)
    ]


Fault = Callable[[np.ndarray], np.ndarray]


def exchanged(voxels: np.ndarray) -> np.ndarray:
    """Left and right kidney are each other's."""
    found = voxels.copy()
    found[voxels == 3], found[voxels == 4] = 4, 3
    return found


def shrunk(voxels: np.ndarray, value: int = 1) -> np.ndarray:
    """Of the liver a small piece is left."""
    found = voxels.copy()
    i, j, k = (int(at) for at in np.argwhere(voxels == value).mean(axis=0))
    found[found == value] = 0
    found[i - 1 : i + 2, j - 1 : j + 2, k - 2 : k + 2] = value
    return found


def divided(voxels: np.ndarray, value: int = 2) -> np.ndarray:
    """A third of the spleen lies at another place, which was free."""
    found = voxels.copy()
    found[-8:-3, 3:8, 3:8] = value
    return found


def write_bodies(
    folder: Path, bodies: Iterable[Body], faults: dict[int, Fault] | None = None
) -> Path:
    """Write a set by plane, an axial image for each body; return its folder.

    ``faults`` change the label map of a body, by its place from 0.
    """
    for number, body in enumerate(bodies):
        voxels, affine = body.labels()
        own = folder / f"case_{number:02}"
        grey = (voxels > 0).astype(np.int16) * 100
        if faults and number in faults:
            voxels = faults[number](voxels)
        write_nifti(own / "axl_anatomic.nii.gz", grey, affine)
        write_nifti(own / "axl_inference.nii.gz", voxels, affine)
    (folder / "cls_color_map.txt").write_text(CLASS_MAP)
    return folder


def children(bodies: Iterable[Body], every: int, scale: float = 0.6) -> list[Body]:
    """Return bodies of which every so many is a child's."""
    return [
        replace(body, scale=scale) if number % every == 0 else body
        for number, body in enumerate(bodies)
    ]
