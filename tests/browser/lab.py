"""JupyterLab: its server, and a notebook in it."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .opened import RUN_SECONDS, WIDGETS_SHOWN, CellFailed, Opened, Runs, Server
from .serving import ask, free_port, served

OPEN_SECONDS = 120
"""The longest that a kernel takes to start on a busy machine."""

SETTINGS = {
    # No questions, and nothing from the network.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # All cells are on the page, also those that nobody has scrolled to.
    "notebook-extension/tracker": {"windowingMode": "none", "scrollPastEnd": False},
    "docmanager-extension/plugin": {"autosave": False},
}

FOUND = """() => {
    const app = window.jupyterapp;
    window.nkPanel = app && [...app.shell.widgets('main')].find(panel => panel.sessionContext);
    return Boolean(window.nkPanel);
}"""

READY = """async () => {
    const app = window.jupyterapp, panel = window.nkPanel;
    await app.restored;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    app.shell.activateById(panel.id);
}"""
"""Run All before this silently runs nothing."""

CURRENT = "() => window.jupyterapp.shell.currentWidget === window.nkPanel"

RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => null)"

CELLS = """() => [...window.nkPanel.content.model.cells].map(cell => ({
    type: cell.type,
    source: cell.sharedModel.source,
    count: cell.executionCount ?? null,
    outputs: cell.outputs ? cell.outputs.toJSON() : [],
}))"""


class LabNotebook(Opened):
    """A notebook in JupyterLab."""

    def run_all(self, seconds: float = RUN_SECONDS) -> None:
        """Run all cells and wait for the last one; raise `CellFailed` with a cell's error."""
        self.await_(RUN, seconds)
        self.page.wait_for_function(WIDGETS_SHOWN)
        cells = [cell for cell in self.cells() if cell["type"] == "code" and cell["source"]]
        if failed := [text for cell in cells if (text := _failure(cell))]:
            raise CellFailed("\n".join(failed))
        if left := [cell["source"] for cell in cells if cell["count"] is None]:
            raise CellFailed(f"{len(left)} cells have not run; the first is:\n{left[0]}")

    def cells(self) -> list[dict[str, Any]]:
        """The cells as they are now: type, source, count (of the run, or None), outputs."""
        return self.page.evaluate(CELLS)

    def run_cell(self, source: str) -> str:
        """Run Python in the notebook's kernel; return what it prints. For tests' own questions."""
        script = """async source => {
            const kernel = window.nkPanel.sessionContext.session.kernel;
            const future = kernel.requestExecute({code: source, store_history: false});
            let printed = '';
            future.onIOPub = message => { printed += message.content.text ?? ''; };
            const reply = (await future.done).content;
            return reply.status === 'ok' ? [printed, null]
                : [printed, `${reply.ename}: ${reply.evalue}`];
        }"""
        printed, error = self.page.evaluate(script, source)
        if error:
            raise CellFailed(error)
        return printed

    def use_theme(self, theme: str) -> None:
        """Change to the light or the dark theme."""
        name = f"JupyterLab {theme.title()}"
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")

    def _height(self) -> int:
        return self.page.evaluate("""() => {
            const cells = document.querySelector('.jp-WindowedPanel-outer');
            return window.innerHeight - cells.clientHeight + cells.scrollHeight;
        }""")


class Lab(Server):
    """A running JupyterLab."""

    def open(
        self,
        notebook: str | Path | Any,
        *,
        folder: Path | None = None,
        theme: str = "light",
        **parameters: Any,
    ) -> LabNotebook:
        """A notebook whose kernel is ready, in a new run's folder or that of an earlier run.

        Opened again in the same folder, it gets a new page and a new kernel.
        """
        path = self._written(notebook, folder, parameters)
        opened = self._enter(LabNotebook(self._browser, self.host, path, self.shots))
        opened.page.goto(f"{self.address}/doc/tree/{self._place(path)}?token={self._token}&reset")
        opened.page.wait_for_function(FOUND)
        opened.await_(READY, OPEN_SECONDS)
        opened.page.wait_for_function(CURRENT)
        opened.use_theme(theme)  # the server keeps that of the notebook before
        return opened

    def _close(self, opened: Opened) -> None:
        """Close the page, then end its kernel, which would outlive it."""
        super()._close(opened)
        sessions = json.loads(ask(f"{self.address}/api/sessions?token={self._token}"))
        for session in sessions:
            if quote(session["path"]) == self._place(opened.path):
                address = f"{self.address}/api/sessions/{session['id']}?token={self._token}"
                ask(address, "DELETE")


@contextmanager
def running_lab(browser: Any, folder: Path) -> Iterator[Lab]:
    """JupyterLab with its root in this folder; ended at the end."""
    root, home = folder / "root", folder / "home"
    root.mkdir(parents=True)
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    port, token = free_port(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"),
        *("--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    address = f"http://127.0.0.1:{port}"
    with served(command, f"{address}/api/status?token={token}", root, home):
        lab = Lab(browser, address, Runs(root), folder / "shots", token)
        try:
            yield lab
        finally:
            lab.close_all()


def _failure(cell: dict[str, Any]) -> str | None:
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            what = f"{output['ename']}: {output['evalue']}"
            return f"{what}\nin the cell [{cell['count']}]:\n{cell['source']}"
    return None
