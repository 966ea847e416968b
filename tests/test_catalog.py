"""The catalogue of findings: every code is in it once, is used, and says what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import nifti_kit
from nifti_kit import catalog
from nifti_kit.catalog import CATALOG, Entry, lookup

PACKAGE = Path(nifti_kit.__file__).parent
CALLS = {"finding", "fault"}


def strings_and_codes() -> tuple[set[str], set[str]]:
    """Return every string of the package but the catalogue's, and the codes of finding(...)."""
    strings, codes = set(), set()
    for path in PACKAGE.rglob("*.py"):
        if path.name == "catalog.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                first = node.args[0]
                if name in CALLS and isinstance(first, ast.Constant):
                    codes.add(first.value)
    return strings, codes


STRINGS, CODES = strings_and_codes()


@pytest.mark.parametrize("entry", CATALOG.values(), ids=list(CATALOG))
def test_an_entry_has_a_plain_code_a_severity_a_meaning_and_a_remedy(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.code)
    assert entry.severity in ("error", "warning", "note")
    for text in (entry.meaning, entry.remedy):
        assert text.endswith(".")
        assert text == text.strip()
        assert "\n" not in text


def test_no_code_is_entered_twice() -> None:
    assert len(CATALOG) == len(catalog._ENTRIES)


def test_every_code_that_is_used_is_in_the_catalogue() -> None:
    assert len(CODES) > 20
    assert set(CATALOG) >= CODES


def test_every_code_of_the_catalogue_is_used() -> None:
    assert set(CATALOG) - STRINGS == set()


def test_lookup_returns_the_entry_of_a_code() -> None:
    entry = lookup("planes-incomplete")
    assert (entry.code, entry.severity) == ("planes-incomplete", "error")
    assert entry.remedy == (
        "Add what is missing; give a second set its own folder or case name; or accept the set "
        "as it is: waive='planes-incomplete'."
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "plane-incomplete",
            "There is no finding code 'plane-incomplete'. Did you mean planes-incomplete",
        ),
        ("qqq", "There is no finding code 'qqq'."),
    ],
)
def test_an_unknown_code_raises_and_names_the_nearest_ones(code: str, message: str) -> None:
    with pytest.raises(KeyError) as caught:
        lookup(code)
    assert caught.value.args[0].startswith(message)
    assert ("Did you mean" in caught.value.args[0]) == ("Did you mean" in message)
