"""The page of a data set: what is in it, what is not, and what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from nifti_kit.checks import check
from nifti_kit.core import html
from nifti_kit.core.findings import Findings, findings_markup
from nifti_kit.core.html import Illustration, Markup
from nifti_kit.core.parallel import with_progress
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import of_kind
from nifti_kit.pages import sections
from nifti_kit.pages.contents import ClassContent, Contents, ItemContent, contents_of, look_through

PAGE_ROWS = 500
"""Rows of a table on a page: 0.6 MB, which a phone still unfolds at once."""

REPR_ROWS = 25
"""Rows of a table in a notebook: what stands openly on the page."""

NAMED = 5
"""Files that a line names before it counts the rest."""


class DatasetPage(Report):
    """What is in a data set: items, classes with their volumes, grey values, findings.

    Attributes
    ----------
    items
        What each item has.
    classes
        How much of each class is in which item (ml), by pixel value.
    findings
        What is wrong or worth knowing.
    miniatures
        Small pictures by the name of an item, of the first ones.
    unused
        The files that will not land, below the source.
    """

    word: ClassVar[str] = "page"
    row_word: ClassVar[str] = "item"
    columns: ClassVar[tuple[str, ...]] = (
        *("item", "folder", "plane", "shape", "voxel size (mm)", "axes", "type"),
        *("lowest", "percentile 1", "median", "percentile 99", "highest", "undefined voxels"),
        *("masks", "objects", "classes", "labelled (ml)"),
    )

    def __init__(
        self,
        dataset: Dataset,
        contents: Contents,
        findings: Findings,
        pictures: dict[str, Illustration],
    ) -> None:
        self.name = dataset.source.given.name or str(dataset.source.given)
        self.layout = dataset.layout
        self.items: tuple[ItemContent, ...] = contents.items
        self.classes: tuple[ClassContent, ...] = contents.classes
        self.findings = findings
        self.miniatures = pictures
        self.unused: tuple[str, ...] = tuple(
            path.relative_to(dataset.root).as_posix() for path in dataset.unused
        )

    @property
    def ok(self) -> bool:
        """True when nothing blocks an upload."""
        return self.findings.ok

    @property
    def without_mask(self) -> tuple[str, ...]:
        """The names of the volumes that have no mask file."""
        return tuple(
            one.item.name
            for one in self.items
            if one.item.volume is not None and not one.item.masks
        )

    @property
    def without_label(self) -> tuple[str, ...]:
        """The names of the items that have mask files, and no label in them that can land."""
        return tuple(one.item.name for one in self.items if one.item.masks and not one.objects)

    @property
    def without_voxel(self) -> tuple[str, ...]:
        """The names of the classes that the class map has, and no item."""
        return tuple(found.name for found in self.classes if not found.amounts)

    def title(self) -> str:
        """Return the numbers of everything in one line."""
        masks = sum(len(one.item.masks) for one in self.items)
        objects = sum(one.objects for one in self.items)
        return (
            f"{self.name}: layout {self.layout}, {counted(len(self.items), 'item')}, "
            f"{counted(masks, 'mask file')}, {counted(len(self.classes), 'class')}, "
            f"{counted(objects, 'object')}; {self.findings.summary()}"
        )

    def rows(self) -> Iterable[Row]:
        """Yield a row for each item; shapes and voxel sizes are three numbers, in file order."""
        return map(_row, self.items)

    def lines(self) -> Sequence[str]:
        """Return what is not there."""
        gaps = (
            ("No mask file", self.without_mask),
            ("Masks without a label", self.without_label),
            ("Classes in no item", self.without_voxel),
            ("Unused files", self.unused),
        )
        return [f"{what}: {len(some):,} ({listed(some, NAMED)})" for what, some in gaps if some]

    def facts(self) -> dict[str, Any]:
        """Return the classes, what is not there, and the findings."""
        return {
            "source": self.name,
            "layout": self.layout,
            "ok": self.ok,
            "classes": [_class_facts(found) for found in self.classes],
            "without_mask": list(self.without_mask),
            "without_label": list(self.without_label),
            "unused": list(self.unused),
            "findings": json.loads(self.findings.to_json()),
        }

    def shown(self, cell: object) -> object:
        """Return a cell in text: sizes as ``0.7 x 0.7 x 3``."""
        if isinstance(cell, tuple):
            return " x ".join(f"{number:.4g}" for number in cell)
        return super().shown(cell)

    def body(self, most_rows: int, most_lines: int) -> Iterator[Markup]:
        """Yield the parts that need no picture: so many rows of each table, the others counted."""
        yield from self._tables(most_rows)
        for line in self._said(most_lines):
            yield html.element("p", line)

    def _tables(self, most_rows: int) -> Iterator[Markup]:
        yield sections.overview(self.items)
        yield html.element("h2", "Classes")
        present = [found for found in self.classes if found.amounts]
        yield from sections.classes_table(present, self.items, most_rows)
        yield html.element("h2", "Items")
        yield from sections.items_table(self.items, most_rows)

    def _page(self) -> str:
        return html.page(self.name, *self._parts(), style=sections.STYLE)

    def _parts(self) -> Iterator[Markup]:
        yield html.element("p", self.title().removeprefix(f"{self.name}: "))
        yield from self._tables(PAGE_ROWS)
        if self.miniatures:
            yield html.element("h2", "Pictures")
            yield from sections.tiles(self.miniatures, self.items)
        yield html.element("h2", "What is not there")
        yield sections.names("Volumes without a mask file", self.without_mask)
        if self.without_label:
            yield sections.names("Items whose masks hold no label", self.without_label)
        if self.without_voxel:
            yield sections.names("Classes of the class map that no item has", self.without_voxel)
        yield sections.names("Files that are not used", self.unused)
        yield html.element("h2", "Findings")
        yield from findings_markup(self.findings)

    def _repr_html_(self) -> str:
        more = "The page with pictures and findings: save('page.html')."
        parts = self.body(REPR_ROWS, sys.maxsize)
        return html.join([html.title(self.title()), *parts, html.element("p", more)])


def _row(one: ItemContent) -> list[object]:
    image, greys = one.image, one.greys
    return [
        one.item.name,
        one.item.folder,
        one.item.plane or "",
        image and image.shape,
        image and tuple(image.grid.voxel_size),
        one.axes,
        image and image.dtype.name,
        greys and greys.lowest,
        greys and greys.low,
        greys and greys.middle,
        greys and greys.high,
        greys and greys.highest,
        greys and greys.undefined,
        len(one.item.masks),
        one.objects,
        len(one.amounts),
        sum(one.amounts.values()),
    ]


def _class_facts(found: ClassContent) -> dict[str, Any]:
    color = None if found.color is None else "#{:02X}{:02X}{:02X}".format(*found.color)
    return {"value": found.value, "name": found.name, "color": color, "ml": found.amounts}


def report(
    dataset: Dataset,
    *,
    findings: Findings | None = None,
    on_item: Callable[[int, Item], Any] | None = None,
) -> DatasetPage:
    """Return a page of a data set: what is in it, what is not, and what is wrong.

    It has the shapes, voxel sizes (mm), axes and types of the items, the grey values of their
    volumes, the classes with their volumes (ml), what has no mask, what is unused, the findings
    of :func:`nifti_kit.check` with their pictures, and a small picture of each of the first items.
    Each volume is read once; one item for each processor is in memory at a time, the volumes of
    them as evenly spread samples.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    findings
        What :func:`nifti_kit.check` returned, such as with waivers; it is checked by default.
    on_item
        Called with the place (from 0) of each item and the item before its files are read, and
        again before they are checked; what it raises ends the work. A bar by default.

    Raises
    ------
    WrongArgument
        If ``dataset`` is no dataset, or ``findings`` are none.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> page = nk.report(nk.scan("data_samples/by_volume"))
    >>> page.to_frame()["axes"].tolist()
    ['LPS', 'LAS', 'RAS']
    """
    of_kind(dataset, Dataset, "nk.scan(...)")
    if findings is not None:
        of_kind(findings, Findings, "nk.check(...)")
    items = with_progress(dataset.items, on_item, "Reading volumes", "item")
    seen = look_through(dataset, items)
    findings = check(dataset, on_item=on_item) if findings is None else findings
    return DatasetPage(dataset, contents_of(dataset, seen), findings, seen.pictures)
