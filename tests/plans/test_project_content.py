"""What a target holds already, as a plan shows it: on a folder and on a live instance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.plans.plan import Plan
from nifti_kit.plans.project import ProjectContent
from nifti_kit.targets.records import ThereObject, there_text
from tests.platform import running_platform
from tests.support.builders import labels, write_nifti
from tests.support.landings import quiet, write_annotations, write_scored_planes, write_volumes
from tests.support.uploads import api, impatience, new_dataset, new_project

Make = Callable[[str | None], Any]

AXIAL = "axl_anatomic.nrrd"


@pytest.fixture(params=["folder", "instance"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """A function that opens a dataset of the target by its name, or the whole project."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    impatience(monkeypatch)
    if request.param == "folder":
        yield lambda name: nk.ProjectFolder(tmp_path / "p", dataset=name)
        return
    with running_platform() as platform:
        project = new_project(platform)
        datasets = {name: new_dataset(platform, project, name) for name in ("d", "other")}

        def opened(name: str | None) -> Any:
            if name is None:
                return nk.Instance(api(platform), project_id=project)
            return nk.Instance(api(platform), datasets[name])

        yield opened
        assert platform.unknown == []


def landed(source: Path, target: Any, **options: Any) -> Any:
    plan = nk.plan(nk.scan(source), target=target)
    return nk.upload(plan, target, on_progress=quiet, **options)


def volume_id(target: Any, name: str = AXIAL) -> int:
    (found,) = (ref.id for ref in target.volumes() if ref.name == name)
    return int(found)


class Counted:
    """A target that notes what it is asked for."""

    def __init__(self, target: Any) -> None:
        self.target, self.asked = target, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def volumes(self) -> Any:
        self.asked.append("volumes")
        return self.target.volumes()

    def objects(self, number: int) -> Any:
        self.asked.append(number)
        return self.target.objects(number)


# Annotations


def test_a_plan_shows_the_objects_of_its_classes_that_are_there(tmp_path: Path, make: Make) -> None:
    target = make("d")
    landed(write_scored_planes(tmp_path / "planes"), target)
    number = volume_id(target)
    femur, tibia = (ref.id for ref in target.objects(number))
    source = tmp_path / "in"
    write_nifti(source / "axl_inference.nii.gz", labels(values=(1, 7)))
    (source / "mapping.json").write_text(json.dumps({"axl_inference.nii.gz": number}))
    (source / "cls_color_map.txt").write_text("1 Femur 255 0 0\n7 Patella 1 2 3\n")
    plan = nk.plan(nk.scan(source), target=target)
    (item,) = plan.items
    assert item.there == plan.there == (ThereObject(femur, "Femur", 1),)
    assert tibia not in [found.id for found in plan.there]
    said = (
        f"On the target already: 1 object of Femur (id {femur}; 1 score): existing='replace' takes "
        "them away and keeps them aside (nk.changes(plan, target) tells what would differ); "
        "'append' adds to them; 'skip' keeps them and adds what is not identical; 'error' refuses."
    )
    assert f"\n    {said}\n    Femur: value 1" in repr(plan)
    assert repr(plan).startswith(
        "Plan: 0 volumes, 2 objects, 2 classes, 0 scores; 1 object there already\n"
    )
    assert "<p>On the target already: 1 object of Femur" in plan._repr_html_()
    receipt = nk.upload(plan, target, existing="replace", on_progress=quiet)
    assert [landed.replaced for landed in receipt.items] == [1]


def test_objects_of_a_class_are_counted_with_their_ids(tmp_path: Path, make: Make) -> None:
    target = make("d")
    landed(write_scored_planes(tmp_path / "planes"), target)
    number = volume_id(target)
    source = write_annotations(tmp_path / "in", number)
    (source / "cls_color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    dataset = nk.scan(source, segmentation="semantic")
    nk.upload(nk.plan(dataset), target, existing="append", on_progress=quiet)
    ids = {name: [] for name in ("Femur", "Tibia")}
    for ref in target.objects(number):
        ids[ref.class_name].append(ref.id)
    plan = nk.plan(dataset, target=target)
    assert sorted((o.class_name, o.id) for o in plan.there) == [
        (name, each) for name, own in ids.items() for each in sorted(own)
    ]
    assert f"2 objects of Femur (ids {ids['Femur'][0]}, {ids['Femur'][1]}; 1 score)" in repr(plan)


def test_what_is_there_does_not_change_the_digest(tmp_path: Path, make: Make) -> None:
    target = make("d")
    landed(write_volumes(tmp_path / "volumes", {"A": {}}), target)
    source = write_annotations(tmp_path / "in", volume_id(target, "A.nrrd"))
    before = nk.plan(nk.scan(source), target=target)
    journal = tmp_path / "journal.jsonl"
    first = nk.upload(before, target, on_progress=quiet, journal=journal)
    after = nk.plan(nk.scan(source), target=target)
    assert (len(before.there), len(after.there)) == (0, 2)
    assert after.digest == before.digest == nk.plan(nk.scan(source)).digest
    again = nk.upload(after, target, on_progress=quiet, journal=journal)
    assert [o.ref.id for o in again.objects] == [o.ref.id for o in first.objects]


def test_a_volume_that_is_not_there_has_nothing(tmp_path: Path, make: Make) -> None:
    target = make("d")
    landed(write_scored_planes(tmp_path / "planes"), target)
    plan = nk.plan(nk.scan(write_annotations(tmp_path / "in", 987_654)), target=target)
    assert plan.items == ()
    assert [(f.code, f.path) for f in plan.blockers] == [
        ("mapping-id-unknown", "axl_inference_1.nii.gz")
    ]
    assert "already" not in repr(plan)


# Volumes


def test_a_volume_of_the_same_name_is_shown_with_its_objects(tmp_path: Path, make: Make) -> None:
    target = make("d")
    source = write_volumes(tmp_path / "in")
    assert nk.plan(nk.scan(source), target=target).there == ()
    landed(source, target)
    plan = nk.plan(nk.scan(source), target=target)
    ids = {ref.name: ref.id for ref in target.volumes()}
    assert [(item.name, item.volume_there) for item in plan.items] == sorted(ids.items())
    assert [len(item.there) for item in plan.items] == [3, 1, 0]
    assert plan.digest == nk.plan(nk.scan(source)).digest
    shown = repr(plan).splitlines()
    assert shown[shown.index("  C.nrrd") + 1] == (
        f"    On the target already: a volume of this name (id {ids['C.nrrd']}): existing='error' "
        "refuses; the others take it if its voxels are the same, else refuse."
    )
    own = [ref.id for ref in target.objects(ids["A.nrrd"]) if ref.class_name == "liver"]
    assert f"2 objects of liver (ids {own[0]}, {own[1]}), 1 object of lung (id " in repr(plan)
    assert plan._repr_html_().count("a volume of this name") == 3


def test_volumes_of_other_datasets_are_not_in_the_way(tmp_path: Path, make: Make) -> None:
    source = write_volumes(tmp_path / "in")
    landed(source, make("d"))
    for scope in ("other", None):
        plan = nk.plan(nk.scan(source), target=make(scope))
        assert {(item.volume_there, item.there) for item in plan.items} == {(None, ())}


# Requests


def test_a_volume_is_asked_for_once_and_only_if_something_lands_there(
    tmp_path: Path, make: Make
) -> None:
    target = make("d")
    landed(write_scored_planes(tmp_path / "planes"), target)
    axial, coronal = volume_id(target), volume_id(target, "cor_anatomic.nrrd")
    source = tmp_path / "in"
    write_nifti(source / "axl_inference.nii.gz", labels(values=(1,)))
    write_nifti(source / "cor_inference.nii.gz", labels(values=(7,)))
    (source / "x_cor_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    named = {"axl_inference.nii.gz": axial, "cor_inference.nii.gz": coronal}
    (source / "mapping.json").write_text(json.dumps({**named, "x_cor_score.csv": coronal}))
    counted = Counted(target)
    plan = nk.plan(nk.scan(source, score_frames="ras"), target=counted)
    assert len(plan.updates) == 1
    assert sorted(map(str, counted.asked)) == sorted(["volumes", str(axial), str(coronal)])


def test_new_volumes_cost_one_request(tmp_path: Path, make: Make) -> None:
    counted = Counted(make("d"))
    nk.plan(nk.scan(write_volumes(tmp_path / "in")), target=counted)
    assert counted.asked == ["volumes"]


def test_without_a_target_nothing_is_known(tmp_path: Path) -> None:
    plan = nk.plan(nk.scan(write_volumes(tmp_path / "in")))
    assert plan.there == ()
    assert "already" not in repr(plan)
    assert "already" not in plan._repr_html_()


# Words


def there(*names: str, key: str = "k") -> SimpleNamespace:
    """Return a target with one volume and one figure of object 5 for each class name."""
    figures = [
        SimpleNamespace(id=5, key=key, class_name=name, scores={"0-0-1": {"1": {}}})
        for name in names
    ]
    volume = SimpleNamespace(id=1, name="a.nrrd")
    return SimpleNamespace(volumes=lambda: [volume], objects=lambda _: figures, dataset="d")


def test_an_object_of_two_figures_is_one_object() -> None:
    found = ProjectContent(there("lung", "lung")).of_classes(1, {"lung"})
    assert found == (ThereObject(5, "lung", 2),)


def test_ids_beyond_the_first_are_counted() -> None:
    many = [ThereObject(number, "lung") for number in range(1, 12)]
    assert there_text(many) == "11 objects of lung (ids 1, 2, 3, 4, 5, 6, 7, 8 and 3 more)"


def test_many_classes_are_counted() -> None:
    many = [ThereObject(number, f"organ_{number}", 1) for number in range(1, 105)]
    assert there_text(many) == "104 objects of 104 classes (104 scores)"
    assert there_text(many[:2]) == (
        "1 object of organ_1 (id 1; 1 score), 1 object of organ_2 (id 2; 1 score)"
    )


def test_class_names_of_a_server_are_escaped(tmp_path: Path) -> None:
    name = "<img src=x>\x1b[31m"
    write_nifti(tmp_path / "a.nii")
    write_nifti(tmp_path / "a" / "lung.nii", labels(values=(1,)))
    plan: Plan = nk.plan(nk.scan(tmp_path))
    (item,) = plan.items
    object.__setattr__(item, "there", (ThereObject(5, name),))
    assert r"1 object of <img src=x>\x1b[31m (id 5)" in repr(plan)
    assert "<img" not in plan._repr_html_()
    assert "\x1b" not in plan._repr_html_()
