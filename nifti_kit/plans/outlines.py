"""Outlines: an item of a plan as rows of a table, as lines of text, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingABC
from typing import Any

from nifti_kit.core import html
from nifti_kit.core.escapes import visible
from nifti_kit.core.wording import counted
from nifti_kit.formats.class_maps import Color
from nifti_kit.plans.project import there_text
from nifti_kit.plans.score_updates import Entry, ScoreUpdate, updates_text
from nifti_kit.targets.records import PlannedItem, PlannedObject

__all__ = ["COLUMNS", "changes", "entry_text", "lines", "markup", "rows", "there"]

COLUMNS = ["item", "class", "value", "voxels", "scores", "from"]

SHOWN_SLICES = 6
"""Slices whose old and new scores are listed before the rest is counted."""


def rows(item: PlannedItem) -> Iterator[dict[str, Any]]:
    """Yield one row per object and update of scores."""
    for planned in item.objects:
        yield _row(item, planned)
    for update in item.updates:
        yield _update_row(item, update)


def _row(item: PlannedItem, planned: PlannedObject) -> dict[str, Any]:
    cells = (
        item.name,
        planned.class_name,
        planned.value,
        planned.voxels,
        planned.score_count,
        str(planned.mask.relative),
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _update_row(item: PlannedItem, update: ScoreUpdate) -> dict[str, Any]:
    """Return the row of an update, for which no voxel lands."""
    table = str(update.table.relative)
    cells = (item.name, update.class_name, update.value, 0, len(update.new), table)
    return dict(zip(COLUMNS, cells, strict=True))


def lines(item: PlannedItem, kind: str) -> list[str]:
    """Return an item in lines of text; ``kind`` is ``semantic``, ``instance`` or empty."""
    shown = [f"  {item.name}{_where(item)}{f' [{kind}]' if kind else ''}"]
    shown += [f"    {line}" for line in there(item)]
    for planned in item.objects:
        scores = f", {planned.score_count} scores" if planned.scores else ""
        shown.append(
            f"    {planned.class_name}: value {planned.value}, {planned.voxels} voxels"
            f"{scores} <- {planned.mask.relative}"
        )
    for update in item.updates:
        shown += [f"    {update.text}", *(f"      {line}" for line in changes(update))]
    return shown


def _where(item: PlannedItem) -> str:
    return "" if item.volume_id is None else f" (volume {item.volume_id})"


def there(item: PlannedItem) -> list[str]:
    """Return what is on the target already, and what each choice of ``existing`` makes of it."""
    said = []
    if item.volume_there is not None:
        said.append(
            f"On the target already: a volume of this name (id {item.volume_there}): "
            "existing='error' refuses; the others take it if its voxels are the same, else refuse."
        )
    if item.there:
        said.append(
            f"On the target already: {there_text(item.there)}: existing='replace' takes them away "
            "and keeps them aside; 'append' adds to them; 'skip' keeps them and adds what is not "
            "identical; 'error' refuses."
        )
    return said


def changes(update: ScoreUpdate) -> list[str]:
    """Return which scores of a figure go, old and new, by what ``existing`` says."""
    said = []
    if update.overwritten:
        pairs = [
            f"slice {index}: {entry_text(old)} -> {entry_text(new)}"
            for index, (old, new) in update.overwritten.items()
        ]
        said.append(
            f"On the target already, old -> new: {_listed(pairs)}. existing='replace' and "
            "'append' (which keeps what the table leaves blank) take the new; 'skip' keeps the "
            "old; 'error' refuses."
        )
    if update.only_there:
        others = [f"slice {index}: {entry_text(old)}" for index, old in update.only_there.items()]
        said.append(
            f"On the target alone: {_listed(others)}. existing='replace' takes them away and "
            "keeps them aside; the others leave them."
        )
    return said


def entry_text(entry: Entry | None) -> str:
    """Return the score and the comment of a slice in words."""
    if entry is None:
        return "nothing"
    score, comment = entry.get("score"), entry.get("comment")
    said = "no score" if score is None else visible(score)
    return said if comment is None else f"{said} ({visible(comment)!r})"


def _listed(parts: list[str]) -> str:
    more = f" and {len(parts) - SHOWN_SLICES} more" if len(parts) > SHOWN_SLICES else ""
    return ", ".join(parts[:SHOWN_SLICES]) + more


def markup(
    item: PlannedItem, kind: str, colors: MappingABC[str, Color], *, unfolded: bool
) -> html.Markup:
    """Return an item as a table that folds; ``colors`` are those of the plan's classes."""
    summary = f"{item.name}{_where(item)}: {counted(len(item.objects), 'object')}"
    summary += f"{updates_text(item.updates)}{f' - {kind}' if kind else ''}"
    cells = [
        (html.join([html.swatch(colors[planned.class_name]), html.text(name)]), *rest)
        for planned in item.objects
        for _, name, *rest in [_row(item, planned).values()]
    ]
    cells += [
        (html.text(update.class_name), *list(_update_row(item, update).values())[2:])
        for update in item.updates
    ]
    parts = [*_paragraphs(there(item)), html.table(COLUMNS[1:], cells)]
    for update in item.updates:
        name = f"{update.class_name} (object {update.object_id}). "
        parts += _paragraphs(name + said for said in changes(update))
    return html.details(summary, html.join(parts), unfolded=unfolded)


def _paragraphs(said: Iterable[str]) -> list[html.Markup]:
    return [html.element("p", one) for one in said]
