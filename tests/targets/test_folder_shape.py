"""Damaged and foreign JSON of a project: one error of ours before anything is written; or kept."""

from __future__ import annotations

import json
import shutil

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.folder.shape import scores_of
from tests.support.landings import KEYS, edit_json, land, tree, write_foreign, write_volumes
from tests.support.targets import set_scores

META, IDS, ANN = "meta.json", "key_id_map.json", "one/ann/V.nrrd.json"

DEEP = "[" * 150 + "]" * 150
DEEPER = "[" * 100_000 + "]" * 100_000


def field(*path, to):
    """Return a change that gives a field, however deep, another value."""

    def change(content):
        *way, last = path
        for name in way:
            content = content[name]
        if to is GONE:
            del content[last]
        else:
            content[last] = to

    return change


GONE = object()
"""In place of a value: the field goes."""

OBJECTS, FIGURES = ("objects", 0), ("spatialFigures", 0)

FIELDS = [
    (META, "classes", field("classes", to=GONE), "nothing", "a list"),
    (META, "classes", field("classes", to={}), "an object", "a list"),
    (META, "classes", field("classes", to=None), "null", "a list"),
    (META, "classes[1]", field("classes", 1, to="flat"), "the text 'flat'", "an object"),
    (META, "classes[0].title", field("classes", 0, "title", to=GONE), "nothing", "a text"),
    (META, "classes[0].title", field("classes", 0, "title", to=7), "the number 7", "a text"),
    (META, "classes[0].title", field("classes", 0, "title", to=""), "an empty text", "a text"),
    (META, "classes[1].title", field("classes", 1, "title", to="old"), "'old'", "no other has"),
    (META, "classes[0].shape", field("classes", 0, "shape", to=None), "null", "a text"),
    (META, "classes[0].shape", field("classes", 0, "shape", to=GONE), "nothing", "a text"),
    (META, "classes[0].color", field("classes", 0, "color", to="red"), "'red'", "a colour"),
    (META, "classes[0].color", field("classes", 0, "color", to=[1, 2, 3]), "a list", "a colour"),
    (META, "classes[0].description", field("classes", 0, "description", to=5), "5", "or null"),
    (META, "tags", field("tags", to="none"), "the text 'none'", "a list"),
    (IDS, "objects", field("objects", to=[]), "a list", "an object"),
    (IDS, "videos", field("videos", to=None), "null", "an object"),
    (IDS, "objects.k", field("objects", to={"k": "5"}), "the text '5'", "a whole number or null"),
    (IDS, "figures.k", field("figures", to={"k": 1.5}), "the number 1.5", "a whole number or null"),
    (IDS, "tags.k", field("tags", to={"k": True}), "true or false", "a whole number or null"),
    (ANN, "key", field("key", to=GONE), "nothing", "a key"),
    (ANN, "key", field("key", to=5), "the number 5", "a key"),
    (ANN, "key", field("key", to=None), "null", "a key"),
    (ANN, "volumeId", field("volumeId", to="6"), "the text '6'", "a whole number or null"),
    (ANN, "objects", field("objects", to=GONE), "nothing", "a list"),
    (ANN, "objects", field("objects", to={}), "an object", "a list"),
    (ANN, "objects[0]", field(*OBJECTS, to=None), "null", "an object"),
    (ANN, "objects[0].key", field(*OBJECTS, "key", to=GONE), "nothing", "a key"),
    (ANN, "objects[0].key", field(*OBJECTS, "key", to="../x"), "'../x'", "a key"),
    (ANN, "objects[1].key", field("objects", 1, "key", to=KEYS["a"]), KEYS["a"], "no other has"),
    (ANN, "objects[0].classTitle", field(*OBJECTS, "classTitle", to=3), "3", "a text"),
    (ANN, "objects[0].classTitle", field(*OBJECTS, "classTitle", to=GONE), "nothing", "a text"),
    (ANN, "objects[0].id", field(*OBJECTS, "id", to="1"), "the text '1'", "or null"),
    (ANN, "objects[0].tags", field(*OBJECTS, "tags", to={}), "an object", "a list"),
    (ANN, "spatialFigures", field("spatialFigures", to=None), "null", "a list"),
    (ANN, "spatialFigures", field("spatialFigures", to=GONE), "nothing", "a list"),
    (ANN, "spatialFigures[0]", field(*FIGURES, to=[]), "a list", "an object"),
    (ANN, "spatialFigures[0].objectKey", field(*FIGURES, "objectKey", to=GONE), "nothing", "a key"),
    (ANN, "spatialFigures[0].objectKey", field(*FIGURES, "objectKey", to=2), "2", "a key"),
    (ANN, "spatialFigures[0].key", field(*FIGURES, "key", to="/etc/x"), "'/etc/x'", "a key"),
    (ANN, "spatialFigures[0].key", field(*FIGURES, "key", to="a\0b"), r"a\x00b", "a key"),
    (ANN, "spatialFigures[0].key", field(*FIGURES, "key", to=".."), "'..'", "a key"),
    (ANN, "spatialFigures[0].key", field(*FIGURES, "key", to=None), "null", "a key"),
    (ANN, "spatialFigures[0].id", field(*FIGURES, "id", to=[]), "a list", "or null"),
    (ANN, "spatialFigures[0].customData", field(*FIGURES, "customData", to="x"), "'x'", "or null"),
    (
        ANN,
        "spatialFigures[0].customData",
        field(*FIGURES, "customData", to=[]),
        "a list",
        "or null",
    ),
    (ANN, "planes", field("planes", to=GONE), "nothing", "a list"),
    (ANN, "planes[0]", field("planes", 0, to=4), "the number 4", "an object"),
    (ANN, "planes[0].slices", field("planes", 0, "slices", to=GONE), "nothing", "a list"),
    (ANN, "planes[0].slices[0].figures", field("planes", 0, "slices", 0, to={}), "nothing", "list"),
    (ANN, "volumeMeta", field("volumeMeta", to=[]), "a list", "an object"),
    (ANN, "tags", field("tags", to=None), "null", "a list"),
]

WHOLE = {
    "empty": (b"", "Expecting value"),
    "cut off": (b'{"classes": [', "Expecting value"),
    "a list": (b"[]", "the whole file: a list"),
    "a number": (b"5", "the whole file: the number 5"),
    "null": (b"null", "the whole file: null"),
    "a text": (b'"x"', "the whole file: the text 'x'"),
    "no text": (b"\xff\xfe{", "can't decode"),
    "UTF-16": ('{"key": 1}'.encode("utf-16"), "can't decode"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "a byte order mark in front"),
    "twice": (b'{"key": "a", "key": "b"}', "the field 'key' twice in one object"),
    "deep": (f'{{"key": {DEEP}}}'.encode(), "more than 100 levels within each other"),
    "deeper": (f'{{"key": {DEEPER}}}'.encode(), "more than 100 levels within each other"),
    "a number without end": (b'{"key": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
}


@pytest.fixture
def project(tmp_path):
    """A project of another writer, with a map of ids, and a source that could land in it."""
    path = write_foreign(tmp_path / "p")
    (path / IDS).write_text(json.dumps({kind: {} for kind in ("tags", "objects", "figures")}))
    (path / ".meta.json.12.part").touch()  # of a run that was killed: not even that goes
    write_volumes(tmp_path / "in", {"Z": {"new": (1,)}})
    return path


def refused(project, name):
    """Make an upload into the project; return the error, and hold that nothing was written."""
    before = tree(project.parent)
    with pytest.raises(TargetError) as caught:
        land(project.parent / "in", nk.ProjectFolder(project, dataset="two"))
    assert tree(project.parent) == before
    assert caught.value.path == str(project / name)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("name", "where", "change", "found", "expected"),
    FIELDS,
    ids=[f"{number}-{case[1]}" for number, case in enumerate(FIELDS)],
)
def test_a_field_of_another_kind_is_one_error_before_anything_is_written(
    project, name, where, change, found, expected
):
    edit_json(project / name, change)
    error = refused(project, name)
    assert error.message == "a field of the project's file is not what its format says"
    assert error.found.startswith(f"{where}: ")
    assert found in error.found
    assert error.expected.endswith(expected) or error.expected.startswith(expected)
    assert error.remedy == (
        "Mend the field or restore the file, or upload to a new project folder."
    )


@pytest.mark.parametrize("name", [META, IDS, ANN])
@pytest.mark.parametrize(("content", "found"), WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_damaged_is_one_error_before_anything_is_written(
    project, name, content, found
):
    (project / name).write_bytes(content)
    assert found in str(refused(project, name).found)


@pytest.mark.parametrize("name", [META, IDS, ANN])
def test_a_folder_in_place_of_a_file_is_one_error(project, name):
    (project / name).unlink()
    (project / name).mkdir()
    assert "directory" in str(refused(project, name).found)


def test_the_remedy_for_a_byte_order_mark_ends_right(project):
    path = project / META
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert refused(project, META).remedy == "Save the file as UTF-8 without a byte order mark."
    path.write_text(path.read_text("utf-8-sig"), "utf-8")
    target = nk.ProjectFolder(project, dataset="two")
    assert nk.verify(land(project.parent / "in", target), target).ok


def test_each_way_to_read_says_the_same(project):
    edit_json(project / ANN, field("objects", 0, "classTitle", to=None))
    target = nk.ProjectFolder(project)
    for read in (target.volumes, lambda: target.objects(1), lambda: target.volume(1), target.ids):
        with pytest.raises(TargetError, match="not what its format says") as caught:
            read()
        assert caught.value.path == str(project / ANN)
    edit_json(project / META, field("classes", to=5))
    with pytest.raises(TargetError, match="classes: the number 5"):
        target.classes()


# What is of others is kept

OTHERS = {
    META: {
        "tags": [{"name": "seen", "value_type": "none", "color": "#000000"}],
        "of another tool": {"deep": [[1, 2.5, None], {"": True}]},
    },
    IDS: {"images": {"i": 3}, "tags": {"t": 9, "u": None}, "version": "2"},
    ANN: {
        "description": "läsion \ud800",
        "tags": [{"name": "seen", "labelerLogin": "a"}],
        "volumeMeta": {"ACS": "RAS", "patient": None},
        "big": 2**70,
    },
}


def test_content_that_we_do_not_know_is_kept(project, tmp_path):
    for name, more in OTHERS.items():
        edit_json(project / name, lambda content, more=more: content.update(more))
    edit_json(
        project / ANN,
        lambda content: content["spatialFigures"].append(
            {
                "key": "b" * 32,
                "objectKey": KEYS["b"],
                "geometryType": "closed_surface_mesh",
                "geometry": {"vertices": [[0.1, 1e-30, -0.0]]},
                "customData": {"tool": "brush", "0-0-1": {"2": {"score": "0.5"}}, "n": {"a": 1}},
            }
        ),
    )
    before = {name: json.loads((project / name).read_bytes()) for name in OTHERS}
    write_volumes(tmp_path / "more", {"V": {"new": (1,)}})
    shutil.copy(project / "two" / "volume" / "X.nrrd", project / "one" / "volume" / "V.nrrd")
    target = nk.ProjectFolder(project, dataset="one")
    receipt = land(tmp_path / "more", target, existing="append")
    assert nk.verify(receipt, target).ok
    assert [ref.has_figure for ref in target.objects(1)] == [True, True, False, True]
    after = {name: json.loads((project / name).read_bytes()) for name in OTHERS}
    for name, more in OTHERS.items():
        assert {field: after[name][field] for field in more} == more
    for kind in ("objects", "spatialFigures"):
        assert after[ANN][kind][:-1] == before[ANN][kind]
    assert after[ANN]["planes"] == before[ANN]["planes"]
    assert after[META]["classes"][:-1] == before[META]["classes"]


def test_scores_are_read_from_custom_data_and_written_beside_what_else_is_in_it(project):
    custom = {"tool": "brush", "n": {"a": 1}, "0-0-1": {"2": {"score": "0.5", "by": "a person"}}}
    edit_json(project / ANN, field(*FIGURES, "customData", to=custom))
    target = nk.ProjectFolder(project)
    (ref, *_) = target.objects(1)
    assert ref.scores == scores_of(custom) == {"0-0-1": custom["0-0-1"]}
    new = {"0-1-0": {"1": {"score": "0.75", "comment": None}}}
    set_scores(target, ref, new)
    written = json.loads((project / ANN).read_bytes())["spatialFigures"][0]["customData"]
    assert written == {"tool": "brush", "n": {"a": 1}, **new}
