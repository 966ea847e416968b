"""Notebooks as jobs: a run without a person ends with an error, and leaves what was found."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.support.builders import SAMPLES, write_planes

NOTEBOOKS = SAMPLES.parent / "notebooks"


@pytest.mark.parametrize("name", ["01_inspect", "04_upload"])
def test_a_run_on_a_faulty_folder_ends_with_an_error_and_its_findings_are_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_planes(tmp_path / "source", ("axl", "cor"))
    (tmp_path / "notebooks").mkdir()
    given = {"SOURCE": "../source", "PROJECT": "../p", "OUT": "../out", "FAIL_ON": "error"}
    for parameter, value in given.items():
        monkeypatch.setenv(f"NIFTI_KIT_{parameter}", value)
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path / "notebooks")}}
    with pytest.raises(CellExecutionError, match=r"(?s)PlanBlocked.*planes-incomplete") as failed:
        NotebookClient(notebook, resources=resources).execute()
    assert "1 finding in the way" in str(failed.value)
    codes = [found["code"] for found in json.loads((tmp_path / "out/findings.json").read_text())]
    assert "planes-incomplete" in codes
    assert (tmp_path / "out" / "findings.html").exists()
    assert not (tmp_path / "p").exists()
