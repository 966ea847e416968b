"""Nobody's work is lost, and nothing of ours is twice or missing, whatever happens in which order.

``NIFTI_KIT_HISTORIES=n`` plays every order of up to n things that happen, and more of five; ``-s``
shows how many histories were played, and how they ended.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform import running_platform
from tests.support import uploads
from tests.support.histories import EXISTING, InstanceWorld, sample, words
from tests.support.uploads import impatience

MOST = int(os.environ.get("NIFTI_KIT_HISTORIES", "1"))
"""So many things happen in every order."""

LONGER = {2: 12, 3: 12, 4: 12, 5: 16 * MOST * MOST}
"""Of histories of these lengths, so many are played that chance chooses."""

ended: Counter[str] = Counter()

one_at_a_time = uploads.one_at_a_time


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    """Tell at the end how many histories were played."""
    yield
    print(f"\nplayed {sum(ended.values())} histories: {dict(sorted(ended.items()))}")


def histories() -> list[str]:
    longer = [word for n, count in LONGER.items() if n > MOST for word in sample(count, n, seed=n)]
    return [*words(MOST), *longer]


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("existing", EXISTING)
def test_histories_on_an_instance(
    existing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience(monkeypatch, patience=5)
    for number, word in enumerate(histories()):
        folder = tmp_path / str(number)
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with running_platform() as platform:
            world = InstanceWorld(platform, folder, existing, word)
            world.play(word)  # a failure shows the word and the choice among its variables
            ended[world.end()] += 1
