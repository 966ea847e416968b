"""The preview of an annotation over a volume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.targets.records import VolumeRef
from nifti_kit.widgets.mapping.candidates import overlay
from nifti_kit.widgets.parts.tasks import Cancelled, Ticket
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti


def reused_pages(_: int) -> Iterator[np.ndarray]:
    """The pages of a volume in one buffer, as targets have it."""
    buffer = np.empty(SHAPE[:2], np.int16)
    for k in range(SHAPE[2]):
        buffer[:] = volume()[:, :, k]
        yield buffer


TARGET: Any = SimpleNamespace(iter_volume=reused_pages)


def ref(by: float = 0.0, shape: tuple[int, int, int] = SHAPE) -> VolumeRef:
    affine = np.array(AFFINE)
    affine[0, 3] += by
    return VolumeRef(1, "1", "CT.nrrd", "d", Grid(shape, affine))


@pytest.fixture
def file(tmp_path: Path) -> Any:
    write_nifti(tmp_path / "axl_mask.nii", labels())
    return nk.scan(tmp_path).items[0].masks[0]


def silent() -> Ticket:
    return Ticket(lambda *_: None)


def test_the_annotation_lies_over_the_volume_as_it_is(file: Any) -> None:
    told: list[tuple[float, str]] = []
    viewer = overlay(TARGET, file, ref(), Ticket(lambda *said: told.append(said)))
    np.testing.assert_array_equal(viewer.image.voxels, volume())
    assert viewer.title == "axl_mask.nii over d/CT.nrrd: same grid"
    (found,) = viewer.classes
    assert (found.name, found.voxels) == ("axl_mask.nii", np.count_nonzero(labels()))
    assert [overlay.title for overlay in viewer.overlays] == [""]
    assert told[0] == (0.0, "Reading d/CT.nrrd")


def test_a_misplaced_one_is_shown_at_both_places(file: Any) -> None:
    viewer = overlay(TARGET, file, ref(by=2.5), silent())
    titles = [overlay.title for overlay in viewer.overlays]
    assert titles == ["By its own header", "By the volume's header"]
    assert viewer.title.endswith("translated by 2.5 mm (1.25 voxels)")


def test_one_of_another_shape_is_shown_where_it_is(file: Any) -> None:
    longer: Any = SimpleNamespace(iter_volume=lambda _: (volume()[:, :, k % 7] for k in range(8)))
    viewer = overlay(longer, file, ref(by=1.0, shape=(5, 6, 8)), silent())
    assert [overlay.title for overlay in viewer.overlays] == [""]


def test_it_ends_when_a_person_cancels(file: Any) -> None:
    ticket = silent()
    ticket.cancel()
    with pytest.raises(Cancelled):
        overlay(TARGET, file, ref(), ticket)
