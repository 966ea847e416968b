"""An input for each code about label tables of other tools, and a near one that does not fire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import labels, write_nifti, write_planes
from tests.support.header_tables import ORGANS, extension, write_with, xml

Case = Callable[[Path], Findings]


def table(name: str, text: str, more: str = "") -> Case:
    """A set by plane with the values 1 and 2, and a label table (or two) beside it."""

    def case(folder: Path) -> Findings:
        write_planes(folder)
        (folder / name).write_text(text)
        if more:
            (folder / f"more_{name}").write_text(more)
        return nk.check(nk.scan(folder))

    return case


def named_mask(names: dict[int, str], **choices: Any) -> Case:
    """A volume whose mask names its values in its header."""

    def case(folder: Path) -> Findings:
        write_nifti(folder / "CT.nii.gz")
        path = folder / "CT" / "total.nii.gz"
        write_with(path, labels(), extensions=extension(xml(names), 0) if names else b"")
        return nk.check(nk.scan(folder, **choices))

    return case


RGB = "1 Femur 200 10 20\n2 Tibia 10 220 30\n"
RGBA = "1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n"

CASES: dict[str, tuple[Case, Case]] = {
    "class-table-read": (table("lut.txt", RGBA), table("lut.txt", RGB)),
    "class-table-ambiguous": (
        table("lut.txt", "1 Femur 12.5\n2 Tibia 11.5\n"),
        table("lut.txt", "1 Femur\n2 Tibia\n"),
    ),
    "class-table-zero": (
        table("lut.txt", "0 Femur\n1 Tibia\n2 Patella\n"),
        table("lut.txt", "0 Background\n1 Tibia\n2 Patella\n"),
    ),
    "class-table-regions": (
        table("dataset.json", '{"labels": {"background": 0, "all": [1, 2], "core": 2}}'),
        table("dataset.json", '{"labels": {"background": 0, "edema": 1, "core": 2}}'),
    ),
    "class-tables-joined": (
        table("lut.txt", "1 Femur\n2 Tibia\n", RGB),
        table("lut.txt", RGB, "1 Femur\n2 Tibia\n"),
    ),
    "class-name-repeated": (
        table("lut.txt", "1 Femur 200 10 20 0\n2 Femur 10 220 30 0\n"),
        table("lut.txt", f"{RGBA}3 Femur 200 10 20 0\n"),
    ),
    "names-in-header": (
        named_mask(ORGANS, segmentation="semantic"),
        named_mask({}, segmentation="semantic"),
    ),
    "names-in-header-unused": (
        named_mask(ORGANS),
        named_mask(ORGANS, segmentation="semantic"),
    ),
}
