"""Fingerprints: what a file held when it was read, to see later whether it still holds that."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from nifti_kit.errors import UnreadableFile
from nifti_kit.formats.deflate import CHUNK


class Stored(Protocol):
    """A file: on disk at ``path``, or in memory where it has ``content``."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def relative(self) -> PurePosixPath:
        """Its path below the source."""

    @property
    def content(self) -> bytes | None:
        """Its bytes, where they are in memory."""


@dataclass(frozen=True)
class Fingerprint:
    """What a file held."""

    sha256: str  # of its bytes as they are stored (packed, where they are), as hex digits
    size: int  # their number
    changed_ns: int = 0  # when the file was written last (ns); 0 for content in memory

    def is_of(self, image: Stored) -> bool:
        """Say whether a file holds the same now; it is read where its time is another."""
        if image.content is None:
            try:
                found = image.path.stat()
            except OSError:
                return False
            if (found.st_size, found.st_mtime_ns) == (self.size, self.changed_ns):
                return True
        try:
            return fingerprint(image).sha256 == self.sha256
        except UnreadableFile:
            return False


def fingerprint(image: Stored) -> Fingerprint:
    """Return what a file holds now; raises UnreadableFile if it cannot be read."""
    if image.content is not None:
        return Fingerprint(hashlib.sha256(image.content).hexdigest(), len(image.content))
    total = hashlib.sha256()
    try:
        # Before it is read: what is written meanwhile is newer than that.
        changed, size = image.path.stat().st_mtime_ns, 0
        with image.path.open("rb") as stream:
            while piece := stream.read(CHUNK):
                total.update(piece)
                size += len(piece)
    except OSError as error:
        raise UnreadableFile(
            "the file cannot be read",
            path=image.relative,
            found=error.strerror or type(error).__name__,
            remedy="Check the file and the right to read it.",
        ) from error
    return Fingerprint(total.hexdigest(), size, changed)
