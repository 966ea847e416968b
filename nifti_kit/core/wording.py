"""Numbers in words, the same in every text form."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 volume``, ``39 objects``, ``15,818,166 voxels``."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {plural}"
