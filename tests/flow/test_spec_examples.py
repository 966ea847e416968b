"""Every example of the specification, built as it is printed, lands on both kinds of target.

What landed is looked at without the toolkit: in the files of a project folder, or in the tables
of the stand-in platform.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from tests.flow.test_samples import Expected, assert_objects, expected_of, instance
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support import oracle
from tests.support.builders import SAMPLES, labels, volume, write_nifti
from tests.support.uploads import (
    ANNOTATION_SAMPLES,
    VOLUME_SAMPLES,
    api,
    land,
    new_dataset,
    new_project,
    ready,
)

SHAPE = (9, 10, 11)
"""Has a layer 8 along each axis."""

COLOURS = """\
1 Femur 255 0 0
2 Femoral cartilage 0 255 0
3 Tibia 0 0 255
4 Tibia cartilage 255 255 0
5 Patella 0 255 255
6 Patellar cartilage 255 0 255
7 Miniscus 175 175 175
"""

SCORES = """\
Layer, Label-2, Label-4
3, 0.8, 0.9
7, 0.7, 0.6
8, 0.4, 0.3
"""

Files = dict[str, Any]
"""A path to what is in it: text; the values of a mask; None for a volume."""

Content = dict[str, dict[str, int]]
"""A volume to how many objects of each class it has."""

BY_VOLUME: Files = {
    "CTChest/lung.nii.gz": (1,),
    "CTChest/tumor.nii.gz": (1, 2, 5),
    "CTChest.nii.gz": None,
    "Spine.nii.gz": None,
}

SEMANTIC: Files = {
    "cls_color_map.txt": COLOURS,
    "axl_anatomic.nii": None,
    "axl_inference.nii": (1, 7),
    "cor_anatomic.nii": None,
    "cor_inference.nii": (2, 3, 4),
    "sag_anatomic.nii": None,
    "sag_inference.nii": (5,),
}

INSTANCE: Files = {
    "cls_color_map.txt": COLOURS,
    "axl_anatomic.nii": None,
    "axl_inference_1.nii": (1, 2),
    "axl_inference_2.nii": (1,),
    "cor_anatomic.nii": None,
    "cor_inference_1.nii": (1,),
    "cor_inference_2.nii": (1, 2),
    "cor_inference_3.nii": (4,),
    "sag_anatomic.nii": None,
    "sag_inference_1.nii": (1, 2, 3),
}

ITEM: Files = {
    "axl_anatomic.nii": None,
    "axl_inference_1.nii": (1, 2),
    "axl_inference_2.nii": (1,),
    "cor_anatomic.nii": None,
    "cor_inference_1.nii": (1,),
    "cor_inference_3.nii": (1, 2),
    "sag_anatomic.nii": None,
}

# The specification prints item_2 twice: the second one stands deeper here.
ITEMS: Files = {
    "cls_color_map.txt": COLOURS,
    **{f"item_1/{name}": values for name, values in ITEM.items()},
    **{f"item_2/{name}": values for name, values in ITEM.items()},
    **{f"later/visit/item_2/{name}": values for name, values in ITEM.items()},
    "later/visit/item_2/sag_inference_1.nii": (1,),
}

SCORED: Files = {
    "axl_anatomic.nii": None,
    "axl_inference.nii": (2, 4),
    "cor_anatomic.nii": None,
    "cor_inference.nii": (2, 4),
    "sag_anatomic.nii": None,
    "axl_score.csv": SCORES,
    "cor_score.csv": SCORES,
    "sag_score.csv": SCORES,
}

OF_AN_ITEM = {
    "axl": {"Femur": 2, "Femoral cartilage": 1},
    "cor": {"Femur": 1, "Tibia": 2},
    "sag": {},
}

EXAMPLES: dict[str, tuple[Files, Content]] = {
    "1, by volume": (BY_VOLUME, {"CTChest": {"lung": 1, "tumor": 3}, "Spine": {}}),
    "2, semantic": (
        SEMANTIC,
        {
            "axl_anatomic": {"Femur": 1, "Miniscus": 1},
            "cor_anatomic": {"Femoral cartilage": 1, "Tibia": 1, "Tibia cartilage": 1},
            "sag_anatomic": {"Patella": 1},
        },
    ),
    "2, instance": (
        INSTANCE,
        {
            "axl_anatomic": {"Femur": 2, "Femoral cartilage": 1},
            "cor_anatomic": {"Femur": 1, "Femoral cartilage": 2, "Tibia": 1},
            "sag_anatomic": {"Femur": 3},
        },
    ),
    "3, several items": (
        ITEMS,
        {
            **{f"item_1_{p}_anatomic": classes for p, classes in OF_AN_ITEM.items()},
            **{f"item_2_{p}_anatomic": classes for p, classes in OF_AN_ITEM.items()},
            **{f"visit_item_2_{p}_anatomic": classes for p, classes in OF_AN_ITEM.items()},
            "visit_item_2_sag_anatomic": {"Femur": 1},
        },
    ),
    "4, scores": (
        SCORED,
        {
            "axl_anatomic": {"Segment_2": 1, "Segment_4": 1},
            "cor_anatomic": {"Segment_2": 1, "Segment_4": 1},
            "sag_anatomic": {},
        },
    ),
}


def write(folder: Path, files: Files) -> Path:
    """Write the files of an example; return the folder."""
    for number, (name, content) in enumerate(files.items()):
        if isinstance(content, str):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        elif content is None:
            write_nifti(folder / name, volume(SHAPE) + number)
        else:
            write_nifti(folder / name, labels(SHAPE, content))
    return folder


def numbered(content: Content) -> Counter[tuple[str, str]]:
    """Return how many objects there are of each volume and class."""
    return Counter(
        {(f"{name}.nrrd", kind): n for name, kinds in content.items() for kind, n in kinds.items()}
    )


class OnPlatform:
    """The stand-in platform, as the tests look at it."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.state = platform, platform.state
        self.project = new_project(platform)
        self.ids: dict[str, int] = {}

    def dataset(self, name: str) -> nk.Instance:
        if name not in self.ids:
            self.ids[name] = new_dataset(self.platform, self.project, name)
        return nk.Instance(api(self.platform), self.ids[name])

    def whole(self) -> nk.Instance:
        return nk.Instance(api(self.platform), project_id=self.project)

    def add_class(self, title: str, color: str, description: str) -> None:
        new = {"title": title, "shape": "mask_3d", "color": color, "description": description}
        meta = {"classes": [new], "tags": []}
        call(self.state, "projects.meta.update", {"id": self.project, "meta": meta})

    def volumes(self, dataset: str) -> list[str]:
        return sorted(row["name"] for row in self.state.volumes.where(datasetId=self.ids[dataset]))

    def objects(self, dataset: str) -> Counter[tuple[str, str]]:
        return Counter(
            (self.state.volumes.rows[row["entityId"]]["name"], self._title(row["classId"]))
            for row in self.state.objects.where(datasetId=self.ids[dataset])
        )

    def figures(self, dataset: str) -> dict[tuple[str, str], Any]:
        """Return the custom data by volume and class; each figure has its geometry."""
        rows = self.state.figures.where(datasetId=self.ids[dataset])
        assert all(self.state.geometries[row["id"]] for row in rows)
        return {
            (self.state.volumes.rows[row["entityId"]]["name"], self._title(row["classId"])): row[
                "customData"
            ]
            for row in rows
        }

    def colours(self) -> dict[str, str]:
        return {row["name"]: row["json"]["color"].upper() for row in self.state.classes}

    def _title(self, number: int) -> str:
        return str(self.state.classes.rows[number]["name"])


class InFolder:
    """A project folder, as the tests look at it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def dataset(self, name: str) -> nk.ProjectFolder:
        return nk.ProjectFolder(self.path, dataset=name)

    def whole(self) -> nk.ProjectFolder:
        return nk.ProjectFolder(self.path)

    def add_class(self, title: str, color: str, description: str) -> None:
        new = {"title": title, "shape": "mask_3d", "color": color, "description": description}
        self.path.mkdir(parents=True)
        meta = {"classes": [new], "tags": [], "projectType": "volumes"}
        (self.path / "meta.json").write_text(json.dumps(meta))

    def volumes(self, dataset: str) -> list[str]:
        return sorted(oracle.read_project(self.path, dataset).volumes)

    def objects(self, dataset: str) -> Counter[tuple[str, str]]:
        found = oracle.read_project(self.path, dataset).objects
        return Counter((landed.volume, landed.class_name) for landed in found)

    def figures(self, dataset: str) -> dict[tuple[str, str], Any]:
        found = oracle.read_project(self.path, dataset).objects
        return {(landed.volume, landed.class_name): landed.custom_data for landed in found}

    def colours(self) -> dict[str, str]:
        meta = json.loads((self.path / "meta.json").read_text())
        return {found["title"]: found["color"].upper() for found in meta["classes"]}


Place = OnPlatform | InFolder


@pytest.fixture(params=["instance", "folder"])
def place(request: pytest.FixtureRequest, platform: Platform, tmp_path: Path) -> Place:
    return OnPlatform(platform) if request.param == "instance" else InFolder(tmp_path / "project")


def landed(source: Path, place: Any, **choices: Any) -> Any:
    """Plan and upload without waiving anything; return the receipt, which verifies."""
    plan = nk.plan(nk.scan(source), **choices)
    assert not plan.blockers, plan
    receipt = nk.upload(plan, place, on_progress=lambda _: None)
    assert nk.verify(receipt, place).ok
    return receipt


# With volumes


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_lands_with_each_object_of_each_class(
    example: str, place: Place, tmp_path: Path
) -> None:
    files, content = EXAMPLES[example]
    landed(write(tmp_path / "in", files), place.dataset("d"))
    assert place.volumes("d") == sorted(f"{name}.nrrd" for name in content)
    assert place.objects("d") == numbered(content)


def test_classes_have_the_colours_of_the_map_as_it_is_printed(place: Place, tmp_path: Path) -> None:
    landed(write(tmp_path / "in", SEMANTIC), place.dataset("d"))
    colours = place.colours()
    assert {name: colours[name] for name in ("Femur", "Femoral cartilage", "Miniscus")} == {
        "Femur": "#FF0000",
        "Femoral cartilage": "#00FF00",
        "Miniscus": "#AFAFAF",
    }


def test_scores_with_spaces_after_the_commas_are_on_the_slices_of_their_frames(
    place: Place, tmp_path: Path
) -> None:
    landed(write(tmp_path / "in", SCORED), place.dataset("d"))
    of_two = {"2": "0.80", "6": "0.70", "7": "0.40"}
    of_four = {"2": "0.90", "6": "0.60", "7": "0.30"}
    assert place.figures("d") == {
        (f"{plane}_anatomic.nrrd", name): oracle.custom_data(scores, plane)
        for plane in ("axl", "cor")
        for name, scores in (("Segment_2", of_two), ("Segment_4", of_four))
    }


# Annotations separately


def volumes_of(target: Any, folder: Path) -> dict[str, int]:
    """Land three planes without masks; return their ids."""
    names = [f"{plane}_anatomic.nii" for plane in ("axl", "cor", "sag")]
    receipt = landed(write(folder, dict.fromkeys(names)), target)
    return {item.volume.name[:3]: item.volume.id for item in receipt.items}


def with_mapping(folder: Path, files: Files, mapping: dict[str, int]) -> Path:
    return write(folder, {**files, "mapping.json": json.dumps(mapping)})


def test_annotations_of_a_dataset_land_by_their_mapping(place: Place, tmp_path: Path) -> None:
    target = place.dataset("d")
    ids = volumes_of(target, tmp_path / "volumes")
    files: Files = {
        "axl_inference_1.nii": (1,),
        "axl_inference_2.nii": (1, 2),
        "cor_inference_1.nii": (1, 2, 3),
        "cor_inference_3.nii": (1,),
        "color_map.txt": COLOURS,
    }
    mapping = {name: ids[name[:3]] for name in files if name.endswith(".nii")}
    landed(with_mapping(tmp_path / "in", files, mapping), target)
    assert place.objects("d") == numbered(
        {
            "axl_anatomic": {"Femur": 1, "Femoral cartilage": 2},
            "cor_anatomic": {"Femur": 3, "Tibia": 1},
        }
    )


def test_the_mapping_of_file_names_as_it_is_printed(place: Place, tmp_path: Path) -> None:
    target = place.dataset("d")
    ids = volumes_of(target, tmp_path / "volumes")
    files: Files = {"cor_inference_1.nii": (1,), "sag_mask_2.nii": (1, 2)}
    mapping = {"cor_inference_1.nii": ids["cor"], "sag_mask_2.nii": ids["sag"]}
    landed(with_mapping(tmp_path / "in", files, mapping), target)
    content = {"cor_anatomic": {"Segment_1": 1}, "sag_anatomic": {"Segment_2": 2}}
    assert place.objects("d") == numbered(content)


def test_annotations_of_a_project_land_in_three_datasets_with_the_same_file_names(
    place: Place, tmp_path: Path
) -> None:
    names = [f"dataset_name_{number}" for number in (1, 2, 3)]
    mapping, files = {}, {"cls_color_map.txt": COLOURS}
    for number, name in enumerate(names, start=1):
        ids = volumes_of(place.dataset(name), tmp_path / name)
        of_one: Files = {
            "axl_inference_1.nii": (1, 2, 3)[:number],
            "axl_inference_2.nii": (1,),
            "cor_inference_3.nii": (1, 2),
        }
        files |= {f"{name}/{file}": values for file, values in of_one.items()}
        mapping |= {f"{name}/{file}": ids[file[:3]] for file in of_one}
    landed(with_mapping(tmp_path / "in", files, mapping), place.whole())
    for number, name in enumerate(names, start=1):
        content = {
            "axl_anatomic": {"Femur": number, "Femoral cartilage": 1},
            "cor_anatomic": {"Tibia": 2},
        }
        assert place.objects(name) == numbered(content)


def test_the_mapping_with_datasets_as_it_is_printed(place: Place, tmp_path: Path) -> None:
    first = volumes_of(place.dataset("dataset1"), tmp_path / "1")
    second = volumes_of(place.dataset("dataset2"), tmp_path / "2")
    mapping = {
        "dataset1/cor_inference_1.nii": first["cor"],
        "dataset2/sag_mask_2.nii": second["sag"],
    }
    files: Files = {"dataset1/cor_inference_1.nii": (1,), "dataset2/sag_mask_2.nii": (1, 2)}
    landed(with_mapping(tmp_path / "in", files, mapping), place.whole())
    assert place.objects("dataset1") == numbered({"cor_anatomic": {"Segment_1": 1}})
    assert place.objects("dataset2") == numbered({"sag_anatomic": {"Segment_2": 2}})


# Into a project that has classes


@pytest.mark.parametrize("alone", [False, True], ids=["with volumes", "annotations alone"])
def test_a_value_takes_the_class_that_the_project_describes_by_it(
    alone: bool, place: Place, tmp_path: Path
) -> None:
    place.add_class("Knee bone", "#123456", "Mask pixel value: 2")
    target = place.dataset("d")
    files: Files = {name: values for name, values in SCORED.items() if name.endswith(".nii")}
    if alone:
        ids = volumes_of(target, tmp_path / "volumes")
        files = {name: values for name, values in files.items() if values}
        mapping = {name: ids[name[:3]] for name in files}
        source = with_mapping(tmp_path / "in", files, mapping)
    else:
        source = write(tmp_path / "in", files)
    landed(source, target, target=target)
    both = {"Knee bone": 1, "Segment_4": 1}
    assert place.objects("d") == numbered({"axl_anatomic": both, "cor_anatomic": both})
    assert set(place.colours()) == {"Knee bone", "Segment_4"}
    assert place.colours()["Knee bone"] == "#123456"


# The samples, by way of the SDK


def objects_of(sample: str) -> dict[str, list[Expected]]:
    """Return what a sample leaves in each dataset, volumes for its annotations included."""
    if sample not in ANNOTATION_SAMPLES:
        return {"d": expected_of(sample)[1]}
    found = {}
    for volumes in ANNOTATION_SAMPLES[sample]:
        dataset = {"by_plane_semantic": "chest"}.get(volumes, volumes)
        folder = oracle_folder(sample, dataset)
        files = {
            path.name: (f"{path.name[:3]}_anatomic.nrrd", int(path.name.split(".")[0][-1]))
            for path in sorted(folder.glob("*.nii.gz"))
        }
        colours = next(path for path in (*folder.glob("*.txt"), *folder.parent.glob("*.txt")))
        found[dataset] = expected_of(volumes)[1] + instance(folder, files, colours)
    return found


def oracle_folder(sample: str, dataset: str) -> Path:
    folder = SAMPLES / sample
    return folder if sample == "annotations_dataset" else folder / dataset


@pytest.mark.sly
@pytest.mark.parametrize("sample", [*VOLUME_SAMPLES, *ANNOTATION_SAMPLES])
def test_the_sdk_downloads_a_sample_with_every_mask_in_its_place(
    sample: str, sly: Any, tmp_path: Path
) -> None:
    it = ready(sample, tmp_path)
    with it.platform() as platform:
        target = it.target(platform)
        land(it.source, target)
        client = sly.Api(platform.address, platform.token, retry_count=1)
        down = tmp_path / "down"
        sly.download_volume_project(client, target.project_id, str(down), log_progress=False)
        close(client)
    for dataset, expected in objects_of(sample).items():
        assert len(expected) > 10
        assert_objects(oracle.read_project(down, dataset), expected)


@pytest.mark.sly
@pytest.mark.parametrize("sample", VOLUME_SAMPLES)
def test_the_sdk_uploads_the_project_folder_of_a_sample_with_every_mask(
    sample: str, sly: Any, tmp_path: Path, platform: Platform
) -> None:
    """As near to its place as the SDK's own geometries are: they have origins in whole mm."""
    land(SAMPLES / sample, nk.ProjectFolder(tmp_path / "out", dataset="d"))
    client = sly.Api(platform.address, platform.token, retry_count=1)
    workspace = platform.state.workspace["id"]
    sly.upload_volume_project(str(tmp_path / "out"), client, workspace, log_progress=False)
    close(client)
    written = oracle.read_project(tmp_path / "out", "d")
    there = arrived(platform, tmp_path / "mask.nrrd")
    assert len(there) == len(written.objects)
    for one in written.objects:
        match = next(
            (
                number
                for number, (name, title, scores, positions) in enumerate(there)
                if (name, title, scores) == (one.volume, one.class_name, one.custom_data)
                and positions.shape == one.positions.shape
                and (is_oblique(one) or np.abs(positions - one.positions).max() < ROUNDED_MM)
            ),
            None,
        )
        assert match is not None, one.class_name
        del there[match]


ROUNDED_MM = 0.5 + 1e-4
"""The SDK (6.74) makes a ``Mask3D`` of each mask file, whose origin it rounds."""


def is_oblique(one: oracle.Landed) -> bool:
    """Return whether axes lie between those of the world: such masks the SDK tilts besides."""
    directions = np.asarray(one.header["space directions"])
    return bool(np.abs(directions - np.diag(np.diag(directions))).max() > 1e-3)


def arrived(platform: Platform, scratch: Path) -> list[tuple[str, str, Any, np.ndarray]]:
    """Return volume, class, custom data and positions (RAS+ mm) of each figure."""
    state, found = platform.state, []
    for row in state.figures:
        scratch.write_bytes(state.geometries[row["id"]])
        mask, header = nrrd.read(str(scratch))
        name = state.volumes.rows[row["entityId"]]["name"]
        title = state.classes.rows[row["classId"]]["name"]
        positions = oracle.positions(mask > 0, oracle.affine_of(header))
        found.append((name, title, row["customData"], positions))
    return found


def close(client: Any) -> None:
    """End the connections of an SDK's Api."""
    if getattr(client, "httpx_client", None):
        client.httpx_client.close()
