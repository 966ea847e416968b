"""Make every folder of ``data_samples`` from a few small real images.

Usage, from any folder::

    python make_samples.py --source path/to/real/images --out path/to/data_samples

The images keep their real voxels. They are cropped, averaged along the slice axis, stored in
other axis orders and, for one sample, given a rotated header: always by whole voxels, never by
interpolation, so that a voxel's world position (RAS+, mm) is known exactly. Two runs give the
same bytes. ``README.md`` beside this script tells what each folder shows.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent

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

NORMAL_AXIS = {"sag": 0, "cor": 1, "axl": 2}
"""Axis of an RAS+ array that a plane's slices are stacked along."""

GZIP_LEVEL = 9
"""Smallest files: they are committed and read often, but written rarely."""
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Earliest date a zip can hold; a fixed one keeps the archive's bytes the same."""
ZIP_MODE = 0o644 << 16
"""Unix permissions of a zip entry: readable by all, not executable."""

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


@dataclass(frozen=True)
class Picture:
    """Voxels and the affine that takes a voxel index to RAS+ millimetres."""

    data: NDArray[Any]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """An image and its label map on one grid, both stored RAS+."""

    image: Picture
    labels: Picture


@dataclass(frozen=True)
class Acquisition:
    """How one plane of a study is stored: its axes on disk and its slices' thickness."""

    plane: str
    axes: str
    thickness: int
    """Number of slices of 3 mm in one slice; odd, so that the middle one is its centre."""
    codes: Codes = ALIGNED


# --- reading -------------------------------------------------------------------------------


def read_picture(path: Path) -> Picture:
    """Read a NIfTI file with its sform affine and its values as stored."""
    image = nib.Nifti1Image.from_filename(path)
    return Picture(np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64))


def read_ct(source: Path) -> Study:
    """Read the CT as int16 (Hounsfield units fit easily) and its label map as uint8."""
    image = read_picture(source / "ct_61_labels" / "axl_anatomic.nii.gz")
    labels = read_picture(source / "ct_61_labels" / "axl_inference.nii.gz")
    image = replace(image, data=image.data.astype(np.int16))
    return Study(image, replace(labels, data=labels.data.astype(np.uint8)))


# --- changing a picture exactly ------------------------------------------------------------


def crop(picture: Picture, box: Box) -> Picture:
    """Cut a box out; the affine's origin moves to the first voxel kept."""
    data = picture.data[tuple(slice(first, last) for first, last in box)]
    affine = picture.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [first for first, _ in box]
    return Picture(data, affine)


def thicken(picture: Picture, axis: int, count: int, *, labels: bool) -> Picture:
    """Join ``count`` slices along ``axis`` into one, whose centre is the middle slice's.

    An image takes the slices' mean, a label map the middle slice, so that no new value arises.
    """
    if count % 2 == 0:
        raise ValueError(f"{count} slices have no middle one; use an odd number")
    whole = picture.data.shape[axis] // count * count
    slices = np.moveaxis(picture.data, axis, 0)[:whole]
    groups = slices.reshape(whole // count, count, *slices.shape[1:])
    joined = groups[:, count // 2] if labels else np.rint(groups.mean(axis=1))
    affine = picture.affine.copy()
    affine[:3, 3] += affine[:3, axis] * ((count - 1) / 2)
    affine[:3, axis] *= count
    return Picture(np.moveaxis(joined, 0, axis).astype(picture.data.dtype), affine)


def reorient(picture: Picture, axes: str) -> Picture:
    """Store the same lattice in another axis order, such as ``LSP``; no voxel is changed."""
    now = nib.io_orientation(picture.affine)
    turn = nib.orientations.ornt_transform(now, nib.orientations.axcodes2ornt(axes))
    data = nib.apply_orientation(picture.data, turn)
    affine = picture.affine @ nib.orientations.inv_ornt_aff(turn, picture.data.shape)
    return Picture(data, affine + 0.0)  # + 0.0 turns -0.0 into 0.0


def tilt(picture: Picture) -> Picture:
    """Give the picture an oblique affine with a fractional origin; the voxels stay."""
    affine = np.eye(4)
    turn = rotation(OBLIQUE_AXIS, math.radians(OBLIQUE_DEGREES))
    affine[:3, :3] = turn @ picture.affine[:3, :3]
    affine[:3, 3] = OBLIQUE_ORIGIN
    return replace(picture, affine=affine)


def rotation(axis: Sequence[float], angle: float) -> NDArray[np.float64]:
    """Rotation matrix about ``axis`` by ``angle`` radians (Rodrigues' formula)."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: NDArray[np.float64] = math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return np.eye(3) + turn


def acquire(picture: Picture, how: Acquisition, *, labels: bool) -> Picture:
    """Reformat an RAS+ picture as one plane's acquisition with its slice axis last on disk."""
    thick = thicken(picture, NORMAL_AXIS[how.plane], how.thickness, labels=labels)
    return reorient(thick, how.axes)


# --- label maps ----------------------------------------------------------------------------


def relabel(picture: Picture, groups: Mapping[int, Iterable[int]]) -> Picture:
    """Give every value of a group the group's number; all other values become background."""
    table = np.zeros(256, dtype=np.uint8)
    for number, values in groups.items():
        table[list(values)] = number
    return replace(picture, data=table[picture.data])


def objects(picture: Picture, values: Sequence[int]) -> Picture:
    """Make a mask whose objects 1, 2, ... are ``values`` in their order."""
    return relabel(picture, {number: (value,) for number, value in enumerate(values, start=1)})


def present(picture: Picture, values: Sequence[int]) -> list[int]:
    """Keep those ``values`` that have voxels, so that objects are numbered without gaps."""
    return [value for value in values if np.any(picture.data == value)]


def choose(groups: Mapping[int, tuple[int, ...]], keep: Iterable[int]) -> dict[int, Sequence[int]]:
    """Keep some groups of a label map, under their own numbers."""
    return {number: groups[number] for number in keep}


def box_mean(data: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the 3 x 3 x 3 voxels around each voxel, the border repeated."""
    mean = data.astype(np.float64)
    for axis in range(data.ndim):
        wide = np.pad(mean, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        parts = [np.take(wide, range(s, s + data.shape[axis]), axis) for s in range(3)]
        mean = (parts[0] + parts[1] + parts[2]) / 3
    return mean


def grow(seed: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grow ``seed`` through face neighbours as far as ``inside`` allows."""
    region = seed & inside
    while True:
        wide = np.pad(region, 1)
        near = wide.copy()
        for axis in range(3):
            near |= np.roll(wide, 1, axis) | np.roll(wide, -1, axis)
        grown = near[1:-1, 1:-1, 1:-1] & inside
        if np.array_equal(grown, region):
            return region
        region = grown


def head_labels(picture: Picture) -> Picture:
    """Label a head by two plain thresholds: a demonstration, not an anatomical truth.

    Head is the region above ``HEAD_LEVEL`` that is connected with the largest bright part.
    """
    smooth = box_mean(picture.data)
    bright = np.percentile(smooth, 98)
    seed = smooth >= np.percentile(smooth, 95)
    core = grow(largest_seed(seed), smooth > HEAD_LEVEL * bright)
    data = np.where(core, HEAD, 0).astype(np.uint8)
    data[core & (smooth > BRIGHT_LEVEL * np.median(smooth[core]))] = BRIGHT_TISSUE
    return replace(picture, data=data)


def largest_seed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Largest connected region of ``mask``."""
    left, largest = mask.copy(), np.zeros_like(mask)
    while left.any():
        seed = np.zeros_like(mask)
        seed[tuple(np.argwhere(left)[0])] = True
        region = grow(seed, left)
        left &= ~region
        if region.sum() > largest.sum():
            largest = region
    return largest


# --- writing -------------------------------------------------------------------------------


def nifti_bytes(picture: Picture, codes: Codes) -> bytes:
    """Encode a single-file NIfTI-1 image in millimetres with the given form codes."""
    image = nib.Nifti1Image(np.asfortranarray(picture.data), None)
    image.header.set_data_dtype(picture.data.dtype)
    image.header.set_xyzt_units("mm")
    sform_code, qform_code = codes
    image.set_qform(picture.affine, code=qform_code)  # also sets the voxel size in pixdim
    image.set_sform(picture.affine if sform_code else None, code=sform_code)
    return image.to_bytes()


def write_nifti(path: Path, picture: Picture, codes: Codes) -> None:
    """Write ``.nii`` or ``.nii.gz``; gzip without a time or name, so that bytes repeat."""
    content = nifti_bytes(picture, codes)
    if path.suffix == ".gz":
        packed = io.BytesIO()
        with gzip.GzipFile("", "wb", GZIP_LEVEL, packed, mtime=0) as stream:
            stream.write(content)
        content = packed.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with the same line ends on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def write_mapping(path: Path, volumes: Mapping[str, int]) -> None:
    """Write ``mapping.json``: annotation file to volume id."""
    write_text(path, json.dumps(volumes, indent=4) + "\n")


def write_zip(folder: Path, archive: Path) -> None:
    """Pack a folder's files, sorted and with fixed dates, under the folder's own name."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder.parent).as_posix()
                entry = zipfile.ZipInfo(name, ZIP_DATE)
                entry.create_system = 3  # Unix, whatever the system this runs on
                entry.external_attr = ZIP_MODE
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, path.read_bytes(), compresslevel=GZIP_LEVEL)


def write_pair(
    folder: Path,
    study: Study,
    how: Acquisition,
    names: tuple[str, str],
) -> Picture:
    """Write one plane's volume and label map; return the label map as stored."""
    labels = acquire(study.labels, how, labels=True)
    write_nifti(folder / names[0], acquire(study.image, how, labels=False), how.codes)
    write_nifti(folder / names[1], labels, how.codes)
    return labels


# --- scores --------------------------------------------------------------------------------


def slice_axis(picture: Picture, plane: str) -> int:
    """Axis of the file that runs nearest to the plane's normal."""
    return int(np.argmax(nib.io_orientation(picture.affine)[:, 0] == NORMAL_AXIS[plane]))


def score_table(labels: Picture, plane: str) -> str:
    """Invent a score table: a higher score on layers where more of a label is seen.

    Layers count from 1 along the file's slice axis. A cell is blank where the label has no
    voxels on that layer, and now and then elsewhere; a layer without any score has no row.
    """
    axis = slice_axis(labels, plane)
    others = tuple(a for a in range(3) if a != axis)
    columns = [score_column((labels.data == v).sum(axis=others)) for v in SCORED_VALUES]
    rows = ["Layer, " + ", ".join(f"Label-{value}" for value in SCORED_VALUES)]
    for layer, cells in enumerate(zip(*columns, strict=True), start=1):
        if any(cells):
            rows.append(", ".join([str(layer), *cells]).rstrip())
    return "\n".join(rows) + "\n"


def score_column(areas: NDArray[np.int64]) -> list[str]:
    """Turn a label's voxels per layer into scores of one or two decimals, some blank."""
    cells, scored = [], 0
    for area in areas:
        scored += int(area > 0)
        blank = area == 0 or scored % BLANK_EVERY == 0
        score = LOWEST_SCORE + SCORE_SPAN * math.sqrt(area / areas.max())
        cells.append("" if blank else str(round(score, 2)))
    return cells


# --- the sample folders --------------------------------------------------------------------


def make_by_volume(out: Path, source: Path, ct: Study) -> None:
    """Layout "grouped by volume name": an oblique CT, an LPS MR and a volume without masks."""
    chest = Study(tilt(crop(ct.image, CHEST)), tilt(crop(ct.labels, CHEST)))
    write_nifti(out / "CTChest.nii.gz", chest.image, SCANNER)
    for name, values in CHEST_OBJECTS.items():
        mask = objects(chest.labels, present(chest.labels, values))
        write_nifti(out / "CTChest" / f"{name}.nii.gz", mask, SCANNER)

    mr = source / "mr_lps"
    write_nifti(out / "Abdomen.nii.gz", read_picture(mr / "example_mr_sm.nii.gz"), ALIGNED)
    organs = read_picture(mr / "example_mr_sm" / "organs.nii.gz")
    for name, values in ABDOMEN_OBJECTS.items():
        ending = ".nii" if name == "liver" else ".nii.gz"  # one file without compression
        write_nifti(out / "Abdomen" / f"{name}{ending}", objects(organs, values), ALIGNED)

    cord = read_picture(source / "cord_las_thick" / "t2s.nii.gz")
    write_nifti(out / "Cord.nii.gz", cord, SCANNER)


TRUNK_PLANES = (
    Acquisition("axl", "LPS", 3),
    Acquisition("cor", "LSP", 3),
    Acquisition("sag", "PSL", 3),
)


def make_by_plane_semantic(out: Path, ct: Study) -> None:
    """Layout "grouped by plane", semantic: one label map a plane, a value is a class."""
    labels = relabel(crop(ct.labels, TRUNK), TRUNK_CLASSES)
    study = Study(crop(ct.image, TRUNK), labels)
    write_text(out / "cls_color_map.txt", TRUNK_MAP)
    for how in TRUNK_PLANES:
        names = (f"{how.plane}_anatomic.nii.gz", f"{how.plane}_inference.nii.gz")
        write_pair(out, study, how, names)


def make_by_plane_instance(out: Path, ct: Study) -> None:
    """Layout "grouped by plane", instance: one file a class, a value is an object."""
    planes = {
        Acquisition("axl", "RAS", 3): (".nii", (1, 2)),
        Acquisition("cor", "LSP", 3): (".nii.gz", (1, 2, 3)),
        Acquisition("sag", "PSR", 3): (".nii.gz", (1,)),
    }
    classes = {1: LUNG_LOBES, 2: VERTEBRAE, 3: RIBS}
    image, labels = crop(ct.image, CHEST_PLANES), crop(ct.labels, CHEST_PLANES)
    write_text(out / "cls_color_map.txt", INSTANCE_MAP)
    for how, (ending, indexes) in planes.items():
        volume = acquire(image, how, labels=False)
        write_nifti(out / f"{how.plane}_anatomic{ending}", volume, how.codes)
        for index in indexes:
            values = present(labels, classes[index])
            mask = acquire(objects(labels, values), how, labels=True)
            write_nifti(out / f"{how.plane}_inference_{index}{ending}", mask, how.codes)


def make_multi_item(out: Path, source: Path, ct: Study) -> None:
    """Several items in folders at different depths, one colour map for all at the root."""
    write_text(out / "cls_color_map.txt", MULTI_MAP)
    make_pelvis(out / "item_1", ct)
    make_head(out / "study_b" / "visit_2" / "item_2", source / "three_planes")
    make_spine(out / "study_c", ct)


def make_pelvis(out: Path, ct: Study) -> None:
    """Pelvis from the CT, under the same file names as the head."""
    groups = choose(MULTI_CLASSES, PELVIS_VALUES)
    study = Study(crop(ct.image, PELVIS), relabel(crop(ct.labels, PELVIS), groups))
    for plane, axes in (("axl", "LAS"), ("cor", "LSP"), ("sag", "PIR")):
        names = (f"{plane}_anatomic.nii.gz", f"{plane}_inference.nii.gz")
        write_pair(out, study, Acquisition(plane, axes, 3), names)


def make_head(out: Path, source: Path) -> None:
    """Head MR in its real scanner orders; one label map is stored as float32."""
    for plane in NORMAL_AXIS:
        image = read_picture(source / f"{plane}_anatomic.nii.gz")
        labels = head_labels(image)
        if plane == "cor":
            labels = replace(labels, data=labels.data.astype(np.float32))
        write_nifti(out / f"{plane}_anatomic.nii.gz", image, SCANNER)
        write_nifti(out / f"{plane}_inference.nii.gz", labels, SCANNER)


def make_spine(out: Path, ct: Study) -> None:
    """Lumbar spine from the CT, its file names with a case; the sagittal has a qform only."""
    groups = choose(MULTI_CLASSES, SPINE_VALUES)
    study = Study(crop(ct.image, SPINE), relabel(crop(ct.labels, SPINE), groups))
    planes = (
        Acquisition("axl", "LPS", 3),
        Acquisition("cor", "LSP", 3),
        Acquisition("sag", "PSL", 3, QFORM_ONLY),
    )
    for how in planes:
        names = (f"P07_{how.plane}_anatomical.nii.gz", f"P07_{how.plane}_mask.nii.gz")
        write_pair(out, study, how, names)


SCORE_PLANES = (
    Acquisition("axl", "LAS", 3),
    Acquisition("cor", "LSP", 3),
    Acquisition("sag", "PSL", 5),
)


def make_scores(out: Path, ct: Study) -> None:
    """Three planes with a score table each; coronal and sagittal are stored back to front."""
    labels = relabel(crop(ct.labels, KIDNEYS), SCORE_CLASSES)
    study = Study(crop(ct.image, KIDNEYS), labels)
    for how in SCORE_PLANES:
        names = (f"{how.plane}_anatomic.nii.gz", f"{how.plane}_inference.nii.gz")
        stored = write_pair(out, study, how, names)
        write_text(out / f"{how.plane}_score.csv", score_table(stored, how.plane))


def reimport_mask(ct: Study, box: Box, how: Acquisition, index: int) -> Picture:
    """Mask of one class (by index) on the grid of a volume that is already on the platform."""
    labels = crop(ct.labels, box)
    mask = objects(labels, present(labels, REIMPORT_OBJECTS[index]))
    return acquire(mask, how, labels=True)


def make_annotations_dataset(out: Path, ct: Study) -> None:
    """Annotations alone for the volumes of ``by_plane_semantic``, matched by ``mapping.json``."""
    axl, cor, _ = TRUNK_PLANES
    mapping = {}
    for how, index, volume in ((axl, 1, 1), (axl, 2, 1), (cor, 1, 2), (cor, 3, 2)):
        mask = reimport_mask(ct, TRUNK, how, index)
        if (how, index) == (cor, 3):
            mask = reorient(mask, "RAS")  # same lattice, other axis order
        name = f"{how.plane}_inference_{index}.nii.gz"
        write_nifti(out / name, mask, how.codes)
        mapping[name] = volume
    write_text(out / "color_map.txt", REIMPORT_MAP)
    write_mapping(out / "mapping.json", mapping)


def make_annotations_project(out: Path, ct: Study) -> None:
    """Annotations alone for two datasets, with the same file names in both."""
    datasets = {
        "chest": (TRUNK, TRUNK_PLANES, {"axl": 1, "cor": 2}),
        "scores": (KIDNEYS, SCORE_PLANES, {"axl": 4, "cor": 5}),
    }
    mapping = {}
    for dataset, (box, (axl, cor, _), volumes) in datasets.items():
        for how, index in ((axl, 1), (axl, 2), (cor, 3)):
            name = f"{dataset}/{how.plane}_inference_{index}.nii.gz"
            write_nifti(out / name, reimport_mask(ct, box, how, index), how.codes)
            mapping[name] = volumes[how.plane]
    write_text(out / "cls_color_map.txt", REIMPORT_MAP)
    write_mapping(out / "mapping.json", mapping)


def make_all(source: Path, out: Path) -> None:
    """Make every sample folder and the archive."""
    ct = read_ct(source)
    make_by_volume(out / "by_volume", source, ct)
    make_by_plane_semantic(out / "by_plane_semantic", ct)
    make_by_plane_instance(out / "by_plane_instance", ct)
    make_multi_item(out / "multi_item", source, ct)
    make_scores(out / "scores", ct)
    make_annotations_dataset(out / "annotations_dataset", ct)
    make_annotations_project(out / "annotations_project", ct)
    write_zip(out / "by_plane_instance", out / "by_plane_instance.zip")


def main() -> None:
    """Read the command line and make the samples."""
    summary, _, _ = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(description=summary)
    default = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--source", type=Path, default=default, help="folder of the real images")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    options = parser.parse_args()
    make_all(options.source, options.out)


if __name__ == "__main__":
    main()
