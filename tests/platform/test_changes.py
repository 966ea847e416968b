"""The table of the methods that change something is complete, and has no other."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.platform.endpoints import CHANGES, METHODS, call
from tests.platform.multipart import Part
from tests.platform.seeds import Seed, class_of, nrrd_bytes
from tests.platform.state import State, hash_of
from tests.support.uploads import copy_of

AXIAL = {"x": 0, "y": 0, "z": 1}


def seeded() -> Seed:
    """Return a state with one of everything, a geometry and a tag among them."""
    seed = Seed(State())
    meta = seed.call("projects.meta", id=seed.project)
    meta["tags"] = [{"name": "mark", "value_type": "none", "color": "#00FF00"}]
    seed.call("projects.meta.update", id=seed.project, meta=meta)
    call(seed.state, "figures.bulk.upload.geometry", geometry(seed, b"mask"))
    return seed


def geometry(seed: Seed, content: bytes) -> list[Part]:
    figure = str(seed.figure).encode()
    return [Part("figureId", None, figure), Part("geometry", "g", content)]


def requests_of(seed: Seed) -> dict[str, Any]:
    """Return, for each method, what a request says that can be carried out."""
    state, project, dataset = seed.state, {"id": seed.project}, {"id": seed.dataset}
    (tag,), team, space = list(state.tags), state.team["id"], state.workspace["id"]
    meta = {"classes": [class_of("bone"), class_of("skin")], "tags": []}
    in_dataset, in_project = {"datasetId": seed.dataset}, {"projectId": seed.project}
    figure = {"objectId": seed.object, "geometryType": "mask_3d"}
    a_slice = {"hash": seed.hash, "normal": AXIAL, "sliceIndex": 1}
    one = {"classId": seed.bone, "entityId": seed.volume}
    marks = [{"tagId": tag["id"]}]
    return {
        "instance.version": {},
        "users.me": {},
        "teams.list": {},
        "teams.info": {"id": team},
        "workspaces.list": {"teamId": team},
        "workspaces.info": {"id": space},
        "workspaces.add": {"teamId": team, "name": "new"},
        "projects.list": {"workspaceId": space},
        "projects.info": project,
        "projects.add": {"workspaceId": space, "name": "new"},
        "projects.editInfo": {**project, "name": "new"},
        "projects.settings.update": {**project, "settings": {"a": 1}},
        "projects.archive": project,
        "projects.remove.permanently": {"projects": [project]},
        "projects.meta": project,
        "projects.meta.update": {**project, "meta": meta},
        "advanced.object_classes.list": in_project,
        "advanced.object_classes.info": {"id": seed.bone},
        "tags.list": in_project,
        "datasets.list": in_project,
        "datasets.info": dataset,
        "datasets.add": {**in_project, "name": "new"},
        "datasets.editInfo": {**dataset, "name": "new"},
        "datasets.archive": dataset,
        "datasets.remove.permanently": {"datasets": [dataset]},
        "images.internal.hashes.list": [seed.hash, hash_of(b"new")],
        "images.bulk.upload": [Part("0-file", "0", nrrd_bytes() + b"new")],
        "images.bulk.remove": {"imageIds": [seed.volume]},
        "images.editInfo": {"id": seed.volume, "name": "new.nrrd"},
        "volumes.list": in_dataset,
        "volumes.info": {"id": seed.volume},
        "volumes.bulk.add": {**in_dataset, "volumes": [seed.volume_entry("new.nrrd")]},
        "volumes.slices.bulk.add": {"volumeId": seed.volume, "volumeSlices": [a_slice]},
        "volumes.download": {"id": seed.volume},
        "videos.download": {"id": seed.volume},
        "volumes.tags.bulk.add": {"entityId": seed.volume, "tags": marks},
        "volumes.annotations.bulk.info": {"volumeIds": [seed.volume]},
        "annotation-objects.list": in_dataset,
        "annotation-objects.info": {"id": seed.object},
        "annotation-objects.bulk.add": {**in_dataset, "annotationObjects": [one]},
        "annotation-objects.bulk.remove": [seed.object],
        "annotation-objects.tags.bulk.add": {"tags": [{**marks[0], "objectId": seed.object}]},
        "figures.list": in_dataset,
        "figures.info": {"id": seed.figure},
        "figures.bulk.add": {"entityId": seed.volume, "figures": [figure]},
        "figures.bulk.remove": {"figureIds": [seed.figure]},
        "figures.bulk.upload.geometry": geometry(seed, b"another mask"),
        "figures.bulk.download.geometry": {"ids": [seed.figure]},
        "figures.custom-data.update": {"id": seed.figure, "customData": {"a": 1}},
    }


def snapshot(state: State) -> str:
    """Return all that a state knows, as a text."""
    tables = {name: one.rows for name, one in vars(state).items() if type(one).__name__ == "Table"}
    blobs = {hash_of(content): name for name, content in state.blobs.items()}
    masks = {number: hash_of(content) for number, content in state.geometries.items()}
    return json.dumps([tables, blobs, masks], sort_keys=True)


@pytest.fixture(scope="module")
def seed() -> Seed:
    return seeded()


def test_each_method_has_a_request_in_the_table_of_this_test(seed: Seed) -> None:
    assert requests_of(seed).keys() == METHODS.keys()
    assert METHODS.keys() >= CHANGES


@pytest.mark.parametrize("method", METHODS)
def test_a_method_changes_something_if_the_table_says_so(method: str, seed: Seed) -> None:
    state = copy_of(seed.state)
    data = copy.deepcopy(requests_of(seed)[method])
    before = snapshot(state)
    call(state, method, data)
    assert (snapshot(state) != before) == (method in CHANGES)
