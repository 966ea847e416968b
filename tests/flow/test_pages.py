"""The Python of the pages: README's runs as it is written, the guide's names what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from tests.support.builders import SAMPLES

ROOT = Path(__file__).parents[2]

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text("utf-8"))


def test_readme_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_samples").symlink_to(SAMPLES)
    names: dict[str, Any] = {}
    for block in blocks("README.md"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["findings"].ok
    assert names["proof"].ok
    assert names["export"].ok
    changed = nk.changes(names["receipt"], names["target"])
    assert len(changed.changes) == len(names["plan"].objects) > 0  # the annotations, and no more


def named(tree: ast.AST) -> set[str]:
    """What code takes of the package: ``repairs.take_header`` for ``nk.repairs.take_header``."""
    found = set()
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if re.fullmatch(r"nk(\.\w+)+", text):
            found.add(text.removeprefix("nk."))
    return found


def test_the_guide_names_what_there_is() -> None:
    trees = [ast.parse(block) for block in blocks("notebooks/guide.md")]
    inline = re.findall(r"`nk\.([\w.]+)", (ROOT / "notebooks" / "guide.md").read_text("utf-8"))
    every = set(inline).union(*map(named, trees))
    assert len(every) > 15
    for name in sorted(every):
        there: Any = nk
        for part in name.split("."):
            there = getattr(there, part)
