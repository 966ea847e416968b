"""A closer look: the same findings as `nk.check`, told item by item, and ended where it tells."""

from __future__ import annotations

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.widgets.inspect.model import look_closer
from nifti_kit.widgets.parts.tasks import Cancelled
from tests.support.builders import SAMPLES, labels, write_nifti, write_planes


def quiet(fraction, text):
    """Nobody listens."""


def faulty(folder):
    """Two planes of three; a mask without its header, one damaged volume, one repeated file."""
    write_planes(folder, ("axl", "cor"))
    write_nifti(folder / "axl_inference.nii.gz", labels(), np.eye(4))
    broken = folder / "cor_anatomic.nii.gz"
    broken.write_bytes(broken.read_bytes()[:-9])
    (folder / "axl_score.csv").write_text("Layer,Label-1\n1,2.5\n99,0.5\n")
    (folder / "report.pdf").touch()
    return folder


@pytest.mark.parametrize(
    "sample", ["by_plane_instance", "by_volume", "scores", "annotations_dataset", "multi_item"]
)
def test_samples_have_the_findings_of_check(sample):
    found = look_closer(nk.scan(SAMPLES / sample), (), quiet).findings
    assert found == nk.check(nk.scan(SAMPLES / sample))
    assert len(found) > 0


def test_faulty_files_have_the_findings_of_check(tmp_path):
    dataset = nk.scan(faulty(tmp_path))
    found = look_closer(dataset, ["planes-incomplete"], quiet).findings
    assert found == nk.check(dataset, waive=["planes-incomplete"])
    assert {"mask-header-lost", "planes-incomplete", "file-unused"} <= set(found.by_code())
    assert [one.code for one in found.waived] == ["planes-incomplete"]


def test_the_classes_are_counted():
    look = look_closer(nk.scan(SAMPLES / "annotations_dataset"), (), quiet)
    assert [found.name for found in look.classes] == ["Kidney", "Vertebra", "Rib"]


def test_it_tells_more_and_more(tmp_path):
    told = []
    look_closer(nk.scan(write_planes(tmp_path)), (), lambda *args: told.append(args))
    assert [text.split()[0] for _, text in told] == ["Counting"] * 3 + ["Checking"] * 3
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[3]) == (0.0, 0.3)
    assert shares[3:] == pytest.approx([0.3, 0.3 + 0.7 / 3, 0.3 + 1.4 / 3])


@pytest.mark.parametrize("ends_at", ["Counting cor_anatomic.nrrd", "Checking sag_anatomic.nrrd"])
def test_what_telling_raises_ends_it(ends_at, tmp_path):
    def tell(_, text):
        if text == ends_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        look_closer(nk.scan(write_planes(tmp_path)), (), tell)
