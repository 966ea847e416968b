"""Keys and ids: stable, never given twice, completed from what annotations say."""

from __future__ import annotations

import json
import re

import pytest

from nifti_kit.core.files import read_json
from nifti_kit.errors import TargetError
from nifti_kit.targets.folder.keys import KeyIds, derived_key


def annotation(volume, objects=(), figures=()):
    """An annotation with (key, id) of its volume, objects and figures; None leaves the id out."""

    def numbered(pairs):
        return [{"key": key} | ({} if n is None else {"id": n}) for key, n in pairs]

    key, number = volume
    content = {"key": key, "objects": numbered(objects), "spatialFigures": numbered(figures)}
    return content | ({} if number is None else {"volumeId": number})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key_id_map.json"


def saved(path):
    return json.loads(path.read_text())


# Keys


def test_a_key_is_32_hex_digits_and_the_same_each_time():
    assert derived_key("knee", "axl.nrrd") == "324c668b1b7b5dbf825b2deb76130323"
    assert re.fullmatch("[0-9a-f]{32}", derived_key("x"))
    assert derived_key("a", 1) == derived_key("a", 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b"), ("ab",)),
        (("a", "b"), ("b", "a")),
        (("a",), ("a", "")),
        (('a", "b',), ("a", "b")),
    ],
)
def test_different_parts_make_different_keys(one, other):
    assert derived_key(*one) != derived_key(*other)


def test_a_key_that_is_taken_is_replaced_by_the_next():
    first = derived_key("a")
    second = derived_key("a", taken={first})
    third = derived_key("a", taken={first, second})
    assert len({first, second, third}) == 3
    assert derived_key("a", taken={second}) == first


# JSON


def test_a_json_file_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"ä": [1]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"ä": [1]}


@pytest.mark.parametrize("content", [None, b"", b'{"a": ', b"\xff\xff"])
def test_a_json_file_that_cannot_be_read_is_an_error_of_the_target(tmp_path, content):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TargetError) as caught:
        read_json(path)
    assert caught.value.message == "a file of the project cannot be read"
    assert (caught.value.path, caught.value.expected) == (str(path), "JSON")
    assert caught.value.remedy == "Restore the file, or upload to a new project folder."


# Ids


def test_a_new_project_counts_from_one_for_each_kind(path):
    ids = KeyIds(path, [])
    assert [ids.reserve("objects", key) for key in "abca"] == [1, 2, 3, 1]
    assert ids.reserve("figures", "a") == 1
    assert ids.id_of("objects", "b") == 2
    assert ids.id_of("objects", "none") == 0
    assert "c" in ids.keys("objects")
    assert "c" not in ids.keys("figures")
    assert not path.exists()


def test_the_file_has_the_four_tables_by_rising_ids(path):
    path.write_text('{"objects": {"late": 9, "early": 2}}')
    ids = KeyIds(path, [])
    ids.reserve("videos", "v")
    ids.save()
    assert list(saved(path)) == ["tags", "objects", "figures", "videos"]
    assert saved(path) == {
        "tags": {},
        "objects": {"early": 2, "late": 9},
        "figures": {},
        "videos": {"v": 1},
    }
    assert list(saved(path)["objects"]) == ["early", "late"]


def test_new_ids_follow_the_highest_of_the_file(path):
    path.write_text('{"objects": {"a": 70, "b": 3}, "tags": {"t": 5}}')
    ids = KeyIds(path, [])
    assert ids.reserve("objects", "c") == 71
    ids.save()
    assert saved(path)["tags"] == {"t": 5}


def test_ids_that_are_null_are_numbered(path):
    """The SDK writes null for what was never uploaded."""
    path.write_text('{"videos": {"v": null, "w": 4}}')
    ids = KeyIds(path, [annotation(("v", None))])
    assert (ids.id_of("videos", "w"), ids.id_of("videos", "v")) == (4, 5)


def test_a_number_is_not_given_again_after_its_key_was_forgotten(path):
    ids = KeyIds(path, [])
    ids.reserve("objects", "a")
    ids.forget("objects", "a")
    ids.forget("objects", "never there")
    assert ids.id_of("objects", "a") == 0
    assert ids.reserve("objects", "b") == 2


def test_a_key_is_found_by_its_number_whatever_came_and_went_meanwhile(path):
    path.write_text('{"objects": {"first": 3, "second": 3, "other": 4}}')
    ids = KeyIds(path, [])
    assert [ids.key_of("objects", number) for number in (2, 3, 4, 5)] == ["", "first", "other", ""]
    ids.reserve("objects", "new")
    assert ids.key_of("objects", 5) == "new"
    ids.forget("objects", "first")
    assert ids.key_of("objects", 3) == "second"
    ids.forget("objects", "second")
    assert (ids.key_of("objects", 3), ids.key_of("figures", 4)) == ("", "")


def test_a_missing_file_is_completed_from_the_annotations(path):
    ids = KeyIds(path, [annotation(("v", 7), [("o", 11)], [("f", 13)]), annotation(("w", 4))])
    assert [ids.id_of(*at) for at in (("videos", "v"), ("videos", "w"), ("objects", "o"))] == [
        7,
        4,
        11,
    ]
    assert ids.id_of("figures", "f") == 13
    assert [ids.reserve(kind, "new") for kind in ("videos", "objects", "figures")] == [8, 12, 14]


def test_the_file_counts_before_the_annotations(path):
    path.write_text('{"videos": {"v": 1}}')
    ids = KeyIds(path, [annotation(("v", 99))])
    assert ids.id_of("videos", "v") == 1


def test_keys_without_any_id_get_the_next_free_ones_after_all_that_are_written(path):
    annotations = [
        annotation(("v", None), [("o", None)], [("f", None), ("g", None)]),
        annotation(("w", 1), [("p", 1)], [("h", 2)]),
    ]
    ids = KeyIds(path, annotations)
    assert (ids.id_of("videos", "w"), ids.id_of("videos", "v")) == (1, 2)
    assert (ids.id_of("objects", "p"), ids.id_of("objects", "o")) == (1, 2)
    assert [ids.id_of("figures", key) for key in "hfg"] == [2, 3, 4]


def test_an_id_that_two_annotations_claim_stays_with_the_first(path):
    ids = KeyIds(path, [annotation(("v", 5)), annotation(("w", 5)), annotation(("x", "6"))])
    assert [ids.id_of("videos", key) for key in "vwx"] == [5, 6, 7]


def test_parts_of_an_annotation_without_a_key_get_no_id(path):
    ids = KeyIds(path, [{}, {"key": None, "objects": [{"id": 3}], "spatialFigures": [{}]}])
    ids.save()
    assert saved(path) == {"tags": {}, "objects": {}, "figures": {}, "videos": {}}


def test_a_damaged_file_is_an_error_of_the_target(path):
    path.write_text("{")
    with pytest.raises(TargetError, match="a file of the project cannot be read"):
        KeyIds(path, [])
