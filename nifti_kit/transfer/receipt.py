"""Receipts: what an upload landed, object by object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from nifti_kit.core import html
from nifti_kit.core.findings import Findings
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import REPR_ITEMS, REPR_LINES, and_more, counted, items_of, listed, shares
from nifti_kit.datasets.sources import Source
from nifti_kit.errors import visible
from nifti_kit.formats.class_maps import color_text
from nifti_kit.plans.left_out import LeftOut, left_out_lines
from nifti_kit.plans.provenance import Provenance
from nifti_kit.targets.records import ScoreChange
from nifti_kit.transfer.accepted import (
    Accepted,
    accepted_errors,
    accepted_facts,
    accepted_text,
    placed_lines,
    placed_text,
)
from nifti_kit.transfer.card import card_text
from nifti_kit.transfer.doubts import Doubts, doubt_lines, doubts_of, doubts_text
from nifti_kit.transfer.landed import LandedItem, LandedObject

SCHEMA, VERSION = "urn:nifti-kit:receipt:1", 1
"""The form of a receipt's JSON (``schemas/receipt-1.json``): keys are only added to it."""


@dataclass(eq=False, repr=False)
class Receipt(Report):
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
    provenance
        What it was made of: source files with their checksums, choices, waivers, repairs, versions,
        and when it began and ended.
    """

    word = "receipt"
    columns = ("volume id", "volume", "object id", "class", "value", "voxels", "scores", "from")

    target: str
    items: tuple[LandedItem, ...]
    findings: Findings
    backup: Path | None = None
    source: Source | None = field(default=None, repr=False)
    left_out: tuple[LeftOut, ...] = ()
    provenance: Provenance = field(default_factory=Provenance, repr=False)

    @property
    def accepted(self) -> Accepted:
        """The errors that a person accepted of what landed."""
        return accepted_errors(self.findings, self.provenance.waivers, self.left_out)

    @property
    def doubts(self) -> Doubts:
        """What says of something that landed that it may be wrong: its case, class or slices."""
        return doubts_of(self.findings, self.left_out)

    @property
    def tone(self) -> str:
        """``warning`` where it may be wrong: accepted, doubtful, or placed by a person."""
        return "warning" if self.accepted or self.doubts or self._placed_text() else ""

    @property
    def objects(self) -> tuple[LandedObject, ...]:
        """Every object of every item."""
        return tuple(landed for item in self.items for landed in item.objects)

    @property
    def updates(self) -> tuple[ScoreChange, ...]:
        """The scores of figures that were there, of every item."""
        return tuple(change for item in self.items for change in item.updates)

    def rows(self) -> Iterator[Row]:
        """Yield one row per object and update of scores."""
        return (row for item in self.items for row in _rows(item))

    def content(self) -> dict[str, Any]:
        """Return what JSON has."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "target": self.target,
            "backup": None if self.backup is None else str(self.backup),
            "volumes": [_item_json(item, self.provenance) for item in self.items],
            "left_out": [one.facts() for one in self.left_out],
            "findings": self.findings.content(),
            "accepted": accepted_facts(self.accepted),
            "doubts": accepted_facts(self.doubts),
            **self.provenance.facts(),
        }

    def title(self) -> str:
        """Return what landed in one line."""
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
            f"{accepted_text(self.accepted, **self._sources())}"
            f"{doubts_text(self.doubts, **self._sources())}{self._placed_text()}"
        )

    def _sources(self) -> dict[str, list[str]]:
        volumes = [item.planned.volume for item in self.items if item.planned.volume is not None]
        return {
            "volume": [str(image.relative) for image in volumes],
            "object": [str(landed.planned.mask.relative) for landed in self.objects],
        }

    def _placed_text(self) -> str:
        return placed_text(self.provenance, **self._sources())

    def __repr__(self) -> str:
        lines = [self.title(), *(f"  {line}" for line in self._said(REPR_LINES))]
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
        rest = and_more(len(self.items) - REPR_ITEMS, "volume", "items and to_frame()")
        lines += [f"  {line}" for line in rest]
        lines = [visible(line) for line in lines]
        if self.findings:
            lines.append(repr(self.findings))
        return "\n".join(lines)

    def to_card(self) -> str:
        """Return a data-set card in Markdown: what landed, from where, and what a person decided.

        Counts, classes with their colours, voxels and ml, voxel sizes (mm), what was left out,
        waivers, repairs, versions, and the checksums of all files, folded. Names are escaped, and
        no folder is named but by its own name. ``save("card.md")`` writes it.

        Examples
        --------
        >>> Receipt("a target", (), Findings()).to_card().splitlines()[0]
        '# Data set: of an unknown source'
        """
        return card_text(self.items, self.provenance, self.left_out, self.accepted)

    def forms(self) -> dict[str, Callable[[], str]]:
        """Return what gives the text of each ending; ``.md`` is the card."""
        return {**super().forms(), ".md": self.to_card}

    def _said(self, most: int) -> list[str]:
        """Return what is doubtful, what a person placed, and which files are left out."""
        placed = placed_lines(self.provenance, most)
        return [*doubt_lines(self.doubts, most), *placed, *left_out_lines(self.left_out, most)]

    def body(self, most_rows: int, most_lines: int) -> Iterator[html.Markup]:
        """Yield a table for each volume, what is left out, and the findings."""
        some = self.items[: items_of(most_rows)]
        sizes = (len(item.objects) + len(item.updates) for item in some)
        for item, most in zip(some, shares(sizes, most_rows), strict=True):
            yield _item_markup(item, most)
        rest = and_more(len(self.items) - len(some), "volume", "items and to_frame()")
        for line in (*rest, *self._said(most_lines)):
            yield html.element("p", line)
        if self.findings:
            yield html.Markup(self.findings._repr_html_())


def _item_markup(item: LandedItem, most: int) -> html.Markup:
    """Return a volume as a table that folds; ``most`` rows are shown, and the others counted."""
    objects = counted(len(item.objects), "object")
    if item.updates:
        objects += f", {counted(len(item.updates), 'score update')}"
    rows = [row[2:] for row in islice(_rows(item), most)]
    left = len(item.objects) + len(item.updates) - most
    rest = and_more(left, "row" if item.updates else "object", "to_frame()")
    table = html.table(Receipt.columns[2:], rows)
    content = html.join([table, *(html.element("p", line) for line in rest)])
    return html.details(f"{item.volume.id} {item.volume.name}: {objects}", content)


def _rows(item: LandedItem) -> Iterator[Row]:
    """Yield one row per object and update of scores; for an update no voxel landed."""
    volume = item.volume
    for landed in item.objects:
        planned = landed.planned
        yield (
            volume.id, volume.name, landed.ref.id, landed.ref.class_name, planned.value,
            planned.voxels, planned.score_count, str(planned.mask.relative),
        )  # fmt: skip
    for change in item.updates:
        yield (
            volume.id, volume.name, change.ref.id, change.ref.class_name, change.update.value,
            0, len(change.landed), str(change.update.table.relative),
        )  # fmt: skip


def _update_text(change: ScoreChange) -> str:
    lost = f", {len(change.lost)} of them gone" if change.lost else ""
    return (
        f"{change.ref.class_name} (object {change.ref.id}): scores on "
        f"{counted(len(change.landed), 'slice')} of plane {change.update.plane} "
        f"({len(change.before)} before{lost}) <- {change.update.table.relative}"
    )


def _item_json(item: LandedItem, made_of: Provenance) -> dict[str, Any]:
    source = None if item.planned.volume is None else str(item.planned.volume.relative)
    return {
        "id": item.volume.id,
        "key": item.volume.key,
        "name": item.volume.name,
        "dataset": item.volume.dataset,
        "added": item.added,
        "replaced": item.replaced,
        "source": source,
        "sha256": made_of.sha256(source),
        "shape": list(item.volume.grid.shape),
        "voxel_size_mm": list(map(float, item.volume.grid.voxel_size)),
        "objects": [
            {
                "id": landed.ref.id,
                "key": landed.ref.key,
                "figure_id": landed.ref.figure_id,
                "figure_key": landed.ref.figure_key,
                "class": landed.ref.class_name,
                "color": color_text(landed.planned.color),
                "value": landed.planned.value,
                "voxels": landed.planned.voxels,
                "source": str(landed.planned.mask.relative),
                "sha256": made_of.sha256(str(landed.planned.mask.relative)),
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
                "sha256": made_of.sha256(str(change.update.table.relative)),
                "plane": change.update.plane,
                "before": change.before,
                "scores": change.landed,
            }
            for change in item.updates
        ],
    }
