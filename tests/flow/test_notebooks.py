"""The notebooks as files; pytest runs them too, by nbmake."""

from __future__ import annotations

import ast
import importlib.util
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
TOOLS = sorted(FOLDER.glob("*.ipynb"))
"""Notebooks to work with: an app or a job, on a person's own data."""
LESSONS = sorted(FOLDER.glob("lessons/*.ipynb"))
"""Notebooks to read, on the samples."""

LONGEST_CELL = 15
USUAL_CELL = 6
MOST_CELLS = 8
"""Of a tool."""
FIRST_LINES = 2
"""Lines of text between a title and an app."""

tools = pytest.mark.parametrize("path", TOOLS, ids=lambda path: path.stem)
lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@pytest.fixture(params=TOOLS + LESSONS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def markdown(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def lines(cell):
    """The lines of a cell without blank ones and comments."""
    return [line for line in cell.source.splitlines() if line.strip() and line.strip()[0] != "#"]


def is_setup(cell):
    """Whether the cell is folded: it makes what the sample needs."""
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def parsed(cell):
    """The cell as Python; magics are none of it."""
    return ast.parse("\n".join(line for line in lines(cell) if line.lstrip()[0] not in "%!"))


def test_there_is_a_quickstart():
    assert "00_quickstart" in [path.stem for path in TOOLS]
    assert "1_first_steps" in [path.stem for path in LESSONS]


def test_it_is_valid_and_runs_on_the_python3_kernel(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


def test_no_output_is_kept(notebook, code):
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert {cell.execution_count for cell in code} == {None}
    assert "widgets" not in notebook.metadata


@lessons
def test_a_lesson_tells_at_least_as_much_as_it_runs(code, markdown):
    assert len(markdown) >= len(code)


@tools
def test_a_tool_is_short_and_shows_what_it_is_for_before_it_explains(notebook):
    kinds = [cell.cell_type for cell in notebook.cells]
    assert len(kinds) <= MOST_CELLS
    assert set(kinds[1 : kinds.index("markdown", 1)]) == {"code"}
    title, *told = filter(None, notebook.cells[0].source.splitlines())
    assert title.startswith("# ")
    assert len(told) <= FIRST_LINES


@tools
def test_an_app_is_made_in_a_line_of_its_own_and_nothing_is_shown_below_it(path, code):
    made = [
        at
        for at, cell in enumerate(code)
        if re.search(r"^\w+ = widgets\.", cell.source, re.MULTILINE)
    ]
    if path.stem[:2] in ("00", "05", "06"):
        assert made == []
        return
    (at,) = made
    assert code[at].source.splitlines()[-1] == "app"
    for cell in code[:at] + code[at + 1 :]:
        last = parsed(cell).body[-1]
        assert not isinstance(last, ast.Expr) or isinstance(last.value, ast.Call)
        assert "print(" not in cell.source  # under Voilà it would be of a folder before this one


def test_it_begins_with_a_title_and_ends_with_words(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert notebook.cells[-1].cell_type == "markdown"


def test_code_cells_are_short(code):
    lengths = [len(lines(cell)) for cell in code if not is_setup(cell)]
    assert max(lengths) <= LONGEST_CELL


@lessons
def test_code_cells_of_a_lesson_are_a_few_lines(code):
    assert statistics.median(len(lines(cell)) for cell in code) <= USUAL_CELL


def test_no_cell_defines_functions_or_classes(code):
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [node for cell in code for node in ast.walk(parsed(cell))]
    assert not [node.name for node in nodes if isinstance(node, definitions)]


@tools
def test_the_first_code_cell_has_the_parameters(code):
    tagged = [at for at, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == [0]


def test_the_last_code_cell_asserts_the_result(code):
    assert any(isinstance(node, ast.Assert) for node in ast.walk(parsed(code[-1])))


def test_links_and_sample_paths_exist(path, notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    samples = re.findall(r"[\"'`]((?:\.\./)+data_samples[^\"'`{]*)[\"'`]", text)
    relative = [link for link in links if "://" not in link]
    assert relative + samples
    assert not [link for link in relative + samples if not (path.parent / link).exists()]


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "data_samples/README.md", "notebooks/guide.md"]
)
def test_links_of_a_page_exist(page):
    path = FOLDER.parent / page
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8"))
    relative = [link for link in links if "://" not in link]
    assert relative or page == "CONTRIBUTING.md"
    assert not [link for link in relative if not (path.parent / link).exists()]


@tools
def test_the_parameters_can_be_given_by_the_environment(code):
    cell = next(cell for cell in code if "parameters" in cell.metadata.get("tags", []))
    given = [line for line in lines(cell) if line != "import os"]
    form = re.compile(r"([A-Z_]+) = os\.environ\.get\(\"NIFTI_KIT_([A-Z_]+)\", \".*\"\)")
    found = [form.fullmatch(line) for line in given]
    assert all(match and match[1] == match[2] for match in found), given


def test_it_imports_neither_pyplot_nor_the_sdk(code):
    """The SDK takes seconds and system libraries; pictures show themselves without pyplot."""
    imported = set()
    for node in (node for cell in code for node in ast.walk(parsed(cell))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert "nifti_kit" in imported
    assert not imported & {"supervisely", "matplotlib.pyplot"}


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
def test_ruff_finds_nothing(path):
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
