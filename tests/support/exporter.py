"""A project folder exported as the platform's exporter does it (what it writes, not its code).

By volume: ``X.nii.gz`` and ``X/<class>.nii.gz``. By plane (a plane in every volume's name): the
volume keeps its name, the label file has ``inference`` for ``anatomic`` (``_2``, ``_3`` for
further classes of instance segmentation), the classes stand in ``color_map.txt`` one level above,
the scores in ``<plane>_score.csv`` with layers from 0 along the RAS axis.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np

from tests.support import oracle

PREFIX = "Mask pixel value: "


def export(project: Path, dataset: str, out: Path, segmentation: str) -> Path:
    """Export a dataset; return the dataset's folder in the export."""
    meta = json.loads((project / "meta.json").read_text())
    numbers = class_numbers(meta["classes"])
    folder = out / dataset
    folder.mkdir(parents=True)
    anns = sorted((project / dataset / "ann").glob("*.json"))
    by_plane = all(any(p in path.name for p in oracle.RAS_AXIS) for path in anns)
    for path in anns:
        name = path.name.removesuffix(".nrrd.json")
        data, header = nrrd.read(str(project / dataset / "volume" / f"{name}.nrrd"))
        affine = oracle.affine_of(header)
        nib.save(nib.Nifti1Image(data, affine, dtype=data.dtype), folder / f"{name}.nii.gz")
        objects = list(read_objects(project / dataset, path))
        if by_plane and segmentation == "semantic":
            write_semantic(folder, name, objects, numbers, data.shape, affine)
        elif by_plane:
            write_instances(folder, name, objects, data.shape, affine)
        else:
            write_classes(folder / name, objects, segmentation, data.shape, affine)
        if by_plane:
            write_scores(folder, name, objects, numbers)
    if by_plane:
        write_color_map(out / "color_map.txt", meta["classes"], numbers)
    return folder


def class_numbers(classes: list[dict[str, Any]]) -> dict[str, int]:
    """Return the number of each class: from its description, else the next free one."""
    numbers = {
        found["title"]: int(found["description"].removeprefix(PREFIX))
        for found in classes
        if found["description"].startswith(PREFIX)
    }
    free = 1
    for found in classes:
        if found["title"] not in numbers:
            while free in numbers.values():
                free += 1
            numbers[found["title"]] = free
    return numbers


def read_objects(dataset: Path, ann_path: Path) -> Any:
    content = json.loads(ann_path.read_text())
    classes = {found["key"]: found["classTitle"] for found in content["objects"]}
    for figure in content["spatialFigures"]:
        name = ann_path.name.removesuffix(".json")
        mask, _ = nrrd.read(str(dataset / "mask" / name / f"{figure['key']}.nrrd"))
        yield classes[figure["objectKey"]], mask > 0, figure["customData"]


def save_labels(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(labels, affine, dtype=np.uint8), path)


def write_semantic(
    folder: Path, name: str, objects: Any, numbers: dict, shape: tuple, affine: np.ndarray
) -> None:
    labels = np.zeros(shape, dtype=np.uint8)
    for title, inside, _ in objects:
        labels[inside] = numbers[title]
    save_labels(folder / f"{name.replace('anatomic', 'inference')}.nii.gz", labels, affine)


def write_instances(
    folder: Path, name: str, objects: Any, shape: tuple, affine: np.ndarray
) -> None:
    by_class: dict[str, np.ndarray] = {}
    for title, inside, _ in objects:
        labels = by_class.setdefault(title, np.zeros(shape, dtype=np.uint8))
        labels[inside] = labels.max() + 1
    for number, labels in enumerate(by_class.values(), start=1):
        suffix = "" if number == 1 else f"_{number}"
        file = f"{name.replace('anatomic', 'inference')}{suffix}.nii.gz"
        save_labels(folder / file, labels, affine)


def write_classes(
    folder: Path, objects: Any, segmentation: str, shape: tuple, affine: np.ndarray
) -> None:
    by_class: dict[str, np.ndarray] = {}
    for title, inside, _ in objects:
        labels = by_class.setdefault(title, np.zeros(shape, dtype=np.uint8))
        labels[inside] = labels.max() + 1 if segmentation == "instance" else 1
    for title, labels in by_class.items():
        save_labels(folder / f"{title}.nii.gz", labels, affine)


def write_scores(folder: Path, name: str, objects: Any, numbers: dict[str, int]) -> None:
    """Write a row for each slice that has a score; what has none there is written as 0.0."""
    layers: dict[str, dict[int, str]] = {}
    columns = set()
    for title, _, custom in objects:
        for slices in custom.values():
            for layer, cell in slices.items():
                layers.setdefault(layer, {})[numbers[title]] = cell["score"]
                columns.add(numbers[title])
    if not layers:
        return
    header = ",".join(["Layer", *(f"Label-{number}" for number in sorted(columns))])
    rows = [
        ",".join([layer, *(str(cells.get(number, 0.0)) for number in sorted(columns))])
        for layer, cells in layers.items()
    ]
    table = folder / f"{name.replace('anatomic', 'score')}.csv"
    table.write_text("\n".join([header, *rows]) + "\n")


def write_color_map(path: Path, classes: list[dict[str, Any]], numbers: dict[str, int]) -> None:
    lines = []
    for found in classes:
        red, green, blue = bytes.fromhex(found["color"].removeprefix("#"))
        lines.append(f"{numbers[found['title']]} {found['title']} {red} {green} {blue}")
    path.write_text("\n".join(lines))
