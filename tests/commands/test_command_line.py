"""The command line: exit codes, what is printed where, wrong use; as processes and in this one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nifti_kit.commands import arguments, command_line
from nifti_kit.commands.command_line import FINE, FOUND, INTERRUPTED, WRONG_USE, run
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance
from tests.support.builders import SAMPLES, labels, volume, write_nifti

SOURCE = SAMPLES / "by_volume"
PROGRAM = "from nifti_kit.commands import main; main()"


def process(*given: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as a process; stdout and stderr are no terminal."""
    command = [sys.executable, "-c", PROGRAM, *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was landed by a process."""
    folder = tmp_path_factory.mktemp("command") / "project"
    done = process("upload", SOURCE, "--target", folder, "--dataset", "d", "--json")
    assert (done.returncode, done.stderr) == (FINE, "")
    assert len(json.loads(done.stdout)["volumes"]) == 3
    return folder


def test_what_has_landed_is_verified_exported_and_the_same(project: Path, tmp_path: Path) -> None:
    done = process("verify", SOURCE, "--target", project, "--dataset", "d")
    assert (done.returncode, done.stderr) == (FINE, "")
    assert done.stdout.startswith("Proof: verified; 3 volumes and 45 objects")
    files = tmp_path / "files"
    done = process("export", project, files, "--like", SOURCE, "--json")
    assert (done.returncode, done.stderr) == (FINE, "")
    assert {Path(row["file"]).name for row in json.loads(done.stdout)["rows"]} >= {"liver.nii.gz"}
    done = process("compare", SOURCE, files)
    assert (done.returncode, done.stderr) == (FINE, "")
    assert done.stdout.startswith("Comparison of 3 volumes: identical\n")


def test_findings_and_wrong_use_have_their_own_codes(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_anatomic.nii.gz", volume())
    done = process("check", tmp_path, "--json")
    assert done.returncode == FOUND
    assert "planes-incomplete" in {found["code"] for found in json.loads(done.stdout)}
    done = process("check", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (WRONG_USE, "")
    assert "there is no such file or folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_there_at_once_and_needs_no_library() -> None:
    told = "import sys; from nifti_kit.commands.command_line import run; run(['--help'])"
    script = f"{told}; print('numpy' in sys.modules or 'supervisely' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    for name in ("check", "plan", "upload", "verify", "export", "compare", "report"):
        assert f"\n  {name} " in done.stdout
    assert done.stdout.endswith("False\n")


def test_who_reads_only_the_beginning_is_told_no_fault() -> None:
    command = [sys.executable, "-c", PROGRAM, "check", str(SOURCE), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""


def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command_line, "_bar", lambda: lambda *_: os.kill(os.getpid(), signal.SIGINT)
    )
    code = run(["upload", str(SOURCE), "--target", str(tmp_path / "p"), "--dataset", "d"])
    assert code == INTERRUPTED
    assert "The same call goes on" in capsys.readouterr().err
    monkeypatch.setattr(command_line, "_bar", lambda: lambda *_: None)
    assert run(["upload", str(SOURCE), "--target", str(tmp_path / "p"), "--dataset", "d"]) == FINE


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["check"], "Missing argument 'SOURCE'"),
        (["check", "{source}", "--layout", "by_hand"], "'by_hand' is not one of"),
        (["check", "{source}", "--waive", "no-such-code"], "There is no finding code"),
        (["check", "{source}", "--waive", "mask-empty:x.nii"], "x.nii"),
        (["check", "{source}", "--out", "findings.txt"], "ends in none of .html, .json, .csv"),
        (["check", "{source}", "--classes", "{source}"], "is a directory"),
        (["plan", "{source}", "--mapping", "mapping.json"], "does not exist"),
        (["verify", "{source}", "--target", "{source}"], "it has no meta.json"),
        (["upload", "{source}", "--target", "instance:knee"], "a number stands behind instance:"),
        (["export", "{source}", "out"], "it has no meta.json"),
        (["mend", "{source}"], "No such command"),
    ],
)
def test_wrong_use_is_told(
    given: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([text.format(source=SOURCE) for text in given]) == WRONG_USE
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_an_instance_without_a_token_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**given: Any) -> None:
        assert given == {"dataset_id": 7}
        raise TargetError("there is no token", remedy="Set API_TOKEN.")

    monkeypatch.setattr(Instance, "from_env", refused)
    assert run(["upload", str(SOURCE), "--target", "instance:7"]) == WRONG_USE
    assert "Set API_TOKEN." in capsys.readouterr().err


def test_choices_reach_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_nifti(tmp_path / "axl_anatomic.nii.gz", volume())
    write_nifti(tmp_path / "axl_inference.nii.gz", labels(values=(1, 2)))
    given = ["plan", str(tmp_path), "--segmentation", "instance", "--json"]
    assert run(given) == FOUND
    assert json.loads(capsys.readouterr().out)["blockers"]
    page = tmp_path.parent / "plan.json"
    assert run([*given, "--waive", "planes-incomplete", "--out", str(page)]) == FINE
    told = json.loads(capsys.readouterr().out)
    assert [row["class"] for row in told["rows"]] == ["Segment_1", "Segment_1"]
    assert json.loads(page.read_text()) == told


def test_two_sets_that_differ_are_told_and_a_page_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, roll in (("a", 0), ("b", 1)):
        write_nifti(tmp_path / name / "axl_anatomic.nii.gz", volume())
        moved = np.roll(labels(), roll, axis=0)
        write_nifti(tmp_path / name / "axl_inference.nii.gz", moved)
    sides = [str(tmp_path / name) for name in "ab"]
    page = tmp_path / "differences.html"
    assert run(["compare", *sides, "--out", str(page)]) == FOUND
    assert "difference" in capsys.readouterr().out
    assert "<h1>Comparison</h1>" in page.read_text()


def test_a_changed_project_is_no_proof(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "project"
    shutil.copytree(project, other)
    mask = next((other / "d" / "mask" / "CTChest.nrrd").iterdir())
    mask.unlink()
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    code = run(["verify", str(SOURCE), "--target", str(other), "--dataset", "d"])
    assert code == FOUND
    assert "NOT as meant: 1" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


def test_a_page_of_a_data_set_and_a_card_of_an_upload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "<b>\u202ein"
    write_nifti(folder / "case.nii.gz", volume())
    page, card = tmp_path / "page.html", tmp_path / "card.md"
    assert run(["report", str(folder), "--out", str(page)]) == FINE
    assert "\u202e" not in capsys.readouterr().out
    assert "<b>" not in page.read_text().partition("<body>")[2]
    target = ["--target", str(tmp_path / "p"), "--dataset", "d"]
    assert run(["upload", str(folder), *target, "--out", str(card)]) == FINE
    assert card.read_text().startswith("# ")


def test_a_side_may_be_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(arguments, "target_of", lambda text, _: asked.append(text))
    assert arguments.side_of("folder") == "folder"
    arguments.side_of("instance:12")
    assert asked == ["instance:12"]
