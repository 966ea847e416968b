"""What an upload leaves besides data: its journal, receipt and proof, and what to say of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from nifti_kit.core.wording import counted
from nifti_kit.errors import NiftiKitError
from nifti_kit.transfer.proof import Proof
from nifti_kit.transfer.receipt import LandedItem, Receipt
from nifti_kit.transfer.upload import Progress
from nifti_kit.transfer.verification import verify
from nifti_kit.widgets.parts.tasks import Ticket

__all__ = [
    "forget_journal",
    "journal_of",
    "landed_text",
    "save_both",
    "share_done",
    "verify_by_item",
]

FORMS = (".json", ".html")
"""A receipt is kept for programs and for people."""

RECEIPTS = "nifti_kit_receipts"
"""The folder for receipts, in the current one, where the target is none on disk."""


def journal_of(target: Any, digest: str) -> Path | None:
    """Return the file that remembers what of a plan (by its digest) has landed in a folder.

    It lies beside the project, so that the same plan goes on after the kernel was restarted. None
    for a target that keeps a journal of its own.
    """
    path = getattr(target, "path", None)
    if path is None or hasattr(target, "journals"):
        return None
    name = hashlib.sha256(f"{target!r} {digest}".encode()).hexdigest()[:16]
    return _beside(path, "journals") / f"{name}.jsonl"


def forget_journal(journal: Path | None) -> None:
    """Remove a journal, and its folder if it was the last one: everything has landed."""
    if journal is not None:
        journal.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another upload's journal is in it, or none ever was
            journal.parent.rmdir()


def share_done(progress: Progress) -> float:
    """Return how much of an upload is done (0 to 1), volumes and objects alike."""
    total = progress.items_total + progress.objects_total
    return (progress.items_done + progress.objects_done) / total if total else 1.0


def landed_text(progress: Progress | None) -> str:
    """Return what has landed when an upload ended before its end, and what to do."""
    again = "Press Upload again: it goes on from there, nothing lands twice."
    if progress is None or not progress.items_done:
        return f"No volume has landed whole. {again}"
    one = progress.items_done == 1
    volumes = f"{progress.items_done:,} of {counted(progress.items_total, 'volume')}"
    return f"{volumes} {'has' if one else 'have'} landed whole, and stay{'s' * one}. {again}"


def save_both(
    result: Receipt | Proof, what: str, digest: str, target: Any, out: str
) -> tuple[list[str], list[str]]:
    """Save a receipt or a proof as JSON and as a page; return the paths, and what went wrong.

    The name is that of the plan: the same plan again replaces its own receipt only.
    """
    path = getattr(target, "path", None)
    folder = Path(os.path.expanduser(out)) if out else Path(RECEIPTS)  # noqa: PTH111  (Path's raises)
    if not out and path is not None:
        folder = _beside(path, "receipts")
    saved: list[str] = []
    trouble: list[str] = []
    for form in FORMS:
        file = folder / f"{what}_{digest}{form}"
        try:
            result.save(file)
        except NiftiKitError as error:
            trouble.append(f"The {what} was not saved: {error}")
        else:
            saved.append(str(file))
    return saved, trouble


def verify_by_item(receipt: Receipt, target: Any, ticket: Ticket) -> Proof:
    """Return the proof of a receipt, made volume by volume: it can be cancelled between two."""
    total = len(receipt.items)

    def told(at: int, item: LandedItem) -> None:
        ticket.tell(at / total, f"Comparing {item.volume.name} with its source ...")

    proof = verify(receipt, target, on_item=told)
    ticket.tell(1.0, f"Compared {counted(total, 'volume')} with the source.")
    return proof


def _beside(path: Path, what: str) -> Path:
    whole = path.resolve()
    return whole.with_name(f"{whole.name}.{what}")
