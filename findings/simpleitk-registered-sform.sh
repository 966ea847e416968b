#!/usr/bin/env bash
# SimpleITK: an aligned or template sform (codes 2 to 5) gives way to the qform; nibabel has it the
# other way round. One file, two places.
#
# Seen with SimpleITK 2.5.7 (2.4.1 the same) and nibabel 5.4.2. Python 3.11 or newer.
#
# One would expect: where sform_code is above 0 the sform counts ("method 3" of the NIfTI-1 header),
# as in nibabel, FSL and SPM. A file that was registered keeps its scanner position in the qform
# (code 1) and has the new place in the sform (code 2 "aligned", 3 "Talairach", 4 "MNI152", 5 "other
# template"): that is what the two forms are for.
# What happens: SimpleITK takes such an sform where the qform's code is 0. Otherwise, without a
# warning, it takes the qform: the place before registration. With sform_code 1 the same sform is
# taken. What it writes has its choice in both forms, with code 1, so that the registered place is
# gone for good.
# Seen, sform origin (10, 20, 30), qform origin (99, 20, 30), qform_code 1:
#   sform_code 1: SimpleITK [10. 20. 30.]  nibabel [10. 20. 30.]
#   sform_code 2: SimpleITK [99. 20. 30.]  nibabel [10. 20. 30.]
#   sform_code 3: SimpleITK [99. 20. 30.]  nibabel [10. 20. 30.]
#   sform_code 4: SimpleITK [99. 20. 30.]  nibabel [10. 20. 30.]
#   sform_code 5: SimpleITK [99. 20. 30.]  nibabel [10. 20. 30.]
#   sform_code 4, qform_code 0: SimpleITK [10. 20. 30.]  nibabel [10. 20. 30.]
#   sform_code 4, written again by SimpleITK: nibabel [99. 20. 30.] codes 1 1
# Why it matters: what reads files through ITK puts such a file elsewhere than what reads through
# nibabel (nilearn, for one). A mask drawn in the one and read in the other is off by the whole
# registration.
# What to do: make both forms one before a file changes hands:
# image.set_qform(image.get_sform(), code) in nibabel. Where a reader finds that they differ, it
# should say by how much and ask which one is meant.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet SimpleITK==2.5.7 nibabel==5.4.2
cd "$work"
venv/bin/python - <<'PY'
import nibabel as nib
import numpy as np
import SimpleITK


def places(sform_code, qform_code):
    """Where SimpleITK and nibabel have the first voxel (RAS+ mm)."""
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    for setter, code, origin in (
        (image.set_sform, sform_code, (10, 20, 30)),
        (image.set_qform, qform_code, (99, 20, 30)),
    ):
        affine = np.diag([2.0, 3.0, 4.0, 1.0])
        affine[:3, 3] = origin
        setter(affine, code)
    nib.save(image, "image.nii")
    itk = np.multiply(SimpleITK.ReadImage("image.nii").GetOrigin(), [-1, -1, 1])
    return itk.round(3), nib.load("image.nii").affine[:3, 3].round(3)


sform, qform = [10, 20, 30], [99, 20, 30]
for code in (1, 2, 3, 4, 5):
    itk, nibabel = places(code, 1)
    print(f"sform_code {code}: SimpleITK {itk}  nibabel {nibabel}")
    assert nibabel.tolist() == sform
    assert itk.tolist() == (sform if code == 1 else qform)
itk, nibabel = places(4, 0)
print(f"sform_code 4, qform_code 0: SimpleITK {itk}  nibabel {nibabel}")
assert itk.tolist() == nibabel.tolist() == sform

places(4, 1)
SimpleITK.WriteImage(SimpleITK.ReadImage("image.nii"), "again.nii")
again = nib.load("again.nii")
codes = int(again.header["sform_code"]), int(again.header["qform_code"])
print("sform_code 4, written again by SimpleITK: nibabel", again.affine[:3, 3], "codes", *codes)
assert again.affine[:3, 3].tolist() == qform and codes == (1, 1)
PY
