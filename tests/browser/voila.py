"""Voilà: its server, and a notebook as an app in it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .opened import RUN_SECONDS, WIDGETS_SHOWN, CellFailed, Opened, Runs, Server
from .serving import ask, free_port, served

ICONS = "https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free@"
"""Two style sheets that the page template of Voilà itself asks for; no app needs them."""

RENDERED = """() => {
    const cells = document.getElementById('rendered_cells');
    const waiting = document.getElementById('loading')
        || document.querySelector('script[type="application/vnd.voila.cell-output+json"]');
    return cells && cells.style.display !== 'none' && !waiting;
}"""
"""The page is shown and each output is rendered."""

TRACEBACKS = """() => [...document.querySelectorAll(
        '[data-mime-type="application/vnd.jupyter.stderr"]')]
    .map(output => output.innerText.trim())
    .filter(text => text.includes('Traceback (most recent call last)'))"""


KERNEL = """() => {
    const config = document.getElementById('jupyter-config-data');
    return config ? JSON.parse(config.textContent).kernelId : null;
}"""


class VoilaApp(Opened):
    """A notebook as an app."""

    def wait(self, seconds: float = RUN_SECONDS) -> None:
        """Wait until all cells have run and their widgets are there; raise a cell's error."""
        self.page.wait_for_function(RENDERED, timeout=seconds * 1000)
        self.page.wait_for_function(WIDGETS_SHOWN)
        if failed := self.page.evaluate(TRACEBACKS):
            raise CellFailed("\n".join(failed))

    def _height(self) -> int:
        return self.page.evaluate(
            "() => Math.max(document.documentElement.scrollHeight, ...["
            "...document.querySelectorAll('#rendered_cells')].map(cells => cells.scrollHeight))"
        )


class Voila(Server):
    """A running Voilà."""

    def open(
        self,
        notebook: str | Path | Any,
        *,
        folder: Path | None = None,
        theme: str = "light",
        **parameters: Any,
    ) -> VoilaApp:
        """An app whose widgets are shown, in a new run's folder or that of an earlier run.

        Opened again in the same folder, it gets a new page and a new kernel.
        """
        path = self._written(notebook, folder, parameters)
        app = VoilaApp(self._browser, self.host, path, self.shots, excused=(ICONS,))
        self._enter(app)
        address = (
            f"{self.address}/voila/render/{self._place(path)}?theme={theme}&token={self._token}"
        )
        app.page.goto(address, wait_until="commit", timeout=RUN_SECONDS * 1000)
        app.wait()
        return app

    def _close(self, opened: Opened) -> None:
        """End the kernel, which would outlive its page, and close the page."""
        try:
            if (kernel := opened.page.evaluate(KERNEL)) is not None:
                ask(f"{self.address}/voila/api/shutdown/{kernel}?token={self._token}", "POST")
        finally:
            super()._close(opened)


@contextmanager
def running_voila(browser: Any, folder: Path) -> Iterator[Voila]:
    """Voilà with its root in this folder; ended at the end."""
    root, home = folder / "root", folder / "home"
    root.mkdir(parents=True)
    home.mkdir(parents=True)
    port, token = free_port(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "voila", str(root), "--no-browser", f"--port={port}"),
        *(
            "--Voila.ip=127.0.0.1",
            "--Voila.port_retries=0",
            f"--token={token}",
            "--show_tracebacks=True",
        ),
        f"--Voila.connection_dir_root={home}",
    ]
    address = f"http://127.0.0.1:{port}"
    with served(command, f"{address}/?token={token}", root, home):
        voila = Voila(browser, address, Runs(root), folder / "shots", token)
        try:
            yield voila
        finally:
            voila.close_all()
