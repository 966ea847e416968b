"""Files written so that a crash never leaves half of one: beside their place, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = ["write_beside", "write_bytes", "write_json"]


@contextmanager
def write_beside(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; at the end it takes its place, on an error it goes.

    The file beside begins with a dot and ends in ``.part``, so that no reader of the folder takes
    it for data.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as out:
            yield out
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with write_beside(path) as out:
        out.write(content)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    write_bytes(path, json.dumps(content, ensure_ascii=False, indent=4).encode())
