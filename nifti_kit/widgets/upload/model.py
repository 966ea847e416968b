"""Uploading: plan, upload, receipt and proof, as a person goes through them."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Enum, List, Tuple, Unicode

from nifti_kit.core.wording import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.target import EXISTING
from nifti_kit.transfer.proof import Proof
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.upload import Progress, upload
from nifti_kit.widgets.parts.models_targets import link_to
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.upload.landing import (
    forget_journal,
    journal_of,
    landed_text,
    save_both,
    share_done,
    verify_by_item,
)
from nifti_kit.widgets.upload.planning import Planning, refuse
from nifti_kit.widgets.upload.tables import there_lines

__all__ = ["UploadModel"]

SHOWN_CODES = 6
"""Codes in the way that are named one by one before the rest is counted."""


class UploadModel(Planning):
    """An upload, step by step; each button of the view is one of the methods.

    Parameters
    ----------
    source, target
        As :class:`nifti_kit.widgets.upload.planning.Planning` has them.
    existing
        What to do with what is there: see ``nifti_kit.widgets.upload.tables.EXISTING_HELP``.
    out
        The folder for receipts and proofs; by default one beside the project.
    options
        ``mapping``, ``waive``, ``api``: as ``Planning`` has them.

    Attributes
    ----------
    receipt, proof
        What :func:`nifti_kit.upload` and :func:`nifti_kit.verify` returned; None until then.
    progress
        How far the upload is, or was when it ended.
    landing, checking
        The tasks: upload and verification.
    has_landed
        Whether all of the plan is on the target.
    blockers, verify_blockers
        Why the buttons are disabled.
    outcome
        What an upload came to that did not end well, in sentences.
    saved
        The files of receipt and proof.
    """

    existing = Enum(EXISTING, "error")
    out = Unicode()
    progress = AnyTrait()
    receipt = AnyTrait()
    proof = AnyTrait()
    has_landed = Bool()
    blockers = List(Unicode())
    verify_blockers = List(Unicode())
    outcome = List(Unicode())
    saved = Tuple()

    def __init__(
        self,
        source: str | os.PathLike[str] | Dataset = "",
        target: Any = None,
        *,
        existing: str = "error",
        out: str | os.PathLike[str] = "",
        **options: Any,
    ) -> None:
        self.landing, self.checking = Task(), Task()
        self._landed_on: Any = None
        self._digest = ""
        super().__init__(source, target, existing=existing, out=os.fspath(out), **options)

    def _watch(self) -> None:
        super()._watch()
        self.landing.observe(self._ended, "state")
        self.checking.observe(self._refresh, "state")
        self.observe(self._refresh, ["planned", "receipt"])

    def plan(self) -> Task:
        """Work out what will land, in a thread; the source is read first where it was not."""
        task = super().plan()
        self.has_landed, self.outcome = False, []
        return task

    def upload(self) -> Task:
        """Land the plan, in a thread; after a cancel or a failure the same call goes on.

        Raises
        ------
        PlanBlocked
            If something is in the way: see ``blockers``.
        """
        refuse("the upload cannot begin", self.blockers)
        self.receipt = self.proof = self.progress = None
        self.saved, self.outcome = (), []
        self._landed_on, self._digest = self.target.target, self.digest
        self.landing.start(partial(self._land, self.planned), then=self._landed)
        return self.landing

    def cancel(self) -> None:
        """End what is under way at the next safe point; what has landed stays."""
        for task in (self.planning, self.landing, self.checking):
            task.cancel()

    def verify(self) -> Task:
        """Read everything back and compare it with the source, voxel by voxel, in a thread.

        Raises
        ------
        PlanBlocked
            If there is nothing to verify: see ``verify_blockers``.
        """
        refuse("nothing can be verified", self.verify_blockers)
        self.proof = None
        compare = partial(verify_by_item, self.receipt, self._landed_on)
        self.checking.start(compare, then=self._proved)
        return self.checking

    def join(self) -> None:
        """Wait for all that is under way, and raise what failed: for runs without a person."""
        tasks = (self.source.task, self.target.task, self.planning, self.landing, self.checking)
        for task in tasks:
            task.join()

    @property
    def there(self) -> list[str]:
        """What is on the target already, and what ``existing`` makes of it."""
        return [] if self.planned is None else there_lines(self.planned, self.existing)

    @property
    def link(self) -> str:
        """Where what has landed can be looked at: a web address, or the project's folder."""
        return link_to(self._landed_on)

    @property
    def resumes(self) -> bool:
        """Whether an earlier upload of this plan to this project folder has not ended."""
        if self.planned is None or self.target.target is None:
            return False
        journal = journal_of(self.target.target, self.digest)
        return journal is not None and journal.exists()

    def _land(self, planned: Plan, ticket: Ticket) -> Receipt:
        target = self._landed_on
        journal = journal_of(target, self._digest)
        ticket.tell(0.0, "Looking at what is there ...")

        def told(progress: Progress) -> None:
            self.progress = progress
            ticket.tell(share_done(progress), str(progress))

        receipt = upload(planned, target, existing=self.existing, on_progress=told, journal=journal)
        forget_journal(journal)
        return receipt

    def _landed(self, receipt: Receipt) -> None:
        self.receipt, self.has_landed = receipt, True
        self._save("receipt", receipt)

    def _proved(self, proof: Proof) -> None:
        self.proof = proof
        self._save("proof", proof)

    def _save(self, what: str, result: Receipt | Proof) -> None:
        paths, trouble = save_both(result, what, self._digest, self._landed_on, self.out)
        self.saved = (*self.saved, *paths)
        self.outcome = [*self.outcome, *trouble]

    def _ended(self, change: Any) -> None:
        if change["new"] in ("cancelled", "failed"):
            self.outcome = [landed_text(self.progress)]
        if not self.landing.is_running:
            self.target.folder.look()
        self._refresh()

    @property
    def _busy(self) -> list[str]:
        if self.landing.is_running:
            return ["An upload is under way."]
        if self.checking.is_running:
            return ["What has landed is being read back."]
        return super()._busy

    def _refresh(self, change: Any = None) -> None:
        super()._refresh(change)
        self.blockers = self._busy or self._upload_blockers
        nothing = [] if self.receipt is not None else ["Nothing has been uploaded yet."]
        self.verify_blockers = self._busy or nothing

    @property
    def _upload_blockers(self) -> list[str]:
        planned = self.planned
        if planned is None:
            return [*self.plan_blockers, "Make the plan first."]
        if self.is_stale:
            return [
                *self.plan_blockers,
                "Make the plan again: source, target or mapping have changed since.",
            ]
        if self.has_landed:
            return ["This plan has landed. To upload once more, make the plan again."]
        return [*self.target.blockers, *_in_the_way(planned), *_nothing_to_land(planned)] or (
            _no_dataset(planned, self.target.target)
        )


def _in_the_way(planned: Plan) -> list[str]:
    """Name the codes of the errors that nobody accepted."""
    groups = planned.blockers.by_code()
    said = [
        f"{code}: {counted(len(group), 'error')} in the way. Mend the files, or accept the code."
        for code, group in groups.items()
    ]
    more = len(said) - SHOWN_CODES
    return said[:SHOWN_CODES] + [f"... and {counted(more, 'more code')}"] * (more > 0)


def _nothing_to_land(planned: Plan) -> list[str]:
    lands = any(item.volume or item.objects or item.updates for item in planned.items)
    return [] if lands else ["The plan is empty: nothing would land."]


def _no_dataset(planned: Plan, target: Any) -> list[str]:
    """Say that new volumes need a dataset, where the target is a whole project."""
    scope = [getattr(target, name, "") for name in ("dataset", "dataset_id")]
    if None in scope and any(item.volume_id is None for item in planned.items):
        return ["New volumes need a dataset: name one at the target."]
    return []
