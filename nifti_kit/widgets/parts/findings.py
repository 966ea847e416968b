"""Findings as a person goes through them: filtered, seen, accepted by code or file, saved."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, Tuple

from nifti_kit.checks.pictures import LARGE, Illustrator
from nifti_kit.core.catalog import CATALOG
from nifti_kit.core.findings import Finding, Findings, Waiver, reasons, waivers
from nifti_kit.core.html import Illustration
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.widgets.parts.table import Column, Row, Table

SEVERITIES = ("error", "warning", "note")

SHOWN = 12
"""Rows of a page: what can be done about the chosen one is seen with them, or just below them."""

COLUMNS = (
    Column("code", "Code", filtered=True),
    Column("severity", "Severity", filtered=True, minor=True),
    Column("file", "File"),
    Column("message", "What was found"),
    Column("waived", "Accepted because"),
)

CODE_COLUMNS = (
    Column("code", "Code"),
    Column("severity", "Severity"),
    Column("count", "Findings", "number"),
    Column("files", "Files", "number"),
    Column("meaning", "What it means"),
    Column("waived", "Accepted", "number"),
)


class FindingsTable(HasTraits):
    """Findings, of which one may be chosen, and some are accepted, by code or by file."""

    findings = AnyTrait()  # all of them, with what was accepted
    # What a person accepts, codes and pairs of a code and a file: what :func:`nifti_kit.check` and
    # :func:`nifti_kit.plan` take.
    waive = Tuple()
    selected = AnyTrait()  # the finding that was chosen, or None
    shown = Int()  # how often findings were shown: what observes it sees them and their rows alike

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        dataset: Dataset | None = None,
        waive: Iterable[Waiver] = (),
    ) -> None:
        """Show findings; ``dataset`` gives their items and pictures.

        ``waive`` is what is accepted, or that with the reasons: ``{what: why}``.
        """
        super().__init__()
        # A row for each finding, and one for each code.
        self.table, self.codes = Table(COLUMNS, page_size=SHOWN), Table(CODE_COLUMNS)
        self.reasons = reasons(waive)  # why, by what is accepted
        self.table.observe(self._choose, "selected")
        self._pictures: dict[Finding, Illustration | None] = {}
        self.waive = waivers(waive)
        self.show(findings, dataset)

    def show(self, findings: Iterable[Finding], dataset: Dataset | None = None) -> None:
        """Show other findings; what was accepted stays accepted, what is chosen stays chosen."""
        self._dataset = dataset
        self._items = _items_by_file(dataset)
        self._illustrator = None if dataset is None else Illustrator(dataset, LARGE)
        # Some are waived for another reason than what a person accepts: those stay so.
        self._given = tuple(
            replace(found, waived=False) if self._is_accepted(found) else found
            for found in findings
        )
        self._pictures.clear()
        self._apply()

    @property
    def counts(self) -> dict[str, int]:
        """How many there are by severity, and ``waived``: those that a person accepted."""
        found = Counter("waived" if one.waived else one.severity for one in self.findings)
        return {name: found[name] for name in (*SEVERITIES, "waived")}

    @property
    def summary(self) -> str:
        """The counts in one line, such as ``1 error, 2 warnings``."""
        said: str = self.findings.summary()
        return said

    @property
    def found(self) -> list[Finding]:
        """What search and filters leave, in order."""
        return [self.findings[int(row.key)] for row in self.table.found]

    def filter_by(self, *, severity: str = "", code: str = "", search: str = "") -> None:
        """Show only findings of a severity, a code, or with words in them; none: all."""
        self.table.filters = {
            name: value for name, value in (("severity", severity), ("code", code)) if value
        }
        self.table.search = search

    def select(self, finding: Finding | int) -> None:
        """Choose one of ``findings``, or by its place in them (from 0)."""
        if isinstance(finding, int):
            self.table.select(str(finding))
            return
        seen = [replace(one, waived=False) for one in self.findings]
        self.table.select(str(seen.index(replace(finding, waived=False))))

    def set_waived(self, accepted: Waiver, waived: bool) -> None:
        """Accept a code, or a code for one file (a pair), or no longer.

        Of a code that is accepted as a whole, one file can be taken back: its others stay
        accepted, each by its path.

        Raises KeyError if the catalogue has no such code.
        """
        (accepted,) = waivers([accepted])
        others = tuple(one for one in self.waive if one != accepted)
        if not waived and isinstance(accepted, tuple) and accepted[0] in others:
            code = accepted[0]
            paths = dict.fromkeys(found.path for found in self.findings if found.code == code)
            rest = [(code, path) for path in paths if path != accepted[1]]
            others = waivers([*(one for one in others if one != code), *rest])
        if not waived:
            self.reasons = {one: why for one, why in self.reasons.items() if one in others}
        self.waive = (*others, accepted) if waived else others
        self._apply()

    def accept(
        self, reasons: Mapping[Waiver, str], *, instead_of: Mapping[Waiver, str] | None = None
    ) -> None:
        """Accept things with reasons, in the place of others: by default of all with reasons."""
        gone = self.reasons if instead_of is None else instead_of
        others = tuple(one for one in self.waive if one not in gone)
        kept = {one: why for one, why in self.reasons.items() if one not in gone}
        self.reasons = {**kept, **reasons}
        self.waive = (*others, *(one for one in reasons if one not in others))
        self._apply()

    @property
    def open(self) -> list[Finding]:
        """Those that nobody accepted."""
        return [found for found in self.findings if not found.waived]

    def _is_accepted(self, found: Finding) -> bool:
        return found.code in self.waive or (found.code, found.path) in self.waive

    def item_of(self, finding: Finding) -> Item | None:
        """Return the item that a finding's file belongs to; None where it is of no item."""
        return self._items.get(finding.path)

    def picture_of(self, finding: Finding) -> Illustration | None:
        """Return a picture of the place that a finding speaks of, with it in words; or None."""
        seen = replace(finding, waived=False)
        if seen not in self._pictures:
            draw = self._illustrator
            self._pictures[seen] = None if draw is None else draw(seen)
        return self._pictures[seen]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all findings to a file: ``.html`` (a report with pictures), ``.json`` or ``.csv``.

        Raises NiftiKitError if the name has another ending, or the file cannot be written.
        """
        self.findings.save(path)

    def _apply(self) -> None:
        """Waive what is accepted, and make the rows anew."""
        kept = self.selected
        # In the order of `Findings`, so that a row keeps its key.
        name = "" if self._dataset is None else self._dataset.source.given.name
        self.findings = Findings(self._given, self.waive, self._illustrator, name)
        # Nobody looks at a column without an entry.
        end = None if self.waive else -1
        self.table.columns, self.codes.columns = COLUMNS[:end], CODE_COLUMNS[:end]
        self.table.rows = tuple(
            _row(str(at), found, self._why(found)) for at, found in enumerate(self.findings)
        )
        groups = self.findings.by_code()
        self.codes.rows = tuple(self._code_row(code, group) for code, group in groups.items())
        same = [at for at, one in enumerate(self.findings) if kept and _is_same(one, kept)]
        self.table.selected = str(same[0]) if same else ""
        self._choose()
        self.shown += 1

    def _choose(self, _: Any = None) -> None:
        key = self.table.selected
        self.selected = self.findings[int(key)] if key else None

    def _code_row(self, code: str, group: Sequence[Finding]) -> Row:
        entry = CATALOG.get(code)
        cells = {
            "code": code,
            "severity": _severity(group[0]),
            "count": len(group),
            "files": len({found.path for found in group} - {""}),
            "meaning": entry.meaning if entry else "",
            "waived": sum(map(self._is_accepted, group)),
        }
        return Row(code, cells, tone=_tone(group[0]))

    def _why(self, found: Finding) -> str:
        """Return why a finding is accepted; empty where it is not."""
        if not self._is_accepted(found):
            return ""
        said = self.reasons.get((found.code, found.path), self.reasons.get(found.code, ""))
        return said or "accepted in code"


def _is_same(one: Finding, other: Finding) -> bool:
    """Say whether two findings are one, accepted or not."""
    return replace(one, waived=False) == replace(other, waived=False)


def _items_by_file(dataset: Dataset | None) -> dict[str, Item]:
    """Return the item of each file, by its path below the source; the first of several."""
    found: dict[str, Item] = {}
    for item in dataset.items if dataset else ():
        files = [image.relative for image in item.images]
        for file in (*files, *(table.relative for table in item.tables)):
            found.setdefault(str(file), item)
    return found


def _row(key: str, found: Finding, why: str) -> Row:
    cells = {
        "severity": _severity(found),
        "code": found.code,
        "file": found.path or "the source as a whole",
        "message": found.message,
        "waived": why or ("no reason given" if found.waived else ""),
    }
    return Row(key, cells, tone=_tone(found))


def _severity(found: Finding) -> str:
    return f"{found.severity} (accepted)" if found.waived else found.severity


def _tone(found: Finding) -> Any:
    return "" if found.waived else found.severity
