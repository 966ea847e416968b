"""Source picker: samples, reasons why nothing can be read, reading in a thread, recent sources."""

from __future__ import annotations

import threading

import pytest

from nifti_kit.errors import BadSource
from nifti_kit.widgets.parts import sources, tasks
from nifti_kit.widgets.parts.sources import SourcePicker, samples
from tests.support.builders import SAMPLES, labels, write_nifti, write_planes

EVERY_SAMPLE = [
    "annotations_dataset",
    "annotations_project",
    "by_plane_instance",
    "by_plane_instance.zip",
    "by_plane_semantic",
    "by_volume",
    "multi_item",
    "scores",
]


def test_the_samples_are_found_from_the_folder_of_the_notebooks():
    found = samples(SAMPLES.parent / "notebooks")
    assert list(found) == EVERY_SAMPLE
    assert found["scores"] == "../data_samples/scores"


def test_the_samples_are_found_from_the_repository_itself():
    assert samples(SAMPLES.parent)["scores"] == "data_samples/scores"


def test_there_may_be_no_samples(tmp_path):
    assert samples(tmp_path) == {}


def test_a_folder_is_a_sample_only_if_it_has_nifti_files(tmp_path):
    write_nifti(tmp_path / "data_samples" / "one" / "deep" / "V.nii")
    (tmp_path / "data_samples" / "LICENSES").mkdir()
    (tmp_path / "data_samples" / "README.md").touch()
    (tmp_path / "data_samples" / "two.tar.gz").touch()
    assert list(samples(tmp_path)) == ["one", "two.tar.gz"]


def test_a_source_is_read_in_a_thread(tmp_path):
    picker = SourcePicker(write_planes(tmp_path))
    threads = []
    picker.observe(lambda _: threads.append(threading.current_thread().name), "dataset")
    picker.scan()
    dataset = picker.join()
    assert [item.name for item in dataset.items] == [
        "axl_anatomic.nrrd",
        "cor_anatomic.nrrd",
        "sag_anatomic.nrrd",
    ]
    assert threads == ["nifti_kit task"]
    assert picker.error == ""


def test_it_says_how_many_headers_were_read_and_can_be_cancelled_between_two(tmp_path, monkeypatch):
    def cancel(change):
        texts.append(change["new"])
        if change["new"] == "Reading headers: 2 of 6 files ...":
            picker.task.cancel()

    monkeypatch.setattr(tasks, "SHOWN_EVERY_S", 0)
    picker = SourcePicker(write_planes(tmp_path))
    texts = []
    picker.task.observe(cancel, "text")
    picker.scan()
    picker.join()
    assert texts[-5:] == [
        "Reading headers: 0 of 6 files ...",
        "Reading headers: 1 of 6 files ...",
        "Reading headers: 2 of 6 files ...",
        "Ending at the next safe point ...",
        "Cancelled.",
    ]
    assert picker.dataset is None


def test_the_choices_are_those_of_scan(tmp_path):
    write_planes(tmp_path)
    picker = SourcePicker(tmp_path, layout="by_volume", segmentation="semantic", score_frames="ras")
    picker.scan()
    dataset = picker.join()
    assert dataset.layout == "by_volume"
    assert dataset.choices.segmentation == "semantic"
    assert dataset.choices.score_frames == "ras"


def test_a_choice_that_there_is_not_is_named():
    with pytest.raises(BadSource) as caught:
        SourcePicker("x", layout="by_day")
    assert str(caught.value) == (
        "layout has no such choice Found: 'by_day'. "
        "Expected: 'auto', 'by_volume', 'by_plane', 'annotations', 'pairs'."
    )


def test_what_else_scan_takes_is_given_to_every_scan(tmp_path):
    write_planes(tmp_path)
    for plane in ("axl", "cor", "sag"):
        (tmp_path / f"{plane}_inference.nii.gz").rename(tmp_path / f"{plane}_gt.nii.gz")
    picker = SourcePicker(tmp_path, classes={1: "Femur"}, annotation_words="gt", score_base=0)
    for _ in range(2):
        picker.scan()
        dataset = picker.join()
        assert [len(item.masks) for item in dataset.items] == [1, 1, 1]
        assert [entry.name for entry in dataset.classes] == ["Femur"]
        assert dataset.score_base == 0


def test_a_choice_of_another_name_is_told_in_words():
    with pytest.raises(BadSource, match=r"no such choice Found: base\. Expected: layout, "):
        SourcePicker("x", base=0)


def test_reading_another_source_takes_the_old_one_away_first(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    write_planes(first)
    write_planes(second)
    picker = SourcePicker(first)
    picker.scan()
    picker.join()
    seen = []
    picker.observe(lambda change: seen.append(change["new"]), "dataset")
    picker.path = str(second)
    picker.scan()
    dataset = picker.join()
    assert seen == [None, dataset]


def test_recent_sources_are_kept_once_the_newest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_RECENT", 2)
    folders = [str(write_planes(tmp_path / name)) for name in "abc"]
    picker = SourcePicker()
    for folder in (*folders, folders[1]):
        picker.path = folder
        picker.scan()
        picker.join()
    assert picker.recent == (folders[1], folders[2])


def test_what_could_not_be_read_is_told_and_raised(tmp_path):
    picker = SourcePicker(tmp_path / "none")
    picker.scan()
    with pytest.raises(BadSource):
        picker.join()
    assert picker.error.startswith(f"{tmp_path / 'none'}: there is no such file or folder")
    assert picker.recent == ()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "Give the path of a folder, an archive or a NIfTI file."),
        ("  ", "Give the path of a folder, an archive or a NIfTI file."),
        ("none\0such", "There is no such file or folder: none\0such (seen from {here})."),
        ("x" * 5000, "There is no such file or folder: " + "x" * 5000 + " (seen from {here})."),
        ("~nobody_here/x", "There is no such file or folder: ~nobody_here/x (seen from {here})."),
    ],
)
def test_it_is_told_why_nothing_can_be_read(path, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert SourcePicker(path).scan_blockers == [reason.format(here=tmp_path)]


def test_nothing_is_in_the_way_of_a_folder_that_is_there(tmp_path):
    assert SourcePicker(tmp_path).scan_blockers == []


def test_one_source_is_read_at_a_time(tmp_path, monkeypatch):
    go = threading.Event()
    scan = sources.scan
    monkeypatch.setattr(sources, "scan", lambda *args, **more: go.wait(20) and scan(*args, **more))
    picker = SourcePicker(write_planes(tmp_path))
    picker.scan()
    assert picker.scan_blockers == ["A source is being read."]
    picker.scan()
    go.set()
    assert len(picker.join().items) == 3


def nnunet(folder, *, stray=False):
    write_nifti(folder / "imagesTr" / "a_0000.nii")
    write_nifti(folder / "labelsTr" / "a.nii", labels())
    if stray:
        write_nifti(folder / "elsewhere.nii")
    return folder


def test_a_proposal_is_there_when_the_source_was_read_and_is_taken_when_it_is_said(tmp_path):
    picker = SourcePicker(nnunet(tmp_path))
    assert picker.proposal is None
    assert picker.proposal_blockers == ["There is no proposal."]
    picker.scan()
    assert [len(item.masks) for item in picker.join().items] == [0, 0]
    assert picker.proposal.name == "nnU-Net"
    assert picker.proposal_blockers == []
    picker.take_proposal()
    dataset = picker.join()
    assert (picker.layout, dataset.layout) == ("pairs", "pairs")
    assert [len(item.masks) for item in dataset.items] == [1]
    assert picker.proposal is None


def test_without_a_proposal_none_can_be_taken(tmp_path):
    picker = SourcePicker(nnunet(tmp_path, stray=True))
    picker.scan()
    picker.join()
    with pytest.raises(BadSource, match="There is no proposal"):
        picker.take_proposal()
    assert picker.layout == "auto"


def test_a_proposal_cannot_be_taken_while_a_source_is_read_or_when_it_is_gone(tmp_path):
    picker = SourcePicker(nnunet(tmp_path / "in"))
    picker.scan()
    picker.join()
    picker.path = str(tmp_path / "gone")
    assert picker.proposal_blockers[0].startswith("There is no such file or folder")


@pytest.mark.parametrize("form", ["{} ", '"{}"', " '{}' "])
def test_a_pasted_path_is_cleaned_and_the_same_source(tmp_path, form):
    write_planes(tmp_path / "my knees")
    picker = SourcePicker(tmp_path / "my knees")
    picker.scan()
    dataset = picker.join()
    picker.path = form.format(tmp_path / "my knees")
    assert picker.scan_blockers == []
    assert (picker.is_read, picker.dataset) == (True, dataset)
    picker.scan()
    assert len(picker.join().items) == 3
    assert picker.recent == (str(tmp_path / "my knees"),)
    picker.path = str(tmp_path / "my kne")
    assert not picker.is_read
