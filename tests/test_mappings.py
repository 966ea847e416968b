"""JSON mappings: each annotation file has one volume id, or the reason is named."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import untimed

from nifti_kit.errors import BadMapping, NiftiKitError, UnreadableFile
from nifti_kit.mappings import Mapping, MappingRow, looks_like_mapping, read_mapping

FLAT = ("cor_inference_1.nii", "sag_mask_2.nii")
NESTED = ("dataset1/cor_inference_1.nii", "dataset2/cor_inference_1.nii", "dataset2/sag_mask_2.nii")


def read(folder: Path, content: Any, files: tuple[str, ...] = FLAT) -> Mapping:
    path = folder / "mapping.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_mapping(path, files, relative="mapping.json")


def ids(mapping: Mapping) -> list[int | None]:
    return [row.volume for row in mapping]


def faults(mapping: Mapping) -> list[tuple[str, str]]:
    assert all(fault.path == "mapping.json" for fault in mapping.faults)
    return [(fault.code, fault.message) for fault in mapping.faults]


def test_the_mapping_of_the_specification_is_read(tmp_path: Path) -> None:
    mapping = read(tmp_path, '{\n    "cor_inference_1.nii": 123,\n    "sag_mask_2.nii": 456\n}')
    assert list(mapping) == [
        MappingRow(PurePosixPath("cor_inference_1.nii"), 123, "mapping", (123,)),
        MappingRow(PurePosixPath("sag_mask_2.nii"), 456, "mapping", (456,)),
    ]
    assert (mapping.path, mapping.faults, mapping.unmatched) == ("mapping.json", (), ())
    assert len(mapping) == 2


def test_the_mapping_of_a_project_names_the_dataset_folder(tmp_path: Path) -> None:
    content = {"dataset1/cor_inference_1.nii": 123, "dataset2/sag_mask_2.nii": 456}
    mapping = read(tmp_path, content, NESTED)
    assert ids(mapping) == [123, None, 456]
    assert [str(row.annotation) for row in mapping.unmatched] == ["dataset2/cor_inference_1.nii"]
    assert mapping.faults == ()


KEYS = {
    "the whole path": ("dataset1/cor_inference_1.nii", [123, None, None]),
    "a name that is there once": ("sag_mask_2.nii", [None, None, 123]),
    "backslashes": ("dataset2\\sag_mask_2.nii", [None, None, 123]),
    "a dot in front": ("./dataset2/sag_mask_2.nii", [None, None, 123]),
    "blanks around": (" sag_mask_2.nii ", [None, None, 123]),
}


@pytest.mark.parametrize(("key", "expected"), KEYS.values(), ids=list(KEYS))
def test_a_key_is_a_path_or_the_end_of_one(
    key: str, expected: list[int | None], tmp_path: Path
) -> None:
    mapping = read(tmp_path, {key: 123}, NESTED)
    assert ids(mapping) == expected
    assert mapping.faults == ()


def test_a_whole_path_goes_before_the_end_of_another(tmp_path: Path) -> None:
    mapping = read(tmp_path, {"a.nii": 1, "x/a.nii": 2}, ("a.nii", "x/a.nii"))
    assert ids(mapping) == [1, 2]
    assert mapping.faults == ()


UNKNOWN_KEYS = {
    "no such file": ("axl_mask.nii", "key 'axl_mask.nii' names no file"),
    "another ending": ("sag_mask_2.nii.gz", "key 'sag_mask_2.nii.gz' names no file"),
    "no ending": ("sag_mask_2", "key 'sag_mask_2' names no file"),
    "another case": ("SAG_mask_2.nii", "key 'SAG_mask_2.nii' names no file"),
    "another folder": ("other/sag_mask_2.nii", "key 'other/sag_mask_2.nii' names no file"),
    "part of a name": ("mask_2.nii", "key 'mask_2.nii' names no file"),
    "absolute": ("/dataset2/sag_mask_2.nii", "key '/dataset2/sag_mask_2.nii' names no file"),
    "empty": ("", "key '' names no file"),
    "two files": (
        "cor_inference_1.nii",
        f"key 'cor_inference_1.nii' means {NESTED[0]}, {NESTED[1]}",
    ),
}


@pytest.mark.parametrize(("key", "message"), UNKNOWN_KEYS.values(), ids=list(UNKNOWN_KEYS))
def test_a_key_that_means_no_file_or_several_is_named_and_the_others_are_kept(
    key: str, message: str, tmp_path: Path
) -> None:
    mapping = read(tmp_path, {key: 123, "dataset2/sag_mask_2.nii": 456}, NESTED)
    assert ids(mapping) == [None, None, 456]
    assert faults(mapping) == [("mapping-key", message)]
    assert mapping.faults[0].severity == "error"


IDS = {
    "text": ("123", "'123'"),
    "null": (None, "None"),
    "true": (True, "True"),
    "zero": (0, "0"),
    "negative": (-5, "-5"),
    "a fraction": (1.5, "1.5"),
    "a float": (123.0, "123.0"),
    "a list": ([123], "[123]"),
}


@pytest.mark.parametrize(("value", "shown"), IDS.values(), ids=list(IDS))
def test_an_id_that_is_no_whole_number_above_0_is_named_and_the_others_are_kept(
    value: Any, shown: str, tmp_path: Path
) -> None:
    mapping = read(tmp_path, {"cor_inference_1.nii": value, "sag_mask_2.nii": 456})
    assert ids(mapping) == [None, 456]
    assert faults(mapping) == [("mapping-id", f"key 'cor_inference_1.nii': the id is {shown}")]
    assert mapping.faults[0].severity == "error"


def test_a_key_that_stands_twice_with_two_ids_is_named(tmp_path: Path) -> None:
    mapping = read(tmp_path, '{"sag_mask_2.nii": 7, "sag_mask_2.nii": 5}')
    assert faults(mapping) == [("mapping-id", "sag_mask_2.nii has several ids: [5, 7]")]
    assert mapping.rows[1] == MappingRow(PurePosixPath("sag_mask_2.nii"), None, "", (5, 7))


def test_a_key_that_stands_twice_with_the_same_id_is_fine(tmp_path: Path) -> None:
    mapping = read(tmp_path, '{"sag_mask_2.nii": 7, "./sag_mask_2.nii": 7}')
    assert ids(mapping) == [None, 7]
    assert mapping.faults == ()


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_fine(bom: bytes, tmp_path: Path) -> None:
    assert ids(read(tmp_path, bom + b'{"sag_mask_2.nii": 7}')) == [None, 7]


def test_an_empty_mapping_matches_nothing(tmp_path: Path) -> None:
    assert ids(read(tmp_path, {})) == [None, None]


REFUSED = {
    "no json": ("{", "Expecting property name enclosed in double quotes: line 1"),
    "empty": ("", "Expecting value: line 1 column 1 (char 0)"),
    "a list": ('[{"a.nii": 1}]', "a JSON list"),
    "a number": ("1", "a JSON int"),
    "nested too deep": ("[" * 100_000, "JSON that is nested too deep"),
    "a number that is far too long": (f'{{"sag_mask_2.nii": {"9" * 5000}}}', "Exceeds the limit"),
}


@pytest.mark.parametrize(("text", "found"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_json_object_is_refused(text: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(BadMapping) as caught:
        read(tmp_path, text)
    assert caught.value.message == "the mapping cannot be read"
    assert caught.value.path == "mapping.json"
    assert str(caught.value.found).startswith(found)
    assert caught.value.expected == 'an object such as {"axl_inference_1.nii": 123}'


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="zero bytes"):
        read(tmp_path, b"{\0}")


def test_the_path_stands_in_faults_where_no_other_name_is_given(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text('{"a.nii": 0}')
    assert read_mapping(str(path), ["a.nii"]).faults[0].path == str(path)


class Annotations:
    """What read_mapping needs of a dataset."""

    annotation_paths = (PurePosixPath("sag_mask_2.nii"),)


def test_a_dataset_gives_its_annotation_files(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"sag_mask_2.nii": 7}')
    assert ids(read_mapping(tmp_path / "m.json", Annotations())) == [7]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"a.nii": 1}', True),
        ('{"x/A.NII.GZ": "text"}', True),
        ('{"note": "", "a.nii": 1}', True),
        ("{}", True),
        ('{"a.nii": 1', True),
        ("[" * 100_000, True),
        ('{"name": "a.nii"}', False),
        ('["a.nii"]', False),
        ("1", False),
    ],
)
def test_a_json_file_may_be_meant_as_a_mapping(text: str, answer: bool) -> None:
    assert looks_like_mapping(text) is answer


def mapping(*rows: tuple[str, int | None]) -> Mapping:
    return Mapping([MappingRow(PurePosixPath(path), volume) for path, volume in rows], "m.json")


def test_the_volume_of_a_file_is_found() -> None:
    found = mapping(("a.nii", 1), ("b.nii", None))
    assert found.volume_of(PurePosixPath("a.nii")) == 1
    assert found.volume_of(PurePosixPath("b.nii")) is None
    assert found.volume_of(PurePosixPath("c.nii")) is None


def test_a_mapping_shows_how_many_files_are_matched() -> None:
    found = mapping(("a.nii", 1), ("b.nii", None), ("c.nii", 3))
    assert repr(found) == "<Mapping m.json: 2 of 3 annotation files matched>"


def test_saved_in_the_scope_of_a_dataset_the_keys_are_names(tmp_path: Path) -> None:
    mapping(("x/a.nii", 1), ("x/b.nii", None), ("x/c.nii", 3)).save(tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text()) == {"a.nii": 1, "c.nii": 3}


def test_saved_in_the_scope_of_a_project_the_keys_are_paths(tmp_path: Path) -> None:
    mapping(("x/a.nii", 1), ("y/a.nii", 2)).save(str(tmp_path / "m.json"))
    assert json.loads((tmp_path / "m.json").read_text()) == {"x/a.nii": 1, "y/a.nii": 2}


PATHS = st.lists(
    st.builds(
        PurePosixPath,
        st.sampled_from([".", "x", "y", "y/z"]),
        st.sampled_from(["axl_mask.nii", "cor_mask.nii.gz", "sag inference 1.nii"]),
    ),
    unique=True,
    min_size=1,
)


@untimed
@given(paths=PATHS, start=st.integers(1, 10**12))
def test_a_mapping_that_is_saved_is_read_again(
    paths: list[PurePosixPath], start: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "saved.json"
    saved = mapping(*((str(path), start + n) for n, path in enumerate(paths)))
    saved.save(file)
    again = read_mapping(file, paths)
    assert again.to_dict() == saved.to_dict()
    assert ids(again) == [start + n for n in range(len(paths))]
    assert again.faults == ()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(), st.sampled_from(FLAT)), inner, max_size=4),
    ),
)


@untimed
@given(text=st.one_of(st.text(), JSON.map(json.dumps)))
def test_any_text_is_a_mapping_or_refused(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = mapping_or_error(path)
    if isinstance(found, Mapping):
        assert [str(row.annotation) for row in found] == list(FLAT)
        assert all(row.volume is None or row.volume > 0 for row in found)


def mapping_or_error(path: Path) -> Mapping | NiftiKitError:
    try:
        return read_mapping(path, FLAT)
    except NiftiKitError as error:
        return error
