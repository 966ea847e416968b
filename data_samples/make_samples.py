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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from contents import (
    ABDOMEN_OBJECTS,
    ALIGNED,
    BLANK_EVERY,
    CHEST,
    CHEST_OBJECTS,
    CHEST_PLANES,
    INSTANCE_MAP,
    KIDNEYS,
    LOWEST_SCORE,
    LUNG_LOBES,
    MULTI_CLASSES,
    MULTI_MAP,
    PELVIS,
    PELVIS_VALUES,
    QFORM_ONLY,
    REIMPORT_MAP,
    REIMPORT_OBJECTS,
    RIBS,
    SCANNER,
    SCORE_CLASSES,
    SCORE_SPAN,
    SCORED_VALUES,
    SPINE,
    SPINE_VALUES,
    TRUNK,
    TRUNK_CLASSES,
    TRUNK_MAP,
    VERTEBRAE,
    Box,
    Codes,
)
from pictures import (
    NORMAL_AXIS,
    Acquisition,
    Picture,
    Study,
    acquire,
    choose,
    crop,
    head_labels,
    objects,
    present,
    read_ct,
    read_picture,
    relabel,
    reorient,
    tilt,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent

GZIP_LEVEL = 9
"""Smallest files: they are committed and read often, but written rarely."""
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Earliest date a zip can hold; a fixed one keeps the archive's bytes the same."""
ZIP_MODE = 0o644 << 16
"""Unix permissions of a zip entry: readable by all, not executable."""


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
