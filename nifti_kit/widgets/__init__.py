"""Apps for notebooks and Voilà: look, match, check scores, upload; each shows a model.

Each app is a widget with a ``.model`` whose methods do what its buttons do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nifti_kit.widgets.inspection import Inspect
    from nifti_kit.widgets.mapping import MappingEditor
    from nifti_kit.widgets.scoring import ScoreEditor
    from nifti_kit.widgets.uploading import Uploader
    from nifti_kit.widgets.viewer import Viewer

__all__ = ["Inspect", "MappingEditor", "ScoreEditor", "Uploader", "Viewer"]

_HOMES = {
    "Inspect": "inspection",
    "MappingEditor": "mapping",
    "ScoreEditor": "scoring",
    "Uploader": "uploading",
    "Viewer": "viewer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
