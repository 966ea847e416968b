#!/usr/bin/env bash
# medvol: "canonical RAS+ orientation by default" is RAS+ only for some files, and other for each
# backend.
#
# Seen with medvol 0.0.22 (nibabel 5.4.2, pynrrd 1.1.3, SimpleITK 2.5.7). Python 3.11 or newer.
#
# One would expect: MedVol(path) turns every image to RAS+, as its README says ("Canonical RAS+
# orientation by default"), like nibabel's as_closest_canonical; the backend is a matter of speed.
# What happens: it inverts the reordering that is needed, which is the same thing only where
# exchanging and reversing of axes do not mix. With the NIfTI default (nibabel) a usual sagittal
# acquisition, PSR, comes out as IRP+ (its axes are neither in this order nor in that direction), and
# SPL as LAI+. With backend="simpleitk", whose arrays begin as z, y, x, even the everyday LPS and LAS
# come out as LAI+, and SPL, of all, as RAS+. The affine goes along, so world positions stay right and
# nothing fails.
# Seen, one array of 3 x 4 x 5 voxels stored in each order, read back:
#   stored  nibabel          simpleitk
#   RAS     RAS+ (3, 4, 5)   RAS+ (3, 4, 5)
#   LPS     RAS+ (3, 4, 5)   LAI+ (3, 4, 5)
#   LAS     RAS+ (3, 4, 5)   LAI+ (3, 4, 5)
#   PSR     IRP+ (5, 3, 4)   RPI+ (3, 4, 5)
#   SPL     LAI+ (3, 4, 5)   RAS+ (3, 4, 5)
# Why it matters: code that trusts the promise and takes array[..., k] for an axial slice from below,
# or compares two arrays voxel by voxel, is mirrored or turned for sagittal scans alone, or as soon
# as someone names the other backend. A network trained on one reader sees other images with the
# other. Masks that medvol saved have another order of voxels than the volume beside them.
# What to do: look at `coordinate_system` after reading and refuse what is not "RAS+"; or read with
# canonicalize=False and turn with nibabel.as_closest_canonical. Compare in world space, never by
# index.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet medvol==0.0.22 nibabel==5.4.2 pynrrd==1.1.3 SimpleITK==2.5.7
cd "$work"
venv/bin/python - <<'PY'
import nibabel as nib
import numpy as np
from medvol import MedVol

ras = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
affine = np.diag([2.0, 3.0, 4.0, 1.0])
expected = {
    "RAS": ("RAS+", "RAS+"),
    "LPS": ("RAS+", "LAI+"),
    "LAS": ("RAS+", "LAI+"),
    "PSR": ("IRP+", "RPI+"),
    "SPL": ("LAI+", "RAS+"),
}
print("stored  nibabel          simpleitk")
for order, meant in expected.items():
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(order)
    )
    stored = nib.Nifti1Image(
        nib.apply_orientation(ras, turn), affine @ nib.orientations.inv_ornt_aff(turn, ras.shape)
    )
    assert "".join(nib.aff2axcodes(stored.affine)) == order
    nib.save(stored, "image.nii")
    # What "canonical" gives elsewhere: the array that we began with.
    assert np.array_equal(nib.as_closest_canonical(nib.load("image.nii")).dataobj, ras)
    found, shown = [], []
    for backend in ("nibabel", "simpleitk"):
        image = MedVol("image.nii", backend=backend)  # canonicalize=True is the default
        found.append(image.coordinate_system)
        # Its affine goes along: each value is where it was.
        index = np.argwhere(image.array == 59)[0]
        assert np.allclose(nib.affines.apply_affine(image.affine, index), [4, 9, 16])
        assert np.array_equal(image.array, ras) == (image.coordinate_system == "RAS+")
        shown.append(f"{image.coordinate_system} {image.array.shape}")
    print(f"{order:8}" + "   ".join(shown))
    assert tuple(found) == meant, (order, found)
PY
