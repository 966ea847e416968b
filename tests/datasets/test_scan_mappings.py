"""A file that is named like a mapping counts, or blocks: names never decide in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.datasets.dataset import Dataset
from tests.support.builders import labels, volume, write_nifti, write_planes
from tests.support.landings import quiet, write_volumes


def annotations(folder: Path) -> Path:
    for plane in ("axl", "cor"):
        write_nifti(folder / f"{plane}_inference.nii.gz", labels())
    return folder


def errors(dataset: Dataset) -> list[tuple[str, str]]:
    return [(f.code, f.path) for f in dataset.findings if f.severity == "error"]


NAMES = ("mapping.json", "MAPPING.JSON", "my_Mapping_v2.json", "sub/mapping (1).json")
CONTENTS = {
    "binary": b"\0\1\2\xff" * 9,
    "empty": b"",
    "cut": b'{"axl_inference.nii.gz": 1,',
    "a list": b'["axl_inference.nii.gz"]',
    "a picture": b"\x89PNG\r\n\x1a\n\0",
    "text": b"axl_inference.nii.gz -> 7",
    "null": b"null",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("layout", ["annotations", "by_plane", "by_volume"])
def test_what_is_named_like_a_mapping_and_is_none_is_an_error(
    layout: str, content: str, name: str, tmp_path: Path
) -> None:
    if layout == "annotations":
        annotations(tmp_path)
    elif layout == "by_plane":
        write_planes(tmp_path)
    else:
        write_nifti(tmp_path / "CT.nii", volume())
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(CONTENTS[content])
    dataset = nk.scan(tmp_path)
    assert dataset.layout == layout
    assert errors(dataset) == [("mapping-unreadable", name)]
    plan = nk.plan(dataset, waive=[("mapping-unreadable", name)])
    assert not [f for f in plan.blockers if f.path == name]


@pytest.mark.parametrize("content", CONTENTS)
def test_names_never_decide_in_the_place_of_a_mapping_that_cannot_be_read(
    content: str, tmp_path: Path
) -> None:
    target = nk.ProjectFolder(tmp_path / "p", "d")
    nk.upload(nk.plan(nk.scan(write_planes(tmp_path / "in"))), target, on_progress=quiet)
    annotations(tmp_path / "ann")
    (tmp_path / "ann" / "mapping.json").write_bytes(CONTENTS[content])
    dataset = nk.scan(tmp_path / "ann")
    for mapping in (None, nk.match(dataset, target.volumes())):
        plan = nk.plan(dataset, target=target, mapping=mapping)
        assert ("mapping-unreadable", "mapping.json") in [(f.code, f.path) for f in plan.blockers]
    ids = dict.fromkeys(map(str, dataset.annotation_paths), 1)
    assert "mapping-unreadable" not in nk.plan(dataset, mapping=ids).blockers.by_code()


def test_a_mapping_that_is_too_large_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nifti_kit.formats.mappings.MAX_BYTES", 10)
    annotations(tmp_path)
    (tmp_path / "mapping.json").write_text('{"axl_inference.nii.gz": 7}')
    assert errors(nk.scan(tmp_path)) == [("mapping-unreadable", "mapping.json")]


@pytest.mark.parametrize("name", ["mapping.csv", "mapping.xlsx", "volume_mapping.yaml"])
def test_a_mapping_of_another_kind_beside_annotations_is_an_error(
    name: str, tmp_path: Path
) -> None:
    annotations(tmp_path)
    (tmp_path / name).write_text("file,id\naxl_inference.nii.gz,7\n")
    assert errors(nk.scan(tmp_path)) == [("mapping-unreadable", name)]


KEYED = {
    "no plane, no role": ["knee_001.nii.gz", "knee_002.nii.gz"],
    "no plane, another word": ["knee_001_pred.nii.gz", "knee_002_pred.nii.gz"],
    "a plane, another word": ["p1_axl_pred.nii.gz", "p2_axl_pred.nii.gz"],
    "in folders": ["d/knee_001.nii.gz", "e/knee_001.nii.gz"],
    "annotation words": ["knee_001_mask.nii.gz", "knee_002_mask.nii.gz"],
}


@pytest.mark.parametrize("case", KEYED)
def test_nifti_names_as_keys_make_the_annotations_layout_and_land(
    case: str, tmp_path: Path
) -> None:
    target = nk.ProjectFolder(tmp_path / "p", "d")
    for number, name in enumerate("AB", start=1):
        write_nifti(tmp_path / "volumes" / f"{name}.nii", volume() + number)
    nk.upload(nk.plan(nk.scan(tmp_path / "volumes")), target, on_progress=quiet)
    for file in KEYED[case]:
        write_nifti(tmp_path / "in" / file, labels())
    text = json.dumps(dict(zip(KEYED[case], (1, 2), strict=True)))
    (tmp_path / "in" / "mapping.json").write_text(text)
    dataset = nk.scan(tmp_path / "in")
    assert (dataset.layout, errors(dataset), dataset.unused) == ("annotations", [], ())
    plan = nk.plan(dataset, target=target)
    assert [(item.volume_id, len(item.objects)) for item in plan.items] == [(1, 2), (2, 2)]
    receipt = nk.upload(plan, target, on_progress=quiet)
    assert nk.verify(receipt, target).ok


def test_a_file_that_no_key_names_blocks_and_can_be_left_out(tmp_path: Path) -> None:
    for name in ("knee_1_pred.nii", "knee_2_pred.nii"):
        write_nifti(tmp_path / name, labels())
    (tmp_path / "mapping.json").write_text('{"knee_1_pred.nii": 1}')
    dataset = nk.scan(tmp_path)
    (blocker,) = nk.plan(dataset).blockers
    assert (blocker.code, blocker.path) == ("annotation-unmatched", "knee_2_pred.nii")
    assert 'Add "knee_2_pred.nii": volume id, to mapping.json.' in blocker.remedy
    plan = nk.plan(dataset, waive=[(blocker.code, blocker.path)])
    assert not plan.blockers
    assert [(one.path, one.objects) for one in plan.left_out] == [("knee_2_pred.nii", 2)]


def test_keys_that_miss_their_files_keep_the_layout_and_say_what_to_write(tmp_path: Path) -> None:
    write_nifti(tmp_path / "knee_pred.nii.gz", labels())
    (tmp_path / "mapping.json").write_text('{"ds/knee_pred.nii": 1}')
    dataset = nk.scan(tmp_path)
    assert dataset.layout == "annotations"
    (fault,) = [f for f in dataset.findings if f.severity == "error"]
    assert (fault.code, fault.path) == ("mapping-key", "mapping.json")
    assert "(leave 'ds/' off; add .gz)" in fault.remedy


def test_a_key_may_name_a_damaged_file_which_can_be_left_out(tmp_path: Path) -> None:
    annotations(tmp_path)
    (tmp_path / "axl_inference.nii.gz").write_bytes(b"damaged")
    ids = {"axl_inference.nii.gz": 1, "cor_inference.nii.gz": 2}
    (tmp_path / "mapping.json").write_text(json.dumps(ids))
    dataset = nk.scan(tmp_path)
    assert errors(dataset) == [("file-unreadable", "axl_inference.nii.gz")]
    plan = nk.plan(dataset, waive=errors(dataset))
    assert not plan.blockers
    assert [item.volume_id for item in plan.items] == [2]
    assert [one.path for one in plan.left_out] == ["axl_inference.nii.gz"]


BESIDE: dict[str, Any] = {
    "by plane": (write_planes, "axl_inference.nii.gz"),
    "by volume": (lambda folder: write_volumes(folder, {"CT": {"lung": (1,)}}), "CT/lung.nii.gz"),
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_mapping_beside_volumes_has_two_readings(case: str, tmp_path: Path) -> None:
    make, file = BESIDE[case]
    make(tmp_path)
    (tmp_path / "mapping.json").write_text(json.dumps({file: 7}))
    dataset = nk.scan(tmp_path)
    assert errors(dataset) == [("mapping-beside-volumes", "mapping.json")]
    assert not nk.plan(dataset, waive="mapping-beside-volumes").blockers
    alone = nk.scan(tmp_path, layout="annotations")
    assert alone.mapping is not None
    assert str(alone.mapping.rows[0].annotation) == file


QUIET = {
    "a sidecar": ("T1_mapping.json", '{"EchoTime": 0.1}'),
    "a data set": ("dataset.json", '{"labels": {"0": "background"}}'),
    "another": ("notes.json", '{"EchoTime": 0.1}'),
}


@pytest.mark.parametrize("case", QUIET)
def test_other_json_files_are_named_for_what_they_are_and_block_nothing(
    case: str, tmp_path: Path
) -> None:
    name, content = QUIET[case]
    write_nifti(tmp_path / "T1_mapping.nii", volume())
    (tmp_path / name).write_text(content)
    dataset = nk.scan(tmp_path)
    assert (dataset.layout, errors(dataset)) == ("by_volume", [])
    assert [(f.code, f.path) for f in dataset.findings] == [("file-unused", name)]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ({"v.nii.gz": 7, "v/bone.nii.gz": 7}, []),
        ({"v.nii.gz": 7, "v/bone.nii.gz": 8}, ["mapping-beside-volumes"]),
        ({"v/bone.nii.gz": 7}, ["mapping-beside-volumes"]),
    ],
)
def test_a_mapping_that_names_the_volumes_beside_it_is_theirs(
    ids: dict[str, int], found: list[str], tmp_path: Path
) -> None:
    write_nifti(tmp_path / "v.nii.gz")
    write_nifti(tmp_path / "v" / "bone.nii.gz", labels())
    (tmp_path / "mapping.json").write_text(json.dumps(ids))
    dataset = nk.scan(tmp_path)
    assert [one.code for one in dataset.findings] == found
    assert bool(dataset.unused) is bool(found)


def test_a_mapping_of_masks_may_name_volumes_that_are_passed_over(tmp_path: Path) -> None:
    write_planes(tmp_path)
    names = [f"{plane}_{role}.nii.gz" for plane in ("axl", "cor", "sag") for role in ROLES]
    (tmp_path / "mapping.json").write_text(json.dumps(dict.fromkeys(names, 7)))
    dataset = nk.scan(tmp_path, layout="annotations")
    assert "mapping-key" not in {one.code for one in dataset.findings}
    assert [row.volume for row in dataset.mapping] == [7] * 3


ROLES = ("anatomic", "inference")
