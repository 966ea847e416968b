"""What is planned: classes, objects and items as they will land on a target."""

from __future__ import annotations

from dataclasses import dataclass

from nifti_kit.core.geometry import Orientation
from nifti_kit.datasets.items import MaskFile
from nifti_kit.formats.class_maps import Color
from nifti_kit.formats.labels import Label
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans.project import ThereObject
from nifti_kit.plans.score_updates import ScoreUpdate, updates_text

__all__ = ["CustomData", "PlannedClass", "PlannedItem", "PlannedObject"]

CustomData = dict[str, dict[str, dict[str, "str | None"]]]
"""A figure's scores by plane and RAS+ slice (from 0)."""

PIXEL_VALUE = "Mask pixel value: "
"""What the platform's exporter looks for in a class's description."""


@dataclass(frozen=True)
class PlannedClass:
    """A class as it will be on the platform.

    Attributes
    ----------
    name, color
        Its name, and RGB of 0 to 255.
    description
        ``Mask pixel value: N``, which the platform's exporter reads back.
    value
        That N.
    color_is_given
        Whether the class map chose the colour.
    """

    name: str
    color: Color
    value: int
    color_is_given: bool

    @property
    def description(self) -> str:
        """The text that carries the pixel value."""
        return f"{PIXEL_VALUE}{self.value}"


@dataclass(frozen=True, eq=False, slots=True)
class PlannedObject:
    """An object (with its one figure) as it will land.

    Attributes
    ----------
    class_name, color, color_is_given
        Its class; whether the class map chose the colour.
    value
        Its pixel value in the source mask.
    mask
        The source mask.
    voxels
        How many voxels it has.
    label
        Value, count and box in file order.
    orientation
        The exact reordering of the file's axes into RAS+.
    scores
        The figure's custom data: ``{"0-0-1": {"2": {"score": "0.80", "comment": None}}}``, with
        RAS+ slice indices from 0.
    """

    class_name: str
    color: Color
    color_is_given: bool
    mask: MaskFile
    label: Label
    orientation: Orientation
    scores: CustomData

    @property
    def value(self) -> int:
        """The pixel value in the source mask."""
        return self.label.value

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return self.label.voxels

    @property
    def score_count(self) -> int:
        """How many slices carry a score or a comment."""
        return sum(len(slices) for slices in self.scores.values())

    def __repr__(self) -> str:
        scores = f", {self.score_count} scores" if self.scores else ""
        return f"<{self.class_name}: {self.voxels} voxels{scores}, {self.mask.relative.name}>"


@dataclass(frozen=True, eq=False)
class PlannedItem:
    """A volume with its objects, or the objects for a volume that is on the target.

    Attributes
    ----------
    name
        The volume's name on the target.
    volume
        The image to land; None where the volume is there.
    volume_id
        The id of the volume that is there; None where it is to be made.
    objects
        What will land on it.
    updates
        Scores for figures that are there.
    there
        The objects of the same classes that are on its volume already, as far as the plan knows
        the target.
    volume_there
        For a volume to land: the id of the one of its name that is in the dataset already.
    """

    name: str
    volume: ImageFile | None
    volume_id: int | None
    objects: tuple[PlannedObject, ...]
    updates: tuple[ScoreUpdate, ...] = ()
    there: tuple[ThereObject, ...] = ()
    volume_there: int | None = None

    def __repr__(self) -> str:
        where = self.name if self.volume_id is None else f"volume {self.volume_id}"
        return f"<{where}: {len(self.objects)} objects{updates_text(self.updates)}>"
