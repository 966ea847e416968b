"""Gzip with isal and without it: the same content, the same checksums."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.formats import deflate

WITHOUT_ISAL = """
import sys
sys.modules["isal"] = sys.modules["isal.igzip"] = sys.modules["isal.isal_zlib"] = None
import pytest
from nifti_kit.formats import deflate
assert deflate.igzip is None
sys.exit(pytest.main(sys.argv[1:]))
"""

TESTS = (
    "test_deflate.py",
    "test_nifti.py",
    "test_nrrd.py",
    "test_packing.py",
    "test_volumes.py",
)


@pytest.fixture(params=["isal", "the standard library"])
def library(request, monkeypatch):
    if request.param == "isal":
        pytest.importorskip("isal")
    else:
        monkeypatch.setattr(deflate, "igzip", None)
        monkeypatch.setattr(deflate, "isal_zlib", None)


@given(first=st.binary(max_size=100), second=st.binary(max_size=3000))
@pytest.mark.usefixtures("library")
def test_checksums_of_pieces_are_joined(first, second):
    one, other = deflate.checksum(first), deflate.checksum(second)
    assert deflate.joined_checksum(one, other, len(second)) == zlib.crc32(first + second)
    assert deflate.checksum(second, one) == zlib.crc32(first + second)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("size", [0, 1, 2**20 + 7, 2**26])
def test_checksums_of_long_runs_are_joined(size):
    zeros, whole = 0, 0
    for at in range(0, size, 2**20):
        piece = bytes(min(2**20, size - at))
        zeros, whole = zlib.crc32(piece, zeros), zlib.crc32(piece, whole or zlib.crc32(b"a"))
    assert deflate.joined_checksum(zlib.crc32(b"a"), zeros, size) == (whole or zlib.crc32(b"a"))


@pytest.mark.usefixtures("library")
def test_streams_are_the_same_each_time_and_damage_shows(tmp_path):
    content = bytes(range(256)) * 50
    packed = deflate.pack(content)
    assert deflate.pack(content) == packed
    assert deflate.unpack(packed) == content
    path = tmp_path / "one.gz"
    path.write_bytes(packed)
    with deflate.open_gzip(path) as stream:
        assert stream.read() == content
    path.write_bytes(packed[:-8] + bytes(4) + packed[-4:])
    with pytest.raises(deflate.FAULTS), deflate.open_gzip(path) as stream:
        stream.read()


@pytest.mark.skipif("NIFTI_KIT_WITHOUT_ISAL" in os.environ, reason="these are the tests without")
def test_images_are_read_and_written_without_isal():
    here = Path(__file__).parent
    there = [str(here / name) for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ISAL, "-q", "-p", "no:cacheprovider", *there],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NIFTI_KIT_WITHOUT_ISAL": "1", "PYTEST_ADDOPTS": ""},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
