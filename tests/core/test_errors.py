"""Errors say file, what was found, what was expected and what to do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nifti_kit import errors
from nifti_kit.errors import NiftiKitError, TargetError

KINDS = [getattr(errors, name) for name in errors.__all__]

TEXTS: list[tuple[dict[str, Any], str]] = [
    ({}, "it is cut short"),
    ({"path": "a.nii"}, "a.nii: it is cut short"),
    ({"path": Path("in/a.nii")}, "in/a.nii: it is cut short"),
    ({"found": 3}, "it is cut short Found: 3."),
    ({"found": 0}, "it is cut short Found: 0."),
    ({"expected": "5 bytes"}, "it is cut short Expected: 5 bytes."),
    ({"remedy": "Copy it again."}, "it is cut short Remedy: Copy it again."),
    (
        {"path": "a.nii", "found": "3 bytes", "expected": "5 bytes", "remedy": "Copy it again."},
        "a.nii: it is cut short Found: 3 bytes. Expected: 5 bytes. Remedy: Copy it again.",
    ),
]


@pytest.mark.parametrize(("facts", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_the_text_joins_path_message_found_expected_and_remedy(
    facts: dict[str, Any], text: str
) -> None:
    error = NiftiKitError("it is cut short", **facts)
    assert str(error) == text
    assert error.args == (text,)


def test_an_error_carries_its_parts() -> None:
    error = NiftiKitError("cut", path=Path("in/a.nii"), found=3, expected=5, remedy="Copy it.")
    assert (error.message, error.path, error.found, error.expected, error.remedy) == (
        "cut",
        "in/a.nii",
        3,
        5,
        "Copy it.",
    )


def test_parts_that_were_not_given_are_none_or_empty() -> None:
    error = NiftiKitError("cut")
    assert (error.path, error.found, error.expected, error.remedy) == (None, None, None, "")


@pytest.mark.parametrize("kind", KINDS, ids=errors.__all__)
def test_every_error_is_a_value_error_of_ours(kind: type[NiftiKitError]) -> None:
    assert issubclass(kind, NiftiKitError)
    assert issubclass(kind, ValueError)
    assert issubclass(kind, OSError) == (kind is TargetError)


@pytest.mark.parametrize("kind", KINDS, ids=errors.__all__)
def test_every_error_survives_the_way_between_processes(kind: type[NiftiKitError]) -> None:
    error = kind("cut", path="a.nii", found=3, expected=5, remedy="Copy it.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "a.nii: cut Found: 3. Expected: 5. Remedy: Copy it."
    assert again.args == (str(again),)
    assert (again.path, again.found, again.expected, again.remedy) == ("a.nii", 3, 5, "Copy it.")


def test_every_kind_of_error_is_public() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, NiftiKitError)
    }
    assert defined == set(errors.__all__)


# In a notebook


PARTS: dict[str, Any] = {
    "path": "in/a.nii.gz",
    "found": "3 bytes",
    "expected": "5 bytes",
    "remedy": "Copy it again.",
}


def shown(error: NiftiKitError) -> list[str]:
    """Return what IPython shows of an error."""
    return error._render_traceback_()


def test_a_notebook_shows_each_part_on_a_line_of_its_own() -> None:
    assert shown(errors.UnreadableFile("it is cut short", **PARTS)) == [
        "UnreadableFile",
        "Where:    in/a.nii.gz",
        "Problem:  it is cut short",
        "Found:    3 bytes",
        "Expected: 5 bytes",
        "Remedy:   Copy it again.",
    ]
    assert shown(NiftiKitError("cut", found=0)) == ["NiftiKitError", "Problem:  cut", "Found:    0"]


def test_long_parts_are_wrapped_but_no_path_is_broken() -> None:
    path = "in/" + "a-long-name " * 3 + "x" * 120 + ".nii"
    lines = shown(NiftiKitError("a word " * 30, path=path))
    wide = [line for line in lines if len(line) > errors.LINE_WIDTH]
    assert wide == [" " * 10 + "x" * 120 + ".nii"]
    start = lines.index(next(line for line in lines if line.startswith("Problem:")))
    assert len(lines[start:]) == 3
    assert " ".join(line[10:] for line in lines[start:]).split() == ["a", "word"] * 30
    assert all(line.startswith(" " * 10) for line in lines[start + 1 :])


def test_lines_of_a_part_stay_lines_with_their_indent() -> None:
    error = errors.PlanBlocked("2 errors in the way", found="\nFindings: 2 errors\n  ERROR [a] b")
    assert shown(error)[2:] == ["Found:    Findings: 2 errors", "            ERROR [a] b"]


def test_a_name_cannot_paint_or_break_lines_or_turn_the_text() -> None:
    path = "a\x1b[31m\x1b]8;;http://x\x07\r\n\u202egz.iin\udcff"
    lines = shown(NiftiKitError("cut \x1b[0m", path=path, found="\x9b31m", remedy="\b\b"))
    assert lines == [
        "NiftiKitError",
        r"Where:    a\x1b[31m\x1b]8;;http://x\x07\r\n\u202egz.iin\udcff",
        r"Problem:  cut \x1b[0m",
        r"Found:    \x9b31m",
        r"Remedy:   \x08\x08",
    ]


FAILING = [
    "import nifti_kit as nk\nfrom nifti_kit.errors import UnreadableFile",
    (
        "try:\n    {}['volume']\n"
        "except KeyError as error:\n"
        "    raise UnreadableFile('cut', path='a\\x1b[31m.nii', remedy='Copy it.') from error"
    ),
]


def test_a_notebook_fails_and_shows_no_stack(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, FAILING)])
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources)
    with pytest.raises(CellExecutionError) as caught:
        client.execute()
    (output,) = notebook.cells[1].outputs
    assert (output.output_type, output.ename) == ("error", "UnreadableFile")
    assert output.evalue == r"a\x1b[31m.nii: cut Remedy: Copy it."
    assert output.traceback == [
        "UnreadableFile",
        r"Where:    a\x1b[31m.nii",
        "Problem:  cut",
        "Remedy:   Copy it.",
    ]
    assert "KeyError" not in "\n".join(output.traceback)
    assert caught.value.ename == "UnreadableFile"


def test_plain_python_shows_the_traceback_as_ever(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\n".join(FAILING))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "The above exception was the direct cause of the following exception:" in lines
    assert f'  File "{script}", line 6, in <module>' in lines
    assert lines[-1] == r"nifti_kit.errors.UnreadableFile: a\x1b[31m.nii: cut Remedy: Copy it."
