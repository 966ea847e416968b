"""Edits: what people changed on a target since an upload, and what an upload would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from nifti_kit.comparisons.differences import (
    ONLY_A,
    ONLY_B,
    SCORES,
    Difference,
    Match,
    ScoreDifference,
    VolumePair,
)
from nifti_kit.comparisons.sides import (
    Content,
    Facts,
    PlanSide,
    Side,
    SideObject,
    SideVolume,
    TargetSide,
    of_planned,
)
from nifti_kit.comparisons.slices import pictures_of
from nifti_kit.comparisons.volumes import compared, plain_score, scores_text
from nifti_kit.core import html
from nifti_kit.core.geometry import placed_on
from nifti_kit.core.parallel import with_progress
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import counted
from nifti_kit.errors import wrong_argument
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.leavings import FIGURE, TAGS, Leaving, leavings
from nifti_kit.targets.records import ObjectRef, PlannedItem, ScoreUpdate, SliceScores
from nifti_kit.targets.target import Target, a_target
from nifti_kit.transfer.beside import figure_of
from nifti_kit.transfer.landed import LandedItem
from nifti_kit.transfer.receipt import Receipt

ADDED, REMOVED, EDITED = "added", "removed", "edited"

CHANGED_SOURCE = (
    "its file has changed since the upload, so that nothing tells what people changed of it; "
    "restore the file as it was"
)


@dataclass(frozen=True)
class Change:
    """An object, or a volume, that is not as it was."""

    kind: str  # ``added``, ``removed`` or ``edited``
    # What it was (``a``), what it is or would be (``b``), and how far that is apart.
    difference: Difference


@dataclass(eq=False, repr=False)
class Changes(Report):
    """What was changed, or would be; a row for each object, the largest change first.

    Attributes
    ----------
    changes
        The objects and volumes that are not as they were.
    incomplete
        What could not be looked at, in words.
    notes
        What else is to be known.
    asked
        What is told, in words.
    """

    word: ClassVar[str] = "changes"
    row_word: ClassVar[str] = "change"
    columns: ClassVar[tuple[str, ...]] = (
        "volume", "class", "before", "after", "change", "what", "voxels before", "voxels after",
        "Dice", "HD95 (mm)", "mean surface distance (mm)", "scores",
    )  # fmt: skip

    changes: tuple[Change, ...]
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    asked: str = field(default="Changes")

    @property
    def ok(self) -> bool:
        """True where all could be looked at, and nothing is changed."""
        return not self.changes and not self.incomplete

    def by_class(self) -> dict[str, Counter[str]]:
        """Return how many objects of each class were added, removed and edited."""
        found: dict[str, Counter[str]] = {}
        for one in self.changes:
            found.setdefault(one.difference.class_name, Counter())[one.kind] += 1
        return found

    def pictures(self) -> Iterator[html.Markup]:
        """Yield pictures of the largest changes; what is drawn is read then."""
        yield from pictures_of([one.difference for one in self.changes], ("before", "after"))

    def title(self) -> str:
        """Return the result in one line."""
        kinds = Counter(one.kind for one in self.changes)
        said = ", ".join(
            f"{kinds[kind]} {kind}" for kind in (ADDED, REMOVED, EDITED) if kinds[kind]
        )
        if self.incomplete:
            said = f"{said or 'none seen'}; {counted(len(self.incomplete), 'thing')} not looked at"
        return f"{self.asked}: {said or 'none'}"

    def rows(self) -> Iterator[Row]:
        """Yield a row for each change."""
        for one in self.changes:
            found = one.difference
            yield (
                found.volume,
                found.class_name,
                *found.objects,
                one.kind,
                found.what,
                *found.voxels,
                found.dice,
                found.hd95_mm,
                found.mean_mm,
                len(found.scores) or None,
            )

    def lines(self) -> list[str]:
        """Return the changes by class, what could not be looked at, and what is to be known."""
        classes = [
            f"{name or 'volumes'}: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
            for name, kinds in self.by_class().items()
        ]
        return [*classes, *(f"Not looked at: {line}" for line in self.incomplete), *self.notes]

    def facts(self) -> dict[str, Any]:
        """Return whether nothing is changed, the counts by class, and what was not looked at."""
        return {
            "ok": self.ok,
            "by_class": {name: dict(kinds) for name, kinds in self.by_class().items()},
            "incomplete": list(self.incomplete),
            "notes": list(self.notes),
        }


def changes(
    before: Any,
    target: Any,
    *,
    on_item: Callable[[int, LandedItem | PlannedItem], Any] | None = None,
) -> Changes:
    """Return what people changed on a target since an upload, or what a plan would change there.

    Of a receipt: which of its objects are gone, which have other voxels, scores or another class,
    tags or figures on slices, and which others are there. An object is known by its keys, wherever
    it was moved to. The voxels before are those of the source files. Of a plan: what
    ``existing="replace"`` would make of the objects of its classes, those with the largest overlap
    taken for one, and the tags and figures that would go with them. Nothing is written.

    In memory are the labels of one volume, as they were and as they are.

    Parameters
    ----------
    before
        What :func:`nifti_kit.upload` or :func:`nifti_kit.plan` returned.
    target
        Where it landed, or is to land.
    on_item
        Called with the place (from 0) of each volume and the volume before it is looked at; what
        it raises ends the work. A bar by default.

    Raises
    ------
    WrongArgument
        If ``before`` is neither receipt nor plan, or ``target`` no target.
    TargetError
        If the target cannot be read.

    Examples
    --------
    >>> nk.changes(receipt, target).by_class()  # doctest: +SKIP
    {'liver': Counter({'edited': 1})}
    """
    a_target(target)
    if isinstance(before, Receipt):
        work: _Work = _Since(target)
        items: Sequence[Any] = before.items
    elif isinstance(before, Plan):
        work, items = _Replacing(before, target), before.items
    else:
        expected = "what nk.upload(...) or nk.plan(...) returns"
        raise wrong_argument("this is neither a receipt nor a plan", before, expected)
    for item in with_progress(items, on_item, "Looking for changes", "volume"):
        work.look_at(item)
    return work.result()


class _Work:
    """Collects changes, item by item."""

    asked: ClassVar[str]

    def __init__(self, target: Target) -> None:
        self.side = TargetSide(target)
        self.volumes = {one.id: one for one in self.side.volumes()}
        self.changes: list[Change] = []
        self.incomplete: list[str] = []
        self.notes: list[str] = []

    def look_at(self, item: Any) -> None:
        """Find the changes of a volume."""
        raise NotImplementedError

    def result(self) -> Changes:
        """Return what was found, the largest change first."""
        ordered = sorted(self.changes, key=_size)
        return Changes(tuple(ordered), tuple(self.incomplete), tuple(self.notes), self.asked)

    def add(self, differences: Sequence[Difference], said: Mapping[str, str]) -> None:
        """Take differences as changes; ``said`` is what is in one only, in words."""
        for one in differences:
            kind = next((_KINDS[k] for k in one.kinds if k in _KINDS), EDITED)
            words = said.get(kind, "")
            what = one.what.replace(_ONLY[kind], words, 1) if words else one.what
            self.changes.append(Change(kind, replace(one, what=what)))

    def besides(self, there: SideVolume, refs: Iterable[ObjectRef], since: int, said: str) -> None:
        """Name tags, and figures that are no mask, of objects of a target.

        Where one of the changes from ``since`` on (a place) is of the object, they stand there.
        """
        names = {key: f"id {ref.id}" for ref in refs for key in (ref.key, ref.id)}
        assert self.side.target is not None
        for left in leavings(self.side.target.content(there.source.id), {}):
            if left.what in (TAGS, FIGURE) and left.owner in names:
                self._beside(there.name, names[left.owner], left, since, said)

    def _beside(self, volume: str, name: str, left: Leaving, since: int, said: str) -> None:
        what = f"{left.text} {said}"
        for at, one in enumerate(self.changes[since:], start=since):
            found = one.difference
            if name in found.objects:
                kinds = tuple(dict.fromkeys((*found.kinds, left.what)))
                new = replace(found, kinds=kinds, what=f"{found.what}; {what}")
                self.changes[at] = replace(one, difference=new)
                return
        new = Difference(volume, left.name, (name, name), (left.what,), what)
        self.changes.append(Change(EDITED, new))

    def whole(self, kind: str, name: str, what: str) -> None:
        """Take a volume as such for a change."""
        self.changes.append(Change(kind, Difference(name, "", ("", ""), (kind,), what)))


_KINDS = {ONLY_A: REMOVED, ONLY_B: ADDED}
_ONLY = {REMOVED: ONLY_A, ADDED: ONLY_B, EDITED: ""}


def _size(change: Change) -> tuple[float, int, str, str]:
    """Return what changes are sorted by: how little is the same, and how many voxels that is."""
    found = change.difference
    dice = 1.0 if found.dice is None else found.dice
    whole = not found.class_name
    return (-1.0 if whole else dice), -max(found.voxels), found.volume, found.class_name


# Since an upload


class _Since(_Work):
    asked = "Changes since the upload"

    def look_at(self, item: LandedItem) -> None:
        """Find what people changed on a volume."""
        name, there = item.volume.name, self.volumes.get(item.volume.id)
        if there is None:
            objects = counted(len(item.objects), "object")
            what = f"the volume is gone, or in another dataset; {objects} with it"
            self.whole(REMOVED, name, what)
            return
        side, since = _LandedSide(item, there), len(self.changes)
        result = compared(
            VolumePair(side.volume, there, "id"),
            known=side.matches,
            words=("the upload", "the target"),
        )
        self.incomplete += [*side.unknown(), *(f"{name}: {line}" for line in result.missing)]
        added = "added on the platform" if item.added else "it is not of this upload"
        self.add(result.differences, {REMOVED: "removed on the platform", ADDED: added})
        self.changes += side.score_changes()
        ours = [one.ref for one in item.objects if one.added]  # an upload gives them neither
        self.besides(there, ours, since, "that the upload did not give it")
        if side.earlier:
            objects = counted(side.earlier, "object")
            self.notes.append(f"{name}: {objects} that were there before this upload")


class _LandedSide(Side):
    """The objects of a receipt's item as they landed, known by their keys on the target."""

    word = "the upload"

    def __init__(self, item: LandedItem, there: SideVolume) -> None:
        self.item, self.there = item, there
        self.volume = SideVolume(item.volume.name, there.grid, item.planned.volume, self)
        changed = set(item.planned.changed_files())
        self.lost = [one for one in item.objects if str(one.planned.mask.relative) in changed]
        self.landed = [one for one in item.objects if one not in self.lost]
        self.earlier = 0  # objects that were there before

    def volumes(self) -> list[SideVolume]:
        """Return the one volume."""
        return [self.volume]

    def content_of(self, volume: SideVolume) -> Content:  # noqa: ARG002 - there is one
        """Return what landed, with the class and the scores that it got."""
        objects = of_planned(one.planned for one in self.landed)
        return Content(
            tuple(
                replace(
                    found,
                    name=f"id {one.ref.id}",
                    class_name=one.ref.class_name,
                    scores=one.ref.scores,
                    grid=self.there.grid,
                )
                for one, found in zip(self.landed, objects, strict=True)
            )
        )

    def facts(self) -> dict[str, Facts]:
        """Return nothing: what classes look like is not compared."""
        return {}

    def unknown(self) -> list[str]:
        """Return the objects of which nobody can tell whether they were changed."""
        files = Counter(str(one.planned.mask.relative) for one in self.lost)
        return [f"{counted(n, 'object')} of {file}: {CHANGED_SOURCE}" for file, n in files.items()]

    def matches(self, ours: Sequence[SideObject], theirs: Sequence[SideObject]) -> list[Match]:
        """Return which of the objects that are there are those that landed."""
        there = {figure_of(_ref(one)): at for at, one in enumerate(theirs)}
        found: list[Match] = [
            (at, there.pop(figure_of(self.landed[at].ref), None)) for at in range(len(ours))
        ]
        refs = [*(one.ref for one in self.lost), *(one.ref for one in self.item.updates)]
        for ref in refs:
            there.pop(figure_of(ref), None)
        return found + [(None, at) for at in there.values() if not self._is_earlier(theirs[at])]

    def _is_earlier(self, found: SideObject) -> bool:
        """Say whether an object was there before: a target gives rising ids."""
        first = min((one.ref.id for one in self.item.objects if one.added), default=0)
        is_earlier = not self.item.added and _ref(found).id < first
        self.earlier += is_earlier
        return is_earlier

    def score_changes(self) -> Iterator[Change]:
        """Yield what became of figures that got scores alone."""
        now = {figure_of(_ref(one)): _ref(one) for one in self.there.content().objects}
        for change in self.item.updates:
            found = now.get(figure_of(change.ref))
            plane, name = change.update.plane, self.item.volume.name
            if found is None:
                gone = _of_update(name, change.update, (), "removed on the platform")
                yield Change(REMOVED, gone)
            elif scores := _scores(plane, change.landed, found.scores.get(plane, {})):
                edited = _of_update(name, change.update, scores, scores_text(scores))
                yield Change(EDITED, edited)


def _ref(found: SideObject) -> ObjectRef:
    assert isinstance(found.source, ObjectRef)
    return found.source


def _of_update(
    volume: str, update: ScoreUpdate, scores: tuple[ScoreDifference, ...], what: str
) -> Difference:
    """Return the difference of a figure of which the scores are looked at alone."""
    names = (f"id {update.object_id}",) * 2
    return Difference(volume, update.class_name, names, (SCORES,), what, scores=scores)


def _scores(plane: str, before: SliceScores, after: SliceScores) -> tuple[ScoreDifference, ...]:
    """Return the slices of a plane whose scores are not the same."""
    return tuple(
        ScoreDifference(plane, int(index), before.get(index), after.get(index))
        for index in sorted(filter(str.isdecimal, {*before, *after}), key=int)
        if plain_score(before.get(index)) != plain_score(after.get(index))
    )


# What a plan would change


class _Replacing(_Work):
    asked = "What existing='replace' would change"

    def __init__(self, plan: Plan, target: Target) -> None:
        super().__init__(target)
        self.plan = PlanSide(plan)
        self.incomplete += self.plan.missing
        self.planned = {one.source: one for one in self.plan.volumes()}
        named = self.volumes.values() if target.has_dataset else ()
        self.named = {one.name: one for one in named}

    def look_at(self, item: PlannedItem) -> None:
        """Find what would become of the objects of a volume."""
        there = self._there(item)
        if item.objects and there is not None:
            self._compare(item, there)
        elif item.volume is not None and there is None:
            objects = counted(len(item.objects), "object")
            self.whole(ADDED, item.name, f"a new volume, with {objects}")
        for update in item.updates:
            scores = _scores(update.plane, update.old, update.new)
            if scores:
                name = item.name if there is None else there.name
                found = _of_update(name, update, scores, scores_text(scores))
                self.changes.append(Change(EDITED, found))

    def _there(self, item: PlannedItem) -> SideVolume | None:
        """Return the volume that an item is for, or that has its name; None for none."""
        number = item.volume_id if item.volume_id is not None else item.volume_there
        if number is None:
            return self.named.get(item.name)
        if number not in self.volumes:
            self.incomplete.append(f"{item.name}: the target has no volume {number}")
        return self.volumes.get(number)

    def _compare(self, item: PlannedItem, there: SideVolume) -> None:
        ours = self.planned[item]
        if placed_on(ours.grid, there.grid) is None:
            what = "is on another grid, so that an upload refuses it"
            self.incomplete.append(f"{item.name}: the volume {there.name} of the target {what}")
            return
        classes = {planned.class_name for planned in item.objects}
        result = compared(VolumePair(there, ours, "id"), classes, words=("the target", "the plan"))
        self.incomplete += [f"{item.name}: {line}" for line in result.missing]
        removed, since = "it goes, and is kept aside", len(self.changes)
        self.add(result.differences, {REMOVED: removed, ADDED: "it is new"})
        refs = [_ref(one) for one in there.content().objects if one.class_name in classes]
        self.besides(there, refs, since, "that would go with it, and be kept aside")
