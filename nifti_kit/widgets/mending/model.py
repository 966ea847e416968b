"""Mending: what can be done about a finding, looked at, taken, undone, and kept as steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, Tuple
from traitlets import Dict as DictTrait

from nifti_kit.checks.pictures import LARGE, Illustrator
from nifti_kit.core.findings import Finding
from nifti_kit.core.html import Illustration
from nifti_kit.core.parallel import heard
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.repairs.masks import of_another
from nifti_kit.repairs.offers import Offer, offers
from nifti_kit.repairs.repair import Repair
from nifti_kit.repairs.steps import Step, Steps, read_steps
from nifti_kit.widgets.mending.scenes import before_and_after, changed_items, unseen_because
from nifti_kit.widgets.parts.acts import refuse
from nifti_kit.widgets.parts.findings import FindingsTable
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.table import Column, Row, Table
from nifti_kit.widgets.parts.tasks import Task, Ticket

COLUMNS = (
    Column("number", "Step", "number"),
    Column("title", "What was done"),
    Column("finding", "For"),
    Column("undo", "", "button"),
)

DRAWING = 0.8
"""About the share of the repair in a look; the rest is drawing."""

SEEN_AS = "repaired"
"""The code under which the picture of a mended file is drawn: the file as it is, nothing else."""


class Mending(HasTraits):
    """The steps of a person, and what is offered for the finding that is chosen.

    Each button of the view is one of the methods. What is taken replaces ``source.dataset``: while
    ``is_taking`` it changes because of a step, and not because another was read.
    """

    steps = AnyTrait()  # what was done, in order (:class:`nifti_kit.Steps`)
    offers = Tuple()  # what can be done about the chosen finding, in the order of safety
    offer = AnyTrait()  # the one that is chosen, or None
    values = DictTrait()  # what is filled in for it
    every = Bool()  # whether it is meant for all findings of the code at once
    seen = AnyTrait()  # the ``Repair`` that it would be, after :meth:`look`; else None
    pictures = Tuple()  # the place before and after, where there are such
    scenes = AnyTrait()  # the ``Scenes`` before and after, after :meth:`look_through`; else None
    message = Tuple()  # what came of the last act, and of steps of a replay that were not taken

    def __init__(self, source: SourcePicker, findings: FindingsTable) -> None:
        """Offer what can be done about findings of a source."""
        super().__init__(steps=Steps())
        self.source, self.findings = source, findings
        self.table = Table(COLUMNS, on_press=lambda key, _: self.drop(int(key)))
        # Looking, replaying or undoing; and reading what is looked through.
        self.task, self.opening = Task(), Task()
        self._history: list[Dataset] = []
        self._before: Any = None  # the data set that ``seen`` was worked out for
        self._taken = Steps()
        self.is_taking = self._seeks = False
        self.source.observe(self._read, "dataset")
        self.findings.observe(self._choose, "selected")
        self.findings.observe(self._seek, "shown")
        self.observe(self._list, "steps")
        self._read()

    @property
    def dataset(self) -> Dataset | None:
        """The data set after all steps; None while nothing is read."""
        found: Dataset | None = self.source.dataset
        return found

    @property
    def every_offer(self) -> Offer | None:
        """The chosen offer for all findings of its code; None where that cannot be.

        No mask is repaired along that lies on another volume by its own header.
        """
        offer: Offer | None = self.offer
        if offer is None or offer.kind != "repair" or self.dataset is None:
            return None if offer is None else offer.for_code(self.findings.open)
        others = of_another(self.dataset, (found.path for found in self.findings.open))
        rest = [found for found in self.findings.open if found.path not in others]
        return None if offer.files[0] in others else offer.for_code(rest)

    @property
    def look_blockers(self) -> list[str]:
        """Why it cannot be looked at what the offer would change."""
        if self.offer is None:
            return ["Choose what to do."]
        if self.task.is_running:
            return ["Something is under way."]
        try:
            self._step()
        except NiftiKitError as error:
            return [error.remedy or str(error)]
        return []

    @property
    def take_blockers(self) -> list[str]:
        """Why the offer cannot be taken."""
        if self.offer is not None and self.seen is None and not self.look_blockers:
            return ["Look at before and after first."]
        return self.look_blockers

    @property
    def changed_items(self) -> tuple[str, ...]:
        """The names of the items that can be looked through before and after; the chosen first."""
        done = self.seen
        if done is None:
            return ()
        names = changed_items(self._before, done)
        found = self.findings.selected
        own = {i.name for i in done.dataset.items if found and found.path in _paths(i)}
        return tuple(sorted(names, key=lambda name: name not in own))

    @property
    def through_blockers(self) -> list[str]:
        """Why before and after cannot be looked through slice by slice."""
        done = self.seen
        if done is None:
            return self.take_blockers
        if self.opening.is_running:
            return ["The volumes are being read."]
        why = unseen_because(self._before, done)
        return [why] if why else []

    @property
    def undo_blockers(self) -> list[str]:
        """Why no step can be undone."""
        return self._wait_blockers or ([] if len(self.steps) else ["Nothing was done yet."])

    @property
    def _wait_blockers(self) -> list[str]:
        """Why no step can be done now, whichever it is."""
        if self.task.is_running:
            return ["Something is under way."]
        return [] if self.dataset is not None else ["Read a source first."]

    def choose(self, offer: Offer | str | int | None) -> None:
        """Choose one of ``offers``: itself, its title, or its place from 0.

        Raises NiftiKitError if there is no such offer.
        """
        found = [
            one for at, one in enumerate(self.offers) if offer in (at, one.title) or one is offer
        ]
        if offer is not None and not found:
            raise NiftiKitError(
                "that is not offered",
                found=repr(offer),
                expected=", ".join(one.title for one in self.offers) or "nothing is offered",
            )
        options = found[0].options if found else ()
        self._forget()
        self.every = False
        self.values = {one.name: one.default for one in options if one.default is not None}
        self.offer = found[0] if found else None

    def fill(self, name: str, value: Any) -> None:
        """Fill in what the offer asks for."""
        if self.values.get(name) != value:
            self.values = {**self.values, name: value}
            self._forget()

    def for_every(self, every: bool) -> None:
        """Mean all findings of the code, or the chosen one alone."""
        self.every = every and self.every_offer is not None
        self._forget()

    def look(self) -> Task:
        """Work out what the offer would change, in a thread: files, labels, pictures.

        Raises NiftiKitError if something is in the way: see ``look_blockers``.
        """
        refuse(self.look_blockers, "looking", NiftiKitError)
        self._forget()
        chosen, step, found = self.offer, self._step(), self.findings.selected
        dataset, steps = self.source.dataset, self.steps

        def work(ticket: Ticket) -> tuple[Steps, Repair, tuple[Any, ...]]:
            ticket.tell(0.0, f"{chosen.title} ...")
            with heard(_telling(ticket, step, chosen.title)):
                taken, done = steps.take(dataset, step)
                ticket.tell(DRAWING, "Drawing before and after ...")
                return taken, done, _pictures(self.findings, found, done.dataset)

        def keep(result: tuple[Steps, Repair, tuple[Any, ...]]) -> None:
            if self._means(step) and (self.source.dataset, self.steps) == (dataset, steps):
                self._before = dataset
                self._taken, self.seen, self.pictures = result

        self.task.start(work, then=keep)
        return self.task

    def look_through(self, item: str = "") -> Task:
        """Read an item before and after, in a thread: ``scenes`` is there then.

        Both begin where the pictures are. It is one of ``changed_items``, by default the first. In
        code :func:`nifti_kit.widgets.mending.scenes.before_and_after` does the same at once. Raises
        NiftiKitError if something is in the way: see ``through_blockers``; or there is no such
        item.
        """
        refuse(self.through_blockers, "looking through the slices", NiftiKitError)
        names, before, done = self.changed_items, self._before, self.seen
        if item and item not in names:
            raise NiftiKitError("it is not changed", path=item, expected=listed(names, SHOWN))
        name = item or names[0]
        places = [one.at for one in self.pictures if one is not None and one.at is not None]
        at = places[0] if places and name == names[0] else None
        self.scenes = None  # before others are read

        def work(ticket: Ticket) -> None:
            ticket.tell(0.0, f"Reading {name} ...")
            with ticket.inside():
                scenes = before_and_after(before, done, name, at)
            if self.seen is done:
                self.scenes = scenes
            if self.seen is not done:  # something else was chosen at this very moment
                self.scenes = None

        self.opening.start(work)
        return self.opening

    def close_slices(self) -> None:
        """Look through nothing any more: the volumes leave memory."""
        self.scenes = None

    def take(self) -> None:
        """Take what was looked at: the data set is the mended one from then on.

        Raises NiftiKitError if it was not looked at.
        """
        refuse(self.take_blockers, "taking it", NiftiKitError)
        done, steps = self.seen, self._taken
        self._go_on(done.dataset, steps)
        self.message = (f"Done: {steps[-1].title}.",)
        self._seeks = True
        self._seek()

    def undo(self) -> None:
        """Undo the last step; raises NiftiKitError if nothing was done."""
        refuse(self.undo_blockers, "undoing", NiftiKitError)
        last = self.steps[-1]
        self._history.pop()
        before = self._history.pop()
        self._go_on(before, self.steps.undo())
        self.message = (f"Undone: {last.title}.",)

    def drop(self, at: int) -> None:
        """Undo one step, by its place from 0; those after it are done again without it.

        Raises NiftiKitError if something is under way.
        """
        refuse(self.undo_blockers, "undoing", NiftiKitError)
        if at == len(self.steps) - 1:
            self.undo()
        elif 0 <= at < len(self.steps):
            rest = Steps(step for place, step in enumerate(self.steps) if place != at)
            self._replay(self._history[0], rest, f"Undone: {self.steps[at].title}.")

    def replay(self, steps: Steps) -> Task:
        """Do the steps of another delivery, after those that were done; in a thread.

        ``message`` has a sentence for each that did not fit and was not taken. Raises NiftiKitError
        if nothing is read, or something is under way.
        """
        refuse(self._wait_blockers, "replaying", NiftiKitError)
        self._replay(self._history[0], Steps((*self.steps, *steps)), "")
        return self.task

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the steps to a ``.json``, to be replayed; or to a ``.py``, as a script."""
        self.steps.save(path)

    def load(self, path: str | os.PathLike[str]) -> tuple[str, ...]:
        """Replay the steps of a file, and wait for it; return what was not taken."""
        self.replay(read_steps(path)).join()
        return tuple(self.message[1:])

    @property
    def code(self) -> str:
        """The steps as a script."""
        script: str = self.steps.code(self.source.path, **self.source.said)
        return script

    def add(self, step: Step) -> Repair:
        """Do a step that no finding asked for, such as another name for a class; return its proof.

        Raises NiftiKitError if it cannot be done.
        """
        refuse(self._wait_blockers, "another step", NiftiKitError)
        done: Repair
        steps, done = self.steps.take(self.source.dataset, step)
        self._go_on(done.dataset, steps)
        self.message = (f"Done: {step.title}.",)
        return done

    def _means(self, step: Step) -> bool:
        """Say whether what is chosen and filled in now is still that step."""
        try:
            return self.offer is not None and self._step() == step
        except NiftiKitError:  # something that is needed was taken out meanwhile
            return False

    def _step(self) -> Step:
        offer = self.every_offer if self.every else self.offer
        assert offer is not None
        step: Step = offer.step(**self.values)
        return step

    def _go_on(self, dataset: Dataset, steps: Steps) -> None:
        """Take a data set that steps made."""
        self._history.append(dataset)
        before = self.steps.waive
        self.offer = None
        self._forget()
        self.is_taking = True
        try:
            self.source.dataset = dataset
            self.steps = steps
        finally:
            self.is_taking = False
        self.findings.accept(steps.waive, instead_of=before)

    def _replay(self, base: Dataset, steps: Steps, said: str) -> None:
        def work(ticket: Ticket) -> Any:
            ticket.tell(0.0, f"Doing {counted(len(steps), 'step')} ...")
            whole = max(1, len(steps))
            with ticket.inside():
                return steps.apply(
                    base, on_step=lambda at, step: ticket.tell(at / whole, step.title)
                )

        def keep(applied: Any) -> None:
            if self._history and self._history[0] is base:
                datasets = [base, *(one.dataset for one in applied.repairs)]
                self._history = datasets[:-1] if len(datasets) > 1 else []
                self._go_on(datasets[-1], applied.taken)
                done = said or f"Done: {counted(len(applied.taken), 'step')}."
                self.message = (done, *applied.undone)

        self.task.start(work, then=keep)

    def _forget(self) -> None:
        """Take off what was worked out for another choice."""
        self.opening.cancel()
        self.seen, self.pictures, self.scenes = None, (), None

    def _read(self, _: Any = None) -> None:
        """Begin anew where another source was read."""
        dataset = self.source.dataset
        if self.is_taking:
            return
        self._seeks = False
        self._history = [] if dataset is None else [dataset]
        if len(self.steps):
            self.findings.accept({}, instead_of=self.steps.waive)
        self.steps, self.message = Steps(), ()
        self._choose()

    def _choose(self, _: Any = None) -> None:
        """Offer what can be done about the finding that is chosen now."""
        found = self.findings.selected
        is_open = found is not None and not found.waived and self.dataset is not None
        self._forget()
        self.offer = None
        self.offers = offers(self.source.dataset, found) if is_open else ()

    def _seek(self, _: Any = None) -> None:
        """Go on to the next error after a step; some are found when voxels were read again."""
        errors = [found for found in self.findings.open if found.severity == "error"]
        if self._seeks and self.findings.selected is None and errors:
            self._seeks = False
            self.findings.select(errors[0])

    def _list(self, _: Any = None) -> None:
        self.table.rows = tuple(
            Row(
                str(at),
                {
                    "number": at + 1,
                    "title": step.title,
                    "finding": step.finding + (", all" if step.every else ""),
                    "undo": "Undo",
                },
                hints={"title": step.code},
            )
            for at, step in enumerate(self.steps)
        )


def _telling(ticket: Ticket, step: Step, title: str) -> Callable[[str], None]:
    """Return what tells of the files of a step as they are opened, and ends the work inside."""
    left = set(step.files)

    def tell(file: str) -> None:
        ticket.check()
        if file in left:
            left.remove(file)
            done = 1 - (len(left) + 1) / len(step.files)
            ticket.tell(DRAWING * done, f"{title}: {file} ...")

    return tell


def _paths(item: Item) -> Iterator[str]:
    yield from (str(image.relative) for image in item.images)


Pictures = tuple[Illustration | None, Illustration | None]


def _pictures(
    findings: FindingsTable, found: Finding | None, anew: Dataset
) -> Pictures | tuple[()]:
    """Return the place of a finding before and after; nothing where neither can be drawn."""
    if found is None:
        return ()
    draw: Callable[[Finding], Illustration | None] = Illustrator(anew, LARGE)
    pair = findings.picture_of(found), draw(replace(found, code=SEEN_AS, voxel=None))
    return pair if any(pair) else ()


SHOWN = 4
"""Files and values that are told one by one before the rest is counted."""


def told(done: Repair) -> Iterator[str]:
    """Yield what a repair changes in a few lines: how files stand, voxels, distances (mm)."""
    for change in done.files[:SHOWN]:
        yield f"{change.file}: {change.what}. Before: {change.before}. After: {change.after}."
    if len(done.files) > SHOWN:
        yield f"And {counted(len(done.files) - SHOWN, 'more file')}."
    pairs = [(one.before, one.after, one) for one in done.labels]
    moved = [one.moved_mm or 0.0 for before, after, one in pairs if before and after]
    if moved:
        differ = any(b.voxels != a.voxels for b, a, _ in pairs if b and a)
        same = "voxel counts change" if differ else "each has the voxels that it had"
        far = f"{min(moved):,.1f} to {max(moved):,.1f}" if len(moved) > 1 else f"{moved[0]:,.1f}"
        yield f"{counted(len(moved), 'label')}: {same}; centres move by {far} mm."
    lost = [one.value for before, after, one in pairs if before and not after]
    new = [one.value for before, after, one in pairs if after and not before]
    for word, values in (("LOST", lost), ("new", new)):
        if values:
            yield f"{counted(len(values), 'label')} {word}: {listed(values, SHOWN)}."
