"""The JSON of annotations and of a project's meta, as the SDK (6.74) writes and reads it."""

from __future__ import annotations

from typing import Any

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.class_maps import color_text
from nifti_kit.targets.records import CustomData, PlannedClass

MASK_3D = "mask_3d"

_PLANES = (("sagittal", (1, 0, 0)), ("coronal", (0, 1, 0)), ("axial", (0, 0, 1)))


def empty_meta() -> dict[str, Any]:
    """Return the meta of a volume project without classes."""
    settings = {"enabled": False, "tagName": None, "tagId": None, "isSynced": False}
    return {
        "classes": [],
        "tags": [],
        "projectType": "volumes",
        "projectSettings": {"multiView": settings},
    }


def class_json(planned: PlannedClass) -> dict[str, Any]:
    """Return a class of the meta."""
    return {
        "title": planned.name,
        "description": planned.description,
        "shape": MASK_3D,
        "color": color_text(planned.color),
        "geometry_config": {},
        "hotkey": "",
    }


def color_of(text: str) -> tuple[int, int, int]:
    """Return the RGB of ``#RRGGBB``."""
    red, green, blue = bytes.fromhex(text.lstrip("#")[:6])
    return (red, green, blue)


def volume_meta(grid: Grid, lowest: float, highest: float) -> dict[str, Any]:
    """Return a volume's meta as the SDK computes it.

    ``directions`` is the flat, row-major 3 x 3 matrix whose columns are the unit vectors of the
    axes in RAS+; ``origin`` and ``spacing`` are in mm; the window spans all intensities.
    """
    return {
        "ACS": "RAS",
        "channelsCount": 1,
        "rescaleSlope": 1,
        "rescaleIntercept": 0,
        "intensity": {"min": lowest, "max": highest},
        "windowWidth": highest - lowest,
        "windowCenter": lowest + (highest - lowest) / 2,
        "dimensionsIJK": dict(zip("xyz", grid.shape, strict=True)),
        "spacing": list(grid.voxel_size),
        "origin": [float(mm) for mm in grid.origin],
        "directions": [float(part) for part in grid.directions.ravel()],
    }


def volume_json(key: str, volume_id: int, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the annotation of a volume without objects."""
    planes = [
        {"name": name, "normal": dict(zip("xyz", normal, strict=True)), "slices": []}
        for name, normal in _PLANES
    ]
    return {
        "volumeMeta": meta,
        "key": key,
        "volumeId": volume_id,
        "tags": [],
        "objects": [],
        "planes": planes,
        "spatialFigures": [],
    }


def object_json(key: str, object_id: int, class_name: str) -> dict[str, Any]:
    """Return an object."""
    return {"key": key, "id": object_id, "classTitle": class_name, "tags": []}


def figure_json(key: str, figure_id: int, object_key: str, scores: CustomData) -> dict[str, Any]:
    """Return a 3D figure; its geometry is the NRRD file of its key, so its place here is empty."""
    return {
        "key": key,
        "id": figure_id,
        "objectKey": object_key,
        "geometryType": MASK_3D,
        "geometry": {},
        "customData": scores,
    }
