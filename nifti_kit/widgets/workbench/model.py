"""The model of ``Workbench``: one data set, inspected, mended, scored, matched, uploaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from traitlets import Enum, HasTraits, Int, Unicode

from nifti_kit.core.files import clean_path
from nifti_kit.core.findings import Waiver
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import BadMapping, NiftiKitError
from nifti_kit.formats.mappings import Mapping
from nifti_kit.repairs.steps import Steps, read_steps
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.target import Target
from nifti_kit.widgets.inspect.model import InspectModel
from nifti_kit.widgets.mapping.model import MappingModel
from nifti_kit.widgets.mending.model import Mending
from nifti_kit.widgets.parts.acts import join, path_of, refuse
from nifti_kit.widgets.parts.findings import FindingsTable
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.targets import TargetPicker
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.scores.model import CSV, ScoreModel, folder_of
from nifti_kit.widgets.upload.model import UploadModel
from nifti_kit.widgets.workbench.handed import found_beside, mapping_for, table_step, takes_files

TABS = ("inspect", "mend", "scores", "match", "upload")
"""In the order of the work."""

LANDING = ("mapping", "pairing", "existing")
"""What an upload takes of the options; the others say how the source is read."""

PathLike = str | os.PathLike[str]


class WorkbenchModel(HasTraits):
    """One data set, and all that is done with it: what one part does, the others see.

    Its parts are ``inspect``, ``mending`` and ``upload``, and, made when they are asked for,
    ``scores`` and ``matching``. All share the pickers ``source`` and ``target``.

    Parameters
    ----------
    source
        A folder, an archive, a NIfTI file, one score table (its folder is read), or a data set.
    target
        Where it lands; a path is that of a project folder. Chosen in the view if None.
    waive
        What is accepted: codes of findings, or pairs of a code and a file; or
        ``{what is accepted: why}``.
    table
        The score table to begin with; by default the first.
    steps
        Steps to do at once, or the path of a file of steps.
    look
        Whether every voxel is read as soon as the headers are; else when a person asks for it.
    out
        The folder in which findings, marks, steps, tables and mappings are saved at first.
    options
        ``mapping``, ``pairing`` and ``existing`` of
        :class:`nifti_kit.widgets.upload.model.UploadModel`, and those of :func:`nifti_kit.scan`.
    """

    tab = Enum(TABS, "inspect")  # which of ``TABS`` is in front
    message = Unicode()  # what was handed over last
    decisions = Int()  # how often files were decided on

    def __init__(
        self,
        source: PathLike | Dataset = "",
        target: Target | PathLike | None = None,
        *,
        waive: Iterable[Waiver] = (),
        table: str = "",
        steps: Steps | PathLike | None = None,
        look: bool = True,
        out: PathLike = "out",
        **options: Any,
    ) -> None:
        super().__init__()
        self.out, self._looks = Path(out), look
        self._given = source if isinstance(source, Dataset) else None
        path, named = ("", "") if isinstance(source, Dataset) else folder_of(source)
        self._table = table or named
        own = {name: options.pop(name) for name in LANDING if name in options}
        self.source = SourcePicker(path, **options)
        self.inspect = InspectModel(self.source, waive=waive)
        place = ProjectFolder(target) if isinstance(target, str | os.PathLike) else target
        accepted = {one: self.findings.reasons.get(one, "") for one in self.findings.waive}
        self.upload = UploadModel(
            self.source,
            place,
            waive=accepted,
            out=self.out,
            mending=self.mending,
            looking=self.inspect.task,
            **own,
        )
        self.matching_task = Task()
        self.matching: MappingModel | None = None
        self._mappings: dict[tuple[str, str], Any] = {}
        self._mapped_for: tuple[str, str] | None = None
        steps = steps or None
        self._steps = read_steps(steps) if isinstance(steps, str | os.PathLike) else steps
        self.source.observe(self._read, "dataset")
        self.target.observe(self._match_anew, "target")
        self.findings.observe(self._accept, "waive")
        self.mending.observe(self._tell, "message")

    @property
    def mending(self) -> Mending:
        """What was done, and what is offered for the chosen finding."""
        return self.inspect.mending

    @property
    def findings(self) -> FindingsTable:
        """What is wrong with the data set as it is now."""
        return self.inspect.findings

    @property
    def target(self) -> TargetPicker:
        """Where it lands."""
        return self.upload.target

    @property
    def dataset(self) -> Dataset | None:
        """The data set after all steps; None while nothing is read."""
        found: Dataset | None = self.source.dataset
        return found

    @property
    def steps(self) -> Steps:
        """What was done."""
        found: Steps = self.mending.steps
        return found

    @cached_property
    def scores(self) -> ScoreModel:
        """The score tables of the data set."""
        return ScoreModel(self.source, table=self._table, out=self.out)

    def scan(self) -> None:
        """Begin to read the source; every voxel is read after it."""
        if self._given is not None and not self.source.path:
            self.source.path = str(self._given.source.given)
            self.source.dataset = self._given
        else:
            self.inspect.scan()

    def turn(self, tab: str) -> None:
        """Bring a tab to the front; what was changed in the one before is handed over."""
        if self.tab == "scores" and tab != "scores":
            self.hand_over_scores()
        if self.tab == "match" and tab != "match":
            self.hand_over_mapping()
        if tab == "match" and not self.match_blockers:
            self.match()
        self.tab = tab

    def jump(self, finding: Any) -> None:
        """Show the item that a finding is about."""
        self.inspect.jump(finding)
        self.turn("inspect")

    def hand_over_scores(self) -> None:
        """Put corrected tables into the data set: each is a step, and can be undone.

        What cannot be handed over yet is said in ``message``, and stays in the editor.
        """
        if "scores" not in self.__dict__ or self.dataset is None:
            return
        try:
            count = self.scores.hand_over(self.mending.add)
        except NiftiKitError as error:
            self.message = f"The corrected tables are not in the plan yet: {error}"
            return
        if count:
            self.message = f"{counted(count, 'corrected table')} handed over."

    @property
    def match_blockers(self) -> list[str]:
        """Why nothing can be matched now."""
        if self.dataset is None:
            return ["Read a source first."]
        if self.dataset.layout != "annotations":
            return ["The volumes are in the source itself: there is nothing to match."]
        if self.target.target is None:
            return self.target.blockers or ["Choose the project with the volumes, under Upload."]
        if self.matching_task.is_running:
            return ["Matching is under way."]
        return ["It is matched."] if self.matching is not None else []

    def match(self) -> Task:
        """Begin to match annotations with the volumes of the target, in a thread.

        What is matched, or under way, is not begun again. Raises BadMapping if something is in the
        way: see ``match_blockers``.
        """
        if self.matching is not None or self.matching_task.is_running:
            return self.matching_task
        refuse(self.match_blockers, "matching", BadMapping)
        dataset, target = self.dataset, self.target.target

        def work(ticket: Ticket) -> MappingModel:
            ticket.tell(0.0, "Matching ...")
            assert dataset is not None
            begin = self.upload.begin_of(dataset, target)
            return MappingModel(dataset, target, begin, path=self.out / "mapping.json")

        def keep(made: MappingModel) -> None:
            if dataset is self.dataset and target is self.target.target:
                self.matching = made
                self.hand_over_mapping()
                self.message = ""  # nobody has changed it
                made.observe(self._decided, "revision")
                self._decided()

        self.matching_task.start(work, then=keep)
        return self.matching_task

    def hand_over_mapping(self) -> None:
        """Let the plan take the mapping as it is now."""
        if self.matching is None:
            return
        mapping = self.matching.mapping
        if getattr(self.upload.mapping, "rows", None) != mapping.rows:
            self.upload.mapping = mapping
            self.upload.pairing = "auto"
            self.message = f"Mapping handed over. {self.matching.rows.summary}"

    @property
    def takes_files(self) -> bool:
        """Whether the source could take a mapping, or a corrected table."""
        dataset = self.dataset
        return dataset is not None and takes_files(dataset)

    @property
    def found_files(self) -> tuple[str, ...]:
        """Mappings and corrected tables, in ``out`` and beside it, that this source can take."""
        return () if self.dataset is None else found_beside(self.out, self.dataset)

    def take_blockers(self, path: PathLike) -> list[str]:
        """Return why a file cannot be taken, as far as it is seen without reading it."""
        place = os.fspath(path).strip()
        if not place:
            found = len(self.found_files)
            return [f"Give a path, or pick one of {found}." if found else "Give a path."]
        if not path_of(clean_path(place)).is_file():
            return [f"There is no such file: {place} (seen from {Path.cwd()})."]
        return []

    def take_file(self, path: PathLike) -> None:
        """Take a mapping (``.json``), or a corrected score table (``.csv``): that becomes a step.

        Raises NiftiKitError if nothing is read, or the file is not for this source.
        """
        if self.dataset is None:
            raise NiftiKitError("there is nothing that takes it", remedy="Read a source first.")
        place = path_of(clean_path(os.fspath(path)))
        if place.suffix.casefold() == CSV:
            step = table_step(place, self.dataset)
            done = self.mending.add(step)
            change = done.files[0]
            self.message = (
                f"{place} is in the place of {change.file}, as a step that can be undone under "
                f"Mend. Before: {change.before}. Now: {change.after}."
            )
        else:
            self._take_mapping(place, mapping_for(place, self.dataset))

    def _take_mapping(self, place: Path, mapping: Mapping) -> None:
        if self.matching_task.is_running:
            raise BadMapping("matching is under way", remedy="Wait until it has ended.")
        if self.matching is not None:
            self.matching.load(place)
            self.hand_over_mapping()
        else:
            self.upload.mapping, self.upload.pairing = mapping, "auto"
        self.message = f"{mapping.title()}. Under Match each can be looked at."

    @property
    def open(self) -> dict[str, int]:
        """How much is left to do in each tab: errors to mend, files to decide on."""
        matching = self.matching
        return {
            "mend": sum(found.severity == "error" for found in self.findings.open),
            "match": 0 if matching is None else sum(pair.is_open for pair in matching.rows),
        }

    @property
    def next(self) -> tuple[str, str]:
        """What to do next, in a sentence, and the tab where it is done; ``""`` where none is."""
        return next(step for is_due, step in self._agenda() if is_due)

    def _agenda(self) -> Iterator[tuple[bool, tuple[str, str]]]:
        """Yield what may be due, in the order of the work."""
        left, upload, dataset = self.open, self.upload, self.dataset
        yield self.source.task.is_running, ("The source is being read.", "")
        yield dataset is None, ("Give a folder, an archive or a NIfTI file, and press Read.", "")
        is_reading = self.inspect.is_reading and not left["mend"]
        yield is_reading, ("Every voxel is being read ...", "")
        nothing = "Nothing that could land was found: see why, or give another source."
        yield dataset is not None and not dataset.items, (nothing, "mend")
        yield left["mend"] > 0, (f"{counted(left['mend'], 'error')} to mend.", "mend")
        yield self.target.target is None, ("Choose where it lands.", "upload")
        layout = "" if dataset is None else dataset.layout
        is_unmatched = layout == "annotations" and self.matching is None
        yield is_unmatched, ("Match the annotations with the volumes of the project.", "match")
        decide = f"{counted(left['match'], 'file')} to decide on."
        yield left["match"] > 0, (decide, "match")
        is_unplanned = upload.planned is None or upload.is_stale
        unread = "Read every voxel: headers alone do not tell all."
        yield is_unplanned and not self.inspect.look_blockers, (unread, "inspect")
        way = "Nothing is in the way: make the plan, and look at what will land."
        yield is_unplanned, (way, "upload")
        errors = 0 if is_unplanned else len(upload.planned.blockers)
        blocked = f"{counted(errors, 'error')} in the way of the plan: see its findings."
        yield errors > 0, (blocked, "upload")
        yield upload.receipt is None, ("Look at what will land, and upload.", "upload")
        yield upload.proof is None, ("It has landed: verify it.", "upload")
        yield True, ("It has landed, and was read back: the proof says how.", "upload")

    def join(self) -> None:
        """Wait for all that is under way, and raise what failed: for runs without a person."""
        self.inspect.join()
        parts = [self.scores.task] if "scores" in self.__dict__ else []
        join(self.matching_task, *parts)
        self.upload.join()

    def _read(self, change: Any) -> None:
        """Take what was made of another data set off, and read the voxels of a new one."""
        self._match_anew()
        if self.mending.is_taking:
            return
        self.message = ""
        if change["new"] is None:
            return
        if self._looks:
            self.inspect.look_closer()
        if self._steps is not None:
            steps, self._steps = self._steps, None
            self.mending.replay(steps)

    def _match_anew(self, _: Any = None) -> None:
        """Let go of a matching that is of another data set or target; what was decided is kept.

        An id is another volume on another target: each source and target has a mapping of its own.
        """
        self.hand_over_mapping()
        self.matching_task.cancel()
        self.matching = None
        if self.dataset is None or self.target.target is None:
            return
        here = self.source.read[0], repr(self.target.target)
        if self._mapped_for not in (None, here):
            self._mappings[self._mapped_for] = self.upload.mapping
            self.upload.mapping = self._mappings.get(here)
            self.message = ""
        self._mapped_for = here
        if self.tab == "match" and not self.match_blockers:
            self.match()

    def _decided(self, _: Any = None) -> None:
        """Let who watches know that there is less, or more, to decide on."""
        self.decisions += 1

    def _tell(self, change: Any) -> None:
        """Say, where the steps are not in sight, that some of an earlier delivery did not fit."""
        if len(change["new"]) > 1:
            undone = counted(len(change["new"]) - 1, "saved step")
            self.message = f"{undone} did not fit here: see Mend."

    def _accept(self, change: Any) -> None:
        """Let the plan know what is accepted, and why."""
        before = dict.fromkeys(change["old"], "")
        self.upload.findings.accept(self.findings.reasons, instead_of=before)
        for one in self.findings.waive:
            self.upload.findings.set_waived(one, True)
