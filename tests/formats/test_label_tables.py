"""Label tables of other tools: which columns are value, name and colour, over the whole file."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.errors import BadClassMap
from nifti_kit.formats.class_maps import (
    DIALECTS,
    ClassMap,
    as_class_map,
    looks_like_class_map,
    read_classes,
    title_of,
)
from tests.support.properties import untimed

Row = tuple[int, str, "tuple[int, int, int] | None"]


def read(folder: Path, text: str | bytes, name: str = "lut.txt", **choices: object) -> ClassMap:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_classes(path, relative=name, **choices)  # type: ignore[arg-type]


def rows(found: ClassMap) -> list[Row]:
    return [(entry.value, entry.name, entry.color) for entry in found]


def codes(found: ClassMap) -> list[str]:
    return [fault.code for fault in found.faults]


BONES: list[Row] = [(1, "Femur", (200, 10, 20)), (2, "Tibia", (10, 220, 30))]
BLANKS: list[Row] = [(1, "Left femur", (200, 10, 20)), (2, "Left tibia", (10, 220, 30))]
PLAIN: list[Row] = [(1, "Femur", None), (2, "Tibia", None)]

SLICER_CSV = (
    "LabelValue,Name,Color_R,Color_G,Color_B,Color_A,Type_CodingScheme,Type_CodeValue,"
    "Type_CodeMeaning,TypeModifier_CodeMeaning,Region_CodeMeaning,RegionModifier_CodeMeaning\n"
)

TABLES: dict[str, tuple[str, str, list[Row]]] = {
    "FreeSurfer": (
        (
            "#No. Label Name:  R   G   B   A\n\n0 Unknown 0 0 0 0\n1 Femur 200 10 20 0\n"
            "2 Tibia 10 220 30 0\n"
        ),
        "freesurfer",
        BONES,
    ),
    "FreeSurfer without a head": (
        "0 Unknown 0 0 0 0\n1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n",
        "freesurfer",
        BONES,
    ),
    "FreeSurfer, all of it dark, with a head": (
        "# index, label, R, G, B, A\n1 Femur 2 10 20 0\n2 Tibia 10 22 30 0\n",
        "freesurfer",
        [(1, "Femur", (2, 10, 20)), (2, "Tibia", (10, 22, 30))],
    ),
    "FreeSurfer, one line, with a head": (
        "#No. Label Name: R G B A\n1 Femur 20 10 20 0\n",
        "freesurfer",
        [(1, "Femur", (20, 10, 20))],
    ),
    "FreeSurfer with tissue types": (
        "0 Unknown 0 0 0 0 -1\n1 Femur 200 10 20 0 2\n2 Tibia 10 220 30 0 3\n",
        "freesurfer-tissue",
        BONES,
    ),
    "FreeSurfer with tissue types and a head": (
        "#No. Label Name: R G B A T\n1 Femur 200 10 20 0 2\n2 Tibia 10 220 30 0 3\n",
        "freesurfer-tissue",
        BONES,
    ),
    "FreeSurfer, a name twice": (
        "1 Femur 200 10 20 0\n2 Femur 10 220 30 0\n",
        "freesurfer",
        [(1, "Femur", (200, 10, 20)), (2, "Femur", (10, 220, 30))],
    ),
    "FreeSurfer, two lines alike": (
        "1 Femur 200 10 20 0\n1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n",
        "freesurfer",
        BONES,
    ),
    "Slicer": (
        (
            "# Color table file a.ctbl\n# 3 values\n0 Background 0 0 0 0\n1 Femur 200 10 20 255\n"
            "2 Tibia 10 220 30 128\n"
        ),
        "slicer",
        BONES,
    ),
    "Slicer without a head": ("1 Femur 200 10 20 255\n2 Tibia 10 220 30 255\n", "slicer", BONES),
    "opacity from 0 to 1": ("1 Femur 200 10 20 1.0\n2 Tibia 10 220 30 0.5\n", "rgba", BONES),
    "names with blanks and a fourth column": (
        "1 Left femur 200 10 20 255\n2 Left tibia 10 220 30 255\n",
        "slicer",
        BLANKS,
    ),
    "a head without a comment sign": (
        "Index Name R G B A\n1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n",
        "freesurfer",
        BONES,
    ),
    "ITK-SNAP": (
        (
            '# ITK-SnAP Label Description File\n0 0 0 0 0 0 0 "Clear Label"\n'
            '1 200 10 20 1 1 1 "Left femur"\n2 10 220 30 0.5 1 0 "Left tibia"\n'
        ),
        "itk-snap",
        BLANKS,
    ),
    "ITK-SNAP, signs in names": (
        '1 200 10 20 1 1 1 "Lesion #1"\n2 10 220 30 1 1 1 "Lesion // 2"\n',
        "itk-snap",
        [(1, "Lesion #1", (200, 10, 20)), (2, "Lesion // 2", (10, 220, 30))],
    ),
    "FSLeyes": (
        "1 0.5 0.0 1.0 Left femur\n2 0.1 0.2 0.3 Left tibia\n",
        "fsleyes",
        [(1, "Left femur", (128, 0, 255)), (2, "Left tibia", (26, 51, 76))],
    ),
    "FSLeyes, whole colours": (
        "1 1 0 0 Femur\n2 0 1 0 Tibia\n",
        "fsleyes",
        [(1, "Femur", (255, 0, 0)), (2, "Tibia", (0, 255, 0))],
    ),
    "colours of 0 to 255 in front": (
        "1 200 10 20 Femur\n2 1 0 1 Tibia\n",
        "fsleyes",
        [(1, "Femur", (200, 10, 20)), (2, "Tibia", (1, 0, 1))],
    ),
    "MRtrix by its names": (
        (
            "0 ??? Unknown 0 0 0 0\n1 L.BSTS ctx-lh-bankssts 25 100 40 255\n"
            "2 L.CACG ctx-lh-caudal 125 100 160 255\n"
        ),
        "mrtrix",
        [(1, "ctx-lh-bankssts", (25, 100, 40)), (2, "ctx-lh-caudal", (125, 100, 160))],
    ),
    "MRtrix by its head": (
        (
            "# Index Short name Long name R G B Alpha\n1 Left Femur 200 10 20 255\n"
            "2 Right Tibia 10 220 30 255\n"
        ),
        "mrtrix",
        BONES,
    ),
    "AAL": ("1 Femur 2001\n2 Tibia 2002\n", "aal", PLAIN),
    "AAL with tabs": ("1\tFemur\t2001\n2\tTibia\t2002\n", "aal", PLAIN),
    "AAL, a tab and a blank": ("1\tFemur 2001\n2\tTibia 2002\n", "aal", PLAIN),
    "AAL 3": (
        "".join(f"{n} Region{'abcdefghij'[n - 1]} {n}\n" for n in range(1, 11)),
        "aal",
        [(n, f"Region{'abcdefghij'[n - 1]}", None) for n in range(1, 11)],
    ),
    "AAL by short and long names": (
        "FAG Femur 2001\nFAD Tibia 2002\n",
        "aal-codes",
        [(2001, "Femur", None), (2002, "Tibia", None)],
    ),
    "Workbench": (
        "???\n0 255 255 255 0\nLeft femur\n1 200 10 20 255\n#2 // tibia\n2 10 220 30 255\n",
        "workbench",
        [(1, "Left femur", (200, 10, 20)), (2, "#2 // tibia", (10, 220, 30))],
    ),
    "BIDS": (
        (
            "index\tname\tabbreviation\tcolor\tmapping\n1\tLeft femur\tLF\t#c80a14\t7\n"
            "2\tLeft tibia\tLT\t#0adc1e\t8\n"
        ),
        "bids",
        BLANKS,
    ),
    "BIDS, as it must be at least": ("index\tname\n1\tFemur\n2\tTibia\n", "bids", PLAIN),
    "columns by name": (
        "name;value;red;green;blue\nLeft femur;1;200;10;20\nLeft tibia;2;10;220;30\n",
        "headed",
        BLANKS,
    ),
    "a row index of pandas": (
        ",value,name,color\n0,1,Femur,#c80a14\n1,2,Tibia,#0adc1e\n",
        "headed",
        BONES,
    ),
    "fractions by name": (
        "label,structure,r,g,b\n1,Femur,0.5,0.0,1.0\n",
        "headed",
        [(1, "Femur", (128, 0, 255))],
    ),
    "commas in quotes": (
        'index,name\n1,"Gyrus, left"\n2,"Gyrus, right"\n',
        "headed",
        [(1, "Gyrus, left", None), (2, "Gyrus, right", None)],
    ),
    "commas without a head": ("1,Femur,200,10,20\n2,Tibia,10,220,30\n", "specification", BONES),
    "commas within the colour": (
        "1 Femur 200,10,20\n2 Tibia (10, 220, 30)\n",
        "specification",
        BONES,
    ),
    "Slicer's terminology": (
        (
            f"{SLICER_CSV}1,left_kidney,200,10,20,255,SCT,64033007,Kidney,Left,,\n"
            "2,,10,220,30,255,SCT,64033007,Kidney,Right,,\n"
            "3,,1,2,3,255,SCT,4147007,Mass,,Kidney,Right\n"
        ),
        "slicer-csv",
        [
            (1, "left_kidney", (200, 10, 20)),
            (2, "Right Kidney", (10, 220, 30)),
            (3, "Mass (Right Kidney)", (1, 2, 3)),
        ],
    ),
    "names that count": (
        "1 Vertebra 1 255 0 0\n2 Vertebra 2 0 255 0\n",
        "specification",
        [(1, "Vertebra 1", (255, 0, 0)), (2, "Vertebra 2", (0, 255, 0))],
    ),
    "names that count, without colours": (
        "1 Vertebra 1\n2 Vertebra 2\n",
        "specification",
        [(1, "Vertebra 1", None), (2, "Vertebra 2", None)],
    ),
    "names that count, in columns of tabs": (
        "1\tVertebra 12\n2\tDisc 4\n",
        "specification",
        [(1, "Vertebra 12", None), (2, "Disc 4", None)],
    ),
    "names that count, with opacity": (
        "1 Vertebra 1 255 0 0 255\n2 Vertebra 2 0 255 0 255\n",
        "slicer",
        [(1, "Vertebra 1", (255, 0, 0)), (2, "Vertebra 2", (0, 255, 0))],
    ),
    "names in quotes": (
        '1 "Lesion 1" 200 10 20\n2 "Node 2" 10 220 30\n',
        "specification",
        [(1, "Lesion 1", (200, 10, 20)), (2, "Node 2", (10, 220, 30))],
    ),
}


@pytest.mark.parametrize(("text", "dialect", "expected"), TABLES.values(), ids=list(TABLES))
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_table_is_read_by_its_dialect(
    text: str, dialect: str, expected: list[Row], ends: str, bom: bytes, tmp_path: Path
) -> None:
    found = read(tmp_path, bom + text.replace("\n", ends).encode())
    assert found.dialect == dialect
    assert rows(found) == expected
    assert codes(found) == []
    assert looks_like_class_map(tmp_path / "lut.txt") == found


@pytest.mark.parametrize(("text", "dialect", "expected"), TABLES.values(), ids=list(TABLES))
def test_a_dialect_that_a_person_names_reads_what_is_recognised(
    text: str, dialect: str, expected: list[Row], tmp_path: Path
) -> None:
    assert rows(read(tmp_path, text, dialect=dialect)) == expected
    assert title_of(dialect)


JSON_TABLES: dict[str, tuple[str, str, list[Row]]] = {
    "nnU-Net v2": (
        '{"labels": {"background": 0, "Femur": 1, "Tibia": 2}, "numTraining": 3}',
        "nnunet",
        PLAIN,
    ),
    "nnU-Net v2 with what is ignored": (
        '{"labels": {"background": 0, "Femur": 1, "ignore": 2}}',
        "nnunet",
        [(1, "Femur", None), (2, "ignore", None)],
    ),
    "MSD": ('{"labels": {"0": "background", "1": "Femur", "2": "Tibia"}}', "msd", PLAIN),
    "class2idx": ('{"Femur": 1, "Tibia": 2}', "class2idx", PLAIN),
    "class2idx with a class labels": (
        '{"labels": 1, "Tibia": 2}',
        "class2idx",
        [(1, "labels", None), (2, "Tibia", None)],
    ),
}


@pytest.mark.parametrize(
    ("text", "dialect", "expected"), JSON_TABLES.values(), ids=list(JSON_TABLES)
)
def test_a_json_table_is_read(text: str, dialect: str, expected: list[Row], tmp_path: Path) -> None:
    found = read(tmp_path, text, "dataset.json")
    assert (found.dialect, rows(found), codes(found)) == (dialect, expected, [])
    assert looks_like_class_map(tmp_path / "dataset.json") == found


def test_regions_of_several_values_are_named_and_no_classes(tmp_path: Path) -> None:
    text = '{"labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3]}}'
    found = read(tmp_path, text, "dataset.json")
    assert rows(found) == [(3, "enhancing", None)]
    assert codes(found) == ["class-table-regions"]
    message = "names of several values together, which are no classes: whole (1, 2, 3), core (2, 3)"
    assert found.faults[0].message == message
    only = read(tmp_path, '{"labels": {"whole": [1, 2]}}', "dataset.json")
    assert (rows(only), codes(only)) == ([], ["class-table-regions"])


NO_TABLES = {
    "a mapping": '{"axl_inference.nii": 12}',
    "a list": '{"labels": ["Femur"]}',
    "no JSON": '{"labels": {',
    "deep": "{" * 100000,
    "a continuous scale of Slicer": "# Color procedural file a.txt\n0 0 0 0\n63 0 0.5 0.49\n",
    "VEST": "%!VEST-LUT\n%%BeginInstance\n<<\n/SavedInstanceClassName /ClassLUT\n",
    "scores": "Layer, Label-1, Label-2\n3, 0.8, 0.9\n7, 0.7, 0.6\n",
    "persons": "participant_id\tage\tsex\nsub-01\t34\tF\nsub-02\t33\tM\n",
    "a list of orders": "random                     Random\nharvard-oxford  Harvard\n",
    "times": "1 0.8\n2 0.9\n",
}


@pytest.mark.parametrize("text", NO_TABLES.values(), ids=list(NO_TABLES))
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "dataset.json"])
def test_another_text_is_no_label_table(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert looks_like_class_map(tmp_path / name) is None


def test_a_json_table_counts_by_the_name_of_its_file_only(tmp_path: Path) -> None:
    for name, counts in (("class2idx.json", True), ("other.txt", False), ("class_map.txt", False)):
        (tmp_path / name).write_text('{"Femur": 1}')
        assert (looks_like_class_map(tmp_path / name) is not None) is counts


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("cases.csv", "id,name\n1,Smith\n2,Jones\n", False),
        ("labels.csv", "id,name\n1,Femur\n2,Tibia\n", True),
        ("cases.csv", "id,name,color\n1,Femur,#ff0000\n2,Tibia,#00ff00\n", True),
        ("cases.csv", "1,Smith\n2,Jones\n", False),
        ("regions.csv", "1,Femur\n2,Tibia\n", True),
        ("cases.csv", "1,Femur,255,0,0\n2,Tibia,0,255,0\n", True),
        ("cases.csv", "index,name\n1,Femur\n2,Tibia\n", True),
    ],
)
def test_a_list_of_cases_is_no_label_table(
    name: str, text: str, answer: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert (looks_like_class_map(tmp_path / name) is not None) is answer


# Where nobody can know.

AMBIGUOUS: dict[str, tuple[str, dict[str, list[Row]]]] = {
    "numbers that may count": (
        "1 Lesion 1 255 0 0\n2 Node 2 0 255 0\n",
        {
            "freesurfer": [(1, "Lesion", (1, 255, 0)), (2, "Node", (2, 0, 255))],
            "specification": [(1, "Lesion 1", (255, 0, 0)), (2, "Node 2", (0, 255, 0))],
        },
    ),
    "one line that may have a fourth column": (
        "1 Vertebra 12 255 0 0\n",
        {
            "freesurfer": [(1, "Vertebra", (12, 255, 0))],
            "specification": [(1, "Vertebra 12", (255, 0, 0))],
        },
    ),
    "two names or one": (
        "1 Left Femur 200 10 20 255\n2 Right Tibia 10 220 30 255\n",
        {
            "slicer": [(1, "Left Femur", (200, 10, 20)), (2, "Right Tibia", (10, 220, 30))],
            "mrtrix": BONES,
        },
    ),
    "measures behind the names": (
        "1 Femur 12.5 0.3\n2 Tibia 11.5 0.4\n",
        {
            "specification": [(1, "Femur 12.5 0.3", None), (2, "Tibia 11.5 0.4", None)],
            "names": PLAIN,
        },
    ),
    "colours from 0 to 1 behind the names": (
        "1 Femur 0.5 0.25 0.75\n2 Tibia 0.25 0.5 0.75\n",
        {
            "specification": [(1, "Femur 0.5 0.25 0.75", None), (2, "Tibia 0.25 0.5 0.75", None)],
            "names": PLAIN,
        },
    ),
    "counts behind the names": (
        "1 Femur 12\n2 Tibia 15\n",
        {"specification": [(1, "Femur 12", None), (2, "Tibia 15", None)], "names": PLAIN},
    ),
    "numbers in front of the colours": (
        "1 Femur 3 200 10 20\n2 Tibia 5 10 220 30\n",
        {
            "specification": [(1, "Femur 3", (200, 10, 20)), (2, "Tibia 5", (10, 220, 30))],
            "names": BONES,
        },
    ),
    "numbers in front of colours and opacity": (
        "1 Femur 3 200 0 0 0\n2 Tibia 5 10 255 0 0\n",
        {
            "freesurfer-tissue": [(1, "Femur", (3, 200, 0)), (2, "Tibia", (5, 10, 255))],
            "freesurfer": [(1, "Femur 3", (200, 0, 0)), (2, "Tibia 5", (10, 255, 0))],
        },
    ),
    "two columns of numbers": (
        "index,label,name\n1,2,Femur\n2,4,Tibia\n",
        {"column index": PLAIN, "column label": [(2, "Femur", None), (4, "Tibia", None)]},
    ),
}


@pytest.mark.parametrize(("text", "readings"), AMBIGUOUS.values(), ids=list(AMBIGUOUS))
def test_a_table_of_two_readings_is_an_error_that_shows_both(
    text: str, readings: dict[str, list[Row]], tmp_path: Path
) -> None:
    found = read(tmp_path, text)
    (fault,) = [fault for fault in found.faults if fault.code == "class-table-ambiguous"]
    assert fault.severity == "error"
    assert found.dialect == next(iter(readings))
    for dialect, expected in readings.items():
        assert title_of(dialect) in fault.message
        assert f"{expected[0][0]} is {expected[0][1]!r}" in fault.message
        assert f"dialect={dialect!r}" in fault.remedy
        chosen = read(tmp_path, text, dialect=dialect)
        assert (rows(chosen), codes(chosen)) == (expected, [])


def test_the_remedy_of_a_table_of_two_readings_runs_as_it_is_written(tmp_path: Path) -> None:
    found = read_classes(_written(tmp_path, "1 Femur 12\n2 Tibia 15\n"))
    call = re.search(r"nk\.read_classes\([^)]*\)", found.faults[0].remedy)
    assert call is not None
    import nifti_kit as nk

    assert eval(call[0], {"nk": nk}) == found  # the remedy is code of ours
    assert str(tmp_path) in call[0]


def _written(folder: Path, text: str) -> Path:
    (folder / "lut.txt").write_text(text)
    return folder / "lut.txt"


def test_an_aal_table_knows_its_codes_too(tmp_path: Path) -> None:
    found = read(tmp_path, "1 Femur 2001\n2 Tibia 2002\n")
    assert [rows(other) for other in found.others] == [
        [(2001, "Femur", None), (2002, "Tibia", None)]
    ]
    again = read(tmp_path, "".join(f"{n} Region{chr(96 + n)} {n}\n" for n in range(1, 12)))
    assert again.others == ()


# Faults of single lines.


FAULTY = {
    "FreeSurfer, a column is missing": (
        "1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n3 Fat 1 2 3\n",
        "line 3: it ends in 3 numbers, most other lines in 4: '3 Fat 1 2 3'",
    ),
    "FreeSurfer, a colour outside": (
        "1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n3 Fat 256 2 3 0\n",
        "line 3: a colour is outside 0 to 255: '3 Fat 256 2 3 0'",
    ),
    "FreeSurfer, a value twice": (
        "1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n2 Fat 1 2 3 0\n",
        "line 3: the value 2 stands in line 2 too: '2 Fat 1 2 3 0'",
    ),
    "ITK-SNAP, another line": (
        '1 200 10 20 1 1 1 "Femur"\n2 10 220 30 1 1 1 "Tibia"\n3 Fat\n',
        "line 3: it is no line of an ITK-SNAP table: '3 Fat'",
    ),
    "ITK-SNAP, a colour outside": (
        '1 200 10 20 1 1 1 "Femur"\n2 10 220 300 1 1 1 "Tibia"\n',
        "line 2: a colour is outside 0 to 255: '2 10 220 300 1 1 1 \"Tibia\"'",
    ),
    "FSLeyes, no name": (
        "1 0.5 0.1 0.2 Femur\n2 0.5 0.3 0.2 Tibia\n3 0.1 0.2 0.3\n",
        "line 3: it has no class name behind its colour: '3 0.1 0.2 0.3'",
    ),
    "named columns, no value": (
        "index,name\n1,Femur\n2,Tibia\nx,Fat\n",
        "line 4: it does not begin with a pixel value: 'x,Fat'",
    ),
    "named columns, no name": (
        "index,name\n1,Femur\n2,Tibia\n3,\n",
        "line 4: it has no class name: '3,'",
    ),
    "JSON, no number": (
        '{"labels": {"Femur": 1, "Tibia": 2, "Fat": "x"}}',
        "label: it is no name with a whole number: \"'Fat': 'x'\"",
    ),
}


@pytest.mark.parametrize(("text", "message"), FAULTY.values(), ids=list(FAULTY))
def test_a_line_that_does_not_fit_the_table_is_named(
    text: str, message: str, tmp_path: Path
) -> None:
    found = read(tmp_path, text)
    assert [fault.message for fault in found.faults] == [message]
    assert "classes={1: 'Femur'}" in found.faults[0].remedy
    assert found.faults[0].severity == "error"


# Tables that count from 0.


ZERO = {
    "as the specification has it": ("0 Femur\n1 Tibia\n", "line 1: "),
    "FreeSurfer": ("0 Femur 200 10 20 0\n1 Tibia 10 220 30 0\n", "line 1: "),
    "BIDS": ("index\tname\n0\tFemur\n1\tTibia\n", "line 2: "),
    "Workbench": ("Femur\n0 200 10 20 255\nTibia\n1 10 220 30 255\n", "line 2: "),
    "nnU-Net": ('{"labels": {"Femur": 0, "Tibia": 1}}', ""),
}


@pytest.mark.parametrize(("text", "place"), ZERO.values(), ids=list(ZERO))
def test_a_structure_at_0_is_named_and_the_remedy_moves_the_table_up(
    text: str, place: str, tmp_path: Path
) -> None:
    found = read(tmp_path, text)
    assert [entry.name for entry in found] == ["Tibia"]
    (fault,) = found.faults
    assert (fault.code, fault.severity, fault.path) == ("class-table-zero", "warning", "lut.txt")
    assert fault.message == (
        f"{place}0 is 'Femur' in it, and background in a mask; it does not land"
    )
    assert "nk.read_classes(dataset.root / 'lut.txt', plus=1)" in fault.remedy
    moved = read(tmp_path, text, plus=1)
    assert [(entry.value, entry.name) for entry in moved] == [(1, "Femur"), (2, "Tibia")]
    assert moved.faults == ()


@pytest.mark.parametrize(
    "name",
    [
        "background",
        "Background (air)",
        "Unknown",
        "Clear Label",
        "???",
        "none",
        "BG",
        "unlabelled",
        "(none)",
    ],
)
def test_what_tables_call_background_is_no_structure(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"0 {name}\n1 Femur\n2 Tibia\n").faults == ()


# Who may be asked.


def test_a_dialect_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadClassMap, match="no such dialect of label tables Found: 'itk'") as caught:
        read(tmp_path, "1 Femur\n", dialect="itk")
    assert "itk-snap" in str(caught.value)


@pytest.mark.parametrize("dialect", ["itk-snap", "nnunet", "bids", "workbench", "column value"])
def test_a_file_that_a_dialect_cannot_read_is_refused(dialect: str, tmp_path: Path) -> None:
    with pytest.raises(BadClassMap, match="no line is a class"):
        read(tmp_path, "1 Femur\n2 Tibia\n", dialect=dialect)


def test_every_dialect_has_a_title_of_its_own() -> None:
    titles = [dialect.title for dialect in DIALECTS.values()]
    assert len(set(titles)) == len(titles)


def test_large_files_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_whole: list[Path] = []
    real = read_classes

    def watched(path: Path, **choices: object) -> ClassMap:
        read_whole.append(path)
        return real(path, **choices)  # type: ignore[arg-type]

    monkeypatch.setattr("nifti_kit.formats.class_maps.reading.read_classes", watched)
    (tmp_path / "log.txt").write_text("an event of the day\n" * 10000)
    (tmp_path / "huge.txt").write_text("1 Femur\n" * 600000)
    comments = "# a licence in many lines\n" * 2000
    (tmp_path / "lut.txt").write_text(f"{comments}1 Femur\n2 Tibia\n")
    (tmp_path / "long.txt").write_text("".join(f"{n} Region {n}a\n" for n in range(1, 5000)))
    assert looks_like_class_map(tmp_path / "log.txt") is None
    assert looks_like_class_map(tmp_path / "huge.txt") is None
    assert read_whole == []
    assert len(looks_like_class_map(tmp_path / "lut.txt") or ()) == 2
    assert len(looks_like_class_map(tmp_path / "long.txt") or ()) == 4999


# Properties.

LETTERS = st.text(st.sampled_from("abcdefgXYZ-_."), min_size=1, max_size=8).filter(
    lambda word: any(map(str.isalpha, word))
)
CHANNEL = st.integers(0, 255)
COLOR = st.tuples(CHANNEL, CHANNEL, CHANNEL)
ENTRIES = st.lists(
    st.tuples(st.integers(1, 9999), LETTERS, COLOR),
    min_size=1,
    max_size=30,
    unique_by=(lambda row: row[0], lambda row: row[1].casefold().replace("_", " ").strip()),
)


@untimed
@given(entries=ENTRIES, alpha=st.sampled_from([0, 255]), head=st.booleans())
def test_a_table_with_opacity_is_read_right_or_asked_about(
    entries: list[Row], alpha: int, head: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [f"{value} {name} {r} {g} {b} {alpha}" for value, name, (r, g, b) in entries]  # type: ignore[misc]
    text = "\n".join(["# No Name R G B A"] * head + lines)
    found = read(tmp_path_factory.getbasetemp(), text)
    if head:
        assert rows(found) == entries
        assert codes(found) == []
    else:
        assert rows(found) == entries or "class-table-ambiguous" in codes(found)


@untimed
@given(entries=ENTRIES, number=st.integers(0, 300), color=st.booleans())
def test_a_number_behind_every_name_is_kept_taken_off_or_asked_about_but_never_a_colour(
    entries: list[Row], number: int, color: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [
        f"{value} {name} {number + at}" + (" {} {} {}".format(*shade) if color else "")
        for at, (value, name, shade) in enumerate(entries)  # type: ignore[misc]
    ]
    found = read(tmp_path_factory.getbasetemp(), "\n".join(lines))
    right = [
        (value, f"{name} {number + at}", shade if color else None)
        for at, (value, name, shade) in enumerate(entries)
    ]
    bare = [(value, name, None) for value, name, _ in entries]
    colored = color and all(shade[2] in (0, 255) for *_, shade in entries)  # type: ignore[index]
    assert (
        rows(found) == right
        or "class-table-ambiguous" in codes(found)
        or (not color and rows(found) == bare)
        or (colored and number + len(entries) > 100)
    )


# The table that FreeSurfer itself has.


@pytest.mark.skipif(
    find_spec("mne") is None, reason="mne, which has FreeSurfer's table, is missing"
)
def test_the_table_of_freesurfer_is_read_line_by_line() -> None:
    spec = find_spec("mne")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or ()
    path = Path(folder) / "data" / "FreeSurferColorLUT.txt"
    found = read_classes(path)
    try:
        which = f"mne {version('mne')}"
    except PackageNotFoundError:
        which = "mne"
    expected = [
        (int(cells[0]), cells[1], tuple(map(int, cells[2:5])))
        for cells in (line.split() for line in path.read_text().splitlines())
        if len(cells) == 6 and cells[0].isdigit() and cells[0] != "0"
    ]
    assert len(expected) > 1200, which
    assert rows(found) == expected, which
    assert (found.dialect, found.faults) == ("freesurfer", ()), which
    assert found[17].name == "Left-Hippocampus"
    assert found[17].color == (220, 216, 20)
    assert looks_like_class_map(path) == found


def test_maps_agree_where_they_say_the_same_of_what_both_have() -> None:
    one = as_class_map({1: ("Femur", (1, 2, 3)), 2: "Tibia"})
    assert one.agrees_with(as_class_map({1: "Femur"}))
    assert one.agrees_with(as_class_map({2: ("Tibia", (4, 5, 6)), 3: "Fat"}))
    assert not one.agrees_with(as_class_map({1: "Fibula"}))
    assert not one.agrees_with(as_class_map({1: ("Femur", (1, 2, 4))}))
    assert not one.agrees_with(as_class_map({3: "Fat"}))
    assert not one.agrees_with(as_class_map({1: "Femur", 3: "Tibia"}))
    both = one.joined(as_class_map({2: ("Tibia", (4, 5, 6)), 3: "Fat"}))
    assert rows(both) == [(1, "Femur", (1, 2, 3)), (2, "Tibia", (4, 5, 6)), (3, "Fat", None)]
