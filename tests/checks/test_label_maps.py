"""Label maps about to land as volumes: found by their voxels; a scan is never taken for one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks import label_maps
from nifti_kit.checks.label_maps import look_at
from nifti_kit.errors import PlanBlocked
from nifti_kit.formats.nifti import read_header
from tests.support.builders import AFFINE, write_nifti
from tests.support.trees import errors_of, label_map, landed, scan_like, write_tree

CODE = "volume-label-map"
MAP, ONE, EMPTY = label_map(), label_map((1,)), label_map(())
ATLAS = np.repeat(np.repeat(np.arange(1, 31, dtype="i4").reshape(5, 6), 2, 0), 2, 1)
"""Thirty areas of 2 x 2 pixels."""

FOUND: dict[str, tuple[dict[str, Any], list[str]]] = {
    "labelsTr beside imagesTr": (
        {"imagesTr/a_0000.nii": None, "labelsTr/a.nii": MAP},
        ["labelsTr/a.nii"],
    ),
    "labelsVa beside imagesVa": (
        {"imagesVa/a.nii": None, "labelsVa/a.nii": MAP},
        ["labelsVa/a.nii"],
    ),
    "gt beside img": ({"img/a.nii": None, "gt/a.nii": MAP}, ["gt/a.nii"]),
    "case_gt": ({"a.nii": None, "a_gt.nii": ONE}, ["a_gt.nii"]),
    "case_roi": ({"a.nii": None, "a_roi.nii": ONE}, ["a_roi.nii"]),
    "a name that says nothing": ({"a.nii": None, "b.nii": MAP}, ["b.nii"]),
    "folders that say nothing": ({"x/a.nii": None, "y/a.nii": MAP}, ["y/a.nii"]),
    "below the image's folder": (
        {"s/ct.nii": None, "s/organs/liver.nii": ONE},
        ["s/organs/liver.nii"],
    ),
    "in a tree of the same folders": ({"i/p1/t1.nii": None, "d/p1/x.nii": MAP}, ["d/p1/x.nii"]),
    "stored as float": ({"a.nii": None, "b.nii": MAP.astype("f4")}, ["b.nii"]),
    "with -1 for ignored": (
        {"a.nii": None, "b.nii": np.where(MAP == 3, -1, MAP).astype("i2")},
        ["b.nii"],
    ),
    "with large ids": (
        {"a.nii": None, "b.nii": label_map((1001, 2035, 70000), dtype="i4")},
        ["b.nii"],
    ),
    "gzip": ({"a.nii.gz": None, "b.nii.gz": MAP}, ["b.nii.gz"]),
    "an empty one whose name says it": ({"img/a.nii": None, "mask/a.nii": EMPTY}, ["mask/a.nii"]),
    "hardly any background, but the name says it": (
        {"img/a.nii": None, "seg/a.nii": np.maximum(MAP, 1)},
        ["seg/a.nii"],
    ),
    "masks alone": (
        {"labelsTr/a.nii": MAP, "labelsTr/b.nii": ONE},
        ["labelsTr/a.nii", "labelsTr/b.nii"],
    ),
    "the name says it, the image is in another format": (
        {"a_seg.nii": MAP, "a.mha": "x"},
        ["a_seg.nii"],
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_label_map_about_to_land_as_a_volume_blocks(case: str, tmp_path: Path) -> None:
    files, expected = FOUND[case]
    dataset = nk.scan(write_tree(tmp_path, files))
    assert sorted(errors_of(dataset, CODE)) == expected
    with pytest.raises(PlanBlocked):
        nk.upload(nk.plan(dataset), nk.ProjectFolder(tmp_path / "out", dataset="d"))
    assert not [f for f in nk.plan(dataset, waive=CODE).blockers if f.code == CODE]


def test_a_folder_of_masks_alone_is_known_by_its_own_name(tmp_path: Path) -> None:
    write_tree(tmp_path / "labelsTr", {"a.nii": MAP, "b.nii": ONE})
    remedies = errors_of(nk.scan(tmp_path / "labelsTr"), CODE)
    assert sorted(remedies) == ["a.nii", "b.nii"]
    assert "pairs={'a.nii': 'path of its image'}" in remedies["a.nii"]
    assert "layout='annotations'" in remedies["a.nii"]


def test_several_label_maps_and_nothing_else_without_a_name_that_says_so_are_a_warning(
    tmp_path: Path,
) -> None:
    dataset = nk.scan(write_tree(tmp_path / "x", {"a.nii": MAP, "b.nii": label_map(shift=1)}))
    (found,) = (f for f in nk.plan(dataset).findings if f.code == "volume-named-mask")
    assert "all of the 2 files look like label maps" in found.message
    assert not nk.plan(dataset).blockers


def noisy(levels: int) -> np.ndarray:
    """A scan in few grey values, without skull: most of it is 0."""
    grey = np.random.default_rng(1).integers(0, levels, (40, 40, 12)).astype("u1")
    grey[:, :22] = 0
    return grey


def windowed() -> np.ndarray:
    """A CT through a narrow window: air is 0, all above the window 255, noise between."""
    body = scan_like(2, (48, 48, 12)) + np.int16(1000)
    return np.clip((body.astype("f4") - 700) * 5, 0, 255).astype("u1")


NOT_FOUND: dict[str, dict[str, Any]] = {
    "two scans on one grid": {"t1.nii": None, "t2.nii": None},
    "a scan in a folder called seg": {"seg/ct.nii": None, "seg/mr.nii": None},
    "a binary phantom alone": {"phantom.nii": ONE},
    "a phantom of areas alone": {"phantom.nii": MAP},
    "an empty volume beside a scan": {"a.nii": None, "b.nii": EMPTY.astype("i2")},
    "a constant volume beside a scan": {"a.nii": None, "b.nii": np.full_like(MAP, 7)},
    "mostly foreground, and no name says it": {"a.nii": None, "b.nii": np.maximum(MAP, 1)},
    "an 8-bit scan without skull": {"a.nii": scan_like(5, (40, 40, 12)), "b.nii": noisy(256)},
    "a scan of 40 grey values": {"a.nii": scan_like(5, (40, 40, 12)), "b.nii": noisy(40)},
    "a CT through a narrow window": {"a.nii": scan_like(5, (48, 48, 12)), "b.nii": windowed()},
    "a probability map": {"a.nii": None, "b.nii": ONE.astype("f4") * np.float32(0.3)},
    "a thresholded CT with negative numbers": {"a.nii": None, "b.nii": MAP.astype("i2") * -500},
    "not a number": {"a.nii": None, "b.nii": np.where(MAP > 0, np.nan, 0).astype("f4")},
    "the masks of a volume": {"CT.nii": None, "CT/lung.nii": ONE},
    "a phantom with a mask of its own": {"a.nii": None, "P.nii": MAP, "P/lung.nii": ONE},
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_a_volume_is_not_taken_for_a_label_map(case: str, tmp_path: Path) -> None:
    dataset = nk.scan(write_tree(tmp_path, NOT_FOUND[case]))
    assert not errors_of(dataset, CODE)


@pytest.mark.parametrize(
    ("place", "is_found"),
    [("other/deep/x/b.nii", False), ("other/deep/x/a.nii", True), ("other/b.nii", True)],
)
def test_a_neighbour_is_near_or_of_the_same_name(
    place: str, is_found: bool, tmp_path: Path
) -> None:
    dataset = nk.scan(write_tree(tmp_path, {"scans/a.nii": None, place: MAP}))
    assert bool(errors_of(dataset, CODE)) is is_found


def test_a_neighbour_is_on_the_same_grid_in_any_voxel_order(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii", scan_like())
    moved = AFFINE.copy()
    moved[0, 3] += 1
    write_nifti(tmp_path / "moved.nii", MAP, moved)
    assert not errors_of(nk.scan(tmp_path), CODE)
    turned = np.transpose(MAP, (2, 0, 1))
    write_nifti(tmp_path / "turned.nii", turned, AFFINE[:, [2, 0, 1, 3]])
    assert list(errors_of(nk.scan(tmp_path), CODE)) == ["turned.nii"]


def test_an_atlas_of_many_small_areas_is_a_label_map(tmp_path: Path) -> None:
    atlas = np.zeros((24, 24, 8), "i4")
    atlas[2:12, 2:14] = ATLAS[:, :, None]
    write_tree(tmp_path, {"a.nii": scan_like(1, atlas.shape), "b.nii": atlas})
    assert list(errors_of(nk.scan(tmp_path), CODE)) == ["b.nii"]


def test_a_damaged_file_is_no_label_map(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "b.nii.gz", MAP)
    image = read_header(path)
    path.write_bytes(path.read_bytes()[:-9])
    assert look_at(image) is None


def test_a_scaled_file_is_told_by_its_values(tmp_path: Path) -> None:
    look = look_at(read_header(write_nifti(tmp_path / "b.nii", MAP * np.uint8(2), slope=0.5)))
    assert look is not None
    assert look.values == (1, 2, 3)
    assert look_at(read_header(write_nifti(tmp_path / "c.nii", MAP, slope=0.5))) is None


def test_large_scans_are_told_by_how_badly_they_pack_and_the_others_by_an_early_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    blocks = label_maps.iter_blocks

    def counted(image: Any) -> Any:
        for block in blocks(image):
            read.append(image.relative.name)
            yield block

    monkeypatch.setattr(label_maps, "iter_blocks", counted)
    scan = np.random.default_rng(3).integers(-900, 900, (128, 128, 40)).astype("i2")
    for name in ("a.nii.gz", "b.nii.gz", "c.nii", "d.nii"):
        write_nifti(tmp_path / name, scan)
    dataset = nk.scan(tmp_path)
    assert not errors_of(dataset, CODE)
    assert sorted(read) == ["c.nii", "d.nii"]


def test_no_voxel_is_read_where_headers_alone_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = nk.scan(write_tree(tmp_path, {"img/a.nii": None, "gt/a.nii": MAP, "a_seg.nii": ONE}))
    monkeypatch.setattr(label_maps, "iter_blocks", None)
    found = nk.check(dataset, voxels=False).by_code()
    assert CODE not in found
    assert "a_seg.nii" in [f.path for f in found["volume-named-mask"]]


def test_what_headers_tell_is_told_with_voxels_too(tmp_path: Path) -> None:
    files = {"a.nii": None, "a_seg.nii": ONE, "b_seg.nii": scan_like(5)}
    dataset = nk.scan(write_tree(tmp_path, files))
    found = nk.check(dataset)
    assert set(nk.check(dataset, voxels=False)) <= set(found)
    assert [f.path for f in found.by_code()[CODE]] == ["a_seg.nii"]
    assert [f.path for f in found.by_code()["volume-named-mask"]] == ["a_seg.nii", "b_seg.nii"]


# Remedies, followed to the letter


def follow(remedy: str) -> Any:
    """Return the dataset that the call in a remedy gives."""
    call = re.search(r"nk\.scan\((.+?)\)(?=[ .,;])", remedy)
    assert call is not None
    return eval(f"nk.scan({call[1]})", {"nk": nk})


REMEDIES: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "a tree of a known make": (
        {"imagesTr/a_0000.nii": None, "labelsTr/a.nii": MAP},
        {"a_0000.nrrd": ["Segment_1", "Segment_2", "Segment_3"]},
    ),
    "no known tree, several cases on one grid": (
        {
            "scans/p1.nii": None,
            "scans/p2.nii": None,
            "findings/p1_liver.nii": ONE,
            "findings/p2_liver.nii": label_map((1,), 1),
            "findings/p2_spleen.nii": label_map((1,), 2),
        },
        {"p1.nrrd": ["liver"], "p2.nrrd": ["liver", "spleen"]},
    ),
    "one map and several images": (
        {"p/one.nii": None, "p/two.nii": None, "p/drawn.nii": MAP},
        {
            "one.nrrd": ["Segment_1", "Segment_2", "Segment_3"],
            "two.nrrd": ["Segment_1", "Segment_2", "Segment_3"],
        },
    ),
    "an apostrophe in a name": (
        {"it's.nii": None, "it's drawn.nii": ONE},
        {"it's.nrrd": ["drawn"]},
    ),
}


@pytest.mark.parametrize("case", REMEDIES)
def test_the_remedy_is_a_call_that_takes_the_label_maps_as_masks(case: str, tmp_path: Path) -> None:
    files, expected = REMEDIES[case]
    folder = write_tree(tmp_path / "in", files)
    for number, remedy in enumerate(errors_of(nk.scan(folder), CODE).values()):
        assert landed(follow(remedy), tmp_path / f"out{number}") == expected


def test_of_very_many_pairs_a_remedy_shows_its_own(tmp_path: Path) -> None:
    files: dict[str, Any] = {"scan.nii": None}
    files |= {f"drawn_{n}.nii": label_map((1,), n % 5) for n in range(label_maps.MOST_PAIRS + 1)}
    remedies = errors_of(nk.scan(write_tree(tmp_path, files)), CODE)
    assert "pairs={'drawn_7.nii': 'scan.nii'}), and so on for all 21" in remedies["drawn_7.nii"]


# One label map of organs in the folder of its volume

ORGANS = "1 esophagus\n2 heart\n3 trachea\n"

TWO_READINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "GT with the class map's values": (
        {"P1.nii": None, "P1/GT.nii": MAP, "labels.txt": ORGANS},
        "class-two-readings",
        "P1/GT.nii",
    ),
    "beside its volume": (
        {"P1/P1.nii": None, "P1/GT.nii": MAP, "labels.txt": ORGANS},
        "class-two-readings",
        "P1/GT.nii",
    ),
    "one patient without the trachea": (
        {"P1.nii": None, "P1/organs.nii": label_map((1, 2)), "labels.txt": ORGANS},
        "class-two-readings",
        "P1/organs.nii",
    ),
    "a few of a long table, and a name that says nothing": (
        {
            "P1.nii": None,
            "P1/P1_seg.nii": MAP,
            "labels.txt": "".join(f"{n} region {n}x\n" for n in range(1, 40)),
        },
        "class-two-readings",
        "P1/P1_seg.nii",
    ),
    "no class map, and a name that says nothing": (
        {"P1.nii": None, "P1/GT.nii": MAP},
        "segmentation-ambiguous",
        "P1/GT.nii",
    ),
}


@pytest.mark.parametrize("case", TWO_READINGS)
def test_a_label_map_of_classes_in_the_volumes_folder_has_two_readings(
    case: str, tmp_path: Path
) -> None:
    files, code, path = TWO_READINGS[case]
    folder = write_tree(tmp_path / "in", files)
    (found,) = (f for f in nk.plan(nk.scan(folder)).findings if f.code == code)
    assert (found.path, "segmentation='semantic'" in found.message) == (path, True)
    for kind in ("semantic", "instance"):
        plan = nk.plan(nk.scan(folder, segmentation=kind))
        assert code not in plan.findings.by_code()
        assert {o.value for o in plan.objects} == {
            int(v) for v in np.unique(MAP)[1:]
        } or "organs" in path


@pytest.mark.parametrize(
    "files",
    [
        {"P1.nii": None, "P1/tumour.nii": MAP, "labels.txt": "1 lung\n2 tumour\n3 bone\n"},
        {"P1.nii": None, "P1/tumour.nii": MAP, "labels.txt": "1 lung\n2 liver\n"},
        {"P1.nii": None, "P1/tumour.nii": ONE, "labels.txt": "1 lung\n2 liver\n"},
        {"P1.nii": None, "P1/tumour.nii": MAP},
        {
            "P1.nii": None,
            "P1/tumour.nii": MAP,
            "labels.txt": "".join(f"{n} region {n}x\n" for n in range(1, 40)),
        },
    ],
    ids=["its own class", "values without class", "one value", "no class map", "a long table"],
)
def test_objects_of_the_class_of_their_file_have_one_reading(
    files: dict[str, Any], tmp_path: Path
) -> None:
    codes = nk.plan(nk.scan(write_tree(tmp_path, files))).findings.by_code()
    assert not {"class-two-readings", "segmentation-ambiguous"} & set(codes)
