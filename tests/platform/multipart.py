"""Bodies of type multipart/form-data, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.platform.refusals import wrong

BOUNDARY = "7d1b9c4ef0a24b7fa0c5a3d1e6f28b90"


@dataclass(frozen=True)
class Part:
    """A field of a form, or a file of it where it has a file name."""

    name: str
    filename: str | None
    content: bytes


def read(body: bytes, content_type: str) -> list[Part]:
    """Return the parts of a body, in order."""
    found = re.search(r'boundary="?([^";]+)', content_type)
    if found is None:
        raise wrong("a multipart body without a boundary")
    # The body may start with its first boundary, without a line before it.
    chunks = (b"\r\n" + body).split(b"\r\n--" + found.group(1).encode())
    if chunks[-1].strip() != b"--":
        raise wrong("the multipart body is cut off")
    return [_part(chunk) for chunk in chunks[1:-1]]


def _part(chunk: bytes) -> Part:
    """Return a part from what stands between two boundaries."""
    head, _, content = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").splitlines()
    line = next((one for one in lines if one.lower().startswith("content-disposition:")), "")
    name = re.search(r'[; ]name="([^"]*)"', line)
    filename = re.search(r'filename="([^"]*)"', line)
    if name is None:
        raise wrong("a part of the multipart body has no name")
    return Part(name.group(1), filename.group(1) if filename else None, content)


def write(files: Iterable[tuple[str, bytes]]) -> tuple[bytes, str]:
    """Return a body with these named files, and its content type."""
    chunks = []
    for name, content in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"'
        chunks += [head.encode(), b"\r\nContent-Type: application/octet-stream\r\n\r\n"]
        chunks += [content, b"\r\n"]
    chunks.append(f"--{BOUNDARY}--\r\n".encode())
    return b"".join(chunks), f"multipart/form-data; boundary={BOUNDARY}"
