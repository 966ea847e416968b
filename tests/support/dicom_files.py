"""DICOM series written slice by slice with pydicom, for the tools that read nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

CT = "1.2.840.10008.5.1.4.1.1.2"
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""RAS+ to the patient's axes of DICOM (left, posterior, superior), and back."""


def write_series(
    folder: Path,
    array: np.ndarray,
    affine: np.ndarray,
    *,
    number: int = 1,
    tilt: float | None = None,
) -> list[Path]:
    """Write ``array[column, row, slice]``, whole numbers, as a CT series; return its files.

    The third column of the affine (voxel to RAS+, mm) may be sheared: each slice says where it
    begins, so that a tilted gantry is told the way a scanner tells it.
    """
    pydicom = pytest.importorskip("pydicom")
    uid = lambda *parts: pydicom.uid.generate_uid(entropy_srcs=[str(number), *parts])  # noqa: E731
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :2], axis=0)
    across, down = (lps[:3, :2] / spacing).T
    thickness = abs(lps[:3, 2] @ np.cross(across, down))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(array.shape[2]):
        head = pydicom.dataset.FileMetaDataset()
        head.MediaStorageSOPClassUID = CT
        head.MediaStorageSOPInstanceUID = uid("image", str(k))
        head.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        image = pydicom.dataset.Dataset()
        image.file_meta = head
        for keyword, value in _identity(uid, number).items():
            setattr(image, keyword, value)
        image.SOPInstanceUID = head.MediaStorageSOPInstanceUID
        image.InstanceNumber = k + 1
        image.ImageOrientationPatient = _decimals([*across, *down])
        image.ImagePositionPatient = _decimals((lps @ [0, 0, k, 1])[:3])
        image.PixelSpacing = _decimals(spacing[::-1])
        image.SliceThickness = image.SpacingBetweenSlices = _decimals([thickness])[0]
        if tilt is not None:
            image.GantryDetectorTilt = str(tilt)
        image.Columns, image.Rows = array.shape[:2]
        image.PixelData = np.ascontiguousarray(array[:, :, k].T, dtype="<i2").tobytes()
        paths.append(folder / f"{k:03d}.dcm")
        image.save_as(paths[-1], enforce_file_format=True)
    return paths


def _identity(uid: Any, number: int) -> dict[str, Any]:
    """Return what all slices of a series say alike."""
    return {
        "SOPClassUID": CT,
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid("series"),
        "FrameOfReferenceUID": uid("frame"),
        "PatientName": "Phantom^One",
        "PatientID": "1",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "PatientPosition": "HFS",
        "PositionReferenceIndicator": "",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "Manufacturer": "Phantoms",
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "StudyID": "1",
        "StudyDate": "20200101",
        "StudyTime": "120000",
        "SeriesDate": "20200101",
        "SeriesTime": "120000",
        "ContentDate": "20200101",
        "ContentTime": "120000",
        "SeriesNumber": number,
        "AcquisitionNumber": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "RescaleSlope": "1",
        "RescaleIntercept": "0",
        "RescaleType": "HU",
    }


def _decimals(numbers: Any) -> list[str]:
    """Return numbers as decimal strings, of at most 16 characters each."""
    return [f"{number:.12f}"[:16] for number in numbers]
