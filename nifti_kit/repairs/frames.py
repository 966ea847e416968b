"""Repairs of images with more than three dimensions."""

from __future__ import annotations

from typing import Any

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.scanning import Mended
from nifti_kit.formats import nifti
from nifti_kit.repairs.lookups import located
from nifti_kit.repairs.repair import Repair, repaired

__all__ = ["pick_frame"]


def pick_frame(dataset: Dataset, files: Any, frame: int) -> Repair:
    """Return the dataset with 4D images cut down to one frame, which is kept bit for bit.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    files
        Volumes or masks: paths, or findings about them.
    frame
        Which one, from 1, along the fourth dimension.

    Raises
    ------
    UnsupportedImage
        If a file has no such frame.
    UnreadableFile
        If a file is damaged.
    """
    contents = {found.relative: found.content for found in dataset.mended}
    mended = []
    for relative in located(dataset, files):
        path = dataset.root / relative
        content = nifti.pick_frame(path, relative, frame, contents.get(relative))
        mended.append(Mended(relative, content, f"picked frame {frame}"))
    return repaired(dataset, mended)
