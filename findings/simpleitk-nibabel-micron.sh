#!/usr/bin/env bash
# SimpleITK and nibabel: a NIfTI file in micrometres has its voxels 1000 times apart in the one as in
# the other, and what SimpleITK writes is in millimetres.
#
# Seen with SimpleITK 2.5.7 and nibabel 5.4.2. Python 3.11 or newer.
#
# One would expect: the unit of space in the header (xyzt_units: metre 1, millimetre 2, micron 3)
# means the same to all readers: all convert, or none does and leaves it to the caller.
# What happens: SimpleITK multiplies voxel sizes and origin, so that all is in mm. nibabel leaves
# affine and zooms as stored (header.get_xyzt_units() tells the unit, get_zooms and affine do not
# heed it). A mask made with SimpleITK on such a volume is written in mm with unit 2: for nibabel
# volume and mask are then 1000 times apart, though each reader alone is at one with itself.
# Seen, voxels of 12 micrometres (micro-CT), first voxel at (1500, 2500, 3500) micrometres:
#   volume: nibabel zooms [12. 12. 12.] origin [1500. 2500. 3500.]  SimpleITK spacing [0.012 0.012 0.012] origin [1.5 2.5 3.5]
#   mask written by SimpleITK: nibabel zooms [0.012 0.012 0.012] origin [1.5 2.5 3.5], units mm
#   volume in metres (12 of them): SimpleITK spacing [12000. 12000. 12000.]
# Why it matters: micro-CT and light-sheet volumes come in micrometres. Overlays, distances and
# volumes (a factor of 1e9) are wrong where both readers meet: a mask from an ITK tool with a volume
# read by nibabel. A check of shapes finds nothing.
# What to do: with nibabel multiply the affine by 1000 or 0.001 according to get_xyzt_units(), and
# write mm; treat unit 0 (unknown) as mm, as both do. Compare grids only after that.
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

affine = np.diag([12.0, 12.0, 12.0, 1.0])
affine[:3, 3] = 1500, 2500, 3500


def write(unit, name):
    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units(unit)
    nib.save(image, name)
    return nib.load(name), SimpleITK.ReadImage(name)


def place(image):
    return np.array(image.GetSpacing()), np.multiply(image.GetOrigin(), [-1, -1, 1])


volume, itk = write("micron", "volume.nii")
spacing, origin = place(itk)
print("volume: nibabel zooms", np.array(volume.header.get_zooms()), "origin", volume.affine[:3, 3],
      " SimpleITK spacing", spacing.round(6), "origin", origin.round(6))
assert np.allclose(volume.affine, affine) and volume.header.get_xyzt_units()[0] == "micron"
assert np.allclose(spacing, 0.012) and np.allclose(origin, [1.5, 2.5, 3.5])

SimpleITK.WriteImage(itk > 30, "mask.nii")
mask = nib.load("mask.nii")
print("mask written by SimpleITK: nibabel zooms", np.array(mask.header.get_zooms()).round(6),
      "origin", mask.affine[:3, 3].round(6), "units", mask.header.get_xyzt_units()[0])
assert np.allclose(mask.affine[:3] * 1000, affine[:3], rtol=1e-5)
assert mask.header.get_xyzt_units()[0] == "mm"

_, metres = write("meter", "metre.nii")
print("volume in metres: SimpleITK spacing", place(metres)[0])
assert np.allclose(place(metres)[0], 12000)
for unit in ("mm", "unknown"):
    plain, read = write(unit, f"{unit}.nii")
    assert np.allclose(place(read)[0], 12) and np.allclose(plain.affine, affine)
PY
