"""The errors of the toolkit: what was found, what was expected, what to do."""

from __future__ import annotations

import os
import re
import textwrap

__all__ = [
    "BadClassMap",
    "BadLabels",
    "BadMapping",
    "BadScores",
    "BadSource",
    "NiftiKitError",
    "PlanBlocked",
    "RepairRefused",
    "SeveralFrames",
    "TargetError",
    "UnreadableFile",
    "UnsupportedImage",
    "WrongArgument",
]


def visible(text: object, *, keep: str = "") -> str:
    r"""Return a text in which every character that cannot be seen is an escape, such as ``\x1b``.

    Those are control characters (a terminal's and a notebook's colours and links begin with one),
    line ends, marks that turn the direction of writing or have no width, blanks that are no plain
    space, and bytes of a name that are no UTF-8.

    Parameters
    ----------
    keep
        Characters that stay, such as a line end where lines are wanted.
    """
    said = str(text)
    if said.isprintable() and not _UNSEEN.search(said):
        return said
    return "".join(
        letter
        if letter in keep or (letter.isprintable() and not _UNSEEN.match(letter))
        else letter.encode("unicode_escape").decode("ascii")
        for letter in said
    )


_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks to Unicode, and nothing to the eye: fillers, joiners, variation selectors."""


LINE_WIDTH = 96
"""Characters of a line in a notebook: about what a cell's output shows without wrapping it."""

_LABEL_WIDTH = 10


class NiftiKitError(ValueError):
    """Any fault that the toolkit reports; its text names file, finding, expectation and remedy.

    A notebook shows it without the stack, which says nothing about a person's files: a fault in a
    file is no fault of the code. Plain Python shows its traceback as of any exception; in a
    notebook :func:`traceback.print_exception` does.

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
        parts = [f"{visible(self.path)}: {self.message}" if self.path else self.message]
        if self.found is not None:
            parts.append(f"Found: {self.found}.")
        if self.expected is not None:
            parts.append(f"Expected: {self.expected}.")
        if self.remedy:
            parts.append(f"Remedy: {self.remedy}")
        return " ".join(parts)

    def __str__(self) -> str:
        return self._text()

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of the traceback, line by line (it calls this).

        Names of files are not trusted: what a terminal would obey is escaped.
        """
        parts = (
            ("Where:", None if self.path is None else visible(self.path)),
            ("Problem:", self.message),
            ("Found:", self.found),
            ("Expected:", self.expected),
            ("Remedy:", self.remedy or None),
        )
        shown = [_part(label, part) for label, part in parts if part is not None]
        return [type(self).__name__, *(line for lines in shown for line in lines)]

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions,
        # and process pools send exceptions between processes.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _part(label: str, part: object) -> list[str]:
    """Return a part of an error as lines of its own, with its label before the first."""
    text = visible(part, keep="\n").strip("\n")
    lines = [
        piece
        for line in text.split("\n")
        for piece in textwrap.wrap(
            line,
            LINE_WIDTH - _LABEL_WIDTH,
            subsequent_indent=" " * (len(line) - len(line.lstrip())),
            break_long_words=False,  # a path is copied whole
            break_on_hyphens=False,
        )
        or [""]
    ]
    labels = [label, *[""] * (len(lines) - 1)]
    return [
        f"{label:<{_LABEL_WIDTH}}{line}".rstrip() for label, line in zip(labels, lines, strict=True)
    ]


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


class SeveralFrames(UnsupportedImage):
    """A sound image of several 3D frames (4D or 5D): contrasts, points in time, a mask a class."""


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


class WrongArgument(NiftiKitError, TypeError):
    """An argument of another kind than the function works on."""


# What a person hands over: refused in words where it is of another kind than what is worked on


def a_path(given: object) -> None:
    """Raise WrongArgument where something is no path."""
    if not isinstance(given, str | os.PathLike):
        raise wrong_argument(
            "this is no path", given, "the path of a folder, an archive or a NIfTI file"
        )


def of_kind(given: object, kind: type, made_by: str) -> None:
    """Raise WrongArgument where something is not of a kind; ``made_by`` says how it is made."""
    if not isinstance(given, kind):
        raise wrong_argument(f"this is no {kind.__name__}", given, f"what {made_by} returns")


def a_number(given: object, name: str) -> None:
    """Raise WrongArgument where a value for a parameter is no number."""
    if not isinstance(given, (int, float)) or isinstance(given, bool):
        raise wrong_argument(f"{name} is no number", given, "a number")


def wrong_argument(message: str, given: object, expected: str) -> WrongArgument:
    """Return the error for an argument that is not what was expected."""
    found = type(given).__name__
    if isinstance(given, str | os.PathLike):
        found = f"the path {os.fspath(given)!r}"
    return WrongArgument(message, found=found, expected=expected)
