"""The package's front door: every public name, and nothing heavy before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nifti_kit

HEAVY = ["supervisely", "matplotlib", "ipywidgets", "IPython", "nibabel", "scipy", "pandas"]
HEAVY += ["numpy", "nrrd", "isal", "tqdm", "SimpleITK"]


def run(code):
    """The output of a new interpreter, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_import_loads_none_of_the_heavy_libraries():
    code = f"import sys, nifti_kit\nfor name in {HEAVY}: print(name, name in sys.modules)"
    assert run(code) == [f"{name} False" for name in HEAVY]


def test_scanning_needs_neither_the_sdk_nor_a_toolkit(tmp_path):
    never = ["supervisely", "matplotlib", "ipywidgets", "IPython", "pandas", "SimpleITK"]
    code = (
        "import sys, nifti_kit as nk\n"
        f"nk.scan({str(tmp_path)!r}), nk.ProjectFolder({str(tmp_path)!r}).volumes()\n"
        f"print([name for name in {never} if name in sys.modules])"
    )
    assert run(code) == ["[]"]


@pytest.mark.parametrize("name", nifti_kit.__all__)
def test_a_public_name_is_there_and_documented(name):
    value = getattr(nifti_kit, name)
    assert value is getattr(nifti_kit, name)
    assert value.__doc__


def test_the_names_of_the_flow_are_public():
    flow = {"scan", "check", "plan", "ProjectFolder", "upload", "verify"}
    own = {"read_scores", "read_classes", "read_mapping", "align_mask", "errors"}
    assert flow | own <= set(nifti_kit.__all__)


def test_no_public_name_is_there_twice():
    assert len(set(nifti_kit.__all__)) == len(nifti_kit.__all__)


def test_dir_lists_public_names_before_they_are_used():
    code = "import nifti_kit\nprint(set(nifti_kit.__all__) <= set(dir(nifti_kit)))"
    assert run(code) == ["True"]
    assert dir(nifti_kit) == sorted(dir(nifti_kit))
    assert "__version__" in dir(nifti_kit)


@pytest.mark.parametrize("name", ["nothing", "Scan", "_missing"])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError) as caught:
        getattr(nifti_kit, name)
    assert str(caught.value) == f"module 'nifti_kit' has no attribute {name!r}"


def test_the_version_is_that_of_the_project():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'\nversion = "{nifti_kit.__version__}"\n' in text
