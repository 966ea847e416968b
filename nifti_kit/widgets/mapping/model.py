"""The model of ``MappingEditor``: which volume each annotation file has, and who chose it."""

from __future__ import annotations

import os
from collections.abc import Mapping as MappingABC
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, Unicode

from nifti_kit.core.findings import Findings
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import MaskFile
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping, read_mapping
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
    Decision,
    MappingRows,
    Standing,
)
from nifti_kit.widgets.parts.acts import refuse
from nifti_kit.widgets.parts.saving import path_blockers, path_of
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.table import Table
from nifti_kit.widgets.parts.targets import TargetPicker
from nifti_kit.widgets.parts.tasks import Task, Ticket

PathLike = str | os.PathLike[str]


class MappingModel(HasTraits):
    """The annotation files of a dataset, the volumes of a target, and which belong together.

    Parameters
    ----------
    source
        A dataset of the ``annotations`` layout, or the path of one.
    target
        Where the volumes are; a path is that of a project folder.
    mapping
        What to begin with: a mapping, or the path of a JSON file. By default the source's own
        ``mapping.json``, else what names and grids say (:func:`nifti_kit.match`).
    path
        Where the mapping is to be saved.

    Attributes
    ----------
    table
        A row for each file. Its ``selected`` is the file whose candidates are shown.
    candidates
        The volumes for the selected file, the likeliest first.
    revision
        How many changes there were.
    message
        What the last act did.
    form
        The form to save: ``auto``, ``dataset`` or ``project``.
    task
        The preview that is being made.
    picture
        The preview: a :class:`nifti_kit.widgets.viewer.model.ViewerModel`, or None.
    """

    revision = Int()
    message = Unicode()
    path = Unicode()
    form = Unicode("auto")
    picture = AnyTrait(None, allow_none=True)

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
        self.table = Table(COLUMNS, self.rows.rows, on_edit=self._edited)
        self.candidates = Candidates(self.volumes, self._choose_here, self._preview_here)
        self.task = Task()
        self.table.observe(self._opened, "selected")

    @property
    def mapping(self) -> Mapping:
        """The mapping as it is now: what :func:`nifti_kit.plan` takes."""
        return self.rows.mapping

    @property
    def findings(self) -> Findings:
        """What is wrong or doubtful: files without volumes, grids, volumes given twice."""
        return self.rows.findings

    def standing(self, annotation: PathLike) -> Standing:
        """Return what is known of a file and its volume."""
        return self.rows[self.rows.key_of(annotation)]

    # What a person does

    def choose(self, annotation: PathLike, volume_id: int) -> None:
        """Give a file a volume of the target.

        Raises
        ------
        BadMapping
            If no file, or more than one, is meant, or there is no such volume.
        """
        standing = self.standing(annotation)
        key = standing.annotation.key
        if self.volumes.get(volume_id) is None:
            raise BadMapping(
                "the target has no such volume",
                path=key,
                found=repr(volume_id),
                remedy="Give the id of a volume of the target.",
            )
        what = f"{key}: {self.volumes.label(volume_id)} chosen"
        self._change(what, {key: standing.decision.chosen(volume_id)})

    def accept(self, annotation: PathLike) -> None:
        """Accept the volume that a file has, whatever is doubtful about it."""
        standing = self.standing(annotation)
        key = standing.annotation.key
        refuse(self.accept_blockers(key), "accepting it", BadMapping)
        self._change(f"{key} accepted", {key: standing.decision.accepted()})

    def leave_out(self, annotation: PathLike) -> None:
        """Leave a file without a volume."""
        standing = self.standing(annotation)
        key = standing.annotation.key
        self._change(f"{key} left without a volume", {key: standing.decision.left_out()})

    def accept_sure(self) -> int:
        """Accept every file that has one candidate and lies on it exactly; return how many."""
        sure = {key: decision.accepted() for key, decision in self.rows.sure.items()}
        if sure:
            self._change(f"{counted(len(sure), 'sure file')} accepted", sure)
        return len(sure)

    def match_rest(self) -> int:
        """Match the files that are unmatched by names and grids; return how many were."""
        rest = self.rows.rest
        if rest:
            self._change(f"{counted(len(rest), 'file')} matched by name and place", rest)
        return len(rest)

    def undo(self) -> None:
        """Take the last change back."""
        refuse(self.undo_blockers, "undoing", BadMapping)
        what = self.rows.last
        self.rows.undo()
        self._show(f"Undone: {what}.")

    def load(self, path: PathLike) -> None:
        """Take the volumes of a JSON file, instead of those that are chosen now.

        Raises
        ------
        NiftiKitError
            If it cannot be read. What is wrong in it becomes findings.
        """
        mapping = read_mapping(path_of(os.fspath(path)), self.dataset, relative=str(path))
        rows = self.rows.rows_of(mapping)
        after = {str(row.annotation): Decision.of(row) for row in rows}
        self._change(f"{path} loaded", after, mapping.faults)

    def save(self, path: PathLike | None = None, *, form: str | None = None) -> Path:
        """Write the mapping as JSON and return where; a file that is there is kept beside it.

        Raises
        ------
        NiftiKitError
            If something is in the way (``save_blockers``), or the file cannot be written.
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
        standing = self.standing(annotation)
        refuse(self.preview_blockers(standing.annotation.key, volume_id), "a preview", BadMapping)
        file, ref = standing.annotation.file, self._volume_for(standing, volume_id)
        assert ref is not None
        assert isinstance(file, MaskFile)
        self.picture = None
        self.task.start(lambda ticket: overlay(self.target, file, ref, ticket), then=self._drawn)

    # Why something cannot be done

    def accept_blockers(self, key: str) -> list[str]:
        """Return why the volume that a file has cannot be accepted."""
        standing = self.rows.get(key)
        if standing is None:
            return ["Choose a file first."]
        if standing.place is None:
            return ["The file has no volume: choose one first."]
        if standing.state in (ACCEPTED, CHOSEN):
            return [f"It is {standing.state} already."]
        if self._volume_for(standing) is None:
            return ["Its volume is not on the target: choose another one."]
        return []

    def leave_blockers(self, key: str) -> list[str]:
        """Return why a file cannot be left without a volume."""
        standing = self.rows.get(key)
        if standing is None:
            return ["Choose a file first."]
        return [] if standing.place else ["The file has no volume."]

    def preview_blockers(self, key: str, volume_id: int | None = None) -> list[str]:
        """Return why a file cannot be drawn over a volume (by default the one it has)."""
        standing = self.rows.get(key)
        if standing is None:
            return ["Choose a file first."]
        if not isinstance(standing.annotation.file, MaskFile):
            return ["A score table has no voxels to draw."]
        if self._volume_for(standing, volume_id) is None:
            return ["The file has no volume on the target: choose one first."]
        return ["Another preview is being made."] if self.task.is_running else []

    @property
    def sure_blockers(self) -> list[str]:
        """Why there is nothing to accept at once."""
        return [] if self.rows.sure else ["No file is left that is sure and not accepted."]

    @property
    def rest_blockers(self) -> list[str]:
        """Why no unmatched file can be matched by name and place."""
        rest = self.rows.rest
        return [] if rest else ["No unmatched file has a name and a place that fit one volume."]

    @property
    def undo_blockers(self) -> list[str]:
        """Why nothing can be undone."""
        return [] if self.rows.last else ["Nothing was changed yet."]

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

    def _volume_for(self, standing: Standing, volume_id: int | None = None) -> VolumeRef | None:
        return self.volumes.get(standing.decision.row.volume if volume_id is None else volume_id)

    def _edited(self, key: str, _: str, label: str) -> None:
        volume_id = self.volumes.id_of(label)
        if volume_id is not None:
            self.choose(key, volume_id)
        elif not self.leave_blockers(key):
            self.leave_out(key)

    def _choose_here(self, volume_id: int) -> None:
        self.choose(self.table.selected, volume_id)

    def _preview_here(self, volume_id: int) -> None:
        if not self.preview_blockers(self.table.selected, volume_id):
            self.preview(self.table.selected, volume_id)

    def _change(self, what: str, after: MappingABC[str, Decision], faults: Any = None) -> None:
        self.rows.change(what, after, faults)
        self._show(f"{what}.")

    def _show(self, message: str) -> None:
        self.table.rows = self.rows.rows
        self._opened()
        self.message = message
        self.revision += 1

    def _opened(self, change: Any = None) -> None:
        """Show the candidates of the file that is selected."""
        key = self.table.selected
        standing = self.rows.get(key)
        if change is not None:
            self.picture = None
        if standing is None:
            self.candidates.show(None, (), None)
        else:
            row = standing.decision.row
            self.candidates.show(standing.annotation, row.candidates, row.volume)

    def _drawn(self, picture: Any) -> None:
        self.picture = picture
        self.task.text = "The picture is below."


# The start of a mapping: which annotations, which target, and the matching that they make


class MappingStart(HasTraits):
    """Source and target of a mapping; where both are given, the matching is there at once.

    Parameters
    ----------
    source, target, mapping, path
        As :class:`MappingModel` has them; without source or target a
        person picks them.

    Attributes
    ----------
    source, target
        The pickers.
    matching
        The :class:`nifti_kit.widgets.mapping.model.MappingModel`; None before there is one.
    task
        The matching that is under way: of thousands of files it takes seconds.
    """

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
        is_read = isinstance(source, Dataset)
        self.source = SourcePicker(source.source.given if isinstance(source, Dataset) else source)
        self.target = TargetPicker(place)
        self.task = Task()
        if is_read:
            self.source.dataset = source
        if place is not None and (is_read or self.source.path):
            self.matching = MappingModel(source, place, mapping, path=path)
            self.source.dataset = self.matching.dataset

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

        Raises
        ------
        BadMapping
            If something is in the way (``begin_blockers``).
        """
        refuse(self.begin_blockers, "matching", BadMapping)
        dataset, target = self.source.dataset, self.target.target

        def work(ticket: Ticket) -> MappingModel:
            ticket.tell(0.0, "Comparing names and grids ...")
            return MappingModel(dataset, target, path=self.path)

        self.task.start(work, then=self._keep)

    def _keep(self, matching: MappingModel) -> None:
        self.matching = matching
