"""Images of several frames: a mask of a class in each, contrasts, points in time; none is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import RepairRefused
from nifti_kit.repairs import Repair
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti, write_planes

MASK = "CT/organs.nii.gz"


def blocks(count: int) -> np.ndarray:
    """Return a label map of values 1 to count, each larger than the one before."""
    array = np.zeros(SHAPE, np.uint8)
    for value in range(1, count + 1):
        array[value - 1, 1:5, 1 : 2 + value] = value
    return array


def channels(count: int, *, background: int | None = 0, dtype: str = "u1") -> np.ndarray:
    """Return the one-hot channels of ``blocks``; the background's place, or None without it."""
    each = [blocks(count) == value for value in range(1, count + 1)]
    if background is not None:
        each.insert(background, blocks(count) == 0)
    return np.stack(each, axis=-1).astype(dtype)


def source(folder: Path, array: np.ndarray) -> Path:
    write_nifti(folder / "CT.nii.gz")
    write_nifti(folder / MASK, array)
    return folder


def landed(dataset: Any, folder: Path, waive: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """Land a dataset, prove it, and return class and voxels of each object by volume."""
    target = nk.ProjectFolder(folder, dataset="d")
    plan = nk.plan(dataset, waive=waive)
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    assert nk.verify(receipt, target).ok
    return {item.name: [(o.class_name, o.voxels) for o in item.objects] for item in plan.items}


SIZES = {value: 4 * (1 + value) for value in range(1, 5)}


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
@pytest.mark.parametrize("five", [False, True], ids=["4D", "5D"])
def test_each_channel_becomes_a_mask_of_its_own(five: bool, dtype: str, tmp_path: Path) -> None:
    array = channels(3, dtype=dtype)
    array = array[:, :, :, None, :] if five else array
    dataset = nk.scan(source(tmp_path / "in", array))
    errors = nk.check(dataset).errors
    assert [error.code for error in errors] == ["mask-frames"]
    repair = nk.repairs.merge_frames(dataset, errors)
    assert repair.files[0].what == (
        "channels to labels: 2 -> 1, 3 -> 2, 4 -> 3; channel 1 is the background and is left out; "
        "a mask each: organs_1.nii.gz, organs_2.nii.gz, organs_3.nii.gz"
    )
    found = landed(repair.dataset, tmp_path / "p")
    assert found == {"CT.nrrd": [(f"organs_{value}", SIZES[value]) for value in (1, 2, 3)]}
    repair.save(tmp_path / "out")
    assert landed(nk.scan(tmp_path / "out"), tmp_path / "q") == found


def test_overlaps_are_kept(tmp_path: Path) -> None:
    array = channels(3)
    array[1, 1:3, 1:3, 1] = 1  # within class 2
    repair = nk.repairs.merge_frames(nk.scan(source(tmp_path / "in", array)), MASK)
    assert "4 voxels are in several classes, and stay so" in repair.files[0].what
    assert landed(repair.dataset, tmp_path / "p") == {
        "CT.nrrd": [("organs_1", SIZES[1] + 4), ("organs_2", SIZES[2]), ("organs_3", SIZES[3])]
    }
    assert [found.code for found in nk.check(repair.dataset).warnings].count("masks-overlap") == 1


def test_the_proof_has_each_channel_before_and_after(tmp_path: Path) -> None:
    repair = nk.repairs.merge_frames(nk.scan(source(tmp_path, channels(2))), MASK)
    assert [(change.file, change.value) for change in repair.labels] == [
        ("CT/organs_1.nii.gz", 1),
        ("CT/organs_2.nii.gz", 1),
    ]
    for change, value in zip(repair.labels, (1, 2), strict=True):
        assert change.before == change.after
        assert change.after is not None
        assert change.after.voxels == SIZES[value]


def test_where_a_value_is_a_class_they_become_one_map(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", channels(3)), segmentation="semantic")
    repair = nk.repairs.merge_frames(dataset, MASK)
    saved = {path.name: path for path in repair.save(tmp_path / "out")}
    written = np.asanyarray(nib.load(saved["organs.nii.gz"]).dataobj)
    np.testing.assert_array_equal(written, blocks(3))
    assert landed(repair.dataset, tmp_path / "p") == {
        "CT.nrrd": [(f"Segment_{value}", SIZES[value]) for value in (1, 2, 3)]
    }


def test_a_semantic_mask_with_overlaps_becomes_a_file_for_each_value(tmp_path: Path) -> None:
    array = channels(3)
    array[1, 1:3, 1:3, 1] = 1
    dataset = nk.scan(source(tmp_path / "in", array), segmentation="semantic")
    repair = nk.repairs.merge_frames(dataset, MASK)
    assert landed(repair.dataset, tmp_path / "p") == {
        "CT.nrrd": [("Segment_1", SIZES[1] + 4), ("Segment_2", SIZES[2]), ("Segment_3", SIZES[3])]
    }


@pytest.mark.parametrize("segmentation", ["auto", "semantic"])
@pytest.mark.parametrize(
    "names", [["Liver", "Left kidney"], ["Background", "Liver", "Left kidney"]]
)
def test_names_are_those_of_the_classes(
    names: list[str], segmentation: str, tmp_path: Path
) -> None:
    dataset = nk.scan(source(tmp_path / "in", channels(2)), segmentation=segmentation)
    repair = nk.repairs.merge_frames(dataset, MASK, names)
    expected = {("Liver", SIZES[1]), ("Left kidney", SIZES[2])}
    assert set(landed(repair.dataset, tmp_path / "p")["CT.nrrd"]) == expected
    repair.save(tmp_path / "out")
    again = nk.scan(tmp_path / "out", segmentation=segmentation)
    assert set(landed(again, tmp_path / "q")["CT.nrrd"]) == expected


@pytest.mark.parametrize(
    "names", [["A"], ["A", "B", "C", "D"], ["A", "a"], ["A", "../B"], ["A", ""], ["A", "b.nii"]]
)
def test_names_that_do_not_fit_are_refused(names: list[str], tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, channels(2)))
    with pytest.raises(RepairRefused, match=r"names do not fit|cannot have this name"):
        nk.repairs.merge_frames(dataset, MASK, names)


# Which channel is the background


@pytest.mark.parametrize(
    ("array", "left_out"),
    [
        (channels(3), 1),
        (channels(1), 1),
        (channels(3, background=None), 0),
        (np.stack([blocks(1) == 1, blocks(2) == 2, blocks(2) < 5], axis=-1).astype("u1"), 0),
    ],
    ids=["the first", "of two", "none", "all of the image is no background"],
)
def test_the_background_is_where_no_other_channel_is(
    array: np.ndarray, left_out: int, tmp_path: Path
) -> None:
    repair = nk.repairs.merge_frames(nk.scan(source(tmp_path, array)), MASK)
    what = repair.files[0].what
    assert (f"channel {left_out} is the background" in what) == bool(left_out)
    assert len(repair.labels) == array.shape[-1] - bool(left_out)


def test_a_background_that_is_not_the_first_is_asked_for(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, channels(2, background=2)))
    with pytest.raises(RepairRefused, match="not known which channel is the background") as caught:
        nk.repairs.merge_frames(dataset, MASK)
    repair = nk.repairs.merge_frames(dataset, MASK, background=3)
    assert "background=3" in caught.value.remedy
    assert len(repair.labels) == 2
    assert len(nk.repairs.merge_frames(dataset, MASK, background=0).labels) == 3
    with pytest.raises(RepairRefused, match="no such channel"):
        nk.repairs.merge_frames(dataset, MASK, background=4)


def test_a_channel_that_overlaps_another_is_no_background_and_is_kept(tmp_path: Path) -> None:
    array = channels(2)
    array[0, 1, 1, 0] = 1
    repair = nk.repairs.merge_frames(nk.scan(source(tmp_path, array)), MASK)
    assert len(repair.labels) == 3
    assert "channel 1 holds" in repair.files[0].what
    assert "background=1 leaves it out, if it is that" in repair.files[0].what


def test_a_channel_without_a_voxel_is_named(tmp_path: Path) -> None:
    array = channels(3)
    array[..., 0] |= array[..., 2]
    array[..., 2] = 0
    repair = nk.repairs.merge_frames(nk.scan(source(tmp_path, array)), MASK)
    assert "without a voxel: channel 3" in repair.files[0].what
    assert [change.file for change in repair.labels] == ["CT/organs_1.nii.gz", "CT/organs_3.nii.gz"]


# What is no mask

CALL = re.compile(r"nk\.repairs\.\w+\(dataset, [^)]*\)")


def pasted(text: str, dataset: Any, **facts: Any) -> Repair:
    call = CALL.search(text)
    assert call is not None
    repair: Repair = eval(call[0], {"nk": nk, "dataset": dataset, **facts})
    return repair


def test_probabilities_need_a_threshold(tmp_path: Path) -> None:
    array = channels(2, dtype="f4") * np.float32(0.9) + np.float32(0.05)
    dataset = nk.scan(source(tmp_path / "in", array))
    with pytest.raises(RepairRefused, match="no mask of one class") as caught:
        nk.repairs.merge_frames(dataset, MASK)
    repair = pasted(caught.value.remedy, dataset)
    assert landed(repair.dataset, tmp_path / "p") == {
        "CT.nrrd": [("organs_1", SIZES[1]), ("organs_2", SIZES[2])]
    }


def test_label_maps_of_points_in_time_are_no_channels(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    array = np.stack([volume(), volume() + 1], axis=-1)
    write_nifti(folder / "MR.nii.gz", array)
    write_nifti(folder / "MR" / "heart.nii.gz", np.stack([blocks(2), blocks(3)], axis=-1))
    dataset = nk.scan(folder, segmentation="semantic")
    with pytest.raises(RepairRefused, match="no mask of one class") as caught:
        nk.repairs.merge_frames(dataset, "MR/heart.nii.gz")
    repair = pasted(caught.value.remedy, dataset, volume="MR.nii.gz")
    assert landed(repair.dataset, tmp_path / "p") == {
        "MR_0.nrrd": [(f"Segment_{value}", SIZES[value]) for value in (1, 2)],
        "MR_1.nrrd": [(f"Segment_{value}", SIZES[value]) for value in (1, 2, 3)],
    }


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_channels_of_other_values_are_refused(value: float, tmp_path: Path) -> None:
    array = channels(2, dtype="f4")
    array[0, 0, 0, 1] = value
    with pytest.raises(RepairRefused, match="no mask of one class"):
        nk.repairs.merge_frames(nk.scan(source(tmp_path, array)), MASK)


def test_a_volume_is_no_mask_to_merge(tmp_path: Path) -> None:
    write_nifti(tmp_path / "MR.nii.gz", np.stack([volume(), volume()], axis=-1))
    dataset = nk.scan(tmp_path)
    with pytest.raises(RepairRefused, match="no mask of this dataset") as caught:
        nk.repairs.merge_frames(dataset, "MR.nii.gz")
    assert len(pasted(caught.value.remedy, dataset).dataset.items) == 2


@pytest.mark.parametrize("remedy", [0, 1])
def test_the_remedies_of_the_finding_end_right(remedy: int, tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", channels(2)))
    (error,) = nk.check(dataset).errors
    calls = [call for call in CALL.findall(error.remedy) if "volume" not in call]
    repair = eval(calls[remedy], {"nk": nk, "dataset": dataset})
    waive = ("frames-left",) * remedy
    assert landed(repair.dataset, tmp_path / "p", waive)["CT.nrrd"]


# By plane


def by_plane(folder: Path, *, overlap: bool) -> Any:
    write_planes(folder)
    for plane in ("axl", "cor", "sag"):
        array = channels(2)
        if overlap:
            array[0, 1, 1, 2] = 1
        write_nifti(folder / f"{plane}_inference.nii.gz", array)
    return nk.scan(folder)


def test_by_plane_channels_become_one_label_map(tmp_path: Path) -> None:
    dataset = by_plane(tmp_path / "in", overlap=False)
    repair = nk.repairs.merge_frames(dataset, nk.check(dataset).errors)
    found = landed(repair.dataset, tmp_path / "p")
    expected = [("Segment_1", SIZES[1]), ("Segment_2", SIZES[2])]
    assert found == {f"{plane}_anatomic.nrrd": expected for plane in ("axl", "cor", "sag")}


def test_by_plane_overlapping_classes_become_a_file_each(tmp_path: Path) -> None:
    dataset = by_plane(tmp_path / "in", overlap=True)
    with pytest.raises(RepairRefused, match="classes overlap, and by plane"):
        nk.repairs.merge_frames(dataset, "axl_inference.nii.gz")
    repair = nk.repairs.merge_frames(dataset, nk.check(dataset).errors)
    found = landed(repair.dataset, tmp_path / "p")
    expected = [("Segment_1", SIZES[1]), ("Segment_2", SIZES[2] + 1)]
    assert found == {f"{plane}_anatomic.nrrd": expected for plane in ("axl", "cor", "sag")}


# A volume of each frame


def contrasts(folder: Path, name: str = "MR.nii.gz", count: int = 4) -> Path:
    array = np.stack([volume() + 1000 * n for n in range(count)], axis=-1)
    write_nifti(folder / name, array)
    write_nifti(folder / name.split(".", maxsplit=1)[0] / "tumour.nii.gz", labels())
    return folder


@pytest.mark.parametrize("name", ["MR.nii.gz", "sub/MR.nii", "MR.v2.nii.gz"])
def test_each_frame_becomes_a_volume_with_the_map_of_all(name: str, tmp_path: Path) -> None:
    folder, stem = tmp_path / "in", name.split(".nii", maxsplit=1)[0]
    array = np.stack([volume() + 1000 * n for n in range(4)], axis=-1)
    write_nifti(folder / name, array)
    write_nifti(folder / stem / "tumour.nii.gz", labels())
    dataset = nk.scan(folder)
    errors = nk.check(dataset).by_code()["image-unsupported"]
    repair = nk.repairs.split_frames(dataset, errors)
    found = landed(repair.dataset, tmp_path / "p")
    assert list(found) == [f"{stem.split('/')[-1]}_{n}.nrrd" for n in range(4)]
    assert all(objects == [("tumour", 5), ("tumour", 5)] for objects in found.values())
    saved = repair.save(tmp_path / "out")
    for n in range(4):
        path = next(p for p in saved if p.name.startswith(f"{stem.split('/')[-1]}_{n}.nii"))
        frame = nib.load(path)
        np.testing.assert_array_equal(np.asanyarray(frame.dataobj), array[..., n])
        np.testing.assert_allclose(frame.affine, AFFINE)
    assert landed(nk.scan(tmp_path / "out"), tmp_path / "q") == found


def test_frames_that_are_not_chosen_are_named_until_that_is_accepted(tmp_path: Path) -> None:
    dataset = nk.scan(contrasts(tmp_path / "in"))
    repair = nk.repairs.split_frames(dataset, "MR.nii.gz", frames=[1, 3])
    (left,) = nk.plan(repair.dataset).blockers
    assert (left.code, left.path) == ("frames-left", "MR.nii.gz")
    assert left.message == "frames 2, 4 of 4 do not land"
    found = landed(repair.dataset, tmp_path / "p", ("frames-left",))
    assert list(found) == ["MR_0.nrrd", "MR_2.nrrd"]


def test_picking_one_frame_blocks_until_the_others_are_given_up(tmp_path: Path) -> None:
    dataset = nk.scan(contrasts(tmp_path / "in"))
    repair = nk.repairs.pick_frame(dataset, "MR.nii.gz", 2)
    (left,) = nk.plan(repair.dataset).blockers
    assert left.message == "frames 1, 3, 4 of 4 do not land"
    assert not nk.plan(repair.dataset, waive="frames-left").blockers


def test_a_picked_mask_that_is_repaired_again_still_names_the_others(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, channels(2)))
    repair = nk.repairs.pick_frame(dataset, MASK, 2)
    again = nk.repairs.reorient(repair.dataset, MASK)
    (left,) = nk.plan(again.dataset).blockers
    assert left.message == "frames 1, 3 of 3 do not land"


def test_the_remedy_of_a_volume_with_frames_ends_right(tmp_path: Path) -> None:
    dataset = nk.scan(contrasts(tmp_path / "in"))
    error = nk.check(dataset).by_code()["image-unsupported"][0]
    assert len(landed(pasted(error.remedy, dataset).dataset, tmp_path / "p")) == 4


def test_by_plane_each_frame_is_a_set_in_its_own_folder(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    for plane in ("axl", "cor", "sag"):
        array = np.stack([volume(), volume() + 1], axis=-1)
        write_nifti(folder / f"{plane}_anatomic.nii.gz", array)
    dataset = nk.scan(folder, layout="by_plane")
    files = [f"{plane}_anatomic.nii.gz" for plane in ("axl", "cor", "sag")]
    repair = nk.repairs.split_frames(dataset, files)
    found = landed(repair.dataset, tmp_path / "p")
    assert sorted(found) == [
        f"frame_{n}_{plane}_anatomic.nrrd" for n in (0, 1) for plane in ("axl", "cor", "sag")
    ]
    assert all(len(objects) == 2 for objects in found.values())


def test_a_split_can_be_repaired_further(tmp_path: Path) -> None:
    folder = contrasts(tmp_path / "in", count=2)
    write_nifti(folder / "MR" / "tumour.nii.gz", labels().astype("i2") * -1)
    first = nk.repairs.split_frames(nk.scan(folder), "MR.nii.gz")
    errors = nk.check(first.dataset).errors
    assert [error.path for error in errors] == ["MR_0/tumour.nii.gz", "MR_1/tumour.nii.gz"]
    second = nk.repairs.relabel(first.dataset, errors)
    assert len(landed(second.dataset, tmp_path / "p")) == 2


def test_an_archive_stays_unpacked_for_its_frames(tmp_path: Path) -> None:
    import shutil

    contrasts(tmp_path / "in", count=2)
    write_nifti(tmp_path / "in" / "CT.nii.gz")  # read from the unpacked folder
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "in")
    dataset = nk.repairs.split_frames(nk.scan(archive), "MR.nii.gz").dataset
    dataset = nk.repairs.reorient(dataset, "MR_0/tumour.nii.gz").dataset
    assert len(landed(dataset, tmp_path / "p")) == 3


REFUSED: dict[str, tuple[dict[str, int], dict[str, Any], str]] = {
    "one frame": ({}, {"files": "A.nii.gz"}, "has one frame only"),
    "no such frame": ({}, {"frames": [5]}, "has no such frames"),
    "frame 0": ({}, {"frames": [0, 1]}, "has no such frames"),
    "no frame": ({}, {"frames": []}, "has no such frames"),
    "a name that is taken": ({"MR_1.nii.gz": 1}, {}, "would take the name of another file"),
    "a folder that is taken": ({"MR_1.nii.gz/x.nii.gz": 1}, {}, "take the name of another file"),
    "a mask alone": ({"A/m.nii.gz": 2}, {"files": "A/m.nii.gz"}, "is no volume, nor a mask"),
    "other frames": ({"MR/m.nii.gz": 3}, {"files": ["MR.nii.gz", "MR/m.nii.gz"]}, "as many frames"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_split_is_refused(case: Any, tmp_path: Path) -> None:
    more, arguments, message = case
    contrasts(tmp_path)
    write_nifti(tmp_path / "A.nii.gz")
    for name, count in more.items():
        array = np.stack([labels()] * count, axis=-1)
        write_nifti(tmp_path / name, array[..., 0] if count == 1 else array)
    with pytest.raises(RepairRefused, match=message):
        nk.repairs.split_frames(nk.scan(tmp_path), **{"files": "MR.nii.gz", **arguments})


def test_a_mask_with_frames_is_not_cut_down_to_its_first_one(tmp_path: Path) -> None:
    folder = contrasts(tmp_path / "in", count=2)
    write_nifti(folder / "MR" / "organs.nii.gz", channels(1))
    dataset = nk.scan(folder)
    with pytest.raises(RepairRefused, match="has frames too, and was not given") as caught:
        nk.repairs.split_frames(dataset, "MR.nii.gz")
    both = pasted(caught.value.remedy, dataset)
    objects = landed(both.dataset, tmp_path / "p")
    assert [name for name, _ in objects["MR_1.nrrd"]].count("organs") == 1
    merged = nk.repairs.merge_frames(dataset, "MR/organs.nii.gz")
    split = nk.repairs.split_frames(merged.dataset, "MR.nii.gz")
    objects = landed(split.dataset, tmp_path / "q")
    assert [name for name, _ in objects["MR_1.nrrd"]].count("organs_1") == 1


def test_of_all_errors_of_a_dataset_each_repair_takes_up_its_own(tmp_path: Path) -> None:
    folder = contrasts(tmp_path / "in", count=2)
    write_nifti(folder / "CT.nii.gz")
    write_nifti(folder / MASK, channels(2))
    colour = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, AFFINE), folder / "colour.nii.gz")
    dataset = nk.scan(folder)
    merged = nk.repairs.merge_frames(dataset, nk.check(dataset).errors)
    split = nk.repairs.split_frames(merged.dataset, nk.check(merged.dataset).errors)
    found = landed(split.dataset, tmp_path / "p", ("image-unsupported",))
    assert sorted(found) == ["CT.nrrd", "MR_0.nrrd", "MR_1.nrrd"]
    assert [error.path for error in nk.check(split.dataset).errors] == ["colour.nii.gz"]


def test_a_score_table_does_not_say_which_frame_it_is_for(tmp_path: Path) -> None:
    folder = write_planes(tmp_path)
    write_nifti(folder / "axl_anatomic.nii.gz", np.stack([volume(), volume()], axis=-1))
    (folder / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    with pytest.raises(RepairRefused, match="which frame of the volume it is for"):
        nk.repairs.split_frames(nk.scan(folder), "axl_anatomic.nii.gz")


def test_a_file_that_ends_within_its_frames_is_named(tmp_path: Path) -> None:
    folder = contrasts(tmp_path, "MR.nii")
    path = folder / "MR.nii"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(nk.errors.UnreadableFile, match="ends before the frame's last voxel"):
        nk.repairs.split_frames(nk.scan(folder), "MR.nii")
