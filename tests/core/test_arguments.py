"""What a person hands over by mistake is told in words, before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import BadMapping, NiftiKitError, UnreadableFile, WrongArgument
from tests.support.builders import SAMPLES, labels, write_nifti
from tests.support.landings import land, write_annotations, write_volumes


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})


@pytest.fixture
def dataset(source):
    return nk.scan(source)


@pytest.fixture
def target(tmp_path):
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


def told(call):
    with pytest.raises(WrongArgument) as caught:
        call()
    assert isinstance(caught.value, NiftiKitError)
    assert isinstance(caught.value, TypeError)
    return caught.value.message, caught.value.found, caught.value.expected


@pytest.mark.parametrize(("given", "found"), [(123, "int"), (None, "NoneType"), (b"in", "bytes")])
def test_a_source_is_a_path(given, found):
    expected = "the path of a folder, an archive or a NIfTI file"
    assert told(lambda: nk.scan(given)) == ("this is no path", found, expected)


@pytest.mark.parametrize("given", ["in", Path("in")])
@pytest.mark.parametrize(
    "call", [nk.check, nk.plan, lambda given: nk.match(given, [])], ids=["check", "plan", "match"]
)
def test_a_path_is_no_dataset(call, given):
    expected = ("this is no Dataset", "the path 'in'", "what nk.scan(...) returns")
    assert told(lambda: call(given)) == expected


def test_a_dataset_is_no_plan_and_no_receipt(dataset, target):
    assert told(lambda: nk.upload(dataset, target))[1:] == ("Dataset", "what nk.plan(...) returns")
    expected = "what nk.upload(...) or nk.plan(...) returns"
    assert told(lambda: nk.verify(dataset, target))[1:] == ("Dataset", expected)
    assert not target.path.exists()


@pytest.mark.parametrize("kind", ["path", "text", "nothing", "dataset"])
def test_a_target_is_no_path(source, dataset, target, tmp_path, kind):
    given = {"path": tmp_path / "q", "text": "q", "nothing": None, "dataset": dataset}[kind]
    plan, receipt = nk.plan(dataset), land(source, target)
    calls = [lambda: nk.upload(plan, given), lambda: nk.verify(receipt, given)]
    if given is not None:  # a plan needs no target
        calls.append(lambda: nk.plan(dataset, target=given))
    for call in calls:
        message, _, expected = told(call)
        assert message == "this is no target"
        assert "nk.ProjectFolder" in expected
    assert not (tmp_path / "q").exists()


# Mappings


def as_file(folder, content):
    path = folder / "another.json"
    path.write_text("{" + ", ".join(f'"{key}": {value}' for key, value in content.items()) + "}")
    return path


@pytest.mark.parametrize("form", [as_file, lambda *both: str(as_file(*both)), lambda _, it: it])
def test_a_mapping_may_be_a_file_or_a_dictionary(tmp_path, form):
    dataset = nk.scan(write_annotations(tmp_path / "in", 7, 8))
    names = [path.name for path in dataset.annotation_paths]
    given = form(tmp_path, dict(zip(names, (3, 4), strict=True)))
    assert [item.volume_id for item in nk.plan(dataset).items] == [7, 8]
    assert [item.volume_id for item in nk.plan(dataset, mapping=given).items] == [3, 4]


def test_ids_of_numpy_are_numbers_and_faults_of_a_dictionary_are_found(tmp_path):
    dataset = nk.scan(write_annotations(tmp_path / "in", 7, 8))
    first, second = (path.name for path in dataset.annotation_paths)
    mapping = nk.read_mapping({first: np.int64(3), second: True, 5: 6}, dataset)
    assert [row.volume for row in mapping.rows] == [3, None]
    assert type(mapping.rows[0].volume) is int
    assert sorted(fault.code for fault in mapping.faults) == ["mapping-id", "mapping-key"]
    assert nk.plan(dataset, mapping={first: 3, second: True}).blockers


def test_what_is_no_mapping_is_refused(tmp_path):
    dataset = nk.scan(write_annotations(tmp_path / "in", 7))
    with pytest.raises(BadMapping, match="in no known form") as caught:
        nk.plan(dataset, mapping=3)
    assert caught.value.found == "int"
    with pytest.raises(UnreadableFile, match=r"none\.json"):
        nk.plan(dataset, mapping=tmp_path / "none.json")


@pytest.mark.parametrize("given", ["file", "dictionary"])
def test_a_mapping_that_is_of_no_use_is_named(given):
    annotations = SAMPLES / "annotations_dataset" / "mapping.json"
    dataset = nk.scan(SAMPLES / "by_volume")
    before = nk.plan(dataset)
    plan = nk.plan(dataset, mapping=annotations if given == "file" else {"a.nii": 1})
    (unused,) = [found for found in plan.findings if found not in before.findings]
    assert (unused.code, unused.severity) == ("file-unused", "warning")
    assert unused.path == (str(annotations) if given == "file" else "")
    assert "for annotations alone; the layout is by_volume" in unused.message
    assert plan.digest == before.digest
    assert not plan.blockers


@pytest.mark.parametrize(
    "call",
    [
        lambda dataset: nk.repairs.round_labels(dataset, "CT/lung.nii.gz", threshold="a"),
        lambda dataset: nk.repairs.drop_specks(dataset, "CT/lung.nii.gz", fewer_than="a"),
        lambda dataset: nk.repairs.split_frames(dataset, "CT.nii.gz", ["a"]),
    ],
    ids=["threshold", "fewer_than", "frames"],
)
def test_a_text_where_a_number_belongs_is_told_in_words(call, tmp_path):
    write_nifti(tmp_path / "CT.nii.gz")
    write_nifti(tmp_path / "CT" / "lung.nii.gz", labels())
    with pytest.raises(WrongArgument, match=r"is no number.*Expected: a number"):
        call(nk.scan(tmp_path))
