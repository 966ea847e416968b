"""What a person does in an app: refused with the reason of a disabled button, and waited for."""

from __future__ import annotations

from collections.abc import Sequence

from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.tasks import Task


def refuse(blockers: Sequence[str], what: str, kind: type[NiftiKitError]) -> None:
    """Raise an error of a kind where something is in the way; ``what`` is what cannot be done."""
    if blockers:
        raise kind(f"{what} is not possible: {blockers[0]}")


def join(*tasks: Task) -> None:
    """Wait for all that is under way; raises what went wrong.

    A run without a person ends with this, so that a failure is not lost.
    """
    for task in tasks:
        task.join()
    if any(task.is_running for task in tasks):  # one began what is left of another
        join(*tasks)
