"""nifti_kit: folders of NIfTI volumes, masks and score tables into Supervisely.

Public names are loaded when they are first used: ``import nifti_kit`` itself costs next to
nothing, and needs no system library.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nifti_kit import errors, plots, repairs, widgets
    from nifti_kit.checks import check
    from nifti_kit.comparisons import changes, compare
    from nifti_kit.core import geometry
    from nifti_kit.datasets.dataset import rescan, scan
    from nifti_kit.exports.exporting import export
    from nifti_kit.formats.class_maps import read_classes
    from nifti_kit.formats.mappings import read_mapping
    from nifti_kit.formats.scores import read_scores
    from nifti_kit.pages.page import report
    from nifti_kit.plans.matching import match
    from nifti_kit.plans.plan import plan
    from nifti_kit.repairs.align import align_mask
    from nifti_kit.repairs.offers import offers
    from nifti_kit.repairs.steps import Step, Steps, read_steps
    from nifti_kit.targets.folder import ProjectFolder
    from nifti_kit.targets.instance import Instance
    from nifti_kit.transfer.kept import kept
    from nifti_kit.transfer.saved_receipt import read_receipt
    from nifti_kit.transfer.upload import upload
    from nifti_kit.transfer.verification import verify

__all__ = [
    "Instance",
    "ProjectFolder",
    "Step",
    "Steps",
    "align_mask",
    "changes",
    "check",
    "compare",
    "errors",
    "export",
    "geometry",
    "kept",
    "match",
    "offers",
    "plan",
    "plots",
    "read_classes",
    "read_mapping",
    "read_receipt",
    "read_scores",
    "read_steps",
    "repairs",
    "report",
    "rescan",
    "scan",
    "upload",
    "verify",
    "widgets",
]

__version__ = "0.1.0"

# What happens meanwhile is logged by name of room, such as nifti_kit.targets; nothing unless asked.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "Instance": "targets.instance",
    "ProjectFolder": "targets.folder",
    "Step": "repairs.steps",
    "Steps": "repairs.steps",
    "align_mask": "repairs.align",
    "changes": "comparisons",
    "check": "checks",
    "compare": "comparisons",
    "export": "exports.exporting",
    "kept": "transfer.kept",
    "match": "plans.matching",
    "offers": "repairs.offers",
    "plan": "plans.plan",
    "read_classes": "formats.class_maps",
    "read_mapping": "formats.mappings",
    "read_receipt": "transfer.saved_receipt",
    "read_scores": "formats.scores",
    "read_steps": "repairs.steps",
    "report": "pages",
    "rescan": "datasets.dataset",
    "scan": "datasets.dataset",
    "upload": "transfer.upload",
    "verify": "transfer.verification",
}
_MODULES = {
    "errors": "errors",
    "geometry": "core.geometry",
    "plots": "plots",
    "repairs": "repairs",
    "widgets": "widgets",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
