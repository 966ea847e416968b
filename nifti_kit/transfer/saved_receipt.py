"""Saved receipts: what is known of an upload by the JSON file that was kept of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import counted, read_text
from nifti_kit.errors import UnreadableFile, a_path, visible
from nifti_kit.targets.records import CustomData, SliceScores
from nifti_kit.transfer.receipt import SCHEMA, VERSION, Receipt


@dataclass(frozen=True)
class SavedObject:
    """An object that landed."""

    # Its numbers, keys and class on the target.
    id: int
    key: str
    figure_id: int
    figure_key: str
    class_name: str
    # Its pixel value in the mask that was read, and how many voxels it had.
    value: int
    voxels: int
    # The mask's path below the source, and its checksum; None in a receipt of release 0.1.
    source: str
    sha256: str | None
    # The colour that was planned for its class, as ``#RRGGBB``; None in one of release 0.1.
    color: str | None
    scores: CustomData  # its custom data: by plane and RAS+ slice, from 0
    added: bool  # false if it was there before, and was the same


@dataclass(frozen=True)
class SavedUpdate:
    """The scores of one plane of a figure that was there: ``before``, and since.

    Numbers, keys and class are those of its object; ``source`` and ``sha256`` those of the table.
    """

    id: int
    key: str
    figure_id: int
    figure_key: str
    class_name: str
    value: int
    source: str
    sha256: str | None
    plane: str
    before: SliceScores
    scores: SliceScores


@dataclass(frozen=True)
class SavedVolume:
    """A volume of the target with what landed on it."""

    id: int
    key: str
    name: str
    dataset: str
    added: bool  # false if the volume was there before
    # The image's path below the source, and its checksum; None for a volume that was there, and the
    # checksum in a receipt of release 0.1.
    source: str | None
    sha256: str | None
    objects: tuple[SavedObject, ...]
    updates: tuple[SavedUpdate, ...]


class SavedReceipt(Report):
    """What a receipt says that was kept as JSON; the files themselves are not asked for.

    Attributes
    ----------
    target
        Where it landed, in words.
    volumes
        The volumes with their objects.

    :meth:`content` has all that the file holds: choices, waivers, repairs, versions, findings.
    """

    word, columns = Receipt.word, Receipt.columns

    def __init__(self, volumes: Sequence[SavedVolume], content: Mapping[str, Any]) -> None:
        self.volumes = tuple(volumes)
        self.target: str = content["target"]
        self._content = dict(content)

    @property
    def objects(self) -> tuple[SavedObject, ...]:
        """Every object of every volume."""
        return tuple(landed for volume in self.volumes for landed in volume.objects)

    @property
    def updates(self) -> tuple[SavedUpdate, ...]:
        """The scores of figures that were there, of every volume."""
        return tuple(update for volume in self.volumes for update in volume.updates)

    def title(self) -> str:
        """Return what landed in one line, and when."""
        when = self._content.get("ended") or "kept by release 0.1"
        updated = f", {counted(len(self.updates), 'score update')}" if self.updates else ""
        return (
            f"Receipt: {counted(len(self.volumes), 'volume')}, "
            f"{counted(len(self.objects), 'object')}{updated} on {self.target}, {when}"
        )

    def rows(self) -> Iterator[Row]:
        """Yield one row per object and update of scores, as the receipt had them."""
        for volume in self.volumes:
            where = volume.id, volume.name
            for one in volume.objects:
                scores = sum(map(len, one.scores.values()))
                yield *where, one.id, one.class_name, one.value, one.voxels, scores, one.source
            for new in volume.updates:
                yield *where, new.id, new.class_name, new.value, 0, len(new.scores), new.source

    def content(self) -> dict[str, Any]:
        """Return what the file holds."""
        return self._content


def read_receipt(path: str | os.PathLike[str]) -> SavedReceipt:
    """Return what a receipt says that was saved as JSON, by this release or by 0.1.

    Neither the source nor the target is asked. A receipt of release 0.1 has no checksums, colours,
    choices and times.

    Parameters
    ----------
    path
        What ``receipt.save("receipt.json")`` wrote.

    Returns
    -------
    SavedReceipt
        Volumes with their objects: numbers, keys, class, pixel value, voxels, source, scores.

    Raises
    ------
    UnreadableFile
        If the file cannot be read, is no receipt, or is one of a later form.
    WrongArgument
        If ``path`` is no path.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> receipt = nk.read_receipt("out/receipt.json")  # doctest: +SKIP
    >>> receipt.volumes[0].objects[0].sha256  # doctest: +SKIP
    """
    a_path(path)
    file = Path(path)
    try:
        content = json.loads(read_text(file, what="receipt"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnreadableFile):
            raise
        found = "JSON that is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _no_receipt(file, found) from error
    part = _Part(file, content, "the file")
    form = part.known("schema", str, "") or SCHEMA
    if form != SCHEMA or part.known("version", int, VERSION) != VERSION:
        raise _no_receipt(file, f"{visible(form)}, version {content.get('version')}")
    part.fields(target=str, backup=(str, NoneType), left_out=list, findings=list)
    return SavedReceipt([_volume(one) for one in part.parts("volumes")], content)


def _volume(part: _Part) -> SavedVolume:
    return SavedVolume(
        **part.fields(id=int, key=str, name=str, dataset=str, added=bool, source=(str, NoneType)),
        sha256=part.known("sha256", str, None),
        objects=tuple(map(_object, part.parts("objects"))),
        updates=tuple(map(_update, part.parts("updates"))),
    )


_FIGURE: dict[str, type] = {
    "id": int, "key": str, "figure_id": int, "figure_key": str, "class": str, "value": int,
}  # fmt: skip

_NAMES = {"class": "class_name"}
"""What a field is called here: ``class`` is a word of Python."""


def _object(part: _Part) -> SavedObject:
    return SavedObject(
        **part.fields(**_FIGURE, voxels=int, source=str, added=bool),
        sha256=part.known("sha256", str, None),
        color=part.known("color", str, None),
        scores=part.nested("scores", 2),
    )


def _update(part: _Part) -> SavedUpdate:
    return SavedUpdate(
        **part.fields(**_FIGURE, source=str, plane=str),
        sha256=part.known("sha256", str, None),
        before=part.nested("before", 1),
        scores=part.nested("scores", 1),
    )


class _Part:
    """A JSON object of a receipt, whose fields are asked for by their kinds."""

    def __init__(self, file: Path, content: Any, where: str) -> None:
        self.file, self.where = file, where
        if not isinstance(content, dict):
            raise _no_receipt(file, f"{where} is no JSON object")
        self.content: dict[str, Any] = content

    def fields(self, /, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
        """Return the values of fields that every receipt has."""
        for name, kind in kinds.items():
            if name not in self.content:
                raise _no_receipt(self.file, f"{self.where} has no {name!r}")
            self._refuse(name, kind)
        return {_NAMES.get(name, name): self.content[name] for name in kinds}

    def known(self, name: str, kind: type, default: Any) -> Any:
        """Return the value of a field that receipts of release 0.1 lack."""
        if self.content.get(name) is None:
            return default
        self._refuse(name, kind)
        return self.content[name]

    def parts(self, name: str) -> list[_Part]:
        """Return the objects of a list."""
        own = self.fields(**{name: list})[name]
        return [_Part(self.file, one, f"{name}[{at}]") for at, one in enumerate(own)]

    def nested(self, name: str, depth: int) -> Any:
        """Return a dictionary of dictionaries, so many deep."""
        own: dict[str, Any] = self.fields(**{name: dict})[name]
        inner = _Part(self.file, own, f"{name!r} of {self.where}")
        for key in own if depth else ():
            inner.nested(key, depth - 1)
        return own

    def _refuse(self, name: str, kind: type | tuple[type, ...]) -> None:
        if not isinstance(self.content[name], kind):
            found = type(self.content[name]).__name__
            raise _no_receipt(self.file, f"{name!r} of {self.where} is of the type {found}")


def _no_receipt(file: Path, found: str) -> UnreadableFile:
    return UnreadableFile(
        "this is no receipt that can be read",
        path=file,
        found=found,
        expected=f"a receipt as JSON ({SCHEMA}, version {VERSION}; or of release 0.1)",
        remedy="Give the file that receipt.save('receipt.json') wrote; "
        "for one of a later release, update nifti_kit.",
    )
