"""Outlooks: what each way to count the layers of a score table would mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nifti_kit.core.wording import counted
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.references import Reference
from nifti_kit.widgets.scores.sheets import number_of

__all__ = ["Counting", "countings_of"]

DIRECTIONS = {
    "file": "from the first frame",
    "reversed": "from the last frame",
}

ALONE = {
    "file": "along the NIfTI file (which is not here)",
    "ras": "along the slices on the platform",
    "reversed": "along these slices, from the last one",
}


@dataclass(frozen=True)
class Counting:
    """One way to count layers.

    Attributes
    ----------
    base, frames
        As :func:`nifti_kit.scan` has them in ``score_base`` and ``score_frames``.
    on_label
        Scores (other than 0) that are then on slices that have their label; None without masks.
    beside
        Scores that are then on slices without it.
    outside
        Scores that then have no frame.
    alone
        Whether the table has no masks.
    """

    base: int
    frames: str
    on_label: int | None = None
    beside: int = 0
    outside: int = 0
    alone: bool = False

    @property
    def total(self) -> int:
        """The scores (other than 0) of labels that are known."""
        return (self.on_label or 0) + self.beside + self.outside

    @property
    def text(self) -> str:
        """It in words, with what it would mean."""
        direction = (ALONE if self.alone else DIRECTIONS)[self.frames]
        how = f"Layers count from {self.base}, {direction}"
        if self.on_label is None:
            return f"{how}: nobody can tell how well that fits"
        said = f"{how}: {self.on_label} of {counted(self.total, 'score')} on slices with the label"
        return said + (f", {self.outside} outside of the file" if self.outside else "")


def countings_of(draft: Draft, reference: Reference) -> tuple[Counting, ...]:
    """Return every way to count the layers of a table, with what it would mean."""
    if reference.item.is_scores_alone:
        return tuple(Counting(base, frames, alone=True) for frames in ALONE for base in (1, 0))
    if reference.count is None:
        return tuple(Counting(base, "file") for base in (1, 0))
    return tuple(
        _counted(replace(draft, base=base, frames=frames), reference)
        for frames in DIRECTIONS
        for base in (1, 0)
    )


def _counted(draft: Draft, reference: Reference) -> Counting:
    on_label = beside = outside = 0
    for value in set(draft.sheet.values) & set(reference.voxels):
        for row in draft.sheet.rows:
            number = number_of(draft.sheet.cell(row, f"Label-{value}"))
            layer = number_of(draft.sheet.cell(row, "Layer"))
            if not number or layer is None or layer != int(layer):
                continue
            voxels = reference.voxels_at(value, draft.frame_of(int(layer)))
            on_label += bool(voxels)
            beside += voxels == 0
            outside += voxels is None
    return Counting(draft.base, draft.frames, on_label, beside, outside)
