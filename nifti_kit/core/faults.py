"""Findings for files that cannot be taken in."""

from __future__ import annotations

from pathlib import PurePosixPath

from nifti_kit.core.findings import Finding, finding
from nifti_kit.errors import NiftiKitError, UnsupportedImage

__all__ = ["describe", "file_fault"]


def describe(error: NiftiKitError) -> str:
    """Return an error's text without its path and remedy, for a finding that has them apart."""
    parts = [error.message]
    if error.found is not None:
        parts.append(f"found {error.found}")
    if error.expected is not None:
        parts.append(f"expected {error.expected}")
    return "; ".join(parts)


def file_fault(file: PurePosixPath, error: NiftiKitError) -> Finding:
    """Return the finding for an image that cannot be taken in."""
    code = "image-unsupported" if isinstance(error, UnsupportedImage) else "file-unreadable"
    return finding(code, file, describe(error), remedy=error.remedy)
