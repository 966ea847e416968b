"""Files by what their names say: volumes, annotations and tables of a plane, and their indices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from nifti_kit.core.findings import Finding, finding
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import SCORE, VOLUME, FileName, natural_key, parse_name, stem
from nifti_kit.formats.nifti import ImageFile


@dataclass(frozen=True)
class Files:
    """The files that a layout groups."""

    images: tuple[ImageFile, ...]  # the readable NIfTI files, in natural order
    # The CSV files as (path, relative path), in natural order.
    tables: tuple[tuple[Path, PurePosixPath], ...]
    segmentation: str = "auto"  # ``auto``, ``semantic`` or ``instance``
    # The NIfTI files that are no usable images: what belongs to them has no volume.
    unreadable: tuple[PurePosixPath, ...] = ()
    # Further type words of annotations (:func:`nifti_kit.datasets.names.further_words`).
    annotation_words: tuple[str, ...] = ()
    # Whether each folder is read by its own layout, since no layout was chosen.
    by_folder: bool = False

    def named(self, image: ImageFile) -> NamedFile:
        """Return an image with what its name says."""
        name = parse_name(image.relative.name, self.annotation_words)
        return NamedFile(name, image.relative, image)

    def lost(self) -> list[NamedFile]:
        """Return what the names of the unreadable files say."""
        words = self.annotation_words
        return [NamedFile(parse_name(file.name, words), file) for file in self.unreadable]


@dataclass
class Grouping:
    """The items of a layout, and what found no place in it: relative path to reason."""

    items: list[Item] = field(default_factory=list)
    unused: dict[PurePosixPath, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def folder_of(relative: PurePosixPath) -> str:
    """Return a file's folder below the source; empty for the source itself."""
    return "" if relative.parent == PurePosixPath() else str(relative.parent)


def note_prefixed_names(
    images: Sequence[ImageFile], names: Sequence[str], grouping: Grouping
) -> None:
    """Name the volumes whose platform name is not their file's, because others are alike."""
    for image, name in zip(images, names, strict=True):
        if name != f"{stem(image.relative.name)}.nrrd":
            message = f"it is named {name}"
            grouping.findings.append(finding("name-prefixed", image.relative, message))


NO_PLANE = "its name has no plane (axl, cor or sag)"


@dataclass(frozen=True)
class NamedFile:
    """A file, or a table, with what its name says."""

    name: FileName
    relative: PurePosixPath
    image: ImageFile | None = None
    path: Path | None = None

    @property
    def set_key(self) -> tuple[str, str]:
        """Folder and case: what the files of one set share."""
        return (str(self.relative.parent), self.name.case)


@dataclass(frozen=True)
class Link:
    """An annotation or table of a volume: its index behind the volume's own number, or None."""

    file: NamedFile
    index: int | None
    extends: bool


def sorted_by_role(
    files: Files, grouping: Grouping
) -> tuple[list[NamedFile], list[NamedFile], list[NamedFile]]:
    """Return volumes, annotations, and the files whose names lack a plane or a role."""
    volumes: list[NamedFile] = []
    annotations: list[NamedFile] = []
    others: list[NamedFile] = []
    for image in files.images:
        named = files.named(image)
        name = named.name
        if name.role == "ambiguous":
            message = "its name says both volume and annotation"
            grouping.findings.append(finding("role-ambiguous", image.relative, message))
            grouping.unused[image.relative] = ""
        elif name.plane is None or name.role is None:
            others.append(named)
        else:
            (volumes if name.role == VOLUME else annotations).append(named)
    return volumes, annotations, others


def named_tables(
    tables: Iterable[tuple[Path, PurePosixPath]], grouping: Grouping
) -> list[NamedFile]:
    """Return the score tables of a plane; name the tables that are none."""
    named = []
    for path, relative in tables:
        name = parse_name(relative.name)
        if name.role == SCORE and name.plane:
            named.append(NamedFile(name, relative, None, path))
        else:
            grouping.unused[relative] = "its name has no 'score' and no plane (axl, cor or sag)"
    return named


def is_instance(links: Iterable[Sequence[Link]], segmentation: str) -> bool:
    """Say whether a set is instance segmentation: several files of a plane, or an index."""
    if segmentation != "auto":
        return segmentation == "instance"
    return any(len(own) > 1 or any(link.index is not None for link in own) for own in links)


def linked_masks(
    links: Sequence[Link],
    own: tuple[int, ...],
    *,
    instance: bool,
    grouping: Grouping,
    names: Mapping[PurePosixPath, str] = MappingProxyType({}),
) -> tuple[MaskFile, ...]:
    """Return the masks of a volume, with their class index for instance segmentation.

    A file without an index is class 1; for one with the volume's ``own`` number that number is
    its index. ``names`` has the files whose words are their class.
    """
    bare = own[-1] if own else 1
    masks = []
    taken: dict[int | None, PurePosixPath] = {}
    for link in links:
        if link.file.image is not None and link.file.relative in names:
            masks.append(MaskFile(link.file.image, None, names[link.file.relative]))
            continue
        number = bare if link.file.name.tail else 1
        index = (number if link.index is None else link.index) if instance else None
        if index in taken and link.file.image is not None:
            what = f"class index {index}" if instance else "the semantic label map"
            message = f"{taken[index].name} is {what} too"
            found = finding("annotation-repeated", link.file.relative, message)
            grouping.findings.append(found)
        taken.setdefault(index, link.file.relative)
        if link.file.image is not None:
            masks.append(MaskFile(link.file.image, index))
    return tuple(sorted(masks, key=lambda mask: (mask.index or 0, natural_key(mask.relative))))


def table_files(
    links: Iterable[Link], names: Mapping[PurePosixPath, str] = MappingProxyType({})
) -> tuple[TableFile, ...]:
    """Return the tables of an item, with the index, or the class, that each of them speaks of."""
    return tuple(
        TableFile(link.file.path, link.file.relative, link.index, names.get(link.file.relative))
        for link in links
        if link.file.path is not None
    )
