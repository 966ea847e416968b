"""What will land as tables, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.targets.target import EXISTING
from nifti_kit.transfer.workers import Progress
from nifti_kit.widgets.upload.model import landed_text
from nifti_kit.widgets.upload.tables import EXISTING_HELP, PlanTables, there_lines
from tests.support.builders import SAMPLES
from tests.support.landings import land, write_annotations, write_scored_planes, write_volumes


def shown(source: Path, target: nk.ProjectFolder | None = None) -> PlanTables:
    outlook = PlanTables()
    outlook.show(nk.plan(nk.scan(source), target=target))
    return outlook


def test_every_choice_has_its_explanation() -> None:
    assert tuple(EXISTING_HELP) == EXISTING


def test_volumes_objects_and_classes_are_rows(tmp_path: Path) -> None:
    source = write_scored_planes(tmp_path / "source")
    outlook = shown(source)
    names = [f"{plane}_anatomic.nrrd" for plane in ("axl", "cor", "sag")]
    assert [row.cells["name"] for row in outlook.items.rows] == names
    first = outlook.items.rows[0].cells
    size = sum((source / f"axl_{role}.nii.gz").stat().st_size for role in ("anatomic", "inference"))
    assert first == {
        "name": "axl_anatomic.nrrd",
        "lands": "a new volume",
        "objects": 2,
        "scores": 3,
        "size": round(size / 1e6, 3),
        "there": "",
    }
    assert len(outlook.objects.rows) == 6
    assert outlook.objects.rows[0].cells["class"] == "Femur"
    assert outlook.objects.rows[0].colors == {"class": (255, 0, 0)}
    femur, tibia = outlook.classes.rows
    assert (femur.cells["objects"], femur.cells["scores"]) == (3, 1)
    assert (femur.cells["color"], tibia.colors) == ("from the class map", {"name": (0, 255, 0)})


def test_a_colour_that_nobody_chose_is_told(tmp_path: Path) -> None:
    outlook = shown(write_volumes(tmp_path / "source"))
    assert {row.cells["color"] for row in outlook.classes.rows} == {"chosen by the toolkit"}


def test_choosing_a_volume_leaves_its_objects(tmp_path: Path) -> None:
    outlook = shown(write_scored_planes(tmp_path / "source"))
    outlook.items.select("1")
    assert [row.cells["item"] for row in outlook.objects.found] == ["cor_anatomic.nrrd"] * 2
    outlook.items.select("")
    assert len(outlook.objects.found) == 6
    outlook.items.select("1")
    outlook.show(None)
    assert (outlook.items.rows, outlook.objects.rows, outlook.classes.rows) == ((), (), ())
    assert outlook.objects.filters == {}


def test_what_is_there_is_told(tmp_path: Path) -> None:
    source = write_scored_planes(tmp_path / "source")
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(source, target)
    outlook = shown(source, target)
    first = outlook.items.rows[0]
    assert first.cells["lands"] == "a volume that is there"
    assert first.cells["there"] == (
        "the volume (id 1); 1 object of Femur (id 1; 1 score), 1 object of Tibia (id 2; 2 scores)"
    )
    assert first.tone == "warning"


@pytest.mark.parametrize(
    ("existing", "said"),
    [
        ("error", "error: the upload will be refused, and nothing changed. Choose another."),
        ("skip", "skip: what is identical stays, and is not added again. Volumes stay"),
        ("replace", "replace: 6 objects will go, and be kept in a folder aside. Volumes stay"),
        ("append", "append: 6 objects will stay beside the new ones. Volumes stay"),
    ],
)
def test_each_choice_says_what_it_will_do(tmp_path: Path, existing: str, said: str) -> None:
    source = write_scored_planes(tmp_path / "source")
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(source, target)
    first, second = there_lines(nk.plan(nk.scan(source), target=target), existing)
    assert first == (
        "On the target already: 3 volumes of the same name and 6 objects of the same classes."
    )
    assert second.startswith(said)


def test_volumes_alone_lose_nothing(tmp_path: Path) -> None:
    source = write_volumes(tmp_path / "source", {"A": {}})
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(source, target)
    plan = nk.plan(nk.scan(source), target=target)
    assert there_lines(plan, "replace") == [
        "On the target already: 1 volume of the same name.",
        "replace: no object goes. Volumes stay as they are; one with other voxels is refused.",
    ]


def test_objects_on_a_volume_that_is_named_are_counted(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(write_volumes(tmp_path / "source", {"A": {"femur": (1,)}}), target)
    (volume,) = target.volumes()
    source = write_annotations(tmp_path / "masks", volume.id)
    (source / "cls_color_map.txt").write_text("1 femur 255 0 0\n")
    plan = nk.plan(nk.scan(source), target=target)
    assert there_lines(plan, "append") == [
        "On the target already: 1 object of the same classes.",
        "append: 1 object will stay beside the new ones.",
    ]


def test_of_many_changes_of_scores_the_first_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nifti_kit.widgets.upload.tables.SHOWN_LINES", 1)
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(write_scored_planes(tmp_path / "source"), target)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "axl_score.csv").write_text("Layer,Label-1,Label-2\n3,0.5,0.6\n")
    dataset = nk.scan(tmp_path / "in", score_frames="ras")
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    first, second = there_lines(plan, "replace")
    assert first.startswith("axl_score.nrrd: Femur (object 1). On the target already, old -> new: ")
    assert second == "... and 2 more changes"


def test_annotations_without_a_volume_land_nothing() -> None:
    dataset = nk.scan(SAMPLES / "annotations_dataset")
    empty = nk.plan(dataset, mapping=nk.match(dataset, ()))
    outlook = PlanTables()
    outlook.show(empty)
    assert {row.cells["lands"] for row in outlook.items.rows} <= {"nothing"}


def test_a_file_that_is_gone_has_no_size(tmp_path: Path) -> None:
    plan = nk.plan(nk.scan(write_volumes(tmp_path / "source")))
    (tmp_path / "source" / "A.nii.gz").unlink()
    outlook = PlanTables()
    outlook.show(plan)
    assert outlook.items.rows[0].cells["size"] is None


def test_an_upload_without_volumes_is_done() -> None:
    assert Progress(0, 0, 0, 0, "").share == 1.0
    assert Progress(1, 2, 3, 6, "A.nrrd").share == 0.5


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (0, "No volume has landed whole. "),
        (1, "1 of 3 volumes has landed whole, and stays. "),
        (2, "2 of 3 volumes have landed whole, and stay. "),
    ],
)
def test_what_has_landed_is_told(done: int, said: str) -> None:
    again = "Press Upload again: it goes on from there, nothing lands twice."
    assert landed_text(Progress(done, 3, 0, 9, "A.nrrd")) == said + again
