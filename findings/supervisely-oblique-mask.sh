#!/usr/bin/env bash
# Supervisely's SDK: an oblique NIfTI mask is tilted the wrong way, its volume is not.
#
# Seen with supervisely 6.74.51 (SimpleITK 2.4.1). Python 3.11 or newer; the SDK needs the system
# libraries libxcb1, libgl1, libglib2.0-0 and libmagic1.
#
# One would expect: convert_3d_nifti_to_nrrd turns a NIfTI file into data and a NRRD header that says
# the same place in RAS+. From LPS to RAS, the first two components of each axis change their sign:
# the first two rows of the direction matrix, whose columns are the axes.
# What happens: the first two columns are negated, all three components of each. For a file along the
# axes this is the same, and all tests pass. For an oblique one it is the rotation the other way
# round: a mirror image of the tilt. Reading the NRRD with read_nrrd_serie_volume_np negates the
# columns once more, which cancels: so a volume (NIfTI, NRRD, then read again for its meta) ends up
# right, and a mask (converted once) does not.
# Seen: file turned by 20, -15 and 10 degrees, voxels of 2 mm, a block near the far corner of 60 x 60
# x 60 voxels (RAS+ mm):
#   truth                      [ 18.   116.59 183.61]
#   converted once (a mask)    [ 74.42 153.15 106.38], 102.4 mm off
#   converted twice (a volume) [ 18.   116.59 183.61], 0.0 mm off
#   the same without rotation, converted once: 0.0 mm off
# Why it matters: an importer that goes through this function shows masks beside the organ as soon as
# the patient, or the field of view, lay at an angle; with 5 degrees it looks like a bad segmentation.
# Checking that "NIfTI to NRRD and back gives the same" with the SDK itself finds nothing.
# What to do: write the NRRD header from nibabel's affine ("space directions" are its columns as
# rows, "space origin" its last column, space right-anterior-superior), and do not read it through
# the SDK again for its meta.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet supervisely==6.74.51 SimpleITK==2.4.1 nibabel==5.4.2 pynrrd==0.4.3
cd "$work"
venv/bin/python -W ignore - <<'PY'
import nibabel as nib
import nrrd
import numpy as np
import supervisely as sly
from supervisely.volume.volume import convert_3d_nifti_to_nrrd


def centre(inside, affine):
    return (affine @ [*np.argwhere(inside).mean(axis=0), 1])[:3]


def distances(turn):
    """How far the block is off (mm) after one and after two conversions of a file."""
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([2.0, 2.0, 2.0])
    affine[:3, 3] = -13.25, 7.625, 41.3125
    mask = np.zeros((60, 60, 60), np.uint8)
    mask[50:54, 48:56, 52:58] = 1
    nib.save(nib.Nifti1Image(mask, affine), "mask.nii")
    truth = centre(mask, affine)

    data, header = convert_3d_nifti_to_nrrd("mask.nii")
    assert header["space"] == "right-anterior-superior"
    once = np.eye(4)
    once[:3, :3] = np.array(header["space directions"]).T  # NRRD: one row an axis
    once[:3, 3] = header["space origin"]

    nrrd.write("mask.nrrd", data, header)
    again, meta = sly.volume.read_nrrd_serie_volume_np("mask.nrrd")
    assert meta["ACS"] == "RAS"
    twice = np.eye(4)
    twice[:3, :3] = np.reshape(meta["directions"], (3, 3)) * meta["spacing"]
    twice[:3, 3] = meta["origin"]
    places = centre(data, once), centre(again, twice)
    print("truth", truth.round(2), "once", places[0].round(2), "twice", places[1].round(2))
    return [float(np.linalg.norm(place - truth)) for place in places]


oblique = distances(nib.eulerangles.euler2mat(*np.deg2rad([20, -15, 10])))
straight = distances(np.eye(3))
print("oblique: off by", np.round(oblique, 1), "mm; straight:", np.round(straight, 1), "mm")
assert oblique[0] > 50 and oblique[1] < 1e-3
assert max(straight) < 1e-3
PY
