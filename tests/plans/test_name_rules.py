"""How names are compared: without role and index, in their words' order, or by the words alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.datasets.plain_names import PlainName, numbers_apart, one_in_other, plain_name
from nifti_kit.plans.name_rules import CASE, EXACT, NameIndex, name_rules
from tests.support.properties import untimed


def words(*found: str) -> frozenset[str]:
    return frozenset(found)


PLAIN = {
    "axl_inference_1.nii": PlainName("axl", ("axl",), words(), (1,)),
    "item_1_axl_anatomic.nrrd": PlainName("axl", ("item", "1", "axl"), words("item", "1"), ()),
    "Item 1-AXL.inference.2.nii.gz": PlainName(
        "axl", ("item", "1", "axl"), words("item", "1"), (2,)
    ),
    "axl_knee_mask_7_2.nii": PlainName("axl", ("axl", "knee"), words("knee"), (7, 2)),
    "knee_mask_axl.nii": PlainName("axl", ("knee", "axl"), words("knee"), ()),
    "coronal_anatomic.nrrd": PlainName("cor", (), words(), ()),
    "CTChest.nrrd": PlainName(None, ("ctchest",), words("ctchest"), ()),
}


@pytest.mark.parametrize(("name", "expected"), PLAIN.items(), ids=list(PLAIN))
def test_a_name_is_compared_without_its_role(name: str, expected: PlainName) -> None:
    assert plain_name(name) == expected


SAME = {
    "no index": ("axl_mask.nii", "axl_anatomic.nrrd", True),
    "an index": ("axl_mask_3.nii", "axl_anatomic.nrrd", True),
    "the same number": ("axl_mask_3.nii", "axl_anatomic_3.nrrd", True),
    "an index behind it": ("axl_mask_3_1.nii", "axl_anatomic_3.nrrd", True),
    "two numbers": ("axl_mask_3_1.nii", "axl_anatomic.nrrd", False),
    "another number": ("axl_mask_2.nii", "axl_anatomic_3.nrrd", False),
    "a number of the volume alone": ("axl_mask.nii", "axl_anatomic_3.nrrd", False),
    "another plane": ("axl_mask.nii", "cor_anatomic.nrrd", False),
    "another order": ("axl_b_mask.nii", "b_axl_anatomic.nrrd", False),
    "planes inside words": ("axlmask.nii", "coranatomic.nrrd", False),
}


@pytest.mark.parametrize(("file", "volume", "expected"), SAME.values(), ids=list(SAME))
def test_a_name_is_that_of_a_volume_but_for_role_and_index(
    file: str, volume: str, expected: bool
) -> None:
    found = NameIndex([plain_name("x.nrrd"), plain_name(volume)]).named(plain_name(file))
    assert found.tolist() == [1] * expected


def first(file: str, folders: tuple[str, ...], volume: str) -> tuple[str, int, bool] | None:
    """Return the first rule that fits."""
    for rule in name_rules(file, folders):
        if len(rule.fitting(NameIndex([plain_name(volume)]))):
            return (rule.name, rule.looseness, rule.planeless)
    return None


FIRST = {
    "all folders in front": (("a", "b"), "a_b_axl_anatomic.nrrd", (EXACT, 0, False)),
    "one folder in front": (("a", "b"), "b_axl_anatomic.nrrd", (EXACT, 1, False)),
    "none": (("a", "b"), "axl_anatomic.nrrd", (EXACT, 2, False)),
    "the folders' words": (("a", "b"), "axl_b_a_anatomic.nrrd", (CASE, 2, False)),
    "one of them": (("a", "b"), "axl_b_anatomic.nrrd", (CASE, 10, False)),
    "more than them": (("a",), "axl_a_x_anatomic.nrrd", (CASE, 10, False)),
    "others": (("a",), "axl_x_anatomic.nrrd", None),
}


@pytest.mark.parametrize(("folders", "volume", "expected"), FIRST.values(), ids=list(FIRST))
def test_the_first_rule_that_fits_is_the_strictest(
    folders: tuple[str, ...], volume: str, expected: tuple[str, int, bool] | None
) -> None:
    assert first("axl_mask.nii", folders, volume) == expected


def test_the_rules_come_from_the_strictest_to_the_loosest() -> None:
    rules = list(name_rules("anna_axl_mask.nii", ("a",)))
    assert [(rule.name, rule.looseness) for rule in rules] == [
        *((EXACT, number) for number in range(2)),
        *((CASE, number) for number in (*range(4), *range(8, 12))),
    ]
    assert [rule.planeless for rule in rules] == [False, False] + [False, True] * 4


NUMBERED = {
    "zeros in front": ("02_axl_mask.nii", "2_axl_anatomic.nrrd", True),
    "a word of a case": ("2_axl_mask.nii", "P02_axl_anatomic.nrrd", True),
    "two words of a case": ("patient02_axl_mask.nii", "P02_axl_anatomic.nrrd", True),
    "apart": ("patient_2_axl_mask.nii", "sub-002_axl.nrrd", True),
    "in a folder": ("axl_mask.nii", "P02_axl_anatomic.nrrd", True),
    "at the end of a volume": ("2_axl_mask.nii", "axl_anatomic_02.nrrd", True),
    "another number": ("patient02_axl_mask.nii", "P01_axl_anatomic.nrrd", False),
    "its first digit": ("patient02_axl_mask.nii", "P20_axl_anatomic.nrrd", False),
    "another word": ("hip2_axl_mask.nii", "knee2_axl_anatomic.nrrd", False),
    "a number that stands twice": ("2_2_axl_mask.nii", "02_3_axl_anatomic.nrrd", False),
    "no number of a case": ("2_axl_mask.nii", "P03_T2_axl_anatomic.nrrd", False),
}


@pytest.mark.parametrize(("file", "volume", "expected"), NUMBERED.values(), ids=list(NUMBERED))
def test_numbers_in_names_are_numbers(file: str, volume: str, expected: bool) -> None:
    folders = ("patient 2",) if file == "axl_mask.nii" else ()
    assert (first(file, folders, volume) is not None) is expected


APART = {
    "one number each": ("patient02_axl", "P01_axl", False, ("2", "1")),
    "of cases and visits": ("sub-01_ses-02_axl", "sub-02_ses-01_axl", False, ("1", "2")),
    "a visit more": ("P02_v3_axl", "P02_axl", True, None),
    "other words": ("hip2_axl", "knee3_axl", False, None),
    "other words alone": ("hip2_axl", "knee3_axl", True, ("2", "3")),
    "an index": ("axl_mask_2", "P01_axl", True, None),
    "the volume's own at its end": ("2_axl_mask", "axl_anatomic_1", True, ("2", "1")),
    "dates": ("20240131_axl", "20240205_axl", True, None),
}


@pytest.mark.parametrize(("file", "volume", "alone", "expected"), APART.values(), ids=list(APART))
def test_numbers_say_that_a_file_is_of_another_case(
    file: str, volume: str, alone: bool, expected: tuple[str, str] | None
) -> None:
    names = plain_name(f"{file}.nii"), plain_name(f"{volume}.nrrd")
    assert numbers_apart(*names, alone=alone) == expected


def test_no_words_are_no_case() -> None:
    assert first("axl_mask.nii", (), "axl_anna.nrrd") is None
    assert first("axl_anna_mask.nii", (), "axl_anatomic.nrrd") is None


def test_words_are_compared_as_sets() -> None:
    assert one_in_other(words("a"), words("a", "b"))
    assert one_in_other(words("a", "b"), words("b"))
    assert not one_in_other(words("a", "b"), words("b", "c"))


SOME_WORDS = st.frozensets(st.sampled_from("abc"))
SOME_NAMES = st.builds(
    PlainName,
    st.sampled_from([None, "axl"]),
    st.sampled_from([(), ("axl", "a"), ("a", "axl")]),
    SOME_WORDS,
    st.sampled_from([(), (1,), (2,), (1, 2), (1, 2, 1)]),
)


@untimed
@given(st.lists(SOME_NAMES, max_size=8), SOME_NAMES, SOME_WORDS)
def test_an_index_finds_what_a_look_at_every_name_finds(
    names: list[PlainName], own: PlainName, case: frozenset[str]
) -> None:
    index = NameIndex(names)

    def named(name: PlainName) -> bool:
        alike = (name.plane, name.words, name.case) == (own.plane, own.words, own.case)
        return alike and name.tail in (own.tail, own.tail[:-1])

    def at(fits: Callable[[PlainName], object]) -> list[int]:
        return [place for place, name in enumerate(names) if fits(name)]

    assert index.named(own).tolist() == at(named)
    assert index.words.of_case(case).tolist() == at(lambda name: case and name.case == case)
    assert index.words.of_part(case).tolist() == at(
        lambda name: case and name.case and one_in_other(case, name.case)
    )
    assert index.words.in_common(case).tolist() == [len(case & name.case) for name in names]
