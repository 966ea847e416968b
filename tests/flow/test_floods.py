"""Tables with more rows than any: an error that names the bound, before the file is read whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import BadClassMap, BadMapping, BadScores, NiftiKitError, UnreadableFile
from nifti_kit.formats import mappings
from nifti_kit.formats.class_maps import lines, reading
from nifti_kit.formats.scores import cells
from nifti_kit.widgets.scores.model import ScoreModel
from tests.support.builders import labels, write_nifti, write_planes

FILE = "axl_inference.nii.gz"
MILLION = 1_000_000

TABLES: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "scores": ("Layer,Label-1\n" + "1,0.5\n" * MILLION, nk.read_scores, "at most 32,767 rows"),
    "classes": ("1 Femur\n" * MILLION, nk.read_classes, "at most 4,194,304 bytes"),
    "short classes": ("1 A\n" * (MILLION - 1), nk.read_classes, "at most 100,000"),
    "mapping": (
        "{" + ",".join(f'"{number}.nii":7' for number in range(MILLION)) + "}",
        lambda path: nk.read_mapping(path, []),
        "at most 8,388,608 bytes",
    ),
    "short mapping": (
        "[" + ",".join(["[1]"] * MILLION) + "]",
        lambda path: nk.read_mapping(path, []),
        "at most 500,000",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_a_million_rows_is_refused_with_the_bound(name: str, tmp_path: Path) -> None:
    text, read, expected = TABLES[name]
    (tmp_path / "table").write_text(text)
    with pytest.raises(NiftiKitError) as caught:
        read(tmp_path / "table")
    assert expected in str(caught.value.expected)
    assert caught.value.found
    assert caught.value.remedy.startswith("Give the right file; or ")


# At the bound, and one above it


def test_a_score_table_may_have_a_row_for_each_slice_and_a_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MAX_ROWS", 3)
    monkeypatch.setattr(cells, "HEADER_LINES", 2)
    path = tmp_path / "axl_score.csv"
    path.write_text("a title\nLayer,Label-1\n1,0.5\n\n2,0.5\n3,0.5\n")
    assert len(nk.read_scores(path)) == 3
    path.write_text("a title\nLayer,Label-1\n1,0.5\n\n2,0.5\n3,0.5\n4,0.5\n")
    with pytest.raises(BadScores, match="larger than any score table") as caught:
        nk.read_scores(path)
    assert caught.value.found == "more than 3 rows"


def test_a_score_table_has_a_bound_of_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MAX_CELLS", 6)
    path = tmp_path / "axl_score.csv"
    path.write_text("Layer,Label-1,Label-2\n1,0.5,0.5\n")
    assert len(nk.read_scores(path)) == 2
    path.write_text("Layer,Label-1,Label-2\n1,0.5,0.5\n2\n")
    with pytest.raises(BadScores, match="larger than any score table") as caught:
        nk.read_scores(path)
    assert caught.value.found == "7 cells or more"


@pytest.mark.parametrize(
    ("module", "name", "text", "read"),
    [
        (cells, "MAX_BYTES", "Layer,Label-1\n1,0.5\n", nk.read_scores),
        (reading, "MAX_TABLE_BYTES", "1 Femur\n", nk.read_classes),
        (mappings, "MAX_BYTES", '{"a.nii": 7}', lambda path: nk.read_mapping(path, ["a.nii"])),
    ],
    ids=["scores", "classes", "mapping"],
)
def test_the_size_is_looked_at_first(
    module: Any,
    name: str,
    text: str,
    read: Callable[[Path], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "table").write_text(text)
    monkeypatch.setattr(module, name, len(text))
    assert len(read(tmp_path / "table")) == 1
    monkeypatch.setattr(module, name, len(text) - 1)
    with pytest.raises(UnreadableFile, match="is larger than any is") as caught:
        read(tmp_path / "table")
    assert caught.value.found == f"{len(text)} bytes"


def test_a_class_map_has_a_bound_of_lines_but_not_the_list_of_cases_beside_the_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINES", 3)
    path = tmp_path / "classes.txt"
    path.write_text("1 Femur\n2 Tibia\n\n3 Patella\n")
    assert len(nk.read_classes(path)) == 3
    path.write_text("# bones\n1 Femur\n2 Tibia\n3 Patella\n")
    with pytest.raises(BadClassMap, match="more lines than any"):
        nk.read_classes(path)
    content = {"labels": {"1": "Femur"}, "training": [{"image": f"{n}.nii"} for n in range(9)]}
    (tmp_path / "dataset.json").write_text(json.dumps(content, indent=1))
    assert [entry.name for entry in nk.read_classes(tmp_path / "dataset.json")] == ["Femur"]


def test_a_mapping_has_a_bound_of_keys_in_each_of_its_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mappings, "MAX_ENTRIES", 4)
    path = tmp_path / "mapping.json"
    for content in ({"a.nii": 7, "b.nii": 8}, {"d": {"a.nii": 7, "b.nii": 8}}):
        path.write_text(json.dumps(content))
        nk.read_mapping(path, ["d/a.nii", "d/b.nii"])
    for content in (
        {f"{name}.nii": 7 for name in "abcde"},
        {"d": {f"{name}.nii": 7 for name in "abcd"}},
        [{"file": "a.nii", "id": 7}, {"file": "b.nii", "id": 8}],
        {"columns": ["file", "id"], "data": [["a.nii", 7]]},
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(BadMapping, match="larger than any") as caught:
            nk.read_mapping(path, [])
        assert caught.value.found in ("5 keys or cells", "6 keys or cells")
    path.write_text("7")
    with pytest.raises(BadMapping, match="cannot be read"):
        nk.read_mapping(path, [])


# In a source: named, and what it stands for is not decided otherwise


def test_a_flooded_score_table_is_a_finding_and_no_table_to_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MAX_BYTES", 40)
    write_planes(tmp_path)
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n" + "1,0.5\n" * 9)
    (found,) = nk.check(nk.scan(tmp_path)).by_code()["scores-unreadable"]
    assert found.path == "axl_score.csv"
    assert found.message == (
        "the score table is larger than any is; found 68 bytes; expected at most 40 bytes"
    )
    assert found.remedy.startswith("Give the right file")
    model = ScoreModel(tmp_path)
    model.scan()
    with pytest.raises(UnreadableFile, match="larger than any"):
        model.join()


def test_a_flooded_class_map_is_an_error_with_its_own_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_TABLE_BYTES", 10)
    write_planes(tmp_path)
    (tmp_path / "color_map.txt").write_text("1 Femur 255 0 0\n")
    (found,) = [f for f in nk.scan(tmp_path).findings if f.path == "color_map.txt"]
    assert (found.code, found.severity) == ("class-map-line", "error")
    assert "the class map is larger than any is; found 16 bytes" in found.message
    assert found.remedy.startswith("Give the right file")


@pytest.mark.parametrize("name", ["mapping.json", "ids.json"])
def test_a_flooded_mapping_blocks_by_its_name_and_is_told_of_without(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mappings, "MAX_BYTES", 10)
    write_nifti(tmp_path / FILE, labels())
    (tmp_path / name).write_text(json.dumps({FILE: 7}))
    dataset = nk.scan(tmp_path)
    assert dataset.mapping is None
    (found,) = [f for f in dataset.findings if f.path == name]
    assert found.code == ("mapping-unreadable" if name == "mapping.json" else "file-unused")
    assert "the mapping is larger than any is; found 27 bytes" in found.message
