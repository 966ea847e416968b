"""Findings: what is wrong or worth knowing, where, and what to do about it."""

from __future__ import annotations

import difflib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import PurePosixPath
from typing import Any, overload

from nifti_kit.core import html
from nifti_kit.core.catalog import CATALOG, lookup
from nifti_kit.core.html import Illustration, Markup
from nifti_kit.core.report import Result, Row
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import NiftiKitError, PlanBlocked, UnsupportedImage, visible, wrong_argument

SHOWN_PER_CODE = 5
"""Repeats of one code that a repr shows before it says "and N other files"."""

UNFOLDED = 20
"""Findings of one code that a report lists openly; the rest is folded, not left out."""

PICTURES_PER_CODE = 3
"""Pictures of one code in a report: more of the same show nothing new."""

PICTURES = 24
"""Pictures in a report: about 1 MB, and a few seconds to draw."""

TRIED_PER_CODE = 6
"""Files of one code that are tried for pictures: unreadable ones have none."""


FAIL_ON = ("never", "error", "warning", "note")
"""What may end a run without a person; each word holds those before it, too."""

Illustrate = Callable[["Finding"], Illustration | None]
"""What draws a finding; None where there is nothing to see."""

Waiver = str | tuple[str, str]
"""What a person accepts: a code for the whole dataset, or a code and the path of one file."""

NEAR = 3
"""Paths that an error shows beside one that nothing was found of."""

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One fault or fact.

    Attributes
    ----------
    code
        Its name in the catalogue (:mod:`nifti_kit.core.catalog`).
    severity
        ``error`` (blocks an upload), ``warning`` or ``note``.
    path
        The file concerned, relative to the scanned source; empty for the source as a whole.
    message
        What was found, in plain words.
    remedy
        What to do.
    waived
        Whether a person accepted it, by its code or by code and file; a waived error does not
        block.
    voxel
        Where in the file: a voxel's indices (i, j, k) from 0, in file order; None where it is not
        about one place.
    cell
        Where in a table: its line in the file and its column, each from 1; of several cells the
        first one. None where it is about no cell.
    """

    code: str
    severity: str
    path: str
    message: str
    remedy: str
    waived: bool = False
    voxel: tuple[int, int, int] | None = None
    cell: tuple[int, int] | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        waived = " (waived)" if self.waived else ""
        remedy = f" -> {self.remedy}" if self.remedy and not self.waived else ""
        said = f"{self.severity.upper()}{waived} [{self.code}] {where}{self.message}{remedy}"
        return visible(said)


def finding(
    code: str,
    path: object,
    message: str,
    *,
    remedy: str = "",
    voxel: tuple[int, int, int] | None = None,
    cell: tuple[int, int] | None = None,
) -> Finding:
    """Return a finding whose severity and remedy come from the catalogue.

    Raises KeyError if the catalogue has no such code.
    """
    entry = lookup(code)
    remedy = remedy or entry.remedy
    return Finding(code, entry.severity, str(path or ""), message, remedy, voxel=voxel, cell=cell)


class Findings(Result, Sequence[Finding]):
    """An immutable sequence of findings, errors first, with text, table, JSON and HTML forms.

    Parameters
    ----------
    findings
        In any order; equal ones count once.
    waive
        What a person accepts: codes, or pairs of a code and the path of one file.
    illustrate
        What draws a finding for a saved report. It is no part of the content: equality ignores
        it, and a pickled copy is without.
    source
        The name of what was checked, for the report's title.
    """

    word, row_word, columns = "findings", "finding", tuple(Finding.__dataclass_fields__)
    head = ("severity", "code", "file", "what was found", "what to do")

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        waive: Iterable[object] = (),
        illustrate: Illustrate | None = None,
        source: str = "",
    ) -> None:
        waived = frozenset(waivers(waive))
        unique = dict.fromkeys(
            replace(found, waived=True)
            if found.code in waived or (found.code, found.path) in waived
            else found
            for found in findings
        )
        self._items = tuple(
            sorted(unique, key=lambda found: (_ORDER[found.severity], found.code, found.path))
        )
        self._illustrate, self._source = illustrate, source

    def __getstate__(self) -> dict[str, Any]:
        # What draws holds files open to it: it stays with the process that has them.
        return {**self.__dict__, "_illustrate": None}

    def _part(self, items: Iterable[Finding]) -> Findings:
        return Findings(items, (), self._illustrate, self._source)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Findings: ...
    def __getitem__(self, index: int | slice) -> Finding | Findings:
        if isinstance(index, slice):
            return self._part(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Findings) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    @property
    def errors(self) -> Findings:
        """The errors that were not waived: what blocks an upload."""
        return self._part(f for f in self._items if f.severity == "error" and not f.waived)

    @property
    def warnings(self) -> Findings:
        """The warnings that were not waived."""
        return self._part(f for f in self._items if f.severity == "warning" and not f.waived)

    @property
    def notes(self) -> Findings:
        """The notes that were not waived."""
        return self._part(f for f in self._items if f.severity == "note" and not f.waived)

    @property
    def waived(self) -> Findings:
        """What a person accepted, by its code or by code and file."""
        return self._part(f for f in self._items if f.waived)

    @property
    def ok(self) -> bool:
        """True when nothing blocks an upload."""
        return not self.errors

    def fail_on(self, severity: str) -> None:
        """Return nothing, or raise for what nobody accepted: it ends a run without a person.

        Parameters
        ----------
        severity
            ``error``; ``warning`` for errors and warnings; ``note`` for all; or ``never``.

        Raises
        ------
        PlanBlocked
            If there is a finding of this severity or a worse one; it names codes and files.
        NiftiKitError
            If the severity is none of these words.

        Examples
        --------
        >>> Findings([finding("file-unused", "notes.pdf", "not read")]).fail_on("error")
        """
        if severity not in FAIL_ON:
            raise NiftiKitError(
                "a run cannot fail on this", found=repr(severity), expected=listed(FAIL_ON, 4)
            )
        worse = FAIL_ON[1 : FAIL_ON.index(severity) + 1]
        left = self._part(f for f in self._items if f.severity in worse and not f.waived)
        if left:
            raise PlanBlocked(
                f"{counted(len(left), 'finding')} in the way",
                found="\n" + repr(left),
                remedy="Mend the files, or accept findings by their codes.",
            )

    def by_code(self) -> dict[str, Findings]:
        """Return the findings grouped by their code, errors first."""
        groups: defaultdict[str, list[Finding]] = defaultdict(list)
        for found in self._items:
            groups[found.code].append(found)
        return {code: self._part(group) for code, group in groups.items()}

    def title(self) -> str:
        """Return the counts in one line."""
        return f"Findings: {self.summary()}"

    def cells(self) -> Iterable[Row]:
        """Yield one row per finding."""
        return (astuple(found) for found in self._items)

    def content(self) -> Any:
        """Return what JSON has: an array, one object per finding."""
        return [asdict(found) for found in self._items]

    def summary(self) -> str:
        """Return the counts in one line, such as ``1 error, 2 warnings``."""
        counts = [
            (len(self.errors), "error"),
            (len(self.warnings), "warning"),
            (len(self.notes), "note"),
        ]
        said = [counted(count, word) for count, word in counts if count]
        if self.waived:
            said.append(f"{len(self.waived)} waived")
        return ", ".join(said) or "nothing to report"

    def _page(self) -> str:
        """Return the report: one page with pictures of the first files of each code."""
        return _report(self)

    def __repr__(self) -> str:
        lines = [self.title()]
        for group in self.by_code().values():
            lines += [f"  {found}" for found in group[:SHOWN_PER_CODE]]
            if len(group) > SHOWN_PER_CODE:
                lines.append(f"  ... and {_others(group)} [{group[0].code}]")
        return "\n".join(lines)

    def body(self, most_rows: int, most_lines: int) -> Iterator[Markup]:  # noqa: ARG002
        """Yield the table: the first of each code, the others counted."""
        rows = []
        for group in self.by_code().values():
            rows += [
                (
                    f.severity + " (waived)" * f.waived,
                    f.code,
                    f.path,
                    f.message,
                    "" if f.waived else f.remedy,
                )
                for f in group[:SHOWN_PER_CODE]
            ]
            if len(group) > SHOWN_PER_CODE:
                more = f"... and {_others(group)}"
                rows.append((group[0].severity, group[0].code, more, "", ""))
        if rows:
            yield html.table(self.head, rows)


def waivers(waive: Iterable[object]) -> tuple[Waiver, ...]:
    """Return what a person accepts, each once: codes, or pairs of a code and a file's path.

    Parameters
    ----------
    waive
        One code, or several codes and pairs, mixed; or a dictionary of these with the reasons. A
        path is as findings have it: relative to
        the source, with ``/``; empty for what is about the source as a whole.

    Raises
    ------
    KeyError
        If the catalogue has no such code.
    WrongArgument
        If an entry is neither a code nor a pair.

    Examples
    --------
    >>> waivers("mask-empty")
    ('mask-empty',)
    >>> waivers(["mask-empty", ("file-unreadable", "case_7/CT.nii.gz")])
    ('mask-empty', ('file-unreadable', 'case_7/CT.nii.gz'))
    """
    given = (waive,) if isinstance(waive, str) else tuple(waive)
    return tuple(dict.fromkeys(map(_waiver, given)))


def reasons(waive: Iterable[object]) -> dict[Waiver, str]:
    """Return why a person accepts things, where that was said: ``{what is accepted: why}``.

    Examples
    --------
    >>> reasons({("mask-empty", "a.nii"): "no tumour here", "mask-full": ""})
    {('mask-empty', 'a.nii'): 'no tumour here'}
    """
    if not isinstance(waive, Mapping):
        return {}
    return {_waiver(entry): str(why).strip() for entry, why in waive.items() if str(why).strip()}


def _waiver(entry: object) -> Waiver:
    if isinstance(entry, str):
        try:
            lookup(entry)
        except KeyError as error:
            if "." not in entry and "/" not in entry:
                raise
            hint = f"A file is accepted with its code: waive=[(code, {entry!r})]."
            raise KeyError(f"{error.args[0]} {hint}") from None
        return entry
    pair = tuple(entry) if isinstance(entry, tuple | list) else ()
    if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], str | os.PathLike):  # noqa: PLR2004
        expected = "a code, or a pair such as ('file-unreadable', 'case_7/CT.nii.gz')"
        raise wrong_argument("what is accepted is neither a code nor a pair", entry, expected)
    lookup(pair[0])
    path = os.fspath(pair[1])
    return pair[0], str(PurePosixPath(path)) if path else ""


def refuse_strays(
    waive: Iterable[Waiver],
    findings: Iterable[Finding],
    files: Iterable[object],
    *,
    complete: bool,
) -> None:
    """Raise where a file was accepted of which nothing of that code was found.

    What only another call can find is let pass for ``files``, which are there: a warning (some are
    of a check alone), and, unless ``complete``, an error (some need the voxels, or the target).

    Raises NiftiKitError: with the nearest paths that the code was found of.
    """
    found = list(findings)
    known = {(one.code, one.path) for one in found}
    there = {str(file) for file in files}
    for one in waive:
        if isinstance(one, str) or one in known:
            continue
        code, path = one
        if path in there and not (complete and lookup(code).severity == "error"):
            continue
        paths = list(dict.fromkeys(other.path for other in found if other.code == code))
        near = difflib.get_close_matches(path, paths, n=NEAR, cutoff=0.0)
        codes = list(dict.fromkeys(other.code for other in found if other.path == path))
        raise NiftiKitError(
            f"a file was accepted that has no finding {code}",
            path=path,
            found=f"of this file: {', '.join(codes)}" if codes else "no finding of this file",
            expected=listed(near, NEAR) or f"no file: nothing has {code}",
            remedy="Write the path as the finding has it, relative to the source.",
        )


def _others(group: Sequence[Finding]) -> str:
    """Return how much of a group is not shown: in how many other files, or how many findings."""
    shown, hidden = group[:SHOWN_PER_CODE], group[SHOWN_PER_CODE:]
    files = len({found.path for found in hidden} - {found.path for found in shown} - {""})
    if not files:
        return counted(len(hidden), "more finding")
    more = f" ({len(hidden):,} more findings)" if len(hidden) > files else ""
    return counted(files, "other file") + more


_HEADINGS = (
    "Errors: they block an upload",
    "Warnings: a person should look",
    "Notes",
    "Waived: accepted by a person",
)


def _report(findings: Findings) -> str:
    """Return the page of a report; the same findings give the same page."""
    source = findings._source
    title = f"Findings: {source}" if source else "Findings"
    return html.page(title, *findings_markup(findings))


def findings_markup(findings: Findings) -> list[Markup]:
    """Return what a page says of findings: how many of each code, then each, with pictures."""
    pictures = _pictures(findings)
    parts = [_overview(findings)]
    sorts = (findings.errors, findings.warnings, findings.notes, findings.waived)
    for heading, some in zip(_HEADINGS, sorts, strict=True):
        if some:
            parts.append(html.element("h2", heading))
        parts += [_section(group, pictures) for group in some.by_code().values()]
    return parts


def _overview(findings: Findings) -> Markup:
    files = len({found.path for found in findings} - {""})
    about = f"{findings.summary()}; in {counted(files, 'file')}" if findings else findings.summary()
    said = "An upload is blocked." if findings.errors else "Nothing blocks an upload."
    rows = []
    for group in findings.by_code().values():
        first = group[0]
        severity = first.severity + " (waived)" * first.waived
        link = Markup(f"<a href='#{html.text(first.code)}'>{html.text(first.code)}</a>")
        count = len({found.path for found in group} - {""})
        rows.append((html.element("span", severity, kind=first.severity), link, len(group), count))
    head = ("severity", "code", "findings", "files")
    return html.join(
        [
            html.element("p", about),
            html.element("p", said, kind="faint"),
            html.table(head, rows) if rows else Markup(""),
        ]
    )


def _section(group: Sequence[Finding], pictures: Mapping[Finding, Illustration]) -> Markup:
    """Return what a report says of one code."""
    first = group[0]
    entry = CATALOG.get(first.code)
    usual = entry.remedy if entry and not first.waived else ""
    lines = [_line(found, usual) for found in group]
    drawn = [
        html.figure(pictures[found], html.element("div", found.path, kind="file"))
        for found in group
        if found in pictures
    ]
    severity = html.element("span", first.severity, kind=first.severity)
    parts = [
        html.element("h3", severity, " ", html.element("code", first.code)),
        html.element("p", entry.meaning if entry else ""),
        html.element("p", html.element("b", "What to do: "), usual) if usual else Markup(""),
        html.element("div", *drawn, kind="pictures") if drawn else Markup(""),
        html.element("ul", *lines[:UNFOLDED]),
    ]
    if len(lines) > UNFOLDED:
        rest = html.element("ul", *lines[UNFOLDED:])
        parts.append(html.details(f"and {counted(len(lines) - UNFOLDED, 'more finding')}", rest))
    return html.element("section", *parts, anchor=first.code)


def _line(found: Finding, usual: str) -> Markup:
    """Return a finding in a report's list; its remedy where it is not the usual one."""
    parts = [html.element("span", found.path or "the source", kind="file"), ": ", found.message]
    if found.voxel is not None:
        parts.append(" (voxel {}, {}, {} from 0)".format(*found.voxel))
    if found.remedy and found.remedy != usual and not found.waived:
        parts += [" ", html.element("b", "What to do: "), found.remedy]
    return html.element("li", *parts)


def _pictures(findings: Findings) -> dict[Finding, Illustration]:
    """Return pictures of the first files of each code: one of each code, then a second, ..."""
    illustrate = findings._illustrate
    pictures: dict[Finding, Illustration] = {}
    if illustrate is None:
        return pictures
    queues = [iter(_first_of_each_file(group)) for group in findings.by_code().values()]
    for queue in queues * PICTURES_PER_CODE:
        for found in queue:
            picture = illustrate(found) if len(pictures) < PICTURES else None
            if picture is not None:
                pictures[found] = picture
                break
    return pictures


def _first_of_each_file(group: Sequence[Finding]) -> list[Finding]:
    firsts: dict[str, Finding] = {}
    for found in group:
        firsts.setdefault(found.path, found)
    return list(firsts.values())[:TRIED_PER_CODE]


# Findings for files that cannot be taken in


def describe(error: NiftiKitError) -> str:
    """Return an error's text without its path and remedy, for a finding that has them apart."""
    parts = [error.message]
    if error.found is not None:
        parts.append(f"found {error.found}")
    if error.expected is not None:
        parts.append(f"expected {error.expected}")
    return "; ".join(parts)


def file_fault(file: PurePosixPath, error: NiftiKitError, *, is_mask: bool = False) -> Finding:
    """Return the finding for an image that cannot be taken in.

    A sound image that cannot be a mask has a code of its own: who accepts a colour picture among
    the volumes by its code has not accepted that a volume lands without its mask.
    """
    code = "file-unreadable"
    if isinstance(error, UnsupportedImage):
        code = "annotation-unsupported" if is_mask else "image-unsupported"
    return finding(code, file, describe(error), remedy=error.remedy)
