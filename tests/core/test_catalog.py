"""The catalogue of findings: every code is in it once, is used, and says what to do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nifti_kit
from nifti_kit.core.catalog import CATALOG, SECTIONS, CatalogEntry, lookup
from nifti_kit.core.catalog.__main__ import _plain, reference

PACKAGE = Path(nifti_kit.__file__).parent
PAGE = Path(__file__).parents[2] / "notebooks" / "findings.md"
COMMAND = "python -m nifti_kit.core.catalog > notebooks/findings.md"
CALLS = {"finding", "fault"}


def strings_and_codes() -> tuple[set[str], set[str]]:
    """Return every string of the package but the catalogue's, and the codes of finding(...)."""
    strings, codes = set(), set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "catalog":
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
def test_an_entry_has_a_plain_code_a_severity_a_meaning_and_a_remedy(entry: CatalogEntry) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.code)
    assert entry.severity in ("error", "warning", "note")
    for text in (entry.meaning, entry.remedy):
        assert text.endswith(".")
        assert text == text.strip()
        assert "\n" not in text


def test_no_code_is_entered_twice() -> None:
    assert len(CATALOG) == sum(map(len, SECTIONS.values()))


def test_every_code_that_is_used_is_in_the_catalogue() -> None:
    assert len(CODES) > 20
    assert set(CATALOG) >= CODES


def test_every_code_of_the_catalogue_is_used() -> None:
    assert set(CATALOG) - STRINGS == set()


def test_lookup_returns_the_entry_of_a_code() -> None:
    entry = lookup("planes-incomplete")
    assert (entry.code, entry.severity) == ("planes-incomplete", "error")
    assert entry.remedy == (
        "Add what is missing; give a second set its own folder or case name; or land the "
        "planes that are there: nk.rescan(dataset, incomplete=folder)."
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


def test_the_reference_page_is_that_of_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), f"Write it again: {COMMAND}"


def test_the_command_that_the_page_names_writes_it() -> None:
    assert COMMAND in reference()
    command = [sys.executable, "-W", "error", "-m", "nifti_kit.core.catalog"]
    run = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    assert (run.stdout, run.stderr) == (reference(), "")


def test_the_reference_has_every_code_once_in_the_order_of_the_catalogue() -> None:
    assert re.findall(r"^### `(.*)`$", reference(), re.MULTILINE) == list(CATALOG)


def test_the_reference_says_severity_meaning_and_remedy_under_a_topic() -> None:
    page = reference()
    assert page.startswith("# Findings\n")
    assert (
        "\n## Files\n\n### `source-empty`\n\n"
        "**Error.** The source holds no NIfTI file.\n\n"
        "*What to do:* Point scan() at the folder or archive that holds the .nii or .nii.gz "
        "files.\n"
    ) in page


def test_the_reference_says_how_to_waive_with_codes_that_there_are() -> None:
    lines = [line for line in reference().splitlines() if "waive=" in line and " = nk." in line]
    assert len(lines) == 2
    for code in re.findall(r'"([a-z-]+)"', "".join(lines)):
        assert code in CATALOG


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("__MACOSX", r"\_\_MACOSX"),
        ("scl_slope", "scl_slope"),
        ("a * [b] <c> | d", r"a \* \[b\] \<c\> \| d"),
        ("`nk.repairs.*`", "`nk.repairs.*`"),
    ],
)
def test_signs_of_markdown_are_plain_text(text: str, markdown: str) -> None:
    assert _plain(text) == markdown
