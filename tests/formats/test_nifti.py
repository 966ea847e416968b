"""NIfTI files: headers by the standard, voxels to the last one, every fault named."""

from __future__ import annotations

import gc
import gzip
import math
import struct
import zlib
from pathlib import PurePosixPath

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nifti_kit.errors import UnreadableFile, UnsupportedImage
from nifti_kit.formats import nifti
from nifti_kit.formats.nifti import iter_frames, iter_scaled_frames, read_header, read_voxels
from tests.support.builders import AFFINE, SHAPE, volume, write_nifti
from tests.support.handmade import DATATYPES, header_bytes, ramp, voxel_bytes, write_raw

COPY_AGAIN = "Copy or export the file again from where it came from."


# The affine


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_without_sform_and_qform_the_voxel_size_alone_counts(tmp_path, version, order):
    image = read_header(write_raw(tmp_path / "a.nii", version=version, order=order))
    np.testing.assert_array_equal(image.grid.affine, np.diag([2, 3, 5, 1]))
    assert (image.sform, image.qform) == (None, None)
    assert image.form_distance_mm == 0


def test_the_sizes_of_method_1_are_taken_without_their_sign(tmp_path):
    path = write_raw(tmp_path / "a.nii", pixdim=[1, -2, 3, -5, 0, 0, 0, 0])
    np.testing.assert_array_equal(read_header(path).grid.affine, np.diag([2, 3, 5, 1]))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_the_sform_counts_before_the_qform(tmp_path, version, order):
    rows = {"srow_x": [0, -3, 0, 9], "srow_y": [2, 0, 0, -8], "srow_z": [0, 0, 5, 0.5]}
    path = write_raw(
        tmp_path / "a.nii", version=version, order=order, sform_code=2, qform_code=1, **rows
    )
    image = read_header(path)
    expected = [[0, -3, 0, 9], [2, 0, 0, -8], [0, 0, 5, 0.5], [0, 0, 0, 1]]
    np.testing.assert_array_equal(image.grid.affine, expected)
    np.testing.assert_array_equal(image.sform, expected)
    np.testing.assert_array_equal(image.qform, np.diag([2, 3, 5, 1]))
    assert (image.version, image.offset) == (version, 352 if version == 1 else 544)


def test_the_distance_of_the_forms_is_that_of_the_furthest_corner(tmp_path):
    rows = {"srow_x": [2, 0, 0, 3], "srow_y": [0, 3, 0, 4], "srow_z": [0, 0, 6, 0]}
    image = read_header(write_raw(tmp_path / "a.nii", sform_code=1, qform_code=1, **rows))
    assert image.form_distance_mm == pytest.approx(math.hypot(3, 4, 6))


@pytest.mark.parametrize("form", ["srow", "quatern", "pixdim"])
@pytest.mark.parametrize(
    ("units", "factor"),
    [(0, 1), (1, 1000), (2, 1), (3, 0.001), (2 | 8, 1), (1 | 16, 1000), (7, 1)],
    ids=["none", "metre", "mm", "micron", "mm and s", "metre and ms", "unknown"],
)
def test_every_unit_becomes_millimetres(tmp_path, form, units, factor):
    fields = {
        "srow": {
            "sform_code": 1,
            "srow_x": [2, 0, 0, 7],
            "srow_y": [0, 3, 0, 8],
            "srow_z": [0, 0, 5, 9],
        },
        "quatern": {"qform_code": 1, "qoffset_x": 7, "qoffset_y": 8, "qoffset_z": 9},
        "pixdim": {},
    }[form]
    image = read_header(write_raw(tmp_path / "a.nii", xyzt_units=units, **fields))
    np.testing.assert_allclose(
        image.grid.affine[:3, :3], np.diag([2, 3, 5]) * factor, rtol=1e-12, atol=0
    )
    origin = [0, 0, 0] if form == "pixdim" else np.array([7, 8, 9]) * factor
    np.testing.assert_allclose(image.grid.origin, origin, rtol=1e-12)
    assert image.grid.affine[3].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("version", [1, 2])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    quaternion=st.tuples(*[st.floats(-1, 1)] * 4),
    qfac=st.sampled_from((-1, 0, 1)),
    order=st.sampled_from("<>"),
)
def test_the_qform_is_the_rotation_that_nibabel_finds(tmp_path, version, quaternion, qfac, order):
    norm = np.linalg.norm(quaternion)
    assume(norm > 0.1)
    a, b, c, d = np.array(quaternion) / norm * np.sign(quaternion[0] or 1)
    assume(a > 0.01)  # nibabel refuses lengths just over 1
    fields = {"quatern_b": b, "quatern_c": c, "quatern_d": d, "qform_code": 1}
    fields |= {"qoffset_x": -7.5, "qoffset_y": 8.25, "qoffset_z": 900.125}
    path = write_raw(
        tmp_path / "a.nii",
        version=version,
        order=order,
        pixdim=[qfac, 2, 3, 5, 1, 1, 1, 1],
        **fields,
    )
    expected = nib.load(path).affine
    np.testing.assert_allclose(read_header(path).grid.affine, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("b", "c", "d", "rotation"),
    [
        (1.0, 0, 0, [1, -1, -1]),
        (0, np.float32(1.0000001), 0, [-1, 1, -1]),
        (0, 0, np.float32(1.00001), [-1, -1, 1]),
        (0, 0, np.float32(0.99999998), [-1, -1, 1]),
        (0, 0, 2.0, [-1, -1, 1]),
    ],
    ids=["1", "1.0000001", "1.00001", "just below 1", "2"],
)
def test_a_quaternion_without_room_for_a_is_a_half_turn(tmp_path, b, c, d, rotation):
    fields = {"quatern_b": b, "quatern_c": c, "quatern_d": d, "qform_code": 1}
    affine = read_header(write_raw(tmp_path / "a.nii", **fields)).grid.affine
    np.testing.assert_allclose(
        affine, np.diag([*np.array(rotation) * [2, 3, 5], 1]), rtol=0, atol=1e-12
    )


def test_a_negative_qfac_reverses_the_third_axis(tmp_path):
    path = write_raw(tmp_path / "a.nii", qform_code=1, pixdim=[-1, 2, 3, 5, 0, 0, 0, 0])
    np.testing.assert_array_equal(read_header(path).grid.affine, np.diag([2, 3, -5, 1]))


def test_an_affine_that_is_not_finite_is_a_problem_of_the_grid(tmp_path):
    image = read_header(write_raw(tmp_path / "a.nii", qform_code=1, quatern_b=np.nan))
    assert image.grid.problem == "the affine has a value that is not finite"
    assert repr(image).endswith(", ?>")


def test_an_image_shows_itself_in_one_line(tmp_path):
    image = read_header(write_nifti(tmp_path / "a.nii.gz"), PurePosixPath("sub/a.nii.gz"))
    assert repr(image) == "<sub/a.nii.gz: 5 x 6 x 7, int16, 2 x 3 x 5 mm, RAS>"
    assert (image.shape, image.nbytes) == (SHAPE, 5 * 6 * 7 * 2)


# Names, types, byte orders


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.nii", False),
        ("a.nii.gz", True),
        ("gzip.nii", True),
        ("raw.nii.gz", False),
        ("UPPER.NII", False),
        ("UPPER.NII.GZ", True),
        ("Mixed.Nii.gZ", True),
    ],
)
def test_the_bytes_say_what_a_file_is_not_its_name(tmp_path, name, packed):
    content = header_bytes() + voxel_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    image = read_header(tmp_path / name)
    assert image.relative == PurePosixPath(name)
    np.testing.assert_array_equal(read_voxels(image), ramp())


@pytest.mark.parametrize("kind", DATATYPES)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
def test_every_type_is_read_as_it_was_stored(tmp_path, kind, order, version, packed):
    content = header_bytes(version=version, order=order, datatype=DATATYPES[kind])
    content += voxel_bytes(order, kind)
    path = tmp_path / "a.nii"
    path.write_bytes(gzip.compress(content) if packed else content)
    image = read_header(path)
    assert (image.dtype, image.dtype.itemsize) == (np.dtype(order + kind), int(kind[1]))
    voxels = read_voxels(image)
    assert voxels.dtype == np.dtype(kind)
    assert voxels.dtype.isnative
    assert voxels.flags.f_contiguous
    np.testing.assert_array_equal(voxels, ramp(kind))
    frames = [frame.copy() for frame in iter_frames(image)]
    assert {frame.dtype for frame in frames} == {np.dtype(kind)}
    np.testing.assert_array_equal(np.stack(frames, axis=2), ramp(kind))


@pytest.mark.parametrize(
    ("slope", "inter", "used"),
    [
        (1, 0, (1.0, 0.0)),
        (0, 5, (1.0, 0.0)),
        (np.nan, np.nan, (1.0, 0.0)),
        (np.inf, 0, (1.0, 0.0)),
        (2, np.nan, (1.0, 0.0)),
        (2, -1024, (2.0, -1024.0)),
        (-0.5, 0, (-0.5, 0.0)),
    ],
    ids=["none", "slope 0", "slope nan", "slope infinite", "inter nan", "both", "negative"],
)
def test_scaling_is_used_where_it_is_a_number(tmp_path, slope, inter, used):
    image = read_header(write_raw(tmp_path / "a.nii", scl_slope=slope, scl_inter=inter))
    assert (image.slope, image.intercept) == used
    assert image.is_scaled is (used != (1.0, 0.0))
    scaled = np.stack(list(iter_scaled_frames(image)), axis=2)
    assert scaled.dtype == np.float64
    np.testing.assert_array_equal(scaled, ramp("f8") * used[0] + used[1])
    np.testing.assert_array_equal(read_voxels(image), ramp())


# Dimensions


@pytest.mark.parametrize(
    "shape", [(5, 6, 7, 1), (5, 6, 7, 1, 1), (5, 6, 7, 1, 1, 1, 1)], ids=["4D", "5D", "7D"]
)
def test_further_dimensions_of_one_are_squeezed(tmp_path, shape):
    image = read_header(write_raw(tmp_path / "a.nii", shape))
    assert image.shape == SHAPE
    np.testing.assert_array_equal(read_voxels(image), ramp())


STACK = "Stack the pictures into one 3D image."
PICK = (
    "To land each frame as a volume: nk.repairs.split_frames(dataset, 'a.nii'). To land one of "
    "them: nk.repairs.pick_frame(dataset, 'a.nii', 1); the others are named then."
)


@pytest.mark.parametrize(
    ("shape", "message", "found", "remedy"),
    [
        ((5, 42), "the image has 2 dimensions", "5 x 42", STACK),
        ((210,), "the image has 1 dimensions", "210", STACK),
        ((5, 6, 1, 7), "the image has 4 dimensions", "5 x 6 x 1 x 7", PICK),
        ((5, 6, 7, 1, 2), "the image has 5 dimensions", "5 x 6 x 7 x 1 x 2", PICK),
    ],
    ids=["2D", "1D", "4D", "5D"],
)
def test_an_image_of_other_dimensions_is_unsupported(tmp_path, shape, message, found, remedy):
    with pytest.raises(UnsupportedImage) as caught:
        read_header(write_raw(tmp_path / "a.nii", shape))
    assert str(caught.value) == (
        f"a.nii: {message} Found: {found}. Expected: 3 dimensions. Remedy: {remedy}"
    )


@pytest.mark.parametrize(
    ("dim", "found", "message"),
    [
        ([0, 1, 1, 1, 1, 1, 1, 1], 0, "the header's number of dimensions is impossible"),
        ([8, 1, 1, 1, 1, 1, 1, 1], 8, "the header's number of dimensions is impossible"),
        ([-1, 1, 1, 1, 1, 1, 1, 1], -1, "the header's number of dimensions is impossible"),
        ([3, 5, 0, 7, 1, 1, 1, 1], [5, 0, 7], "the header has a dimension without voxels"),
        ([3, 5, -6, 7, 1, 1, 1, 1], [5, -6, 7], "the header has a dimension without voxels"),
        ([4, 5, 6, 7, 0, 1, 1, 1], [5, 6, 7, 0], "the header has a dimension without voxels"),
    ],
    ids=["rank 0", "rank 8", "rank -1", "size 0", "size -6", "no frame"],
)
def test_impossible_dimensions_are_refused(tmp_path, dim, found, message):
    with pytest.raises(UnreadableFile) as caught:
        read_header(write_raw(tmp_path / "a.nii", dim=dim))
    assert (caught.value.message, caught.value.found) == (message, found)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (1, "single bits"),
        (32, "complex numbers"),
        (128, "RGB colours"),
        (1536, "128-bit floats"),
        (1792, "complex numbers"),
        (2048, "complex numbers"),
        (2304, "RGBA colours"),
        (0, "datatype code 0"),
        (9999, "datatype code 9999"),
    ],
)
def test_voxels_that_are_not_one_number_each_are_unsupported(tmp_path, code, found):
    with pytest.raises(UnsupportedImage) as caught:
        read_header(write_raw(tmp_path / "a.nii", datatype=code))
    assert str(caught.value) == (
        f"a.nii: its voxels are not one real number each Found: {found}. Expected: integers or "
        "floats. Remedy: Convert it to a 3D image of numbers."
    )


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_header_that_promises_more_than_its_file_can_hold_takes_no_memory(
    tmp_path, monkeypatch, packed, version
):
    path = tmp_path / "a.nii"
    content = header_bytes((10_000, 10_000, 10_000), version=version)
    path.write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setattr(nifti.np, "empty", None)  # whoever asks for memory fails
    offset = 352 if version == 1 else 544
    most = path.stat().st_size * (1032 if packed else 1)
    with pytest.raises(UnreadableFile) as caught:
        read_header(path)
    assert str(caught.value) == (
        "a.nii: the file is too short for the voxels that its header promises "
        f"Found: at most {most} bytes. Expected: {2 * 10**12 + offset} bytes. "
        f"Remedy: {COPY_AGAIN}"
    )


def test_the_best_packed_zeros_are_not_taken_for_a_lie(tmp_path):
    shape = (300, 300, 100)
    content = header_bytes(shape) + bytes(2 * math.prod(shape))
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(content, 9))
    assert not read_voxels(read_header(path)).any()


# Where the voxels begin


@pytest.mark.parametrize(
    ("version", "given", "offset"),
    [(1, 0, 352), (2, 0, 544), (1, 352, 352), (1, 400, 400), (2, 560, 560), (1, 348, 348)],
)
def test_the_voxels_begin_where_the_header_says_or_right_after_it(tmp_path, version, given, offset):
    header = header_bytes(version=version, vox_offset=given)
    path = tmp_path / "a.nii"
    path.write_bytes(header[:offset].ljust(offset, b"\7") + voxel_bytes())
    image = read_header(path)
    assert image.offset == offset
    np.testing.assert_array_equal(read_voxels(image), ramp())


@pytest.mark.parametrize("given", [np.nan, np.inf, -np.inf, -352, 100, 347])
def test_an_offset_that_no_voxel_can_have_is_refused(tmp_path, given):
    with pytest.raises(UnreadableFile) as caught:
        read_header(write_raw(tmp_path / "a.nii", vox_offset=given))
    assert str(caught.value) == (
        "a.nii: the header gives its voxels a place where they cannot be "
        f"Found: vox_offset {given:g}. Expected: 352 or more. Remedy: {COPY_AGAIN}"
    )


def test_an_offset_behind_the_end_is_more_than_the_file_can_hold(tmp_path):
    with pytest.raises(UnreadableFile, match=r"Found: at most 772 bytes\. Expected: 10420 bytes"):
        read_header(write_raw(tmp_path / "a.nii", vox_offset=10_000))


# What is no NIfTI file

HDR_IMG = (
    "a.nii: it is no single-file NIfTI Found: a header whose voxels are in a separate .img file "
    "(.hdr/.img or ANALYZE). Remedy: Convert it to .nii or .nii.gz first."
)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("magic", ["ni{}", ""], ids=["hdr", "analyze"])
def test_a_header_without_voxels_is_named(tmp_path, version, order, magic):
    magic = magic.format(version).encode()
    path = write_raw(tmp_path / "a.nii", version=version, order=order, magic=magic)
    with pytest.raises(UnreadableFile) as caught:
        read_header(path)
    assert str(caught.value) == HDR_IMG


def test_an_analyze_header_of_nibabel_is_named(tmp_path):
    nib.save(nib.AnalyzeImage(volume(), np.eye(4)), tmp_path / "a.img")
    (tmp_path / "a.hdr").rename(tmp_path / "a.nii")
    with pytest.raises(UnreadableFile) as caught:
        read_header(tmp_path / "a.nii")
    assert str(caught.value) == HDR_IMG


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (bytes(1000), "only zero bytes"),
        (b"Layer, Label-1\n", "a file that begins with b'Layer, L'"),
        (gzip.compress(b""), "an empty file"),
        (gzip.compress(bytes(1000)), "only zero bytes"),
        (struct.pack("<i", 349) + bytes(600), r"a file that begins with b']\x01\x00\x00\x00\x00"),
    ],
    ids=["empty", "zeros", "text", "empty gzip", "gzip of zeros", "another length"],
)
def test_a_file_that_is_no_nifti_says_what_it_is_instead(tmp_path, content, found):
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        read_header(tmp_path / "a.nii")
    assert caught.value.message == "it is no NIfTI file"
    assert str(caught.value.found).startswith(found)
    assert (caught.value.path, caught.value.remedy) == ("a.nii", COPY_AGAIN)


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize(("version", "length"), [(1, 100), (1, 347), (2, 100), (2, 539)])
def test_a_file_that_ends_within_its_header_says_so(tmp_path, packed, version, length):
    content = header_bytes(version=version)[:length]
    (tmp_path / "a.nii").write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(UnreadableFile) as caught:
        read_header(tmp_path / "a.nii")
    assert str(caught.value) == (
        f"a.nii: the file ends within its header Found: {length}. Remedy: {COPY_AGAIN}"
    )


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path):
    for path in (tmp_path / "none.nii", tmp_path):
        with pytest.raises(UnreadableFile, match="it cannot be read: "):
            read_header(path)


def test_a_gzip_header_that_is_damaged_is_unreadable(tmp_path):
    content = bytearray(gzip.compress(header_bytes() + voxel_bytes()))
    content[10] |= 0b110  # deflate's block type 3 does not exist
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"^a\.nii\.gz: it cannot be read: "):
        read_header(tmp_path / "a.nii.gz")


def gzip_with_extra(content, extra):
    """A gzip member with an extra field of its header (RFC 1952), as BGZF and others write."""
    packed = gzip.compress(content)
    head = packed[:3] + bytes([packed[3] | 4]) + packed[4:10]
    return head + struct.pack("<H", len(extra)) + extra + packed[10:]


@pytest.mark.parametrize(
    "pack",
    [
        lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]),
        lambda content: gzip.compress(b"") + gzip.compress(content),
        lambda content: gzip_with_extra(content, bytes(5000)),
    ],
    ids=["two members", "an empty member first", "a long extra field"],
)
def test_every_form_of_gzip_is_read(tmp_path, pack):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(pack(header_bytes() + voxel_bytes()))
    np.testing.assert_array_equal(read_voxels(read_header(path)), ramp())


# Voxels that are damaged


def noise_file(path, packed=True):
    """Voxels that do not compress, in a stream longer than the reader asks for at once."""
    shape = (100, 100, 60)
    voxels = np.random.default_rng(3).integers(-9000, 9000, shape, dtype=np.int16)
    content = header_bytes(shape) + voxels.tobytes()
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    return path


def _bad_crc(content):
    content[-8] ^= 1


def _bad_length(content):
    content[-1] ^= 1


def _flipped_bit(content):
    content[len(content) // 2] ^= 0b100


def _no_trailer(content):
    del content[-8:]


def _half_a_trailer(content):
    del content[-3:]


def _cut_in_half(content):
    del content[len(content) // 2 :]


def _cut_early(content):
    del content[9000:]


def _garbage_behind(content):
    content += b"garbage"


READERS = [read_voxels, lambda image: list(iter_frames(image))]
DAMAGES = [_bad_crc, _bad_length, _flipped_bit, _no_trailer, _half_a_trailer, _cut_in_half]
DAMAGES += [_cut_early, _garbage_behind]


@pytest.mark.parametrize("read", READERS, ids=["whole", "by frames"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_gzip_stream_is_never_taken_for_voxels(tmp_path, read, damage):
    path = noise_file(tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    image = read_header(path, PurePosixPath("sub/a.nii.gz"))
    with pytest.raises(UnreadableFile) as caught:
        read(image)
    assert caught.value.message == "its voxels cannot be read to the end"
    assert (caught.value.path, caught.value.remedy) == ("sub/a.nii.gz", COPY_AGAIN)
    assert caught.value.found


@pytest.mark.parametrize("read", READERS, ids=["whole", "by frames"])
def test_an_undamaged_stream_of_noise_is_read(tmp_path, read):
    voxels = read(read_header(noise_file(tmp_path / "a.nii.gz")))
    expected = read(read_header(noise_file(tmp_path / "b.nii", packed=False)))
    np.testing.assert_array_equal(np.array(voxels), np.array(expected))


@pytest.mark.parametrize("read", READERS, ids=["whole", "by frames"])
@pytest.mark.parametrize(
    ("length", "found"), [(771, "its last voxel"), (352, "its last voxel"), (100, "its voxels")]
)
def test_a_raw_file_that_was_cut_after_its_header_was_read_is_unreadable(
    tmp_path, read, length, found
):
    path = write_raw(tmp_path / "a.nii")
    image = read_header(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UnreadableFile, match=f"Found: the file ends before {found}"):
        read(image)
    gc.collect()  # a file that is still open would warn, and a warning fails the test


def test_a_raw_file_that_is_cut_short_is_refused_by_its_header(tmp_path):
    path = write_raw(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableFile) as caught:
        read_header(path)
    assert (caught.value.found, caught.value.expected) == ("at most 771 bytes", "772 bytes")


@pytest.mark.parametrize("read", READERS, ids=["whole", "by frames"])
def test_a_stream_that_ends_before_its_voxels_is_unreadable(tmp_path, read):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header_bytes()[:350]))
    image = read_header(tmp_path / "a.nii.gz")
    with pytest.raises(UnreadableFile, match="Found: the file ends before its voxels"):
        read(image)


@pytest.mark.parametrize("read", READERS, ids=["whole", "by frames"])
def test_a_file_that_has_gone_is_unreadable(tmp_path, read):
    image = read_header(write_nifti(tmp_path / "a.nii.gz"))
    (tmp_path / "a.nii.gz").unlink()
    with pytest.raises(UnreadableFile, match="No such file"):
        read(image)


def test_a_truncation_is_found_at_every_length(tmp_path):
    whole = gzip.compress(header_bytes() + voxel_bytes())
    path = tmp_path / "a.nii.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile):
            read_voxels(read_header(path))
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_voxels(read_header(path)), ramp())


def test_no_flipped_bit_passes_unnoticed(tmp_path):
    """Beyond the fields of gzip's own header: name, time and system say nothing of the content."""
    content = header_bytes() + voxel_bytes()
    whole = gzip.compress(content)
    path = tmp_path / "a.nii.gz"
    refused = 0
    for position in range(10, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            voxels = read_voxels(read_header(path))
        except (UnreadableFile, UnsupportedImage):
            refused += 1
        else:  # bits that pad a block mean nothing: zlib reads the same content
            assert zlib.decompress(damaged, 31) == content
            np.testing.assert_array_equal(voxels, ramp())
    assert refused > len(whole) - 20


def test_voxels_are_those_that_nibabel_stores(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", volume(), AFFINE)
    image = read_header(path)
    np.testing.assert_array_equal(read_voxels(image), nib.load(path).dataobj)
    np.testing.assert_array_equal(image.grid.affine, AFFINE)


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
def test_what_stands_behind_the_voxels_is_passed_over(tmp_path, packed):
    content = header_bytes() + voxel_bytes() + bytes(3 * 2**20)
    path = tmp_path / "a.nii"
    path.write_bytes(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(read_voxels(read_header(path)), ramp())


def test_the_checksum_counts_for_what_stands_behind_the_voxels_too(tmp_path):
    content = bytearray(gzip.compress(header_bytes() + voxel_bytes() + bytes(3 * 2**20)))
    _bad_crc(content)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="CRC check failed"):
        read_voxels(read_header(path))
