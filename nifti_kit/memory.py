"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

__all__ = ["give_back"]


def give_back() -> None:
    """Give memory that this process has freed back to the system, where it would keep it.

    The C library of Linux (glibc) keeps freed memory for each thread that had some, so that a
    process with a few threads seems to need more and more. Elsewhere nothing is done.
    """
    with suppress(AttributeError, OSError, TypeError):  # no glibc; on Windows no such handle
        ctypes.CDLL(None).malloc_trim(0)
