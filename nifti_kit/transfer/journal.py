"""Journals: what an upload has begun and done, so that the same call goes on after a crash.

An append-only file of JSON lines in ASCII: a head that names the source and the target, then for
each item a line when it begins (with what was there, and what its files hold), lines with what
shows that something was made by this very run (ids that a server gave, times of files), and one
when it has landed. A line that was cut off by a crash is passed over. Nothing is written before the
first item begins: an upload that is refused leaves no journal.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nifti_kit.core.files import private_file, refuse_special, written
from nifti_kit.core.locks import held, is_held, lock_of
from nifti_kit.errors import TargetError, UnreadableFile, visible
from nifti_kit.targets.records import Begun

_LINES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "begin": {"begin": str, "keys": list, "made": bool, "source": str, "fresh": bool},
    "note": {"note": str, "facts": dict},
    "done": {"done": str, "record": dict},
}
"""The fields of each kind of line, by the field that names its item."""


class Journal:
    """What one call has landed on one target.

    ``path``: the file; None keeps the journal in memory only.
    ``plan``, ``target``: texts that are the same for the same call: where its files come from, and
    the target.
    Raises TargetError if the file cannot be read, is no journal, or is that of another call.
    """

    def __init__(self, path: str | os.PathLike[str] | None, plan: str, target: str) -> None:
        self.path = None if path is None else Path(path)
        stamp = datetime.now(timezone.utc).strftime(_STAMP)
        self._head: dict[str, Any] = {
            "plan": plan,
            "target": target,
            "session": f"{stamp}-{uuid.uuid4().hex[:12]}",
        }
        self.read()

    def read(self) -> None:
        """Take what the file says now: another call may have ended since it was read."""
        self.session = self._head["session"]
        self._begun: dict[str, dict[str, Any]] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._done: dict[str, dict[str, Any]] = {}
        self._unwritten = [self._head]
        if self.path is not None and self.path.exists():
            self._load(self._head)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only call that uses this journal, for the time of ``with``.

        Raises TargetError if another one uses it.
        """
        if self.path is None:
            yield
            return
        with held(_lock_of(self.path), "an upload with this journal"):
            yield

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
                    found=visible(kept.get(name)),
                    expected=head[name],
                    remedy="Give another journal file, or delete this one to begin anew."
                    if "session" in kept
                    else "It is no journal: give another file.",
                )
        self.session = _session(kept.get("session"), self.path)
        for line in lines[1:]:
            kind = next((kind for kind in _LINES if kind in line), None)
            if kind is not None:  # else of a later release
                _check(line, kind, self.path)
                self._take(kind, line)

    def _take(self, kind: str, line: dict[str, Any]) -> None:
        item = line[kind]
        if kind == "begin":
            if line.get("fresh"):
                self.forget(item)
            self._begin(item, line["keys"], bool(line.get("made")), line.get("source") or "")
        elif kind == "note":
            self._facts.setdefault(item, {}).update(line["facts"])
        else:
            self._done[item] = dict(line.get("record") or {})

    def _append(self, line: dict[str, Any]) -> None:
        if self.path is None:
            return
        append(self.path, [*self._unwritten, line])
        self._unwritten.clear()

    def expect(self, items: int) -> None:
        """Note how many items there are, for those who look at what is left."""
        if self._unwritten:
            self._unwritten[0]["items"] = items

    def begun(self, item: str, source: str) -> Begun | None:
        """Return what is known of an item that was begun earlier; None for one that was not.

        ``source`` says what its files hold now.
        """
        if item not in self._begun:
            return None
        line = self._begun[item]
        changed = line["source"] not in ("", source)  # earlier releases did not note it
        return Begun(self.session, tuple(line["keys"]), dict(self._facts.get(item, {})), changed)

    def is_done(self, item: str, source: str | None = None) -> bool:
        """Say whether an item has landed whole; with ``source``, whether it holds that still."""
        known = self._begun.get(item, {}).get("source", "")
        return item in self._done and (source is None or known in ("", source))

    def record_of(self, item: str) -> dict[str, Any]:
        """Return what was noted when an item had landed."""
        return self._done.get(item, {})

    def made(self, item: str) -> bool:
        """Say whether an item's volume was new when the item was first begun."""
        return bool(self._begun.get(item, {}).get("made"))

    def reopen(self, item: str) -> None:
        """Take an item for one that goes on: a part of what had landed is gone."""
        self._done.pop(item, None)

    def forget(self, item: str) -> None:
        """Take an item for one that was never begun."""
        for known in (self._done, self._begun, self._facts):
            known.pop(item, None)

    def begin(
        self, item: str, keys: Sequence[str], *, made: bool = False, source: str = ""
    ) -> None:
        """Note that an item begins, or goes on.

        ``made`` says that its volume is new, ``source`` what its files hold.
        """
        fresh = item not in self._begun
        self._begin(item, keys, made, source)
        self._append({"begin": item, **self._begun[item], "fresh": fresh})

    def _begin(self, item: str, keys: Sequence[str], made: bool, source: str) -> None:
        """Take an item for one that has begun; what it had landed as is made anew."""
        same = self._begun.get(item, {}).get("source", source) == source
        if not same:
            self._facts.pop(item, None)
        made = made or (same and self.made(item))
        self._done.pop(item, None)
        self._begun[item] = {"keys": list(keys), "made": made, "source": source}

    def noting(self, item: str, *, is_repeated: bool = False) -> Noting:
        """Return what takes notes of an item, also in another process.

        ``is_repeated`` says that its job may be given to another worker when one is killed.
        """
        return Noting(self.path, self.session, item, is_repeated)

    def done(self, item: str, record: dict[str, Any] | None = None) -> None:
        """Note that an item has landed whole, and with which ids."""
        self._done[item] = record or {}
        self._append({"done": item, **({"record": record} if record else {})})

    def close(self) -> None:
        """Remove the file: everything has landed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Unfinished:
    """An upload that has begun and not ended, as its journal says."""

    begun: datetime  # when (UTC)
    # How many of its items have landed whole, of how many; None where that is not known.
    done: int
    total: int | None
    is_running: bool  # whether it is under way on this machine now, in this process or another one

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total}"
        at = f"item {self.done + 1}{of}"
        if self.total is not None and self.done >= self.total:
            at = "its end: all items have landed"
        verb = "is" if self.is_running else "stopped"
        return f"An upload of {self._time} {verb} at {at}"

    @property
    def _time(self) -> str:
        """When it began, here; with its day where that is another one."""
        here = self.begun.astimezone()
        is_today = here.date() == datetime.now(timezone.utc).astimezone().date()
        return f"{here:%H:%M}" if is_today else f"{here:%Y-%m-%d %H:%M}"


_STAMP = "%Y%m%d-%H%M%S"
"""How the name of a run begins: with its time (UTC)."""


def unfinished(path: Path) -> Unfinished | None:
    """Return what a journal says of its upload; None where there is none, or nothing is said."""
    try:
        lines = [line for line in map(_parsed, _text(path).splitlines()) if line]
    except TargetError:
        return None
    head = lines[0] if lines else {}
    try:
        stamp = f"{str(head.get('session'))[:_STAMP_SIZE]} +0000"
        begun = datetime.strptime(stamp, f"{_STAMP} %z")
    except ValueError:
        return None
    total, done = head.get("items"), set[str]()
    for line in lines[1:]:
        done.discard(str(line.get("begin")))
        done |= {str(line["done"])} if "done" in line else set()
    return Unfinished(
        begun,
        len(done),
        total if isinstance(total, int) else None,
        is_held(_lock_of(path)),
    )


_STAMP_SIZE = len("20260101-000000")


def _lock_of(journal: Path) -> Path:
    """Return the lock of a journal: not beside it if possible, where a project may be."""
    try:
        return lock_of(journal)
    except TargetError:  # a home that cannot be written to
        return journal.with_name(f".{journal.name}.lock")


@dataclass(frozen=True)
class Noting:
    """Adds notes of one item to a journal: in whatever process, as long as it sees the file."""

    path: Path | None
    session: str
    item: str
    is_repeated: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what was noted of the item since it began last; nothing where there is no file."""
        if self.path is None or not self._is_there(self.path):
            return {}
        name = json.dumps(self.item)
        facts: dict[str, Any] = {}
        for line in self.path.read_text("ascii", "replace").splitlines():
            content = _parsed(line) if name in line else None
            if content and content.get("begin") == self.item:
                facts = {}
            elif content and content.get("note") == self.item:
                facts |= content["facts"]
        return facts

    def __call__(self, facts: dict[str, Any]) -> None:
        """Note facts; where the file is not there, or another one, nothing is noted."""
        if self.path is not None and self._is_there(self.path):
            append(self.path, [{"note": self.item, "facts": facts}], durable=False)

    def _is_there(self, path: Path) -> bool:
        try:
            with path.open("rb") as stream:
                lines = (_parsed(line.decode("ascii", errors="replace")) for line in stream)
                head = next(filter(None, lines), None)
        except OSError:
            return False
        return head is not None and head.get("session") == self.session


def append(path: Path, lines: Sequence[dict[str, Any]], *, durable: bool = True) -> None:
    """Add lines to a journal in one write: several processes may add to the same file.

    ``durable`` waits until they are on the disk. Without it a machine that dies may lose them, and
    what they would prove; a process that dies does not.
    """
    # A crash may have left half a line: the break before ours ends it.
    text = "".join(f"\n{json.dumps(line)}\n" for line in lines)
    with written(path), private_file(path).open("ab") as out:
        out.write(text.encode("ascii"))
        out.flush()
        if durable:
            os.fsync(out.fileno())


def _text(path: Path) -> str:
    try:
        refuse_special(path)
        return path.read_bytes().decode("ascii", errors="replace")
    except (OSError, UnreadableFile) as error:
        found = error.found if isinstance(error, UnreadableFile) else str(error)
        raise TargetError(
            "the journal cannot be read", path=path, found=found, remedy="Give another file."
        ) from error


def _is_half_a_head(text: str) -> bool:
    """Say whether a crash left no more than a part of the first line; no other file is taken."""
    return '{"plan": '.startswith(text.strip()[: len('{"plan": ')])


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _session(given: Any, path: Path) -> str:
    """Return a run's name, which becomes a folder: refuse one that this module does not give."""
    if isinstance(given, str) and given and all(one.isalnum() or one == "-" for one in given):
        return given
    raise _wrong(path, "session", given)


def _check(line: dict[str, Any], kind: str, path: Path) -> None:
    """Refuse a line whose fields are of other kinds than those that are written."""
    for name, allowed in _LINES[kind].items():
        needed = name == kind or (kind, name) in (("begin", "keys"), ("note", "facts"))
        if (needed or line.get(name) is not None) and not isinstance(line.get(name), allowed):
            raise _wrong(path, name, line.get(name))
    if kind == "begin" and not all(isinstance(key, str) for key in line["keys"]):
        raise _wrong(path, "keys", line["keys"])


_MOST = 80
"""Characters of a journal's content that an error shows."""


def _wrong(path: Path, name: str, found: object) -> TargetError:
    return TargetError(
        "the journal has content that no upload writes",
        path=path,
        found=f"{visible(repr(found))[:_MOST]} for {name!r}",
        remedy="Give another journal file, or delete this one to begin anew.",
    )
