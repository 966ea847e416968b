"""Objects of volumes, and annotations as a whole."""

from __future__ import annotations

from typing import Any

from tests.platform.figures import is_spatial
from tests.platform.refusals import need, wrong
from tests.platform.state import State
from tests.platform.tables import Row, page
from tests.platform.volumes import NORMALS, mark_of, tag_json

Data = dict[str, Any]

PLANES = {"sagittal": "x", "coronal": "y", "axial": "z"}
"""The axis that each plane cuts."""


def object_json(state: State, row: Row) -> Row:
    """Return an object as the API shows it."""
    marks = state.object_tags.where(objectId=row["id"])
    title = state.classes.rows[row["classId"]]["name"]
    shown = {"classTitle": title, "description": "", "meta": {}, "createdBy": 1}
    return {**row, **shown, "tags": [tag_json(mark) for mark in marks]}


def list_objects(state: State, data: Data) -> Data:
    dataset = state.datasets.asked(need(data, "datasetId"))
    rows = state.objects.where(datasetId=dataset["id"])
    return page([object_json(state, row) for row in rows], data, state.page_size)


def object_info(state: State, data: Data) -> Row:
    return object_json(state, state.objects.asked(data.get("id")))


def add_objects(state: State, data: Data) -> list[Data]:
    """Make objects of classes of the project, all of them or none."""
    dataset = state.datasets.named(need(data, "datasetId"))
    new = []
    for entry in need(data, "annotationObjects", list):
        kind = state.classes.named(need(entry, "classId"))
        if kind["projectId"] != dataset["projectId"]:
            raise wrong(f"Object class {kind['id']} belongs to another project")
        volume = state.volumes.named(need(entry, "entityId"))
        if volume["datasetId"] != dataset["id"]:
            raise wrong(f"Volume {volume['id']} is not in dataset {dataset['id']}")
        new.append({"classId": kind["id"], "entityId": volume["id"], "datasetId": dataset["id"]})
    return [{"id": state.objects.add(**fields)["id"]} for fields in new]


def remove_objects(state: State, data: list[int]) -> Data:
    """Remove objects with their figures; the body is the list of ids."""
    if not isinstance(data, list):
        raise wrong("a list of ids is required")
    for row in [state.objects.named(one) for one in data]:
        state.remove_object(row)
    return {"success": True}


def tag_objects(state: State, data: Data) -> list[Data]:
    """Set tags on objects."""
    entries = need(data, "tags", list)
    tags = [state.tags.named(entry.get("tagId")) for entry in entries]
    items = [state.objects.named(entry.get("objectId")) for entry in entries]
    rows = [
        state.object_tags.add(objectId=item["id"], **mark_of(tag, entry))
        for item, tag, entry in zip(items, tags, entries, strict=True)
    ]
    return [{"id": row["id"]} for row in rows]


def annotations(state: State, data: Data) -> list[Data]:
    """Return the annotations of volumes in the order in which they are asked for."""
    rows = [state.volumes.asked(one) for one in need(data, "volumeIds", list)]
    return [annotation(state, row) for row in rows]


def annotation(state: State, volume: Row) -> Data:
    """Return an annotation; geometries and custom data have methods of their own."""
    figures = state.figures.where(entityId=volume["id"])
    marks = state.volume_tags.where(entityId=volume["id"])
    return {
        "volumeId": volume["id"],
        "volumeName": volume["name"],
        "volumeMeta": volume["meta"],
        "description": "",
        "tags": [tag_json(mark) for mark in marks],
        "objects": [object_json(state, o) for o in state.objects.where(entityId=volume["id"])],
        "planes": [plane_json(name, figures) for name in PLANES],
        "spatialFigures": [drawn(figure) for figure in figures if is_spatial(figure)],
    }


def plane_json(name: str, figures: list[Row]) -> Data:
    """Return a plane with the figures on its slices."""
    normal = dict(zip("xyz", NORMALS[PLANES[name]], strict=True))
    on_slice: dict[int, list[Data]] = {}
    for figure in figures:
        if not is_spatial(figure) and figure["meta"]["normal"] == normal:
            on_slice.setdefault(figure["meta"]["sliceIndex"], []).append(drawn(figure))
    slices = [{"index": index, "figures": on_slice[index]} for index in sorted(on_slice)]
    return {"name": name, "normal": normal, "slices": slices}


def drawn(figure: Row) -> Data:
    """Return a figure as an annotation has it; a mask without its voxels."""
    shown = ("id", "objectId", "classId", "geometryType", "geometry", "createdAt", "updatedAt")
    return {**{key: figure[key] for key in shown}, "labelerLogin": "tester"}
