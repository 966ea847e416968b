"""Tables: what each class has; where a file says its voxels are, how masks lie on volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from traitlets import Any as AnyTrait
from traitlets import HasTraits, Unicode

from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.class_maps import (
    ClassEntry,
    ClassMap,
    Color,
    color_text,
    hex_color,
    map_text,
    read_classes,
)
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.targets.records import PlannedObject
from nifti_kit.widgets.parts.table import Column, Row, Table

if TYPE_CHECKING:
    import pandas as pd

CLASS_COLUMNS = (
    Column("value", "Value", "number"),
    Column("class", "Class", "edit"),
    Column("color", "Colour", "edit"),
    Column("voxels", "Voxels", "number"),
    Column("mm3", "Volume (mm³)", "number"),
    Column("items", "Items", "number"),
)

FIXED_COLUMNS = tuple(
    replace(column, kind="text") if column.kind == "edit" else column for column in CLASS_COLUMNS
)
"""Where a file is a class: it has the file's name."""

NAMED = 8
"""Classes that an error names before it counts the rest."""


@dataclass
class ClassCount:
    """A class as it will land, and how much of it there is in all items together.

    An organ that is in three planes counts in each. The colour is None for a class that does not
    occur, and to which the class map gives none.
    """

    value: int  # or the index of its files, where each file is a class
    name: str
    color: Color | None
    voxels: int = 0
    mm3: float = 0.0
    items: list[str] = field(default_factory=list)


def class_counts(
    dataset: Dataset, tell: Callable[[float, str], None] = lambda _, __: None
) -> list[ClassCount]:
    """Return the classes, sorted by value; each mask is read once in a dataset's life.

    ``tell`` is that of :func:`nifti_kit.widgets.inspect.model.look_closer`.
    """
    planner = ItemPlanner(dataset)
    counts: dict[str, ClassCount] = {}
    for at, item in enumerate(dataset.items):
        tell(at / len(dataset.items), f"Counting {item.name}")
        for planned in planner.volume(item).objects:
            _add(counts, planned, item.name)
    for known in planner.classes():
        counts[known.name].value = known.value
    for entry in dataset.classes:
        if entry.name not in counts:
            counts[entry.name] = ClassCount(entry.value, entry.name, entry.color)
    return sorted(counts.values(), key=lambda found: (found.value, found.name))


def _add(counts: dict[str, ClassCount], planned: PlannedObject, item: str) -> None:
    name = planned.class_name
    found = counts.setdefault(name, ClassCount(planned.value, name, planned.color))
    found.voxels += planned.voxels
    found.mm3 += planned.mm3
    if item not in found.items:
        found.items.append(item)


def class_rows(counts: Iterable[ClassCount]) -> tuple[Row, ...]:
    """Return rows for a table, in which a value has a patch of its class's colour."""
    return tuple(
        Row(
            found.name,
            _cells(found),
            tone="" if found.voxels else "note",
            colors={"value": found.color} if found.color else {},
            hints={"items": ", ".join(found.items) or "no voxel of any item has this class"},
        )
        for found in counts
    )


def color_of(text: str) -> Color | None:
    """Return a colour as a person wrote it, ``#FF8000`` or ``255 128 0``; None for nothing."""
    words = text.replace(",", " ").split()
    color = hex_color(f"#{words[0].lstrip('#')}") if len(words) == 1 else None
    numbers = [int(word) for word in words if word.isdecimal()]
    if len(words) == len(numbers) == 3 and max(numbers) <= 255:  # noqa: PLR2004
        color = (numbers[0], numbers[1], numbers[2])
    if words and color is None:
        raise NiftiKitError(
            "it is no colour", found=repr(text), remedy="Write it as #FF8000, or as 255 128 0."
        )
    return color


def class_map_text(counts: Iterable[ClassCount]) -> str:
    """Return a class map as the specification has it; refuse names that do not read back."""
    entries = tuple(ClassEntry(found.value, found.name, found.color) for found in counts)
    text = map_text(entries)
    with TemporaryDirectory() as folder:
        path = Path(folder, "class_map.txt")
        path.write_text(text, "utf-8")
        if read_classes(path) != ClassMap(entries):
            raise NiftiKitError(
                "these names cannot be written as a text file",
                found=listed((entry.name for entry in entries), NAMED),
                remedy="Give shorter names without signs.",
            )
    return text


def _cells(found: ClassCount) -> dict[str, object]:
    return {
        "value": found.value,
        "class": found.name,
        "color": color_text(found.color) if found.color else "",
        "voxels": found.voxels,
        "mm3": round(found.mm3, 1),
        "items": len(found.items),
    }


# Header panel: where a file says that its voxels are, and how a mask lies on its volume

CODES = {0: "not set", 1: "scanner", 2: "aligned", 3: "Talairach", 4: "MNI 152", 5: "template"}
"""What sform_code and qform_code stand for (NIfTI-1)."""

UNITS = {1000.0: "metres", 1.0: "millimetres", 0.001: "microns"}

VERDICTS = {
    "same": "the same grid as its volume",
    "rounding": "the same grid, but for the rounding of a header",
    "flipped": "the same voxels, counted from other ends",
    "permuted": "the same voxels, with their axes in another order",
    "cropped": "a part of its volume's voxels",
    "other form": "the same grid, by the other form of its volume's header",
    "axes exchanged": "the volume's shape with its axes in another order",
    "header lost": "as many voxels, but the mask's header says nothing of their place",
    "translated": "the same axes, at another place",
    "resampled": "another grid that meets the volume's",
    "apart": "it does not meet its volume",
    "unusable": "one of the two headers gives no place",
}
"""What each verdict of :func:`nifti_kit.core.geometry.compare_grids` means."""

HEADER_COLUMNS = (
    Column("file", "Mask"),
    Column("verdict", "Verdict", filtered=True),
    Column("mm", "Displaced (mm)", "number"),
    Column("voxels", "In voxels", "number"),
    Column("overlap", "Inside the volume", "number"),
    Column("meaning", "What it means"),
)


def header_fields(image: ImageFile) -> list[tuple[str, str]]:
    """Return what a file's header says, as names and texts.

    The affine that counts is the sform where its code is above 0, else the qform, else the voxel
    size alone (NIfTI-1). Affines take voxel indices from 0 to RAS+ mm.
    """
    grid, (sform_code, qform_code) = image.grid, image.codes
    counts = "sform" if sform_code > 0 else "qform" if qform_code > 0 else "voxel size alone"
    return [
        ("File", str(image.relative)),
        (
            "Format",
            f"NIfTI-{image.version}{', gzip' if image.is_packed else ''}, {image.dtype.name}",
        ),
        ("Shape", f"{_by(image.shape)} voxels"),
        ("Voxel size", f"{_by(grid.voxel_size)} mm"),
        ("Unit in the header", UNITS.get(image.unit_mm, f"{image.unit_mm:g} mm")),
        ("Axes", "unusable" if grid.problem else _axes(image)),
        ("Affine that counts", counts),
        ("Affine", _matrix(grid.affine)),
        ("sform", _form(sform_code, image.sform)),
        ("qform", _form(qform_code, image.qform)),
        ("sform and qform", _distance(image)),
        (
            "Values",
            f"stored x {image.slope:g} + {image.intercept:g}" if image.is_scaled else "as stored",
        ),
        *([("Problem", grid.problem)] if grid.problem else []),
    ]


def _by(numbers: Any) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _axes(image: ImageFile) -> str:
    ways = {"R": "right", "L": "left", "A": "anterior", "P": "posterior"}
    ways |= {"S": "superior", "I": "inferior"}
    codes = image.grid.axis_codes
    said = f"{codes}: i to {ways[codes[0]]}, j to {ways[codes[1]]}, k to {ways[codes[2]]}"
    return said + (f"; sheared by {image.grid.shear_degrees:.2g}°" if image.grid.is_sheared else "")


def _matrix(affine: npt.NDArray[np.float64]) -> str:
    return "\n".join("  ".join(f"{value + 0.0:10.4f}" for value in row) for row in affine[:3])


def _form(code: int, affine: npt.NDArray[np.float64] | None) -> str:
    said = f"code {code} ({CODES.get(code, 'unknown')})"
    return said if affine is None else f"{said}\n{_matrix(affine)}"


def _distance(image: ImageFile) -> str:
    if image.sform is None or image.qform is None:
        return "only one of them, or none, is set"
    return f"at most {image.form_distance_mm:.4g} mm apart"


def alignment_rows(item: Item) -> tuple[Row, ...]:
    """Return a row for each mask: how its grid lies against its volume's (mm, voxels)."""
    if item.volume is None:
        return ()
    rows = []
    for mask in item.masks:
        found = mask.image.aligned_to(item.volume)
        cells = {
            "file": str(mask.relative),
            "verdict": found.verdict,
            "mm": _finite(found.displacement_mm),
            "voxels": _finite(found.displacement_voxels),
            "overlap": f"{found.overlap:.0%}",
            "meaning": VERDICTS[found.verdict],
        }
        rows.append(Row(str(mask.relative), cells, tone="good" if found.lands else "error"))
    return tuple(rows)


def _finite(number: float) -> float | str:
    return round(number, 4) if np.isfinite(number) else "other shape"


class HeaderPanel(HasTraits):
    """The headers of an item's files, one at a time, and the alignment of its masks."""

    item = AnyTrait()
    file = Unicode()  # which of the item's files is shown: its path below the source

    def __init__(self, item: Item | None = None) -> None:
        super().__init__()
        self.alignments = Table(HEADER_COLUMNS)
        self.show(item)

    @property
    def files(self) -> list[str]:
        """The item's files that have a header: the volume first."""
        return [] if self.item is None else [str(image.relative) for image in self.item.images]

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What the header of the file says; see :func:`header_fields`."""
        images = () if self.item is None else self.item.images
        shown = [image for image in images if str(image.relative) == self.file]
        return header_fields(shown[0]) if shown else []

    def show(self, item: Item | None) -> None:
        """Show another item, beginning with its volume."""
        self.file = ""
        self.item = item
        self.file = next(iter(self.files), "")
        self.alignments.rows = () if item is None else alignment_rows(item)

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`: the fields of the file's header."""
        import pandas as pd

        return pd.DataFrame(self.fields, columns=["field", "value"])
