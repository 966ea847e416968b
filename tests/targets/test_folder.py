"""A project that is written: every file whole or not there, nothing lost, resumed to the byte."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core import files
from nifti_kit.errors import TargetError
from nifti_kit.targets.folder import landing
from nifti_kit.targets.records import PlannedClass
from nifti_kit.transfer.journal import Journal
from tests.support.builders import AFFINE, labels, volume, write_nifti
from tests.support.landings import (
    KEYS,
    THREE,
    edit_json,
    land,
    tree,
    write_annotations,
    write_foreign,
    write_scored_planes,
    write_volumes,
)

SECOND = {
    "A": {"liver": (2, 3), "spine": (5,)},
    "B": {"liver": (3,)},
    "C": {},
    "D": {"lung": (1,)},
}
"""A second source: A has one liver object of the first and one other, B the same, D is new."""


def project(tmp_path):
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


def read(path):
    return json.loads(path.read_bytes())


def annotation(tmp_path, name):
    return read(tmp_path / "p" / "d" / "ann" / f"{name}.nrrd.json")


def classes_of(tmp_path, name):
    return [found["classTitle"] for found in annotation(tmp_path, name)["objects"]]


# What is written


def test_a_project_has_the_files_of_the_format_and_no_other(tmp_path):
    target = project(tmp_path)
    receipt = land(write_volumes(tmp_path / "in"), target)
    figures = {
        name: [f["key"] for f in annotation(tmp_path, name)["spatialFigures"]] for name in THREE
    }
    assert {name: len(keys) for name, keys in figures.items()} == {"A": 3, "B": 1, "C": 0}
    assert set(tree(tmp_path / "p")) == {
        "meta.json",
        "key_id_map.json",
        *(f"d/volume/{name}.nrrd" for name in THREE),
        *(f"d/ann/{name}.nrrd.json" for name in THREE),
        *(f"d/mask/{name}.nrrd/{key}.nrrd" for name, keys in figures.items() for key in keys),
    }
    assert nk.verify(receipt, target).ok


def test_volumes_and_masks_are_those_of_the_source(tmp_path):
    land(write_volumes(tmp_path / "in"), project(tmp_path))
    voxels, header = nrrd.read(str(tmp_path / "p/d/volume/B.nrrd"))
    np.testing.assert_array_equal(voxels, volume() + 1)
    np.testing.assert_array_equal(header["space origin"], [-9.5, 4.25, 7.125])
    content = annotation(tmp_path, "A")
    masks = {
        (next(o["classTitle"] for o in content["objects"] if o["key"] == figure["objectKey"])): (
            nrrd.read(str(tmp_path / f"p/d/mask/A.nrrd/{figure['key']}.nrrd"))[0]
        )
        for figure in reversed(content["spatialFigures"])
    }
    np.testing.assert_array_equal(masks["liver"], labels() == 1)
    np.testing.assert_array_equal(masks["lung"], np.roll(labels(values=(1,)), 1, axis=2))


def test_the_annotation_says_what_the_sdk_says(tmp_path):
    land(write_scored_planes(tmp_path / "in"), project(tmp_path))
    content = annotation(tmp_path, "axl_anatomic")
    assert [(o["id"], o["classTitle"]) for o in content["objects"]] == [(1, "Femur"), (2, "Tibia")]
    assert [f["customData"] for f in content["spatialFigures"]] == [
        {"0-0-1": {"2": {"score": "0.80", "comment": None}}},
        {
            "0-0-1": {
                "2": {"score": "0.90", "comment": None},
                "4": {"score": "0.70", "comment": None},
            }
        },
    ]
    assert content["volumeMeta"]["intensity"] == {"min": 0.0, "max": 209.0}
    assert content["volumeMeta"]["windowWidth"] == 209.0
    ids = read(tmp_path / "p/key_id_map.json")
    assert ids["videos"][content["key"]] == content["volumeId"] == 1
    assert [ids["objects"][o["key"]] for o in content["objects"]] == [1, 2]
    assert [ids["figures"][f["key"]] for f in content["spatialFigures"]] == [1, 2]
    assert [f["objectKey"] for f in content["spatialFigures"]] == [
        o["key"] for o in content["objects"]
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([np.nan, -3.5, 8.25, np.inf], (-3.5, 8.25)),
        ([np.nan, np.nan, np.nan, np.nan], (0.0, 0.0)),
        ([-np.inf, np.inf, np.nan, 2.0], (2.0, 2.0)),
    ],
    ids=["some", "none", "one"],
)
def test_the_window_spans_the_finite_values(tmp_path, values, expected):
    array = np.resize(np.array(values, np.float32), (2, 2, 3))
    write_nifti(tmp_path / "in" / "A.nii", array)
    target = project(tmp_path)
    receipt = land(tmp_path / "in", target)
    meta = annotation(tmp_path, "A")["volumeMeta"]
    assert (meta["intensity"]["min"], meta["intensity"]["max"]) == expected
    assert nk.verify(receipt, target).ok


def test_two_projects_from_one_source_are_the_same_to_the_byte(tmp_path):
    source = write_volumes(tmp_path / "in")
    for name in ("p", "q"):
        land(source, nk.ProjectFolder(tmp_path / name, dataset="d"))
    assert tree(tmp_path / "p") == tree(tmp_path / "q")


# Classes


def test_a_class_that_is_there_keeps_its_colour_and_place(tmp_path):
    write_foreign(tmp_path / "p")
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    target.add_classes(
        [
            PlannedClass("old", (9, 9, 9), 4, True),
            PlannedClass("free", (8, 8, 8), 5, True),
            PlannedClass("new", (7, 7, 7), 6, True),
        ]
    )
    found = [(c.name, c.color, c.shape, c.description) for c in target.classes()]
    assert found == [
        ("old", (10, 11, 12), "mask_3d", ""),
        ("flat", (1, 2, 3), "rectangle", ""),
        ("free", (255, 255, 255), "any", ""),
        ("new", (7, 7, 7), "mask_3d", "Mask pixel value: 6"),
    ]


def test_a_class_of_another_shape_is_refused_and_nothing_changes(tmp_path):
    path = write_foreign(tmp_path / "p")
    before = tree(path)
    source = write_volumes(tmp_path / "in", {"A": {"flat": (1,)}})
    with pytest.raises(TargetError) as caught:
        land(source, project(tmp_path))
    assert str(caught.value) == (
        f"{path / 'meta.json'}: the class 'flat' is there with another shape Found: rectangle. "
        "Expected: mask_3d. Remedy: Plan with the target, plan(..., target=target), which renames "
        "the class; or rename it yourself."
    )
    assert tree(path) == before


# Places


def test_a_folder_with_other_files_is_no_project(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.docx").write_bytes(b"x")
    with pytest.raises(TargetError) as caught:
        land(write_volumes(tmp_path / "in"), project(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path / 'p'}: it is no Supervisely project Found: a folder with other files. "
        "Expected: an empty or new folder, or a project (with meta.json). "
        "Remedy: Choose another folder for the project."
    )
    assert set(tree(tmp_path / "p")) == {"thesis.docx"}


def test_a_file_is_no_project(tmp_path):
    (tmp_path / "p").write_bytes(b"x")
    with pytest.raises(TargetError, match="it is no Supervisely project Found: a file"):
        land(write_volumes(tmp_path / "in"), project(tmp_path))
    assert (tmp_path / "p").read_bytes() == b"x"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "p").mkdir()
    target = project(tmp_path)
    assert nk.verify(land(write_volumes(tmp_path / "in"), target), target).ok


def test_a_second_dataset_joins_the_project(tmp_path):
    source = write_volumes(tmp_path / "in")
    land(source, project(tmp_path))
    before = tree(tmp_path / "p")
    target = nk.ProjectFolder(tmp_path / "p", dataset="e/f")
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    after = tree(tmp_path / "p")
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"key_id_map.json"}
    ids = read(tmp_path / "p/key_id_map.json")
    for kind, count in (("videos", 6), ("objects", 8), ("figures", 8)):
        assert sorted(ids[kind].values()) == list(range(1, count + 1))


# Crashes


class Crash(BaseException):
    """What no handler of an error catches."""


class Writes:
    """Counts the files that are written, and crashes in the middle of a chosen one.

    With ``dead`` every later write fails too, as after a crash of the machine.
    """

    def __init__(self, monkeypatch):
        self._real = files.write_beside
        self.start()
        monkeypatch.setattr(files, "write_beside", self._counted)
        monkeypatch.setattr(landing, "land_beside", self._counted)

    def start(self, crash_at=None, dead=False):
        self.count, self.crash_at, self.dead = itertools.count(), crash_at, dead

    def total(self):
        return next(self.count)

    @contextmanager
    def _counted(self, path, whole=None, **options):
        number = next(self.count)
        fails = self.crash_at is not None and number == self.crash_at
        fails |= self.dead and self.crash_at is not None and number > self.crash_at
        with self._real(path, whole, **options) as out:
            if fails:
                out.write(b"half")
                raise Crash(f"write {number}: {path.name}")
            yield out


@pytest.fixture
def writes(monkeypatch):
    return Writes(monkeypatch)


def new(root):
    write_volumes(root / "in")
    return lambda journal: land(root / "in", project(root), journal=journal)


def over(existing):
    """A second source over the project of a first one."""

    def prepare(root):
        land(write_volumes(root / "first"), project(root))
        write_volumes(root / "in", SECOND)
        return lambda journal: land(root / "in", project(root), journal=journal, existing=existing)

    return prepare


def annotate(existing):
    """Annotations for volumes of a foreign project, one of which has an object of the class."""

    def prepare(root):
        write_foreign(root / "p")
        write_annotations(root / "in", 1, 2, 3)
        (root / "in" / "cls_color_map.txt").write_text("1 old 10 11 12\n2 new 4 5 6\n")
        return lambda journal: land(
            root / "in", nk.ProjectFolder(root / "p"), journal=journal, existing=existing
        )

    return prepare


SCENARIOS = {
    "new project": new,
    "append": over("append"),
    "replace": over("replace"),
    "skip": over("skip"),
    "annotations, append": annotate("append"),
    "annotations, replace": annotate("replace"),
}


def landed_in(root):
    """Every file of the project and of its backup, without the name of the run."""
    kept = {
        f"backup/{name.split('/', 1)[1]}": data for name, data in tree(root / "p.replaced").items()
    }
    return tree(root / "p") | kept


def facts(receipt):
    """What a receipt says, but for the place of the backup."""
    content = json.loads(receipt.to_json())
    replaced = [item.replaced for item in receipt.items]
    return content["volumes"], content["findings"], replaced, receipt.backup is None


def no_half_file(root, expected):
    """Each file is whole: as it was, or as it will be; no temporary one is left."""
    for name, content in landed_in(root).items():
        assert not name.endswith(".part")
        assert content != b"half"
        if name.startswith("d/volume/") or "/mask/" in name:
            assert name not in expected or content == expected[name]


@pytest.mark.parametrize("dead", [False, True], ids=["one write fails", "all further ones fail"])
@pytest.mark.parametrize("prepare", SCENARIOS.values(), ids=SCENARIOS)
def test_a_resumed_upload_ends_as_an_undisturbed_one(tmp_path, writes, prepare, dead):
    undisturbed = prepare(tmp_path / "undisturbed")
    writes.start()
    receipt = undisturbed(tmp_path / "undisturbed" / "journal")
    total = writes.total()
    expected = landed_in(tmp_path / "undisturbed")
    assert total > 5
    for number in range(total):
        root = tmp_path / str(number)
        writes.start()
        upload = prepare(root)
        writes.start(number, dead)
        with pytest.raises(Crash):
            upload(root / "journal")
        no_half_file(root, expected)
        writes.start()
        resumed = upload(root / "journal")
        assert landed_in(root) == expected
        assert facts(resumed) == facts(receipt)
        assert nk.verify(resumed, nk.ProjectFolder(root / "p")).failures == ()


@pytest.mark.parametrize("prepare", [over("replace"), annotate("replace")], ids=["new", "foreign"])
def test_a_replace_that_fails_leaves_each_volume_as_it_was_or_as_it_will_be(
    tmp_path, writes, prepare
):
    """No annotation ever refers to a mask that is another object's, or none."""
    prepare(tmp_path / "before")
    before = landed_in(tmp_path / "before")
    upload = prepare(tmp_path / "after")
    writes.start()
    upload(None)
    total, after = writes.total(), landed_in(tmp_path / "after")
    for number in range(total):
        root = tmp_path / str(number)
        writes.start()
        upload = prepare(root)
        writes.start(number)
        with pytest.raises(Crash):
            upload(None)
        now = tree(root / "p")
        for name in [name for name in now if "/ann/" in name]:
            state = before if now[name] == before.get(name) else after
            assert now[name] == state[name]
            folder = name.replace("/ann/", "/mask/").removesuffix(".json")
            for figure in json.loads(now[name])["spatialFigures"]:
                mask = f"{folder}/{figure['key']}.nrrd"
                assert now[mask] == state[mask]


KILLED = """
import itertools, os, sys
from contextlib import contextmanager
import nifti_kit as nk
from nifti_kit.core import files
from nifti_kit.targets.folder import landing

root, existing, number = sys.argv[1:]
count, real = itertools.count(), files.write_beside

@contextmanager
def dying(path, whole=None, **options):
    with real(path, whole, **options) as out:
        if next(count) == int(number):
            out.write(b"half")
            out.flush()
            os._exit(9)
        yield out

files.write_beside = landing.land_beside = dying
target = nk.ProjectFolder(f"{root}/p", dataset="d")
plan = nk.plan(nk.scan(f"{root}/in", on_file=print), on_item=print)  # a bar would be on stderr
nk.upload(plan, target, existing=existing, journal=f"{root}/journal", on_progress=print)
"""


@pytest.mark.parametrize("number", [3, 6, 10])
@pytest.mark.parametrize("existing", ["append", "replace"])
def test_a_process_that_was_killed_is_resumed_by_another(tmp_path, existing, number):
    """No handler runs, nothing is flushed; what was half written stays, under a name of its own."""
    over(existing)(tmp_path / "undisturbed")(tmp_path / "undisturbed" / "journal")
    root = tmp_path / "killed"
    upload = over(existing)(root)
    command = [sys.executable, "-c", KILLED, str(root), existing, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (9, "")
    halves = [
        path.name for path in root.rglob("*") if path.is_file() and path.read_bytes() == b"half"
    ]
    assert len(halves) == 1
    assert (halves[0][0], halves[0][-5:]) == (".", ".part")
    upload(root / "journal")
    found = {name: data for name, data in landed_in(root).items() if not name.endswith(".part")}
    assert found == landed_in(tmp_path / "undisturbed")


@pytest.mark.parametrize("step", ["begin", "done"])
@pytest.mark.parametrize("prepare", SCENARIOS.values(), ids=SCENARIOS)
def test_a_journal_that_could_not_be_written_is_resumed(tmp_path, monkeypatch, prepare, step):
    receipt = prepare(tmp_path / "undisturbed")(tmp_path / "undisturbed" / "journal")
    expected = landed_in(tmp_path / "undisturbed")
    for number in range(len(receipt.items)):
        root = tmp_path / str(number)
        upload = prepare(root)
        count = itertools.count()
        with monkeypatch.context() as patch:
            real = getattr(Journal, step)

            def failing(*args, _real=real, _count=count, _at=number, **more):
                if next(_count) == _at:
                    raise Crash("no space left")
                _real(*args, **more)

            patch.setattr(Journal, step, failing)
            with pytest.raises(Crash):
                upload(root / "journal")
        resumed = upload(root / "journal")
        assert landed_in(root) == expected
        assert facts(resumed) == facts(receipt)


@pytest.mark.parametrize("prepare", [over("replace"), annotate("replace")], ids=["ours", "foreign"])
def test_masks_that_were_not_yet_dropped_at_a_crash_are_dropped_later(
    tmp_path, monkeypatch, prepare
):
    receipt = prepare(tmp_path / "undisturbed")(tmp_path / "undisturbed" / "journal")
    upload = prepare(tmp_path / "crashed")

    def crash(*_):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(landing.Landing, "_drop_masks", crash)
        with pytest.raises(Crash):
            upload(tmp_path / "crashed" / "journal")
    resumed = upload(tmp_path / "crashed" / "journal")
    assert landed_in(tmp_path / "crashed") == landed_in(tmp_path / "undisturbed")
    assert facts(resumed) == facts(receipt)


@pytest.mark.parametrize("number", [1, 2])
def test_a_backup_that_was_cut_off_is_made_anew(tmp_path, monkeypatch, number):
    """What is replaced is kept whole before anything of it goes."""
    over("replace")(tmp_path / "undisturbed")(tmp_path / "undisturbed" / "journal")
    upload = over("replace")(tmp_path / "crashed")
    real, count = landing.shutil.copy2, itertools.count(1)

    def cut(source, copy):
        if next(count) == number:
            Path(copy).write_bytes(Path(source).read_bytes()[:100])
            raise Crash
        return real(source, copy)

    with monkeypatch.context() as patch:
        patch.setattr(landing.shutil, "copy2", cut)
        with pytest.raises(Crash):
            upload(tmp_path / "crashed" / "journal")
    upload(tmp_path / "crashed" / "journal")
    assert landed_in(tmp_path / "crashed") == landed_in(tmp_path / "undisturbed")


def test_without_the_map_of_ids_a_crashed_project_counts_on_from_its_annotations(tmp_path, writes):
    source = write_volumes(tmp_path / "in")
    writes.start(crash_at=8, dead=True)
    with pytest.raises(Crash):
        land(source, project(tmp_path))
    (tmp_path / "p" / "key_id_map.json").unlink()
    shutil.rmtree(tmp_path / "p.journals")  # else the same call goes on
    found = {ref.name: ref.id for ref in project(tmp_path).volumes()}
    assert found == {"A.nrrd": 1}
    writes.start()
    receipt = land(source, project(tmp_path), existing="skip")
    assert [item.volume.id for item in receipt.items] == [1, 2, 3]
    assert [item.added for item in receipt.items] == [False, True, True]
    assert [o.added for o in receipt.objects] == [False, False, False, True]
    assert nk.verify(receipt, project(tmp_path)).ok


def test_a_finished_upload_is_not_written_again(tmp_path, writes):
    upload = new(tmp_path)
    receipt = upload(tmp_path / "journal")
    before = tree(tmp_path / "p")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "p" / "d").rglob("*.nrrd")}
    writes.start()
    again = upload(tmp_path / "journal")
    assert writes.total() == 3  # meta.json, and key_id_map.json before and after
    assert tree(tmp_path / "p") == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert facts(again) == facts(receipt)


# What is there already


def test_a_volume_that_is_there_is_refused_before_anything_is_written(tmp_path):
    source = write_volumes(tmp_path / "in", {"B": {"liver": (3,)}, "Z": {}})
    land(write_volumes(tmp_path / "first"), project(tmp_path))
    before = tree(tmp_path / "p")
    with pytest.raises(TargetError) as caught:
        land(source, project(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path / 'p'}: the dataset 'd' has a volume 'B.nrrd' already Remedy: Choose "
        "existing='skip' (keep what is identical), 'replace' (of the same classes) or 'append'."
    )
    assert tree(tmp_path / "p") == before


@pytest.mark.parametrize("existing", ["skip", "replace", "append"])
@pytest.mark.parametrize("change", ["voxels", "place", "depth"])
def test_another_volume_of_the_name_is_refused(tmp_path, existing, change):
    land(write_volumes(tmp_path / "first", {"A": {}}), project(tmp_path))
    before = tree(tmp_path / "p")
    affine, array = np.array(AFFINE), volume()
    if change == "voxels":
        array[4, 5, 6] += 1
    elif change == "place":
        affine[0, 3] += 0.5
    else:
        array = array[:, :, :-1]
    write_nifti(tmp_path / "in" / "A.nii.gz", array, affine)
    with pytest.raises(TargetError) as caught:
        land(tmp_path / "in", project(tmp_path), existing=existing)
    assert str(caught.value) == (
        f"{tmp_path / 'p'}: the dataset 'd' has another volume of the name 'A.nrrd' "
        "Found: other voxels, or another place in space. "
        "Remedy: Rename the file, or choose another dataset."
    )
    assert tree(tmp_path / "p") == before


def test_the_same_volume_stored_in_another_order_is_the_same(tmp_path):
    land(write_volumes(tmp_path / "first", {"A": {}}), project(tmp_path))
    flipped = np.array(AFFINE)
    flipped[0, 0], flipped[0, 3] = -2.0, -10.5 + 2 * 4
    write_nifti(tmp_path / "in" / "A.nii", volume()[::-1], flipped)
    receipt = land(tmp_path / "in", project(tmp_path), existing="skip")
    assert [item.added for item in receipt.items] == [False]


def test_skip_keeps_what_is_identical_and_adds_the_rest(tmp_path):
    target = project(tmp_path)
    first = land(write_volumes(tmp_path / "first"), target)
    before = tree(tmp_path / "p")
    receipt = land(write_volumes(tmp_path / "in", SECOND), target, existing="skip")
    # labels(values=(2, 3)) has its 2 where labels(values=(1, 2)) has its 1: the first file's
    # objects 1 and 2 are the second one's 2 and 3, voxel for voxel.
    assert [(o.ref.class_name, o.added) for o in receipt.objects] == [
        ("liver", False),
        ("liver", False),
        ("spine", True),
        ("liver", False),
        ("lung", True),
    ]
    kept = [landed.ref for landed in receipt.objects if not landed.added]
    assert kept == [o.ref for o in first.objects if o.ref.class_name == "liver"]
    assert classes_of(tmp_path, "A") == ["liver", "liver", "lung", "spine"]
    after = tree(tmp_path / "p")
    assert {name for name in before if after[name] != before[name]} == {
        "meta.json",
        "key_id_map.json",
        "d/ann/A.nrrd.json",
    }
    assert nk.verify(receipt, target).ok
    assert receipt.backup is None


def test_skip_takes_each_object_that_is_there_once(tmp_path):
    """Two identical planned objects are one object that is there, and one that is added."""
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    target = project(tmp_path)
    land(source, target)
    land(source, target, existing="append")
    assert classes_of(tmp_path, "A") == ["liver", "liver"]
    receipt = land(source, target, existing="skip")
    assert [landed.added for landed in receipt.objects] == [False]
    assert classes_of(tmp_path, "A") == ["liver", "liver"]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["spatialFigures"][0].update(customData={"0-0-1": {}}),
        lambda found: found["spatialFigures"].pop(0),
        lambda found: found["objects"][0].update(classTitle="other"),
    ],
    ids=["scores", "no figure", "class"],
)
def test_skip_adds_what_differs_in_more_than_its_voxels(tmp_path, change):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    target = project(tmp_path)
    land(source, target)
    edit_json(tmp_path / "p" / "d" / "ann" / "A.nrrd.json", change)
    receipt = land(source, target, existing="skip")
    assert [landed.added for landed in receipt.objects] == [True]
    assert nk.verify(receipt, target).ok


@pytest.mark.parametrize("change", ["voxel", "place"])
def test_skip_adds_a_mask_of_other_voxels_or_in_another_place(tmp_path, change):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    target = project(tmp_path)
    receipt = land(source, target)
    ref = receipt.objects[0].ref
    path = target.mask_path(receipt.items[0].volume, ref.figure_key)
    data, header = nrrd.read(str(path))
    if change == "voxel":
        data[4, 5, 6] = 1
    else:
        header["space origin"] = header["space origin"] + [0, 0, 0.5]
    nrrd.write(str(path), data, header)
    receipt = land(source, target, existing="skip")
    assert [landed.added for landed in receipt.objects] == [True]
    assert classes_of(tmp_path, "A") == ["liver", "liver"]


def test_append_adds_beside_what_is_there(tmp_path):
    source = write_volumes(tmp_path / "in")
    target = project(tmp_path)
    first = land(source, target)
    before = tree(tmp_path / "p")
    second = land(source, target, existing="append")
    assert classes_of(tmp_path, "A") == ["liver", "liver", "lung"] * 2
    keys = [o.ref.key for o in (*first.objects, *second.objects)]
    assert len(set(keys)) == len(keys) == 8
    assert [o.added for o in second.objects] == [True] * 4
    assert [item.added for item in second.items] == [False] * 3
    after = tree(tmp_path / "p")
    assert all(after[name] == before[name] for name in before if name.endswith(".nrrd"))
    for receipt in (first, second):
        assert nk.verify(receipt, target).ok


def test_replace_takes_the_objects_of_the_same_classes_and_keeps_them_in_the_backup(tmp_path):
    target = project(tmp_path)
    first = land(write_volumes(tmp_path / "first"), target)
    before = tree(tmp_path / "p")
    receipt = land(write_volumes(tmp_path / "in", SECOND), target, existing="replace")
    assert classes_of(tmp_path, "A") == ["lung", "liver", "liver", "spine"]
    assert classes_of(tmp_path, "B") == ["liver"]
    assert [item.replaced for item in receipt.items] == [2, 1, 0, 0]
    assert receipt.backup.parent == tmp_path / "p.replaced"
    gone = {
        name: [o.ref.figure_key for o in item.objects if o.ref.class_name == "liver"]
        for name, item in zip(THREE, first.items, strict=True)
    }
    assert tree(receipt.backup) == {
        f"d/{name}.nrrd/{file}": before[place]
        for name in "AB"
        for file, place in [
            (f"{name}.nrrd.json", f"d/ann/{name}.nrrd.json"),
            *((f"{key}.nrrd", f"d/mask/{name}.nrrd/{key}.nrrd") for key in gone[name]),
        ]
    }
    after = tree(tmp_path / "p")
    for name in "AB":
        assert not any(f"d/mask/{name}.nrrd/{key}.nrrd" in after for key in gone[name])
    ids = read(tmp_path / "p/key_id_map.json")
    there = [o.key for ref in target.volumes() for o in target.objects(ref.id)]
    assert sorted(ids["objects"]) == sorted(there)
    assert len(set(ids["objects"].values())) == len(there)
    assert nk.verify(receipt, target).ok


def test_a_replaced_number_is_not_given_again(tmp_path):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    target = project(tmp_path)
    first = land(source, target).objects[0].ref
    second = land(source, target, existing="replace").objects[0].ref
    assert (first.id, second.id) == (1, 2)
    assert first.key != second.key


def test_replacing_again_and_again_leaves_one_object_and_every_backup(tmp_path):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    target = project(tmp_path)
    land(source, target)
    backups = {land(source, target, existing="replace").backup for _ in range(3)}
    assert len(backups) == 3
    assert all(backup.is_dir() for backup in backups)
    assert classes_of(tmp_path, "A") == ["liver"]
    masks = [name for name in tree(tmp_path / "p") if "/mask/" in name]
    assert len(masks) == 1


# Projects of other writers


def test_annotations_land_on_foreign_volumes_and_keep_what_is_there(tmp_path):
    write_foreign(tmp_path / "p")
    before = {o.key for o in nk.ProjectFolder(tmp_path / "p").objects(1)}
    source = write_annotations(tmp_path / "in", 1, 3)
    target = nk.ProjectFolder(tmp_path / "p")
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    assert [item.added for item in receipt.items] == [False, False]
    assert before < {o.key for o in target.objects(1)}
    content = read(tmp_path / "p" / "one" / "ann" / "V.nrrd.json")
    assert [f["key"] for f in content["planes"][0]["slices"][0]["figures"]] == [KEYS["g"]]
    mask = target.mask(target.objects(3)[0])[0]
    np.testing.assert_array_equal(mask, labels() == 1)


def test_annotations_of_a_class_that_is_there_need_a_choice(tmp_path):
    write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 1)
    (source / "cls_color_map.txt").write_text("1 old 10 11 12\n2 new 4 5 6\n")
    with pytest.raises(TargetError) as caught:
        land(source, nk.ProjectFolder(tmp_path / "p"))
    assert str(caught.value) == (
        f"{tmp_path / 'p'}: the volume 'V.nrrd' has objects of these classes already Found: old. "
        "Remedy: Choose existing='skip' (keep what is identical), 'replace' (of the same classes) "
        "or 'append'."
    )


def test_a_replaced_object_goes_with_all_its_figures_flat_ones_too(tmp_path):
    write_foreign(tmp_path / "p")
    path = tmp_path / "p" / "one" / "ann" / "V.nrrd.json"
    edit_json(path, lambda content: content["objects"][1].update(classTitle="old"))
    source = write_annotations(tmp_path / "in", 1)
    (source / "cls_color_map.txt").write_text("1 old 10 11 12\n2 new 4 5 6\n")
    target = nk.ProjectFolder(tmp_path / "p")
    before = path.read_bytes()
    receipt = land(source, target, existing="replace")
    content = read(path)
    assert content["planes"][0]["slices"][0]["figures"] == []
    assert {o["key"] for o in content["objects"]}.isdisjoint({KEYS["a"], KEYS["b"]})
    assert len(content["spatialFigures"]) == 2
    kept = tree(receipt.backup)
    assert kept["one/V.nrrd/V.nrrd.json"] == before
    assert set(kept) == {f"one/V.nrrd/{KEYS[k]}.nrrd" for k in "de"} | {"one/V.nrrd/V.nrrd.json"}


def test_a_project_without_a_dataset_takes_no_new_volume(tmp_path):
    with pytest.raises(TargetError) as caught:
        land(write_volumes(tmp_path / "in"), nk.ProjectFolder(tmp_path / "p"))
    assert str(caught.value) == (
        f"{tmp_path / 'p'}: new volumes need a dataset "
        "Remedy: Name it: ProjectFolder(path, dataset='name')."
    )
    assert not (tmp_path / "p").exists()
