"""Names that a plan, a project or a server gives are data: none leads out of the project."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import TargetError
from nifti_kit.targets.comparing import backup_of, keep_scores
from nifti_kit.targets.records import ItemJob, ObjectRef, ScoreChange, ScoreUpdate, VolumeRef
from tests.support.builders import AFFINE, SHAPE
from tests.support.landings import (
    KEYS,
    edit_json,
    land,
    quiet,
    tree,
    write_annotations,
    write_foreign,
    write_volumes,
)

LEADING_ELSEWHERE = ["..", ".", "", "../x", "/etc/x", "a/b", "a\0b", "a\ud800"]


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in", {"A": {"liver": (1, 2)}})


@pytest.fixture
def project(tmp_path):
    return tmp_path / "p"


def target(project, dataset="d"):
    return nk.ProjectFolder(project, dataset=dataset)


# Names of a plan


@pytest.mark.parametrize("name", LEADING_ELSEWHERE)
def test_a_volume_name_that_leads_elsewhere_is_refused_before_anything_is_written(
    source, project, name
):
    plan = nk.plan(nk.scan(source))
    plan = replace(plan, items=(replace(plan.items[0], name=name),))
    with pytest.raises(TargetError, match="a name cannot become that of a file or folder"):
        nk.upload(plan, target(project), on_progress=quiet)
    assert {path.name for path in project.parent.iterdir()} <= {"in", "state"}


@pytest.mark.parametrize("dataset", ["a\0b", "a/\0", "b\ud800"])
def test_a_dataset_name_that_no_file_system_takes_is_refused(source, project, dataset):
    with pytest.raises(TargetError, match="cannot become that of a file or folder"):
        land(source, target(project, dataset))
    assert not project.exists()


def test_the_longest_name_lands_and_is_replaced_and_a_longer_one_is_named(tmp_path, project):
    longest = "x" * (250 - len(".nrrd"))
    plan = nk.plan(nk.scan(write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})))
    named = replace(plan, items=(replace(plan.items[0], name=f"{longest}.nrrd"),))
    for existing in ("error", "replace", "replace"):
        receipt = nk.upload(named, target(project), existing=existing, on_progress=quiet)
        assert nk.verify(receipt, target(project)).ok
    assert [ref.name for ref in target(project).volumes()] == [f"{longest}.nrrd"]
    assert (project / "d" / "ann" / f"{longest}.nrrd.json").is_file()
    kept = list((tmp_path / "p.replaced").rglob("*.nrrd.json"))
    assert len(kept) == 2
    before = tree(project)
    longer = replace(plan, items=(replace(plan.items[0], name=f"{longest}x.nrrd"),))
    with pytest.raises(TargetError) as caught:
        nk.upload(longer, target(project), on_progress=quiet)
    assert caught.value.message == "the name of a volume is longer than file systems take"
    assert caught.value.expected == "at most 250"
    assert caught.value.remedy == (
        "Give its file, or the folder whose name stands in front, a shorter name."
    )
    assert tree(project) == before


# Names and keys of a project

OUTSIDE = b"somebody else's"


@pytest.mark.parametrize("key", ["../../../../other", "..", "/tmp/x", "a/b", "", "x" * 101])
@pytest.mark.parametrize("field", ["key", "objectKey"])
def test_a_figure_key_that_leads_elsewhere_is_refused(source, project, field, key):
    land(source, target(project))
    (project.parent / "other.nrrd").write_bytes(OUTSIDE)
    path = project / "d" / "ann" / "A.nrrd.json"
    edit_json(path, lambda content: content["spatialFigures"][0].update({field: key}))
    before = tree(project.parent)
    uses = [
        lambda: target(project).volumes(),
        lambda: target(project).objects(1),
        lambda: land(source, target(project), existing="replace"),
    ]
    for use in uses:
        with pytest.raises(TargetError, match=rf"spatialFigures\[0\]\.{field}") as caught:
            use()
        assert caught.value.path == str(path)
    assert tree(project.parent) == before


def test_a_key_that_is_asked_for_leads_nowhere_else(source, project):
    ref = land(source, target(project)).objects[0].ref
    for key in ("../../../../in/A", "/etc/passwd"):
        with pytest.raises(TargetError, match="cannot become that of a file"):
            target(project).mask_grid(replace(ref, figure_key=key))


@pytest.mark.parametrize("name", ["...json", " .json", "..json"])
def test_a_hidden_file_beside_annotations_is_none(source, project, name):
    land(source, target(project))
    path = project / "d" / "ann" / name
    shutil.copy(project / "d" / "ann" / "A.nrrd.json", path)
    if name[0] == ".":
        assert [ref.name for ref in target(project).volumes()] == ["A.nrrd"]
    else:
        with pytest.raises(TargetError, match="cannot become that of a file"):
            target(project).volumes()


# Links


def linked(project, what):
    """Put something of a project elsewhere, and a link in its place; return where it is."""
    path = project / what
    moved = project.parent / "elsewhere" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    path.symlink_to(moved)
    return moved


@pytest.mark.parametrize(
    "what", ["d/mask/A.nrrd/{key}.nrrd", "d/mask/A.nrrd", "d/mask"], ids=["file", "folder", "all"]
)
def test_a_mask_that_is_a_link_out_of_the_project_is_refused(source, project, what):
    ref = land(source, target(project)).objects[0].ref
    linked(project, what.format(key=ref.figure_key))
    before = tree(project.parent)
    uses = [
        lambda: target(project).mask_grid(ref),
        lambda: target(project).iter_mask(ref),
        lambda: land(source, target(project), existing="replace"),
    ]
    for use in uses:
        with pytest.raises(TargetError, match="a link leads out of the folder") as caught:
            use()
        assert str(project.parent / "elsewhere") in str(caught.value.found)
        assert caught.value.remedy == "Put the file or folder itself there."
    assert tree(project.parent) == before


@pytest.mark.parametrize("what", ["d", "d/ann", "d/volume/A.nrrd", "d/ann/A.nrrd.json"])
def test_what_else_is_a_link_out_of_the_project_is_refused(source, project, what):
    land(source, target(project))
    linked(project, what)
    for dataset in ("d", None):
        with pytest.raises(TargetError, match="a link leads out of the folder"):
            nk.ProjectFolder(project, dataset).volumes()


def test_a_link_within_the_project_and_one_to_it_are_followed(source, project, tmp_path):
    receipt = land(source, target(project))
    mask = project / "d" / "mask" / "A.nrrd"
    mask.rename(project / "d" / "masks of A")
    mask.symlink_to(project / "d" / "masks of A")
    (tmp_path / "link").symlink_to(project)
    for path in (project, tmp_path / "link"):
        assert nk.verify(receipt, nk.ProjectFolder(path, dataset="d")).ok


# What is kept of what goes


def volume(dataset, name):
    return VolumeRef(1, "k" * 32, name, dataset, Grid(SHAPE, AFFINE))


BEFORE = {"2": {"score": "0.9", "comment": "a person's"}}
LANDED = {"2": {"score": "0.5", "comment": None}}


def scored_job(ref, backup, seen=BEFORE):
    update = ScoreUpdate(1, 2, "o", 3, "f", "liver", 1, "0-0-1", {}, {}, None)
    figure = ObjectRef(2, "o", 3, "f", "liver", 1, {"0-0-1": LANDED})
    change = ScoreChange(update, figure, BEFORE, seen)
    return ItemJob(None, ref, False, (), backup=backup, updates=(change,))


@pytest.mark.parametrize("name", LEADING_ELSEWHERE)
def test_what_a_server_names_so_that_it_leads_elsewhere_is_not_kept_there(tmp_path, name):
    datasets = [] if name == "a/b" else [name, f"d/{name}"]  # nested ones are written so
    for ref in [volume("d", name), *(volume(dataset, "A.nrrd") for dataset in datasets)]:
        with pytest.raises(TargetError, match="cannot become that of a file or folder"):
            backup_of(tmp_path / "kept", ref)
    for dataset in (*datasets, "d/../..", "/etc"):
        with pytest.raises(TargetError, match="cannot become that of a file or folder"):
            keep_scores(scored_job(volume(dataset, "A.nrrd"), tmp_path / "kept"))
    assert list(tmp_path.iterdir()) == []


def test_long_names_are_kept_under_short_ones_each_its_own(tmp_path):
    refs = [volume("d" * 300, "x" * 300), volume("d" * 300, "x" * 299 + "y"), volume("d/e", "x")]
    paths = [backup_of(tmp_path, ref) for ref in refs]
    assert paths == [backup_of(tmp_path, ref) for ref in refs]
    assert len(set(paths)) == 3
    for ref, path in zip(refs, paths, strict=True):
        path.parent.mkdir(parents=True)
        path.touch()
        keep_scores(scored_job(ref, tmp_path / "scores of"))
    assert len(list((tmp_path / "scores of").rglob("*.json"))) == 3
    assert paths[2] == tmp_path / "d" / "e" / "x" / "x.json"


def test_scores_that_were_changed_since_they_were_kept_are_kept_too(tmp_path):
    since = {"2": {"score": "0.1", "comment": "since"}}
    for seen in (BEFORE, BEFORE, since, since, LANDED, BEFORE):
        keep_scores(scored_job(volume("d", "A.nrrd"), tmp_path, seen))
    kept = sorted((tmp_path / "scores").rglob("*.json"))
    assert [json.loads(path.read_bytes())[0]["scores"] for path in kept] == [BEFORE, since]


def test_annotations_for_a_foreign_project_stay_within_it(tmp_path):
    write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 1)
    (source / "cls_color_map.txt").write_text("1 old 10 11 12\n2 new 4 5 6\n")
    target = nk.ProjectFolder(tmp_path / "p")
    receipt = land(source, target, existing="replace")
    assert nk.verify(receipt, target).ok
    assert {path.name for path in tmp_path.iterdir()} <= {"in", "p", "p.replaced", "state"}
    assert KEYS["b"] in {ref.key for ref in target.objects(1)}
