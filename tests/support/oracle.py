"""What should have landed, worked out with nibabel, numpy and pynrrd alone.

Nothing here imports nifti_kit: positions come from the affines that nibabel reads, class names
from splitting the lines of the colour map, slices from the world position of a frame.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np

RAS_AXIS = {"sag": 0, "cor": 1, "axl": 2}
NORMAL = {"sag": "1-0-0", "cor": "0-1-0", "axl": "0-0-1"}


@dataclass
class Landed:
    """An object read from a project folder with json and pynrrd."""

    volume: str
    class_name: str
    color: str
    positions: np.ndarray
    custom_data: dict[str, Any]
    header: dict[str, Any]
    inside: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inside.shape


@dataclass
class Project:
    """A dataset of a project folder read with json and pynrrd."""

    volumes: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    objects: list[Landed] = field(default_factory=list)
    classes: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: dict[str, dict[str, int]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def of(self, volume: str) -> list[Landed]:
        return [landed for landed in self.objects if landed.volume == volume]


def affine_of(header: dict[str, Any]) -> np.ndarray:
    """Return voxel-to-RAS of an NRRD header of our kind."""
    assert header["space"] == "right-anterior-superior"
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(header["space directions"]).T
    affine[:3, 3] = header["space origin"]
    return affine


def positions(inside: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the RAS+ positions of all voxels that are set, in an order that both sides share."""
    found = nib.affines.apply_affine(affine, np.argwhere(inside))
    # Rounded to a grid much finer than a voxel and coarser than float noise, for sorting only.
    return found[np.lexsort(np.round(found, 2).T)]


def read_project(path: Path, dataset: str) -> Project:
    """Return what is in a dataset; that of ``a/b`` is nested in ``a``."""
    folder = path / "/datasets/".join(dataset.split("/"))
    project = Project()
    meta = json.loads((path / "meta.json").read_text())
    project.classes = {found["title"]: found for found in meta["classes"]}
    project.ids = json.loads((path / "key_id_map.json").read_text())
    for ann_path in sorted((folder / "ann").glob("*.json")):
        name = ann_path.name.removesuffix(".json")
        ann = json.loads(ann_path.read_text())
        project.keys[name] = ann["key"]
        data, header = nrrd.read(str(folder / "volume" / name))
        project.volumes[name] = (data, affine_of(header))
        classes = {found["key"]: found["classTitle"] for found in ann["objects"]}
        for figure in ann["spatialFigures"]:
            file = folder / "mask" / name / f"{figure['key']}.nrrd"
            mask, mask_header = nrrd.read(str(file))
            assert set(np.unique(mask)) <= {0, 1}
            title = classes[figure["objectKey"]]
            project.objects.append(
                Landed(
                    name,
                    title,
                    project.classes[title]["color"],
                    positions(mask > 0, affine_of(mask_header)),
                    figure.get("customData") or {},
                    mask_header,
                    mask > 0,
                )
            )
    return project


def colour_map(path: Path) -> dict[int, tuple[str, str]]:
    """Return value to (name, #RRGGBB), by splitting lines that end in three numbers."""
    entries = {}
    for line in path.read_text().splitlines():
        value, *name, red, green, blue = line.split()
        color = f"#{int(red):02X}{int(green):02X}{int(blue):02X}"
        entries[int(value)] = (" ".join(name), color)
    return entries


def mask_positions(path: Path) -> dict[int, np.ndarray]:
    """Return value to RAS+ positions of a label file."""
    image = nib.load(path)
    data = np.rint(np.asanyarray(image.dataobj)).astype(int)
    values = [int(value) for value in np.unique(data) if value]
    return {value: positions(data == value, image.affine) for value in values}


def volume_in_ras(path: Path) -> tuple[np.ndarray, np.ndarray]:
    image = nib.as_closest_canonical(nib.load(path))
    return np.asanyarray(image.dataobj), image.affine


def score_slices(table: Path, mask: Path, plane: str, landed_affine: np.ndarray) -> dict:
    """Return value to {slice: score}: each frame's world position looked up in the landed grid."""
    image = nib.load(mask)
    ras = RAS_AXIS[plane]
    directions = np.abs(image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0))
    axis = int(directions[ras].argmax())
    centre = (np.array(image.shape) - 1) / 2
    expected: dict[int, dict[str, str]] = {}
    with table.open(newline="") as opened:
        for row in csv.reader(opened, skipinitialspace=True):
            if row[0] == "Layer":
                values = [int(name.removeprefix("Label-")) for name in row[1:]]
                continue
            index = centre.copy()
            index[axis] = int(row[0]) - 1
            world = nib.affines.apply_affine(image.affine, index)
            position = nib.affines.apply_affine(np.linalg.inv(landed_affine), world)[ras]
            assert abs(position - round(position)) < 1e-3
            for value, cell in zip(values, row[1:], strict=True):
                if cell.strip():
                    expected.setdefault(value, {})[str(round(position))] = f"{float(cell):.2f}"
    return expected


def custom_data(slices: dict[str, str], plane: str) -> dict[str, Any]:
    if not slices:
        return {}
    return {NORMAL[plane]: {k: {"score": v, "comment": None} for k, v in slices.items()}}
