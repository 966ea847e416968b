"""What people do on a target beside an upload."""

from __future__ import annotations

from typing import Any

from nifti_kit.core.files import land_json
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.folder.landing import score_figure
from nifti_kit.targets.records import CustomData, ObjectRef


def set_scores(target: Any, ref: ObjectRef, scores: CustomData) -> None:
    """Give a figure its scores, those of all planes, as a person does who works there."""
    if isinstance(target, ProjectFolder):
        path = target.annotation_path(target.volume(ref.volume_id))
        content = target.annotation(target.volume(ref.volume_id))
        score_figure(content, ref, scores, path)
        land_json(path, content)
    else:
        data = {"id": ref.figure_id, "customData": scores, "updateStrategy": "replace"}
        target.connection.post("figures.custom-data.update", data)
