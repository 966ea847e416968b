"""Reading: files side by side, results in order, each file once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.datasets import reading, surveys
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import UnreadableFile
from nifti_kit.formats import nifti
from tests.support.builders import labels, volume, write_nifti

CASES = 12


def cases(folder: Path, count: int = CASES) -> Dataset:
    """Write volumes with two masks each; scan them."""
    for case in range(count):
        write_nifti(folder / f"c{case:02}.nii.gz", volume() + np.int16(case))
        for mask in ("left", "right"):
            write_nifti(folder / f"c{case:02}" / f"{mask}.nii.gz", labels())
    return nk.scan(folder)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file's voxels are read."""
    found: Counter[str] = Counter()
    enter = nifti._Reader.__enter__

    def counted(reader: Any) -> Any:
        found[str(reader._image.relative)] += 1
        return enter(reader)

    monkeypatch.setattr(nifti._Reader, "__enter__", counted)
    return found


def test_items_come_in_order_whichever_is_read_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first item's files wait for those of the second."""
    monkeypatch.setattr(reading, "cores", lambda: 4)
    dataset, second = cases(tmp_path), threading.Event()
    look_closer = surveys.look_closer

    def late(image: Any, room: Any) -> Any:
        if image.relative.parts[0] == "c01":
            second.set()
        assert second.wait(60)
        return look_closer(image, room)

    monkeypatch.setattr(surveys, "look_closer", late)
    found = list(reading.look_at_items(dataset, dataset.items))
    assert [survey.item for survey, _ in found] == list(dataset.items)
    for survey, looks in found:
        assert list(looks) == [mask.mask.image for mask in survey.masks]


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_the_number_of_threads_changes_no_finding_and_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    cases(tmp_path)
    content = (tmp_path / "c03.nii.gz").read_bytes()
    (tmp_path / "c03.nii.gz").write_bytes(content[: len(content) // 2])
    expected = list(nk.check(nk.scan(tmp_path)))
    assert {"file-unreadable", "masks-overlap"} <= {found.code for found in expected}
    monkeypatch.setattr(reading, "cores", lambda: cores)
    assert list(nk.check(nk.scan(tmp_path))) == expected


def test_each_item_is_told_of_in_order_and_before_its_files_are_read(
    tmp_path: Path, opened: Counter[str]
) -> None:
    dataset, told = cases(tmp_path), []

    def on_item(at: int, item: Any) -> None:
        told.append(at)
        assert not any(opened[str(image.relative)] for image in item.images)

    nk.check(dataset, on_item=on_item)
    assert told == list(range(CASES))
    assert set(opened.values()) == {1}


def test_what_is_raised_while_items_are_told_of_ends_the_check(
    tmp_path: Path, opened: Counter[str]
) -> None:
    dataset = cases(tmp_path)

    def on_item(at: int, _: Any) -> None:
        if at == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nk.check(dataset, on_item=on_item)
    assert all(name.startswith("c00") for name in opened)
    assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPool")]


def test_what_a_thread_raises_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any, __: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(surveys, "look_closer", full)
    with pytest.raises(MemoryError):
        nk.check(cases(tmp_path, 2))


def test_a_mask_that_is_gone_since_it_was_read_first_is_not_passed_over(tmp_path: Path) -> None:
    dataset = cases(tmp_path, 2)
    nk.plan(dataset)
    (tmp_path / "c01" / "left.nii.gz").unlink()
    with pytest.raises(UnreadableFile, match=r"c01/left\.nii\.gz"):
        nk.check(dataset)


def test_no_more_items_are_taken_ahead_than_there_are_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "cores", lambda: 2)
    dataset, taken = cases(tmp_path, 1), []

    def items() -> Iterator[Item]:
        for number in range(CASES):
            taken.append(number)
            yield Item(f"{number}.nrrd", None)  # without files: nothing is waited for

    for done, _ in enumerate(reading.read_items(dataset, items()), start=1):
        assert len(taken) <= done + 2


def test_a_mask_of_several_images_is_read_once(tmp_path: Path, opened: Counter[str]) -> None:
    pairs = {"mask.nii.gz": [f"i{case}.nii.gz" for case in range(4)]}
    for case, name in enumerate(pairs["mask.nii.gz"]):
        write_nifti(tmp_path / name, volume() + np.int16(case))
    write_nifti(tmp_path / "mask.nii.gz", labels())
    found = nk.check(nk.scan(tmp_path, pairs=pairs))
    assert [one.path for one in found if one.code == "label-specks"] == ["mask.nii.gz"]
    assert opened["mask.nii.gz"] == 1


def test_masks_that_find_no_room_are_read_again_for_what_they_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Counter[str]
) -> None:
    expected = list(nk.check(cases(tmp_path, 1)))
    opened.clear()
    monkeypatch.setattr(reading, "MARKS_BYTES", 0)
    assert list(nk.check(nk.scan(tmp_path))) == expected
    assert dict(opened) == {"c00.nii.gz": 1, "c00/left.nii.gz": 2, "c00/right.nii.gz": 2}
