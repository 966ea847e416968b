"""What a person says of single files: left out, of another volume, with a class of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import BadSource
from tests.support.builders import labels, volume, write_nifti, write_planes

MASK, HOME, OTHER = "a/axl_inference.nii.gz", "a/axl_anatomic.nii.gz", "b/axl_anatomic.nii.gz"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two patients by plane; the axial mask of b lies with a, and has no volume of its own."""
    for name in ("a", "b"):
        write_planes(tmp_path / name)
    (tmp_path / "b" / "axl_inference.nii.gz").unlink()
    return tmp_path


def masks_of(dataset: Any) -> dict[str, list[str]]:
    return {
        str(item.volume.relative): [str(mask.relative) for mask in item.masks]
        for item in dataset.items
        if item.volume
    }


def test_a_file_that_is_left_out_does_not_land_and_stays_on_record(two: Path) -> None:
    dataset = nk.scan(two, leave_out=MASK)
    assert masks_of(dataset)[HOME] == []
    assert dataset.unused == (two / MASK,)
    assert [f.path for f in nk.check(dataset) if f.code == "left-out"] == [MASK]
    plan = nk.plan(dataset)
    assert plan.provenance.choices["left_out"] == [MASK]
    assert len(plan.objects) == len(nk.plan(nk.scan(two)).objects) - 2


def test_a_mask_goes_to_the_volume_that_a_person_gives_it(two: Path) -> None:
    dataset = nk.scan(two, volumes={MASK: OTHER})
    assert masks_of(dataset)[HOME] == []
    assert masks_of(dataset)[OTHER] == [MASK]
    (item,) = [i for i in dataset.items if i.volume and str(i.volume.relative) == OTHER]
    assert item.segmentation == "semantic"
    plan = nk.plan(dataset)
    assert plan.provenance.choices["volumes"] == {MASK: OTHER}
    landed = {one.name: [o.value for o in one.objects] for one in plan.items}
    assert landed[item.name] == [1, 2]


def test_its_score_table_can_go_with_it(two: Path) -> None:
    (two / "a" / "axl_score.csv").write_text("Layer,Label-1\n3,0.5\n")
    pairs = {MASK: OTHER, "a/axl_score.csv": OTHER}
    plan = nk.plan(nk.scan(two, volumes=pairs))
    scores = [bool(one.scores) for item in plan.items for one in item.objects]
    assert scores.count(True) == 1
    (scored,) = [i for i in plan.items if any(one.scores for one in i.objects)]
    assert scored.volume is not None
    assert str(scored.volume.relative) == OTHER


def test_a_mask_without_a_volume_by_its_name_gets_one(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "MR.nii", volume() + 1)
    write_nifti(tmp_path / "CT" / "spleen.nii", labels(values=(1,)))
    write_nifti(tmp_path / "other" / "liver.nii", labels(values=(1,)))
    dataset = nk.scan(tmp_path, volumes={"other/liver.nii": "CT.nii"})
    assert masks_of(dataset) == {"CT.nii": ["CT/spleen.nii", "other/liver.nii"], "MR.nii": []}
    assert {one.class_name for one in nk.plan(dataset).objects} == {"spleen", "liver"}
    assert not nk.check(dataset).errors


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"leave_out": "a/axl_inference.nii"}, "leave_out names a file"),
        ({"volumes": {"a/axl.nii.gz": OTHER}}, "volumes names a file"),
        ({"volumes": {MASK: "b/axl.nii.gz"}}, "volumes names a file"),
        ({"volumes": {MASK: "b/cor_inference.nii.gz"}}, "something that is no volume"),
        ({"volumes": [MASK]}, "in no known form"),
        ({"incomplete": "a"}, "incomplete names a folder"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is_near(
    two: Path, choices: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadSource, match=said) as refused:
        nk.scan(two, **choices)
    assert "nii.gz" in str(refused.value) or "no set lacks a plane" in str(refused.value)


def test_further_choices_are_added_and_repairs_stay(two: Path) -> None:
    (two / "cls_color_map.txt").write_text("1 Femur 1 2 3\n")
    dataset = nk.repairs.drop_specks(nk.scan(two), "a/cor_inference.nii.gz", fewer_than=99).dataset
    dataset = nk.rescan(dataset, leave_out="a/sag_inference.nii.gz", classes={2: "Tibia"})
    dataset = nk.rescan(dataset, volumes={MASK: OTHER}, score_base=0, classes={3: "Rib"})
    assert {one.value: one.name for one in dataset.classes} == {1: "Femur", 2: "Tibia", 3: "Rib"}
    assert masks_of(dataset)["a/sag_anatomic.nii.gz"] == []
    assert masks_of(dataset)[OTHER] == [MASK]
    assert dataset.score_base == 0
    assert [str(one.relative) for one in dataset.mended] == ["a/cor_inference.nii.gz"]


def test_a_map_of_the_source_that_is_not_sound_is_replaced(two: Path) -> None:
    (two / "a" / "map.txt").write_text("1 Femur 1 2 3\n")
    (two / "cls_color_map.txt").write_text("1 Tibia 1 2 3\n")
    assert "class-map-several" in {f.code for f in nk.scan(two).findings}
    given = nk.scan(two, classes={1: "Rib"})
    assert [(one.value, one.name) for one in given.classes] == [(1, "Rib")]
    assert "class-map-several" not in {f.code for f in given.findings}


def test_a_set_that_is_known_to_lack_a_plane_lands(two: Path) -> None:
    (two / "b" / "sag_anatomic.nii.gz").unlink()
    (two / "b" / "sag_inference.nii.gz").unlink()
    dataset = nk.scan(two)
    assert [(f.code, f.path) for f in nk.check(dataset).errors] == [("planes-incomplete", "b")]
    plan = nk.plan(nk.rescan(dataset, incomplete="b"))
    assert not plan.blockers
    assert [f.path for f in plan.findings if f.code == "planes-fewer"] == ["b"]
    assert plan.provenance.choices["incomplete"] == ["b"]


def test_a_class_that_its_new_volume_has_already_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_planes(tmp_path / name)
    first, second = MASK, "b/axl_inference.nii.gz"
    one_way = nk.scan(tmp_path, volumes={first: OTHER})
    (found,) = [f for f in nk.plan(one_way).blockers if f.code == "annotation-repeated"]
    assert (found.path, second in found.message) == (first, True)
    swapped = nk.rescan(one_way, volumes={second: HOME})
    assert not nk.plan(swapped).blockers


def test_masks_go_with_the_volume_that_is_left_out(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a/CT.nii", volume())
    write_nifti(tmp_path / "a/CT/liver.nii", labels())
    write_nifti(tmp_path / "b/CT.nii", volume() + 1)
    step = nk.Step("leave_out", ("a/CT.nii",))
    done = nk.Steps().preview(nk.scan(tmp_path), step)
    assert [change.file for change in done.files] == ["a/CT.nii", "a/CT/liver.nii"]
    assert len(done.lost) == 2
    assert masks_of(done.dataset) == {"b/CT.nii": []}
    assert done.dataset.choices.left_out == ("a/CT.nii", "a/CT/liver.nii")
