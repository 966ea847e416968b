"""Gzip streams of sparse data: runs of zeros are packed once, and put in wherever they occur.

A mask of one organ is nearly all zeros. Packing those anew for each of a hundred organs costs
more than the organs themselves; here the cost of a mask grows with its box.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from nifti_kit.formats import deflate

__all__ = ["SparseGzip"]

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of a gzip stream (RFC 1952): deflate, no name, no time, unknown system."""

_LARGEST_PACKED = 20
"""Runs above 2 to this power are put together of smaller ones; a megabyte packs to 1 kB."""


class SparseGzip:
    """A gzip stream to which data and runs of zeros are added in turn.

    Data before a run ends with a full flush (RFC 1951): what follows never refers back to it, so
    that pieces packed elsewhere may stand between.
    """

    def __init__(self) -> None:
        self._packer: Any = deflate.packer(deflate.RAW)
        self._pieces = [_HEADER]
        self._crc = self._size = 0
        self._is_flushed = True

    def add(self, data: memoryview | bytes) -> None:
        """Add bytes."""
        self._pieces.append(self._packer.compress(data))
        self._crc = deflate.checksum(data, self._crc)
        self._size += len(data)
        self._is_flushed = False

    def add_zeros(self, count: int) -> None:
        """Add a run of zero bytes."""
        if count <= 0:
            return
        if not self._is_flushed:
            self._pieces.append(self._packer.flush(deflate.FULL_FLUSH))
            self._is_flushed = True
        packed, crc = _zeros(count)
        self._pieces.append(packed)
        self._crc = deflate.joined_checksum(self._crc, crc, count)
        self._size += count

    def finish(self) -> bytes:
        """Return the whole stream, with its checksum and size; nothing may be added any more."""
        trailer = struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF)
        return b"".join([*self._pieces, self._packer.flush(), trailer])


@lru_cache(maxsize=16)
def _zeros(count: int) -> tuple[bytes, int]:
    """Return a run of zeros, packed up to a full flush, and its checksum."""
    packed, crc = b"", 0
    for power in range(count.bit_length()):
        if count >> power & 1:
            piece, its_crc = _power_of_two(power)
            packed += piece
            crc = deflate.joined_checksum(crc, its_crc, 1 << power)
    return packed, crc


@lru_cache(maxsize=64)
def _power_of_two(power: int) -> tuple[bytes, int]:
    if power > _LARGEST_PACKED:
        half, crc = _power_of_two(power - 1)
        return half * 2, deflate.joined_checksum(crc, crc, 1 << (power - 1))
    zeros = bytes(1 << power)
    packer = deflate.packer(deflate.RAW, deflate.BEST)
    packed = packer.compress(zeros) + packer.flush(deflate.FULL_FLUSH)
    return packed, deflate.checksum(zeros)
