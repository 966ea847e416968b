"""Reading class maps: files of any dialect, and what people give in code."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nifti_kit.core.findings import Finding, describe, finding
from nifti_kit.core.text import listed, read_text
from nifti_kit.errors import BadClassMap, NiftiKitError
from nifti_kit.formats.class_maps.dialects import COLUMN, DIALECTS, read_as, recognise, title_of
from nifti_kit.formats.class_maps.entries import ClassEntry, ClassMap
from nifti_kit.formats.class_maps.lines import RGB, Reading, table_of

AUTO = "auto"

SHOWN = 3
"""Classes of a reading that a message shows."""

HEAD_BYTES = 2**14
"""So much of a file shows whether it may be a label table."""

MAX_TABLE_BYTES = 2**22
"""The largest label tables have 85 KB; a text that is larger than this is none."""

JSON_TABLES = ("dataset.json", "class2idx.json")
"""The JSON files that are label tables by their names: nnU-Net and MSD, the platform."""

JSON_DIALECTS = ("nnunet", "msd", "class2idx")

_MAP_NAME = re.compile(
    r"(colou?r|cls|class|label)[\W_]*(colou?r)?[\W_]*(map|lut|table|names?)", re.IGNORECASE
)
_NO_MAP_NAME = re.compile(
    r"(.*[\W_])?(read[\W_]*me|licen[cs]es?|change(s|[\W_]*log))(?![a-z]).*", re.IGNORECASE
)
_TABLE_NAME = re.compile(r"label|class|colou?r|lut|atlas|dseg|struct|region|roi", re.IGNORECASE)


def read_classes(
    path: str | os.PathLike[str], *, relative: str = "", dialect: str = AUTO, plus: int = 0
) -> ClassMap:
    r"""Return a class map; faulty lines are named in its ``faults``.

    A line is ``value name`` or ``value name red green blue`` (or ``#rrggbb``); names may hold
    spaces. Blank lines, comments (``#``, ``//``), tabs, a byte order mark and any line ends are
    fine. ``0`` is background and is passed over. The label tables of other tools are recognised
    by the whole file: ITK-SNAP, FreeSurfer, Slicer, FSLeyes, MRtrix, AAL, Workbench, BIDS, nnU-Net
    and MSD (``dataset.json``), the platform's ``class2idx.json``, and tables whose first line
    names their columns.

    Parameters
    ----------
    path
        The file.
    relative
        What it is called in findings; its path by default.
    dialect
        How it is to be read, where a file can be read in several ways: a key of ``DIALECTS``, as
        the finding ``class-table-ambiguous`` names them.
    plus
        What is added to each number of the table: 1 for a table that counts from 0 beside a label
        map that counts from 1.

    Raises
    ------
    BadClassMap
        If no line of the file is an entry, it has more lines than any, or there is no such dialect.
    UnreadableFile
        If the file is no text, or is larger than any class map.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lut.txt"
    >>> _ = path.write_text("1 Femur 255 0 0 0\n2 Tibia 0 128 0 0\n")
    >>> found = read_classes(path)
    >>> found.dialect, found[2].name, found[2].color
    ('freesurfer', 'Tibia', (0, 128, 0))
    """
    shown = relative or str(path)
    place = f"dataset.root / {relative!r}" if relative else repr(str(path))
    text = read_text(path, most=MAX_TABLE_BYTES, what="class map")
    return class_map_of(text, shown, place=place, dialect=dialect, plus=plus)


def class_map_of(
    text: str, shown: str, *, place: str = "", dialect: str = AUTO, plus: int = 0
) -> ClassMap:
    """Return the class map that a text is; ``place`` is how code names its file.

    Raises BadClassMap: as :func:`read_classes`.
    """
    if dialect != AUTO and dialect not in DIALECTS and not dialect.startswith(COLUMN):
        raise BadClassMap(
            "there is no such dialect of label tables",
            path=shown,
            found=repr(dialect),
            expected=", ".join([AUTO, *DIALECTS]),
            remedy="Give one of these.",
        )
    table = table_of(text, shown)
    others: list[Reading] = []
    if dialect == AUTO:
        readings, others = recognise(table)
    else:
        readings = [found for found in [read_as(dialect, table)] if found is not None]
    if not readings or not (readings[0].entries or readings[0].regions):
        raise BadClassMap(
            "no line is a class",
            path=shown,
            expected="lines such as '1 Femur 255 0 0'",
            remedy="Give the right file.",
        )
    faults = _faults(readings, shown, place or repr(shown), plus)
    maps = tuple(ClassMap(_moved(found, plus), shown, (), found.dialect) for found in others)
    return ClassMap(_moved(readings[0], plus), shown, faults, readings[0].dialect, maps)


def _moved(reading: Reading, plus: int) -> tuple[ClassEntry, ...]:
    """Return a reading's entries with their values moved up."""
    first = (reading.zero,) if plus and reading.zero else ()
    return tuple(
        ClassEntry(entry.value + plus, entry.name, entry.color, entry.line)
        for entry in (*first, *reading.entries)
        if entry.value + plus > 0
    )


def _faults(readings: Sequence[Reading], shown: str, place: str, plus: int) -> tuple[Finding, ...]:
    """Return what is wrong with a table, and what a person has to know or decide."""
    reading = readings[0]
    remedy = ""
    if reading.dialect not in ("specification", "names"):
        remedy = (
            f"Write it as the other lines of this {title_of(reading.dialect)}; or give the "
            "classes: scan(..., classes={1: 'Femur'})."
        )
    found = [finding("class-map-line", shown, fault, remedy=remedy) for fault in reading.faults]
    if len(readings) > 1:
        found.append(ambiguous(readings, shown, place))
    if reading.zero is not None and not plus:
        at = f"line {reading.zero.line}: " if reading.zero.line else ""
        name = repr(reading.zero.name)
        message = f"{at}0 is {name} in it, and background in a mask; it does not land"
        remedy = (
            f"If the table counts from 0 and the masks from 1: scan(..., "
            f"classes=nk.read_classes({place}, plus=1)). If 0 is background: nothing."
        )
        found.append(finding("class-table-zero", shown, message, remedy=remedy))
    if reading.regions:
        regions = listed(reading.regions, SHOWN)
        message = f"names of several values together, which are no classes: {regions}"
        found.append(finding("class-table-regions", shown, message))
    return tuple(found)


def ambiguous(readings: Sequence[Reading], shown: str, place: str) -> Finding:
    """Return the finding that shows several readings of a table, and how to choose."""
    said = [f"as {title_of(found.dialect)}: {_some(found, readings)}" for found in readings]
    first, *others = (f"dialect={found.dialect!r}" for found in readings)
    remedy = (
        f"Choose the first: scan(..., classes=nk.read_classes({place}, {first})); another one with "
        f"{' or '.join(others)}. Or give the names: scan(..., classes={{1: 'Femur'}})."
    )
    message = f"it can be read in {len(readings)} ways: {'; '.join(said)}"
    return finding("class-table-ambiguous", shown, message, remedy=remedy)


def _some(reading: Reading, readings: Sequence[Reading]) -> str:
    """Return the first classes of a reading, those that another one reads otherwise in front."""
    others = [{(e.value, e.name) for e in found.entries} for found in readings]
    same = set.intersection(*others) if others else set()
    entries = sorted(reading.entries, key=lambda entry: (entry.value, entry.name) in same)
    shown = (
        f"{entry.value} is {entry.name!r}" + (f" {entry.color}" if entry.color else "")
        for entry in entries
    )
    return listed(shown, SHOWN)


def looks_like_class_map(path: Path, *, relative: str = "") -> ClassMap | None:
    """Return the class map that a text file is, or None if it is some other text.

    It is one when it has words, and more of its lines are entries than are not; a file named like
    a class map needs one entry only, so that its faulty lines are named. Of a file that is none
    mostly only the first 16 KB are read.
    """
    named = is_named_class_map(path.stem)
    try:
        if not named and not _may_be_table(path):
            return None
        found = read_classes(path, relative=relative)
    except (ValueError, OSError):
        return None
    is_json = path.name.casefold() in JSON_TABLES
    if is_json != (found.dialect in JSON_DIALECTS):
        return None
    if named or is_json:
        return found
    words = any(character.isalpha() for entry in found for character in entry.name)
    lines = sum(fault.code == "class-map-line" for fault in found.faults)
    mostly = words and len(found.entries) > lines
    return found if mostly and not _is_other_table(path, found) else None


def no_class_map(path: Path, relative: str) -> Finding:
    """Return the finding for a file that is named like a class map and is none, with the reason."""
    said, remedy = "no line of it is a class", ""
    try:
        read_classes(path, relative=relative)
    except NiftiKitError as error:
        if error.found is not None:  # it is too large for one, or no text
            said, remedy = describe(error), error.remedy
    message = f"its name says class map, but {said}"
    return finding("class-map-line", relative, message, remedy=remedy)


def _may_be_table(path: Path) -> bool:
    """Say whether a file's size and first lines are those of a label table."""
    size = path.stat().st_size
    if size > MAX_TABLE_BYTES or size <= HEAD_BYTES or path.suffix.casefold() == ".json":
        return size <= MAX_TABLE_BYTES
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    cut = max(head.rfind(b"\n"), head.rfind(b"\r"))
    if cut < 0 or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return cut >= 0
    table = table_of(read_text(path, head[:cut]))
    if not table.lines:
        return bool(table.head)  # comments only: the lines come later
    readings, _ = recognise(table)
    return bool(readings and len(readings[0].entries) > len(readings[0].faults))


def _is_other_table(path: Path, found: ClassMap) -> bool:
    """Say whether a table of numbers and names may be one of anything: of cases, of persons."""
    if any(entry.color for entry in found) or _TABLE_NAME.search(path.stem):
        return False
    is_sheet = path.suffix.casefold() in (".csv", ".tsv")
    return found.dialect == "list" or (is_sheet and found.dialect in ("specification", "names"))


def is_named_class_map(name: str) -> bool:
    """Say whether a file's name claims that it is a class map."""
    return _MAP_NAME.search(name) is not None


def is_readme(name: str) -> bool:
    """Say whether a file's name is that of a README, a licence or a list of changes."""
    return _NO_MAP_NAME.fullmatch(name) is not None


def as_class_map(classes: Any) -> ClassMap:
    """Return a class map from a path, a :class:`ClassMap` or ``{value: name}``.

    In a mapping, a class may also be ``(name, (red, green, blue))``.

    Raises BadClassMap if it is none of these, or holds no whole numbers and names.
    """
    if isinstance(classes, ClassMap):
        return classes
    if isinstance(classes, (str, os.PathLike)):
        return read_classes(classes)
    if isinstance(classes, Mapping):
        return ClassMap(tuple(_entry(value, given) for value, given in classes.items()))
    raise BadClassMap(
        "the classes are in no known form",
        found=type(classes).__name__,
        expected="a path, or a mapping such as {1: 'Femur'} or {1: ('Femur', (255, 0, 0))}",
        remedy="Give one of these.",
    )


def _entry(value: Any, given: Any) -> ClassEntry:
    name, color = given if isinstance(given, tuple) else (given, None)
    channels = () if color is None else tuple(color)
    fine = isinstance(value, int) and value > 0 and isinstance(name, str) and bool(name.strip())
    if color is not None:
        fine &= len(channels) == RGB and all(c in range(256) for c in channels)
    if not fine:
        raise BadClassMap(
            "a class is in no known form",
            found=f"{value!r}: {given!r}",
            expected="1: 'Femur' or 1: ('Femur', (255, 0, 0))",
            remedy="Give a whole number above 0, a name, and a colour of 0 to 255 or none.",
        )
    return ClassEntry(value, name.strip(), channels or None)
