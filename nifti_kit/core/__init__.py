"""What every room speaks: grids, findings, text, files, threads; no file format, no target."""

from __future__ import annotations

from nifti_kit.core.files import read_json, save_as, write_beside, write_bytes, write_json
from nifti_kit.core.findings import Finding, Findings, finding
from nifti_kit.core.geometry import Alignment, Grid, Orientation, compare_grids, frame_to_slice
from nifti_kit.core.parallel import ahead, in_order, together, with_progress
from nifti_kit.core.text import counted, read_text

__all__ = [
    "Alignment",
    "Finding",
    "Findings",
    "Grid",
    "Orientation",
    "ahead",
    "compare_grids",
    "counted",
    "finding",
    "frame_to_slice",
    "in_order",
    "read_json",
    "read_text",
    "save_as",
    "together",
    "with_progress",
    "write_beside",
    "write_bytes",
    "write_json",
]
