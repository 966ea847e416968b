"""The heat map of a score table: its cells, its names, and what is hatched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.scores import ScoreTable, read_scores
from nifti_kit.plots.figure import Picture
from nifti_kit.plots.scores import score_map, scored
from tests.support.builders import SAMPLES, write_planes

CSV = """Layer,Label-2,Label-4,Label-9
3,0.8,1.7,0.2
4,,x$^$y,0.3
6,0,1,
"""
SLICES = {frame: 5 - frame for frame in range(1, 6)}


def table(text: str = CSV) -> ScoreTable:
    return read_scores("axl_score.csv", content=text.encode())


def values(figure: Picture) -> np.ndarray:
    return np.ma.filled(figure.axes[0].get_images()[0].get_array().astype(float), np.nan)


def hatched(figure: Picture) -> list[tuple[int, int]]:
    found = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return sorted(
        (round(patch.get_y()), round(patch.get_x())) for patch in found if patch.get_hatch()
    )


def numbers(figure: Picture) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def names(figure: Picture) -> tuple[list[str], list[str]]:
    axes = figure.axes[0]
    return (
        [label.get_text() for label in axes.get_yticklabels()],
        [label.get_text() for label in axes.get_xticklabels()],
    )


def test_a_cell_has_the_colour_of_its_score_and_none_is_blank() -> None:
    nan = np.nan
    expected = [[0.8, 1.7, 0.2], [nan, nan, 0.3], [nan, nan, nan], [0.0, 1.0, nan]]
    np.testing.assert_array_equal(values(score_map(table())), expected)
    assert score_map(table()).axes[0].get_images()[0].get_clim() == (0, 1)


def test_numbers_are_as_they_are_written() -> None:
    assert numbers(score_map(table())) == ["0.80", "1.70", "0.20", "0.30", "0.00", "1.00", "x$^$y"]


def test_out_of_range_and_no_number_are_hatched() -> None:
    assert hatched(score_map(table())) == [(0, 1), (1, 1)]


def test_labels_without_a_mask_and_frames_outside_are_hatched() -> None:
    figure = score_map(table(), slices=SLICES, unmatched=[9])
    assert hatched(figure) == [(0, 1), (0, 2), (1, 1), (1, 2), (3, 0), (3, 1)]
    assert "6 cells hatched" in figure.description


def test_rows_name_frame_and_slice_and_a_gap_has_its_row() -> None:
    rows, columns = names(score_map(table(), slices=SLICES, names={2: "Femur"}, unmatched=[9]))
    assert rows == ["frame 3, slice 2", "frame 4, slice 1", "frame 5, slice 0", "frame 6, none"]
    assert columns == ["Label-2 Femur", "Label-4", "Label-9 (no mask)"]
    assert names(score_map(table()))[0] == ["frame 3", "frame 4", "frame 5", "frame 6"]


def test_a_comment_without_a_score_is_blank() -> None:
    found = table("Layer,Label-1,Comment-1\n1,,see\n2,0.5,\n")
    np.testing.assert_array_equal(values(score_map(found)), [[np.nan], [0.5]])


def test_a_large_table_has_colours_for_numbers_and_names_some_rows() -> None:
    head = "Layer," + ",".join(f"Label-{value}" for value in range(1, 105))
    rows = [f"{frame}," + ",".join(["0.5"] * 104) for frame in range(1, 301)]
    figure = score_map(table("\n".join([head, *rows])))
    FigureCanvasAgg(figure).draw()
    assert values(figure).shape == (300, 104)
    assert numbers(figure) == []
    shown, columns = names(figure)
    assert shown[:2] == ["frame 1", "frame 7"]
    assert columns[:2] == ["Label-1", "Label-4"]
    assert max(figure.get_size_inches()) < 12


def test_names_are_no_formulas() -> None:
    figure = score_map(table(), names={2: "a$^$\nb" + "c" * 50}, title="cost$^$\n<img src=x>.csv")
    FigureCanvasAgg(figure).draw()
    assert figure.texts[0].get_text() == "cost$^$ <img src=x>.csv"
    assert names(figure)[1][0] == "Label-2 a$^$ bccccc…ccccccccccc"


def test_the_sample_has_no_faults() -> None:
    read = read_scores(SAMPLES / "scores" / "cor_score.csv")
    figure = score_map(read, title="cor_score.csv")
    assert figure.description == (
        "cor_score.csv; 17 scores of frames 13 to 24 and 2 labels; 0 cells hatched"
    )
    assert np.isfinite(values(figure)).sum() == len(read) == 17


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(NiftiKitError, match=r"axl_score.csv: there is no score to draw Found: 0"):
        score_map(table("Layer,Label-1\n"))


def test_an_items_table_is_drawn_against_its_masks(tmp_path: Path) -> None:
    folder = write_planes(tmp_path)
    text = "Layer,Label-1,Label-2,Label-7\n3,0.5,,0.6\n9,0.7,,\n"
    (folder / "axl_score.csv").write_text(text)
    (folder / "map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    figure = scored(nk.scan(folder), "axl_anatomic.nrrd")
    rows, columns = names(figure)
    assert (rows[0], rows[-1]) == ("frame 3, slice 2", "frame 9, none")
    assert columns == ["Label-1 Femur", "Label-2 Tibia", "Label-7 (no mask)"]
    assert hatched(figure) == [(0, 2), (6, 0)]
    assert figure.texts[0].get_text() == "axl_score.csv"


def test_frames_that_are_stored_back_to_front_name_their_slices() -> None:
    dataset = nk.scan(SAMPLES / "scores")
    item = next(item for item in dataset.items if item.plane == "cor")
    rows, _ = names(scored(dataset, item))
    count = item.masks[0].grid.shape[2]
    assert rows[0] == f"frame 13, slice {count - 13}"


def test_an_item_or_a_table_that_is_not_there_is_refused() -> None:
    dataset = nk.scan(SAMPLES / "scores")
    with pytest.raises(NiftiKitError, match=r"no such item Found: 'x'\. Expected: axl_anatomic"):
        scored(dataset, "x")
    with pytest.raises(NiftiKitError, match=r"no such score table Found: table 1\. Expected: 1 t"):
        scored(dataset, dataset.items[0], 1)


def test_scores_alone_have_no_slices_and_nothing_that_is_unmatched(tmp_path: Path) -> None:
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n3,0.5\n")
    dataset = nk.scan(tmp_path, score_frames="ras")
    figure = scored(dataset, dataset.items[0])
    assert names(figure) == (["frame 3"], ["Label-1"])
    assert hatched(figure) == []
