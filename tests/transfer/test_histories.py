"""Nobody's work is lost, and nothing of ours is twice or missing, whatever happens in which order.

``NIFTI_KIT_HISTORIES=n`` plays every order of up to n things that happen, and n times n as many
longer ones; ``-s`` shows how many histories were played, and how they ended.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.platform import running_platform
from tests.support import uploads
from tests.support.histories import EXISTING, KINDS, World, sample, words
from tests.support.uploads import impatience
from tests.support.worlds import FolderWorld, InstanceWorld

MOST = int(os.environ.get("NIFTI_KIT_HISTORIES", "1"))
"""So many things happen in every order."""

SAMPLES = {"instance": {2: 1, 3: 1, 4: 1, 5: 1}, "folder": {2: 2, 3: 2, 4: 2, 5: 2}}
"""Of histories of these lengths, so many are played that chance chooses, for each choice of
``existing`` and each kind of source. One on an instance takes four times as long."""

ended: Counter[str] = Counter()

one_at_a_time = uploads.one_at_a_time


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    """Tell at the end how many histories were played."""
    yield
    print(f"\nplayed {sum(ended.values())} histories: {dict(sorted(ended.items()))}")


def histories(where: str, kind: str, existing: str) -> list[str]:
    """Return what happens in the histories of one test."""
    longer = [
        word
        for length, count in SAMPLES[where].items()
        if length > MOST
        for word in sample(count * MOST * MOST, length, kind, f"{where} {existing}")
    ]
    return [*words(MOST, kind), *longer]


def played(world: World) -> str:
    """Play a history to its end; of what fails, tell all that happened before."""
    try:
        world.play()
        return world.end()
    except Exception as error:
        steps = "\n  ".join(world.story)
        raise AssertionError(f"{world} failed: {error!r}\n  {steps}") from error


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """A folder for each history, with what is kept of uploads."""

    def folder(number: int) -> Path:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"{number}" / "state"))
        return tmp_path / f"{number}"

    return folder


@pytest.mark.parametrize("existing", EXISTING)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("one_at_a_time")
def test_histories_on_an_instance(
    kind: str,
    existing: str,
    folders: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    impatience(monkeypatch, patience=2)
    for number, word in enumerate(histories("instance", kind, existing)):
        with running_platform() as platform:
            world = InstanceWorld(folders(number), kind, existing, word, platform=platform)
            ended[played(world)] += 1
            assert platform.unknown == []


@pytest.mark.parametrize("existing", EXISTING)
@pytest.mark.parametrize("kind", KINDS)
def test_histories_on_a_folder(kind: str, existing: str, folders: Callable[[int], Path]) -> None:
    for number, word in enumerate(histories("folder", kind, existing)):
        ended[played(FolderWorld(folders(number), kind, existing, word))] += 1
