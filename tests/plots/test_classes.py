"""Class volumes: a bar for each class, in its colour and with its number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.plots.classes import ClassSize, class_sizes, class_volumes
from nifti_kit.plots.figure import Picture
from tests.support.builders import SAMPLES

RED, BLACK = (255, 0, 0), (0, 0, 0)


def bars(figure: Picture) -> list[Any]:
    return [patch for axes in figure.axes for patch in axes.patches]


def names(figure: Picture) -> list[str]:
    return [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]


def numbers(figure: Picture) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_bars_have_names_colours_and_numbers_in_the_order_given() -> None:
    figure = class_volumes([("Liver", RED, 1234.4), ("Air", BLACK, 70), ("Bone", RED, 0)])
    assert names(figure) == ["Liver", "Air", "Bone"]
    assert numbers(figure) == ["1,234", "70", "0"]
    assert [bar.get_facecolor()[:3] for bar in bars(figure)] == [(1, 0, 0), (0, 0, 0)]
    assert [bar.get_width() for bar in bars(figure)] == [1234.4, 70]


def test_a_small_amount_is_not_shown_as_none() -> None:
    assert numbers(class_volumes([("a", RED, 0.25), ("b", RED, 3.5)])) == ["0.25", "3.5"]


@pytest.mark.parametrize(
    ("amounts", "log", "expected"),
    [
        ([1, 50], None, "linear"),
        ([1, 51], None, "log"),
        ([0, 51], None, "linear"),
        ([0, 0], None, "linear"),
        ([0, 0], True, "linear"),
        ([1, 2], True, "log"),
        ([1, 1000], False, "linear"),
    ],
)
def test_the_axis_is_logarithmic_where_sizes_are_far_apart(
    amounts: list[float], log: bool | None, expected: str
) -> None:
    figure = class_volumes([(f"{at}", RED, size) for at, size in enumerate(amounts)], log=log)
    FigureCanvasAgg(figure).draw()
    assert figure.axes[0].get_xscale() == expected
    assert ("logarithmic" if expected == "log" else "linear") in figure.texts[-1].get_text()


def test_on_a_logarithmic_axis_the_smallest_class_has_a_bar_too() -> None:
    figure = class_volumes([("a", RED, 1), ("b", RED, 1e6)])
    low, high = figure.axes[0].get_xlim()
    assert (low, high) == pytest.approx((0.1, 1e6))
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars(figure)] == [
        pytest.approx((0.1, 1)),
        pytest.approx((0.1, 1e6)),
    ]


def test_a_hundred_classes_stand_in_columns_on_one_scale() -> None:
    found = [(f"class $^$ {at}", RED, 10.0 + at) for at in range(104)]
    figure = class_volumes(found, unit="voxels", title="all")
    FigureCanvasAgg(figure).draw()
    assert [len(axes.patches) for axes in figure.axes] == [35, 35, 34]
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 113.0)}
    assert names(figure)[35] == "class $^$ 35"
    assert len(numbers(figure)) == 104
    assert figure.description == (
        "all; 104 classes in voxels, 0 of them without a voxel; linear axis"
    )


def test_names_are_on_one_line_and_cut_in_their_middle() -> None:
    figure = class_volumes([("<b>\n" + "x" * 60, RED, 1)], title="cost$^$\nfile")
    FigureCanvasAgg(figure).draw()
    assert names(figure) == ["<b> " + "x" * 12 + "…" + "x" * 16]
    assert figure.texts[0].get_text() == "cost$^$ file"


def test_sizes_of_a_plan_are_those_of_its_voxels() -> None:
    plan = nk.plan(nk.scan(SAMPLES / "by_plane_semantic"))
    voxels = class_sizes(plan, unit="voxels")
    assert [found.name for found in voxels] == [found.name for found in plan.classes]
    assert sum(found.amount for found in voxels) == sum(found.voxels for found in plan.objects)
    cubic = class_sizes(plan)
    ratios = {round(mm3.amount / n.amount, 3) for mm3, n in zip(cubic, voxels, strict=True)}
    assert ratios == {81.0}  # 3 x 3 x 9 mm


def test_sizes_of_one_item_leave_classes_that_it_lacks_at_0() -> None:
    plan = nk.plan(nk.scan(SAMPLES / "by_volume"))
    abdomen = next(item for item in plan.items if item.name == "Abdomen.nrrd")
    sizes = {found.name: found.amount for found in class_sizes(plan, abdomen, unit="voxels")}
    assert sizes["rib"] == 0
    liver = next(planned for planned in abdomen.objects if planned.class_name == "liver")
    assert sizes["liver"] == liver.voxels


@pytest.mark.parametrize(
    ("classes", "unit", "message"),
    [
        ([], "mm3", "there is no class to draw"),
        ([ClassSize("a", RED, -1)], "mm3", r"the class 'a' has no size Found: -1"),
        ([ClassSize("a", RED, np.nan)], "mm3", "has no size Found: nan"),
        ([ClassSize("a", RED, 1)], "ml", r"no such unit Found: 'ml'. Expected: mm3 or voxels"),
    ],
    ids=["none", "negative", "NaN", "unit"],
)
def test_what_cannot_be_drawn_is_refused(classes: Any, unit: Any, message: str) -> None:
    with pytest.raises(NiftiKitError, match=message):
        class_volumes(classes, unit=unit)


def test_a_unit_that_is_none_is_refused_for_plans_too() -> None:
    with pytest.raises(NiftiKitError, match="no such unit"):
        class_sizes(nk.plan(nk.scan(SAMPLES / "scores")), unit="litres")  # type: ignore[arg-type]
