"""Plans: what will land on a target, before anything is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from nifti_kit.checks import findings_of, known_besides
from nifti_kit.checks.classes import class_readings, segmentation_ambiguous, values_without_class
from nifti_kit.checks.files import going_along, shared_ids
from nifti_kit.core import html
from nifti_kit.core.files import digest
from nifti_kit.core.findings import (
    Finding,
    Findings,
    Waiver,
    finding,
    reasons,
    refuse_strays,
    waivers,
)
from nifti_kit.core.parallel import with_progress
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import (
    REPR_ITEMS,
    REPR_LINES,
    REPR_ROWS,
    and_more,
    counted,
    items_of,
    listed,
    shares,
)
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.reading import read_items
from nifti_kit.datasets.sources import Source
from nifti_kit.datasets.surveys import survey_item
from nifti_kit.errors import of_kind, visible
from nifti_kit.formats.class_maps import Color
from nifti_kit.formats.mappings import Mapping, read_mapping
from nifti_kit.plans.left_out import LeftOut, left_out, left_out_lines
from nifti_kit.plans.matching import RULES, match, only_exact
from nifti_kit.plans.planner import ItemPlanner, instance_too_old
from nifti_kit.plans.project import ProjectClasses, ProjectContent
from nifti_kit.plans.provenance import Provenance, provenance_of
from nifti_kit.targets.records import (
    PlannedClass,
    PlannedItem,
    PlannedObject,
    ScoreUpdate,
    ThereObject,
    there_text,
    updates_text,
)
from nifti_kit.targets.target import a_target

SHOWN_SLICES = 6
"""Slices whose old and new scores are listed before the rest is counted."""


def object_rows(item: PlannedItem) -> Iterator[Row]:
    """Yield one row per object and update of scores; for an update no voxel lands."""
    for planned in item.objects:
        name, value, voxels = planned.class_name, planned.value, planned.voxels
        yield item.name, name, value, voxels, planned.score_count, str(planned.mask.relative)
    for update in item.updates:
        yield (
            item.name, update.class_name, update.value, 0, len(update.new),
            str(update.table.relative),
        )  # fmt: skip


def item_lines(item: PlannedItem, kind: str, most: int) -> list[str]:
    """Return an item in lines of text; ``kind`` is ``semantic``, ``instance`` or empty.

    ``most`` objects and updates are shown, and the others counted.
    """
    shown = [f"  {item.name}{_where(item)}{f' [{kind}]' if kind else ''}"]
    shown += [f"    {line}" for line in there(item)]
    for planned in item.objects[:most]:
        scores = f", {planned.score_count} scores" if planned.scores else ""
        shown.append(
            f"    {planned.class_name}: value {planned.value_text}, {planned.voxels} voxels"
            f"{scores} <- {planned.mask.relative}"
        )
    for update in _first_updates(item, most):
        shown += [f"    {update.text}", *(f"      {line}" for line in update_lines(update))]
    return [*shown, *(f"    {line}" for line in _rest(item, most))]


def _size(item: PlannedItem) -> int:
    """Return how many rows an item has: objects, and updates after them."""
    return len(item.objects) + len(item.updates)


def _first_updates(item: PlannedItem, most: int) -> Sequence[ScoreUpdate]:
    """Return the updates among the first rows of an item."""
    return item.updates[: max(0, most - len(item.objects))]


def _rest(item: PlannedItem, most: int) -> list[str]:
    """Return how many rows of an item are not shown."""
    return and_more(_size(item) - most, "row" if item.updates else "object", "to_frame()")


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
            "and keeps them aside (nk.changes(plan, target) tells what would differ); 'append' "
            "adds to them; 'skip' keeps them and adds what is not identical; 'error' refuses."
        )
    return said


def update_lines(update: ScoreUpdate) -> list[str]:
    """Return which scores of a figure go, old and new, by what ``existing`` says."""
    said = []
    if update.overwritten:
        pairs = [
            f"slice {index}: {entry_text(old)} -> {entry_text(new)}"
            for index, (old, new) in update.overwritten.items()
        ]
        said.append(
            f"On the target already, old -> new: {listed(pairs, SHOWN_SLICES)}. existing='replace' "
            "and 'append' (which keeps what the table leaves blank) take the new; 'skip' keeps the "
            "old; 'error' refuses."
        )
    if update.only_there:
        others = [f"slice {index}: {entry_text(old)}" for index, old in update.only_there.items()]
        said.append(
            f"On the target alone: {listed(others, SHOWN_SLICES)}. existing='replace' takes them "
            "away and keeps them aside; the others leave them."
        )
    return said


def entry_text(entry: dict[str, str | None] | None) -> str:
    """Return the score and the comment of a slice in words."""
    if entry is None:
        return "nothing"
    score, comment = entry.get("score"), entry.get("comment")
    said = "no score" if score is None else visible(score)
    return said if comment is None else f"{said} ({visible(comment)!r})"


def item_markup(
    item: PlannedItem, kind: str, colors: MappingABC[str, Color], most: int, *, unfolded: bool
) -> html.Markup:
    """Return an item as a table that folds; ``colors`` are those of the plan's classes.

    ``most`` objects and updates are shown, and the others counted.
    """
    summary = f"{item.name}{_where(item)}: {counted(len(item.objects), 'object')}"
    summary += f"{updates_text(item.updates)}{f' - {kind}' if kind else ''}"
    swatches = [html.swatch(colors[planned.class_name]) for planned in item.objects]
    swatches += [html.Markup("")] * len(item.updates)
    cells = [
        (html.join([swatch, html.text(name)]), *rest)
        for swatch, (_, name, *rest) in islice(zip(swatches, object_rows(item), strict=True), most)
    ]
    parts = [*_paragraphs(there(item)), html.table(Plan.columns[1:], cells)]
    parts += _paragraphs(_rest(item, most))
    for update in _first_updates(item, most):
        name = f"{update.class_name} (object {update.object_id}). "
        parts += _paragraphs(name + said for said in update_lines(update))
    return html.details(summary, html.join(parts), unfolded=unfolded)


def _paragraphs(said: Iterable[str]) -> list[html.Markup]:
    return [html.element("p", one) for one in said]


def origin_of(given: Path) -> str:
    """Return a text that is the same for the same source: see :attr:`Plan.origin`."""
    return digest(json.dumps(str(given.resolve())))


@dataclass(eq=False, repr=False)
class Plan(Report):
    """What will land: items, objects, classes, scores; and what stands in the way.

    Attributes
    ----------
    items
        The volumes with their objects.
    classes
        The classes, in the order in which they are met.
    findings
        Everything that was found, waived findings included.
    waive
        What a person accepts: codes, or pairs of a code and a file.
    mapping
        Which volume each annotation file is for; None in other layouts, and where there is none.
    """

    word, columns = "plan", ("item", "class", "value", "voxels", "scores", "from")

    items: tuple[PlannedItem, ...]
    classes: tuple[PlannedClass, ...]
    findings: Findings
    waive: tuple[Waiver, ...]
    source: Source
    kinds: dict[str, str] = field(default_factory=dict)
    """For people: ``semantic`` or ``instance``, by the item's name."""
    mapping: Mapping | None = None
    losses: dict[str, LeftOut] = field(default_factory=dict, repr=False)
    """What goes with each file that cannot land, by its path."""
    provenance: Provenance = field(default_factory=Provenance, repr=False)
    """What it was made of: files with their checksums, choices, repairs, versions."""

    @property
    def blockers(self) -> Findings:
        """What stands in the way: :func:`nifti_kit.upload` refuses while there is anything.

        The errors that nobody waived; where there are none, that nothing would land.
        """
        if self.findings.errors or not self.is_empty:
            return self.findings.errors
        return Findings([finding("plan-empty", "", self._why_empty)])

    @property
    def is_empty(self) -> bool:
        """Whether nothing would land: no volume, object or score."""
        return not any(item.volume or item.objects or item.updates for item in self.items)

    @property
    def _why_empty(self) -> str:
        if self.left_out:
            return f"nothing would land: {counted(len(self.left_out), 'file')} left out"
        return "nothing would land: no volume, no object and no score"

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The files that do not land because a person accepted their faults."""
        landing = {str(item.volume.relative) for item in self.items if item.volume is not None}
        landing |= {str(planned.mask.relative) for planned in self.objects}
        landing |= {str(update.table.relative) for update in self.updates}
        return left_out(self.findings, self.source.files, landing, self.losses)

    @property
    def objects(self) -> tuple[PlannedObject, ...]:
        """Every object of every item."""
        return tuple(planned for item in self.items for planned in item.objects)

    @property
    def updates(self) -> tuple[ScoreUpdate, ...]:
        """The scores for figures that are there, of every item."""
        return tuple(update for item in self.items for update in item.updates)

    @property
    def there(self) -> tuple[ThereObject, ...]:
        """The objects of the same classes that are on the volumes already, of every item."""
        return tuple(found for item in self.items for found in item.there)

    @property
    def digest(self) -> str:
        """A text that is the same for the same plan of files that hold the same."""
        return digest(json.dumps([[i.name, i.volume_id, i.identity] for i in self.items]))

    @property
    def origin(self) -> str:
        """A text that is the same for the same source, whatever it holds since.

        A journal is kept for it: so it is found again where a file was mended between two calls.
        """
        return origin_of(self.source.given)

    def rows(self) -> Iterator[Row]:
        """Yield one row per object and update of scores."""
        return (row for item in self.items for row in object_rows(item))

    def facts(self) -> dict[str, Any]:
        """Return what JSON has besides the rows: classes, what stands in the way, what is found."""
        return {
            **self.provenance.facts(),
            "classes": [asdict(found) for found in self.classes],
            "blockers": self.blockers.content(),
            "findings": self.findings.content(),
            "left_out": [one.facts() for one in self.left_out],
        }

    def title(self) -> str:
        """Return what will land in one line, and whether anything stands in the way."""
        objects = self.objects
        scores = sum(planned.score_count for planned in objects)
        volumes = sum(item.volume is not None for item in self.items)
        there = f"; {counted(len(self.there), 'object')} there already" if self.there else ""
        out = self.left_out
        there += f"; {counted(len(out), 'file')} left out" if out else ""
        blocked = f"; BLOCKED by {counted(len(self.blockers), 'error')}" if self.blockers else ""
        return (
            f"Plan: {counted(volumes, 'volume')}, {counted(len(objects), 'object')}, "
            f"{counted(len(self.classes), 'class')}, {counted(scores, 'score')}"
            f"{updates_text(self.updates)}{there}{blocked}"
        )

    def _shown(self, most_rows: int = REPR_ROWS) -> Iterable[tuple[PlannedItem, int]]:
        """Return the items that are shown, each with the number of its rows that are."""
        items = self.items[: items_of(most_rows)]
        return zip(items, shares(map(_size, items), most_rows), strict=True)

    def _said(self, most: int) -> Iterator[str]:
        """Yield which files are left out, and that nothing would land."""
        yield from left_out_lines(self.left_out, most)
        yield from (str(one) for one in self.blockers if one.code == "plan-empty")

    def __repr__(self) -> str:
        lines = [self.title()]
        for item, most in self._shown():
            lines += map(visible, item_lines(item, self.kinds.get(item.name, ""), most))
        rest = and_more(len(self.items) - REPR_ITEMS, "item", "items and to_frame()")
        lines += [f"  {line}" for line in (*rest, *self._said(REPR_LINES))]
        if self.findings:
            lines.append(repr(self.findings))
        return "\n".join(lines)

    def body(self, most_rows: int, most_lines: int) -> Iterator[html.Markup]:
        """Yield a table for each item, what is left out, and the findings."""
        colors = {found.name: found.color for found in self.classes}
        for position, (item, most) in enumerate(self._shown(most_rows)):
            kind = self.kinds.get(item.name, "")
            yield item_markup(item, kind, colors, most, unfolded=position == 0)
        rest = len(self.items) - items_of(most_rows)
        yield from _paragraphs(and_more(rest, "item", "items and to_frame()"))
        yield from _paragraphs(self._said(most_lines))
        if self.findings:
            yield html.Markup(self.findings._repr_html_())


def plan(
    dataset: Dataset,
    *,
    mapping: Mapping | str | os.PathLike[str] | MappingABC[str, int] | None = None,
    waive: Iterable[Waiver] = (),
    target: Any = None,
    on_item: Callable[[int, Item], Any] | None = None,
) -> Plan:
    """Return what will land, and what stands in the way; data faults raise nothing.

    Each volume and mask is read once, to its end; what :func:`nifti_kit.check` has read of the
    same dataset is not read again.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    mapping
        For the ``annotations`` layout: which volume each file belongs to, as a JSON file, a
        dictionary, or what :func:`nifti_kit.match` or :func:`nifti_kit.read_mapping` returned;
        the source's own ``mapping.json`` by default. Without either, and with a target, what
        :func:`nifti_kit.match` finds by exact names is taken, and named in a note; all else is
        an error.
    waive
        What a person accepts: codes of findings (for the whole dataset), or pairs of a code and a
        file (``("file-unreadable", "case_7/CT.nii.gz")``), mixed. It is kept in the plan and the
        receipt, and does not block. What cannot land is left out: ``Plan.left_out`` names it.
    target
        Where it is to land, such as :class:`nifti_kit.ProjectFolder`: a value that the class map
        does not have takes the project's class that is described by it
        (``Mask pixel value: N``), and classes that cannot hold masks are not in the way. Score
        tables without masks need it: they update figures that are there. Ids that it does not
        have are errors. What the volumes hold of the same classes is shown (``Plan.there``); it
        is asked for once for each volume concerned, and changes nothing of the plan or its digest.
    on_item
        Called with the place (from 0) of each item and the item before its files are read; what
        it raises ends the work. A bar by default.

    Raises
    ------
    KeyError
        If ``waive`` has a code that the catalogue does not know.
    NiftiKitError
        If ``waive`` has a file of which nothing of that code was found.
    BadMapping, UnreadableFile
        If ``mapping`` is none, or its file cannot be read.
    WrongArgument
        If ``dataset`` is no dataset, ``target`` no target, or an entry of ``waive`` neither a
        code nor a pair.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_volume")  # doctest: +SKIP
    >>> nk.plan(dataset, waive=[("file-unreadable", "Spine.nii.gz")]).left_out  # doctest: +SKIP
    """
    of_kind(dataset, Dataset, "nk.scan(...)")
    if target is not None:
        a_target(target)
    accepted = waivers(waive)  # an unknown code ends it before the work
    if mapping is not None and not isinstance(mapping, Mapping):
        mapping = read_mapping(mapping, dataset)
    for _ in read_items(dataset, with_progress(dataset.items, on_item, "Reading images", "item")):
        pass
    findings = [*findings_of(dataset, voxels=True), *known_besides(dataset)]
    project = ProjectClasses(() if target is None else target.classes(), dataset.classes)
    content = None if target is None else ProjectContent(target)
    given = _mapping_in_force(dataset, mapping, target)
    planner = ItemPlanner(dataset, given, project, content)
    if target is not None:
        findings = _with_project(dataset, project, findings)
    if dataset.layout == "annotations":
        items = planner.annotations()
        findings = _with_mapping(dataset, findings, given)
    else:
        items = tuple(planner.volume(item) for item in dataset.items if planner.lands(item))
        if mapping is not None:
            what = f"a mapping is for annotations alone; the layout is {dataset.layout}"
            remedy = "Leave it out, or read the masks alone: scan(..., layout='annotations')."
            findings = [*findings, finding("file-unused", mapping.path, what, remedy=remedy)]
    findings += [*planner.every_finding(), *instance_too_old(items, target)]
    complete = dataset.layout != "annotations" or target is not None
    refuse_strays(accepted, findings, dataset.source.files, complete=complete)
    along, everything = going_along(dataset, accepted, findings)
    losses = {path: LeftOut(path, "", "", tuple(files)) for path, files in along.items()}
    in_force = given if dataset.layout == "annotations" else None
    return Plan(
        items,
        planner.classes(),
        Findings(findings, everything),
        accepted,
        dataset.source,
        {item.name: item.segmentation or "" for item in dataset.items},
        in_force,
        losses | planner.losses,
        provenance_of(dataset, in_force, accepted, reasons(waive)),
    )


def _mapping_in_force(dataset: Dataset, given: Mapping | None, target: Any) -> Mapping | None:
    """Return the mapping that was given, else the source's own, else what exact names say.

    Names never decide where the source has a mapping that cannot be used.
    """
    mapping = dataset.mapping if given is None else given
    broken = any(found.code.startswith("mapping-") for found in dataset.findings)
    if mapping is not None or dataset.layout != "annotations" or target is None or broken:
        return mapping
    return only_exact(match(dataset, target.volumes()))


def _with_mapping(
    dataset: Dataset, findings: Iterable[Finding], mapping: Mapping | None
) -> list[Finding]:
    """Return findings with those of a mapping that is not the source's own.

    Its own is waived where a person gave another one; one made of names does not replace it.
    """
    if mapping is None or mapping is dataset.mapping:
        return list(findings)
    if not any(row.rule in RULES for row in mapping):
        findings = map(_of_other_mapping, findings)
    return [*findings, *mapping.faults, *shared_ids(dataset, mapping)]


def _of_other_mapping(found: Finding) -> Finding:
    """Waive the faults of the source's own mapping, because a person gave another one."""
    return replace(found, waived=True) if found.code.startswith("mapping-") else found


def _with_project(
    dataset: Dataset, project: ProjectClasses, findings: Iterable[Finding]
) -> list[Finding]:
    """Return findings in which the values that have a class in the project have a class."""
    together = replace(dataset, classes=project.known) if dataset.classes else dataset
    found = [one for one in findings if one.code not in _ABOUT_THE_MAP]
    surveys = [survey_item(dataset, item) for item in dataset.items]
    found += values_without_class(together, surveys, project.known)
    found += (one for one in class_readings(dataset, surveys) if one.code in _ABOUT_THE_MAP)
    return [*found, *segmentation_ambiguous(together, surveys)]


_ABOUT_THE_MAP = ("value-without-class", "segmentation-ambiguous", "segmentation-unknown")
