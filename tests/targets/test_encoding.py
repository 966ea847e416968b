"""Masks of several files, packed side by side."""

from __future__ import annotations

import threading

import nifti_kit as nk
from nifti_kit.targets import encoding
from nifti_kit.targets.folder import landing
from tests.support.landings import land, write_volumes


def test_the_masks_of_several_files_are_read_side_by_side_and_each_once(tmp_path, monkeypatch):
    masks = {"femur": (1,), "patella": (1, 2), "tibia": (2,)}
    source = write_volumes(tmp_path / "in", {"A": masks})
    together, read, readings = threading.Barrier(2), encoding.LabelParts, []

    def meeting(image, labels):
        """Two files at a time: whoever reads alone waits in vain."""
        readings.append(image.relative.name)
        if image.relative.name != "tibia.nii.gz":
            together.wait(30)
        return read(image, labels)

    monkeypatch.setattr(encoding, "LabelParts", meeting)
    monkeypatch.setattr(landing, "ENCODERS", 3)
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    assert nk.verify(land(source, target), target).ok
    assert sorted(readings) == ["femur.nii.gz", "patella.nii.gz", "tibia.nii.gz"]
