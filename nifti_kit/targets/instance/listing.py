"""The volumes of a project on an instance at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nifti_kit.core.geometry import Grid
from nifti_kit.targets.target import VolumeRef

__all__ = ["Listing", "volume_ref"]


@dataclass(frozen=True)
class Listing:
    """Which volumes are in scope, and where.

    Attributes
    ----------
    datasets
        The names of the project's datasets by id; nested ones with ``/``.
    volumes
        The volumes in scope by id.
    dataset_ids
        The dataset of each volume, by the volume's id.
    """

    datasets: dict[int, str]
    volumes: dict[int, VolumeRef]
    dataset_ids: dict[int, int]

    @cached_property
    def by_name(self) -> dict[str, VolumeRef]:
        """The volumes by name; of several the first."""
        return {ref.name: ref for ref in reversed(self.volumes.values())}


def volume_ref(row: dict[str, Any], dataset: str) -> VolumeRef:
    """Return a volume from its row in a list of the instance; the dataset is given by its name."""
    meta, number = row["meta"], int(row["id"])
    size = meta["dimensionsIJK"]
    if "IJK2WorldMatrix" in meta:
        affine = np.array(meta["IJK2WorldMatrix"], dtype=np.float64).reshape(4, 4)
    else:
        affine = np.eye(4)
        directions = np.array(meta["directions"], dtype=np.float64).reshape(3, 3)
        affine[:3, :3] = directions * np.array(meta["spacing"], dtype=np.float64)
        affine[:3, 3] = meta["origin"]
    shape = (int(size["x"]), int(size["y"]), int(size["z"]))
    return VolumeRef(number, str(number), row["name"], dataset, Grid(shape, affine))
