"""Text: files in any of the usual encodings; counts and lists in words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from nifti_kit.core.files import refuse_special
from nifti_kit.errors import UnreadableFile

MAX_TEXT_BYTES = 64 * 2**20
"""No table, class map or mapping is larger; a larger file is something else."""


def read_text(
    path: str | os.PathLike[str],
    content: bytes | None = None,
    *,
    most: int | None = None,
    what: str = "text file",
) -> str:
    """Return a file's text: UTF-8 (with or without BOM), UTF-16 with BOM, else Windows-1252.

    ``content``: the file's bytes where they are in memory.
    ``most``: bytes that the file may have; :data:`MAX_TEXT_BYTES` by default.
    ``what``: what the file is, for the error.
    Raises UnreadableFile if the file is not there, is a named pipe or a device, is too large, or is
    no text.
    """
    file = Path(path)
    content = _content(file, most or MAX_TEXT_BYTES, what) if content is None else content
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif b"\0" in content:
        raise _no_text(file, "zero bytes")
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _no_text(file, "bytes that are no text")


def _content(file: Path, most: int, what: str) -> bytes:
    """Return a file's bytes; its size is looked at before, and never more than that is read."""
    try:
        refuse_special(file)
        size = file.stat().st_size
        with file.open("rb") as stream:
            content = stream.read(most + 1) if size <= most else b""
    except OSError as error:
        raise _no_text(file, str(error)) from error
    if size > most or len(content) > most:
        raise UnreadableFile(
            f"the {what} is larger than any is",
            path=file,
            found=f"{max(size, len(content)):,} bytes",
            expected=f"at most {most:,} bytes",
            remedy="Give the right file; or write one that holds only what belongs to these data.",
        )
    return content


def _no_text(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(
        "the text file cannot be read",
        path=path,
        found=found,
        expected="UTF-8 text",
        remedy="Save it as UTF-8.",
    )


# Numbers in words, the same in every text form


def listed(
    things: Iterable[object], most: int, join: str = ", ", *, count: int | None = None
) -> str:
    """Return the first few things, and how many more there are: ``a, b and 4 more``.

    ``count`` is how many there are in all, where ``things`` are the first of them.
    """
    known = list(things)
    named = [str(thing) for thing in known[:most]]
    left = (len(known) if count is None else count) - len(named)
    more = f" and {left} more" if left > 0 else ""
    return join.join(named) + (";" if more and ";" in join else "") + more


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 volume``, ``39 objects``, ``15,818,166 voxels``."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {plural}"


# How much a repr shows: a notebook keeps it in its file, and a page of megabytes takes seconds

REPR_ROWS = 500
"""Objects that a repr shows in all: 0.3 MB of HTML, where 10,000 are 6 MB."""

REPR_ITEMS = 200
"""Volumes that a repr shows."""

REPR_LINES = 50
"""Files that do not land that a repr names."""


BYTES_PER_MB = 1_000_000
"""As networks and disks are measured."""

WHOLE_MB = 10
"""Megabytes in all from which on no tenths are told."""


def size_text(done: int, total: int) -> str:
    """Return how many bytes are done of how many.

    >>> size_text(41_200_000, 302_300_000)
    '41 of 302 MB'
    """
    digits = 0 if total >= WHOLE_MB * BYTES_PER_MB else 1
    return f"{done / BYTES_PER_MB:,.{digits}f} of {total / BYTES_PER_MB:,.{digits}f} MB"


FEW_S, STEP_S = 7.5, 5
"""Seconds that are not counted, and the steps in which more are."""

LONG = 1.5
"""Minutes and hours from which on no smaller unit is told."""


def left_text(seconds: float) -> str:
    """Return a time that is left in words; no more is said than is known.

    >>> left_text(3.2), left_text(22), left_text(200), left_text(9000)
    ('some seconds left', 'about 20 s left', 'about 3 min left', 'about 2.5 h left')
    """
    if seconds < FEW_S:
        return "some seconds left"
    if seconds < LONG * 60:
        steps = round(seconds / STEP_S) * STEP_S
        return f"about {steps} s left"
    if seconds < LONG * 3600:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.2g} h left"


def items_of(rows: int) -> int:
    """Return how many volumes are shown with so many rows: all of them on a page with all rows."""
    return REPR_ITEMS if rows == REPR_ROWS else rows


def shares(sizes: Iterable[int], most: int) -> list[int]:
    """Return how many rows of each table are shown, of ``most`` in all: the first ones first.

    >>> shares([2, 4, 1], 3)
    [2, 1, 0]
    """
    shown = []
    for size in sizes:
        shown.append(min(size, most))
        most -= shown[-1]
    return shown


def and_more(count: int, noun: str, where: str) -> list[str]:
    """Return the line that counts what is not shown, and says where it is; none for nothing.

    >>> and_more(9500, "object", "to_frame()")
    ['... and 9,500 more objects; all are in to_frame()']
    """
    return [f"... and {counted(count, f'more {noun}')}; all are in {where}"] * (count > 0)


# Cells of tables that people open with a spreadsheet, which calculates what begins like a formula

_FORMULA = re.compile(r"[=+\-@\t\r](?=.*\w)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?%?")
_GUARD = "'"
"""What spreadsheets show no cell with, and take it for text; the custom of the field."""


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet takes a text for a formula.

    A number such as ``-1`` is none, nor is a sign alone. Apostrophes in front do not count.
    """
    bare = text.lstrip(_GUARD)
    return _FORMULA.match(bare) is not None and _NUMBER.fullmatch(bare) is None


def guarded_cell(text: str) -> str:
    """Return a text as the cell of a table that is saved: before a formula stands an apostrophe.

    Examples
    --------
    >>> guarded_cell("=1+1"), guarded_cell("-1"), unguarded_cell("'=1+1")
    ("'=1+1", '-1', '=1+1')
    """
    return _GUARD + text if is_formula(text) else text


def unguarded_cell(cell: str) -> str:
    """Return the text of a cell that :func:`guarded_cell` wrote: without its own apostrophe."""
    return cell[1:] if cell.startswith(_GUARD) and is_formula(cell) else cell
