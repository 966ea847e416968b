"""Fixtures that all tests share."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def sly() -> ModuleType:
    """The SDK; skipped where its system libraries are missing, unless they are required."""
    # The SDK imports every module that is on the stack, by its name; that of a worker of xdist is
    # no module's.
    sys.modules.setdefault("__channelexec__", sys.modules["__main__"])
    try:
        import supervisely as sly
    except (ImportError, OSError) as error:
        reason = (
            f"supervisely cannot be imported ({error}); "
            "it needs the system libraries libxcb1, libgl1, libglib2.0-0 and libmagic1"
        )
        if os.environ.get("NIFTI_KIT_REQUIRE_SDK"):
            pytest.fail(reason)
        pytest.skip(reason)
    return sly


@pytest.fixture(autouse=True)
def _no_event_loop_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the event loop that the SDK leaves open, or it is reported when it is collected."""
    yield
    if "sly" not in request.fixturenames:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there may be no loop
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:
            return
    loop.close()
    asyncio.set_event_loop(None)
