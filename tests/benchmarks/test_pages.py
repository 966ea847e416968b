"""What a notebook keeps of 10,000 objects, and the time of the largest score tables.

Measure with ``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the
same code runs once on small input, as a test.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.datasets.surveys import MaskSurvey, survey_item
from nifti_kit.errors import BadScores
from tests.support.builders import write_nifti
from tests.support.landings import quiet

OBJECTS, FEW = 10_000, 600
HALF_MB = 500_000


def test_a_plan_and_a_receipt_in_a_notebook(benchmark: Any, tmp_path: Path) -> None:
    count = OBJECTS if benchmark.enabled else FEW
    write_nifti(tmp_path / "in/CT.nii.gz", np.zeros((8, 8, 8), "i2"))
    mask = np.arange(512, dtype="u2").reshape(8, 8, 8) % 101
    write_nifti(tmp_path / "in/CT/organs.nii.gz", mask)
    plan = nk.plan(nk.scan(tmp_path / "in"))
    receipt = nk.upload(plan, nk.ProjectFolder(tmp_path / "p", "d"), on_progress=quiet)
    plan, receipt = (replace(one, items=one.items * (count // 100)) for one in (plan, receipt))

    pages = benchmark.pedantic(lambda: [one._repr_html_() for one in (plan, receipt)], rounds=1)

    receipt.save(tmp_path / "receipt.html")
    whole = (tmp_path / "receipt.html").stat().st_size
    assert all(len(page) < HALF_MB for page in pages)
    assert len(receipt.to_frame()) == len(plan.to_frame()) == count
    if benchmark.enabled:
        plan_mb, receipt_mb = (len(page) / 1e6 for page in pages)
        benchmark.extra_info.update(plan_mb=plan_mb, receipt_mb=receipt_mb)
        print(
            f"\n{count} objects: plan {plan_mb:.2f} MB, receipt {receipt_mb:.2f} MB of HTML; the "
            f"saved page, which is whole: {whole / 1e6:.2f} MB"
        )


def table(rows: int, labels: int) -> str:
    """Return a score table in which every cell is filled."""
    head = ",".join(f"Label-{value}" for value in range(1, labels + 1))
    lines = (
        ",".join([str(row), *(f"0.{row * value % 100:02}" for value in range(1, labels + 1))])
        for row in range(1, rows + 1)
    )
    return "\n".join([f"Layer,{head}", *lines])


@pytest.mark.parametrize("size", ["many rows", "many labels"])
def test_placing_the_largest_score_table(
    benchmark: Any, tmp_path: Path, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of as many cells as are read, and its item: read, and placed on slices."""
    rows, labels = {"many rows": (32_000, 14), "many labels": (4_000, 120)}[size]
    rows = rows if benchmark.enabled else 40
    mask = np.zeros((4, 4, rows), "u1")
    mask.reshape(16, rows)[0] = np.arange(rows) % labels + 1
    write_nifti(tmp_path / "axl_anatomic.nii", np.zeros((4, 4, rows), "u1"))
    write_nifti(tmp_path / "axl_inference.nii", mask)
    (tmp_path / "axl_score.csv").write_text(table(rows, labels))
    asked = []
    slices = MaskSurvey.slices
    monkeypatch.setattr(
        MaskSurvey, "slices", lambda mask, plane: asked.append(plane) or slices(mask, plane)
    )
    start = time.process_time()
    scores = nk.read_scores(tmp_path / "axl_score.csv")
    read = time.process_time() - start
    dataset = nk.scan(tmp_path)

    benchmark.pedantic(lambda: survey_item(dataset, dataset.items[0]), rounds=1)

    assert len(scores) == rows * labels
    assert asked == ["axl"]  # once for a mask, not for each of a million cells
    if benchmark.enabled:
        seconds = benchmark.stats.stats.min
        benchmark.extra_info.update(read_seconds=read, survey_seconds=seconds)
        print(f"\n{rows} rows, {labels} labels: read in {read:.2f} s, placed in {seconds:.2f} s")


def test_refusing_a_score_table_of_a_million_rows(benchmark: Any, tmp_path: Path) -> None:
    rows = 1_000_000 if benchmark.enabled else 33_000
    path = tmp_path / "axl_score.csv"
    path.write_text(table(rows, 1))

    def refuse() -> str:
        with pytest.raises(BadScores) as caught:
            nk.read_scores(path)
        return str(caught.value)

    said = benchmark.pedantic(refuse, rounds=1)
    assert "at most 32,767 rows and 500,000 cells" in said
    if benchmark.enabled:
        print(f"\n{rows} rows: refused by name in {benchmark.stats.stats.min:.2f} s")
