"""``nifti-kit app``: the workbench served in a browser, whatever the names; ended by Ctrl-C."""

from __future__ import annotations

import ast
import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from nifti_kit.commands.app import cell_of, command_of
from nifti_kit.commands.options import TABS
from nifti_kit.widgets.workbench import model
from tests.browser.serving import free_port
from tests.commands.test_processes import ended, started
from tests.support.builders import write_planes

ODD = "a'b\"</script><b>\n{x}"


def test_tabs_are_those_of_the_workbench() -> None:
    assert TABS == model.TABS


def test_names_are_literals_in_the_cell() -> None:
    code = cell_of(Path("/in", ODD), f"/p/{ODD}", ODD, steps=None, tab="mend", out=f"/out/{ODD}")
    _, place, app, shown = ast.parse(code).body
    assert isinstance(place, ast.Assign)
    assert isinstance(app, ast.Assign)
    assert isinstance(place.value, ast.Call)
    assert isinstance(app.value, ast.Call)
    assert ast.literal_eval(place.value.args[0]) == f"/p/{ODD}"
    assert ast.literal_eval(app.value.args[0]) == f"/in/{ODD}"
    said = {word.arg: ast.literal_eval(word.value) for word in app.value.keywords}
    assert said == {"tab": "mend", "out": f"/out/{ODD}"}
    assert isinstance(shown, ast.Expr)


def test_a_dataset_of_an_instance_is_no_folder() -> None:
    code = cell_of(Path("/in"), "instance:12", None, tab="inspect")
    assert "target = Instance.from_env(dataset_id=12)" in code.splitlines()
    (imported, *_) = ast.parse(code).body
    assert isinstance(imported, ast.ImportFrom)
    assert "Instance" in {name.name for name in imported.names}


@pytest.mark.parametrize("has_voila", [True, False])
def test_voila_is_asked_first(has_voila: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = object() if has_voila else None
    monkeypatch.setattr("importlib.util.find_spec", lambda _: found)
    command = command_of(Path("w.ipynb"), 9, opens=False)
    assert command[2] == ("voila" if has_voila else "jupyterlab")
    assert "--no-browser" in command
    assert any(word.endswith("port=9") for word in command)
    assert "--no-browser" not in command_of(Path("w.ipynb"), None, opens=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        [".", "--tab", "all"],
        [".", "--dataset", "d"],
        [".", "--port", "0"],
        [".", "--target", ""],
        [".", "--target", "pyproject.toml"],
        [".", "--target", "instance:one"],
        [".", "--target", "instance:1", "--dataset", "d"],
    ],
)
def test_wrong_use_is_said_and_nothing_is_served(arguments: list[str]) -> None:
    code, out, err = ended("app", *arguments)
    assert (code, out) == (2, "")
    assert err


def hear_ctrl_c() -> None:
    """A shell that runs tests in the background may have the signal ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_workbench_is_served_until_ctrl_c(tmp_path: Path) -> None:
    source, port = write_planes(tmp_path / "in"), free_port()
    process = started(
        "app", source, "--no-browser", "--port", port, "--out", tmp_path / "out",
        start_new_session=True, preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    try:
        page = _page(f"http://127.0.0.1:{port}/", process)
        assert "application/vnd.jupyter.widget-view+json" in page
        assert "Error" not in re.sub(
            r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL
        )
    finally:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert "Traceback" not in err


def _page(address: str, process) -> str:
    """Return the page, as soon as the server answers."""
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)
