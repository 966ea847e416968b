"""Bodies of requests: in order, in pieces, the same at each try; answers in parts."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance.client import Connection, hash_of
from nifti_kit.targets.instance.wire import (
    PIECE,
    FormFile,
    FormText,
    form_body,
    json_body,
    parts_in,
)
from tests.platform import running_platform
from tests.platform.multipart import Part
from tests.platform.multipart import read as read_form
from tests.platform.multipart import write as write_form

PAIRS = [
    FormText("figureId", "7"),
    FormFile("geometry", "7", [b"\x1f\x8b\r", b"\n--\r\n"], "application/sla"),
    FormText("figureId", "8"),
    FormFile("geometry", "8", [], "application/sla"),
]


def test_fields_that_repeat_keep_their_order() -> None:
    body = form_body(PAIRS)
    assert read_form(b"".join(body), body.kind) == [
        Part("figureId", None, b"7"),
        Part("geometry", "7", b"\x1f\x8b\r\n--\r\n"),
        Part("figureId", None, b"8"),
        Part("geometry", "8", b""),
    ]


def test_a_form_is_what_the_sdks_own_encoder_makes_of_it(sly: Any) -> None:
    del sly
    from requests_toolbelt import MultipartEncoder

    body = form_body(PAIRS)
    boundary = body.kind.split("boundary=")[1]
    fields = [
        (one.field, one.text)
        if isinstance(one, FormText)
        else (one.field, (one.name, b"".join(one.content), one.kind))
        for one in PAIRS
    ]
    assert b"".join(body) == MultipartEncoder(fields, boundary=boundary).read()


def test_a_body_has_its_length_and_is_the_same_each_time() -> None:
    body = form_body([FormFile("file", "0", [bytes(3 * PIECE + 1)])])
    first = b"".join(body)
    assert len(body) == len(first)
    assert b"".join(body) == first


def test_a_body_comes_in_pieces() -> None:
    content = bytes(range(256)) * (PIECE // 128)
    pieces = list(form_body([FormFile("file", "0", [content])]))
    assert [len(piece) for piece in pieces[1:-1]] == [PIECE, PIECE]
    assert b"".join(pieces[1:-1]) == content


def test_many_small_parts_are_handed_over_together() -> None:
    files = [FormFile(f"{at}", str(at), [bytes([at]) * 7000]) for at in range(100)]
    body = form_body(files)
    pieces = list(body)
    assert len(pieces) == 12
    assert max(map(len, pieces)) <= PIECE
    parts = dict(parts_in(body.kind, b"".join(pieces)))
    assert parts == {str(at): bytes([at]) * 7000 for at in range(100)}


def test_json_is_a_body_too() -> None:
    body = json_body({"ä": [1, None]})
    assert (json.loads(b"".join(body)), body.kind) == ({"ä": [1, None]}, "application/json")


def test_parts_of_an_answer_have_their_names() -> None:
    content, kind = write_form([("7", b"a\r\nb"), ("8", b"")])
    assert list(parts_in(kind, content)) == [("7", b"a\r\nb"), ("8", b"")]


def test_an_answer_that_is_no_form_is_refused() -> None:
    with pytest.raises(TargetError, match="the instance answers in another form"):
        list(parts_in("application/json", b"{}"))


def test_a_file_goes_to_the_socket_in_pieces_each_with_the_time_out_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = http.client.HTTPConnection.send
    sizes: list[int] = []

    def send(self: Any, data: Any) -> None:
        sizes.append(len(data))
        real(self, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", send)
    content = bytes(5 * PIECE)
    with running_platform() as platform:
        line = Connection(platform.address, platform.token)
        line.send("images.bulk.upload", [FormFile("0-file", "0", [content])])
        assert platform.state.blobs[hash_of([content])] == content
        assert line.sent == platform.requests[-1].size > len(content)
    assert max(sizes) == PIECE
