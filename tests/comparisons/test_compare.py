"""Comparisons of two annotation sets: what differs is found, named and measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Orientation
from nifti_kit.errors import BadSource, WrongArgument
from tests.exports.test_others import A, C, Project
from tests.flow.test_orientations import ORDERS, stored
from tests.support.builders import AFFINE, SAMPLES, volume, write_nifti
from tests.support.landings import edit_json, land, write_scored_planes, write_volumes

SHAPE = (9, 10, 11)
COLORS = "1 Left 255 0 0\n2 Right 0 255 0\n"


def blocks() -> np.ndarray:
    """Two blocks of one class each, which do not touch."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:4, 2:6, 3:8] = 1
    labels[6:8, 1:4, 2:5] = 2
    return labels


def write_set(
    folder: Path,
    labels: Any = None,
    affine: Any = AFFINE,
    *,
    name: str = "case",
    colors: str = COLORS,
    mask_affine: Any = None,
) -> Path:
    """Write a volume with one semantic map of the classes Left and Right."""
    labels = blocks() if labels is None else labels
    write_nifti(folder / f"axl_anatomic_{name}.nii.gz", volume(SHAPE), affine)
    placed = affine if mask_affine is None else mask_affine
    write_nifti(folder / f"axl_inference_{name}.nii.gz", labels, placed)
    (folder / "cls_color_map.txt").write_text(colors)
    return folder


def write_objects(folder: Path, labels: Any) -> Path:
    """Write a volume with one mask file of a class, each value an object."""
    write_nifti(folder / "case.nii.gz", volume(SHAPE))
    write_nifti(folder / "case" / "cyst.nii.gz", labels)
    return folder


def found(a: Any, b: Any, **options: Any) -> tuple:
    return nk.compare(a, b, **options).differences


@pytest.mark.parametrize("name", ["by_volume", "by_plane_instance", "annotations_dataset"])
def test_two_identical_sets_give_no_row(name: str) -> None:
    compared = nk.compare(SAMPLES / name, SAMPLES / name)
    assert compared.ok
    assert not list(compared.rows())


def test_a_set_a_plan_and_what_landed_are_the_same(tmp_path: Path) -> None:
    source = SAMPLES / "by_plane_semantic"
    target = nk.ProjectFolder(tmp_path / "project", "d")
    land(source, target)
    dataset = nk.scan(source)
    for a, b in ((dataset, target), (nk.plan(dataset), target.path), (target, source)):
        assert nk.compare(a, b).ok


def test_it_says_what_a_folder_is_taken_for(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "d")
    land(write_volumes(tmp_path / "source"), target)
    said = repr(nk.compare(tmp_path / "source", target.path))
    assert f"a is a source folder, {tmp_path / 'source'}" in said
    assert f"b is a Supervisely project folder, {target.path}" in said
    dataset = nk.scan(tmp_path / "source")
    said = repr(nk.compare(dataset, nk.plan(dataset)))
    assert f"a is the data set {tmp_path / 'source'}" in said
    assert f"b is the plan of {tmp_path / 'source'}" in said


def test_a_mask_moved_by_one_voxel_is_named_with_its_distance(tmp_path: Path) -> None:
    moved = np.where(blocks() == 2, 2, np.roll(blocks() == 1, 1, axis=1)).astype(np.uint8)
    (one,) = found(write_set(tmp_path / "a"), write_set(tmp_path / "b", moved))
    assert (one.class_name, one.kinds) == ("Left", ("voxels", "moved"))
    assert one.what == "30 of 75 voxels differ; the same in another place, 1 voxel to A"
    assert (one.shift_mm, one.dice) == pytest.approx((3.0, 0.75))
    assert (one.voxels, one.mm3) == ((60, 60), pytest.approx((1800, 1800)))
    assert (one.axis, one.slice_index) == (1, 2)


def test_swapped_labels_are_named(tmp_path: Path) -> None:
    swapped = np.choose(blocks(), [0, 2, 1]).astype(np.uint8)
    differences = found(write_set(tmp_path / "a"), write_set(tmp_path / "b", swapped))
    said = {one.class_name: one.what for one in differences}
    assert "all its voxels in a are Right in b; all its voxels in b are Right in a" in said["Left"]
    assert "all its voxels in a are Left in b; all its voxels in b are Left in a" in said["Right"]
    assert all("other class" in one.kinds for one in differences)


def test_a_split_object_is_named_on_one_side_and_merged_objects_on_the_other(
    tmp_path: Path,
) -> None:
    whole, parts = (blocks() == 1).astype(np.uint8), (blocks() == 1).astype(np.uint8)
    parts[3, 2:6, 3:8] = 2
    sets = write_objects(tmp_path / "a", whole), write_objects(tmp_path / "b", parts)
    alone, split = found(*sets)
    assert split.kinds == ("voxels", "split")
    assert split.what == "20 of 60 voxels differ; split into 2 in b: value 1, value 2"
    assert (alone.kinds, alone.objects) == (("only in b",), ("", "value 2"))
    assert alone.what == "only in b; a part of value 1 of a"
    _, merged = found(*sets[::-1])
    assert merged.kinds == ("voxels", "merged")
    assert merged.what.endswith("merged of 2 in a: value 1, value 2")


def test_objects_with_other_numbers_are_paired_by_what_they_share(tmp_path: Path) -> None:
    renumbered = np.choose(blocks(), [0, 7, 3]).astype(np.uint8)
    a, b = write_objects(tmp_path / "a", blocks()), write_objects(tmp_path / "b", renumbered)
    assert nk.compare(a, b).ok


def test_an_object_in_one_set_only_is_named_with_its_largest_slice(tmp_path: Path) -> None:
    fewer = np.where(blocks() == 2, 0, blocks()).astype(np.uint8)
    (one,) = found(write_set(tmp_path / "a"), write_set(tmp_path / "b", fewer))
    assert (one.class_name, one.kinds, one.voxels) == ("Right", ("only in a",), (18, 0))
    assert (one.dice, one.hd95_mm) == (0.0, None)
    assert (one.axis, one.slice_index) == (0, 6)


def test_scores_that_differ_are_named_by_their_slices(tmp_path: Path) -> None:
    a, b = (write_scored_planes(tmp_path / name) for name in "ab")
    table = b / "axl_score.csv"
    table.write_text(table.read_text().replace("0.80", "0.85").replace("0.7\n", "\n"))
    one, other = found(a, b)
    assert one.kinds == other.kinds == ("scores",)
    assert one.what == "scores differ on 1 slice: axl slice 2: 0.80 -> 0.85"
    assert other.what == "scores differ on 1 slice: axl slice 4: 0.70 -> nothing"
    assert [one.scores[0].slice_index, other.scores[0].slice_index] == [2, 4]


def test_one_score_in_two_ways_of_writing_is_no_difference(tmp_path: Path) -> None:
    a, b = (write_scored_planes(tmp_path / name) for name in "ab")
    table = b / "axl_score.csv"
    table.write_text(table.read_text().replace("0.80", "0.8"))
    assert nk.compare(a, b).ok


@pytest.mark.parametrize(
    ("custom", "what"),
    [
        ({"0-0-1": {"x": {"score": "1"}}}, "custom data"),
        ({"0-0-1": {"-1": {"score": "1"}}}, "custom data"),
        ({"reader": {"2": {"name": "X"}}}, "custom data"),
        ({"0-0-1": {"1": {"score": "0.80", "reader": "X"}}}, "axl slice 1"),
        ({"0-0-1": {"1": {"score": [1]}}}, "axl slice 1"),
        ({"0-0-1": {"1": {"score": "NaN"}}}, "axl slice 1"),
        ({"0-0-1": {"1": {"score": "sNaN"}}}, "axl slice 1"),
    ],
)
def test_what_others_keep_with_a_figure_is_compared_and_no_error(
    custom: Any, what: str, tmp_path: Path
) -> None:
    def project(name: str, kept: Any) -> Any:
        made = Project(tmp_path / name)
        made.classes("bone")
        made.volume("d", "v.nrrd")
        made.mask("d", "v.nrrd", "bone", A, custom=kept)
        return made.write()

    a, b, plain = project("a", custom), project("b", custom), project("plain", {})
    assert nk.compare(a, b).ok
    (one,) = found(a, plain)
    assert one.kinds == ("scores",)
    assert what in one.what


def test_colours_and_descriptions_that_differ_are_named(tmp_path: Path) -> None:
    a = write_set(tmp_path / "a")
    (one,) = found(a, write_set(tmp_path / "b", colors=COLORS.replace("255 0 0", "250 0 0")))
    assert (one.class_name, one.kinds, one.volume) == ("Left", ("class",), "")
    assert one.what == "colour #FF0000 -> #FA0000"
    target = nk.ProjectFolder(tmp_path / "project", "d")
    land(a, target, waive=["planes-incomplete"])

    def describe(meta: Any) -> None:
        meta["classes"][0]["description"] = "Mask pixel value: 9"

    edit_json(target.path / "meta.json", describe)
    (one,) = found(a, target)
    assert one.what == "description 'Mask pixel value: 1' -> 'Mask pixel value: 9'"


def test_what_came_back_by_volume_is_what_landed(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "d")
    land(SAMPLES / "by_volume", target)
    export = nk.export(target, tmp_path / "export")
    assert nk.compare(export.folder, target).ok
    assert nk.compare(nk.plan(nk.scan(export.folder)), target).ok


def test_colours_that_nobody_gave_are_not_compared(tmp_path: Path) -> None:
    a, b = (write_set(tmp_path / name, colors="1 Left\n2 Right\n") for name in "ab")
    (b / "cls_color_map.txt").write_text("1 Left 1 2 3\n2 Right\n")
    assert nk.compare(a, b).ok


def test_a_volume_in_one_set_only_is_a_row(tmp_path: Path) -> None:
    volumes = {"A": {"liver": (1,)}, "B": {"liver": (2,)}}
    a = write_volumes(tmp_path / "a", volumes)
    b = write_volumes(tmp_path / "b", {"A": {"liver": (1,)}})
    (one,) = found(a, b)
    assert (one.volume, one.what) == ("B.nrrd", "the volume is only in a")
    assert "only in b" in found(b, a)[0].what


def test_the_48_orders_of_one_map_are_the_same(tmp_path: Path) -> None:
    a = nk.scan(write_set(tmp_path / "a"))
    for number, order in enumerate(ORDERS):
        folder = tmp_path / str(number)
        matrix = Orientation(order[0], tuple(step < 0 for step in order[1])).index_map(SHAPE)
        write_set(
            folder, np.ascontiguousarray(stored(blocks(), order)), mask_affine=AFFINE @ matrix
        )
        assert nk.compare(a, folder).ok, order


def test_permuted_file_names_are_told_and_volumes_paired_by_their_grids(tmp_path: Path) -> None:
    a = write_volumes(tmp_path / "a", {"A": {"liver": (1,)}, "B": {"liver": (2,)}})
    b = tmp_path / "b"
    for old, new in (("A", "B"), ("B", "A")):
        (b / new).mkdir(parents=True)
        (b / f"{new}.nii.gz").write_bytes((a / f"{old}.nii.gz").read_bytes())
        (b / new / "liver.nii.gz").write_bytes((a / old / "liver.nii.gz").read_bytes())
    compared = nk.compare(a, b)
    assert compared.ok
    assert compared.notes == (
        "A.nrrd of a is B.nrrd of b, by its grid", "B.nrrd of a is A.nrrd of b, by its grid",
    )  # fmt: skip


def test_of_several_volumes_on_one_grid_the_name_decides_or_nothing(tmp_path: Path) -> None:
    for folder, names in (("a", "xy"), ("b", "xz")):
        for name in names:
            write_set(tmp_path / folder / name, name=name)
    compared = nk.compare(tmp_path / "a", tmp_path / "b")
    assert [(pair.a.name, pair.rule) for pair in compared.pairs] == [
        ("axl_anatomic_x.nrrd", "grid and name")
    ]
    assert not compared.ok
    (said,) = compared.incomplete
    assert said.startswith("'axl_anatomic_y.nrrd' of a, 'axl_anatomic_z.nrrd' of b: they have one")


def test_one_name_in_two_datasets_is_two_volumes(tmp_path: Path) -> None:
    def project(name: str, where: Any) -> Any:
        made = Project(tmp_path / name)
        made.classes("bone")
        for dataset, box in (("d", A), ("e", where)):
            made.volume(dataset, "v.nrrd")
            made.mask(dataset, "v.nrrd", "bone", box)
        return made.write()

    a = project("a", A)
    assert nk.compare(a, tmp_path / "a").ok
    result = nk.compare(a, project("b", C))
    assert len(result.pairs) == 2
    assert not result.incomplete
    assert len(result.differences) == 1


def test_a_cropped_mask_is_compared_where_it_lies(tmp_path: Path) -> None:
    part = blocks()[1:9, 1:, 2:9]
    moved = np.array(AFFINE)
    moved[:3, 3] += AFFINE[:3, :3] @ (1, 1, 2)
    cropped = write_set(tmp_path / "b", part, mask_affine=moved)
    assert nk.compare(write_set(tmp_path / "a"), cropped).ok
    for folder, name in (("c", "a"), ("d", "b")):
        (tmp_path / folder).mkdir()
        mask = tmp_path / name / "axl_inference_case.nii.gz"
        (tmp_path / folder / "axl_inference.nii.gz").write_bytes(mask.read_bytes())
    compared = nk.compare(tmp_path / "c", tmp_path / "d")
    assert compared.ok
    assert compared.pairs[0].rule == "lattice"


def test_a_mask_on_another_grid_is_not_compared_and_its_remedy_helps(tmp_path: Path) -> None:
    coarse = np.array(AFFINE)
    coarse[:3, :3] *= 2
    a = write_set(tmp_path / "a")
    b = nk.scan(write_set(tmp_path / "b", blocks()[::2, ::2, ::2], mask_affine=coarse))
    compared = nk.compare(a, b)
    assert {one.kinds for one in compared.differences} == {("not comparable",)}
    assert "nk.repairs.resample" in compared.differences[0].what
    mended = nk.repairs.resample(b, "axl_inference_case.nii.gz").dataset
    assert {one.kinds[0] for one in found(a, mended)} == {"voxels"}


def test_one_name_on_two_grids_is_named_with_the_remedy(tmp_path: Path) -> None:
    coarse = np.array(AFFINE) * [[2], [2], [2], [1]]
    compared = nk.compare(write_set(tmp_path / "a"), write_set(tmp_path / "b", affine=coarse))
    assert not compared.ok
    assert "one name on two grids that cannot be compared" in compared.incomplete[0]
    assert "nothing compared" in compared.title()


def test_a_mask_that_cannot_be_read_is_named_and_the_rest_compared(tmp_path: Path) -> None:
    a, b = (write_volumes(tmp_path / name) for name in "ab")
    path = b / "A" / "lung.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    compared = nk.compare(a, b)
    assert not compared.ok
    assert any("A/lung.nii.gz" in line for line in compared.incomplete)
    assert [(one.class_name, one.kinds) for one in compared.differences] == [
        ("lung", ("only in a",))
    ]


def test_a_file_that_changed_after_the_scan_is_named(tmp_path: Path) -> None:
    a, b = nk.scan(write_set(tmp_path / "a")), nk.scan(write_set(tmp_path / "b"))
    assert nk.compare(a, b).ok
    write_set(tmp_path / "b", np.roll(blocks(), 1, axis=0))
    compared = nk.compare(a, b)
    assert not compared.ok
    assert "it has changed since it was scanned; scan again" in compared.incomplete[0]
    assert not nk.compare(a, nk.scan(tmp_path / "b")).incomplete


def test_some_classes_alone_are_compared(tmp_path: Path) -> None:
    moved = np.where(blocks() == 2, 2, np.roll(blocks() == 1, 1, axis=1)).astype(np.uint8)
    a, b = write_set(tmp_path / "a"), write_set(tmp_path / "b", moved)
    assert nk.compare(a, b, classes="Right").ok
    assert len(found(a, b, classes=["Left", "Right"])) == 1
    misspelt = nk.compare(a, b, classes=["Letf"])
    assert not misspelt.ok
    assert misspelt.incomplete == ("no set has a class 'Letf'; there are: Left, Right",)


def test_overlapping_objects_are_each_compared(tmp_path: Path) -> None:
    for folder, step in (("a", 0), ("b", 1)):
        write_nifti(tmp_path / folder / "case.nii.gz", volume(SHAPE))
        organ, lesion = blocks() == 1, np.zeros(SHAPE, bool)
        lesion[2:4, 3 + step : 5 + step, 4:6] = True
        for name, mask in (("organ", organ), ("lesion", lesion)):
            path = tmp_path / folder / "case" / f"{name}.nii.gz"
            write_nifti(path, mask.astype(np.uint8))
    (one,) = found(tmp_path / "a", tmp_path / "b")
    assert (one.class_name, one.dice) == ("lesion", 0.5)


def test_what_is_worst_comes_first(tmp_path: Path) -> None:
    worse = np.zeros(SHAPE, np.uint8)
    worse[2:5, 2:6, 3:8], worse[7:9, 2:5, 4:7] = 1, 2
    differences = found(write_set(tmp_path / "a"), write_set(tmp_path / "b", worse))
    assert [one.class_name for one in differences] == ["Right", "Left"]
    assert differences[0].dice < differences[1].dice


def test_a_folder_that_is_neither_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(BadSource, match="there is nothing to compare in it"):
        nk.compare(tmp_path, SAMPLES / "by_volume")
    with pytest.raises(WrongArgument, match="this cannot be compared"):
        nk.compare(SAMPLES / "by_volume", 7)


def test_a_comparison_is_saved_as_page_table_and_json_with_names_escaped(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    for folder, step in (("a", 0), ("b", 1)):
        write_nifti(tmp_path / folder / "case.nii.gz", volume(SHAPE))
        mask = np.roll(blocks() == 1, step, axis=0).astype(np.uint8)
        write_nifti(tmp_path / folder / "case" / f"{name}.nii.gz", mask)
    compared = nk.compare(tmp_path / "a", tmp_path / "b")
    for ending in ("html", "csv", "json"):
        compared.save(tmp_path / f"page.{ending}")
    page = (tmp_path / "page.html").read_text()
    assert name not in page
    assert page.count("data:image/png") == 1
    assert "Red: a. Cyan, dashed: b." in page
    content = json.loads((tmp_path / "page.json").read_text())
    assert content["ok"] is False
    assert content["rows"][0]["Dice"] == pytest.approx(2 / 3)
    assert content["pairs"] == [{"a": "case.nrrd", "b": "case.nrrd", "rule": "grid"}]


def test_masks_to_be_drawn_lie_where_they_are(tmp_path: Path) -> None:
    moved = np.roll(blocks(), 1, axis=2)
    target = nk.ProjectFolder(tmp_path / "project", "d")
    land(write_set(tmp_path / "b", moved), target, waive=["planes-incomplete"])
    compared = nk.compare(write_set(tmp_path / "a"), target)
    one = next(one for one in compared.differences if one.class_name == "Left")
    ours, theirs = compared.masks_of(one)
    assert ours.inside.sum() == theirs.inside.sum() == 60
    assert theirs.grid.origin - ours.grid.origin == pytest.approx([0, 0, 5])
    assert [len(side) for side in compared.masks(one.pair, "Left")] == [1, 1]
