"""Score tables against labels: layers without the label, layers without a score, other counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks.scores import score_evidence
from nifti_kit.core.catalog import CATALOG
from nifti_kit.core.findings import Finding, Findings
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import shapes_of, survey_item
from nifti_kit.formats.scores import read_scores
from tests.support.builders import write_nifti
from tests.support.cases_scores import CASES, FRAMES, label_map, rows

Spans = Mapping[int, tuple[int, int]]
FIVE: Spans = {1: (3, 7)}
SUSPECTS = {"scores-base-suspect", "scores-reversed-suspect"}


def written(
    folder: Path,
    table: str,
    spans: Spans,
    *,
    masks: tuple[str, ...] = ("axl_inference.nii",),
    turn: Callable[[np.ndarray], np.ndarray] = lambda array: array,
    affine: np.ndarray | None = None,
) -> None:
    place = {} if affine is None else {"affine": affine}
    array = turn(label_map(spans))
    write_nifti(folder / "axl_anatomic.nii", np.ones(array.shape, np.int16), **place)
    for name in masks:
        write_nifti(folder / name, array, **place)
    (folder / "axl_score.csv").write_text(table)


def evidence(dataset: Dataset) -> list[Finding]:
    return [
        found
        for item in dataset.items
        for found in score_evidence(survey_item(dataset, item), shapes_of)
    ]


def said(folder: Path, table: str, spans: Spans = FIVE, base: int = 1) -> list[tuple[str, str]]:
    written(folder, table, spans)
    found = evidence(nk.scan(folder, score_base=base))
    assert all(one.path == "axl_score.csv" for one in found)
    return [(one.code, one.message) for one in found]


def suspects(folder: Path, table: str, spans: Spans = FIVE, base: int = 1) -> list[tuple[str, str]]:
    return [found for found in said(folder, table, spans, base) if found[0] in SUSPECTS]


@pytest.mark.parametrize("code", CASES)
def test_a_code_fires_where_it_should_and_not_beside_it(code: str, tmp_path: Path) -> None:
    fires, near = CASES[code]
    found: Findings = fires(tmp_path / "fires")
    assert code in found.by_code()
    assert {one.severity for one in found.by_code()[code]} == {CATALOG[code].severity}
    assert code not in near(tmp_path / "near").by_code()


def test_a_table_that_fits_says_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, rows(3, 4, 5, 6, 7)) == []


def test_layers_without_the_label_are_named_for_each_label(tmp_path: Path) -> None:
    table = "Layer,Label-1,Label-2\n2,0.5,\n3,0.5,0.5\n4,0.5,0.5\n5,0.5,0.5\n9,0.5,\n"
    assert said(tmp_path, table, {1: (3, 5), 2: (3, 4)}) == [
        ("scores-slice-empty", "Label-1: 2 of 5 scored layers have no voxel of it: 2, 9"),
        ("scores-slice-empty", "Label-2: 1 of 3 scored layers have no voxel of it: 5"),
    ]


def test_layers_without_a_score_are_named_in_ranges(tmp_path: Path) -> None:
    assert said(tmp_path, rows(4, 5, 6, 8), {1: (1, 9)}) == [
        (
            "scores-slice-missing",
            "Label-1: 5 of 9 layers with voxels of it have no score: 1-3, 7, 9",
        )
    ]


def test_layers_are_those_of_the_table_whatever_it_counts_from(tmp_path: Path) -> None:
    assert said(tmp_path, rows(0, 2, 3, 4, 6), base=0) == [
        ("scores-slice-empty", "Label-1: 1 of 5 scored layers have no voxel of it: 0"),
        ("scores-slice-missing", "Label-1: 1 of 5 layers with voxels of it have no score: 5"),
    ]


def test_of_many_layers_the_first_ones_are_shown(tmp_path: Path) -> None:
    array = np.zeros((2, 2, 60), np.uint8)
    array[0, 0, ::2] = 1
    write_nifti(tmp_path / "axl_anatomic.nii", np.ones(array.shape, np.int16))
    write_nifti(tmp_path / "axl_inference.nii", array)
    (tmp_path / "axl_score.csv").write_text(rows(1))
    (found,) = evidence(nk.scan(tmp_path))
    assert found.message == (
        "Label-1: 29 of 30 layers with voxels of it have no score: "
        "3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25 and 17 more"
    )


def test_a_comment_is_no_score(tmp_path: Path) -> None:
    table = "Layer,Label-1,Comment-1\n3,0.5,\n4,,blurred\n5,0.5,\n9,,nothing here\n"
    assert said(tmp_path, table, {1: (3, 5)}) == [
        ("scores-slice-missing", "Label-1: 1 of 3 layers with voxels of it have no score: 4")
    ]


def test_tables_that_are_filled_up_with_0_say_nothing(tmp_path: Path) -> None:
    table = "Layer,Label-1\n" + "".join(
        f"{layer},{0.5 if 3 <= layer <= 7 else '0.0'}\n" for layer in range(1, FRAMES + 1)
    )
    assert said(tmp_path, table) == []


def test_a_blank_column_is_not_said_to_miss_every_layer(tmp_path: Path) -> None:
    assert said(tmp_path, "Layer,Label-1\n3,\n") == []


def test_a_score_beyond_the_file_is_not_on_an_empty_layer(tmp_path: Path) -> None:
    assert said(tmp_path, rows(3, 4, 5, 6, 7, FRAMES + 1)) == []


def test_a_score_that_stands_in_another_table_is_not_missing(tmp_path: Path) -> None:
    written(tmp_path, rows(3, 4), FIVE, masks=("axl_inference_1.nii",))
    (tmp_path / "axl_score_1.csv").write_text(rows(5, 6))
    found = evidence(nk.scan(tmp_path, segmentation="semantic"))
    assert {(one.path, one.message) for one in found} == {
        (name, "Label-1: 1 of 5 layers with voxels of it have no score: 7")
        for name in ("axl_score.csv", "axl_score_1.csv")
    }


def test_a_label_of_a_class_is_all_objects_of_its_file(tmp_path: Path) -> None:
    masks = ("axl_inference_1.nii", "axl_inference_2.nii")
    table = "Layer,Label-1\n2,0.5\n3,0.5\n4,0.5\n5,0.5\n6,0.5\n"
    written(tmp_path, table, {1: (2, 3), 2: (5, 6)}, masks=masks)
    assert [(one.code, one.message) for one in evidence(nk.scan(tmp_path))] == [
        ("scores-slice-empty", "Label-1: 1 of 5 scored layers have no voxel of it: 4")
    ]


def test_frames_count_along_the_axis_of_the_file_that_is_nearest_to_the_normal(
    tmp_path: Path,
) -> None:
    affine = np.array([[0, 2.0, 0, 0], [0, 0, 2.0, 0], [-2.0, 0, 0, 0], [0, 0, 0, 1]])
    written(
        tmp_path,
        rows(3, 4, 5, 6, 8),
        FIVE,
        turn=lambda array: array.transpose(2, 0, 1),
        affine=affine,
    )
    assert [one.message for one in evidence(nk.scan(tmp_path))] == [
        "Label-1: 1 of 5 scored layers have no voxel of it: 8",
        "Label-1: 1 of 5 layers with voxels of it have no score: 7",
    ]


def test_without_profiles_nothing_is_said(tmp_path: Path) -> None:
    written(tmp_path, rows(1, 2), FIVE)
    dataset = nk.scan(tmp_path)
    survey = survey_item(dataset, dataset.items[0])
    assert list(score_evidence(survey, lambda _: None)) == []


# Other ways to count.


def test_layers_that_count_from_0_are_suspected(tmp_path: Path) -> None:
    table = "Layer,Label-1,Label-2\n" + "".join(
        f"{layer},{0.5 if layer < 5 else ''},{0.5 if layer >= 5 else ''}\n" for layer in range(2, 9)
    )
    (found,) = suspects(tmp_path, table, {1: (3, 5), 2: (6, 9)})
    assert found == (
        "scores-base-suspect",
        "2 of 7 scores are on slices without their label; if layers counted from 0: 0 of 7",
    )


def test_layers_that_count_from_1_are_suspected_in_a_table_read_from_0(tmp_path: Path) -> None:
    (found,) = suspects(tmp_path, rows(3, 4, 5, 6, 7), base=0)
    assert found == (
        "scores-base-suspect",
        "1 of 5 scores are on slices without their label; if layers counted from 1: 0 of 5",
    )


def test_scores_beyond_the_file_are_evidence_too(tmp_path: Path) -> None:
    table, spans = rows(10, 11, 12, values=(1, 2)), {1: (10, 12), 2: (10, 12)}
    (found,) = suspects(tmp_path, table, spans, base=0)
    assert found[1] == (
        "2 of 6 scores are on slices without their label; if layers counted from 1: 0 of 6"
    )


def test_the_remedies_name_what_there_is_to_do(tmp_path: Path) -> None:
    written(tmp_path, rows(6, values=(1, 2)), {1: (7, 7), 2: (7, 7)})
    remedies = {one.code: one.remedy for one in evidence(nk.scan(tmp_path)) if one.code in SUSPECTS}
    assert "scan(..., score_base=0)" in remedies["scores-base-suspect"]
    assert "nk.repairs.rebase_layers" in remedies["scores-base-suspect"]
    reverse = "rebase_layers(dataset, table, base=1, reverse=True)"
    assert reverse in remedies["scores-reversed-suspect"]


def test_layers_that_count_from_the_last_frame_are_suspected(tmp_path: Path) -> None:
    (found,) = suspects(tmp_path, rows(9, 10, 11), {1: (2, 4)})
    assert found == (
        "scores-reversed-suspect",
        (
            "3 of 3 scores are on slices without their label; if layers counted from the last "
            "frame: 0 of 3"
        ),
    )


def test_the_remedy_of_reversed_layers_mends_the_table(tmp_path: Path) -> None:
    written(tmp_path, rows(9, 10, 11), {1: (2, 4)})
    read_scores(tmp_path / "axl_score.csv").reversed(FRAMES).save(
        tmp_path / "axl_score.csv", overwrite=True
    )
    assert evidence(nk.scan(tmp_path)) == []


def test_where_both_counts_fit_alike_both_are_said(tmp_path: Path) -> None:
    spans = {1: (7, 7), 2: (7, 7)}
    assert suspects(tmp_path, rows(6, values=(1, 2)), spans) == [
        (
            "scores-base-suspect",
            (
                "2 of 2 scores are on slices without their label; if layers counted from 0: "
                "0 of 2; as many if from the last frame"
            ),
        ),
        (
            "scores-reversed-suspect",
            (
                "2 of 2 scores are on slices without their label; if layers counted from the last "
                "frame: 0 of 2; as many if from 0"
            ),
        ),
    ]


def test_where_one_count_fits_better_it_alone_is_said(tmp_path: Path) -> None:
    spans = dict.fromkeys(range(1, 8), (7, 7)) | {8: (7, 12)}
    table = rows(6, values=tuple(spans)) + "\n11" + "," * 8 + "0.5"
    (found,) = suspects(tmp_path, table, spans)
    assert found[0] == "scores-base-suspect"
    assert found[1].endswith("if layers counted from 0: 0 of 9")


def eight(fitting: int) -> Spans:
    """Return eight labels that are scored on layer 4; so many of them are in frame 5."""
    return {value: (5, 5) if value <= fitting else (11, 11) for value in range(1, 9)}


@pytest.mark.parametrize(("fitting", "codes"), [(6, ["scores-base-suspect"]), (5, [])])
def test_another_count_must_explain_three_quarters_of_the_misses(
    fitting: int, codes: list[str], tmp_path: Path
) -> None:
    table = rows(4, values=tuple(range(1, 9)))
    assert [code for code, _ in suspects(tmp_path, table, eight(fitting))] == codes


def test_one_score_beside_its_label_is_no_suspicion(tmp_path: Path) -> None:
    assert suspects(tmp_path, rows(2, 4, 5, 6)) == []
    assert suspects(tmp_path / "two", rows(2, 3), {1: (3, 4)}) == []


def test_one_miss_is_enough_where_another_count_fits_every_slice(tmp_path: Path) -> None:
    assert len(suspects(tmp_path, rows(2, 3, 4), {1: (3, 5)})) == 1
    assert suspects(tmp_path / "open", rows(2, 3, 4), {1: (3, 6)}) == []


@pytest.mark.parametrize(
    ("layers", "spans"),
    [
        ((4, 5, 6, 7, 8, 9), {1: (4, 9)}),
        ((4, 5), {1: (4, 9)}),
        ((1, 2, 3, 11, 12), {1: (1, 12)}),
        (range(1, 13), {1: (6, 7)}),
        (range(1, 13), {1: (1, 3)}),
    ],
    ids=["symmetric", "symmetric, in part", "thick", "every layer", "every layer, at an end"],
)
def test_where_no_other_count_fits_better_nothing_is_suspected(
    layers: tuple[int, ...], spans: Spans, tmp_path: Path
) -> None:
    assert suspects(tmp_path, rows(*layers), spans) == []


# Tables of the platform's exporter.

COMPACT = "Layer,Label-1,Label-2\n4,0.80,{zero}\n5,0.70,0.60\n"
BOTH: Spans = {1: (3, 7), 2: (3, 7)}


def unsaid(folder: Path, table: str, spans: Spans = BOTH, **choices: int) -> list[str]:
    """Return the messages of the blockers of a plan about what layers count from."""
    written(folder, table, spans)
    blockers = nk.plan(nk.scan(folder, **choices)).blockers
    return [one.message for one in blockers if one.code == "scores-base-unsaid"]


def test_a_table_filled_up_with_0_is_a_blocker_though_both_counts_fit(tmp_path: Path) -> None:
    (message,) = unsaid(tmp_path, COMPACT.format(zero="0.0"))
    assert message == (
        "it is written as by the platform's exporter, which counts from 0: of 4 scores, 0 would be "
        "beside their label if layers count from 0, 0 if from 1"
    )


@pytest.mark.parametrize("base", [0, 1])
def test_what_a_person_says_of_the_base_counts(base: int, tmp_path: Path) -> None:
    written(tmp_path, COMPACT.format(zero="0.0"), BOTH)
    plan = nk.plan(nk.scan(tmp_path, score_base=base), waive=["planes-incomplete"])
    assert plan.blockers.ok
    assert [list(one.scores["0-0-1"]) for one in plan.objects] == [
        [str(3 + 1 - base), str(4 + 1 - base)]
    ] * 2


@pytest.mark.parametrize(
    "table",
    [
        "Layer, Label-2, Label-4\n3, 0.8, 0.9\n7, 0.7, 0.6\n8, 0.4, 0.3\n",
        "Layer, Label-2, Label-4\n3, 0.8, 0.0\n7, 0.0, 0.6\n8, 0.4, 0.3\n",
        "Layer,Label-2,Label-4\n3,0.8,0.9\n7,0.7,0.6\n8,0.4,0.3\n",
        "Layer;Label-2;Label-4\n3;0,8;0,0\n7;0,7;0,6\n",
        "Layer,Label-2,Label-4\n3,0.8,\n7,0.7,0.0\n",
        "Layer,Label-2,Label-4,Comment-4\n3,0.8,0.0,x\n7,0.7,0.6,y\n",
        ",Layer,Label-2,Label-4\n0,3,0.8,0.0\n1,7,0.7,0.6\n",
    ],
)
@pytest.mark.parametrize("last", [8, 10], ids=["as far as the scores", "beyond"])
def test_the_specifications_own_table_is_no_blocker(table: str, last: int, tmp_path: Path) -> None:
    assert unsaid(tmp_path, table, {2: (3, last), 4: (3, last)}) == []


def test_where_only_layers_from_1_fit_nobody_need_say_it(tmp_path: Path) -> None:
    spans = {1: (3, 5), 2: (3, 7)}
    assert unsaid(tmp_path, COMPACT.format(zero="0.0"), spans) == []
    spans = {1: (3, 5), 2: (6, 7)}  # one is beside its label each way
    assert len(unsaid(tmp_path / "each way", COMPACT.format(zero="0.0"), spans)) == 1


@pytest.mark.parametrize(("first", "count"), [(5, 0), (6, 1)])
def test_where_only_layers_from_0_fit_the_form_is_enough(
    first: int, count: int, tmp_path: Path
) -> None:
    table = "Layer,Label-1,Label-2\n5,0.80,0.70\n6,0.70,0.60\n"
    assert len(unsaid(tmp_path, table, {1: (first, 9), 2: (first, 9)})) == count
    assert unsaid(tmp_path / "other form", table.replace(",", ", "), {1: (6, 9), 2: (6, 9)}) == []


def test_a_layer_0_that_is_waived_does_not_say_what_the_others_count_from(tmp_path: Path) -> None:
    written(tmp_path, "Layer,Label-1\n0,0.80\n5,0.70\n", {1: (1, 7)})
    waive = ["planes-incomplete", "scores-layer-zero"]
    (found,) = nk.plan(nk.scan(tmp_path), waive=waive).blockers
    assert found.code == "scores-base-unsaid"
    assert "with a Layer 0" in found.message


def test_a_table_below_the_exporters_class_map_is_a_blocker(tmp_path: Path) -> None:
    affine = np.eye(4)
    table = "Layer,Label-1\n4,0.80\n5,0.70\n"
    for folder in ("export/ds", "plain/ds", "turned/ds"):
        turned = np.diag([-1.0, -1, 1, 1]) if "turned" in folder else affine
        written(tmp_path / folder, table, FIVE, affine=turned)
        name = "cls_color_map.txt" if "plain" in folder else "color_map.txt"
        (tmp_path / folder).with_name(name).write_text("1 Femur 255 0 0\n")

    def codes(folder: str) -> list[str]:
        return [one.code for one in nk.plan(nk.scan(tmp_path / folder)).blockers]

    for folder in ("export/ds", "export"):
        assert codes(folder) == ["planes-incomplete", "scores-base-unsaid"]
    for folder in ("plain/ds", "plain", "turned/ds", "turned"):
        assert codes(folder) == ["planes-incomplete"]


def test_what_the_repair_of_the_layers_wrote_is_said(tmp_path: Path) -> None:
    written(tmp_path / "ds", "Layer,Label-1\n4,0.80\n5,0.70\n", FIVE, affine=np.eye(4))
    (tmp_path / "color_map.txt").write_text("1 Femur 255 0 0\n")
    repair = nk.repairs.rebase_layers(nk.scan(tmp_path), "ds/axl_score.csv", base=0)
    assert [one.code for one in nk.plan(repair.dataset).blockers] == ["planes-incomplete"]


# One waiver, one kind of fault.


def test_to_accept_words_for_no_score_does_not_accept_a_percentage(tmp_path: Path) -> None:
    written(tmp_path, "Layer,Label-1\n3,NaN\n4,80%\n5,0.5\n", FIVE)
    dataset = nk.scan(tmp_path)
    waive = ["planes-incomplete", "scores-cell"]
    assert [one.code for one in nk.plan(dataset, waive=waive).blockers] == ["scores-cell-text"]
    plan = nk.plan(dataset, waive=["planes-incomplete", "scores-cell-text"])
    assert [one.code for one in plan.blockers] == ["scores-cell"]
    assert list(plan.objects[0].scores["0-0-1"]) == ["4"]


def test_findings_of_check_have_their_cells(tmp_path: Path) -> None:
    written(tmp_path, "Layer,Label-1,Label-9\n3,80%,\n0,0.5,\n13,1.5,0.5\n", FIVE)
    cells = {one.code: one.cell for one in nk.check(nk.scan(tmp_path)) if one.cell is not None}
    assert cells == {
        "scores-cell-text": (2, 2),
        "scores-layer-zero": (3, 1),
        "scores-layer-outside": (4, 1),
        "scores-range": (4, 2),
        "scores-without-value": (1, 3),
    }
