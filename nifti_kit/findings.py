"""Findings: what is wrong or worth knowing, where, and what to do about it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, overload

from nifti_kit import html
from nifti_kit.catalog import lookup
from nifti_kit.wording import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "Findings", "finding"]

SHOWN_PER_CODE = 5
"""Repeats of one code that a repr shows before it says "and N other files"."""

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One fault or fact.

    Attributes
    ----------
    code
        Its name in the catalogue (:mod:`nifti_kit.catalog`).
    severity
        ``error`` (blocks an upload), ``warning`` or ``note``.
    path
        The file concerned, relative to the scanned source; empty for the source as a whole.
    message
        What was found, in plain words.
    remedy
        What to do.
    waived
        Whether a person accepted it by its code; a waived error does not block.
    voxel
        Where in the file: a voxel's indices (i, j, k) from 0, in file order; None where it is not
        about one place.
    """

    code: str
    severity: str
    path: str
    message: str
    remedy: str
    waived: bool = False
    voxel: tuple[int, int, int] | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        waived = " (waived)" if self.waived else ""
        remedy = f" -> {self.remedy}" if self.remedy and not self.waived else ""
        return f"{self.severity.upper()}{waived} [{self.code}] {where}{self.message}{remedy}"


def finding(
    code: str,
    path: object,
    message: str,
    *,
    remedy: str = "",
    voxel: tuple[int, int, int] | None = None,
) -> Finding:
    """Return a finding whose severity and remedy come from the catalogue.

    Raises
    ------
    KeyError
        If the catalogue has no such code.
    """
    entry = lookup(code)
    remedy = remedy or entry.remedy
    return Finding(code, entry.severity, str(path or ""), message, remedy, voxel=voxel)


class Findings(Sequence[Finding]):
    """An immutable sequence of findings, errors first, with text, table, JSON and HTML forms."""

    def __init__(self, findings: Iterable[Finding] = (), waive: Iterable[str] = ()) -> None:
        waived = _known_codes(waive)
        unique = dict.fromkeys(
            replace(found, waived=True) if found.code in waived else found for found in findings
        )
        self._items = tuple(
            sorted(unique, key=lambda found: (_ORDER[found.severity], found.code, found.path))
        )

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Findings: ...
    def __getitem__(self, index: int | slice) -> Finding | Findings:
        if isinstance(index, slice):
            return Findings(self._items[index])
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
        return Findings(f for f in self._items if f.severity == "error" and not f.waived)

    @property
    def warnings(self) -> Findings:
        """The warnings that were not waived."""
        return Findings(f for f in self._items if f.severity == "warning" and not f.waived)

    @property
    def notes(self) -> Findings:
        """The notes that were not waived."""
        return Findings(f for f in self._items if f.severity == "note" and not f.waived)

    @property
    def waived(self) -> Findings:
        """What a person accepted by its code."""
        return Findings(f for f in self._items if f.waived)

    @property
    def ok(self) -> bool:
        """True when nothing blocks an upload."""
        return not self.errors

    def by_code(self) -> dict[str, Findings]:
        """Return the findings grouped by their code, errors first."""
        groups: defaultdict[str, list[Finding]] = defaultdict(list)
        for found in self._items:
            groups[found.code].append(found)
        return {code: Findings(group) for code, group in groups.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`, one row per finding."""
        import pandas as pd

        columns = list(Finding.__dataclass_fields__)
        return pd.DataFrame([asdict(found) for found in self._items], columns=columns)

    def to_json(self) -> str:
        """Return a JSON array, one object per finding."""
        return json.dumps([asdict(found) for found in self._items], ensure_ascii=False, indent=1)

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

    def __repr__(self) -> str:
        lines = [f"Findings: {self.summary()}"]
        for group in self.by_code().values():
            lines += [f"  {found}" for found in group[:SHOWN_PER_CODE]]
            if len(group) > SHOWN_PER_CODE:
                lines.append(f"  ... and {len(group) - SHOWN_PER_CODE} more [{group[0].code}]")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
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
                more = f"... and {len(group) - SHOWN_PER_CODE} more"
                rows.append((group[0].severity, group[0].code, more, "", ""))
        head = ("severity", "code", "file", "what was found", "what to do")
        return html.title(f"Findings: {self.summary()}") + (html.table(head, rows) if rows else "")


def _known_codes(codes: Iterable[str]) -> frozenset[str]:
    """Return the codes as a set; a single string counts as one code, an unknown one raises."""
    names = (codes,) if isinstance(codes, str) else tuple(codes)
    for code in names:
        lookup(code)
    return frozenset(names)
