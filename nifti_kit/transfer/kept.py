"""What uploads keep: what they replaced, what they had begun; listed, and removed by choice."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, overload

from nifti_kit.core.files import state_folder, written
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import BYTES_PER_MB, counted, listed
from nifti_kit.errors import TargetError, a_path, visible, wrong_argument
from nifti_kit.targets.folder import ProjectFolder

JOURNAL = "journal of an unfinished upload"
"""What is kept of an upload that the same call would go on with."""

_HEAD_BYTES = 65_536
"""A journal's first line is within them; a larger one is of something else."""

SHOWN = 50
"""Entries that a text form or an error shows before it counts the rest."""


@dataclass(frozen=True)
class KeptEntry:
    """What is kept of one run of an upload, in one place."""

    # The run: the time of its begin (UTC) and a word of chance. Empty for a journal that does not
    # say it.
    session: str
    # ``replaced``, ``left``, ``scores``, the journal of an unfinished upload, or other names.
    what: tuple[str, ...]
    target: str  # where the run was to land, as far as is known
    when: datetime  # when it began; where its name does not say so, when it was last written
    # How many files, and their bytes.
    files: int
    size: int
    path: Path  # the folder, or the journal's file
    is_needed: bool  # whether an unfinished upload needs it

    @property
    def name(self) -> str:
        """The session; of what has none the name of its file."""
        return self.session or self.path.name

    @property
    def is_journal(self) -> bool:
        """Whether it is the journal of an unfinished upload."""
        return self.what == (JOURNAL,)

    def __repr__(self) -> str:
        return f"<{_line(self)}>"


class Kept(Report):
    """What is kept by uploads, oldest first: a sequence of :class:`KeptEntry`.

    Parameters
    ----------
    entries
        What was found.
    project
        The project beside which was looked too.
    """

    word, row_word, text_rows, html_rows = "kept", "row", SHOWN, SHOWN
    columns = ("session", "when", "what", "target", "files", "bytes", "path", "needed")

    def __init__(self, entries: Iterable[KeptEntry], project: Path | None = None) -> None:
        self.entries = tuple(entries)
        self.project = project

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[KeptEntry]:
        return iter(self.entries)

    @overload
    def __getitem__(self, index: int) -> KeptEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[KeptEntry, ...]: ...
    def __getitem__(self, index: int | slice) -> KeptEntry | tuple[KeptEntry, ...]:
        return self.entries[index]

    def remove(
        self,
        which: str | KeptEntry | Iterable[str | KeptEntry],
        *,
        unfinished: str | Iterable[str] = (),
    ) -> Kept:
        """Remove what a person chooses, for good; return what is left.

        Parameters
        ----------
        which
            Sessions, or entries; nothing is chosen by default.
        unfinished
            The sessions, by name, that may lose what an unfinished upload needs: the same call
            begins anew then, and what it had replaced is no longer kept.

        Raises
        ------
        TargetError
            If there is no such entry, it has changed since it was listed, or an unfinished upload
            needs it; nothing is removed then. Or if the disk refuses.

        Examples
        --------
        >>> kept = Kept([])
        >>> len(kept.remove([]))
        0
        """
        if not isinstance(which, str | KeptEntry | Iterable):
            raise wrong_argument("this names nothing that is kept", which, "sessions or entries")
        chosen = self._chosen([which] if isinstance(which, str | KeptEntry) else which)
        given_up = {unfinished} if isinstance(unfinished, str) else set(unfinished)
        now = {entry.path: entry for entry in kept(self.project)}
        for entry in chosen:
            _refuse(entry, now.get(entry.path), given_up)
        for entry in sorted(chosen, key=lambda entry: entry.is_journal):  # a journal goes last
            _removed(entry.path)
        return kept(self.project)

    def _chosen(self, which: Iterable[str | KeptEntry]) -> list[KeptEntry]:
        found: dict[Path, KeptEntry] = {}
        for one in which:
            if isinstance(one, KeptEntry):
                fitting = [entry for entry in self.entries if entry.path == one.path]
            else:
                fitting = [entry for entry in self.entries if entry.name == one]
            if not fitting:
                named = one.name if isinstance(one, KeptEntry) else one
                raise TargetError(
                    "nothing of this run is kept",
                    found=visible(named),
                    expected=listed(
                        map(visible, sorted({entry.name for entry in self.entries})), SHOWN
                    )
                    or "nothing is kept",
                    remedy="Choose a session of the list, or an entry of it.",
                )
            found |= {entry.path: entry for entry in fitting}
        return list(found.values())

    def title(self) -> str:
        """Return how much there is, and where."""
        files = counted(sum(entry.files for entry in self.entries), "file")
        unfinished = sum(entry.is_journal for entry in self.entries)
        more = f"; {counted(unfinished, 'upload')} unfinished" if unfinished else ""
        beside = f" and beside {visible(self.project)}" if self.project is not None else ""
        places = f"in {visible(state_folder())}{beside}"
        if not self.entries:
            return f"Kept: nothing {places}"
        return f"Kept: {files}, {_size_text(self.size)} {places}{more}"

    def rows(self) -> Iterable[Row]:
        """Yield one row per entry."""
        return map(_cells, self.entries)

    def shown_rows(self) -> Iterable[Row]:
        """Yield one row per entry, with time and size in words."""
        return map(_shown, self.entries)

    def told(self) -> Iterable[str]:
        """Yield a line of text for each entry."""
        return map(_line, self.entries)


def kept(project: str | os.PathLike[str] | None = None) -> Kept:
    """Return what uploads keep: what they replaced, and the journals of those that did not end.

    That is in the user's state folder (``~/.local/state/nifti_kit`` on Linux); nothing that was
    replaced is removed by itself. A journal that a call was given (``journal=``) is not known here.

    Parameters
    ----------
    project
        The folder of a project: what is kept beside it (``<project>.replaced``) is listed too.

    Returns
    -------
    Kept
        A list with session, target, time, files and bytes; its ``remove`` removes what a person
        chooses.

    Raises
    ------
    TargetError
        If a folder cannot be read.
    WrongArgument
        If ``project`` is no path.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> kept = nk.kept()
    >>> kept.size >= 0
    True
    """
    home = state_folder()
    folders, journals, lands = {home / "kept": ""}, [home], None
    if project is not None:
        a_path(project)
        target = ProjectFolder(project)
        lands = target.path
        folders[target.kept_in("any").parent] = repr(target)
        journals += [target.journals] if target.journals != home else []
    unfinished = [_journal(path) for folder in journals for path in _within(folder, ".jsonl")]
    targets = {entry.session: entry.target for entry in unfinished if entry.session}
    whole = [
        _folder(path, known, targets)
        for folder, known in folders.items()
        for path in _within(folder)
    ]
    return Kept(sorted([*whole, *unfinished], key=lambda entry: (entry.when, entry.path)), lands)


def _within(folder: Path, ending: str = "") -> list[Path]:
    """Return what lies in a folder, where there is one."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(ending))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TargetError(
            "the folder of what is kept cannot be read",
            path=folder,
            found=error.strerror,
            remedy="Get the right to read it.",
        ) from error


def _folder(path: Path, target: str, unfinished: dict[str, str]) -> KeptEntry:
    """Return what a run keeps in its folder."""
    session = path.name
    names = {_ENDS_IN_A_NUMBER.sub("", child.name) for child in _children(path)}
    if target:  # beside a project the folders are its datasets, but for one
        names = {name if name == _SCORES else "replaced" for name in names}
    files, size = _measured(path)
    known = target or unfinished.get(session, "")
    is_needed = session in unfinished
    when = _when(path, session)
    return KeptEntry(session, tuple(sorted(names)), known, when, files, size, path, is_needed)


_SCORES = "scores"
"""What keeps the scores of a run that replaced some."""

_ENDS_IN_A_NUMBER = re.compile(r"-\d+$")
"""``left-17``: several of a kind are told apart by the number of an object."""


def _children(path: Path) -> list[Path]:
    return [] if path.is_symlink() or not path.is_dir() else _within(path)


def _journal(path: Path) -> KeptEntry:
    head = _head(path)
    session, target = (_text(head, name) for name in ("session", "target"))
    files, size = _measured(path)
    return KeptEntry(session, (JOURNAL,), target, _when(path, session), files, size, path, True)


def _text(head: dict[str, Any], name: str) -> str:
    value = head.get(name)
    return value if isinstance(value, str) else ""


def _head(path: Path) -> dict[str, Any]:
    """Return the first line of a journal; nothing where that cannot be read."""
    if path.is_symlink() or not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            lines = file.read(_HEAD_BYTES).strip().splitlines()
        content = json.loads(lines[0] if lines else b"")
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _when(path: Path, session: str) -> datetime:
    """Return when a run began, by its name; else when it was last written."""
    try:
        begun = datetime.strptime(session[:15], "%Y%m%d-%H%M%S")  # noqa: DTZ007 - UTC follows
    except ValueError:
        written_at = path.lstat().st_mtime if os.path.lexists(path) else 0.0
        return datetime.fromtimestamp(written_at, timezone.utc)
    return begun.replace(tzinfo=timezone.utc)


def _measured(path: Path) -> tuple[int, int]:
    """Return how many files there are at a path, and their bytes; no link is followed."""
    if path.is_symlink() or not path.is_dir():
        return 1, _size(path)
    sizes = [_size(Path(top, name)) for top, _, names in os.walk(path) for name in names]
    return len(sizes), sum(sizes)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # an upload goes on meanwhile
        return 0


def _refuse(entry: KeptEntry, now: KeptEntry | None, given_up: set[str]) -> None:
    """Refuse to remove what is another one now, or what an upload still needs."""
    if now is None or (now.files, now.size) != (entry.files, entry.size):
        raise TargetError(
            "what is kept has changed since it was listed",
            path=entry.path,
            found="nothing" if now is None else _amount(now),
            expected=_amount(entry),
            remedy="List it again, nk.kept(), and choose anew.",
        )
    if now.is_needed and now.name not in given_up:
        raise TargetError(
            "an upload that is not finished needs this",
            path=entry.path,
            found=f"a journal for {visible(now.target) or 'an unknown target'}",
            remedy="Finish it: make the same call again. Or give it up, by its name: "
            f"remove({now.name!r}, unfinished={now.name!r}).",
        )


def _removed(path: Path) -> None:
    with written(path):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)


# Shown: what stands in names on a disk is data


def _cells(entry: KeptEntry) -> Row:
    what = ", ".join(entry.what)
    return (entry.session, entry.when, what, entry.target, entry.files, entry.size,
            str(entry.path), entry.is_needed)  # fmt: skip


def _shown(entry: KeptEntry) -> list[str]:
    session, _, what, target, files, _, *rest = _cells(entry)
    when, size = f"{entry.when:%Y-%m-%d %H:%M} UTC", _size_text(entry.size)
    return list(map(visible, (session, when, what, target, files, size, *rest)))


def _line(entry: KeptEntry) -> str:
    _, when, what, target, *_ = _shown(entry)
    needed = " (an unfinished upload needs it)" if entry.is_needed and not entry.is_journal else ""
    said = f"{what or 'nothing'}, {_amount(entry)}, {when}, {target or 'target unknown'}"
    return f"{visible(entry.name)}: {said}{needed}"


def _amount(entry: KeptEntry) -> str:
    return f"{counted(entry.files, 'file')}, {_size_text(entry.size)}"


def _size_text(size: int) -> str:
    """Return bytes in words: ``81,200 bytes``, ``3.4 MB``."""
    is_small = size < BYTES_PER_MB
    return counted(size, "byte") if is_small else f"{size / BYTES_PER_MB:,.1f} MB"
