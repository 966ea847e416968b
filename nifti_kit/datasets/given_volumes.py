"""What a person says of single files: left out, or of another volume than names say."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import listed
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import is_nifti, parse_name, stem
from nifti_kit.datasets.sources import Source
from nifti_kit.errors import BadSource
from nifti_kit.formats.nifti import ImageFile

LACKING = "planes-incomplete"
"""The finding of a set of planes without one of the three."""

NEAR = 3
"""Files that an error names beside one that is not there."""


def paths_of(files: str | Iterable[str]) -> tuple[str, ...]:
    """Return paths below a source as they were given, one or several."""
    given = (files,) if isinstance(files, str | os.PathLike) else tuple(files)
    return tuple(dict.fromkeys(map(_path, given)))


def paired_paths(volumes: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return files with their volumes, as paths below a source."""
    if volumes is not None and not isinstance(volumes, Mapping):
        raise BadSource(
            "volumes are in no known form",
            found=repr(volumes),
            expected="{'p1/axl_inference.nii.gz': 'p2/axl_anatomic.nii.gz'}",
        )
    return tuple((_path(file), _path(volume)) for file, volume in (volumes or {}).items())


def _path(given: object) -> str:
    path = str(PurePosixPath(str(given).strip().replace("\\", "/")))
    return "" if path == "." else path  # the source itself


def without(source: Source, left_out: Iterable[str]) -> tuple[Source, list[PurePosixPath]]:
    """Return a source without some of its files, and these files.

    Raises BadSource if there is no such file.
    """
    gone = [_file(source, "leave_out", path) for path in left_out]
    if not gone:
        return source, gone
    files = tuple(file for file in source.files if file not in set(gone))
    return replace(source, files=files, original=source.original or source), gone


def _file(source: Source, choice: str, path: str) -> PurePosixPath:
    """Return a file of the source, whether or not it is left out already."""
    file = PurePosixPath(path)
    known = {*source.files, *(source.original.files if source.original else ())}
    if file in known:
        return file
    every = {str(one).casefold(): str(one) for one in known}
    near = difflib.get_close_matches(path.casefold(), every, n=NEAR, cutoff=0.0)
    raise BadSource(
        f"{choice} names a file that is not in the source",
        path=path,
        expected=listed((every[one] for one in near), NEAR) or "the source has no file",
        remedy="Write the file's path below the source, as findings have it.",
    )


def as_delivered(findings: Iterable[Finding], folders: Iterable[str]) -> Iterator[Finding]:
    """Yield findings; sets that are known to lack planes are no error.

    Raises BadSource if a folder has no set that lacks one.
    """
    given, lacking = set(folders), {found.path for found in findings if found.code == LACKING}
    if strays := given - lacking:
        raise BadSource(
            "incomplete names a folder whose sets of planes are complete, or that is not there",
            path=min(strays),
            expected=listed(sorted(lacking), NEAR) or "no set lacks a plane",
            remedy="Leave it out of incomplete=.",
        )
    for found in findings:
        is_known = found.code == LACKING and found.path in given
        yield finding("planes-fewer", found.path, found.message) if is_known else found


class GivenVolumes:
    """The annotation files and score tables to which a person gave a volume.

    Raises BadSource if a file or a volume is not in the source.
    """

    def __init__(self, source: Source, volumes: Iterable[tuple[str, str]]) -> None:
        self._root = source.root
        self._repeated: list[Finding] = []
        self.files: dict[PurePosixPath, PurePosixPath] = {}
        for path, volume in volumes:
            file = _file(source, "volumes", path)
            if not is_nifti(file.name) and file.suffix.casefold() != ".csv":
                raise BadSource(
                    "volumes gives a volume to a file that is no annotation and no score table",
                    path=path,
                    remedy="Leave it out of volumes=.",
                )
            if file in source.files:  # else it is left out
                self.files[file] = _file(source, "volumes", volume)

    @property
    def findings(self) -> Iterator[Finding]:
        """A finding for each of them: it stays on record; and for a class that is there twice."""
        for file, volume in self.files.items():
            yield finding("volume-given", file, f"of the volume {volume}, as was chosen")
        yield from self._repeated

    def attached(
        self,
        items: Sequence[Item],
        images: Iterable[ImageFile],
        words: tuple[str, ...],
        segmentation: str,
    ) -> list[Item]:
        """Return items with the given files at their volumes.

        ``images`` are those of the files whose headers could be read.

        Raises BadSource if what was given as a volume is none.
        """
        if not self.files:
            return list(items)
        known = {item.volume.relative for item in items if item.volume is not None}
        for file, volume in self.files.items():
            if volume not in known:
                raise BadSource(
                    "volumes gives a file something that is no volume",
                    path=str(file),
                    found=str(volume),
                    expected=listed(map(str, sorted(known)), NEAR) or "the source has no volume",
                    remedy="Give the path of a volume below the source.",
                )
        found = {image.relative: image for image in images}
        return [self._with_own(item, found, words, segmentation) for item in items]

    def _with_own(
        self,
        item: Item,
        images: Mapping[PurePosixPath, ImageFile],
        words: tuple[str, ...],
        segmentation: str,
    ) -> Item:
        there = None if item.volume is None else item.volume.relative
        own = [file for file, volume in self.files.items() if volume == there]
        if not own:
            return item
        tails = {file: parse_name(file.name, words).tail for file in own}
        index = {file: tail[-1] if tail else None for file, tail in tails.items()}
        masks = [
            MaskFile(images[file], index[file])
            if item.plane
            else MaskFile(images[file], class_name=stem(file.name))
            for file in own
            if file in images
        ]
        csv = [file for file in own if file.suffix.casefold() == ".csv"]
        tables = [TableFile(self._root / file, file, index[file]) for file in csv]
        kind = item.segmentation or (segmentation if segmentation != "auto" else None)
        if kind is None and masks:
            numbered = item.plane is None or any(mask.index is not None for mask in masks)
            kind = "instance" if numbered else "semantic"
        if kind == "semantic":
            masks = [replace(mask, index=None, class_name=None) for mask in masks]
            tables = [replace(table, index=None) for table in tables]
        self._repeated += _repeated(item.masks, masks)
        masks, tables = [*item.masks, *masks], [*item.tables, *tables]
        return replace(item, masks=tuple(masks), tables=tuple(tables), segmentation=kind)


def _repeated(own: Sequence[MaskFile], given: Iterable[MaskFile]) -> Iterator[Finding]:
    """No given mask claims the class of another mask of its volume; of two label maps one does."""
    known = {(mask.index, mask.class_name): mask for mask in own}
    for mask in given:
        first = known.setdefault((mask.index, mask.class_name), mask)
        if first is not mask:
            message = f"{first.relative} is there for its volume and class already"
            yield finding("annotation-repeated", mask.relative, message)
