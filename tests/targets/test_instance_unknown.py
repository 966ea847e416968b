"""Answers that leave it open whether a request was carried out: no request is sent again unasked.

Each request that changes something meets each such answer, after it was carried out and before.
The upload ends as one that nothing disturbed, or in one error after which the same call ends so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance
from tests.platform import Platform, State, running_platform
from tests.platform.endpoints import CHANGES, call
from tests.platform.faults import UNKNOWN
from tests.platform.seeds import nrrd_bytes
from tests.support import uploads
from tests.support.landings import quiet, write_annotations, write_scored_planes, write_volumes
from tests.support.uploads import (
    api,
    copy_of,
    facts,
    impatience,
    killed,
    land,
    new_dataset,
    new_project,
    settle,
)
from tests.support.worlds import draw

pytestmark = pytest.mark.usefixtures("one_at_a_time")

one_at_a_time = uploads.one_at_a_time

SHAPE = (4, 5, 6)

ALWAYS = 10**6
"""So many requests meet a fault that does not end."""

QUESTIONS: dict[str, tuple[str, ...]] = {
    "projects.add": ("projects.list",),
    "projects.meta.update": ("projects.meta",),
    "datasets.add": ("datasets.list",),
    "images.bulk.upload": ("images.internal.hashes.list",),
    "images.bulk.remove": ("volumes.list", "volumes.info"),
    "volumes.bulk.add": ("volumes.list",),
    "volumes.slices.bulk.add": ("images.bulk.remove",),
    "annotation-objects.bulk.add": ("annotation-objects.list", "volumes.annotations.bulk.info"),
    "annotation-objects.bulk.remove": ("annotation-objects.list", "volumes.annotations.bulk.info"),
    "figures.bulk.add": ("figures.list", "volumes.annotations.bulk.info"),
    "figures.bulk.upload.geometry": ("figures.bulk.download.geometry",),
    "figures.custom-data.update": ("figures.list",),
}
"""What tells whether a request was carried out. Nothing does for slices: their volume has to go."""

SOME_UNKNOWN = ("500", "done 500", "not html", "done null", "reset after")

SOME_NOT_CARRIED_OUT = ("reset before", "504", "not html", "not half")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatience(monkeypatch, patience=0.5)


# Uploads that send each of these requests


@dataclass
class Case:
    """An upload: what there is when it begins, the call, and what it leaves undisturbed."""

    state: State
    call: Callable[[Platform], Any]
    begin: Callable[[Platform], None] = lambda _: None
    facts: Any = None
    total: int = 0

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """Run a platform of its own on which the call can be made."""
        with running_platform(state=copy_of(self.state)) as running:
            self.begin(running)
            yield running
            assert running.unknown == []

    def calm(self) -> Case:
        """Make the call undisturbed, to know what it leaves."""
        with self.platform() as platform:
            before = len(platform.requests)
            self.call(platform)
            self.facts, self.total = facts(platform), len(platform.requests) - before
        return self


def new_case(folder: Path) -> Case:
    """A project, a dataset in another one, a volume with two objects."""
    source = write_volumes(folder / "in", {"A": {"liver": (1, 2)}}, SHAPE)

    def create(platform: Platform) -> Any:
        space = platform.state.workspace["id"]
        place = {"project": "Knees", "dataset": "visits/first"}
        return land(source, Instance.create(api(platform), space, **place))

    return Case(State(), create)


def half_case(folder: Path) -> Case:
    """A volume that an interrupted upload has left without slices: it is removed and made anew."""
    source = write_volumes(folder / "in", {"A": {"liver": (1, 2)}}, SHAPE)

    def again(platform: Platform) -> Any:
        (dataset,) = platform.state.datasets
        return land(source, nk.Instance(api(platform), dataset["id"]))

    def begin(platform: Platform) -> None:
        assert killed(lambda: again(platform), 1, method="volumes.slices.bulk.add")
        assert len(platform.state.volumes) == 1

    with running_platform() as platform:
        new_dataset(platform, new_project(platform))
        return Case(platform.state, again, begin)


def replaced_case(folder: Path) -> Case:
    """Two objects of a class on a volume that is there; they are replaced."""
    with running_platform() as platform:
        number = new_dataset(platform, new_project(platform))
        target = nk.Instance(api(platform), number)
        land(write_volumes(folder / "in", {"axl_anatomic": {}}), target)
        (ref,) = target.volumes()
        source = write_annotations(folder / "again", ref.id)
        land(source, target)
        state = platform.state

    def replace(platform: Platform) -> Any:
        receipt = land(source, nk.Instance(api(platform), number), existing="replace")
        assert receipt.backup is not None
        kept = [path for path in receipt.backup.rglob("*.nrrd") if path.is_file()]
        assert len(kept) >= receipt.items[0].replaced == 2
        return receipt

    return Case(state, replace)


def scored_case(folder: Path) -> Case:
    """Scores of a plane that has none, for a figure that has scores on another plane."""
    with running_platform() as platform:
        number = new_dataset(platform, new_project(platform))
        land(write_scored_planes(folder / "in"), nk.Instance(api(platform), number))
        state = platform.state
    table = folder / "scores" / "axl_score.csv"
    table.parent.mkdir()
    table.write_text("Layer,Label-1\n4,0.5\n")

    def score(platform: Platform) -> Any:
        target = nk.Instance(api(platform), number)
        dataset = nk.scan(table.parent, score_frames="ras")
        mapping = nk.match(dataset, target.volumes())
        plan = nk.plan(dataset, mapping=mapping, target=target)
        return nk.upload(plan, target, on_progress=quiet)

    return Case(state, score)


MAKE = {
    "images.bulk.remove": half_case,
    "annotation-objects.bulk.remove": replaced_case,
    "figures.custom-data.update": scored_case,
}
"""The cases of requests that a first upload does not send."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """The case of each method."""
    made: dict[Any, Case] = {}
    with pytest.MonkeyPatch.context() as patch:
        for make in (new_case, *MAKE.values()):
            folder = tmp_path_factory.mktemp(make.__name__)
            patch.setenv("XDG_STATE_HOME", str(folder / "state"))
            made[make] = make(folder).calm()
    return {method: made[MAKE.get(method, new_case)] for method in QUESTIONS}


# What holds after each


def ended(call: Callable[[], Any], platform: Platform) -> Any:
    """Make a call; if it ends in an error of ours, see that the same call ends well."""
    try:
        return call()
    except TargetError as caught:
        error = caught
    assert error.remedy, error
    platform.faults.clear()
    settle(platform)
    return call()


def struck(platform: Platform, method: str) -> list[Any]:
    """Return the requests of a method that a fault befell."""
    return [one for one in platform.requests if one.fault and one.method == method]


def refuse_unasked(platform: Platform, method: str) -> None:
    """Fail where a request was sent again, and nothing was asked that tells whether it is done."""
    for one in struck(platform, method):
        later = platform.requests[one.number :]
        again = next((r for r in later if is_again(r, one)), None)
        if again is None:
            continue
        between = platform.requests[one.number : again.number - 1]
        asked = [r for r in between if r.method in QUESTIONS[method] and r.status in (200, 404)]
        assert asked, f"request {one.number} ({one.fault}) is sent again as {again.number}"


def is_again(request: Any, one: Any) -> bool:
    """Say whether a request says what another one said; of one that was not read, its kind."""
    same = request.content == one.content if one.content else request.size == one.size
    return bool(request.method == one.method and same)


def test_the_cases_send_each_request_that_changes_something_and_none_besides(
    cases: dict[str, Case],
) -> None:
    sent: set[str] = set()
    for case in {id(case): case for case in cases.values()}.values():
        with case.platform() as platform:
            case.call(platform)
            sent |= {one.method for one in platform.requests}
    assert sent & CHANGES == QUESTIONS.keys()


@pytest.mark.parametrize("kind", UNKNOWN)
@pytest.mark.parametrize("method", QUESTIONS)
def test_a_request_of_unknown_outcome_is_asked_about_before_it_is_sent_again(
    method: str, kind: str, cases: dict[str, Case]
) -> None:
    case = cases[method]
    with case.platform() as platform:
        platform.faults.on(method, kind)
        ended(lambda: case.call(platform), platform)
        assert len(struck(platform, method)) == 1
        assert facts(platform) == case.facts
        refuse_unasked(platform, method)


@pytest.mark.parametrize("kind", SOME_UNKNOWN)
@pytest.mark.parametrize("method", QUESTIONS)
def test_a_request_that_is_never_answered_ends_in_one_error_or_is_done(
    method: str, kind: str, cases: dict[str, Case]
) -> None:
    case = cases[method]
    with case.platform() as platform:
        platform.faults.on(method, kind, times=ALWAYS)
        ended(lambda: case.call(platform), platform)
        assert struck(platform, method)
        assert len(platform.requests) < 20 * case.total
        assert facts(platform) == case.facts
        refuse_unasked(platform, method)


@pytest.mark.parametrize("question", ["500", "not html"])
@pytest.mark.parametrize("kind", ["504", "done empty"])
@pytest.mark.parametrize("method", QUESTIONS)
def test_the_question_may_meet_a_fault_too(
    method: str, kind: str, question: str, cases: dict[str, Case]
) -> None:
    case = cases[method]
    with case.platform() as platform:

        def meanwhile() -> None:
            for asked in QUESTIONS[method]:
                platform.faults.on(asked, question)

        platform.faults.on(method, kind, meanwhile=meanwhile)
        ended(lambda: case.call(platform), platform)
        assert facts(platform) == case.facts
        refuse_unasked(platform, method)


# Somebody else works meanwhile, between a request that was not carried out and the question


@contextmanager
def meeting(
    case: Case, method: str, kind: str, meanwhile: Callable[[Platform], Any]
) -> Iterator[tuple[Platform, list[Any]]]:
    """Give a platform where somebody does something while a request fails; and what that gave."""
    done: list[Any] = []
    with case.platform() as platform:
        platform.faults.on(method, kind, meanwhile=lambda: done.append(meanwhile(platform)))
        yield platform, done


def volumes_of(platform: Platform) -> dict[int, Any]:
    """Return each volume with all that is on it."""
    state = platform.state
    return {
        row["id"]: (
            row["name"],
            row["hash"],
            sorted(one["id"] for one in state.slices.where(volumeId=row["id"])),
            sorted(one["id"] for one in state.objects.where(entityId=row["id"])),
            {
                one["id"]: (one["customData"], state.geometries.get(one["id"]))
                for one in state.figures.where(entityId=row["id"])
            },
        )
        for row in state.volumes
    }


@pytest.mark.parametrize("kind", SOME_NOT_CARRIED_OUT)
def test_a_volume_that_a_colleague_makes_meanwhile_is_not_taken_for_ours(
    kind: str, cases: dict[str, Case], tmp_path: Path
) -> None:
    case = cases["volumes.bulk.add"]
    source = write_volumes(tmp_path / "theirs", {"A": {"liver": (1, 2)}}, SHAPE)

    def colleague(platform: Platform) -> Any:
        (project,) = platform.state.projects
        (last,) = platform.state.datasets.where(projectId=project["id"], name="first")
        journal = tmp_path / "colleague.jsonl"
        land(source, nk.Instance(api(platform), last["id"]), journal=journal)
        return volumes_of(platform)

    with meeting(case, "volumes.bulk.add", kind, colleague) as (platform, done):
        with pytest.raises(TargetError) as caught:
            case.call(platform)
        assert caught.value.remedy
        assert done == [volumes_of(platform)]
        with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
            case.call(platform)
        assert done == [volumes_of(platform)]


@pytest.mark.parametrize("kind", SOME_NOT_CARRIED_OUT)
@pytest.mark.parametrize("title", ["liver", "Bone"])
@pytest.mark.parametrize("method", ["annotation-objects.bulk.add", "figures.bulk.add"])
def test_an_object_that_a_person_draws_meanwhile_is_not_taken_for_ours(
    method: str, title: str, kind: str, cases: dict[str, Case]
) -> None:
    case = cases[method]

    def person(platform: Platform) -> Any:
        return drawn(platform, title)

    with meeting(case, method, kind, person) as (platform, done):
        ended(lambda: case.call(platform), platform)
        (theirs,) = done
        assert of_object(platform, theirs[0]) == theirs[1]
        call(platform.state, "annotation-objects.bulk.remove", [theirs[0]])
        assert without_classes(platform) == {**case.facts, "classes": None}


def drawn(platform: Platform, title: str) -> tuple[int, Any]:
    """Draw an object on the only volume; return its id, and what there is of it."""
    (row,) = platform.state.volumes
    number = draw(platform, row["datasetId"], row["id"], title, nrrd_bytes())
    return number, of_object(platform, number)


def of_object(platform: Platform, number: int) -> Any:
    """Return the class and the figures of an object."""
    state = platform.state
    figures = state.figures.where(objectId=number)
    shown = [(one["id"], one["customData"], state.geometries[one["id"]]) for one in figures]
    return state.objects.rows[number]["classId"], shown


def without_classes(platform: Platform) -> dict[str, Any]:
    """Return what an upload leaves: a person's class stays when their object goes."""
    return {**facts(platform), "classes": None}


@pytest.mark.parametrize("kind", SOME_UNKNOWN)
def test_a_class_that_a_person_makes_meanwhile_stays(kind: str, cases: dict[str, Case]) -> None:
    case = cases["projects.meta.update"]

    def person(platform: Platform) -> Any:
        (project,) = platform.state.projects
        meta = call(platform.state, "projects.meta", {"id": project["id"]})
        new = {"title": "Bone", "shape": "mask_3d", "color": "#102030", "description": ""}
        meta["classes"].append(new)
        return call(platform.state, "projects.meta.update", {"id": project["id"], "meta": meta})

    with meeting(case, "projects.meta.update", kind, person) as (platform, _):
        ended(lambda: case.call(platform), platform)
        assert facts(platform) == {**case.facts, "classes": ["Bone", "liver"]}


@pytest.mark.parametrize("kind", SOME_NOT_CARRIED_OUT)
def test_what_a_person_draws_meanwhile_on_a_volume_that_is_to_go_stays(
    kind: str, cases: dict[str, Case]
) -> None:
    case = cases["images.bulk.remove"]

    def person(platform: Platform) -> Any:
        return drawn(platform, "Bone")

    with meeting(case, "images.bulk.remove", kind, person) as (platform, done):
        with pytest.raises(TargetError, match="others have drawn on it") as caught:
            case.call(platform)
        (theirs,) = done
        assert of_object(platform, theirs[0]) == theirs[1]
        (row,) = platform.state.volumes
        assert f"remove volume {row['id']}" in caught.value.remedy
        call(platform.state, "images.bulk.remove", {"imageIds": [row["id"]]})
        case.call(platform)
        assert without_classes(platform) == {**case.facts, "classes": None}


@pytest.mark.parametrize("kind", SOME_NOT_CARRIED_OUT)
def test_what_a_person_changes_meanwhile_in_an_object_that_is_to_go_is_kept(
    kind: str, cases: dict[str, Case]
) -> None:
    case = cases["annotation-objects.bulk.remove"]
    scores = {"0-0-1": {"2": {"score": "0.70", "comment": "look again"}}}

    def person(platform: Platform) -> Any:
        row = min(platform.state.figures, key=lambda one: one["id"])
        row.update(customData=scores, updatedAt="later")
        return row["id"]

    with meeting(case, "annotation-objects.bulk.remove", kind, person) as (platform, done):
        receipt = ended(lambda: case.call(platform), platform)
        assert facts(platform) == case.facts
        assert receipt.backup is not None
        texts = [path.read_text() for path in receipt.backup.rglob("*.json")]
        assert any("look again" in text for text in texts)
        assert done


@pytest.mark.parametrize("kind", SOME_UNKNOWN)
def test_scores_that_a_person_gives_meanwhile_stay(kind: str, cases: dict[str, Case]) -> None:
    case = cases["figures.custom-data.update"]
    theirs = {"0-1-0": {"1": {"score": "0.30", "comment": "a person's"}}}

    def person(platform: Platform) -> Any:
        row = next(one for one in platform.state.figures if "0-0-1" in one["customData"])
        row.update(customData={**row["customData"], **theirs}, updatedAt="later")
        return row["id"]

    with meeting(case, "figures.custom-data.update", kind, person) as (platform, done):
        ended(lambda: case.call(platform), platform)
        figure = platform.state.figures.rows[done[0]]
        assert figure["customData"]["0-1-0"] == theirs["0-1-0"]
        assert figure["customData"]["0-0-1"]
