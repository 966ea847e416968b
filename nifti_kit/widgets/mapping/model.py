"""The model of ``MappingEditor``: which volume each annotation file has, and who chose it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingABC
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, Int, Unicode

from nifti_kit.comparisons import Changes, changes
from nifti_kit.core.findings import Findings
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import MaskFile
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping, MappingRow, read_mapping
from nifti_kit.plans.plan import plan
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.records import VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.widgets.mapping import files
from nifti_kit.widgets.mapping.candidates import Candidates, Volumes, overlay
from nifti_kit.widgets.mapping.rows import (
    ACCEPTED,
    CHOSEN,
    COLUMNS,
    DOUBTFUL,
    UNMATCHED,
    MappingRows,
    Pair,
    Suggestion,
    by_place,
    same_case,
)
from nifti_kit.widgets.parts.acts import path_blockers, path_of, refuse
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.table import Table
from nifti_kit.widgets.parts.targets import TargetPicker
from nifti_kit.widgets.parts.tasks import Task, Ticket

PathLike = str | os.PathLike[str]

SUGGESTED = 30
"""Files of a suggestion that are shown; the others are counted."""


def _unless(can: Callable[[MappingModel], object], reason: str) -> Any:
    """Return the property of a model that gives the reason why it cannot do something, if so."""
    return property(lambda model: [] if can(model) else [reason])


class MappingModel(HasTraits):
    """The annotation files of a dataset, the volumes of a target, and which belong together.

    Parameters are those of :class:`nifti_kit.widgets.MappingEditor`.
    """

    revision = Int()  # how many changes there were
    message = Unicode()  # what the last act did
    path = Unicode()
    form = Unicode("auto")  # the form to save: ``auto``, ``dataset`` or ``project``
    # The preview: a :class:`nifti_kit.widgets.viewer.model.ViewerModel`, or None.
    picture = AnyTrait(None, allow_none=True)
    # Rows that would change together (:class:`nifti_kit.widgets.mapping.rows.Suggestion`),
    # until a person takes or drops them; or None.
    suggestion = AnyTrait(None, allow_none=True)
    # Whether each candidate that is marked is drawn at once: as it begins for a project folder; an
    # instance sends a whole volume for each.
    follows = Bool(False)
    # What it would replace on the target, as ``nk.changes`` tells it; None before it is asked for,
    # and after each change.
    replaced = AnyTrait(None, allow_none=True)

    def __init__(
        self,
        source: Dataset | PathLike,
        target: Target | PathLike,
        mapping: Mapping | PathLike | None = None,
        *,
        path: PathLike = "out/mapping.json",
    ) -> None:
        super().__init__(path=os.fspath(path))
        self.dataset = source if isinstance(source, Dataset) else scan(source)
        self.target = ProjectFolder(target) if isinstance(target, str | os.PathLike) else target
        begin = self.dataset.mapping if mapping is None else mapping
        if begin is not None and not isinstance(begin, Mapping):
            begin = read_mapping(path_of(os.fspath(begin)), self.dataset)
        self.volumes = Volumes(self.target.volumes())
        self.rows = MappingRows(self.dataset, self.volumes, begin)
        # A row for each file. Its ``selected`` is the file whose candidates are shown.
        self.table = Table(COLUMNS, self.rows.rows, on_edit=self._edited)
        # The volumes for the selected file, the likeliest first. Its ``selected`` is the one that
        # :meth:`take` takes.
        self.candidates = Candidates(
            self.volumes, lambda volume_id: self.choose(self.table.selected, volume_id)
        )
        # The preview that is being made; the look at what is on the target.
        self.task, self.comparing = Task(), Task()
        self.follows = isinstance(self.target, ProjectFolder)
        self._wanted: tuple[str, int] | None = None
        self.table.observe(self._opened, "selected")
        self.candidates.observe(self._look, "selected")
        self.observe(self._look, "follows")
        self.task.observe(self._look, "state")

    @property
    def mapping(self) -> Mapping:
        """The mapping as it is now: what :func:`nifti_kit.plan` takes."""
        return self.rows.mapping

    @property
    def findings(self) -> Findings:
        """What is wrong or doubtful: files without volumes, grids, volumes given twice."""
        return self.rows.findings

    def standing(self, annotation: PathLike) -> Pair:
        """Return what is known of a file and its volume."""
        return self.rows[self.rows.key_of(annotation)]

    # What a person does

    def choose(self, annotation: PathLike, volume_id: int) -> None:
        """Give a file a volume of the target: a decision, also where it is doubtful.

        What it says of the other files of its case is in ``suggestion`` then.

        Raises BadMapping if no file, or more than one, is meant, or there is no such volume.
        """
        pair = self.standing(annotation)
        key = pair.annotation.key
        if self.volumes.get(volume_id) is None:
            raise BadMapping(
                "the target has no such volume",
                path=key,
                found=repr(volume_id),
                remedy="Give the id of a volume of the target.",
            )
        what = f"{key}: {self.volumes.label(volume_id)} chosen"
        self._change(what, {key: pair.row.chosen(volume_id)})
        self.suggestion = same_case(self.rows, key)

    def accept(self, *annotations: PathLike) -> int:
        """Accept the volumes that files have, whatever is doubtful; return how many were."""
        return self._decide(annotations, self.accept_blockers, Pair.accepted, "accepted")

    def leave_out(self, *annotations: PathLike) -> int:
        """Leave files without a volume; return how many."""
        what = "left without a volume"
        return self._decide(annotations, lambda _: [], Pair.left_out, what)

    def accept_sure(self) -> int:
        """Accept every file that has one candidate and lies on it exactly; return how many."""
        sure = {pair.annotation.key: pair.accepted() for pair in self.rows if pair.is_sure}
        return self._change_all(sure, "sure file", "accepted")

    def match_rest(self) -> int:
        """Match the files that are unmatched by names and grids; return how many were."""
        return self._change_all(self.rows.rest, "file", "matched by name and place")

    def pick(self, annotation: PathLike, on: bool = True) -> None:
        """Pick a file, or take it out again."""
        self._pick([self.rows.key_of(annotation)], on)

    def pick_found(self) -> None:
        """Pick all files that search and filters leave; if all of them are picked, none."""
        keys = [row.key for row in self.table.found]
        self._pick(keys, not self.rows.picked.issuperset(keys))

    def suggest_by_place(self) -> None:
        """Put into ``suggestion`` which unmatched files lie on one volume alone."""
        self.suggestion = by_place(self.rows)
        if self.suggestion is None:
            self._show("No unmatched file lies on one volume alone.")

    def take_suggestion(self) -> int:
        """Make what is suggested so; return how many files it was."""
        refuse(self.suggestion_blockers, "taking it", BadMapping)
        found: Suggestion = self.suggestion
        count = self._change_all(found.rows, "suggested file", "taken")
        chosen = self.rows.get(self.table.selected)
        if chosen is None or not chosen.is_open:
            self.go_on()
        return count

    def drop_suggestion(self) -> None:
        """Leave the rows of a suggestion as they are."""
        self.suggestion = None

    def take(self) -> None:
        """Take the marked candidate for the selected file, and go on to the next open one."""
        refuse(self.take_blockers, "taking it", BadMapping)
        key, volume_id = self.table.selected, int(self.candidates.selected)
        if self.rows[key].row.volume != volume_id:
            self.choose(key, volume_id)
        elif not self.accept_blockers(key):
            self.accept(key)
        self.go_on()

    def go_on(self) -> None:
        """Select the next file that is doubtful or unmatched, in the order of the table."""
        keys = [row.key for row in self.table.found]
        at = keys.index(self.table.selected) + 1 if self.table.selected in keys else 0
        following = (key for key in (*keys[at:], *keys[:at]) if self.rows[key].is_open)
        self.table.select(next(following, self.table.selected))

    def undo(self) -> None:
        """Take the last change back."""
        refuse(self.undo_blockers, "undoing", BadMapping)
        what = self.rows.last
        self.rows.undo()
        self._show(f"Undone: {what}.")

    def load(self, path: PathLike) -> None:
        """Take the volumes of a JSON file, instead of those that are chosen now.

        Raises NiftiKitError if it cannot be read. What is wrong in it becomes findings.
        """
        mapping = read_mapping(path_of(os.fspath(path)), self.dataset, relative=str(path))
        self._change(f"{path} loaded", self.rows.rows_of(mapping), mapping.faults)

    def save(self, path: PathLike | None = None, *, form: str | None = None) -> Path:
        """Write the mapping as JSON and return where; a file that is there is kept beside it.

        Raises NiftiKitError if something is in the way (``save_blockers``), or the file cannot be
        written.
        """
        self.path = self.path if path is None else os.fspath(path)
        self.form = self.form if form is None else form
        refuse(self.save_blockers, "saving", BadMapping)
        place = path_of(self.path)
        mapping = files.in_form(self.mapping, self.form)
        kept = files.save_mapping(mapping, place)
        self._show(files.saved_text(mapping, place, kept))
        return place

    def preview(self, annotation: PathLike, volume_id: int | None = None) -> None:
        """Draw a file over a volume (by default the one it has), in ``task``.

        ``task.join()`` waits for it; then ``picture`` is there.
        """
        pair = self.standing(annotation)
        key = pair.annotation.key
        refuse(self.preview_blockers(key, volume_id), "a preview", BadMapping)
        file, ref = pair.annotation.file, self._volume_for(pair, volume_id)
        assert ref is not None
        assert isinstance(file, MaskFile)
        self.picture, self._wanted = None, (key, ref.id)
        if key == self.table.selected:
            self.candidates.select(str(ref.id))

        def drawn(picture: Any) -> None:
            if self.table.selected in (key, ""):  # else a person has gone on to another file
                self.picture, self.task.text = picture, "The picture is below."

        self.task.start(lambda ticket: overlay(self.target, file, ref, ticket), then=drawn)

    def compare(self) -> Task:
        """Look, in ``comparing``, what the mapping would replace on the target; nothing is written.

        ``replaced`` is then what ``nk.changes`` says of a plan with this mapping.
        """
        refuse(self.compare_blockers, "comparing", BadMapping)
        mapping, revision = self.mapping, self.revision
        self.replaced = None

        def work(ticket: Ticket) -> Changes:
            ticket.tell(0.0, "Planning ...")
            planned = plan(self.dataset, mapping=mapping, target=self.target)
            total = max(1, len(planned.items))

            def told(at: int, item: Any) -> None:
                ticket.tell(at / total, f"Comparing {item.name} with what is there ...")

            return changes(planned, self.target, on_item=told)

        def keep(found: Changes) -> None:
            if self.revision == revision:
                self.replaced = found

        self.comparing.start(work, then=keep)
        return self.comparing

    # Why something cannot be done

    def accept_blockers(self, key: str) -> list[str]:
        """Return why the volume that a file has cannot be accepted."""
        pair = self.rows.get(key)
        if pair is None:
            return ["Choose a file first."]
        if pair.place is None:
            return ["The file has no volume: choose one first."]
        if pair.state in (ACCEPTED, CHOSEN):
            return [f"It is {pair.state} already."]
        if self._volume_for(pair) is None:
            return ["Its volume is not on the target: choose another one."]
        return []

    def leave_blockers(self, key: str) -> list[str]:
        """Return why a file cannot be left without a volume."""
        pair = self.rows.get(key)
        if pair is None:
            return ["Choose a file first."]
        return [] if pair.place else ["The file has no volume."]

    def preview_blockers(self, key: str, volume_id: int | None = None) -> list[str]:
        """Return why a file cannot be drawn over a volume (by default the one it has)."""
        pair = self.rows.get(key)
        if pair is None:
            return ["Choose a file first."]
        if not isinstance(pair.annotation.file, MaskFile):
            return ["A score table has no voxels to draw."]
        if self._volume_for(pair, volume_id) is None:
            return ["The file has no volume on the target: choose one first."]
        return ["Another preview is being made."] if self.task.is_running else []

    @property
    def compare_blockers(self) -> list[str]:
        """Why it cannot be said what the mapping would replace."""
        if not self.rows.with_volume:
            return ["No file has a volume yet."]
        return ["It is being looked at."] if self.comparing.is_running else []

    @property
    def take_blockers(self) -> list[str]:
        """Why there is no candidate to take."""
        if not self.table.selected:
            return ["Choose a file first."]
        return [] if self.candidates.selected else ["Mark a volume in the list first."]

    @property
    def picked(self) -> list[str]:
        """The files that a person has picked, in order."""
        return [key for key in self.rows.annotations if key in self.rows.picked]

    @property
    def suggested_lines(self) -> list[str]:
        """What is suggested: the first files, each with its volume and how the two lie."""
        found = self.suggestion.rows if self.suggestion else {}
        pairs = [(self.rows.annotations[key], row.volume) for key, row in found.items()]
        lines = []
        for file, volume_id in pairs[:SUGGESTED]:
            ref = self.volumes.get(volume_id)
            assert ref is not None
            lines.append(f"{file.key}: {self.volumes.label(ref.id)}, {file.place_on(ref).text}")
        more = len(pairs) - len(lines)
        return [*lines, f"and {more} more"] if more else lines

    go_on_blockers = _unless(lambda m: any(pair.is_open for pair in m.rows), "No file is open.")
    picked_blockers = _unless(lambda m: m.rows.picked, "Pick files first.")
    place_blockers = _unless(lambda m: m.rows.count(UNMATCHED), "No file is unmatched.")
    suggestion_blockers = _unless(lambda m: m.suggestion, "Nothing is suggested.")
    sure_blockers = _unless(
        lambda m: any(pair.is_sure for pair in m.rows),
        "No file is left that is sure and not accepted.",
    )
    rest_blockers = _unless(
        lambda m: m.rows.rest, "No unmatched file has a name and a place that fit one volume."
    )
    undo_blockers = _unless(lambda m: m.rows.last, "Nothing was changed yet.")

    @property
    def save_blockers(self) -> list[str]:
        """Why the mapping cannot be saved."""
        doubtful = self.rows.count(DOUBTFUL)
        blockers = path_blockers(self.dataset, self.path, ".json")
        if not self.rows.with_volume:
            blockers.append("No file has a volume yet: there is nothing to save.")
        if doubtful:
            noun = "file is" if doubtful == 1 else "files are"
            what = "accept it, choose another volume, or leave it out"
            blockers.append(f"{doubtful} {noun} doubtful. For each: {what}.")
        return blockers + files.form_blockers(self.mapping, self.form)

    # Inside

    def _volume_for(self, pair: Pair, volume_id: int | None = None) -> VolumeRef | None:
        return self.volumes.get(pair.row.volume if volume_id is None else volume_id)

    def _edited(self, key: str, column: str, value: Any) -> None:
        volume_id = None if column == "pick" else self.volumes.id_of(value)
        if column == "pick":
            self.pick(key, bool(value))
        elif volume_id is not None:
            self.choose(key, volume_id)
        elif not self.leave_blockers(key):
            self.leave_out(key)

    def _pick(self, keys: Collection[str], on: bool) -> None:
        self.rows.pick(keys, on)
        self.table.rows = self.rows.rows
        self.revision += 1

    def _decide(
        self,
        annotations: Sequence[PathLike],
        blockers: Callable[[str], list[str]],
        decide: Callable[[Pair], MappingRow],
        what: str,
    ) -> int:
        """Decide on files, and on none that something is in the way of; say how many those are."""
        keys = [self.rows.key_of(annotation) for annotation in annotations]
        able = [key for key in keys if not blockers(key)]
        if not able:
            refuse(blockers(keys[0]) if keys else ["Pick files first."], "deciding", BadMapping)
        after = {key: decide(self.rows[key]) for key in able}
        self.rows.picked.difference_update(able)
        noun = able[0] if len(keys) == 1 else counted(len(able), "file")
        left = f", {counted(len(keys) - len(able), 'other')} cannot be"
        self._change(f"{noun} {what}{left if len(able) < len(keys) else ''}", after)
        return len(able)

    def _change_all(self, after: MappingABC[str, MappingRow], noun: str, what: str) -> int:
        if after:
            self._change(f"{counted(len(after), noun)} {what}", after)
        return len(after)

    def _change(self, what: str, after: MappingABC[str, MappingRow], faults: Any = None) -> None:
        self.rows.change(what, after, faults)
        self._show(f"{what}.")

    def _show(self, message: str) -> None:
        self.suggestion = self.replaced = None
        self.table.rows = self.rows.rows
        self._opened()
        self.message = message
        self.revision += 1

    def _opened(self, change: Any = None) -> None:
        """Show the candidates of the file that is selected, and mark its volume or the first."""
        pair = self.rows.get(self.table.selected)
        if change is not None:
            self.picture = self._wanted = None
        if pair is None:
            self.candidates.show(None, (), None)
            return
        row = pair.row
        # At once: a table that is drawn twice loses a click in between.
        with self.candidates.hold_trait_notifications():
            self.candidates.show(pair.annotation, row.candidates, row.volume)
            if change is not None or row.volume is not None:
                self.candidates.select(str(row.volume or self._likeliest(pair)))
        self._look()

    def _likeliest(self, pair: Pair) -> int | str:
        """Return the first candidate of a file, or the one volume that it lies on; or ""."""
        under = [ref.id for ref in self.volumes.under(pair.annotation)]
        return next(iter(pair.row.candidates or (under if len(under) == 1 else ())), "")

    def _look(self, _: Any = None) -> None:
        """Draw the marked candidate if pictures follow; what is drawn for another one ends."""
        key, marked = self.table.selected, self.candidates.selected
        if not (self.follows and marked) or self._wanted == (key, int(marked)):
            return
        if self.task.is_running:
            self.task.cancel()  # as soon as it has ended, this is called again
        elif not self.preview_blockers(key, int(marked)):
            self.preview(key, int(marked))


# The start of a mapping: which annotations, which target, and the matching that they make


class MappingStart(HasTraits):
    """Source and target of a mapping; where both are given, the matching is there at once.

    ``source``, ``target``, ``mapping``, ``path``: as :class:`MappingModel` has them; without source
    or target a person picks them.
    """

    # The :class:`nifti_kit.widgets.mapping.model.MappingModel`; None before there is one.
    matching = AnyTrait(None, allow_none=True)

    def __init__(
        self,
        source: Dataset | PathLike = "",
        target: Target | PathLike | None = None,
        mapping: Mapping | PathLike | None = None,
        *,
        path: PathLike,
    ) -> None:
        super().__init__()
        self.path = path
        place = ProjectFolder(target) if isinstance(target, str | os.PathLike) else target
        self.source = SourcePicker.of(source)
        self.target = TargetPicker(place)
        self.task = Task()  # the matching that is under way: of thousands of files it takes seconds
        self._made: MappingModel | None = None
        if place is not None and self.source.path:
            self._made = self.matching = MappingModel(source, place, mapping, path=path)
            self.source.dataset = self._made.dataset
        self.source.observe(self._chosen, "dataset")
        self.target.observe(self._chosen, "target")

    @property
    def begin_blockers(self) -> list[str]:
        """Why nothing can be matched yet."""
        if self.source.dataset is None:
            return ["Read the source first."]
        if self.target.target is None:
            return list(self.target.blockers) or ["Choose a target first."]
        return ["Matching is under way."] if self.task.is_running else []

    def begin(self) -> None:
        """Match the source that was read with the volumes of the target, in ``task``.

        Raises BadMapping if something is in the way (``begin_blockers``).
        """
        refuse(self.begin_blockers, "matching", BadMapping)
        dataset, target = self.source.dataset, self.target.target

        def work(ticket: Ticket) -> MappingModel:
            ticket.tell(0.0, "Comparing names and grids ...")
            return MappingModel(dataset, target, path=self.path)

        self.task.start(work, then=self._keep)

    def _keep(self, matching: MappingModel) -> None:
        self._made = matching
        self._chosen()

    def _chosen(self, _: Any = None) -> None:
        """Show the matching while it is of what is chosen: its decisions come back with it."""
        made = self._made
        if made is not None:
            same = made.dataset is self.source.dataset
            made = made if same and repr(made.target) == repr(self.target.target) else None
        self.matching = made
