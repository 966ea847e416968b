"""Files that a person leaves out: the rest lands, and what is lost is named all the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError, PlanBlocked
from tests.support.builders import labels, volume, write_nifti, write_planes
from tests.support.handmade import write_raw
from tests.support.landings import quiet

SHAPE = (40, 42, 44)
"""Large enough that a damaged end is not seen with the header."""

COMPLEX = {"datatype": 32, "bitpix": 64, "data": bytes(2000)}


def cut(path: Path) -> None:
    """Damage a file behind its header: its checksum no longer fits."""
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))


def two_volumes(folder: Path) -> Path:
    """Two volumes with a mask of two objects each."""
    for number, name in enumerate(("CT", "MR")):
        noise = np.random.default_rng(number).integers(0, 30_000, SHAPE).astype(np.int16)
        write_nifti(folder / f"{name}.nii.gz", noise)
        write_nifti(folder / name / "lung.nii.gz", labels(SHAPE))
    return folder


def landed(plan: Any, folder: Path) -> Any:
    target = nk.ProjectFolder(folder, "d")
    receipt = nk.upload(plan, target, on_progress=quiet)
    return receipt, nk.verify(receipt, target)


def test_a_volume_that_is_cut_short_blocks_before_anything_lands(tmp_path: Path) -> None:
    cut(two_volumes(tmp_path / "in") / "MR.nii.gz")
    dataset = nk.scan(tmp_path / "in")
    plan = nk.plan(dataset)
    assert [(f.code, f.path) for f in plan.blockers] == [("file-unreadable", "MR.nii.gz")]
    assert [(f.code, f.path) for f in nk.check(dataset).errors] == [
        ("file-unreadable", "MR.nii.gz")
    ]
    with pytest.raises(PlanBlocked, match=r"waive=\[\('file-unreadable', 'MR.nii.gz'\)\]"):
        nk.upload(plan, nk.ProjectFolder(tmp_path / "p", "d"))
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("waive", [[("file-unreadable", "MR.nii.gz")], "file-unreadable"])
def test_one_volume_is_left_out_with_its_masks_and_the_rest_lands(
    waive: Any, tmp_path: Path
) -> None:
    cut(two_volumes(tmp_path / "in") / "MR.nii.gz")
    plan = nk.plan(nk.scan(tmp_path / "in"), waive=waive)
    assert [item.name for item in plan.items] == ["CT.nrrd"]
    (one,) = plan.left_out
    assert (one.path, one.code, one.files, one.objects) == (
        "MR.nii.gz",
        "file-unreadable",
        ("MR/lung.nii.gz",),
        2,
    )
    receipt, proof = landed(plan, tmp_path / "p")
    assert receipt.left_out == proof.left_out == plan.left_out
    assert proof.ok
    said = "Left out: MR.nii.gz [file-unreadable]: "
    for shown in (plan, receipt, proof):
        assert said in repr(shown)
        assert said in shown._repr_html_()
        assert "1 file left out" in repr(shown)
        assert "with it MR/lung.nii.gz, 2 objects" in repr(shown)
    for kept in (receipt, proof):
        (fact,) = json.loads(kept.to_json())["left_out"]
        assert (fact["path"], fact["files"]) == ("MR.nii.gz", ["MR/lung.nii.gz"])


def several_frames(path: Path) -> None:
    write_nifti(path, np.stack([labels(), labels()], axis=-1))


MASKS = {
    "mask-frames": several_frames,
    "annotation-unsupported": lambda path: write_raw(path, **COMPLEX),
}


@pytest.mark.parametrize(("code", "make"), MASKS.items(), ids=list(MASKS))
def test_who_accepts_an_odd_volume_by_its_code_has_not_accepted_an_odd_mask(
    code: str, make: Any, tmp_path: Path
) -> None:
    two_volumes(tmp_path)
    write_raw(tmp_path / "FA_color.nii", **COMPLEX)
    make(tmp_path / "CT" / "tracts.nii")
    dataset = nk.scan(tmp_path)
    plan = nk.plan(dataset, waive="image-unsupported")
    assert [(f.code, f.path) for f in plan.blockers] == [(code, "CT/tracts.nii")]
    plan = nk.plan(dataset, waive=["image-unsupported", (code, "CT/tracts.nii")])
    assert not plan.blockers
    lost = {one.path: str(one) for one in plan.left_out}
    assert set(lost) == {"CT/tracts.nii", "FA_color.nii"}
    assert "its objects cannot be counted" in lost["CT/tracts.nii"]


def test_a_mask_that_lands_all_the_same_is_not_left_out(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", volume())
    write_nifti(tmp_path / "CT" / "lung.nii", labels(), np.diag([2, 3, 4, 1.0]))
    (error,) = nk.check(nk.scan(tmp_path)).errors
    plan = nk.plan(nk.scan(tmp_path), waive=[(error.code, "CT/lung.nii")])
    assert not plan.blockers
    assert len(plan.objects) == 2
    assert plan.left_out == ()


def test_a_volume_without_a_place_in_space_is_left_out_where_it_is_accepted(tmp_path: Path) -> None:
    two_volumes(tmp_path)
    write_raw(tmp_path / "lost.nii", sform_code=1, srow_x=[0, 0, 0, 0])
    plan = nk.plan(nk.scan(tmp_path), waive="grid-unusable")
    assert [one.path for one in plan.left_out] == ["lost.nii"]
    assert landed(plan, tmp_path.with_name("p"))[1].ok


@pytest.mark.parametrize("call", [nk.check, nk.plan])
def test_a_path_that_no_finding_has_is_refused_with_the_near_ones(
    call: Any, tmp_path: Path
) -> None:
    cut(two_volumes(tmp_path) / "MR.nii.gz")
    with pytest.raises(NiftiKitError) as caught:
        call(nk.scan(tmp_path), waive=[("file-unreadable", "mr.nii.gz")])
    assert (caught.value.path, caught.value.expected) == ("mr.nii.gz", "MR.nii.gz")
    with pytest.raises(NiftiKitError, match="no finding of this file"):
        call(nk.scan(tmp_path), waive=[("file-unreadable", "CT.nii.gz")])
    with pytest.raises(NiftiKitError, match="no file: nothing has mask-apart"):
        call(nk.scan(tmp_path), waive=[("mask-apart", "CT.nii.gz")])


def test_what_only_a_check_warns_of_can_be_accepted_in_a_plan_too(tmp_path: Path) -> None:
    two_volumes(tmp_path)
    waive = [("content-repeated", "CT/lung.nii.gz")]
    assert waive[0] in [(f.code, f.path) for f in nk.check(nk.scan(tmp_path))]
    assert not nk.plan(nk.scan(tmp_path), waive=waive).blockers


def test_headers_alone_let_pass_what_the_voxels_may_show(tmp_path: Path) -> None:
    two_volumes(tmp_path)
    waive = [("file-unreadable", "CT.nii.gz")]
    assert nk.check(nk.scan(tmp_path), voxels=False, waive=waive).ok


@pytest.mark.parametrize(
    ("make", "waive"),
    [
        (lambda folder: folder.mkdir(), "source-empty"),
        (lambda folder: cut(two_volumes(folder) / "MR.nii.gz"), "file-unreadable"),
    ],
    ids=["empty", "all left out"],
)
def test_an_empty_plan_is_blocked_whatever_is_accepted(
    make: Any, waive: str, tmp_path: Path
) -> None:
    make(tmp_path / "in")
    for path in (tmp_path / "in").glob("CT*"):
        cut(path) if path.is_file() else None
    plan = nk.plan(nk.scan(tmp_path / "in"), waive=[waive, "plan-empty"])
    assert [f.code for f in plan.blockers] == ["plan-empty"]
    assert "nothing would land" in repr(plan)
    with pytest.raises(PlanBlocked, match="nothing would land"):
        nk.upload(plan, nk.ProjectFolder(tmp_path / "p", "d"))


FAULTY_PLANES = {
    "a volume cut short": lambda folder: cut(folder / "axl_anatomic.nii.gz"),
    "a mask cut short": lambda folder: cut(folder / "axl_inference.nii.gz"),
    "a 4D mask": lambda folder: write_nifti(
        folder / "axl_inference.nii.gz", np.stack([labels(), labels()], axis=-1)
    ),
    "labels that are none": lambda folder: write_nifti(
        folder / "cor_inference.nii.gz", labels() * np.float32(0.3)
    ),
    "a plane twice": lambda folder: write_nifti(folder / "x_axl_anatomic.nii.gz", volume()),
    "no volume": lambda folder: (folder / "sag_anatomic.nii.gz").unlink(),
    "a table of text": lambda folder: (folder / "axl_score.csv").write_text("Layer,Label-1\n1,x\n"),
    "a long name": lambda folder: write_nifti(folder / f"axl_anatomic_{'a' * 230}.nii", volume()),
    "a broken mapping": lambda folder: (folder / "mapping.json").write_text("{"),
}


@pytest.mark.parametrize("make", FAULTY_PLANES.values(), ids=list(FAULTY_PLANES))
def test_what_check_calls_an_error_blocks_the_plan(make: Any, tmp_path: Path) -> None:
    make(write_planes(tmp_path) and tmp_path)
    errors = set(nk.check(nk.scan(tmp_path)).errors)
    assert errors
    assert errors <= set(nk.plan(nk.scan(tmp_path)).blockers)


@pytest.mark.parametrize("code", ["file-unreadable", "image-unsupported"])
@pytest.mark.parametrize("layout", ["by_volume", "by_plane"])
def test_the_masks_of_a_volume_whose_header_is_of_no_use_go_with_it(
    code: str, layout: str, tmp_path: Path
) -> None:
    lost, mask = "MR.nii", "MR/lung.nii.gz"
    if layout == "by_plane":
        write_planes(tmp_path)
        (tmp_path / "axl_anatomic.nii.gz").unlink()
        lost, mask = "axl_anatomic.nii", "axl_inference.nii.gz"
    else:
        two_volumes(tmp_path)
        (tmp_path / "MR.nii.gz").unlink()
    facts = COMPLEX if code == "image-unsupported" else {"data": b"short"}
    write_raw(tmp_path / lost, **facts)
    waive = [(code, lost)]
    dataset = nk.scan(tmp_path)
    assert nk.check(dataset, waive=waive).ok
    plan = nk.plan(dataset, waive=waive)
    assert not plan.blockers
    assert [(one.path, one.files) for one in plan.left_out] == [(lost, (mask,))]
    assert (code, lost) in [(f.code, f.path) for f in nk.plan(dataset).blockers]
