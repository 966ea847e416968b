"""Places: a cell of a score table, and what the table is held against, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nifti_kit.core.geometry import NORMALS
from nifti_kit.core.wording import counted
from nifti_kit.errors import BadScores
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.edits import key_parts
from nifti_kit.widgets.scores.evidence import HEAD, Remark
from nifti_kit.widgets.scores.references import Reference
from nifti_kit.widgets.scores.sheets import LAYER, comment_name, value_of

__all__ = ["CellInfo", "place_of", "plane_text", "subject_of"]

PLANES = {"axl": "axial", "cor": "coronal", "sag": "sagittal"}


def plane_text(plane: str | None) -> str:
    """Return a plane with the normal by which the platform knows it: ``axial (0-0-1)``."""
    return "unknown" if plane is None else f"{PLANES[plane]} ({NORMALS[plane]})"


_ALONE = {
    "file": "frame {self.frame} of a file that is not here: nobody can tell which slice it becomes",
    "ras": "RAS slice {last} of plane {self.plane} on the platform",
    "reversed": "{last} before the last RAS slice of plane {self.plane} on the platform",
}
"""What a layer is in a table without masks."""


@dataclass(frozen=True)
class CellInfo:
    """A cell.

    Attributes
    ----------
    key, column
        Of its row, and the name of its column.
    layer, frame, slice
        As the table counts; in the NIfTI file (from 1); RAS+ (from 0). None: there is no such.
    line
        The row's line in the file; None where the table has no such row.
    plane
        In words.
    text, comment
        As they are written.
    voxels
        How many the label has there; None where that is not known.
    class_name
        What the label is; ``""`` where that is not known.
    remarks
        What is wrong there.
    alone
        For a table without masks what its layers count along; else ``""``.
    """

    key: str = ""
    column: str = ""
    layer: int | None = None
    frame: int | None = None
    slice: int | None = None
    line: int | None = None
    plane: str = ""
    text: str = ""
    comment: str = ""
    voxels: int | None = None
    class_name: str = ""
    remarks: tuple[Remark, ...] = ()
    alone: str = ""

    @property
    def where(self) -> str:
        """Which slice it is."""
        if self.key == HEAD:
            return f"Column {self.column}"
        if self.layer is None:
            return f"Line {self.line} of the file: it has no layer" if self.line else ""
        if self.frame is None:
            return f"Layer {self.layer}: there is no such frame"
        if self.alone:
            return (
                f"Layer {self.layer} = {_ALONE[self.alone].format(self=self, last=self.frame - 1)}"
            )
        said = f"Layer {self.layer} = frame {self.frame} of the file (from 1)"
        if self.slice is None:
            return said
        return f"{said} = RAS slice {self.slice} of plane {self.plane}"

    @property
    def what(self) -> str:
        """What stands in it, and whether its label is there."""
        if value_of(self.column) is None or self.key == HEAD:
            return ""
        name = f" ({self.class_name})" if self.class_name else ""
        said = f"{self.column}{name}: {self.text or 'no score'}"
        if self.voxels is None:
            return said
        return f"{said}; {counted(self.voxels, 'voxel')} of the label here"

    @property
    def lines(self) -> list[str]:
        """All of it, a line each."""
        told = [f"{one.severity}: {one.message}. {one.remedy}" for one in self.remarks]
        return [line for line in (self.where, self.what, *told) if line]


def place_of(
    draft: Draft, reference: Reference, current: tuple[str, str], remarks: Iterable[Remark]
) -> CellInfo:
    """Return a cell by the key of its row and the name of its column."""
    key, column = current
    if not key:
        return CellInfo()
    told = tuple(one for one in remarks if (one.row, one.column) == current)
    plane = plane_text(reference.item.plane)
    value = value_of(column)
    name = "" if value is None else reference.names.get(value, "")
    if key == HEAD:
        return CellInfo(key, column, plane=plane, text=column, class_name=name, remarks=told)
    layer, line = key_parts(key)
    frame = None if layer is None else draft.frame_of(layer)
    try:
        row = draft.rows.get(layer) if layer is not None else draft.sheet.row(line or 0)
    except BadScores:  # the row was removed, or has got a layer
        return CellInfo()
    text = draft.sheet.cell(row, column) if row else ""
    if column == LAYER and row is None:
        text = str(layer)
    comment = draft.sheet.cell(row, comment_name(column)) if row else ""
    return CellInfo(
        key,
        column,
        layer,
        frame,
        reference.slice_of(frame),
        row.number if row else None,
        plane,
        text,
        comment,
        None if value is None else reference.voxels_at(value, frame),
        name,
        told,
        draft.frames if reference.item.is_scores_alone else "",
    )


def subject_of(draft: Draft, reference: Reference) -> list[str]:
    """Return what a table is held against, a line each."""
    item = reference.item
    rows, labels = counted(len(draft.sheet.rows), "row"), counted(len(draft.sheet.values), "label")
    lines = [
        f"Table: {reference.table.relative}: {rows}, {labels}",
        f"Item: {item.name}, plane {plane_text(item.plane)}",
    ]
    frames = "how many frames they have is not known"
    if reference.count is not None:
        frames = counted(reference.count, "frame")
    masks = ", ".join(str(mask.relative) for mask in item.masks)
    lines.append(f"Masks: {masks} ({frames})" if masks else "Masks: none with this table")
    if item.volume is None:
        lines.append("Volume: on the target; slices are those of the masks")
    else:
        lines.append(f"Volume: {item.volume.relative}")
    beside = [
        str(mask.mask.relative)
        for mask in reference.survey.masks
        if mask.alignment is not None and not mask.alignment.lands
    ]
    if beside:
        lines.append(f"Not on the volume's voxels: {', '.join(beside)}. Repair it first")
    return lines
