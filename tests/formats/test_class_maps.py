"""Class maps: names and colours for values, as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nifti_kit.errors import BadClassMap, NiftiKitError, UnreadableFile
from nifti_kit.formats.class_maps import (
    ClassEntry,
    ClassMap,
    as_class_map,
    free_color,
    is_named_class_map,
    looks_like_class_map,
    read_classes,
)
from tests.support.properties import untimed

SPECIFICATION = """\
1 Femur 255 0 0
2 Femoral cartilage 0 255 0
3 Tibia 0 0 255
4 Tibia cartilage 255 255 0
5 Patella 0 255 255
6 Patellar cartilage 255 0 255
7 Miniscus 175 175 175
"""

Row = tuple[int, str, "tuple[int, int, int] | None"]


def read(folder: Path, text: str | bytes) -> ClassMap:
    path = folder / "map.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_classes(path, relative="map.txt")


def rows(found: ClassMap) -> list[Row]:
    return [(entry.value, entry.name, entry.color) for entry in found]


def faults(found: ClassMap) -> list[str]:
    assert all((fault.code, fault.path) == ("class-map-line", "map.txt") for fault in found.faults)
    return [fault.message for fault in found.faults]


def test_the_map_of_the_specification_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, SPECIFICATION)
    assert rows(found) == [
        (1, "Femur", (255, 0, 0)),
        (2, "Femoral cartilage", (0, 255, 0)),
        (3, "Tibia", (0, 0, 255)),
        (4, "Tibia cartilage", (255, 255, 0)),
        (5, "Patella", (0, 255, 255)),
        (6, "Patellar cartilage", (255, 0, 255)),
        (7, "Miniscus", (175, 175, 175)),
    ]
    assert [entry.line for entry in found] == [1, 2, 3, 4, 5, 6, 7]
    assert found.path == "map.txt"
    assert not found.faults


FEMUR: list[Row] = [(1, "Femur", (255, 0, 0))]

FINE: dict[str, tuple[str | bytes, list[Row]]] = {
    "blank lines": (
        "\n1 Femur 255 0 0\n\n  \n2 Tibia 0 255 0\n\n",
        [*FEMUR, (2, "Tibia", (0, 255, 0))],
    ),
    "comment lines": ("# classes\n// more\n1 Femur 255 0 0\n  # end", FEMUR),
    "comments behind": ("1 Femur 255 0 0 # left\n2 Tibia // right", [*FEMUR, (2, "Tibia", None)]),
    "a number sign in a name": ("1 Lesion #2 255 0 0", [(1, "Lesion #2", (255, 0, 0))]),
    "ITK-SNAP": (
        (
            '# IDX -R- -G- -B- -A-- VIS MSH LABEL\n0 0 0 0 0 0 0 "Clear Label"\n'
            '1 255 0 0 1 1 1 "Left femur"\n2 0 255 0 0.5 1 0 "Tibia"'
        ),
        [(1, "Left femur", (255, 0, 0)), (2, "Tibia", (0, 255, 0))],
    ),
    "tabs": ("1\tFemur\t255\t0\t0", FEMUR),
    "BOM": (b"\xef\xbb\xbf1 Femur 255 0 0", FEMUR),
    "utf-16": ("1 Femur 255 0 0".encode("utf-16"), FEMUR),
    "CRLF": ("1 Femur 255 0 0\r\n2 Tibia 0 255 0\r\n", [*FEMUR, (2, "Tibia", (0, 255, 0))]),
    "old Mac line ends": ("1 Femur 255 0 0\r2 Tibia", [*FEMUR, (2, "Tibia", None)]),
    "no colour": ("1 Femoral cartilage", [(1, "Femoral cartilage", None)]),
    "a colour in hex": ("1 Femur #FF0000", FEMUR),
    "many spaces": ("  1   Femoral    cartilage  1  2   3 ", [(1, "Femoral cartilage", (1, 2, 3))]),
    "a name that ends in a number": ("1 Vertebra 12 1 2 3", [(1, "Vertebra 12", (1, 2, 3))]),
    "a name with a number, no colour": ("1 Vertebra 12", [(1, "Vertebra 12", None)]),
    "a name of numbers": ("1 7 1 2 3", [(1, "7", (1, 2, 3))]),
    "letters of all kinds": ("1 Fémur (gauche) 左 1 2 3", [(1, "Fémur (gauche) 左", (1, 2, 3))]),
    "a sign": ("+1 Femur +255 0 0", FEMUR),
    "background": ("0 Background 0 0 0\n1 Femur 255 0 0", FEMUR),
    "any order": ("2 b\n1 a", [(2, "b", None), (1, "a", None)]),
    "a slash in a name": ("1 grey/white 1 2 3", [(1, "grey/white", (1, 2, 3))]),
    "two slashes within a word": ("1 a//b 1 2 3", [(1, "a//b", (1, 2, 3))]),
}


@pytest.mark.parametrize(("text", "expected"), FINE.values(), ids=list(FINE))
def test_a_map_is_read_as_people_write_it(
    text: str | bytes, expected: list[Row], tmp_path: Path
) -> None:
    found = read(tmp_path, text)
    assert rows(found) == expected
    assert faults(found) == []


FAULTY = {
    "no value": ("Femur 255 0 0", "line 2: it does not begin with a pixel value: 'Femur 255 0 0'"),
    "a negative value": ("-2 Femur", "line 2: it does not begin with a pixel value: '-2 Femur'"),
    "a fraction": ("2.5 Femur", "line 2: it does not begin with a pixel value: '2.5 Femur'"),
    "no name": ("2 255 0 0", "line 2: it has no class name: '2 255 0 0'"),
    "nothing but a value": ("2", "line 2: it has no class name: '2'"),
    "a colour above 255": (
        "2 Tibia 0 0 256",
        "line 2: a colour is outside 0 to 255: '2 Tibia 0 0 256'",
    ),
    "a colour below 0": (
        "2 Tibia 0 0 -1",
        "line 2: a colour is outside 0 to 255: '2 Tibia 0 0 -1'",
    ),
    "a value twice": ("1 Tibia", "line 2: the value 1 stands in line 1 too: '1 Tibia'"),
    "a name twice": ("2 Bone", "line 2: the name 'Bone' stands in line 1 too: '2 Bone'"),
    "a name twice but for case and blanks": (
        "2 BONE",
        "line 2: the name 'BONE' stands in line 1 too: '2 BONE'",
    ),
}


@pytest.mark.parametrize(("line", "message"), FAULTY.values(), ids=list(FAULTY))
def test_a_line_that_cannot_be_read_is_named_and_the_others_are_kept(
    line: str, message: str, tmp_path: Path
) -> None:
    found = read(tmp_path, f"1 Bone\n{line}\n9 Fat 1 2 3\n")
    assert rows(found) == [(1, "Bone", None), (9, "Fat", (1, 2, 3))]
    assert faults(found) == [message]
    assert found.faults[0].severity == "error"


def test_numbers_that_are_far_too_long_are_a_fault_and_no_crash(tmp_path: Path) -> None:
    long = "9" * 5000
    found = read(tmp_path, f"1 Bone\n{long} Fat\n2 Cord 0 0 {long}")
    assert rows(found) == [(1, "Bone", None), (2, f"Cord 0 0 {long}", None)]
    (message,) = faults(found)
    assert message.startswith("line 2: it does not begin with a pixel value: '999")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "some text", "0 Background 0 0 0"])
def test_a_text_without_a_class_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadClassMap) as caught:
        read(tmp_path, text)
    assert str(caught.value) == (
        "map.txt: no line is a class Expected: lines such as '1 Femur 255 0 0'. "
        "Remedy: Give the right file."
    )


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="zero bytes"):
        read(tmp_path, b"1 Femur\0")


def test_the_path_stands_in_messages_where_no_other_name_is_given(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text("1 a\nb")
    assert read_classes(path).path == str(path)
    assert read_classes(str(path)).faults[0].path == str(path)


@untimed
@example(text=";")
@example(text=",,\n,")
@given(text=st.one_of(st.text(), st.lists(st.sampled_from(
    ["1", "2", "0", "-1", "a", "b c", "255 0 0", "256 0 0", "#ff00ff", "# x", "\n", "\r\n", " ",
     ";", ","]
)).map(" ".join)))  # fmt: skip
def test_any_text_is_a_map_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = map_or_error(path)
    if isinstance(found, ClassMap):
        assert len(found) > 0
        assert len({entry.value for entry in found}) == len(found)
        assert all(entry.value > 0 and entry.name for entry in found)


def map_or_error(path: Path) -> ClassMap | NiftiKitError:
    try:
        return read_classes(path)
    except NiftiKitError as error:
        return error


WORD = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters='#/",;'),
    min_size=1,
    max_size=8,
)
NAME = (
    st.lists(WORD, min_size=1, max_size=4)
    .filter(lambda words: all(any(map(str.isalpha, word)) for word in (words[0], words[-1])))
    .map(" ".join)
)
"""Numbers at the end of names may be columns: tests/formats/test_label_tables.py."""
CHANNEL = st.integers(0, 255)
ENTRY = st.tuples(st.integers(1, 65535), NAME, st.tuples(CHANNEL, CHANNEL, CHANNEL))


def plain(row: Row) -> str:
    return " ".join(row[1].casefold().replace("_", " ").split())


@untimed
@given(
    entries=st.lists(ENTRY, min_size=1, unique_by=(lambda row: row[0], plain)),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.sampled_from(["", "\ufeff"]),
)
def test_a_map_that_is_written_is_read_again(
    entries: list[Row], end: str, bom: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [" ".join(map(str, (value, name, *(color or ())))) for value, name, color in entries]
    path = tmp_path_factory.getbasetemp() / "round trip.txt"
    path.write_bytes((bom + end.join(lines)).encode())
    found = read_classes(path)
    assert rows(found) == entries
    assert found.faults == ()


LOOKS = {
    "a map": ("colours.txt", "1 Femur 255 0 0", True),
    "a map of any name": ("readme.txt", SPECIFICATION, True),
    "a readme": ("README.txt", "Knee data\n3 planes per case\nSee the paper.", False),
    "half and half": ("notes.txt", "1 Femur\nno class", False),
    "most lines": ("notes.txt", "1 Femur\n2 Tibia\nno class", True),
    "named, one line": ("color_map.txt", "1 Femur\nno class\nnone here", True),
    "named, no line": ("color_map.txt", "no class", False),
    "no text": ("color_map.txt", "1 Femur\0", False),
    "empty": ("a.txt", "", False),
}


@pytest.mark.parametrize(("name", "text", "answer"), LOOKS.values(), ids=list(LOOKS))
def test_a_text_is_a_map_if_most_of_its_lines_are_classes_or_its_name_says_so(
    name: str, text: str, answer: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    found = looks_like_class_map(tmp_path / name, relative=name)
    assert (found is not None) is answer
    assert found is None or found.path == name


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        *[(name, True) for name in ("color_map", "cls_color_map", "colormap", "colour-map")],
        *[(name, True) for name in ("ClassMap", "class_names", "label.lut", "knee_label_table")],
        *[(name, False) for name in ("README", "notes", "colors", "map", "labels", "names")],
    ],
)
def test_a_name_may_say_that_a_text_is_a_class_map(name: str, answer: bool) -> None:
    assert is_named_class_map(name) is answer


# Class maps in code.


def test_entries_are_found_by_value() -> None:
    found = as_class_map({1: "Femur", 7: ("Tibia", (1, 2, 3))})
    assert found.by_value(7) == ClassEntry(7, "Tibia", (1, 2, 3))
    assert found.by_value(2) is None


@pytest.mark.parametrize(
    "name", ["Inferior vena cava", "inferior_vena_cava", " INFERIOR  vena_cava"]
)
def test_entries_are_found_by_name_whatever_its_case_and_blanks(name: str) -> None:
    found = as_class_map({3: "Inferior Vena_cava"})
    assert found.by_name(name) == ClassEntry(3, "Inferior Vena_cava", None)
    assert found.by_name("vena cava") is None


FORMS: dict[str, tuple[Any, list[Row]]] = {
    "names": ({1: "Femur", 2: " Tibia "}, [(1, "Femur", None), (2, "Tibia", None)]),
    "names and colours": ({1: ("Femur", (255, 0, 0))}, FEMUR),
    "a colour as a list": ({1: ("Femur", [255, 0, 0])}, FEMUR),
    "no colour": ({1: ("Femur", None)}, [(1, "Femur", None)]),
    "none": ({}, []),
}


@pytest.mark.parametrize(("classes", "expected"), FORMS.values(), ids=list(FORMS))
def test_a_mapping_is_a_class_map(classes: Any, expected: list[Row]) -> None:
    found = as_class_map(classes)
    assert rows(found) == expected
    assert (found.path, found.faults) == ("", ())


def test_a_class_map_or_a_path_is_a_class_map(tmp_path: Path) -> None:
    found = read(tmp_path, "1 Femur 255 0 0")
    assert as_class_map(found) is found
    assert as_class_map(tmp_path / "map.txt") == found
    assert as_class_map(str(tmp_path / "map.txt")) == found


UNKNOWN: dict[str, tuple[Any, str]] = {
    "zero": ({0: "Femur"}, "0: 'Femur'"),
    "negative": ({-1: "Femur"}, "-1: 'Femur'"),
    "text value": ({"1": "Femur"}, "'1': 'Femur'"),
    "no name": ({1: " "}, "1: ' '"),
    "a number as name": ({1: 2}, "1: 2"),
    "a colour above 255": ({1: ("Femur", (256, 0, 0))}, "1: ('Femur', (256, 0, 0))"),
    "two channels": ({1: ("Femur", (255, 0))}, "1: ('Femur', (255, 0))"),
    "a colour in hex": ({1: ("Femur", "#ff0000")}, "1: ('Femur', '#ff0000')"),
}


@pytest.mark.parametrize(("classes", "text"), UNKNOWN.values(), ids=list(UNKNOWN))
def test_a_class_in_no_known_form_is_refused(classes: Any, text: str) -> None:
    with pytest.raises(BadClassMap) as caught:
        as_class_map(classes)
    assert str(caught.value) == (
        f"a class is in no known form Found: {text}. "
        "Expected: 1: 'Femur' or 1: ('Femur', (255, 0, 0)). "
        "Remedy: Give a whole number above 0, a name, and a colour of 0 to 255 or none."
    )


def test_classes_in_no_known_form_are_refused() -> None:
    with pytest.raises(BadClassMap, match="the classes are in no known form Found: list"):
        as_class_map(["Femur"])


def test_maps_are_equal_by_values_names_and_colours(tmp_path: Path) -> None:
    found = read(tmp_path, "\n1 Femur 255 0 0")
    assert found == as_class_map({1: ("Femur", (255, 0, 0))})
    assert found != as_class_map({1: ("Femur", (255, 0, 1))})
    assert found != as_class_map({1: "Femur"})
    assert found != FEMUR
    with pytest.raises(TypeError, match="unhashable"):
        hash(found)


def test_a_map_shows_its_path_and_entries(tmp_path: Path) -> None:
    assert repr(read(tmp_path, "1 Femur\n2 Tibia")) == "<ClassMap map.txt: 1 Femur, 2 Tibia>"
    assert repr(ClassMap()) == "<ClassMap from code: no entries>"
    assert not ClassMap()


# Colours for classes that have none.


def test_free_colours_are_always_the_same() -> None:
    assert free_color(set()) == (242, 61, 61)
    assert free_color(set()) == free_color(set())


def test_free_colours_are_all_different() -> None:
    taken: set[tuple[int, int, int]] = set()
    for _ in range(300):
        color = free_color(taken)
        assert color not in taken
        assert all(0 <= channel <= 255 for channel in color)
        taken.add(color)


def test_a_colour_that_is_taken_is_passed_over() -> None:
    first = free_color({(1, 1, 1)})
    assert free_color({first}) != first


def test_maps_with_the_same_classes_in_another_order_are_equal() -> None:
    first, second = as_class_map({1: "Femur", 2: "Tibia"}), as_class_map({2: "Tibia", 1: "Femur"})
    assert first == second
    assert first != as_class_map({1: "Femur"})


def test_a_class_is_found_by_its_value() -> None:
    assert as_class_map({7: "Femur"})[7].name == "Femur"
    with pytest.raises(KeyError):
        as_class_map({7: "Femur"})[8]


def test_a_table_of_numbers_is_no_class_map(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("1 0.8\n2 0.9\n")
    assert looks_like_class_map(tmp_path / "times.txt") is None
    (tmp_path / "times.txt").write_text("1 a0.8\n2 0.9\n")
    assert looks_like_class_map(tmp_path / "times.txt") is not None
