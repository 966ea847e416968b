"""Names that look like other names: reports show what is in them, data and files keep them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.formats.mappings import Mapping
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import quiet

UNSEEN = "\u202e\u2066\u200b\u200d"
"""Right to left from here, an isolate, no width, a joiner."""

NAME = f"a{UNSEEN}b"
SHOWN = r"a\u202e\u2066\u200b\u200db"


def by_volume(folder: Path) -> Dataset:
    folder = folder / f"in{UNSEEN}"
    write_nifti(folder / f"{NAME}.nii.gz", volume())
    write_nifti(folder / NAME / f"{NAME}.nii.gz", labels())
    (folder / f"{NAME}.bin").write_bytes(b"1")
    (folder / "classes.txt").write_text(f"1 {NAME}\n2 other\n", encoding="utf-8")
    return nk.scan(folder)


def alone(folder: Path) -> tuple[Dataset, nk.ProjectFolder]:
    """Return an annotation alone, and a project that has its volume, both under such names."""
    write_nifti(folder / "in" / f"axl_{NAME}_anatomic.nii.gz", volume())
    target = nk.ProjectFolder(folder / "p", NAME)
    plan = nk.plan(nk.scan(folder / "in"), waive="planes-incomplete")
    nk.upload(plan, target, on_progress=quiet)
    for words in (NAME, "other"):
        write_nifti(folder / "ann" / f"axl_{words}_inference_1.nii.gz", labels())
    (folder / "ann" / "classes.txt").write_text(f"1 {NAME}\n2 other\n", encoding="utf-8")
    return nk.scan(folder / "ann"), target


def matched(folder: Path) -> Mapping:
    dataset, target = alone(folder)
    return nk.match(dataset, target.volumes())


def for_a_target(folder: Path) -> Any:
    dataset, target = alone(folder)
    return nk.plan(dataset, target=target)


def proposal(folder: Path) -> Any:
    write_nifti(folder / "imagesTr" / f"{NAME}_0000.nii.gz", volume())
    write_nifti(folder / "labelsTr" / f"{NAME}.nii.gz", labels())
    described = {"labels": {"background": 0, NAME: 1}, "channel_names": {"0": "CT"}}
    described |= {"numTraining": 1, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(described))
    found = nk.scan(folder).proposal
    assert found is not None
    return found


def left_out(folder: Path) -> Any:
    dataset = by_volume(folder)
    path = str(dataset.items[0].masks[0].relative)
    (dataset.root / path).write_bytes(b"damaged")
    return nk.plan(nk.scan(dataset.root), waive=[("file-unreadable", path)])


REPORTS: dict[str, Callable[[Path], Any]] = {
    "dataset": by_volume,
    "item": lambda folder: by_volume(folder).items[0],
    "image": lambda folder: by_volume(folder).items[0].volume,
    "mask": lambda folder: by_volume(folder).items[0].masks[0],
    "class map": lambda folder: by_volume(folder).classes,
    "findings": lambda folder: nk.check(by_volume(folder)),
    "finding": lambda folder: nk.check(by_volume(folder))[0],
    "plan": lambda folder: nk.plan(by_volume(folder)),
    "plan that leaves out": left_out,
    "plan for a target": for_a_target,
    "mapping": matched,
    "proposal": proposal,
    "repair": lambda folder: nk.repairs.drop_specks(by_volume(folder), f"{NAME}/{NAME}.nii.gz"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_no_report_shows_a_name_as_another_one(name: str, tmp_path: Path) -> None:
    report = REPORTS[name](tmp_path)
    texts = [repr(report), str(report)]
    if hasattr(report, "_repr_html_"):
        texts.append(report._repr_html_())
    for text in texts:
        assert not set(UNSEEN) & set(text)
    assert any(SHOWN in text for text in texts)


def test_a_page_escapes_names_and_json_tables_and_what_lands_keep_them(tmp_path: Path) -> None:
    dataset = by_volume(tmp_path / "in")
    findings = nk.check(dataset)
    for ending in ("html", "json", "csv"):
        findings.save(tmp_path / f"findings.{ending}")
    page, *data = [
        (tmp_path / f"findings.{ending}").read_text("utf-8") for ending in ("html", "json", "csv")
    ]
    assert not set(UNSEEN) & set(page)
    assert SHOWN in page
    assert all(f"{NAME}.bin" in text for text in data)
    assert dataset.to_frame()["item"][0] == f"{NAME}.nrrd"
    plan = nk.plan(dataset)
    assert {planned.class_name for planned in plan.objects} == {NAME}
    target = nk.ProjectFolder(tmp_path / "p", "d")
    nk.verify(nk.upload(plan, target, on_progress=quiet), target)
    assert [found.name for found in target.volumes()] == [f"{NAME}.nrrd"]
