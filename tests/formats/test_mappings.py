"""JSON mappings: each annotation file has one volume id, or the reason is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.core.findings import finding
from nifti_kit.errors import BadMapping, NiftiKitError, UnreadableFile
from nifti_kit.formats.mappings import Mapping, MappingRow, looks_like_mapping, read_mapping
from tests.support.properties import untimed

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


NEAREST = "the nearest is dataset2/sag_mask_2.nii"

UNKNOWN_KEYS = {
    "no such file": ("liver.nii", "key 'liver.nii' names no file"),
    "another ending": ("sag_mask_2.nii.gz", f"key 'sag_mask_2.nii.gz' names no file; {NEAREST}"),
    "no ending": ("sag_mask_2", f"key 'sag_mask_2' names no file; {NEAREST}"),
    "another case": ("SAG_mask_2.nii", f"key 'SAG_mask_2.nii' names no file; {NEAREST}"),
    "another folder": ("x/sag_mask_2.nii", f"key 'x/sag_mask_2.nii' names no file; {NEAREST}"),
    "part of a name": ("mask_2.nii", f"key 'mask_2.nii' names no file; {NEAREST}"),
    "absolute": (f"/{NESTED[2]}", f"key '/{NESTED[2]}' names no file; {NEAREST}"),
    "empty": ("", "key '' names no file"),
}


@pytest.mark.parametrize(("key", "message"), UNKNOWN_KEYS.values(), ids=list(UNKNOWN_KEYS))
def test_a_key_that_means_no_file_is_named_with_the_nearest_one_and_the_others_are_kept(
    key: str, message: str, tmp_path: Path
) -> None:
    mapping = read(tmp_path, {key: 123, "dataset2/sag_mask_2.nii": 456}, NESTED)
    assert ids(mapping) == [None, None, 456]
    assert faults(mapping) == [("mapping-key", message)]
    assert mapping.faults[0].severity == "error"


def test_keys_that_mean_no_file_are_named_together(tmp_path: Path) -> None:
    keys = {f"volume_{number}.nii": number + 1 for number in range(6)}
    mapping = read(tmp_path, {"SAG_mask_2.nii": 9, **keys})
    assert faults(mapping) == [
        (
            "mapping-key",
            (
                "7 keys name no file: 'SAG_mask_2.nii' (the nearest is sag_mask_2.nii), "
                "'volume_0.nii', 'volume_1.nii', 'volume_2.nii', 'volume_3.nii' and 2 more"
            ),
        )
    ]


def test_a_key_without_a_folder_that_fits_several_dataset_folders_needs_one(
    tmp_path: Path,
) -> None:
    mapping = read(tmp_path, {"cor_inference_1.nii": 123, "sag_mask_2.nii": 4}, NESTED)
    assert ids(mapping) == [None, None, 4]
    assert faults(mapping) == [
        (
            "mapping-prefix",
            f"key 'cor_inference_1.nii' means files in 2 dataset folders: {NESTED[0]}, {NESTED[1]}",
        )
    ]
    assert mapping.faults[0].severity == "error"


SEVERAL = {
    "in one dataset folder": ("a.nii", ("x/1/a.nii", "x/2/a.nii")),
    "with a folder in the key": ("1/a.nii", ("x/1/a.nii", "y/1/a.nii")),
}


@pytest.mark.parametrize(("key", "files"), SEVERAL.values(), ids=list(SEVERAL))
def test_a_key_that_fits_several_files_otherwise_is_named(
    key: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    mapping = read(tmp_path, {key: 1}, files)
    assert ids(mapping) == [None, None]
    assert faults(mapping) == [("mapping-key", f"key {key!r} means {files[0]}, {files[1]}")]


def test_of_many_files_that_a_key_fits_the_first_few_are_shown(tmp_path: Path) -> None:
    files = tuple(f"set{number}/a.nii" for number in range(7))
    assert faults(read(tmp_path, {"a.nii": 1}, files)) == [
        (
            "mapping-prefix",
            (
                "key 'a.nii' means files in 7 dataset folders: "
                "set0/a.nii, set1/a.nii, set2/a.nii, set3/a.nii, set4/a.nii and 2 more"
            ),
        )
    ]


PLAIN = "Write the volume's id as a plain number."
TOO_LARGE = "No volume has so large an id (9223372036854775807 at most): correct it."
NO_VALUE = "write the volume's id, or remove the line."

IDS = {
    "text": ('"123"', "'123'", "It is text: remove the quotes, 123."),
    "a word": ('"abc"', "'abc'", "It is text: write a number."),
    "digits without end": (f'"{"9" * 5000}"', f"'{'9' * 59}...", "It is text: write a number."),
    "null": ("null", "None", f"It is null: {NO_VALUE}"),
    "true": ("true", "True", f"It is true: {NO_VALUE}"),
    "zero": ("0", "0", PLAIN),
    "negative": ("-5", "-5", PLAIN),
    "a fraction": ("1.5", "1.5", PLAIN),
    "a float": ("123.0", "123.0", "It has a decimal point: write 123."),
    "no number": ("NaN", "nan", PLAIN),
    "infinite": ("Infinity", "inf", PLAIN),
    "too large a float": ("1e30", "1e+30", PLAIN),
    "too large": (str(2**63), str(2**63), TOO_LARGE),
    "far too large": ("9" * 5000, f"{'9' * 60}...", TOO_LARGE),
    "a list": ("[123]", "[123]", PLAIN),
}


@pytest.mark.parametrize(("value", "shown", "remedy"), IDS.values(), ids=list(IDS))
def test_an_id_that_is_no_whole_number_above_0_is_named_and_the_others_are_kept(
    value: str, shown: str, remedy: str, tmp_path: Path
) -> None:
    mapping = read(tmp_path, f'{{"cor_inference_1.nii": {value}, "sag_mask_2.nii": 456}}')
    assert ids(mapping) == [None, 456]
    assert faults(mapping) == [("mapping-id", f"key 'cor_inference_1.nii': the id is {shown}")]
    assert (mapping.faults[0].severity, mapping.faults[0].remedy) == ("error", remedy)


def test_the_largest_id_is_fine(tmp_path: Path) -> None:
    mapping = read(tmp_path, {"sag_mask_2.nii": 2**63 - 1})
    assert (ids(mapping), mapping.faults) == ([None, 2**63 - 1], ())


def test_a_line_with_a_wrong_key_and_a_wrong_id_is_named_for_both(tmp_path: Path) -> None:
    mapping = read(tmp_path, {"liver.nii": "7"})
    assert faults(mapping) == [
        ("mapping-id", "key 'liver.nii': the id is '7'"),
        ("mapping-key", "key 'liver.nii' names no file"),
    ]


def test_the_message_for_broken_json_has_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(BadMapping) as caught:
        read(tmp_path, '{\n "cor_inference_1.nii": 1\n "sag_mask_2.nii": 2\n}')
    assert caught.value.found == "Expecting ',' delimiter: line 3 column 2 (char 29)"


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
        ('{" a.nii ": 1}', True),
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
    assert repr(found) == "Mapping m.json: 2 of 3 annotation files matched"


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


def test_in_project_scope_the_keys_have_their_folder_even_where_there_is_one(
    tmp_path: Path,
) -> None:
    rows = [MappingRow(PurePosixPath("x/a.nii"), 1), MappingRow(PurePosixPath("x/b.nii"), 2)]
    mapping = Mapping(rows, project=True)
    assert mapping.to_dict() == {"x/a.nii": 1, "x/b.nii": 2}
    assert Mapping(rows, project=False).to_dict() == {"a.nii": 1, "b.nii": 2}
    mapping.save(tmp_path / "m.json")
    again = read_mapping(tmp_path / "m.json", [row.annotation for row in rows])
    assert again.to_dict() == mapping.to_dict()


@untimed
@given(names=st.lists(st.text(alphabet=" \\.ab", min_size=1), min_size=1, unique=True))
def test_a_name_with_blanks_or_backslashes_survives_a_round_trip(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = [PurePosixPath("x", f"{name}.nii") for name in names]
    file = tmp_path_factory.getbasetemp() / "blanks.json"
    Mapping([MappingRow(path, n) for n, path in enumerate(paths, 1)], project=True).save(file)
    again = read_mapping(file, paths)
    assert ids(again) == list(range(1, len(paths) + 1))
    assert again.faults == ()


# A person's choice, and how a mapping shows itself


NAMES = {3: "knee/axl_anatomic.nrrd", 7: "knee/<b>cor</b>.nrrd"}


@pytest.fixture
def open_mapping() -> Mapping:
    rows = [
        MappingRow(PurePosixPath("knee/axl_mask.nii"), 3, "exact name", (3,)),
        MappingRow(PurePosixPath("knee/<i>cor_mask.nii"), None, "", (7, 3), "2 volumes <fit>"),
        MappingRow(PurePosixPath("hip/axl_mask.nii"), None),
    ]
    doubts = [finding("annotation-name-differs", "knee/axl_mask.nii", "doubtful")]
    return Mapping(rows, "", doubts, names=NAMES, project=True)


def test_a_person_chooses_a_volume_in_a_new_mapping(open_mapping: Mapping) -> None:
    chosen = open_mapping.with_volume("<i>cor_mask.nii", 7)
    row = MappingRow(PurePosixPath("knee/<i>cor_mask.nii"), 7, "chosen", (7, 3))
    assert chosen.rows[1] == replace(row, by_person="chosen")
    assert (chosen.rows[0], chosen.rows[2]) == (open_mapping.rows[0], open_mapping.rows[2])
    assert (chosen.faults, chosen.names, chosen.project) == (open_mapping.faults, NAMES, True)
    assert open_mapping.rows[1].volume is None
    assert chosen.with_volume(PurePosixPath("knee/axl_mask.nii"), 3).faults == ()


NO_CHOICE = {
    "no such file": ("sag_mask.nii", 3, "Found: 'sag_mask.nii'. Expected: knee/axl_mask.nii."),
    "several files": ("axl_mask.nii", 3, "Expected: knee/axl_mask.nii, hip/axl_mask.nii."),
    "no such volume": (
        "hip/axl_mask.nii",
        4,
        "Found: 4. Expected: 3 (knee/axl_anatomic.nrrd), 7 (knee/<b>cor</b>.nrrd).",
    ),
    "no id": ("hip/axl_mask.nii", "3", "Found: '3'."),
}


@pytest.mark.parametrize(("file", "volume", "said"), NO_CHOICE.values(), ids=list(NO_CHOICE))
def test_a_choice_of_what_is_not_there_is_refused(
    file: str, volume: Any, said: str, open_mapping: Mapping
) -> None:
    with pytest.raises(BadMapping) as caught:
        open_mapping.with_volume(file, volume)
    assert said in str(caught.value)


def test_without_the_names_of_volumes_any_id_may_be_chosen(tmp_path: Path) -> None:
    mapping = read(tmp_path, {"cor_inference_1.nii": 123})
    assert ids(mapping.with_volume("sag_mask_2.nii", 9)) == [123, 9]
    with pytest.raises(BadMapping, match=r"Expected: a whole number above 0\."):
        mapping.with_volume("sag_mask_2.nii", 0)


def test_the_text_form_says_why_files_are_unmatched(open_mapping: Mapping) -> None:
    assert repr(open_mapping).splitlines() == [
        "Mapping: 1 of 3 annotation files matched",
        "  knee/<i>cor_mask.nii: 2 volumes <fit>",
    ]


def test_the_table_of_a_mapping_keeps_large_ids(open_mapping: Mapping) -> None:
    frame = open_mapping.to_frame()
    columns = ["annotation", "volume", "name", "rule", "candidates", "why", "further"]
    assert list(frame.columns) == columns
    assert frame["volume"].tolist()[0] == 3
    assert frame["volume"].isna().tolist() == [False, True, True]
    assert frame["name"].tolist() == ["knee/axl_anatomic.nrrd", "", ""]
    assert frame["candidates"].tolist() == [(3,), (7, 3), ()]
    large = Mapping([MappingRow(PurePosixPath(n), v) for n, v in (("a", 2**62 + 1), ("b", None))])
    assert large.to_frame()["volume"].tolist()[0] == 2**62 + 1


def test_the_html_form_has_what_needs_a_choice_first_and_is_escaped(open_mapping: Mapping) -> None:
    markup = open_mapping._repr_html_()
    assert "1 of 3 annotation files matched" in markup
    places = [markup.index(f"{name}</td>") for name in ("cor_mask.nii", "hip/axl_mask.nii")]
    assert max(places) < markup.index("knee/axl_mask.nii</td>")
    assert "3 (knee/axl_anatomic.nrrd)" in markup
    assert "7 (knee/&lt;b&gt;cor&lt;/b&gt;.nrrd), 3 (knee/axl_anatomic.nrrd)" in markup
    assert "2 volumes &lt;fit&gt;" in markup
    assert ">unmatched</td>" in markup
    assert "<i>" not in markup
    assert "<b>cor" not in markup


def test_of_many_rows_the_html_form_shows_the_first() -> None:
    rows = [MappingRow(PurePosixPath(f"f{n:02}.nii"), 1, "mapping", (1,)) for n in range(53)]
    markup = Mapping(rows)._repr_html_()
    assert "f49.nii" in markup
    assert "f50.nii" not in markup
    assert "... and 3 more files" in markup


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
