"""Upload: refused before anything is written, or landed; in any executor; with any interruption."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import PurePosixPath

import numpy as np
import pytest
import tqdm.auto

import nifti_kit as nk
from nifti_kit.core import parallel
from nifti_kit.errors import PlanBlocked, TargetError, UnreadableFile
from nifti_kit.formats.mappings import Mapping, MappingRow
from nifti_kit.transfer.workers import Progress
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti
from tests.support.landings import (
    land,
    quiet,
    tree,
    write_annotations,
    write_foreign,
    write_scored_planes,
    write_volumes,
)

upload = import_module("nifti_kit.transfer.upload")  # the room's face has a function of this name


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in")


@pytest.fixture
def target(tmp_path):
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


@pytest.fixture
def expected(tmp_path, source):
    """The project that an undisturbed upload makes."""
    land(source, nk.ProjectFolder(tmp_path / "undisturbed", dataset="d"))
    return tree(tmp_path / "undisturbed")


def moved(affine=AFFINE, by=10.0):
    matrix = np.array(affine)
    matrix[0, 3] += by
    return matrix


# Refused


def test_an_unknown_choice_is_refused(tmp_path, source, target):
    with pytest.raises(TargetError) as caught:
        land(source, target, existing="overwrite")
    assert str(caught.value) == (
        "existing has no such choice Found: overwrite. "
        "Expected: ('error', 'skip', 'replace', 'append')."
    )
    assert not (tmp_path / "p").exists()


def test_a_blocked_plan_is_refused_with_its_errors_and_their_codes(tmp_path, source, target):
    write_nifti(source / "B" / "liver.nii.gz", labels(), moved(by=11))
    with pytest.raises(PlanBlocked) as caught:
        land(source, target)
    text = str(caught.value)
    assert text.startswith("1 error in the way Found: \nFindings: 1 error\n")
    assert "ERROR [mask-translated] B/liver.nii.gz: translated: up to 10 mm (5 voxels)" in text
    assert text.endswith(
        "Remedy: Mend the files, or accept a finding: of one file, "
        "plan(dataset, waive=[('mask-translated', 'B/liver.nii.gz')]); all of a code, by its code: "
        "plan(dataset, waive=('mask-translated',)). What cannot land is left out, and named."
    )
    assert not (tmp_path / "p").exists()


def test_a_waived_error_lands_by_the_masks_own_header_and_stays_in_the_receipt(source, target):
    write_nifti(source / "B" / "liver.nii.gz", labels(), moved(by=11))
    receipt = land(source, target, waive="mask-translated")
    assert [(found.code, found.waived) for found in receipt.findings] == [("mask-translated", True)]
    ref = receipt.items[1].objects[0].ref
    assert target.mask_grid(ref).origin.tolist() == [0.5, 4.25, 7.125]
    assert nk.verify(receipt, target).ok


@pytest.mark.parametrize("place", ["{}", "{}/out", "{}/A/deep/out", "{}/../in/out"])
def test_a_project_inside_its_source_is_refused(source, place):
    before = tree(source)
    path = place.format(source)
    with pytest.raises(TargetError) as caught:
        land(source, nk.ProjectFolder(path, dataset="d"))
    assert caught.value.message == "the project would be written into its own source"
    assert caught.value.expected == f"a folder outside {source}"
    assert caught.value.remedy == "Choose another folder for the project."
    assert tree(source) == before


def test_a_project_inside_its_source_by_a_link_is_refused(tmp_path, source):
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(TargetError, match="into its own source"):
        land(source, nk.ProjectFolder(tmp_path / "link" / "out", dataset="d"))
    with pytest.raises(TargetError, match="into its own source"):
        land(tmp_path / "link", nk.ProjectFolder(source / "out", dataset="d"))


def test_a_journal_inside_the_source_is_refused(source, target):
    before = tree(source)
    with pytest.raises(TargetError) as caught:
        land(source, target, journal=source / "journal")
    assert str(caught.value) == (
        f"{source / 'journal'}: the journal would be written into its own source "
        f"Expected: a folder outside {source}. Remedy: Choose another folder for the journal."
    )
    assert tree(source) == before


def test_a_project_beside_a_single_file_is_taken(tmp_path):
    path = write_nifti(tmp_path / "A.nii.gz")
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    assert nk.verify(land(path, target), target).ok


# Progress


def landed_bytes(project, name):
    """Return the size of all that a project has of a volume."""
    return sum(len(content) for path, content in tree(project / "d").items() if name in path)


def whole(seen):
    """Return what was told when an item had landed whole."""
    return [p for p, after in itertools.pairwise(seen) if p.item != after.item] + seen[-1:]


def test_progress_counts_items_and_objects(source, target):
    seen = []
    land(source, target, on_progress=seen.append)
    sizes = [landed_bytes(target.path, f"{name}.nrrd") for name in "ABC"]
    assert whole(seen) == [
        Progress(1, 3, 3, 4, "A.nrrd", sizes[0]),
        Progress(2, 3, 4, 4, "B.nrrd", sizes[0] + sizes[1]),
        Progress(3, 3, 4, 4, "C.nrrd", sum(sizes)),
    ]


def test_progress_grows_within_an_item_after_its_volume_and_each_of_its_masks(source, target):
    seen = []
    receipt = land(source, target, on_progress=seen.append)
    volume = target.volume_path(receipt.items[0].volume).stat().st_size
    refs = [landed.ref for landed in receipt.items[0].objects]
    masks = [
        target.mask_path(receipt.items[0].volume, ref.figure_key).stat().st_size for ref in refs
    ]
    assert [(p.items_done, p.objects_done, p.bytes_done) for p in seen[:4]] == [
        (0, objects, volume + sum(masks[:objects])) for objects in range(4)
    ]
    assert [(p.items_done, p.objects_done) for p in seen[4:]] == [
        (1, 3),
        (1, 3),
        (1, 4),
        (2, 4),
        (2, 4),
        (3, 4),
    ]


def test_progress_reads_as_text(source, target):
    seen = []
    land(source, target, on_progress=lambda progress: seen.append(str(progress)))
    assert seen[0] == "0 of 3 volumes, 0 of 4 objects, 0.0 of 0.0 MB: A.nrrd"
    assert seen[4] == "1 of 3 volumes, 3 of 4 objects, 0.0 of 0.0 MB: A.nrrd"
    assert str(Progress(1, 2, 3, 4, "A.nrrd", 12_340_000)).endswith(" objects, 12.3 MB: A.nrrd")
    told = Progress(0, 1, 0, 4, "A.nrrd", 9, 41_000_000, 302_300_000, 20.0)
    assert str(told) == "0 of 1 volumes, 0 of 4 objects, 41 of 302 MB, about 20 s left: A.nrrd"
    assert told.share == 41 / 302.3


def test_progress_counts_what_landed_before_too_but_not_its_bytes(tmp_path, source, target):
    land(source, target, journal=tmp_path / "journal")
    seen = []
    land(source, target, journal=tmp_path / "journal", on_progress=seen.append)
    assert [(p.bytes_done, p.size_done, p.size_total) for p in seen][-1] == (0, 0, 0)
    assert [p.bytes_done for p in seen] == [0, 0, 0]
    assert [(p.items_done, p.objects_done, p.item) for p in seen] == [
        (1, 3, "A.nrrd"),
        (2, 4, "B.nrrd"),
        (3, 4, "C.nrrd"),
    ]


def test_progress_names_volumes_that_are_there_by_their_id(tmp_path):
    write_foreign(tmp_path / "p")
    seen = []
    source = write_annotations(tmp_path / "in", 3, 1)
    land(source, nk.ProjectFolder(tmp_path / "p"), on_progress=seen.append)
    assert [p.item for p in whole(seen)] == ["volume 3", "volume 1"]


def test_progress_knows_its_total_and_grows_within_a_volume(source, target, monkeypatch):
    monkeypatch.setattr("nifti_kit.targets.folder.landing.TOLD_EVERY", 1)
    monkeypatch.setattr("nifti_kit.core.parallel.SURE_AFTER_S", 0.0)
    seen = []
    receipt = land(source, target, on_progress=seen.append)
    volume = receipt.items[0].planned.volume
    assert {p.size_total for p in seen} == {seen[-1].size_done}
    sizes = [p.size_done for p in seen]
    assert sizes == sorted(sizes)
    within = [p.size_done for p in seen if p.item == "A.nrrd" and not p.objects_done]
    assert within[-1] == volume.nbytes
    assert len(within) > 2
    assert [p.seconds_left for p in seen][-1] == 0
    assert all(p.seconds_left > 0 for p in seen[:-1])


class Bar:
    """Stands in for tqdm's bar."""

    made: list

    def __init__(self, things=(), **options):
        self.options, self.steps, self.closed, self.texts = options, 0, False, []
        self.things = things
        self.made.append(self)

    def __iter__(self):
        return iter(self.things)

    def update(self, steps=1):
        self.steps += steps

    def set_postfix_str(self, text):
        self.texts.append(text)

    def close(self):
        self.closed = True


@pytest.fixture
def bars(monkeypatch):
    Bar.made = []
    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    return Bar.made


def test_a_bar_shows_the_progress_by_default_and_no_name(source, target, bars):
    plan = nk.plan(nk.scan(source))
    bars.clear()
    nk.upload(plan, target)
    (bar,) = bars
    total = bar.options.pop("total")
    assert bar.options == {"desc": "Uploading", "unit": "B", "unit_scale": True}
    assert (bar.steps, bar.total, bar.closed) == (total, total, True)
    counts = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (1, 3), (1, 4), (2, 4), (2, 4), (3, 4)]
    assert bar.texts == [f"{whole} of 3 volumes, {one} of 4 objects" for whole, one in counts]


def test_bars_of_other_long_work_come_late_go_away_and_show_no_name(
    source, target, bars, monkeypatch
):
    def work(existing="error"):
        dataset = nk.scan(source)
        nk.check(dataset)
        receipt = nk.upload(nk.plan(dataset), target, existing=existing, on_progress=quiet)
        nk.verify(receipt, target)

    work()
    assert bars == []  # nothing took two seconds
    monkeypatch.setattr(parallel, "BAR_AFTER_S", 0)
    work("skip")
    assert [(bar.steps, bar.closed, bar.options) for bar in bars] == [
        (total, True, {"total": total, "initial": 0, "desc": doing, "unit": unit, "leave": False})
        for total, doing, unit in (
            (6, "Reading headers", "file"),
            (3, "Checking", "item"),
            (3, "Reading images", "item"),
            (3, "Verifying", "volume"),
        )
    ]


def test_the_real_bar_shows_volumes_and_objects(source, target, capsys):
    land(source, target, on_progress=None)
    shown = capsys.readouterr().err
    assert "Uploading: 100%" in shown
    assert "B/s, 3 of 3 volumes, 4 of 4 objects]" in shown
    assert "nrrd" not in shown


def test_the_bar_is_closed_after_an_error_too(source, target, bars):
    plan = nk.plan(nk.scan(source))
    bars.clear()
    with damaged_meanwhile(source / "B.nii.gz"), pytest.raises(UnreadableFile):
        nk.upload(plan, target)
    ((steps, total),) = [(bar.steps, bar.total) for bar in bars if bar.closed]
    assert 0 < steps < total


# Interruptions


@contextmanager
def damaged_meanwhile(path):
    """Damage a file after an upload has looked at what its files hold; mend it at the end."""
    whole, look = path.read_bytes(), upload.refuse_changed

    def damaging(items):
        look(items)
        path.write_bytes(whole[:-8] + bytes(8))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "refuse_changed", damaging)
        yield
    path.write_bytes(whole)


class Stop(Exception):
    """What a person's button raises."""


def test_the_journal_may_lie_in_the_project(tmp_path, source, target, expected):
    journal = tmp_path / "p" / "upload.journal"
    land(source, target, journal=journal)
    land(source, target, journal=journal)
    found = tree(tmp_path / "p")
    assert found.pop("upload.journal")
    assert found == expected


@pytest.mark.parametrize("after", [1, 2, 3])
def test_progress_that_raises_ends_the_upload_and_the_journal_resumes_it(
    tmp_path, source, target, expected, after
):
    def stop(progress):
        if progress.items_done == after:
            raise Stop

    journal = tmp_path / "journal"
    with pytest.raises(Stop):
        land(source, target, on_progress=stop, journal=journal)
    landed = sorted(path.name for path in (tmp_path / "p" / "d" / "ann").iterdir())
    assert landed == [f"{name}.nrrd.json" for name in "ABC"[:after]]
    for name, content in tree(tmp_path / "p").items():
        if name not in ("key_id_map.json", "meta.json"):
            assert content == expected[name]
    receipt = land(source, target, journal=journal)
    assert tree(tmp_path / "p") == expected
    assert [item.added for item in receipt.items] == [True] * 3
    assert nk.verify(receipt, target).ok


def test_a_damaged_volume_ends_the_upload_and_a_mended_one_resumes_it(
    tmp_path, source, target, expected
):
    plan = nk.plan(nk.scan(source))
    with damaged_meanwhile(source / "B.nii.gz"):
        with pytest.raises(UnreadableFile, match=r"B\.nii\.gz: its voxels cannot be read"):
            nk.upload(plan, target, on_progress=quiet, journal=tmp_path / "journal")
        assert [ref.name for ref in target.volumes()] == ["A.nrrd"]
    nk.upload(plan, target, on_progress=quiet, journal=tmp_path / "journal")
    assert tree(tmp_path / "p") == expected


def test_the_journal_of_another_plan_is_refused(tmp_path, source, target):
    land(source, target, journal=tmp_path / "journal")
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(TargetError, match="the journal is that of another plan"):
        land(tmp_path / "elsewhere", target, journal=tmp_path / "journal")


def test_a_plan_whose_files_hold_something_else_by_now_is_refused_by_their_names(source, target):
    plan = nk.plan(nk.scan(source))
    content = (source / "B.nii.gz").read_bytes()
    stamp = (source / "B.nii.gz").stat()
    write_nifti(source / "B.nii.gz", volume() + 7)
    with pytest.raises(PlanBlocked, match="1 file changed since the plan was made") as told:
        nk.upload(plan, target, on_progress=quiet)
    assert told.value.found == "B.nii.gz"
    assert not target.path.exists()
    (source / "B.nii.gz").write_bytes(content)  # the same content, at another time
    assert (source / "B.nii.gz").stat().st_mtime_ns != stamp.st_mtime_ns
    assert nk.verify(nk.upload(plan, target, on_progress=quiet), target).ok


def test_the_journal_of_another_target_is_refused(tmp_path, source, target):
    land(source, target, journal=tmp_path / "journal")
    other = nk.ProjectFolder(tmp_path / "p", dataset="e")
    with pytest.raises(TargetError, match="the journal is that of another target"):
        land(source, other, journal=tmp_path / "journal")


class Overtaken(nk.ProjectFolder):
    """Another call of the same upload ends just before this one may write."""

    before = None

    @contextmanager
    def remembering(self):
        before, self.before = self.before, None
        if before is not None:
            before()
        with super().remembering() as landing:
            yield landing


def test_a_call_that_was_overtaken_by_the_same_call_does_not_go_on_with_what_it_had_read(
    tmp_path, source, expected
):
    def stop(progress):
        if progress.items_done == 1:
            raise Stop

    target = Overtaken(tmp_path / "p", dataset="d")
    with pytest.raises(Stop):
        land(source, target, on_progress=stop)
    target.before = lambda: land(source, Overtaken(tmp_path / "p", dataset="d"))
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        land(source, target)
    assert tree(tmp_path / "p") == expected
    assert not (tmp_path / "p.journals").exists()


# Executors


@pytest.fixture(params=["threads", "processes"])
def executor(request):
    if request.param == "threads":
        with ThreadPoolExecutor(3) as pool:
            yield pool
    else:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool


def test_every_executor_makes_the_same_project_to_the_byte(
    tmp_path, source, target, expected, executor
):
    receipt = land(source, target, executor=executor, journal=tmp_path / "journal")
    assert tree(tmp_path / "p") == expected
    assert [item.volume.name for item in receipt.items] == ["A.nrrd", "B.nrrd", "C.nrrd"]
    assert nk.verify(receipt, target).ok
    other = nk.ProjectFolder(tmp_path / "planes", dataset="d")
    scored = write_scored_planes(tmp_path / "scored")
    land(scored, other, executor=executor)
    land(scored, nk.ProjectFolder(tmp_path / "same", dataset="d"))
    assert tree(tmp_path / "planes") == tree(tmp_path / "same")


def test_an_error_in_a_worker_arrives_whole_and_the_journal_resumes(
    tmp_path, source, target, expected, executor
):
    plan = nk.plan(nk.scan(source))
    options = {"on_progress": quiet, "journal": tmp_path / "journal", "executor": executor}
    with damaged_meanwhile(source / "B.nii.gz"), pytest.raises(UnreadableFile) as caught:
        nk.upload(plan, target, **options)
    assert (caught.value.path, caught.value.message) == (
        "B.nii.gz",
        "its voxels cannot be read to the end",
    )
    nk.upload(plan, target, **options)
    assert tree(tmp_path / "p") == expected


class Late(Future):
    """Work that has begun: it cannot be cancelled, and ends only after someone tried to."""

    def cancel(self):
        threading.Thread(target=self.finish).start()
        return False

    def finish(self):
        self.work()
        self.set_result(None)


class OneAtOnceTheOthersLate(Executor):
    """Does the first job at once; the second is under way; the others have not begun."""

    def __init__(self):
        self.futures = []

    def submit(self, function, /, *args, **options):
        future = Late() if len(self.futures) == 1 else Future()
        self.futures.append(future)
        if len(self.futures) == 1:
            future.set_result(function(*args, **options))
        elif len(self.futures) == 2:
            future.set_running_or_notify_cancel()
            future.work = lambda: function(*args, **options)
        return future


def test_what_has_begun_is_waited_for_and_the_rest_is_cancelled(tmp_path, source, target, expected):
    def stop(_):
        raise Stop

    pool = OneAtOnceTheOthersLate()
    journal = tmp_path / "journal"
    with pytest.raises(Stop):
        land(source, target, executor=pool, on_progress=stop, journal=journal)
    assert [future.done() for future in pool.futures] == [True, True, True]
    assert [future.cancelled() for future in pool.futures] == [False, False, True]
    assert [ref.name for ref in target.volumes()] == ["A.nrrd", "B.nrrd"]
    land(source, target, journal=journal)
    assert tree(tmp_path / "p") == expected


# Annotations for volumes that are there


def test_an_id_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    path = write_foreign(tmp_path / "p")
    before = tree(path)
    source = write_annotations(tmp_path / "in", 1, 77)
    with pytest.raises(TargetError) as caught:
        land(source, nk.ProjectFolder(path), journal=tmp_path / "journal")
    assert not (tmp_path / "journal").exists()
    assert str(caught.value) == (
        "the target has no volume with id 77 "
        "Found: 1 (one/V.nrrd), 2 (one/child/W.nrrd), 3 (two/X.nrrd). "
        "Expected: a volume for axl_inference_2.nii.gz. "
        "Remedy: Correct the id in the mapping, or choose the right project and dataset."
    )
    assert tree(path) == before


def test_a_mapping_onto_an_empty_project_says_that_there_is_nothing(tmp_path):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    with pytest.raises(TargetError, match=r"no volume with id 1 Found: no volumes\."):
        land(write_annotations(tmp_path / "in", 1), target)


def test_a_file_without_a_label_for_an_absent_volume_is_refused_too(tmp_path):
    write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 9)
    write_nifti(source / "axl_inference_1.nii.gz", np.zeros(SHAPE, np.uint8))
    with pytest.raises(PlanBlocked, match="plan-empty"):
        land(source, nk.ProjectFolder(tmp_path / "p"))


def test_a_mask_that_does_not_fit_the_volume_it_is_mapped_to_blocks(tmp_path):
    path = write_foreign(tmp_path / "p")
    before = tree(path)
    source = write_annotations(tmp_path / "in", 1, affine=moved())
    with pytest.raises(PlanBlocked) as caught:
        land(source, nk.ProjectFolder(path))
    assert (
        "ERROR [mask-translated] axl_inference_1.nii.gz: translated: up to 10 mm (5 voxels) from "
        "its volume one/V.nrrd"
    ) in str(caught.value)
    assert tree(path) == before
    receipt = land(source, nk.ProjectFolder(path), waive=["mask-translated"])
    assert [found.waived for found in receipt.findings] == [True]
    assert nk.verify(receipt, nk.ProjectFolder(path)).ok


def test_a_mask_in_another_order_lands_in_the_order_of_its_volume(tmp_path):
    path = write_foreign(tmp_path / "p")
    flipped = np.array(AFFINE)[:, [2, 0, 1, 3]]
    flipped[:3, 3] += flipped[:3, 0] * 6
    flipped[:3, 0] *= -1
    source = write_annotations(tmp_path / "in", 1)
    stored = labels().transpose(2, 0, 1)[::-1]
    write_nifti(source / "axl_inference_1.nii.gz", stored, flipped)
    target = nk.ProjectFolder(path)
    receipt = land(source, target)
    for landed, value in zip(receipt.objects, (1, 2), strict=True):
        mask, grid = target.mask(landed.ref)
        np.testing.assert_array_equal(mask, labels() == value)
        assert grid == target.volume(1).grid
    assert nk.verify(receipt, target).ok


def test_a_volume_without_a_usable_place_takes_no_annotation(tmp_path):
    path = write_foreign(tmp_path / "p")
    volume = path / "one" / "volume" / "V.nrrd"
    content = volume.read_bytes()
    assert content.count(b"(2,0,0)") == 1
    volume.write_bytes(content.replace(b"(2,0,0)", b"(0,0,0)"))
    with pytest.raises(TargetError) as caught:
        land(write_annotations(tmp_path / "in", 1), nk.ProjectFolder(path))
    assert str(caught.value) == (
        "the volume 1 (one/V.nrrd) has no usable place in space "
        "Found: the affine has an axis of length 0. "
        "Remedy: Write the volume again with its orientation."
    )


def test_a_given_mapping_counts_instead_of_the_sources_own(tmp_path):
    path = write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 1)
    rows = [MappingRow(PurePosixPath("axl_inference_1.nii.gz"), 3)]
    receipt = land(source, nk.ProjectFolder(path), mapping=Mapping(rows))
    assert [item.volume.name for item in receipt.items] == ["X.nrrd"]


def test_annotations_land_on_a_volume_that_we_made(tmp_path, target):
    land(write_scored_planes(tmp_path / "planes"), target)
    source = write_annotations(tmp_path / "in", 2)
    (source / "color_map.txt").write_text("1 Bone 1 2 3\n")
    receipt = land(source, target)
    content = json.loads((tmp_path / "p/d/ann/cor_anatomic.nrrd.json").read_text())
    titles = [found["classTitle"] for found in content["objects"]]
    assert titles == ["Femur", "Tibia", "Bone", "Bone"]
    assert nk.verify(receipt, target).ok
