"""Receipts: what an upload landed, object by object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nifti_kit.core import html
from nifti_kit.core.files import save_as
from nifti_kit.core.findings import Findings
from nifti_kit.core.text import (
    REPR_ITEMS,
    REPR_LINES,
    REPR_ROWS,
    and_more,
    counted,
    listed,
    shares,
)
from nifti_kit.datasets.sources import Source
from nifti_kit.errors import visible
from nifti_kit.plans.left_out import LeftOut, left_out_lines
from nifti_kit.targets.records import ObjectRef, PlannedItem, PlannedObject, ScoreChange, VolumeRef

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LandedObject:
    """An object on the target, and what it was made of; ``added`` is False if it was there."""

    planned: PlannedObject
    ref: ObjectRef
    added: bool


@dataclass(frozen=True, eq=False)
class LandedItem:
    """A volume on the target with its objects; ``added`` is False if the volume was there."""

    planned: PlannedItem
    volume: VolumeRef
    added: bool
    objects: tuple[LandedObject, ...]
    replaced: int = 0
    updates: tuple[ScoreChange, ...] = ()
    """The scores of figures that were there."""


@dataclass(eq=False)
class Receipt:
    """What landed where.

    Attributes
    ----------
    target
        The target, in words.
    items
        The volumes with their objects.
    findings
        What the plan found: what was waived, what did not land, and why.
    backup
        The folder that keeps what was replaced or changed, by this call or by an earlier one that
        did not end; None where nothing was.
    left_out
        The files that did not land, because a person accepted their faults.
    """

    target: str
    items: tuple[LandedItem, ...]
    findings: Findings
    backup: Path | None = None
    source: Source | None = field(default=None, repr=False)
    left_out: tuple[LeftOut, ...] = ()

    @property
    def objects(self) -> tuple[LandedObject, ...]:
        """Every object of every item."""
        return tuple(landed for item in self.items for landed in item.objects)

    @property
    def updates(self) -> tuple[ScoreChange, ...]:
        """The scores of figures that were there, of every item."""
        return tuple(change for item in self.items for change in item.updates)

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`, one row per object and update of scores."""
        import pandas as pd

        rows = [row for item in self.items for row in _rows(item)]
        return pd.DataFrame(rows, columns=_COLUMNS)

    def to_json(self) -> str:
        """Return the receipt as JSON."""
        content = {
            "target": self.target,
            "backup": None if self.backup is None else str(self.backup),
            "volumes": [_item_json(item) for item in self.items],
            "left_out": [one.facts() for one in self.left_out],
            "findings": [asdict(found) for found in self.findings],
        }
        return json.dumps(content, ensure_ascii=False, indent=1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the receipt to a file: ``.json``, or ``.html`` as a page that needs nothing else.

        Raises
        ------
        NiftiKitError
            If the name has another ending, or the file cannot be written.
        """
        page = lambda: html.page("Receipt", self._markup())  # noqa: E731
        save_as(path, "receipt", {".json": self.to_json, ".html": page})

    def _title(self) -> str:
        objects = self.objects
        scores = sum(len(s) for landed in objects for s in landed.ref.scores.values())
        kept = sum(not landed.added for landed in objects)
        replaced = sum(item.replaced for item in self.items)
        extra = [f"{kept} were there already"] * bool(kept)
        extra += [f"{replaced} replaced, kept in {self.backup}"] * bool(replaced)
        out = f"; {counted(len(self.left_out), 'file')} left out" if self.left_out else ""
        lost = sum(len(change.lost) for change in self.updates)
        updated = f", {counted(len(self.updates), 'score update')}" if self.updates else ""
        if lost:
            updated += f" ({counted(lost, 'earlier score')} kept in {self.backup})"
        more = f" ({'; '.join(extra)})" if extra else ""
        if self.backup is not None and not replaced and not lost:
            out += f"; kept aside in {self.backup}"
        return (
            f"Landed on {self.target}: {counted(len(self.items), 'volume')}, "
            f"{counted(len(objects), 'object')}{more}, {counted(scores, 'score')}{updated}{out}"
        )

    def __repr__(self) -> str:
        lines = [self._title(), *(f"  {line}" for line in left_out_lines(self.left_out))]
        for item in self.items[:REPR_ITEMS]:
            names: dict[str, int] = {}
            for landed in item.objects:
                names[landed.ref.class_name] = names.get(landed.ref.class_name, 0) + 1
            classes = [f"{name} x {n}" if n > 1 else name for name, n in names.items()]
            said = listed(classes, REPR_ITEMS) or "no objects"
            lines.append(f"  {item.volume.id} {item.volume.name}: {said}")
            lines += [f"    {_update_text(change)}" for change in item.updates[:REPR_LINES]]
            left = len(item.updates) - REPR_LINES
            lines += [f"    {line}" for line in and_more(left, "score update", "to_frame()")]
        lines += [f"  {line}" for line in self._rest(REPR_ITEMS)]
        lines = [visible(line) for line in lines]
        if self.findings:
            lines.append(repr(self.findings))
        return "\n".join(lines)

    def _rest(self, most: int) -> list[str]:
        """Return how many volumes are not shown."""
        return and_more(len(self.items) - most, "volume", "items and to_frame()")

    def _repr_html_(self) -> str:
        return self._markup(REPR_ROWS, REPR_ITEMS, REPR_LINES)

    def _markup(
        self, rows: int = sys.maxsize, items: int = sys.maxsize, lines: int = sys.maxsize
    ) -> html.Markup:
        """Return the receipt as HTML: so many rows of tables, volumes and files left out."""
        parts = [html.title(self._title())]
        some = self.items[:items]
        sizes = (len(item.objects) + len(item.updates) for item in some)
        for item, most in zip(some, shares(sizes, rows), strict=True):
            parts.append(_item_markup(item, most))
        said = [*self._rest(items), *left_out_lines(self.left_out, lines)]
        parts += [html.element("p", line) for line in said]
        if self.findings:
            parts.append(html.Markup(self.findings._repr_html_()))
        return html.join(parts)


_COLUMNS = ["volume id", "volume", "object id", "class", "value", "voxels", "scores", "from"]


def _item_markup(item: LandedItem, most: int) -> html.Markup:
    """Return a volume as a table that folds; ``most`` rows are shown, and the others counted."""
    objects = counted(len(item.objects), "object")
    if item.updates:
        objects += f", {counted(len(item.updates), 'score update')}"
    rows = [list(row.values())[2:] for row in islice(_rows(item), most)]
    left = len(item.objects) + len(item.updates) - most
    rest = and_more(left, "row" if item.updates else "object", "to_frame()")
    table = html.table(_COLUMNS[2:], rows)
    content = html.join([table, *(html.element("p", line) for line in rest)])
    return html.details(f"{item.volume.id} {item.volume.name}: {objects}", content)


def _rows(item: LandedItem) -> Iterator[dict[str, Any]]:
    for landed in item.objects:
        yield _row(item, landed)
    for change in item.updates:
        yield _update_row(item, change)


def _update_row(item: LandedItem, change: ScoreChange) -> dict[str, Any]:
    """Return the row of an update, for which no voxel landed."""
    ref, update = change.ref, change.update
    table = str(update.table.relative)
    scores = len(change.landed)
    cells = (
        item.volume.id, item.volume.name, ref.id, ref.class_name, update.value, 0, scores, table
    )  # fmt: skip
    return dict(zip(_COLUMNS, cells, strict=True))


def _update_text(change: ScoreChange) -> str:
    lost = f", {len(change.lost)} of them gone" if change.lost else ""
    return (
        f"{change.ref.class_name} (object {change.ref.id}): scores on "
        f"{counted(len(change.landed), 'slice')} of plane {change.update.plane} "
        f"({len(change.before)} before{lost}) <- {change.update.table.relative}"
    )


def _row(item: LandedItem, landed: LandedObject) -> dict[str, Any]:
    cells = (
        item.volume.id,
        item.volume.name,
        landed.ref.id,
        landed.ref.class_name,
        landed.planned.value,
        landed.planned.voxels,
        landed.planned.score_count,
        str(landed.planned.mask.relative),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def _item_json(item: LandedItem) -> dict[str, Any]:
    return {
        "id": item.volume.id,
        "key": item.volume.key,
        "name": item.volume.name,
        "dataset": item.volume.dataset,
        "added": item.added,
        "source": None if item.planned.volume is None else str(item.planned.volume.relative),
        "objects": [
            {
                "id": landed.ref.id,
                "key": landed.ref.key,
                "figure_id": landed.ref.figure_id,
                "figure_key": landed.ref.figure_key,
                "class": landed.ref.class_name,
                "value": landed.planned.value,
                "voxels": landed.planned.voxels,
                "source": str(landed.planned.mask.relative),
                "scores": landed.ref.scores,
                "added": landed.added,
            }
            for landed in item.objects
        ],
        "updates": [
            {
                "id": change.ref.id,
                "key": change.ref.key,
                "figure_id": change.ref.figure_id,
                "figure_key": change.ref.figure_key,
                "class": change.ref.class_name,
                "value": change.update.value,
                "source": str(change.update.table.relative),
                "plane": change.update.plane,
                "before": change.before,
                "scores": change.landed,
            }
            for change in item.updates
        ],
    }
