"""For each code about files, space and sets: an input that has it, and a sound near neighbour."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti, write_planes
from tests.support.handmade import write_raw

Case = Callable[[Path], Findings]

FORM = {"sform_code": 1, "srow_x": AFFINE[0], "srow_y": AFFINE[1], "srow_z": AFFINE[2]}
"""The fields of an sform whose voxel size is the pixdim of handmade headers."""


def found(folder: Path) -> Findings:
    """Return what check() finds."""
    return nk.check(nk.scan(folder))


def named(*names: str) -> Case:
    """Return a case of volumes of these names, each with voxels of its own."""

    def case(folder: Path) -> Findings:
        for number, name in enumerate(names):
            write_nifti(folder / name, volume() + np.int16(number))
        return found(folder)

    return case


def beside(*names: str) -> Case:
    """Return a case of a volume and of files of other kinds."""

    def case(folder: Path) -> Findings:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"1 Femur")
        return named("CT.nii")(folder)

    return case


def chosen(**choices: Any) -> Case:
    """Return a case of two volumes by plane with a mask each, read with choices."""

    def case(folder: Path) -> Findings:
        for name in ("a", "b"):
            write_planes(folder / name)
        return nk.check(nk.scan(folder, **choices))

    return case


def few_planes(**choices: Any) -> Case:
    """Return a case of a set without the sagittal plane, read with choices."""

    def case(folder: Path) -> Findings:
        return nk.check(nk.scan(write_planes(folder, ("axl", "cor")), **choices))

    return case


def header(**fields: Any) -> Case:
    """Return a case of one volume with the given header fields."""

    def case(folder: Path) -> Findings:
        write_raw(folder / "CT.nii", **fields)
        return found(folder)

    return case


def copied(*patients: str) -> Case:
    """Return a case of two images with the same mask, each in the folder of a patient."""

    def case(folder: Path) -> Findings:
        for number, patient in enumerate(patients):
            write_nifti(folder / patient / f"T{number}.nii", volume() + np.int16(number))
            write_nifti(folder / patient / f"T{number}" / "liver.nii", labels())
        return found(folder)

    return case


def imaged(*names: str) -> Case:
    """Return a case of volumes of one content."""

    def case(folder: Path) -> Findings:
        for name in names:
            write_nifti(folder / name)
        return found(folder)

    return case


def complex_numbers(name: str) -> Case:
    """Return a case of a volume, and a file of complex numbers."""

    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii")
        (folder / name).parent.mkdir(exist_ok=True)
        write_raw(folder / name, datatype=32, bitpix=64, data=bytes(2000), **FORM)
        return found(folder)

    return case


def masked(affine: Any, shape: tuple[int, int, int] = SHAPE) -> Case:
    """Return a case of a volume and a mask with its own affine."""

    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii")
        write_nifti(folder / "CT" / "lung.nii", labels(shape), affine)
        return found(folder)

    return case


def by_qform(away_mm: float) -> Case:
    """Return a case of a mask on its volume's qform, which lies that far from its sform."""

    def case(folder: Path) -> Findings:
        write_raw(folder / "CT.nii", **FORM, **qform(away_mm))
        write_nifti(folder / "CT" / "lung.nii", labels(), moved(away_mm))
        return found(folder)

    return case


def planes(move_mm: float = 0.0, *names: str) -> Case:
    """Return a case of three planes, the last one moved, with volumes more."""

    def case(folder: Path) -> Findings:
        write_planes(folder)
        moved = AFFINE.copy()
        moved[2, 3] += move_mm
        write_nifti(folder / "sag_anatomic.nii.gz", affine=moved)
        write_nifti(folder / "sag_inference.nii.gz", labels(), moved)
        return named(*names)(folder)

    return case


def content(cut: int) -> Case:
    """Return a case of a file that lacks bytes at its end."""

    def case(folder: Path) -> Findings:
        path = write_nifti(folder / "CT.nii")
        path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
        return found(folder)

    return case


def bytes_named(name: bytes) -> Case:
    def case(folder: Path) -> Findings:
        (folder / os.fsdecode(name)).write_bytes(write_raw(folder / "CT.nii", **FORM).read_bytes())
        return found(folder)

    return case


def linked(target: str) -> Case:
    def case(folder: Path) -> Findings:
        write_nifti(folder / "store" / "MR.nii")
        write_nifti(folder / "in" / "CT.nii", volume() + np.int16(1))
        (folder / "in" / "link.nii").symlink_to(folder / target)
        return found(folder / "in")

    return case


def packed(*, as_named: bool) -> Case:
    def case(folder: Path) -> Findings:
        raw = write_raw(folder / "CT.nii", **FORM).read_bytes()
        (folder / "CT.nii").rename(folder / "CT.nii.gz")
        (folder / "CT.nii.gz").write_bytes(gzip.compress(raw) if as_named else raw)
        return found(folder)

    return case


def two_masks(first: Any, second: Any) -> Case:
    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii")
        write_nifti(folder / "CT" / "left.nii.gz", first)
        write_nifti(folder / "CT" / "right.nii.gz", second)
        return found(folder)

    return case


def labelled(background: int, **choices: Any) -> Case:
    """An image, and a label map beside it whose name says nothing."""

    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii")
        write_nifti(folder / "other.nii", np.maximum(labels(), background).astype("u1"))
        return nk.check(nk.scan(folder, **choices))

    return case


def paired(*names: str, **choices: Any) -> Case:
    """Label maps, and images that are none."""

    def case(folder: Path) -> Findings:
        for name in names:
            write_nifti(folder / name, labels() if "label" in name else volume())
        return nk.check(nk.scan(folder, **choices))

    return case


def sheared(degrees: float) -> Case:
    rows = AFFINE.copy()
    rows[0, 1] = 3 * np.sin(np.radians(degrees))
    rows[1, 1] = 3 * np.cos(np.radians(degrees))
    return header(**{**FORM, "srow_x": rows[0], "srow_y": rows[1]})


def qform(offset_mm: float) -> dict[str, Any]:
    """Return the fields of a qform that lies by the sform, or this far from it along x."""
    x, y, z = AFFINE[:3, 3]
    return {"qform_code": 1, "qoffset_x": x + offset_mm, "qoffset_y": y, "qoffset_z": z}


def moved(x: float, *, scale: float = 1.0) -> np.ndarray:
    affine = AFFINE @ np.diag([scale, scale, scale, 1])
    affine[0, 3] += x
    return affine


FLIPPED = AFFINE @ np.array([[-1, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])

MIRRORED = np.diag([-1.0, -1, 1, 1]) @ AFFINE
"""The volume's place in LPS+ mm, where NIfTI has RAS+ mm."""

VOLUMES = ("axl_anatomic.nii", "cor_anatomic.nii", "sag_anatomic.nii")

CASES: dict[str, tuple[Case, Case]] = {
    # files
    "source-empty": (found, named("CT.nii")),
    "file-unused": (beside("CT.nrrd"), beside("classes.txt")),
    "file-hidden": (beside(".DS_Store"), beside("DS_Store")),
    "file-unreadable": (content(cut=1), content(cut=0)),
    "file-name": (bytes_named(b"caf\xe9.nii"), bytes_named("café.nii".encode())),
    "left-out": (chosen(leave_out="a/axl_inference.nii.gz"), chosen()),
    "volume-given": (
        chosen(volumes={"a/axl_inference.nii.gz": "b/axl_anatomic.nii.gz"}),
        chosen(),
    ),
    "planes-fewer": (few_planes(incomplete=""), few_planes()),
    "link-outside": (linked("store/MR.nii"), linked("in/CT.nii")),
    "analyze-pair": (beside("CT.hdr", "CT.img"), beside("CT.hdr", "MR.img")),
    "file-name-packing": (packed(as_named=False), packed(as_named=True)),
    "image-unsupported": (
        header(datatype=32, bitpix=64, data=bytes(2000), **FORM),
        header(datatype=64, bitpix=64, data=bytes(2000), **FORM),
    ),
    "annotation-unsupported": (
        complex_numbers("CT/lung.nii"),
        complex_numbers("MR.nii"),
    ),
    "name-long": (named(f"{'a' * 246}.nii"), named(f"{'a' * 245}.nii")),
    # geometry
    "grid-unusable": (header(**{**FORM, "srow_z": np.zeros(4)}), header(**FORM)),
    "grid-sheared": (sheared(degrees=0.07), sheared(degrees=0.05)),
    "affine-forms-disagree": (
        header(**FORM, **qform(0.11)),
        header(**FORM, **qform(0.09)),
    ),
    "affine-missing": (header(), header(**FORM)),
    "voxel-size-odd": (
        header(**FORM, pixdim=[1, 2, 3, 5.06, 1, 1, 1, 1]),
        header(**FORM, pixdim=[1, 2, 3, 5.04, 1, 1, 1, 1]),
    ),
    "readers-disagree": (header(**{**FORM, "sform_code": 6}), header(**{**FORM, "sform_code": 5})),
    "mask-reoriented": (masked(FLIPPED), masked(AFFINE)),
    "mask-header-lost": (masked(np.eye(4)), masked(AFFINE)),
    "mask-mirrored": (masked(MIRRORED), masked(AFFINE)),
    "mask-translated": (masked(moved(0.021)), masked(moved(0.019))),
    "mask-resampled": (masked(moved(0, scale=0.5), (10, 12, 14)), masked(AFFINE)),
    "mask-apart": (masked(moved(11, scale=0.5)), masked(moved(9, scale=0.5))),
    "mask-axes-exchanged": (masked(AFFINE, (7, 6, 5)), masked(AFFINE, (7, 6, 4))),
    "mask-header-inexact": (masked(moved(0, scale=0.991)), masked(moved(0, scale=0.989))),
    "mask-cropped": (masked(AFFINE, (5, 6, 6)), masked(AFFINE)),
    "mask-rounded": (masked(moved(0.002)), masked(moved(0.0005))),
    "mask-other-form": (by_qform(0.9), by_qform(1.1)),
    # sets
    "planes-incomplete": (named("axl_anatomic.nii", "cor_anatomic.nii"), planes()),
    "annotation-without-volume": (
        planes(0, "x/axl_knee_inference.nii"),
        planes(0, "axl_knee_inference.nii"),
    ),
    "words-differ": (planes(0, "axl_knee_seg_1.nii"), planes(0, "axl_seg_1.nii")),
    "class-by-words": (
        named(*VOLUMES, "axl_seg_femur.nii", "axl_seg_tibia.nii"),
        named(*VOLUMES, "axl_seg_femur_1.nii", "axl_seg_tibia_2.nii"),
    ),
    "type-word-unknown": (planes(0, "axl_prediction.nii"), planes(0, "axl_inference_2.nii")),
    "plane-unknown": (planes(0, "axial_anatomic.nii"), planes(0, "x/knee.nii")),
    "role-ambiguous": (planes(0, "axl_anatomic_mask.nii"), planes(0, "axl_other.nii")),
    "name-prefixed": (named("a/CT.nii", "b/CT.nii"), named("a/CT.nii", "b/MR.nii")),
    "annotation-elsewhere": (
        named("images/CT.nii", "masks/CT/lung.nii"),
        named("images/CT.nii", "images/CT/lung.nii"),
    ),
    "volume-named-mask": (
        named("CT.nii", "labels/CT.nii"),
        named("CT.nii", "more/CT.nii"),
    ),
    "volume-label-map": (labelled(background=0), labelled(background=3)),
    "pairs-file": (
        labelled(0, pairs={"other.nii": "CT.nii", "more.nii": "CT.nii"}),
        labelled(0, pairs={"other.nii": "CT.nii"}),
    ),
    "pairs-taken": (
        paired("imagesTr/a.nii", "labelsTr/a.nii", layout="pairs"),
        paired("imagesTr/a.nii", "labelsTr/a.nii"),
    ),
    # Fields of view of 35 mm along z: 27 mm apart they share 8/35, 26 mm apart 9/35.
    "planes-apart": (planes(27), planes(26)),
    "content-repeated": (
        two_masks(labels(), labels()),
        two_masks(labels(values=()), labels(values=())),
    ),
    "volumes-alike": (
        imaged("P01/CT.nii", "P02/CT.nii"),
        imaged("P01/CT.nii", "P01/MR.nii"),
    ),
    "case-differs": (
        planes(0, "P01/axl_anatomic.nii", "P01/P02_axl_inference.nii"),
        planes(0, "P02/axl_anatomic.nii", "P02/P02_axl_inference.nii"),
    ),
    "masks-alike": (copied("P01", "P02"), copied("P01", "P01")),
    "names-alike": (named("CT.nii", "ct.nii.gz"), named("CT.nii", "ct1.nii.gz")),
}
