"""The workbench in a browser: a notebook of one cell, served by Voilà, else by JupyterLab."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat

from nifti_kit.commands.options import INSTANCE

NOTEBOOK = "workbench.ipynb"

HALTED = (-2, 130)
"""Exit codes of a server that Ctrl-C has ended."""


def cell_of(source: Path, target: str | None, dataset: str | None, **options: Any) -> str:
    """Return the code that opens the workbench; names are literals in it, never code.

    >>> print(cell_of(Path("/data/a'b"), None, None, tab="mend"))
    from nifti_kit import Instance, ProjectFolder, widgets
    <BLANKLINE>
    target = None
    app = widgets.Workbench("/data/a'b", target, tab='mend')
    app
    """
    place = "None" if target is None else f"ProjectFolder({target!r}, dataset={dataset!r})"
    if target is not None and target.startswith(INSTANCE):
        place = f"Instance.from_env(dataset_id={int(target.removeprefix(INSTANCE))})"
    said = "".join(f", {name}={value!r}" for name, value in options.items() if value is not None)
    lines = [
        "from nifti_kit import Instance, ProjectFolder, widgets",
        "",
        f"target = {place}",
        f"app = widgets.Workbench({str(source)!r}, target{said})",
        "app",
    ]
    return "\n".join(lines)


def command_of(notebook: Path, port: int | None, *, opens: bool) -> list[str]:
    """Return the command that serves a notebook: Voilà shows the app alone."""
    if importlib.util.find_spec("voila") is not None:
        silent = [] if opens else ["--no-browser"]
        choice = [] if port is None else [f"--port={port}"]
        return [sys.executable, "-m", "voila", str(notebook), "--theme=light", *silent, *choice]
    silent = [] if opens else ["--no-browser"]
    choice = [] if port is None else [f"--ServerApp.port={port}"]
    return [sys.executable, "-m", "jupyterlab", str(notebook), *silent, *choice]


def serve(code: str, port: int | None, *, opens: bool) -> int:
    """Serve the workbench until Ctrl-C, and return 0; or the exit code of a server that fails."""
    with tempfile.TemporaryDirectory(prefix="nifti_kit_app_") as folder:
        notebook = Path(folder, NOTEBOOK)
        notebook.write_text(_notebook(code), "utf-8")
        return _ended(command_of(notebook, port, opens=opens))


def _notebook(code: str) -> str:
    v4: Any = nbformat.v4  # its functions have no types
    made = v4.new_notebook(cells=[v4.new_code_cell(code)])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    text: str = v4.writes_json(made)
    return text


def _ended(command: Sequence[str]) -> int:
    """Wait for a server; Ctrl-C goes to it too, and is how a person ends it."""
    server = subprocess.Popen(command)
    try:
        code = server.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            server.wait(timeout=10)
        if server.poll() is None:
            server.kill()
        return 0
    return 0 if code in HALTED else code
