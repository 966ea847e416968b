#!/usr/bin/env bash
# dcm2niix: the distance of all slices is that of the first two positions, digits and all.
#
# Seen with dcm2niix 1.0.20260724, beside SimpleITK 2.5.7 and dicom2nifti 2.6.2 on the same series.
# Python 3.11 or newer.
#
# One would expect: a thin-slice CT whose positions are written with two decimals, as many scanners
# do, has slices of 0.625 mm: the header says so twice (SliceThickness, SpacingBetweenSlices), and so
# does the way from the first to the last slice. A converter averages over the stack, or takes the
# tags.
# What happens: positions are -70.31, -69.69, -69.06, ...: the first two are 0.62 apart, and that
# becomes the voxel size of the whole file. No warning. SimpleITK and dicom2nifti divide the way from
# first to last by the number of steps.
# Seen, 240 slices, the last one at 79.06 mm in DICOM (79.065 before rounding):
#   dcm2niix    step 0.6200 mm, last slice at 77.87 mm, -1.19 mm
#   SimpleITK   step 0.6250 mm, last slice at 79.06 mm, +0.00 mm
#   dicom2nifti step 0.6250 mm, last slice at 79.06 mm, +0.00 mm
# Why it matters: a mask that was drawn on the one conversion and a volume of the other have the same
# shape and nearly the same header; they part by two slices at the far end. Volumes in ml are off by
# 0.8 %. Which way depends on how the first two happen to round, so one patient is right and the next
# is not.
# What to do: convert volume and masks with the same tool; where both are there, and shapes agree and
# steps differ by under one percent, lay them on each other voxel by voxel and not by their headers.
# Or set pixdim[3] and the sform from the first and the last position.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dcm2niix==1.0.20260724 dicom2nifti==2.6.2 SimpleITK==2.5.7 pydicom==3.0.2 nibabel==5.4.2
cd "$work"
venv/bin/python - <<'PY'
import subprocess
from pathlib import Path

import dcm2niix
import dicom2nifti
import nibabel as nib
import numpy as np
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

COUNT, STEP, FIRST = 240, 0.625, -70.31
study, series, frame = generate_uid(), generate_uid(), generate_uid()
Path("dicom").mkdir()
for k in range(COUNT):
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
    image.ImagePositionPatient = ["-5", "-5", f"{FIRST + STEP * k:.2f}"]
    image.PixelSpacing = ["1", "1"]
    image.SliceThickness = image.SpacingBetweenSlices = "0.625"
    image.Columns = image.Rows = 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleSlope, image.RescaleIntercept = "1", "0"
    image.PixelData = np.full((8, 8), k, np.int16).tobytes()
    image.save_as(f"dicom/{k:03d}.dcm", enforce_file_format=True)
last = float(image.ImagePositionPatient[2])

said = subprocess.run(
    [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "ct", "-o", ".", "dicom"],
    check=True, capture_output=True, text=True,
).stdout
print(said)
dicom2nifti.dicom_series_to_nifti("dicom", "other.nii", reorient_nifti=False)
reader = SimpleITK.ImageSeriesReader()
reader.SetFileNames(reader.GetGDCMSeriesFileNames("dicom"))
itk = reader.Execute()
found = {"SimpleITK": (itk.GetSpacing()[2], itk.GetOrigin()[2])}
for name, path in (("dcm2niix", "ct.nii"), ("dicom2nifti", "other.nii")):
    affine = nib.load(path).affine
    found[name] = affine[2, 2], affine[2, 3]
off = {}
for name, (step, first) in found.items():
    end = first + step * (COUNT - 1)
    off[name] = end - last
    print(f"{name:12}step {step:.4f} mm, last slice at {end:.2f} mm, {off[name]:+.2f} mm")
assert "distance" not in said.lower() and "spacing" not in said.lower()  # no word of it
assert abs(found["dcm2niix"][0] - 0.62) < 1e-4 and abs(off["dcm2niix"] + 1.19) < 0.02
assert abs(off["SimpleITK"]) < 0.01 and abs(off["dicom2nifti"]) < 0.01
PY
