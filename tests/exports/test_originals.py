"""With the original files, masks are written as they were: bit for bit, in any orientation."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from tests.support.builders import SAMPLES, labels, volume, write_nifti, write_planes
from tests.support.landings import quiet, tree

SHAPE = (5, 6, 7)
TURNED = np.array([[0.96, -0.2, 0.2], [0.2, 0.98, 0.0], [-0.2, 0.04, 0.98]])


def orientations() -> list[np.ndarray]:
    """The 48 affines whose axes are those of space in another order and direction."""
    found = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = (np.eye(3) * signs)[:, axes] * (2.0, 3.0, 5.0)
            affine[:3, 3] = (-10.5, 4.25, 7.125)
            found.append(affine)
    return found


def oblique(affine: np.ndarray) -> np.ndarray:
    """The same axes, turned by some degrees."""
    q, _ = np.linalg.qr(TURNED)
    turned = affine.copy()
    turned[:3, :3] = (q * np.sign(np.diag(q))) @ affine[:3, :3]
    return turned


def unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def assert_same_files(source: Path, export: Path) -> None:
    """Every NIfTI file of a source is in an export, with the same bytes when unpacked."""
    names = {path for path in tree(source) if ".nii" in path}
    assert {path for path in tree(export) if ".nii" in path} == names
    for name in names:
        assert unpacked(export / name) == unpacked(source / name), name


def there_and_back(source: Path, tmp_path: Path, like: str = "dataset", **choices: Any) -> Any:
    """Land a source, and export it with its files as originals."""
    dataset = nk.scan(source, **choices)
    plan = nk.plan(dataset, waive=("planes-incomplete", "volume-label-map"))
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    receipt = nk.upload(plan, target, on_progress=quiet)
    given = {"dataset": dataset, "receipt": receipt, "folder": source}[like]
    return nk.export(target, tmp_path / "export", like=given)


@pytest.mark.parametrize("turn", [False, True])
def test_masks_come_back_bit_for_bit_in_every_orientation(turn: bool, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number, affine in enumerate(orientations()):
        place = oblique(affine) if turn else affine
        write_nifti(source / f"v{number}.nii.gz", volume() + number, place)
        write_nifti(source / f"v{number}" / "bone.nii.gz", labels(values=(1, 4)), place)
    export = there_and_back(source, tmp_path)
    assert export.ok
    assert_same_files(source, tmp_path / "export")


@pytest.mark.parametrize("like", ["dataset", "receipt", "folder"])
@pytest.mark.parametrize(
    "sample", ["by_volume", "by_plane_semantic", "by_plane_instance", "multi_item", "scores"]
)
def test_a_sample_comes_back_as_it_was(sample: str, like: str, tmp_path: Path) -> None:
    source = SAMPLES / sample
    export = there_and_back(source, tmp_path, like)
    assert export.ok
    assert_same_files(source, tmp_path / "export")
    if like != "receipt":
        for path in source.rglob("*.csv"):
            there = tmp_path / "export" / path.relative_to(source)
            assert there.read_bytes() == path.read_bytes()
    planned = nk.plan(nk.scan(source), waive="planes-incomplete")
    plan = nk.plan(nk.scan(export.folder), waive="planes-incomplete")
    assert [o.scores for o in plan.objects] == [o.scores for o in planned.objects]
    assert [o.class_name for o in plan.objects] == [o.class_name for o in planned.objects]


HEADERS = {
    "codes": {"sform": 4, "qform": 1},
    "qform alone": {"sform": 0, "qform": 1},
    "scaled": {"slope": 0.5, "intercept": -1.0},
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("kind", ["u1", "<i2", ">i2", "<f4", ">f8", "<u4"])
def test_types_and_headers_stay(header: str, kind: str, tmp_path: Path) -> None:
    source, choices = tmp_path / "source", dict(HEADERS[header])
    choices["image_class"] = nib.Nifti1Image
    affine = oblique(orientations()[13])
    write_nifti(source / "v.nii", volume(), affine)
    array = labels(values=(1, 2))
    if "slope" in choices:
        array = array * 2 + 2  # stored: (value - intercept) / slope
    write_nifti(source / "v" / "bone.nii", array.astype(kind), affine, **choices)
    export = there_and_back(source, tmp_path)
    assert export.ok
    assert sum(entry.objects for entry in export.entries) == 2
    assert_same_files(source, tmp_path / "export")


def test_extensions_and_descriptions_stay_and_a_cropped_mask_keeps_its_grid(
    tmp_path: Path,
) -> None:
    source, affine = tmp_path / "source", oblique(orientations()[30])
    write_nifti(source / "v.nii.gz", volume(), affine)
    part = labels()[:3, 1:, 1:6]
    moved = affine.copy()
    moved[:3, 3] = affine[:3, :3] @ (0, 1, 1) + affine[:3, 3]
    image = nib.Nifti1Image(part, moved)
    image.header["descrip"] = b"drawn by hand"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"made for a test"))
    (source / "v").mkdir()
    nib.save(image, source / "v" / "bone.nii.gz")
    assert there_and_back(source, tmp_path).ok
    assert_same_files(source, tmp_path / "export")
    again = nib.load(tmp_path / "export" / "v" / "bone.nii.gz")
    assert again.header.extensions[0].get_content() == b"made for a test"


def changed(project: Path, name: str, change: Any) -> None:
    """Change the annotation of a volume in a project folder, as a person does."""
    path = project / "d" / "ann" / f"{name}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_an_object_that_is_gone_leaves_background_and_the_others_stay(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "source")
    dataset = nk.scan(source)
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    nk.upload(nk.plan(dataset), target, on_progress=quiet)

    def drop(content: Any) -> None:
        gone = content["objects"].pop(0)["key"]
        content["spatialFigures"] = [
            one for one in content["spatialFigures"] if one["objectKey"] != gone
        ]

    changed(tmp_path / "project", "axl_anatomic.nrrd", drop)
    export = nk.export(nk.ProjectFolder(tmp_path / "project"), tmp_path / "export", like=dataset)
    assert export.ok
    left = np.asarray(nib.load(tmp_path / "export" / "axl_inference.nii.gz").dataobj)
    expected = np.where(labels() == 1, 0, labels())
    np.testing.assert_array_equal(left, expected)
