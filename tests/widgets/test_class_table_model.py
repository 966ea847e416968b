"""Class table: values, colours, voxels, volumes and items of every class."""

from __future__ import annotations

import pytest

import nifti_kit as nk
from nifti_kit.widgets.inspect.tables import class_counts, class_rows
from tests.support.builders import SAMPLES, labels, write_nifti, write_planes

VOXEL = 30.0
"""Of the builders' files (mm3): 2 x 3 x 5 mm."""


def test_voxels_and_volumes_of_all_items_are_added_up(tmp_path):
    write_planes(tmp_path)
    (tmp_path / "color_map.txt").write_text("1 Liver 10 20 30\n7 Nowhere\n")
    counts = class_counts(nk.scan(tmp_path))
    every = ["axl_anatomic.nrrd", "cor_anatomic.nrrd", "sag_anatomic.nrrd"]
    assert [(c.value, c.name, c.voxels, c.mm3, c.items) for c in counts] == [
        (1, "Liver", 15, pytest.approx(15 * VOXEL), every),
        (2, "Segment_2", 15, pytest.approx(15 * VOXEL), every),
        (7, "Nowhere", 0, 0.0, []),
    ]
    assert counts[0].color == (10, 20, 30)
    assert counts[1].color is not None
    assert counts[2].color is None


def test_an_item_with_several_files_of_a_class_counts_once(tmp_path):
    write_planes(tmp_path)
    write_nifti(tmp_path / "axl_inference_1.nii.gz", labels(values=(1,)))
    write_nifti(tmp_path / "axl_inference_2.nii.gz", labels(values=(1,)))
    (tmp_path / "axl_inference.nii.gz").unlink()
    counts = class_counts(nk.scan(tmp_path))
    assert [(c.value, c.name) for c in counts] == [(1, "Segment_1"), (2, "Segment_2")]
    assert len(counts[0].items) == len(set(counts[0].items)) == 3


@pytest.mark.parametrize("sample", ["by_plane_semantic", "by_plane_instance", "by_volume"])
def test_it_counts_what_a_plan_lands(sample):
    dataset = nk.scan(SAMPLES / sample)
    plan = nk.plan(dataset)
    counts = [found for found in class_counts(dataset) if found.voxels]
    assert sum(found.voxels for found in counts) == sum(o.voxels for o in plan.objects)
    assert {(c.name, c.color, c.value) for c in counts} == {
        (c.name, c.color, c.value) for c in plan.classes
    }


def test_annotations_without_volumes_are_counted_too():
    counts = class_counts(nk.scan(SAMPLES / "annotations_dataset"))
    assert [(found.name, found.voxels) for found in counts] == [
        ("Kidney", 8131),
        ("Vertebra", 4638),
        ("Rib", 637),
    ]


def test_it_tells_how_far_it_is(tmp_path):
    told = []
    class_counts(nk.scan(write_planes(tmp_path)), lambda *args: told.append(args))
    assert told == [
        (0.0, "Counting axl_anatomic.nrrd"),
        (1 / 3, "Counting cor_anatomic.nrrd"),
        (2 / 3, "Counting sag_anatomic.nrrd"),
    ]


def test_rows_and_frame_say_the_same(tmp_path):
    write_planes(tmp_path)
    (tmp_path / "color_map.txt").write_text("1 Liver 10 20 30\n7 Nowhere\n")
    counts = class_counts(nk.scan(tmp_path))
    rows = class_rows(counts)
    assert dict(rows[0].cells) == {
        "value": 1,
        "class": "Liver",
        "color": "#0A141E",
        "voxels": 15,
        "mm3": 450.0,
        "items": 3,
    }
    assert rows[0].colors == {"value": (10, 20, 30)}
    assert rows[0].hints["items"].startswith("axl_anatomic.nrrd, cor_")
    assert (rows[2].tone, rows[2].colors, rows[2].cells["color"]) == ("note", {}, "")
    assert rows[2].hints["items"] == "no voxel of any item has this class"
