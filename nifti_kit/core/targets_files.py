"""Files that a target writes; a disk that refuses one is told in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nifti_kit.core.files import write_beside, write_bytes, write_json
from nifti_kit.errors import NiftiKitError, TargetError

__all__ = ["land_beside", "land_bytes", "land_json", "written"]


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn what the system says while a file is written into an error that says what to do.

    Raises
    ------
    TargetError
        If the disk is full, or the folder may not be written to.
    """
    try:
        yield
    except NiftiKitError:
        raise
    except OSError as error:
        raise TargetError(
            "the file cannot be written",
            path=path,
            found=os.strerror(error.errno) if error.errno else type(error).__name__,
            remedy="Free some space or get the right to write there, or choose another folder. "
            "With a journal the same call goes on where this one ended.",
        ) from error


@contextmanager
def land_beside(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, as :func:`nifti_kit.core.files.write_beside`."""
    with written(path), write_beside(path) as out:
        yield out


def land_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with written(path):
        write_bytes(path, content)


def land_json(path: Path, content: Any) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    with written(path):
        write_json(path, content)
