"""What every repair gives: a dataset anew, and the proof."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from nifti_kit.core import html
from nifti_kit.core.files import write_bytes
from nifti_kit.core.findings import Finding
from nifti_kit.core.geometry import Grid
from nifti_kit.core.report import Row, Summary
from nifti_kit.core.text import counted, guarded_cell, listed
from nifti_kit.datasets.dataset import Dataset, with_mended
from nifti_kit.datasets.items import Item, MaskFile, Origin, TableFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.datasets.surveys import survey_mask
from nifti_kit.errors import NiftiKitError, RepairRefused, visible
from nifti_kit.formats import deflate
from nifti_kit.formats.class_maps import ClassEntry, ClassMap, map_text, read_classes
from nifti_kit.formats.labels import label_frames
from nifti_kit.formats.nifti import GZIP_MAGIC, ImageFile

if TYPE_CHECKING:
    import pandas as pd

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Measure:
    """One label: voxels, volume (mm3), and the mean position of its voxels (RAS+ mm)."""

    voxels: int
    mm3: float
    centroid: Point


@dataclass(frozen=True)
class LabelChange:
    """One label before and after a repair; a side is None where the label is not there.

    Volumes are in mm3, centroids in RAS+ mm.
    """

    file: str
    value: int
    before: Measure | None
    after: Measure | None

    @property
    def moved_mm(self) -> float | None:
        """How far the centroid moved in world space (mm); None where one side is missing."""
        if self.before is None or self.after is None:
            return None
        return float(np.linalg.norm(np.subtract(self.after.centroid, self.before.centroid)))


@dataclass(frozen=True)
class FileChange:
    """What was done to a file, and how it stood before and after, in words."""

    file: str
    what: str
    before: str
    after: str


class Repair(Summary):
    """A dataset in which files are mended in memory, with the proof of what changed.

    Attributes
    ----------
    dataset
        The dataset to check, plan or repair further; the one that was given is as it was.
    files
        What was done to each file, and its alignment before and after.
    labels
        Each label of each mask: voxels, volume and centroid before and after.
    """

    row_word = "label"
    columns = (
        "file",
        "value",
        "voxels before",
        "voxels after",
        "mm3 before",
        "mm3 after",
        "centroid before (RAS+ mm)",
        "centroid after (RAS+ mm)",
        "moved (mm)",
    )

    def __init__(
        self,
        dataset: Dataset,
        mended: Sequence[PurePosixPath],
        files: Sequence[FileChange],
        labels: Sequence[LabelChange],
    ) -> None:
        self.dataset = dataset
        self.files = tuple(files)
        self.labels = tuple(labels)
        self._mended = tuple(mended)

    @property
    def lost(self) -> tuple[LabelChange, ...]:
        """The labels that had voxels before and have none now."""
        return tuple(change for change in self.labels if change.before and not change.after)

    @property
    def table(self) -> pd.DataFrame:
        """Which label value was which, a row for each old value of a file whose values changed.

        Columns: ``file``, ``old`` (in the file as it was), ``new`` (0 where it was left out).
        """
        import pandas as pd

        return pd.DataFrame(list(_values(self.dataset)), columns=["file", "old", "new"])

    def cells(self) -> Iterable[Row]:
        """Yield one row per label."""
        return map(_row, self.labels)

    def shown(self, cell: object) -> object:
        """Return a cell as it is: volumes to two places."""
        return cell

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write the repaired items to a new folder, with all their files, and return the paths.

        Written are the sets (volumes, masks, tables of one folder and case) that a mended file
        belongs to, and the class map: ``scan(folder)`` finds them as they are in ``dataset``.
        Where label values changed, the class map is written anew, by the new values, and
        ``relabelled.tsv`` says which value was which; so is one that was given to ``scan``. What
        else was said to ``scan`` (layout, words, bases) is said again to the new scan.

        Raises
        ------
        RepairRefused
            If the folder is not empty, lies in the source, or cannot be written; if its files
            cannot say the classes: given by file, or of two values.
        """
        return _saved(self.dataset, self._mended, Path(folder).expanduser())

    def title(self) -> str:
        """Return how much was mended, and how many labels are lost."""
        lost = f", {counted(len(self.lost), 'label')} LOST" if self.lost else ""
        files, labels = counted(len(self.files), "file"), counted(len(self.labels), "label")
        return f"Repair: {files}, {labels}{lost}"

    def __repr__(self) -> str:
        lines = [self.title()]
        for change in self.files:
            lines.append(f"  {change.file}: {change.what}")
            lines.append(f"    before: {change.before}")
            lines.append(f"    after:  {change.after}")
        several = len(self.files) > 1
        for label in self.labels:
            where = f"{label.file}, " if several else ""
            lines.append(f"    {where}value {label.value}: {_change(label)}")
        return "\n".join(map(visible, lines))

    def body(self, most_rows: int, most_lines: int) -> Iterator[html.Markup]:
        """Yield the files, and the labels below them."""
        head = ("file", "what was done", "before", "after")
        yield html.table(head, [tuple(asdict(change).values()) for change in self.files])
        yield from super().body(most_rows, most_lines)


def _values(dataset: Dataset) -> Iterator[tuple[str, int | float, int]]:
    """Yield file, old and new value of every label whose value a repair has changed."""
    for found in dataset.mended:
        for new, origin in found.origins.items():
            yield from ((str(found.relative), old, new) for old in origin.was)


def _change(label: LabelChange) -> str:
    """Return what became of a label, in words."""
    before, after = label.before, label.after
    if before is None or after is None:
        side = before or after
        assert side is not None  # else there is no such label
        what = "LOST" if after is None else "new"
        return f"{what}, {counted(side.voxels, 'voxel')}, {side.mm3:,.1f} mm3"
    same = before.voxels == after.voxels
    voxels = counted(after.voxels, "voxel")
    kept = f"{voxels} as before" if same else f"{before.voxels:,} -> {voxels}"
    return (
        f"{kept}, {before.mm3:,.1f} -> {after.mm3:,.1f} mm3, centre moved {label.moved_mm:.3f} mm"
    )


def _row(change: LabelChange) -> Row:
    sides = (change.before, change.after)
    voxels = [0 if side is None else side.voxels for side in sides]
    volumes = [0.0 if side is None else round(side.mm3, 2) for side in sides]
    centres = [
        "" if side is None else ", ".join(f"{mm:.2f}" for mm in side.centroid) for side in sides
    ]
    moved = "" if change.moved_mm is None else f"{change.moved_mm:.3f}"
    return (change.file, change.value, *voxels, *volumes, *centres, moved)


def repaired(
    dataset: Dataset,
    mended: Sequence[Mended],
    before: Mapping[PurePosixPath, dict[int, Measure]] = MappingProxyType({}),
) -> Repair:
    """Return the dataset with mended files in their places, and what that changed.

    ``before`` holds the labels of masks that could not be read as label maps.
    """
    anew = with_mended(dataset, mended)
    paths = [change.relative for change in mended]
    old, new = standings(dataset, paths), standings(anew, paths)
    files = [FileChange(str(c.relative), c.what, old[c.relative], new[c.relative]) for c in mended]
    labels = changed_labels(dataset, anew, paths, before)
    written = [change.relative for change in mended if change.content is not None]
    return Repair(anew, written, files, labels)


def standings(dataset: Dataset, files: Iterable[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Return how files lie against their volumes, in words."""
    places, there = _places(dataset), set(dataset.source.files)
    return {file: _standing(places.get(file), file in there) for file in files}


def changed_labels(
    dataset: Dataset,
    anew: Dataset,
    files: Iterable[PurePosixPath],
    before: Mapping[PurePosixPath, dict[int, Measure]] = MappingProxyType({}),
) -> list[LabelChange]:
    """Return each label of masks in two data sets; ``before`` is known of masks already."""
    old, new, found = _places(dataset), _places(anew), []
    for file in files:
        first, last = _labels(old.get(file)), _labels(new.get(file))
        first = before.get(file, first)
        found += [
            LabelChange(str(file), value, first.get(value), last.get(value))
            for value in sorted({*first, *last})
        ]
    return found


Place = tuple[Item, ImageFile]


def _places(dataset: Dataset) -> dict[PurePosixPath, Place]:
    return {image.relative: (item, image) for item in dataset.items for image in item.images}


def _standing(place: Place | None, is_there: bool) -> str:
    """Return how a file lies against its volume, in words."""
    if place is None:
        return "not usable" if is_there else "not there"
    item, image = place
    size = " x ".join(map(str, image.shape))
    if item.volume is None or item.volume is image:
        return f"{size} voxels"
    alignment = image.aligned_to(item.volume)
    if not np.isfinite(alignment.displacement_mm):
        return f"{alignment.verdict}: {size} voxels"
    return f"{alignment.verdict}: {size} voxels, {alignment.displacement_mm:.4g} mm"


def _labels(place: Place | None) -> dict[int, Measure]:
    """Return the labels of a mask; none of a volume, and none where they cannot be read."""
    if place is None or place[0].volume is place[1]:
        return {}
    try:
        return measured(label_frames(place[1]), place[1].grid)
    except NiftiKitError:
        return {}


def measured(frames: Iterable[Any], grid: Grid) -> dict[int, Measure]:
    """Return voxels, volume (mm3) and centroid (RAS+ mm) of every value but 0.

    ``frames`` are those of a label map, (i, j) each, along k.
    """
    counts: dict[int, int] = {}
    sums: dict[int, Any] = {}
    for k, frame in enumerate(frames):
        i, j = np.nonzero(frame)
        if not len(i):
            continue
        values, which = np.unique(frame[i, j], return_inverse=True)
        number = np.bincount(which)
        along = (np.bincount(which, i), np.bincount(which, j), number * k)
        for position, value in enumerate(values.tolist()):
            counts[value] = counts.get(value, 0) + int(number[position])
            sums[value] = sums.get(value, 0.0) + np.array([axis[position] for axis in along])
    with np.errstate(invalid="ignore"):  # of a mask that has no place in space
        voxel_mm3 = abs(float(np.linalg.det(grid.affine[:3, :3])))
    return {
        value: Measure(count, count * voxel_mm3, tuple(grid.world(sums[value] / count).tolist()))
        for value, count in sorted(counts.items())
    }


def _saved(dataset: Dataset, mended: Iterable[PurePosixPath], folder: Path) -> tuple[Path, ...]:
    _refuse_folder(dataset, folder)
    contents = {
        found.relative: found.content for found in dataset.mended if found.content is not None
    }
    classes = _renumbered_classes(dataset)
    chosen = _sets_of(dataset, set(mended), with_map=not classes)
    if by_file := dataset.choices.file_classes:
        raise RepairRefused(
            "the class of a file that was given in scan(classes=) is in none of the files",
            path=by_file[0][0],
            found=listed((name for _, name in by_file), SHOWN_CLASSES),
            remedy="Go on with repair.dataset, which has the classes; it is planned as it is.",
        )
    _refuse_other_classes(dataset, chosen, classes)
    written = []
    try:
        for relative in chosen:
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            if relative in contents:
                write_bytes(path, _as_named(relative, contents[relative]))
            else:
                shutil.copyfile(dataset.root / relative, path)
            written.append(path)
        written += _saved_values(dataset, classes, folder)
    except OSError as error:
        message = f"the repaired files cannot be written: {error}"
        raise RepairRefused(message, path=folder, remedy="Choose another folder.") from error
    return tuple(written)


def _refuse_folder(dataset: Dataset, folder: Path) -> None:
    inside = dataset.source.holds(folder)
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if inside or taken:
        raise RepairRefused(
            "source files are never touched" if inside else "the folder is not empty",
            path=folder,
            expected="a new folder outside of the source",
            remedy="Choose another folder.",
        )


def _refuse_other_classes(
    dataset: Dataset, chosen: Iterable[PurePosixPath], anew: Iterable[ClassEntry]
) -> None:
    """Refuse masks of which a value would be of another class by the class map that is saved."""
    known = {entry.value: entry.name for entry in dataset.classes}
    saved = {entry.value: entry.name for entry in anew} or known
    masks = list(semantic_masks(dataset))
    if not any(mask.origins for _, mask in masks):
        return
    files = set(chosen)
    for item, mask in masks:
        labels = survey_mask(dataset, item, mask).labels if mask.relative in files else None
        for value in labels.values if labels else ():
            unnamed = f"Segment_{value}"
            origin = mask.origins.get(value)
            entry = _renumbered(dataset.classes, value, origin) if origin else None
            name = entry.name if entry else known.get(value, unnamed)
            then = saved.get(value, unnamed)
            if then != name:
                raise RepairRefused(
                    "a class would have one value in some masks and another in others",
                    path=str(mask.relative),
                    found=f"{value} is {name} here",
                    expected=f"{value} would be {then} by the class map",
                    remedy="Relabel all masks of the set alike, or go on with repair.dataset.",
                )


def semantic_masks(dataset: Dataset) -> Iterator[tuple[Item, MaskFile]]:
    """Yield the masks whose values are classes, each with its item."""
    semantic = (item for item in dataset.items if item.segmentation == "semantic")
    return ((item, mask) for item in semantic for mask in item.masks)


def _sets_of(
    dataset: Dataset, mended: set[PurePosixPath], *, with_map: bool
) -> list[PurePosixPath]:
    """Return the files of every set (folder and case) that has a mended file, and the class map."""
    files_of = {
        item: [*(i.relative for i in item.images), *(t.relative for t in item.tables)]
        for item in dataset.items
    }
    sets = {item.set_key[:2] for item, files in files_of.items() if mended & set(files)}
    chosen = [
        file for item, files in files_of.items() if item.set_key[:2] in sets for file in files
    ]
    maps = [f for f in dataset.source.files if with_map and str(f) in dataset.classes.paths]
    return list(dict.fromkeys([*chosen, *sorted(mended), *maps]))


# Label values that changed: which was which, and the class map by the new ones

VALUES_FILE, CLASSES_FILE = "relabelled.tsv", "class_map.txt"
"""What a saved repair of label values has beside its files."""


def _saved_values(dataset: Dataset, classes: Sequence[ClassEntry], folder: Path) -> list[Path]:
    """Write which label value was which, and the class map by the new values, where there are."""
    written = []
    if rows := list(_values(dataset)):
        texts = [(guarded_cell(file), str(old), str(new)) for file, old, new in rows]
        lines = ["file\told\tnew", *map("\t".join, texts)]
        written.append(folder / VALUES_FILE)
        write_bytes(written[-1], "\n".join([*lines, ""]).encode())
    if classes:
        written.append(folder / CLASSES_FILE)
        write_bytes(written[-1], map_text(classes).encode())
        if read_classes(written[-1]) != ClassMap(tuple(classes)):
            raise RepairRefused(
                "the class map by the new values cannot be written as a text file",
                path=written[-1],
                found=listed((entry.name for entry in classes), SHOWN_CLASSES),
                remedy="Give shorter names without signs: nk.scan(..., classes={1: 'Femur'}).",
            )
    return written


SHOWN_CLASSES = 8
"""Classes that a refusal names before it counts the rest."""


def _renumbered_classes(dataset: Dataset) -> list[ClassEntry]:
    """Return the class map by the values as they are now; empty where the source has it so."""
    classes = dataset.classes
    known = {entry.value: entry for entry in classes}
    anew = dict(known)
    for _, mask in semantic_masks(dataset):
        for value, origin in mask.origins.items():
            if value and (entry := _renumbered(classes, value, origin)):
                anew[value] = entry
    if anew == known:
        of_source = {str(file) for file in dataset.source.files} & set(classes.paths)
        return [] if of_source else sorted(known.values(), key=lambda entry: entry.value)
    names: dict[str, ClassEntry] = {}
    for entry in sorted(anew.values(), key=lambda entry: entry == known.get(entry.value)):
        names.setdefault(entry.name, entry)  # by a new value before the one that it had
    return sorted(names.values(), key=lambda entry: entry.value)


def _renumbered(classes: ClassMap, value: int, origin: Origin) -> ClassEntry | None:
    """Return the class of a value that a repair made, by that value; None where it has none."""
    entry = classes.by_name(origin.name) or classes.by_value(origin.asked)
    if not (entry or origin.was or origin.name):
        return None
    name = origin.name or (entry.name if entry else f"Segment_{origin.asked}")
    return ClassEntry(value, name, entry.color if entry else None)


def _as_named(relative: PurePosixPath, content: bytes) -> bytes:
    """Return an image's bytes packed or not, as its name says: other readers go by the name."""
    packed = content[:2] == GZIP_MAGIC
    wanted = relative.name.casefold().endswith(".gz")
    if packed and not wanted:
        return deflate.unpack(content)
    return content


# Lookups: which files of a dataset are meant, by path, by finding, or by themselves


class _File(Protocol):
    @property
    def relative(self) -> PurePosixPath: ...


F = TypeVar("F", bound=_File)


def only_about(files: Any, *codes: str) -> Any:
    """Return those of some findings that are about certain codes; all else as it is.

    A repair that is given every error of a dataset takes up those that it is for.
    """
    if isinstance(files, (str, os.PathLike, Finding)) or not isinstance(files, Iterable):
        return files
    every = list(files)
    some = [found for found in every if isinstance(found, Finding) and found.code in codes]
    return some if some and all(isinstance(found, Finding) for found in every) else every


def masks_meant(dataset: Dataset, files: Any) -> list[tuple[Item, MaskFile]]:
    """Return the masks that are meant, each with its item; ``files`` are those of ``located``.

    Raises RepairRefused if there is no such file, or more than one, or it is no mask.
    """
    return _meant(dataset, files, "mask", "an annotation file of an item", lambda item: item.masks)


def tables_meant(dataset: Dataset, files: Any) -> list[tuple[Item, TableFile]]:
    """Return the score tables that are meant, each with its item; as ``masks_meant``."""
    return _meant(dataset, files, "score table", "a table of an item", lambda item: item.tables)


def _meant(
    dataset: Dataset,
    files: Any,
    kind: str,
    expected: str,
    files_of: Callable[[Item], Sequence[F]],
) -> list[tuple[Item, F]]:
    known = {file.relative: (item, file) for item in dataset.items for file in files_of(item)}
    meant = located(dataset, files, files_of)
    for relative in meant:
        if relative not in known:
            raise RepairRefused(
                f"it is no {kind} of this dataset",
                path=str(relative),
                expected=expected,
                remedy="The findings say why it is not used.",
            )
    return [known[relative] for relative in meant]


def located(
    dataset: Dataset, files: Any, of_item: Callable[[Item], Sequence[_File]] = lambda i: i.images
) -> list[PurePosixPath]:
    """Return the files that are meant, relative to the source, each once.

    ``dataset``: where they are.
    ``files``: a path (relative to the source, its end if that is unique, or absolute), a finding,
    an item, a mask, image or table file, or any of these in a sequence, such as
    ``findings.by_code()["mask-apart"]``.
    ``of_item``: which files of an item are meant.
    Raises RepairRefused if there is no such file, or more than one.
    """
    found = [_located(dataset, name) for name in _names(files, of_item)]
    if not found:
        raise RepairRefused("no file was given to repair", remedy="Give a path or a finding.")
    return list(dict.fromkeys(found))


def _names(
    files: Any, of_item: Callable[[Item], Sequence[_File]]
) -> Iterator[PurePosixPath | Path]:
    if isinstance(files, Item):
        yield from (file.relative for file in of_item(files))
    elif isinstance(files, (MaskFile, ImageFile, TableFile)):
        yield files.relative
    elif isinstance(files, Finding):
        yield PurePosixPath(files.path)
    elif isinstance(files, (str, os.PathLike)):
        yield Path(files)
    elif isinstance(files, Iterable):
        for each in files:
            yield from _names(each, of_item)
    else:
        raise RepairRefused(
            "that is no file", found=type(files).__name__, expected="a path, a finding or several"
        )


def _located(dataset: Dataset, name: PurePosixPath | Path) -> PurePosixPath:
    wanted = PurePosixPath(name.as_posix())
    if wanted.is_absolute():
        for root in (dataset.root, dataset.root.resolve()):
            if Path(name).is_relative_to(root):
                wanted = PurePosixPath(Path(name).relative_to(root).as_posix())
    known = dataset.source.files
    if wanted in known:
        return wanted
    ends = [
        file for file in known if wanted.parts and file.parts[-len(wanted.parts) :] == wanted.parts
    ]
    if len(ends) == 1:
        return ends[0]
    raise RepairRefused(
        "there are several such files" if ends else "there is no such file in the source",
        path=str(name),
        found=", ".join(map(str, ends[:5])) or None,
        remedy="Give the path relative to the source.",
    )
