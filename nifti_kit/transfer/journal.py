"""Journals: what an upload has begun and done, so that the same call goes on after a crash.

An append-only file of JSON lines in ASCII: a head that names the plan and the target, then for each
item a line when it begins (with the keys that its objects get, and whether its volume is new) and
one when it has landed. A line that was cut off by a crash is passed over. Nothing is written before
the first item begins: an upload that is refused leaves no journal.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from nifti_kit.core.files import written
from nifti_kit.errors import TargetError


class Journal:
    """What one plan has landed on one target.

    Parameters
    ----------
    path
        The file; None keeps the journal in memory only.
    plan, target
        Texts that are the same for the same plan and target.
    """

    def __init__(self, path: str | os.PathLike[str] | None, plan: str, target: str) -> None:
        self.path = None if path is None else Path(path)
        stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        self.session = f"{stamp}-{uuid.uuid4().hex[:6]}"
        self._begun: dict[str, list[str]] = {}
        self._made: set[str] = set()
        self._done: dict[str, dict[str, Any]] = {}
        head = {"plan": plan, "target": target, "session": self.session}
        self._unwritten = [head]
        if self.path is not None and self.path.exists():
            self._load(head)

    def _load(self, head: dict[str, Any]) -> None:
        assert self.path is not None
        text = _text(self.path)
        lines = [line for line in map(_parsed, text.splitlines()) if line]
        if not lines and _is_half_a_head(text):
            return
        self._unwritten.clear()
        kept = lines[0] if lines else {}
        for name in ("plan", "target"):
            if kept.get(name) != head[name]:
                raise TargetError(
                    f"the journal is that of another {name}",
                    path=self.path,
                    found=kept.get(name),
                    expected=head[name],
                    remedy="Give another journal file, or delete this one to begin anew.",
                )
        self.session = str(kept.get("session", self.session))
        for line in lines[1:]:
            if "begin" in line:
                self.undo(line["begin"])  # it had landed, was removed, and is made anew
                self._begun[line["begin"]] = list(line["keys"])
                self._made |= {line["begin"]} if line.get("made") else set()
            elif "done" in line:
                self._done[line["done"]] = dict(line.get("record") or {})

    def _append(self, line: dict[str, Any]) -> None:
        if self.path is None:
            return
        with written(self.path), self._opened() as out:
            for one in (*self._unwritten, line):
                # A crash may have left half a line: the break before ours ends it.
                out.write(f"\n{json.dumps(one)}\n".encode("ascii"))
            out.flush()
            os.fsync(out.fileno())
        self._unwritten.clear()

    def _opened(self) -> IO[bytes]:
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.path.open("ab")

    def keys_of(self, item: str) -> list[str] | None:
        """Return the keys of an item that was begun earlier; None for one that was not."""
        return self._begun.get(item)

    def is_done(self, item: str) -> bool:
        """Say whether an item has landed whole."""
        return item in self._done

    def record_of(self, item: str) -> dict[str, Any]:
        """Return what was noted when an item had landed."""
        return self._done.get(item, {})

    def made(self, item: str) -> bool:
        """Say whether an item's volume was new when the item was first begun."""
        return item in self._made

    def undo(self, item: str) -> None:
        """Take an item that has landed for one that has begun."""
        self._done.pop(item, None)

    def forget(self, item: str) -> None:
        """Take an item that has landed for one that was never begun."""
        self.undo(item)
        self._begun.pop(item, None)
        self._made.discard(item)

    def begin(self, item: str, keys: Sequence[str], *, made: bool = False) -> None:
        """Note that an item begins; ``made`` says that its volume is new."""
        self._begun[item] = list(keys)
        self._made |= {item} if made else set()
        self._append({"begin": item, "keys": list(keys), "made": self.made(item)})

    def done(self, item: str, record: dict[str, Any] | None = None) -> None:
        """Note that an item has landed whole, and with which ids."""
        self._done[item] = record or {}
        self._append({"done": item, **({"record": record} if record else {})})

    def close(self) -> None:
        """Remove the file: everything has landed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii", errors="replace")
    except OSError as error:
        raise TargetError(
            "the journal cannot be read", path=path, found=str(error), remedy="Give another file."
        ) from error


def _is_half_a_head(text: str) -> bool:
    """Say whether a crash left no more than a part of the first line; no other file is taken."""
    return '{"plan": '.startswith(text.strip()[: len('{"plan": ')])


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
