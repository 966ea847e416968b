"""Where a file is saved: the path that a person wrote, and the name under which another is kept."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path


def path_of(text: str) -> Path:
    """Return the path that a person wrote, with ``~`` for their home."""
    return Path(os.path.expanduser(text.strip()))  # noqa: PTH111  (Path's raises for unknown users)


def spare_name(path: Path) -> Path:
    """Return the name under which the file that is there is kept: ``mapping.1.json``."""
    names = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in count(1))
    return next(name for name in names if not name.exists())
