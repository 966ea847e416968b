"""Rules about which class a label is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from nifti_kit.datasets import Dataset
from nifti_kit.findings import Finding, finding
from nifti_kit.items import Item
from nifti_kit.names import parse_name
from nifti_kit.surveys import MaskSurvey

__all__ = ["exported_instances", "values_without_class"]

EXPORTED_MAP = "color_map.txt"
"""The name under which the platform's exporter writes its class map."""


def values_without_class(dataset: Dataset, item: Item, survey: MaskSurvey) -> Iterator[Finding]:
    """Where there is a class map, every value (or file index) has a class in it."""
    by_name = survey.mask.class_name is not None and item.segmentation != "semantic"
    if not dataset.classes or by_name:
        return
    if item.segmentation == "instance":
        number = survey.mask.index
        if number is not None and dataset.classes.by_value(number) is None:
            message = f"index {number} has no class: Segment_{number}"
            yield finding("value-without-class", survey.mask.relative, message)
        return
    for label in survey.labels.labels if survey.labels else ():
        if dataset.classes.by_value(label.value) is None:
            message = (
                f"value {label.value} ({label.voxels} voxels) has no class: Segment_{label.value}"
            )
            yield finding("value-without-class", survey.mask.relative, message)


def exported_instances(dataset: Dataset, item: Item) -> Iterator[Finding]:
    """The class of an instance file is known: not one that the platform's exporter numbered.

    The exporter numbers the files of a volume in the order in which it meets their classes, the
    first one without a number of its own (``axl_inference_5`` beside ``axl_inference_5_2`` for
    ``axl_anatomic_5``); its ``color_map.txt`` counts otherwise.
    """
    if item.segmentation != "instance" or item.plane is None:
        return
    if PurePosixPath(dataset.classes.path).name != EXPORTED_MAP:
        return
    own = parse_name(item.volume.relative.name).tail if item.volume else ()
    tails = [parse_name(mask.relative.name).tail for mask in item.masks]
    extended = any(len(tail) > len(own) and tail[: len(own)] == own for tail in tails)
    for mask, tail in zip(item.masks, tails, strict=True):
        if not tail or (tail == own and extended):
            message = "an exported instance file; its number is no class of color_map.txt"
            yield finding("instance-classes-unknown", mask.relative, message)
