"""NRRD files: what we write reads the same everywhere, what others write is read by us."""

from __future__ import annotations

import gzip
import io
import itertools
import os

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nifti_kit.core.geometry import Grid
from nifti_kit.errors import UnreadableFile
from nifti_kit.formats import nrrd as nrrd_files
from nifti_kit.formats.deflate import SparseGzip
from nifti_kit.formats.nrrd import (
    box_bytes,
    grid_from_header,
    header_of,
    iter_slices,
    read_drawn,
    read_grid,
    volume_pieces,
)
from tests.support.builders import AFFINE, SHAPE, volume

OBLIQUE = np.array(
    [
        [1.7320508075688774, -0.25, 0.6495190528383289, -101.123456789],
        [0.9999999999999999, 0.43301270189221946, -1.125, 57.00000000001],
        [0, 0.8660254037844386, 0.7500000000000002, 1 / 3],
        [0, 0, 0, 1],
    ]
)
"""2 x 1 x 1.5 mm, turned about z and x; numbers that need all their digits."""

TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def write(path, array, affine=AFFINE):
    grid = Grid(array.shape, affine)
    with path.open("wb") as out:
        out.writelines(
            volume_pieces(grid, array.dtype, (array[:, :, k] for k in range(array.shape[2])))
        )
    return path


def slices(path):
    return np.stack([page.copy() for page in iter_slices(path)], axis=2)


def by_pynrrd(path):
    """Array and affine to RAS+ as pynrrd reads them."""
    array, header = nrrd.read(str(path))
    affine = np.eye(4)
    affine[:3, :3] = header["space directions"].T
    affine[:3, 3] = header["space origin"]
    sign = {"right-anterior-superior": 1, "left-posterior-superior": -1}[header["space"]]
    return array, np.diag([sign, sign, 1, 1]) @ affine


def by_itk(path):
    """Array and affine to RAS+ as SimpleITK reads them."""
    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).T, np.diag([-1, -1, 1, 1]) @ affine


# Writing


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("order", ["=", ">"], ids=["native", "big"])
def test_every_type_reads_back_in_pynrrd_itk_and_here(tmp_path, kind, order):
    array = volume().astype(f"{order}{kind}")
    path = write(tmp_path / "a.nrrd", array)
    for read in (by_pynrrd, by_itk):
        voxels, affine = read(path)
        assert voxels.dtype == np.dtype(kind)
        np.testing.assert_array_equal(voxels, array)
        np.testing.assert_allclose(affine, AFFINE, rtol=0, atol=1e-9)
    assert slices(path).dtype == np.dtype(kind)
    np.testing.assert_array_equal(slices(path), array)


def test_the_header_keeps_every_digit(tmp_path):
    path = write(tmp_path / "a.nrrd", volume(), OBLIQUE)
    assert path.read_bytes().split(b"\n\n")[0].decode() == (
        "NRRD0005\n"
        "# Complete NRRD file format specification at:\n"
        "# http://teem.sourceforge.net/nrrd/format.html\n"
        "type: int16\n"
        "dimension: 3\n"
        "space: right-anterior-superior\n"
        "sizes: 5 6 7\n"
        "space directions: (1.7320508075688774,0.9999999999999999,0.0) "
        "(-0.25,0.43301270189221946,0.8660254037844386) "
        "(0.6495190528383289,-1.125,0.7500000000000002)\n"
        "kinds: domain domain domain\n"
        "endian: little\n"
        "encoding: gzip\n"
        "space origin: (-101.123456789,57.00000000001,0.3333333333333333)"
    )
    np.testing.assert_array_equal(by_pynrrd(path)[1], OBLIQUE)
    np.testing.assert_array_equal(read_grid(path).affine, OBLIQUE)


def test_a_negative_zero_is_written_as_zero(tmp_path):
    affine = np.array(AFFINE)
    affine[0, 1] = affine[2, 3] = -0.0
    header = write(tmp_path / "a.nrrd", volume(), affine).read_bytes().split(b"\n\n")[0]
    assert b"-0.0" not in header.replace(b"-10.5", b"")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axes=st.permutations((0, 1, 2)),
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    sizes=st.tuples(*[st.floats(0.1, 9)] * 3),
    origin=st.tuples(*[st.floats(-1000, 1000)] * 3),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
)
def test_every_reader_places_the_voxels_alike(tmp_path, axes, angles, sizes, origin, shape):
    affine = np.eye(4)
    for (first, second), angle in zip(itertools.combinations(range(3), 2), angles, strict=True):
        turn = np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, :3] = affine[:3, axes] * sizes
    affine[:3, 3] = origin
    array = volume(shape)
    path = write(tmp_path / "a.nrrd", array, affine)
    corner = np.array([*(np.array(shape) - 1), 1])
    for read in (by_pynrrd, by_itk):
        voxels, found = read(path)
        np.testing.assert_array_equal(voxels, array)
        np.testing.assert_allclose(found @ corner, affine @ corner, rtol=0, atol=1e-6)
        image = nib.Nifti1Image(voxels, found)
        axes = "".join(nib.aff2axcodes(image.affine))
        assert axes == "".join(nib.aff2axcodes(affine))
    grid = read_grid(path)
    assert grid == Grid(shape, affine)
    np.testing.assert_array_equal(slices(path), array)


@pytest.mark.parametrize("order", ["C", "F"])
def test_slices_of_any_memory_order_are_written_alike(order):
    array = np.asarray(volume(), order=order)[::-1].transpose(0, 1, 2)
    out, expected = io.BytesIO(), io.BytesIO()
    grid = Grid(SHAPE, AFFINE)
    out.writelines(volume_pieces(grid, array.dtype, (array[:, :, k] for k in range(7))))
    expected.writelines(volume_pieces(grid, array.dtype, (array[:, :, k].copy() for k in range(7))))
    assert out.getvalue() == expected.getvalue()


# Masks in boxes


def whole(shape):
    return tuple(slice(0, size) for size in shape)


def random_box(rng, shape):
    ends = [sorted(rng.choice(size + 1, 2, replace=False)) for size in shape]
    return tuple(slice(int(start), int(stop)) for start, stop in ends)


@pytest.mark.parametrize("seed", range(8))
def test_a_mask_in_its_box_is_the_whole_mask(tmp_path, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 30, 3).tolist())
    box = random_box(rng, shape)
    mask = np.zeros(shape, bool)
    mask[box] = rng.random(mask[box].shape) < 0.5
    path = tmp_path / "a.nrrd"
    path.write_bytes(box_bytes(Grid(shape, OBLIQUE), box, mask[box]))
    for read in (by_pynrrd, by_itk):
        voxels, affine = read(path)
        assert voxels.dtype == np.uint8
        np.testing.assert_array_equal(voxels, mask)
        np.testing.assert_allclose(affine, OBLIQUE, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(slices(path), mask)


@pytest.mark.parametrize("value", [1, 2, 300])
def test_the_voxels_of_one_value_are_the_mask(tmp_path, value):
    part = np.random.default_rng(value).choice(np.array([0, 1, 2, 300], np.uint16), (7, 6, 5))
    path = tmp_path / "a.nrrd"
    for axes in ((0, 1, 2), (2, 0, 1)):
        turned = part.transpose(axes)[::-1]
        path.write_bytes(box_bytes(Grid(turned.shape, AFFINE), whole(turned.shape), turned, value))
        np.testing.assert_array_equal(by_pynrrd(path)[0], turned == value)


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 1), slice(0, 1), slice(0, 1)),
        (slice(699, 700), slice(499, 500), slice(8, 9)),
        (slice(3, 5), slice(2, 9), slice(4, 6)),
        (slice(0, 700), slice(0, 500), slice(0, 9)),
    ],
    ids=["first voxel", "last voxel", "middle", "all"],
)
def test_runs_of_empty_slices_longer_than_the_buffer_are_packed_whole(tmp_path, box):
    shape = (700, 500, 9)
    expected = np.zeros(shape, np.uint8)
    expected[box] = 1
    path = tmp_path / "a.nrrd"
    path.write_bytes(box_bytes(Grid(shape, AFFINE), box, expected[box] == 1))
    np.testing.assert_array_equal(by_pynrrd(path)[0], expected)


@pytest.mark.parametrize("size", [2, 40, 100], ids=["tiny", "near the limit", "large"])
def test_a_masks_file_is_never_below_10_kb_and_padded_no_further(size):
    inside = np.random.default_rng(size).random((size,) * 3) < 0.5
    content = box_bytes(Grid(inside.shape, AFFINE), (slice(0, size),) * 3, inside)
    line = b"#" + b" " * 78 + b"\n"
    padding = content.count(line) * len(line)
    assert len(content) >= 10_240
    assert padding == 0 or len(content) < 10_240 + len(line) + 1


@pytest.mark.sly
def test_the_sdk_reads_the_smallest_mask(sly):
    inside = np.zeros(SHAPE, bool)
    inside[1, 2, 3] = True
    content = box_bytes(Grid(SHAPE, AFFINE), whole(SHAPE), inside)
    mask = sly.Mask3D.from_bytes(content)
    np.testing.assert_array_equal(mask.data, inside)


# Headers


def test_a_header_and_its_grid_are_each_others_inverse():
    grid = Grid(SHAPE, OBLIQUE)
    header = header_of(grid)
    assert grid_from_header(header, "x") == grid
    assert header["space"] == "right-anterior-superior"
    np.testing.assert_array_equal(header["space directions"][1], OBLIQUE[:3, 1])
    np.testing.assert_array_equal(header["space origin"], OBLIQUE[:3, 3])
    assert header["sizes"].tolist() == list(SHAPE)
    assert (header["dimension"], header["kinds"]) == (3, ["domain"] * 3)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("right-anterior-superior", (1, 1, 1)),
        ("RAS", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("LAS", (-1, 1, 1)),
        ("left-posterior-superior", (-1, -1, 1)),
        ("Left-Posterior-Superior", (-1, -1, 1)),
        ("lps", (-1, -1, 1)),
    ],
)
def test_every_anatomical_space_is_brought_to_ras(space, signs):
    header = header_of(Grid(SHAPE, OBLIQUE)) | {"space": space}
    expected = np.diag([*signs, 1]) @ OBLIQUE
    np.testing.assert_allclose(grid_from_header(header, "x").affine, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "change",
    [
        {"space": "scanner-xyz"},
        {"space": None},
        {"space directions": None},
        {"space directions": np.full((3, 2), 1.0)},
        {"space directions": np.full((4, 3), 1.0)},
        {"space directions": np.full(3, 1.0)},
        {"space origin": None},
        {"space origin": [1.0, 2.0]},
        {"space origin": "here"},
        {"sizes": [5, 6]},
        {"sizes": [5, 6, 7, 1]},
        {"sizes": [5, 6, 0]},
        {"sizes": [5, 6, -7]},
    ],
    ids=lambda change: f"{next(iter(change))}={next(iter(change.values()))}".replace("\n", ""),
)
def test_a_header_without_a_place_is_refused(change):
    header = {key: value for key, value in (header_of(Grid(SHAPE, AFFINE)) | change).items()
              if value is not None}  # fmt: skip
    with pytest.raises(UnreadableFile) as caught:
        grid_from_header(header, "x.nrrd")
    assert str(caught.value).startswith(
        "x.nrrd: the NRRD header does not say where the image lies Found: {'space': "
    )
    assert caught.value.expected == (
        "3 sizes, a RAS, LAS or LPS space, 3 x 3 space directions and a space origin"
    )


# Reading what others write

GRID_LINES = (
    b"dimension: 3\nspace: right-anterior-superior\nsizes: 2 2 2\n"
    b"space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
)


@pytest.mark.parametrize("encoding", ["gzip", "raw", "ascii", "bzip2"])
@pytest.mark.parametrize("order", ["F", "C"])
def test_every_encoding_of_pynrrd_is_read(tmp_path, encoding, order):
    header = header_of(Grid(SHAPE, AFFINE)) | {"encoding": encoding}
    path = tmp_path / "a.nrrd"
    array = np.asarray(volume(), order=order)
    nrrd.write(str(path), array, header)
    np.testing.assert_array_equal(slices(path), array)
    assert read_grid(path) == Grid(SHAPE, AFFINE)


DETACHED = {
    "pynrrd's": "data file: other.raw.gz",
    "one word": "datafile: other.raw.gz",
    "capitals": "Data File: /dev/null",
    "a key": "data file:=other.raw.gz",
    "a pattern": "data file: slice%03d.raw 1 7 1",
    "a list": "data file: LIST\nfirst.raw\nsecond.raw",
    "letters that are passed over": "dat\xffa file: other.raw.gz",
}


@pytest.mark.parametrize("field", DETACHED.values(), ids=DETACHED)
@pytest.mark.parametrize("read", [read_grid, slices], ids=["grid", "slices"])
def test_a_header_that_points_to_other_files_is_refused_by_name(tmp_path, monkeypatch, field, read):
    nrrd.write(str(tmp_path / "a.nhdr"), volume(), header_of(Grid(SHAPE, AFFINE)))
    header = (tmp_path / "a.nhdr").read_text().split("data file")[0]
    (tmp_path / "b.nhdr").write_bytes(f"{header}{field}\n\n".encode("latin-1"))
    opened = []
    monkeypatch.setattr(nrrd, "read", opened.append)
    with pytest.raises(UnreadableFile, match="points to other files") as caught:
        read(tmp_path / "b.nhdr")
    assert caught.value.path == str(tmp_path / "b.nhdr")
    assert caught.value.remedy == "Write it as one file (attached header)."
    assert opened == []


def test_a_detached_header_written_as_one_file_is_read(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), volume(), header_of(Grid(SHAPE, AFFINE)))
    np.testing.assert_array_equal(slices(tmp_path / "a.nrrd"), volume())


def test_a_comment_or_a_key_that_speaks_of_a_data_file_points_nowhere(tmp_path):
    content = write(tmp_path / "a.nrrd", volume()).read_bytes()
    more = b"# data file: other.raw\nmy data file:=other.raw\n"
    (tmp_path / "b.nrrd").write_bytes(content.replace(b"type: int16\n", b"type: int16\n" + more))
    np.testing.assert_array_equal(slices(tmp_path / "b.nrrd"), volume())


@pytest.mark.parametrize("line", [b"#" * 99, b"# a\n" * 20], ids=["one line", "many lines"])
def test_a_header_without_end_is_not_read_whole(tmp_path, monkeypatch, line):
    monkeypatch.setattr("nifti_kit.formats.nrrd.MAX_HEADER_BYTES", 50)
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0005\n" + line)
    with pytest.raises(UnreadableFile, match="no end of the header within 50 bytes"):
        read_grid(tmp_path / "a.nrrd")


def test_a_device_is_no_nrrd_file(tmp_path):
    (tmp_path / "a.nrrd").symlink_to(os.devnull)
    with pytest.raises(UnreadableFile, match="Found: a device"):
        read_grid(tmp_path / "a.nrrd")


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
def test_what_itk_writes_is_read_in_its_place(tmp_path, kind, packed):
    image = SimpleITK.GetImageFromArray(volume().astype(kind).T)
    image.SetOrigin((10.5, -4.25, 7.125))
    image.SetSpacing((2, 3, 5))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    path = tmp_path / "a.nrrd"
    SimpleITK.WriteImage(image, str(path), packed)
    np.testing.assert_array_equal(slices(path), volume().astype(kind))
    np.testing.assert_allclose(read_grid(path).affine, AFFINE, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["i2", "f8"])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
def test_big_endian_data_are_read(tmp_path, kind, packed):
    name = {"i2": b"int16", "f8": b"double"}[kind]
    head = b"NRRD0004\ntype: " + name + b"\n" + GRID_LINES + b"endian: big\nencoding: "
    data = np.arange(8, dtype=f">{kind}").tobytes()
    path = tmp_path / "a.nrrd"
    body = b"gz\n\n" + gzip.compress(data) if packed else b"raw\n\n" + data
    path.write_bytes(head + body)
    np.testing.assert_array_equal(slices(path), np.arange(8).reshape((2, 2, 2), order="F"))


def test_the_streamed_slices_share_one_buffer(tmp_path):
    first, second, *_ = iter_slices(write(tmp_path / "a.nrrd", volume()))
    assert np.shares_memory(first, second)


# What cannot be read

HEAD = b"NRRD0004\ntype: uint8\n" + GRID_LINES


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "NRRDError: Invalid NRRD magic line"),
        (bytes(range(256)), "NRRDError: Invalid NRRD magic line"),
        (b"NRRD0004\ndimension: x\n\n", "ValueError: invalid literal"),
        (b"NRRD0004\nspace directions: (1,0,0 (0,1,0) (0,0,1)\n\n", "NRRDError: Vector"),
    ],
    ids=["empty", "text", "binary", "bad number", "bad vector"],
)
def test_a_file_without_a_header_is_refused(tmp_path, content, found):
    path = tmp_path / "a.nrrd"
    path.write_bytes(content)
    for read in (read_grid, slices):
        with pytest.raises(UnreadableFile) as caught:
            read(path)
        assert caught.value.message == "the NRRD file cannot be read to the end"
        assert found in str(caught.value.found)
        assert (caught.value.path, caught.value.expected) == (str(path), "a 3D NRRD file")


def test_a_missing_file_is_unreadable(tmp_path):
    for read in (read_grid, slices):
        with pytest.raises(UnreadableFile, match="FileNotFoundError"):
            read(tmp_path / "none.nrrd")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"NRRD0004\n\n", "KeyError"),
        (HEAD + b"\nabcdefgh", "KeyError"),
        (HEAD + b"encoding: raw\n\nabcdefg", "the data end before the last slice"),
        (HEAD + b"encoding: raw\n", "the data end before the last slice"),
        (HEAD + b"encoding: raw", "the file ends within its header"),
        (HEAD + b"encoding: ascii\n\n1 2 3 4 5 6 7", "Size of the data does not equal"),
        (HEAD + b"encoding: morse\n\nabcdefgh", "morse"),
        (HEAD.replace(b"uint8", b"blob") + b"encoding: raw\n\nabcdefgh", "blob"),
        (HEAD.replace(b"2 2 2", b"2 2") + b"encoding: raw\n\nabcd", "sizes"),
        (HEAD.replace(b"2 2 2", b"2000000 2000000 2") + b"encoding: raw\n\nab", "before"),
        (HEAD.replace(b"2 2 2", b"2 2 -2") + b"encoding: raw\n\nab", "sizes 2 2 -2"),
        (b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 2 4\nencoding: raw\n\nabcdefgh", "2 dim"),
        (HEAD + b"encoding: gzip\n\n" + gzip.compress(b"abcdefg"), "the data end before"),
        (HEAD + b"encoding: gzip\n\n" + gzip.compress(b"abcdefgh")[:-4], "ended before"),
        (HEAD + b"encoding: gzip\n\n" + bytes(range(100)), "Not a gzipped file"),
    ],
    ids=[
        "no field", "no encoding", "short", "no blank line", "cut header", "short ascii",
        "encoding", "type", "two sizes", "huge", "negative", "2D", "short gzip", "cut trailer",
        "no gzip",
    ],
)  # fmt: skip
def test_damaged_data_are_refused(tmp_path, content, found):
    path = tmp_path / "a.nrrd"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        slices(path)
    assert found in str(caught.value.found)


@pytest.mark.parametrize("position", [-8, -1, -30], ids=["crc", "length", "data"])
def test_a_flipped_bit_is_found_by_the_checksum(tmp_path, position):
    path = write(tmp_path / "a.nrrd", volume())
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="cannot be read to the end"):
        slices(path)


# Masks: only what is drawn


def drawn(path):
    """The slices with something drawn in them, put in their places among zeros."""
    grid, pages = read_drawn(path)
    array = np.zeros(grid.shape)
    for k, page in pages:
        array[:, :, k] = page
    return grid, array


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.01, 0.5, 1.0]),
)
def test_what_is_drawn_in_a_mask_is_the_whole_mask(tmp_path, shape, seed, share):
    random = np.random.default_rng(seed)
    ends = [sorted(random.choice(n + 1, 2, replace=False)) for n in shape]
    box = tuple(slice(*map(int, end)) for end in ends)
    part = random.random([side.stop - side.start for side in box]) < share
    path = tmp_path / "a.nrrd"
    path.write_bytes(box_bytes(Grid(shape, AFFINE), box, part))
    grid, array = drawn(path)
    assert grid == read_grid(path)
    np.testing.assert_array_equal(array, slices(path))


@pytest.mark.parametrize("kind", TYPES)
def test_what_others_draw_is_read_too(tmp_path, kind):
    """No slice but the empty ones is left out, whatever the numbers are."""
    array = np.zeros(SHAPE, kind)
    array[1, 2, 3] = 1 if kind.startswith("u") else -1
    if kind.startswith("f"):
        array[0, 0, 5] = np.nan
    path = write(tmp_path / "a.nrrd", array)
    np.testing.assert_array_equal(drawn(path)[1], array)


def test_a_slice_has_nothing_of_the_one_before(tmp_path):
    """What others pack as we do need not be drawn within a box."""
    array = np.zeros((100, 10, 4), np.uint8)
    array[5, 1, 0] = array[:, 9, 1] = array[7, 7, 3] = 1
    path = write(tmp_path / "a.nrrd", array)
    packed = SparseGzip()
    for row in array.T.reshape(-1, 100):
        packed.add(row.tobytes()) if row.any() else packed.add_zeros(100)
    path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n\n" + packed.finish())
    np.testing.assert_array_equal(slices(path), array)
    np.testing.assert_array_equal(drawn(path)[1], array)
    assert [k for k, _ in read_drawn(path)[1]] == [0, 1, 3]


@pytest.mark.parametrize("most", ["MOST_PACKED", "MOST_DRAWN"])
def test_a_mask_of_more_than_is_kept_in_memory_is_streamed(tmp_path, monkeypatch, most):
    array = np.zeros((30, 20, 9), np.uint8)
    array[3:9, 4:, 2:5] = 1
    path = tmp_path / "a.nrrd"
    box = np.s_[3:9, 4:20, 2:5]
    path.write_bytes(box_bytes(Grid(array.shape, AFFINE), box, array[box]))
    np.testing.assert_array_equal(drawn(path)[1], array)
    monkeypatch.setattr(nrrd_files, most, 100)
    monkeypatch.setattr(nrrd_files, "_drawn_pages", None)
    np.testing.assert_array_equal(drawn(path)[1], array)


@pytest.mark.parametrize("cut", [1, 8, 40, 9_000])
def test_a_mask_that_is_cut_short_is_refused_as_any_other(tmp_path, cut):
    path = tmp_path / "a.nrrd"
    array = np.random.default_rng(1).random((30, 20, 9)) < 0.5
    path.write_bytes(box_bytes(Grid(array.shape, AFFINE), np.s_[0:30, 0:20, 0:9], array)[:-cut])
    with pytest.raises(UnreadableFile) as plain:
        slices(path)
    with pytest.raises(UnreadableFile) as sparse:
        drawn(path)
    assert str(sparse.value) == str(plain.value)


def test_a_first_line_that_is_a_comment_is_no_header(tmp_path):
    content = write(tmp_path / "a.nrrd", volume()).read_bytes()
    (tmp_path / "a.nrrd").write_bytes(b"# a comment\n" + content)
    with pytest.raises(UnreadableFile):
        read_grid(tmp_path / "a.nrrd")
