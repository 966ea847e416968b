"""The JSON of a project: exactly what the SDK writes and reads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nifti_kit.core.geometry import Grid
from nifti_kit.targets.annotation import (
    class_json,
    color_of,
    empty_meta,
    figure_json,
    object_json,
    volume_json,
    volume_meta,
)
from nifti_kit.targets.records import PlannedClass
from tests.support.builders import AFFINE, SHAPE

SCORES = {"0-0-1": {"2": {"score": "0.80", "comment": None}}}
TURNED = np.array([[0, -3, 0, 1.5], [2, 0, 0, -2.5], [0, 0, 5, 3.25], [0, 0, 0, 1]])


def test_a_class_has_its_pixel_value_in_its_description():
    assert class_json(PlannedClass("Femur", (255, 0, 10), 7, True)) == {
        "title": "Femur",
        "description": "Mask pixel value: 7",
        "shape": "mask_3d",
        "color": "#FF000A",
        "geometry_config": {},
        "hotkey": "",
    }


@pytest.mark.parametrize("text", ["#FF000A", "#ff000a", "ff000a", "#FF000A80"])
def test_a_colour_is_read_from_its_hex_digits(text):
    assert color_of(text) == (255, 0, 10)


def test_every_colour_survives_its_text():
    for color in ((0, 0, 0), (1, 22, 203), (255, 255, 255)):
        assert color_of(class_json(PlannedClass("x", color, 1, False))["color"]) == color


def test_an_empty_meta_is_that_of_a_volume_project_of_its_own():
    assert empty_meta() == {
        "classes": [],
        "tags": [],
        "projectType": "volumes",
        "projectSettings": {
            "multiView": {"enabled": False, "tagName": None, "tagId": None, "isSynced": False}
        },
    }
    empty_meta()["classes"].append(1)
    assert empty_meta()["classes"] == []


def test_a_volumes_meta_is_what_the_sdk_computes():
    meta = volume_meta(Grid(SHAPE, TURNED), -1000.0, 500.0)
    assert meta == {
        "ACS": "RAS",
        "channelsCount": 1,
        "rescaleSlope": 1,
        "rescaleIntercept": 0,
        "intensity": {"min": -1000.0, "max": 500.0},
        "windowWidth": 1500.0,
        "windowCenter": -250.0,
        "dimensionsIJK": {"x": 5, "y": 6, "z": 7},
        "spacing": [2.0, 3.0, 5.0],
        "origin": [1.5, -2.5, 3.25],
        "directions": [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    }
    assert json.loads(json.dumps(meta)) == meta


def test_an_annotation_without_objects_has_its_three_planes():
    content = volume_json("k", 3, {"ACS": "RAS"})
    normals = {plane["name"]: tuple(plane["normal"].values()) for plane in content["planes"]}
    assert normals == {"sagittal": (1, 0, 0), "coronal": (0, 1, 0), "axial": (0, 0, 1)}
    assert [plane["slices"] for plane in content["planes"]] == [[], [], []]
    assert content | {"planes": None} == {
        "volumeMeta": {"ACS": "RAS"},
        "key": "k",
        "volumeId": 3,
        "tags": [],
        "objects": [],
        "planes": None,
        "spatialFigures": [],
    }


def test_objects_and_figures_carry_keys_ids_and_scores():
    assert object_json("o", 5, "Femur") == {"key": "o", "id": 5, "classTitle": "Femur", "tags": []}
    assert figure_json("f", 6, "o", SCORES) == {
        "key": "f",
        "id": 6,
        "objectKey": "o",
        "geometryType": "mask_3d",
        "geometry": {},
        "customData": SCORES,
    }


@pytest.mark.sly
def test_the_sdk_reads_all_of_it(sly):
    keys = [format(number, "032x") for number in (1, 2, 3)]
    planned = PlannedClass("Femur", (255, 0, 10), 7, True)
    meta = sly.ProjectMeta.from_json(empty_meta() | {"classes": [class_json(planned)]})
    content = volume_json(keys[0], 3, volume_meta(Grid(SHAPE, AFFINE), 0.0, 1.0))
    content["objects"].append(object_json(keys[1], 5, "Femur"))
    content["spatialFigures"].append(figure_json(keys[2], 6, keys[1], SCORES))
    found = meta.get_obj_class("Femur")
    assert (found.color, found.description) == ([255, 0, 10], "Mask pixel value: 7")
    known = sly.KeyIdMap()
    annotation = sly.VolumeAnnotation.from_json(content, meta, known)
    figure = annotation.spatial_figures[0]
    assert annotation.key().hex == keys[0]
    assert (figure.key().hex, figure.volume_object.key().hex) == (keys[2], keys[1])
    assert figure.custom_data == SCORES
    assert known.get_figure_id(figure.key()) == 6
    assert annotation.volume_meta["spacing"] == [2.0, 3.0, 5.0]
