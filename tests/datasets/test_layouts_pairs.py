"""Pairs that a person gives: a dictionary, a pattern, a JSON file; what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.datasets.layouts.pairs import class_names, pair_up, says_nothing
from nifti_kit.errors import BadSource
from tests.support.trees import label_map, landed, write_tree


def paths(*names: str) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in names]


def found(pairs: Any, *names: str) -> dict[str, list[str]]:
    pairing = pair_up(pairs, paths(*names))
    return {str(mask): [str(image) for image in own] for mask, own in pairing.images.items()}


NNUNET = ("imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz")
ORGANS = (
    "s1/ct.nii",
    "s1/seg/liver.nii",
    "s1/seg/left_kidney.nii",
    "s2/ct.nii",
    "s2/seg/liver.nii",
)


@pytest.mark.parametrize(
    ("pairs", "names", "expected"),
    [
        ({"labelsTr/a.nii.gz": NNUNET[0]}, NNUNET, {NNUNET[2]: [NNUNET[0]]}),
        ({"labelsTr/a.nii.gz": list(NNUNET[:2])}, NNUNET, {NNUNET[2]: [*NNUNET[:2]]}),
        ({PurePosixPath(NNUNET[2]): PurePosixPath(NNUNET[0])}, NNUNET, {NNUNET[2]: [NNUNET[0]]}),
        ({"labelsTr\\a.nii.gz": ".\\imagesTr\\a_0000.nii.gz"}, NNUNET, {NNUNET[2]: [NNUNET[0]]}),
        (
            "labelsTr/{case}.nii.gz -> imagesTr/{case}_0000.nii.gz",
            NNUNET,
            {NNUNET[2]: [NNUNET[0]]},
        ),
        ("labelsTr/{case}.nii.gz->imagesTr/{case}_*.nii.gz", NNUNET, {NNUNET[2]: [*NNUNET[:2]]}),
        (
            "{case}/seg/{organ}.nii -> {case}/ct.nii",
            ORGANS,
            {
                "s1/seg/liver.nii": ["s1/ct.nii"],
                "s1/seg/left_kidney.nii": ["s1/ct.nii"],
                "s2/seg/liver.nii": ["s2/ct.nii"],
            },
        ),
        # The masks that * would fit too are no images, and the image is no mask of itself.
        (
            "{c}/{c}_seg.nii -> {c}/{c}_*.nii",
            ("x/x_t1.nii", "x/x_seg.nii"),
            {"x/x_seg.nii": ["x/x_t1.nii"]},
        ),
        ("{c}/{any}.nii -> {c}/ct.nii", ("x/ct.nii", "x/liver.nii"), {"x/liver.nii": ["x/ct.nii"]}),
        # A field that is written without a gap to another: the image that is there decides.
        (
            "{case}_{organ}.nii -> {case}.nii",
            ("a_b.nii", "a_b_left_lung.nii"),
            {"a_b_left_lung.nii": ["a_b.nii"]},
        ),
        ("gt/{c}.nii -> */{c}.nii", ("gt/a.nii", "img/a.nii"), {"gt/a.nii": ["img/a.nii"]}),
        ("m(1)/{c}+.nii -> i/{c}.nii", ("m(1)/a+.nii", "i/a.nii"), {"m(1)/a+.nii": ["i/a.nii"]}),
    ],
)
def test_pairs_say_which_mask_belongs_to_which_image(
    pairs: Any, names: tuple[str, ...], expected: dict[str, list[str]]
) -> None:
    assert found(pairs, *names) == expected
    assert pair_up(pairs, paths(*names)).faults == ()


@pytest.mark.parametrize(
    ("pairs", "path", "message"),
    [
        (
            {"m/b.nii": "i/b.nii", "m/x.nii": "i/a.nii"},
            "m/x.nii",
            "it is not in the source; did you mean m/",
        ),
        (
            {"m/b.nii": "i/b.nii", "m/a.nii": "i/x.nii"},
            "i/x.nii",
            "it is not in the source; did you mean i/",
        ),
        (
            {"m/b.nii": "i/b.nii", "m/a.nii": "i/x.nii"},
            "m/a.nii",
            "its image is not there: i/x.nii",
        ),
        (
            {"m/b.nii": "i/b.nii", "m/a.nii": "m/a.nii"},
            "m/a.nii",
            "it is given as the mask of itself",
        ),
        (
            {"m/b.nii": "i/b.nii", "m/a.nii": "m/b.nii"},
            "m/b.nii",
            "it is given as a mask, and as the image of another mask",
        ),
        ("m/{c}.nii -> i/{c}.nii", "m/c.nii", "its image is not there: i/c.nii"),
        ("{x}/{c}.nii -> i/{c}.nii", "i/x.nii", "it is given as the mask of itself"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_file(
    pairs: Any, path: str, message: str, tmp_path: Path
) -> None:
    names = [f"i/{c}.nii" for c in "abx"][: 2 if isinstance(pairs, dict) else 3]
    masks = {f"m/{c}.nii": label_map() for c in "abc"}
    dataset = nk.scan(write_tree(tmp_path, {**dict.fromkeys(names), **masks}), pairs=pairs)
    faults = {f.path: f for f in nk.plan(dataset).blockers if f.code == "pairs-file"}
    assert faults[path].message.startswith(message)
    assert dataset.layout == "pairs"
    assert any(item.masks for item in dataset.items)


def test_a_pattern_with_two_readings_is_an_error_that_shows_both() -> None:
    names = ("a.nii", "a_b.nii", "m/a_b_c.nii", "x.nii", "m/x_c.nii")
    pairing = pair_up("m/{case}_{any}.nii -> {case}.nii", paths(*names))
    assert pairing.faults == (
        (
            PurePosixPath("m/a_b_c.nii"),
            "the pattern can be read in several ways for it: a.nii or a_b.nii",
        ),
    )


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({"x.nii": "y.nii"}, "the pairs fit nothing in the source Found: y.nii: it is not in"),
        ("x/{c}.nii -> y/{c}.nii", "the pairs fit nothing in the source Found: 'x/{c}.nii -> y"),
        ({"a.nii": "a.nii"}, "a.nii: it is given as the mask of itself"),
        ({}, "the pairs fit nothing in the source Found: {}"),
        ({"a.nii": 3}, "the pairs are in no known form Found: 'a.nii': 3"),
        ({"a.nii": []}, "the pairs are in no known form Found: 'a.nii': []"),
        ({7: "a.nii"}, "the pairs are in no known form Found: 7"),
        ("a.nii -> ", "the pairs are in no known form Found: 'a.nii -> '"),
        ("a.nii -> b.nii -> c.nii", "the pairs are in no known form Found: 'a.nii ->"),
        (["a.nii"], "the pairs are in no known form Found: list"),
        ("pairs.json", "the pairs are in no known form Found: 'pairs.json', which is neither"),
    ],
)
def test_pairs_of_which_nothing_is_left_are_refused(pairs: Any, text: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.nii": None, "b.nii": None})
    with pytest.raises(BadSource) as caught:
        nk.scan(tmp_path, pairs=pairs)
    assert text in str(caught.value)


def test_another_layout_beside_pairs_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.nii": None, "b.nii": label_map()})
    with pytest.raises(BadSource, match="where pairs are given"):
        nk.scan(tmp_path, layout="by_plane", pairs={"b.nii": "a.nii"})


def test_the_layout_of_known_trees_is_refused_where_there_is_none(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.nii": None, "b.nii": label_map()})
    with pytest.raises(BadSource, match=r"no tree whose pairs are known.*scan\(\.\.\., pairs="):
        nk.scan(tmp_path, layout="pairs")


def test_images_beside_those_of_pairs_land_without_a_mask_and_the_rest_is_named(
    tmp_path: Path,
) -> None:
    tree = {"img/a.nii": None, "img/b.nii": None, "gt/a.nii": label_map(), "gt/b2.nii": label_map()}
    dataset = nk.scan(
        write_tree(tmp_path, {**tree, "table.csv": "a"}), pairs={"gt/a.nii": "img/a.nii"}
    )
    assert [(item.name, len(item.masks)) for item in dataset.items] == [
        ("a.nrrd", 1),
        ("b.nrrd", 0),
    ]
    unused = {f.path: f.message for f in dataset.findings if f.code == "file-unused"}
    assert unused == {
        "gt/b2.nii": "no pair names it",
        "table.csv": "score tables belong to volumes by plane",
    }
    assert [path.name for path in dataset.unused] == ["b2.nii", "table.csv"]


def test_what_lies_beside_a_mask_is_no_image_of_its_own(tmp_path: Path) -> None:
    tree = {"a.nii": None, "m.nii": label_map(), "other.nii": None}
    dataset = nk.scan(write_tree(tmp_path, tree), pairs={"m.nii": "a.nii"})
    assert [item.name for item in dataset.items] == ["a.nrrd"]
    assert [path.name for path in dataset.unused] == ["other.nii"]


def test_images_without_a_mask_stand_under_the_empty_key(tmp_path: Path) -> None:
    tree = {"a.nii": None, "m.nii": label_map(), "more/b.nii": None}
    dataset = nk.scan(write_tree(tmp_path, tree), pairs={"m.nii": "a.nii", "": ["more/b.nii"]})
    assert [item.name for item in dataset.items] == ["a.nrrd", "b.nrrd"]
    assert not dataset.unused


def test_pairs_are_read_from_json_in_the_current_folder_or_in_the_source(tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"a.nii": None, "m.nii": label_map()})
    outside, inside = tmp_path / "pairs.json", tmp_path / "in" / "own.json"
    outside.write_text(json.dumps({"m.nii": "a.nii"}))
    inside.write_text(json.dumps("{x}.nii -> a.nii"))
    for given in (outside, str(outside), "own.json"):
        dataset = nk.scan(tmp_path / "in", pairs=given)
        assert [len(item.masks) for item in dataset.items] == [1]


@pytest.mark.parametrize(
    ("masks", "images", "names"),
    [
        (["labelsTr/a.nii"], ["imagesTr/a_0000.nii"], [""]),
        (
            ["s1/segmentations/lung_upper_lobe_left.nii.gz"],
            ["s1/ct.nii.gz"],
            ["lung_upper_lobe_left"],
        ),
        (["x/mask_liver.nii"], ["x/image.nii"], ["liver"]),
        (["x/case1_liver_seg.nii"], ["x/case1.nii"], ["liver"]),
        (["liver_case1.nii"], ["case1.nii"], ["liver"]),
        (["p1/p1_gt.nii"], ["p1/p1.nii"], [""]),
        (["segmentation-12.nii"], ["volume-12.nii"], [""]),
        (["label0001.nii"], ["img0001.nii"], [""]),
        (["x_seg.nii"], ["x_t1.nii", "x_t2.nii"], [""]),
        (["m/liver/a.nii", "m/spleen/a.nii"], ["img/a.nii"], ["liver", "spleen"]),
        (["m/a.nii"], ["img/a.nii"], [""]),
        (["sub-01_desc-brain_mask.nii"], ["sub-01_T1w.nii"], ["brain"]),
        (["sub-01_label-lesion_desc-x_mask.nii"], ["sub-01_T1w.nii"], ["lesion"]),
        (["sub-01_desc-aseg_dseg.nii"], ["sub-01_T1w.nii"], [""]),
    ],
)
def test_a_class_is_what_a_name_says_beside_case_and_label_map(
    masks: list[str], images: list[str], names: list[str]
) -> None:
    owners = dict.fromkeys(paths(*masks), tuple(paths(*images)))
    assert list(class_names(paths(*masks), owners).values()) == names


@pytest.mark.parametrize(
    ("name", "nothing"),
    [("P1/GT.nii", True), ("P1/P1.nii", True), ("P1/P1_seg.nii", True), ("P1/liver.nii", False)],
)
def test_a_name_of_the_case_and_label_map_alone_says_no_class(name: str, nothing: bool) -> None:
    assert says_nothing(PurePosixPath(name)) is nothing


@pytest.mark.parametrize(
    ("pattern", "classes"),
    [
        ("m/{organ}/{case}.nii -> i/{case}.nii", ["liver"]),
        ("m/*/{case}.nii -> i/{case}.nii", ["Segment_1"]),
        ("{any}/{organ}/{case}.nii -> i/{case}.nii", ["Segment_1"]),
    ],
)
def test_the_one_field_of_the_masks_alone_is_their_class(
    pattern: str, classes: list[str], tmp_path: Path
) -> None:
    folder = write_tree(tmp_path / "in", {"i/a.nii": None, "m/liver/a.nii": label_map((1,))})
    assert landed(nk.scan(folder, pairs=pattern), tmp_path / "out") == {"a.nrrd": classes}


TREE = {"a.nii": None, "a_liver.nii": label_map((1,)), "a_organs.nii": label_map((1, 2))}
PAIRS = {"a_liver.nii": "a.nii", "a_organs.nii": "a.nii"}


@pytest.mark.parametrize(
    ("segmentation", "classes"),
    [
        ("auto", ["Kidney", "Segment_1", "liver"]),
        ("semantic", ["Kidney", "Segment_1", "Segment_1"]),
        ("instance", ["liver", "organs", "organs"]),
    ],
)
def test_a_mask_of_one_value_is_the_class_of_its_name_and_of_several_each_value(
    segmentation: str, classes: list[str], tmp_path: Path
) -> None:
    folder = write_tree(tmp_path / "in", TREE)
    dataset = nk.scan(folder, pairs=PAIRS, segmentation=segmentation, classes={2: "Kidney"})
    named = [mask.class_name for item in dataset.items for mask in item.masks]
    assert named == ([None, None] if segmentation == "semantic" else ["liver", "organs"])
    assert landed(dataset, tmp_path / "out") == {"a.nrrd": classes}


def test_the_one_value_of_the_only_mask_has_two_readings_where_the_class_map_has_another_name(
    tmp_path: Path,
) -> None:
    folder = write_tree(tmp_path, {"a.nii": None, "a_liver.nii": label_map((1,))})
    choice: dict[str, Any] = {"pairs": {"a_liver.nii": "a.nii"}, "classes": {1: "Spleen"}}
    (error,) = nk.plan(nk.scan(folder, **choice)).blockers
    assert (error.code, error.path) == ("class-two-readings", "a_liver.nii")
    for kind, name in (("semantic", "Spleen"), ("instance", "liver")):
        plan = nk.plan(nk.scan(folder, segmentation=kind, **choice))
        assert not plan.blockers
        assert [planned.class_name for planned in plan.objects] == [name]


def test_a_mask_whose_image_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write_tree(
        tmp_path, {"a.nii": None, "b.nii": None, "ma.nii": label_map(), "mb.nii": label_map()}
    )
    (folder / "a.nii").write_bytes(b"no image")
    dataset = nk.scan(folder, pairs={"ma.nii": "a.nii", "mb.nii": "b.nii"})
    codes = {(f.code, f.path) for f in nk.plan(dataset).blockers}
    assert codes == {("file-unreadable", "a.nii"), ("annotation-without-volume", "ma.nii")}


def test_a_mask_of_several_images_lands_on_each_and_is_one_file(tmp_path: Path) -> None:
    folder = write_tree(
        tmp_path / "in", {"t1.nii": None, "t2.nii": None, "m.nii": label_map((1, 4))}
    )
    dataset = nk.scan(folder, pairs={"m.nii": ["t1.nii", "t2.nii"]})
    assert [f.code for f in nk.check(dataset)] == []
    classes = ["Segment_1", "Segment_4"]
    assert landed(dataset, tmp_path / "out") == {"t1.nrrd": classes, "t2.nrrd": classes}


def test_a_repair_keeps_the_pairs(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {"a.nii": None, "m.nii": label_map().astype("f4") * 0.4})
    dataset = nk.scan(folder, pairs={"m.nii": "a.nii"})
    assert [f.code for f in nk.plan(dataset).blockers] == ["labels-unusable"]
    mended = nk.repairs.round_labels(dataset, "m.nii", threshold=0.5).dataset
    assert (mended.layout, [len(item.masks) for item in mended.items]) == ("pairs", [1])
    assert not nk.plan(mended).blockers
