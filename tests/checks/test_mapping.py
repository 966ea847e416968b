"""Which volume an annotation file belongs to: files without one, volumes with too many."""

from __future__ import annotations

import json
from pathlib import Path

import nifti_kit as nk
from nifti_kit.checks.files import shared_ids, unmatched
from nifti_kit.core.findings import Finding
from nifti_kit.datasets.dataset import Dataset
from tests.support.builders import labels, write_nifti


def dataset(folder: Path, rows: dict[str, int | None], *, mapped: bool = True) -> Dataset:
    """Write the annotation files of a mapping, and the rows that have an id; scan them."""
    for name in rows:
        write_nifti(folder / name, labels())
    if mapped:
        ids = {name: number for name, number in rows.items() if number is not None}
        (folder / "mapping.json").write_text(json.dumps(ids))
    return nk.scan(folder)


def messages(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(found.code, found.path, found.message) for found in findings]


def test_a_file_that_is_not_in_the_mapping_is_named_as_the_plan_names_it(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"axl_mask.nii": 1, "cor_mask.nii": None, "sag_mask.nii": None})
    named = list(unmatched(found))
    assert messages(named) == [
        ("annotation-unmatched", name, "the mapping has no volume for it")
        for name in ("cor_mask.nii", "sag_mask.nii")
    ]
    assert named == list(nk.plan(found).findings.by_code()["annotation-unmatched"])


def test_files_that_are_all_in_the_mapping_are_fine(tmp_path: Path) -> None:
    assert list(unmatched(dataset(tmp_path, {"axl_mask.nii": 1, "cor_mask.nii": 2}))) == []


def test_without_a_mapping_nothing_is_said(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"axl_mask.nii": None}, mapped=False)
    assert found.mapping is None
    assert [*unmatched(found), *shared_ids(found)] == []


def test_files_of_two_planes_do_not_share_a_volume(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"axl_mask.nii": 7, "cor_mask.nii": 7, "sag_mask.nii": 8})
    assert messages(list(shared_ids(found))) == [
        (
            "mapping-id-shared",
            "mapping.json",
            "volume 7 is given to 2 planes or cases: axl_mask.nii (axl), cor_mask.nii (cor)",
        )
    ]


def test_files_of_two_cases_do_not_share_a_volume(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"anna_axl_mask.nii": 7, "bert_axl_mask.nii": 7})
    (shared,) = shared_ids(found)
    assert shared.message == (
        "volume 7 is given to 2 planes or cases: anna_axl_mask.nii (axl), bert_axl_mask.nii (axl)"
    )
    assert shared.severity == "warning"


def test_files_of_two_folders_do_not_share_a_volume(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"one/axl_mask.nii": 7, "two/axl_mask.nii": 7})
    assert [shared.code for shared in shared_ids(found)] == ["mapping-id-shared"]


def test_instance_files_of_one_plane_share_their_volume(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"axl_mask_1.nii": 7, "axl_mask_2.nii": 7, "cor_mask_1.nii": 8})
    assert len(found.items) == 2
    assert list(shared_ids(found)) == []


def test_of_instance_files_the_first_one_stands_for_its_plane(tmp_path: Path) -> None:
    found = dataset(tmp_path, {"axl_mask_1.nii": 7, "axl_mask_2.nii": 7, "cor_mask_1.nii": 7})
    (shared,) = shared_ids(found)
    assert shared.message == (
        "volume 7 is given to 2 planes or cases: axl_mask_1.nii (axl), cor_mask_1.nii (cor)"
    )


def test_of_many_sets_the_first_few_are_shown(tmp_path: Path) -> None:
    found = dataset(tmp_path, {f"case{letter}_axl_mask.nii": 7 for letter in "abcdef"})
    (shared,) = shared_ids(found)
    assert shared.message.startswith("volume 7 is given to 6 planes or cases: casea_axl_mask.nii")
    assert shared.message.endswith("cased_axl_mask.nii (axl) and 2 more")


def test_another_mapping_can_be_looked_at(tmp_path: Path) -> None:
    found = dataset(tmp_path / "data", {"axl_mask.nii": 1, "cor_mask.nii": 2})
    (tmp_path / "m.json").write_text('{"axl_mask.nii": 5, "cor_mask.nii": 5}')
    mapping = nk.read_mapping(tmp_path / "m.json", found)
    assert list(shared_ids(found)) == []
    assert [shared.path for shared in shared_ids(found, mapping)] == [str(tmp_path / "m.json")]
