"""Figures of objects: their geometries and custom data."""

from __future__ import annotations

from typing import Any

from tests.platform.multipart import Part
from tests.platform.refusals import Refused, need, wrong
from tests.platform.state import State
from tests.platform.tables import Row, page

Data = dict[str, Any]

ALWAYS = ("id", "entityId")
"""Fields of a figure that an answer has whatever the request asks for."""


def is_spatial(figure: Row) -> bool:
    """Return whether a figure stands in space, not on a slice."""
    return "sliceIndex" not in figure["meta"]


def figure_json(row: Row, fields: Any) -> Row:
    """Return the fields of a figure that a request asks for; all without a list."""
    if not fields:
        return dict(row)
    return {key: value for key, value in row.items() if key in fields or key in ALWAYS}


def list_figures(state: State, data: Data) -> Data:
    dataset = state.datasets.asked(need(data, "datasetId"))
    answer = page(state.figures.where(datasetId=dataset["id"]), data, state.page_size)
    answer["entities"] = [figure_json(row, data.get("fields")) for row in answer["entities"]]
    return answer


def figure_info(state: State, data: Data) -> Row:
    return figure_json(state.figures.asked(data.get("id")), data.get("fields"))


def add_figures(state: State, data: Data) -> list[Data]:
    """Make figures of objects of one volume, all of them or none."""
    volume = state.volumes.named(need(data, "entityId"))
    new = [checked(state, volume, entry) for entry in need(data, "figures", list)]
    return [{"id": state.figures.add(**fields)["id"]} for fields in new]


def checked(state: State, volume: Row, entry: Data) -> Data:
    """Return the fields of a new figure, or refuse it."""
    item = state.objects.named(need(entry, "objectId"))
    if item["entityId"] != volume["id"] or entry.get("entityId", volume["id"]) != volume["id"]:
        raise wrong(f"Annotation object {item['id']} is not in volume {volume['id']}")
    kind = state.classes.rows[item["classId"]]
    geometry_type, shape = need(entry, "geometryType", str), kind["json"]["shape"]
    if shape not in (geometry_type, "any"):
        raise wrong(f"figures of {kind['name']!r} are {shape}, not {geometry_type}")
    return {
        "entityId": volume["id"],
        "imageId": volume["id"],
        "objectId": item["id"],
        "classId": item["classId"],
        "projectId": kind["projectId"],
        "datasetId": volume["datasetId"],
        "geometryType": geometry_type,
        "geometry": entry.get("geometry") or {},
        "geometryMeta": None,
        "tool": entry.get("tool"),
        "meta": entry.get("meta") or {},
        "customData": entry.get("customData") or {},
        "tags": [],
        "area": None,
        "priority": entry.get("priority"),
        "nnCreated": entry.get("nnCreated", False),
        "nnUpdated": entry.get("nnUpdated", False),
    }


def remove_figures(state: State, data: Data) -> Data:
    for row in [state.figures.named(one) for one in need(data, "figureIds", list)]:
        state.remove_figure(row)
    return {"success": True}


def update_custom_data(state: State, data: Data) -> Data:
    """Merge custom data into that of a figure, in depth, or replace it."""
    row = state.figures.named(need(data, "id"))
    new, strategy = need(data, "customData", dict), data.get("updateStrategy", "merge")
    if strategy not in ("merge", "replace"):
        raise wrong(f'"updateStrategy" is merge or replace, not {strategy!r}')
    row["customData"] = new if strategy == "replace" else merged(row["customData"], new)
    return {"success": True}


def merged(old: Any, new: Any) -> Any:
    """Return the old value with the new one laid over it, level by level."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


def upload_geometries(state: State, parts: list[Part]) -> Data:
    """Keep the geometry that follows each figure's id, byte for byte; a later one replaces."""
    ids = [int(p.content) for p in parts if p.name == "figureId" and p.content.isdigit()]
    files = [part for part in parts if part.name == "geometry"]
    if not ids or len(ids) != len(files):
        raise wrong(f"{len(ids)} figure ids and {len(files)} geometries")
    for one, file in zip(ids, files, strict=True):
        state.figures.named(one)
        if not file.content:
            raise wrong(f"the geometry of figure {one} is empty")
    state.geometries.update((one, file.content) for one, file in zip(ids, files, strict=True))
    return {"success": True}


def download_geometries(state: State, data: Data) -> list[tuple[str, bytes]]:
    """Return the geometries of figures as they were sent."""
    ids = [state.figures.asked(one)["id"] for one in need(data, "ids", list)]
    bare = [one for one in ids if one not in state.geometries]
    if bare:
        raise Refused(404, f"no geometry for the figures {bare}", type="FILE_NOT_FOUND")
    return [(str(one), state.geometries[one]) for one in ids]
