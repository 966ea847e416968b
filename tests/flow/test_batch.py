"""Notebooks as jobs: a run without a person ends with an error, and leaves what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import nifti_kit as nk
from tests.support.builders import SAMPLES, write_planes

NOTEBOOKS = SAMPLES.parent / "notebooks"


Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a notebook with these parameters."""

    def begin(name: str, **given: str) -> None:
        (tmp_path / "notebooks").mkdir()
        for parameter, value in given.items():
            monkeypatch.setenv(f"NIFTI_KIT_{parameter}", value)
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        resources = {"metadata": {"path": str(tmp_path / "notebooks")}}
        NotebookClient(notebook, resources=resources).execute()

    return begin


@pytest.fixture
def failed_run(run: Run) -> Run:
    """Run a notebook with these parameters; return the error that ended it."""

    def begin(name: str, **given: str) -> str:
        with pytest.raises(CellExecutionError) as failed:
            run(name, **given)
        return str(failed.value)

    return begin


@pytest.mark.parametrize("name", ["01_inspect", "04_upload"])
def test_a_run_on_a_faulty_folder_ends_with_an_error_and_its_findings_are_written(
    name: str, failed_run: Run, tmp_path: Path
) -> None:
    write_planes(tmp_path / "source", ("axl", "cor"))
    said = failed_run(name, SOURCE="../source", PROJECT="../p", OUT="../out")
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


def test_saved_steps_mend_a_delivery_and_it_lands_without_a_person(
    run: Run, tmp_path: Path
) -> None:
    first = nk.scan(write_planes(tmp_path / "first", ("axl", "cor")))
    steps, _ = nk.Steps().take(first, nk.offers(first, nk.check(first).errors[0])[0].step())
    steps.save(tmp_path / "steps.json")
    write_planes(tmp_path / "source", ("axl", "cor"))
    run("04_upload", SOURCE="../source", PROJECT="../p", OUT="../out", STEPS="../steps.json")
    (proof,) = (tmp_path / "out").glob("proof_*.json")
    assert json.loads(proof.read_text())["ok"] is True
