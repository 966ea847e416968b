"""Bodies of requests, sent in pieces; and forms (multipart/form-data), both ways."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from email.message import Message
from typing import Any, NamedTuple

from nifti_kit.errors import TargetError

__all__ = ["Body", "Bytes", "FormFile", "FormText", "form_body", "json_body", "parts_in"]

PIECE = 1 << 16
"""Bytes handed to the socket at once. Its time-out (some seconds) is for the whole of a piece: a
volume in one piece would never arrive over a slow line."""


Bytes = bytes | memoryview
"""Content, wherever it is kept."""


class FormText(NamedTuple):
    """A text in a form: its field, which may occur more than once, and the text."""

    field: str
    text: str


class FormFile(NamedTuple):
    """A file in a form: its field, its file name, and its bytes, in pieces."""

    field: str
    name: str
    content: Sequence[Bytes]
    kind: str = "application/octet-stream"


class Body:
    """A body of known length that can be sent any number of times: each time from its start.

    Its parts are not all joined: that would be a second copy of a volume. Small ones are, up to a
    piece: each call of the socket gives Python's lock to another thread, and waits to have it back.
    """

    def __init__(self, parts: Sequence[Bytes], kind: str) -> None:
        self.parts, self.kind = parts, kind

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[bytes]:
        small: list[Bytes] = []
        size = 0
        for part in self.parts:
            if size + len(part) > PIECE and small:
                yield b"".join(small)
                small, size = [], 0
            if len(part) > PIECE:
                yield from (bytes(part[at : at + PIECE]) for at in range(0, len(part), PIECE))
            else:
                small.append(part)
                size += len(part)
        if size:
            yield b"".join(small)


def json_body(data: Any) -> Body:
    """Return JSON as a body."""
    return Body([json.dumps(data, allow_nan=False).encode()], "application/json")


def form_body(fields: Sequence[FormText | FormFile]) -> Body:
    """Return a form as a body; its fields keep their order, and may repeat."""
    boundary = uuid.uuid4().hex
    parts: list[Bytes] = []
    for one in fields:
        parts.append(f"--{boundary}\r\n{_head(one)}\r\n\r\n".encode())
        parts += [one.text.encode()] if isinstance(one, FormText) else one.content
        parts.append(b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return Body(parts, f"multipart/form-data; boundary={boundary}")


def _head(field: FormText | FormFile) -> str:
    head = f'Content-Disposition: form-data; name="{field.field}"'
    if isinstance(field, FormText):
        return head
    return f'{head}; filename="{field.name}"\r\nContent-Type: {field.kind}'


def parts_in(kind: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each part of a form, whose content type is ``kind``."""
    header = Message()
    header["Content-Type"] = kind
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str):
        raise TargetError("the instance answers in another form", found=kind, expected="a form")
    for part in content.split(b"--" + boundary.encode("ascii"))[1:-1]:
        head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'[;\s]name="([^"]*)"', head)
        if name:
            yield name[1].decode(), body.removesuffix(b"\r\n")
