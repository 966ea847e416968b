"""Every code of the catalogue fires on a minimal input, and does not on a near neighbour of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nifti_kit.core.catalog import CATALOG
from nifti_kit.core.findings import Findings
from tests.support import (
    cases_files,
    cases_labels,
    cases_match,
    cases_outliers,
    cases_repairs,
    cases_scores,
    cases_tables,
)

Find = Callable[[Path], Findings]

TOPICS = (
    *(cases_files, cases_labels, cases_match, cases_outliers),
    *(cases_repairs, cases_scores, cases_tables),
)

CASES: dict[str, tuple[Find, Find]] = {
    code: case for topic in TOPICS for code, case in topic.CASES.items()
}


def test_every_code_has_an_input_that_fires_it_and_a_near_one_that_does_not() -> None:
    assert sorted(CASES) == sorted(CATALOG)
    assert all(fires is not near for fires, near in CASES.values())


@pytest.mark.parametrize("code", CATALOG)
def test_a_code_fires_on_its_input_and_not_on_a_near_one(code: str, tmp_path: Path) -> None:
    fires, near = CASES[code]
    for name in ("fires", "near"):
        (tmp_path / name).mkdir()
    found = fires(tmp_path / "fires")
    assert code in found.by_code()
    for each in found.by_code()[code]:
        assert each.message.strip()
        assert each.severity == CATALOG[code].severity
    assert code not in near(tmp_path / "near").by_code()
