"""Jobs: keys and ids that do not depend on the run, and what goes for what is to come."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.comparing import backup_of
from nifti_kit.targets.folder.keys import derived_key
from nifti_kit.targets.folder.ownership import ADDED, ANNOTATION, KEPT, MASK, REPLACED, VOLUME
from nifti_kit.targets.folder.reservation import UNSEEN_ENDINGS
from nifti_kit.targets.records import Begun
from nifti_kit.targets.target import Gone
from tests.support.builders import volume, write_nifti
from tests.support.landings import edit_json, land, tree, write_volumes


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in", {"A": {"liver": (1, 2), "lung": (1,)}})


@pytest.fixture
def item(source):
    return nk.plan(nk.scan(source)).items[0]


def target(tmp_path, dataset="d"):
    return nk.ProjectFolder(tmp_path / "p", dataset=dataset)


def reserve(tmp_path, item, existing="error", begun=None, folder=None):
    return (folder or target(tmp_path)).reserve(item, existing, "session", begun)


@dataclass
class Notes:
    """What a journal would keep of a job."""

    kept: dict = field(default_factory=dict)
    is_repeated = False

    def __call__(self, facts):
        self.kept |= json.loads(json.dumps(facts))

    def facts(self):
        return self.kept


def interrupted(tmp_path, item, existing="error"):
    """Land an item whose run ends before it says so; return the job, and what is known of it."""
    folder, notes = target(tmp_path), Notes()
    job = reserve(tmp_path, item, existing, folder=folder)
    folder.commit(())
    folder.write(replace(job, note=notes))
    return job, Begun("session", tuple(job.marks), notes.kept)


def keys(job):
    return [ref.key for _, ref in job.add]


ANN = ("p", "d", "ann", "A.nrrd.json")


def rewrite(path):
    """Write a file again as it is: with another time, as anybody else would."""
    before = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


def test_a_new_volume_gets_keys_of_its_place_and_ids_in_order(tmp_path, item):
    job = reserve(tmp_path, item)
    volume_key = derived_key("d", "A.nrrd")
    assert (job.volume.id, job.volume.key, job.volume.name) == (1, volume_key, "A.nrrd")
    assert job.volume.grid == item.volume.grid.to_ras()
    assert job.new_volume is True
    parts = [
        ("A/liver.nii.gz", 1, "liver"),
        ("A/liver.nii.gz", 2, "liver"),
        ("A/lung.nii.gz", 1, "lung"),
    ]
    keys = [derived_key(volume_key, *part) for part in parts]
    assert [(at, ref.id, ref.key, ref.figure_id, ref.figure_key) for at, ref in job.add] == [
        (at, at + 1, key, at + 1, derived_key(key, "figure")) for at, key in enumerate(keys)
    ]
    assert (job.kept, job.replaced, job.backup) == ((), (), None)
    assert not (tmp_path / "p").exists()


def test_the_keys_of_two_datasets_differ(tmp_path, item):
    one, other = (reserve(tmp_path, item, folder=target(tmp_path, name)) for name in ("d", "e"))
    keys = [{job.volume.key, *(ref.key for _, ref in job.add)} for job in (one, other)]
    assert keys[0].isdisjoint(keys[1])


# An interrupted run: only what its journal proves is ours


def test_what_has_landed_whole_goes_on_and_is_not_written_again(tmp_path, item):
    job, begun = interrupted(tmp_path, item)
    before = tree(tmp_path)
    again = reserve(tmp_path, item, begun=begun)
    assert (again.begun, again.resumed, again.new_volume) == (begun, True, False)
    assert (again.add, again.kept, again.replaced) == (job.add, (), ())
    assert again.volume == job.volume
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "p").rglob("*.nrrd*")}
    target(tmp_path).write(again)
    assert tree(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_journal_knows_what_proves_each_file(tmp_path, item):
    job, begun = interrupted(tmp_path, item)
    path = tmp_path.joinpath(*ANN)
    masks = {
        MASK + ref.key: target(tmp_path).mask_path(job.volume, ref.figure_key) for _, ref in job.add
    }
    files = {VOLUME: tmp_path / "p" / "d" / "volume" / "A.nrrd", ANNOTATION: path, **masks}
    assert begun.facts.keys() == {*files, ADDED, KEPT, REPLACED}
    for name, file in files.items():
        assert begun.facts[name][:2] == [file.stat().st_size, file.stat().st_mtime_ns]


def test_the_proofs_are_noted_before_anybody_can_see_the_item(tmp_path, item):
    there = {}

    class Looking(Notes):
        def __call__(self, facts):
            files = (tmp_path / "p" / "d" / "volume" / "A.nrrd", tmp_path.joinpath(*ANN))
            there.update({name: [path.exists() for path in files] for name in facts})

    target(tmp_path).write(replace(reserve(tmp_path, item), note=Looking()))
    assert (there[VOLUME], there[ANNOTATION]) == ([False, False], [True, False])


def others_wrote(tmp_path, names):
    for name in names:
        for path in sorted((tmp_path / "p" / "d").glob(name)):
            rewrite(path)


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        (["volume/*"], True),
        (["mask/*/*"], True),
        (["volume/*", "mask/*/*"], True),  # the annotation is still that of the run
        (["ann/*"], True),
        (["ann/*", "volume/*"], True),
        (["ann/*", "mask/*/*"], True),
        (["ann/*", "volume/*", "mask/*/*"], False),
    ],
    ids=str,
)
def test_one_file_that_is_as_it_was_written_proves_whose_an_item_is(tmp_path, item, names, ours):
    _, begun = interrupted(tmp_path, item)
    others_wrote(tmp_path, names)
    if ours:
        assert reserve(tmp_path, item, begun=begun).resumed
        return
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        reserve(tmp_path, item, begun=begun)
    job = reserve(tmp_path, item, "append", begun)
    assert not job.resumed
    assert not set(keys(job)) & set(begun.marks)


def test_a_mask_that_proves_an_item_must_be_one_of_an_object_in_it(tmp_path, item):
    """A colleague has replaced our objects: what is left of the masks says nothing."""
    _, begun = interrupted(tmp_path, item)
    edit_json(tmp_path.joinpath(*ANN), lambda content: content.update(objects=[]))
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        reserve(tmp_path, item, begun=begun)


def test_a_run_that_noted_nothing_has_nothing(tmp_path, source, item):
    """A colleague's upload of the same folder has the same keys."""
    job = reserve(tmp_path, item)
    land(source, target(tmp_path))
    begun = Begun("session", tuple(job.marks), {})
    assert keys(job) == [ref.key for ref in target(tmp_path).objects(1)]
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        reserve(tmp_path, item, begun=begun)
    again = reserve(tmp_path, item, "skip", begun)
    assert (again.resumed, again.add, len(again.kept)) == (False, (), 3)


@pytest.mark.parametrize(
    "facts",
    [
        {ADDED: None},
        {ADDED: [[0], ["0", 1], [99, "k"], None, 5]},
        {KEPT: {"a": 1}, REPLACED: [[1, 2], "x"]},
        {ANNOTATION: 5, VOLUME: "x", MASK: None},
    ],
)
def test_a_journal_with_other_facts_proves_less_and_is_no_fault(tmp_path, item, facts):
    _, begun = interrupted(tmp_path, item)
    job = reserve(tmp_path, item, "append", replace(begun, facts={**begun.facts, **facts}))
    assert len(job.add) == 3
    assert len(set(keys(job))) == 3


def test_a_source_that_has_changed_is_an_item_like_any_other(tmp_path, item):
    _, begun = interrupted(tmp_path, item)
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        reserve(tmp_path, item, begun=replace(begun, changed=True))


# What is missing of an item that is ours is completed


def remove(tmp_path, key):
    """Take an object out of the annotation, as a person does; its mask stays."""

    def change(content):
        content["objects"] = [o for o in content["objects"] if o["key"] != key]
        figures = content["spatialFigures"]
        content["spatialFigures"] = [f for f in figures if f["objectKey"] != key]

    edit_json(tmp_path.joinpath(*ANN), change)


def test_an_object_that_was_removed_comes_back_with_its_key(tmp_path, item):
    job, begun = interrupted(tmp_path, item)
    remove(tmp_path, job.add[1][1].key)
    again = reserve(tmp_path, item, begun=begun)
    assert again.add == job.add
    target(tmp_path).write(again)
    assert [ref.key for ref in target(tmp_path).objects(1)] == [
        keys(job)[0],
        keys(job)[2],
        keys(job)[1],
    ]


def test_with_skip_an_object_that_was_removed_and_is_there_of_others_is_kept(tmp_path, item):
    job, begun = interrupted(tmp_path, item, "skip")
    remove(tmp_path, keys(job)[2])
    folder = target(tmp_path)
    theirs = reserve(tmp_path, item, "skip", folder=folder)
    folder.write(theirs)
    assert len(theirs.add) == 1
    again = reserve(tmp_path, item, "skip", begun)
    assert [at for at, _ in again.add] == [0, 1]
    assert [(at, ref.key) for at, ref in again.kept] == [(2, keys(theirs)[0])]
    assert [at for at, _ in reserve(tmp_path, item, "append", begun).add] == [0, 1, 2]


def test_a_mask_that_somebody_drew_in_stays_when_its_object_is_removed(tmp_path, item):
    job, begun = interrupted(tmp_path, item)
    removed = job.add[1][1]
    remove(tmp_path, removed.key)
    mask = target(tmp_path).mask_path(job.volume, removed.figure_key)
    mask.write_bytes(b"drawn by a person")
    again = reserve(tmp_path, item, begun=begun)
    assert [a == b for a, b in zip(keys(again), keys(job), strict=True)] == [True, False, True]
    target(tmp_path).write(again)
    assert mask.read_bytes() == b"drawn by a person"


def test_a_figure_that_was_removed_alone_comes_back_to_its_object(tmp_path, item):
    job, begun = interrupted(tmp_path, item)

    def change(content):
        content["objects"][0]["tags"] = ["a person's"]
        del content["spatialFigures"][0]

    edit_json(tmp_path.joinpath(*ANN), change)
    again = reserve(tmp_path, item, begun=begun)
    assert again.add == job.add
    target(tmp_path).write(again)
    assert {ref.key for ref in target(tmp_path).objects(1)} == set(keys(job))
    content = json.loads(tmp_path.joinpath(*ANN).read_bytes())
    assert len(content["objects"]) == len(content["spatialFigures"]) == 3
    assert content["objects"][0]["tags"] == ["a person's"]


def test_a_volume_and_masks_whose_files_are_gone_are_made_again(tmp_path, item):
    job, begun = interrupted(tmp_path, item)
    before = tree(tmp_path)
    for path in (tmp_path / "p" / "d").rglob("*.nrrd"):
        if path.is_file():
            path.unlink()
    again = reserve(tmp_path, item, begun=begun)
    assert (again.new_volume, again.resumed, again.add) == (True, True, job.add)
    target(tmp_path).write(again)
    assert tree(tmp_path) == before


def test_a_volume_that_others_made_is_named_when_its_file_is_gone(tmp_path, source, item):
    land(source, target(tmp_path))
    _, begun = interrupted(tmp_path, item, "append")
    (tmp_path / "p" / "d" / "volume" / "A.nrrd").unlink()
    with pytest.raises(TargetError, match="is annotated, but its file is not there"):
        reserve(tmp_path, item, "append", begun)


def test_what_was_kept_is_known_again_without_a_comparison(tmp_path, source, item, monkeypatch):
    land(write_volumes(tmp_path / "first", {"A": {"lung": (1,)}}), target(tmp_path))
    land(source, target(tmp_path), existing="append")
    job, begun = interrupted(tmp_path, item, "skip")
    assert len(job.kept) == 3
    monkeypatch.setattr(nk.ProjectFolder, "iter_mask", None)
    again = reserve(tmp_path, item, "skip", begun)
    assert (again.kept, again.add) == (job.kept, job.add)


def test_what_was_kept_and_is_gone_is_added(tmp_path, source, item):
    receipt = land(source, target(tmp_path))
    job, begun = interrupted(tmp_path, item, "skip")
    assert [at for at, _ in job.kept] == [0, 1, 2]
    remove(tmp_path, receipt.objects[1].ref.key)
    again = reserve(tmp_path, item, "skip", begun)
    assert [at for at, _ in again.kept] == [0, 2]
    assert [at for at, _ in again.add] == [1]


def test_what_was_kept_beside_what_was_added_and_is_gone_is_added(tmp_path, item):
    first = land(write_volumes(tmp_path / "first", {"A": {"liver": (1, 2)}}), target(tmp_path))
    job, begun = interrupted(tmp_path, item, "skip")
    assert ([at for at, _ in job.kept], [at for at, _ in job.add]) == ([0, 1], [2])
    remove(tmp_path, first.objects[1].ref.key)
    again = reserve(tmp_path, item, "skip", begun)
    assert again.resumed
    assert ([at for at, _ in again.kept], [at for at, _ in again.add]) == ([0], [1, 2])


def test_of_two_objects_alike_one_does_not_stand_for_both(tmp_path, item):
    twice = replace(item, objects=(item.objects[0], item.objects[0]))
    job, begun = interrupted(tmp_path, twice, "skip")
    remove(tmp_path, keys(job)[1])
    again = reserve(tmp_path, twice, "skip", begun)
    assert (again.kept, again.add) == ((), job.add)


# What goes for it


def test_a_resumed_replace_replaces_nothing_more(tmp_path, source, item):
    land(source, target(tmp_path))
    job, begun = interrupted(tmp_path, item, "replace")
    assert len(job.replaced) == 3
    assert backup_of(job.backup, job.volume) == (
        tmp_path / "p.replaced" / "session" / "d" / "A.nrrd" / "A.nrrd.json"
    )
    land(
        write_volumes(tmp_path / "more", {"A": {"lung": (5,)}}), target(tmp_path), existing="append"
    )
    before = tree(tmp_path)
    again = reserve(tmp_path, item, "replace", begun)
    same = [(ref.key, ref.figure_key, ref.class_name) for ref in job.replaced]
    assert [(ref.key, ref.figure_key, ref.class_name) for ref in again.replaced] == same
    assert (again.add, again.backup) == (job.add, job.backup)
    target(tmp_path).write(again)
    assert tree(tmp_path) == before


def test_what_somebody_put_back_stays(tmp_path, source, item):
    land(source, target(tmp_path))
    path = tmp_path.joinpath(*ANN)
    old = json.loads(path.read_bytes())
    _, begun = interrupted(tmp_path, item, "replace")

    def change(content):
        content["objects"].insert(0, old["objects"][0])
        content["spatialFigures"].insert(0, old["spatialFigures"][0])

    edit_json(path, change)
    again = reserve(tmp_path, item, "replace", begun)
    assert len(again.replaced) == 2
    target(tmp_path).write(again)
    target(tmp_path).commit([again])
    assert old["objects"][0]["key"] in {ref.key for ref in target(tmp_path).objects(1)}


def left_masks(tmp_path, source, item):
    """Land with replace, killed before the masks that go went; return the first, and the rest."""
    land(source, target(tmp_path))
    before = tree(tmp_path / "p" / "d" / "mask")
    job, begun = interrupted(tmp_path, item, "replace")
    for name, content in before.items():
        (tmp_path / "p" / "d" / "mask" / name).write_bytes(content)
    paths = [target(tmp_path).mask_path(job.volume, ref.figure_key) for ref in job.replaced]
    assert all(path.exists() for path in paths)
    return begun, paths[0], paths[1:]


def test_a_mask_that_was_to_go_and_that_somebody_drew_in_since_stays(tmp_path, source, item):
    begun, mask, others = left_masks(tmp_path, source, item)
    mask.write_bytes(b"drawn by a person")
    target(tmp_path).write(reserve(tmp_path, item, "replace", begun))
    assert mask.read_bytes() == b"drawn by a person"
    assert not any(path.exists() for path in others)


def test_a_mask_that_was_to_go_and_is_another_objects_by_now_stays(tmp_path, source, item):
    begun, mask, others = left_masks(tmp_path, source, item)

    def change(content):
        content["objects"].append({"key": "9" * 32, "classTitle": "mine", "tags": []})
        figure = {**content["spatialFigures"][0], "key": mask.stem, "objectKey": "9" * 32}
        content["spatialFigures"].append(figure)

    edit_json(tmp_path.joinpath(*ANN), change)
    target(tmp_path).write(reserve(tmp_path, item, "replace", begun))
    assert mask.exists()
    assert not any(path.exists() for path in others)


def test_a_replace_that_was_interrupted_before_it_began_to_land_is_a_first_one(
    tmp_path, source, item
):
    receipt = land(source, target(tmp_path))
    there = [landed.ref for landed in receipt.objects]
    fresh = reserve(tmp_path, item, "replace")
    job = reserve(tmp_path, item, "replace", Begun("session", tuple(fresh.marks)))
    assert list(job.replaced) == there
    assert job.backup == tmp_path / "p.replaced" / "session"
    assert (keys(job), job.resumed) == (keys(fresh), False)


def test_what_changed_since_it_was_kept_is_kept_once_more(tmp_path, source, item):
    receipt = land(source, target(tmp_path))
    job = reserve(tmp_path, item, "replace")
    target(tmp_path).write(job)
    kept = backup_of(job.backup, job.volume)
    annotation, mask = kept.read_bytes(), receipt.objects[0].ref.figure_key
    for number, drawn in enumerate((b"drawn", b"drawn more"), start=2):
        tmp_path.joinpath(*ANN).write_bytes(annotation)
        path = target(tmp_path).mask_path(job.volume, mask)
        path.write_bytes(drawn)
        for _ in range(2):  # a second try keeps nothing twice
            target(tmp_path).write(replace(job, note=None))
        assert not path.exists()
        more = kept.parent / f"kept-{number}"
        assert (more / f"{mask}.nrrd").read_bytes() == drawn
        assert (more / kept.name).read_bytes() == annotation
    assert len(list(kept.parent.rglob("*.json"))) == 3


# Items that had landed whole


def test_an_item_that_landed_is_recalled_by_its_ids(tmp_path, item):
    land(write_volumes(tmp_path / "first", {"A": {"liver": (1,)}}), target(tmp_path))
    for existing in ("skip", "replace", "append"):
        job = reserve(tmp_path, item, existing)
        assert bool(job.kept) is (existing == "skip")
        target(tmp_path).write(job)
        record = json.loads(json.dumps(job.record))
        again = target(tmp_path).recall(item, record, "session")
        assert (again.add, again.kept, again.volume) == (job.add, job.kept, job.volume)
        gone = [(ref.id, ref.figure_id, ref.class_name) for ref in job.replaced]
        assert [(ref.id, ref.figure_id, ref.class_name) for ref in again.replaced] == gone
        assert again.backup == job.backup


@pytest.mark.parametrize("part", ["object", "mask/A.nrrd/*", "volume/A.nrrd", "ann/A.nrrd.json"])
def test_an_item_of_which_a_part_is_gone_is_not_recalled(tmp_path, item, part):
    job = reserve(tmp_path, item)
    target(tmp_path).write(job)
    if part == "object":
        remove(tmp_path, keys(job)[0])
    else:
        next((tmp_path / "p" / "d").glob(part)).unlink()
    with pytest.raises(Gone, match="removed since it landed"):
        target(tmp_path).recall(item, job.record, "session")


def test_a_record_with_other_things_in_it_recalls_what_landed(tmp_path, item):
    job = reserve(tmp_path, item)
    target(tmp_path).write(job)
    record = {**job.record, "kept": 5, "replaced": [5, "x", [1]], "more": None}
    again = target(tmp_path).recall(item, record, "session")
    assert (again.add, again.kept, again.replaced) == (job.add, (), ())


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"volume": 2},
        {"volume": 1},
        {"volume": 1, "objects": [[0, "1"], 5, None], "kept": 5, "replaced": "x"},
    ],
)
def test_a_record_that_says_something_else_recalls_nothing(tmp_path, item, record):
    target(tmp_path).write(reserve(tmp_path, item))
    with pytest.raises(Gone):
        target(tmp_path).recall(item, record, "session")


def test_a_record_of_another_volume_recalls_nothing(tmp_path, item):
    job = reserve(tmp_path, item)
    target(tmp_path).write(job)
    with pytest.raises(Gone):
        target(tmp_path).recall(item, {**job.record, "volume": job.volume.id + 1}, "session")


# A volume's file without an annotation


def test_a_volume_that_was_not_finished_is_written_again(tmp_path, item):
    _, begun = interrupted(tmp_path, item)
    before = tree(tmp_path / "p")
    tmp_path.joinpath(*ANN).unlink()
    for known in (None, begun):
        job = reserve(tmp_path, item, begun=known)
        assert (job.new_volume, job.resumed, keys(job)) == (True, False, list(begun.marks))
    target(tmp_path).write(job)
    assert tree(tmp_path / "p") == before


@pytest.mark.parametrize("content", ["voxels", b"", b"somebody's notes"])
def test_a_file_of_somebody_else_in_its_place_is_refused(tmp_path, item, content):
    path = tmp_path / "p" / "d" / "volume" / "A.nrrd"
    if content == "voxels":
        write_nifti(tmp_path / "other" / "A.nii.gz", volume() + 1)
        land(tmp_path / "other", target(tmp_path))
        tmp_path.joinpath(*ANN).unlink()
    else:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    before = tree(tmp_path)
    for existing in ("error", "skip", "replace", "append"):
        with pytest.raises(TargetError) as caught:
            reserve(tmp_path, item, existing)
        assert caught.value.message == "the dataset 'd' has a file 'A.nrrd' without an annotation"
        assert caught.value.path == str(path)
    assert tree(tmp_path) == before


def test_ours_in_its_place_is_written_anew_when_the_source_has_changed(tmp_path, item):
    _, begun = interrupted(tmp_path, item)
    tmp_path.joinpath(*ANN).unlink()
    write_nifti(tmp_path / "mended" / "A.nii.gz", volume() + 1)
    mended = nk.plan(nk.scan(tmp_path / "mended")).items[0]
    with pytest.raises(TargetError, match="without an annotation"):
        reserve(tmp_path, mended, begun=None)
    job = reserve(tmp_path, mended, begun=replace(begun, changed=True))
    assert job.new_volume


# Keys


@pytest.mark.parametrize("begun", [None, Begun("session")], ids=["first run", "begun"])
def test_a_volume_that_landed_is_not_written_again(tmp_path, source, item, begun):
    land(source, target(tmp_path))
    assert reserve(tmp_path, item, "append", begun).new_volume is False


def test_a_mask_of_which_no_annotation_tells_is_left_alone(tmp_path, item):
    job = reserve(tmp_path, item)
    target(tmp_path).write(job)
    remove(tmp_path, keys(job)[0])
    mask = target(tmp_path).mask_path(job.volume, job.add[0][1].figure_key)
    mask.write_bytes(b"somebody's")
    again = reserve(tmp_path, item, "append")
    assert not set(keys(again)) & set(keys(job))
    target(tmp_path).write(again)
    assert mask.read_bytes() == b"somebody's"
    begun = Begun("session", tuple(keys(job)))  # this very call was about to write it
    assert keys(job)[0] in keys(reserve(tmp_path, item, "append", begun))


def test_the_keys_of_what_goes_are_not_given_to_what_comes(tmp_path, source, item):
    land(source, target(tmp_path))
    job = reserve(tmp_path, item, "replace")
    gone = {ref.key for ref in job.replaced} | {ref.figure_key for ref in job.replaced}
    assert gone.isdisjoint({ref.key for _, ref in job.add} | {ref.figure_key for _, ref in job.add})


@pytest.mark.parametrize("ending", UNSEEN_ENDINGS)
@pytest.mark.parametrize("dataset", ["{}", "knee_{}", "a/x{}", "x{}/b"])
def test_a_dataset_name_that_the_sdk_passes_over_is_refused(tmp_path, item, dataset, ending):
    name = dataset.format(ending)
    part = next(part for part in name.split("/") if part.endswith(ending))
    with pytest.raises(TargetError) as caught:
        reserve(tmp_path, item, folder=target(tmp_path, name))
    assert caught.value.message == "the SDK would not see a dataset of this name"
    assert str(caught.value.found).startswith(repr(part))
    assert caught.value.remedy == f"Choose another name, such as {part + '_1'!r}."


@pytest.mark.parametrize("dataset", ["mask_1", "annotations", "volumes", "Mask", "metal/knee"])
def test_other_dataset_names_are_taken(tmp_path, item, dataset):
    assert reserve(tmp_path, item, folder=target(tmp_path, dataset)).volume.dataset == dataset


@pytest.mark.sly
@pytest.mark.parametrize("dataset", ["knee_mask", "metadata", "mask_1"])
def test_the_sdk_sees_exactly_the_datasets_that_are_taken(tmp_path, sly, source, dataset):
    land(source, target(tmp_path, "seen"))
    (tmp_path / "p" / "seen").rename(tmp_path / "p" / dataset)
    land(source, target(tmp_path, "seen"), existing="append")
    opened = sly.VolumeProject(str(tmp_path / "p"), sly.OpenMode.READ)
    found = {found.name for found in opened.datasets}
    assert found == ({"seen", dataset} if dataset == "mask_1" else {"seen"})


def test_what_a_person_does_to_an_object_that_goes_while_masks_are_written_is_kept(
    tmp_path, source
):
    """Its scores, and a second mask that they draw of it."""
    folder = target(tmp_path)
    land(source, folder)
    annotation = tmp_path / "p" / "d" / "ann" / "A.nrrd.json"
    second, drawn, done = "5" * 32, b"what a person has drawn", []

    def working(_):
        if done:
            return
        done.append(True)
        content = json.loads(annotation.read_text())
        first = content["spatialFigures"][0]
        first["customData"] = {"0-0-1": {"1": {"score": "0.77", "comment": None}}}
        content["spatialFigures"].append({**first, "key": second})
        (tmp_path / "p" / "d" / "mask" / "A.nrrd" / f"{second}.nrrd").write_bytes(drawn)
        annotation.write_text(json.dumps(content))

    mended = write_volumes(tmp_path / "more", {"A": {"liver": (1, 2), "spine": (1,)}})
    receipt = land(mended, folder, existing="replace", on_progress=working)
    kept = [path.read_text() for path in receipt.backup.rglob("A.nrrd.json")]
    assert any("0.77" in text for text in kept)
    assert [path.read_bytes() for path in receipt.backup.rglob(f"{second}.nrrd")] == [drawn]
    assert not list((tmp_path / "p").rglob(f"{second}.nrrd"))
