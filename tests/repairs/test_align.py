"""The specification's two alignment options: every voxel of a mask at its own place."""

from __future__ import annotations

import gzip
import itertools

import nibabel as nib
import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nifti_kit import align_mask
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import BadLabels, NiftiKitError, UnreadableFile
from nifti_kit.formats.nifti import read_header
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti
from tests.support.handmade import write_array

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = nib.eulerangles.euler2mat(z=0.5, y=-0.3, x=0.4) * [2.0, 3.0, 5.0]
OBLIQUE[:3, 3] = [-101.123, 57.4567, 12.3455]
"""Turned out of all axes, with an origin that is no whole millimetre."""

ORDERS = list(
    itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3))
)


def reordered(affine, axes, signs):
    """An affine whose columns stand in another order and direction."""
    matrix = np.array(affine)
    matrix[:3, :3] = affine[:3, axes] * signs
    return matrix


def header_of(affine, space="right-anterior-superior", **more):
    """The header that ``nrrd.read_header`` gives for a volume of this affine to RAS+."""
    sign = {"right-anterior-superior": 1, "left-posterior-superior": -1}[space]
    turned = np.diag([sign, sign, 1, 1]) @ affine
    return {
        "type": "int16",
        "dimension": 3,
        "space": space,
        "sizes": np.array(SHAPE),
        "space directions": turned[:3, :3].T,
        "space origin": turned[:3, 3],
        **more,
    }


def sorted_points(points):
    return points[np.lexsort(points.round(2).T)]


def assert_in_place(aligned, mask, affine):
    """Every voxel of the mask is a voxel of the result at the same place, and no other."""
    header = aligned.header
    landed = np.argwhere(aligned.mask) @ header["space directions"] + header["space origin"]
    source = nib.affines.apply_affine(affine, np.argwhere(mask))
    assert len(landed) == len(source) > 0
    np.testing.assert_allclose(sorted_points(landed), sorted_points(source), rtol=0, atol=1e-4)
    directions = np.eye(4)
    directions[:3, :3] = header["space directions"].T
    assert nib.aff2axcodes(directions) == ("R", "A", "S")
    assert header["space"] == "right-anterior-superior"
    assert tuple(header["sizes"]) == aligned.mask.shape


# Option 1: an array and its volume's header


@pytest.mark.parametrize("space", ["right-anterior-superior", "left-posterior-superior"])
@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize(("axes", "signs"), ORDERS)
def test_an_array_is_put_where_its_volumes_header_says(space, affine, axes, signs):
    stored = reordered(affine, list(axes), signs)
    aligned = align_mask(labels(), header_of(stored, space))
    assert aligned.mask.dtype == bool
    assert aligned.mask.flags.c_contiguous
    assert_in_place(aligned, labels(), stored)


@pytest.mark.parametrize("space", ["right-anterior-superior", "left-posterior-superior"])
def test_the_header_that_pynrrd_reads_is_taken_as_it_is(tmp_path, space):
    path = tmp_path / "volume.nrrd"
    nrrd.write(str(path), volume(), header_of(reordered(OBLIQUE, [2, 0, 1], (-1, 1, -1)), space))
    affine = reordered(OBLIQUE, [2, 0, 1], (-1, 1, -1))
    assert_in_place(align_mask(labels(), nrrd.read_header(str(path))), labels(), affine)
    assert_in_place(align_mask(labels(), path), labels(), affine)
    assert_in_place(align_mask(labels(), str(path)), labels(), affine)


def test_a_header_without_sizes_takes_those_of_the_array():
    header = header_of(OBLIQUE)
    del header["sizes"]
    assert_in_place(align_mask(labels(), header), labels(), OBLIQUE)


def as_nifti(path):
    return write_nifti(path / "volume.nii", volume(), OBLIQUE)


VOLUMES = {
    "nifti": as_nifti,
    "nifti as text": lambda path: str(as_nifti(path)),
    "gzip without an ending": lambda path: write_array(
        path / "volume", volume(), affine=OBLIQUE, packed=True
    ),
    "image": lambda path: read_header(as_nifti(path)),
    "grid": lambda _: Grid(SHAPE, OBLIQUE),
    "affine": lambda _: OBLIQUE,
    "affine in lists": lambda _: OBLIQUE.tolist(),
}  # fmt: skip


@pytest.mark.parametrize("make", VOLUMES.values(), ids=VOLUMES)
def test_a_volume_can_be_given_as(tmp_path, make):
    assert_in_place(align_mask(labels(), make(tmp_path)), labels(), OBLIQUE)


@settings(deadline=None)
@given(
    st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    st.tuples(*[st.floats(0.3, 5)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_every_rotation_keeps_every_voxel_in_its_place(quaternion, sizes, origin):
    affine = np.eye(4)
    affine[:3, :3] = nib.quaternions.quat2mat(quaternion) * sizes
    affine[:3, 3] = origin
    mask = np.zeros((3, 4, 5), bool)
    mask[0, 1:3, 2], mask[2, 3, 4] = True, True
    aligned = align_mask(mask, affine)
    header = aligned.header
    landed = np.argwhere(aligned.mask) @ header["space directions"] + header["space origin"]
    for place in nib.affines.apply_affine(affine, np.argwhere(mask)):
        assert np.linalg.norm(landed - place, axis=1).min() < 1e-9
    assert len(landed) == 3


# Option 2: a NIfTI mask by its own header


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize(("axes", "signs"), ORDERS)
def test_a_nifti_mask_is_put_where_its_own_header_says(tmp_path, affine, axes, signs):
    path = write_nifti(tmp_path / "a.nii.gz", labels(), reordered(affine, list(axes), signs))
    aligned = align_mask(path)
    assert_in_place(aligned, labels(), nib.load(path).affine)


def test_a_nifti_mask_by_quaternion_is_put_where_nibabel_puts_it(tmp_path):
    path = write_nifti(tmp_path / "a.nii", labels(), OBLIQUE, sform=0, qform=1)
    assert_in_place(align_mask(str(path)), labels(), nib.load(path).affine)


# Values


@pytest.mark.parametrize(("value", "expected"), [(None, [1, 2]), (1, [1]), (2, [2]), (0, [0])])
def test_one_value_or_all_but_zero_are_taken(tmp_path, value, expected):
    path = write_nifti(tmp_path / "a.nii", labels())
    chosen = np.isin(labels(), expected)
    np.testing.assert_array_equal(align_mask(path, value=value).mask, chosen)
    np.testing.assert_array_equal(align_mask(labels(), AFFINE, value=value).mask, chosen)


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint16, np.float32, np.float64])
def test_an_array_of_any_type_is_taken(kind):
    np.testing.assert_array_equal(align_mask(labels().astype(kind), AFFINE).mask, labels() > 0)


def test_nested_lists_are_taken_as_an_array():
    assert align_mask(labels().tolist(), AFFINE).mask.sum() == np.count_nonzero(labels())


# What comes back


def test_the_result_unpacks_as_the_specification_writes_it():
    mask, header = align_mask(labels(), header_of(OBLIQUE))
    np.testing.assert_array_equal(header["space origin"], OBLIQUE[:3, 3])
    assert mask.shape == SHAPE


def test_the_result_knows_its_grid_and_writes_its_file(tmp_path):
    aligned = align_mask(labels(), reordered(OBLIQUE, [1, 2, 0], (1, -1, 1)))
    assert aligned.grid.shape == aligned.mask.shape
    aligned.save(tmp_path / "mask.nrrd")
    assert (tmp_path / "mask.nrrd").read_bytes() == aligned.to_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["mask.nrrd"]
    data, header = nrrd.read(str(tmp_path / "mask.nrrd"))
    assert data.dtype == np.uint8
    np.testing.assert_array_equal(data, aligned.mask)
    np.testing.assert_array_equal(header["space origin"], aligned.grid.origin)
    np.testing.assert_array_equal(header["space directions"], aligned.grid.affine[:3, :3].T)


@pytest.mark.sly
def test_the_sdk_rounds_the_origin_and_we_do_not(sly, tmp_path):
    mask, header = aligned = align_mask(labels(), header_of(OBLIQUE))
    geometry = sly.Mask3D(mask, volume_header=header)
    assert geometry.space_origin == [-101, 57, 12]
    assert header["space origin"].tolist() == [-101.123, 57.4567, 12.3455]
    assert len(aligned.to_bytes()) >= 10_240
    aligned.save(tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(
        nrrd.read_header(str(tmp_path / "mask.nrrd"))["space origin"], [-101.123, 57.4567, 12.3455]
    )
    np.testing.assert_array_equal(sly.Mask3D.from_bytes(aligned.to_bytes()).data, mask)


# What is refused


def test_an_array_without_a_volume_is_refused():
    with pytest.raises(NiftiKitError) as caught:
        align_mask(labels())
    assert str(caught.value) == (
        "an array needs the volume that it belongs to Found: NoneType. "
        "Expected: a NRRD header, a .nrrd or NIfTI file, or a 4 x 4 affine. "
        "Remedy: Give it as the second argument, or give the mask's NIfTI file."
    )


@pytest.mark.parametrize(
    "given", [np.eye(3), 7, [[1, 2], [3, 4]], object()], ids=["3x3", "number", "2x2", "object"]
)
def test_what_describes_no_volume_is_refused(given):
    with pytest.raises(NiftiKitError, match="an array needs the volume"):
        align_mask(labels(), given)


def test_an_array_that_is_not_3d_is_refused():
    with pytest.raises(NiftiKitError, match="an array needs the volume"):
        align_mask(labels()[0], AFFINE)


@pytest.mark.parametrize("given", [header_of(AFFINE), Grid(SHAPE, AFFINE)], ids=["header", "grid"])
def test_another_shape_than_the_volumes_is_refused(given):
    with pytest.raises(NiftiKitError) as caught:
        align_mask(labels((5, 6, 8)), given)
    assert str(caught.value) == (
        "the mask has another shape than its volume Found: (5, 6, 8). Expected: (5, 6, 7). "
        "Remedy: Give the volume that the mask was made on, or resample the mask onto it."
    )


@pytest.mark.parametrize(
    ("affine", "found"),
    [
        (np.diag([1.0, 0, 1, 1]), "the affine has an axis of length 0"),
        (np.diag([1.0, np.nan, 1, 1]), "the affine has a value that is not finite"),
        ([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "a shear of 5.71 degrees"),
    ],
    ids=["zero", "nan", "shear"],
)
def test_a_grid_that_cannot_be_used_is_refused(affine, found):
    with pytest.raises(NiftiKitError) as caught:
        align_mask(labels(), affine)
    assert str(caught.value) == (
        f"the grid cannot be used Found: {found}. "
        "Remedy: Write the volume's header again, or resample the image."
    )


def test_a_mask_without_the_value_is_refused(tmp_path):
    path = write_nifti(tmp_path / "a.nii", labels())
    with pytest.raises(BadLabels) as caught:
        align_mask(path, value=7)
    assert str(caught.value) == (
        f"{path}: the mask has no voxel of the value 7 "
        "Remedy: Choose another value, or leave the mask out."
    )
    with pytest.raises(BadLabels, match=r"^the mask has no voxel Remedy"):
        align_mask(np.zeros(SHAPE), AFFINE)


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf], ids=["fraction", "nan", "infinite"])
def test_a_nifti_mask_that_is_no_label_map_is_refused(tmp_path, bad):
    array = labels().astype(np.float32)
    array[0, 0, 0] = bad
    with pytest.raises(BadLabels, match="the file holds values that are no labels"):
        align_mask(write_array(tmp_path / "a.nii", array))


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (0.5, "fractions"),
        (1.0011, "fractions"),
        (np.nan, "values that are not finite (NaN or infinite)"),
        (-np.inf, "values that are not finite (NaN or infinite)"),
    ],
)
def test_an_array_that_is_no_label_map_is_refused_as_a_file_is(bad, found):
    array = labels().astype(np.float32)
    array[0, 0, 0] = bad
    with pytest.raises(BadLabels) as caught:
        align_mask(array, AFFINE)
    assert str(caught.value) == (
        f"the mask holds values that are no labels Found: {found}. Expected: integers. "
        "Remedy: Apply a threshold first: mask > 0.5."
    )


def test_floats_next_to_integers_are_those_integers():
    array = labels().astype(np.float64)
    array[array == 2] = 1.9999999
    array[4, 5, 6] = 1e-9
    np.testing.assert_array_equal(align_mask(array, AFFINE, value=2).mask, labels() == 2)
    np.testing.assert_array_equal(align_mask(array, AFFINE).mask, labels() > 0)


@pytest.mark.parametrize("name", ["none.nii", "none.nrrd"])
def test_a_missing_file_is_unreadable(tmp_path, name):
    with pytest.raises(UnreadableFile, match="No such file"):
        align_mask(labels(), tmp_path / name)
    with pytest.raises(UnreadableFile, match="No such file"):
        align_mask(tmp_path / name)


def test_a_damaged_mask_is_unreadable(tmp_path):
    path = write_array(tmp_path / "a.nii.gz", labels(), packed=True)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UnreadableFile):
        align_mask(path)


def test_a_file_that_is_no_volume_is_unreadable(tmp_path):
    (tmp_path / "volume.txt").write_text("hello")
    (tmp_path / "volume.gz").write_bytes(gzip.compress(b"hello"))
    with pytest.raises(UnreadableFile, match="the NRRD file cannot be read"):
        align_mask(labels(), tmp_path / "volume.txt")
    with pytest.raises(UnreadableFile, match="it is no NIfTI file"):
        align_mask(labels(), tmp_path / "volume.gz")


def test_a_header_of_an_unknown_space_is_refused():
    with pytest.raises(UnreadableFile, match="the volume's header: the NRRD header does not say"):
        align_mask(labels(), header_of(AFFINE) | {"space": "scanner-xyz"})


# A file and a volume


def moved(affine, x, y, z):
    matrix = np.array(affine)
    matrix[:3, 3] += (x, y, z)
    return matrix


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize(("axes", "signs"), ORDERS[::5])
def test_a_file_that_lies_on_its_volume_goes_by_its_own_header(tmp_path, affine, axes, signs):
    own = reordered(affine, list(axes), signs)
    path = write_nifti(tmp_path / "a.nii.gz", labels(), own)
    grid = read_header(path).grid
    for fitting in (grid, grid.to_ras()):
        aligned, alone = align_mask(path, fitting), align_mask(path)
        np.testing.assert_array_equal(aligned.mask, alone.mask)
        np.testing.assert_array_equal(aligned.grid.affine, alone.grid.affine)


def test_a_file_is_compared_with_a_volume_of_any_kind(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", labels())
    write_nifti(tmp_path / "volume.nii.gz")
    kinds = [AFFINE, header_of(AFFINE), Grid(SHAPE, AFFINE), tmp_path / "volume.nii.gz"]
    for fitting in kinds:
        assert align_mask(path, fitting).mask.sum() == np.count_nonzero(labels())
    write_nifti(tmp_path / "volume.nii.gz", affine=moved(AFFINE, 2, 0, 0))
    far = moved(AFFINE, 2, 0, 0)
    for shifted in (far, header_of(far), Grid(SHAPE, far), tmp_path / "volume.nii.gz"):
        with pytest.raises(NiftiKitError, match="Found: translated: corners up to 2 mm"):
            align_mask(path, shifted)


OWN = "To place the mask by its own header all the same, leave the volume out."
ARRAY = (
    "If its voxels are in the volume's order, give them as an array with the volume: "
    "align_mask(nibabel.load(file).get_fdata(), volume). "
)
EXCHANGED = (
    "Give its voxels as an array with its axes in the volume's order (numpy.transpose): "
    "align_mask(array, volume). "
)
APART = {
    "header lost": (
        (np.eye(4), SHAPE),
        "corners up to 35.81 mm (6.23 voxels) away; 0 %",
        ARRAY,
    ),
    "translated": (
        (moved(AFFINE, 4, 0, 0), SHAPE),
        "corners up to 4 mm (2 voxels) away; 60 %",
        ARRAY,
    ),
    "resampled": (
        (AFFINE @ np.diag([0.5, 0.5, 0.5, 1]), (10, 12, 14)),
        "10 x 12 x 14 voxels on 5 x 6 x 7; 88 %",
        "Resample the mask onto the volume's grid (nk.repairs.resample). ",
    ),
    "axes exchanged": (
        (AFFINE, SHAPE[::-1]),
        "7 x 6 x 5 voxels on 5 x 6 x 7; 72 %",
        EXCHANGED,
    ),
    "apart": (
        (moved(AFFINE @ np.diag([2, 1, 1, 1]), 900, 0, 0), SHAPE),
        "corners up to 908 mm (454 voxels) away; 0 %",
        "Give the volume that the mask was made on. ",
    ),
}


@pytest.mark.parametrize("verdict", APART)
def test_a_file_that_lies_elsewhere_is_refused_with_its_distance(tmp_path, verdict):
    (affine, shape), found, remedy = APART[verdict]
    path = write_nifti(tmp_path / "a.nii", labels(shape), affine)
    with pytest.raises(NiftiKitError) as caught:
        align_mask(path, Grid(SHAPE, AFFINE))
    assert caught.value.message == "the mask does not lie on the voxels of its volume"
    assert caught.value.path == str(path)
    assert caught.value.found == f"{verdict}: {found} of its field of view is in the volume's"
    assert caught.value.expected == "the volume's grid, in any order of axes"
    assert caught.value.remedy == remedy + OWN
    assert align_mask(path).mask.sum() == np.count_nonzero(labels(shape))


def test_the_remedy_of_a_lost_header_works(tmp_path):
    path = write_nifti(tmp_path / "a.nii", labels(), np.eye(4))
    mask, header = align_mask(nib.load(path).get_fdata(), header_of(OBLIQUE))
    np.testing.assert_array_equal(header["space origin"], OBLIQUE[:3, 3])
    assert mask.sum() == np.count_nonzero(labels())


def test_a_volume_without_a_place_is_no_fault_of_the_mask(tmp_path):
    path = write_nifti(tmp_path / "a.nii", labels())
    with pytest.raises(NiftiKitError) as caught:
        align_mask(path, np.diag([1.0, 0, 1, 1]))
    assert str(caught.value) == (
        "the volume's header gives it no place in space Found: the affine has an axis of length 0. "
        "Remedy: Write the volume's header again, or leave the volume out."
    )


def test_a_part_of_the_volume_gets_zeros_around_it(tmp_path):
    box = (slice(0, 3), slice(1, 4), slice(2, 6))
    affine = np.array(OBLIQUE)
    affine[:3, 3] = (OBLIQUE @ [0, 1, 2, 1])[:3]
    path = write_nifti(tmp_path / "a.nii", labels()[box], affine)
    aligned = align_mask(path, Grid(SHAPE, OBLIQUE))
    whole = align_mask(labels(), OBLIQUE)
    np.testing.assert_array_equal(aligned.mask, whole.mask)
    np.testing.assert_allclose(aligned.grid.affine, whole.grid.affine, atol=1e-5)
    assert align_mask(path).mask.shape != whole.mask.shape
