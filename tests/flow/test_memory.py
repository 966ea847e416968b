"""Memory and disk that hostile files cost: each case runs in a process of its own."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support import handmade
from tests.support.builders import SHAPE, labels, write_nifti

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)

HEADER_MB, BOMB_MB = 200, 300
"""What a header that promises 10^12 voxels, and an archive of 1 MB, may cost."""

SIDE = 10_000
"""Voxels along each axis: 10^12 in all."""

# VmHWM is the peak of the process itself; ru_maxrss of a child begins at its parent's.
JOB = """
import json, os, sys, tempfile, threading, time
import nifti_kit as nk
disk, done = [0], threading.Event()

def measure():
    total = 0
    for folder, _, names in os.walk(tempfile.gettempdir()):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                pass  # gone in the meantime
    disk[0] = max(disk[0], total)

def watch():
    while not done.wait(0.005):
        measure()

watcher = threading.Thread(target=watch)
watcher.start()
codes, error = [], ""
try:
    dataset = nk.scan(sys.argv[1])
    codes = sorted({(found.code, found.path) for found in nk.check(dataset)})
    blocked = bool(nk.plan(dataset).blockers)
    measure()
    del dataset
except nk.errors.NiftiKitError as fault:
    error, blocked = str(fault), True
    measure()
done.set()
watcher.join()
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
left = os.listdir(tempfile.gettempdir())
print(json.dumps(dict(
    codes=codes, error=error, blocked=blocked, memory=peak, disk=disk[0] / 2**20, left=left
)))
"""


def cost(source: Path, tmp_path: Path) -> dict[str, Any]:
    """Scan, check and plan; return what was said, and the peaks of memory and disk (MB)."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(source)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def endless(version: int = 1, side: int = SIDE) -> bytes:
    """Return a header alone, which promises side^3 voxels."""
    return handmade.header_bytes((side, side, side), version=version)


def alone(content: bytes, name: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_bytes(content)
        return name

    return write


def beside_a_volume(folder: Path) -> str:
    write_nifti(folder / "ct.nii.gz")
    (folder / "ct").mkdir()
    (folder / "ct" / "liver.nii").write_bytes(endless())
    write_nifti(folder / "ct" / "lung.nii.gz", labels(SHAPE))
    return "ct/liver.nii"


def with_small_voxels(folder: Path) -> str:
    """Write a packed file that could hold as many voxels by its size, but holds fewer."""
    held = handmade.header_bytes((900, 900, 900), datatype=2, bitpix=8) + bytes(64 * 2**20)
    content = gzip.compress(held, 9, mtime=0)
    (folder / "ct.nii.gz").write_bytes(content + bytes(1_000_000 - len(content)))
    return "ct.nii.gz"


HEADERS: dict[str, Callable[[Path], str]] = {
    "348 bytes": alone(endless()[:348], "ct.nii"),
    "352 bytes": alone(endless(), "ct.nii"),
    "gzip": alone(gzip.compress(endless()), "ct.nii.gz"),
    "gzip by a plain name": alone(gzip.compress(endless()), "ct.nii"),
    "NIfTI-2": alone(endless(2), "ct.nii"),
    "NIfTI-2 of 2^62 voxels a side": alone(endless(2, 2**62), "ct.nii.gz"),
    "NIfTI-2 in gzip": alone(gzip.compress(endless(2)), "ct.nii.gz"),
    "mask of a volume": beside_a_volume,
    "plausible size": with_small_voxels,
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_promises_too_many_voxels_costs_no_memory(tmp_path: Path, case: str) -> None:
    (tmp_path / "in").mkdir()
    name = HEADERS[case](tmp_path / "in")
    found = cost(tmp_path / "in", tmp_path)
    assert ["file-unreadable", name] in found["codes"]
    assert found["memory"] < HEADER_MB


def test_many_such_headers_cost_no_more_than_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(200):
        (tmp_path / "in" / f"ct{number}.nii").write_bytes(endless())
    found = cost(tmp_path / "in", tmp_path)
    assert len(found["codes"]) == 200
    assert found["memory"] < HEADER_MB


# Archives of about 1 MB

ZEROS = bytes(2**20)
GIGABYTE = 1024
"""Of blocks of 1 MB: packed, they take about 1 MB."""

PACKED_ZEROS = gzip.compress(ZEROS, 9, mtime=0)
"""A gzip stream may be of several: packed once, written often."""


@cache
def zipped_gigabyte() -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.nii", "w", force_zip64=True) as member,
    ):
        for _ in range(GIGABYTE):
            member.write(ZEROS)
    return stream.getvalue()


def zip_bomb(path: Path) -> None:
    path.write_bytes(zipped_gigabyte())


def lying_zip_bomb(path: Path) -> None:
    """Write one that says that its member has 100 bytes."""
    size = struct.pack("<I", GIGABYTE * len(ZEROS))
    assert size in zipped_gigabyte()
    path.write_bytes(zipped_gigabyte().replace(size, struct.pack("<I", 100)))


def zip_of_many(path: Path) -> None:
    """Write one of many files, each of a plausible size: 320 MB in all."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.nii", 16 * ZEROS)


def tar_member(name: str, megabytes: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = megabytes * len(ZEROS), kind
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT), mtime=0) + megabytes * PACKED_ZEROS


END_OF_TAR = gzip.compress(bytes(1024), mtime=0)


def tar_bomb(path: Path) -> None:
    path.write_bytes(tar_member("x.nii", GIGABYTE) + END_OF_TAR)


def tar_of_many(path: Path) -> None:
    members = [tar_member(f"{number}.nii", 16) for number in range(GIGABYTE // 16)]
    path.write_bytes(b"".join(members) + END_OF_TAR)


def tar_with_a_long_tail(path: Path) -> None:
    """Write zeros behind the end of the archive, where no member counts them."""
    path.write_bytes(END_OF_TAR + GIGABYTE * PACKED_ZEROS)


def tar_with_a_long_name(path: Path) -> None:
    """Write a member whose name is a gigabyte long, as an extension of its header."""
    content = tar_member("././@LongLink", GIGABYTE, tarfile.GNUTYPE_LONGNAME)
    path.write_bytes(content + END_OF_TAR)


def sparse_tar(path: Path) -> None:
    """Write a member of a terabyte that is one hole (the old GNU form)."""
    member = tarfile.TarInfo("x.nii")
    member.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"00000000000\0" * 2  # one piece of 0 bytes at 0
    block[483:495] = b"\x80" + (10**12).to_bytes(11, "big")  # the real size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(bytes(block) + bytes(1024))


def sparse_pax_tar(path: Path) -> None:
    """Write the same in the form of pax headers."""
    headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,0",
        "GNU.sparse.size": str(10**12),
        "GNU.sparse.name": "x.nii",
    }
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("x.nii")
        member.pax_headers = headers
        archive.addfile(member)


BOMBS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "zip": ("set.zip", zip_bomb),
    "zip that lies about its size": ("set.zip", lying_zip_bomb),
    "zip of many files": ("set.zip", zip_of_many),
    "tar.gz": ("set.tar.gz", tar_bomb),
    "tgz of many files": ("set.tgz", tar_of_many),
    "tar.gz with a long tail": ("set.tar.gz", tar_with_a_long_tail),
    "tar.gz with a long name": ("set.tar.gz", tar_with_a_long_name),
    "sparse tar": ("set.tar", sparse_tar),
    "sparse pax tar": ("set.tar", sparse_pax_tar),
}


@pytest.mark.parametrize("case", BOMBS)
def test_an_archive_bomb_is_refused_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    name, write = BOMBS[case]
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 1.1 * 2**20
    found = cost(tmp_path / name, tmp_path)
    assert found["error"].startswith(str(tmp_path / name))
    assert found["memory"] < BOMB_MB
    assert found["disk"] < BOMB_MB
    assert found["left"] == []


def test_an_archive_of_endless_headers_costs_no_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("ct.nii", endless())
    found = cost(tmp_path / "set.zip", tmp_path)
    assert found["codes"] == [["file-unreadable", "ct.nii"]]
    assert found["memory"] < HEADER_MB
    assert found["left"] == []
