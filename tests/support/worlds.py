"""The worlds of histories: the stand-in platform, and a project in a folder."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import nifti_kit as nk
from tests.platform import Platform
from tests.platform.endpoints import CHANGES, call
from tests.platform.faults import UNKNOWN
from tests.platform.multipart import Part
from tests.support import disks
from tests.support.histories import Facts, Key, World
from tests.support.uploads import api, digest, dying, new_dataset, new_project, settle

REQUESTS, CHANGES_ON_DISK = 18, 16
"""About how many requests, and changes of its journal, an upload to the platform makes at most."""

DIES_ON_DISK, DIES_WHILE_IT_CHANGES = 0.2, 0.8
"""Of all deaths: those at a change of the journal, and up to here those at a request that changes
something; the rest dies at any request."""

CHANGES_OF_A_PROJECT = 40
"""About how many changes of files an upload to a folder makes."""

SENT = sorted(CHANGES & {
    "projects.meta.update", "images.bulk.upload", "images.bulk.remove", "volumes.bulk.add",
    "volumes.slices.bulk.add", "annotation-objects.bulk.add", "annotation-objects.bulk.remove",
    "figures.bulk.add", "figures.bulk.upload.geometry",
})  # fmt: skip
"""The requests of an upload that change something."""

READ = ("volumes.list", "projects.meta", "annotation-objects.list", "figures.list",
        "volumes.annotations.bulk.info", "figures.bulk.download.geometry")  # fmt: skip

FAULTS = (*UNKNOWN, "429")


class InstanceWorld(World):
    """A history on the stand-in platform."""

    mended_is_made_anew = True
    others_may_come = True

    def __init__(
        self, folder: Path, kind: str, existing: str, word: str, *, platform: Platform
    ) -> None:
        self.platform, self.state = platform, platform.state
        self.dataset_id = new_dataset(platform, new_project(platform))
        super().__init__(folder, kind, existing, word)

    def open(self) -> Any:
        return nk.Instance(api(self.platform), self.dataset_id)

    def there(self) -> Facts:
        state = self.state
        with state.lock:
            classes = {row["id"]: row["name"] for row in state.classes}
            here: Facts = {
                ("volume", row["id"]): {
                    "name": row["name"],
                    "voxels": digest(state.blobs[row["hash"]]),
                    "slices": self.slices(row["id"]),
                }
                for row in state.volumes
            }
            figures: dict[int, list[Any]] = {}
            for row in state.figures:
                figures.setdefault(row["objectId"], []).append(row)
            for row in state.objects:
                own = figures.get(row["id"], [])
                here["object", row["id"]] = {
                    "class": classes[row["classId"]],
                    "volume": row["entityId"],
                    "geometry": [digest(state.geometries.get(figure["id"])) for figure in own],
                    "scores": [figure["customData"] for figure in own],
                }
        return here

    def slices(self, volume_id: int) -> dict[int, int]:
        """Return how many slices a volume has so many times."""
        rows = self.state.slices.where(volumeId=volume_id)
        return dict(Counter(Counter((row["axis"], row["sliceIndex"]) for row in rows).values()))

    @contextmanager
    def killing(self) -> Iterator[None]:
        way, heard = self.chance.random(), self.chance.random() < 0.5
        if way < DIES_ON_DISK:
            number = self.chance.randint(1, CHANGES_ON_DISK)
            self.story.append(f"at change {number} of the journal")
            with disks.watched(disks.killed_at((self.folder,), number)):
                yield
            return
        method = self.chance.choice(SENT) if way < DIES_WHILE_IT_CHANGES else None
        number = 1 if method else self.chance.randint(1, REQUESTS)
        self.story.append(f"at request {number} of {method or 'any kind'}, carried out: {heard}")
        with dying(number, method=method, heard=heard):
            yield
        settle(self.platform)

    @contextmanager
    def faulty(self) -> Iterator[None]:
        wrong: list[AssertionError] = []
        for _ in range(self.chance.randint(1, 3)):
            method = self.chance.choice([*SENT, self.chance.choice(READ)])
            fault, times = self.chance.choice(FAULTS), self.chance.choice([1, 1, 1, 2, 30])
            draws = method in SENT and self.chance.random() < 0.2
            self.story.append(f"{fault} at {method}, {times} times")
            meanwhile = partial(self.draw_meanwhile, wrong) if draws else None
            self.platform.faults.on(method, fault, times=times, meanwhile=meanwhile)
        try:
            yield
        finally:
            self.platform.faults.clear()
            settle(self.platform)
            if wrong:
                raise wrong[0]

    def draw_meanwhile(self, wrong: list[AssertionError]) -> None:
        """Draw while a request fails; what is wrong then is told when our call has ended."""
        with self.state.lock:  # nothing else happens meanwhile
            try:
                self.observe_us()
                self._d()
            except AssertionError as error:
                wrong.append(error)

    def draw(self, volume_id: Any, title: str, mask: bytes) -> None:
        draw(self.platform, self.dataset_id, volume_id, title, mask)

    def change(self, key: Key, scores: Any, mask: bytes | None) -> None:
        (figure, *_) = self.state.figures.where(objectId=key[1])
        if mask is not None:
            self.state.geometries[figure["id"]] = mask
        else:
            figure["customData"] = scores
        figure["updatedAt"] = f"changed, {len(self.story)}"

    def remove(self, key: Key) -> None:
        if key[0] == "object":
            call(self.state, "annotation-objects.bulk.remove", [key[1]])
        else:
            call(self.state, "images.bulk.remove", {"imageIds": [key[1]]})


def draw(platform: Platform, dataset_id: int, volume_id: int, title: str, mask: bytes) -> int:
    """Draw an object with its figure, as a person does; return its id."""
    state = platform.state
    project = state.datasets.rows[dataset_id]["projectId"]
    meta = call(state, "projects.meta", {"id": project})
    if title not in [one["title"] for one in meta["classes"]]:
        new = {"title": title, "shape": "mask_3d", "color": "#102030", "description": ""}
        meta["classes"].append(new)
        meta = call(state, "projects.meta.update", {"id": project, "meta": meta})
    (kind,) = (one["id"] for one in meta["classes"] if one["title"] == title)
    one = {"classId": kind, "entityId": volume_id}
    data = {"datasetId": dataset_id, "annotationObjects": [one]}
    with state.lock:  # who draws makes all of it at once
        (made,) = call(state, "annotation-objects.bulk.add", data)
        figure = {"objectId": made["id"], "geometryType": "mask_3d", "entityId": volume_id}
        (drawn,) = call(state, "figures.bulk.add", {"entityId": volume_id, "figures": [figure]})
        parts = [Part("figureId", None, str(drawn["id"]).encode()), Part("geometry", "g", mask)]
        call(state, "figures.bulk.upload.geometry", parts)
    return int(made["id"])


class FolderWorld(World):
    """A history on a project in a folder, which others change with tools of their own."""

    keys_recur = True

    def __init__(self, folder: Path, kind: str, existing: str, word: str) -> None:
        self.project = folder / "project"
        super().__init__(folder, kind, existing, word)

    def open(self) -> Any:
        return nk.ProjectFolder(self.project, dataset="d")

    def there(self) -> Facts:
        here: Facts = {}
        for path in sorted((self.project / "d" / "ann").glob("[!.]*.json")):
            content = json.loads(path.read_bytes())
            name, key = path.name.removesuffix(".json"), content["key"]
            voxels = self.project / "d" / "volume" / name
            here["volume", key] = {
                "name": name,
                "voxels": digest(voxels.read_bytes()) if voxels.exists() else "",
                "slices": {1: 15},
            }
            for one in content["objects"]:
                figures = [f for f in content["spatialFigures"] if f["objectKey"] == one["key"]]
                here["object", one["key"]] = {
                    "class": one["classTitle"],
                    "volume": key,
                    "geometry": [digest(self.mask(name, figure["key"])) for figure in figures],
                    "scores": [figure.get("customData") or {} for figure in figures],
                }
        return here

    def mask_path(self, name: str, figure_key: str) -> Path:
        return self.project / "d" / "mask" / name / f"{figure_key}.nrrd"

    def mask(self, name: str, figure_key: str) -> bytes | None:
        path = self.mask_path(name, figure_key)
        return path.read_bytes() if path.exists() else None

    def key_of(self, ref: Any) -> Any:
        return ref.key

    def id_of(self, volume_key: Any) -> int:
        (found,) = (ref.id for ref in self.open().volumes() if ref.key == volume_key)
        return int(found)

    def is_target(self, path: Path) -> bool:
        return self.project in path.parents or super().is_target(path)

    def killing(self) -> AbstractContextManager[Any]:
        number = self.chance.randint(1, CHANGES_OF_A_PROJECT)
        self.story.append(f"at change {number} of a file")
        return disks.watched(disks.killed_at((self.folder,), number))

    def faulty(self) -> AbstractContextManager[Any]:
        number, count = self.chance.randint(1, CHANGES_OF_A_PROJECT), self.chance.choice([1, 1, 99])
        self.story.append(f"the disk is full at change {number} of a file, {count} times")
        return disks.watched(disks.full_at((self.folder,), number, count))

    def draw(self, volume_id: Any, title: str, mask: bytes) -> None:
        meta_path = self.project / "meta.json"
        meta = json.loads(meta_path.read_bytes())
        if title not in [one["title"] for one in meta["classes"]]:
            new = {"title": title, "shape": "mask_3d", "color": "#102030", "hotkey": ""}
            meta["classes"].append(new)
            meta_path.write_text(json.dumps(meta))
        key, figure_key = (f"{self.chance.getrandbits(128):032x}" for _ in range(2))
        name = self.name_of(volume_id)
        path = self.mask_path(name, figure_key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mask)

        def add(content: Any) -> None:
            content["objects"].append({"key": key, "classTitle": title, "tags": []})
            figure = {"key": figure_key, "objectKey": key, "geometryType": "mask_3d"}
            content["spatialFigures"].append({**figure, "geometry": {}})

        self.edit(name, add)

    def change(self, key: Key, scores: Any, mask: bytes | None) -> None:
        name = self.name_of(self.seen[key]["volume"])

        def edit(content: Any) -> None:
            (figure, *_) = (f for f in content["spatialFigures"] if f["objectKey"] == key[1])
            if mask is not None:
                self.mask_path(name, figure["key"]).write_bytes(mask)
            else:
                figure["customData"] = scores

        self.edit(name, edit)

    def remove(self, key: Key) -> None:
        if key[0] == "volume":
            name = self.name_of(key[1])
            shutil.rmtree(self.project / "d" / "mask" / name, ignore_errors=True)
            (self.project / "d" / "volume" / name).unlink()
            (self.project / "d" / "ann" / f"{name}.json").unlink()
            return
        name = self.name_of(self.seen[key]["volume"])

        def drop(content: Any) -> None:
            content["objects"] = [one for one in content["objects"] if one["key"] != key[1]]
            gone = [f for f in content["spatialFigures"] if f["objectKey"] == key[1]]
            content["spatialFigures"] = [f for f in content["spatialFigures"] if f not in gone]
            for figure in gone:
                self.mask_path(name, figure["key"]).unlink()

        self.edit(name, drop)

    def name_of(self, volume_key: Any) -> str:
        return str(self.seen["volume", volume_key]["name"])

    def edit(self, name: str, change: Any) -> None:
        """Change an annotation with another tool."""
        path = self.project / "d" / "ann" / f"{name}.json"
        content = json.loads(path.read_bytes())
        change(content)
        path.write_text(json.dumps(content))

    def check_files(self) -> None:
        names = [path.name for path in self.project.rglob("*")]
        assert not [name for name in names if name.endswith(".part")], names
        for path in (self.project / "d" / "ann").glob("[!.]*.json"):
            for figure in json.loads(path.read_bytes())["spatialFigures"]:
                mask = self.mask_path(path.name.removesuffix(".json"), figure["key"])
                assert mask.is_file(), f"a figure without a mask: {figure}"
