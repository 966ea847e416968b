"""The errors of the toolkit: what was found, what was expected, what to do."""

from __future__ import annotations

import os

__all__ = [
    "BadClassMap",
    "BadLabels",
    "BadMapping",
    "BadScores",
    "BadSource",
    "NiftiKitError",
    "PlanBlocked",
    "RepairRefused",
    "TargetError",
    "UnreadableFile",
    "UnsupportedImage",
]


class NiftiKitError(ValueError):
    """Any fault that the toolkit reports; its text names file, finding, expectation and remedy.

    Parameters
    ----------
    message
        What is wrong, in one plain sentence.
    path
        The file or folder concerned.
    found, expected
        What was read, and what should have been there.
    remedy
        What a person can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        found: object = None,
        expected: object = None,
        remedy: str = "",
    ) -> None:
        self.message = message
        self.path = None if path is None else os.fspath(path)
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._text())

    def _text(self) -> str:
        parts = [f"{self.path}: {self.message}" if self.path else self.message]
        if self.found is not None:
            parts.append(f"Found: {self.found}.")
        if self.expected is not None:
            parts.append(f"Expected: {self.expected}.")
        if self.remedy:
            parts.append(f"Remedy: {self.remedy}")
        return " ".join(parts)

    def __str__(self) -> str:
        return self._text()

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions,
        # and process pools send exceptions between processes.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(cls: type[NiftiKitError], state: dict[str, object]) -> NiftiKitError:
    error = cls("")
    error.__dict__.update(state)
    error.args = (error._text(),)
    return error


class BadSource(NiftiKitError):
    """A folder or archive that cannot be taken in as a whole."""


class UnreadableFile(NiftiKitError):
    """A file that is damaged, cut short, or not what its name says."""


class UnsupportedImage(NiftiKitError):
    """A sound image that cannot become a volume or a mask (4D, RGB, complex, ...)."""


class BadLabels(NiftiKitError):
    """A label map whose values are not integers from 0 to 65535."""


class BadClassMap(NiftiKitError):
    """A class (colour) map that cannot be read."""


class BadScores(NiftiKitError):
    """A score table that cannot be read."""


class BadMapping(NiftiKitError):
    """A JSON mapping that cannot be read."""


class PlanBlocked(NiftiKitError):
    """A plan with unresolved errors was handed to :func:`nifti_kit.upload`."""


class RepairRefused(NiftiKitError):
    """A repair that would not do what its name says on this file."""


class TargetError(NiftiKitError, OSError):
    """A target that refuses, or is not there."""
