"""What an export wrote, and what it could not write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.report import Report
from nifti_kit.core.text import counted


@dataclass(frozen=True)
class ExportedFile:
    """A file of an export."""

    path: str  # relative to the export's folder, with ``/``
    what: str  # ``volume``, ``mask``, ``scores``, ``class map``, ``mapping`` or ``not exported``
    # The id and the name (``dataset/name``) of its volume on the target; None for a file of the
    # whole export.
    volume_id: int | None = None
    volume: str = ""
    classes: tuple[str, ...] = ()  # the classes of the objects in it
    # How many objects, and voxels that are not background, a mask has.
    objects: int = 0
    voxels: int = 0
    remark: str = ""  # what is to be known of it; empty as a rule


@dataclass(frozen=True)
class NotExported:
    """Something on the target that no NIfTI file of the export has."""

    # The id and the name (``dataset/name``) of its volume.
    volume_id: int | None
    volume: str
    # ``object``, ``figure``, ``tags``, ``scores``, ``custom data``, ``class`` or ``volume``.
    what: str
    name: str  # its class, or its own name
    why: str  # why it has no form
    content: Any = field(default=None, repr=False)  # what there is of it, as JSON has it


@dataclass(eq=False, repr=False)
class Export(Report):
    """What an export wrote: a row a file, and a row for what no file has.

    Attributes
    ----------
    folder
        The export's folder.
    target
        What was exported, in words.
    entries
        The files, in the order of their volumes.
    not_exported
        What has no NIfTI form; ``not_exported.json`` in the folder has its content.
    notes
        What is to be known when the export is read.
    """

    folder: Path
    target: str
    entries: tuple[ExportedFile, ...]
    not_exported: tuple[NotExported, ...] = ()
    notes: tuple[str, ...] = ()

    word = "export"
    columns = ("file", "what", "volume id", "volume", "class", "objects", "voxels", "remark")

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was written."""
        return tuple(self.folder / PurePosixPath(entry.path) for entry in self.entries)

    @property
    def ok(self) -> bool:
        """Whether all that is on the target is in files that read back as it."""
        return not self.not_exported

    def title(self) -> str:
        """Return the result in one line."""
        volumes = sum(entry.what == "volume" for entry in self.entries)
        objects = sum(entry.objects for entry in self.entries)
        left = len(self.not_exported)
        out = f"; {counted(left, 'thing')} NOT exported" if left else ""
        return (
            f"Exported {self.target} to {self.folder}: {counted(volumes, 'volume')}, "
            f"{counted(objects, 'object')}, {counted(len(self.entries), 'file')}{out}"
        )

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each file, then one for each thing that no file has."""
        for entry in self.entries:
            classes = ", ".join(entry.classes)
            is_mask = entry.what == "mask"
            yield (
                entry.path,
                entry.what,
                entry.volume_id,
                entry.volume,
                classes,
                entry.objects if is_mask else None,
                entry.voxels if is_mask else None,
                entry.remark,
            )
        for left in self.not_exported:
            what = f"not exported: {left.what}"
            yield "", what, left.volume_id, left.volume, left.name, None, None, left.why

    def lines(self) -> Sequence[str]:
        """Return what is to be known when the export is read."""
        return self.notes

    def facts(self) -> dict[str, Any]:
        """Return what JSON has besides the rows."""
        left = [asdict(one) for one in self.not_exported]
        return {
            "folder": str(self.folder),
            "target": self.target,
            "ok": self.ok,
            "notes": list(self.notes),
            "not_exported": left,
        }
