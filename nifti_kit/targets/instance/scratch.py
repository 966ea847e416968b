"""Files that were read back from an instance, for as long as they are looked at."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Scratch"]


class Scratch:
    """A folder for files that were read back; each thread keeps its last one.

    It goes with this object. What arrives in another process has a folder of its own.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nifti_kit-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._last = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Scratch, ())

    def file(self, name: str, fetch: Callable[[], bytes]) -> Path:
        """Return the file of a name, fetched where it is not this thread's last; that one goes."""
        known, path = getattr(self._last, "file", ("", None))
        if path is not None and known == name:
            return Path(path)
        if path is not None:
            del self._last.file
            path.unlink(missing_ok=True)
        path = self._folder / f"{threading.get_ident()}-{name}.nrrd"
        path.write_bytes(fetch())
        self._last.file = (name, path)
        return path
