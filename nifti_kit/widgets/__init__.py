"""Apps for notebooks and Voilà: look, mend, match, score, upload, compare; each shows a model.

Each app is a widget with a ``.model`` whose methods do what its buttons do. ``UploadModel`` is such
a model by itself: where nobody looks, no widgets have to be made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nifti_kit.widgets.compare.view import Compare
    from nifti_kit.widgets.inspect.view import Inspect
    from nifti_kit.widgets.mapping.view import MappingEditor
    from nifti_kit.widgets.scores.view import ScoreEditor
    from nifti_kit.widgets.upload.model import UploadModel
    from nifti_kit.widgets.upload.view import Uploader
    from nifti_kit.widgets.viewer.view import Viewer
    from nifti_kit.widgets.workbench.view import Workbench

__all__ = [
    "Compare",
    "Inspect",
    "MappingEditor",
    "ScoreEditor",
    "UploadModel",
    "Uploader",
    "Viewer",
    "Workbench",
]

_HOMES = {
    "Compare": "compare.view",
    "Inspect": "inspect.view",
    "MappingEditor": "mapping.view",
    "ScoreEditor": "scores.view",
    "UploadModel": "upload.model",
    "Uploader": "upload.view",
    "Viewer": "viewer.view",
    "Workbench": "workbench.view",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
