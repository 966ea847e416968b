"""Pairs of an annotation file and a volume: how they lie in space, what their names share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.targets.records import VolumeRef
from nifti_kit.widgets.mapping.candidates import CHOICES, Annotation, Choices, Volumes, place_of
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti


def moved(by: float, axis: int = 0) -> np.ndarray:
    affine = np.array(AFFINE)
    affine[axis, 3] += by
    return affine


def flipped() -> np.ndarray:
    affine = np.array(AFFINE)
    affine[0] = [-2.0, 0, 0, -10.5 + 2 * (SHAPE[0] - 1)]
    return affine


BASE = Grid(SHAPE, AFFINE)
BROKEN = np.array(AFFINE)
BROKEN[0, 0] = 0.0

PLACES = {
    "same": (BASE, "same grid", True),
    "rounding": (Grid(SHAPE, moved(0.0005)), "same grid, rounded by 0.0005 mm", True),
    "flipped": (Grid(SHAPE, flipped()), "flipped: lands exactly", True),
    "permuted": (
        Grid((6, 5, 7), AFFINE[:, [1, 0, 2, 3]]),
        "axes in another order: lands exactly",
        True,
    ),
    "translated": (Grid(SHAPE, moved(5)), "translated by 5 mm (2.5 voxels)", False),
    "far": (Grid(SHAPE, moved(2500)), "translated by 2,500 mm (1.25e+03 voxels)", False),
    "header lost": (
        Grid(SHAPE, np.eye(4)),
        "header lost: 35.8 mm (6.23 voxels) away",
        False,
    ),
    "resampled": (
        Grid((5, 6, 8), moved(1)),
        "another grid: 79 % of it inside the volume",
        False,
    ),
    "apart": (Grid((5, 6, 8), moved(100)), "apart: 90 mm between them", False),
    "unusable": (Grid(SHAPE, BROKEN), "no usable place in the header", False),
}


@pytest.mark.parametrize(("mask", "text", "lands"), PLACES.values(), ids=list(PLACES))
def test_a_place_is_told_in_words_with_its_displacement(mask: Grid, text: str, lands: bool) -> None:
    place = place_of(mask, BASE)
    assert (place.text, place.lands) == (text, lands)


def refs(*names: str, by: float = 0.0) -> list[VolumeRef]:
    return [
        VolumeRef(number, format(number, "032x"), f"{name}.nrrd", "d", Grid(SHAPE, moved(by)))
        for number, name in enumerate(names, start=1)
    ]


def annotation(folder: Path, name: str = "anna_left_axl_mask.nii") -> Annotation:
    write_nifti(folder / name, labels())
    (found,) = Annotation.all_of(nk.scan(folder, layout="annotations").items)
    return found


def test_the_words_of_both_names_and_of_one_alone_keep_their_order(tmp_path: Path) -> None:
    volumes = Volumes(refs("bert_left_axl_anatomic"))
    (ref,) = volumes
    words = annotation(tmp_path).words_with(volumes.name_of(ref))
    assert words == ("left axl", "anna bert")


def test_candidates_come_first_then_the_plane_then_shared_words(tmp_path: Path) -> None:
    names = ("anna_cor_anatomic", "x_axl_anatomic", "anna_axl_anatomic", "anna_left_cor_anatomic")
    volumes = Volumes(refs(*names))
    ranked = volumes.ranked(annotation(tmp_path), (4, 99))
    assert [ref.id for ref in ranked] == [4, 3, 2, 1]
    assert len(volumes) == 4


def test_labels_are_what_a_person_reads_and_lead_back_to_ids() -> None:
    volumes = Volumes(refs("a", "a"))
    assert volumes.label(1) == "d/a.nrrd (id 1)"
    assert volumes.id_of("d/a.nrrd (id 2)") == 2
    assert volumes.label(None) == "not matched"
    assert volumes.id_of("not matched") is None
    assert volumes.label(9) == "id 9, not on the target"
    assert volumes.get(9) is None
    assert volumes.get(None) is None


def test_choices_are_limited_and_have_what_is_chosen_now(tmp_path: Path) -> None:
    volumes = Volumes(refs(*(f"case{n}_axl_anatomic" for n in range(100))))
    choices = Choices(volumes, annotation(tmp_path), (7,), 100)
    assert len(choices) == CHOICES + 2
    assert choices[:2] == ["not matched", "d/case6_axl_anatomic.nrrd (id 7)"]
    assert choices[-1] == "d/case99_axl_anatomic.nrrd (id 100)"
    unknown = Choices(volumes, annotation(tmp_path), (), 999)
    assert unknown[-1] == "id 999, not on the target"
    assert len(Choices(volumes, annotation(tmp_path), (7,), 7)) == CHOICES + 1


def test_far_volumes_are_measured_only_where_the_file_lands(tmp_path: Path) -> None:
    one = annotation(tmp_path)
    near, *others = refs("axl_a", "axl_b", "axl_c", "axl_d")
    grids = Grid(SHAPE, moved(5)), Grid(SHAPE, BROKEN), Grid((6, 5, 7), AFFINE[:, [1, 0, 2, 3]])
    away, broken, turned = (
        replace(ref, grid=grid) for ref, grid in zip(others, grids, strict=True)
    )
    volumes = Volumes([near, away, broken, turned])
    ranked = [away] * CHOICES + [near, away, broken, turned]
    texts = [place.text for place in volumes.places(one, ranked)]
    assert texts[:CHOICES] == ["translated by 5 mm (2.5 voxels)"] * CHOICES
    assert texts[CHOICES:] == [
        "same grid",
        "elsewhere, or another grid",
        "elsewhere, or another grid",
        "axes in another order: lands exactly",
    ]


def test_numbers_are_numbers_in_words_and_in_the_order_of_volumes(tmp_path: Path) -> None:
    volumes = Volumes(refs("P01_axl_anatomic", "P02_cor_anatomic", "P02_axl_anatomic"))
    file = annotation(tmp_path, "patient02_axl_mask.nii")
    assert [ref.name for ref in volumes.ranked(file, ())] == [
        "P02_axl_anatomic.nrrd",
        "P01_axl_anatomic.nrrd",
        "P02_cor_anatomic.nrrd",
    ]
    third, first, _ = (volumes.name_of(ref) for ref in volumes.ranked(file, ()))
    assert file.words_with(third) == ("patient02 axl", "")
    assert file.words_with(first) == ("axl", "patient02 p01")


def test_a_plane_in_other_words_is_a_plane_and_places_decide_where_names_say_nothing(
    tmp_path: Path,
) -> None:
    here, there = refs("a_axl_anatomic", "b_axl_anatomic")
    away = replace(here, grid=Grid(SHAPE, moved(5)))
    volumes = Volumes([away, there, *refs("c_cor_anatomic")[:0]])
    file = annotation(tmp_path, "02-axial.nii")
    assert (file.plane, file.case) == ("axl", frozenset("2"))
    assert [ref.name for ref in volumes.ranked(file, ())] == [there.name, away.name]
    assert volumes.under(file) == [there]


def test_a_score_table_has_no_place(tmp_path: Path) -> None:
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.8\n")
    (one,) = Annotation.all_of(nk.scan(tmp_path).items)
    (ref,) = refs("axl_anatomic")
    assert one.place_on(ref).text == "a score table has no place"
    assert [place.lands for place in Volumes([ref]).places(one, [ref])] == [True]
    assert Volumes([ref]).under(one) == []
