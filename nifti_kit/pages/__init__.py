"""Pages: what is in a data set, on one page that needs no network, no script and no other file."""

from __future__ import annotations

from nifti_kit.pages.page import DatasetPage, report

__all__ = ["DatasetPage", "report"]
