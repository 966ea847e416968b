"""Whole data sets as they come: scans that no label map looks like, label maps, and trees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import write_nifti

SHAPE = (12, 14, 10)


def scan_like(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return a noisy body in air, int16."""
    rng = np.random.default_rng(seed)
    distance = sum(((np.indices(shape)[n] - s / 2) / s) ** 2 for n, s in enumerate(shape))
    return (900 * (1 - distance) + rng.normal(0, 20, shape)).astype("i2") - np.int16(1000)


def label_map(
    values: Iterable[int] = (1, 2, 3), shift: int = 0, dtype: str = "u1", shape: Any = SHAPE
) -> np.ndarray:
    """Return a block of 2 x 4 x 3 voxels for each value, off centre in every axis."""
    array = np.zeros(shape, dtype)
    for number, value in enumerate(values):
        array[1 + 3 * number : 3 + 3 * number, 2:6, 1 + shift : 4 + shift] = value
    return array


def write_tree(folder: Path, files: Mapping[str, Any]) -> Path:
    """Write a tree: arrays as NIfTI, texts as they are, others as JSON, ``None`` as a scan."""
    for number, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None or isinstance(content, np.ndarray):
            write_nifti(path, scan_like(number) if content is None else content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def errors_of(dataset: Any, code: str) -> dict[str, str]:
    """Return path to remedy of the blockers of a code; the plan has them as check has."""
    blockers: Findings = nk.plan(dataset).blockers
    checked = nk.check(dataset).by_code().get(code, ())
    found = {one.path: one.remedy for one in blockers if one.code == code}
    assert sorted(found) == sorted(one.path for one in checked if one.severity == "error")
    return found


def landed(dataset: Any, folder: Path) -> dict[str, list[str]]:
    """Upload to a project folder, prove it, and return the classes of each volume's objects."""
    plan = nk.plan(dataset)
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(plan, target)
    assert nk.verify(receipt, target).ok
    return {
        item.name: sorted(planned.class_name for planned in item.objects) for item in plan.items
    }
