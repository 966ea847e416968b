"""The quickstart as a notebook and as an app."""

from __future__ import annotations

import pytest

import nifti_kit as nk

from .access import NOTEBOOK, images_without_alt


@pytest.fixture(scope="module", params=["lab", "voila"])
def opened(request):
    server = request.getfixturevalue(f"{request.param}_server")
    page = server.open("00_quickstart.ipynb")
    if request.param == "lab":
        page.run_all()
    yield page
    server.close_all()


def test_it_runs_and_asks_for_nothing_elsewhere(opened):
    assert "39 objects were planned, landed and read back" in opened.text()
    target = nk.ProjectFolder(opened.out / "quickstart", dataset="chest")
    assert len(list(target.volumes())) == 3
    assert opened.alerts == []
    assert opened.requests_elsewhere == []
    assert opened.console_errors == []
    assert opened.kernel_errors == []
    assert opened.screenshot("00_quickstart").stat().st_size > 0


def test_its_picture_is_on_the_page_and_told_in_words(opened):
    assert opened.find(f"{NOTEBOOK} img").count() == 1
    assert images_without_alt(opened.page) == []
