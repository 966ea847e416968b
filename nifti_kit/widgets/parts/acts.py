"""What a person does in an app: refused with the reason of a disabled button, and waited for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from nifti_kit.core.files import special_kind
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.tasks import Task


def refuse(blockers: Sequence[str], what: str, kind: type[NiftiKitError]) -> None:
    """Raise an error of a kind where something is in the way; ``what`` is what cannot be done."""
    if blockers:
        raise kind(f"{what} is not possible: {blockers[0]}")


def join(*tasks: Task) -> None:
    """Wait for tasks, and raise what failed: a run without a person ends with this."""
    for task in tasks:
        task.join()
    if any(task.is_running for task in tasks):  # one began what is left of another
        join(*tasks)


# Where a file is saved


def path_of(text: str) -> Path:
    """Return the path that a person wrote, with ``~`` for their home."""
    return Path(os.path.expanduser(text.strip()))  # noqa: PTH111  (Path's raises for unknown users)


def kept_aside(path: Path, content: bytes, kind: type[NiftiKitError]) -> Path | None:
    """Copy a file that is about to be replaced by other content; return where to, if it is there.

    Raises an error of a kind if it cannot be kept, or is no regular file: that is not read.
    """
    remedy = "Save elsewhere."
    try:
        special = special_kind(path) if path.exists() else ""
        if special:
            message = "what is there is no regular file"
            raise kind(message, path=path, found=special, remedy=remedy)
        if not path.exists() or path.read_bytes() == content:
            return None
        kept = spare_name(path)
        shutil.copy2(path, kept)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = "the file that is there cannot be kept"
        raise kind(message, path=path, found=reason, remedy=remedy) from error
    return kept


def spare_name(path: Path) -> Path:
    """Return the name under which the file that is there is kept: ``mapping.1.json``."""
    names = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in count(1))
    return next(name for name in names if not name.exists())


def path_blockers(dataset: Dataset, path: str, ending: str) -> list[str]:
    """Return why a file of an ending, such as ``.json``, cannot be written to a path."""
    if not path.strip():
        return ["Give the name of the file to save."]
    target = path_of(path)
    if target.suffix.casefold() != ending:
        return [f"The name of the file must end in {ending}, not in {target.suffix!r}."]
    if target.is_dir():
        return [f"{path} is a folder: give the name of a file in it."]
    if dataset.source.holds(target):
        where = "The file would lie in the source folder, which is never written to"
        return [f"{where}: save it elsewhere, and copy it there yourself if you want it there."]
    return []
