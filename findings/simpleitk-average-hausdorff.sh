#!/usr/bin/env bash
# SimpleITK: the average Hausdorff distance of two masks is averaged over their insides: the same
# displacement of the surface counts a quarter as much for an organ four times as wide.
#
# Seen with SimpleITK 2.5.7 (2.4.1 the same), beside MedPy 0.5.2. Python 3.11 or newer.
#
# One would expect: HausdorffDistanceImageFilter.GetAverageHausdorffDistance() is the mean distance
# between the surfaces, as the average symmetric surface distance of papers and of MedPy: a cube that
# is moved by two voxels is as far off whether it is small or large.
# What happens: each mask is a set of all its voxels, those inside included. A voxel that both masks
# have is 0 away, so the mean falls as the organs grow.
# Seen (voxels; moved by two):
#   side 10: average Hausdorff 0.3000, MedPy's assd 0.6885
#   side 20: average Hausdorff 0.1500, MedPy's assd 0.6716
#   side 40: average Hausdorff 0.0750, MedPy's assd 0.6678
# Why it matters: two tables of "average Hausdorff" of one pair of masks differ ninefold with the
# program, and within one table large organs look better than small ones.
# What to do: say which definition a number has. Distances of surfaces with SimpleITK: LabelContour of
# either mask (padded by a voxel, or a mask at the image's edge has none there), SignedMaurerDistanceMap,
# and the values of one at the voxels of the other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet SimpleITK==2.5.7 MedPy==0.5.2
cd "$work"
venv/bin/python -W ignore - <<'PY'
import numpy as np
import SimpleITK as sitk
from medpy.metric.binary import assd

seen = {}
for side in (10, 20, 40):
    mask = np.zeros((64, 64, 64), np.uint8)
    mask[10 : 10 + side, 10 : 10 + side, 10 : 10 + side] = 1
    moved = np.roll(mask, 2, axis=0)
    both = sitk.HausdorffDistanceImageFilter()
    both.Execute(sitk.GetImageFromArray(mask), sitk.GetImageFromArray(moved))
    seen[side] = both.GetAverageHausdorffDistance(), float(assd(mask, moved))
    print("side {}: average Hausdorff {:.4f}, MedPy's assd {:.4f}".format(side, *seen[side]))
    assert both.GetHausdorffDistance() == 2
inside, surface = zip(*seen.values())
assert np.allclose(inside, [3 / side for side in seen])
assert max(surface) < 1.05 * min(surface)
PY
