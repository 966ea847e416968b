"""plan: items, objects, classes and scores that will land, and what stands in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nifti_kit as nk
from nifti_kit.formats.mappings import Mapping, MappingRow
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.records import PlannedClass
from tests.support.builders import SHAPE, labels, write_nifti, write_planes
from tests.support.properties import untimed

PLANES = ("axl", "cor", "sag")
MAP = "1 Femur 255 0 0\n2 Tibia\n7 Patella 0 0 255\n"
RED, BLUE = (255, 0, 0), (0, 0, 255)

Row = tuple[str, str, int, int]


def planned(plan: Plan) -> list[Row]:
    """Return (volume, class, value, voxels) of every object."""
    return [
        (item.name, found.class_name, found.value, found.voxels)
        for item in plan.items
        for found in item.objects
    ]


def blockers(plan: Plan) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in plan.blockers]


def volumes(folder: Path) -> Path:
    for plane in PLANES:
        write_nifti(folder / f"{plane}_anatomic.nii")
    return folder


# Objects and classes.


def test_semantic_every_value_is_an_object_of_its_class(tmp_path: Path) -> None:
    write_planes(tmp_path)
    write_nifti(tmp_path / "sag_inference.nii.gz", labels(values=(7, 2, 5)))
    (tmp_path / "map.txt").write_text(MAP)
    plan = nk.plan(nk.scan(tmp_path))
    assert planned(plan) == [
        ("axl_anatomic.nrrd", "Femur", 1, 5),
        ("axl_anatomic.nrrd", "Tibia", 2, 5),
        ("cor_anatomic.nrrd", "Femur", 1, 5),
        ("cor_anatomic.nrrd", "Tibia", 2, 5),
        ("sag_anatomic.nrrd", "Tibia", 2, 5),
        ("sag_anatomic.nrrd", "Segment_5", 5, 5),
        ("sag_anatomic.nrrd", "Patella", 7, 5),
    ]
    assert [(c.name, c.value, c.color_is_given) for c in plan.classes] == [
        *(("Femur", 1, True), ("Tibia", 2, False), ("Segment_5", 5, False), ("Patella", 7, True))
    ]
    assert plan.classes[0].color == RED
    assert plan.classes[3].color == BLUE
    assert plan.kinds == {f"{plane}_anatomic.nrrd": "semantic" for plane in PLANES}
    assert blockers(plan) == []


def test_instance_every_file_is_a_class_and_every_value_an_object(tmp_path: Path) -> None:
    volumes(tmp_path)
    for name in ("axl_inference_1", "axl_inference_2", "cor_inference_3", "sag_inference_1"):
        write_nifti(tmp_path / f"{name}.nii", labels(values=(4, 9)))
    (tmp_path / "map.txt").write_text(MAP)
    plan = nk.plan(nk.scan(tmp_path))
    assert planned(plan) == [
        ("axl_anatomic.nrrd", "Femur", 4, 5),
        ("axl_anatomic.nrrd", "Femur", 9, 5),
        ("axl_anatomic.nrrd", "Tibia", 4, 5),
        ("axl_anatomic.nrrd", "Tibia", 9, 5),
        ("cor_anatomic.nrrd", "Segment_3", 4, 5),
        ("cor_anatomic.nrrd", "Segment_3", 9, 5),
        ("sag_anatomic.nrrd", "Femur", 4, 5),
        ("sag_anatomic.nrrd", "Femur", 9, 5),
    ]
    assert [(c.name, c.description) for c in plan.classes] == [
        ("Femur", "Mask pixel value: 1"),
        ("Tibia", "Mask pixel value: 2"),
        ("Segment_3", "Mask pixel value: 3"),
    ]


def test_by_volume_the_file_name_is_the_class(tmp_path: Path) -> None:
    for name in ("CT.nii", "MR.nii"):
        write_nifti(tmp_path / name)
    write_nifti(tmp_path / "CT" / "femur.nii", labels(values=(3, 8)))
    write_nifti(tmp_path / "CT" / "soft_tissue.nii", labels(values=(1,)))
    write_nifti(tmp_path / "MR" / "soft_tissue.nii.gz", labels(values=(2,)))
    (tmp_path / "map.txt").write_text("7 Femur 255 0 0\n")
    plan = nk.plan(nk.scan(tmp_path))
    assert planned(plan) == [
        ("CT.nrrd", "femur", 3, 5),
        ("CT.nrrd", "femur", 8, 5),
        ("CT.nrrd", "soft_tissue", 1, 5),
        ("MR.nrrd", "soft_tissue", 2, 5),
    ]
    assert [(c.name, c.value, c.color_is_given) for c in plan.classes] == [
        ("femur", 7, True),
        ("soft_tissue", 1, False),
    ]
    assert plan.classes[0].color == RED


def test_the_kind_may_be_chosen(tmp_path: Path) -> None:
    volumes(tmp_path)
    write_nifti(tmp_path / "axl_inference_3.nii", labels())
    auto, semantic = (
        nk.plan(nk.scan(tmp_path, segmentation=kind)) for kind in ("auto", "semantic")
    )
    assert [row[1:3] for row in planned(auto)] == [("Segment_3", 1), ("Segment_3", 2)]
    assert [row[1:3] for row in planned(semantic)] == [("Segment_1", 1), ("Segment_2", 2)]


def test_by_volume_too(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "all.nii", labels())
    (tmp_path / "map.txt").write_text(MAP)
    plan = nk.plan(nk.scan(tmp_path, segmentation="semantic"))
    assert [row[1:3] for row in planned(plan)] == [("Femur", 1), ("Tibia", 2)]


def test_a_class_may_be_given_in_code(tmp_path: Path) -> None:
    write_planes(tmp_path)
    plan = nk.plan(nk.scan(tmp_path, classes={1: ("Femur", RED), 2: "Tibia"}))
    assert [(c.name, c.color_is_given) for c in plan.classes] == [("Femur", True), ("Tibia", False)]


def test_colours_that_are_not_given_are_all_different_and_not_those_of_the_map(
    tmp_path: Path,
) -> None:
    first_free = (242, 61, 61)
    volumes(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", np.arange(210, dtype="u1").reshape(SHAPE))
    (tmp_path / "map.txt").write_text("9 Femur 242 61 61\n10 Tibia 1 2 3\n")
    plan = nk.plan(nk.scan(tmp_path))
    assert len(plan.classes) == 209
    assert len({found.color for found in plan.classes}) == 209
    assert [found.name for found in plan.classes if found.color == first_free] == ["Femur"]
    colors = {found.name: found.color for found in plan.classes}
    assert all(found.color == colors[found.class_name] for found in plan.objects)


def test_the_plan_is_the_same_every_time(tmp_path: Path) -> None:
    write_planes(tmp_path)
    first, second = (nk.plan(nk.scan(tmp_path)) for _ in range(2))
    assert first.classes == second.classes
    assert first.digest == second.digest
    assert repr(first) == repr(second)


def test_a_class_carries_its_pixel_value_in_its_description() -> None:
    found = PlannedClass("Femur", RED, 12, True)
    assert found.description == "Mask pixel value: 12"


def test_an_object_knows_its_source(tmp_path: Path) -> None:
    write_planes(tmp_path)
    plan = nk.plan(nk.scan(tmp_path))
    first, second, *_ = plan.objects
    assert first.mask.relative == PurePosixPath("axl_inference.nii.gz")
    assert (first.value, first.voxels, first.score_count) == (1, 5, 0)
    # By hand: an L of 3 voxels along j at k = 2, and 3 along k at j = 1.
    assert second.label.box == (slice(1, 2), slice(1, 4), slice(2, 5))
    assert second.orientation.flips == (False, False, False)
    assert repr(second) == "<Segment_2: 5 voxels, axl_inference.nii.gz>"


@pytest.mark.parametrize("layout", ["semantic", "instance", "by_volume"])
@settings(untimed, max_examples=40)
@given(
    array=arrays(
        np.uint16, (3, 4, 5), elements=st.sampled_from([0, 0, 0, 1, 2, 7, 255, 256, 65535])
    )
)
def test_every_value_of_every_mask_becomes_an_object_with_all_its_voxels(
    layout: str, array: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("values")
    name = {
        "semantic": "axl_mask.nii",
        "instance": "axl_mask_4.nii",
        "by_volume": "axl_anatomic/lung.nii",
    }[layout]
    write_nifti(root / "axl_anatomic.nii", np.zeros((3, 4, 5), "i2"))
    write_nifti(root / name, array)
    dataset = nk.scan(root, layout="by_volume" if layout == "by_volume" else "by_plane")
    plan = nk.plan(dataset, waive="planes-incomplete")
    values, counts = np.unique(array[array > 0], return_counts=True)
    assert [(o.value, o.voxels) for o in plan.objects] == [
        *zip(values.tolist(), counts.tolist(), strict=True)
    ]
    names = {
        "semantic": [f"Segment_{value}" for value in values],
        "instance": ["Segment_4"] * len(values),
        "by_volume": ["lung"] * len(values),
    }[layout]
    assert [found.class_name for found in plan.objects] == names
    assert not plan.blockers


# Scores.


def test_scores_are_the_custom_data_of_their_object(tmp_path: Path) -> None:
    volumes(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels(values=(2, 4)))
    write_nifti(tmp_path / "cor_inference.nii", labels(values=(2,)))
    write_nifti(tmp_path / "sag_inference.nii", labels(values=(2,)))
    (tmp_path / "axl_score.csv").write_text("Layer, Label-2, Label-4\n3, 0.8, 0.9\n7, 0.725, \n")
    (tmp_path / "cor_score.csv").write_text("Layer;Label-2;Comment-2\n1;0,5;blurred\n")
    (tmp_path / "sag_score.csv").write_text("Layer,Label-2,Comment-2\n5,,cut\n")
    plan = nk.plan(nk.scan(tmp_path))
    assert [found.scores for found in plan.objects] == [
        {
            "0-0-1": {
                "2": {"score": "0.80", "comment": None},
                "6": {"score": "0.725", "comment": None},
            }
        },
        {"0-0-1": {"2": {"score": "0.90", "comment": None}}},
        {"0-1-0": {"0": {"score": "0.50", "comment": "blurred"}}},
        {"1-0-0": {"4": {"score": None, "comment": "cut"}}},
    ]
    assert [found.score_count for found in plan.objects] == [2, 1, 1, 1]
    assert repr(plan.items[0].objects[0]) == ("<Segment_2: 5 voxels, 2 scores, axl_inference.nii>")
    assert blockers(plan) == []


def test_exported_scores_count_from_0(tmp_path: Path) -> None:
    volumes(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels())
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n0,0.80\n6,0.0\n")
    assert blockers(nk.plan(nk.scan(tmp_path))) == [
        ("scores-base-unsaid", "axl_score.csv"),
        ("scores-layer-zero", "axl_score.csv"),
    ]
    plan = nk.plan(nk.scan(tmp_path, score_base=0))
    assert plan.objects[0].scores == {
        "0-0-1": {"0": {"score": "0.80", "comment": None}, "6": {"score": "0.00", "comment": None}}
    }
    assert blockers(plan) == []


# What stands in the way.


def test_data_faults_are_blockers_and_raise_nothing(tmp_path: Path) -> None:
    write_planes(tmp_path, ("axl", "cor"))
    (tmp_path / "cor_inference.nii.gz").write_bytes(b"no image")
    plan = nk.plan(nk.scan(tmp_path))
    assert blockers(plan) == [
        ("file-unreadable", "cor_inference.nii.gz"),
        ("planes-incomplete", ""),
    ]
    assert planned(plan) == [
        ("axl_anatomic.nrrd", "Segment_1", 1, 5),
        ("axl_anatomic.nrrd", "Segment_2", 2, 5),
    ]


UNUSABLE = {
    "a fraction": np.where(labels() == 2, np.float32(0.9882), labels()),
    "a probability map": np.linspace(0, 1, 210, dtype="f4").reshape(SHAPE),
    "a negative value": labels().astype("i2") - 1,
}


@pytest.mark.parametrize("array", UNUSABLE.values(), ids=list(UNUSABLE))
def test_values_that_are_no_labels_block_and_make_no_class(
    array: np.ndarray, tmp_path: Path
) -> None:
    volumes(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", array)
    write_nifti(tmp_path / "cor_inference.nii", labels())
    plan = nk.plan(nk.scan(tmp_path))
    assert blockers(plan) == [("labels-unusable", "axl_inference.nii")]
    assert [found.name for found in plan.classes] == ["Segment_1", "Segment_2"]
    assert {row[0] for row in planned(plan)} == {"cor_anatomic.nrrd"}


def test_a_truncated_mask_lands_not_in_part(tmp_path: Path) -> None:
    volumes(tmp_path)
    noise = np.random.default_rng(7).integers(0, 5, (40, 40, 40)).astype("u1")
    path = write_nifti(tmp_path / "axl_inference.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:-5000])
    plan = nk.plan(nk.scan(tmp_path))
    assert ("file-unreadable", "axl_inference.nii.gz") in blockers(plan)
    assert planned(plan) == []


def test_what_a_person_waives_does_not_block_and_is_kept(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path, ("axl", "cor")))
    assert blockers(nk.plan(dataset)) == [("planes-incomplete", "")]
    for waive in ("planes-incomplete", ["planes-incomplete"], iter(["planes-incomplete"])):
        plan = nk.plan(dataset, waive=waive)
        assert blockers(plan) == []
        assert plan.waive == ("planes-incomplete",)
        assert [finding.code for finding in plan.findings.waived] == ["planes-incomplete"]


def test_waiving_an_unknown_code_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no finding code 'all'"):
        nk.plan(nk.scan(write_planes(tmp_path)), waive="all")


def test_an_empty_source_blocks(tmp_path: Path) -> None:
    plan = nk.plan(nk.scan(tmp_path))
    assert plan.items == ()
    assert blockers(plan) == [("source-empty", "")]


# Annotations alone.


def annotations(folder: Path) -> Path:
    for name in ("axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_1.nii"):
        write_nifti(folder / name, labels(values=(1,)))
    return folder


def mapping(**ids: int | None) -> Mapping:
    """Return a mapping of axl_1, axl_2 and cor_1."""
    return Mapping(
        MappingRow(PurePosixPath(f"{key[:3]}_inference_{key[-1]}.nii"), volume)
        for key, volume in ids.items()
    )


def by_id(plan: Plan) -> dict[int | None, list[tuple[str, str]]]:
    return {
        item.volume_id: [(found.mask.relative.name, found.class_name) for found in item.objects]
        for item in plan.items
    }


def test_annotations_go_to_the_volumes_of_their_mapping(tmp_path: Path) -> None:
    annotations(tmp_path)
    ids = {"axl_inference_1.nii": 11, "axl_inference_2.nii": 11, "cor_inference_1.nii": 12}
    (tmp_path / "mapping.json").write_text(json.dumps(ids))
    plan = nk.plan(nk.scan(tmp_path))
    assert by_id(plan) == {
        11: [("axl_inference_1.nii", "Segment_1"), ("axl_inference_2.nii", "Segment_2")],
        12: [("cor_inference_1.nii", "Segment_1")],
    }
    assert [(item.name, item.volume) for item in plan.items] == [
        ("axl_inference_1.nrrd", None),
        ("cor_inference_1.nrrd", None),
    ]
    assert not plan.findings


def test_files_of_several_planes_may_go_to_one_volume(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path))
    plan = nk.plan(dataset, mapping=mapping(axl_1=11, axl_2=12, cor_1=11))
    assert by_id(plan) == {
        11: [("axl_inference_1.nii", "Segment_1"), ("cor_inference_1.nii", "Segment_1")],
        12: [("axl_inference_2.nii", "Segment_2")],
    }


def test_without_a_mapping_every_annotation_is_a_blocker(tmp_path: Path) -> None:
    plan = nk.plan(nk.scan(annotations(tmp_path)))
    assert plan.items == ()
    assert [(f.code, f.path, f.message) for f in plan.blockers] == [
        ("annotation-unmatched", name, "there is no mapping")
        for name in ("axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_1.nii")
    ]


@pytest.mark.parametrize("given", [mapping(axl_1=11, axl_2=None), mapping(axl_1=11)])
def test_an_annotation_that_the_mapping_does_not_have_is_a_blocker(
    given: Mapping, tmp_path: Path
) -> None:
    plan = nk.plan(nk.scan(annotations(tmp_path)), mapping=given)
    assert by_id(plan) == {11: [("axl_inference_1.nii", "Segment_1")]}
    assert [(f.code, f.path, f.message) for f in plan.blockers] == [
        ("annotation-unmatched", name, "the mapping has no volume for it")
        for name in ("axl_inference_2.nii", "cor_inference_1.nii")
    ]


def test_an_empty_mapping_is_a_mapping(tmp_path: Path) -> None:
    annotations(tmp_path)
    (tmp_path / "mapping.json").write_text('{"axl_inference_1.nii": 11}')
    plan = nk.plan(nk.scan(tmp_path), mapping=Mapping([]))
    assert plan.items == ()
    assert {f.message for f in plan.blockers} == {"the mapping has no volume for it"}


def test_a_given_mapping_goes_before_that_of_the_source_and_its_faults(tmp_path: Path) -> None:
    annotations(tmp_path)
    (tmp_path / "a.json").write_text('{"axl_inference_1.nii": 1}')
    (tmp_path / "b.json").write_text('{"axl_inference_1.nii": 2}')
    dataset = nk.scan(tmp_path)
    assert ("mapping-several", "a.json") in blockers(nk.plan(dataset))
    (tmp_path / "c.json").write_text(
        '{"axl_inference_1.nii": 11, "axl_inference_2.nii": 11, "cor_inference_1.nii": 12}'
    )
    plan = nk.plan(dataset, mapping=nk.read_mapping(tmp_path / "c.json", dataset))
    assert list(by_id(plan)) == [11, 12]
    assert blockers(plan) == []
    assert [(f.code, f.path) for f in plan.findings.waived] == [("mapping-several", "a.json")]


def test_the_faults_of_a_given_mapping_block(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path))
    path = tmp_path / "m.json"
    path.write_text('{"axl_inference_1.nii": "11", "sag_mask.nii": 4}')
    plan = nk.plan(dataset, mapping=nk.read_mapping(path, dataset, relative="m.json"))
    assert [(f.code, f.path) for f in plan.blockers if f.path == "m.json"] == [
        ("mapping-id", "m.json"),
        ("mapping-key", "m.json"),
    ]


def test_the_faults_of_the_mapping_of_the_source_are_named_once(tmp_path: Path) -> None:
    annotations(tmp_path)
    (tmp_path / "m.json").write_text('{"sag_mask.nii": 4}')
    dataset = nk.scan(tmp_path)
    for choice in (None, dataset.mapping):
        plan = nk.plan(dataset, mapping=choice)
        assert blockers(plan).count(("mapping-key", "m.json")) == 1


def test_a_given_mapping_that_gives_a_volume_to_two_planes_is_named(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path))
    plan = nk.plan(dataset, mapping=mapping(axl_1=11, axl_2=11, cor_1=11))
    assert [(f.code, f.message) for f in plan.findings] == [
        (
            "mapping-id-shared",
            (
                "volume 11 is given to 2 planes or cases: axl_inference_1.nii (axl), "
                "cor_inference_1.nii (cor)"
            ),
        )
    ]


def test_why_a_file_was_not_matched_is_in_the_finding(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path))
    rows = [
        MappingRow(path, None, "", (1, 2), "two volumes fit") for path in dataset.annotation_paths
    ]
    plan = nk.plan(dataset, mapping=Mapping(rows))
    assert {(f.code, f.message) for f in plan.blockers} == {
        ("annotation-unmatched", "two volumes fit")
    }


# How a plan shows itself.


@pytest.fixture
def shown(tmp_path: Path) -> Plan:
    write_planes(tmp_path, ("axl", "cor"))
    (tmp_path / "cor_inference.nii.gz").unlink()
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n2,0.6\n")
    (tmp_path / "map.txt").write_text(MAP)
    return nk.plan(nk.scan(tmp_path))


def test_the_text_form_has_a_line_for_each_item_and_object(shown: Plan) -> None:
    *lines, finding, warning, note = repr(shown).splitlines()
    assert lines == [
        "Plan: 2 volumes, 2 objects, 2 classes, 2 scores; BLOCKED by 1 error",
        "  axl_anatomic.nrrd [semantic]",
        "    Femur: value 1, 5 voxels, 2 scores <- axl_inference.nii.gz",
        "    Tibia: value 2, 5 voxels <- axl_inference.nii.gz",
        "  cor_anatomic.nrrd",
        "Findings: 1 error, 1 warning, 1 note",
    ]
    assert warning.startswith("  WARNING [scores-slice-empty] axl_score.csv: ")
    assert note.startswith("  NOTE [class-without-value] ")
    assert finding.startswith("  ERROR [planes-incomplete] no volume of plane sag (there are axl_")
    assert [repr(item) for item in shown.items] == [
        "<axl_anatomic.nrrd: 2 objects>",
        "<cor_anatomic.nrrd: 0 objects>",
    ]


def test_the_table_has_a_row_for_each_object(shown: Plan) -> None:
    frame = shown.to_frame()
    assert list(frame.columns) == ["item", "class", "value", "voxels", "scores", "from"]
    assert frame.to_numpy().tolist() == [
        ["axl_anatomic.nrrd", "Femur", 1, 5, 2, "axl_inference.nii.gz"],
        ["axl_anatomic.nrrd", "Tibia", 2, 5, 0, "axl_inference.nii.gz"],
    ]


def test_the_html_form_shows_items_classes_colours_and_findings(shown: Plan) -> None:
    markup = shown._repr_html_()
    assert "<summary>axl_anatomic.nrrd: 2 objects - semantic</summary>" in markup
    assert "<summary>cor_anatomic.nrrd: 0 objects</summary>" in markup
    assert "background:rgb(255,0,0)" in markup
    assert "Femur" in markup
    assert "planes-incomplete" in markup


def test_the_forms_of_annotations_show_the_volume_id(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path))
    plan = nk.plan(dataset, mapping=mapping(axl_1=11, axl_2=11, cor_1=12))
    assert repr(plan).splitlines() == [
        "Plan: 0 volumes, 3 objects, 2 classes, 0 scores",
        "  axl_inference_1.nrrd (volume 11) [instance]",
        "    Segment_1: value 1, 5 voxels <- axl_inference_1.nii",
        "    Segment_2: value 1, 5 voxels <- axl_inference_2.nii",
        "  cor_inference_1.nrrd (volume 12) [instance]",
        "    Segment_1: value 1, 5 voxels <- cor_inference_1.nii",
    ]
    assert repr(plan.items[0]) == "<volume 11: 2 objects>"
    markup = plan._repr_html_()
    assert "axl_inference_1.nrrd (volume 11): 2 objects - instance" in markup
    assert "Findings" not in markup


def test_class_names_are_escaped_in_the_html_form(tmp_path: Path) -> None:
    write_planes(tmp_path)
    plan = nk.plan(nk.scan(tmp_path, classes={1: "<img src=x>", 2: "<script>"}))
    markup = plan._repr_html_()
    assert "&lt;img src=x&gt;" in markup
    assert "<img" not in markup
    assert "<script" not in markup


def changes(folder: Path) -> Iterator[Any]:
    """Change what is in a folder, one thing at a time; yield the choices of scan."""
    yield {}
    write_nifti(folder / "axl_inference.nii.gz", labels(values=(1, 3)))
    yield {}
    write_nifti(folder / "axl_anatomic.nii.gz", np.zeros((9, 9, 9), "i2"))
    yield {}
    (folder / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    yield {}
    (folder / "axl_score.csv").write_text("Layer,Label-1\n1,0.6\n")
    yield {}
    yield {"classes": {1: "Femur"}}
    (folder / "sag_anatomic.nii.gz").rename(folder / "sag_anatomical.nii.gz")
    yield {}


def test_the_digest_changes_with_the_plan_and_only_with_it(tmp_path: Path) -> None:
    write_planes(tmp_path)
    seen = []
    for choices in changes(tmp_path):
        digests = {nk.plan(nk.scan(tmp_path, **choices)).digest for _ in range(2)}
        assert len(digests) == 1
        seen += digests
    assert len(set(seen)) == len(seen) == 7
    assert all(len(digest) == 16 for digest in seen)


def test_the_digest_changes_with_the_mapping(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path))
    ids = [
        mapping(axl_1=11, axl_2=11, cor_1=12),
        mapping(axl_1=11, axl_2=11, cor_1=13),
        mapping(axl_1=11, axl_2=12, cor_1=12),
    ]
    assert len({nk.plan(dataset, mapping=one).digest for one in ids}) == 3


def test_a_value_without_a_class_does_not_take_the_name_of_another_value(tmp_path: Path) -> None:
    write_planes(tmp_path)
    (tmp_path / "color_map.txt").write_text("1 Segment_2 255 0 0\n")
    axial = nk.plan(nk.scan(tmp_path)).items[0]
    assert [(o.value, o.class_name) for o in axial.objects] == [
        (1, "Segment_2"),
        (2, "Segment_2_unnamed"),
    ]
