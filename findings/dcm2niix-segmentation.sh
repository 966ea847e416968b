#!/usr/bin/env bash
# dcm2niix: a DICOM Segmentation is converted by frame, not by position: organs are moved or stacked.
#
# Seen with dcm2niix 1.0.20260724 on files of highdicom 0.28.2; dcmqi 1.5.7 beside it.
# Python 3.11 or newer.
#
# One would expect: a DICOM SEG leaves out the frames without a segment (the standard allows it, and
# highdicom does it by default), and each frame says its segment and its position. A converter either
# puts frames where they belong, or refuses.
# What happens, each without an error and with exit code 0:
#   1. a label map SEG without anything on one slice in the middle: the gap is closed up, and what
#      lies on one side of it is a slice off;
#   2. a binary SEG of three organs (3, 3 and 1 frames): the frames are stacked one above the other as
#      the 7 slices of one volume, all with the value 1. ("Support for images that allocate 1 bits
#      is experimental" is said; nothing of segments.)
# Seen: a scan of 9 slices of 2.5 mm, no organ on slice 4; world centres (R, A, S, mm):
#   truth                                   1: [6.5, 16.5, 46.31] 2: [2.5, 10.0, 56.31] 3: [0.0, 17.0, 58.81]
#   LABELMAP  dcm2niix  (12, 14, 6) [1, 2, 3] 1: [6.5, 16.5, 48.81] 2 and 3 as the truth
#   LABELMAP  dcmqi     (12, 14, 7) [1, 2, 3] all as the truth
#   BINARY    dcm2niix  (12, 14, 7) [1]       1: [4.47, 13.93, 55.15]
#   BINARY    dcmqi     (12, 14, 7) [1, 2, 3] all as the truth
# Why it matters: the file opens everywhere, has an sform and nearly the right shape. A set with a
# gap of one slice is off by a slice on one side of it; a set of organs is a single tower of slices
# whose place means nothing.
# What to do: read DICOM SEG with what knows it: dcmqi (segimage2itkimage --mergeSegments), or
# highdicom (segread, get_volume(combine_segments=True), match_geometry).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dcm2niix==1.0.20260724 highdicom==0.28.2 dcmqi==1.5.7 pydicom==3.0.2 nibabel==5.4.2
cd "$work"
venv/bin/python - <<'PY'
import subprocess
import warnings
from pathlib import Path

import dcm2niix
import dcmqi
import highdicom
import nibabel as nib
import numpy as np
from highdicom import seg
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

warnings.simplefilter("ignore")
shape, STEP = (12, 14, 9), 2.5
truth = np.diag([-1.0, -1.0, STEP, 1.0])  # voxel (column, row, slice) to RAS+ mm
truth[:3, 3] = 10, 20, 41.3125
labels = np.zeros(shape, np.uint8)
labels[2:6, 3:5, 1:4] = 1  # slices 1 to 3; none on slice 4
labels[7:9, 9:12, 5:8] = 2
labels[10, 2:5, 7] = 3

study, series, frame = generate_uid(), generate_uid(), generate_uid()
images = []
for k in range(shape[2]):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.PatientName, image.PatientID, image.PatientPosition = "Phantom^One", "1", "HFS"
    image.PatientBirthDate, image.PatientSex, image.StudyDate, image.StudyTime = "", "O", "20200101", "12"
    image.AccessionNumber = image.StudyID = image.ReferringPhysicianName = ""
    image.PositionReferenceIndicator, image.Modality, image.InstanceNumber = "", "CT", k + 1
    image.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    image.ImagePositionPatient = ["-10", "-20", str(41.3125 + STEP * k)]
    image.PixelSpacing, image.SliceThickness = ["1", "1"], str(STEP)
    image.Columns, image.Rows = shape[:2]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.PixelData = bytes(2 * shape[0] * shape[1])
    images.append(image)


def write(kind, pixels):
    described = [
        seg.SegmentDescription(n, f"organ {n}", codes.SCT.Organ, codes.SCT.Liver, "MANUAL")
        for n in (1, 2, 3)
    ]
    made = seg.Segmentation(
        images, pixels, kind, described, highdicom.UID(), 9, highdicom.UID(), 1,
        "Phantoms", "none", "1", "1",
    )
    Path(kind).mkdir()
    made.save_as(f"{kind}/seg.dcm")


def centre(inside, affine):
    return (affine @ [*np.argwhere(inside).mean(axis=0), 1])[:3].round(2)


write("LABELMAP", labels.transpose())  # frame, row, column
write("BINARY", np.stack([labels.transpose() == n for n in (1, 2, 3)], axis=-1).astype(np.uint8))
read = {}
for kind in ("LABELMAP", "BINARY"):
    for tool in ("dcm2niix", "dcmqi"):
        out = Path(tool, kind)
        out.mkdir(parents=True)
        program = Path(dcmqi.__file__).parent / "bin" / "segimage2itkimage"
        command = {
            "dcm2niix": [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "seg", "-o", out, kind],
            "dcmqi": [program, "--inputDICOM", f"{kind}/seg.dcm", "--outputDirectory", out,
                      "-t", "nii", "--mergeSegments"],
        }[tool]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        (path,) = out.glob("*.nii*")
        image = nib.load(path)
        data = np.asarray(image.dataobj)
        values = [int(v) for v in np.unique(data) if v]
        read[kind, tool] = data, {v: centre(data == v, image.affine) for v in values}
        print(f"{kind:9} {tool:9} {data.shape} values {values}", *(
            f"{v}: {c.tolist()}" for v, c in read[kind, tool][1].items()))
meant = {n: centre(labels == n, truth) for n in (1, 2, 3)}
print("truth", *(f"{v}: {c.tolist()}" for v, c in meant.items()))
for kind in ("LABELMAP", "BINARY"):
    assert all(np.abs(read[kind, "dcmqi"][1][n] - meant[n]).max() < 0.01 for n in (1, 2, 3))
data, places = read["LABELMAP", "dcm2niix"]
# Everything on one side of the gap is a slice off.
assert data.shape == (12, 14, 6)
assert max(abs(places[n][2] - meant[n][2]) for n in (1, 2, 3)) == STEP
data, places = read["BINARY", "dcm2niix"]
# 3 + 3 + 1 frames, one above the other, one value.
assert list(places) == [1] and data.shape == (12, 14, 7)
PY
