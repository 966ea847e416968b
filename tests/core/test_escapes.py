"""Text of others, made safe to show."""

from __future__ import annotations

import pytest

from nifti_kit.errors import visible

TEXTS = [
    ("knee_1.nii.gz", "knee_1.nii.gz"),
    ("Straße 図 é", "Straße 図 é"),
    ("a\x1b[31m", r"a\x1b[31m"),
    ("a\nb\tc", r"a\nb\tc"),
    ("\u202egz.iin", r"\u202egz.iin"),
    ("caf\udce9", r"caf\udce9"),
    ("a\u200bb\u2066c\ufeff", r"a\u200bb\u2066c\ufeff"),
    ("a\u3164b\u034f\ufe0f", r"a\u3164b\u034f\ufe0f"),
    ("\U000e0100\U000e0041", r"\U000e0100\U000e0041"),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS, ids=[shown for _, shown in TEXTS])
def test_what_cannot_be_seen_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_chosen_characters_stay() -> None:
    assert visible("a\nb\x07", keep="\n") == "a\nb\\x07"


def test_any_value_is_taken() -> None:
    assert visible(3) == "3"
