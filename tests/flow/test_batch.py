"""Notebooks as jobs: a run without a person ends with an error, and leaves what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.support.builders import SAMPLES, write_planes

NOTEBOOKS = SAMPLES.parent / "notebooks"


Run = Callable[..., str]


@pytest.fixture
def failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a notebook with these parameters; return the error that ended it."""

    def run(name: str, **given: str) -> str:
        (tmp_path / "notebooks").mkdir()
        for parameter, value in given.items():
            monkeypatch.setenv(f"NIFTI_KIT_{parameter}", value)
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        resources = {"metadata": {"path": str(tmp_path / "notebooks")}}
        with pytest.raises(CellExecutionError) as failed:
            NotebookClient(notebook, resources=resources).execute()
        return str(failed.value)

    return run


@pytest.mark.parametrize("name", ["01_inspect", "04_upload"])
def test_a_run_on_a_faulty_folder_ends_with_an_error_and_its_findings_are_written(
    name: str, failed_run: Run, tmp_path: Path
) -> None:
    write_planes(tmp_path / "source", ("axl", "cor"))
    said = failed_run(name, SOURCE="../source", PROJECT="../p", OUT="../out", FAIL_ON="error")
    assert "PlanBlocked" in said
    assert "1 finding in the way" in said
    codes = [found["code"] for found in json.loads((tmp_path / "out/findings.json").read_text())]
    assert "planes-incomplete" in codes
    assert (tmp_path / "out" / "findings.html").exists()
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("name", ["01_inspect", "05_alignment"])
def test_an_empty_folder_ends_a_run_in_words(name: str, failed_run: Run, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    said = failed_run(name, SOURCE="../source", OUT="../out")
    assert "source-empty" in said
    assert "Traceback" not in said
