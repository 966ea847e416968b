"""The layout of a wide and of a narrow page, and tables of 2,000 rows by keyboard."""

from __future__ import annotations

from functools import partial

from tests.support.long_names import write_long_names

from .gallery import SCROLLED, START
from .opened import expect, notebook_of

ROWS = """
from nifti_kit.widgets.parts.table import Column, Row, Table
from nifti_kit.widgets.parts.table_view import TableView
rows = [Row(f"r{n}", {"name": f"r{n}"}) for n in range(2000)]
TableView(Table((Column("name", "Name"),), rows), "Many")
"""

LIST, PICTURE = ".nk-inspect .nk-items", ".nk-inspect .nk-stage-picture"


def is_beside(opened, wanted):
    """Say whether list and picture are side by side, or one under the other, as wanted."""
    listed, picture = (opened.find(one).first.bounding_box() for one in (LIST, PICTURE))
    right = picture["x"] > listed["x"] + listed["width"] - 1
    below = picture["y"] > listed["y"] + listed["height"] - 1
    return (right, below) == (wanted, not wanted)


def test_list_and_picture_are_side_by_side_from_1200_pixels_on(lab, tmp_path):
    source = str(write_long_names(tmp_path, 1))
    app = f"{START}app = widgets.Inspect({source!r})\napp.model.join()\napp"
    opened = lab.open(notebook_of(app, START + ROWS))
    opened.run_all()
    opened.find(PICTURE).wait_for()
    for width, is_wide in ((1920, True), (1280, False)):
        opened.page.set_viewport_size({"width": width, "height": 1000})
        opened.wait_for(partial(is_beside, opened, is_wide), f"{width} pixels")
        opened.find(f"{LIST} tbody tr").first.hover()
        opened.page.mouse.wheel(0, 300)
        opened.wait_for(partial(is_beside, opened, is_wide), f"{width} pixels, scrolled")
        scrolled = [one for one in opened.page.evaluate(SCROLLED) if "nk-legend" not in one]
        assert scrolled == []

    name = opened.find(f"{LIST} tbody tr").first.locator("td").first.locator("span")
    assert name.inner_text().startswith("sub-001_ses-20260131T1200_acq-highres_desc-preprocessed_")
    assert name.locator("wbr").count() > 5

    many = opened.find(".nk-table[aria-label='Many'], .nk-table:has(table[aria-label='Many'])")
    row = many.locator("tbody tr")
    row.nth(24).focus()
    for key, first, at in (("ArrowDown", "r25", 0), ("ArrowUp", "r0", 24), ("PageDown", "r25", 0)):
        opened.page.keyboard.press(key)
        expect(row.first).to_have_text(first)
        expect(row.nth(at)).to_be_focused()
    many.get_by_label("Page", exact=True).select_text()
    opened.page.keyboard.type("80")
    opened.page.keyboard.press("Enter")
    expect(row.first).to_have_text("r1975")
    assert opened.console_errors == []
