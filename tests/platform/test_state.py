"""The stand-in's state: what it refuses, what it keeps, and its lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.platform import Refused, State
from tests.platform.endpoints import call
from tests.platform.multipart import read as read_form
from tests.platform.multipart import write as write_form
from tests.platform.seeds import META, Seed, class_of

AXIAL = {"x": 0, "y": 0, "z": 1}


@pytest.fixture
def seed() -> Seed:
    return Seed(State())


def test_what_belongs_to_another_project_is_refused(seed: Seed) -> None:
    other = Seed(seed.state, "hips")
    with pytest.raises(Refused, match=f"dataset {other.dataset} belongs to another project"):
        seed.call("datasets.add", projectId=seed.project, name="n", parentId=other.dataset)
    with pytest.raises(Refused, match=f"Object class {other.bone} belongs to another project"):
        seed.add_object(other.bone)
    with pytest.raises(Refused, match=f"Volume {other.volume} is not in dataset {seed.dataset}"):
        seed.add_object(seed.bone, entityId=other.volume)
    with pytest.raises(Refused, match=f"{other.object} is not in volume {seed.volume}"):
        seed.add_figure(other.object)
    assert (len(seed.state.objects), len(seed.state.figures)) == (2, 2)


REFUSALS: dict[str, tuple[Callable[[Seed], Any], str]] = {
    "an unknown class": (lambda s: s.add_object(999), "Object class with id 999 does not exist"),
    "an object on an unknown volume": (
        lambda s: s.add_object(s.bone, entityId=s.dataset),
        "Volume with id 6 does not exist",
    ),
    "an unknown object": (
        lambda s: s.add_figure(999),
        "Annotation object with id 999 does not exist",
    ),
    "a figure of another shape": (
        lambda s: s.add_figure(s.object, "polygon"),
        "figures of 'bone' are mask_3d, not polygon",
    ),
    "a volume whose file is not there": (
        lambda s: s.add_volume("new.nrrd", hash="x"),
        "no file has the hash x: it was not uploaded",
    ),
    "a volume that is no NRRD": (
        lambda s: s.add_volume("new.nrrd", hash=s.state.keep(b"text")),
        "the file of a volume is no NRRD file",
    ),
    "a volume in LPS": (
        lambda s: s.add_volume("new.nrrd", meta={**META, "ACS": "LPS"}),
        '"ACS" of a volume is "RAS", not \'LPS\'',
    ),
    "a volume without meta": (
        lambda s: s.add_volume("new.nrrd", meta=None),
        '"meta" is required, not None',
    ),
    "a slice whose file is not there": (
        lambda s: add_slice(s, hash="x"),
        "no file has the hash x: it was not uploaded",
    ),
    "a slice beyond the volume": (lambda s: add_slice(s, sliceIndex=8), "slice 8 is not in 0 to 7"),
    "a slice of no plane": (
        lambda s: add_slice(s, normal={"x": 1, "y": 1, "z": 0}),
        "no plane has the normal {'x': 1, 'y': 1, 'z': 0}",
    ),
    "custom data for an unknown figure": (
        lambda s: s.call("figures.custom-data.update", id=999, customData={}),
        "Figure with id 999 does not exist",
    ),
    "an unknown way to update": (
        lambda s: s.call(
            "figures.custom-data.update", id=s.figure, customData={}, updateStrategy="add"
        ),
        "\"updateStrategy\" is merge or replace, not 'add'",
    ),
    "geometry for an unknown figure": (
        lambda s: send_geometry(s, 999, b"NRRD"),
        "Figure with id 999 does not exist",
    ),
    "geometry without a figure": (
        lambda s: call(s.state, "figures.bulk.upload.geometry", read_form(*write_form([]))),
        "0 figure ids and 0 geometries",
    ),
    "an empty geometry": (
        lambda s: send_geometry(s, s.figure, b""),
        "the geometry of figure 9 is empty",
    ),
    "a class of another shape": (
        lambda s: update_classes(s, class_of("bone", "polygon"), class_of("outline", "polygon")),
        "Object class 'bone' has the shape 'mask_3d', not 'polygon'",
    ),
    "an unknown field in a filter": (
        lambda s: s.call("volumes.list", datasetId=s.dataset, filter=[{"field": "x"}]),
        "unknown field 'x'",
    ),
}


def add_slice(seed: Seed, **fields: Any) -> Any:
    entry = {"sliceIndex": 0, "normal": AXIAL, "hash": seed.hash, **fields}
    return seed.call("volumes.slices.bulk.add", volumeId=seed.volume, volumeSlices=[entry])


def send_geometry(seed: Seed, figure: int, content: bytes) -> Any:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="figureId"\r\n\r\n%d\r\n--b\r\n'
        b'Content-Disposition: form-data; name="geometry"; filename="%d"\r\n\r\n%s\r\n--b--\r\n'
    ) % (figure, figure, content)
    parts = read_form(body, "multipart/form-data; boundary=b")
    return call(seed.state, "figures.bulk.upload.geometry", parts)


def update_classes(seed: Seed, *classes: dict[str, Any]) -> Any:
    meta = {"classes": list(classes), "tags": []}
    return seed.call("projects.meta.update", id=seed.project, meta=meta)


@pytest.mark.parametrize("name", REFUSALS)
def test_it_is_refused_and_changes_nothing(name: str, seed: Seed) -> None:
    request, message = REFUSALS[name]
    state = seed.state
    tables = [getattr(state, one) for one in ("volumes", "slices", "objects", "figures", "classes")]
    before = json.dumps([table.rows for table in tables])
    with pytest.raises(Refused) as refused:
        request(seed)
    assert refused.value.status == 400
    assert refused.value.message == message
    assert json.dumps([table.rows for table in tables]) == before
    assert state.geometries == {}


@pytest.mark.parametrize(
    ("method", "data"),
    [
        (
            "volumes.bulk.add",
            lambda s: {"datasetId": s.dataset, "volumes": [s.volume_entry("knee.nrrd")]},
        ),
        ("datasets.add", lambda s: {"projectId": s.project, "name": "first"}),
        ("projects.add", lambda s: {"workspaceId": s.state.workspace["id"], "name": "knees"}),
    ],
)
def test_a_name_that_is_taken_is_refused_with_who_has_it(
    method: str, data: Callable[[Seed], Any], seed: Seed
) -> None:
    with pytest.raises(Refused) as refused:
        call(seed.state, method, data(seed))
    name, has = {
        "volumes.bulk.add": ("knee.nrrd", seed.volume),
        "datasets.add": ("first", seed.dataset),
        "projects.add": ("knees", seed.project),
    }[method]
    answer = refused.value.to_json()
    assert refused.value.status == 400
    assert answer["error"].endswith(f"with the name {name!r} already exists")
    assert answer["details"] == {
        "message": answer["error"],
        "type": "NONUNIQUE",
        "errors": [{"id": has, "name": name}],
    }


def test_a_batch_with_one_wrong_entry_adds_none(seed: Seed) -> None:
    entries = [seed.volume_entry("new.nrrd"), {**seed.volume_entry("other.nrrd"), "hash": "x"}]
    with pytest.raises(Refused):
        seed.call("volumes.bulk.add", datasetId=seed.dataset, volumes=entries)
    twice = [seed.volume_entry("new.nrrd"), seed.volume_entry("new.nrrd")]
    with pytest.raises(Refused, match=r"'new\.nrrd' already exists"):
        seed.call("volumes.bulk.add", datasetId=seed.dataset, volumes=twice)
    assert [row["name"] for row in seed.state.volumes] == ["knee.nrrd"]


def test_what_is_sent_twice_is_there_twice(seed: Seed) -> None:
    for _ in range(2):
        add_slice(seed)
        seed.add_object(seed.bone)
        seed.add_figure(seed.object)
    assert (len(seed.state.slices), len(seed.state.objects), len(seed.state.figures)) == (2, 3, 3)


def test_a_class_that_is_missing_in_the_new_meta_goes_with_its_objects(seed: Seed) -> None:
    update_classes(seed, class_of("outline", "polygon"))
    assert [row["name"] for row in seed.state.classes] == ["outline"]
    assert (len(seed.state.objects), len(seed.state.figures)) == (0, 0)


def test_a_class_is_renamed_by_its_id(seed: Seed) -> None:
    outline = class_of("outline", "polygon")
    answer = update_classes(seed, class_of("bones", id=seed.bone), outline)
    assert [(one["id"], one["title"]) for one in answer["classes"]] == [
        (seed.bone, "bones"),
        (seed.outline, "outline"),
    ]


def test_lists_come_in_pages_filtered_and_sorted() -> None:
    state = State(page_size=2)
    seed = Seed(state)
    ids = [seed.volume, *(seed.add_volume(f"{n}.nrrd") for n in range(4))]
    pages = [
        seed.call("volumes.list", datasetId=seed.dataset, page=number, sort="id", sort_order="desc")
        for number in (1, 2, 3)
    ]
    assert {(one["total"], one["perPage"], one["pagesCount"]) for one in pages} == {(5, 2, 3)}
    assert [row["id"] for one in pages for row in one["entities"]] == ids[::-1]
    wanted = [
        {"field": "id", "operator": "in", "value": ids[:3]},
        {"field": "id", "operator": "!in", "value": [str(ids[0])]},
        {"field": "name", "operator": "!=", "value": "0.nrrd"},
    ]
    rest = seed.call("volumes.list", datasetId=seed.dataset, filter=wanted)
    assert [row["name"] for row in rest["entities"]] == ["1.nrrd"]
