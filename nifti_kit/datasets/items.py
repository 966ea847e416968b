"""Items: one volume with its masks and score tables, as a layout groups them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nifti_kit.core.geometry import Grid
from nifti_kit.core.text import counted
from nifti_kit.errors import visible
from nifti_kit.formats.nifti import ImageFile


@dataclass(frozen=True)
class Origin:
    """What a label of a repaired file was, and which class it stands for."""

    # The values that it had in the file as it was; several where they were made one.
    was: tuple[int | float, ...]
    asked: int  # the number by which the class map knows its class
    name: str = ""  # the name of its class, where a person gave one; else empty

    @property
    def text(self) -> str:
        """The values that it had, in words: ``614454277``, ``1 and 255``."""
        return " and ".join(map(str, self.was))


@dataclass(frozen=True, eq=False)
class MaskFile:
    """An annotation file of an item."""

    image: ImageFile  # its header
    index: int | None = None  # for instance segmentation by plane: the class index; else None
    # For the by-volume layout: the class, which is the file's name. By plane: the words that are
    # its class, where the annotation files of a set have no index. Else None.
    class_name: str | None = None
    # By pixel value, what a repair made it of; empty where no repair changed its values.
    origins: Mapping[int, Origin] = field(default_factory=dict, repr=False)

    def class_number(self, value: int) -> int:
        """Return the number by which the class map knows the class of a pixel value."""
        return self.origins[value].asked if value in self.origins else value

    @property
    def path(self) -> Path:
        """The file."""
        return self.image.path

    @property
    def relative(self) -> PurePosixPath:
        """Its path below the source."""
        return self.image.relative

    @property
    def grid(self) -> Grid:
        """Shape and affine (RAS+ mm)."""
        return self.image.grid

    def __repr__(self) -> str:
        return repr(self.image)


@dataclass(frozen=True)
class TableFile:
    """A score table of an item."""

    path: Path
    relative: PurePosixPath
    index: int | None = None  # that of the one annotation file it belongs to, or None
    # The class of the one annotation file it belongs to, where words are classes; or None.
    class_name: str | None = None
    # The file's bytes where they are in memory (a repair), in place of those at ``path``.
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Item:
    """What becomes one volume on the platform, or the annotations of one that is there.

    Attributes
    ----------
    name
        Its name on the platform: unique in the dataset, ends in ``.nrrd``.
    volume
        The image; None in the ``annotations`` layout.
    masks
        Its annotation files.
    tables
        Its score tables.
    plane
        ``axl``, ``cor``, ``sag``, or None in the by-volume layout.
    case
        The words of the name that are left: patient, body part, ...; may be empty.
    folder
        Its folder below the source; empty for the source itself.
    segmentation
        ``semantic`` (class = value), ``instance`` (class = file, each value an object), or None
        where there are no masks.
    set_key
        What the items of one set of planes share: folder, the words that tell the set from others
        of the folder, and the number where a plane is there twice. By volume each item is a set of
        its own: folder and name.
    """

    name: str
    volume: ImageFile | None
    masks: tuple[MaskFile, ...] = ()
    tables: tuple[TableFile, ...] = ()
    plane: str | None = None
    case: str = ""
    folder: str = ""
    segmentation: str | None = None
    set_key: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[ImageFile, ...]:
        """The volume, where there is one, and the annotation files."""
        masks = tuple(mask.image for mask in self.masks)
        return masks if self.volume is None else (self.volume, *masks)

    @property
    def is_scores_alone(self) -> bool:
        """Say whether it has score tables only: they update figures that are on the target."""
        return self.volume is None and not self.masks and bool(self.tables)

    @property
    def annotation_paths(self) -> tuple[PurePosixPath, ...]:
        """Its annotation files below the source; where scores stand alone, their tables."""
        files = self.tables if self.is_scores_alone else self.masks
        return tuple(file.relative for file in files)

    @property
    def scores(self) -> Path | None:
        """The score table, or the first of several; None where there is none."""
        return self.tables[0].path if self.tables else None

    def __repr__(self) -> str:
        masks = counted(len(self.masks), "mask file")
        kind = f", {self.segmentation}" if self.segmentation else ""
        return f"<Item {visible(self.name)}: {masks}{kind}{', scores' if self.tables else ''}>"
