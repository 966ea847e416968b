"""The specification, statement by statement: each lands in a project folder and on the platform.

A statement is named by its section and what it says in words of ours; ``test_spec_examples`` has
the examples as they are printed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import nifti_kit as nk
from tests.flow.test_spec_examples import (
    COLOURS,
    SHAPE,
    Content,
    Files,
    Place,
    landed,
    numbered,
    volumes_of,
    with_mapping,
    write,
)
from tests.flow.test_spec_examples import place as place  # noqa: PLC0414  (a fixture)
from tests.support import oracle
from tests.support.builders import AFFINE, labels, volume, write_nifti


class Statement(NamedTuple):
    """What a section says, files that follow it, and what must land of them."""

    section: str
    says: str
    files: Files
    content: Content
    packed: str = ""
    """The form of the archive that the files are in; none by default."""

    def __str__(self) -> str:
        return f"{self.section}: {self.says}"


PLANES = ("axl", "cor", "sag")


def planes(name: str = "{}_anatomic.nii") -> Files:
    return {name.format(plane): None for plane in PLANES}


def with_masks(volume_name: str, mask_name: str, values: tuple[int, ...] = (1,)) -> Files:
    return {**planes(volume_name), **{mask_name.format(plane): values for plane in PLANES}}


def each(name: str, classes: dict[str, int]) -> Content:
    return {name.format(plane): classes for plane in PLANES}


ONE = {"Segment_1": 1}
ANNOTATED = with_masks("{}_anatomic.nii", "{}_ann.nii")
BY_VOLUME: Files = {"CT.nii.gz": None, "CT/lung.nii.gz": (1,)}
TYPE_WORDS = ("inference", "mask", "ann", "annotation", "label", "seg", "segmentation")

STATEMENTS = [
    Statement(
        "Overview",
        "volumes and masks end in .nii",
        {"A.nii": None, "A/x.nii": (1,)},
        {"A": {"x": 1}},
    ),
    Statement("Overview", "volumes and masks end in .nii.gz", BY_VOLUME, {"CT": {"lung": 1}}),
    Statement(
        "Overview",
        "endings of volume and mask may differ",
        {"A.nii": None, "A/x.nii.gz": (1,)},
        {"A": {"x": 1}},
    ),
    Statement(
        "Overview", "volumes alone are taken", {"A.nii": None, "B.nii.gz": None}, {"A": {}, "B": {}}
    ),
    Statement(
        "Overview",
        "volumes of all folders land in one dataset",
        {"A.nii": None, "in/B.nii": None, "in/deeper/C.nii": None},
        {"A": {}, "B": {}, "C": {}},
    ),
    Statement(
        "Overview",
        "what the exporter writes by volume comes back",
        {"CT.nii.gz": None, "CT/lung.nii.gz": (1, 2), "CT/liver.nii.gz": (1,)},
        {"CT": {"lung": 2, "liver": 1}},
    ),
    *(
        Statement(
            "Example 1", f"the root may be a {form} archive", BY_VOLUME, {"CT": {"lung": 1}}, form
        )
        for form in ("zip", "tar", "gztar")
    ),
    Statement(
        "Example 1",
        "the root may be a folder in folders",
        {"data/set/CT.nii.gz": None, "data/set/CT/lung.nii.gz": (1,)},
        {"CT": {"lung": 1}},
    ),
    Statement(
        "Example 1",
        "annotations are in the folder that is called like the volume, without its ending",
        {"a.b.nii.gz": None, "a.b/x.nii.gz": (1,)},
        {"a.b": {"x": 1}},
    ),
    Statement(
        "Example 1",
        "the class is the file's name",
        {"CT.nii.gz": None, "CT/left lung (upper).nii.gz": (1,), "CT/tumor.nii": (3,)},
        {"CT": {"left lung (upper)": 1, "tumor": 1}},
    ),
    Statement(
        "Example 1",
        "one class name may be of several volumes",
        {"A.nii": None, "A/x.nii": (1,), "B.nii": None, "B/x.nii": (1, 2)},
        {"A": {"x": 1}, "B": {"x": 2}},
    ),
    Statement(
        "Example 1",
        "each value of a mask is an object of its class",
        {"CT.nii.gz": None, "CT/tumor.nii.gz": (1, 4, 200)},
        {"CT": {"tumor": 3}},
    ),
    Statement(
        "Example 1",
        "a volume without annotations lands beside one that has some",
        {**BY_VOLUME, "Spine.nii.gz": None},
        {"CT": {"lung": 1}, "Spine": {}},
    ),
    Statement(
        "Example 2",
        "the plane may stand at the end of the name",
        with_masks("anatomic_{}.nii", "inference_{}.nii"),
        each("anatomic_{}", ONE),
    ),
    Statement(
        "Example 2",
        "the plane may stand within the name",
        with_masks("knee_{}_anatomic.nii", "knee_{}_inference.nii"),
        each("knee_{}_anatomic", ONE),
    ),
    Statement(
        "Example 2",
        "the volume's word may be anatomical",
        with_masks("{}_anatomical.nii", "{}_inference.nii"),
        each("{}_anatomical", ONE),
    ),
    Statement(
        "Example 2",
        "the volume's word may be anatomic",
        with_masks("{}_anatomic.nii", "{}_inference.nii"),
        each("{}_anatomic", ONE),
    ),
    *(
        Statement(
            "Example 2",
            f"the annotation's word may be {word}",
            with_masks("{}_anatomic.nii", f"{{}}_{word}.nii"),
            each("{}_anatomic", ONE),
        )
        for word in TYPE_WORDS
    ),
    Statement(
        "Example 2",
        "files may be packed",
        with_masks("{}_anatomic.nii.gz", "{}_inference.nii.gz"),
        each("{}_anatomic", ONE),
    ),
    Statement(
        "Example 2",
        "semantic: one file of a plane has a value for each class",
        with_masks("{}_anatomic.nii", "{}_inference.nii", (1, 2, 5)),
        each("{}_anatomic", {"Segment_1": 1, "Segment_2": 1, "Segment_5": 1}),
    ),
    Statement(
        "Example 2",
        "instance: each file is a class, and each value in it an object",
        {
            **planes(),
            "axl_inference_1.nii": (1, 2),
            "axl_inference_2.nii": (1,),
            "sag_inference_1.nii": (7,),
        },
        {
            "axl_anatomic": {"Segment_1": 2, "Segment_2": 1},
            "cor_anatomic": {},
            "sag_anatomic": {"Segment_1": 1},
        },
    ),
    Statement(
        "Example 2",
        "names may hold identifiers of a patient and a case",
        with_masks("PID-0042_visit2_{}_anatomic.nii", "PID-0042_visit2_{}_inference.nii"),
        each("PID-0042_visit2_{}_anatomic", ONE),
    ),
    Statement(
        "Example 2",
        "names may hold body parts",
        with_masks("knee_left_{}_anatomic.nii", "knee_left_{}_mask.nii"),
        each("knee_left_{}_anatomic", ONE),
    ),
    Statement(
        "Example 2",
        "arbitrary words may differ between a volume and its annotation",
        with_masks("patient7_{}_anatomic.nii", "{}_inference.nii"),
        each("patient7_{}_anatomic", ONE),
    ),
    Statement(
        "Example 2",
        "arbitrary words may differ between the three planes",
        {
            "t2_tse_axl_anatomic.nii": None,
            "pd_fs_cor_anatomic.nii": None,
            "t1_sag_anatomic.nii": None,
            "axl_inference.nii": (1,),
        },
        {"t2_tse_axl_anatomic": ONE, "pd_fs_cor_anatomic": {}, "t1_sag_anatomic": {}},
    ),
    Statement(
        "Example 2",
        "without a class map there are classes all the same",
        with_masks("{}_anatomic.nii", "{}_inference.nii", (3,)),
        each("{}_anatomic", {"Segment_3": 1}),
    ),
    Statement(
        "Example 3",
        "items in folders of different depth, in one dataset",
        {
            **{f"a/{name}": what for name, what in ANNOTATED.items()},
            **{f"b/c/d/{name}": what for name, what in planes().items()},
        },
        {**each("a_{}_anatomic", ONE), **each("d_{}_anatomic", {})},
    ),
    Statement(
        "Example 3",
        "an annotation belongs to the volume of its own folder",
        {
            **{f"a/{name}": what for name, what in planes().items()},
            **{f"b/{name}": what for name, what in planes().items()},
            "b/axl_inference.nii": (1,),
        },
        {
            **each("a_{}_anatomic", {}),
            **each("b_{}_anatomic", {}),
            "b_axl_anatomic": ONE,
        },
    ),
    Statement(
        "Example 3",
        "one class map serves all items",
        {
            "cls_color_map.txt": COLOURS,
            **{f"a/{name}": what for name, what in ANNOTATED.items()},
            **{f"b/{name}": what for name, what in planes().items()},
            "b/cor_ann.nii": (7,),
        },
        {
            **each("a_{}_anatomic", {"Femur": 1}),
            **each("b_{}_anatomic", {}),
            "b_cor_anatomic": {"Miniscus": 1},
        },
    ),
    Statement(
        "Class map",
        "any text file of that form counts, whatever its name",
        {**with_masks("{}_anatomic.nii", "{}_inference.nii", (2, 6)), "my colours.txt": COLOURS},
        each("{}_anatomic", {"Femoral cartilage": 1, "Patellar cartilage": 1}),
    ),
    Statement(
        "Class map",
        "by volume a class of the map gives its colour to the file of its name",
        {"CT.nii": None, "CT/Femur.nii": (1,), "map.txt": COLOURS},
        {"CT": {"Femur": 1}},
    ),
]


def put(statement: Statement, folder: Path) -> Path:
    """Write the files of a statement; return what is handed to ``scan``."""
    source = write(folder / "in", statement.files)
    if not statement.packed:
        return source
    return Path(shutil.make_archive(str(folder / "packed"), statement.packed, source))


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
def test_a_statement_on_files_with_volumes(
    statement: Statement, place: Place, tmp_path: Path
) -> None:
    landed(put(statement, tmp_path), place.dataset("d"))
    assert place.volumes("d") == sorted(f"{name}.nrrd" for name in statement.content)
    assert place.objects("d") == numbered(statement.content)


# Spatial alignment


ORDERS = {
    "RAS": np.diag([1, 1, 1]),
    "LPS": np.diag([-1, -1, 1]),
    "PSL": np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
}


def affine_of(order: str) -> np.ndarray:
    """Return an affine of an order, with unequal voxel sizes and a fractional origin."""
    affine = np.array(AFFINE)
    affine[:3, :3] = ORDERS[order] @ np.diag([1.5, 2.5, 3.5])
    return affine


@pytest.mark.parametrize("order", ORDERS)
def test_alignment_masks_follow_their_volumes_into_ras(order: str, tmp_path: Path) -> None:
    affine = affine_of(order)
    write_nifti(tmp_path / "in" / "CT.nii", volume(SHAPE), affine)
    mask = write_nifti(tmp_path / "in" / "CT" / "lung.nii", labels(SHAPE, (1,)), affine)
    landed(tmp_path / "in", nk.ProjectFolder(tmp_path / "p", dataset="d"))
    (found,) = oracle.read_project(tmp_path / "p", "d").objects
    expected = oracle.mask_positions(mask)[1]
    assert np.abs(found.positions - expected).max() < 1e-4


@pytest.mark.parametrize("order", ORDERS)
def test_alignment_both_options_put_a_mask_in_the_same_place(order: str, tmp_path: Path) -> None:
    affine = affine_of(order)
    voxels = labels(SHAPE, (1,))
    write_nifti(tmp_path / "CT.nii", volume(SHAPE), affine)
    file = write_nifti(tmp_path / "lung.nii", voxels, affine)
    by_volume = nk.align_mask(voxels, tmp_path / "CT.nii")
    by_itself = nk.align_mask(file)
    for one in (by_volume, by_itself):
        positions = oracle.positions(one.mask, one.grid.affine)
        assert np.abs(positions - oracle.mask_positions(file)[1]).max() < 1e-4


# Scores


def scored(text: str, name: str = "axl_score.csv") -> Files:
    return {**with_masks("{}_anatomic.nii", "{}_inference.nii", (2, 4)), name: text}


SCORE_TABLES = {
    "the first layer is 1": ("Layer, Label-2\n1, 0.5\n", {"Segment_2": {"0": "0.50"}}),
    "a layer is a frame of the file": (
        "Layer,Label-2\n3,0.8\n9,0.25\n",
        {"Segment_2": {"2": "0.80", "8": "0.25"}},
    ),
    "a column is a pixel value": (
        "Layer, Label-2, Label-4\n3, 0.8, 0.9\n",
        {"Segment_2": {"2": "0.80"}, "Segment_4": {"2": "0.90"}},
    ),
    "a value may go without scores": ("Layer, Label-4\n5, 1\n", {"Segment_4": {"4": "1.00"}}),
}


@pytest.mark.parametrize(("text", "expected"), SCORE_TABLES.values(), ids=list(SCORE_TABLES))
def test_example_4_scores(
    text: str, expected: dict[str, Any], place: Place, tmp_path: Path
) -> None:
    landed(write(tmp_path / "in", scored(text)), place.dataset("d"))
    found = {name: data for (where, name), data in place.figures("d").items() if data}
    assert found == {name: oracle.custom_data(slices, "axl") for name, slices in expected.items()}
    assert {where for (where, _), data in place.figures("d").items() if data} == {
        "axl_anatomic.nrrd"
    }


def test_example_4_a_table_has_the_prefix_of_its_volume(place: Place, tmp_path: Path) -> None:
    files = {
        **with_masks("P7_{}_anatomic.nii", "P7_{}_inference.nii", (2,)),
        "P7_cor_score.csv": "Layer, Label-2\n4, 0.7\n",
    }
    landed(write(tmp_path / "in", files), place.dataset("d"))
    found = {where: data for (where, _), data in place.figures("d").items() if data}
    assert found == {"P7_cor_anatomic.nrrd": oracle.custom_data({"3": "0.70"}, "cor")}


# The class map


def test_class_map_each_line_is_value_name_and_colour(place: Place, tmp_path: Path) -> None:
    files = {**with_masks("{}_anatomic.nii", "{}_inference.nii", (1, 2, 4, 7)), "map.txt": COLOURS}
    landed(write(tmp_path / "in", files), place.dataset("d"))
    lines = [line.rsplit(" ", 3) for line in COLOURS.splitlines() if line[0] in "1247"]
    expected = {
        head.split(" ", 1)[1]: "#{:02X}{:02X}{:02X}".format(*map(int, rgb)) for head, *rgb in lines
    }
    assert {name: place.colours()[name] for name in expected} == expected


# Annotations separately


@pytest.mark.parametrize("word", TYPE_WORDS)
def test_separately_annotations_are_matched_by_their_names(
    word: str, place: Place, tmp_path: Path
) -> None:
    target = place.dataset("d")
    volumes_of(target, tmp_path / "volumes")
    files: Files = {f"axl_{word}.nii": (1,), f"sag_{word}.nii": (1, 2)}
    dataset = nk.scan(write(tmp_path / "in", files))
    assert dataset.layout == "annotations"
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert nk.verify(nk.upload(plan, target, on_progress=lambda _: None), target).ok
    both = {"Segment_1": 1, "Segment_2": 1}
    assert place.objects("d") == numbered({"axl_anatomic": ONE, "sag_anatomic": both})


def test_separately_a_mapping_goes_before_the_names(place: Place, tmp_path: Path) -> None:
    target = place.dataset("d")
    ids = volumes_of(target, tmp_path / "volumes")
    files: Files = {"axl_inference.nii": (1,)}
    landed(with_mapping(tmp_path / "in", files, {"axl_inference.nii": ids["cor"]}), target)
    assert place.objects("d") == numbered({"cor_anatomic": ONE})


def test_separately_folders_are_datasets_and_are_matched_by_names(
    place: Place, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        volumes_of(place.dataset(name), tmp_path / name)
    files: Files = {"one/axl_inference.nii": (1,), "two/axl_inference.nii": (2,)}
    target = place.whole()
    dataset = nk.scan(write(tmp_path / "in", files), segmentation="semantic")
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert nk.verify(nk.upload(plan, target, on_progress=lambda _: None), target).ok
    assert place.objects("one") == numbered({"axl_anatomic": ONE})
    assert place.objects("two") == numbered({"axl_anatomic": {"Segment_2": 1}})


def test_separately_a_class_map_is_optional_and_counts(place: Place, tmp_path: Path) -> None:
    target = place.dataset("d")
    ids = volumes_of(target, tmp_path / "volumes")
    files: Files = {"axl_inference_1.nii": (1,), "axl_inference_3.nii": (1,), "c.txt": COLOURS}
    mapping = dict.fromkeys(("axl_inference_1.nii", "axl_inference_3.nii"), ids["axl"])
    landed(with_mapping(tmp_path / "in", files, mapping), target)
    assert place.objects("d") == numbered({"axl_anatomic": {"Femur": 1, "Tibia": 1}})


@pytest.mark.parametrize("key", ["{}", "d/{}"], ids=["names", "dataset and name"])
def test_separately_keys_of_a_mapping(key: str, place: Place, tmp_path: Path) -> None:
    ids = volumes_of(place.dataset("d"), tmp_path / "volumes")
    folder = tmp_path / "in" / ("d" if "/" in key else "")
    write(folder, {"sag_mask_2.nii": (1,), "cor_mask_2.nii": (1, 2)})
    mapping = {key.format(f"{plane}_mask_2.nii"): ids[plane] for plane in ("sag", "cor")}
    (tmp_path / "in" / "mapping.json").write_text(json.dumps(mapping))
    landed(tmp_path / "in", place.whole() if "/" in key else place.dataset("d"))
    assert place.objects("d") == numbered(
        {"cor_anatomic": {"Segment_2": 2}, "sag_anatomic": {"Segment_2": 1}}
    )
