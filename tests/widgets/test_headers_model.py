"""Header panel: which affine counts, in words and numbers, and how masks lie on their volume."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.formats.nifti import read_header
from nifti_kit.widgets.inspect.tables import HeaderPanel, alignment_rows, header_fields
from tests.support.builders import AFFINE, labels, write_nifti, write_planes


def fields(path):
    return dict(header_fields(read_header(path)))


MATRIX = (
    "    2.0000      0.0000      0.0000    -10.5000\n"
    "    0.0000      3.0000      0.0000      4.2500\n"
    "    0.0000      0.0000      5.0000      7.1250"
)


def test_every_field_of_a_plain_file_is_told(tmp_path):
    assert fields(write_nifti(tmp_path / "V.nii.gz", sform=1, qform=3)) == {
        "File": "V.nii.gz",
        "Format": "NIfTI-1, gzip, int16",
        "Shape": "5 x 6 x 7 voxels",
        "Voxel size": "2 x 3 x 5 mm",
        "Unit in the header": "millimetres",
        "Axes": "RAS: i to right, j to anterior, k to superior",
        "Affine that counts": "sform",
        "Affine": MATRIX,
        "sform": f"code 1 (scanner)\n{MATRIX}",
        "qform": f"code 3 (Talairach)\n{MATRIX}",
        "sform and qform": "at most 0 mm apart",
        "Values": "as stored",
    }


@pytest.mark.parametrize(
    ("sform", "qform", "counts"),
    [(4, 1, "sform"), (0, 5, "qform"), (0, 0, "voxel size alone")],
)
def test_the_form_that_counts_is_that_of_the_standard(sform, qform, counts, tmp_path):
    found = fields(write_nifti(tmp_path / "V.nii", sform=sform, qform=qform))
    assert found["Affine that counts"] == counts
    assert found["sform"].splitlines()[0] == f"code {sform} ({'MNI 152' if sform else 'not set'})"
    assert ("\n" in found["qform"]) == bool(qform)


def test_one_form_alone_is_compared_with_nothing(tmp_path):
    found = fields(write_nifti(tmp_path / "V.nii", sform=2, qform=0))
    assert found["sform and qform"] == "only one of them, or none, is set"


def test_forms_that_disagree_are_measured(tmp_path):
    image = nib.Nifti1Image(np.zeros((5, 6, 7), np.int16), AFFINE)
    image.set_sform(AFFINE, code=1)
    moved = AFFINE.copy()
    moved[0, 3] += 12.5
    image.set_qform(moved, code=1)
    nib.save(image, tmp_path / "V.nii")
    assert fields(tmp_path / "V.nii")["sform and qform"] == "at most 12.5 mm apart"


def test_a_code_that_the_standard_does_not_have_is_unknown(tmp_path):
    path = write_nifti(tmp_path / "V.nii", sform=2)
    content = bytearray(path.read_bytes())
    content[254:256] = (9).to_bytes(2, "little")
    path.write_bytes(bytes(content))
    assert fields(path)["sform"].splitlines()[0] == "code 9 (unknown)"


def test_metres_scaling_and_shear_are_told(tmp_path):
    affine = AFFINE.copy()
    affine[0, 1] = 0.5
    path = write_nifti(tmp_path / "V.nii", affine=affine, slope=2.0, intercept=-5.0)
    content = bytearray(path.read_bytes())
    content[123] = 3  # xyzt_units: micron
    path.write_bytes(bytes(content))
    found = fields(path)
    assert found["Unit in the header"] == "microns"
    assert found["Values"] == "stored x 2 + -5"
    assert found["Axes"].endswith("; sheared by 9.5°")


def test_an_affine_that_places_nothing_is_a_problem(tmp_path):
    path = write_nifti(tmp_path / "V.nii", sform=2)
    content = bytearray(path.read_bytes())
    content[312:328] = bytes(16)  # srow_z
    path.write_bytes(bytes(content))
    found = fields(path)
    assert found["Axes"] == "unusable"
    assert found["Problem"] == "the affine has an axis of length 0"


def test_each_mask_has_its_verdict_and_displacement(tmp_path):
    write_nifti(tmp_path / "V.nii")
    moved = AFFINE.copy()
    moved[2, 3] += 2.5
    write_nifti(tmp_path / "V" / "a_same.nii", labels())
    write_nifti(tmp_path / "V" / "b_moved.nii", labels(), moved)
    write_nifti(tmp_path / "V" / "c_other.nii", labels((4, 4, 4)))
    rows = alignment_rows(nk.scan(tmp_path).items[0])
    assert [list(row.cells.values())[:5] for row in rows] == [
        ["V/a_same.nii", "same", 0.0, 0.0, "100%"],
        ["V/b_moved.nii", "translated", 2.5, 0.5, "92%"],
        ["V/c_other.nii", "cropped", 0.0, 0.0, "100%"],
    ]
    assert [row.tone for row in rows] == ["good", "error", "good"]
    assert rows[1].cells["meaning"] == "the same axes, at another place"


def test_the_panel_begins_with_the_volume_and_shows_other_files(tmp_path):
    items = nk.scan(write_planes(tmp_path)).items
    panel = HeaderPanel(items[0])
    assert panel.files == ["axl_anatomic.nii.gz", "axl_inference.nii.gz"]
    assert panel.file == "axl_anatomic.nii.gz"
    panel.file = "axl_inference.nii.gz"
    assert dict(panel.fields)["Format"] == "NIfTI-1, gzip, uint8"
    panel.show(items[1])
    assert panel.file == "cor_anatomic.nii.gz"
    assert [row.key for row in panel.alignments.rows] == ["cor_inference.nii.gz"]
    assert panel.to_frame().iloc[0].to_list() == ["File", "cor_anatomic.nii.gz"]
    assert panel.alignments.to_frame()["verdict"].to_list() == ["same"]


def test_the_panel_of_no_item_is_empty():
    panel = HeaderPanel()
    assert (panel.files, panel.fields, panel.alignments.rows) == ([], [], ())
    assert len(panel.to_frame()) == len(panel.alignments.to_frame()) == 0


def test_masks_without_a_volume_have_no_verdict(tmp_path):
    write_nifti(tmp_path / "axl_inference_1.nii.gz", labels())
    item = nk.scan(tmp_path).items[0]
    assert alignment_rows(item) == ()
    assert HeaderPanel(item).file == "axl_inference_1.nii.gz"
