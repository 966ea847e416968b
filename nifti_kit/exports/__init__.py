"""Takes a project back to NIfTI: volumes, masks, classes, scores, and what has no such form.

``export`` itself is ``nk.export``, in ``exports.exporting``: no name here is both a function and a
module.
"""

from __future__ import annotations

from nifti_kit.exports.result import Export, ExportedFile, NotExported

__all__ = ["Export", "ExportedFile", "NotExported"]
