"""Provenance: what a plan was made of, and by whose choices: facts that are kept with results."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nifti_kit.core.findings import Waiver
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import TableFile
from nifti_kit.datasets.surveys import fingerprint_of
from nifti_kit.formats import mappings
from nifti_kit.formats.class_maps import ClassMap, color_text
from nifti_kit.formats.fingerprint import Fingerprint
from nifti_kit.formats.nifti import ImageFile

BESIDE = "numpy", "supervisely"
"""Packages whose version is kept: the arrays, and the SDK, which may not be there."""


@dataclass(frozen=True)
class RepairedFile:
    """A file that landed as repairs left it."""

    file: str  # its path below the source
    what: str  # what was done to it, in plain words, one repair after the other
    left: str  # what of it does not land, in plain words; empty where all of it does
    sha256_before: str | None  # of the file on disk; None where a repair made the file
    sha256_after: str | None  # of the content that took its place; None where other files did
    placed: str = ""  # the repair that put it elsewhere by a person's word; empty where none did


@dataclass(frozen=True)
class Provenance:
    """What something was made of: files, choices, what was accepted and mended, versions, times."""

    source: str = ""  # the name of the folder, archive or file; not where it is
    # What the files held when they were read, by their paths below the source. Of a repaired file
    # that is what the repair made of it.
    files: Mapping[str, Fingerprint] = field(default_factory=dict)
    # What was asked for, and what was taken where nothing was.
    choices: Mapping[str, Any] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()  # what a person accepts: codes, or pairs of a code and a file
    # Why, where a person said so, by waiver.
    reasons: Mapping[Waiver, str] = field(default_factory=dict)
    repairs: tuple[RepairedFile, ...] = ()  # the files that land as repairs left them
    # Of this package, Python, numpy, and the SDK; None where that is not installed.
    versions: Mapping[str, str | None] = field(default_factory=dict)
    # Where it landed, for people: of a folder its name, not where it is. It is in no JSON.
    target: str = ""
    session: str = ""  # the run, which begins with the time (UTC) of its first try
    # When the work began and ended (UTC); None where it is not known.
    begun: datetime | None = None
    ended: datetime | None = None

    def sha256(self, file: str | None) -> str | None:
        """Return the checksum of a file, by its path below the source; None where none is known."""
        known = None if file is None else self.files.get(file)
        return None if known is None else known.sha256

    def facts(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        files = [
            {"path": path, "sha256": found.sha256, "size": found.size}
            for path, found in self.files.items()
        ]
        return {
            "source": {"name": self.source, "files": files},
            "choices": dict(self.choices),
            "waivers": [self._waived(one) for one in self.waivers],
            "repairs": [asdict(one) for one in self.repairs],
            "versions": dict(self.versions),
            "session": self.session,
            "begun": _iso(self.begun),
            "ended": _iso(self.ended),
        }

    def _waived(self, waiver: Waiver) -> dict[str, Any]:
        code, path = (waiver, None) if isinstance(waiver, str) else waiver
        why = self.reasons.get(waiver)
        return {"code": code, "path": path, **({"reason": why} if why else {})}


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")


def now() -> datetime:
    """Return the time (UTC)."""
    return datetime.now(timezone.utc)


def versions() -> dict[str, str | None]:
    """Return the versions of what does the work; nothing is imported for it."""
    own = import_module("nifti_kit").__version__  # above all rooms: no room imports it
    found = {name: _version(name) for name in BESIDE}
    return {"nifti_kit": own, "python": platform.python_version(), **found}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def provenance_of(
    dataset: Dataset,
    mapping: mappings.Mapping | None,
    waivers: tuple[Waiver, ...],
    reasons: Mapping[Waiver, str],
) -> Provenance:
    """Return what is known of a dataset whose files were read, before anything lands."""
    return Provenance(
        dataset.source.given.resolve().name,
        dict(_files(dataset, mapping)),
        _choices(dataset, mapping),
        waivers,
        reasons,
        tuple(_repairs(dataset)),
        versions(),
    )


def _files(dataset: Dataset, mapping: mappings.Mapping | None) -> Iterator[tuple[str, Fingerprint]]:
    """Yield what each file held, by its path: images, score tables, class maps, the mapping."""
    files: list[ImageFile | TableFile] = []
    for item in dataset.items:
        files += [*item.images, *item.tables]
    texts = [*dataset.classes.paths, *([mapping.path] if mapping and mapping.path else [])]
    for text in dict.fromkeys(texts):
        path = dataset.root / text  # one that is given with its whole path stays that
        if path.is_file():
            files.append(TableFile(path, _below(dataset, path)))
    for file in files:
        found = fingerprint_of(dataset, file)
        if found is not None:
            yield str(file.relative), found


def _below(dataset: Dataset, path: Path) -> Any:
    """Return a path below the source; of a file elsewhere its name alone."""
    inside = path.is_relative_to(dataset.root)
    return path.relative_to(dataset.root) if inside else Path(path.name)


def _choices(dataset: Dataset, mapping: mappings.Mapping | None) -> dict[str, Any]:
    asked = dataset.choices
    rows = [
        {"path": str(row.annotation), "volume": row.volume, "rule": row.rule}
        for row in mapping or ()
    ]
    return {
        "layout": dataset.layout,
        "layout_asked": asked.layout,
        "segmentation": asked.segmentation,
        "score_base": dataset.score_base,
        "score_base_asked": asked.score_base,
        "score_frames": asked.score_frames,
        "pairs": _pairs(asked.pairs),
        "annotation_words": list(asked.annotation_words),
        "class_map": _class_map(dataset.classes, is_given=asked.classes is not None),
        "left_out": list(asked.left_out),
        "volumes": dict(asked.volumes),
        "incomplete": list(asked.incomplete),
        "file_classes": {str(file): name for file, name in asked.file_classes},
        "mapping": None if mapping is None else rows,
    }


def _pairs(pairs: Any) -> Any:
    """Return pairs as JSON has them: a pattern, or lists of images by their mask."""
    if not isinstance(pairs, Mapping):
        return pairs
    return {
        str(mask): list(map(str, own)) if isinstance(own, list | tuple) else [str(own)]
        for mask, own in pairs.items()
    }


def _class_map(classes: ClassMap, *, is_given: bool) -> dict[str, Any]:
    entries = [
        {"value": one.value, "name": one.name, "color": one.color and color_text(one.color)}
        for one in classes
    ]
    names = [Path(path).name if is_given else path for path in classes.paths]
    return {"is_given": is_given, "files": names, "entries": entries}


def _repairs(dataset: Dataset) -> Iterator[RepairedFile]:
    for one in dataset.mended:
        path = dataset.root / one.relative
        before = _sha256(dataset, TableFile(path, one.relative)) if path.is_file() else None
        after = None
        if one.content is not None:
            after = _sha256(dataset, TableFile(path, one.relative, content=one.content))
        yield RepairedFile(str(one.relative), one.what, one.left, before, after, one.placed)


def _sha256(dataset: Dataset, file: TableFile) -> str | None:
    found = fingerprint_of(dataset, file)
    return None if found is None else found.sha256
