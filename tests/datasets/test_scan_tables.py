"""Which files of a source are label tables, and which of them is in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.datasets import scanning
from nifti_kit.datasets.dataset import Dataset
from tests.support.builders import labels, write_nifti, write_planes

FREESURFER = "1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n"
NNUNET = '{"labels": {"background": 0, "Femur": 1, "Tibia": 2}, "numTraining": 3}'
TABLES = {
    "lut.txt": (FREESURFER, "freesurfer"),
    "Knee.ctbl": ("# Color table file x\n1 Femur 1 2 3 255\n2 Tibia 4 5 6 255\n", "slicer"),
    "aparc.ctab": (FREESURFER, "freesurfer"),
    "knee.lut": ("1 0.5 0.2 0.1 Femur\n2 0.1 0.2 0.5 Tibia\n", "fsleyes"),
    "knee.label": ('1 1 2 3 1 1 1 "Femur"\n2 4 5 6 1 1 1 "Tibia"\n', "itk-snap"),
    "colours.csv": ("value,name,r,g,b\n1,Femur,200,10,20\n2,Tibia,10,220,30\n", "headed"),
    "COLOURS.CSV": ("1,Femur,200,10,20\n2,Tibia,10,220,30\n", "specification"),
    "atlas_dseg.tsv": ("index\tname\n1\tFemur\n2\tTibia\n", "bids"),
    "dataset.json": (NNUNET, "nnunet"),
    "deep/er/Dataset.json": ('{"labels": {"1": "Femur", "2": "Tibia"}}', "msd"),
    "class2idx.json": ('{"Femur": 1, "Tibia": 2}', "class2idx"),
}


def text(folder: Path, name: str, content: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    return folder


def names(dataset: Dataset) -> dict[int, str]:
    return {entry.value: entry.name for entry in dataset.classes}


def found(dataset: Dataset) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.path, finding.message) for finding in dataset.findings]


BONES = {1: "Femur", 2: "Tibia"}


@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("layout", ["by_plane", "by_volume", "annotations"])
def test_a_label_table_is_the_class_map_in_every_layout(
    name: str, layout: str, tmp_path: Path
) -> None:
    if layout == "by_plane":
        write_planes(tmp_path)
    elif layout == "by_volume":
        write_nifti(tmp_path / "CT.nii")
    else:
        write_nifti(tmp_path / "axl_inference.nii", labels())
    content, dialect = TABLES[name]
    dataset = nk.scan(text(tmp_path, name, content))
    assert dataset.layout == layout
    assert names(dataset) == BONES
    assert (dataset.classes.path, dataset.classes.dialect) == (name, dialect)
    assert (dataset.findings, dataset.unused, dataset.mapping) == ((), (), None)


def test_a_table_of_numbers_is_no_class_map_and_named_as_before(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "volumes.csv", "case,ml\n1,20.5\n2,30.5\n")
    text(tmp_path, "participants.tsv", "participant_id\tage\nsub-01\t34\n")
    dataset = nk.scan(tmp_path)
    assert names(dataset) == {}
    assert sorted((code, path) for code, path, _ in found(dataset)) == [
        ("file-unused", "participants.tsv"),
        ("file-unused", "volumes.csv"),
    ]


@pytest.mark.parametrize("name", ["README.txt", "readme_first.txt", "LICENSE.txt", "read-me.csv"])
def test_a_readme_that_looks_like_a_class_map_is_none_and_says_how_to_take_it(
    name: str, tmp_path: Path
) -> None:
    write_planes(tmp_path)
    text(tmp_path, name, "1,Methods,1,2,3\n2,Results,4,5,6\n")
    (reason,) = [m for _, path, m in found(nk.scan(tmp_path)) if path == name]
    assert names(nk.scan(tmp_path)) == {}
    call = re.search(r"classes=(dataset\.root / '[^']*')", reason)
    assert call is not None
    dataset = nk.scan(tmp_path)
    taken = nk.scan(tmp_path, classes=eval(call[1], {"dataset": dataset}))  # code of ours
    assert names(taken) == {1: "Methods", 2: "Results"}
    assert taken.findings == ()


def test_a_readme_never_displaces_a_table(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "README.txt", "1 Methods\n2 Results\n")
    text(tmp_path, "z/z.ctbl", FREESURFER)
    assert names(nk.scan(tmp_path)) == BONES


def test_tables_that_agree_are_used_together(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "dataset.json", NNUNET)
    text(tmp_path, "lut.txt", FREESURFER + "3 Patella 1 2 3 0\n")
    dataset = nk.scan(tmp_path)
    assert [(entry.name, entry.color) for entry in dataset.classes] == [
        ("Femur", (200, 10, 20)),
        ("Tibia", (10, 220, 30)),
        ("Patella", (1, 2, 3)),
    ]
    assert dataset.classes.paths == ("dataset.json", "lut.txt")
    message = "used together, since they agree: dataset.json, lut.txt"
    assert found(dataset) == [("class-tables-joined", "dataset.json", message)]
    assert dataset.unused == ()


@pytest.mark.parametrize(
    "other", ["1 Fibula 200 10 20 0\n2 Tibia 10 220 30 0\n", "1 Tibia\n2 Femur\n", "7 Patella\n"]
)
def test_tables_that_differ_are_an_error(other: str, tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "dataset.json", NNUNET)
    text(tmp_path, "lut.txt", other)
    dataset = nk.scan(tmp_path)
    assert found(dataset) == [
        (
            "class-map-several",
            "dataset.json",
            "2 class maps that differ: dataset.json, lut.txt",
        ),
        ("file-unused", "lut.txt", "dataset.json is the class map"),
    ]
    chosen = nk.scan(tmp_path, classes=tmp_path / "lut.txt")
    assert chosen.classes.path == str(tmp_path / "lut.txt")
    assert found(chosen) == [("file-unused", "dataset.json", "another class map was given")]


def test_regions_alone_stand_in_nobodys_way(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "dataset.json", '{"labels": {"background": 0, "bones": [1, 2]}}')
    text(tmp_path, "lut.txt", FREESURFER)
    dataset = nk.scan(tmp_path)
    assert names(dataset) == BONES
    message = "names of several values together, which are no classes: bones (1, 2)"
    assert found(dataset) == [("class-table-regions", "dataset.json", message)]


def test_the_numbering_of_an_export_gives_way_to_its_pixel_values(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "color_map.txt", "1 Tibia\n2 Femur\n")
    text(tmp_path, "class2idx.json", '{"Femur": 1, "Tibia": 2}')
    dataset = nk.scan(tmp_path)
    assert names(dataset) == {1: "Tibia", 2: "Femur"}
    message = "color_map.txt beside it has the pixel values"
    assert found(dataset) == [("file-unused", "class2idx.json", message)]


def test_a_dataset_json_above_its_folders_is_taken(tmp_path: Path) -> None:
    write_planes(tmp_path / "labelsTr")
    text(tmp_path, "dataset.json", NNUNET)
    dataset = nk.scan(tmp_path / "labelsTr")
    assert names(dataset) == BONES
    message = "2 classes are taken from it"
    assert found(dataset) == [("class-map-above", "../dataset.json", message)]


def test_class2idx_is_no_mapping_of_annotations(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_inference.nii", labels())
    text(tmp_path, "class2idx.json", '{"Femur": 1, "Tibia": 2}')
    text(tmp_path, "mapping.json", '{"axl_inference.nii": 12}')
    dataset = nk.scan(tmp_path)
    assert dataset.mapping is not None
    assert dataset.mapping.path == "mapping.json"
    assert names(dataset) == BONES
    given = nk.scan(tmp_path, classes={1: "Lung"})
    assert given.mapping is not None
    assert {entry.value: entry.name for entry in given.classes} == {1: "Lung", 2: "Tibia"}
    assert found(given) == []
    none = nk.scan(tmp_path, classes={})
    assert found(none) == [("file-unused", "class2idx.json", "another class map was given")]


def test_a_table_of_two_readings_blocks_until_a_person_chooses(tmp_path: Path) -> None:
    write_planes(tmp_path)
    text(tmp_path, "lut.txt", "1 Femur 12\n2 Tibia 15\n")
    dataset = nk.scan(tmp_path)
    assert [(f.code, f.path) for f in nk.plan(dataset).blockers] == [
        ("class-table-ambiguous", "lut.txt")
    ]
    (fault,) = dataset.findings
    call = re.search(r"nk\.read_classes\([^)]*\)", fault.remedy)
    assert call is not None
    first = eval(call[0], {"nk": nk, "dataset": dataset})  # the remedy is code of ours
    for classes in (first, nk.read_classes(dataset.root / "lut.txt", dialect="names")):
        chosen = nk.scan(tmp_path, classes=classes)
        assert (chosen.findings, chosen.unused) == ((), ())
        assert nk.plan(chosen).blockers.ok
    assert {found.name for found in nk.plan(chosen).classes} == {"Femur", "Tibia"}


def test_of_thousands_of_texts_few_are_opened_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = scanning.looks_like_class_map

    def watched(path: Path, *, relative: str = "") -> object:
        opened.append(relative)
        return real(path, relative=relative)

    monkeypatch.setattr(scanning, "looks_like_class_map", watched)
    monkeypatch.setattr(scanning, "LOOKED_INTO", 5)
    write_planes(tmp_path)
    for number in range(20):
        text(tmp_path, f"case{number}/report.txt", "a report\n")
        text(tmp_path, f"case{number}/axl_score.csv", "Layer,Label-1\n1,0.5\n")
    text(tmp_path, "case9/class_map.txt", FREESURFER)
    dataset = nk.scan(tmp_path)
    assert names(dataset) == BONES
    assert len(opened) == 6
    assert not any("score" in name for name in opened)
    reports = [(path, message) for _, path, message in found(dataset) if "report" in path]
    assert len(reports) == 20
    assert sum("one of many texts, of which 5 were looked into" in m for _, m in reports) == 15
    assert "classes=dataset.root / 'case19/report.txt'" in reports[-1][1]
