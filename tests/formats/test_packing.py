"""Gzip streams put together of packed data and of runs of zeros packed once."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.formats.deflate import SparseGzip
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
