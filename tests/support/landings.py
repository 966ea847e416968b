"""Small sources, projects and uploads for the tests of targets, transfer and verification."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nrrd
import numpy as np

import nifti_kit as nk
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti, write_planes

Pairs = dict[str, dict[str, Any]]

THREE = {
    "A": {"liver": (1, 2), "lung": (1,)},
    "B": {"liver": (3,)},
    "C": {},
}
"""Volumes with the mask files of each, and the values in them: by volume, five objects."""


def write_volumes(folder: Path, volumes: Pairs | None = None, shape: tuple = SHAPE) -> Path:
    """Write a by-volume source: ``A.nii.gz`` and ``A/liver.nii.gz`` for each; return the folder."""
    for number, (name, masks) in enumerate((THREE if volumes is None else volumes).items()):
        affine = np.array(AFFINE)
        affine[0, 3] += number
        write_nifti(folder / f"{name}.nii.gz", volume(shape) + number, affine)
        for position, (mask, values) in enumerate(masks.items()):
            array = np.roll(labels(shape, tuple(values)), position, axis=2)
            write_nifti(folder / name / f"{mask}.nii.gz", array, affine)
    return folder


def write_scored_planes(folder: Path) -> Path:
    """Write three planes with a colour map and a score table for the axial one."""
    write_planes(folder)
    (folder / "cls_color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    (folder / "axl_score.csv").write_text("Layer, Label-1, Label-2\n3, 0.80, 0.90\n5, , 0.7\n")
    return folder


def write_annotations(folder: Path, *volume_ids: int, affine: Any = AFFINE) -> Path:
    """Write one annotation file (values 1 and 2) for each volume id, with its mapping."""
    names = [f"axl_inference_{number}.nii.gz" for number, _ in enumerate(volume_ids, start=1)]
    for name in names:
        write_nifti(folder / name, labels(), affine)
    mapping = dict(zip(names, volume_ids, strict=True))
    (folder / "mapping.json").write_text(json.dumps(mapping))
    return folder


def quiet(_: Any) -> None:
    """Show no progress."""


def land(source: Path, target: Any, **options: Any) -> Any:
    """Plan a source and upload it without a progress bar; return the receipt."""
    waive = options.pop("waive", ())
    mapping = options.pop("mapping", None)
    plan = nk.plan(nk.scan(source), mapping=mapping, waive=waive)
    return nk.upload(plan, target, **{"on_progress": quiet, **options})


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def edit_json(path: Path, change: Any) -> Any:
    """Load a JSON file, give it to a function, write it back; return the content."""
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    return content


KEYS = {name: format(number, "032x") for number, name in enumerate("VWXabcdefg", start=1)}
"""Keys of a project of another writer: volumes V, W, X; objects a, b, c; figures d to g."""


def write_foreign(path: Path) -> Path:
    """Write a project as the SDK does without an upload: keys, but no id anywhere.

    Dataset ``one`` has volume V.nrrd with object a (class ``old``, figures d and e), object b
    (class ``flat``, no 3D figure); ``one/child`` has W.nrrd with object c (class ``old``, figure
    f, with a score); ``two`` has X.nrrd without objects, in LPS order.
    """
    classes = [
        ("old", "mask_3d", "#0A0B0C"),
        ("flat", "rectangle", "#010203"),
        ("free", "any", "#FFFFFF"),
    ]
    meta = {
        "classes": [
            {"title": t, "shape": shape, "color": c, "hotkey": ""} for t, shape, c in classes
        ],
        "tags": [],
        "projectType": "volumes",
    }
    path.mkdir(parents=True)
    (path / "meta.json").write_text(json.dumps(meta))
    _foreign_volume(path / "one", "V", [("a", "old", ("d", "e")), ("b", "flat", ())])
    _foreign_volume(path / "one" / "datasets" / "child", "W", [("c", "old", ("f",))])
    _foreign_volume(path / "two", "X", [], space="left-posterior-superior")
    return path


def _foreign_volume(
    folder: Path, name: str, objects: list, space: str = "right-anterior-superior"
) -> None:
    sign = 1 if space.startswith("right") else -1
    affine = np.diag([sign, sign, 1, 1]) @ AFFINE
    header = {"space": space, "space directions": affine[:3, :3].T, "space origin": affine[:3, 3]}
    for part in ("volume", "ann", "mask"):
        (folder / part).mkdir(parents=True)
    _write_nrrd(folder / "volume" / f"{name}.nrrd", volume(), header)
    scores = {"0-0-1": {"2": {"score": "0.50", "comment": None}}} if name == "W" else None
    content = {
        "key": KEYS[name],
        "tags": [],
        "objects": [{"key": KEYS[o], "classTitle": title, "tags": []} for o, title, _ in objects],
        "planes": [{"name": "axial", "slices": [{"index": 2, "figures": [
            {"key": KEYS["g"], "objectKey": KEYS[o], "geometryType": "rectangle", "geometry": {}}
            for o, title, _ in objects if title == "flat"
        ]}]}],
        "spatialFigures": [
            {
                "key": KEYS[figure],
                "objectKey": KEYS[o],
                "geometryType": "mask_3d",
                "geometry": {},
                **({"customData": scores} if scores else {}),
            }
            for o, _, figures in objects
            for figure in figures
        ],
    }  # fmt: skip
    (folder / "ann" / f"{name}.nrrd.json").write_text(json.dumps(content))
    for number, figure in enumerate(figure for _, _, figures in objects for figure in figures):
        (folder / "mask" / f"{name}.nrrd").mkdir(exist_ok=True)
        mask = (labels() == number + 1).astype(np.uint8)
        _write_nrrd(folder / "mask" / f"{name}.nrrd" / f"{KEYS[figure]}.nrrd", mask, header)


def _write_nrrd(path: Path, array: Any, header: dict[str, Any]) -> None:
    """Write by pynrrd, but without its time: the same bytes each time."""
    nrrd.write(str(path), array, header)
    path.write_bytes(re.sub(rb"# on [^\n]*\n", b"", path.read_bytes(), count=1))
