"""Proofs: everything that is not as meant is found, and named."""

from __future__ import annotations

import gzip
import json
import threading
import weakref
from dataclasses import replace

import nibabel as nib
import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import LabelParts
from nifti_kit.transfer import verification
from nifti_kit.transfer.proof import Proof, ProofRow
from tests.support.builders import AFFINE, labels, volume, write_nifti
from tests.support.landings import (
    KEYS,
    edit_json,
    land,
    write_annotations,
    write_foreign,
    write_scored_planes,
    write_volumes,
)

VOXELS = 5 * 6 * 7


class Landed:
    """A project that was written: three scored planes, two objects each; and what to damage."""

    def __init__(self, path):
        self.path = path
        self.source = write_scored_planes(path / "in")
        self.target = nk.ProjectFolder(path / "p", dataset="d")
        self.receipt = land(self.source, self.target)
        self.item = self.receipt.items[0]
        self.volume = self.target.volume_path(self.item.volume)
        self.annotation = self.target.annotation_path(self.item.volume)
        self.ref = self.item.objects[0].ref
        self.mask = self.target.mask_path(self.item.volume, self.ref.figure_key)

    def proof(self, fresh=True):
        """By a new target, as in another session, or by the one that wrote."""
        target = nk.ProjectFolder(self.path / "p", dataset="d") if fresh else self.target
        return nk.verify(self.receipt, target)

    def rewrite(self, path, change):
        """Change voxels and header of a NRRD file."""
        data, header = nrrd.read(str(path))
        data, header = change(data, header) or (data, header)
        nrrd.write(str(path), data, header)


@pytest.fixture
def landed(tmp_path):
    return Landed(tmp_path)


def shown(proof):
    """Volume, object, and why of each row that failed."""
    return [(row.volume, row.name, row.value) for row in proof.failures]


AXL = ("axl_anatomic.nrrd", "", None)
FEMUR = ("axl_anatomic.nrrd", "Femur", 1)
TIBIA = ("axl_anatomic.nrrd", "Tibia", 2)


# Nothing is wrong


@pytest.mark.parametrize("fresh", [True, False])
def test_an_undamaged_project_is_proved_voxel_by_voxel(landed, fresh):
    proof = landed.proof(fresh)
    assert proof.ok
    assert proof.failures == ()
    assert [(row.kind, row.compared, row.differing) for row in proof.rows] == [
        *[("volume", VOXELS, 0), ("object", VOXELS, 0), ("object", VOXELS, 0)] * 3
    ]
    assert {row.displacement_mm for row in proof.rows} == {0.0}
    assert (len(proof.volumes), len(proof.objects)) == (3, 6)
    assert proof.rows[1] == ProofRow(
        kind="object",
        volume="axl_anatomic.nrrd",
        name="Femur",
        value=1,
        source="axl_inference.nii.gz",
        compared=VOXELS,
        differing=0,
        displacement_mm=0.0,
        class_ok=True,
        scores_ok=True,
    )


def test_values_that_are_not_finite_are_equal_to_themselves(tmp_path):
    array = volume().astype(np.float32)
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    write_nifti(tmp_path / "in" / "A.nii", array)
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    proof = nk.verify(land(tmp_path / "in", target), target)
    assert proof.ok
    assert proof.rows[0].compared == VOXELS


def test_the_highest_label_is_proved_too(tmp_path):
    array = labels().astype(np.uint16) * 32767
    array[4, 5, 6] = 65535
    write_nifti(tmp_path / "in" / "A.nii")
    write_nifti(tmp_path / "in" / "A" / "liver.nii", array)
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    proof = nk.verify(land(tmp_path / "in", target), target)
    assert proof.ok
    assert [row.value for row in proof.objects] == [32767, 65534, 65535]


def test_each_mask_is_compared_with_its_own_source(tmp_path):
    """Three objects of two files on one volume, and one on the next."""
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    proof = nk.verify(land(write_volumes(tmp_path / "in"), target), target)
    assert proof.ok
    assert [(row.name, row.value, row.source) for row in proof.objects] == [
        ("liver", 1, "A/liver.nii.gz"),
        ("liver", 2, "A/liver.nii.gz"),
        ("lung", 1, "A/lung.nii.gz"),
        ("liver", 3, "B/liver.nii.gz"),
    ]


# What is planted


def a_voxel_of_a_volume(landed):
    def flip(data, _):
        data[4, 5, 6] += 1

    landed.rewrite(landed.volume, flip)


def a_voxel_more_in_a_mask(landed):
    """Outside of the box that holds the source's voxels."""

    def more(data, _):
        assert data[4, 5, 6] == 0
        data[4, 5, 6] = 1

    landed.rewrite(landed.mask, more)


def a_voxel_more_in_the_box_of_a_mask(landed):
    def more(data, _):
        assert (data[0, 3, 2], data[0, 3, 4]) == (1, 0)
        data[0, 3, 4] = 1

    landed.rewrite(landed.mask, more)


def a_voxel_less_in_a_mask(landed):
    def less(data, _):
        data[0, 3, 2] = 0

    landed.rewrite(landed.mask, less)


def a_moved_voxel(landed):
    """As many as before, but one is elsewhere."""

    def swap(data, _):
        data[0, 3, 2], data[4, 5, 6] = 0, 1

    landed.rewrite(landed.mask, swap)


DIFFERENCES = {
    a_voxel_of_a_volume: (AXL, 1),
    a_voxel_more_in_a_mask: (FEMUR, 1),
    a_voxel_more_in_the_box_of_a_mask: (FEMUR, 1),
    a_voxel_less_in_a_mask: (FEMUR, 1),
    a_moved_voxel: (FEMUR, 2),
}


@pytest.mark.parametrize("plant", DIFFERENCES, ids=lambda plant: plant.__name__)
def test_every_voxel_that_differs_is_counted(landed, plant):
    plant(landed)
    where, count = DIFFERENCES[plant]
    proof = landed.proof()
    assert not proof.ok
    assert shown(proof) == [where]
    assert (proof.failures[0].compared, proof.failures[0].differing) == (VOXELS, count)
    assert f"{count} of {VOXELS} voxels differ" in repr(proof)


@pytest.mark.parametrize("which", ["volume", "mask"])
@pytest.mark.parametrize(
    ("by", "displacement", "text"),
    [
        (0.5, np.inf, "it has no voxel in common with its source"),
        (0.004, 0.004, "displaced by 0.004 mm"),
        (2e-4, 2e-4, "displaced by 0.0002 mm"),
    ],
)
def test_a_moved_origin_is_found(landed, which, by, displacement, text):
    def move(data, header):
        return data, header | {"space origin": header["space origin"] + [0, by, 0]}

    landed.rewrite(getattr(landed, which), move)
    for fresh in (True, False):
        proof = landed.proof(fresh)
        assert shown(proof) == [AXL if which == "volume" else FEMUR]
        assert proof.failures[0].displacement_mm == pytest.approx(displacement)
        assert proof.failures[0].compared == (0 if displacement == np.inf else VOXELS)
        assert proof.failures[0].differing == 0
        assert text in repr(proof)


def test_an_origin_moved_by_less_than_the_promise_is_in_its_place(landed):
    def move(data, header):
        return data, header | {"space origin": header["space origin"] + [0, 5e-5, 0]}

    landed.rewrite(landed.mask, move)
    assert landed.proof().ok


@pytest.mark.parametrize("which", ["volume", "mask"])
def test_the_same_voxels_in_another_order_are_the_same(landed, which):
    def flip(data, header):
        directions = np.array(header["space directions"])
        origin = header["space origin"] + directions[0] * (data.shape[0] - 1)
        directions[0] *= -1
        return data[::-1], header | {"space directions": directions, "space origin": origin}

    landed.rewrite(getattr(landed, which), flip)
    assert landed.proof().ok


@pytest.mark.parametrize("which", ["volume", "mask"])
def test_voxels_flipped_without_their_header_are_found(landed, which):
    landed.rewrite(getattr(landed, which), lambda data, header: (data[::-1], header))
    proof = landed.proof()
    assert shown(proof) == [AXL if which == "volume" else FEMUR]
    assert proof.failures[0].differing > 1


def test_a_mask_of_another_size_has_no_voxel_in_common(landed):
    landed.rewrite(landed.mask, lambda data, header: (data[:, :, :-1], header))
    proof = landed.proof()
    assert shown(proof) == [FEMUR]
    assert (proof.failures[0].compared, proof.failures[0].displacement_mm) == (0, np.inf)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_missing_mask_is_found_and_hides_nothing_else(landed, fresh):
    landed.mask.unlink()
    proof = landed.proof(fresh)
    assert shown(proof) == [FEMUR]
    assert "Found: no such file" in proof.failures[0].problem
    assert (proof.failures[0].class_ok, proof.failures[0].scores_ok) == (False, False)
    assert str(landed.mask) in proof.failures[0].problem


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "crc", "no nrrd"])
def test_a_missing_or_damaged_volume_is_found_and_hides_no_other(landed, damage):
    content = landed.volume.read_bytes()
    damaged = {
        "empty": b"",
        "cut": content[:-20],
        "crc": content[:-8] + bytes(4) + content[-4:],
        "no nrrd": b"hello",
    }
    landed.volume.unlink()
    if damage != "missing":
        landed.volume.write_bytes(damaged[damage])
    for fresh in (True, False):
        proof = landed.proof(fresh)
        assert AXL in shown(proof)
        assert {row.volume for row in proof.failures} == {"axl_anatomic.nrrd"}
        assert str(landed.volume) in proof.failures[0].problem
        facts = (proof.failures[0].compared, proof.failures[0].differing)
        assert (*facts, proof.failures[0].displacement_mm) == (0, 0, np.inf)


@pytest.mark.parametrize("damage", ["empty", "cut", "crc"])
def test_a_damaged_mask_is_found(landed, damage):
    content = landed.mask.read_bytes()
    damaged = {"empty": b"", "cut": content[:-9], "crc": content[:-8] + bytes(4) + content[-4:]}
    landed.mask.write_bytes(damaged[damage])
    proof = landed.proof()
    assert shown(proof) == [FEMUR]
    assert "cannot be read to the end" in proof.failures[0].problem


def test_data_that_end_early_but_are_whole_gzip_are_found(landed):
    head, _, data = landed.mask.read_bytes().partition(b"\n\n")
    landed.mask.write_bytes(head + b"\n\n" + gzip.compress(gzip.decompress(data)[:-1]))
    assert shown(landed.proof()) == [FEMUR]


def test_a_volume_whose_annotation_has_gone_is_not_on_the_target(landed):
    landed.annotation.unlink()
    for fresh in (True, False):
        proof = landed.proof(fresh)
        assert shown(proof) == [AXL, FEMUR, TIBIA]
        problem = f"{landed.path / 'p'}: there is no volume with id 1 Found: ids [2, 3]. Remedy: "
        assert all(row.problem.startswith(problem) for row in proof.failures)


def test_a_damaged_annotation_is_named_in_every_row_that_needs_it(landed):
    landed.annotation.write_text("{")
    proof = landed.proof()
    assert not proof.ok
    assert all(str(landed.annotation) in row.problem for row in proof.failures)
    assert {AXL, FEMUR, TIBIA} <= set(shown(proof))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("objects", "it is not on the target"),
        ("spatialFigures", "it is on the target without its figure"),
    ],
)
def test_a_missing_object_or_figure_is_found(landed, name, problem):
    edit_json(landed.annotation, lambda content: content[name].pop(0))
    proof = landed.proof()
    assert [(row.name, row.problem) for row in proof.failures] == [("Femur", problem)]


@pytest.mark.parametrize(
    "change",
    [
        lambda scores: scores["0-0-1"]["2"].update(score="0.8"),
        lambda scores: scores["0-0-1"]["2"].update(comment="x"),
        lambda scores: scores["0-0-1"].update({"3": {"score": "0.1", "comment": None}}),
        lambda scores: scores.update({"0-1-0": scores.pop("0-0-1")}),
        lambda scores: scores.clear(),
    ],
    ids=["score", "comment", "slice", "plane", "none"],
)
def test_changed_scores_are_found(landed, change):
    edit_json(landed.annotation, lambda c: change(c["spatialFigures"][0]["customData"]))
    proof = landed.proof()
    assert shown(proof) == [FEMUR]
    assert (proof.failures[0].scores_ok, proof.failures[0].class_ok) == (False, True)
    assert repr(proof).endswith("axl_anatomic.nrrd Femur <- axl_inference.nii.gz: scores differ")


def test_another_class_is_found(landed):
    edit_json(landed.annotation, lambda c: c["objects"][0].update(classTitle="Tibia"))
    proof = landed.proof()
    assert shown(proof) == [FEMUR]
    assert (proof.failures[0].scores_ok, proof.failures[0].class_ok) == (True, False)
    assert repr(proof).endswith("Femur <- axl_inference.nii.gz: class or colour differ")


@pytest.mark.parametrize("change", ["colour", "missing"])
def test_another_colour_or_a_missing_class_is_found_for_each_of_its_objects(landed, change):
    def edit(meta):
        if change == "colour":
            meta["classes"][0]["color"] = "#FF0001"
        else:
            del meta["classes"][0]

    edit_json(landed.path / "p" / "meta.json", edit)
    proof = landed.proof()
    assert [row.name for row in proof.failures] == ["Femur"] * 3
    assert {row.class_ok for row in proof.failures} == {False}


def test_a_colour_that_nobody_gave_may_be_another(tmp_path):
    path = write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 3)
    (source / "cls_color_map.txt").write_text("1 old\n")
    target = nk.ProjectFolder(path)
    assert nk.verify(land(source, target), target).ok


def test_a_source_that_changed_since_is_found(landed):
    changed = labels()
    changed[4, 5, 6] = 1
    write_nifti(landed.source / "axl_inference.nii.gz", changed)
    proof = landed.proof()
    assert shown(proof) == [FEMUR, TIBIA]
    assert [row.differing for row in proof.failures] == [1, 0]


def test_a_source_that_has_gone_is_a_problem_of_its_rows(landed):
    (landed.source / "axl_inference.nii.gz").unlink()
    (landed.source / "cor_anatomic.nii.gz").unlink()
    proof = landed.proof()
    assert [(row.volume, row.name) for row in proof.failures] == [
        ("axl_anatomic.nrrd", "Femur"),
        ("axl_anatomic.nrrd", "Tibia"),
        ("cor_anatomic.nrrd", ""),
    ]
    assert all("No such file" in row.problem for row in proof.failures)


# Objects that were there


def test_an_object_that_was_kept_is_compared_too(tmp_path):
    """It has two figures: the one that is the mask's is compared."""
    path = write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 1)
    (source / "cls_color_map.txt").write_text("1 old\n")
    target = nk.ProjectFolder(path)
    receipt = land(source, target, existing="skip")
    assert [(o.added, o.ref.figure_key) for o in receipt.objects] == [
        (False, KEYS["d"]),
        (False, KEYS["e"]),
    ]
    assert nk.verify(receipt, target).ok
    ref = receipt.items[0].objects[1].ref
    mask = target.mask_path(target.volume(1), ref.figure_key)
    nrrd.write(str(mask), np.zeros((5, 6, 7), np.uint8), nrrd.read_header(str(mask)))
    assert [row.value for row in nk.verify(receipt, target).failures] == [2]


def test_annotations_have_no_row_for_a_volume_that_was_not_theirs_to_land(tmp_path):
    path = write_foreign(tmp_path / "p")
    target = nk.ProjectFolder(path)
    receipt = land(write_annotations(tmp_path / "in", 1, 2), target)
    proof = nk.verify(receipt, target)
    assert proof.volumes == ()
    assert len(proof.objects) == 4


# What a proof shows

GOOD = ProofRow("object", "A.nrrd", "liver", 1, "A/liver.nii", 10, 0, 0.0, True, True)
BAD = replace(GOOD, differing=3, displacement_mm=0.25, class_ok=False, scores_ok=False)
LOST = ProofRow("volume", "A.nrrd", "", 1, "A/liver.nii", problem="<it> is gone")


def test_a_row_is_well_only_if_nothing_of_it_differs():
    assert GOOD.ok
    assert replace(GOOD, displacement_mm=1e-4).ok
    for change in (
        {"differing": 1},
        {"displacement_mm": 1.1e-4},
        {"displacement_mm": np.inf},
        {"class_ok": False},
        {"scores_ok": False},
        {"problem": "x"},
    ):
        assert not replace(GOOD, **change).ok


def test_a_proof_shows_its_verdict_and_every_reason():
    assert repr(Proof((GOOD,))) == (
        "Proof: verified; 0 volumes and 1 object, 10 voxels compared, 0 differ, "
        "largest displacement 0 mm"
    )
    assert repr(Proof((GOOD, BAD, LOST))) == (
        "Proof: NOT as meant: 2; 1 volume and 2 objects, 20 voxels compared, 3 differ, "
        "largest displacement inf mm\n"
        "  A.nrrd liver <- A/liver.nii: 3 of 10 voxels differ; displaced by 0.25 mm; "
        "class or colour differ; scores differ\n"
        "  A.nrrd <- A/liver.nii: <it> is gone"
    )
    assert repr(Proof(())) == (
        "Proof: NOT verified: nothing was compared; 0 volumes and 0 objects, 0 voxels compared, "
        "0 differ, largest displacement 0 mm"
    )
    assert not Proof(()).ok


def test_a_proof_in_a_notebook_is_escaped():
    assert "<table" not in Proof((GOOD,))._repr_html_()
    shown_html = Proof((BAD, LOST))._repr_html_()
    assert "&lt;it&gt; is gone" in shown_html
    assert "<it>" not in shown_html
    assert "3 of 10 voxels differ" in shown_html


def test_a_proof_shows_twenty_failures_and_keeps_them_all():
    proof = Proof((BAD,) * 30)
    assert repr(proof).splitlines()[21:] == ["  ... and 10 more rows; all are in to_frame()"]
    assert len(proof.failures) == 30


def test_a_proof_is_a_table():
    frame = Proof((GOOD, LOST)).to_frame()
    assert list(frame.columns) == list(ProofRow.__dataclass_fields__)
    assert frame["problem"].tolist() == ["", "<it> is gone"]
    assert list(Proof(()).to_frame().columns) == list(frame.columns)


def test_a_proof_is_json_without_infinities():
    content = json.loads(Proof((GOOD, LOST)).to_json())
    assert content["ok"] is False
    assert [row["ok"] for row in content["rows"]] == [True, False]
    assert [row["displacement_mm"] for row in content["rows"]] == [0.0, None]
    assert content["rows"][0]["source"] == "A/liver.nii"


def test_a_mask_by_another_affine_is_placed_by_its_own(tmp_path):
    """The proof works out the reordering anew, from both headers."""
    oblique = np.array(AFFINE)
    oblique[:3, :3] = nib.eulerangles.euler2mat(z=2.5, y=-0.4, x=1.3) * [2, 3, 5]
    write_nifti(tmp_path / "in" / "A.nii", volume(), oblique)
    write_nifti(tmp_path / "in" / "A" / "liver.nii", labels(), oblique)
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    proof = nk.verify(land(tmp_path / "in", target), target)
    assert proof.ok
    assert max(row.displacement_mm for row in proof.rows) < 1e-9


def test_a_proof_is_saved_as_json_and_as_a_page_with_every_row(tmp_path):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(write_volumes(tmp_path / "in"), target)
    proof = nk.verify(receipt, target)
    for saved in (receipt, proof):
        saved.save(tmp_path / "out.json")
        assert json.loads((tmp_path / "out.json").read_text()) == json.loads(saved.to_json())
        saved.save(tmp_path / "out.html")
        page = (tmp_path / "out.html").read_text()
        assert page.startswith("<!DOCTYPE html>")
        assert all(name in page for name in ("A.nrrd", "B.nrrd", "C.nrrd", "liver"))
        with pytest.raises(NiftiKitError, match="cannot be saved as this kind of file"):
            saved.save(tmp_path / "out.txt")
    assert page.count("<tr>") == 1 + len(proof.rows)


def test_masks_of_one_file_are_read_side_by_side_and_their_rows_keep_the_order(tmp_path):
    values = range(1, 5)
    source = write_volumes(tmp_path / "in", {"A": {"organ": tuple(values)}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(source, target)
    together = threading.Barrier(2)

    class Meeting(nk.ProjectFolder):
        """Two masks at a time: whoever reads alone waits in vain."""

        def drawn(self, found):
            together.wait(30)
            return super().drawn(found)

    proof = nk.verify(receipt, Meeting(tmp_path / "p", dataset="d"))
    assert proof.ok
    assert len(proof.objects) == len(values)
    assert proof.rows == nk.verify(receipt, target).rows


@pytest.mark.parametrize("size", [1, 2**25])
def test_source_label_maps_take_no_more_memory_than_they_may(tmp_path, monkeypatch, size):
    masks = dict.fromkeys(("femur", "tibia", "patella"), (1, 2))
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(write_volumes(tmp_path / "in", {"A": masks}), target)
    read, maps, living = verification.LabelParts, [], []

    def remembering(*args, **options):
        living.append([one() is not None for one in maps])
        parts = read(*args, **options)
        maps.append(weakref.ref(parts[args[1][0]].base))
        return parts

    monkeypatch.setattr(verification, "SOURCE_BYTES", size)
    monkeypatch.setattr(verification, "LabelParts", remembering)
    assert nk.verify(receipt, target).ok
    assert len(living) == 3  # each file is read once, for both of its labels
    if size == 1:
        assert living == [[], [False], [False, False]]


def test_a_source_that_is_damaged_since_is_a_problem_of_each_of_its_objects(tmp_path, monkeypatch):
    def counted(image, *args, **options):
        readings.append(image.relative.name)
        return LabelParts(image, *args, **options)

    readings = []
    monkeypatch.setattr(verification, "LabelParts", counted)
    source = write_volumes(tmp_path / "in", {"A": {"femur": (1, 2), "tibia": (3,)}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(source, target)
    (source / "A" / "femur.nii.gz").write_bytes(b"no gzip")
    rows = nk.verify(receipt, target).objects
    assert [bool(row.problem) for row in rows] == [True, True, False]
    assert rows[0].problem == rows[1].problem
    assert "femur.nii.gz" in rows[0].problem
    assert sorted(readings) == ["femur.nii.gz", "tibia.nii.gz"]


def test_voxels_are_told_as_they_are_compared_and_what_that_raises_ends_the_work(landed):
    told = []
    nk.verify(landed.receipt, landed.target, on_item=lambda *_: None, on_voxels=told.append)
    volumes = [item.planned.volume for item in landed.receipt.items]
    assert sum(told) == sum(image.nbytes for image in volumes)
    assert len(told) > len(volumes)

    class Stop(Exception):
        pass

    def stop(_):
        raise Stop

    with pytest.raises(Stop):
        nk.verify(landed.receipt, landed.target, on_item=lambda *_: None, on_voxels=stop)
