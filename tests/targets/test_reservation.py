"""Jobs: keys and ids that do not depend on the run, and what goes for what is to come."""

from __future__ import annotations

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.comparing import backup_of
from nifti_kit.targets.folder.keys import derived_key
from nifti_kit.targets.folder.reservation import UNSEEN_ENDINGS
from tests.support.landings import land, write_volumes


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in", {"A": {"liver": (1, 2), "lung": (1,)}})


@pytest.fixture
def item(source):
    return nk.plan(nk.scan(source)).items[0]


def target(tmp_path, dataset="d"):
    return nk.ProjectFolder(tmp_path / "p", dataset=dataset)


def reserve(tmp_path, item, existing="error", mine=None, folder=None):
    return (folder or target(tmp_path)).reserve(item, existing, "session", mine)


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


def test_a_resumed_item_keeps_the_keys_it_was_given(tmp_path, item):
    mine = [format(number, "032x") for number in (7, 8, 9)]
    job = reserve(tmp_path, item, mine=mine)
    assert [ref.key for _, ref in job.add] == mine
    assert [ref.figure_key for _, ref in job.add] == [derived_key(key, "figure") for key in mine]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_object_beyond_the_noted_keys_gets_its_own(tmp_path, item, count):
    """Something that was there when the run began has gone since."""
    fresh = [ref.key for _, ref in reserve(tmp_path, item).add]
    mine = [format(number, "032x") for number in range(count)]
    job = reserve(tmp_path, item, "skip", mine)
    assert [ref.key for _, ref in job.add] == [*mine, *fresh[count:]]


@pytest.mark.parametrize("mine", [None, []], ids=["first run", "resumed"])
def test_a_volume_that_landed_is_not_written_again(tmp_path, source, item, mine):
    land(source, target(tmp_path))
    assert reserve(tmp_path, item, "append", mine).new_volume is False


def test_a_volume_without_an_annotation_was_not_finished(tmp_path, source, item):
    land(source, target(tmp_path))
    (tmp_path / "p" / "d" / "ann" / "A.nrrd.json").unlink()
    assert reserve(tmp_path, item, mine=["0" * 32] * 3).new_volume is True


def test_a_resumed_replace_that_kept_nothing_yet_replaces_what_is_there(tmp_path, source, item):
    receipt = land(source, target(tmp_path))
    there = [landed.ref for landed in receipt.objects]
    job = reserve(tmp_path, item, "replace", mine=[format(n, "032x") for n in range(3)])
    assert list(job.replaced) == there
    assert job.backup == tmp_path / "p.replaced" / "session"


def test_a_resumed_replace_goes_by_what_it_kept(tmp_path, source, item):
    receipt = land(source, target(tmp_path))
    there = [landed.ref for landed in receipt.objects]
    job = reserve(tmp_path, item, "replace")
    target(tmp_path).write(job)
    assert backup_of(job.backup, job.volume) == (
        tmp_path / "p.replaced" / "session" / "d" / "A.nrrd" / "A.nrrd.json"
    )
    resumed = reserve(tmp_path, item, "replace", mine=[ref.key for _, ref in job.add])
    assert [(ref.key, ref.figure_key) for ref in resumed.replaced] == [
        (ref.key, ref.figure_key) for ref in there
    ]
    assert [ref.key for _, ref in resumed.add] == [ref.key for _, ref in job.add]


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
