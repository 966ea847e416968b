"""The commands as a shell starts them: exit codes, pipes, and what they load."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builders import SAMPLES
from tests.support.landings import write_volumes

ROOT = Path(__file__).parents[2]


def entry():
    """The function that an installed ``nifti-kit`` calls, as pyproject.toml names it."""
    text = (ROOT / "pyproject.toml").read_text()
    ((module, function),) = re.findall(r'^nifti-kit = "([\w.]+):(\w+)"$', text, re.MULTILINE)
    return f"import sys; from {module} import {function}; sys.exit({function}())"


def started(*arguments, **options):
    """Start a command; it is no terminal."""
    command = [sys.executable, "-c", entry(), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **{**pipes, **options})


def ended(*arguments):
    """The exit code of a command, with its stdout and stderr."""
    process = started(*arguments)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


def test_a_project_there_and_back_in_five_commands(tmp_path):
    source = write_volumes(tmp_path / "in")
    target = ["--target", tmp_path / "p", "--dataset", "d"]
    assert ended("upload", source, *target)[::2] == (0, "")
    assert ended("upload", source, *target)[0] == 1
    code, out, err = ended("verify", source, *target, "--json")
    assert (code, json.loads(out)["ok"], err) == (0, True, "")
    assert ended("export", tmp_path / "back", *target, "--like", source)[::2] == (0, "")
    (tmp_path / "back" / "A" / "lung.nii.gz").unlink()
    code, out, err = ended("compare", source, tmp_path / "back")
    assert (code, err) == (1, "")
    assert "lung" in out
    assert "\x1b" not in out  # no colour


def test_check_plan_and_report_tell_a_fault_by_their_exit_code(tmp_path):
    source = write_volumes(tmp_path / "in", {"A\x1b]0;x\x07": {}, "B": {}})
    (source / "B.nii.gz").write_bytes(b"no image")
    checked = started("check", source, "--json")
    tool = [sys.executable, "-m", "json.tool"]
    read = subprocess.run(tool, stdin=checked.stdout, capture_output=True, text=True, check=True)
    checked.stdout.close()
    assert "B.nii.gz" in [found["path"] for found in json.loads(read.stdout)]
    assert checked.stderr.read() == ""
    checked.stderr.close()
    assert checked.wait() == 1
    for process in [started("plan", source), started("report", source)]:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (1, "")
        assert "B.nii.gz" in out
        assert "\x1b" not in out


def test_wrong_use_is_no_traceback(tmp_path):
    code, out, err = ended("check", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert "does not exist" in err


@pytest.mark.skipif(os.name == "nt", reason="a pipe that nobody reads is another error there")
def test_a_pipe_that_nobody_reads_changes_nothing_of_the_verdict():
    reading, writing = os.pipe()
    os.close(reading)
    process = started("check", SAMPLES / "scores", stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 0


def test_help_loads_nothing_that_takes_time():
    heavy = ["numpy", "nibabel", "pandas", "scipy", "supervisely", "matplotlib", "tqdm", "rich"]
    code = (
        "import sys\nfrom nifti_kit.commands import run\n"
        "for one in (['--help'], ['upload', '--help']): assert run(one) == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
