"""JSON mappings: which annotation file belongs to which volume of the target."""

from __future__ import annotations

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
    return key.casefold().endswith((".nii", ".nii.gz"))


def _load(text: str, shown: str) -> list[tuple[str, Any]]:
    """Return the pairs of a JSON object, repeated keys included."""
    try:
        content = json.loads(text, object_pairs_hook=_Pairs)
    except RecursionError as error:
        raise _no_mapping(shown, "JSON that is nested too deep") from error
    except ValueError as error:
        raise _no_mapping(shown, str(error)) from error
    if not isinstance(content, _Pairs):
        raise _no_mapping(shown, f"a JSON {type(content).__name__}")
    return list(content)


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object; a dict would drop repeated keys without a word."""


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
    meant: defaultdict[PurePosixPath, list[int]] = defaultdict(list)
    for key, value in pairs:
        matches = _matching(key, files)
        if len(matches) != 1:
            names = ", ".join(map(str, matches))
            message = f"key {key!r} means {names}" if matches else f"key {key!r} names no file"
            faults.append(finding("mapping-key", shown, message))
        elif not _is_id(value):
            message = f"key {key!r}: the id is {value!r}"
            faults.append(finding("mapping-id", shown, message))
        else:
            meant[matches[0]].append(value)
    rows = []
    for file in files:
        ids = sorted(set(meant[file]))
        if len(ids) > 1:
            faults.append(finding("mapping-id", shown, f"{file} has several ids: {ids}"))
        one = ids[0] if len(ids) == 1 else None
        rows.append(MappingRow(file, one, "mapping" if one else "", tuple(ids)))
    return Mapping(rows, shown, faults)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _matching(key: str, files: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return the files that a key can mean: the whole path, else the end of one."""
    wanted = PurePosixPath(key.strip().replace("\\", "/").removeprefix("./"))
    exact = [file for file in files if file == wanted]
    if exact or not wanted.parts:
        return exact
    return [file for file in files if file.parts[-len(wanted.parts) :] == wanted.parts]
