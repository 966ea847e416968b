"""Item rows: what is told of each item, and its worst finding."""

from __future__ import annotations

import nifti_kit as nk
from nifti_kit.core.findings import finding
from nifti_kit.widgets.inspect.model import item_rows
from nifti_kit.widgets.parts.findings import FindingsTable
from tests.support.builders import SAMPLES, write_nifti


def test_an_item_is_told_by_its_volume():
    dataset = nk.scan(SAMPLES / "scores")
    rows = item_rows(dataset, FindingsTable((), dataset))
    image = dataset.items[0].volume
    assert dict(rows[0].cells) == {
        "name": "axl_anatomic.nrrd",
        "plane": "axl",
        "shape": " x ".join(map(str, image.shape)),
        "voxel_size": " x ".join(f"{mm:g}" for mm in image.grid.voxel_size),
        "axes": image.grid.axis_codes,
        "masks": 1,
        "scores": "axl_score.csv",
        "findings": 0,
    }
    assert rows[0].tone == ""


def test_the_worst_finding_that_is_not_accepted_gives_the_tone():
    dataset = nk.scan(SAMPLES / "by_plane_semantic")
    found = [
        finding("label-disconnected", "axl_inference.nii.gz", "parts"),
        finding("mask-apart", "axl_inference.nii.gz", "far"),
        finding("value-without-class", "cor_inference.nii.gz", "no name"),
        finding("planes-incomplete", "", "of no item"),
    ]
    table = FindingsTable(found, dataset)
    rows = item_rows(dataset, table)
    assert [(row.tone, row.cells["findings"]) for row in rows] == [
        ("error", 2),
        ("warning", 1),
        ("", 0),
    ]
    table.set_waived("mask-apart", True)
    assert item_rows(dataset, table)[0].tone == "note"


def test_an_unusable_header_and_scores_alone_are_told_as_far_as_they_go(tmp_path):
    path = write_nifti(tmp_path / "V.nii", sform=2)
    content = bytearray(path.read_bytes())
    content[312:328] = bytes(16)  # srow_z
    path.write_bytes(bytes(content))
    dataset = nk.scan(tmp_path)
    row = item_rows(dataset, FindingsTable((), dataset))[0]
    assert (row.cells["axes"], row.cells["voxel_size"]) == ("?", "2 x 3 x 0")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(alone, score_frames="ras")
    row = item_rows(dataset, FindingsTable((), dataset))[0]
    assert (row.cells["shape"], row.cells["voxel_size"], row.cells["axes"]) == ("", "", "")
