"""A Chromium without a network, and what a page in it did: scripts, requests, errors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS = (
    "--no-sandbox",  # the container of a CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A request to another host fails at once, and is still recorded.
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

WIDE = {"width": 1300, "height": 1000}

SECONDS = 60
"""The longest that anything but a run of a notebook may take on a busy machine."""


def executable() -> str | None:
    """Chromium's path: what ``NIFTI_KIT_CHROMIUM`` says, or the first found of the usual names."""
    chosen = os.environ.get("NIFTI_KIT_CHROMIUM")
    return shutil.which(chosen) if chosen else next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser; closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What a page did.

    Attributes
    ----------
    alerts
        The texts of the dialogs that opened. In a page of ours each one is a script that ran.
    requests
        All addresses that were asked for, web sockets too.
    console_errors
        Errors in the console and exceptions that nobody caught.
    kernel_errors
        Errors that the kernel sent outside a cell's run: a button's callback, an observer; and
        tracebacks on its stderr, as a thread leaves them.
    """

    def __init__(self, page: Any, host: str, *, excused: tuple[str, ...] = ()) -> None:
        self.host, self.excused = host, excused
        self.alerts: list[str] = []
        self.requests: list[str] = []
        self.console_errors: list[str] = []
        self.kernel_errors: list[str] = []
        page.on("dialog", self._dialog)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on("websocket", self._web_socket)
        page.context.on("request", lambda request: self.requests.append(request.url))

    @property
    def requests_elsewhere(self) -> list[str]:
        """Addresses on other hosts than the server under test, without the excused ones."""
        return [
            address
            for address in self.requests
            if urlsplit(address).scheme in {"http", "https", "ws", "wss"}
            and urlsplit(address).netloc != self.host
            and not address.startswith(self.excused or ("\0",))
        ]

    def _dialog(self, dialog: Any) -> None:
        if dialog.type == "beforeunload":  # JupyterLab asks about changes; no script of ours
            dialog.accept()
            return
        self.alerts.append(dialog.message)
        dialog.dismiss()

    def _console(self, message: Any) -> None:
        source = message.location.get("url", "")
        if message.type == "error" and not source.startswith(self.excused or ("\0",)):
            self.console_errors.append(f"{message.text} ({source})" if source else message.text)

    def _web_socket(self, socket: Any) -> None:
        self.requests.append(socket.url)
        if "/channels" in socket.url:
            socket.on("framereceived", self._frame)

    def _frame(self, frame: bytes | str) -> None:
        message = kernel_message(frame)
        content = message["content"]
        ran_in_cell = message["parent_header"].get("msg_type") == "execute_request"
        if message["header"]["msg_type"] == "error" and not ran_in_cell:
            self.kernel_errors.append(f"{content['ename']}: {content['evalue']}")
        if content.get("name") == "stderr" and "Traceback" in content.get("text", ""):
            self.kernel_errors.append(content["text"].strip())


def kernel_message(frame: bytes | str) -> dict[str, Any]:
    """The Jupyter message of a frame, without its buffers.

    Bytes are of the protocol ``v1.kernel.websocket.jupyter.org``: the number of offsets, the
    offsets (64 bits each, little endian), then channel, header, parent, metadata, content.
    """
    if isinstance(frame, str):
        return json.loads(frame)
    count = int.from_bytes(frame[:8], "little")
    offsets = [int.from_bytes(frame[8 * at : 8 * at + 8], "little") for at in range(1, count + 1)]
    parts = [frame[start:end] for start, end in pairwise(offsets)]
    names = ("header", "parent_header", "metadata", "content")
    return {name: json.loads(part) for name, part in zip(names, parts[1:5], strict=True)}
