"""Opening: an item's volume with its masks, read from its files, and the last one at hand."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nifti_kit.core.parallel import going_on
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import fingerprint_of
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.reading import chosen_volume
from nifti_kit.targets.records import PlannedItem, VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.widgets.parts.tasks import Cancelled
from nifti_kit.widgets.viewer.loading import (
    READERS,
    Drawing,
    Piece,
    RasImage,
    chosen_item,
    drawn,
    found_item,
    of_planned,
    unseen,
)
from nifti_kit.widgets.viewer.reading import (
    SURVEYED,
    KeptLabels,
    Stamp,
    is_surveyed,
    read_masks,
    stamp_of,
)

TITLES = ("As in the files", "Repaired")
"""Of two overlays that are shown one above the other, unless they are named."""

Chosen = PlannedItem | Item | str | int
Sets = list[tuple[str, list[Piece]]]


class Opened(NamedTuple):
    """A volume, and what is drawn over it."""

    image: RasImage
    drawing: Drawing


@dataclass
class _Last:
    """The item that was opened last, and what its files were: opened again, it is there at once.

    It is one, so that no more than a volume with its masks is in memory. ``known`` is what a
    dataset remembered of each file, for one that is scanned anew.
    """

    key: Hashable = None
    opened: Opened | None = None
    known: dict[Stamp, dict[str, Any]] = field(default_factory=dict)


_last = _Last()


def forget() -> None:
    """Let go of the item that was opened last."""
    _last.key, _last.opened, _last.known = None, None, {}


def open_item(  # noqa: PLR0913 (two of them are about what is in memory)
    source: Plan | Dataset,
    item: Chosen,
    *,
    target: Target | None = None,
    volume: VolumeRef | str | int | None = None,
    compare: Plan | Dataset | None = None,
    titles: tuple[str, str] = TITLES,
    is_kept: bool = True,
    known: RasImage | None = None,
) -> Opened:
    """Return an item's volume with its masks; each file that was not read before is read once.

    Parameters and errors are those of :meth:`ViewerModel.of_item`. The item that was opened last is
    at hand, as long as its files are the same; with ``is_kept`` this one takes its place. ``known``
    is its volume, where that was read already.
    """
    found = found_item(source, item)
    shown = _file_of(found, target, volume)
    stamps = _stamps(found)
    if _is_surveyed(source, found, stamps):
        chosen = chosen_item(source, found)
        sets = _sets(chosen, compare, titles, _pieces(source, found, chosen, stamps))
        key = _key(found.name, shown, sets, stamps)
        if _last.opened is not None and key is not None and key == _last.key:
            return _last.opened
    if is_kept:
        forget()  # before the next one is read: both would be in memory
    if shown is None:
        chosen = chosen_item(source, found)
        image = _landed(chosen, target, volume)
        sets = _sets(chosen, compare, titles, _pieces(source, found, chosen, stamps))
        return Opened(image, drawn(image.grid, sets))
    opened, sets = _read(source, found, shown, stamps, compare, titles, known)
    key = _key(found.name, shown, sets, stamps)
    if is_kept and key is not None and not _is_cancelled():
        _last.key, _last.opened, _last.known = key, opened, _known(source, stamps)
    return opened


def _read(
    source: Plan | Dataset,
    found: PlannedItem | Item,
    shown: ImageFile,
    stamps: Mapping[ImageFile, Stamp],
    compare: Plan | Dataset | None,
    titles: tuple[str, str],
    known: RasImage | None,
) -> tuple[Opened, Sets]:
    """Return an item, read from its files, and what was drawn."""
    with ThreadPoolExecutor(1) as pool:
        # Beside the masks: it is most of the work where there are few of them.
        reading = pool.submit(_volume, source, found.name, shown, known)
        kept: dict[ImageFile, KeptLabels] = {}
        if isinstance(source, Dataset) and isinstance(found, Item):
            kept = read_masks(source, [mask.image for mask in found.masks], READERS)
        chosen = chosen_item(source, _waited_for(source, found))
        # A grid that cannot be used is refused before anything is drawn on it.
        grid = reading.result().grid if shown.grid.problem else shown.grid.to_ras()
        pieces = _pieces(source, found, chosen, stamps, kept)
        sets = _sets(chosen, compare, titles, pieces)
        drawing = drawn(grid, sets)
        return Opened(reading.result(), drawing), sets


def _waited_for(source: Plan | Dataset, found: PlannedItem | Item) -> PlannedItem | Item:
    """Return an item without the masks whose reading was cancelled: nothing reads them again."""
    if isinstance(source, Dataset) and isinstance(found, Item):
        masks = tuple(mask for mask in found.masks if is_surveyed(source, mask.image))
        return found if masks == found.masks else replace(found, masks=masks)
    return found


def _is_cancelled() -> bool:
    """Say whether a person does not wait any more: what is read then may be a part."""
    try:
        going_on()
    except Cancelled:
        return True
    return False


def _file_of(
    found: PlannedItem | Item, target: Target | None, volume: VolumeRef | str | int | None
) -> ImageFile | None:
    """Return the volume's file; None where it is looked for on the target."""
    there = found.volume_id if isinstance(found, PlannedItem) and volume is None else volume
    return found.volume if target is None or there is None else None


def _landed(
    item: PlannedItem, target: Target | None, volume: VolumeRef | str | int | None
) -> RasImage:
    """Return the volume of a planned item that is on the target."""
    wanted = item.volume_id if volume is None else volume
    if target is not None and wanted is not None:
        return RasImage.of_target(target, chosen_volume(target, wanted))
    raise NiftiKitError(
        f"the volume of {item.name!r} is on the target, not in the source",
        remedy="Give the target, and the volume: of_item(..., target=target, volume=...).",
    )


def _volume(source: Plan | Dataset, name: str, file: ImageFile, known: RasImage | None) -> RasImage:
    if known is not None:
        return known
    if isinstance(source, Dataset):
        fingerprint_of(source, file)
    image = RasImage.of_file(name, file)
    _ = image.presets  # worked out here, while masks are read
    return image


def _stamps(found: PlannedItem | Item) -> dict[ImageFile, Stamp]:
    """Return what the files of an item are, before they are read."""
    stamps = {image: stamp_of(image) for image in found.images}
    return {image: stamp for image, stamp in stamps.items() if stamp is not None}


def _is_surveyed(
    source: Plan | Dataset, found: PlannedItem | Item, stamps: Mapping[ImageFile, Stamp]
) -> bool:
    """Say whether nothing has to be read to plan an item, with what is known of its files."""
    if not isinstance(source, Dataset) or isinstance(found, PlannedItem):
        return True
    for image, stamp in stamps.items():
        for what, value in _last.known.get(stamp, {}).items():
            source.memory.setdefault((what, image), value)
    return all(is_surveyed(source, mask.image) for mask in found.masks)


def _known(
    source: Plan | Dataset, stamps: Mapping[ImageFile, Stamp]
) -> dict[Stamp, dict[str, Any]]:
    """Return what a dataset remembers of files; a fault names its path, and is not shared."""
    memory = source.memory if isinstance(source, Dataset) else {}
    known: dict[Stamp, dict[str, Any]] = {}
    for image, stamp in stamps.items():
        found = {what: memory[what, image] for what in SURVEYED if (what, image) in memory}
        _, fault = found.get(SURVEYED[0], (None, None))
        if fault is None:
            known[stamp] = found
    return known


def _sets(
    chosen: PlannedItem,
    compare: Plan | Dataset | None,
    titles: tuple[str, str],
    pieces: list[Piece],
) -> Sets:
    if compare is None:
        return [("", pieces)]
    other = found_item(compare, chosen.name)
    others = _pieces(compare, other, chosen_item(compare, other), _stamps(other))
    return list(zip(titles, (pieces, others), strict=True))


def _pieces(
    source: Plan | Dataset,
    found: PlannedItem | Item,
    chosen: PlannedItem,
    stamps: Mapping[ImageFile, Stamp],
    kept: Mapping[ImageFile, KeptLabels] | None = None,
) -> list[Piece]:
    """Return what is drawn of an item, and what nobody will see: a plan names it as a blocker."""
    pieces = of_planned(chosen.objects, chosen.volume, kept, stamps)
    if isinstance(source, Dataset) and isinstance(found, Item):
        pieces += unseen(source, found)
    return pieces


def _key(
    name: str,
    shown: ImageFile | None,
    sets: Sequence[tuple[str, Iterable[Piece]]],
    stamps: Mapping[ImageFile, Stamp],
) -> Hashable:
    """Return all that a volume and what is drawn over it depend on; None where it is not known."""
    stamp = None if shown is None else stamps.get(shown)
    every = [piece for _, pieces in sets for piece in pieces]
    if stamp is None or any(piece.source is None for piece in every):
        return None
    drawings = tuple(
        (title, tuple((p.origin, tuple(p.parts.items()), p.source) for p in pieces))
        for title, pieces in sets
    )
    return name, stamp, drawings
