"""Answers that are not what was asked for: asked anew, or told in one error, or asked about.

Shapes too: whatever an instance answers, no raw error comes out of what reads it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import requests

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance, Places, client, wire
from nifti_kit.targets.instance.client import AnswerLost, Connection, NotThere, Refused
from nifti_kit.targets.instance.reading import ANNOTATION, class_ids_in, objects_in
from nifti_kit.targets.instance.wire import Asked, FormText, field, of_shape, records
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support.answers import HTML, Answer, answering, as_json, as_page
from tests.support.landings import write_annotations, write_volumes
from tests.support.uploads import impatience, land, new_dataset, new_project, new_target


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatience(monkeypatch, patience=0.5)


HALF = Answer(200, b'{"id": ', {"Content-Type": "application/json"}, missing=20)
CUT = Answer(200, b'{"id": ', {"Content-Type": "application/json"})
NULL = as_json(None)
EMPTY = Answer(200)
TEXT = Answer(200, b"it works", {"Content-Type": "text/plain"})
BARE_PAGE = Answer(200, HTML)
STRANGE = {
    "a page": (as_page(), "an HTML page (a login page?)"),
    "a page without a type": (BARE_PAGE, "an HTML page (a login page?)"),
    "an empty body": (EMPTY, "an empty body"),
    "no content": (Answer(204), "an empty body"),
    "null": (NULL, "null"),
    "cut JSON": (CUT, "JSON that is cut off or damaged"),
    "text": (TEXT, "something that is no JSON"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_json_is_asked_for_anew_and_then_one_error(name: str) -> None:
    answer, found = STRANGE[name]
    with answering(answer) as there:
        line = Connection(there.address, "t", patience=5)
        with pytest.raises(TargetError) as caught:
            line.post("projects.info", {"id": 3})
    assert len(there.asked) == client.PUZZLED_TRIES
    assert not isinstance(caught.value, AnswerLost | Refused)
    assert caught.value.message == "the instance answers with something else than JSON"
    assert caught.value.path == there.address
    assert caught.value.found == f"{found} to projects.info"
    assert caught.value.expected == "JSON"
    assert "Check SERVER_ADDRESS" in caught.value.remedy


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_json_is_outlived_where_it_may_be_asked_again(name: str) -> None:
    with answering(STRANGE[name][0], as_json({"id": 3})) as there:
        line = Connection(there.address, "t")
        assert line.post("projects.info", {"id": 3}) == {"id": 3}
        assert line.send("images.bulk.upload", [FormText("a", "b")]) == {"id": 3}
    assert len(there.asked) == 3


OPEN = {str(status): Answer(status) for status in (408, 500, 502, 503, 504, 520, 524)}
LOST = {**{name: answer for name, (answer, _) in STRANGE.items()}, **OPEN, "half": HALF}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("way", ["post", "send"])
def test_what_may_have_been_carried_out_is_not_sent_again_unasked(way: str, name: str) -> None:
    with answering(LOST[name], as_json([{"id": 3}])) as there:
        line = Connection(there.address, "t")
        ask = {
            "post": lambda: line.post("figures.bulk.add", {}, repeatable=False),
            "send": lambda: line.send("geometry", [FormText("a", "b")], repeatable=False),
        }[way]
        with pytest.raises(AnswerLost) as caught:
            ask()
        assert len(there.asked) == 1
        assert caught.value.__context__ is None
        assert ask() == [{"id": 3}]


@pytest.mark.parametrize("name", [*OPEN, "429"])
def test_a_busy_instance_is_asked_again_and_then_one_error(name: str) -> None:
    with answering(Answer(int(name)), as_json({"id": 3})) as there:
        line = Connection(there.address, "t")
        assert line.post("projects.info", {}) == {"id": 3}
    silent = pytest.raises(TargetError, match="the instance does not answer")
    with answering(Answer(int(name))) as there, silent as caught:
        Connection(there.address, "t", patience=1).post("projects.info", {})
    assert len(there.asked) > client.PUZZLED_TRIES
    assert f"status {name} at projects.info" in str(caught.value)


def test_too_many_requests_are_carried_out_by_nobody_and_sent_again() -> None:
    with answering(Answer(429), Answer(429), as_json([])) as there:
        line = Connection(there.address, "t", patience=5)
        assert line.post("figures.bulk.add", {}, repeatable=False) == []
    assert len(there.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
def test_a_clear_refusal_is_not_carried_out_and_not_sent_again(status: int) -> None:
    with answering(as_json({"error": "no"}, status)) as there:
        line = Connection(there.address, "t")
        with pytest.raises(Refused) as caught:
            line.post("figures.bulk.add", {}, repeatable=False)
    assert isinstance(caught.value, NotThere) == (status == 404)
    assert len(there.asked) == 1


def test_json_that_no_stack_holds_is_trouble_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nested(_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(requests.Response, "json", nested)
    refused = pytest.raises(TargetError, match="something else than JSON")
    with answering(as_json({})) as there, refused:
        Connection(there.address, "t").post("projects.info", {})


# Files and forms


@pytest.mark.parametrize("answer", [as_page(), BARE_PAGE, EMPTY])
def test_a_page_in_place_of_a_file_is_told(answer: Answer) -> None:
    with answering(answer) as there:
        with pytest.raises(TargetError, match="something else than a file") as caught:
            Connection(there.address, "t").bytes_of("volumes.download", {"id": 1})
        assert len(there.asked) == client.PUZZLED_TRIES
    assert "to volumes.download" in str(caught.value)


def test_a_file_is_taken_as_it_is() -> None:
    content = b"NRRD0005\n<html>\0"
    with answering(as_page(), Answer(200, content)) as there:
        assert Connection(there.address, "t").bytes_of("volumes.download", {}) == content


def test_half_a_file_is_asked_for_anew() -> None:
    with answering(Answer(200, b"NRRD", missing=3), Answer(200, b"NRRD000")) as there:
        assert Connection(there.address, "t").bytes_of("volumes.download", {}) == b"NRRD000"


FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="7"\r\n\r\nmask'


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (as_page(), "an HTML page"),
        (EMPTY, "an empty body"),
        (Answer(200, PART, {"Content-Type": FORM}), "a form that is cut off"),
        (Answer(200, PART + b"\r\n--b", {"Content-Type": FORM}), "a form that is cut off"),
        (Answer(200, PART, {"Content-Type": "multipart/form-data; boundary=\xe9"}), "multipart"),
        (as_json([]), "application/json"),
    ],
)
def test_what_is_no_whole_form_is_told_and_never_an_empty_one(answer: Answer, found: str) -> None:
    refused = pytest.raises(TargetError, match="something else than a form")
    with answering(answer) as there, refused as caught:
        Connection(there.address, "t").parts_of("figures.bulk.download.geometry", {})
    assert str(caught.value.found).startswith(found)


def test_a_whole_form_has_its_parts() -> None:
    with answering(Answer(200, PART + b"\r\n--b--\r\n", {"Content-Type": FORM})) as there:
        assert Connection(there.address, "t").parts_of("geometry", {}) == {"7": b"mask"}


# Lists


def page_of(asked: Any, size: int = 2, pages: int = 3) -> dict[str, Any]:
    """Return a page of a list with ids that rise."""
    first = (asked.data["page"] - 1) * size
    return {"entities": [{"id": first + k} for k in range(size)], "pagesCount": pages}


def test_a_list_is_read_page_by_page() -> None:
    with answering(lambda asked: as_json(page_of(asked))) as there:
        rows = Connection(there.address, "t").entities("teams.list", {"x": 1})
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [asked.data["page"] for asked in there.asked] == [1, 2, 3]
    assert {asked.data["x"] for asked in there.asked} == {1}


def test_entries_that_a_list_names_on_two_pages_are_there_once() -> None:
    pages = [{"entities": [{"id": 1}, {"id": 2}], "pagesCount": 2},
             {"entities": [{"id": 2}, {"id": 3}], "pagesCount": 2}]  # fmt: skip
    with answering(*map(as_json, pages)) as there:
        rows = Connection(there.address, "t").entities("teams.list", {})
    assert [row["id"] for row in rows] == [1, 2, 3]


def test_a_page_that_became_empty_meanwhile_ends_the_list() -> None:
    pages = [{"entities": [{"id": 1}], "pagesCount": 9}, {"entities": [], "pagesCount": 9}]
    with answering(*map(as_json, pages)) as there:
        assert Connection(there.address, "t").entities("teams.list", {}) == [{"id": 1}]
    assert len(there.asked) == 2


def test_the_same_page_again_is_a_list_that_does_not_end() -> None:
    answer = as_json({"entities": [{"id": 1}], "pagesCount": 10**9})
    endless = pytest.raises(TargetError, match=r"the list of teams\.list does not end")
    with answering(answer) as there, endless as caught:
        Connection(there.address, "t").entities("teams.list", {})
    assert len(there.asked) == 2
    assert caught.value.found == "nothing new on page 2"


def test_a_list_that_grows_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_PAGES", 5)
    growing = answering(lambda asked: as_json(page_of(asked, pages=asked.data["page"] + 1)))
    with growing as there, pytest.raises(TargetError, match="does not end") as caught:
        Connection(there.address, "t").entities("teams.list", {})
    assert len(there.asked) == 5
    assert "5 pages" in str(caught.value.found)
    assert "5 pages at most" in str(caught.value.expected)


def test_a_list_of_the_most_pages_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_PAGES", 3)
    with answering(lambda asked: as_json(page_of(asked))) as there:
        assert len(Connection(there.address, "t").entities("teams.list", {})) == 6


# Shapes


ASKED = Asked("volumes.list", "https://host")


def test_a_field_is_given_where_it_is_what_it_should_be() -> None:
    record = {"id": 7, "big": "9007199254740993", "name": "n", "on": True, "rows": [{"a": 1}]}
    assert field(record, "id", int, ASKED) == 7
    assert field(record, "big", int, ASKED) == 9007199254740993
    assert field(record, "name", str, ASKED) == "n"
    assert field(record, "on", bool, ASKED) is True
    assert records(record, ASKED, "rows") == [{"a": 1}]
    assert records([{"a": 1}], ASKED) == [{"a": 1}]


@pytest.mark.parametrize(
    ("read", "found", "expected"),
    [
        (lambda: field([], "id", int, ASKED), "a list", "an object"),
        (lambda: field(None, "id", int, ASKED), "null", "an object"),
        (lambda: field({}, "id", int, ASKED), "no 'id'", "a whole number in 'id'"),
        (lambda: field({"id": "x"}, "id", int, ASKED), "a text in 'id'", "a whole number in 'id'"),
        (lambda: field({"id": True}, "id", int, ASKED), "true or false in 'id'", "a whole number"),
        (lambda: field({"id": 1.5}, "id", int, ASKED), "a number with a fraction in", "a whole"),
        (lambda: field({"name": 3}, "name", str, ASKED), "a whole number in 'name'", "a text in"),
        (lambda: records({"rows": {}}, ASKED, "rows"), "an object in 'rows'", "a list in 'rows'"),
        (lambda: records([1], ASKED), "a whole number", "an object"),
        (lambda: of_shape("x" * 30, int, ASKED), "a text", "a whole number"),
    ],
)
def test_another_shape_is_one_error_that_names_method_and_field(
    read: Callable[[], Any], found: str, expected: str
) -> None:
    with pytest.raises(TargetError) as caught:
        read()
    assert caught.value.message == "the answer to volumes.list has another form"
    assert caught.value.path == "https://host"
    assert str(caught.value.found).startswith(found)
    assert str(caught.value.expected).startswith(expected)
    assert caught.value.remedy == wire.LOOK_BETWEEN


WRONG = [[], {}, 3, "text", [3], [None], [[]], True, {"entities": 3}, {"entities": [3]},
         {"entities": [{}]}, {"entities": [{"id": None}]}, {"entities": [], "pagesCount": "x"},
         {"classes": 3}, {"classes": [3]}, {"classes": [{}]}, {"classes": [{"title": 3}]},
         {"classes": [{"title": "a"}]}, {"classes": [{"title": "a", "color": "red"}]},
         {"classes": [{"title": "a", "color": "#102030", "shape": None}]},
         [{}], [{}, {}], [{"objects": [], "spatialFigures": 3}], [{"objects": {}}],
         {"datasetId": "x"}, {"projectId": None}, {"version": 3}]  # fmt: skip
"""Answers that are JSON, and of no use."""


@pytest.fixture
def target(platform: Platform, tmp_path: Any) -> Instance:
    """A dataset with a volume that has two objects."""
    target = new_target(platform)
    land(write_volumes(tmp_path / "in", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    land(write_annotations(tmp_path / "again", ref.id), target)
    return target


class Given(NamedTuple):
    """A target with a volume, and where it is."""

    target: Instance
    volume: int
    workspace: int

    @property
    def places(self) -> Places:
        return Places(api_of(self.target))

    def again(self, **scope: int) -> Instance:
        return Instance(api_of(self.target), **scope)


READS: dict[str, Callable[[Given], Any]] = {
    "volumes": lambda g: g.target.volumes(),
    "volume": lambda g: g.target.volume(g.volume),
    "find": lambda g: g.target.find("x"),
    "meta": lambda g: g.target.meta(),
    "classes": lambda g: g.target.classes(),
    "ids": lambda g: g.target.ids_of_classes({"x"}),
    "objects": lambda g: g.target.objects(g.volume),
    "annotation": lambda g: g.target.annotation(g.volume),
    "names": lambda g: g.target.dataset_names(),
    "version": lambda g: g.target.version,
    "dataset": lambda g: g.again(dataset_id=g.target.dataset_id).volume(g.volume),
    "project": lambda g: g.again(project_id=g.target.project_id).dataset_of(g.volume),
    "teams": lambda g: g.places.teams(),
    "workspaces": lambda g: g.places.workspaces(1),
    "projects": lambda g: g.places.projects(g.workspace),
    "datasets": lambda g: g.places.datasets(g.target.project_id),
    "new project": lambda g: g.places.make_project(g.workspace, uuid.uuid4().hex),
    "new dataset": lambda g: g.places.make_dataset(g.target.project_id, uuid.uuid4().hex),
}
"""What reads answers, by what is read."""


def api_of(target: Instance) -> Any:
    return SimpleNamespace(server_address=target.connection.address, token="token-of-the-test")


class Swapped:
    """Answers of the stand-in, of which the one with a number is another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, content: Any) -> None:
        self.count = 0
        real = requests.Session.post

        def post(session: Any, url: str, **options: Any) -> requests.Response:
            answer = real(session, url, **options)
            self.count += 1
            if self.count == number:
                answer.status_code = 200
                answer._content = json.dumps(content).encode()
            return answer

        monkeypatch.setattr(requests.Session, "post", post)


@pytest.mark.parametrize("name", READS)
def test_no_answer_of_another_shape_is_a_raw_error(
    name: str, target: Instance, platform: Platform
) -> None:
    (ref,) = target.volumes()
    given = Given(target, ref.id, platform.state.workspace["id"])
    with pytest.MonkeyPatch.context() as patch:
        calm = Swapped(patch, 0, None)
        READS[name](given)
    errors = []
    for number in range(1, calm.count + 1):
        for content in WRONG:
            with pytest.MonkeyPatch.context() as patch:
                Swapped(patch, number, content)
                try:
                    READS[name](given)
                except TargetError as error:
                    errors.append(error)
    assert all(error.remedy for error in errors)
    assert len(errors) >= sum(not isinstance(content, dict) for content in WRONG)


VOLUME: dict[str, Any] = {
    "id": 5,
    "name": "a.nrrd",
    "datasetId": 1,
    "meta": {
        "dimensionsIJK": {"x": 4, "y": 5, "z": 6},
        "spacing": [1, 1, 2.5],
        "origin": [0, 0, 0],
        "directions": [1, 0, 0, 0, 1, 0, 0, 0, 1],
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the volume with another value at a path of fields; ``...`` takes the field away."""
    row: dict[str, Any] = json.loads(json.dumps(VOLUME))
    *folders, name = path.split(".")
    place = row
    for folder in folders:
        place = place[folder]
    place[name] = value
    if value is ...:
        del place[name]
    return row


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("meta", ...), ("meta", None), ("name", 3), ("id", "five"), ("meta.dimensionsIJK", [4, 5]),
        ("meta.dimensionsIJK.z", ...), ("meta.dimensionsIJK.z", 1.5), ("meta.spacing", "1"),
        ("meta.spacing", [1, 1]), ("meta.spacing", [1, 1, None]), ("meta.origin", ...),
        ("meta.origin", [0, 0, "0"]), ("meta.directions", [1, 0, 0]),
        ("meta.IJK2WorldMatrix", [1] * 15), ("meta.IJK2WorldMatrix", {"0": 1}),
    ],
)  # fmt: skip
def test_a_volume_of_another_shape_names_the_field(
    path: str, value: Any, target: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"entities": [changed(path, value)], "pagesCount": 1}
    Swapped(monkeypatch, 2, answer)  # the list of datasets comes first
    with pytest.raises(
        TargetError, match=r"the answer to volumes\.list has another form"
    ) as caught:
        target.volumes()
    assert f"'{path.rsplit('.', 1)[-1]}'" in str(caught.value)


def test_a_volume_with_and_without_a_matrix_is_where_it_says(
    target: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = [1, 0, 0, 7, 0, 1, 0, 8, 0, 0, 2, 9, 0, 0, 0, 1]
    rows = [changed("meta.IJK2WorldMatrix", matrix), changed("id", 6)]
    rows.append(changed("meta.IJK2WorldMatrix", None) | {"id": 7})
    Swapped(monkeypatch, 2, {"entities": rows})
    first, second, third = target.volumes()
    assert first.grid.affine[:3, 3].tolist() == [7, 8, 9]
    assert second.grid.voxel_size == third.grid.voxel_size == (1, 1, 2.5)


def test_datasets_that_lie_in_one_another_are_told(platform: Platform) -> None:
    project = new_project(platform)
    first = new_dataset(platform, project, "a")
    second = new_dataset(platform, project, "b", parent=first)
    target = nk.Instance(api_of_platform(platform), second)
    assert target.dataset_names() == {first: "a", second: "a/b"}
    platform.state.datasets.rows[first]["parentId"] = second
    with pytest.raises(TargetError, match=r"datasets\.list has another form") as caught:
        target.dataset_names()
    assert caught.value.found == "datasets that lie in one another"


def api_of_platform(platform: Platform) -> Any:
    return SimpleNamespace(server_address=platform.address, token=platform.token)


def test_a_kept_annotation_of_another_shape_names_its_file() -> None:
    kept = Asked(ANNOTATION.method, "kept/a.json")
    with pytest.raises(TargetError, match=r"^kept/a\.json: the answer to volumes\.annotations"):
        objects_in({"objects": []}, 3, kept)
    with pytest.raises(TargetError, match=ANNOTATION.method):
        objects_in({"objects": [{}], "spatialFigures": []}, 3)
    with pytest.raises(TargetError, match="no 'id'"):
        class_ids_in({"classes": [{"title": "a"}]})


def test_an_object_without_a_figure_and_a_figure_without_scores_are_read() -> None:
    content = {
        "objects": [{"id": 1, "classTitle": "a"}, {"id": 2, "classTitle": "b"}],
        "spatialFigures": [{"id": 9, "objectId": 2, "customData": None}],
    }
    found = objects_in(content, 3)
    assert [(ref.id, ref.figure_id, ref.scores) for ref in found] == [(1, 0, {}), (2, 9, {})]


def test_a_name_of_a_project_is_shown_escaped(platform: Platform) -> None:
    project = new_project(platform, kind="images")
    call(platform.state, "projects.editInfo", {"id": project, "name": "a\x1b[31m\u202eb"})
    with pytest.raises(TargetError, match="not for volumes") as caught:
        nk.Instance(api_of_platform(platform), project_id=project)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
