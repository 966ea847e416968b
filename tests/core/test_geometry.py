"""Grids: orientation, affines, frames to slices, and how a mask lies against its volume."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from nifti_kit.core.geometry import (
    NORMALS,
    PLANES,
    Alignment,
    Grid,
    Orientation,
    axis_orders,
    compare_grids,
    fields_meet,
    frame_to_slice,
    gap_mm,
    lattice_orientation,
    plane_axis,
    ras_orientation,
    share_inside,
)
from tests.support.builders import AFFINE, SHAPE
from tests.support.properties import untimed

AS_IT_IS = Orientation((0, 1, 2), (False, False, False))
TIE = np.array([[1, -1, 0, 5], [1, 1, 0, -7], [0, 0, np.sqrt(2), 2], [0, 0, 0, 1]]) / np.sqrt(2)
TIE[3, 3] = 1

orientations = st.builds(
    Orientation,
    st.permutations((0, 1, 2)).map(tuple),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
shapes = st.tuples(*[st.integers(1, 5)] * 3)
unit = st.floats(-1, 1)


def rotation(quaternion):
    """The matrix of a quaternion (a, b, c, d), by Rodrigues' formula."""
    a, *axis = np.array(quaternion) / np.linalg.norm(quaternion)
    cross = np.cross(np.eye(3), axis).T
    return np.eye(3) + 2 * a * cross + 2 * cross @ cross


@st.composite
def affines(draw):
    """Rotated, scaled and shifted, of both handednesses."""
    quaternion = draw(
        st.tuples(unit, unit, unit, unit).filter(lambda q: 0.1 < np.linalg.norm(q) < 2)
    )
    sizes = draw(st.tuples(*[st.floats(0.2, 6)] * 3))
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(quaternion) * sizes * [draw(st.sampled_from((1, -1))), 1, 1]
    matrix[:3, 3] = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    return matrix


def affine_of(codes, sizes=(1, 1, 1)):
    """The affine of axes that grow in the directions of the letters."""
    columns = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for axis, (letter, size) in enumerate(zip(codes, sizes, strict=True)):
        matrix[columns[letter], axis] = size if letter in "RAS" else -size
    return matrix


def changed(row, column, by, base=AFFINE):
    matrix = np.array(base)
    matrix[row, column] += by
    return matrix


def ramp(shape):
    return np.arange(np.prod(shape)).reshape(shape)


# Orientation


@given(orientations, shapes)
def test_a_new_voxel_is_the_old_voxel_that_the_index_map_names(orientation, shape):
    old = ramp(shape)
    new = orientation.apply(old)
    matrix = orientation.index_map(shape)
    for index in np.ndindex(new.shape):
        old_index = matrix @ [*index, 1]
        assert new[index] == old[tuple(old_index[:3].astype(int))]


@given(orientations, shapes, st.data())
def test_a_box_moves_with_its_voxels(orientation, shape, data):
    box = []
    for size in shape:
        start = data.draw(st.integers(0, size - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, size))))
    inside = np.zeros(shape, bool)
    inside[tuple(box)] = True
    moved = orientation.apply_box(tuple(box), shape)
    expected = np.zeros_like(orientation.apply(inside))
    expected[moved] = True
    np.testing.assert_array_equal(orientation.apply(inside), expected)


@given(orientations, orientations, shapes)
def test_then_does_the_one_and_then_the_other(first, second, shape):
    array = ramp(shape)
    both = first.then(second)
    between = first.apply(array)
    np.testing.assert_array_equal(both.apply(array), second.apply(between))
    np.testing.assert_array_equal(
        both.index_map(shape), first.index_map(shape) @ second.index_map(between.shape)
    )


def test_apply_is_a_view_of_the_array():
    array = ramp(SHAPE)
    assert np.shares_memory(Orientation((2, 0, 1), (True, False, True)).apply(array), array)


# Grid


def test_a_grid_keeps_its_own_affine():
    matrix = np.array(AFFINE)
    grid = Grid(np.array(SHAPE), matrix)
    matrix[0, 0] = 99
    assert grid.affine[0, 0] == 2.0
    assert grid.shape == SHAPE
    assert [type(size) for size in grid.shape] == [int, int, int]
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 1


def test_equal_grids_have_equal_hashes_whatever_the_sign_of_zero():
    negative = np.array(AFFINE)
    negative[0, 1] = -0.0
    grid, other = Grid(SHAPE, AFFINE), Grid(SHAPE, negative)
    assert grid == other
    assert hash(grid) == hash(other)


@pytest.mark.parametrize(
    "other",
    [Grid((5, 6, 8), AFFINE), Grid(SHAPE, changed(0, 3, 1e-12)), "a grid", None],
    ids=["shape", "affine", "text", "none"],
)
def test_a_grid_differs_from(other):
    assert Grid(SHAPE, AFFINE) != other


def test_sizes_origin_and_directions_are_those_of_the_affine():
    turned = np.array([[0, -3, 0, 1.5], [2, 0, 0, -2.5], [0, 0, 5, 3.25], [0, 0, 0, 1]])
    grid = Grid(SHAPE, turned)
    assert grid.voxel_size == (2.0, 3.0, 5.0)
    np.testing.assert_array_equal(grid.origin, [1.5, -2.5, 3.25])
    np.testing.assert_array_equal(grid.directions, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])


def test_corners_are_the_eight_outermost_voxels():
    grid = Grid((5, 6, 1), AFFINE)
    assert sorted(map(tuple, grid.corners())) == sorted(
        (i, j, 0.0) for i in (0.0, 4.0) for j in (0.0, 5.0) for _ in range(2)
    )


@given(affines(), st.lists(st.tuples(*[st.integers(0, 300)] * 3), min_size=1, max_size=5))
def test_world_positions_are_those_of_nibabel(affine, indices):
    expected = nib.affines.apply_affine(affine, np.array(indices))
    np.testing.assert_allclose(Grid(SHAPE, affine).world(indices), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("affine", "problem"),
    [
        (AFFINE, ""),
        (changed(0, 3, np.nan), "the affine has a value that is not finite"),
        (changed(1, 1, np.inf), "the affine has a value that is not finite"),
        (changed(1, 1, -3.0), "the affine has an axis of length 0"),
        (
            [[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
            "the axes of the affine lie in one plane",
        ),
    ],
    ids=["none", "nan", "infinite", "zero", "flat"],
)
def test_the_problem_of_an_affine_is_named(affine, problem):
    assert Grid(SHAPE, affine).problem == problem


@pytest.mark.parametrize(
    ("degrees", "sheared"), [(0.0, False), (0.05, False), (0.06, True), (5.0, True)]
)
def test_shear_is_measured_in_degrees_and_bounded_by_what_itk_takes(degrees, sheared):
    angle = np.radians(degrees)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:2, 1] = 3 * np.sin(angle), 3 * np.cos(angle)
    grid = Grid(SHAPE, affine)
    assert grid.shear_degrees == pytest.approx(degrees, abs=1e-9)
    assert grid.is_sheared is sheared


def test_two_axes_in_one_direction_are_sheared_by_90_degrees():
    """The cosine of equal unit vectors may come out a little above 1."""
    affine = np.eye(4)
    affine[:3, 1] = affine[:3, 0] = [1, 1, 1]
    assert Grid(SHAPE, affine).shear_degrees == pytest.approx(90)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "PSL", "LSP", "SAR", "IPL"])
def test_axis_codes_say_where_the_axes_grow(codes):
    assert Grid(SHAPE, affine_of(codes, (2, 3, 4))).axis_codes == codes


@given(affines())
def test_axis_codes_are_those_of_nibabel(affine):
    assert Grid(SHAPE, affine).axis_codes == "".join(nib.aff2axcodes(affine))


@given(affines(), orientations, shapes)
def test_reordered_voxels_stay_where_they_are(affine, orientation, shape):
    grid = Grid(shape, affine)
    new = grid.reoriented(orientation)
    places = grid.world(np.moveaxis(np.indices(shape), 0, -1))
    moved = np.stack([orientation.apply(places[..., axis]) for axis in range(3)], axis=-1)
    np.testing.assert_allclose(
        new.world(np.moveaxis(np.indices(new.shape), 0, -1)), moved, atol=1e-9
    )


@given(affines(), shapes, st.data())
def test_voxels_of_a_box_stay_where_they_are(affine, shape, data):
    ends = [sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2))) for size in shape]
    box = tuple(slice(start, stop) for start, stop in ends)
    grid = Grid(shape, affine)
    part = grid.cropped(box)
    places = grid.world(np.moveaxis(np.indices(shape), 0, -1))[box]
    assert part.shape == places.shape[:3]
    inside = part.world(np.moveaxis(np.indices(part.shape), 0, -1))
    np.testing.assert_allclose(inside, places, atol=1e-9)


@given(affines(), shapes)
def test_ras_order_is_the_closest_canonical_of_nibabel(affine, shape):
    array = ramp(shape).astype(np.int32)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(array, affine))
    grid = Grid(shape, affine)
    np.testing.assert_array_equal(ras_orientation(grid).apply(array), canonical.dataobj)
    assert grid.to_ras().shape == canonical.shape
    np.testing.assert_allclose(grid.to_ras().affine, canonical.affine, atol=1e-9)


# Frames and slices

SCANNER_ORDERS = [
    # plane, axes of the file, whether frame L is slice N - L (else L - 1)
    ("axl", "LAS", False),
    ("axl", "RAS", False),
    ("axl", "LPS", False),
    ("axl", "LPI", True),
    ("cor", "LSP", True),
    ("cor", "LSA", False),
    ("sag", "PSL", True),
    ("sag", "PSR", False),
    ("sag", "PIR", False),
]


@pytest.mark.parametrize(
    ("plane", "codes", "reversed_"), SCANNER_ORDERS, ids=[f"{p}-{c}" for p, c, _ in SCANNER_ORDERS]
)
def test_a_frame_becomes_the_slice_of_its_scanner_order(plane, codes, reversed_):
    grid = Grid((4, 5, 7), affine_of(codes))
    assert plane_axis(grid, plane) == (2, reversed_)
    slices = [frame_to_slice(grid, plane, frame) for frame in range(1, 8)]
    assert slices == ([6, 5, 4, 3, 2, 1, 0] if reversed_ else [0, 1, 2, 3, 4, 5, 6])


@given(affines(), st.sampled_from(sorted(PLANES)), st.data())
def test_the_voxels_of_a_frame_are_those_of_its_slice(affine, plane, data):
    shape = (3, 4, 5)
    canonical_axes = nib.io_orientation(affine)[:, 0]
    ras_axis = {"sag": 0, "cor": 1, "axl": 2}[plane]
    file_axis = int(np.flatnonzero(canonical_axes == ras_axis)[0])
    frame = data.draw(st.integers(1, shape[file_axis]))
    array = np.zeros(shape, dtype=np.uint8)
    array.swapaxes(0, file_axis)[frame - 1] = 1
    canonical = nib.as_closest_canonical(nib.Nifti1Image(array, affine))
    marked = np.flatnonzero(np.asarray(canonical.dataobj).swapaxes(0, ras_axis).all(axis=(1, 2)))
    assert [frame_to_slice(Grid(shape, affine), plane, frame)] == marked.tolist()


def test_a_given_orientation_counts_instead_of_the_grids_own():
    grid = Grid((4, 5, 7), affine_of("RAS"))
    assert frame_to_slice(grid, "axl", 2) == 1
    assert frame_to_slice(grid, "axl", 2, Orientation((1, 2, 0), (False, False, True))) == 2


@pytest.mark.parametrize("frame", [-1, 0, 8])
def test_a_frame_outside_the_file_is_refused(frame):
    with pytest.raises(ValueError, match=f"^frame {frame} is outside 1 to 7$"):
        frame_to_slice(Grid((4, 5, 7), affine_of("RAS")), "axl", frame)


def test_the_normals_have_a_one_at_the_planes_axis():
    assert {plane: text.split("-").index("1") for plane, text in NORMALS.items()} == PLANES


# Lattices


@settings(deadline=None)
@given(affines(), orientations, shapes)
def test_a_reordered_grid_is_brought_back(affine, orientation, shape):
    array = ramp(shape)
    reference = Grid(shape, affine)
    back = lattice_orientation(reference.reoriented(orientation), reference)
    assert back is not None
    np.testing.assert_array_equal(back.apply(orientation.apply(array)), array)


@pytest.mark.parametrize(
    "other",
    [
        Grid(SHAPE, changed(0, 3, 1.0)),
        Grid(SHAPE, changed(0, 3, 0.021)),
        Grid((5, 6, 8), AFFINE),
        Grid(SHAPE, changed(0, 0, 2.0)),
        Grid(SHAPE, changed(0, 0, -1.0)),
        Grid(SHAPE, TIE),
        Grid(SHAPE, np.full((4, 4), np.nan)),
    ],
    ids=["half a voxel", "0.0105 voxels", "shape", "twice", "half", "turned 45", "unusable"],
)
def test_another_lattice_has_no_orientation(other):
    assert lattice_orientation(other, Grid(SHAPE, AFFINE)) is None
    assert lattice_orientation(Grid(SHAPE, AFFINE), other) is None


# Alignment

FLIPPED = np.array([[-2.0, 0, 0, -2.5], [0, 3.0, 0, 4.25], [0, 0, 5.0, 7.125], [0, 0, 0, 1]])
PERMUTED = np.array([[0, 0, 2.0, -10.5], [0, 3.0, 0, 4.25], [5.0, 0, 0, 7.125], [0, 0, 0, 1]])
REORDERED = np.array([[0, 0, -2.0, -2.5], [0, 3.0, 0, 4.25], [5.0, 0, 0, 7.125], [0, 0, 0, 1]])
HALVED = np.array([[1.0, 0, 0, -10.5], [0, 1.5, 0, 4.25], [0, 0, 2.5, 7.125], [0, 0, 0, 1]])
LAS_CENTRED = np.array([[-1.0, 0, 0, 2], [0, 1, 0, -2.5], [0, 0, 1, -3], [0, 0, 0, 1]])
SPACING_ONLY = np.diag([2.0, 3.0, 5.0, 1.0])
FAR = (8.0, 15.0, 30.0)
"""The last voxel of AFFINE from its first (mm)."""


def furthest(*differences):
    """The longest of the corners' displacements, each given for the first and the last voxel."""
    ends = itertools.product(*[(0, 1)] * 3)
    pairs = np.array(differences)
    return max(np.linalg.norm(pairs[range(3), list(end)]) for end in ends)


def part(affine, *first):
    """The affine of what begins at a voxel."""
    matrix = np.array(affine)
    matrix[:3, 3] = (matrix @ [*first, 1])[:3]
    return matrix


ALIGNMENTS = {
    # mask shape, mask affine, verdict, mm, voxels
    "identical": (SHAPE, AFFINE, "same", 0, 0),
    "below the promise": (SHAPE, changed(0, 3, 5e-5), "same", 5e-5, 2.5e-5),
    "rounding": (SHAPE, changed(1, 3, 5e-4), "rounding", 5e-4, 5e-4 / 3),
    "rounding of a spacing": (SHAPE, changed(2, 2, 1e-4), "rounding", 6e-4, 1.2e-4),
    "flipped": (SHAPE, FLIPPED, "flipped", 0, 0),
    "permuted": ((7, 6, 5), PERMUTED, "permuted", 0, 0),
    "permuted and flipped": ((7, 6, 5), REORDERED, "permuted", 0, 0),
    "header lost": (
        SHAPE,
        np.eye(4),
        "header lost",
        furthest((10.5, 4 + 2.5), (-4.25, 5 - 19.25), (-7.125, 6 - 37.125)),
        31.125 / 5,
    ),
    "header lost, spacing kept": (
        SHAPE,
        SPACING_ONLY,
        "header lost",
        np.linalg.norm([10.5, 4.25, 7.125]),
        10.5 / 2,
    ),
    "header lost by ITK": (
        SHAPE,
        np.diag([-1.0, -1, 1, 1]),
        "header lost",
        furthest((10.5, -4 + 2.5), (-4.25, -5 - 19.25), (-7.125, 6 - 37.125)),
        24.25 / 3,
    ),
    "header lost by nibabel": (
        SHAPE,
        LAS_CENTRED,
        "header lost",
        furthest((12.5, -2 + 2.5), (-2.5 - 4.25, 2.5 - 19.25), (-3 - 7.125, 3 - 37.125)),
        34.125 / 5,
    ),
    "translated": (SHAPE, changed(0, 3, 10), "translated", 10, 5),
    "rounding of voxels": (SHAPE, changed(0, 3, 0.019), "rounding", 0.019, 0.0095),
    "translated by little": (SHAPE, changed(0, 3, 0.021), "translated", 0.021, 0.0105),
    "translated and flipped": (SHAPE, changed(2, 3, -9, FLIPPED), "translated", 9, 1.8),
    "translated far away": (SHAPE, changed(2, 3, 900), "translated", 900, 180),
    "resampled": ((10, 12, 14), HALVED, "resampled", np.inf, np.inf),
    "resampled in its shape": (SHAPE, HALVED, "resampled", np.linalg.norm([4, 7.5, 15]), 3),
    "unit voxels in a place": (
        SHAPE,
        [[1, 0, 0, -9.5], [0, 1, 0, 4.25], [0, 0, 1, 7.125], [0, 0, 0, 1]],
        "resampled",
        furthest((1, -3), (0, -10), (0, -24)),
        24 / 5,
    ),
    "turned, without a place": (
        SHAPE,
        [[0, -3, 0, 0], [2, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1]],
        "resampled",
        np.inf,
        np.inf,
    ),
    "axes exchanged": ((7, 6, 5), AFFINE, "axes exchanged", np.inf, np.inf),
    "axes exchanged, no header": ((6, 7, 5), np.eye(4), "axes exchanged", np.inf, np.inf),
    "permuted by its header, elsewhere": (
        (7, 6, 5),
        changed(0, 3, 7, PERMUTED),
        "translated",
        7,
        3.5,
    ),
    "a part": ((3, 4, 5), part(AFFINE, 1, 2, 0), "cropped", 0, 0),
    "a part, flipped": ((3, 6, 7), part(FLIPPED, 2, 0, 0), "cropped", 0, 0),
    "a part, permuted": ((2, 6, 5), part(PERMUTED, 5, 0, 0), "cropped", 0, 0),
    "a part, rounded": (
        (3, 4, 5),
        changed(1, 3, 0.02, part(AFFINE, 1, 2, 0)),
        "cropped",
        0.02,
        0.02 / 3,
    ),
    "one voxel": ((1, 1, 1), part(AFFINE, 4, 5, 6), "cropped", 0, 0),
    "one voxel outside": ((1, 1, 1), part(AFFINE, 5, 5, 6), "apart", np.inf, np.inf),
    "a part between the voxels": ((3, 4, 5), part(AFFINE, 1.3, 2, 0), "resampled", np.inf, np.inf),
    "a part that sticks out": ((3, 4, 5), part(AFFINE, 3, 2, 0), "resampled", np.inf, np.inf),
    "a part that sticks out before": (
        (3, 4, 5),
        part(AFFINE, -1, 2, 0),
        "resampled",
        np.inf,
        np.inf,
    ),
    "more than the volume": ((7, 8, 9), part(AFFINE, -1, -1, -1), "resampled", np.inf, np.inf),
    "every second slice": (
        (5, 6, 4),
        [[2, 0, 0, -10.5], [0, 3, 0, 4.25], [0, 0, 10, 7.125], [0, 0, 0, 1]],
        "resampled",
        np.inf,
        np.inf,
    ),
    "apart below": ((10, 12, 14), changed(1, 3, -900, HALVED), "apart", np.inf, np.inf),
    "apart": ((10, 12, 14), changed(0, 3, 900, HALVED), "apart", np.inf, np.inf),
    "unusable": (SHAPE, changed(0, 0, -2), "unusable", np.inf, np.inf),
}


@pytest.mark.parametrize(
    ("shape", "affine", "verdict", "mm", "voxels"), ALIGNMENTS.values(), ids=ALIGNMENTS
)
def test_a_masks_grid_gets_its_verdict_and_displacement(shape, affine, verdict, mm, voxels):
    alignment = compare_grids(Grid(shape, affine), Grid(SHAPE, AFFINE))
    assert alignment.verdict == verdict
    assert alignment.displacement_mm == pytest.approx(mm, abs=1e-9)
    assert alignment.displacement_voxels == pytest.approx(voxels, abs=1e-9)
    assert alignment.lands is (verdict in ("same", "rounding", "flipped", "permuted", "cropped"))
    assert (alignment.box is not None) is (verdict == "cropped")


@pytest.mark.parametrize(
    ("shape", "affine", "orientation"),
    [
        (SHAPE, AFFINE, AS_IT_IS),
        (SHAPE, FLIPPED, Orientation((0, 1, 2), (True, False, False))),
        ((7, 6, 5), PERMUTED, Orientation((2, 1, 0), (False, False, False))),
        ((7, 6, 5), REORDERED, Orientation((2, 1, 0), (True, False, False))),
        (SHAPE, np.eye(4), None),
        (SHAPE, np.full((4, 4), np.nan), None),
    ],
    ids=["same", "flipped", "permuted", "both", "lost", "unusable"],
)
def test_a_mask_on_the_volumes_lattice_gets_the_reordering_into_it(shape, affine, orientation):
    assert compare_grids(Grid(shape, affine), Grid(SHAPE, AFFINE)).orientation == orientation


ROUNDINGS = {
    # voxel size, origin, shift (mm), verdict
    "0.01 voxel": (2.0, 10.0, 0.0199, "rounding"),
    "more": (2.0, 10.0, 0.0201, "translated"),
    "0.001 mm": (0.05, 10.0, 9.9e-4, "rounding"),
    "more than 0.001 mm": (0.05, 10.0, 1.1e-3, "translated"),
    "a float32 step of 0.03 mm": (0.25, 3e5, 0.03, "rounding"),
    "more than a step": (0.25, 3e5, 0.07, "translated"),
    "less than half a voxel": (0.002, 10.0, 9.5e-4, "rounding"),
    "a voxel of a microscope": (0.0005, 10.0, 5e-4, "translated"),
    "half a voxel of a microscope": (0.0005, 10.0, 2.6e-4, "translated"),
    "of a step, but half a voxel": (0.01, 3e5, 0.03, "translated"),
}


@pytest.mark.parametrize(("size", "origin", "shift", "verdict"), ROUNDINGS.values(), ids=ROUNDINGS)
def test_rounding_is_the_largest_of_its_bounds_but_never_half_a_voxel(size, origin, shift, verdict):
    volume = np.diag([size, size, size, 1.0])
    volume[:3, 3] = origin
    mask = changed(0, 3, shift, volume)
    assert compare_grids(Grid(SHAPE, mask), Grid(SHAPE, volume)).verdict == verdict


def test_voxels_of_a_microscope_of_another_size_are_no_rounding():
    """At the far corner they are 0.8 voxels off, which are 0.0004 mm."""
    volume = np.diag([0.0005, 0.0005, 0.0005, 1.0])
    volume[:3, 3] = 1.0
    mask = Grid(SHAPE, changed(0, 0, 0.0001, volume))
    assert compare_grids(mask, Grid(SHAPE, volume)).verdict == "resampled"


@pytest.mark.parametrize("shape", [(3, 4, 5), SHAPE])
def test_a_part_without_a_header_is_not_taken_for_the_voxels_at_0(shape):
    """An array cut out of a volume of 1 mm voxels and saved without its place lies at 0 too."""
    volume = np.eye(4)
    volume[:3, 3] = [-2, -1, -1]
    alignment = compare_grids(Grid(shape, np.eye(4)), Grid(SHAPE, volume))
    assert (alignment.verdict, alignment.lands) == ("header lost", False)


@pytest.mark.parametrize(
    ("matrix", "near"),
    [
        (np.diag([1.009, 0.991, 1.009, 1]), True),
        (np.diag([1.011, 1, 1, 1]), False),
        (np.array([[1, 0, 0, 0.0], [0, 1, 0, 0], [0, 0, 1, 0.09], [0, 0, 0, 1]]) * 1.0, False),
        (np.array([[1, 0, 0, 3.0], [0, 1.005, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), False),
    ],
    ids=["sizes within 1 %", "a size beyond", "moved alone", "far"],
)
def test_a_grid_of_another_converter_is_near(matrix, near):
    alignment = compare_grids(Grid(SHAPE, AFFINE @ matrix), Grid(SHAPE, AFFINE))
    assert alignment.is_near is near


def test_a_part_says_where_it_lies_in_the_volumes_order_and_in_ras():
    volume = Grid(SHAPE, FLIPPED)
    mask = Grid((2, 3, 3), part(AFFINE, 0, 1, 4))
    found = compare_grids(mask, volume)
    assert found.box == (slice(3, 5), slice(1, 4), slice(4, 7))
    cutout = found.cutout(volume)
    assert (cutout.shape, cutout.first) == (SHAPE, (0, 1, 4))
    np.testing.assert_allclose(mask.uncropped(cutout).affine, AFFINE, atol=1e-12)
    assert cutout.moved((slice(0, 2), slice(1, 3), slice(2, 3))) == (
        *(slice(0, 2), slice(2, 4), slice(6, 7)),
    )


OTHER_FORMS = {
    # how far the other form lies, where the mask is, verdict, whether it fits the other form
    "nearly alike": (0.9, 0.9, "other form", False),
    "as good as half a voxel": (1.1, 1.1, "translated", True),
    "far": (12.0, 12.0, "translated", True),
    "on the form in force": (12.0, 0.0, "same", False),
    "on neither": (12.0, 6.0, "translated", False),
}


@pytest.mark.parametrize(("apart", "at", "verdict", "fits"), OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_a_mask_on_the_volumes_other_form_lands_if_the_forms_nearly_agree(apart, at, verdict, fits):
    other, mask = Grid(SHAPE, changed(0, 3, apart)), Grid(SHAPE, changed(0, 3, at))
    found = compare_grids(mask, Grid(SHAPE, AFFINE), other)
    assert (found.verdict, found.fits_other_form) == (verdict, fits)
    assert found.lands is (verdict in ("same", "other form"))
    assert found.displacement_mm == pytest.approx(at)


@pytest.mark.parametrize(
    ("shape", "wanted", "orders"),
    [
        ((5, 6, 7), (7, 6, 5), [(2, 1, 0)]),
        ((20, 30, 30), (30, 30, 20), [(2, 1, 0), (1, 2, 0)]),
        ((30, 20, 30), (30, 30, 20), [(2, 0, 1), (0, 2, 1)]),
        ((5, 6, 7), (5, 6, 8), []),
    ],
)
def test_orders_of_axes_are_those_that_give_the_shape(shape, wanted, orders):
    assert list(axis_orders(shape, wanted)) == orders


def test_an_unusable_volume_is_unusable_for_every_mask():
    alignment = compare_grids(Grid(SHAPE, AFFINE), Grid(SHAPE, np.zeros((4, 4))))
    assert alignment == Alignment("unusable", np.inf, np.inf, None)


def test_a_mask_loses_its_header_whether_its_volume_has_one_or_not():
    alignment = compare_grids(Grid(SHAPE, np.eye(4)), Grid(SHAPE, SPACING_ONLY))
    assert alignment.verdict == "header lost"


@pytest.mark.parametrize(
    "orientation",
    [
        (axes, flips)
        for axes in ((0, 1, 2), (1, 0, 2))
        for flips in itertools.product((False, True), repeat=3)
    ],
)
def test_at_a_tie_of_45_degrees_the_mask_follows_its_volume(orientation):
    volume = Grid((4, 5, 3), TIE)
    stored = Orientation(*orientation)
    mask = volume.reoriented(stored)
    alignment = compare_grids(mask, volume)
    assert alignment.verdict in ("same", "flipped", "permuted")
    assert alignment.displacement_mm < 1e-9
    into_ras = alignment.orientation.then(ras_orientation(volume))
    array = ramp((4, 5, 3))
    np.testing.assert_array_equal(
        into_ras.apply(stored.apply(array)), ras_orientation(volume).apply(array)
    )


# Fields of view

TURNED = np.array([[1, -1, 0], [1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
"""A turn of 45 degrees around z."""


def cube(x=0.0, y=0.0, z=0.0, rotation=None, shape=(10, 10, 10)):
    """A grid of 1 mm voxels whose field of view has its middle at (x, y, z)."""
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3) if rotation is None else rotation
    middle = (np.array(shape) - 1) / 2
    affine[:3, 3] = np.array([x, y, z]) - affine[:3, :3] @ middle
    return Grid(shape, affine)


FIELDS = {
    # another grid against cube(): do they meet, share of it inside, mm between
    "the same": (cube(), True, 1, 0),
    "half": (cube(5), True, 0.5, 0),
    "face to face": (cube(10), False, 0, 0),
    "apart along x": (cube(13), False, 0, 3),
    "apart over a corner": (cube(13, 14, 22), False, 0, 13),
    "inside": (cube(shape=(4, 4, 4)), True, 1, 0),
    "around": (cube(shape=(20, 20, 20)), True, 1 / 8, 0),
    "one slice": (cube(0, 0, 4.5, shape=(10, 10, 1)), True, 1, 0),
    # Turned, the bounding box reaches 7.07 mm; the edge points along x, the faces along x + y.
    "turned, its edge within": (cube(12, rotation=TURNED), True, None, 0),
    "turned, its edge without": (cube(12.1, rotation=TURNED), False, 0, 12.1 - 5 - 50**0.5),
    "turned, bounding boxes meet": (
        cube(11, 11, rotation=TURNED),
        False,
        0,
        242**0.5 - 50**0.5 - 5,
    ),
}


@pytest.mark.parametrize(("other", "meet", "share", "gap"), FIELDS.values(), ids=FIELDS)
def test_fields_of_view_meet_share_and_lie_apart(other, meet, share, gap):
    assert fields_meet(cube(), other) is meet
    assert fields_meet(other, cube()) is meet
    assert gap_mm(cube(), other) == pytest.approx(gap, abs=1e-4)
    if share is not None:
        assert share_inside(other, cube()) == pytest.approx(share, abs=0.01)


def test_a_turned_grid_beside_its_volume_is_apart_though_their_bounding_boxes_meet():
    other = cube(11, 11, rotation=TURNED)
    assert compare_grids(other, cube()).verdict == "apart"
    assert compare_grids(cube(7, 7, rotation=TURNED), cube()).verdict == "resampled"


def test_edges_alone_can_keep_two_grids_apart():
    """Two bars, crosswise: no face parts them, only the line perpendicular to an edge of each."""
    turn = np.array([[1, 0, 0], [0, 1, -1], [0, 1, 1]]) / np.array([[1], [2**0.5], [2**0.5]])
    first = cube(shape=(20, 4, 4), rotation=turn)
    turn = np.array([[1, 0, 1], [0, 2**0.5, 0], [-1, 0, 1]]) / 2**0.5
    touching = 2 * 2**0.5 + 2 * 2**0.5
    for away, meet in ((touching - 0.01, True), (touching + 0.01, False)):
        second = cube(0, 0, away, shape=(4, 20, 4), rotation=turn)
        assert fields_meet(first, second) is meet


@pytest.mark.parametrize(
    ("mask", "overlap"),
    [
        (Grid(SHAPE, AFFINE), 1.0),
        (Grid(SHAPE, FLIPPED), 1.0),
        (Grid(SHAPE, changed(0, 3, 5)), 0.5),
        (Grid(SHAPE, changed(2, 3, 900)), 0.0),
        (Grid(SHAPE, changed(0, 0, -2)), 0.0),
    ],
    ids=["same", "flipped", "half", "far away", "unusable"],
)
def test_an_alignment_says_how_much_of_the_mask_lies_in_its_volume(mask, overlap):
    assert compare_grids(mask, Grid(SHAPE, AFFINE)).overlap == pytest.approx(overlap, abs=1e-9)


def test_an_affine_beyond_measure_is_a_problem_not_a_traceback():
    assert Grid(SHAPE, np.diag([1e200, 1, 1, 1])).problem == (
        "the affine has an axis of endless length"
    )


@settings(untimed)
@given(
    st.lists(st.floats(-30, 30), min_size=3, max_size=3),
    st.floats(0, 2 * np.pi),
    st.floats(0, np.pi),
)
def test_fields_meet_exactly_where_no_gap_is_between_them(place, turn, tilt):
    around_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    around_x = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    other = cube(*place, rotation=np.array(around_z) @ np.array(around_x), shape=(4, 9, 14))
    gap = gap_mm(cube(), other)
    if not fields_meet(cube(), other):
        assert share_inside(other, cube()) == 0
    else:
        assert gap == 0
        # The nearest points of two boxes that meet are one point.
        (corner, edges), (start, sides) = cube().field_of_view(), other.field_of_view()
        along = np.hstack([edges, -sides])
        nearest = lsq_linear(along, start - corner, bounds=(0, 1), method="bvls")
        assert np.linalg.norm(nearest.fun) < 1e-3
