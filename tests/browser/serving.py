"""A server of notebooks on this machine, with a root of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]

START_SECONDS = 120
"""Two servers and several kernels start side by side on a machine of two cores."""

END_SECONDS = 20
"""A server ends its kernels first."""

POLL_SECONDS = 0.05
"""Between two looks at a condition."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What the condition returns, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(POLL_SECONDS)
    return value


def environment(home: Path) -> dict[str, str]:
    """The variables of a server: the checkout's package, and no settings of the person's own."""
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NIFTI_KIT_", "COV_", "COVERAGE_", "PYTEST_"))
    }
    for name, folder in folders.items():
        (home / folder).mkdir(parents=True, exist_ok=True)
        kept[name] = str(home / folder)
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CHECKOUT), kept.get("PYTHONPATH")]))
    return kept


@contextmanager
def served(command: list[str], address: str, root: Path, home: Path) -> Iterator[str]:
    """The address, once the server answers there; the server and its kernels end at the end."""
    log = home / "log.txt"
    variables = environment(home)
    with log.open("wb") as sink:
        server = subprocess.Popen(
            command, cwd=root, env=variables, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        wait_until(lambda: _answers(server, address, log), f"{command[2]} answers", START_SECONDS)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(server: subprocess.Popen[bytes], address: str, log: Path) -> bool:
    if server.poll() is not None:
        raise RuntimeError(f"the server ended with {server.returncode}:\n{log.read_text()}")
    try:
        with _DIRECT.open(address, timeout=START_SECONDS) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def ask(address: str, method: str = "GET") -> bytes:
    """What a server answers."""
    with _DIRECT.open(urllib.request.Request(address, method=method)) as answer:
        return answer.read()
