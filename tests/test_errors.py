"""Errors say file, what was found, what was expected and what to do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from nifti_kit import errors
from nifti_kit.errors import NiftiKitError, TargetError

KINDS = [getattr(errors, name) for name in errors.__all__]

TEXTS: list[tuple[dict[str, Any], str]] = [
    ({}, "it is cut short"),
    ({"path": "a.nii"}, "a.nii: it is cut short"),
    ({"path": Path("in/a.nii")}, "in/a.nii: it is cut short"),
    ({"found": 3}, "it is cut short Found: 3."),
    ({"found": 0}, "it is cut short Found: 0."),
    ({"expected": "5 bytes"}, "it is cut short Expected: 5 bytes."),
    ({"remedy": "Copy it again."}, "it is cut short Remedy: Copy it again."),
    (
        {"path": "a.nii", "found": "3 bytes", "expected": "5 bytes", "remedy": "Copy it again."},
        "a.nii: it is cut short Found: 3 bytes. Expected: 5 bytes. Remedy: Copy it again.",
    ),
]


@pytest.mark.parametrize(("facts", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_the_text_joins_path_message_found_expected_and_remedy(
    facts: dict[str, Any], text: str
) -> None:
    error = NiftiKitError("it is cut short", **facts)
    assert str(error) == text
    assert error.args == (text,)


def test_an_error_carries_its_parts() -> None:
    error = NiftiKitError("cut", path=Path("in/a.nii"), found=3, expected=5, remedy="Copy it.")
    assert (error.message, error.path, error.found, error.expected, error.remedy) == (
        "cut",
        "in/a.nii",
        3,
        5,
        "Copy it.",
    )


def test_parts_that_were_not_given_are_none_or_empty() -> None:
    error = NiftiKitError("cut")
    assert (error.path, error.found, error.expected, error.remedy) == (None, None, None, "")


@pytest.mark.parametrize("kind", KINDS, ids=errors.__all__)
def test_every_error_is_a_value_error_of_ours(kind: type[NiftiKitError]) -> None:
    assert issubclass(kind, NiftiKitError)
    assert issubclass(kind, ValueError)
    assert issubclass(kind, OSError) == (kind is TargetError)


@pytest.mark.parametrize("kind", KINDS, ids=errors.__all__)
def test_every_error_survives_the_way_between_processes(kind: type[NiftiKitError]) -> None:
    error = kind("cut", path="a.nii", found=3, expected=5, remedy="Copy it.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "a.nii: cut Found: 3. Expected: 5. Remedy: Copy it."
    assert again.args == (str(again),)
    assert (again.path, again.found, again.expected, again.remedy) == ("a.nii", 3, 5, "Copy it.")


def test_every_kind_of_error_is_public() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, NiftiKitError)
    }
    assert defined == set(errors.__all__)
