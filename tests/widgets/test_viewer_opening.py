"""Opening an item: each file is unpacked once, and the item that was opened last is at hand."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.parallel import heard
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats import nifti
from nifti_kit.formats.labels import read_labels, survey_labels
from nifti_kit.formats.nifti import read_header
from nifti_kit.widgets.inspect.board import miniature
from nifti_kit.widgets.parts.tasks import Ticket
from nifti_kit.widgets.viewer import opening
from nifti_kit.widgets.viewer.model import ViewerModel
from nifti_kit.widgets.viewer.opening import forget, open_item
from nifti_kit.widgets.viewer.reading import read_kept, read_masks, stamp_of
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti

LPS = np.diag([-2.0, -3.0, 5.0, 1.0])


@pytest.fixture(autouse=True)
def nothing_at_hand():
    forget()
    yield
    forget()


@pytest.fixture
def decoded(monkeypatch) -> Counter[str]:
    """How often each file is unpacked from then on, by its name."""
    found: Counter[str] = Counter()

    class Reader(nifti._Reader):
        def __enter__(self):
            found[self._image.relative.name] += 1
            return super().__enter__()

    monkeypatch.setattr(nifti, "_Reader", Reader)
    return found


def write_case(folder: Path, files: int = 3) -> Path:
    """Write a volume with a mask file for each of some classes, which overlap."""
    write_nifti(folder / "ct.nii.gz", volume(), LPS)
    for number in range(files):
        mask = np.zeros(SHAPE, np.uint8)
        mask[number : number + 2, 1:4, 2:5] = 1 + 254 * (number % 2)
        write_nifti(folder / "ct" / f"organ{number}.nii.gz", mask, LPS)
    return folder


def spoil(path: Path) -> None:
    """Change the checksum of a gzip file."""
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("files", [0, 1, 3])
def test_each_file_is_unpacked_once_for_the_first_picture(tmp_path, decoded, files) -> None:
    dataset = nk.scan(write_case(tmp_path, files))
    ViewerModel.of_item(dataset).jpeg()
    expected = ["ct.nii.gz", *(f"organ{number}.nii.gz" for number in range(files))]
    assert decoded == Counter(expected)


def test_after_a_plan_masks_are_unpacked_once_more(tmp_path, decoded) -> None:
    plan = nk.plan(nk.scan(write_case(tmp_path)))
    decoded.clear()
    ViewerModel.of_item(plan).jpeg()
    assert set(decoded.values()) == {1}


@pytest.mark.parametrize("is_scanned_anew", [False, True])
def test_the_same_item_again_reads_nothing(tmp_path, decoded, is_scanned_anew) -> None:
    dataset = nk.scan(write_case(tmp_path))
    first = ViewerModel.of_item(dataset)
    decoded.clear()
    again = ViewerModel.of_item(nk.scan(tmp_path) if is_scanned_anew else dataset)
    assert not decoded
    assert again.image is first.image
    assert again.jpeg() == first.jpeg()


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct/organ1.nii.gz"])
def test_a_file_that_changed_is_read_anew(tmp_path, name) -> None:
    write_case(tmp_path)
    first = ViewerModel.of_item(nk.scan(tmp_path))
    before = first.jpeg()
    image = nib.load(tmp_path / name)
    flipped = np.asarray(image.dataobj)[::-1]
    was = (tmp_path / name).stat()
    write_nifti(tmp_path / name, np.ascontiguousarray(flipped), LPS)
    os.utime(tmp_path / name, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    assert ViewerModel.of_item(nk.scan(tmp_path)).jpeg() != before


def test_a_mended_header_of_the_same_bytes_is_another_item(tmp_path) -> None:
    write_case(tmp_path)
    dataset = nk.scan(tmp_path)
    first = ViewerModel.of_item(dataset)
    moved = LPS.copy()
    moved[:3, 3] = 2.0, 3.0, 5.0
    write_nifti(tmp_path / "ct" / "organ0.nii.gz", np.ones(SHAPE, np.uint8), moved)
    repair = nk.repairs.take_header(nk.scan(tmp_path), ["ct/organ0.nii.gz"])
    assert ViewerModel.of_item(repair.dataset).jpeg() != first.jpeg()


def test_one_item_is_at_hand_and_is_let_go_before_the_next_is_read(tmp_path, monkeypatch) -> None:
    one, two = (nk.scan(write_case(tmp_path / name)) for name in ("one", "two"))
    first = open_item(one, 0)
    assert opening._last.opened is first
    held = []
    monkeypatch.setattr(opening, "_volume", lambda *_: held.append(opening._last.opened))
    with pytest.raises(AttributeError):
        open_item(two, 0).image.name  # noqa: B018
    assert held == [None]


def test_a_miniature_leaves_the_item_that_is_looked_at(tmp_path) -> None:
    one, two = (nk.scan(write_case(tmp_path / name)) for name in ("one", "two"))
    first = open_item(one, 0)
    assert miniature(two, two.items[0]) is not None
    assert opening._last.opened is first


def test_a_damaged_volume_is_refused_and_not_kept(tmp_path) -> None:
    dataset = nk.scan(write_case(tmp_path))
    spoil(tmp_path / "ct.nii.gz")
    for _ in range(2):
        with pytest.raises(NiftiKitError, match=r"ct\.nii\.gz"):
            ViewerModel.of_item(dataset)
    assert opening._last.opened is None


def test_a_damaged_mask_is_left_out_and_its_survey_says_why(tmp_path) -> None:
    dataset = nk.scan(write_case(tmp_path))
    spoil(tmp_path / "ct" / "organ1.nii.gz")
    viewer = ViewerModel.of_item(dataset)
    assert [one.name for one in viewer.classes] == ["organ0", "organ2"]
    (note,) = viewer.notes
    assert note.startswith("ct/organ1.nii.gz is not shown: ")
    assert ViewerModel.of_item(dataset).notes == (note,)
    assert dataset.memory["labels", dataset.items[0].masks[1].image][0] is None
    assert [found.path for found in nk.check(dataset).errors] == ["ct/organ1.nii.gz"]


def test_a_mask_that_fails_after_its_plan_is_a_note_beside_the_others(tmp_path) -> None:
    plan = nk.plan(nk.scan(write_case(tmp_path)))
    spoil(tmp_path / "ct" / "organ1.nii.gz")
    viewer = ViewerModel.of_item(plan)
    assert [note.split(":")[0] for note in viewer.notes] == ["ct/organ1.nii.gz is not shown"]
    assert viewer.overlays[0].layers


@pytest.mark.parametrize("is_planned", [False, True])
def test_masks_that_are_not_waited_for_are_notes_beside_the_others(tmp_path, is_planned) -> None:
    dataset = nk.scan(write_case(tmp_path, 5))
    source = nk.plan(dataset) if is_planned else dataset
    ticket = Ticket(lambda *_: None)

    def hear(file: str) -> None:
        if file == "ct/organ4.nii.gz":
            ticket.cancel()
        ticket.check()

    with heard(hear):
        viewer = ViewerModel.of_item(source)
    said = [note.removesuffix(" is not shown: its reading was cancelled") for note in viewer.notes]
    assert "ct/organ4.nii.gz" in said
    assert "ct/organ0.nii.gz" not in said
    there = {f"ct/{name}.nii.gz" for name in classes_drawn(viewer)}
    assert there | set(said) == {f"ct/organ{number}.nii.gz" for number in range(5)}
    assert not there & set(said)
    again = ViewerModel.of_item(source)  # what was read in part is not at hand
    assert (again.notes, len(again.classes)) == ((), 5)


def classes_drawn(viewer: ViewerModel) -> set[str]:
    layers = [layer.numbers for overlay in viewer.overlays for layer in overlay.layers]
    numbers = {int(number) for layer in layers for number in np.unique(layer)}
    return {found.name for found in viewer.classes if found.number in numbers}


def test_a_mask_without_a_label_is_a_note(tmp_path) -> None:
    dataset = nk.scan(write_case(tmp_path))
    path = tmp_path / "ct" / "organ1.nii.gz"
    image = nib.load(path)
    write_nifti(path, np.zeros(image.shape, np.uint8), image.affine)
    notes = ViewerModel.of_item(dataset).notes
    assert notes == ("ct/organ1.nii.gz is not shown: it holds no label",)


def test_two_sets_of_the_same_files_are_drawn_alike(tmp_path) -> None:
    """What was kept of a file is taken once; the second set reads it again."""
    dataset = nk.scan(write_case(tmp_path, 1))
    viewer = ViewerModel.of_item(dataset, compare=dataset)
    (one,), (two,) = (overlay.layers for overlay in viewer.overlays)
    assert one.numbers.any()
    np.testing.assert_array_equal(one.numbers, two.numbers)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_alone", [True, False])
def test_one_reading_gives_the_survey_and_the_voxels(tmp_path, seed, is_alone) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 12, 3).tolist())
    voxels = np.zeros(shape, [np.uint8, np.uint16, np.float32, np.int16][seed % 4])
    values = [[1], [1, 2, 7], [200], [3, 300]][random.integers(4)]
    for value in values if seed else ():
        first = [int(random.integers(0, n)) for n in shape]
        voxels[tuple(slice(at, at + 6) for at in first)] = value if seed % 4 else min(value, 255)
    write_nifti(tmp_path / "m.nii.gz", voxels, AFFINE)
    image = read_header(tmp_path / "m.nii.gz")
    kept, whole = read_kept(image, is_alone=is_alone), read_labels(image).voxels
    assert kept.survey == survey_labels(image)
    expected = whole[kept.box]
    assert np.count_nonzero(expected) == np.count_nonzero(whole)
    np.testing.assert_array_equal(kept.taken(kept.box), expected)
    # An array is the taker's own, to be written into; bits are unpacked anew.
    again = kept.taken(kept.box)
    assert again is None or (kept.is_bits and np.array_equal(again, expected))


def test_what_is_kept_of_several_files_is_bounded(tmp_path) -> None:
    for number in range(6):
        mask = np.zeros(SHAPE, np.uint8)
        mask[:4, :4, :4] = np.arange(4) + 1
        write_nifti(tmp_path / "ct" / f"organ{number}.nii.gz", mask, LPS)
    write_nifti(tmp_path / "ct.nii.gz", volume(), LPS)
    dataset = nk.scan(tmp_path)
    images = [mask.image for mask in dataset.items[0].masks]
    kept = read_masks(dataset, images, 2)
    assert 0 < len(kept) < len(images)
    assert sum(one.voxels.nbytes for one in kept.values()) <= np.prod(SHAPE)
    assert all(("labels", image) in dataset.memory for image in images)


def test_a_file_that_is_gone_has_no_stamp(tmp_path) -> None:
    write_nifti(tmp_path / "m.nii.gz", labels(), AFFINE)
    image = read_header(tmp_path / "m.nii.gz")
    assert stamp_of(image) == stamp_of(read_header(tmp_path / "m.nii.gz"))
    (tmp_path / "m.nii.gz").unlink()
    assert stamp_of(image) is None
