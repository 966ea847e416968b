"""The methods of the API by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.platform import figures, metas, objects, trees, volumes
from tests.platform.refusals import missing
from tests.platform.state import State

METHODS: dict[str, Callable[[State, Any], Any]] = {
    "instance.version": trees.version,
    "users.me": trees.me,
    "teams.list": trees.list_teams,
    "teams.info": trees.team_info,
    "workspaces.list": trees.list_workspaces,
    "workspaces.info": trees.workspace_info,
    "workspaces.add": trees.add_workspace,
    "projects.list": trees.list_projects,
    "projects.info": trees.project_info,
    "projects.add": trees.add_project,
    "projects.editInfo": trees.edit_project,
    "projects.settings.update": trees.change_settings,
    "projects.archive": trees.remove_project,
    "projects.remove.permanently": trees.remove_projects,
    "projects.meta": metas.meta,
    "projects.meta.update": metas.update_meta,
    "advanced.object_classes.list": metas.list_classes,
    "advanced.object_classes.info": metas.class_info,
    "tags.list": metas.list_tags,
    "datasets.list": trees.list_datasets,
    "datasets.info": trees.dataset_info,
    "datasets.add": trees.add_dataset,
    "datasets.editInfo": trees.edit_dataset,
    "datasets.archive": trees.remove_dataset,
    "datasets.remove.permanently": trees.remove_datasets,
    "images.internal.hashes.list": volumes.known_hashes,
    "images.bulk.upload": volumes.upload_blobs,
    "images.bulk.remove": volumes.remove_volumes,
    "images.editInfo": volumes.rename_volume,
    "volumes.list": volumes.list_volumes,
    "volumes.info": volumes.volume_info,
    "volumes.bulk.add": volumes.add_volumes,
    "volumes.slices.bulk.add": volumes.add_slices,
    "volumes.download": volumes.download_volume,
    "videos.download": volumes.download_volume,  # sly.download_volume_project with progress
    "volumes.tags.bulk.add": volumes.tag_volume,
    "volumes.annotations.bulk.info": objects.annotations,
    "annotation-objects.list": objects.list_objects,
    "annotation-objects.info": objects.object_info,
    "annotation-objects.bulk.add": objects.add_objects,
    "annotation-objects.bulk.remove": objects.remove_objects,
    "annotation-objects.tags.bulk.add": objects.tag_objects,
    "figures.list": figures.list_figures,
    "figures.info": figures.figure_info,
    "figures.bulk.add": figures.add_figures,
    "figures.bulk.remove": figures.remove_figures,
    "figures.bulk.upload.geometry": figures.upload_geometries,
    "figures.bulk.download.geometry": figures.download_geometries,
    "figures.custom-data.update": figures.update_custom_data,
}
"""The second argument of a handler is the JSON of the request, or the parts of its form."""

CHANGES = frozenset(
    {
        "workspaces.add",
        "projects.add",
        "projects.editInfo",
        "projects.settings.update",
        "projects.archive",
        "projects.remove.permanently",
        "projects.meta.update",
        "datasets.add",
        "datasets.editInfo",
        "datasets.archive",
        "datasets.remove.permanently",
        "images.bulk.upload",
        "images.bulk.remove",
        "images.editInfo",
        "volumes.bulk.add",
        "volumes.slices.bulk.add",
        "volumes.tags.bulk.add",
        "annotation-objects.bulk.add",
        "annotation-objects.bulk.remove",
        "annotation-objects.tags.bulk.add",
        "figures.bulk.add",
        "figures.bulk.remove",
        "figures.bulk.upload.geometry",
        "figures.custom-data.update",
    }
)
"""Those that change something: after a lost answer they are not sent again without a question."""


def call(state: State, method: str, data: Any) -> Any:
    """Return what a method answers; one request at a time changes the state."""
    if method not in METHODS:
        raise missing(f"unknown method {method!r}")
    with state.lock:
        return METHODS[method](state, data)
