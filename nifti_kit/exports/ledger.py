"""The ledger of an export: what of it is whole, so that the same call goes on after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.files import digest, inside, land_bytes, written
from nifti_kit.errors import TargetError
from nifti_kit.exports.result import ExportedFile, NotExported

LEDGER = ".nifti_kit_export.jsonl"
"""Hidden, in the export's folder, until the export is whole."""

_CHUNK = 2**20
"""Bytes that are hashed at a time."""


@dataclass
class Written:
    """What a part of an export wrote."""

    files: list[ExportedFile] = field(default_factory=list)
    left: list[NotExported] = field(default_factory=list)
    # The paths that the mapping names, with the ids of their volumes.
    mapped: dict[str, int] = field(default_factory=dict)
    # Numbers of further files of a class: (class, number).
    further: list[tuple[str, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is to be known when the export is read


class Ledger:
    """The ledger of one call, in the folder that it writes to.

    ``folder``: the export's folder. It is new or empty, or holds an export of the same call that
    did not end.
    ``call``: what is exported and how, as a text: another call does not go on with it.
    Raises TargetError if something else is in the folder.
    """

    def __init__(self, folder: Path, call: str) -> None:
        self.folder, self.path = folder, folder / LEDGER
        self._done: dict[str, dict[str, Any]] = {}
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            self._go_on(call)
        else:
            land_bytes(self.path, _line({"call": digest(call)}))

    def _go_on(self, call: str) -> None:
        lines = list(_lines(self.path)) if self.folder.is_dir() and self.path.is_file() else []
        if not lines or lines[0].get("call") != digest(call):
            raise self._refused(bool(lines))
        self._done = {line["done"]: line for line in lines if "done" in line}
        begun = {path for line in lines for path in line.get("begun", ())}
        whole = {path for line in self._done.values() for path in line["sums"]}
        for path in sorted(begun - whole):
            self._remove(path)
        for part in self.folder.rglob(f".*{_PART}"):
            with written(part):
                part.unlink(missing_ok=True)
        content = b"".join(map(_line, [lines[0], *self._done.values()]))
        land_bytes(self.path, content)  # without a last line that was cut

    def _refused(self, is_export: bool) -> TargetError:
        found = "files" if self.folder.is_dir() else "a file"
        if is_export:
            found = "an export that did not end, of something else or by other choices"
        return TargetError(
            "there is something already, and an export overwrites nothing",
            path=self.folder,
            found=found,
            expected="a new or empty folder, or one in which the same call has begun",
            remedy="Choose another folder.",
        )

    def done(self, key: str, state: str) -> Written | None:
        """Return what a part wrote in an earlier run, if all of it is there, and still right.

        ``state`` is what was exported, as a text: where it has changed since, or a file is gone
        or another, what is left of the part is removed, and it is to be written anew.
        """
        line = self._done.pop(key, None)
        if line is None:
            return None
        sums = line["sums"]
        whole = all(_sum(self.folder / PurePosixPath(path)) == one for path, one in sums.items())
        if whole and line["state"] == digest(state):
            made = line["written"]
            return Written(
                [
                    ExportedFile(**{**one, "classes": tuple(one["classes"])})
                    for one in made["files"]
                ],
                [NotExported(**one) for one in made["left"]],
                made["mapped"],
                [(name, number) for name, number in made["further"]],
                made["notes"],
            )
        for path in sums:
            self._remove(path)
        return None

    def begin(self, *paths: str) -> None:
        """Note files before they are written."""
        self._append({"begun": paths})

    def end(self, key: str, state: str, made: Written) -> None:
        """Note that a part is whole."""
        sums = {one.path: _sum(self.folder / PurePosixPath(one.path)) for one in made.files}
        self._append({"done": key, "state": digest(state), "sums": sums, "written": asdict(made)})

    def close(self) -> None:
        """Remove the ledger: the export is whole."""
        with written(self.path):
            self.path.unlink(missing_ok=True)

    def _append(self, content: dict[str, Any]) -> None:
        with written(self.path), self.path.open("ab") as out:
            out.write(_line(content))

    def _remove(self, path: str) -> None:
        file = inside(self.folder, *PurePosixPath(path).parts)
        with written(file):
            file.unlink(missing_ok=True)


_PART = ".part"
"""How files end that are not whole."""


def _line(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a ledger; the last one may have been cut by a kill."""
    for raw in path.read_bytes().splitlines(keepends=True):
        try:
            content = json.loads(raw)
        except ValueError:
            return
        if not isinstance(content, dict) or not raw.endswith(b"\n"):
            return
        yield content


def _sum(path: Path) -> str:
    """Return the SHA-256 of a file; empty where there is none."""
    if not path.is_file():
        return ""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(_CHUNK):
            found.update(part)
    return found.hexdigest()
