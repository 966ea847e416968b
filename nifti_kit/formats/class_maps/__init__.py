"""Class maps: which name and colour a pixel value stands for, in code and in files of any tool.

``entries`` has the records, ``dialects`` a reader for each tool's label tables, ``columns`` the
decision which columns are name and colour, ``reading`` what people call, and ``headers`` the
tables within NIfTI files.
"""

from __future__ import annotations

from nifti_kit.formats.class_maps.dialects import DIALECTS, title_of
from nifti_kit.formats.class_maps.entries import (
    ClassEntry,
    ClassMap,
    Color,
    color_text,
    free_color,
    map_text,
    plain_name,
)
from nifti_kit.formats.class_maps.headers import names_in_header
from nifti_kit.formats.class_maps.lines import hex_color
from nifti_kit.formats.class_maps.reading import (
    JSON_TABLES,
    ambiguous,
    as_class_map,
    is_named_class_map,
    is_readme,
    looks_like_class_map,
    no_class_map,
    read_classes,
)

__all__ = [
    "DIALECTS",
    "JSON_TABLES",
    "ClassEntry",
    "ClassMap",
    "Color",
    "ambiguous",
    "as_class_map",
    "color_text",
    "free_color",
    "hex_color",
    "is_named_class_map",
    "is_readme",
    "looks_like_class_map",
    "map_text",
    "names_in_header",
    "no_class_map",
    "plain_name",
    "read_classes",
    "title_of",
]
