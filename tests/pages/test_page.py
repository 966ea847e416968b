"""The page of a data set: what it says is what is there, and names stay names."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.datasets import surveys
from nifti_kit.errors import WrongArgument
from nifti_kit.pages import contents, page
from nifti_kit.pages.sections import UNFOLDED
from tests.support.builders import SAMPLES, labels, write_nifti

HOSTILE = "a<img src=x onerror=alert(1)>&'\""


def two_cases(folder):
    """Write a case of 2 x 2 x 2.5 mm with 6 and 9 voxels of liver, and one without a mask."""
    affine = np.diag([2.0, 2, 2.5, 1])
    for name, count in (("A", 6), ("B", 9)):
        write_nifti(folder / f"{name}.nii.gz", np.full((7, 6, 5), 40, np.int16), affine)
        mask = np.zeros((7, 6, 5), np.uint8)
        mask.reshape(-1)[:count] = 1
        write_nifti(folder / name / "liver.nii.gz", mask, affine)
    write_nifti(folder / "C.nii.gz", np.zeros((4, 4, 4), np.float32), np.diag([-1.0, -1, 1, 1]))
    (folder / "notes.docx").write_bytes(b"PK")
    (folder / "classes.txt").write_text("1 liver 10 20 30\n2 spleen 1 2 3\n")
    return folder


def saved(report, path):
    report.save(path / "page.html")
    return (path / "page.html").read_text()


def test_volumes_of_classes_are_in_ml_and_by_item(tmp_path):
    found = nk.report(nk.scan(two_cases(tmp_path)))
    liver, spleen = found.classes
    assert liver.amounts == pytest.approx({"A.nrrd": 0.06, "B.nrrd": 0.09})
    assert (liver.color, liver.median) == ((10, 20, 30), pytest.approx(0.075))
    assert (spleen.name, spleen.amounts, spleen.median) == ("spleen", {}, None)


def test_the_frame_has_a_row_for_each_item(tmp_path):
    frame = nk.report(nk.scan(two_cases(tmp_path))).to_frame().set_index("item")
    assert list(frame["shape"]) == [(7, 6, 5), (7, 6, 5), (4, 4, 4)]
    assert list(frame["axes"]) == ["RAS", "RAS", "LPS"]
    assert list(frame["type"]) == ["int16", "int16", "float32"]
    assert list(frame["median"]) == [40, 40, 0]
    assert list(frame["labelled (ml)"]) == pytest.approx([0.06, 0.09, 0])


def test_json_says_what_is_not_there_and_what_is_wrong(tmp_path):
    dataset = nk.scan(two_cases(tmp_path))
    found = json.loads(nk.report(dataset).to_json())
    assert found["without_mask"] == ["C.nrrd"]
    assert found["unused"] == ["notes.docx"]
    assert found["findings"] == json.loads(nk.check(dataset).to_json())
    assert found["classes"][0]["color"] == "#0A141E"
    assert found["rows"][0]["voxel size (mm)"] == [2, 2, 2.5]


def test_a_page_shows_classes_items_pictures_and_findings(tmp_path):
    text = saved(nk.report(nk.scan(two_cases(tmp_path / "in"))), tmp_path)
    headings = re.findall(r"<h[23]>(.*?)</h[23]>", text)
    assert headings[:7] == [
        *("Classes", "Items", "Pictures", "What is not there"),
        *("Volumes without a mask file: 1", "Classes of the class map that no item has: 1"),
        "Files that are not used: 1",
    ]
    assert text.count("<figure>") >= 3
    assert "0.06 to 0.09" in text
    assert "What to do" in text


def test_a_page_needs_no_network_and_no_script(tmp_path):
    text = saved(nk.report(nk.scan(SAMPLES / "by_plane_semantic")), tmp_path)
    assert "<script" not in text
    assert not re.search(r"(src|href)='(?!data:image/png;base64,|#)", text)
    assert "url(" not in text
    assert "@import" not in text


def test_names_are_escaped_wherever_they_stand(tmp_path):
    write_nifti(tmp_path / "in" / f"{HOSTILE}.nii.gz")
    write_nifti(tmp_path / "in" / HOSTILE / f"{HOSTILE}\u202e.nii.gz", labels())
    (tmp_path / "in" / f"{HOSTILE}.bin").write_bytes(b"1")
    found = nk.report(nk.scan(tmp_path / "in"))
    for text in (saved(found, tmp_path), found._repr_html_()):
        assert "<img src=x" not in text
        assert "\u202e" not in text
        assert text.count("a&lt;img src=x onerror=alert(1)&gt;&amp;&#39;&#34;") >= 3
    assert "\u202e" not in repr(found)


def test_tables_fold_and_count_what_they_do_not_show(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "PAGE_ROWS", UNFOLDED + 2)
    monkeypatch.setattr(contents, "PICTURES", 3)
    for n in range(UNFOLDED + 5):
        write_nifti(tmp_path / "in" / f"V{n:02}.nii.gz", np.zeros((2, 2, 2), np.int16))
    text = saved(nk.report(nk.scan(tmp_path / "in")), tmp_path)
    openly, folded = text.split("<summary>and 2 more items</summary>")
    assert f">V{UNFOLDED - 1:02}.nrrd<" in openly
    assert f">V{UNFOLDED:02}.nrrd<" not in openly
    assert f">V{UNFOLDED:02}.nrrd<" in folded
    assert "... and 3 more items; all are in to_frame()" in text
    assert f"{UNFOLDED + 2} items not drawn: the first ones are." in text
    assert "<summary>and 5 more</summary>" in text  # volumes without a mask


def test_each_volume_is_read_once_and_the_check_does_not_read_it_again(monkeypatch):
    read = []
    blocks = surveys.iter_blocks

    def counted(image):
        read.append(str(image.relative))
        return blocks(image)

    monkeypatch.setattr(surveys, "iter_blocks", counted)
    dataset = nk.scan(SAMPLES / "by_plane_semantic")
    nk.report(dataset)
    nk.plan(dataset)
    assert sorted(read) == sorted(str(item.volume.relative) for item in dataset.items)


def test_findings_that_are_given_are_taken(tmp_path):
    dataset = nk.scan(two_cases(tmp_path))
    findings = nk.check(dataset, waive="file-unused", voxels=False)
    assert nk.report(dataset, findings=findings).findings is findings


def test_what_on_item_raises_ends_the_work():
    told = []

    def stop(at, item):
        told.append((at, item.name))
        if at == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nk.report(nk.scan(SAMPLES / "by_volume"), on_item=stop)
    assert told == [(0, "Abdomen.nrrd"), (1, "Cord.nrrd")]


def test_an_empty_folder_has_a_page(tmp_path):
    (tmp_path / "in").mkdir()
    found = nk.report(nk.scan(tmp_path / "in"))
    assert "0 items" in found.title()
    assert "No item has a label." in saved(found, tmp_path)
    assert len(found.to_frame()) == 0


def test_masks_whose_files_hold_no_label_are_named(tmp_path):
    write_nifti(tmp_path / "A.nii.gz")
    write_nifti(tmp_path / "A" / "liver.nii.gz", np.zeros((7, 6, 5), np.uint8))
    found = nk.report(nk.scan(tmp_path))
    assert found.without_label == ("A.nrrd",)
    assert "Masks without a label: 1 (A.nrrd)" in repr(found)


@pytest.mark.parametrize("given", ["a folder", None])
def test_what_is_no_dataset_is_refused(given):
    with pytest.raises(WrongArgument, match=r"this is no Dataset"):
        nk.report(given)
