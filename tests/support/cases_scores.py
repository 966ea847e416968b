"""Score tables and mappings: for each code an input that makes it fire, and a near neighbour."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.support.builders import write_nifti

FRAMES = 12
"""Axial frames of the masks here."""

Case = Callable[[Path], Findings]


def label_map(spans: Mapping[int, tuple[int, int]]) -> np.ndarray:
    """Return a map with a column of each value from its first to its last frame (from 1)."""
    array = np.zeros((4, 5, FRAMES), dtype=np.uint8)
    for number, (value, (first, last)) in enumerate(spans.items()):
        array[number % 4, number // 4, first - 1 : last] = value
    return array


def found_in(folder: Path, base: int | None = 1) -> Findings:
    """Return what check() finds."""
    return nk.check(nk.scan(folder, score_base=base))


def scored(
    table: str | bytes,
    spans: Mapping[int, tuple[int, int]] | None = None,
    *,
    base: int | None = 1,
    name: str = "axl_score.csv",
    tables: Mapping[str, str] | None = None,
    masks: tuple[str, ...] = ("axl_inference.nii",),
) -> Case:
    """Return a case: an axial volume, its masks (value 1 in frames 3 to 7) and a table."""

    def run(folder: Path) -> Findings:
        array = label_map(spans or {1: (3, 7)})
        write_nifti(folder / "axl_anatomic.nii", np.ones(array.shape, np.int16))
        for mask in masks:
            write_nifti(folder / mask, array)
        for file, text in {name: table, **(tables or {})}.items():
            (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        return found_in(folder, base)

    return run


def of_part(frames: int) -> Case:
    """Return a case of a mask that covers so many frames of its volume."""

    def run(folder: Path) -> Findings:
        array = label_map({1: (3, 7)})
        write_nifti(folder / "axl_anatomic.nii", np.ones(array.shape, np.int16))
        write_nifti(folder / "axl_inference.nii", array[:, :, :frames])
        (folder / "axl_score.csv").write_text(rows(3))
        return found_in(folder)

    return run


def rows(*layers: int, values: tuple[int, ...] = (1,), score: str = "0.5") -> str:
    """Return a table with one score for each layer and value."""
    header = ",".join(["Layer", *(f"Label-{value}" for value in values)])
    return "\n".join([header, *(",".join([str(n), *[score] * len(values)]) for n in layers)])


def mapped(
    content: str | dict[str, object],
    files: tuple[str, ...] = ("axl_inference.nii",),
    others: Mapping[str, str] | None = None,
) -> Case:
    """Return a case: annotation files alone, and a mapping."""

    def run(folder: Path) -> Findings:
        for file in files:
            write_nifti(folder / file, label_map({1: (3, 7)}))
        text = content if isinstance(content, str) else json.dumps(content)
        for name, written in {"mapping.json": text, **(others or {})}.items():
            (folder / name).write_text(written)
        return found_in(folder)

    return run


FULL = rows(3, 4, 5, 6, 7)
TWO_FILES = ("axl_inference_1.nii", "axl_inference_2.nii")
TWO_SETS = ("set1/axl_mask.nii", "set2/axl_mask.nii")

EXPORTED = "Layer,Label-1,Label-2\n4,0.80,0.0\n5,0.70,0.60\n"
"""As the platform's exporter writes it: both ways to count lie inside the labels."""

BOTH = {1: (3, 7), 2: (3, 7)}

CASES: dict[str, tuple[Case, Case]] = {
    "scores-of-cutout": (of_part(FRAMES - 1), of_part(FRAMES)),
    "scores-unreadable": (
        scored("Frame,Label-1\n3,0.5\n"),
        scored(" LAYER ; Label_1 \r\n3;0,5\r\n"),
    ),
    "scores-cell": (scored("Layer,Label-1\n3,n/a\n4,0.5\n"), scored("Layer,Label-1\n3,\n4,0.5\n")),
    "scores-layer": (scored("Layer,Label-1\n3.5,0.5\n"), scored("Layer,Label-1\n3.0,0.5\n")),
    "scores-layer-zero": (scored(rows(0, 3)), scored(rows(0, 3), base=0)),
    "scores-layer-outside": (scored(rows(3, FRAMES + 1)), scored(rows(3, FRAMES))),
    "scores-layer-repeated": (scored(rows(3, 4, 3)), scored(rows(3, 4, 5))),
    "scores-range": (scored(rows(3, score="1.01")), scored(rows(3, score="1.00"))),
    "scores-column": (
        scored("Layer,Label-1,Remark\n3,0.5,good\n"),
        scored("Layer,Label-1,Comment-1\n3,0.5,good\n"),
    ),
    "scores-comment-formula": (
        scored("Layer,Label-1,Comment-1\n3,0.5,=1+1\n"),
        scored("Layer,Label-1,Comment-1\n3,0.5,-1\n"),
    ),
    "scores-column-empty": (
        scored("Layer,Label-1,Label-2\n3,0.5,\n", {1: (3, 7), 2: (3, 7)}),
        scored("Layer,Label-1,Label-2\n3,0.5,\n4,,0\n", {1: (3, 7), 2: (3, 7)}),
    ),
    "scores-without-value": (
        scored(rows(3, values=(1, 2))),
        scored(rows(3, values=(1, 2)), {1: (3, 7), 2: (3, 7)}),
    ),
    "scores-by-class": (
        scored(rows(3, values=(1, 2)), masks=TWO_FILES),
        scored(
            rows(3), name="axl_score_1.csv", tables={"axl_score_2.csv": rows(3)}, masks=TWO_FILES
        ),
    ),
    # a score of 0 where the label is not says nothing wrong
    "scores-slice-empty": (scored(f"{FULL}\n9,0.5"), scored(f"{FULL}\n9,0")),
    "scores-slice-missing": (scored(rows(3, 4, 6, 7)), scored(FULL)),
    "scores-base-suspect": (
        scored(rows(2, 3, 4, 5, 6)),
        scored(rows(2, 3, 4, 5, 6, 7, 8)),
    ),
    "scores-reversed-suspect": (
        scored(rows(6, 7, 8, 9, 10)),
        scored(rows(6, 7, 8, 9, 10), {1: (1, 12)}),
    ),
    "scores-cell-text": (scored(rows(3, score="80%")), scored(rows(3, score="80"))),
    "scores-cell-unheaded": (
        scored("Layer,Label-1\n3,0.5,0.6\n"),
        scored("Layer,Label-1\n3,0.5,\n"),
    ),
    "scores-passed": (scored(f"sep=,\n{rows(3)}"), scored(rows(3))),
    "scores-base-unsaid": (scored(EXPORTED, BOTH, base=None), scored(EXPORTED, BOTH, base=1)),
    "mapping-unreadable": (
        mapped('{"axl_inference.nii": 7,}'),
        mapped('\ufeff{"axl_inference.nii": 7}'),
    ),
    "mapping-several": (
        mapped({"axl_inference.nii": 7}, others={"b.json": '{"axl_inference.nii": 8}'}),
        mapped({"axl_inference.nii": 7}, others={"b.json": '{"tool": "x"}'}),
    ),
    "mapping-id": (mapped({"axl_inference.nii": "7"}), mapped({"axl_inference.nii": 7})),
    "mapping-key": (mapped({"AXL_inference.nii": 7}), mapped({".\\axl_inference.nii ": 7})),
    "mapping-prefix": (
        mapped({"axl_mask.nii": 7}, TWO_SETS),
        mapped({"set1\\axl_mask.nii": 7, "./set2/axl_mask.nii": 8}, TWO_SETS),
    ),
    "mapping-table": (
        mapped('[{"file": "axl_inference.nii", "id": 7}]'),
        mapped('{"axl_inference.nii": 7}'),
    ),
    "mapping-beside-volumes": (
        scored(rows(3), tables={"mapping.json": '{"axl_inference.nii": 7}'}),
        scored(rows(3), tables={"other.json": '{"axl_inference": 7}'}),
    ),
    "mapping-id-shared": (
        mapped({"axl_mask.nii": 7, "cor_mask.nii": 7}, ("axl_mask.nii", "cor_mask.nii")),
        mapped(dict.fromkeys(TWO_FILES, 7), TWO_FILES),
    ),
    "annotation-unmatched": (
        mapped({TWO_FILES[0]: 7}, TWO_FILES),
        mapped(dict.fromkeys(TWO_FILES, 7), TWO_FILES),
    ),
}
