"""The house: its rooms and the face, few arrows between them, none upward."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "nifti_kit"

ROOMS = {
    "errors",
    "core",
    "formats",
    "render",
    "datasets",
    "checks",
    "targets",
    "plans",
    "repairs",
    "pages",
    "plots",
    "transfer",
    "exports",
    "comparisons",
    "widgets",
    "commands",
}

MOST_LINES = 600
"""Of a module: what is longer has a second noun in it."""


def test_at_the_top_there_are_the_rooms_and_the_face():
    there = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert there == {*(ROOMS - {"errors"}), "errors.py", "__init__.py", "py.typed"}


@pytest.mark.parametrize("room", sorted(ROOMS - {"errors"}))
def test_each_room_says_what_it_is_for_and_has_tests_beside_it(room):
    assert (PACKAGE / room / "__init__.py").read_text().startswith('"""')
    assert (ROOT / "tests" / room / "__init__.py").exists()
    assert f"| `{room}` |" in (ROOT / "ARCHITECTURE.md").read_text()


def test_no_module_is_too_long():
    long = {
        str(path.relative_to(PACKAGE)): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_there_are_few_arrows_between_the_rooms():
    """The script is the one that CONTRIBUTING.md shows."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (script,) = re.findall(r"```python\n(import ast\n.*?)```", page, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *arrows, last = done.stdout.splitlines()
    assert last == f"{len(arrows)} arrows, 10 floors"
    assert 40 < len(arrows) <= 96


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_every_file_that_a_page_names_is_there(page):
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`((?:tests|notebooks|data_samples|nifti_kit)/[\w./]*)`", text))
    rooms = "|".join(ROOMS)
    named |= {f"nifti_kit/{name}" for name in re.findall(rf"`((?:{rooms})/[\w./]*)`", text)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
