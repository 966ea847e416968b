"""A project folder that several people work in: an upload is killed, others come, it goes on.

Every history is: an upload is killed at one of the files that it writes; something
happens to what is there; the same call is made again.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nifti_kit as nk
from nifti_kit.core import files
from nifti_kit.errors import TargetError
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.folder import landing
from nifti_kit.transfer import journal as journals
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import (
    edit_json,
    land,
    quiet,
    tree,
    write_scored_planes,
    write_volumes,
)
from tests.support.properties import untimed
from tests.support.targets import set_scores
from tests.support.uploads import Killed

FIRST = {"A": {"liver": (2, 3), "spine": (5,)}}
"""What is on the volume A already, where something is."""

SOURCE = {"A": {"liver": (1, 2), "lung": (1,)}, "B": {"liver": (3,)}}
"""What is uploaded: one of the objects on A is identical with one that is there."""

STEP = 1 if int(os.environ.get("NIFTI_KIT_HISTORIES", "1")) > 1 else 7
"""Every so many files a call is killed; at which ones, is another for each choice."""

MOST_WRITES = 60


@dataclass
class Object:
    """An object as it stands in an annotation, and its mask."""

    entries: tuple[Any, ...]
    mask: bytes | None

    @property
    def scores(self) -> list[Any]:
        return [figure.get("customData") for figure in self.entries[1:]]

    def is_in(self, others: dict[str, Object], key: str) -> bool:
        return key in others and others[key] == self


@dataclass
class World:
    """A source, a project, and what a person and a colleague do to it."""

    root: Path
    existing: str
    source: Path
    target: nk.ProjectFolder = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.target = nk.ProjectFolder(self.root / "p", dataset="d")
        self.folder = self.root / "p" / "d"

    def call(self, plan: Plan) -> Any:
        """Make the call: each time the same."""
        return nk.upload(plan, self.target, existing=self.existing, on_progress=quiet)

    @property
    def annotation(self) -> Path:
        return self.folder / "ann" / "A.nrrd.json"

    def mask(self, figure: str) -> Path:
        return self.folder / "mask" / "A.nrrd" / f"{figure}.nrrd"

    def objects(self, path: Path | None = None, masks: Path | None = None) -> dict[str, Object]:
        """Return the objects on A by their keys."""
        path, masks = path or self.annotation, masks or self.folder / "mask" / "A.nrrd"
        if not path.exists():
            return {}
        content = json.loads(path.read_bytes())
        found = {}
        for one in content["objects"]:
            figures = [f for f in content["spatialFigures"] if f["objectKey"] == one["key"]]
            drawn = [masks / f"{figure['key']}.nrrd" for figure in figures]
            mask = drawn[0].read_bytes() if drawn and drawn[0].exists() else None
            found[one["key"]] = Object((one, *figures), mask)
        return found

    def kept(self) -> list[dict[str, Object]]:
        """Return the objects that runs have kept of what they replaced."""
        found = self.root.glob("p.replaced/**/A.nrrd.json")
        return [self.objects(path, path.parent) for path in found]

    def figure(self, key: str) -> str:
        content = json.loads(self.annotation.read_bytes())
        return next(f["key"] for f in content["spatialFigures"] if f["objectKey"] == key)


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """End the caller before the file with a number that it writes, from 1; journals too.

    After one file is before the next. Nothing is written from then on.
    """
    written = count(1)

    def step() -> None:
        if next(written) >= number:
            raise Killed

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **options: Any) -> Any:
            step()
            return real(*args, **options)

        return write

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "write_beside", dying(files.write_beside))
        patch.setattr(journals, "append", dying(journals.append))
        patch.setattr(landing.shutil, "copy2", dying(shutil.copy2))
        patch.setattr(landing.Landing, "_drop_masks", dying(landing.Landing._drop_masks))
        yield


# What happens between the two calls


def nothing(world: World, ours: set[str]) -> bool:  # noqa: ARG001
    return True


def a_colleague(existing: str) -> Callable[[World, set[str]], bool]:
    """A colleague uploads the same folder, from a machine with journals of its own."""

    def uploads(world: World, ours: set[str]) -> bool:  # noqa: ARG001
        journal = world.root / f"colleague-{len(list(world.root.iterdir()))}"
        try:
            land(world.source, world.target, existing=existing, journal=journal)
        except TargetError as error:
            return "already" not in error.message  # was refused: nothing has happened
        return True

    return uploads


def adds(title: str) -> Callable[[World, set[str]], bool]:
    """A person draws an object: with a key, a mask, and a class of its own."""

    def draw(world: World, ours: set[str]) -> bool:  # noqa: ARG001
        if not world.annotation.exists():
            return False

        key = next(key for n in count(1) if (key := f"{n:032x}") not in world.objects())

        def change(content: dict[str, Any]) -> None:
            content["objects"].append({"key": key, "classTitle": title, "tags": ["mine"]})
            figure = {"key": key, "objectKey": key, "geometryType": "mask_3d", "geometry": {}}
            content["spatialFigures"].append({**figure, "customData": {"of": "a person"}})

        edit_json(world.annotation, change)
        world.mask(key).parent.mkdir(parents=True, exist_ok=True)
        world.mask(key).write_bytes(b"what a person has drawn")
        return True

    return draw


def one_of(world: World, ours: set[str]) -> str | None:
    """Return one of our objects that are there: the last one."""
    there = [key for key in world.objects() if key in ours]
    return there[-1] if there else None


def deletes(world: World, ours: set[str]) -> bool:
    """A person takes one of our objects out of the annotation; its mask stays."""
    key = one_of(world, ours)
    if key is None:
        return False

    def change(content: dict[str, Any]) -> None:
        content["objects"] = [o for o in content["objects"] if o["key"] != key]
        figures = content["spatialFigures"]
        content["spatialFigures"] = [f for f in figures if f["objectKey"] != key]

    edit_json(world.annotation, change)
    return True


def removes_a_mask(world: World, ours: set[str]) -> bool:
    """A person removes the mask file of one of our objects."""
    key = one_of(world, ours)
    if key is not None:
        world.mask(world.figure(key)).unlink(missing_ok=True)
    return key is not None


def draws(world: World, ours: set[str]) -> bool:
    """A person draws in the mask of one of our objects."""
    key = one_of(world, ours)
    if key is None:
        return False
    path = world.mask(world.figure(key))
    others = [one for one in world.folder.rglob("mask/A.nrrd/*.nrrd") if one != path]
    path.write_bytes(others[0].read_bytes() + b"drawn")
    return True


def scores(world: World, ours: set[str]) -> bool:
    """A person scores one of our objects."""
    key = one_of(world, ours)
    if key is None:
        return False
    custom = {"0-0-1": {"3": {"score": "0.55", "comment": "by a person"}}}

    def change(content: dict[str, Any]) -> None:
        for figure in content["spatialFigures"]:
            if figure["objectKey"] == key:
                figure["customData"] = custom

    edit_json(world.annotation, change)
    return True


EVENTS = {
    "nothing": nothing,
    "a colleague uploads": a_colleague("error"),
    "a colleague uploads what is missing": a_colleague("skip"),
    "a colleague uploads beside": a_colleague("append"),
    "a colleague replaces": a_colleague("replace"),
    "a person adds an object": adds("own"),
    "a person adds one of the same class": adds("liver"),
    "a person deletes one of ours": deletes,
    "a person removes a mask": removes_a_mask,
    "a person draws in a mask": draws,
    "a person scores": scores,
}

STARTS = [("new", choice) for choice in ("error", "skip", "replace", "append")]
STARTS += [("over", choice) for choice in ("skip", "replace", "append")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """A source, its plan, and a project on whose volume something is."""
    root = tmp_path_factory.mktemp("shared")
    land(write_volumes(root / "first", FIRST), nk.ProjectFolder(root / "over", dataset="d"))
    return root, nk.plan(nk.scan(write_volumes(root / "in", SOURCE)))


def is_done(world: World) -> bool:
    """Say whether the journal has it that A has landed whole."""
    lines = [path.read_text() for path in world.root.glob("p.journals/*.jsonl")]
    return any('"done": "A.nrrd"' in line for line in lines)


@dataclass
class History:
    """Calls of one person, and what others do between them.

    ``ours`` are the objects on A that calls which did not end have landed, as they left them.
    """

    world: World
    plan: Plan
    ours: dict[str, Object] = field(default_factory=dict)

    @property
    def changed(self) -> set[str]:
        """The keys of objects of ours in which somebody has changed something."""
        there = self.world.objects()
        return {key for key in self.ours.keys() & there.keys() if there[key] != self.ours[key]}

    @property
    def without_mask(self) -> set[str]:
        return {key for key, one in self.world.objects().items() if one.mask is None}

    def drawn_in(self, keys: set[str]) -> bool:
        """Say whether objects of ours have other voxels or scores than they had.

        A colleague who replaces twice gets our keys, for the same voxels.
        """
        there = self.world.objects()
        return any(
            there[key].mask != self.ours[key].mask or there[key].scores != self.ours[key].scores
            for key in keys
        )

    def theirs(self) -> dict[str, Object]:
        """Return the objects that are not ours, or not any more: they have to stay as they are."""
        changed, bare, there = self.changed, self.without_mask, self.world.objects()
        return {
            key: one
            for key, one in there.items()
            if key not in bare and (key not in self.ours or key in changed)
        }

    def call(self, number: int = 0) -> Any:
        """Make the call, killed at a write where that has a number; return what came of it.

        That is a receipt; or an error, and nothing has changed; or None, where it was killed.
        """
        theirs, before = self.theirs(), set(self.world.objects())
        files_before = tree(self.world.root / "p")
        came: Any = None
        try:
            with killed_at(number or NEVER):
                came = self.world.call(self.plan)
        except Killed:
            pass
        except TargetError as error:
            came = error
        now = self.world.objects()
        for key, one in theirs.items():
            is_kept = self.world.existing == "replace" and any(
                one.is_in(kept, key) for kept in self.world.kept()
            )
            assert one.is_in(now, key) or is_kept
        if came is None:
            self.ours |= {key: one for key, one in now.items() if key not in before}
        if isinstance(came, TargetError):
            self._was_refused(came, files_before)
        return came

    def _was_refused(self, error: TargetError, before: dict[str, bytes]) -> None:
        assert self.world.existing == "error"
        assert "already" in error.message
        now = tree(self.world.root / "p")
        assert now.items() <= before.items()
        assert all(name.endswith(".part") for name in before.keys() - now.keys())

    def finish(self) -> Any:
        """Make the call once more, to its end; return its receipt, or the error."""
        theirs, changed, bare = self.theirs(), self.changed, self.without_mask
        came = self.call()
        if isinstance(came, TargetError):
            return came
        landed = [one.ref.key for one in came.items[0].objects]
        now = set(self.world.objects())
        assert len(set(landed)) == len(landed) == 3
        assert set(landed) <= now
        assert now <= {*theirs, *landed, *bare, *changed}
        is_as_meant = not self.drawn_in(changed.intersection(landed)) and not self.without_mask
        assert nk.verify(came, self.world.target).ok is is_as_meant
        is_left_tidy(self.world)
        return came


NEVER = 10**6
"""More files than any call writes."""


def is_left_tidy(world: World) -> None:
    """Hold that nothing half written is left, and that no id was given twice."""
    names = {path.name for path in world.root.iterdir() if not path.name.startswith("colleague")}
    assert names <= {"p", "p.replaced"}
    assert not [path for path in world.root.rglob("*") if path.name.endswith(".part")]
    ids = json.loads((world.root / "p" / "key_id_map.json").read_bytes())
    for table in ids.values():
        assert len(set(table.values())) == len(table)
    content = json.loads(world.annotation.read_bytes())
    for kind, name in (("objects", "objects"), ("figures", "spatialFigures")):
        numbered = {one["key"]: one["id"] for one in content[name] if "id" in one}
        assert numbered.items() <= ids[kind].items()


def histories(prepared: tuple[Path, Plan], start: str, world: World) -> Iterator[History]:
    """Yield histories in which the call was killed, at one place after the other."""
    root, plan = prepared
    first = 1 + zlib.crc32(f"{start} {world.existing}".encode()) % STEP
    for number in range(first, MOST_WRITES, STEP):
        shutil.rmtree(world.root)
        world.root.mkdir()
        if start == "over":
            shutil.copytree(root / "over", world.root / "p")
        history = History(world, plan)
        if history.call(number) is not None:
            return
        yield history
    pytest.fail("there is no end of it")


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize(("start", "existing"), STARTS)
def test_a_killed_call_is_completed_and_what_others_made_stays(
    start: str, existing: str, event: str, prepared: tuple[Path, Plan], tmp_path: Path
) -> None:
    world = World(tmp_path / "world", existing, prepared[0] / "in")
    came = []
    for history in histories(prepared, start, world):
        done = is_done(world)
        if EVENTS[event](world, set(history.ours)):
            came.append(history.finish())
            if isinstance(came[-1], TargetError):
                assert done or event.startswith("a colleague")
    assert came or (start, event) == ("over", "a colleague uploads")


@pytest.mark.parametrize("mended", ["A/liver.nii.gz", "A.nii.gz"])
@pytest.mark.parametrize(("start", "existing"), STARTS)
def test_a_killed_call_whose_source_was_mended_meanwhile_lands_anew_or_says_so(
    start: str, existing: str, mended: str, prepared: tuple[Path, Plan], tmp_path: Path
) -> None:
    source = shutil.copytree(prepared[0] / "in", tmp_path / "in")
    before = nk.plan(nk.scan(source))
    whole = (source / mended).read_bytes()
    array = np.roll(labels(values=(1, 2)) if "/" in mended else volume(), 1, axis=0)
    world = World(tmp_path / "world", existing, source)
    came = []
    for history in histories((prepared[0], before), start, world):
        had_landed = world.annotation.exists()
        write_nifti(source / mended, array)
        history.plan, history.ours = nk.plan(nk.scan(source)), {}  # nothing of it may go
        refused = pytest.raises(TargetError, match=r"already|another volume of the name 'A\.nrrd'")
        if had_landed and (existing == "error" or mended == "A.nii.gz"):
            files_before = tree(world.root / "p")
            with refused:
                world.call(history.plan)
            assert tree(world.root / "p") == files_before
        else:
            came.append(history.finish())
        (source / mended).write_bytes(whole)
    assert came or (start, mended) == ("over", "A.nii.gz")


# Scores for figures that are there


def write_table(folder: Path, number: int) -> Path:
    folder.mkdir()
    (folder / "axl_score.csv").write_text("Layer,Label-1,Label-2\n3,0.50,0.95\n")
    (folder / "mapping.json").write_text(json.dumps({"axl_score.csv": number}))
    (folder / "cls_color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    return folder


@pytest.mark.parametrize("existing", ["error", "skip", "replace", "append"])
def test_a_score_that_a_person_changes_while_a_call_is_killed_is_not_lost(
    existing: str, tmp_path: Path
) -> None:
    base = nk.ProjectFolder(tmp_path / "base", dataset="d")
    land(write_scored_planes(tmp_path / "planes"), base)
    (number,) = (ref.id for ref in base.volumes() if ref.name == "axl_anatomic.nrrd")
    table = write_table(tmp_path / "table", number)
    plan = nk.plan(nk.scan(table, score_frames="ras"), target=base)
    if existing == "error":  # with which other scores are refused from the first call on
        set_scores(base, base.objects(number)[0], {})
        set_scores(base, base.objects(number)[1], {})
    theirs = {"0-0-1": {"2": {"score": "0.11", "comment": "of a person"}}}
    for at in range(1, MOST_WRITES):
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "base", folder / "p")
        target = nk.ProjectFolder(folder / "p", dataset="d")

        def call(target: nk.ProjectFolder = target) -> Any:
            return nk.upload(plan, target, existing=existing, on_progress=quiet)

        with killed_at(at):
            try:
                call()
            except Killed:
                pass
            else:
                break
        set_scores(target, target.objects(number)[0], theirs)
        done = any('"done"' in path.read_text() for path in folder.glob("p.journals/*"))
        stays = existing in ("error", "skip") or done
        if existing == "error":
            with pytest.raises(TargetError, match="has other scores already"):
                call()
        else:
            assert nk.verify(call(), target).ok is (existing == "skip" or not done)
        there = target.objects(number)[0].scores["0-0-1"]["2"]
        kept = [path.read_text() for path in folder.glob("p.replaced/*/scores/**/*.json")]
        assert there == theirs["0-0-1"]["2"] or any("of a person" in text for text in kept)
        assert (there == theirs["0-0-1"]["2"]) is stays
    assert at > 5


# Several things, one after the other

HAPPENS = st.one_of(
    st.sampled_from(sorted(EVENTS)),
    st.integers(1, 30),  # the call, killed at a write
)


@settings(untimed, max_examples=100 // STEP)
@given(
    start=st.sampled_from(STARTS),
    first=st.integers(1, 30),
    steps=st.lists(HAPPENS, min_size=1, max_size=4),
)
def test_a_call_that_is_killed_again_and_again_among_others_loses_nothing(
    start: tuple[str, str], first: int, steps: list[Any], prepared: tuple[Path, Plan]
) -> None:
    root, plan = prepared
    with TemporaryDirectory() as folder:
        world = World(Path(folder), start[1], root / "in")
        if start[0] == "over":
            shutil.copytree(root / "over", world.root / "p")
        history = History(world, plan)
        for step in (first, *steps):
            if isinstance(step, str):
                EVENTS[step](world, set(history.ours))
            elif history.call(step) is not None:
                history.ours = {}  # it has ended, or was refused: what is there is there
        history.finish()
