"""Candidates: the volumes of a target for one annotation file, the likeliest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from nifti_kit.datasets.items import TableFile
from nifti_kit.targets.target import VolumeRef
from nifti_kit.widgets.mapping.candidates import Annotation, Volumes
from nifti_kit.widgets.parts.table import Column, Row, Table

__all__ = ["Candidates"]

COLUMNS = (
    Column("volume", "Volume"),
    Column("both", "Words in both"),
    Column("one", "In one alone"),
    Column("place", "Place"),
    Column("now", "Now"),
    Column("choose", "Choose", "button"),
    Column("preview", "Look", "button"),
)


class Candidates(Table):
    """A row for each volume; its buttons choose it, or draw the file over it.

    Parameters
    ----------
    volumes
        Those of the target.
    choose, preview
        Called with the volume's id.
    """

    def __init__(
        self, volumes: Volumes, choose: Callable[[int], None], preview: Callable[[int], None]
    ) -> None:
        self._volumes = volumes
        self._does = {"choose": choose, "preview": preview}
        self._about: tuple[str, Sequence[int]] = ("", ())
        self._now: int | None = None
        super().__init__(COLUMNS, on_press=self._pressed)

    def show(self, annotation: Annotation | None, likely: Sequence[int], now: int | None) -> None:
        """List the volumes for a file, those in ``likely`` first; for no file nothing.

        ``now`` is the volume that it has.
        """
        before, self._now = self._now, now
        about = (annotation.key if annotation else "", likely)
        if about == self._about:
            # Of thousands of rows two differ: the volume that it had, and the one that it has.
            concerned = {str(before), str(now)}
            self.rows = tuple(
                _with_now(row, now) if row.key in concerned else row for row in self.rows
            )
            return
        self._about = about
        ranked = self._volumes.ranked(annotation, likely) if annotation else ()
        self.search, self.page = "", 0
        self.rows = tuple(
            _with_now(self._row(annotation, ref, at), now)
            for at, ref in enumerate(ranked)
            if annotation is not None
        )

    def _row(self, annotation: Annotation, ref: VolumeRef, at: int) -> Row:
        place = self._volumes.placed(annotation, ref, at)
        both, one = annotation.words_with(self._volumes.name_of(ref))
        drawn = "" if isinstance(annotation.file, TableFile) else "Preview"
        cells = {
            "volume": self._volumes.label(ref.id),
            "both": both,
            "one": one,
            "place": place.text,
            "preview": drawn,
        }
        return Row(str(ref.id), cells, tone="good" if place.lands and drawn else "")

    def _pressed(self, key: str, name: str) -> None:
        self._does[name](int(key))


def _with_now(row: Row, now: int | None) -> Row:
    """Return a row that says whether its volume is the one that the file has."""
    is_now = row.key == str(now)
    said = {"now": "its volume" if is_now else "", "choose": "" if is_now else "Choose"}
    return replace(row, cells={**row.cells, **said})
