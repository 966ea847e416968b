"""Everything that the platform knows."""

from __future__ import annotations

import base64
import hashlib
from itertools import count
from threading import RLock

from tests.platform.refusals import not_unique
from tests.platform.tables import Row, Table

PAGE_SIZE = 500
"""Rows of a list per answer, where the request does not say."""


class State:
    """Teams down to figures, the bytes of blobs by hash and of geometries by figure.

    Handlers hold ``lock`` while they read or change it. Rows refer to each other by id
    (``projectId``, ``datasetId``, ``entityId`` for a volume, ``objectId``).
    """

    def __init__(self, page_size: int = PAGE_SIZE) -> None:
        self.lock = RLock()
        self.page_size = page_size
        self.version = "6.15.0"
        ids = count(1)
        self.teams = Table("Team", ids)
        self.workspaces = Table("Workspace", ids)
        self.projects = Table("Project", ids)
        self.datasets = Table("Dataset", ids)
        self.classes = Table("Object class", ids)
        self.tags = Table("Tag", ids)
        self.volumes = Table("Volume", ids)
        self.slices = Table("Slice", ids)
        self.objects = Table("Annotation object", ids)
        self.figures = Table("Figure", ids)
        self.volume_tags = Table("Tag of a volume", ids)
        self.object_tags = Table("Tag of an object", ids)
        self.blobs: dict[str, bytes] = {}
        self.geometries: dict[int, bytes] = {}
        self.team = self.teams.add(name="team", description="", role="admin", usage=None)
        self.workspace = self.workspaces.add(
            name="workspace", description="", teamId=self.team["id"]
        )

    def keep(self, content: bytes) -> str:
        """Keep a blob; return its hash, the SHA-256 in base64."""
        name = hash_of(content)
        self.blobs[name] = content
        return name

    def project_of(self, dataset: Row) -> Row:
        """Return the project that a dataset belongs to."""
        return self.projects.rows[dataset["projectId"]]

    def volumes_of(self, project: Row) -> list[Row]:
        """Return the volumes of all datasets of a project."""
        inside = {row["id"] for row in self.datasets.where(projectId=project["id"])}
        return [row for row in self.volumes if row["datasetId"] in inside]

    def remove_project(self, project: Row) -> None:
        """Remove a project and all that it holds."""
        for dataset in self.datasets.where(projectId=project["id"], parentId=None):
            self.remove_dataset(dataset)
        for table in (self.classes, self.tags):
            for row in table.where(projectId=project["id"]):
                del table.rows[row["id"]]
        del self.projects.rows[project["id"]]

    def remove_dataset(self, dataset: Row) -> None:
        """Remove a dataset, those inside it, and their volumes."""
        for child in self.datasets.where(parentId=dataset["id"]):
            self.remove_dataset(child)
        for volume in self.volumes.where(datasetId=dataset["id"]):
            self.remove_volume(volume)
        del self.datasets.rows[dataset["id"]]

    def remove_volume(self, volume: Row) -> None:
        """Remove a volume with its slices, tags, objects and figures; blobs stay."""
        for item in self.objects.where(entityId=volume["id"]):
            self.remove_object(item)
        for table, key in ((self.slices, "volumeId"), (self.volume_tags, "entityId")):
            for row in table.where(**{key: volume["id"]}):
                del table.rows[row["id"]]
        del self.volumes.rows[volume["id"]]

    def remove_object(self, item: Row) -> None:
        """Remove an object with its tags and figures."""
        for figure in self.figures.where(objectId=item["id"]):
            self.remove_figure(figure)
        for tag in self.object_tags.where(objectId=item["id"]):
            del self.object_tags.rows[tag["id"]]
        del self.objects.rows[item["id"]]

    def remove_figure(self, figure: Row) -> None:
        """Remove a figure and its geometry."""
        self.geometries.pop(figure["id"], None)
        del self.figures.rows[figure["id"]]


def hash_of(content: bytes) -> str:
    """Return the name of a blob: the base64 of its SHA-256."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def refuse_taken(rows: list[Row], names: list[str], what: str) -> None:
    """Refuse names that are taken among these rows, or that the request gives twice."""
    taken = [row for row in rows if row["name"] in names]
    if taken or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        listed = ", ".join(repr(name) for name in ([row["name"] for row in taken] or twice))
        raise not_unique(f"{what} with the name {listed} already exists", taken)
