"""Classes that stand out of the same class in other items: found in files, told with numbers."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import nifti_kit as nk
from nifti_kit.checks.measures import OUTLIERS
from nifti_kit.checks.pictures import Illustrator
from nifti_kit.core.findings import Finding
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.formats import nifti
from nifti_kit.render.strips import HEIGHT, OWN
from tests.support.bodies import (
    CLASS_MAP,
    Body,
    children,
    divided,
    exchanged,
    shrunk,
    usual,
    write_bodies,
)
from tests.support.builders import SAMPLES, write_nifti


def outliers(folder: Path, **choices: Any) -> list[Finding]:
    """Return what check() finds to stand out."""
    found = nk.check(nk.scan(folder, **choices))
    return [one for one in found if one.code.startswith("outlier-")]


def remembered(dataset: Dataset) -> list[Any]:
    """Return what the last check of a dataset has kept for its pictures."""
    return [one for own in dataset.memory.get(OUTLIERS, {}).values() for one in own]


def told(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.code, one.path.split("/")[0]) for one in found]


def upside_down(voxels: np.ndarray) -> np.ndarray:
    return voxels[:, :, ::-1].copy()


def test_each_fault_of_a_set_is_found_in_its_item_alone(tmp_path: Path) -> None:
    faults = {0: exchanged, 2: shrunk, 4: divided, 6: upside_down, 8: lambda v: v[::-1].copy()}
    found = outliers(write_bodies(tmp_path, usual(12, 5), faults))
    assert sorted(told(found)) == [
        ("outlier-parts", "case_04"),
        ("outlier-place", "case_00"),
        ("outlier-place", "case_06"),
        ("outlier-place", "case_08"),
        ("outlier-volume", "case_02"),
    ]
    assert {one.severity for one in found} == {"warning"}


def test_a_finding_tells_the_value_the_median_the_range_and_z(tmp_path: Path) -> None:
    dataset = nk.scan(write_bodies(tmp_path, usual(6, 3), {2: shrunk}))
    (found,) = nk.check(dataset).by_code()["outlier-volume"]
    (one,) = remembered(dataset)
    own = {}
    for path in tmp_path.rglob("*_inference.nii.gz"):
        voxels = np.asarray(nib.load(path).dataobj)
        own[path.parent.name] = np.count_nonzero(voxels == 1) * 216 / 1000  # ml
    value = own.pop("case_02")
    low, high, median = min(own.values()), max(own.values()), np.median(list(own.values()))
    assert found.message == (
        f"liver has {value:.3g} ml; in 5 other items the median is {median:.0f} ml "
        f"({low:.0f} to {high:.0f} ml), z {one.number.z:.1f}"
        + " beside its other classes"
        * (one.number.beside == "classes")
    )
    assert (one.item, one.name, one.value) == ("case_02_axl_anatomic.nrrd", "liver", 1)
    assert found.remedy == nk.check(dataset)[-1].remedy or found.remedy.endswith("nothing.")


SILENT = {
    "usual bodies": usual(10, 1),
    "anywhere in the scanner": [replace(b, origin=(900.0, -50.0 * b.seed, 3.0)) for b in usual(8)],
    "children among adults": children(usual(12, 2), 3),
    "one child": children(usual(8, 2), 8, 0.5),
    "other voxel sizes": [
        replace(body, voxel=((4.0, 4.0, 4.0), (8.0, 8.0, 8.0), (4.0, 4.0, 10.0))[at % 3])
        for at, body in enumerate(usual(9, 3))
    ],
    "a shorter image": [
        replace(body, length=200.0 if at == 3 else 300.0) for at, body in enumerate(usual(8, 4))
    ],
    "classes in few items": [
        replace(body, organs=(1, 2, 3, 4, 5) if at < 5 else (1,))
        for at, body in enumerate(usual(9))
    ],
    "five items": usual(5),
}


@pytest.mark.parametrize("bodies", SILENT.values(), ids=list(SILENT))
def test_what_varies_as_it_does_in_life_is_not_told(tmp_path: Path, bodies: list[Body]) -> None:
    assert not outliers(write_bodies(tmp_path, bodies))


@pytest.mark.parametrize("sample", ["multi_item", "by_volume", "annotations_project", ""])
def test_of_the_samples_nothing_is_told(sample: str) -> None:
    assert not outliers(SAMPLES / sample)


def test_headers_alone_say_nothing_of_it(tmp_path: Path) -> None:
    dataset = nk.scan(write_bodies(tmp_path, usual(6, 3), {2: shrunk}))
    found = nk.check(dataset, voxels=False)
    assert not [one for one in found if one.code.startswith("outlier-")]
    assert remembered(dataset) == []


def test_no_file_is_unpacked_twice_for_it(tmp_path: Path, monkeypatch: Any) -> None:
    dataset = nk.scan(write_bodies(tmp_path, usual(6, 3), {2: shrunk}))
    opened: Counter[Path] = Counter()
    open_stream = nifti.open_stream

    def count(path: Path, content: bytes | None = None) -> Any:
        opened[path] += 1
        return open_stream(path, content)

    monkeypatch.setattr(nifti, "open_stream", count)
    monkeypatch.setattr("nifti_kit.checks.files.open_stream", count)
    assert "outlier-volume" in nk.check(dataset).by_code()
    assert opened == dict.fromkeys((image.path for i in dataset.items for image in i.images), 1)


def test_a_mask_of_another_patient_who_lies_elsewhere_is_found(tmp_path: Path) -> None:
    bodies = usual(8, 6)
    write_bodies(tmp_path, bodies)
    other = replace(bodies[3], seed=99, shift=(0.0, 45.0, 0.0))
    write_nifti(tmp_path / "case_03" / "axl_inference.nii.gz", *other.labels())
    (found,) = outliers(tmp_path)
    assert told([found]) == [("outlier-place", "case_03")]
    assert found.message.startswith("its classes together lie ")


def test_a_mask_upside_down_is_turned_by_its_remedy(tmp_path: Path) -> None:
    dataset = nk.scan(write_bodies(tmp_path, usual(6, 4), {3: upside_down}))
    (found,) = nk.check(dataset).by_code()["outlier-place"]
    assert "the voxels run the other way along k (RAI in place of RAS)" in found.message
    call = found.remedy.split("If they do: ")[1].split(" turns")[0]
    assert call == "nk.repairs.take_header(dataset, 'case_03/axl_inference.nii.gz', order='RAI')"
    repair = eval(call, {"nk": nk, "dataset": dataset})
    assert not [one for one in nk.check(repair.dataset) if one.code.startswith("outlier-")]


def write_by_volume(folder: Path, bodies: list[Body], odd: int) -> Path:
    """Write a file for each organ; in one item the files of the kidneys have the other's name."""
    names = {3: "kidney left", 4: "kidney right", 1: "liver"}
    for number, body in enumerate(bodies):
        voxels, affine = body.labels()
        write_nifti(folder / f"P{number}.nii", voxels * 10, affine)
        for value, name in names.items():
            held = {3: 4, 4: 3}.get(value, value) if number == odd else value
            write_nifti(
                folder / f"P{number}" / f"{name}.nii", (voxels == held) * np.uint8(1), affine
            )
    return folder


def test_files_that_have_each_others_name_are_named_and_mended_by_it(tmp_path: Path) -> None:
    found = outliers(write_by_volume(tmp_path, usual(6, 1), odd=2))
    assert sorted(one.path for one in found) == ["P2/kidney left.nii", "P2/kidney right.nii"]
    for one in found:
        assert "kidney left" in one.message.split("they lie")[1]
        assert "If they are: exchange the names of P2/kidney " in one.remedy
    left, right, aside = (
        tmp_path / "P2" / f"{name}.nii" for name in ("kidney left", "kidney right", "x")
    )
    for old, new in ((left, aside), (right, left), (aside, right)):
        shutil.move(old, new)
    assert not outliers(tmp_path)


def test_a_class_at_the_edge_of_its_image_is_a_note_that_says_so(tmp_path: Path) -> None:
    def cut(voxels: np.ndarray) -> np.ndarray:
        found = np.where(voxels == 1, 0, voxels)
        found[:3, 15:18, 25:28] = 1
        return found

    (found,) = outliers(write_bodies(tmp_path, usual(6, 3), {2: cut}))
    assert (found.code, found.severity) == ("outlier-cut", "note")
    assert "liver has 5.83 ml" in found.message
    assert found.message.endswith("; it reaches the edge of the image, which may cut it off")


def test_cells_that_are_numbered_as_they_come_say_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(8):
        voxels = np.zeros((40, 40, 20), dtype=np.uint8)
        for value in range(1, int(rng.integers(5, 40))):
            i, j, k = rng.integers(0, (36, 36, 16))
            voxels[i : i + 4, j : j + 4, k : k + rng.integers(1, 5)] = value
        write_nifti(
            tmp_path / f"P{number}.nii", voxels * 3 + rng.integers(0, 9, voxels.shape, "u1")
        )
        write_nifti(tmp_path / f"P{number}" / "cell.nii", voxels)
    assert not outliers(tmp_path)
    assert not outliers(tmp_path, segmentation="semantic")


def test_annotations_without_volumes_are_compared_by_their_classes(tmp_path: Path) -> None:
    write_bodies(tmp_path, usual(6, 1), {1: exchanged})
    for path in tmp_path.rglob("*_anatomic.nii.gz"):
        path.unlink()
    found = outliers(tmp_path, layout="annotations")
    assert told(found) == [("outlier-place", "case_01")]
    assert "if kidney" in found[0].message


def test_planes_of_one_case_are_compared_within_their_plane(tmp_path: Path) -> None:
    for number, body in enumerate(usual(3, 1)):
        for plane, organs in (("axl", (1, 2, 3, 4, 5)), ("cor", (1, 5)), ("sag", (3,))):
            voxels, affine = replace(body, organs=organs).labels()
            for role, array in (("anatomic", voxels * 9), ("inference", voxels)):
                write_nifti(tmp_path / f"case_{number}" / f"{plane}_{role}.nii", array, affine)
    (tmp_path / "cls_color_map.txt").write_text(CLASS_MAP)
    voxels, affine = usual(3, 1)[0].labels()
    write_nifti(tmp_path / "case_0" / "cor_inference.nii", shrunk(voxels), affine)
    assert not outliers(tmp_path)


def test_the_picture_has_the_class_alone_and_the_numbers_of_all_items(tmp_path: Path) -> None:
    dataset = nk.scan(write_bodies(tmp_path, usual(6, 1), {1: exchanged}))
    findings = nk.check(dataset)
    (found,) = findings.by_code()["outlier-place"]
    picture = Illustrator(dataset)(found)
    assert picture is not None
    (first, *_) = remembered(dataset)
    assert picture.caption.endswith(f"Below: {first.name} in all items; this one is red.")
    pixels = np.array(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    below = pixels[-HEIGHT + 20 : -HEIGHT + 40]
    red = np.flatnonzero((below == OWN).all(axis=-1).any(axis=0)).mean()
    middle = np.flatnonzero((below[0] > 230).all(axis=-1)).mean()
    # The patient's right is on the left: the left kidney, right of the others, is left of them.
    assert (red < middle) == (first.number.value > first.number.median)
    findings.save(tmp_path / "findings.html")
    assert "this one is red" in (tmp_path / "findings.html").read_text()


def test_names_of_classes_are_escaped_in_the_report(tmp_path: Path) -> None:
    write_bodies(tmp_path, usual(6, 3), {2: shrunk})
    (tmp_path / "cls_color_map.txt").write_text(CLASS_MAP.replace("liver", "<b>liver"))
    findings = nk.check(nk.scan(tmp_path))
    findings.save(tmp_path / "findings.html")
    page = (tmp_path / "findings.html").read_text()
    assert "&lt;b&gt;liver has" in page
    assert "<b>liver" not in page
