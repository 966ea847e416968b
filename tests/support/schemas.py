"""The published forms of receipts and proofs, and whether a text keeps them to the letter."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, wraps
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator


@cache
def schema(word: str) -> dict[str, Any]:
    """Return the form of ``receipt`` or ``proof`` as it is shipped."""
    text = files("nifti_kit.transfer").joinpath(f"schemas/{word}-1.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def validator(word: str) -> Draft202012Validator:
    """Return what holds a content against a form, in which no key may stand that it lacks."""
    return Draft202012Validator(_strict(schema(word)))


def _strict(part: Any) -> Any:
    """Return a part of a schema that allows for no key that it does not name."""
    if isinstance(part, list):
        return [_strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {key: _strict(one) for key, one in part.items()}
    if isinstance(part.get("properties"), dict) and "type" in part:
        found.setdefault("additionalProperties", False)
    return found


def faults(text: str, word: str) -> list[str]:
    """Return what of a text is not as the form has it."""
    found = validator(word).iter_errors(json.loads(text))
    return [f"{one.json_path}: {one.message}" for one in found]


def checked(to_json: Callable[[Any], str], word: str) -> Callable[[Any], str]:
    """Return ``to_json`` that holds what it returns against the form."""

    @wraps(to_json)
    def both(result: Any) -> str:
        text = to_json(result)
        faults = [
            f"{one.json_path}: {one.message}"
            for one in validator(word).iter_errors(json.loads(text))
        ]
        assert not faults, faults[:5]
        return text

    return both
