"""A project on disk as its reader sees it: ours, the SDK's, nested ones, damaged ones."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import TargetError, UnreadableFile
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.records import ClassRef
from nifti_kit.targets.target import NoMask
from tests.support.builders import AFFINE, SHAPE, labels, volume
from tests.support.landings import (
    KEYS,
    edit_json,
    land,
    write_foreign,
    write_scored_planes,
    write_volumes,
)

MAP = "key_id_map.json"


@pytest.fixture
def foreign(tmp_path):
    return write_foreign(tmp_path / "project")


@pytest.fixture
def ours(tmp_path):
    path = tmp_path / "project"
    land(write_scored_planes(tmp_path / "in"), nk.ProjectFolder(path, dataset="d"))
    return path


# Volumes


def test_every_volume_of_a_project_is_listed_with_its_dataset_and_grid(foreign):
    found = ProjectReader(foreign).volumes()
    assert [(ref.id, ref.key, ref.name, ref.dataset) for ref in found] == [
        (1, KEYS["V"], "V.nrrd", "one"),
        (2, KEYS["W"], "W.nrrd", "one/child"),
        (3, KEYS["X"], "X.nrrd", "two"),
    ]
    assert [ref.grid for ref in found] == [Grid(SHAPE, AFFINE)] * 3


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        ("one", ["V.nrrd"]),
        ("one/child", ["W.nrrd"]),
        ("two", ["X.nrrd"]),
        ("three", []),
        ("two/child", []),
    ],
)
def test_a_dataset_has_its_own_volumes_alone(foreign, dataset, names):
    reader = ProjectReader(foreign, dataset)
    assert [ref.name for ref in reader.volumes()] == names
    assert {ref.dataset for ref in reader.volumes()} <= {dataset}


def test_a_project_that_is_not_there_is_empty(tmp_path):
    reader = ProjectReader(tmp_path / "none", "d")
    assert (reader.volumes(), reader.classes(), reader.stamp()) == ((), (), None)
    assert ProjectReader(tmp_path / "none").volumes() == ()
    assert not (tmp_path / "none").exists()


def test_a_dataset_that_holds_only_nested_ones_is_passed_through(foreign):
    shutil.rmtree(foreign / "one" / "ann")
    assert [ref.dataset for ref in ProjectReader(foreign).volumes()] == ["one/child", "two"]


def test_hidden_folders_and_files_are_no_datasets(foreign):
    shutil.copytree(foreign / "one", foreign / ".one")
    (foreign / "ann").write_text("a file")
    assert len(ProjectReader(foreign).volumes()) == 3


def test_a_volume_is_found_by_its_id(foreign):
    reader = ProjectReader(foreign)
    assert reader.volume(2).name == "W.nrrd"
    assert reader.volume(2) is reader.volume(2)


@pytest.mark.parametrize("dataset", [None, "one", "two"])
def test_an_unknown_id_is_refused_with_those_that_are_there(foreign, dataset):
    there = {None: [1, 2, 3], "one": [1], "two": [3]}[dataset]
    with pytest.raises(TargetError) as caught:
        ProjectReader(foreign, dataset).volume(99)
    assert str(caught.value) == (
        f"{foreign}: there is no volume with id 99 Found: ids {there}. "
        "Remedy: Correct the id in the mapping, or choose the right project and dataset."
    )


def test_a_volume_that_has_gone_is_no_longer_known(foreign):
    reader = ProjectReader(foreign)
    assert reader.volume(2).name == "W.nrrd"
    (foreign / "one" / "datasets" / "child" / "ann" / "W.nrrd.json").unlink()
    with pytest.raises(TargetError, match="there is no volume with id 2"):
        reader.volume(2)


def test_a_volume_is_found_by_its_name_in_its_dataset(foreign):
    assert ProjectReader(foreign, "one/child").find("W.nrrd").id == 2
    assert ProjectReader(foreign, "one").find("W.nrrd") is None
    assert ProjectReader(foreign).find("W.nrrd") is None


def test_a_volume_that_was_found_is_known_by_its_id_without_a_look_at_the_others(
    foreign, monkeypatch
):
    reader = ProjectReader(foreign, "one/child")
    found = reader.find("W.nrrd")
    monkeypatch.setattr(ProjectReader, "_names", None)
    assert reader.volume(2) is found


def test_a_damaged_volume_hides_no_other_one(foreign):
    (foreign / "one" / "volume" / "V.nrrd").write_bytes(b"")
    reader = ProjectReader(foreign)
    assert reader.volume(2).name == "W.nrrd"
    assert [ref.key for ref in reader.objects(2)] == [KEYS["c"]]
    for use in (reader.volumes, lambda: reader.volume(1)):
        with pytest.raises(UnreadableFile, match=r"V\.nrrd"):
            use()


def test_voxels_and_grid_of_a_volume_are_read_from_its_file(foreign):
    reader = ProjectReader(foreign)
    voxels = np.stack([page.copy() for page in reader.iter_volume(3)], axis=2)
    np.testing.assert_array_equal(voxels, volume())
    assert reader.volume_grid(3) == Grid(SHAPE, AFFINE)


def test_the_grid_of_a_volume_is_read_anew_each_time(ours):
    reader = nk.ProjectFolder(ours, dataset="d")
    ref = reader.volumes()[0]
    path = reader.volume_path(ref)
    path.write_bytes(path.read_bytes().replace(b"(-10.5,4.25,7.125)", b"(-10.5,4.25,7.625)"))
    assert reader.volume_grid(ref.id).origin[2] == 7.625


# Objects and masks


def test_each_3d_figure_is_an_object_with_its_scores(foreign):
    reader = ProjectReader(foreign)
    found = [
        (o.id, o.key, o.figure_id, o.figure_key, o.class_name, o.volume_id, o.scores)
        for number in (1, 2, 3)
        for o in reader.objects(number)
    ]
    assert found == [
        (1, KEYS["a"], 1, KEYS["d"], "old", 1, {}),
        (1, KEYS["a"], 2, KEYS["e"], "old", 1, {}),
        (2, KEYS["b"], 0, "", "flat", 1, {}),
        (
            3,
            KEYS["c"],
            3,
            KEYS["f"],
            "old",
            2,
            {"0-0-1": {"2": {"score": "0.50", "comment": None}}},
        ),
    ]


def test_a_mask_is_read_whole_or_by_slices(foreign):
    reader = ProjectReader(foreign)
    first, second, _ = reader.objects(1)
    for ref, value in ((first, 1), (second, 2)):
        mask, grid = reader.mask(ref)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, labels() == value)
        assert grid == reader.mask_grid(ref) == Grid(SHAPE, AFFINE)
        pages = [page.copy() for page in reader.iter_mask(ref)]
        np.testing.assert_array_equal(np.stack(pages, axis=2), labels() == value)


def test_a_mask_that_is_missing_is_named(foreign):
    reader = ProjectReader(foreign)
    ref = reader.objects(2)[0]
    path = reader.mask_path(reader.volume(2), ref.figure_key)
    expected = foreign / "one" / "datasets" / "child" / "mask" / "W.nrrd" / f"{KEYS['f']}.nrrd"
    assert path == expected
    path.unlink()
    assert reader.objects(2) == (ref,)
    for read in (reader.mask_grid, reader.iter_mask, reader.mask):
        with pytest.raises(NoMask) as caught:
            read(ref)
        assert str(caught.value) == (
            f"{path}: the object 3 (old) of the volume 'W.nrrd' has no mask Found: no such file. "
            "Expected: a file that the annotation names. "
            "Remedy: Restore the file, or upload its source with existing='replace'."
        )


def test_an_object_without_a_figure_has_no_mask(foreign):
    reader = ProjectReader(foreign)
    flat = reader.objects(1)[2]
    assert not flat.has_figure
    with pytest.raises(NoMask, match=r"the object 2 \(flat\).*Found: no figure") as caught:
        reader.mask_grid(flat)
    assert caught.value.path == str(foreign / "one" / "ann" / "V.nrrd.json")


def test_the_remedy_for_a_mask_that_is_missing_ends_right(tmp_path):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1, 2)}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(source, target)
    target.mask_path(receipt.items[0].volume, receipt.objects[0].ref.figure_key).unlink()
    (row,) = nk.verify(receipt, target).failures
    assert "the object 1 (liver) of the volume 'A.nrrd' has no mask" in row.problem
    again = land(source, target, existing="replace")
    assert nk.verify(again, target).ok
    assert len(target.objects(1)) == 2


def test_a_volume_whose_file_is_missing_is_named(foreign):
    path = foreign / "one" / "volume" / "V.nrrd"
    path.unlink()
    reader = ProjectReader(foreign)
    reads = (
        reader.volumes,
        lambda: reader.volume(1),
        lambda: reader.objects(1),
        lambda: reader.iter_volume(1),
        lambda: reader.volume_grid(1),
        lambda: ProjectReader(foreign, "one").find("V.nrrd"),
    )
    for read in reads:
        with pytest.raises(TargetError) as caught:
            read()
        assert caught.value.message == "the volume 'V.nrrd' is annotated, but its file is not there"
        assert caught.value.path == str(path)
    assert reader.volume(2).name == "W.nrrd"


def test_the_remedy_for_a_volume_whose_file_is_missing_ends_right(tmp_path):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1, 2)}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(source, target)
    target.volume_path(receipt.items[0].volume).unlink()
    failures = nk.verify(receipt, target).failures
    assert {"but its file is not there" in row.problem for row in failures} == {True}
    with pytest.raises(TargetError) as caught:
        land(source, target, existing="append")
    annotation = tmp_path / "p" / "d" / "ann" / "A.nrrd.json"
    assert caught.value.remedy == (
        "Restore the file; or move its annotation and the folder of its masks away, "
        f"{annotation} and mask/A.nrrd, and upload the volume anew."
    )
    annotation.rename(tmp_path / "A.nrrd.json")
    (tmp_path / "p" / "d" / "mask" / "A.nrrd").rename(tmp_path / "masks")
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok


# Classes


def test_classes_have_colour_description_and_shape(foreign):
    assert ProjectReader(foreign).classes() == (
        ClassRef("old", (10, 11, 12), "", "mask_3d"),
        ClassRef("flat", (1, 2, 3), "", "rectangle"),
        ClassRef("free", (255, 255, 255), "", "any"),
    )


def test_our_classes_have_the_pixel_value_in_their_description(ours):
    assert ProjectReader(ours).classes() == (
        ClassRef("Femur", (255, 0, 0), "Mask pixel value: 1", "mask_3d"),
        ClassRef("Tibia", (0, 255, 0), "Mask pixel value: 2", "mask_3d"),
    )


# Ids


def test_our_ids_are_the_same_with_and_without_the_map(ours):
    with_map = ProjectReader(ours, "d")
    known = [with_map.volumes(), *(with_map.objects(ref.id) for ref in with_map.volumes())]
    (ours / MAP).unlink()
    without = ProjectReader(ours, "d")
    assert [without.volumes(), *(without.objects(ref.id) for ref in without.volumes())] == known


def test_a_map_that_lacks_what_landed_last_is_completed(ours):
    """A crash between the annotation and the map."""
    before = ProjectReader(ours).volumes()
    edit_json(ours / MAP, lambda content: content["videos"].pop(before[-1].key))
    assert ProjectReader(ours).volumes() == before


def test_volumes_without_ids_come_after_those_that_have_them(foreign):
    path = foreign / "two" / "ann" / "X.nrrd.json"
    edit_json(path, lambda content: content.update(volumeId=1))
    assert {ref.name: ref.id for ref in ProjectReader(foreign).volumes()} == {
        "X.nrrd": 1,
        "V.nrrd": 2,
        "W.nrrd": 3,
    }


def test_the_ids_of_a_foreign_project_do_not_depend_on_the_order_of_its_files(foreign, monkeypatch):
    for name in ("C", "A", "B"):
        for part in ("ann/{}.nrrd.json", "volume/{}.nrrd"):
            shutil.copy(foreign / "two" / part.format("X"), foreign / "two" / part.format(name))
        path = foreign / "two" / "ann" / f"{name}.nrrd.json"
        edit_json(path, lambda content, key=name: content.update(key=key * 32))
    expected = [(4, "B.nrrd"), (5, "C.nrrd"), (6, "X.nrrd")]
    real = type(foreign).glob
    for order in (sorted, lambda found: sorted(found, reverse=True)):
        monkeypatch.setattr(type(foreign), "glob", lambda *at, order=order: iter(order(real(*at))))
        found = ProjectReader(foreign, "two").volumes()
        assert [(ref.id, ref.name) for ref in found] == [(3, "A.nrrd"), *expected]


def test_ids_are_read_again_when_another_writer_changed_the_map(foreign):
    reader, other = ProjectReader(foreign), nk.ProjectFolder(foreign)
    assert reader.volume(1).name == "V.nrrd"
    ids = other.ids()
    ids.forget("videos", KEYS["V"])
    ids.reserve("videos", KEYS["V"])
    ids.save()
    assert reader.ids().id_of("videos", KEYS["V"]) == 4


# What cannot be read


@pytest.mark.parametrize("name", ["meta.json", MAP, "d/ann/axl_anatomic.nrrd.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff"], ids=["empty", "cut", "binary"])
def test_a_damaged_json_file_is_named(ours, name, content):
    (ours / name).write_bytes(content)
    reader = ProjectReader(ours)
    with pytest.raises(TargetError) as caught:
        [reader.volumes(), reader.classes()]
    assert caught.value.path == str(ours / name)
    assert caught.value.message == "a file of the project cannot be read"


# Names


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/", "/a", "a//b", "../a", "a/..", "a/./b", ".hidden", "a/.b"]
)
def test_a_dataset_name_that_cannot_be_a_folder_is_refused(tmp_path, name):
    with pytest.raises(TargetError) as caught:
        ProjectReader(tmp_path, name)
    assert str(caught.value) == (
        f"the dataset's name cannot be a folder Found: {name!r}. "
        "Expected: a name such as 'knee', or 'parent/child' for a nested dataset. "
        "Remedy: Choose another name."
    )


@pytest.mark.parametrize("name", ["knee", "my knee", "a/b/c", "Knie_läsion", "v1.2"])
def test_a_dataset_name_that_can_be_a_folder_is_taken(tmp_path, name):
    assert ProjectReader(tmp_path, name).dataset == name


def test_a_reader_shows_its_folder_and_scope():
    assert repr(ProjectReader("p")) == "ProjectReader('p')"
    assert repr(nk.ProjectFolder("p", dataset="a/b")) == "ProjectFolder('p', dataset='a/b')"


def test_a_path_with_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ProjectReader("~/project").path == tmp_path / "project"


def test_nested_datasets_that_we_write_are_read_back(tmp_path):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    for dataset in ("a", "a/b", "a/b/c"):
        land(source, nk.ProjectFolder(tmp_path / "p", dataset=dataset))
    assert [(ref.id, ref.dataset) for ref in ProjectReader(tmp_path / "p").volumes()] == [
        (1, "a"),
        (2, "a/b"),
        (3, "a/b/c"),
    ]
    assert (tmp_path / "p/a/datasets/b/datasets/c/ann/A.nrrd.json").exists()
    content = json.loads((tmp_path / "p" / MAP).read_text())
    assert list(content["videos"].values()) == [1, 2, 3]
