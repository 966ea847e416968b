"""The server: token, bodies and answers, and what faults do to a connection."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import socketserver
import struct
import sys
import traceback
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.platform import endpoints, faults, multipart
from tests.platform.refusals import Refused, wrong
from tests.platform.volumes import Blob

if TYPE_CHECKING:
    from tests.platform.fixture import Platform, Request

PREFIX = "/public/api/v3/"

TLS_HELLO = b"\x16"
"""The first byte of a TLS connection: the SDK tries https before its first request."""

CHUNK = 1 << 20
"""Bytes that are written at once."""

ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends a reset instead of the rest."""


PLANNED = {"error": "planned by the test", "details": {"message": "planned by the test"}}
"""The body of a status that was planned."""


class Gone(ConnectionError):
    """This connection was reset on purpose."""


class Server(ThreadingHTTPServer):
    """A server on a free port, or the given one, of loopback."""

    daemon_threads = False  # all of them are joined when it closes
    request_queue_size = 128

    def __init__(self, platform: Platform, port: int = 0) -> None:
        self.platform = platform
        self.connections: set[socket.socket] = set()
        self.connections_lock = Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """Bind without asking for the name of the host, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, to be able to end it."""
        with self.connections_lock:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self.connections_lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Take no further connections, and end those that are open."""
        self.shutdown()
        self.socket.close()
        with self.connections_lock:
            for connection in self.connections:
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep errors for the test; a client that is gone is none."""
        del request, client_address
        if not isinstance(sys.exc_info()[1], OSError):
            self.platform.errors.append(traceback.format_exc())


class Handler(BaseHTTPRequestHandler):
    """One connection, with any number of requests."""

    server: Server
    protocol_version = "HTTP/1.1"
    # Header and body are two writes: on a connection that is kept, the second one would wait 40 ms.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Wait for a client only so long: the SDK's second attempt at a form sends no body."""
        self.timeout = self.server.platform.patience
        super().setup()

    def handle(self) -> None:
        """Answer requests; hang up at once on one who wants TLS."""
        if self.connection.recv(1, socket.MSG_PEEK) != TLS_HELLO:
            super().handle()

    def do_POST(self) -> None:
        """Carry out a method of the API, or what is planned instead."""
        method = urlsplit(self.path).path.removeprefix(PREFIX)
        platform = self.server.platform
        with platform.request(method, int(self.headers.get("Content-Length", 0))) as record:
            fault = platform.faults.strike(record.number, method)
            record.fault = fault.kind if fault else None
            if record.fault == faults.DEATH:
                platform.die()
            if fault and fault.kind in (faults.DEATH, faults.RESET_BEFORE):
                fault.others_work()
                self._reset()
            try:
                body = self._body()
            except TimeoutError:
                self.close_connection = True
                self._answer(record, 408, {"error": "the body did not come"})
                return
            record.size, record.content = len(body), self._digest(body)
            if platform.gone.wait(platform.latency + (fault.seconds if fault else 0)):
                self._reset()
            if platform.is_full():
                self._answer(record, 429, PLANNED)
            elif fault is None:
                self._answer(record, *self._carry_out(method, body))
            else:
                self._suffer(record, fault, body)

    def _suffer(self, record: Request, fault: faults.Fault, body: bytes) -> None:
        """Carry a request out or not, and answer what is planned, if anything."""
        status, answer = 200, PLANNED
        if fault.is_carried_out:
            status, answer = self._carry_out(record.method, body)
        fault.others_work()
        if fault.kind == faults.RESET_AFTER:
            self._reset()
        elif fault.kind == faults.SLOW:
            self._answer(record, status, answer)
        elif fault.answer.isdigit():
            self._answer(record, int(fault.answer), PLANNED, wait(fault))
        elif fault.answer == faults.HALF:
            self._answer_half(record, answer)
        else:
            record.status = 200
            content_type, content = faults.ODD[fault.answer]
            self._send(200, content, {"Content-Type": content_type})

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - names of the base class

    def log_message(self, *_: Any) -> None:
        """Say nothing: the platform has its own log."""

    def _reset(self) -> None:
        """End the connection with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        # The files share the socket: it closes with the last of the three.
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise Gone

    def _body(self) -> bytes:
        """Return the body of the request, in chunks or of a known length."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if len(body) < size:
                raise Gone
            return body
        parts = []
        while line := self.rfile.readline():
            if not (size := int(line.split(b";")[0], 16)):
                self.rfile.readline()
                return b"".join(parts)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        raise Gone

    def _carry_out(self, method: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the answer."""
        platform = self.server.platform
        try:
            self._check_token()
            if method not in endpoints.METHODS:
                platform.unknown.append(method)
            return 200, endpoints.call(platform.state, method, self._data(body))
        except Refused as refused:
            return refused.status, refused.to_json()
        except Exception as error:  # noqa: BLE001 - a fault of this server is shown to the test
            platform.errors.append(traceback.format_exc())
            return 500, {"error": f"the stand-in itself failed: {error!r}"}

    def _digest(self, body: bytes) -> str:
        """Return a text that is the same when the same is sent again: a form has a new boundary."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers.get("Content-Type", ""))
        if boundary is not None:
            body = body.replace(boundary[1].encode(), b"")
        return hashlib.sha256(body).hexdigest()

    def _check_token(self) -> None:
        token = self.headers.get("x-api-key")
        if token is None:
            raise Refused(401, "API token is required")
        if token != self.server.platform.token:
            raise Refused(403, "API token is not valid")

    def _data(self, body: bytes) -> Any:
        """Return what a request says: a form, JSON, or the query of its address."""
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/"):
            return multipart.read(body, content_type)
        if not body:
            query = dict(parse_qsl(urlsplit(self.path).query))
            return {key: int(one) if one.isdigit() else one for key, one in query.items()}
        try:
            return json.loads(body)
        except ValueError as error:
            raise wrong("the body is not JSON") from error

    def _answer_half(self, record: Request, answer: Any) -> None:
        """Promise a whole answer, send the first half of it, and end the connection."""
        record.status, self.close_connection = 200, True
        content_type, body = written(answer)
        half = body[: len(body) // 2]
        self._send(200, half, {"Content-Type": content_type}, missing=len(body) - len(half))

    def _answer(
        self, record: Request, status: int, answer: Any, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with JSON, with bytes, or with a form of files."""
        record.status = status
        if isinstance(answer, Blob):
            self._answer_blob(answer)
            return
        content_type, body = written(answer)
        self._send(status, body, {"Content-Type": content_type, **(headers or {})})

    def _answer_blob(self, blob: Blob) -> None:
        """Answer with a file, or with the range of it that is asked for."""
        headers = {
            "Content-Type": "application/octet-stream",
            "x-content-checksum-sha256": blob.hash,
        }
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, blob.content, headers)
            return
        first = int(wanted[1] or 0)
        end = min(int(wanted[2]) + 1 if wanted[2] else len(blob.content), len(blob.content))
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(blob.content)}"
        self._send(206, blob.content[first:end], headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str], missing: int = 0) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) + missing))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        view = memoryview(body)
        for start in range(0, len(body), CHUNK):
            self.wfile.write(view[start : start + CHUNK])


def written(answer: Any) -> tuple[str, bytes]:
    """Return the type and the bytes of an answer: JSON, a file, or a form of files."""
    if isinstance(answer, Blob):
        return "application/octet-stream", answer.content
    if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
        body, content_type = multipart.write(answer)
        return content_type, body
    return "application/json", json.dumps(answer).encode()


def wait(fault: faults.Fault) -> dict[str, str]:
    """Return the header that says when to try again, if the fault has one."""
    return {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
