"""What a code of the catalogue stands for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CatalogEntry"]


@dataclass(frozen=True)
class CatalogEntry:
    """What a code stands for."""

    code: str
    severity: str
    meaning: str
    remedy: str
