"""Rules about space: a usable place, and a mask on the voxels of its volume."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks.geometry import (
    grids,
    misaligned,
    reader_places,
    readings,
    share_text,
    voxel_sizes,
)
from nifti_kit.core.geometry import Alignment
from nifti_kit.datasets.items import Item
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import read_header
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti
from tests.support.handmade import write_raw

VOLUME = np.array([[2.0, 0, 0, 10], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
"""RAS+, voxels of 2 mm."""


def moved(matrix: Any, offset: Any = (10, 0, 0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = offset
    return affine


class Case(NamedTuple):
    """A mask's affine and shape, and what is found."""

    affine: np.ndarray
    shape: tuple[int, int, int] = SHAPE
    code: str = ""
    severity: str = ""
    message: str = ""


FLIPPED = moved(np.diag([-2, 2, 2]), (18, 0, 0))
"""The first axis of 5 voxels backwards: it begins at 10 + 4 * 2 mm."""

PERMUTED = moved([[0, 2, 0], [2, 0, 0], [0, 0, 2]])

CASES = {
    "the same": Case(VOLUME),
    "a rounded header": Case(moved(np.diag([2, 2, 2]), (10.0005, 0, 0))),
    "flipped": Case(FLIPPED, SHAPE, "mask-reoriented", "note", "stored LAS, its volume RAS"),
    "permuted": Case(PERMUTED, (6, 5, 7), "mask-reoriented", "note", "stored ARS, its volume RAS"),
    "header lost": Case(
        np.eye(4),
        SHAPE,
        "mask-header-lost",
        "error",
        # At the far corner (4, 5, 6): 14, 5 and 6 mm; the root of 257 is 16.03.
        "header lost: up to 16.03 mm (7 voxels) from its volume CT.nii"
        "; 0 % of its field of view is in the volume's",
    ),
    "translated": Case(
        moved(np.diag([2, 2, 2]), (10, 3, 0)),
        SHAPE,
        "mask-translated",
        "error",
        "translated: up to 3 mm (1.5 voxels) from its volume CT.nii"
        "; 75 % of its field of view is in the volume's",
    ),
    "resampled to as many voxels": Case(
        moved(np.diag([2, 2, 2.5])),
        SHAPE,
        "mask-resampled",
        "error",
        "resampled: up to 3 mm (1.5 voxels) from its volume CT.nii"
        "; 80 % of its field of view is in the volume's",
    ),
    "rounded": Case(
        moved(np.diag([2, 2, 2]), (10.015, 0, 0)),
        SHAPE,
        "mask-rounded",
        "note",
        "rounding: up to 0.015 mm (0.0075 voxels) from its volume CT.nii",
    ),
    "a part": Case(
        moved(np.diag([2, 2, 2]), (12, 0, 4)),
        (4, 4, 5),
        "mask-cropped",
        "note",
        "4 x 4 x 5 of the 5 x 6 x 7 voxels of its volume CT.nii, from its voxel 1, 0, 2 on",
    ),
    "a part without a header": Case(
        np.diag([2.0, 2, 2, 1]),
        (4, 4, 5),
        "mask-apart",
        "error",
        "apart: 4 x 4 x 5 voxels, other than its volume CT.nii; 0 % of its field of view is in "
        "the volume's; its header is that of an array saved without one",
    ),
    "axes exchanged": Case(
        VOLUME,
        (7, 6, 5),
        "mask-axes-exchanged",
        "error",
        "axes exchanged: 7 x 6 x 5 voxels, other than its volume CT.nii; 72 % of its field of view "
        "is in the volume's; it is 5 x 6 x 7 with axes=(2, 1, 0)",
    ),
    "of another converter": Case(
        moved(np.diag([2, 2, 2.01])),
        SHAPE,
        "mask-header-inexact",
        "error",
        "resampled: up to 0.06 mm (0.03 voxels) from its volume CT.nii"
        "; 100 % of its field of view is in the volume's",
    ),
    "resampled to other voxels": Case(
        moved(np.diag([1, 2, 2])),
        (10, 6, 7),
        "mask-resampled",
        "error",
        "resampled: 10 x 6 x 7 voxels, other than its volume CT.nii"
        "; 95 % of its field of view is in the volume's",
    ),
    "apart": Case(
        moved(np.diag([2, 2, 2]), (500, 0, 0)),
        (4, 4, 4),
        "mask-apart",
        "error",
        "apart: 4 x 4 x 4 voxels, other than its volume CT.nii"
        "; 0 % of its field of view is in the volume's",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("voxels", [True, False], ids=["voxels", "headers only"])
def test_a_mask_is_held_against_its_volume(case: Case, voxels: bool, tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    write_nifti(tmp_path / "CT" / "lung.nii", labels(case.shape), case.affine)
    found = [f for f in nk.check(nk.scan(tmp_path), voxels=voxels) if f.code != "label-specks"]
    expected = [(case.code, case.severity, "CT/lung.nii", case.message)] if case.code else []
    assert [(f.code, f.severity, f.path, f.message) for f in found] == expected


def test_annotations_alone_are_held_against_nothing(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_mask.nii", labels(), np.eye(4))
    dataset = nk.scan(tmp_path)
    assert "mask-header-lost" not in nk.check(dataset).by_code()


def test_an_alignment_that_lands_is_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    (item,) = nk.scan(tmp_path).items
    assert item.volume is not None
    assert list(misaligned(Alignment("same", 0, 0, None), item.volume, "MR.nii")) == []


def patch(path: Path, **fields: tuple[int, Any]) -> Path:
    """Write float32 or int16 numbers at their place in the header."""
    content = bytearray(path.read_bytes())
    for offset, value in fields.values():
        packed = np.array(value).tobytes()
        content[offset : offset + len(packed)] = packed
    path.write_bytes(bytes(content))
    return path


def found_in_volume(tmp_path: Path) -> list[tuple[str, str, str]]:
    found = nk.check(nk.scan(tmp_path))
    assert all(finding.path == "CT.nii" for finding in found)
    return [(finding.code, finding.severity, finding.message) for finding in found]


def test_a_plain_header_is_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", sform=1, qform=1)
    assert found_in_volume(tmp_path) == []


UNUSABLE = {
    "no finite number": (280, np.float32(np.nan), "the affine has a value that is not finite"),
    "an axis of length 0": (280, np.zeros(1, "f4"), "the affine has an axis of length 0"),
    "flat": (
        280,
        np.array([2, 2, 0, 0, 0, 0, 0, 0], "f4"),
        "the axes of the affine lie in one plane",
    ),
}


@pytest.mark.parametrize(("offset", "value", "message"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_a_grid_that_cannot_be_used_is_an_error(
    offset: int, value: Any, message: str, tmp_path: Path
) -> None:
    path = write_nifti(tmp_path / "CT.nii", affine=np.diag([2.0, 2, 2, 1]))
    patch(path, number=(offset, value))
    assert found_in_volume(tmp_path) == [("grid-unusable", "error", message)]


def test_a_mask_with_such_a_grid_is_named_once(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    path = write_nifti(tmp_path / "CT" / "lung.nii", labels())
    patch(path, number=(280, np.zeros(1, "f4")))
    found = nk.check(nk.scan(tmp_path), voxels=False)
    assert [(f.code, f.path) for f in found] == [("grid-unusable", "CT/lung.nii")]


@pytest.mark.parametrize(
    ("degrees", "findings"),
    [
        (
            5.0,
            [("grid-sheared", "error", "its axes deviate from right angles by up to 5.00 degrees")],
        ),
        (0.05, []),
    ],
)
def test_a_sheared_grid_is_an_error(
    degrees: float, findings: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    turned = np.radians(degrees)
    affine = moved([[2, 2 * np.sin(turned), 0], [0, 2 * np.cos(turned), 0], [0, 0, 2]])
    write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    patch(tmp_path / "CT.nii", sform=(280, affine[:3].astype("f4")))
    assert found_in_volume(tmp_path) == findings


@pytest.mark.parametrize(
    ("shift", "findings"),
    [
        (
            1.5,
            [("affine-forms-disagree", "warning", "sform and qform place a corner 1.50 mm apart")],
        ),
        (0.05, []),
    ],
)
def test_forms_that_disagree_are_a_warning(
    shift: float, findings: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    path = write_nifti(tmp_path / "CT.nii", affine=VOLUME, sform=1, qform=1)
    patch(path, qoffset_x=(268, np.float32(10 + shift)))
    assert found_in_volume(tmp_path) == findings


def test_a_file_without_any_form_is_a_warning(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    patch(path, codes=(252, np.zeros(2, "i2")))
    message = (
        "neither sform nor qform is set: voxel size only; nibabel places a corner 14.32 mm "
        "elsewhere; ITK places a corner 25.61 mm elsewhere"
    )
    assert found_in_volume(tmp_path) == [("affine-missing", "warning", message)]


# What other readers make of it. The numbers are those of nibabel 5.4 and SimpleITK 2.4 on the
# same files; the far corner of SHAPE is at (4, 5, 6) times the voxel size.

FORM = {"sform_code": 1, "srow_x": AFFINE[0], "srow_y": AFFINE[1], "srow_z": AFFINE[2]}
"""The fields of an sform whose voxel size is the pixdim of handmade headers."""

QFORM = {"qform_code": 1, "qoffset_x": -9.0, "qoffset_y": 4.25, "qoffset_z": 7.125}
"""A qform 1.5 mm from that sform."""


def pixdim(*sizes: float) -> dict[str, Any]:
    return {"pixdim": [1, *sizes, 1, 1, 1, 1]}


def item_of(tmp_path: Path, **fields: Any) -> Item:
    """Return the item of a volume with these header fields."""
    write_raw(tmp_path / "CT.nii", **fields)
    (item,) = nk.scan(tmp_path).items
    return item


def by_rules(item: Item) -> list[tuple[str, str]]:
    rules = (grids, voxel_sizes, reader_places)
    return [(found.code, found.message) for rule in rules for found in rule(item)]


FORMS_APART = "sform and qform place a corner 1.50 mm apart"
ODD = "pixdim says {}, but the sform 2 x 3 x 5 mm, which are used"
BY_ITK = "; ITK places a corner {} mm elsewhere (it takes the voxel size from pixdim)"

READ: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "code 1 beside a qform": (FORM | QFORM, [("affine-forms-disagree", FORMS_APART)]),
    "code 2 beside a qform": (
        FORM | QFORM | {"sform_code": 2},
        [("affine-forms-disagree", f"{FORMS_APART}; ITK takes the qform")],
    ),
    "code 4 beside a qform alike": (FORM | QFORM | {"sform_code": 4, "qoffset_x": -10.5}, []),
    "code 4 without a qform": (FORM | {"sform_code": 4}, []),
    "unknown code beside a qform": (
        FORM | QFORM | {"sform_code": 6},
        [("affine-forms-disagree", f"{FORMS_APART}; nibabel and ITK take the qform")],
    ),
    "unknown code alone": (
        FORM | {"sform_code": 6},
        [
            (
                "readers-disagree",
                "nibabel places a corner 28.95 mm elsewhere (it does not know sform_code 6)",
            )
        ],
    ),
    "negative code beside a qform": (FORM | QFORM | {"sform_code": -1}, []),
    "unknown qform_code": (
        QFORM | {"qform_code": 7},
        [
            (
                "readers-disagree",
                "nibabel places a corner 28.22 mm elsewhere (it does not know qform_code 7)",
            )
        ],
    ),
    "metres": (
        FORM | pixdim(2, 3, 5) | {"xyzt_units": 1},
        [
            (
                "readers-disagree",
                "nibabel places a corner 43,074 mm elsewhere (it does not read the unit, 1000 mm)",
            )
        ],
    ),
    "another pixdim": (
        FORM | pixdim(1, 1, 1),
        [("voxel-size-odd", ODD.format("1 x 1 x 1 mm") + BY_ITK.format("26.31"))],
    ),
    "no pixdim": (
        FORM | pixdim(0, 3, 5),
        [("voxel-size-odd", ODD.format("0 x 3 x 5 mm") + BY_ITK.format("4"))],
    ),
    "NaN": (
        FORM | pixdim(2, math.nan, 5),
        [("voxel-size-odd", ODD.format("2 x nan x 5 mm") + BY_ITK.format("10"))],
    ),
    "endless": (
        FORM | pixdim(2, 3, math.inf),
        [("voxel-size-odd", ODD.format("2 x 3 x inf mm") + BY_ITK.format("24"))],
    ),
    "negative": (
        FORM | pixdim(-2, 3, 5),
        [("voxel-size-odd", ODD.format("-2 x 3 x 5 mm") + BY_ITK.format("16"))],
    ),
    "negative with a qform": (
        QFORM | pixdim(-2, 3, 5),
        [
            (
                "voxel-size-odd",
                "pixdim says -2 x 3 x 5 mm: without the sign 2 x 3 x 5 mm, which are used"
                + BY_ITK.format("16"),
            )
        ],
    ),
    "a little off, yet far at the end": (
        FORM | pixdim(2, 3, 5.04),
        [("readers-disagree", BY_ITK.format("0.24").removeprefix("; "))],
    ),
    "off by the rounding of decimals": (FORM | pixdim(2, 3, 5.01), []),
}


@pytest.mark.parametrize(("fields", "expected"), READ.values(), ids=list(READ))
def test_what_readers_make_of_a_header_is_said_once(
    fields: dict[str, Any], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert by_rules(item_of(tmp_path, **fields)) == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("code", "unit"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (10, 1), (5, 1)])
def test_the_unit_is_read_in_either_version_and_byte_order(
    code: int, unit: float, version: int, order: str, tmp_path: Path
) -> None:
    path = write_raw(tmp_path / "CT.nii", version=version, order=order, xyzt_units=code, **FORM)
    assert read_header(path).unit_mm == unit


@pytest.mark.parametrize("sform_code", range(-1, 8))
@pytest.mark.parametrize("qform_code", range(-1, 8))
def test_nibabel_is_read_as_it_reads(sform_code: int, qform_code: int, tmp_path: Path) -> None:
    codes = {"sform_code": sform_code, "qform_code": qform_code, "xyzt_units": 1}
    path = write_raw(tmp_path / "CT.nii", **(FORM | QFORM | codes))
    by_nibabel, _ = readings(read_header(path))
    np.testing.assert_allclose(by_nibabel.affine, nib.load(path).affine, atol=1e-5)


@pytest.mark.parametrize("voxel", [0, -2.0])
def test_pixdim_without_forms_is_read_by_nibabel_too(voxel: float, tmp_path: Path) -> None:
    path = write_raw(tmp_path / "CT.nii", **pixdim(voxel, 3, 5))
    by_nibabel, _ = readings(read_header(path))
    np.testing.assert_allclose(by_nibabel.affine, nib.load(path).affine, atol=1e-5)


def test_itk_reads_no_nifti_2(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "CT.nii", version=2, **FORM)
    assert [reading.reader for reading in readings(read_header(path))] == ["nibabel"]


@pytest.mark.parametrize(
    ("codes", "form"),
    [
        *(((0, 0), "pixdim"), ((0, 1), "qform"), ((-1, 3), "qform"), ((1, 0), "sform")),
        *(((4, 0), "sform"), ((7, -1), "sform"), ((1, 1), "sform"), ((1, 4), "sform")),
        *(((2, 1), "qform"), ((3, 1), "qform"), ((4, 2), "qform"), ((5, 1), "qform")),
    ],
)
def test_itk_goes_by_the_form_that_was_measured(
    codes: tuple[int, int], form: str, tmp_path: Path
) -> None:
    fields = FORM | QFORM | {"sform_code": codes[0], "qform_code": codes[1]}
    assert readings(read_header(write_raw(tmp_path / "CT.nii", **fields)))[1].form == form


@pytest.mark.parametrize(("degrees", "form"), [(0.005, "sform"), (0.007, "qform")])
def test_itk_takes_no_sheared_sform(degrees: float, form: str, tmp_path: Path) -> None:
    turned = np.radians(degrees)
    rows = AFFINE.copy()
    rows[:2, 1] = 3 * np.sin(turned), 3 * np.cos(turned)
    fields = FORM | QFORM | {"srow_x": rows[0], "srow_y": rows[1]}
    assert readings(read_header(write_raw(tmp_path / "CT.nii", **fields)))[1].form == form


@pytest.mark.parametrize(
    ("share", "text"),
    [
        *((0, "0 %"), (1e-5, "under 1 %"), (0.0149, "1 %"), (0.83, "83 %")),
        *((0.9999, "over 99 %"), (1, "100 %")),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, text: str) -> None:
    assert share_text(share) == text


def test_fields_that_meet_between_the_points_are_said_to(tmp_path: Path) -> None:
    alignment = Alignment("resampled", np.inf, np.inf, None, 0.0)
    volume = item_of(tmp_path, **FORM).volume
    assert volume is not None
    (found,) = misaligned(alignment, volume, "MR.nii")
    assert found.message == (
        "resampled: 5 x 6 x 7 voxels, other than its volume MR.nii; "
        "under 1 % of its field of view is in the volume's"
    )


def test_a_part_in_another_order_is_told_in_both_ways(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    part = moved(np.diag([-2, 2, 2]), (16, 0, 0))
    write_nifti(tmp_path / "CT" / "lung.nii", labels((4, 6, 7)), part)
    found = nk.check(nk.scan(tmp_path), voxels=False)
    assert [(f.code, f.severity) for f in found] == [
        ("mask-cropped", "note"),
        ("mask-reoriented", "note"),
    ]


PAIRED = {
    # mm from the volume's sform to its qform, on which the mask lies; code, end of the message
    "less than half a voxel": (
        0.9,
        "mask-other-form",
        "by its qform, which places a corner 0.9 mm (0.45 voxels) from its sform",
    ),
    "more": (
        3.0,
        "mask-translated",
        "; by the volume's qform it lies on its voxels",
    ),
}


@pytest.mark.parametrize(("mm", "code", "end"), PAIRED.values(), ids=list(PAIRED))
def test_a_mask_on_its_volumes_other_form_lands_or_is_told_so(
    mm: float, code: str, end: str, tmp_path: Path
) -> None:
    write_raw(tmp_path / "CT.nii", **FORM, **(QFORM | {"qoffset_x": AFFINE[0, 3] + mm}))
    affine = AFFINE + mm * np.eye(4, k=3) * [[1], [0], [0], [0]]
    write_nifti(tmp_path / "CT" / "lung.nii", labels(), affine)
    found = nk.check(nk.scan(tmp_path), voxels=False).by_code()
    assert found[code][0].message.endswith(end)
    blocked = nk.plan(nk.scan(tmp_path)).blockers
    assert bool(blocked) is (code == "mask-translated")
    if blocked:
        assert "nk.repairs.use_form(dataset, 'CT.nii', 'qform')" in blocked[0].remedy
        assert "nk.repairs.take_header" in blocked[0].remedy


@pytest.mark.parametrize("sign", [1, -1], ids=["right-handed", "left-handed"])
def test_a_lost_header_says_that_slices_may_be_reversed_where_they_may(
    sign: int, tmp_path: Path
) -> None:
    write_nifti(tmp_path / "CT.nii", affine=moved(np.diag([2 * sign, 2, 2])))
    write_nifti(tmp_path / "CT" / "lung.nii", labels(), np.eye(4))
    (found,) = nk.check(nk.scan(tmp_path), voxels=False)
    assert found.code == "mask-header-lost"
    assert ("slices reversed" in found.message) is (sign < 0)
    assert ("order='LAI'" in found.remedy) is (sign < 0)
    assert "nk.plots.planned" in found.remedy


ADVISED = {
    "axes exchanged": (VOLUME, SHAPE[::-1], "reorder_axes"),
    "header lost": (np.eye(4), SHAPE, "take_header"),
    "translated": (moved(np.diag([2, 2, 2]), (10, 3, 0)), SHAPE, "take_header"),
    "resampled, near": (moved(np.diag([2, 2, 2.01])), SHAPE, "take_header"),
}


@pytest.mark.parametrize(("affine", "shape", "repair"), ADVISED.values(), ids=list(ADVISED))
def test_what_a_finding_advises_lands(
    affine: np.ndarray, shape: tuple[int, int, int], repair: str, tmp_path: Path
) -> None:
    write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    array = labels() if shape == SHAPE else labels().T
    write_nifti(tmp_path / "CT" / "lung.nii", array, affine)
    dataset = nk.scan(tmp_path)
    (error,) = nk.check(dataset).errors
    assert f"nk.repairs.{repair}(dataset, " in error.remedy
    mended = getattr(nk.repairs, repair)(dataset, error)
    assert not nk.plan(mended.dataset).blockers
    (item,) = mended.dataset.items
    assert item.volume is not None
    assert item.masks[0].image.aligned_to(item.volume).verdict == "same"
    assert [c.after.voxels for c in mended.labels if c.after] == [5, 5]


def test_a_mask_elsewhere_in_another_order_has_two_readings_and_each_remedy_ends_as_it_says(
    tmp_path: Path,
) -> None:
    """LPS taken for RAS: only the signs of the header are wrong, or the voxels run backwards."""
    wrong = np.diag([-1.0, -1.0, 1.0, 1.0]) @ AFFINE
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", labels(values=(1,)), wrong)
    dataset = nk.scan(tmp_path)
    (error,) = nk.check(dataset, voxels=False).errors
    assert error.code == "mask-mirrored"
    assert error.message.startswith("mirrored: up to ")
    assert "signs of x and y changed" in error.message
    assert "it says LPS, its volume's RAS" in error.message
    assert "order='stored'" in error.remedy
    turned = nk.repairs.take_header(dataset, error).dataset.items[0].masks[0]
    stored = nk.repairs.take_header(dataset, error, order="stored").dataset.items[0].masks[0]
    assert np.array_equal(read_labels(stored.image).voxels, labels(values=(1,)))
    assert np.array_equal(read_labels(turned.image).voxels, labels(values=(1,))[::-1, ::-1])
