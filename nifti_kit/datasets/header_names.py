"""Names in the headers of masks: which classes are in force for an annotation file."""

from __future__ import annotations

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.class_maps import ClassMap, names_in_header
from nifti_kit.formats.nifti import read_header


def header_names(dataset: Dataset, mask: MaskFile) -> ClassMap:
    """Return the classes that a mask's own header names; read once in a dataset's life."""
    key = ("names", mask.image)
    if key not in dataset.memory:
        dataset.memory[key] = names_in_header(mask.image)
    found: ClassMap = dataset.memory[key]
    return found


def lost_names(dataset: Dataset, mask: MaskFile) -> ClassMap:
    """Return the classes that the header of a repaired mask named on disk, and names no more.

    A repair may have changed the values, so these names are not used.
    """
    if mask.image.content is None or header_names(dataset, mask):
        return ClassMap()
    key = ("names on disk", mask.image)
    if key not in dataset.memory:
        try:
            dataset.memory[key] = names_in_header(read_header(mask.path, mask.relative))
        except NiftiKitError:  # the file that was repaired was no usable image
            dataset.memory[key] = ClassMap()
    found: ClassMap = dataset.memory[key]
    return found


def classes_of(dataset: Dataset, item: Item, mask: MaskFile) -> ClassMap:
    """Return the class map in force for a mask.

    It is the dataset's, where there is one; else, where each value is a class, that of the mask's
    own header.
    """
    if dataset.classes or item.segmentation != "semantic":
        return dataset.classes
    return header_names(dataset, mask) or dataset.classes
