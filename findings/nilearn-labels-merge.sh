#!/usr/bin/env bash
# nilearn: new_img_like(..., copy_header=True) stores labels in the reference's type: neighbouring
# labels become one, without a warning.
#
# Seen with nilearn 0.14.1, nibabel 5.4.2. Python 3.11 or newer.
#
# One would expect: new_img_like(reference, labels) makes an image of the labels in the place of the
# reference; with copy_header=True it keeps units, form codes and the like. Whole numbers of the
# array's type, int32 here, come back as they went.
# What happens: the stored type is a part of the header that is copied. In memory all is well; on
# saving, nibabel squeezes the labels into the reference's uint8 (a brain mask, the usual reference)
# by a scale factor of 7.98, for FreeSurfer's numbers up to 2035: of nine labels three are left. With
# an int16 CT as the reference and labels as float32, 1 becomes 0.99977: nothing merges, but `== 1`
# finds nothing, and astype(int) makes 0 of it.
# Seen:
#   uint8 reference: labels [0, 2, 3, 4, 5, 10, 11, 12, 13, 2035] read back [0.0, 7.9804, 15.9608, 2035.0] slope 7.9804
#   int16 reference: labels [0, 1, 2, 3, 104] read back [0.0, 0.99977111, 1.99954223, 2.99931334, 103.99999998] slope 0.00158694
#   warnings: []
# Why it matters: organs are lost for good when the file is written, not when it is read; the picture
# looks right, and some labels are there. The same call without copy_header, or with a float
# reference, is right, so a pipeline works until somebody's mask is a uint8.
# What to do: image.set_data_dtype(labels.dtype) (and clear scl_slope) before saving, or
# copy_header=False. A reader should refuse label maps with a scale factor of 1 or more, and round
# those below it to the nearest whole number within half a step.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet nilearn==0.14.1 nibabel==5.4.2
cd "$work"
venv/bin/python - <<'PY'
import warnings

import nibabel as nib
import numpy as np
from nilearn.image import new_img_like


def saved(reference, values, dtype):
    """Labels, one voxel each, made like a reference: what is read back, and the scale factor."""
    labels = np.zeros(reference.shape, dtype)
    labels.ravel()[: len(values)] = values
    image = new_img_like(reference, labels, copy_header=True)
    assert np.array_equal(np.unique(image.get_fdata()), values)  # in memory all is well
    image.to_filename("labels.nii")
    read = nib.load("labels.nii")
    return np.unique(read.get_fdata()), float(read.dataobj.slope)


shape, affine = (8, 8, 8), np.diag([2.0, 2.0, 2.0, 1.0])
brain = nib.Nifti1Image(np.ones(shape, np.uint8), affine)
ct = nib.Nifti1Image(np.arange(512, dtype=np.int16).reshape(shape), affine)
freesurfer = [0, 2, 3, 4, 5, 10, 11, 12, 13, 2035]
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    merged, slope = saved(brain, freesurfer, np.int32)
    squeezed, small = saved(ct, [0, 1, 2, 3, 104], np.float32)
print("uint8 reference: labels", freesurfer, "read back", merged.round(4).tolist(), f"slope {slope:.4f}")
print("int16 reference: labels [0, 1, 2, 3, 104] read back", squeezed.round(8).tolist(), f"slope {small:.8f}")
print("warnings:", [str(w.message) for w in heard])
assert len(merged) < len(freesurfer) and 7.9 < slope < 8.1
assert 0 < abs(squeezed[1] - 1) < small and int(squeezed[1]) == 0
assert not heard
PY
