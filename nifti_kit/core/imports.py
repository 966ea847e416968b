"""Imports that several threads may ask for at once."""

from __future__ import annotations

import threading

_ONE_AT_A_TIME = threading.Lock()


def whole_nibabel() -> None:
    """Import nibabel, which functions do when they first need it; to be called before.

    Its modules import each other. Where two threads begin with different ones, Python breaks the
    circle by handing out a module that is half made: ``cannot import name 'Nifti1Extensions' from
    partially initialized module``.
    """
    with _ONE_AT_A_TIME:
        import nibabel  # noqa: F401, ICN001 (nothing of it is used here)
