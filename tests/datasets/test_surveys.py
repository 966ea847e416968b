"""Surveys: what masks and score tables hold, each file read once; scores on their slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.datasets import surveys
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import ItemSurvey, SliceScore, survey_item, survey_mask, targets_of
from nifti_kit.errors import BadLabels, UnreadableFile
from nifti_kit.formats import nifti
from tests.support.builders import labels, write_nifti

PLANES = ("axl", "cor", "sag")
DIRECTIONS = dict(zip("RASLPI", [*np.eye(3), *-np.eye(3)], strict=True))


def oriented(codes: str) -> np.ndarray:
    """Return an affine of 2 mm voxels whose axes grow in the given directions."""
    affine = np.eye(4)
    affine[:3, :3] = 2 * np.array([DIRECTIONS[code] for code in codes]).T
    affine[:3, 3] = (3, -5, 7)
    return affine


def knee(folder: Path, *annotations: str, affine: Any = None, **choices: Any) -> Dataset:
    """Write three volumes and axial annotations with the values 1 and 2; scan them."""
    place = {} if affine is None else {"affine": affine}
    for plane in PLANES:
        write_nifti(folder / f"{plane}_anatomic.nii", **place)
    for name in annotations:
        write_nifti(folder / name, labels(), **place)
    return nk.scan(folder, **choices)


def table(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)


def survey(dataset: Dataset, plane: str = "axl") -> ItemSurvey:
    (item,) = [item for item in dataset.items if item.plane == plane]
    return survey_item(dataset, item)


def landed(found: ItemSurvey) -> dict[tuple[int, int], list[tuple[int, str | None]]]:
    """Return (mask, value) to (slice, score)."""
    return {
        key: [(score.slice_index, score.score) for score in scores]
        for key, scores in found.scores.items()
    }


def faults(found: ItemSurvey) -> list[tuple[str, str, str]]:
    return [(fault.code, fault.path, fault.message) for fault in found.score_findings]


# Masks.


def test_a_mask_is_surveyed_with_its_labels_and_its_place(tmp_path: Path) -> None:
    (mask,) = survey(knee(tmp_path, "axl_inference.nii")).masks
    assert mask.labels is not None
    assert [(label.value, label.voxels) for label in mask.labels.labels] == [(1, 5), (2, 5)]
    assert mask.error is None
    assert mask.alignment is not None
    assert (mask.alignment.verdict, mask.alignment.displacement_mm) == ("same", 0)
    assert mask.orientation is not None
    assert (mask.orientation.axes, mask.orientation.flips) == ((0, 1, 2), (False,) * 3)


def test_a_mask_in_another_order_goes_to_ras_through_its_volume(tmp_path: Path) -> None:
    knee(tmp_path, affine=oriented("LPS"))
    moved = oriented("LPS")
    moved[:3, 2] *= -1
    moved[:3, 3] -= 6 * moved[:3, 2]
    write_nifti(tmp_path / "axl_inference.nii", labels()[:, :, ::-1], moved)
    (mask,) = survey(nk.scan(tmp_path)).masks
    assert mask.alignment is not None
    assert mask.alignment.verdict == "flipped"
    assert mask.orientation is not None
    assert (mask.orientation.axes, mask.orientation.flips) == ((0, 1, 2), (True, True, True))


def test_a_mask_without_a_volume_has_its_own_place(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_inference.nii", labels(), oriented("LPS"))
    (mask,) = survey(nk.scan(tmp_path)).masks
    assert mask.alignment is None
    assert mask.orientation is not None
    assert mask.orientation.flips == (True, True, False)


def test_a_mask_elsewhere_has_its_own_order(tmp_path: Path) -> None:
    knee(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels(), oriented("LPS"))
    (mask,) = survey(nk.scan(tmp_path)).masks
    assert mask.alignment is not None
    assert not mask.alignment.lands
    assert mask.orientation is not None
    assert mask.orientation.flips == (True, True, False)


def flatten(path: Path) -> None:
    """Give the first axis of a file's sform the length 0."""
    content = bytearray(path.read_bytes())
    content[280:284] = content[296:300] = content[312:316] = bytes(4)
    path.write_bytes(bytes(content))


def test_a_mask_without_a_place_has_no_order_and_its_scores_do_not_land(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    flatten(tmp_path / "axl_inference.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(tmp_path)
    found = survey(dataset)
    assert found.masks[0].orientation is None
    assert found.masks[0].alignment is not None
    assert found.masks[0].alignment.verdict == "unusable"
    assert landed(found) == {}
    assert ("grid-unusable", "axl_inference.nii") in [
        (f.code, f.path) for f in nk.check(dataset).errors
    ]


@pytest.mark.parametrize("kind", [BadLabels, UnreadableFile])
def test_labels_that_cannot_be_used_are_kept_as_an_error(kind: type, tmp_path: Path) -> None:
    knee(tmp_path)
    noise = np.random.default_rng(7).integers(1, 99, (40, 40, 40)).astype(np.float32)
    if kind is BadLabels:
        write_nifti(tmp_path / "axl_inference.nii.gz", noise / 100)
    else:
        path = write_nifti(tmp_path / "axl_inference.nii.gz", noise)
        path.write_bytes(path.read_bytes()[:-10])
    (mask,) = survey(nk.scan(tmp_path)).masks
    assert mask.labels is None
    assert isinstance(mask.error, kind)


@pytest.mark.parametrize("first", [nk.check, nk.plan])
def test_each_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Callable[[Dataset], object]
) -> None:
    dataset = knee(tmp_path, "axl_inference.nii", "cor_inference.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(tmp_path)
    read: Counter[str] = Counter()
    read_scores, enter = surveys.read_scores, nifti._Reader.__enter__

    def scores_once(path: Path, **choices: Any) -> Any:
        read[path.name] += 1
        return read_scores(path, **choices)

    def opened(reader: Any) -> Any:
        read[str(reader._image.relative)] += 1
        return enter(reader)

    monkeypatch.setattr(nifti._Reader, "__enter__", opened)
    monkeypatch.setattr(surveys, "read_scores", scores_once)
    first(dataset)
    nk.plan(dataset)
    assert dict(read) == dict.fromkeys(map(str, dataset.source.files), 1)
    (item, *_) = dataset.items
    assert survey_mask(dataset, item, item.masks[0]) is survey_item(dataset, item).masks[0]
    nk.check(dataset)  # a closer look is not kept: each mask is read for it, and nothing else
    again = {name for name, count in read.items() if count != 1}
    assert again == {"axl_inference.nii", "cor_inference.nii"}
    assert sum(read.values()) == len(read) + len(again)


# Scores: slices. The volumes have 5 x 6 x 7 voxels.

FRAMES = [
    ("axl", "RAS", 3, 2),
    ("axl", "LPS", 3, 2),
    ("axl", "LAS", 7, 6),
    ("axl", "RAI", 3, 4),
    ("axl", "RAI", 7, 0),
    ("axl", "SRA", 3, 2),
    ("axl", "IRA", 1, 4),
    ("cor", "RAS", 6, 5),
    ("cor", "RPS", 6, 0),
    ("cor", "LSP", 3, 4),
    ("cor", "LSA", 3, 2),
    ("sag", "RAS", 5, 4),
    ("sag", "LAS", 5, 0),
    ("sag", "PSL", 3, 4),
    ("sag", "PSR", 3, 2),
    ("sag", "PIR", 7, 6),
]


@pytest.mark.parametrize(("plane", "codes", "frame", "slice_index"), FRAMES)
def test_a_frame_of_the_file_becomes_its_ras_slice(
    plane: str, codes: str, frame: int, slice_index: int, tmp_path: Path
) -> None:
    """Along the axis nearest to the plane's normal: L - 1, or n - L where RAS reverses it."""
    affine = oriented(codes)
    knee(tmp_path, affine=affine)
    write_nifti(tmp_path / f"{plane}_mask.nii", labels(), affine)
    table(tmp_path, f"{plane}_score.csv", f"Layer,Label-2\n{frame},0.5\n")
    found = survey(nk.scan(tmp_path), plane)
    assert landed(found) == {(0, 2): [(slice_index, "0.50")]}
    assert faults(found) == []


def test_the_table_of_the_specification_lands(tmp_path: Path) -> None:
    knee(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels((5, 6, 8), (2, 4)))
    write_nifti(tmp_path / "axl_anatomic.nii", labels((5, 6, 8)))
    table(
        tmp_path, "axl_score.csv", "Layer, Label-2, Label-4\n3, 0.8, 0.9\n7, 0.7, \n8, 0.4, 0.3\n"
    )
    found = survey(nk.scan(tmp_path))
    assert found.scores == {
        (0, 2): (
            SliceScore(2, "0.80", None),
            SliceScore(6, "0.70", None),
            SliceScore(7, "0.40", None),
        ),
        (0, 4): (SliceScore(2, "0.90", None), SliceScore(7, "0.30", None)),
    }
    assert faults(found) == []


def test_comments_land_with_or_without_a_score(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1,Comment-1\n1,0.5,blurred\n2,,cut\n")
    assert survey(nk.scan(tmp_path)).scores == {
        (0, 1): (SliceScore(0, "0.50", "blurred"), SliceScore(1, None, "cut"))
    }


@pytest.mark.parametrize(("base", "layer", "last"), [(1, 8, 7), (0, 7, 6)])
def test_a_layer_outside_the_file_is_named_in_its_own_count(
    base: int, layer: int, last: int, tmp_path: Path
) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score.csv", f"Layer,Label-1\n{last},0.5\n{layer},0.6\n")
    found = survey(nk.scan(tmp_path, score_base=base))
    assert landed(found) == {(0, 1): [(6, "0.50")]}
    assert faults(found) == [
        (
            "scores-layer-outside",
            "axl_score.csv",
            f"row 3: Layer {layer}, but axl_inference.nii has 7 frames",
        )
    ]


def test_a_column_for_a_value_that_the_mask_does_not_have_is_named(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1,Label-5\n1,0.5,0.6\n2,0.5,\n3,,0.7\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {(0, 1): [(0, "0.50"), (1, "0.50")]}
    assert faults(found) == [
        (
            "scores-without-value",
            "axl_score.csv",
            "column Label-5: no voxel is 5; its 2 scores do not land",
        )
    ]


def test_the_scores_of_a_mask_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    knee(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels() - np.float32(0.5))
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {}
    assert [fault[2] for fault in faults(found)] == [
        "column Label-1: no voxel is 1; its 1 scores do not land"
    ]


def test_the_faults_of_a_table_are_kept(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n0,0.5\n1,x\n2,0.7\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {(0, 1): [(1, "0.70")]}
    assert [fault[:2] for fault in faults(found)] == [
        ("scores-layer-zero", "axl_score.csv"),
        ("scores-cell-text", "axl_score.csv"),
    ]


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score.csv", "Frame,Label-1\n1,0.5\n")
    found = survey(nk.scan(tmp_path))
    (fault,) = found.score_findings
    assert (fault.code, fault.severity, fault.path) == (
        *("scores-unreadable", "error", "axl_score.csv"),
    )
    assert fault.message == (
        "the table has no 'Layer' column; found Frame, Label-1; "
        "expected a header such as 'Layer, Label-1, Label-2'"
    )
    assert fault.remedy == "Correct the header line."


# Scores: which mask.


def test_one_table_for_several_files_is_read_by_class(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference_1.nii", "axl_inference_3.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1,Label-2,Label-3\n4,0.5,0.6,0.7\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {
        (0, 1): [(3, "0.50")],
        (0, 2): [(3, "0.50")],
        (1, 1): [(3, "0.70")],
        (1, 2): [(3, "0.70")],
    }
    assert faults(found) == [
        (
            "scores-by-class",
            "axl_score.csv",
            (
                "Label-N is read as the class index of the annotation files (Label-1: every object "
                "of axl_inference_1.nii); it could be the object value N of each file (Label-1: "
                "value 1 of axl_inference_1.nii, axl_inference_3.nii)"
            ),
        ),
        (
            "scores-without-value",
            "axl_score.csv",
            "column Label-2: no annotation file has index 2; its 1 scores do not land",
        ),
    ]
    assert [fault.severity for fault in found.score_findings] == ["warning", "warning"]


def test_a_table_with_an_index_is_read_by_value_of_its_file(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference_1.nii", "axl_inference_3.nii")
    table(tmp_path, "axl_score_3.csv", "Layer,Label-1,Label-2\n4,0.5,0.6\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {(1, 1): [(3, "0.50")], (1, 2): [(3, "0.60")]}
    assert faults(found) == []


def test_one_file_with_an_index_and_one_table_are_read_by_value(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference_1.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-2\n4,0.6\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {(0, 2): [(3, "0.60")]}
    assert faults(found) == []


def test_a_table_whose_index_no_file_has_is_named(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference_1.nii", "axl_inference_3.nii")
    table(tmp_path, "axl_score_2.csv", "Layer,Label-1\n4,0.5\n5,0.6\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {}
    assert faults(found) == [
        (
            "scores-without-value",
            "axl_score_2.csv",
            "no annotation file has index 2; 2 scores unused",
        )
    ]


def test_the_index_of_a_table_says_nothing_beside_one_semantic_file(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score_2.csv", "Layer,Label-1\n4,0.5\n")
    assert landed(survey(nk.scan(tmp_path))) == {(0, 1): [(3, "0.50")]}


def test_a_cell_that_two_tables_give_is_named_and_the_first_one_lands(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n4,0.5\n5,0.6\n")
    table(tmp_path, "axl_scores.csv", "Layer,Label-1\n5,0.9\n6,0.7\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {(0, 1): [(3, "0.50"), (4, "0.60"), (5, "0.70")]}
    assert faults(found) == [
        (
            "scores-layer-repeated",
            "axl_scores.csv",
            "row 2: another table scores Layer 5 of 1 too",
        )
    ]


def test_scores_of_annotations_alone_land_by_their_own_grid(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_mask.nii", labels(), oriented("RAI"))
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    assert landed(survey(nk.scan(tmp_path))) == {(0, 1): [(6, "0.50")]}


BY_CLASS = (
    "Label-N is read as the class index of the annotation files (Label-1: every object of "
    "axl_inference_1.nii); it could be the object value N of each file (Label-1: value 1 of "
    "axl_inference_1.nii, axl_inference_2.nii)"
)


@pytest.mark.parametrize(
    ("masks", "columns", "message"),
    [
        (("axl_inference_1.nii", "axl_inference_2.nii"), "Label-1,Label-2", BY_CLASS),
        (
            ("axl_inference_1.nii", "cor_inference_1.nii", "cor_inference_2.nii"),
            "Label-1",
            (
                "Label-1 is read as object value 1 of axl_inference_1.nii; it could be the class "
                "index 1: every object of the file"
            ),
        ),
        (("axl_inference_1.nii", "cor_inference_2.nii"), "Label-1,Label-2", None),
        (("axl_inference.nii",), "Label-1", None),
    ],
    ids=["several files", "one file", "one file, a column for each object", "semantic"],
)
def test_two_readings_of_a_label_beside_instance_files_are_a_warning(
    masks: tuple[str, ...], columns: str, message: str | None, tmp_path: Path
) -> None:
    knee(tmp_path, *masks)
    table(tmp_path, "axl_score.csv", f"Layer,{columns}\n4,0.5{',0.6' * columns.count(',')}\n")
    found = [f for f in nk.check(nk.scan(tmp_path)) if f.code == "scores-by-class"]
    assert [(f.severity, f.message) for f in found] == [("warning", message)] * bool(message)


def test_a_file_with_one_object_has_one_reading(tmp_path: Path) -> None:
    knee(tmp_path, "cor_inference_1.nii", "cor_inference_2.nii")
    write_nifti(tmp_path / "axl_inference_1.nii", (labels() == 1).astype(np.uint8))
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n4,0.5\n")
    assert "scores-by-class" not in nk.check(nk.scan(tmp_path)).by_code()


def test_the_remedy_for_two_readings_gives_each_of_them(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference_1.nii", "axl_inference_2.nii")
    table(tmp_path, "axl_score_2.csv", "Layer,Label-1\n4,0.5\n")
    found = survey(nk.scan(tmp_path))
    assert landed(found) == {(1, 1): [(3, "0.50")]}
    assert faults(found) == []
    (tmp_path / "axl_score_2.csv").rename(tmp_path / "axl_score.csv")
    assert landed(survey(nk.scan(tmp_path))) == {(0, 1): [(3, "0.50")], (0, 2): [(3, "0.50")]}


def test_what_a_label_may_score_is_known_without_a_table(tmp_path: Path) -> None:
    knee(tmp_path, "axl_inference_1.nii", "axl_inference_3.nii")
    table(tmp_path, "axl_score.csv", "Layer,Label-1\n4,0.5\n")
    table(tmp_path, "axl_score_3.csv", "Layer,Label-1\n4,0.5\n")
    found = survey(nk.scan(tmp_path))
    targets = {
        one.table.relative.name: targets_of(found.item, found.masks, one.table)
        for one in found.tables
    }
    assert targets == {
        "axl_score.csv": {1: [(0, 1), (0, 2)], 3: [(1, 1), (1, 2)]},
        "axl_score_3.csv": {1: [(1, 1)], 2: [(1, 2)]},
    }
