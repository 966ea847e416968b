"""Something to start a test from: a volume file, and a state with one of everything."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np

from tests.platform.endpoints import call
from tests.platform.state import State

SHAPE = (12, 10, 8)
"""Voxels of the volume."""

META = {
    "ACS": "RAS",
    "channelsCount": 1,
    "dimensionsIJK": {"x": 12, "y": 10, "z": 8},
    "spacing": [1.0, 2.0, 3.0],
    "origin": [4.0, 5.0, 6.5],
    "directions": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
}
"""What the SDK sends with a volume, as far as the platform checks it."""


class Seed:
    """A state with a dataset, two classes, a volume, an object and a figure on it."""

    def __init__(self, state: State, name: str = "knees") -> None:
        self.state = state
        self.project = self.call(
            "projects.add", workspaceId=state.workspace["id"], name=name, type="volumes"
        )["id"]
        meta = {"classes": [class_of("bone"), class_of("outline", "polygon")], "tags": []}
        classes = self.call("projects.meta.update", id=self.project, meta=meta)["classes"]
        self.bone, self.outline = (one["id"] for one in classes)
        self.dataset = self.call("datasets.add", projectId=self.project, name="first")["id"]
        self.hash = state.keep(nrrd_bytes())
        self.volume = self.add_volume("knee.nrrd")
        self.object = self.add_object(self.bone)
        self.figure = self.add_figure(self.object)

    def call(self, method: str, **data: Any) -> Any:
        return call(self.state, method, data)

    def volume_entry(self, name: str, **fields: Any) -> dict[str, Any]:
        """Return what a request says of a new volume."""
        return {"name": name, "hash": self.hash, "meta": META, **fields}

    def add_volume(self, name: str, **fields: Any) -> int:
        volumes = [self.volume_entry(name, **fields)]
        return self.call("volumes.bulk.add", datasetId=self.dataset, volumes=volumes)[0]["id"]

    def add_object(self, class_id: int, **fields: Any) -> int:
        entry = {"classId": class_id, "entityId": self.volume, **fields}
        data = {"datasetId": self.dataset, "annotationObjects": [entry]}
        return self.call("annotation-objects.bulk.add", **data)[0]["id"]

    def add_figure(self, object_id: int, kind: str = "mask_3d", **fields: Any) -> int:
        entry = {"objectId": object_id, "geometryType": kind, **fields}
        return self.call("figures.bulk.add", entityId=self.volume, figures=[entry])[0]["id"]


def class_of(title: str, shape: str = "mask_3d", **fields: Any) -> dict[str, Any]:
    return {"title": title, "shape": shape, "color": "#FF0000", **fields}


def voxels() -> np.ndarray:
    return np.random.default_rng(1).integers(-50, 900, SHAPE).astype(np.int16)


def nrrd_bytes(array: np.ndarray | None = None) -> bytes:
    array = voxels() if array is None else array
    lines = [
        "NRRD0005",
        "type: int16",
        "dimension: 3",
        "space: right-anterior-superior",
        f"sizes: {' '.join(map(str, array.shape))}",
        "space directions: (1,0,0) (0,2,0) (0,0,3)",
        "endian: little",
        "encoding: gzip",
        "space origin: (4,5,6.5)",
    ]
    return "\n".join([*lines, "", ""]).encode() + gzip.compress(array.tobytes(order="F"))
