"""What a person hands over: refused in words where it is of another kind than what is worked on."""

from __future__ import annotations

import os

from nifti_kit.errors import WrongArgument

__all__ = ["a_path", "a_target", "of_kind"]


def a_path(given: object) -> None:
    """Raise WrongArgument where something is no path."""
    if not isinstance(given, str | os.PathLike):
        raise _wrong("this is no path", given, "the path of a folder, an archive or a NIfTI file")


def of_kind(given: object, kind: type, made_by: str) -> None:
    """Raise WrongArgument where something is not of a kind; ``made_by`` says how it is made."""
    if not isinstance(given, kind):
        raise _wrong(f"this is no {kind.__name__}", given, f"what {made_by} returns")


def a_target(given: object) -> None:
    """Raise WrongArgument where something is no target, such as the path of one."""
    if not hasattr(given, "volumes"):
        raise _wrong("this is no target", given, "such as nk.ProjectFolder('out/project', 'knee')")


def _wrong(message: str, given: object, expected: str) -> WrongArgument:
    found = type(given).__name__
    if isinstance(given, str | os.PathLike):
        found = f"the path {os.fspath(given)!r}"
    return WrongArgument(message, found=found, expected=expected)
