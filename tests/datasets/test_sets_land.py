"""Sets that the specification allows land, voxel for voxel, on the volume of their plane."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import nifti_kit as nk
from tests.support.builders import labels, volume, write_nifti

UID = "1.2.840.113619.2.55.3"


class Source(NamedTuple):
    """Volumes, masks with their values, and what lands: volume to its classes."""

    volumes: tuple[str, ...]
    masks: dict[str, tuple[int, ...]]
    landed: dict[str, list[str]]
    words: tuple[str, ...] = ()


def by_plane(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.nii.gz" for name in names)


PATIENT = by_plane(*(f"patient7_{plane}_anatomic" for plane in ("axl", "cor", "sag")))
PLAIN = by_plane("axl_anatomic", "cor_anatomic", "sag_anatomic")

SOURCES = {
    "words of each series": Source(
        by_plane("t2_tse_axl_anatomic", "pd_fs_cor_anatomic", "t1_sag_anatomic"),
        {"t2_tse_axl_inference.nii": (1, 2), "cor_inference.nii": (3,)},
        {
            "t2_tse_axl_anatomic": ["Segment_1", "Segment_2"],
            "pd_fs_cor_anatomic": ["Segment_3"],
            "t1_sag_anatomic": [],
        },
    ),
    "series UIDs": Source(
        by_plane(*(f"{p}_anatomic_{UID}.{n}" for n, p in enumerate(("axl", "cor", "sag")))),
        {f"axl_inference_{UID}.9.nii": (1, 2), f"sag_inference_{UID}.11.nii": (2,)},
        {
            f"axl_anatomic_{UID}.0": ["Segment_1", "Segment_2"],
            f"cor_anatomic_{UID}.1": [],
            f"sag_anatomic_{UID}.2": ["Segment_2"],
        },
    ),
    "a patient and a network": Source(
        PATIENT,
        {"axl_inference.nii": (1,), "patient7_cor_inference_nnunet_v2.nii": (2,)},
        {
            "patient7_axl_anatomic": ["Segment_1"],
            "patient7_cor_anatomic": ["Segment_2"],
            "patient7_sag_anatomic": [],
        },
    ),
    "structures as words": Source(
        PLAIN,
        {
            "axl_inference_femur.nii": (1, 2),
            "axl_inference_tibia.nii": (1,),
            "cor_inference_tibia.nii": (5,),
        },
        {
            "axl_anatomic": ["femur", "femur", "tibia"],
            "cor_anatomic": ["tibia"],
            "sag_anatomic": [],
        },
    ),
    "further type words": Source(
        PLAIN,
        {"axl_prediction_1.nii": (1, 2), "cor_gt_2.nii": (1,), "sag-ground-truth.nii": (4,)},
        {
            "axl_anatomic": ["Segment_1", "Segment_1"],
            "cor_anatomic": ["Segment_2"],
            "sag_anatomic": ["Segment_1"],
        },
        ("prediction", "gt", "ground_truth"),
    ),
    "two cases in a folder": Source(
        by_plane(*(f"k/{c}-{p}-ANATOMIC" for c in ("A1", "B2") for p in ("AXL", "COR", "SAG"))),
        {"k/A1-AXL-MASK.nii": (1,), "k/B2-nnunet-AXL-MASK.nii": (2, 3)},
        {
            "A1-AXL-ANATOMIC": ["Segment_1"],
            "B2-AXL-ANATOMIC": ["Segment_2", "Segment_3"],
            **{f"{c}-{p}-ANATOMIC": [] for c in ("A1", "B2") for p in ("COR", "SAG")},
        },
    ),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
def test_a_set_lands_and_is_proved(source: Source, tmp_path: Path) -> None:
    for number, name in enumerate(source.volumes):
        write_nifti(tmp_path / "in" / name, volume() + np.int16(number))
    for name, values in source.masks.items():
        write_nifti(tmp_path / "in" / name, labels(values=values))
    dataset = nk.scan(tmp_path / "in", annotation_words=source.words)
    assert nk.check(dataset).ok
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    receipt = nk.upload(nk.plan(dataset), target, on_progress=lambda *_: None)
    assert nk.verify(receipt, target).ok
    landed = {
        ref.name.removesuffix(".nrrd"): sorted(one.class_name for one in target.objects(ref.id))
        for ref in target.volumes()
    }
    assert landed == source.landed


def test_an_incomplete_set_lands_where_a_person_waives_it(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in" / "t2_axl_anatomic.nii")
    write_nifti(tmp_path / "in" / "axl_mask.nii", labels())
    dataset = nk.scan(tmp_path / "in")
    assert [f.code for f in nk.plan(dataset).blockers] == ["planes-incomplete"]
    plan = nk.plan(dataset, waive="planes-incomplete")
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    assert nk.verify(nk.upload(plan, target, on_progress=lambda *_: None), target).ok
