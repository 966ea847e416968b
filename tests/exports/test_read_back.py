"""An export is read back as what is on the target, by volume and by plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from tests.support.builders import SAMPLES
from tests.support.landings import land, quiet

CASES = [
    ("by_volume", "by_volume"),
    ("by_plane_semantic", "by_plane"),
    ("by_plane_instance", "by_plane"),
    ("multi_item", "by_plane"),
    ("scores", "by_plane"),
    ("by_plane_semantic", "by_volume"),
]


def objects(plan: Any) -> dict[str, list[tuple[Any, ...]]]:
    """What a plan lands: by volume, the objects with class, colour, voxels, place and scores."""
    return {
        item.name: sorted(
            (
                planned.class_name,
                planned.color,
                planned.voxels,
                np.round(planned.grid.world([side.start for side in planned.box]), 3).tolist(),
                json.dumps(planned.scores, sort_keys=True),
            )
            for planned in item.objects
        )
        for item in plan.items
    }


def read_back(export: Any, layout: str = "auto") -> Any:
    """The plan of an export."""
    return nk.plan(nk.scan(export.folder, layout=layout), waive="planes-incomplete")


@pytest.mark.parametrize(("sample", "layout"), CASES)
def test_an_export_of_a_folder_is_read_back_as_what_is_there(
    sample: str, layout: str, tmp_path: Path
) -> None:
    source, target = SAMPLES / sample, nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(source, target)
    export = nk.export(target, tmp_path / "export", layout=layout)
    assert export.ok
    by_plane_names = layout == "by_volume" and sample != "by_volume"
    plan = read_back(export, "by_volume" if by_plane_names else "auto")
    assert not plan.findings
    planned = nk.plan(nk.scan(source), waive="planes-incomplete")
    assert objects(plan) == objects(planned)
    assert {one.name: one.color for one in plan.classes} == {
        one.name: one.color for one in planned.classes
    }
    again = nk.ProjectFolder(tmp_path / "again", dataset="d")
    receipt = nk.upload(plan, again, on_progress=quiet)
    assert nk.verify(receipt, again).ok
    assert bool(export.notes) is by_plane_names


def test_a_volume_keeps_its_type_and_its_values(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(SAMPLES / "by_volume", target)
    nk.export(target, tmp_path / "export")
    for path in (SAMPLES / "by_volume").glob("*.nii*"):
        ours = nib.load(tmp_path / "export" / f"{path.name.split('.')[0]}.nii.gz")
        theirs = nib.as_closest_canonical(nib.load(path))
        assert ours.get_data_dtype() == theirs.get_data_dtype()
        np.testing.assert_array_equal(np.asarray(ours.dataobj), np.asarray(theirs.dataobj))
        np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)


def test_the_report_has_a_row_for_each_file(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(SAMPLES / "by_volume", target)
    export = nk.export(target, tmp_path / "export", volumes=["CTChest.nrrd"])
    on_disk = {path for path in (tmp_path / "export").rglob("*") if path.is_file()}
    assert set(export.files) == on_disk
    assert len(export.to_frame()) == len(on_disk)
    assert "CTChest/lung.nii.gz" in repr(export) or "CTChest/" in repr(export)
    assert json.loads(export.to_json())["ok"] is True
    mapping = json.loads((tmp_path / "export" / "mapping.json").read_text())
    assert set(mapping.values()) == {target.find("CTChest.nrrd").id}
