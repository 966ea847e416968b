"""What is written opens in the SDK, SimpleITK, pynrrd and nibabel, the same voxels in one place."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from tests.support.builders import SAMPLES

DATASETS = {
    "volumes": "by_volume",
    "by_plane_semantic": "by_plane_semantic",
    "by_plane_instance": "by_plane_instance",
    "multi_item": "multi_item",
    "scores": "scores",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every sample in one project, a dataset each."""
    out = tmp_path_factory.mktemp("sdk") / "project"
    for dataset, sample in DATASETS.items():
        target = nk.ProjectFolder(out, dataset=dataset)
        nk.upload(nk.plan(nk.scan(SAMPLES / sample)), target, on_progress=lambda _: None)
    nk.upload(
        nk.plan(nk.scan(SAMPLES / "by_plane_semantic")),
        nk.ProjectFolder(out, dataset="scores/nested"),
        on_progress=lambda _: None,
    )
    return out


def written(project: Path) -> list[Path]:
    files = sorted(project.rglob("*.nrrd"))
    return [path for path in files if path.is_file()]


@pytest.mark.sly
def test_the_sdk_opens_the_project_with_all_datasets(project: Path, sly: ModuleType) -> None:
    opened = sly.VolumeProject(str(project), sly.OpenMode.READ)
    names = sorted(dataset.name for dataset in opened.datasets)
    assert names == sorted([*DATASETS, "scores/nested"])
    assert opened.meta.project_type in (None, "volumes", sly.ProjectType.VOLUMES)
    assert {c.geometry_type for c in opened.meta.obj_classes} == {sly.Mask3D}


@pytest.mark.sly
def test_the_sdk_parses_every_annotation_with_and_without_ids(
    project: Path, sly: ModuleType
) -> None:
    opened = sly.VolumeProject(str(project), sly.OpenMode.READ)
    ids = json.loads((project / "key_id_map.json").read_text())
    figures = 0
    for dataset in opened.datasets:
        for name in dataset.get_items_names():
            content = json.loads(Path(dataset.get_ann_path(name)).read_text())
            plain = sly.VolumeAnnotation.from_json(content, opened.meta)
            known = sly.KeyIdMap.load_json(str(project / "key_id_map.json"))
            annotation = sly.VolumeAnnotation.from_json(content, opened.meta, known)
            assert annotation.key() == plain.key()
            assert known.get_video_id(annotation.key()) == ids["videos"][annotation.key().hex]
            for figure in annotation.spatial_figures:
                assert known.get_figure_id(figure.key()) == ids["figures"][figure.key().hex]
                assert Path(dataset.get_mask_path(name, figure)).is_file()
                figures += 1
    assert figures == len(ids["figures"]) > 200


@pytest.mark.sly
def test_the_sdk_reads_every_geometry_from_bytes_whatever_its_size(
    project: Path, sly: ModuleType
) -> None:
    masks = [path for path in written(project) if path.parent.parent.name == "mask"]
    smallest = min(path.stat().st_size for path in masks)
    assert smallest > 8192
    for path in masks:
        data, _ = nrrd.read(str(path))
        geometry = sly.Mask3D.from_bytes(path.read_bytes())
        if path.parent.name == "CTChest.nrrd":  # oblique: the SDK reads it, and tilts it itself
            assert geometry.data.sum() == data.sum()
        else:
            np.testing.assert_array_equal(geometry.data, data > 0)


def test_simpleitk_pynrrd_and_nibabel_agree_on_every_file(project: Path, tmp_path: Path) -> None:
    SimpleITK = pytest.importorskip("SimpleITK")  # noqa: N806

    for path in written(project):
        data, header = nrrd.read(str(path))
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(header["space directions"]).T
        affine[:3, 3] = header["space origin"]
        image = SimpleITK.ReadImage(str(path))
        voxels = SimpleITK.GetArrayFromImage(image).transpose()
        np.testing.assert_array_equal(voxels, data)
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in data.shape])).reshape(3, -1).T
        itk = [image.TransformIndexToPhysicalPoint([int(i) for i in c]) for c in corners]
        ras = nib.affines.apply_affine(affine, corners)
        np.testing.assert_allclose(np.array(itk) * [-1, -1, 1], ras, atol=1e-4)
        through = through_nibabel(data, affine, tmp_path / "one.nii")
        np.testing.assert_array_equal(through[0], data)
        np.testing.assert_allclose(through[1], affine, atol=1e-4)


def through_nibabel(data: Any, affine: np.ndarray, path: Path) -> tuple[Any, np.ndarray]:
    """Return what nibabel reads of an image that it wrote with this affine."""
    nib.save(nib.Nifti1Image(data, affine, dtype=data.dtype), path)
    image = nib.load(path)
    canonical = nib.as_closest_canonical(image)
    return np.asanyarray(canonical.dataobj), canonical.affine


def test_every_written_file_is_in_the_nearest_order_to_ras(project: Path) -> None:
    for path in written(project):
        header = nrrd.read_header(str(path))
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(header["space directions"]).T
        assert nib.aff2axcodes(affine) == ("R", "A", "S")


@pytest.mark.sly
def test_the_volume_meta_is_what_the_sdk_computes(project: Path, sly: ModuleType) -> None:
    for dataset in ("by_plane_semantic", "scores"):
        for path in (project / dataset / "volume").iterdir():
            _, meta = sly.volume.read_nrrd_serie_volume_np(str(path))
            ann = json.loads((project / dataset / "ann" / f"{path.name}.json").read_text())
            ours = ann["volumeMeta"]
            assert set(ours) == set(meta)
            for key, value in meta.items():
                if key in ("spacing", "origin", "directions"):
                    np.testing.assert_allclose(ours[key], value, atol=1e-6)
                else:
                    assert ours[key] == value, key


@pytest.mark.sly
@pytest.mark.parametrize("name", ["by_volume", "johann", "knee/mask"])
def test_a_dataset_that_the_sdk_would_not_see_is_refused(
    name: str, sly: ModuleType, tmp_path: Path
) -> None:
    assert name.endswith(tuple(sly.VolumeDataset.ignorable_dirs()))
    plan = nk.plan(nk.scan(SAMPLES / "by_plane_semantic"))
    with pytest.raises(nk.errors.TargetError, match="would not see a dataset"):
        nk.upload(plan, nk.ProjectFolder(tmp_path / "out", dataset=name))
    assert not (tmp_path / "out").exists()


@pytest.mark.sly
def test_the_endings_that_are_refused_are_those_of_the_sdk(sly: ModuleType) -> None:
    from nifti_kit.targets.folder.reservation import UNSEEN_ENDINGS

    assert sorted(UNSEEN_ENDINGS) == sorted(sly.VolumeDataset.ignorable_dirs())
