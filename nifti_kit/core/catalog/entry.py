"""What a code of the catalogue stands for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry"]


@dataclass(frozen=True)
class Entry:
    """What a code stands for."""

    code: str
    severity: str
    meaning: str
    remedy: str
