"""Steps: undone, saved, replayed as safely as the first time, refused where they are no steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import ImageFile
from tests.support.builders import AFFINE, labels, volume, write_nifti

MASK = "CT/lung.nii"


def pair(folder: Path, affine: Any, *, value: int = 1, shift: int = 0) -> Any:
    """Return a data set of a volume with a mask that has an affine of its own."""
    write_nifti(folder / "CT.nii", volume() + shift)
    write_nifti(folder / MASK, labels(values=(value,)), affine)
    return nk.scan(folder)


def away(mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


def offered(dataset: Any, code: str, title: str, **typed: Any) -> nk.Step:
    (found,) = nk.check(dataset).by_code()[code]
    (offer,) = [one for one in nk.offers(dataset, found) if one.title == title]
    return offer.step(**typed)


def test_a_header_that_says_otherwise_puts_the_repair_last_but_accepting(tmp_path: Path) -> None:
    write_nifti(tmp_path / "MR.nii", volume() + 5, away(60))
    dataset = pair(tmp_path, away(50))
    (found,) = nk.check(dataset).errors
    kinds = [offer.kind for offer in nk.offers(dataset, found)]
    assert kinds == ["other volume", "leave out", "repair", "repair", "accept"]
    assert nk.offers(dataset, found)[2].for_code([found, found]) is None


def test_the_volume_that_a_mask_fits_is_the_first_choice(tmp_path: Path) -> None:
    write_nifti(tmp_path / "A.nii", volume() + 3, away(90))
    write_nifti(tmp_path / "MR.nii", volume() + 5, away(50))
    dataset = pair(tmp_path, away(50))
    (found,) = nk.check(dataset).errors
    first = nk.offers(dataset, found)[0]
    assert (first.kind, first.options[0].default) == ("other volume", "MR.nii")
    assert "its voxels are those of MR.nii" in first.what
    done = nk.Steps().preview(dataset, first.step())
    assert not nk.check(done.dataset).errors


def test_what_was_judged_by_a_look_is_replayed_on_the_same_bytes_only(tmp_path: Path) -> None:
    dataset = pair(tmp_path / "one", away(30))
    step = offered(dataset, "mask-translated", "Take the volume's header")
    steps, done = nk.Steps().take(dataset, step)
    assert not nk.check(done.dataset).errors
    same = steps.apply(nk.scan(tmp_path / "one"))
    assert (len(same.repairs), same.undone) == (1, ())
    other = pair(tmp_path / "two", away(30), value=2)
    replayed = steps.apply(other)
    assert replayed.dataset is other
    assert len(replayed.taken) == 0
    (why,) = replayed.undone
    assert why == (
        f"take header (order='header'): {MASK}: {MASK} is another image than the one that was "
        "looked at: look at it"
    )


def test_a_step_for_all_findings_is_for_all_that_a_delivery_has(tmp_path: Path) -> None:
    for name in ("A", "B"):
        write_nifti(tmp_path / "one" / f"{name}.nii", volume() + ord(name))
        write_nifti(tmp_path / "one" / name / "lung.nii", labels(values=(1,)), np.eye(4))
    dataset = nk.scan(tmp_path / "one")
    found = nk.check(dataset).by_code()["mask-header-lost"]
    every = nk.offers(dataset, found[0])[0].for_code(found)
    assert every is not None
    steps, _ = nk.Steps().take(dataset, every.step())
    for name in ("C", "D", "E"):
        write_nifti(tmp_path / "two" / f"{name}.nii", volume() + ord(name))
        write_nifti(tmp_path / "two" / name / "lung.nii", labels(values=(1,)), np.eye(4))
    replayed = steps.apply(nk.scan(tmp_path / "two"))
    assert not nk.check(replayed.dataset).errors
    assert replayed.taken[0].files == ("C/lung.nii", "D/lung.nii", "E/lung.nii")


def test_a_step_that_would_end_otherwise_is_not_taken(tmp_path: Path) -> None:
    """On the next delivery a finer mask lies half outside: putting it there loses a label."""
    fine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    write_nifti(tmp_path / "one" / "CT.nii")
    small = np.zeros((8, 8, 8), np.uint8)
    small[2:6, 2:6, 2:6] = 1
    write_nifti(tmp_path / "one" / MASK, small, fine)
    dataset = nk.scan(tmp_path / "one")
    step = offered(dataset, "mask-resampled", "Put it on the volume's grid")
    steps, _ = nk.Steps().take(dataset, step)
    small[0, 0, 0] = 2  # a single voxel, which no voxel of the volume takes
    write_nifti(tmp_path / "two" / "CT.nii")
    fine[:3, 3] -= 3.3
    write_nifti(tmp_path / "two" / MASK, np.roll(small, 1, 0), fine)
    other = nk.scan(tmp_path / "two")
    assert "mask-resampled" in nk.check(other).by_code()
    replayed = steps.apply(other)
    assert replayed.dataset is other
    (why,) = replayed.undone
    assert "labels would be lost" in why or "label would be lost" in why


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    steps = nk.Steps(
        [
            nk.Step("leave_out", ("gone.nii", MASK)),
            nk.Step("take_header", (MASK,), finding="mask-header-lost"),
            nk.Step("accept", ("CT.nii",), finding="affine-missing", reason="known"),
        ]
    )
    replayed = steps.apply(pair(tmp_path, AFFINE))
    assert [len(one.files) for one in replayed.taken] == [1]
    first, second, third = replayed.undone
    assert "gone.nii is not in this source" in first
    assert "has no finding mask-header-lost here" in second
    assert "has no finding affine-missing here" in third


def test_the_last_step_is_undone_and_steps_are_as_they_were(tmp_path: Path) -> None:
    one = nk.Steps().add(nk.Step("score_base", values={"score_base": 0}))
    two = one.add(nk.Step("leave_out", (MASK,)))
    assert (len(one), len(two), two.undo()) == (1, 2, one)
    dataset = pair(tmp_path, AFFINE)
    assert two.apply(dataset).dataset.items[0].masks == ()
    assert two.undo().apply(dataset).dataset.items[0].masks != ()


def test_what_is_accepted_keeps_its_reason_to_the_end(tmp_path: Path) -> None:
    dataset = pair(tmp_path / "in", away(4))
    with pytest.raises(NiftiKitError, match="Why it is right as it is is missing"):
        offered(dataset, "mask-translated", "Accept as it is")
    step = offered(dataset, "mask-translated", "Accept as it is", reason="drawn on another series")
    steps, done = nk.Steps().take(dataset, step)
    plan = nk.plan(done.dataset, waive=steps.apply(dataset).waive)
    assert not plan.blockers
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    proof = nk.verify(receipt, target)
    for result in (receipt, proof):
        (waiver,) = json.loads(result.to_json())["waivers"]
        assert waiver["reason"] == "drawn on another series"
    assert "drawn on another series" in receipt.to_card()


LEAVE = nk.Step("leave_out", (MASK,)).facts()
"""A step that there is; the faulty ones are made of it."""


def saved(**other: Any) -> str:
    """Return the text of a file of a step with other facts."""
    return json.dumps({"format": "nifti_kit steps 1", "steps": [{**LEAVE, **other}]})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": "nifti_kit steps 2", "steps": []}',
        '{"format": "nifti_kit steps 1", "steps": [{"do": "remove"}]}',
        json.dumps({"format": "nifti_kit steps 1", "steps": 7}),
        saved(do="x"),
        saved(finding="no"),
        saved(values={"volume": "B.nii"}),
        saved(seen={"lost": "many"}),
        saved(do="accept", reason="known"),
        saved(do="accept", finding="mask-apart", reason=" "),
        saved(do="volumes"),
        saved(do="volumes", values={"volume": ["B.nii"]}),
        saved(do="volumes", values={"volume": "B.nii"}, finding="mask-apart", every=True),
        saved(do="classes", files=[], values={"0": 5}),
        saved(do="classes", files=[], values={"1": ["Liver", "#FF0000"]}),
        saved(do="round_labels", values={"threshold": 10**400}),
        saved(do="relabel", values={"mapping": {"one": 1}}),
        saved(do="pick_frame"),
        saved(do="straighten", values={"dataset": 1}),
        saved(do="straighten", values={"1": "not a name"}),
    ],
)
def test_a_file_that_holds_no_steps_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text(content)
    with pytest.raises(NiftiKitError, match="no file of steps"):
        nk.read_steps(tmp_path / "steps.json")


def test_a_step_with_values_that_do_not_fit_is_refused_by_name() -> None:
    with pytest.raises(NiftiKitError, match=r"'most'; it has these parameters: fewer_than"):
        nk.Step("drop_specks", (MASK,), {"most": 1})


def test_nothing_is_accepted_without_a_reason() -> None:
    with pytest.raises(NiftiKitError, match="with a reason"):
        nk.Step("accept", (MASK,), finding="mask-apart")


def test_a_value_of_another_kind_ends_in_a_sentence(tmp_path: Path) -> None:
    steps = nk.Steps([nk.Step("take_header", (MASK,), {"order": None})])
    (why,) = steps.apply(pair(tmp_path, AFFINE)).undone
    assert why.endswith("order has no such choice")


def test_a_volume_that_was_given_for_a_fault_is_not_given_where_there_is_none(
    tmp_path: Path,
) -> None:
    """The next mask of that name is right where it is: it stays with its own patient."""
    write_nifti(tmp_path / "one/MR.nii", volume() + 5, away(50))
    dataset = pair(tmp_path / "one", away(50))
    given = offered(dataset, "mask-translated", "It belongs to another volume", volume="MR.nii")
    out = offered(dataset, "mask-translated", "Leave this file out")
    write_nifti(tmp_path / "two/MR.nii", volume() + 6)
    other = pair(tmp_path / "two", AFFINE)
    for step in (given, out):
        steps, _ = nk.Steps().take(dataset, step)
        replayed = steps.apply(other)
        assert replayed.dataset is other
        (why,) = replayed.undone
        assert why.endswith(f"{MASK} has no finding mask-translated here")


def test_leaving_out_all_of_a_finding_leaves_out_all_that_a_delivery_has(tmp_path: Path) -> None:
    for folder, names in (("one", "AB"), ("two", "CD")):
        for name in names:
            write_nifti(tmp_path / folder / f"{name}.nii", volume() + ord(name))
            write_nifti(tmp_path / folder / name / "lung.nii", labels(), np.eye(4))
    dataset = nk.scan(tmp_path / "one")
    found = nk.check(dataset).by_code()["mask-header-lost"]
    (out,) = [one for one in nk.offers(dataset, found[0]) if one.kind == "leave out"]
    every = out.for_code(found)
    assert every is not None
    steps, _ = nk.Steps().take(dataset, every.step())
    replayed = steps.apply(nk.scan(tmp_path / "two"))
    assert replayed.taken[0].files == ("C/lung.nii", "D/lung.nii")


def test_what_was_judged_by_a_look_is_not_replayed_on_another_volume(tmp_path: Path) -> None:
    dataset = pair(tmp_path / "one", away(30))
    step = offered(dataset, "mask-translated", "Take the volume's header")
    steps, _ = nk.Steps().take(dataset, step)
    other = pair(tmp_path / "two", away(30), shift=7)  # the same mask, another patient's image
    replayed = steps.apply(other)
    assert replayed.dataset is other
    assert "another image than the one that was looked at" in replayed.undone[0]


def test_what_was_accepted_is_not_accepted_where_it_is_worse(tmp_path: Path) -> None:
    dataset = pair(tmp_path / "one", away(4))
    step = offered(dataset, "mask-translated", "Accept as it is", reason="another series")
    steps, _ = nk.Steps().take(dataset, step)
    assert len(steps.apply(nk.scan(tmp_path / "one")).waive) == 1
    replayed = steps.apply(pair(tmp_path / "two", away(12)))
    assert replayed.waive == {}
    (why,) = replayed.undone
    assert "not accepted: of CT/lung.nii it is found now: " in why
    assert "12" in why.rpartition("now: ")[2]


def test_what_only_a_plan_finds_stays_accepted(tmp_path: Path) -> None:
    dataset = pair(tmp_path, AFFINE)
    step = nk.Step("accept", (MASK,), finding="annotation-unmatched", reason="known")
    steps, _ = nk.Steps().take(dataset, step)
    assert steps.apply(dataset).waive == {("annotation-unmatched", MASK): "known"}


def test_a_title_has_the_beginning_of_a_long_reason() -> None:
    step = nk.Step("accept", (MASK,), finding="mask-apart", reason="x" * 10_000)
    assert len(step.title) < 400
    assert list(nk.Steps([step]).waive.values()) == ["x" * 10_000]


def test_a_replay_tells_each_step_and_can_be_ended(tmp_path: Path) -> None:
    dataset = pair(tmp_path, np.eye(4))
    one = offered(dataset, "mask-header-lost", "Take the volume's header")
    steps = nk.Steps([one, nk.Step("leave_out", (MASK,))])
    told: list[tuple[int, str]] = []
    steps.apply(dataset, on_step=lambda at, step: told.append((at, step.do)))
    assert told == [(0, "take_header"), (1, "leave_out")]

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        steps.apply(dataset, on_step=stop)


def test_steps_of_one_data_set_check_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = pair(tmp_path, away(4))
    step = offered(dataset, "mask-translated", "Accept as it is", reason="another series")
    calls = []

    def counted_check(*given: Any, **said: Any) -> Any:
        calls.append(said)
        return nk.check(*given, **said)

    monkeypatch.setattr("nifti_kit.repairs.steps.check", counted_check)
    nk.Steps([step, step, step]).apply(dataset)
    assert len(calls) == 1
    assert calls[0]["on_item"] is not None  # no bar in the thread of an app


def test_volumes_far_away_are_not_compared_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        write_nifti(tmp_path / f"MR{number}.nii", volume() + number, away(50 + 1000.5 * number))
    dataset = pair(tmp_path, away(50))
    (found,) = nk.check(dataset).errors
    compared = []
    whole = ImageFile.aligned_to

    def aligned_to(image: ImageFile, other: ImageFile) -> Any:
        compared.append(str(other.relative))
        return whole(image, other)

    monkeypatch.setattr(ImageFile, "aligned_to", aligned_to)
    assert nk.offers(dataset, found)[0].options[0].default == "MR0.nii"
    assert set(compared) == {"MR0.nii", "CT.nii"}


def test_a_file_that_is_no_annotation_is_given_no_volume(tmp_path: Path) -> None:
    dataset = pair(tmp_path, AFFINE)
    (tmp_path / "cls_color_map.txt").write_text("1 lung 255 0 0\n")
    dataset = nk.scan(tmp_path)
    with pytest.raises(NiftiKitError, match="no annotation and no score table"):
        nk.rescan(dataset, volumes={"cls_color_map.txt": "CT.nii"})


def test_what_was_accepted_and_mended_since_is_accepted_no_more(tmp_path: Path) -> None:
    dataset = pair(tmp_path, away(4))
    accept = offered(dataset, "mask-translated", "Accept as it is", reason="another series")
    for later in (
        nk.Step("leave_out", (MASK,)),
        nk.Step("leave_out", ("CT.nii",)),
        nk.Step("take_header", (MASK,)),
    ):
        applied = nk.Steps([accept, later]).apply(dataset)
        assert (len(applied.taken), applied.waive) == (2, {})
        nk.plan(applied.dataset, waive=applied.waive)
    assert "waive" not in nk.Steps([accept, nk.Step("leave_out", (MASK,))]).code("in")


def on_other_grids(folder: Path) -> Any:
    """Return three volumes of three grids: C's mask is on a finer one, that of A lies with B."""
    for at, name in enumerate("ABC"):
        grid = AFFINE @ np.diag([1, 1, 1 + at / 4, 1])
        write_nifti(folder / f"{name}.nii", volume() + at, grid)
    write_nifti(folder / "B/lung.nii", labels(values=(1,)))
    fine = AFFINE @ np.diag([1, 1, 0.75, 1])
    write_nifti(folder / "C/lung.nii", labels(values=(1,)), fine)
    return nk.scan(folder)


def test_a_repair_for_all_leaves_out_what_lies_on_another_volume(tmp_path: Path) -> None:
    dataset = on_other_grids(tmp_path)
    assert [f.path for f in nk.check(dataset).errors] == ["B/lung.nii", "C/lung.nii"]
    step = nk.Step("resample", ("B/lung.nii", "C/lung.nii"), {}, "mask-resampled", every=True)
    done = nk.Steps([step]).apply(dataset)
    assert done.taken[0].files == ("C/lung.nii",)
    (why,) = done.undone
    assert why.endswith("not taken for B/lung.nii: by its own header it is of A.nii: look at it")
