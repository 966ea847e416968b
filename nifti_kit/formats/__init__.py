"""One kind of file each: bytes to facts and back, nothing guessed."""

from __future__ import annotations

from nifti_kit.formats.class_maps import ClassMap, read_classes
from nifti_kit.formats.labels import LabelSurvey, read_box, read_labels, survey_labels
from nifti_kit.formats.mappings import Mapping, MappingRow, read_mapping
from nifti_kit.formats.nifti import ImageFile, iter_blocks, read_header
from nifti_kit.formats.nrrd import iter_slices, read_grid
from nifti_kit.formats.scores import Score, ScoreTable, read_scores
from nifti_kit.formats.volumes import open_volume

__all__ = [
    "ClassMap",
    "ImageFile",
    "LabelSurvey",
    "Mapping",
    "MappingRow",
    "Score",
    "ScoreTable",
    "iter_blocks",
    "iter_slices",
    "open_volume",
    "read_box",
    "read_classes",
    "read_grid",
    "read_header",
    "read_labels",
    "read_mapping",
    "read_scores",
    "survey_labels",
]
