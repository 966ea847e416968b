"""Fixtures that all tests share."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

import pytest

from nifti_kit.transfer import Proof, Receipt
from tests.support.schemas import checked
from tests.support.uploads import platform, state_home

__all__ = ["platform", "state_home"]


SLOW_FOLDERS = {"benchmarks", "browser", "notebooks", "platform", "plots"}
SLOW_FILES = {
    "test_align.py",
    "test_app.py",
    "test_batch.py",
    "test_beside.py",
    "test_cancelled.py",
    "test_changes.py",
    "test_commands.py",
    "test_dask.py",
    "test_doubts.py",
    "test_exporter.py",
    "test_files_written.py",
    "test_floods.py",
    "test_folder.py",
    "test_folder_locked.py",
    "test_folder_names.py",
    "test_folder_shape.py",
    "test_foreign_projects.py",
    "test_fuzz.py",
    "test_generated_sources.py",
    "test_histories.py",
    "test_instance_answers.py",
    "test_instance_fetching.py",
    "test_instance_limits.py",
    "test_instance_ownership.py",
    "test_instance_token.py",
    "test_instance_unknown.py",
    "test_interrupted.py",
    "test_measures.py",
    "test_memory.py",
    "test_memory_given_back.py",
    "test_mending_model.py",
    "test_messy_delivery.py",
    "test_offers.py",
    "test_orientations.py",
    "test_originals.py",
    "test_overlaps.py",
    "test_pictures.py",
    "test_processes.py",
    "test_proved_volumes.py",
    "test_read_back.py",
    "test_reopened_app.py",
    "test_resumed.py",
    "test_round_trips.py",
    "test_samples.py",
    "test_score_updates.py",
    "test_sdk.py",
    "test_sets_property.py",
    "test_shared_folder.py",
    "test_space.py",
    "test_spec_examples.py",
    "test_specification.py",
    "test_standing.py",
    "test_upload.py",
    "test_uploading_model.py",
    "test_verification.py",
    "test_workbench.py",
}
LIVE_FILES = {"test_instance.py", "test_instance_faults.py"}
"""Uploads to the stand-in platform that are ended in their middle, again and again."""
ONE_LAYOUT = "by_volume"
"""Of these, the ones of this layout are in both stages."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two stages: what answers within two minutes, and all the rest."""
    parser.addoption("--quick", action="store_true", help="no SDK, browser, kills, fuzzing")
    parser.addoption("--rest", action="store_true", help="what --quick leaves out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is of the other stage."""
    if config.getoption("quick"):
        kept = [item for item in items if _is_quick(item)]
    elif config.getoption("rest"):
        kept = [item for item in items if not _is_quick(item) or item.path.name in LIVE_FILES]
    else:
        return
    chosen = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = kept


def _is_quick(item: pytest.Item) -> bool:
    name = item.path.name
    if "sly" in getattr(item, "fixturenames", ()) or item.get_closest_marker("sly"):
        return False
    if name in SLOW_FILES or SLOW_FOLDERS & set(item.path.parts[-3:]):
        return False
    if name.endswith("_view.py"):
        return False
    if "killed" in item.name or "without_isal" in item.name or name in LIVE_FILES:
        return ONE_LAYOUT in item.name
    return True


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


@pytest.fixture(autouse=True)
def _every_receipt_and_proof_keeps_its_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold whatever a test gets as JSON of a receipt or a proof against the published form."""
    for kind in (Receipt, Proof):
        monkeypatch.setattr(kind, "to_json", checked(kind.to_json, kind.word))
