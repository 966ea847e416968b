"""The start of a mapping: a source and a target, before there is anything to match."""

from __future__ import annotations

import os
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.target import Target
from nifti_kit.widgets.mapping.model import MappingModel, PathLike
from nifti_kit.widgets.parts.acts import refuse
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.targets import TargetPicker
from nifti_kit.widgets.parts.tasks import Task, Ticket


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
        is_read = isinstance(source, Dataset)
        # The pickers.
        self.source = SourcePicker(source.source.given if isinstance(source, Dataset) else source)
        self.target = TargetPicker(place)
        self.task = Task()  # the matching that is under way: of thousands of files it takes seconds
        self._made: MappingModel | None = None
        if is_read:
            self.source.dataset = source
        if place is not None and (is_read or self.source.path):
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
