"""What is said of a source without a NIfTI file: what it is instead, and the way on."""

from __future__ import annotations

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.sources import Source, is_archive

SHOWN = 4
"""Archives that a message names before it counts the rest."""

FOLDERS = ("volume", "ann")
"""The folders of a dataset in a Supervisely project."""


def empty(source: Source) -> Finding:
    """Return the finding for a source without a NIfTI file: an archive in it may hold some."""
    if set(FOLDERS) <= {file.parts[-2] for file in source.files if len(file.parts) > 1}:
        return _project(source)
    archives = [file for file in source.files if is_archive(file.name)]
    if not archives or len(archives) < len(source.files):
        return finding("source-empty", "", f"{source.given}: no NIfTI file")
    what = "one archive" if len(archives) == 1 else counted(len(archives), "archive")
    message = f"{source.given}: {what} and nothing else: {listed(archives, SHOWN)}"
    remedy = "Scan that archive" if len(archives) == 1 else "Scan an archive"
    remedy += f": scan({str(source.given / archives[0])!r})."
    if source.is_archive:
        remedy = (
            "An archive within an archive is not unpacked: unpack this one, and scan the inner."
        )
    return finding("source-empty", "", message, remedy=remedy)


def _project(source: Source) -> Finding:
    is_whole = any(file.name == "meta.json" and len(file.parts) == 1 for file in source.files)
    what = "a Supervisely project" if is_whole else "a dataset of a Supervisely project"
    place = source.given if is_whole else source.given.resolve().parent
    dataset = "" if is_whole else f", {source.given.resolve().name!r}"
    target = f"nk.ProjectFolder({str(place)!r}{dataset})"
    remedy = (
        f"To add to it, give it as the target: {target}. To have its volumes and masks as NIfTI "
        f"files: nk.export({target}, 'out/nifti'), and scan that folder."
    )
    if source.is_archive:
        remedy = "Unpack it. Then give it as the target, or export it: nk.export."
    return finding("source-empty", "", f"{source.given}: {what}, and no NIfTI file", remedy=remedy)
