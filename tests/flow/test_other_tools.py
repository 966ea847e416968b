"""What other tools of the field write lands in its place: each tool is run, where it is installed.

Every tool gets the same volume and label map, as arrays or as a DICOM series made here, and writes
both in its own way: other axis orders, other types, other forms. What has landed is held against
the arrays and the affine that the tool was given, not against what its files say.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from tests.support import oracle
from tests.support.dicom_files import LPS, write_series
from tests.support.landings import quiet

SHAPE = (12, 14, 9)
VOXEL = (1.1, 0.9, 2.5)
ORIGIN = (-13.25, 27.625, 41.3125)
VALUES = (1, 2, 205)
WITHIN_MM = 1e-3
"""Further from the truth nothing may land: DICOM has 16 characters a number, NIfTI float32."""

AXES = {
    "axial": np.diag([-1.0, -1.0, 1.0]),
    "oblique": np.asarray(nib.eulerangles.euler2mat(z=0.21, y=-0.13, x=0.17))
    @ np.diag([-1, -1, 1]),
    "sagittal": np.array([[0, 0, -1.0], [-1, 0, 0], [0, -1, 0]]),
}
"""The directions in RAS+ of column, row and slice: as scanners cut them."""


@dataclass(frozen=True)
class Truth:
    """What a tool is given: whole numbers by column, row, slice, and where they are (RAS+ mm)."""

    volume: np.ndarray
    labels: np.ndarray
    affine: np.ndarray


def truth(plane: str) -> Truth:
    """Return a volume whose voxels all differ, and labels without any symmetry."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[2:6, 3, 4] = labels[2, 3:8, 4] = labels[2, 3, 4:8] = VALUES[0]
    labels[7:9, 9:12, 3] = VALUES[1]
    labels[10, 2:5, 5:8] = VALUES[2]
    affine = np.eye(4)
    affine[:3, :3] = AXES[plane] @ np.diag(VOXEL)
    affine[:3, 3] = ORIGIN
    return Truth(np.arange(labels.size, dtype=np.int16).reshape(SHAPE), labels, affine)


def lps_parts(affine: np.ndarray) -> dict[str, Any]:
    """Return origin, spacing and direction as ITK has them."""
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return {
        "origin": lps[:3, 3].tolist(),
        "spacing": spacing.tolist(),
        "direction": lps[:3, :3] / spacing,
    }


# The tools: each writes scan.nii[.gz] and scan/organs.nii[.gz].


def by_simpleitk(folder: Path, given: Truth) -> None:
    sitk = pytest.importorskip("SimpleITK")
    where = lps_parts(given.affine)
    for array, name in ((given.volume, "scan.nii.gz"), (given.labels, "scan/organs.nii.gz")):
        image = sitk.GetImageFromArray(array.transpose())
        image.SetOrigin(where["origin"])
        image.SetSpacing(where["spacing"])
        image.SetDirection(where["direction"].ravel().tolist())
        sitk.WriteImage(image, str(folder / name))


def by_nilearn(folder: Path, given: Truth) -> None:
    image = pytest.importorskip("nilearn.image")
    volume = image.load_img(nib.Nifti1Image(given.volume, given.affine))
    volume.to_filename(folder / "scan.nii.gz")
    labels = image.new_img_like(volume, given.labels)
    labels.to_filename(folder / "scan/organs.nii.gz")


def by_antspy(folder: Path, given: Truth) -> None:
    ants = pytest.importorskip("ants", reason="ANTsPy (antspyx) is not installed")
    where = lps_parts(given.affine)
    volume = ants.from_numpy(given.volume.astype(np.float32), **where)
    ants.image_write(volume, str(folder / "scan.nii.gz"))
    # As a segmentation leaves it: labels of the type float, on the volume's grid.
    labels = ants.copy_image_info(volume, ants.from_numpy(given.labels.astype(np.float32)))
    ants.image_write(labels, str(folder / "scan/organs.nii.gz"))


def by_monai(folder: Path, given: Truth) -> None:
    """Both turned to RAS, as its pipelines do: the order of the voxels changes."""
    transforms = pytest.importorskip("monai.transforms")
    import torch
    from monai.data import MetaTensor

    for array, name in ((given.volume, "scan.nii.gz"), (given.labels, "scan/organs.nii.gz")):
        tensor = torch.as_tensor(array[None].astype(np.float32))
        image = transforms.Orientation(axcodes="RAS")(MetaTensor(tensor, affine=given.affine))
        save = transforms.SaveImage(
            output_dir=folder, output_postfix="", separate_folder=False, resample=False,
            print_log=False,
        )  # fmt: skip
        save(image, filename=str(folder / name).removesuffix(".nii.gz"))


def by_medvol(folder: Path, given: Truth) -> None:
    """It turns what it is given to RAS+ too."""
    medvol = pytest.importorskip("medvol")
    medvol.MedVol(given.volume, affine=given.affine).save(folder / "scan.nii.gz")
    medvol.MedVol(given.labels, affine=given.affine).save(folder / "scan/organs.nii.gz")


def by_dcm2niix(folder: Path, given: Truth) -> None:
    """Both from DICOM series; it turns the rows over, and writes a JSON file beside each."""
    dcm2niix(folder, "scan", given.volume, given.affine)
    dcm2niix(folder, "scan/organs", given.labels, given.affine, number=2)


def dcm2niix(
    folder: Path, name: str, array: np.ndarray, affine: np.ndarray, **options: Any
) -> None:
    """Convert a series, which is written outside of the folder, to ``<name>.nii.gz`` in it."""
    program = pytest.importorskip("dcm2niix").bin
    out, series = folder / name, folder.parent / "dicom" / name.replace("/", "_")
    write_series(series, array, affine, **options)
    command = [program, "-z", "y", "-f", out.name, "-o", out.parent, series]
    subprocess.run(command, check=True)


def by_dicom2nifti(folder: Path, given: Truth) -> None:
    dicom2nifti = pytest.importorskip("dicom2nifti")
    for array, name in ((given.volume, "scan.nii.gz"), (given.labels, "scan/organs.nii.gz")):
        series = folder.parent / "dicom" / Path(name).name
        write_series(series, array, given.affine)
        dicom2nifti.dicom_series_to_nifti(series, folder / name, reorient_nifti=False)


def by_highdicom(folder: Path, given: Truth) -> None:
    """A series as a volume, and a DICOM SEG laid out on it: axes are slice, row, column."""
    highdicom = pytest.importorskip("highdicom")
    images, path = segmentation(folder, given)
    volume = highdicom.get_volume_from_series(images)
    save_lps(volume, np.int16, folder / "scan.nii.gz")
    labels = highdicom.seg.segread(path).get_volume(combine_segments=True)
    save_lps(labels.match_geometry(volume), np.uint8, folder / "scan/organs.nii.gz")


def by_highdicom_as_it_comes(folder: Path, given: Truth) -> None:
    """A DICOM SEG keeps only the slices that have a segment, and so does its volume."""
    highdicom = pytest.importorskip("highdicom")
    images, path = segmentation(folder, given)
    save_lps(highdicom.get_volume_from_series(images), np.int16, folder / "scan.nii.gz")
    labels = highdicom.seg.segread(path).get_volume(combine_segments=True)
    assert labels.spatial_shape[0] < SHAPE[2]
    save_lps(labels, np.uint8, folder / "scan/organs.nii.gz")


def save_lps(volume: Any, dtype: Any, path: Path) -> None:
    """Save a volume of highdicom by nibabel, its axes as they are."""
    nib.save(nib.Nifti1Image(volume.array.astype(dtype), LPS @ volume.affine), path)


def by_dcmqi(folder: Path, given: Truth) -> None:
    """The volume of dcm2niix, and a label map that dcmqi makes of a DICOM SEG of that series."""
    dcmqi = pytest.importorskip("dcmqi")
    dcm2niix(folder, "scan", given.volume, given.affine)
    _, path = segmentation(folder, given)
    program = Path(dcmqi.__file__).parent / "bin" / "segimage2itkimage"
    out = folder.parent / "dcmqi"
    out.mkdir()
    subprocess.run(
        [program, "--inputDICOM", path, "--outputDirectory", out, "-t", "nii", "--mergeSegments"],
        check=True,
    )
    (made,) = out.glob("*.nii.gz")
    made.rename(folder / "scan/organs.nii.gz")


def segmentation(folder: Path, given: Truth) -> tuple[list[Any], Path]:
    """Write a series and a DICOM SEG with one segment a value; return the series and the SEG."""
    seg = pytest.importorskip("highdicom").seg
    import pydicom
    from pydicom.sr.codedict import codes

    paths = write_series(folder.parent / "dicom" / "seg", given.volume, given.affine)
    images = [pydicom.dcmread(path) for path in paths]
    segments = [
        seg.SegmentDescription(
            segment_number=value,
            segment_label=f"organ {value}",
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver,
            algorithm_type=seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for value in VALUES
    ]
    made = seg.Segmentation(
        source_images=images,
        pixel_array=given.labels.transpose(),  # frames, rows, columns
        segmentation_type=seg.SegmentationTypeValues.LABELMAP,
        segment_descriptions=segments,
        series_instance_uid=pydicom.uid.generate_uid(),
        series_number=9,
        sop_instance_uid=pydicom.uid.generate_uid(),
        instance_number=1,
        manufacturer="Phantoms",
        manufacturer_model_name="none",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(folder.parent / "seg.dcm")
    return images, folder.parent / "seg.dcm"


def by_niimath(folder: Path, given: Truth) -> None:
    """Both run through a calculation that changes no value: it writes the type float."""
    program = pytest.importorskip("niimath").bin
    for array, name in ((given.volume, "scan"), (given.labels, "scan/organs")):
        source = folder.parent / f"{Path(name).name}.nii"
        nib.save(nib.Nifti1Image(array, given.affine), source)
        subprocess.run([program, source, "-add", "0", folder / name], check=True)


def by_nilearn_as_stored(folder: Path, given: Truth) -> None:
    """Labels of the type float in the volume's stored type: 0.9998, 1.9997, ... after scaling."""
    image = pytest.importorskip("nilearn.image")
    volume = nib.Nifti1Image(given.volume, given.affine)
    nib.save(volume, folder / "scan.nii.gz")
    labels = image.new_img_like(volume, given.labels.astype(np.float32), copy_header=True)
    nib.save(labels, folder / "scan/organs.nii.gz")
    assert nib.load(folder / "scan/organs.nii.gz").dataobj.slope != 1


TOOLS: dict[str, Callable[[Path, Truth], None]] = {
    "SimpleITK": by_simpleitk,
    "nilearn": by_nilearn,
    "ANTsPy": by_antspy,
    "MONAI": by_monai,
    "medvol": by_medvol,
    "dcm2niix": by_dcm2niix,
    "dicom2nifti": by_dicom2nifti,
    "highdicom": by_highdicom,
    "niimath": by_niimath,
    "highdicom, cropped": by_highdicom_as_it_comes,
    "dcmqi, cropped": by_dcmqi,
    "nilearn, scaled": by_nilearn_as_stored,
}


# The tests.


@pytest.mark.parametrize("plane", AXES)
@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_tool_writes_lands_in_its_place(tool: str, plane: str, tmp_path: Path) -> None:
    given = truth(plane)
    TOOLS[tool](source(tmp_path), given)
    assert_landed(*landed(tmp_path), given)


@pytest.mark.parametrize("tool", [name for name in TOOLS if name != "dcm2niix"])
def test_a_tool_s_mask_lands_on_the_volume_of_dcm2niix(tool: str, tmp_path: Path) -> None:
    """Two tools, two orders of the voxels, one place: by the headers alone."""
    given = truth("oblique")
    by_dcm2niix(source(tmp_path), given)
    TOOLS[tool](source(tmp_path / "other"), given)
    (tmp_path / "in" / "scan" / "organs.nii.gz").unlink()
    (mask,) = (tmp_path / "other" / "in" / "scan").glob("organs.nii*")
    mask.rename(tmp_path / "in" / "scan" / mask.name)
    assert_landed(*landed(tmp_path), given)


def test_a_tilted_gantry_is_right_in_the_file_that_dcm2niix_made_upright(tmp_path: Path) -> None:
    """Beside it lies the file as scanned: its header says that it is upright too, 2 mm off here.

    Nothing in that header tells a reader, so both land; a mask made on the upright one is right.
    """
    given = truth("axial")
    spot = np.argwhere(given.labels == VALUES[0])
    tilted = given.affine.copy()
    tilted[1, 2] = VOXEL[2] * np.tan(np.deg2rad(12))
    array = np.where(given.labels == VALUES[0], 1000, 0).astype(np.int16)
    folder = source(tmp_path)
    dcm2niix(folder, "scan", array, tilted, tilt=12)
    upright = nib.load(folder / "scan_Tilt_1.nii.gz")
    labels = (np.asanyarray(upright.dataobj) > 500).astype(np.uint8)
    (folder / "scan").rmdir()
    (folder / "scan_Tilt_1").mkdir()
    nib.save(nib.Nifti1Image(labels, upright.affine), folder / "scan_Tilt_1" / "organ.nii.gz")

    project, values = landed(tmp_path)
    assert values == [1]
    meant = nib.affines.apply_affine(tilted, spot).mean(axis=0)
    (organ,) = project.of("scan_Tilt_1.nrrd")
    assert np.abs(organ.positions.mean(axis=0) - meant).max() < VOXEL[1]
    data, affine = project.volumes["scan.nrrd"]
    as_said = oracle.positions(data == 1000, affine).mean(axis=0)
    assert np.abs(as_said - meant).max() > 2


def source(folder: Path) -> Path:
    """Make the folder that a tool writes into."""
    (folder / "in" / "scan").mkdir(parents=True)
    return folder / "in"


def landed(folder: Path) -> tuple[oracle.Project, list[int]]:
    """Go the whole way; return what landed, and the value of each object that landed."""
    dataset = nk.scan(folder / "in")
    assert dataset.layout == "by_volume"
    findings = nk.check(dataset)
    assert not findings.errors, findings.errors
    plan = nk.plan(dataset)
    assert not plan.blockers
    target = nk.ProjectFolder(folder / "out", dataset="d")
    proof = nk.verify(nk.upload(plan, target, on_progress=quiet), target)
    assert proof.ok, [row for row in proof.rows if not row.ok]
    return oracle.read_project(folder / "out", "d"), [row.value for row in proof.objects]


def assert_landed(project: oracle.Project, values: list[int], given: Truth) -> None:
    """Volume and labels are where the truth has them, with its values, and nothing else is."""
    assert set(project.volumes) == {"scan.nrrd"}
    assert_same_voxels(*project.volumes["scan.nrrd"], given)
    assert values == list(VALUES)
    assert {found.class_name for found in project.objects} == {"organs"}
    for value, found in zip(values, project.of("scan.nrrd"), strict=True):
        meant = oracle.positions(given.labels == value, given.affine)
        assert found.positions.shape == meant.shape
        assert np.abs(found.positions - meant).max() < WITHIN_MM


def assert_same_voxels(data: np.ndarray, affine: np.ndarray, given: Truth) -> None:
    """Every voxel of the volume is where the truth has the voxel of this value."""
    assert data.size == given.volume.size
    ours, theirs = (np.argsort(array.ravel()) for array in (data, given.volume))
    np.testing.assert_array_equal(data.ravel()[ours], given.volume.ravel()[theirs])
    places = [
        nib.affines.apply_affine(matrix, np.argwhere(np.ones(array.shape, bool)))[order]
        for array, matrix, order in ((data, affine, ours), (given.volume, given.affine, theirs))
    ]
    assert np.abs(places[0] - places[1]).max() < WITHIN_MM
