"""Keys and ids of a project on disk: ``key_id_map.json``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from nifti_kit.core.files import write_json
from nifti_kit.targets.folder.shape import IDS, read_shaped

KINDS = ("tags", "objects", "figures", "videos")
"""The tables of the file; volumes stand under ``videos``."""

_NAMESPACE = uuid.UUID("6e1f7a52-2f0c-5d0b-9a55-6b1f0c2d7a10")
"""Ours; a key is the same each time for the same place, so that a second run finds its own."""


def derived_key(*parts: object, taken: Container[str] = ()) -> str:
    """Return 32 hex digits made of the parts; another one where that is taken."""
    for attempt in range(2**31):
        text = json.dumps([str(part) for part in (*parts, *([attempt] if attempt else []))])
        key = uuid.uuid5(_NAMESPACE, text).hex
        if key not in taken:
            return key
    raise AssertionError("unreachable: keys do not run out")  # pragma: no cover


class KeyIds:
    """The integer ids of keys: read from the file, completed from the annotations, counted on.

    What else is in the file is kept: other tables, and keys that have no id.
    """

    def __init__(self, path: Path, annotations: Iterable[dict[str, Any]]) -> None:
        self._path = path
        stored = read_shaped(path, IDS) if path.exists() else {}
        self._others = {kind: table for kind, table in stored.items() if kind not in KINDS}
        self._ids: dict[str, dict[str, int]] = {}
        self._unnumbered: dict[str, dict[str, None]] = {}
        self._keys: dict[str, dict[int, str]] = {}
        for kind in KINDS:
            table = stored.get(kind, {})
            self._ids[kind] = {key: n for key, n in table.items() if n is not None}
            self._unnumbered[kind] = {key: None for key, n in table.items() if n is None}
        found = [entry for annotation in annotations for entry in _entries(annotation)]
        self._take(found)
        self._next = {kind: max(ids.values(), default=0) + 1 for kind, ids in self._ids.items()}
        for kind, key, _ in found:
            self.reserve(kind, key)

    def _take(self, found: Iterable[tuple[str, str, Any]]) -> None:
        """Take the ids of annotations: they are written before the file is; a crash parts them.

        All of them, before keys without any id (a project of another writer) get the next ones.
        """
        used = {kind: set(ids.values()) for kind, ids in self._ids.items()}
        for kind, key, number in found:
            if key not in self._ids[kind] and isinstance(number, int) and number not in used[kind]:
                self._ids[kind][key] = number
                used[kind].add(number)

    def id_of(self, kind: str, key: str) -> int:
        """Return the id of a key; 0 if it has none."""
        return int(self._ids[kind].get(key, 0))

    def key_of(self, kind: str, number: int) -> str:
        """Return the key that has an id; empty if none has."""
        if kind not in self._keys:  # thousands of objects are looked up one by one
            self._keys[kind] = {one: key for key, one in reversed(self._ids[kind].items())}
        return self._keys[kind].get(number, "")

    def keys(self, kind: str) -> Container[str]:
        """Return the keys of a kind."""
        return self._ids[kind].keys()

    def reserve(self, kind: str, key: str) -> int:
        """Return the id of a key; a new key gets the next free number."""
        if key not in self._ids[kind]:
            self._ids[kind][key] = self._next[kind]
            self._next[kind] += 1
            if kind in self._keys:
                self._keys[kind][self._ids[kind][key]] = key
        return int(self._ids[kind][key])

    def forget(self, kind: str, key: str) -> None:
        """Drop a key; its number is not given again while this object lives."""
        self._ids[kind].pop(key, None)
        self._keys.pop(kind, None)
        self._unnumbered[kind].pop(key, None)

    def save(self) -> None:
        """Write the file, by rising ids: the same whatever way the ids came about."""
        tables = {kind: self._table(kind) for kind in KINDS}
        write_json(self._path, {**tables, **self._others})

    def _table(self, kind: str) -> dict[str, int | None]:
        ids = self._ids[kind]
        numbered = sorted(ids.items(), key=lambda pair: pair[1])
        return {**dict(numbered), **{k: None for k in self._unnumbered[kind] if k not in ids}}


def _entries(annotation: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield kind, key and id (None where there is none) of everything in an annotation."""
    numbered = [("videos", annotation.get("key"), annotation.get("volumeId"))]
    for kind, name in (("objects", "objects"), ("figures", "spatialFigures")):
        numbered += [(kind, one.get("key"), one.get("id")) for one in annotation.get(name, [])]
    for kind, key, number in numbered:
        if key:
            yield kind, key, number
