"""Repairs of images with several frames (4D): contrasts, points in time, a mask of a class each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.memory import mapped_array
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset, with_mended
from nifti_kit.datasets.items import Item, MaskFile, Origin
from nifti_kit.datasets.names import stem
from nifti_kit.datasets.scanning import Mended
from nifti_kit.errors import NiftiKitError, RepairRefused, UnsupportedImage, a_number
from nifti_kit.formats import nifti
from nifti_kit.formats.labels import INTEGER_TOLERANCE
from nifti_kit.formats.nifti import Frames, encode_image, open_frames
from nifti_kit.repairs.align import refuse_merged
from nifti_kit.repairs.repair import Measure, Repair, located, measured, only_about, repaired

SHOWN = 8
"""Frames that a sentence names before it counts the rest."""

MOST = 0.5
"""A channel that holds more of the image than this may be the background."""


def pick_frame(dataset: Dataset, files: Any, frame: int) -> Repair:
    """Return the dataset with 4D images cut down to one frame, which is kept bit for bit.

    The frames that are left are named in an error, ``frames-left``, which a person can waive.

    Parameters
    ----------
    dataset, files
        As for :func:`nifti_kit.repairs.take_header`: volumes or masks.
    frame
        Which one, from 1, along the fourth dimension.

    Raises
    ------
    UnsupportedImage
        If a file has no such frame.
    UnreadableFile
        If a file is damaged.
    """
    mended = []
    for relative in located(dataset, files):
        frames = _frames(dataset, relative)
        content = nifti.pick_frame(frames.path, relative, frame, frames.content)
        left = _left(frames, [frame])
        mended.append(Mended(relative, content, f"picked frame {frame}", left))
    return repaired(dataset, mended)


def split_frames(dataset: Dataset, files: Any, frames: Iterable[int] | int | None = None) -> Repair:
    """Return the dataset with a volume for each frame of 4D images, bit for bit.

    ``MR.nii.gz`` becomes ``MR_0.nii.gz``, ``MR_1.nii.gz``, ..., each with the masks of ``MR``; by
    plane each frame becomes a set in a folder of its own, ``frame_0``, ``frame_1``, .... A mask of
    as many frames that is given too goes to the volumes frame by frame.

    Parameters
    ----------
    dataset, files
        As for :func:`nifti_kit.repairs.take_header`: volumes, and masks that have frames too.
    frames
        Which ones, from 1; all of them by default. Those that are left are named in an error,
        ``frames-left``, which a person can waive.

    Raises
    ------
    RepairRefused
        If a file is no volume with frames, has score tables, or a file would take another's name.
    UnsupportedImage
        If a file has no such frame.
    UnreadableFile
        If a file is damaged.
    """
    frames = [frames] if isinstance(frames, int) else frames
    for frame in frames or ():
        a_number(frame, "a frame")
    wanted = None if frames is None else sorted({int(frame) for frame in frames})
    stacks = _stacks(dataset, only_about(files, "image-unsupported", "mask-frames"))
    for stack in stacks.values():
        _refuse_frames(stack, wanted)
    mended: list[Mended] = []
    seen: set[PurePosixPath] = set()
    for item in _with_first_frames(dataset, stacks.values()).items:
        if item.volume is not None and item.volume.relative in stacks:
            mended += _Split(dataset, item, stacks, wanted).mended()
            seen |= {image.relative for image in item.images}
    for relative in stacks:
        if relative not in seen:
            raise RepairRefused(
                "it is no volume, nor a mask of a volume that is split with it",
                path=str(relative),
                remedy="A mask of a class in each frame: nk.repairs.merge_frames(dataset, "
                f"{str(relative)!r}). Label maps of points in time: give their volume too.",
            )
    _refuse_taken(dataset, mended, stacks)
    return repaired(dataset, mended)


@dataclass(frozen=True)
class _Split:
    """One item whose volume has frames."""

    dataset: Dataset
    item: Item
    stacks: Mapping[PurePosixPath, Frames]
    wanted: list[int] | None

    def mended(self) -> Iterator[Mended]:
        assert self.item.volume is not None  # that is why it is split
        volume = self.item.volume.relative
        stack = self.stacks[volume]
        numbers = self.wanted or list(range(1, stack.count + 1))
        self._refuse_unclear(stack)
        made = [self._path(volume, number) for number in numbers]
        what = f"split into {listed(made, SHOWN)}"
        yield Mended(volume, None, what, _left(stack, numbers))
        yield from self._split(stack, numbers)
        for mask in self.item.masks:
            if mask.relative in self.stacks:
                yield Mended(mask.relative, None, "split with its volume")
                yield from self._split(self.stacks[mask.relative], numbers)
                continue
            if self.dataset.layout == "pairs":
                continue  # the frames stand in their image's place in the pairs
            yield Mended(mask.relative, None, f"put to each frame of {volume.name}")
            content = mask.image.content
            content = mask.image.path.read_bytes() if content is None else content
            for number in numbers:
                what = f"{mask.relative}, for frame {number} of {volume.name}"
                path = self._path(mask.relative, number)
                placed = "split_frames" if len(numbers) > 1 else ""
                yield Mended(path, content, what, origins=mask.origins, placed=placed)

    def _split(self, stack: Frames, numbers: Sequence[int]) -> Iterator[Mended]:
        for number, stored in enumerate(stack, start=1):
            if number in numbers:
                path = self._path(stack.relative, number)
                what = f"frame {number} of {stack.relative}"
                yield Mended(path, stack.file(stored), what)

    def _path(self, relative: PurePosixPath, number: int) -> PurePosixPath:
        """Return where the frame of a number (from 1) of a volume, or its mask, goes."""
        assert self.item.volume is not None
        volume = self.item.volume.relative
        if self.item.plane is not None:
            return relative.parent / f"frame_{number - 1}" / relative.name
        name = f"{stem(volume.name)}_{number - 1}"
        if relative == volume:
            return volume.with_name(name + volume.name.removeprefix(stem(volume.name)))
        return volume.parent / name / relative.name

    def _refuse_unclear(self, stack: Frames) -> None:
        if self.item.tables:
            table = self.item.tables[0].relative
            raise RepairRefused(
                "a score table does not say which frame of the volume it is for",
                path=str(table),
                found=f"{stack.count} frames in {stack.relative.name}",
                remedy=f"nk.repairs.pick_frame(dataset, {str(stack.relative)!r}, frame) for that "
                "frame.",
            )
        for mask in self.item.masks:
            other = self.stacks.get(mask.relative)
            if other is None and _frames(self.dataset, mask.relative).count > 1:
                names = f"[{str(stack.relative)!r}, {str(mask.relative)!r}]"
                raise RepairRefused(
                    "a mask of the volume has frames too, and was not given",
                    path=str(mask.relative),
                    remedy=f"Frame by frame: nk.repairs.split_frames(dataset, {names}). If each "
                    "is the mask of a class, first: nk.repairs.merge_frames(dataset, "
                    f"{str(mask.relative)!r}).",
                )
            if other is not None and other.count != stack.count:
                raise RepairRefused(
                    "a mask has not as many frames as its volume",
                    path=str(mask.relative),
                    found=f"{other.count} frames",
                    expected=f"{stack.count} frames, as {stack.relative}",
                    remedy="If each frame is the mask of a class: nk.repairs.merge_frames("
                    f"dataset, {str(mask.relative)!r}).",
                )
        with_frames = any(mask.relative in self.stacks for mask in self.item.masks)
        paired = self.dataset.layout == "pairs" and not with_frames
        if self.dataset.layout not in ("by_volume", "by_plane") and not paired:
            raise RepairRefused(
                f"in the layout {self.dataset.layout} names do not say which mask a frame has",
                path=str(stack.relative),
                remedy="Scan with layout='by_volume', split and save, and give the pairs of the "
                "saved folder: nk.scan(folder, pairs=...).",
            )


def _frames(dataset: Dataset, relative: PurePosixPath) -> Frames:
    contents = {found.relative: found.content for found in dataset.mended}
    return open_frames(dataset.root / relative, relative, contents.get(relative))


def _stacks(dataset: Dataset, files: Any) -> dict[PurePosixPath, Frames]:
    """Return the images that are meant; of several, those that are no image of frames are not."""
    meant = located(dataset, files)
    stacks = {}
    for relative in meant:
        try:
            stacks[relative] = _frames(dataset, relative)
        except UnsupportedImage:
            if len(meant) == 1:
                raise
    several = {relative: stack for relative, stack in stacks.items() if stack.count > 1}
    return several or stacks


def _refuse_frames(stack: Frames, wanted: Sequence[int] | None) -> None:
    """Refuse an image of one frame, and frames that it does not have."""
    absent = [frame for frame in wanted or () if not 1 <= frame <= stack.count]
    if stack.count == 1 or absent or wanted == []:
        raise RepairRefused(
            "the image has no such frames" if stack.count > 1 else "the image has one frame only",
            path=str(stack.relative),
            found=listed(absent, SHOWN) or None,
            expected=f"frames from 1 to {stack.count}" if stack.count > 1 else None,
            remedy="A file of dimensions of length 1 needs no repair." if stack.count == 1 else "",
        )


def _left(stack: Frames, taken: Sequence[int]) -> str:
    """Return which frames do not land, in words; empty where all of them do."""
    left = [number for number in range(1, stack.count + 1) if number not in taken]
    if not left:
        return ""
    do = "does" if len(left) == 1 else "do"
    noun = "frame" if len(left) == 1 else "frames"
    return f"{noun} {listed(left, SHOWN)} of {stack.count} {do} not land"


def _with_first_frames(dataset: Dataset, stacks: Iterable[Frames]) -> Dataset:
    """Return the dataset with one frame of each image: what says where the files belong."""
    every = {stack.relative: stack for stack in stacks}
    for found in dataset.findings:
        if found.code in ("image-unsupported", "mask-frames"):
            with suppress(NiftiKitError):  # it has a finding, and no frames
                stack = _frames(dataset, PurePosixPath(found.path))
                every.setdefault(stack.relative, stack)
    first = [
        Mended(s.relative, nifti.pick_frame(s.path, s.relative, 1, s.content), "looked at")
        for s in every.values()
    ]
    return with_mended(dataset, first)


def _refuse_taken(
    dataset: Dataset, mended: Sequence[Mended], replaced: Iterable[PurePosixPath]
) -> None:
    """Refuse a new file that would take the name of another one, which is not replaced."""
    gone = {found.relative for found in mended if found.content is None}
    names = set(dataset.source.files) - gone - set(replaced)
    folders = {parent for name in names for parent in name.parents}
    for found in mended:
        if found.content is None:
            continue
        if found.relative in names or found.relative in folders:
            raise RepairRefused(
                "a frame would take the name of another file",
                path=str(found.relative),
                remedy="Rename the file that is there.",
            )
        names.add(found.relative)


# A mask of a class in each frame


def merge_frames(
    dataset: Dataset,
    files: Any,
    names: Sequence[str] | None = None,
    *,
    threshold: float | None = None,
    background: int | None = None,
) -> Repair:
    """Return the dataset with label maps of masks that have a class in each frame (one-hot).

    Where each value of a label map is a class (semantic) and no voxel is in two channels, the
    channels become one label map, values 1, 2, ... in their order. Else each becomes a mask file
    of its own, ``organs_1.nii.gz``, ``organs_2.nii.gz``, ...: so overlaps are kept.

    A channel that holds exactly the voxels of no other one is the background and is left out,
    which is said; where several could be it, it is the first one, if it is the largest.

    Parameters
    ----------
    dataset, files
        As for :func:`nifti_kit.repairs.take_header`.
    names
        The names of the classes, in the order of the channels without the background.
    threshold
        For channels of probabilities: values of at least this are in the class.
    background
        Which channel is background, from 1; 0: none is.

    Raises
    ------
    RepairRefused
        If a channel is no mask, it is not known which one is background, or names do not fit.
    UnreadableFile
        If a file is damaged.
    """
    stacks = _stacks(dataset, only_about(files, "mask-frames"))
    for stack in stacks.values():
        _refuse_frames(stack, None)
    probe = _with_first_frames(dataset, stacks.values())
    places = {mask.relative: (item, mask) for item in probe.items for mask in item.masks}
    read = []
    for relative, stack in stacks.items():
        if relative not in places:
            raise RepairRefused(
                "it is no mask of this dataset",
                path=str(relative),
                remedy="A volume of each frame: nk.repairs.split_frames(dataset, "
                f"{str(relative)!r}).",
            )
        channels = _Channels(stack, *places[relative], threshold)
        if threshold is None:
            refuse_merged(channels.mask.image, "give a threshold: merge_frames(..., threshold=1)")
        channels.read(background)
        read.append(channels)
    _refuse_unlike(probe, read)
    mended: list[Mended] = []
    before: dict[PurePosixPath, dict[int, Measure]] = {}
    together = not any(one.overlaps for one in read)
    for one in read:
        classes = _named(one, names)
        as_one = one.item.segmentation == "semantic" or one.item.plane is not None
        if as_one and together:
            content = encode_image(one.merged(), one.mask.grid, one.mask.relative)
            origins = {v: Origin((), v, name) for v, name in classes.items() if name}
            placed = "" if names else "merge_frames"
            path = one.stack.relative
            mended.append(Mended(path, content, one.what(), origins=origins, placed=placed))
            before[one.stack.relative] = one.measures
        else:
            mended += one.apart(classes, before)
    _refuse_taken(dataset, mended, stacks)
    return repaired(dataset, mended, before)


class _Channels:
    """The channels of a mask file, each in or out at every voxel."""

    def __init__(self, stack: Frames, item: Item, mask: MaskFile, threshold: float | None) -> None:
        self.stack, self.item, self.mask, self.threshold = stack, item, mask, threshold
        self.voxels: list[int] = []
        self.background = 0
        self.overlaps = 0
        self.measures: dict[int, Measure] = {}

    @property
    def _volume(self) -> str:
        """How the volume is written in a remedy."""
        return "volume" if self.item.volume is None else repr(str(self.item.volume.relative))

    @property
    def values(self) -> dict[int, int]:
        """Channel (from 1) to label value: 1, 2, ... without the background."""
        kept = [c for c in range(1, self.stack.count + 1) if c != self.background]
        return {channel: value for value, channel in enumerate(kept, start=1)}

    def __iter__(self) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
        """Yield each channel's number, from 1, and its voxels, (i, j, k)."""
        for channel, stored in enumerate(self.stack, start=1):
            yield channel, self._inside(channel, self.stack.values(stored))

    def _inside(self, channel: int, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise self._no_mask(channel, "values that are not finite (NaN or infinite)")
        if self.threshold is not None:
            return np.asarray(values >= self.threshold)
        inside = np.asarray(np.abs(values) > INTEGER_TOLERANCE)
        some = values[inside]
        if some.size and (some.min() < 0 or some.max() - some.min() > INTEGER_TOLERANCE):
            within = some.min() > 0 and some.max() <= 1 + INTEGER_TOLERANCE
            few = values.dtype.kind != "f" or bool((some == np.rint(some)).all())
            raise self._no_mask(
                channel, f"values from {some.min():g} to {some.max():g}", within, few
            )
        return inside

    def _no_mask(
        self,
        channel: int,
        found: str,
        probability: bool = False,
        whole: bool = False,
    ) -> RepairRefused:
        name = str(self.stack.relative)
        remedy = "Save it as a label map, or as one mask for each class."
        if probability:
            remedy = (
                "Channels of probabilities need a threshold: nk.repairs.merge_frames(dataset, "
                f"{name!r}, threshold=0.5)."
            )
        elif whole:
            remedy = (
                "If the frames are label maps of points in time, give their volume too: "
                f"nk.repairs.split_frames(dataset, [{self._volume}, {name!r}]). One of them: "
                f"nk.repairs.pick_frame(dataset, {name!r}, {channel})."
            )
        return RepairRefused(
            "a channel is no mask of one class",
            path=name,
            found=f"{found} in channel {channel} of {self.stack.count}",
            expected="0 and one other value",
            remedy=remedy,
        )

    def read(self, background: int | None) -> None:
        """Find what each channel holds, where they overlap, and which one is the background."""
        hits = mapped_array(self.stack.shape, np.uint16)
        for _, inside in self:
            self.voxels.append(int(np.count_nonzero(inside)))
            hits += inside
        apart = [channel for channel, inside in self if not hits[inside].max(initial=1) > 1]
        fits = [channel for channel in apart if self.voxels[channel - 1]]
        self.background = self._background(background, fits if hits.all() else [])
        for channel, inside in self:
            if channel == self.background:
                hits -= inside
            else:
                value = self.values[channel]
                frames = (inside[:, :, k] * np.uint16(value) for k in range(inside.shape[2]))
                self.measures |= measured(frames, self.mask.grid)
        self.overlaps = int(np.count_nonzero(hits > 1))

    def _background(self, given: int | None, fits: Sequence[int]) -> int:
        if given is not None:
            if not 0 <= given <= self.stack.count:
                raise RepairRefused(
                    "there is no such channel",
                    path=str(self.stack.relative),
                    found=f"background={given}",
                    expected=f"1 to {self.stack.count}, or 0 for none",
                )
            return given
        most = max(self.voxels)
        largest = next((channel for channel in fits if self.voxels[channel - 1] == most), 0)
        if largest <= 1 or len(fits) == 1:
            return largest
        name = str(self.stack.relative)
        raise RepairRefused(
            "it is not known which channel is the background",
            path=name,
            found=f"every voxel is in one channel; the largest is {largest}, not the first",
            remedy=f"nk.repairs.merge_frames(dataset, {name!r}, background={largest}) leaves it "
            "out; background=0 keeps all.",
        )

    def merged(self) -> npt.NDArray[Any]:
        """Return one label map of channels that do not overlap."""
        kind = np.uint8 if self.stack.count <= np.iinfo(np.uint8).max else np.uint16
        voxels = mapped_array(self.stack.shape, kind)
        for channel, inside in self:
            if channel in self.values:
                voxels[inside] = self.values[channel]
        return voxels

    def apart(
        self, classes: Mapping[int, str], before: dict[PurePosixPath, dict[int, Measure]]
    ) -> Iterator[Mended]:
        """Yield a mask file for each channel that has voxels, and the file itself as gone."""
        files = []
        value_of = self.values
        for channel, inside in self:
            if channel not in value_of or not self.voxels[channel - 1]:
                continue
            number = value_of[channel]
            name = f"{stem(self.stack.relative.name)}_{number}"
            if classes[number] and self.item.plane is None:
                name = classes[number]
            path = self.stack.relative.with_name(f"{name}.nii.gz")
            label = number if self.item.segmentation == "semantic" and not self.item.plane else 1
            kind = np.dtype(np.uint8 if label <= np.iinfo(np.uint8).max else np.uint16)
            voxels = np.where(inside, kind.type(label), kind.type(0))
            content = encode_image(voxels, self.mask.grid, self.mask.relative)
            before[path] = {label: self.measures[number]}
            origin = {label: Origin((), label, classes[number])} if classes[number] else {}
            what = f"channel {channel} of {self.stack.relative}"
            placed = "" if classes[number] else "merge_frames"
            files.append(Mended(path, content, what, origins=origin, placed=placed))
        names = listed([found.relative.name for found in files], SHOWN)
        yield Mended(self.stack.relative, None, f"{self.what()}; a mask each: {names}")
        yield from files

    def what(self) -> str:
        """Return what became of the channels, in words."""
        total = int(np.prod(self.stack.shape))
        kept = [f"{channel} -> {value}" for channel, value in self.values.items()]
        said = [f"channels to labels: {listed(kept, SHOWN)}"]
        if self.threshold is not None:
            said[0] += f", of values of at least {self.threshold:g}"
        if self.background:
            said.append(f"channel {self.background} is the background and is left out")
        empty = [channel for channel in self.values if not self.voxels[channel - 1]]
        if empty:
            said.append(f"without a voxel: channel {listed(empty, SHOWN)}")
        if self.overlaps:
            said.append(f"{self.overlaps:,} voxels are in several classes, and stay so")
        large = [c for c in self.values if self.voxels[c - 1] > MOST * total]
        if large:
            share = self.voxels[large[0] - 1] / total
            said.append(
                f"channel {large[0]} holds {share:.0%} of the image: background={large[0]} leaves "
                "it out, if it is that"
            )
        return "; ".join(said)


_FILE_NAME = re.compile(r"[^\W_](?:[\w .()+,-]{0,98}[\w()+])?")
"""A class name that can be a file's name on every system."""


def _named(one: _Channels, names: Sequence[str] | None) -> dict[int, str]:
    """Return label value to class name; empty where none was given."""
    values = list(one.values.values())
    if names is None:
        return dict.fromkeys(values, "")
    if one.overlaps and one.item.plane is not None:
        raise RepairRefused(
            "classes overlap, so by plane each becomes a file with a number, and no name",
            path=str(one.stack.relative),
            remedy="Give the names by number: nk.scan(..., classes={1: 'Femur', 2: 'Tibia'}).",
        )
    given = [names] if isinstance(names, str) else [str(name).strip() for name in names]
    if len(given) == one.stack.count and one.background:
        given.pop(one.background - 1)
    if len(given) != len(values) or len({name.casefold() for name in given}) != len(given):
        raise RepairRefused(
            "the names do not fit the channels",
            path=str(one.stack.relative),
            found=f"{len(given)} names: {listed(given, SHOWN)}",
            expected=f"{len(values)} different names"
            + (f", channel {one.background} being the background" if one.background else ""),
        )
    for name in given:
        if not _FILE_NAME.fullmatch(name) or name.casefold().endswith((".nii", ".gz")):
            raise RepairRefused(
                "a class cannot have this name here: it would be a file's name",
                path=str(one.stack.relative),
                found=repr(name),
                expected="letters, digits, spaces, and . ( ) + , _ -",
            )
    return dict(zip(values, given, strict=True))


def _refuse_unlike(probe: Dataset, read: Sequence[_Channels]) -> None:
    """Refuse overlaps by plane where a file for each class would change what others mean."""
    chosen = {one.stack.relative for one in read}
    if not any(one.overlaps for one in read):
        return
    for one in read:
        if one.item.plane is None:
            continue
        sets = [item for item in probe.items if item.set_key == one.item.set_key]
        others = [m.relative for item in sets for m in item.masks if m.relative not in chosen]
        numbered = one.mask.index not in (None, 1) or len(one.item.masks) > 1
        if others or numbered or probe.choices.segmentation == "semantic":
            raise RepairRefused(
                "classes overlap, and by plane only a file for each class can hold that",
                path=str(one.stack.relative),
                found="its set has other annotation files, or is read as semantic: "
                + (listed(others, SHOWN) or one.stack.relative.name),
                remedy="Merge all annotation files of the set in one call, and scan without "
                "segmentation='semantic'.",
            )
