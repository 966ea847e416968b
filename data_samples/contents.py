"""What each sample holds: parts of the images, classes, names and colours.

Only tables; ``make_samples.py`` makes the folders of them.
"""

from __future__ import annotations

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First and last-plus-one voxel along R, A and S of an image stored RAS+."""

Codes = tuple[int, int]
"""NIfTI-1 ``sform_code`` and ``qform_code``."""

ALIGNED: Codes = (2, 0)
"""Aligned to another scan, sform only: how the TotalSegmentator images are written."""
SCANNER: Codes = (1, 1)
"""Scanner coordinates, sform and qform alike: how DICOM converters write."""
QFORM_ONLY: Codes = (0, 1)
"""Scanner coordinates by the quaternion alone: how some older tools write."""

# Parts of the CT, in voxels of 3 mm. They hold the body without the air and table around it.
TRUNK: Box = ((2, 119), (5, 92), (1, 112))
CHEST: Box = ((3, 115), (8, 92), (66, 112))
CHEST_PLANES: Box = ((4, 115), (10, 91), (64, 112))
PELVIS: Box = ((3, 117), (8, 74), (1, 58))
SPINE: Box = ((36, 84), (10, 64), (36, 111))
KIDNEYS: Box = ((5, 112), (12, 90), (64, 109))

# Values of the CT label map (task "total") that belong together.
KIDNEY_RIGHT, KIDNEY_LEFT = 2, 3
LUNG_LOBES = (10, 11, 14)
VERTEBRAE = (33, 32, 31, 30, 29, 28, 27, 26)
RIBS = (98, 99, 100, 101, 102, 103, 110, 111, 112, 113, 114, 115)

CHEST_OBJECTS: dict[str, tuple[int, ...]] = {
    "aorta": (52,),
    "autochthon": (87, 86),
    "gallbladder": (4,),
    "kidney": (KIDNEY_RIGHT, KIDNEY_LEFT),
    "liver": (5,),
    "lung": LUNG_LOBES,
    "pancreas": (7,),
    "rib": RIBS,
    "spinal_cord": (79,),
    "spleen": (1,),
    "stomach": (6,),
    "vertebrae": VERTEBRAE,
}
"""Class (file name) to CT values; their order gives the objects 1, 2, ... in the file."""

ABDOMEN_OBJECTS: dict[str, tuple[int, ...]] = {
    "aorta": (23,),
    "autochthon": (47, 46),
    "gallbladder": (4,),
    "inferior_vena_cava": (24,),
    "kidney": (2, 3),
    "liver": (5,),
    "pancreas": (7,),
    "spinal_cord": (21,),
    "spleen": (1,),
    "stomach": (6,),
    "vertebrae": (19,),
}
"""The same for the MR label map, whose numbers (task "total_mr") are not the CT's."""

TRUNK_CLASSES: dict[int, tuple[int, ...]] = {
    1: (5,),
    2: (1,),
    3: (KIDNEY_RIGHT, KIDNEY_LEFT),
    4: (6,),
    5: (20,),
    6: (18, 19),
    7: (21,),
    8: (52, 65, 66),
    9: (27, 28, 29, 30, 31, 32, 33),
    10: (25, 26),
    11: (77, 78),
    12: LUNG_LOBES,
    117: (117,),
}
"""Value in ``by_plane_semantic`` to CT values; 117 keeps its number, far from the others."""

TRUNK_MAP = """\
1 Liver 176 88 56
2 Spleen 148 64 148
3 Kidneys 230 150 30
4 Stomach 240 128 160
5 Colon 60 140 220
6 Small bowel 60 200 200
7 Urinary bladder 250 230 70
8 Aorta and iliac arteries 225 40 40
9 Vertebrae 240 225 180
10 Sacrum 190 170 110
11 Hip bones 120 190 110
12 Lungs 150 200 250
13 Heart 200 20 90
117 Costal cartilage 175 175 175
"""

INSTANCE_MAP = """\
1 Lung lobe 150 200 250
2 Vertebra 240 225 180
3 Rib 120 190 110
"""

MULTI_CLASSES: dict[int, tuple[int, ...]] = {
    1: (77, 78),
    2: (75, 76),
    3: (25, 26),
    4: (21,),
    5: (80, 81, 82, 83, 84, 85),
    6: (22,),
    7: (27, 28, 29, 30, 31),
    8: (32, 33),
    9: (79,),
    10: (88, 89),
    11: (52,),
}
PELVIS_VALUES = (1, 2, 3, 4, 5, 6)
SPINE_VALUES = (3, 7, 8, 9, 10, 11)
HEAD, BRIGHT_TISSUE = 21, 22

MULTI_MAP = """\
1 Hip bones 120 190 110
2 Femurs 90 160 230
3 Sacrum 190 170 110
4 Urinary bladder 250 230 70
5 Gluteal muscles 200 90 80
6 Prostate 230 130 200
7 Lumbar vertebrae 240 225 180
8 Thoracic vertebrae 250 180 90
9 Spinal cord 90 220 220
10 Iliopsoas muscles 170 70 120
11 Aorta 225 40 40
21 Head 100 170 100
22 Bright tissue 250 210 60
"""

SCORE_CLASSES: dict[int, tuple[int, ...]] = {
    1: (5,),
    2: (KIDNEY_RIGHT, KIDNEY_LEFT),
    3: (1,),
    4: (27, 28, 29, 30, 31, 32, 33),
}
SCORED_VALUES = (2, 4)
"""The columns ``Label-2`` and ``Label-4`` of the specification's example."""
BLANK_EVERY = 5
"""Every fifth score is left blank, as a reader who could not judge a slice would."""
LOWEST_SCORE, SCORE_SPAN = 0.4, 0.58
"""Invented scores rise from 0.4 on the smallest section of a label to 0.98 on its largest."""

REIMPORT_OBJECTS: dict[int, tuple[int, ...]] = {
    1: (KIDNEY_RIGHT, KIDNEY_LEFT),
    2: (33, 32, 31, 30, 29, 28, 27),
    3: RIBS,
}
REIMPORT_MAP = """\
1 Kidney 230 150 30
2 Vertebra 240 225 180
3 Rib 120 190 110
"""

HEAD_LEVEL = 1 / 3
"""Head: above this share of the bright level (98th percentile of the smoothed image)."""
BRIGHT_LEVEL = 1.2
"""Bright tissue: above this many times the head's median."""

OBLIQUE_DEGREES = 11.0
"""About the tilt of a gantry or of a head rest: enough to move a corner by tens of mm."""
OBLIQUE_AXIS = (0.8, 0.5, 0.33)
"""Tilted against all three axes, so that no axis of the image stays parallel to the world's."""
OBLIQUE_ORIGIN = (-183.4271, -131.8064, -57.9137)
"""World position of voxel 0, 0, 0 in mm: no whole number, so that rounding shows."""
