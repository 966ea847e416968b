"""Mappings that pandas wrote as a table: read where one reading alone is possible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping, looks_like_mapping, read_mapping

FILES = ["axl_mask.nii", "cor_mask.nii", "sag_mask.nii"]
IDS = [14, 15, 16]
TABLE = pd.DataFrame({"file": FILES, "volume_id": IDS})
MORE = TABLE.assign(name=["a", "b", "c"], share=[0.5, 0.25, 1.0])
INDEXED = TABLE.set_index("file")


def read(folder: Path, text: Any, files: list[str] = FILES) -> Mapping:
    path = folder / "mapping.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return read_mapping(path, files, relative="mapping.json")


FORMS = {
    **{f"orient={one}": TABLE.to_json(orient=one) for one in ("records", "index", "columns")},
    **{f"whole {one}": TABLE.to_json(orient=one) for one in ("split", "values", "table")},
    **{f"more {one}": MORE.to_json(orient=one) for one in ("records", "columns", "split")},
    **{f"indexed {one}": INDEXED.to_json(orient=one) for one in ("index", "columns", "split")},
    "indexed table": INDEXED.to_json(orient="table"),
    "lines": TABLE.to_json(orient="records", lines=True),
    "counted from 0": TABLE.reset_index().to_json(orient="records"),
    "by folder": {"": {}} and {"ds": {"axl.nii": 14}, "other": {"axl.nii": 15}},
}


@pytest.mark.parametrize("form", [name for name in FORMS if name != "by folder"])
def test_a_table_of_files_and_ids_is_read_and_said_so(form: str, tmp_path: Path) -> None:
    mapping = read(tmp_path, FORMS[form])
    assert [row.volume for row in mapping] == IDS
    assert [row.rule for row in mapping] == ["mapping"] * 3
    (note,) = mapping.faults
    assert (note.code, note.path) == ("mapping-table", "mapping.json")
    assert note.message.startswith("a table: the files are in ")


def test_objects_within_an_object_are_read_where_their_keys_are_folders(tmp_path: Path) -> None:
    mapping = read(tmp_path, FORMS["by folder"], ["ds/axl.nii", "other/axl.nii"])
    assert [row.volume for row in mapping] == [14, 15]


REFUSED = {
    "ids as text": TABLE.astype({"volume_id": str}).to_json(orient="records"),
    "an id is missing": TABLE.assign(volume_id=[14, None, 16]).to_json(orient="records"),
    "ids with a point": TABLE.assign(volume_id=[1.5, 2.0, 3.0]).to_json(orient="columns"),
    "a file that is not there": TABLE.assign(file=["x.nii", *FILES[1:]]).to_json(orient="records"),
    "a file twice": TABLE.assign(file=[FILES[0], FILES[0], FILES[2]]).to_json(orient="index"),
    "two columns of ids": TABLE.assign(dataset_id=[7, 7, 7]).to_json(orient="records"),
    "two columns of files": TABLE.assign(other=FILES[::-1]).to_json(orient="records"),
    "counted from 1": TABLE.set_index(pd.RangeIndex(1, 4)).reset_index().to_json(orient="records"),
    "rows that differ": [{"file": FILES[0], "id": 1}, {"file": FILES[1]}],
    "a key twice in a row": '[{"file": "axl_mask.nii", "id": 1, "id": 2}]',
    "no rows": [],
    "rows of text": FILES,
    "a wrapper": {"mapping": {"axl_mask.nii": 14, "cor_mask.nii": {"id": 15}}},
    "a number": 3,
    "a file in a folder that is not said": {"volume_id": {"axl.nii": 1}},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_no_way_or_in_several_is_refused_with_the_plain_form(
    case: str, tmp_path: Path
) -> None:
    files = ["ds/axl.nii"] if "folder" in case else FILES
    with pytest.raises(BadMapping) as caught:
        read(tmp_path, REFUSED[case], files)
    assert caught.value.path == "mapping.json"
    assert "to_json('mapping.json')" in caught.value.remedy


SAID = {
    "ids as text": "a column of volume ids, whole numbers above 0",
    "an id is missing": "volume_id, such as 14.0",
    "a file that is not there": "row 1 of file is 'x.nii'",
    "two columns of ids": "ids in volume_id; a table: the files are in file, their volumes' ids in",
    "counted from 1": "in several ways",
}


@pytest.mark.parametrize("case", SAID)
def test_a_table_that_is_refused_says_where(case: str, tmp_path: Path) -> None:
    with pytest.raises(BadMapping) as caught:
        read(tmp_path, REFUSED[case])
    assert SAID[case] in str(caught.value.found)


def test_the_remedy_followed_to_the_letter_gives_the_plain_form(tmp_path: Path) -> None:
    text = TABLE.set_index("file")["volume_id"].to_json()
    mapping = read(tmp_path, text)
    assert [row.volume for row in mapping] == IDS
    assert mapping.faults == ()


def test_a_table_may_be_meant_as_a_mapping_only_for_files_that_are_there() -> None:
    from pathlib import PurePosixPath

    files = [PurePosixPath(name) for name in FILES]
    assert looks_like_mapping(FORMS["orient=records"], files)
    assert not looks_like_mapping(FORMS["orient=records"], files[:1])
    assert not looks_like_mapping(FORMS["orient=records"])
    assert not looks_like_mapping("{", files)


ADVICE = {
    "a.nii": ("a.nii.gz", "Write \"a.nii.gz\" instead of 'a.nii' (add .gz)."),
    "a.nii.gz": ("a.nii", "Write \"a.nii\" instead of 'a.nii.gz' (leave .gz off)."),
    "ds/a.nii": ("a.nii", "Write \"a.nii\" instead of 'ds/a.nii' (leave 'ds/' off)."),
    "ds/A.nii": (
        "a.nii.gz",
        "Write \"a.nii.gz\" instead of 'ds/A.nii' (leave 'ds/' off; add .gz).",
    ),
    "ds/b.nii": (
        "other/b.nii",
        "Write \"other/b.nii\" instead of 'ds/b.nii' (leave 'ds/' off, put 'other/' in front).",
    ),
    "B.nii": ("b.nii", "Write \"b.nii\" instead of 'B.nii' (upper and lower case count)."),
}


@pytest.mark.parametrize("key", ADVICE)
def test_the_remedy_of_a_key_says_what_to_write_and_that_ends_right(
    key: str, tmp_path: Path
) -> None:
    file, remedy = ADVICE[key]
    (fault,) = read(tmp_path, {key: 3}, [file]).faults
    assert (fault.code, fault.remedy) == ("mapping-key", remedy)
    mapping = read(tmp_path, {file: 3}, [file])
    assert (mapping.faults, mapping.rows[0].volume) == ((), 3)
