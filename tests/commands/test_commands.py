"""The commands in this process: what they call, what they write where, and how they end."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.commands import options, run
from nifti_kit.datasets.layouts import EVERY_LAYOUT
from nifti_kit.datasets.scanning import SCORE_FRAMES
from nifti_kit.errors import TargetError
from nifti_kit.exports.exporting import LAYOUTS as EXPORT_LAYOUTS
from nifti_kit.targets.target import EXISTING
from tests.support.builders import SAMPLES, SHAPE, write_nifti
from tests.support.landings import tree, write_annotations, write_volumes


class Shell:
    """Runs commands, and keeps what they wrote."""

    def __init__(self, captured):
        self._captured = captured

    def __call__(self, *arguments):
        code = run([str(one) for one in arguments])
        self.out, self.err = self._captured.readouterr()
        return code


@pytest.fixture
def shell(capsys):
    return Shell(capsys)


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in")


@pytest.fixture
def project(tmp_path, shell, source):
    assert shell("upload", source, "--target", tmp_path / "p", "--dataset", "d") == 0
    return ["--target", tmp_path / "p", "--dataset", "d"]


def damage(source):
    (source / "B.nii.gz").write_bytes((source / "B.nii.gz").read_bytes()[:60])


# What is written where


def test_without_json_the_text_of_the_result_is_on_stdout_alone(shell, source):
    assert shell("check", source) == 0
    assert shell.out == f"{nk.check(nk.scan(source))!r}\n"
    assert shell.err == ""  # no terminal: no bar


def test_with_json_nothing_else_is_on_stdout(shell, source, project, tmp_path):
    plan = nk.plan(nk.scan(source))
    target = nk.ProjectFolder(tmp_path / "p", "d")
    commands = {
        "check": (["check", source], nk.check(nk.scan(source))),
        "plan": (["plan", source], plan),
        "verify": (["verify", source, *project], nk.verify(plan, target)),
        "compare": (["compare", source, tmp_path / "p"], nk.compare(nk.scan(source), target)),
        "report": (["report", source], nk.report(nk.scan(source))),
    }
    for name, (arguments, expected) in commands.items():
        assert shell(*arguments, "--json") == 0, name
        assert untimed(json.loads(shell.out)) == untimed(json.loads(expected.to_json())), name


def untimed(content):
    """Leave out what each call has of its own."""
    if isinstance(content, list):
        return content
    return {key: value for key, value in content.items() if key not in ("begun", "ended", "a", "b")}


def test_what_a_file_is_called_reaches_no_terminal(shell, tmp_path):
    source = write_volumes(tmp_path / "in", {"A\x1b[31m\u202e": {}, "B": {}, "\udcff": {}})
    (source / "B.nii.gz").write_bytes(b"\x1f\x8bno")
    assert shell("check", source) == 1
    assert shell("plan", source) == 1
    assert not re.search("[\x1b\u202e\udcff]", shell.out)
    assert shell("check", source, "--json") == 1
    assert shell.out.isascii()
    assert "\x1b" not in shell.out
    assert {found["path"] for found in json.loads(shell.out)} == {
        "A\\x1b[31m\u202e.nii.gz",
        "B.nii.gz",
        "\\xff.nii.gz",
    }


def test_json_is_what_the_library_says_in_letters_that_every_terminal_has(shell, tmp_path):
    source = write_volumes(tmp_path / "in", {"Hüfte": {}})
    assert shell("report", source, "--json") == 0
    assert shell.out.isascii()
    assert [row["item"] for row in json.loads(shell.out)["rows"]] == ["Hüfte.nrrd"]


def test_a_result_is_saved_by_its_ending_and_shown_too(shell, source, tmp_path):
    for name in ("page.html", "page.json", "page.csv"):
        assert shell("report", source, "--out", tmp_path / name) == 0
        assert shell.out.startswith("in: layout by_volume")
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "page.json").read_text())["layout"] == "by_volume"
    card = tmp_path / "card.md"
    arguments = ["--target", tmp_path / "p", "--dataset", "d", "--out", card]
    assert shell("upload", source, *arguments) == 0
    assert card.read_text().startswith("# ")


def test_a_bar_is_for_a_terminal_only(monkeypatch):
    assert options.progress() is not None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert options.progress() is None


# Options are the parameters of the library


def test_choices_are_those_of_the_library():
    assert ("auto", *EVERY_LAYOUT) == options.LAYOUTS
    assert options.FRAMES == SCORE_FRAMES
    assert options.EXISTING == EXISTING
    assert tuple(EXPORT_LAYOUTS) == options.EXPORT_LAYOUTS


def test_scan_has_the_options_of_the_library(shell, monkeypatch):
    asked, dataset = {}, nk.scan(SAMPLES / "scores")
    monkeypatch.setattr(nk, "scan", lambda *_, **chosen: asked.update(chosen) or dataset)
    classes = SAMPLES / "by_plane_semantic" / "cls_color_map.txt"
    words = ["--annotation-word", "gt", "--annotation-word", "reader"]
    bases = ["--score-base", "0", "--score-frames", "ras"]
    chosen = ["--layout", "by_plane", "--segmentation", "semantic", "--classes", classes]
    shell("plan", SAMPLES / "scores", *chosen, *bases, *words)
    asked.pop("on_file")
    assert asked == {
        "layout": "by_plane",
        "segmentation": "semantic",
        "classes": classes,
        "score_base": 0,
        "score_frames": "ras",
        "annotation_words": ("gt", "reader"),
    }


def test_a_finding_is_accepted_for_a_file_or_for_all_as_the_refusal_says(shell, source, tmp_path):
    damage(source)
    target = ["--target", tmp_path / "p", "--dataset", "d"]
    assert shell("upload", source, *target) == 1
    assert not (tmp_path / "p").exists()
    assert shell.out == ""
    every, one = re.findall(r"with (--waive .*?)[;.]\s", shell.err)
    accepted = shlex.split(every)
    assert "--waive file-unreadable" in every
    assert shell("plan", source, "--waive", "file-unreadable:A.nii.gz") == 2
    assert shell("plan", source, *shlex.split(one), "--waive", "file-unreadable:B.nii.gz") == 0
    assert shell("plan", source, *accepted) == 0
    assert shell("upload", source, *target, *accepted) == 0
    assert shell("verify", source, *target, *accepted) == 0


def test_what_is_there_is_decided_on_as_the_refusal_says(shell, source, project):
    assert shell("upload", source, *project) == 1
    (choice,) = re.findall(r"--existing \w+", shell.err)
    assert shell("upload", source, *project, *choice.split()) == 0
    assert shell("verify", source, *project) == 0


def test_annotations_land_by_their_mapping(shell, project, tmp_path):
    target = nk.ProjectFolder(tmp_path / "p", "d")
    folder = write_annotations(tmp_path / "masks", target.volumes()[0].id)
    mapping = tmp_path / "other.json"
    (folder / "mapping.json").rename(mapping)
    assert shell("upload", folder, *project, "--mapping", mapping) == 0
    assert shell("verify", folder, *project, "--mapping", mapping) == 0
    mapping.write_text("[]")
    assert shell("plan", folder, *project, "--mapping", mapping) == 2


def test_an_export_is_like_the_originals_and_of_chosen_volumes(shell, source, project, tmp_path):
    assert shell("export", tmp_path / "all", *project, "--like", source) == 0
    assert shell("compare", tmp_path / "all", source) == 0
    one = ["--volumes", "A.nrrd", "--volumes", nk.ProjectFolder(tmp_path / "p").volumes()[1].id]
    assert shell("export", tmp_path / "some", *project, *one) == 0
    volumes = sorted(path.name for path in (tmp_path / "some").glob("*.nii.gz"))
    assert volumes == ["A.nii.gz", "B.nii.gz"]
    assert shell("compare", tmp_path / "some", source) == 1
    assert shell("compare", tmp_path / "some", source, "--classes", "lung") == 1  # C is in one only
    assert shell("export", tmp_path / "some", *project) == 1  # nothing is overwritten


def test_a_changed_voxel_fails_the_proof_and_is_a_difference(shell, source, project, tmp_path):
    array = np.zeros(SHAPE, "u1")
    array[0, 0, 0] = 1
    affine = nk.scan(source).items[0].volume.grid.affine
    write_nifti(source / "A" / "lung.nii.gz", array, affine)
    assert shell("verify", source, *project) == 1
    assert "lung" in shell.out
    assert shell("compare", source, tmp_path / "p") == 1


# Wrong use


def wrong_uses(source, tmp_path):
    """Arguments, and a word of what is said about them."""
    target = ["--target", tmp_path / "p", "--dataset", "d"]
    no_map = tmp_path / "no_map.json"
    no_map.write_text("no map")
    return [
        (["check"], "Missing argument"),
        (["chek", source], "No such command"),
        (["check", tmp_path / "nowhere"], "does not exist"),
        (["check", source, "--layout", "odd"], "is not one of"),
        (["check", source, "--layout", "pairs"], "BadSource"),
        (["check", source, "--waive", "nonsense"], "--waive"),
        (["check", source, "--waive", "mask-empty:nowhere"], "no finding mask-empty"),
        (["check", source, "--out", tmp_path / "page.txt"], "does not end in"),
        (["check", source, "--out", tmp_path / "no" / "page.html"], "there is no folder"),
        (["check", source, "--out", source / "page.html"], "which is read"),
        (["plan", source, "--mapping", no_map], "BadMapping"),
        (["upload", source], "Missing option '--target'"),
        (["upload", source, "--target", ""], "the path is empty"),
        (["upload", source, "--target", tmp_path / "p"], "the name of a dataset"),
        (["upload", source, "--target", no_map, "--dataset", "d"], "no Supervisely project"),
        (
            ["upload", source, "--target", tmp_path / "p", "--dataset", "../d"],
            "Choose another name",
        ),
        (["upload", source, *target, "--existing", "odd"], "is not one of"),
        (["verify", source, *target], "no project"),
        (["verify", source, "--target", "instance:x"], "no number of a dataset"),
        (["verify", source, "--target", "instance:1", "--dataset", "d"], "have numbers"),
        (["export", tmp_path / "out", *target], "no project"),
        (["compare", source], "Missing argument"),
        (["compare", source, tmp_path / "nowhere"], "BadSource"),
        (["compare", source, tmp_path / "empty"], "nothing to compare"),
    ]


def test_wrong_use_ends_with_2_before_anything_is_written(shell, source, tmp_path):
    (tmp_path / "empty").mkdir()
    uses = wrong_uses(source, tmp_path)
    before = tree(tmp_path)
    for arguments, word in uses:
        assert shell(*arguments) == 2, arguments
        assert word in shell.err, arguments
        assert shell.out == "", arguments
        assert "Traceback" not in shell.err
    assert tree(tmp_path) == before


def test_an_instance_without_a_token_is_wrong_use(shell, source, monkeypatch):
    def from_env(dataset_id):
        assert dataset_id == 7
        print("the SDK says something")
        raise TargetError("the address or the token of the instance is not set")

    monkeypatch.setattr(nk.Instance, "from_env", from_env)
    assert shell("verify", source, "--target", "instance:7", "--json") == 2
    assert shell.out == ""
    assert "the token of the instance is not set" in shell.err


# Stopped


@pytest.fixture
def interruptible():
    """Python's own handler: what a shell has started with ``&`` ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stop(*_, **__):
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(shell, source, tmp_path, monkeypatch):
    target = ["--target", tmp_path / "p", "--dataset", "d"]
    stopping = lambda done: stop() if done.items_done == 1 else None  # noqa: E731
    landing = nk.upload
    with monkeypatch.context() as patch:
        patch.setattr(nk, "upload", lambda *a, **k: landing(*a, **{**k, "on_progress": stopping}))
        assert shell("upload", source, *target) == 130
    assert shell.out == ""
    assert "Stopped. What has landed stays; the same command goes on from there." in shell.err
    assert len(nk.ProjectFolder(tmp_path / "p", "d").volumes()) < 3
    assert shell("upload", source, *target) == 0
    assert shell("verify", source, *target) == 0


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_other_commands_says_that_nothing_was_written(shell, source, monkeypatch):
    monkeypatch.setattr(nk, "check", stop)
    assert shell("check", source, "--json") == 130
    assert shell.out == ""
    assert "Nothing was written" in shell.err


def test_a_full_disk_is_told_without_a_traceback(shell, source, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nk, "check", full)
    assert shell("check", source) == 1
    assert "No space left on device" in shell.err


def test_help_lists_the_commands_and_names_the_exit_codes(shell):
    assert shell("--help") == 0
    for name in ("check", "plan", "upload", "verify", "export", "compare", "report"):
        assert re.search(rf"^  {name}\s", shell.out, re.MULTILINE)
        assert shell.err == ""
    assert "130" in shell.out
    assert shell("--version") == 0
    assert shell.out == f"nifti-kit {nk.__version__}\n"
