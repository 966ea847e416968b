"""Histories: uploads that are interrupted while other people work on the same volumes.

A history is a word: a letter for each thing that happens, then the same call again. Who makes,
changes and removes what is written down, so that at the end it can be told whether anything of
anybody is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked, TargetError
from nifti_kit.transfer.journal import Journal
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.platform.faults import UNKNOWN
from tests.platform.multipart import Part
from tests.support.builders import labels, write_nifti
from tests.support.landings import land, write_volumes
from tests.support.uploads import (
    Killed,
    api,
    digest,
    dying,
    new_dataset,
    new_project,
)

LETTERS = {
    "k": "our upload is killed",
    "c": "a colleague uploads the same folder",
    "d": "a person draws on the volume",
    "r": "a person removes an object, or the volume",
    "e": "a person changes an object",
    "f": "our upload meets faults of the server",
    "m": "a mask of the source is mended",
    "s": "our upload is called a second time while it runs",
}

EXISTING = ("error", "skip", "replace", "append")

CHANGES = (
    "images.bulk.upload",
    "volumes.bulk.add",
    "volumes.slices.bulk.add",
    "annotation-objects.bulk.add",
    "figures.bulk.add",
    "figures.bulk.upload.geometry",
    "annotation-objects.bulk.remove",
    "images.bulk.remove",
)

CLASSES = ("liver",)
"""Those that the source plans."""


def words(most: int) -> Iterator[str]:
    """Yield every order of up to so many letters."""
    for count in range(most + 1):
        yield from map("".join, product(LETTERS, repeat=count))


def sample(count: int, length: int, seed: int) -> list[str]:
    """Return random words of a length, the same for the same seed."""
    chance = random.Random(seed)
    return ["".join(chance.choices([*LETTERS], k=length)) for _ in range(count)]


Facts = dict[Any, Any]
"""What is there: objects by their ids, each with class, geometry and scores; volumes by theirs."""


class World:
    """One history: a source, a target, and what other people have made on it.

    ``existing`` is what the call chooses each time.
    """

    def __init__(self, folder: Path, existing: str, seed: str) -> None:
        self.folder, self.existing = folder, existing
        self.chance = random.Random(f"{seed} {existing}")
        self.source = write_volumes(folder / "in", {"A": {"liver": (1, 2)}})
        self.theirs: Facts = {}
        """What others have made or changed, as they left it."""
        self.ours: set[Any] = set()
        """The objects that our calls have made."""
        self.finished = 0
        """Our calls that ended well."""
        self.told: list[str] = []

    # What a target is asked; each kind of target says how

    target: Any

    def there(self) -> Facts:
        """Return all volumes and objects with their content."""
        raise NotImplementedError

    def kept(self) -> list[tuple[str, Any]]:
        """Return geometry and scores of all that was kept aside."""
        raise NotImplementedError

    def killing(self, number: int, *, heard: bool) -> AbstractContextManager[None]:
        """End the caller at a step of its upload."""
        raise NotImplementedError

    def faults(self) -> None:
        """Plan faults for our next upload."""

    def calm(self) -> None:
        """Plan none any more."""

    # What happens

    def play(self, word: str) -> None:
        for letter in word:
            getattr(self, f"_{letter}")()

    @contextmanager
    def by_us(self) -> Iterator[None]:
        before = self.there()
        try:
            yield
        finally:
            after = self.there()
            self.ours |= after.keys() - before.keys()
            self.check_theirs(after)

    @contextmanager
    def by_others(self) -> Iterator[None]:
        before = self.there()
        yield
        after = self.there()
        for key in before.keys() - after.keys():
            self.theirs.pop(key, None)
        self.theirs |= {key: one for key, one in after.items() if before.get(key) != one}

    def upload(self, existing: str | None = None) -> Any:
        with self.by_us():
            receipt = land(self.source, self.target, existing=existing or self.existing)
        self.finished += 1
        return receipt

    def _k(self) -> None:
        number, heard = self.chance.randint(1, self.steps), self.chance.random() < 0.5
        with self.killing(number, heard=heard), suppress(Killed, TargetError):
            self.upload()

    steps = 30
    """About how many an undisturbed upload has."""

    def _c(self) -> None:
        existing = self.chance.choice(["error", "append", "skip"])
        home = os.environ["XDG_STATE_HOME"]
        os.environ["XDG_STATE_HOME"] = str(self.folder / "colleague")
        journal = self.folder / "colleague.jsonl"
        journal.unlink(missing_ok=True)
        try:
            with self.by_others(), suppress(TargetError):
                copied = shutil.copytree(self.source, self.folder / "copy", dirs_exist_ok=True)
                land(Path(copied), self.target, existing=existing, journal=journal)
        finally:
            os.environ["XDG_STATE_HOME"] = home

    def _d(self) -> None:
        title = self.chance.choice(["liver", "Bone"])
        with self.by_others():
            self.draw(title)

    def _r(self) -> None:
        with self.by_others():
            self.remove(self.chance)

    def _e(self) -> None:
        with self.by_others():
            self.change(self.chance)

    def _f(self) -> None:
        self.faults()
        with suppress(TargetError):
            self.upload()
        self.calm()

    def _m(self) -> None:
        turned = np.roll(labels(), self.chance.randint(1, 3), axis=0)
        write_nifti(self.source / "A" / "liver.nii.gz", turned, self.affine())

    def affine(self) -> Any:
        (item,) = nk.scan(self.source).items
        assert item.volume is not None
        return item.volume.grid.affine

    def _s(self) -> None:
        """Make the same call while it is under way: once it is told, nothing happens."""
        plan = nk.plan(nk.scan(self.source))
        before = self.there()
        own = self.target.journals
        name = hashlib.sha256(f"{self.target!r} {plan.origin}".encode()).hexdigest()[:16]
        first = Journal(own / f"{name}.jsonl", plan.origin, repr(self.target)).held()
        with first, pytest.raises(TargetError, match="is under way already"):
            land(self.source, self.target, existing=self.existing)
        assert self.there() == before

    def draw(self, title: str) -> None:
        raise NotImplementedError

    def remove(self, chance: random.Random) -> None:
        raise NotImplementedError

    def change(self, chance: random.Random) -> None:
        raise NotImplementedError

    # What must hold

    def check_theirs(self, after: Facts) -> None:
        """Nothing of others is gone or changed, but for what was replaced on purpose, and kept."""
        kept: list[tuple[str, Any]] | None = None
        for key, one in list(self.theirs.items()):
            if after.get(key) == one:
                continue
            assert key not in after, f"changed: {key} {one} -> {after[key]}"
            assert self.existing == "replace", f"gone: {key} {one}"
            assert key[0] == "object", f"gone: {key} {one}"
            assert one["class"] in CLASSES, f"gone: {key} {one}"
            kept = self.kept() if kept is None else kept
            for geometry, scores in zip(one["geometry"], one["scores"], strict=True):
                assert (geometry, scores) in kept, f"not kept: {key} {one}"
            del self.theirs[key]

    def end(self) -> str:
        """Make the same call; say how it ended, when all holds that must."""
        try:
            receipt = self.upload()
        except (TargetError, PlanBlocked) as error:
            return self._ended_in(error)
        self.check(receipt)
        return "landed"

    def _ended_in(self, error: Exception) -> str:
        """Do what the error says, and see that it ends there."""
        remedy = str(getattr(error, "remedy", ""))
        assert remedy, error
        if "existing='skip'" in remedy:
            try:
                receipt = self.upload("skip")
            except TargetError as again:
                return f"refused: {again.message.partition(chr(39))[0]}"
            self.check(receipt)
            return "refused, then landed by its remedy"
        if "remove volume" in remedy:
            with self.by_others():
                self.remove_volume()
            self.check(self.upload())
            return "refused, then landed by its remedy"
        return f"refused: {str(error).partition(chr(39))[0]}"

    def remove_volume(self) -> None:
        raise NotImplementedError

    def check(self, receipt: Any) -> None:
        """Nothing of ours is twice or missing, and the proof says so."""
        there = self.there()
        assert not [key for key, one in there.items() if key[0] == "object" and self.is_half(one)]
        assert self.slices_once()
        own = [
            json.dumps([one["class"], one["geometry"], one["scores"]])
            for key, one in there.items()
            if key[0] == "object" and key in self.ours and key not in self.theirs
        ]
        most = max(Counter(own).values(), default=0)
        assert most <= (self.finished if self.existing == "append" else 1), Counter(own)
        planned = self.planned()
        landed = {json.dumps(self.landed(found, there)) for found in receipt.objects}
        assert len(receipt.objects) == len(planned)
        whole = landed == {json.dumps(one) for one in planned}
        assert nk.verify(receipt, self.target).ok == whole

    def is_half(self, one: dict[str, Any]) -> bool:
        return not one["geometry"] or "" in one["geometry"]

    def slices_once(self) -> bool:
        return True

    def landed(self, found: Any, there: Facts) -> list[Any]:
        one = there["object", self.id_of(found.ref)]
        return [one["class"], one["geometry"], one["scores"]]

    def id_of(self, ref: Any) -> Any:
        return ref.id

    def planned(self) -> list[list[Any]]:
        """Return what the source's objects are where nothing disturbs them."""
        raise NotImplementedError


class InstanceWorld(World):
    """A history on the stand-in platform."""

    def __init__(self, platform: Platform, folder: Path, existing: str, seed: str) -> None:
        super().__init__(folder, existing, seed)
        self.platform, self.state = platform, platform.state
        self.target = nk.Instance(api(platform), new_dataset(platform, new_project(platform)))

    def there(self) -> Facts:
        state = self.state
        classes = {row["id"]: row["name"] for row in state.classes}
        here: Facts = {
            ("volume", row["id"]): row["name"]
            for row in state.volumes.where(datasetId=self.target.dataset_id)
        }
        figures: dict[int, list[Any]] = {}
        for row in state.figures:
            figures.setdefault(row["objectId"], []).append(row)
        for row in state.objects.where(datasetId=self.target.dataset_id):
            own = figures.get(row["id"], [])
            here["object", row["id"]] = {
                "class": classes[row["classId"]],
                "volume": row["entityId"],
                "geometry": [digest(state.geometries.get(figure["id"])) for figure in own],
                "scores": [figure["customData"] for figure in own],
            }
        return here

    def kept(self) -> list[tuple[str, Any]]:
        found = []
        for path in (Path(os.environ["XDG_STATE_HOME"])).rglob("kept/**/*.nrrd.json"):
            for figure in json.loads(path.read_text())["spatialFigures"]:
                mask = path.parent / f"{figure['id']}.nrrd"
                if mask.exists():
                    found.append((digest(mask.read_bytes()), figure["customData"]))
        return found

    @contextmanager
    def killing(self, number: int, *, heard: bool) -> Iterator[None]:
        with dying(number, heard=heard):
            yield

    def faults(self) -> None:
        for _ in range(self.chance.randint(1, 3)):
            method = self.chance.choice(CHANGES)
            self.platform.faults.on(method, self.chance.choice(UNKNOWN))

    def calm(self) -> None:
        self.platform.faults.clear()

    def draw(self, title: str) -> None:
        for row in self.state.volumes.where(datasetId=self.target.dataset_id)[:1]:
            content = masks_of_persons()[self.chance.randrange(3)]
            draw(self.platform, self.target, row["id"], title, content)

    def remove(self, chance: random.Random) -> None:
        there = self.there().items()  # a person sees what is drawn
        objects = [key[1] for key, one in there if key[0] == "object" and one["geometry"]]
        if objects and chance.random() < 0.7:
            call(self.state, "annotation-objects.bulk.remove", [chance.choice(objects)])
        else:
            self.remove_volume()

    def remove_volume(self) -> None:
        rows = self.state.volumes.where(datasetId=self.target.dataset_id)
        call(self.state, "images.bulk.remove", {"imageIds": [row["id"] for row in rows]})

    def change(self, chance: random.Random) -> None:
        inside = {key[1] for key in self.there() if key[0] == "object"}
        figures = [row for row in self.state.figures if row["objectId"] in inside]
        figures = [row for row in figures if row["id"] in self.state.geometries]
        if not figures:
            return
        row = chance.choice(figures)
        if chance.random() < 0.5:
            self.state.geometries[row["id"]] = masks_of_persons()[3]
        else:
            row["customData"] = {"0-0-1": {"1": {"score": "0.30", "comment": "a person's"}}}
        row["updatedAt"] = f"changed {chance.random()}"

    def slices_once(self) -> bool:
        rows = self.state.slices
        count = Counter((row["volumeId"], row["axis"], row["sliceIndex"]) for row in rows)
        size = {row["id"]: sum(row["meta"]["dimensionsIJK"].values()) for row in self.state.volumes}
        whole = Counter(row["volumeId"] for row in rows) == Counter(size)
        return whole and max(count.values(), default=1) == 1

    def planned(self) -> list[list[Any]]:
        plan = nk.plan(nk.scan(self.source))
        from nifti_kit.targets.encoding import MaskFiles

        files = MaskFiles(plan.objects)
        return [
            [planned.class_name, [digest(files.file_of(planned))], [planned.scores]]
            for planned in plan.objects
        ]


_masks: list[bytes] = []


def masks_of_persons() -> list[bytes]:
    """Return geometries that a person draws: none of them is one of the source's."""
    if not _masks:
        from nifti_kit.core.geometry import Grid
        from nifti_kit.formats.nrrd import volume_pieces

        for number in range(4):
            array = np.zeros((5, 6, 7), dtype=np.uint8)
            array[0, 0, : number + 1] = 1
            pages = [array[:, :, k] for k in range(7)]
            _masks.append(b"".join(volume_pieces(Grid((5, 6, 7), np.eye(4)), array.dtype, pages)))
    return _masks


def draw(platform: Platform, target: Any, volume_id: int, title: str, content: bytes) -> int:
    """Draw an object with its figure, as a person does; return its id."""
    state = platform.state
    kinds = {row["name"]: row["id"] for row in state.classes.where(projectId=target.project_id)}
    if title not in kinds:
        meta = target.meta()
        new = {"title": title, "shape": "mask_3d", "color": "#102030", "description": ""}
        data = {"id": target.project_id, "meta": {**meta, "classes": [*meta["classes"], new]}}
        call(state, "projects.meta.update", data)
        kinds = {row["name"]: row["id"] for row in state.classes.where(projectId=target.project_id)}
    one = {"classId": kinds[title], "entityId": volume_id}
    data = {"datasetId": target.dataset_id, "annotationObjects": [one]}
    (made,) = call(state, "annotation-objects.bulk.add", data)
    figure = {"objectId": made["id"], "geometryType": "mask_3d", "entityId": volume_id}
    (drawn,) = call(state, "figures.bulk.add", {"entityId": volume_id, "figures": [figure]})
    parts = [Part("figureId", None, str(drawn["id"]).encode()), Part("geometry", "g", content)]
    call(state, "figures.bulk.upload.geometry", parts)
    return int(made["id"])
