"""The catalogue of findings: one entry per fault, with its severity, meaning and remedy."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CATALOG", "Entry", "lookup"]


@dataclass(frozen=True)
class Entry:
    """What a code stands for."""

    code: str
    severity: str
    meaning: str
    remedy: str


_ENTRIES = (
    # files
    Entry(
        "source-empty",
        "error",
        "The source holds no NIfTI file.",
        "Point scan() at the folder or archive that holds the .nii or .nii.gz files.",
    ),
    Entry(
        "file-unused",
        "warning",
        "A file is no part of the layout and will not land.",
        "Rename or move it so that it fits the layout, or leave it: nothing depends on it.",
    ),
    Entry(
        "file-hidden",
        "note",
        "A hidden file or folder was passed over (a name that starts with a dot, __MACOSX).",
        "Nothing, unless it was meant to be data: then rename it.",
    ),
    Entry(
        "file-unreadable",
        "error",
        "A file is damaged, cut short, or not what its name says.",
        "Copy or export the file again from where it came from.",
    ),
    Entry(
        "image-unsupported",
        "error",
        "A sound image that can be neither a volume nor a mask (2D, 4D, RGB, complex, ...).",
        "Convert it to a 3D image of one number per voxel, or move it out of the folder.",
    ),
    # geometry
    Entry(
        "grid-unusable",
        "error",
        "The header's affine is not finite, or has an axis of length 0.",
        "Write the file again with a right header (sform or qform).",
    ),
    Entry(
        "grid-sheared",
        "error",
        "The axes of the image are not perpendicular; the platform cannot hold that.",
        "Resample the image onto a grid with perpendicular axes.",
    ),
    Entry(
        "affine-forms-disagree",
        "warning",
        "sform and qform place the voxels differently; readers will choose differently.",
        "The sform is used (NIfTI-1: method 3 before 2). If it is the wrong one, remove it.",
    ),
    Entry(
        "affine-missing",
        "warning",
        "Neither sform nor qform is set; the voxel size alone places the voxels (method 1).",
        "If the image has a known orientation, write it to the header: left and right may be "
        "exchanged here.",
    ),
    Entry(
        "mask-reoriented",
        "note",
        "A mask has its volume's voxels in another order; it is reordered exactly.",
        "Nothing.",
    ),
    Entry(
        "mask-header-lost",
        "error",
        "A mask has its volume's shape, but the affine of an array saved without a header.",
        "If the voxels are in the volume's order, save the mask with the volume's affine.",
    ),
    Entry(
        "mask-translated",
        "error",
        "A mask has its volume's shape and directions, but lies elsewhere.",
        "If it was made on this volume, save it with the volume's affine; else find its volume.",
    ),
    Entry(
        "mask-resampled",
        "error",
        "A mask is on another grid than its volume, though they overlap in space.",
        "Resample the mask onto the volume's grid with nearest neighbours.",
    ),
    Entry(
        "mask-apart",
        "error",
        "A mask and its volume do not meet in space.",
        "Check that the mask belongs to this volume (patient, series, header).",
    ),
    # labels
    Entry(
        "labels-unusable",
        "error",
        "A label map holds values that are no labels: fractions, NaN, negative or above 65535.",
        "Save the label map with integers from 0 to 65535; a probability map needs a threshold.",
    ),
    Entry(
        "labels-rounded",
        "note",
        "Labels stored as floats were within 0.001 of an integer and were rounded.",
        "Nothing; save label maps as integers to avoid this.",
    ),
    Entry(
        "labels-scaled",
        "note",
        "A label file has scl_slope or scl_inter set; the scaled values were used.",
        "Save label maps without scaling (scl_slope 1, scl_inter 0).",
    ),
    Entry(
        "mask-empty",
        "warning",
        "A label map has no voxel but background; nothing lands from it.",
        "If the structure should be there, export the mask again.",
    ),
    # sets
    Entry(
        "planes-incomplete",
        "error",
        "A folder and case does not have exactly one volume for each of axl, cor and sag.",
        "Add what is missing; give a second set its own folder or case name; or accept the set as "
        "it is: waive='planes-incomplete'.",
    ),
    Entry(
        "annotation-without-volume",
        "error",
        "An annotation file has no volume of its plane and case in its folder.",
        "Put it next to its volume and name it alike: same case words, same plane.",
    ),
    Entry(
        "annotation-repeated",
        "error",
        "Two annotation files of a volume claim the same class.",
        "Give each file its own trailing index or class name.",
    ),
    Entry(
        "role-ambiguous",
        "error",
        "A file name says both volume (anatomic) and annotation.",
        "Rename the file so that only one of the two words is in it.",
    ),
    Entry(
        "name-prefixed",
        "note",
        "Volumes of the same file name in several folders got their folder's name in front.",
        "Nothing; rename the files to choose the names yourself.",
    ),
    Entry(
        "annotation-elsewhere",
        "note",
        "A volume's annotation folder was found elsewhere in the tree, and is the only one.",
        "Nothing; put it next to the volume to make it plain.",
    ),
    Entry(
        "volume-named-mask",
        "warning",
        "A file will land as a volume, though its name or folder speaks of annotations.",
        "If it is a mask, put it into the folder that is named like its volume.",
    ),
    # classes
    Entry(
        "class-map-line",
        "error",
        "A line of the class map cannot be read.",
        "Write it as 'value name' or 'value name red green blue' (0 to 255).",
    ),
    Entry(
        "class-map-several",
        "error",
        "The source has several class maps that differ.",
        "Keep one, or choose with scan(..., classes='path/to/map.txt').",
    ),
    Entry(
        "class-map-above",
        "note",
        "The class map lies one level above the source, where the platform's exporter puts it.",
        "Nothing; scan(..., classes={}) ignores it.",
    ),
    Entry(
        "value-without-class",
        "warning",
        "A label value has no line in the class map; its class is named Segment_N.",
        "Add the value to the class map.",
    ),
    Entry(
        "instance-classes-unknown",
        "error",
        "An instance file of the platform's exporter says nothing of its class but its order.",
        "Give the classes by the files' numbers (none = 1): scan(..., classes={1: 'Kidney'}).",
    ),
    # scores
    Entry(
        "scores-unreadable",
        "error",
        "A score table has no 'Layer' column, no 'Label-N' column, or is no table at all.",
        "Write a CSV with the header 'Layer, Label-1, Label-2, ...'.",
    ),
    Entry(
        "scores-cell",
        "error",
        "A cell of a score table is not a number.",
        "Write a number, or leave the cell empty for no score.",
    ),
    Entry(
        "scores-layer",
        "error",
        "A Layer of a score table is not a whole number.",
        "Write the frame number in the NIfTI file, counted from 1.",
    ),
    Entry(
        "scores-layer-zero",
        "error",
        "A score table has a Layer 0, but layers count from 1.",
        "If the table counts from 0, as the platform's exporter writes it: "
        "scan(..., score_base=0).",
    ),
    Entry(
        "scores-layer-outside",
        "error",
        "A Layer of a score table is outside the file.",
        "Correct the frame number; it counts along the slice axis of the NIfTI file.",
    ),
    Entry(
        "scores-layer-repeated",
        "error",
        "A Layer stands in a score table more than once.",
        "Keep one row for each frame.",
    ),
    Entry(
        "scores-range",
        "warning",
        "A score is outside 0 to 1; it lands as it is.",
        "Check the scale of the scores.",
    ),
    Entry(
        "scores-column",
        "warning",
        "A column of a score table is neither Layer, Label-N nor Comment-N; it is not used.",
        "Rename it, if it holds scores.",
    ),
    Entry(
        "scores-without-value",
        "warning",
        "A score table has a column for a value that the label map does not have.",
        "Check the number in the column's header against the pixel values of the mask.",
    ),
    Entry(
        "scores-by-class",
        "note",
        "Several annotation files share one score table: Label-N was read as class index N.",
        "To score single objects, give each annotation file its own table with its index.",
    ),
    # mapping
    Entry(
        "mapping-unreadable",
        "error",
        "A JSON mapping is not valid JSON, or not an object of file names and ids.",
        'Write {"annotation file name": volume id, ...}.',
    ),
    Entry(
        "mapping-several",
        "error",
        "The source has several JSON files that could be the mapping.",
        "Keep one, or read the right one with read_mapping() and give it to plan().",
    ),
    Entry(
        "mapping-id",
        "error",
        "A volume id in the mapping is not a whole number above 0.",
        "Write the volume's id as a plain number.",
    ),
    Entry(
        "mapping-key",
        "error",
        "A key of the mapping names no annotation file, or more than one.",
        "Write the file's name, with its dataset folder in front for a project-wide import.",
    ),
    Entry(
        "annotation-unmatched",
        "error",
        "An annotation file has no volume: it is not in the mapping.",
        "Add it to the mapping.",
    ),
)

CATALOG: dict[str, Entry] = {entry.code: entry for entry in _ENTRIES}


def lookup(code: str) -> Entry:
    """Return the catalogue's entry for a code.

    Raises
    ------
    KeyError
        If there is no such code; the text names the nearest ones.
    """
    try:
        return CATALOG[code]
    except KeyError:
        import difflib

        near = difflib.get_close_matches(code, CATALOG, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"There is no finding code {code!r}.{hint}") from None
