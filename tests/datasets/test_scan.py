"""scan: what a source holds, by names and headers; nothing is lost, nothing is written."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nifti_kit as nk
from nifti_kit.core.findings import describe, file_fault
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import (
    BadClassMap,
    BadSource,
    NiftiKitError,
    UnreadableFile,
    UnsupportedImage,
)
from tests.support.builders import SHAPE, labels, write_nifti, write_planes
from tests.support.properties import untimed

PLANES = ("axl", "cor", "sag")


def write(folder: Path, *names: str) -> Path:
    """Write volumes and masks: what has an annotation word or a folder's name is a mask."""
    for name in names:
        write_nifti(folder / name, labels() if "mask" in name or "inference" in name else None)
    return folder


def text(folder: Path, name: str, content: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def masks(dataset: Dataset) -> dict[str, list[tuple[str, int | str | None]]]:
    return {
        item.name: [(str(m.relative), m.class_name or m.index) for m in item.masks]
        for item in dataset.items
    }


def found(dataset: Dataset) -> list[tuple[str, str, str]]:
    return [(f.code, f.path, f.message) for f in dataset.findings]


def codes(dataset: Dataset) -> list[tuple[str, str]]:
    return [(f.code, f.path) for f in dataset.findings]


def unused(dataset: Dataset) -> list[str]:
    return [path.relative_to(dataset.root).as_posix() for path in dataset.unused]


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


# Layouts.


def test_a_source_by_volume(tmp_path: Path) -> None:
    write(tmp_path, "CTChest.nii.gz", "CTChest/lung.nii.gz", "CTChest/tumor.nii", "Spine.nii.gz")
    dataset = nk.scan(tmp_path)
    assert dataset.layout == "by_volume"
    assert masks(dataset) == {
        "CTChest.nrrd": [("CTChest/lung.nii.gz", "lung"), ("CTChest/tumor.nii", "tumor")],
        "Spine.nrrd": [],
    }
    assert dataset.root == tmp_path
    assert (dataset.unused, dataset.findings, dataset.mapping) == ((), (), None)
    assert len(dataset.classes) == 0
    chest = dataset.items[0]
    assert chest.volume is not None
    assert chest.volume.path == tmp_path / "CTChest.nii.gz"
    assert chest.volume.shape == SHAPE


def test_a_source_by_plane(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    text(tmp_path, "cls_color_map.txt", "1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    dataset = nk.scan(tmp_path)
    assert dataset.layout == "by_plane"
    assert masks(dataset) == {
        f"{plane}_anatomic.nrrd": [(f"{plane}_inference.nii.gz", None)] for plane in PLANES
    }
    assert dataset.items[0].scores == tmp_path / "axl_score.csv"
    assert [item.segmentation for item in dataset.items] == ["semantic"] * 3
    assert [entry.name for entry in dataset.classes] == ["Femur", "Tibia"]
    assert dataset.findings == ()


def test_a_source_of_annotations_alone(tmp_path: Path) -> None:
    write(tmp_path, "d1/axl_inference_1.nii", "d2/axl_inference_1.nii", "d3/axl_inference_1.nii")
    text(tmp_path, "mapping.json", json.dumps({f"d{n}/axl_inference_1.nii": n for n in (1, 2, 3)}))
    dataset = nk.scan(tmp_path)
    assert dataset.layout == "annotations"
    assert [item.volume for item in dataset.items] == [None] * 3
    assert [str(path) for path in dataset.annotation_paths] == [
        f"d{n}/axl_inference_1.nii" for n in (1, 2, 3)
    ]
    assert dataset.mapping is not None
    assert [row.volume for row in dataset.mapping] == [1, 2, 3]
    assert dataset.findings == ()


def test_a_file_alone_is_a_volume(tmp_path: Path) -> None:
    write(tmp_path, "CT.nii.gz", "MR.nii.gz")
    dataset = nk.scan(tmp_path / "CT.nii.gz")
    assert dataset.layout == "by_volume"
    assert [item.name for item in dataset.items] == ["CT.nrrd"]
    assert dataset.unused == ()


@pytest.mark.parametrize("ending", ["zip", "tar", "gztar"])
def test_an_archive_is_scanned_as_its_folder(ending: str, tmp_path: Path) -> None:
    write_planes(tmp_path / "in" / "knee")
    text(tmp_path / "in", "cls_color_map.txt", "1 Femur\n2 Tibia")
    archive = shutil.make_archive(str(tmp_path / "knee"), ending, tmp_path / "in")
    dataset = nk.scan(archive)
    assert masks(dataset) == masks(nk.scan(tmp_path / "in"))
    assert [entry.name for entry in dataset.classes] == ["Femur", "Tibia"]
    assert dataset.root != tmp_path


@pytest.mark.parametrize("layout", ["by_volume", "by_plane", "annotations"])
def test_the_layout_may_be_chosen(layout: str, tmp_path: Path) -> None:
    dataset = nk.scan(write(tmp_path, "axl_inference_1.nii"), layout=layout)
    assert dataset.layout == layout
    volumes = [item.volume is not None for item in dataset.items]
    assert volumes == {"by_volume": [True], "by_plane": [], "annotations": [False]}[layout]
    assert unused(dataset) == (["axl_inference_1.nii"] if layout == "by_plane" else [])


@pytest.mark.parametrize(
    ("choice", "name", "message"),
    [
        (
            {"layout": "by_slice"},
            "layout",
            "'by_slice'. Expected: 'auto', 'by_volume', 'by_plane', 'annotations', 'pairs'.",
        ),
        (
            {"segmentation": "panoptic"},
            "segmentation",
            "'panoptic'. Expected: 'auto', 'semantic', 'instance'.",
        ),
        ({"score_base": 2}, "score_base", "2. Expected: 0, 1."),
    ],
    ids=["layout", "segmentation", "score_base"],
)
def test_a_choice_that_there_is_not_is_refused(
    choice: dict[str, Any], name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSource) as caught:
        nk.scan(tmp_path, **choice)
    assert str(caught.value) == f"{name} has no such choice Found: {message}"


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="there is no such file or folder"):
        nk.scan(tmp_path / "nowhere")


def test_a_source_without_nifti_files_is_an_error(tmp_path: Path) -> None:
    text(tmp_path, "readme.md", "# data")
    dataset = nk.scan(tmp_path)
    assert dataset.items == ()
    assert ("source-empty", "", f"{tmp_path}: no NIfTI file") in found(dataset)
    assert not nk.check(dataset).ok


# The source is left as it is.


def test_nothing_is_written_to_the_source(tmp_path: Path) -> None:
    write_planes(tmp_path / "knee")
    write(tmp_path, "other/CT.nii", "other/CT/lung_mask.nii")
    text(tmp_path, "color_map.txt", "1 Femur\n2 Tibia")
    text(tmp_path, "knee/axl_score.csv", "Layer,Label-1\n1,0.5\n")
    before, names = snapshot(tmp_path), sorted(tmp_path.rglob("*"))
    dataset = nk.scan(tmp_path)
    nk.check(dataset)
    nk.plan(dataset)
    assert snapshot(tmp_path) == before
    assert sorted(tmp_path.rglob("*")) == names


# Names that mislead others.


@pytest.mark.parametrize("name", ["cortex", "corpus_callosum", "sagittal_sinus", "score", "record"])
def test_a_plane_within_a_name_does_not_change_the_layout(name: str, tmp_path: Path) -> None:
    write(tmp_path, "brain.nii.gz", f"brain/{name}.nii.gz", f"{name}.nii.gz")
    dataset = nk.scan(tmp_path)
    assert dataset.layout == "by_volume"
    assert masks(dataset) == {
        "brain.nrrd": [(f"brain/{name}.nii.gz", name)],
        f"{name}.nrrd": [],
    }


def test_a_case_keeps_its_annotations_to_itself(tmp_path: Path) -> None:
    for case in ("A", "B"):
        write(tmp_path / case, *(f"case{case}_{plane}_anatomic.nii" for plane in PLANES))
    write(tmp_path, "A/caseB_axl_inference_1.nii")
    dataset = nk.scan(tmp_path)
    assert [item.masks for item in dataset.items] == [()] * 6
    assert codes(dataset) == [("annotation-without-volume", "A/caseB_axl_inference_1.nii")]
    assert dataset.findings[0].message == (
        "its words are those of B/caseB_axl_anatomic.nii, not of A/caseA_axl_anatomic.nii beside it"
    )
    assert unused(dataset) == ["A/caseB_axl_inference_1.nii"]
    assert not nk.check(dataset).ok


def test_a_volume_in_the_folder_of_its_name_is_not_its_annotation(tmp_path: Path) -> None:
    write(tmp_path, "sub01/sub01.nii.gz", "sub01/lung_mask.nii.gz")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == {"sub01.nrrd": [("sub01/lung_mask.nii.gz", "lung_mask")]}
    assert codes(dataset) == [("annotation-elsewhere", "sub01/sub01.nii.gz")]


def test_upper_case_names_are_read(tmp_path: Path) -> None:
    for plane in ("AXL", "COR", "SAG"):
        write_nifti(tmp_path / f"{plane}_ANATOMIC.nii").rename(tmp_path / f"{plane}_ANATOMIC.NII")
        path = write_nifti(tmp_path / f"{plane}_INFERENCE_1.nii.gz", labels())
        path.rename(tmp_path / f"{plane}_INFERENCE_1.NII.GZ")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == {
        f"{plane}_ANATOMIC.nrrd": [(f"{plane}_INFERENCE_1.NII.GZ", 1)]
        for plane in ("AXL", "COR", "SAG")
    }
    assert dataset.findings == ()


def test_names_need_no_underscores_and_no_certain_word(tmp_path: Path) -> None:
    write(tmp_path, "axl-anatomic.nii", "cor anatomic.nii", "sag.anatomic.nii")
    write(tmp_path, "axl-mask.nii", "cor seg.nii", "sag_ann.nii")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == {
        "axl-anatomic.nrrd": [("axl-mask.nii", None)],
        "cor anatomic.nrrd": [("cor seg.nii", None)],
        "sag.anatomic.nrrd": [("sag_ann.nii", None)],
    }


def test_the_same_names_in_several_folders_are_several_volumes(tmp_path: Path) -> None:
    write_planes(tmp_path / "item_1")
    write_planes(tmp_path / "study" / "item_2")
    dataset = nk.scan(tmp_path)
    assert [item.name for item in dataset.items] == [
        f"item_{n}_{plane}_anatomic.nrrd" for n in (1, 2) for plane in PLANES
    ]
    assert [item.folder for item in dataset.items] == ["item_1"] * 3 + ["study/item_2"] * 3
    assert found(dataset)[0] == (
        "name-prefixed",
        "item_1/axl_anatomic.nii.gz",
        "it is named item_1_axl_anatomic.nrrd",
    )


def test_a_lone_instance_file_keeps_its_index(tmp_path: Path) -> None:
    write(tmp_path, *(f"{plane}_anatomic.nii" for plane in PLANES), "sag_inference_1.nii")
    dataset = nk.scan(tmp_path)
    assert masks(dataset)["sag_anatomic.nrrd"] == [("sag_inference_1.nii", 1)]
    assert [item.segmentation for item in dataset.items] == [None, None, "instance"]


def test_several_volumes_of_a_plane_keep_their_scores(tmp_path: Path) -> None:
    for case in ("caseA", "caseB"):
        write(tmp_path, *(f"{case}_{plane}_anatomic.nii" for plane in PLANES))
        write(tmp_path, f"{case}_axl_inference.nii")
        text(tmp_path, f"{case}_axl_score.csv", "Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(tmp_path)
    assert {item.name: item.scores for item in dataset.items if item.scores} == {
        f"{case}_axl_anatomic.nrrd": tmp_path / f"{case}_axl_score.csv"
        for case in ("caseA", "caseB")
    }
    assert dataset.findings == ()


def test_folders_by_plane_and_by_volume_side_by_side_are_each_read_by_their_own(
    tmp_path: Path,
) -> None:
    write_planes(tmp_path / "knee")
    write(tmp_path, "CT.nii.gz", "CT/lung.nii.gz")
    dataset = nk.scan(tmp_path)
    assert dataset.layout == "by_plane"
    assert masks(dataset) == {
        "CT.nrrd": [("CT/lung.nii.gz", "lung")],
        **{
            f"{plane}_anatomic.nrrd": [(f"knee/{plane}_inference.nii.gz", None)] for plane in PLANES
        },
    }
    assert found(dataset) == []


def test_label_maps_of_the_nnunet_folders_are_not_lost(tmp_path: Path) -> None:
    write(tmp_path, "imagesTr/knee_0000.nii.gz", "labelsTr/knee.nii.gz")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == {"knee_0000.nrrd": [], "knee.nrrd": []}
    assert dataset.unused == ()


# Files that cannot be used.


def test_a_hidden_copy_of_a_volume_changes_nothing(tmp_path: Path) -> None:
    write_planes(tmp_path)
    clean = masks(nk.scan(tmp_path))
    for name in ("._axl_anatomic.nii.gz", "._axl_inference.nii.gz"):
        (tmp_path / name).write_bytes(b"\0\x05\x16\x07 resource fork")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == clean
    assert found(dataset) == [
        ("file-hidden", f"._axl_{role}.nii.gz", "hidden, passed over")
        for role in ("anatomic", "inference")
    ]
    assert nk.check(dataset).ok


def image_4d(path: Path) -> None:
    write_nifti(path, np.zeros((3, 4, 5, 2), np.int16))


def image_2d(path: Path) -> None:
    write_nifti(path, np.zeros((3, 4), np.int16))


def image_rgb(path: Path) -> None:
    write_nifti(path, np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")]))


def image_complex(path: Path) -> None:
    write_nifti(path, np.zeros((3, 4, 5), np.complex64))


def image_empty(path: Path) -> None:
    path.write_bytes(b"")


def image_cut(path: Path) -> None:
    write_nifti(path)
    path.write_bytes(path.read_bytes()[:600])


def image_text(path: Path) -> None:
    path.write_text("not an image at all")


USELESS = {
    "4D": (image_4d, "image-unsupported", "the image has 4 dimensions; found 3 x 4 x 5 x 2"),
    "2D": (image_2d, "image-unsupported", "the image has 2 dimensions; found 3 x 4"),
    "RGB": (image_rgb, "image-unsupported", "voxels are not one real number each; found RGB"),
    "complex": (image_complex, "image-unsupported", "one real number each; found complex numbers"),
    "empty": (image_empty, "file-unreadable", "it is no NIfTI file; found an empty file"),
    "cut": (image_cut, "file-unreadable", "the file is too short for the voxels"),
    "text": (image_text, "file-unreadable", "found a file that begins with b'not an i'"),
}


@pytest.mark.parametrize(("make", "code", "message"), USELESS.values(), ids=list(USELESS))
@pytest.mark.parametrize("layout", ["by_volume", "by_plane"])
def test_a_useless_mask_is_named_and_everything_else_is_taken(
    make: Any, code: str, message: str, layout: str, tmp_path: Path
) -> None:
    if layout == "by_volume":
        write(tmp_path, "CT.nii", "CT/lung.nii", "MR.nii", "MR/lung.nii")
        bad = "CT/liver.nii"
    else:
        write(tmp_path, *(f"{plane}_anatomic.nii" for plane in PLANES), "axl_inference_1.nii")
        bad = "axl_inference_2.nii"
    clean = masks(nk.scan(tmp_path))
    code = "mask-frames" if make is image_4d else code
    make(tmp_path / bad)
    code = code.replace("image-", "annotation-")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == clean
    assert codes(dataset) == [(code, bad)]
    assert message in dataset.findings[0].message
    assert unused(dataset) == [bad]
    assert [(f.code, f.path) for f in nk.plan(dataset).blockers] == [(code, bad)]


@pytest.mark.parametrize(("make", "code", "message"), USELESS.values(), ids=list(USELESS))
def test_a_useless_volume_is_named_and_every_other_volume_is_taken(
    make: Any, code: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path, "CT.nii", "CT/lung.nii")
    make(tmp_path / "MR.nii")
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == {"CT.nrrd": [("CT/lung.nii", "lung")]}
    assert codes(dataset) == [(code, "MR.nii")]
    assert message in dataset.findings[0].message


def test_the_annotations_of_a_useless_volume_are_named(tmp_path: Path) -> None:
    write_planes(tmp_path)
    (tmp_path / "axl_anatomic.nii.gz").write_bytes(b"")
    dataset = nk.scan(tmp_path)
    assert set(codes(dataset)) == {
        ("file-unreadable", "axl_anatomic.nii.gz"),
        ("annotation-without-volume", "axl_inference.nii.gz"),
        ("planes-incomplete", ""),
    }
    assert unused(dataset) == ["axl_anatomic.nii.gz", "axl_inference.nii.gz"]


def test_nifti_2_is_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii.gz", image_class=nib.Nifti2Image)
    write_nifti(tmp_path / "CT" / "lung.nii", labels(), image_class=nib.Nifti2Image)
    dataset = nk.scan(tmp_path)
    assert masks(dataset) == {"CT.nrrd": [("CT/lung.nii", "lung")]}
    assert nk.check(dataset).ok


def test_a_fourth_dimension_of_one_is_taken(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", np.zeros((3, 4, 5, 1), np.int16))
    (item,) = nk.scan(tmp_path).items
    assert item.volume is not None
    assert item.volume.shape == (3, 4, 5)


UNUSED = {
    "scan.pdf": "neither a NIfTI file nor a score table, class map or mapping",
    "CT.nrrd": "an image in another format (NRRD): convert it to .nii.gz",
    "log": "neither a NIfTI file nor a score table, class map or mapping",
    "log1": "neither a NIfTI file nor a score table, class map or mapping",
    "1²2.md": "neither a NIfTI file nor a score table, class map or mapping",
    "more.zip": "an archive inside the source is not unpacked",
    "more.TAR.GZ": "an archive inside the source is not unpacked",
    "README.txt": "a text that is no class map",
    "table.csv": "score tables belong to volumes by plane",
    "CT.json": "the sidecar of CT.nii (how it was acquired, as dcm2niix writes it)",
    "CT.bval": "the diffusion gradients of CT.nii",
    "Dataset.json": "the description of a data set (nnU-Net, Medical Segmentation Decathlon): "
    "no part of what lands",
    "other.json": "a JSON file that is no mapping",
}


def test_every_file_of_no_use_is_named_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, "CT.nii")
    for name in UNUSED:
        text(tmp_path, name, "[]" if name == "other.json" else "some text")
    dataset = nk.scan(tmp_path)
    assert {path: message for code, path, message in found(dataset)} == UNUSED
    assert {code for code, _ in codes(dataset)} == {"file-unused"}
    assert sorted(unused(dataset)) == sorted(UNUSED)
    assert nk.check(dataset).ok


def test_the_files_of_no_use_come_in_natural_order(tmp_path: Path) -> None:
    write(tmp_path, "CT.nii")
    for name in ("log10", "log9", "log", "log.d/1²2"):
        text(tmp_path, name, "")
    assert unused(nk.scan(tmp_path)) == ["log", "log9", "log10", "log.d/1²2"]


# Class maps.

FEMUR = "1 Femur 255 0 0\n2 Tibia 0 255 0\n"
OTHER = "1 Lung 1 2 3\n"


def names(dataset: Dataset) -> list[str]:
    return [entry.name for entry in dataset.classes]


@pytest.mark.parametrize(
    "name", ["cls_color_map.txt", "color_map.txt", "colours.TXT", "deep/er/notes.txt"]
)
def test_any_text_that_is_a_class_map_is_taken(name: str, tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, name, FEMUR)
    dataset = nk.scan(tmp_path)
    assert names(dataset) == ["Femur", "Tibia"]
    assert dataset.classes.path == name
    assert dataset.findings == ()


@pytest.mark.parametrize("readme", ["README.txt", "a readme.txt"])
def test_a_readme_never_displaces_a_class_map(readme: str, tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, readme, "Knee study\n12 cases\nSee the paper.\n")
    text(tmp_path, "z.txt", FEMUR)
    dataset = nk.scan(tmp_path)
    assert names(dataset) == ["Femur", "Tibia"]
    assert found(dataset) == [("file-unused", readme, "a text that is no class map")]


def test_a_line_that_is_no_class_is_an_error_and_the_rest_counts(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "color_map.txt", "\ufeff# classes\n\n1 Femur 255 0 0\n2 Tibia\nPatella\n")
    dataset = nk.scan(tmp_path)
    assert names(dataset) == ["Femur", "Tibia"]
    assert found(dataset) == [
        (
            "class-map-line",
            "color_map.txt",
            "line 5: it does not begin with a pixel value: 'Patella'",
        )
    ]


def test_a_class_map_by_name_without_a_class_is_an_error(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "color_map.txt", "Femur red\n")
    dataset = nk.scan(tmp_path)
    message = "its name says class map, but no line of it is a class"
    assert found(dataset) == [("class-map-line", "color_map.txt", message)]
    assert unused(dataset) == ["color_map.txt"]
    assert not nk.check(dataset).ok


def test_two_class_maps_that_differ_are_an_error(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "b.txt", FEMUR)
    text(tmp_path, "a/a.txt", OTHER)
    text(tmp_path, "a/same.txt", FEMUR)
    dataset = nk.scan(tmp_path)
    assert names(dataset) == ["Femur", "Tibia"]
    assert found(dataset) == [
        ("class-map-several", "b.txt", "2 class maps that differ: b.txt, a/a.txt"),
        ("file-unused", "a/a.txt", "b.txt is the class map"),
    ]
    assert not nk.check(dataset).ok


def test_the_same_class_map_in_several_folders_is_fine(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "x/color_map.txt", FEMUR)
    text(tmp_path, "y/color_map.txt", f"# the same\n{FEMUR}")
    dataset = nk.scan(tmp_path)
    assert names(dataset) == ["Femur", "Tibia"]
    assert dataset.findings == ()


def test_a_class_map_may_be_given(tmp_path: Path) -> None:
    write_planes(tmp_path / "in")
    text(tmp_path / "in", "color_map.txt", FEMUR)
    text(tmp_path / "in", "class_map.txt", "no class in it")
    text(tmp_path, "mine.txt", OTHER)
    for classes in ({1: "Lung"}, tmp_path / "mine.txt", str(tmp_path / "mine.txt")):
        dataset = nk.scan(tmp_path / "in", classes=classes)
        assert names(dataset) == ["Lung"]
        assert found(dataset) == [
            ("file-unused", "class_map.txt", "another class map was given"),
            ("file-unused", "color_map.txt", "another class map was given"),
        ]


def test_of_two_class_maps_one_may_be_chosen(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "a.txt", OTHER)
    text(tmp_path, "b.txt", FEMUR)
    dataset = nk.scan(tmp_path, classes=tmp_path / "b.txt")
    assert names(dataset) == ["Femur", "Tibia"]
    assert found(dataset) == [("file-unused", "a.txt", "another class map was given")]


def test_the_faults_of_a_given_class_map_are_named(tmp_path: Path) -> None:
    write_planes(tmp_path / "in")
    text(tmp_path, "mine.txt", "1 Lung\nHeart")
    dataset = nk.scan(tmp_path / "in", classes=tmp_path / "mine.txt")
    assert codes(dataset) == [("class-map-line", str(tmp_path / "mine.txt"))]


def test_a_given_class_map_that_is_none_is_refused(tmp_path: Path) -> None:
    text(tmp_path, "mine.txt", "no class")
    with pytest.raises(BadClassMap, match="no line is a class"):
        nk.scan(tmp_path, classes=tmp_path / "mine.txt")


@pytest.mark.parametrize("name", ["color_map.txt", "cls_color_map.txt"])
def test_the_class_map_of_an_export_is_found_above_its_folder(name: str, tmp_path: Path) -> None:
    write_planes(tmp_path / "project" / "dataset")
    text(tmp_path / "project", name, FEMUR)
    dataset = nk.scan(tmp_path / "project" / "dataset")
    assert names(dataset) == ["Femur", "Tibia"]
    assert found(dataset) == [("class-map-above", f"../{name}", "2 classes are taken from it")]
    assert dataset.findings[0].severity == "note"


def test_a_class_map_above_is_not_looked_for_where_there_is_one_or_none_is_wanted(
    tmp_path: Path,
) -> None:
    write_planes(tmp_path / "in")
    text(tmp_path, "color_map.txt", OTHER)
    assert names(nk.scan(tmp_path / "in", classes={})) == []
    assert names(nk.scan(tmp_path / "in" / "axl_anatomic.nii.gz")) == []
    text(tmp_path / "in", "mine.txt", FEMUR)
    assert names(nk.scan(tmp_path / "in")) == ["Femur", "Tibia"]


def test_another_text_above_is_no_class_map(tmp_path: Path) -> None:
    write_planes(tmp_path / "in")
    text(tmp_path, "color_map.txt", "no class")
    text(tmp_path, "classes.txt", FEMUR)
    dataset = nk.scan(tmp_path / "in")
    assert names(dataset) == []
    assert dataset.findings == ()


def test_a_class_map_above_an_archive_is_not_looked_for(tmp_path: Path) -> None:
    write(tmp_path, "CT.nii")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(tmp_path / "CT.nii", "CT.nii")
    text(tmp_path, "color_map.txt", FEMUR)
    assert names(nk.scan(tmp_path / "in.zip")) == []


# Mappings.


def annotations(folder: Path) -> Path:
    return write(folder, "axl_inference_1.nii", "cor_inference_1.nii")


def volumes(dataset: Dataset) -> list[int | None]:
    assert dataset.mapping is not None
    return [row.volume for row in dataset.mapping]


def test_json_files_that_are_no_mapping_are_named_and_stop_nothing(tmp_path: Path) -> None:
    annotations(tmp_path)
    text(tmp_path, "mapping.json", '{"axl_inference_1.nii": 7, "cor_inference_1.nii": 8}')
    text(tmp_path, "a_sidecar.json", '{"EchoTime": 0.03}')
    (tmp_path / "binary.json").write_bytes(b"\0\1")
    dataset = nk.scan(tmp_path)
    assert volumes(dataset) == [7, 8]
    none, why = "a JSON file that is no mapping", "the text file cannot be read; found zero bytes"
    assert found(dataset) == [
        ("file-unused", "a_sidecar.json", none),
        ("file-unused", "binary.json", f"{none} that can be read: {why}; expected UTF-8 text"),
    ]


def test_two_mappings_are_an_error_and_none_is_taken(tmp_path: Path) -> None:
    annotations(tmp_path)
    text(tmp_path, "b.json", '{"axl_inference_1.nii": 7}')
    text(tmp_path, "old/a.json", '{"axl_inference_1.nii": 8}')
    dataset = nk.scan(tmp_path)
    assert dataset.mapping is None
    assert found(dataset) == [
        ("mapping-several", "b.json", "which one: b.json, old/a.json?"),
        ("file-unused", "b.json", "one of several mappings"),
        ("file-unused", "old/a.json", "one of several mappings"),
    ]
    assert not nk.check(dataset).ok


def test_text_and_null_ids_are_errors_and_the_other_rows_count(tmp_path: Path) -> None:
    annotations(tmp_path)
    write(tmp_path, "sag_inference_1.nii")
    text(
        tmp_path,
        "mapping.json",
        '{"axl_inference_1.nii": "7", "cor_inference_1.nii": null, "sag_inference_1.nii": 9}',
    )
    dataset = nk.scan(tmp_path)
    assert volumes(dataset) == [None, None, 9]
    assert found(dataset) == [
        ("mapping-id", "mapping.json", "key 'axl_inference_1.nii': the id is '7'"),
        ("mapping-id", "mapping.json", "key 'cor_inference_1.nii': the id is None"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "the mapping cannot be read; found Expecting property name"),
        ("[" * 100_000, "the mapping cannot be read; found JSON that is nested too deep"),
    ],
    ids=["no json", "nested too deep"],
)
def test_a_mapping_that_cannot_be_read_is_an_error(
    content: str, message: str, tmp_path: Path
) -> None:
    annotations(tmp_path)
    text(tmp_path, "mapping.json", content)
    dataset = nk.scan(tmp_path)
    assert dataset.mapping is None
    assert codes(dataset) == [("mapping-unreadable", "mapping.json")]
    assert dataset.findings[0].message.startswith(message)
    assert unused(dataset) == ["mapping.json"]


# Errors as findings.


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "cut"),
        ({"found": 0}, "cut; found 0"),
        ({"expected": "5 bytes"}, "cut; expected 5 bytes"),
        (
            {"path": "a.nii", "found": 3, "expected": 5, "remedy": "Copy it."},
            "cut; found 3; expected 5",
        ),
    ],
    ids=["message", "found", "expected", "everything"],
)
def test_an_error_is_described_without_its_path_and_remedy(
    facts: dict[str, Any], message: str
) -> None:
    assert describe(NiftiKitError("cut", **facts)) == message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnsupportedImage("4D", remedy="Pick a frame."), "image-unsupported"),
        (UnreadableFile("4D", remedy="Pick a frame."), "file-unreadable"),
    ],
    ids=["unsupported", "unreadable"],
)
def test_an_image_that_cannot_be_taken_in_keeps_its_own_remedy(
    error: NiftiKitError, code: str
) -> None:
    fault = file_fault(PurePosixPath("a.nii"), error)
    assert (fault.code, fault.path, fault.message, fault.remedy) == (
        *(code, "a.nii", "4D", "Pick a frame."),
    )


# How a dataset shows itself.


def test_a_dataset_shows_its_layout_and_items(tmp_path: Path) -> None:
    write_planes(tmp_path / "knee")
    text(tmp_path, "knee/axl_score.csv", "Layer,Label-1\n1,0.5\n")
    text(tmp_path, "knee/a.pdf", "")
    assert repr(nk.scan(tmp_path / "knee")) == (
        "knee: layout by_plane, 3 items, 3 mask files, 0 classes in the class map, 1 file unused\n"
        "  <Item axl_anatomic.nrrd: 1 mask file, semantic, scores>\n"
        "  <Item cor_anatomic.nrrd: 1 mask file, semantic>\n"
        "  <Item sag_anatomic.nrrd: 1 mask file, semantic>"
    )


def test_the_table_has_a_row_for_each_item(tmp_path: Path) -> None:
    write_planes(tmp_path / "knee")
    text(tmp_path, "knee/axl_score.csv", "Layer,Label-1\n1,0.5\n")
    frame = nk.scan(tmp_path).to_frame()
    assert frame.shape == (3, 9)
    assert frame.iloc[0].to_dict() == {
        "item": "axl_anatomic.nrrd",
        "folder": "knee",
        "plane": "axl",
        "shape": "5 x 6 x 7",
        "voxel size (mm)": "2 x 3 x 5",
        "axes": "RAS",
        "masks": "axl_inference.nii.gz",
        "kind": "semantic",
        "scores": "axl_score.csv",
    }


def test_the_table_of_annotations_shows_the_first_mask(tmp_path: Path) -> None:
    (row,) = nk.scan(write(tmp_path, "axl_inference_1.nii")).to_frame().to_dict("records")
    assert (row["item"], row["shape"], row["scores"]) == ("axl_inference_1.nrrd", "5 x 6 x 7", "")


def test_an_unusable_grid_has_no_axes_to_show(tmp_path: Path) -> None:
    flat(tmp_path / "CT.nii")
    assert nk.scan(tmp_path).to_frame()["axes"].tolist() == ["?"]


def flat(path: Path) -> None:
    """Write a file whose first axis has length 0."""
    write_nifti(path)
    content = bytearray(path.read_bytes())
    content[280:284] = content[296:300] = content[312:316] = bytes(4)
    path.write_bytes(bytes(content))


def test_many_items_are_shown_in_part(tmp_path: Path) -> None:
    write(tmp_path, *(f"v{number}.nii" for number in range(53)))
    dataset = nk.scan(tmp_path)
    lines = repr(dataset).splitlines()
    assert len(lines) == 52
    assert lines[-1] == "  ... and 3 more items; all are in to_frame()"
    markup = dataset._repr_html_()
    assert markup.count("<tr>") == 51
    assert "... and 3 more items" in markup
    assert dataset.to_frame().shape == (53, 9)


def test_the_html_form_escapes_names(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    write(tmp_path / name, f"{name}.nii", f"{name}/{name}.nii")
    dataset = nk.scan(tmp_path / name)
    shown = [dataset._repr_html_(), nk.check(dataset)._repr_html_(), nk.plan(dataset)._repr_html_()]
    assert all("<img" not in markup for markup in shown)
    assert "&lt;img src=x onerror=alert(1)&gt;.nrrd" in shown[0]
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown[2]
    assert "<p style='margin:6px 0'><b>... and" not in shown[0]


# Every file has a place.


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("contents")
    return {
        "image": write_nifti(folder / "a.nii", labels()).read_bytes(),
        "map": FEMUR.encode(),
        "table": b"Layer,Label-1\n1,0.5\n",
        "mapping": b'{"axl_mask.nii": 1}',
        "text": b"some text",
        "nothing": b"",
    }


FOLDERS = st.sampled_from(["", "", "x", "x/axl_anatomic", "CT", ".git"])
STEMS = st.sampled_from(
    [
        *("axl_anatomic", "cor_anatomic", "sag_anatomic", "axl_mask", "cor_mask_1", "sag_mask_2"),
        *("axl_score", "cor_score_1", "CT", "lung", "README", "color_map", "mapping", "._x", "²"),
    ]
)
ENDINGS = st.sampled_from([".nii", ".nii", ".nii", ".nii.gz", ".csv", ".txt", ".json", ".zip", ""])
KINDS = st.sampled_from(["image", "image", "map", "table", "mapping", "text", "nothing"])
TREES = st.dictionaries(
    st.builds(lambda folder, root, ending: f"{folder}/{root}{ending}", FOLDERS, STEMS, ENDINGS),
    KINDS,
    min_size=1,
    max_size=12,
)


def places(dataset: Dataset) -> Counter[str]:
    """Return how often each file is used or listed as unused."""
    used = [item.volume.relative for item in dataset.items if item.volume]
    used += [mask.relative for item in dataset.items for mask in item.masks]
    used += [table.relative for item in dataset.items for table in item.tables]
    used += [PurePosixPath(dataset.classes.path)] if dataset.classes.path else []
    used += [PurePosixPath(dataset.mapping.path)] if dataset.mapping is not None else []
    return Counter([*map(str, used), *unused(dataset)])


@settings(untimed, max_examples=200)
@given(tree=TREES, layout=st.sampled_from(["auto", "by_volume", "by_plane", "annotations"]))
@example(tree={"/mapping.csv": "mapping"}, layout="annotations")
def test_every_file_is_used_or_named_once(
    tree: dict[str, str],
    layout: str,
    contents: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name, kind in tree.items():
        path = root / name.lstrip("/")
        if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[kind])
    dataset = nk.scan(root, layout=layout)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    named = {finding.path for finding in dataset.findings}
    place = places(dataset)
    for file in files:
        hidden = any(part.startswith(".") for part in PurePosixPath(file).parts)
        same_map = file.endswith((".txt", ".csv")) and (root / file).read_bytes() == FEMUR.encode()
        expected = 0 if hidden or (same_map and place[file] == 0) else 1
        assert place[file] == expected, file
    assert all(path in named for path in unused(dataset))
    shutil.rmtree(root)
