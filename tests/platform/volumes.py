"""Blobs, volumes and their slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.platform import nrrd_header
from tests.platform.multipart import Part
from tests.platform.refusals import need, wrong
from tests.platform.state import State, refuse_taken
from tests.platform.tables import Row, page

Data = dict[str, Any]

NORMALS = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
"""The planes by the axis that they cut: sagittal, coronal, axial."""

MAX_NAME = 255
"""Characters of the name of a volume."""


@dataclass(frozen=True)
class Blob:
    """An answer of bytes, with its hash for the header by which the SDK checks it."""

    content: bytes
    hash: str


def known_hashes(state: State, data: list[str]) -> list[str]:
    """Return those hashes that are here."""
    if not isinstance(data, list):
        raise wrong("a list of hashes is required")
    return [one for one in data if one in state.blobs]


def upload_blobs(state: State, parts: list[Part]) -> list[Data]:
    """Keep every part as a blob; return the hashes in the order of the parts."""
    files = [part for part in parts if part.filename is not None]
    if not files:
        raise wrong("no file in the request")
    empty = {"errors": [{"message": "the file is empty"}]}
    return [{"hash": state.keep(part.content)} if part.content else empty for part in files]


def volume_json(state: State, row: Row) -> Row:
    """Return a volume as the API shows it."""
    project = state.project_of(state.datasets.rows[row["datasetId"]])
    above = {"projectId": project["id"], "workspaceId": project["workspaceId"]}
    marks = state.volume_tags.where(entityId=row["id"])
    return {
        **row,
        **above,
        "teamId": project["teamId"],
        "tags": [tag_json(mark) for mark in marks],
        "figuresCount": len(state.figures.where(entityId=row["id"])),
        "annotationObjectsCount": len(state.objects.where(entityId=row["id"])),
        **dict.fromkeys(("link", "mime", "ext", "pathOriginal", "fullStorageUrl")),
        "processingPath": f"1/{row['id']}",
    }


def tag_json(mark: Row) -> Data:
    """Return a tag that is set on a volume or an object."""
    return {key: mark[key] for key in ("id", "tagId", "name", "value", "createdAt", "updatedAt")}


def list_volumes(state: State, data: Data) -> Data:
    if "datasetId" in data:
        dataset = state.datasets.asked(data["datasetId"])
        rows = state.volumes.where(datasetId=dataset["id"])
    else:
        rows = state.volumes_of(state.projects.asked(need(data, "projectId")))
    return page([volume_json(state, row) for row in rows], data, state.page_size)


def volume_info(state: State, data: Data) -> Row:
    return volume_json(state, state.volumes.asked(data.get("id")))


def add_volumes(state: State, data: Data) -> list[Row]:
    """Make volumes of blobs that are here, all of them or none."""
    dataset = state.datasets.named(need(data, "datasetId"))
    if state.project_of(dataset)["type"] != "volumes":
        raise wrong(f"the project of dataset {dataset['id']} is not for volumes")
    new = [checked(state, entry) for entry in need(data, "volumes", list)]
    names = [fields["name"] for fields in new]
    refuse_taken(state.volumes.where(datasetId=dataset["id"]), names, "Volume")
    rows = [state.volumes.add(**fields, datasetId=dataset["id"]) for fields in new]
    return [volume_json(state, row) for row in rows]


def checked(state: State, entry: Data) -> Data:
    """Return the fields of a new volume, or refuse it."""
    name, meta = need(entry, "name", str), need(entry, "meta", dict)
    if not 0 < len(name) <= MAX_NAME:
        raise wrong(f"the name of a volume has 1 to {MAX_NAME} characters")
    content = state.blobs.get(need(entry, "hash", str))
    if content is None:
        raise wrong(f"no file has the hash {entry['hash']}: it was not uploaded")
    if meta.get("ACS") != "RAS":
        raise wrong(f'"ACS" of a volume is "RAS", not {meta.get("ACS")!r}')
    file_meta = {"mime": "image/nrrd", "size": len(content), **nrrd_header.read(content)}
    return {"name": name, "hash": entry["hash"], "meta": placed(meta), "fileMeta": file_meta}


def placed(meta: Data) -> Data:
    """Return a volume's meta as the platform gives it back: one matrix for the three fields.

    ``spacing`` (mm), ``origin`` (RAS+, mm) and ``directions`` (row by row, an axis per column)
    become ``IJK2WorldMatrix``, 16 numbers row by row.
    """
    size = need(meta, "dimensionsIJK", dict)
    if any(not isinstance(size.get(axis), int) or size[axis] < 1 for axis in "xyz"):
        raise wrong(f'"dimensionsIJK" is {size!r}')
    if "IJK2WorldMatrix" in meta:
        return dict(meta)
    spacing, origin = need(meta, "spacing", list), need(meta, "origin", list)
    directions = need(meta, "directions", list)
    matrix: list[float] = []
    for i in range(3):
        matrix += [directions[3 * i + j] * spacing[j] for j in range(3)] + [origin[i]]
    kept = {k: v for k, v in meta.items() if k not in ("spacing", "origin", "directions")}
    return {**kept, "IJK2WorldMatrix": [*matrix, 0, 0, 0, 1]}


def rename_volume(state: State, data: Data) -> Row:
    row = state.volumes.named(need(data, "id"))
    if (name := need(data, "name", str)) != row["name"]:
        refuse_taken(state.volumes.where(datasetId=row["datasetId"]), [name], "Volume")
        row["name"] = name
    return volume_json(state, row)


def remove_volumes(state: State, data: Data) -> Data:
    for row in [state.volumes.named(one) for one in need(data, "imageIds", list)]:
        state.remove_volume(row)
    return {"success": True}


def download_volume(state: State, data: Data) -> Blob:
    row = state.volumes.asked(data.get("id"))
    return Blob(state.blobs[row["hash"]], row["hash"])


def add_slices(state: State, data: Data) -> list[Data]:
    """Add slices whose files are here; one that is sent twice is there twice."""
    volume = state.volumes.named(need(data, "volumeId"))
    size = volume["meta"]["dimensionsIJK"]
    new = []
    for entry in need(data, "volumeSlices", list):
        normal, index = need(entry, "normal", dict), need(entry, "sliceIndex")
        axis = next((a for a, unit in NORMALS.items() if as_tuple(normal) == unit), None)
        if axis is None:
            raise wrong(f"no plane has the normal {normal}")
        if not 0 <= index < size[axis]:
            raise wrong(f"slice {index} is not in 0 to {size[axis] - 1}")
        if need(entry, "hash", str) not in state.blobs:
            raise wrong(f"no file has the hash {entry['hash']}: it was not uploaded")
        fields = {"sliceIndex": index, "normal": normal, "axis": axis, "hash": entry["hash"]}
        new.append({"volumeId": volume["id"], **fields})
    return [{"id": state.slices.add(**fields)["id"]} for fields in new]


def as_tuple(normal: Data) -> tuple[Any, ...]:
    """Return the three numbers of a normal."""
    return tuple(normal.get(axis) for axis in "xyz")


def tag_volume(state: State, data: Data) -> list[Data]:
    """Set tags on a volume."""
    volume = state.volumes.named(need(data, "entityId"))
    tags = [(state.tags.named(t.get("tagId")), t) for t in need(data, "tags", list)]
    return [
        {"id": state.volume_tags.add(entityId=volume["id"], **mark_of(tag, given))["id"]}
        for tag, given in tags
    ]


def mark_of(tag: Row, given: Data) -> Data:
    """Return the fields of a tag that is being set."""
    return {"tagId": tag["id"], "name": tag["name"], "value": given.get("value")}
