"""Gzip streams put together of packed data and of runs of zeros packed once."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.formats.deflate import SparseGzip, sparse_pieces
from tests.support.properties import untimed

PIECES = st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 100_000)), max_size=12)


def packed(pieces):
    stream = SparseGzip()
    for piece in pieces:
        if isinstance(piece, int):
            stream.add_zeros(piece)
        else:
            stream.add(piece)
    return stream.finish()


def plain(pieces):
    return b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in pieces)


@untimed
@given(PIECES)
def test_any_pieces_are_read_back_as_they_were_added(pieces):
    assert gzip.decompress(packed(pieces)) == plain(pieces)


def test_data_never_refer_back_over_zeros_that_were_put_between():
    """The packer does not know of the zeros: a reference over them would meet other bytes."""
    noise = np.random.default_rng(1).integers(0, 256, 500, np.uint8).tobytes()
    pieces = [noise, 70, noise, 40_000, noise, noise]
    assert gzip.decompress(packed(pieces)) == plain(pieces)


@pytest.mark.parametrize("count", [1, 2**20 - 1, 2**20, 2**20 + 1, 5 * 2**20 + 12_345])
def test_long_runs_have_the_checksum_and_the_size_of_their_zeros(count):
    stream = packed([b"ab", count, b"c"])
    reader = zlib.decompressobj(31)  # zlib itself compares checksum and size at the end
    assert reader.decompress(stream) == b"ab" + bytes(count) + b"c"
    assert reader.eof
    assert reader.unused_data == b""


def test_zeros_cost_next_to_nothing():
    assert len(packed([100 * 2**20])) < 150_000


def test_an_empty_stream_is_a_gzip_stream():
    assert gzip.decompress(packed([])) == b""


# Taken apart again

ONE_ZERO = packed([b"a", 1, b"a"]).split(b"\x00\x00\xff\xff")[1] + b"\x00\x00\xff\xff"
"""How one zero is packed."""


def taken_apart(content, size, most=2**20):
    found = sparse_pieces(content, size, most)
    return None if found is None else plain(found)


@untimed
@given(PIECES)
def test_any_pieces_are_taken_apart_as_they_were_added(pieces):
    whole = plain(pieces)
    assert taken_apart(packed(pieces), len(whole)) == whole


def test_long_runs_of_zeros_are_not_unpacked():
    pieces = [5 * 2**20, b"ab", 2**20 + 3, b"c"]
    found = sparse_pieces(packed(pieces), len(plain(pieces)), most=3)
    assert b"".join(piece for piece in found if isinstance(piece, bytes)) == b"abc"
    assert max(piece for piece in found if isinstance(piece, int)) == 2**20


@untimed
@given(st.binary(max_size=500).map(lambda noise: b"\x00\x00\xff\xff".join([noise] * 3)))
def test_what_looks_like_the_end_of_a_flush_is_only_data(content):
    assert taken_apart(packed([70, content, 70]), len(content) + 140) == plain([70, content, 70])


@untimed
@given(PIECES, st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_stream_is_left_to_be_unpacked_whole(pieces, at, change):
    """Or it holds the same all the same: some bits of a stream say nothing."""
    content, whole = bytearray(packed(pieces)), plain(pieces)
    content[at % len(content)] ^= change
    assert taken_apart(bytes(content), len(whole)) in (None, whole)
    assert taken_apart(packed(pieces)[: -1 - at % 9], len(whole)) is None


@pytest.mark.parametrize(
    ("content", "size", "most"),
    [
        (gzip.compress(bytes(1000)), 1000, 10),
        (packed([1000, b"abc"]), 1004, 10),
        (packed([1000, b"abc"]), 1003, 2),
        (packed([1000]) + packed([3]), 1003, 10),
        (packed([1000])[:-8] + ONE_ZERO + packed([1001])[-8:], 1001, 10),
        (packed([1000])[:-8] + ONE_ZERO + packed([1000])[-8:], 1000, 10),
        (packed([])[:10] + b"\x01\x00\x00\xff\xff" + b"junk" + packed([])[-8:], 0, 10),
        (packed([1000])[:-4] + packed([1001])[-4:], 1001, 10),
        (b"", 0, 10),
    ],
    ids=[
        "another writer's",
        "another size",
        "too much data",
        "two streams",
        "more behind",
        "junk behind",
        "junk behind an end that looks like a flush",
        "a size that is not its own",
        "",
    ],
)
def test_other_streams_are_left_to_be_unpacked_whole(content, size, most):
    assert sparse_pieces(content, size, most) is None
