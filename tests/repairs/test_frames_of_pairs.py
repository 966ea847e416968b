"""An image of several contrasts in a tree of pairs: each frame is a volume, with the label map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import quiet

PATTERN = "labelsTr/{case}.nii.gz -> imagesTr/{case}.nii.gz"


def tree(folder: Path, mask: np.ndarray) -> Path:
    """Write a task of the Medical Segmentation Decathlon with one case of three contrasts."""
    frames = np.stack([volume() + number for number in range(3)], axis=-1)
    write_nifti(folder / "imagesTr" / "BRATS_001.nii.gz", frames)
    write_nifti(folder / "labelsTr" / "BRATS_001.nii.gz", mask)
    named = {"labels": {"0": "background", "1": "edema", "2": "core"}, "numTraining": 1}
    (folder / "dataset.json").write_text(json.dumps(named))
    return folder


@pytest.mark.parametrize("choice", [{"layout": "pairs"}, {"pairs": PATTERN}], ids=str)
def test_each_frame_lands_with_the_label_map(choice: dict[str, Any], tmp_path: Path) -> None:
    dataset = nk.scan(tree(tmp_path / "in", labels()), **choice)
    repair = nk.repairs.split_frames(dataset, nk.check(dataset).errors)
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = nk.upload(nk.plan(repair.dataset), target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    landed = [
        (item.volume.name, [o.planned.class_name for o in item.objects]) for item in receipt.items
    ]
    assert landed == [(f"BRATS_001_{n}.nrrd", ["edema", "core"]) for n in range(3)]


def test_a_mask_with_frames_of_its_own_is_refused_with_the_way_on(tmp_path: Path) -> None:
    mask = np.stack([labels()] * 3, axis=-1)
    dataset = nk.scan(tree(tmp_path / "in", mask), layout="pairs")
    both = ["imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz"]
    with pytest.raises(NiftiKitError, match=r"which mask a frame has.*pairs="):
        nk.repairs.split_frames(dataset, both)
