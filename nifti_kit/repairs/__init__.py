"""Repairs: called by name, never automatic; source files are never touched.

Each function takes a dataset and files (paths, or findings about them), and returns a
:class:`Repair`: the dataset with the mended files in memory, and the proof of what changed.

    repair = nk.repairs.take_header(dataset, findings.by_code()["mask-header-lost"])
    repair                            # per label: voxels, mm3 and centroid before and after
    plan = nk.plan(repair.dataset)    # the repair is on record in the plan and the receipt
    repair.save("repaired/")          # or to a new folder
"""

from __future__ import annotations

from nifti_kit.repairs.frames import merge_frames, pick_frame, split_frames
from nifti_kit.repairs.masks import (
    drop_specks,
    reorder_axes,
    reorient,
    resample,
    round_labels,
    take_header,
)
from nifti_kit.repairs.repair import FileChange, LabelChange, Measure, Repair
from nifti_kit.repairs.tables import rebase_layers, replace_table
from nifti_kit.repairs.values import relabel
from nifti_kit.repairs.volumes import straighten, use_form

__all__ = [
    "FileChange",
    "LabelChange",
    "Measure",
    "Repair",
    "drop_specks",
    "merge_frames",
    "pick_frame",
    "rebase_layers",
    "relabel",
    "reorder_axes",
    "reorient",
    "replace_table",
    "resample",
    "round_labels",
    "split_frames",
    "straighten",
    "take_header",
    "use_form",
]
