"""A server that answers what a test says, whatever is asked, and remembers what came."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

HTML = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"


class Answer(NamedTuple):
    """What is sent back; ``missing`` bytes of it are announced and never come."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    reason: str | None = None
    missing: int = 0


def as_json(content: Any, status: int = 200) -> Answer:
    """Return an answer with JSON."""
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def as_page(status: int = 200) -> Answer:
    """Return a login page."""
    return Answer(status, HTML, {"Content-Type": "text/html; charset=utf-8"})


class Asked(NamedTuple):
    """A request that came: its path, its headers, and its JSON."""

    path: str
    headers: dict[str, str]
    data: Any


@dataclass
class Answers:
    """A running server.

    ``plan`` has what it answers, one after the other, the last one again and again; or it makes an
    answer of a request.
    """

    plan: list[Answer] | Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list, repr=False)
    address: str = ""

    def next(self, asked: Asked) -> Answer:
        """Return what a request is answered."""
        self.asked.append(asked)
        if not isinstance(self.plan, list):
            return self.plan(asked)
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]


@contextmanager
def answering(*plan: Answer | Callable[[Asked], Answer]) -> Iterator[Answers]:
    """Run a server on loopback for the time of ``with``."""
    first = plan[0]
    answers = Answers([*plan] if isinstance(first, Answer) else first)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            data = json.loads(body) if body.startswith((b"{", b"[")) else None
            answer = answers.next(Asked(self.path, dict(self.headers), data))
            self.send_response(answer.status, answer.reason)
            for name, text in answer.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(answer.body) + answer.missing))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = bool(answer.missing)

        do_GET = do_POST  # noqa: N815 - a name of the base class

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
