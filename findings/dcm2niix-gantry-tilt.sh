#!/usr/bin/env bash
# dcm2niix: a CT with a tilted gantry becomes two files, and the one that keeps the pixels says that
# it is upright.
#
# Seen with dcm2niix 1.0.20260724 (PyPI: dcm2niix), read with nibabel 5.4.2. Python 3.11 or newer.
#
# One would expect: the slices of a tilted CT lie straight above each other only along the tilted
# axis, and an sform can say so: it may be sheared. The file that holds the pixels as scanned would
# carry that shear, and any reader would find each voxel where the scanner says.
# What happens: `head.nii` (pixels as scanned) has a header of perpendicular axes, sform and qform
# alike. Nothing in it or in head.json tells of the tilt, which dcm2niix knows and prints. The further
# from the first slice, the further off: 18.8 mm at slice 14 of 16 here, tilt 15 degrees, slices of
# 5 mm. `head_Tilt_1.nii` beside it is resampled, and right to a fraction of a voxel; it is
# interpolated, so that a series of two values (0 and 1000, say labels) has others in it as well.
# Seen:
#   Gantry Tilt based on 0018,1120 15, estimated from slice vector 15
#   head.nii        (64, 64, 16) sheared: False  off by [  0.   -18.76   0.  ] mm, values [0, 1000], codes 1 1
#   head_Tilt_1.nii (64, 85, 16) sheared: False  off by [ 0.    0.24 -0.  ] mm, values [0, 244, 756, 1000], codes 1 1
# Why it matters: whoever takes the first file because it has the scanner's matrix, or draws masks on
# it, has them centimetres away from those on the other file, from the DICOM, and from a PET or MR of
# the same person. A check for shear finds nothing.
# What to do: take `_Tilt_1` for images and delete its sibling; look for `GantryDetectorTilt`
# (0018,1120) or for positions that leave the slice normal before conversion; for labels, resample to
# the nearest neighbour yourself. A mask that was drawn on the first file can be had back by giving
# it the shear: y of slice k moves by k * distance * tan(tilt).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dcm2niix==1.0.20260724 pydicom==3.0.2 nibabel==5.4.2
cd "$work"
venv/bin/python - <<'PY'
import subprocess
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

TILT, STEP = 15, 5.0
shape = (64, 64, 16)  # column, row, slice; pixels of 1 mm
block = np.zeros(shape, np.int16)
block[10:16, 40:50, 14] = 1000
# Voxel to RAS+ mm: rows run to the left, columns to the back, and each slice is shifted to the front.
truth = np.diag([-1.0, -1.0, STEP, 1.0])
truth[:3, 3] = 40, 40, 0
truth[1, 2] = STEP * np.tan(np.deg2rad(TILT))

study, series, frame = generate_uid(), generate_uid(), generate_uid()
Path("dicom").mkdir()
for k in range(shape[2]):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.PatientName, image.PatientID, image.PatientPosition = "Phantom^One", "1", "HFS"
    image.Modality, image.Manufacturer, image.ImageType = "CT", "SIEMENS", ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SeriesNumber, image.AcquisitionNumber, image.InstanceNumber = 1, 1, k + 1
    image.SeriesDate, image.SeriesTime = "20200101", "120000"
    image.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    x, y, z = (truth @ [0, 0, k, 1])[:3]
    image.ImagePositionPatient = [f"{-x:.8f}", f"{-y:.8f}", f"{z:.8f}"]
    image.PixelSpacing, image.SliceThickness, image.GantryDetectorTilt = ["1", "1"], str(STEP), str(TILT)
    image.Columns, image.Rows = shape[:2]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleSlope, image.RescaleIntercept = "1", "0"
    image.PixelData = np.ascontiguousarray(block[:, :, k].T).tobytes()
    image.save_as(f"dicom/{k:02d}.dcm", enforce_file_format=True)

Path("out").mkdir()
said = subprocess.run(
    [dcm2niix.bin, "-z", "n", "-b", "y", "-f", "head", "-o", "out", "dicom"],
    check=True, capture_output=True, text=True,
).stdout
print(said)


def centre(inside, affine):
    return (affine @ [*np.argwhere(inside).mean(axis=0), 1])[:3]


meant = centre(block > 0, truth)
off, sheared = {}, {}
for path in sorted(Path("out").glob("*.nii")):
    image = nib.load(path)
    data = np.asarray(image.dataobj)
    axes = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    sheared[path.name] = not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4)
    off[path.name] = centre(data > 500, image.affine) - meant
    values = np.unique(data).tolist()
    print(f"{path.name:16}{image.shape} sheared: {sheared[path.name]}  off by {off[path.name].round(2)} mm,"
          f" values {values}, codes {int(image.header['sform_code'])} {int(image.header['qform_code'])}")
assert "gantry tilt of 15" in said  # it knows
assert "tilt" not in Path("out/head.json").read_text().lower()  # and does not say
raw, corrected = off["head.nii"], off["head_Tilt_1.nii"]
assert not any(sheared.values())
np.testing.assert_allclose(raw, [0, -14 * STEP * np.tan(np.deg2rad(TILT)), 0], atol=0.01)
assert np.abs(corrected).max() < 1
assert len(np.unique(nib.load("out/head_Tilt_1.nii").dataobj)) > 2
PY
