"""Fixtures that all tests share."""

from __future__ import annotations

import os
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def sly() -> ModuleType:
    """The SDK; skipped where its system libraries are missing, unless they are required."""
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
