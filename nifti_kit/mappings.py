"""JSON mappings: which annotation file belongs to which volume of the target."""

from __future__ import annotations

import difflib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.errors import BadMapping
from nifti_kit.files import write_json
from nifti_kit.findings import Finding, finding
from nifti_kit.texts import read_text

__all__ = ["Mapping", "MappingRow", "read_mapping"]

MAX_ID = 2**63 - 1
"""Ids are 64-bit numbers in the platform's database."""

MAX_DIGITS = 4000
"""Longer numbers are kept as text: Python refuses to read more than 4300 digits."""

MAX_SHOWN = 60
"""Letters of a key or a value that a message shows."""

SHOWN = 5
"""Keys or files that a message lists before it counts the rest; each hint is a long search."""


@dataclass(frozen=True)
class MappingRow:
    """One annotation file and its volume.

    Attributes
    ----------
    annotation
        The file, relative to the source.
    volume
        The volume's id on the target; None while it is unmatched.
    rule
        What matched them: ``mapping`` for a row of a JSON file; empty while unmatched.
    candidates
        The ids that could be meant.
    """

    annotation: PurePosixPath
    volume: int | None
    rule: str = ""
    candidates: tuple[int, ...] = ()


class Mapping:
    """The rows of a mapping, one for each annotation file, and the faults of its JSON file."""

    def __init__(
        self, rows: Iterable[MappingRow], path: str = "", faults: Sequence[Finding] = ()
    ) -> None:
        self.rows = tuple(rows)
        self.path = path
        self.faults = tuple(faults)
        self._ids = {row.annotation: row.volume for row in self.rows}

    def volume_of(self, annotation: PurePosixPath) -> int | None:
        """Return the id of an annotation file's volume, or None."""
        return self._ids.get(annotation)

    @property
    def unmatched(self) -> tuple[MappingRow, ...]:
        """The rows that have no volume yet."""
        return tuple(row for row in self.rows if row.volume is None)

    def __iter__(self) -> Iterator[MappingRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        matched = len(self.rows) - len(self.unmatched)
        return f"<Mapping {self.path}: {matched} of {len(self.rows)} annotation files matched>"

    def to_dict(self) -> dict[str, int]:
        """Return the specification's form: file name (with its dataset's folder) to volume id.

        Folders are left out where all files lie in one folder: dataset scope.
        """
        rows = [row for row in self.rows if row.volume is not None]
        flat = len({row.annotation.parent for row in self.rows}) <= 1
        return {
            row.annotation.name if flat else str(row.annotation): row.volume
            for row in rows
            if row.volume is not None
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mapping as a JSON file, beside its place first, then renamed."""
        write_json(Path(path), self.to_dict())


def read_mapping(path: str | os.PathLike[str], annotations: Any, *, relative: str = "") -> Mapping:
    """Return a JSON mapping, held against the annotation files that are there.

    Parameters
    ----------
    path
        The JSON file: ``{"cor_inference_1.nii": 123}``, or with dataset folders in the keys.
    annotations
        A dataset of :func:`nifti_kit.scan`, or the annotation files' relative paths.
    relative
        The name for people; the path by default.

    Raises
    ------
    BadMapping
        If the file is no JSON object.
    UnreadableFile
        If the file is no text.
    """
    shown = relative or str(path)
    files = getattr(annotations, "annotation_paths", annotations)
    pairs = _load(read_text(path), shown)
    return _held_against([PurePosixPath(file) for file in files], pairs, shown)


def looks_like_mapping(text: str) -> bool:
    """Say whether a JSON text may be meant as a mapping: an object with a key that ends .nii(.gz).

    A text that cannot be parsed may be meant as one too.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return True
    if not isinstance(content, dict):
        return False
    return not content or any(_is_annotation_key(key) for key in content)


def _is_annotation_key(key: str) -> bool:
    return key.strip().casefold().endswith((".nii", ".nii.gz"))


def _load(text: str, shown: str) -> list[tuple[str, Any]]:
    """Return the pairs of a JSON object, repeated keys included."""
    try:
        content = json.loads(text, object_pairs_hook=_Pairs, parse_int=_whole)
    except RecursionError as error:
        raise _no_mapping(shown, "JSON that is nested too deep") from error
    except ValueError as error:
        raise _no_mapping(shown, str(error)) from error
    if not isinstance(content, _Pairs):
        raise _no_mapping(shown, f"a JSON {type(content).__name__}")
    return list(content)


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object; a dict would drop repeated keys without a word."""


class _Digits(str):
    """A whole number that is too long to be an id."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _whole(digits: str) -> int | _Digits:
    return int(digits) if len(digits) <= MAX_DIGITS else _Digits(digits)


def _no_mapping(shown: str, found: str) -> BadMapping:
    return BadMapping(
        "the mapping cannot be read",
        path=shown,
        found=found,
        expected='an object such as {"axl_inference_1.nii": 123}',
        remedy="Correct the file.",
    )


def _held_against(
    files: Sequence[PurePosixPath], pairs: Sequence[tuple[str, Any]], shown: str
) -> Mapping:
    faults: list[Finding] = []
    nowhere: list[str] = []
    meant: defaultdict[PurePosixPath, list[int]] = defaultdict(list)
    ends = _by_name(files)
    for key, value in pairs:
        matches = _matching(key, ends)
        if not matches:
            nowhere.append(key)
        elif len(matches) > 1:
            faults.append(_several(key, matches, shown))
        if not _is_id(value):
            faults.append(_no_id(key, value, shown))
        elif len(matches) == 1:
            meant[matches[0]].append(value)
    if nowhere:
        faults.append(finding("mapping-key", shown, _named_nowhere(nowhere, files)))
    rows = []
    for file in files:
        ids = sorted(set(meant[file]))
        if len(ids) > 1:
            faults.append(finding("mapping-id", shown, f"{file} has several ids: {ids}"))
        one = ids[0] if len(ids) == 1 else None
        rows.append(MappingRow(file, one, "mapping" if one else "", tuple(ids)))
    return Mapping(rows, shown, faults)


def _several(key: str, matches: Sequence[PurePosixPath], shown: str) -> Finding:
    """Return the fault of a key that means several files: without a dataset folder, or at all."""
    folders = {file.parts[0] if len(file.parts) > 1 else "." for file in matches}
    names = ", ".join(map(str, matches[:SHOWN])) + _more(len(matches))
    code = "mapping-key"
    if len(_wanted(key).parts) == 1 and len(folders) > 1:
        code = "mapping-prefix"
        names = f"files in {len(folders)} dataset folders: {names}"
    return finding(code, shown, f"key {_short(key)} means {names}")


def _named_nowhere(keys: Sequence[str], files: Sequence[PurePosixPath]) -> str:
    """Return the message for keys that mean no file, the first few with the nearest file."""
    hints = [(_short(key), _nearest(key, files)) for key in keys[:SHOWN]]
    if len(keys) == 1:
        ((key, near),) = hints
        return f"key {key} names no file" + (f"; the nearest is {near}" if near else "")
    said = [f"{key} (the nearest is {near})" if near else key for key, near in hints]
    return f"{len(keys)} keys name no file: {', '.join(said)}{_more(len(keys))}"


def _nearest(key: str, files: Sequence[PurePosixPath]) -> str:
    """Return the file whose path or name is most like a key; empty where none is."""
    spelled: dict[str, str] = {}
    for file in files:
        spelled.setdefault(file.name.casefold(), str(file))
        spelled[str(file).casefold()] = str(file)
    near = difflib.get_close_matches(str(_wanted(key)).casefold(), spelled, n=1)
    return spelled[near[0]] if near else ""


def _more(count: int) -> str:
    return f" and {count - SHOWN} more" if count > SHOWN else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID


def _no_id(key: str, value: Any, shown: str) -> Finding:
    message = f"key {_short(key)}: the id is {_short(value)}"
    return finding("mapping-id", shown, message, remedy=_id_remedy(value))


def _id_remedy(value: Any) -> str:
    """Return what to do about an id that is none; empty for what the catalogue says."""
    if isinstance(value, _Digits) or (isinstance(value, int) and value > MAX_ID):
        return f"No volume has so large an id ({MAX_ID} at most): correct it."
    if isinstance(value, str):
        number = value.strip()
        plain = number.isascii() and number.isdigit() and len(number) <= len(str(MAX_ID))
        return "It is text: " + (f"remove the quotes, {number}." if plain else "write a number.")
    if isinstance(value, bool) or value is None:
        return f"It is {json.dumps(value)}: write the volume's id, or remove the line."
    if isinstance(value, float) and value.is_integer() and 0 < value < MAX_ID:
        return f"It has a decimal point: write {value:.0f}."
    return ""


def _wanted(key: str) -> PurePosixPath:
    """Return the path that a key means: without blanks around, ``./`` and backslashes."""
    return PurePosixPath(key.strip().replace("\\", "/").removeprefix("./"))


def _by_name(files: Sequence[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    names: defaultdict[str, list[PurePosixPath]] = defaultdict(list)
    for file in files:
        names[file.name].append(file)
    return names


def _matching(key: str, files: dict[str, list[PurePosixPath]]) -> list[PurePosixPath]:
    """Return the files (given by their names) that a key means: the whole path, else the end."""
    wanted = _wanted(key)
    alike = files.get(wanted.name, [])
    exact = [file for file in alike if file == wanted]
    return exact or [file for file in alike if file.parts[-len(wanted.parts) :] == wanted.parts]
