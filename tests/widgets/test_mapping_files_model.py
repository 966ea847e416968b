"""Where and in which form a mapping may be saved, and that nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

import pytest

import nifti_kit as nk
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import BadMapping, NiftiKitError
from nifti_kit.formats.mappings import Mapping, MappingRow
from nifti_kit.widgets.mapping import files
from nifti_kit.widgets.parts.acts import path_blockers, path_of
from tests.support.builders import labels, write_nifti


def mapping(*names: str) -> Mapping:
    return Mapping([MappingRow(PurePosixPath(name), 7, "mapping") for name in names])


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_nifti(tmp_path / "in" / "axl_mask.nii", labels())
    return nk.scan(tmp_path / "in")


def test_a_path_that_can_be_written_has_no_blockers(dataset, tmp_path: Path) -> None:
    assert path_blockers(dataset, str(tmp_path / "new" / "mapping.JSON"), ".json") == []


PATHS = {
    "empty": ("  ", "Give the name of the file to save."),
    "another ending": ("m.txt", "The name of the file must end in .json, not in '.txt'."),
    "no ending": ("mapping", "The name of the file must end in .json, not in ''."),
    "inside the source": (
        "{}/in/sub/../mapping.json",
        (
            "The file would lie in the source folder, which is never written to: save it "
            "elsewhere, and copy it there yourself if you want it there."
        ),
    ),
}


@pytest.mark.parametrize(("path", "why"), PATHS.values(), ids=list(PATHS))
def test_a_path_that_cannot_be_written_says_why(
    path: str, why: str, dataset, tmp_path: Path
) -> None:
    assert path_blockers(dataset, path.format(tmp_path), ".json") == [why]


def test_a_folder_is_no_file(dataset, tmp_path: Path) -> None:
    (tmp_path / "f.json").mkdir()
    path = str(tmp_path / "f.json")
    assert path_blockers(dataset, path, ".json") == [
        f"{path} is a folder: give the name of a file in it."
    ]


def test_a_file_beside_a_source_that_is_one_file_may_be_written(tmp_path: Path) -> None:
    one = nk.scan(write_nifti(tmp_path / "axl_mask.nii", labels()), layout="annotations")
    assert path_blockers(one, str(tmp_path / "mapping.json"), ".json") == []


def test_a_tilde_is_a_persons_home_and_an_unknown_one_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of(" ~/m.json ") == tmp_path / "m.json"
    assert path_of("~nobody-of-this-name/m.json") == Path("~nobody-of-this-name/m.json")


def test_forms_say_what_they_cannot_hold() -> None:
    flat, tree = mapping("a.nii"), mapping("x/a.nii", "y/a.nii")
    assert files.form_blockers(flat, "auto") == files.form_blockers(tree, "auto") == []
    assert files.form_blockers(flat, "dataset") == files.form_blockers(tree, "project") == []
    (why,) = files.form_blockers(tree, "dataset")
    assert why == (
        "The dataset form has file names alone, but the files lie in 2 folders: take the project "
        "form."
    )
    (why,) = files.form_blockers(flat, "project")
    assert why == (
        "The project form has a dataset's folder before each file name, but a.nii lies in none: "
        "take the dataset form."
    )
    assert files.form_blockers(flat, "yaml") == [
        "There is no form 'yaml': take one of auto, dataset, project."
    ]


def test_the_form_decides_the_keys() -> None:
    one = mapping("x/a.nii")
    assert files.in_form(one, "project").to_dict() == {"x/a.nii": 7}
    assert files.in_form(one, "dataset").to_dict() == {"a.nii": 7}
    assert files.in_form(one, "auto").to_dict() == {"a.nii": 7}


def test_what_was_there_is_kept_under_the_first_free_name(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text("old")
    (tmp_path / "mapping.1.json").write_text("older")
    assert files.where_text(str(path)) == (
        f"It goes to {path}. The file there is kept as mapping.2.json if it differs."
    )
    assert files.save_mapping(mapping("a.nii"), path) == tmp_path / "mapping.2.json"
    assert (tmp_path / "mapping.2.json").read_text() == "old"
    assert (tmp_path / "mapping.1.json").read_text() == "older"
    assert json.loads(path.read_text()) == {"a.nii": 7}
    assert files.save_mapping(mapping("a.nii"), path) is None
    assert len(list(tmp_path.iterdir())) == 3


def test_where_it_goes_is_told(tmp_path: Path) -> None:
    assert files.where_text(str(tmp_path / "a" / ".." / "m.json")) == (
        f"It goes to {tmp_path / 'm.json'}."
    )


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NiftiKitError, match="the file cannot be written"):
        files.save_mapping(mapping("a.nii"), tmp_path / "file" / "m.json")


def test_what_cannot_be_kept_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(BadMapping, match=r"cannot be kept Found: No space left on device\."):
        files.save_mapping(mapping("a.nii"), path)
    assert path.read_text() == "old"


def test_a_device_that_is_there_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "m.json").symlink_to(os.devnull)
    with pytest.raises(BadMapping, match="no regular file Found: a device"):
        files.save_mapping(mapping("a.nii"), tmp_path / "m.json")
    assert (tmp_path / "m.json").is_symlink()
