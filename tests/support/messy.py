"""A folder of ten messy patients made from a sample, and what should land of it.

Nothing here imports nifti_kit: voxels, places and slices are worked out with numpy and nibabel.
Each patient has one fault of those that data sets come with; the two deliveries have the same
faults in the same files, and other images.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.support.builders import SAMPLES
from tests.support.oracle import Project, positions

SAMPLE = SAMPLES / "by_plane_semantic"
PLANES = ("axl", "cor", "sag")
STEP = 3
"""Every third voxel of the sample: ten patients stay small."""

NEW_VALUE, NEW_CLASS = 42, "Tumour"
"""What patient 8 has beside the class map, and what a person calls it."""

PATIENTS = tuple(f"patient_{number:02}" for number in range(1, 11))
LOST, MIRRORED, RESAMPLED, FOREIGN, EXCHANGED = PATIENTS[:5]
NO_SAG, UNNAMED, FROM_ZERO, MIXED_CASE, ONE_HOT = PATIENTS[5:]


@dataclass
class Truth:
    """A volume as it should be on the platform, and the objects on it.

    ``voxels`` are in RAS+ order, ``objects`` are RAS+ positions (mm) by class name, ``scores``
    are numbers by class name and RAS+ slice (from 0) along the third axis.
    """

    voxels: np.ndarray
    affine: np.ndarray
    objects: dict[str, np.ndarray] = field(default_factory=dict)
    scores: dict[str, dict[int, str]] = field(default_factory=dict)


def write_delivery(folder: Path, delivery: int = 1) -> dict[str, Truth]:
    """Write ten patients; return what should land, by ``patient/plane``."""
    folder.mkdir(parents=True)
    names = _class_names(folder)
    truth: dict[str, Truth] = {}
    for number, patient in enumerate(PATIENTS):
        for plane in PLANES:
            if (patient, plane) != (NO_SAG, "sag"):
                image = _part(plane, "anatomic", number, delivery)
                nib.save(image, folder / patient / _file(folder, patient, plane, "anatomic"))
                ras = nib.as_closest_canonical(image)
                truth[f"{patient}/{plane}"] = Truth(np.asanyarray(ras.dataobj), ras.affine)
    for patient in PATIENTS:
        _write_mask(folder, patient, delivery, truth, names)
    return truth


def unlike(truth: dict[str, Truth], project: Project) -> list[str]:
    """Return what of a project differs from what should have landed, in words."""
    told = [] if len(truth) == len(project.volumes) else [f"{len(project.volumes)} volumes"]
    for name, meant in truth.items():
        landed = [key for key, found in project.volumes.items() if _is_volume(found, meant)]
        told += [f"{name}: {len(landed)} volumes"] if len(landed) != 1 else []
        for volume in landed[:1]:
            told += [f"{name}: {line}" for line in _objects_unlike(meant, project, volume)]
    return told


def _is_volume(found: tuple[np.ndarray, np.ndarray], meant: Truth) -> bool:
    data, affine = found
    same_place = np.allclose(affine, meant.affine, atol=1e-4)
    return same_place and data.shape == meant.voxels.shape and bool((data == meant.voxels).all())


def _objects_unlike(meant: Truth, project: Project, volume: str) -> list[str]:
    there = {landed.class_name: landed for landed in project.of(volume)}
    told = [f"{name} too many" for name in there.keys() - meant.objects.keys()]
    told += [f"{name} is missing" for name in meant.objects.keys() - there.keys()]
    if len(there) != len(project.of(volume)):
        told.append("objects of one class")
    for name in there.keys() & meant.objects.keys():
        here, place = there[name].positions, meant.objects[name]
        if here.shape != place.shape or np.abs(here - place).max() > 1e-4:
            told.append(f"{name} lies elsewhere")
        slices = there[name].custom_data.get("0-0-1", {})
        scores = {int(index): cell["score"] for index, cell in slices.items()}
        if scores != meant.scores.get(name, {}):
            told.append(f"scores of {name}: {scores}")
    return told


def _class_names(folder: Path) -> dict[int, str]:
    lines = (SAMPLE / "cls_color_map.txt").read_text()
    (folder / "cls_color_map.txt").write_text(lines)
    split = [line.split() for line in lines.splitlines()]
    names = {int(value): " ".join(words[:-3]) for value, *words in split}
    return {**names, NEW_VALUE: NEW_CLASS}


def _file(folder: Path, patient: str, plane: str, role: str) -> str:
    (folder / patient).mkdir(exist_ok=True)
    name = f"{plane}_{role}.nii.gz"
    return name.swapcase() if patient == MIXED_CASE and role == "anatomic" else name


def _part(plane: str, role: str, number: int, delivery: int) -> nib.Nifti1Image:
    """Return a part of the sample, another one for each patient, at a place of its own."""
    image = nib.load(SAMPLE / f"{plane}_{role}.nii.gz")
    begin = (number + delivery) % 4
    cut = (slice(begin, None, STEP), slice(2 * begin, None, STEP), slice(None, None, 2))
    affine = image.affine @ np.diag([STEP, STEP, 2, 1.0])
    affine[:3, 3] = nib.affines.apply_affine(image.affine, [begin, 2 * begin, 0])
    affine[:3, 3] += [7.25 * number, -3.5 * number, 11.0 * delivery]
    voxels = np.asanyarray(image.dataobj)[cut]
    return nib.Nifti1Image(np.ascontiguousarray(voxels), affine, dtype=voxels.dtype)


def _write_mask(
    folder: Path,
    patient: str,
    delivery: int,
    truth: dict[str, Truth],
    names: dict[int, str],
) -> None:
    """Write the axial mask of a patient as its fault has it, and say what should land."""
    if patient == MIXED_CASE:
        return  # it lies with another patient
    home = MIXED_CASE if patient == FOREIGN else patient
    image = _part("axl", "inference", PATIENTS.index(home), delivery)
    labels, affine = np.asanyarray(image.dataobj).copy(), image.affine
    if patient == UNNAMED:
        labels[labels == labels.max()] = NEW_VALUE
    if patient == ONE_HOT:
        labels[labels > 13] = 0  # a frame for each of the first classes
    meant = truth[f"{home}/axl"]
    values = [int(value) for value in np.unique(labels) if value]
    meant.objects = {names[value]: positions(labels == value, affine) for value in values}
    labels, affine = _spoilt(patient, labels, affine, values)
    spoilt = nib.Nifti1Image(labels, affine, dtype=labels.dtype)
    nib.save(spoilt, folder / patient / _file(folder, patient, "axl", "inference"))
    if patient == FROM_ZERO:
        meant.scores = _write_scores(folder / patient / "axl_score.csv", labels, affine, names)


def _spoilt(
    patient: str, labels: np.ndarray, affine: np.ndarray, values: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask with the fault of its patient."""
    if patient == LOST:
        return labels, np.eye(4)
    if patient == MIRRORED:
        return labels, np.diag([-1.0, -1, 1, 1]) @ affine  # LPS+ mm where RAS+ is meant
    if patient == RESAMPLED:
        half = affine @ np.diag([0.5, 0.5, 0.5, 1])
        half[:3, 3] = nib.affines.apply_affine(affine, [-0.25, -0.25, -0.25])
        return labels.repeat(2, 0).repeat(2, 1).repeat(2, 2), half
    if patient == EXCHANGED:
        return np.ascontiguousarray(labels.transpose(2, 1, 0)), affine
    if patient == ONE_HOT:
        frames = [(labels == value).astype(np.uint8) for value in range(1, max(values) + 1)]
        return np.stack(frames, axis=3), affine
    return labels, affine


def _write_scores(
    path: Path, labels: np.ndarray, affine: np.ndarray, names: dict[int, str]
) -> dict[str, dict[int, str]]:
    """Write a table whose layers count from 0; return the scores by class and RAS+ slice."""
    assert affine[2, 2] > 0  # frames grow as RAS+ slices do
    values = [1, 2]
    frames = [k for k in range(labels.shape[2]) if np.isin(values, labels[:, :, k]).all()]
    told: dict[str, dict[int, str]] = {names[value]: {} for value in values}
    with path.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["Layer", *(f"Label-{value}" for value in values)])
        for frame in range(labels.shape[2]):
            cells = [f"0.{frame + 10 * value:02}" if frame in frames else "" for value in values]
            table.writerow([frame, *cells])
            if frame in frames:
                for value, cell in zip(values, cells, strict=True):
                    told[names[value]][frame] = cell
    return told
