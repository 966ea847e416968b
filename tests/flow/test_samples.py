"""Every sample lands complete: classes, colours, objects, voxels, positions and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import nifti_kit as nk
from tests.support import oracle
from tests.support.builders import SAMPLES

NEAR_MM = 1e-4
DATASET = "samples"


class Expected(NamedTuple):
    """An object that must be in the project."""

    volume: str
    class_name: str
    color: str | None
    mask: Path
    value: int
    plane: str | None = None
    table: Path | None = None


def semantic(folder: Path, names: dict[str, str], colours: Path | None) -> list[Expected]:
    """One object for each value; ``names`` is plane to (volume name, mask name)."""
    classes = oracle.colour_map(colours) if colours else {}
    found = []
    for plane, (volume, mask) in names.items():
        path = folder / mask
        for value in oracle.mask_positions(path):
            name, color = classes.get(value, (f"Segment_{value}", None))
            table = folder / f"{plane}_score.csv"
            found.append(
                Expected(volume, name, color, path, value, plane, table if table.exists() else None)
            )
    return found


def instance(folder: Path, files: dict[str, tuple[str, int]], colours: Path) -> list[Expected]:
    """One object for each value of each file; ``files`` is mask name to (volume, index)."""
    classes = oracle.colour_map(colours)
    return [
        Expected(volume, *classes[index], folder / mask, value)
        for mask, (volume, index) in files.items()
        for value in oracle.mask_positions(folder / mask)
    ]


def by_volume(folder: Path) -> list[Expected]:
    return [
        Expected(f"{mask.parent.name}.nrrd", mask.name.split(".nii")[0], None, mask, value)
        for mask in sorted(folder.glob("*/*.nii*"))
        for value in oracle.mask_positions(mask)
    ]


def planes(volume: str, mask: str) -> dict[str, tuple[str, str]]:
    return {plane: (volume.format(plane), mask.format(plane)) for plane in ("axl", "cor", "sag")}


INSTANCE_FILES = {
    "axl_inference_1.nii": ("axl_anatomic.nrrd", 1),
    "axl_inference_2.nii": ("axl_anatomic.nrrd", 2),
    "cor_inference_1.nii.gz": ("cor_anatomic.nrrd", 1),
    "cor_inference_2.nii.gz": ("cor_anatomic.nrrd", 2),
    "cor_inference_3.nii.gz": ("cor_anatomic.nrrd", 3),
    "sag_inference_1.nii.gz": ("sag_anatomic.nrrd", 1),
}


def expected_of(sample: str) -> tuple[dict[str, Path], list[Expected]]:
    """Return volume name to source file, and the objects, written down by hand per sample."""
    folder = SAMPLES / sample
    plain = planes("{}_anatomic.nrrd", "{}_inference.nii.gz")
    volumes = {f"{p}_anatomic.nrrd": folder / f"{p}_anatomic.nii.gz" for p in plain}
    if sample == "by_plane_semantic":
        return volumes, semantic(folder, plain, folder / "cls_color_map.txt")
    if sample == "scores":
        return volumes, semantic(folder, plain, None)
    if sample == "by_plane_instance":
        volumes["axl_anatomic.nrrd"] = folder / "axl_anatomic.nii"
        return volumes, instance(folder, INSTANCE_FILES, folder / "cls_color_map.txt")
    if sample == "by_volume":
        names = ("Abdomen", "CTChest", "Cord")
        return {f"{n}.nrrd": folder / f"{n}.nii.gz" for n in names}, by_volume(folder)
    assert sample == "multi_item"
    volumes, objects = {}, []
    for prefix, place in (("item_1", "item_1"), ("item_2", "study_b/visit_2/item_2")):
        for plane in plain:
            path = folder / place / f"{plane}_anatomic.nii.gz"
            volumes[f"{prefix}_{plane}_anatomic.nrrd"] = path
        names = planes(prefix + "_{}_anatomic.nrrd", "{}_inference.nii.gz")
        objects += semantic(folder / place, names, folder / "cls_color_map.txt")
    for plane in plain:
        path = folder / "study_c" / f"P07_{plane}_anatomical.nii.gz"
        volumes[f"P07_{plane}_anatomical.nrrd"] = path
    names = planes("P07_{}_anatomical.nrrd", "P07_{}_mask.nii.gz")
    objects += semantic(folder / "study_c", names, folder / "cls_color_map.txt")
    return volumes, objects


def land(source: Path, out: Path, dataset: str | None = DATASET, **choices: Any) -> nk.verify:
    """Scan, plan and upload a sample; return the plan."""
    plan = nk.plan(nk.scan(source))
    assert not plan.blockers, plan
    target = nk.ProjectFolder(out, dataset=dataset)
    receipt = nk.upload(plan, target, on_progress=lambda _: None, **choices)
    proof = nk.verify(receipt, target)
    assert proof.ok, proof
    return plan


def assert_volumes(project: oracle.Project, volumes: dict[str, Path]) -> None:
    assert sorted(project.volumes) == sorted(volumes)
    for name, path in volumes.items():
        data, affine = oracle.volume_in_ras(path)
        landed, landed_affine = project.volumes[name]
        np.testing.assert_array_equal(landed, data)
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in data.shape])).reshape(3, -1).T
        moved = oracle.nib.affines.apply_affine(affine, corners)
        moved -= oracle.nib.affines.apply_affine(landed_affine, corners)
        assert np.linalg.norm(moved, axis=1).max() < NEAR_MM


def assert_objects(project: oracle.Project, expected: list[Expected]) -> None:
    """Every expected object is there once, at its place; nothing else is."""
    left = list(project.objects)
    positions = {path: oracle.mask_positions(path) for path in {e.mask for e in expected}}
    for wanted in expected:
        where = positions[wanted.mask][wanted.value]
        matches = [
            landed
            for landed in left
            if (landed.volume, landed.class_name) == (wanted.volume, wanted.class_name)
            and landed.positions.shape == where.shape
            and np.abs(landed.positions - where).max() < NEAR_MM
        ]
        assert len(matches) == 1, f"{wanted}: {len(matches)} of {len(project.of(wanted.volume))}"
        left.remove(matches[0])
        assert matches[0].color == wanted.color or wanted.color is None
        assert matches[0].shape == project.volumes[wanted.volume][0].shape
        assert matches[0].custom_data == expected_scores(project, wanted)
    assert left == []


def expected_scores(project: oracle.Project, wanted: Expected) -> dict[str, Any]:
    if wanted.table is None or wanted.plane is None:
        return {}
    affine = project.volumes[wanted.volume][1]
    slices = oracle.score_slices(wanted.table, wanted.mask, wanted.plane, affine)
    return oracle.custom_data(slices.get(wanted.value, {}), wanted.plane)


@pytest.mark.parametrize(
    "sample", ["by_volume", "by_plane_semantic", "by_plane_instance", "multi_item", "scores"]
)
def test_a_sample_lands_complete(sample: str, tmp_path: Path) -> None:
    volumes, expected = expected_of(sample)
    assert len(expected) > 10
    land(SAMPLES / sample, tmp_path / "out")
    project = oracle.read_project(tmp_path / "out", DATASET)
    assert_volumes(project, volumes)
    assert_objects(project, expected)


def test_the_scores_sample_has_scores_on_every_plane(tmp_path: Path) -> None:
    land(SAMPLES / "scores", tmp_path / "out")
    project = oracle.read_project(tmp_path / "out", DATASET)
    scored = {(o.volume, plane) for o in project.objects for plane in o.custom_data}
    assert scored == {
        ("axl_anatomic.nrrd", "0-0-1"),
        ("cor_anatomic.nrrd", "0-1-0"),
        ("sag_anatomic.nrrd", "1-0-0"),
    }


def test_an_archive_lands_as_its_folder_does(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_instance.zip", tmp_path / "out")
    project = oracle.read_project(tmp_path / "out", DATASET)
    volumes, expected = expected_of("by_plane_instance")
    assert_volumes(project, volumes)
    assert_objects(project, expected)


def test_ids_are_counted_from_one_for_volumes_objects_and_figures(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_semantic", tmp_path / "out")
    project = oracle.read_project(tmp_path / "out", DATASET)
    volume_ids = {name: project.ids["videos"][key] for name, key in project.keys.items()}
    names = [f"{plane}_anatomic.nrrd" for plane in ("axl", "cor", "sag")]
    assert volume_ids == dict(zip(names, (1, 2, 3), strict=True))
    for kind in ("objects", "figures"):
        count = len(project.objects)
        assert sorted(project.ids[kind].values()) == list(range(1, count + 1))


def test_annotations_alone_land_on_the_volumes_of_one_dataset(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_semantic", tmp_path / "out", "chest")
    land(SAMPLES / "annotations_dataset", tmp_path / "out", "chest")
    project = oracle.read_project(tmp_path / "out", "chest")
    folder = SAMPLES / "annotations_dataset"
    files = {
        "axl_inference_1.nii.gz": ("axl_anatomic.nrrd", 1),
        "axl_inference_2.nii.gz": ("axl_anatomic.nrrd", 2),
        "cor_inference_1.nii.gz": ("cor_anatomic.nrrd", 1),
        "cor_inference_3.nii.gz": ("cor_anatomic.nrrd", 3),
    }
    volumes, before = expected_of("by_plane_semantic")
    assert_volumes(project, volumes)
    assert_objects(project, before + instance(folder, files, folder / "color_map.txt"))


def test_annotations_alone_land_on_the_datasets_of_a_project(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_semantic", tmp_path / "out", "chest")
    land(SAMPLES / "scores", tmp_path / "out", "scores")
    land(SAMPLES / "annotations_project", tmp_path / "out", None)
    colours = SAMPLES / "annotations_project" / "cls_color_map.txt"
    files = {
        "axl_inference_1.nii.gz": ("axl_anatomic.nrrd", 1),
        "axl_inference_2.nii.gz": ("axl_anatomic.nrrd", 2),
        "cor_inference_3.nii.gz": ("cor_anatomic.nrrd", 3),
    }
    for dataset, sample in (("chest", "by_plane_semantic"), ("scores", "scores")):
        project = oracle.read_project(tmp_path / "out", dataset)
        volumes, before = expected_of(sample)
        folder = SAMPLES / "annotations_project" / dataset
        assert_volumes(project, volumes)
        assert_objects(project, before + instance(folder, files, colours))


def test_all_samples_together_take_less_than_8_megabytes() -> None:
    total = sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file())
    assert total < 8 * 2**20
