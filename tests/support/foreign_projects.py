"""Projects that others made, drawn by chance and written with json, numpy and pynrrd alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
from hypothesis import strategies as st

SHAPE = (5, 6, 7)

CLASS_NAMES = [
    "Femur", "femur", "T1/T2", "left lung 255 0 0", "50%", "a~2", "Größe", "3", "aux", "x.nii",
    "axl_anatomic", "label", "z" * 240, "=1+1", "Segment_1", "background", "index",
]  # fmt: skip

VOLUME_NAMES = {
    "by_volume": ["a.nrrd", "A.nrrd", "a b.nrrd", "d.nrrd", "x:y.nrrd", "child.nrrd", "a.nii.nrrd"],
    "by_plane": [
        "axl_anatomic.nrrd", "cor_anatomic.nrrd", "sag.nrrd", "p1_axl_anatomic_2.nrrd",
        "Knee AXL Anatomical.nrrd", "p1_cor_anatomic_2.nrrd",
    ],
}  # fmt: skip

PLANE_OF = {"axl": "0-0-1", "cor": "0-1-0", "sag": "1-0-0"}

VALUES = ["0.80", "1.00", "0.12345", None, "0.00", "text", "1,5", 0.5]
"""Scores as custom data may have them; None where there is a comment only."""

COMMENTS = [None, "fine", 'a, "b"', "two\nlines", " spaces ", "=1+1"]


@dataclass
class Figure:
    """A mask: its class, the voxels of a box, and what is kept with it."""

    title: str
    box: tuple[tuple[int, int], ...]
    custom: dict[str, Any] = field(default_factory=dict)

    def mask(self) -> np.ndarray:
        inside = np.zeros(SHAPE, dtype=np.uint8)
        inside[tuple(slice(*side) for side in self.box)] = 1
        return inside


@dataclass
class Volume:
    """A volume of a dataset, with what is drawn on it."""

    dataset: str
    name: str
    turn: float
    figures: list[Figure]


@dataclass
class Project:
    """Classes (title, description, shape), and volumes."""

    classes: list[tuple[str, str, str]]
    volumes: list[Volume]


def _boxes() -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    # From 0 to 3 voxels along each side: a box may be empty.
    sides = [st.tuples(st.integers(0, size - 4), st.integers(0, 3)) for size in SHAPE]
    return st.tuples(*sides).map(lambda found: tuple((a, a + size) for a, size in found))


def _custom(name: str) -> st.SearchStrategy[dict[str, Any]]:
    planes = [normal for word, normal in PLANE_OF.items() if word in name.lower()]
    normals = st.sampled_from([*planes * 5, "0-1-0"])
    entry = st.fixed_dictionaries(
        {"score": st.sampled_from(VALUES), "comment": st.sampled_from(COMMENTS)}
    )
    # Slice 9 is none of any volume.
    slices = st.dictionaries(st.sampled_from("012349"), entry, min_size=1, max_size=2)
    return st.one_of(st.just({}), st.dictionaries(normals, slices, max_size=1))


def projects(layout: str) -> st.SearchStrategy[Project]:
    """Return projects with one to three classes, and as many volumes in some datasets."""
    return st.composite(_draw)(layout)


def _draw(draw: Any, layout: str) -> Project:
    titles = draw(st.lists(st.sampled_from(CLASS_NAMES), min_size=1, max_size=3, unique=True))
    descriptions = st.sampled_from(
        ["", "", "Mask pixel value: 1", "Mask pixel value: 2", "made by"]
    )
    shapes = st.sampled_from(["mask_3d", "mask_3d", "any"])
    classes = [(title, draw(descriptions), draw(shapes)) for title in titles]
    names = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["d", "d", "d/child", "a b"]),
                st.sampled_from(VOLUME_NAMES[layout]),
            ),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    volumes = []
    for dataset, name in names:
        custom = _custom(name) if layout == "by_plane" else st.just({})
        figures = st.builds(Figure, st.sampled_from(titles), _boxes(), custom)
        turn = draw(st.sampled_from([0.0, 0.2]))
        volumes.append(Volume(dataset, name, turn, draw(st.lists(figures, max_size=3))))
    return Project(classes, volumes)


# On disk


def write_project(project: Project, folder: Path) -> Path:
    """Write a project as the SDK lays it out; return its folder."""
    folder.mkdir(parents=True)
    classes = [
        {"title": title, "description": said, "shape": shape, "color": f"#{at + 1:02X}80F0"}
        for at, (title, said, shape) in enumerate(project.classes)
    ]
    meta = {"classes": classes, "tags": [], "projectType": "volumes"}
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "key_id_map.json").write_text("{}")
    for number, volume in enumerate(project.volumes):
        _write_volume(volume, folder / "/datasets/".join(volume.dataset.split("/")), number)
    return folder


def _write_volume(volume: Volume, place: Path, number: int) -> None:
    for part in ("volume", "ann", "mask"):
        (place / part).mkdir(parents=True, exist_ok=True)
    affine = np.eye(4)
    affine[:3, :3] = nib.eulerangles.euler2mat(z=volume.turn) @ np.diag([1.5, 2.0, 4.0])
    affine[:3, 3] = 7.3, -11.25, 0.4
    header = {
        "space": "right-anterior-superior",
        "space directions": affine[:3, :3].T,
        "space origin": affine[:3, 3],
    }
    voxels = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) + np.int16(number)
    nrrd.write(str(place / "volume" / volume.name), voxels, header)
    masks = place / "mask" / volume.name
    masks.mkdir()
    objects, figures = [], []
    for at, figure in enumerate(volume.figures):
        key, own = (format(1000 * number + 10 * at + kind, "032x") for kind in (1, 2))
        objects.append({"key": own, "classTitle": figure.title, "tags": []})
        one = {"key": key, "objectKey": own, "geometryType": "mask_3d", "geometry": {}}
        figures.append({**one, "customData": figure.custom})
        nrrd.write(str(masks / f"{key}.nrrd"), figure.mask(), header)
    content = {
        "key": format(1000 * number, "032x"),
        "tags": [],
        "objects": objects,
        "planes": [],
        "spatialFigures": figures,
    }
    (place / "ann" / f"{volume.name}.json").write_text(json.dumps(content))
