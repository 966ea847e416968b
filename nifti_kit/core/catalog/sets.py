"""Codes about sets of files, classes, scores and mappings."""

from __future__ import annotations

from nifti_kit.core.catalog.entry import CatalogEntry

__all__ = ["CLASSES", "MAPPING", "SCORES", "SETS"]

CLASSES = (
    CatalogEntry(
        "class-map-line",
        "error",
        "A line of the class map cannot be read.",
        "Write it as 'value name' or 'value name red green blue' (0 to 255).",
    ),
    CatalogEntry(
        "class-map-several",
        "error",
        "The source has several class maps that differ.",
        "Keep one, or choose with scan(..., classes='path/to/map.txt').",
    ),
    CatalogEntry(
        "class-map-above",
        "note",
        "The class map lies one level above the source, where the platform's exporter puts it.",
        "Nothing; scan(..., classes={}) ignores it.",
    ),
    CatalogEntry(
        "value-without-class",
        "warning",
        "A label value has no line in the class map; its class is named Segment_N.",
        "Add the value to the class map.",
    ),
    CatalogEntry(
        "class-without-value",
        "note",
        "A class of the class map is in no annotation file.",
        "Nothing, if it does not occur in these images; else check the values of the masks.",
    ),
    CatalogEntry(
        "class-names-alike",
        "warning",
        "Class names differ only in case, spaces, _ or -: they land as different classes.",
        "If they are one class, write its name the same everywhere.",
    ),
    CatalogEntry(
        "segmentation-ambiguous",
        "warning",
        "The names of annotation files and their values say different things of their kind.",
        "If each value is a class of its own: scan(..., segmentation='semantic'); if each value is "
        "an object of one class: scan(..., segmentation='instance').",
    ),
    CatalogEntry(
        "instance-classes-unknown",
        "error",
        "An instance file of the platform's exporter says nothing of its class but its order.",
        "Give the classes by the files' numbers (none = 1): scan(..., classes={1: 'Kidney'}).",
    ),
    CatalogEntry(
        "class-differs",
        "note",
        "A class of the class map has another name, value or colour in the project.",
        "Nothing, if the class map is right, or the colour does not matter; else give the "
        "project's names: scan(..., classes={1: 'Femur'}), or classes={} for its own.",
    ),
    CatalogEntry(
        "class-renamed",
        "note",
        "The project has a class of that name that cannot hold a mask: a number was put behind it.",
        "Nothing; rename the class in the class map, or in the project, to choose the name.",
    ),
    CatalogEntry(
        "class-value-repeated",
        "warning",
        "Several classes of the project have one pixel value in their descriptions.",
        "Say which one is meant: scan(..., classes={1: 'Femur'}).",
    ),
)

MAPPING = (
    CatalogEntry(
        "mapping-unreadable",
        "error",
        "A JSON mapping is not valid JSON, or not an object of file names and ids.",
        'Write {"annotation file name": volume id, ...}.',
    ),
    CatalogEntry(
        "mapping-several",
        "error",
        "The source has several JSON files that could be the mapping.",
        "Keep one, or read the right one with read_mapping() and give it to plan().",
    ),
    CatalogEntry(
        "mapping-id",
        "error",
        "A volume id in the mapping is not a whole number above 0.",
        "Write the volume's id as a plain number.",
    ),
    CatalogEntry(
        "mapping-key",
        "error",
        "A key of the mapping names no annotation file, or more than one.",
        "Write the file's name, with its dataset folder in front for a project-wide import.",
    ),
    CatalogEntry(
        "mapping-prefix",
        "error",
        "A key of the mapping has no dataset folder, and several dataset folders have such a file.",
        "Write the dataset folder in front of the name, as in 'dataset1/axl_inference_1.nii'.",
    ),
    CatalogEntry(
        "mapping-id-shared",
        "warning",
        "Annotation files of different planes or cases are given to one volume.",
        "Give each plane and case the id of its own volume.",
    ),
    CatalogEntry(
        "annotation-unmatched",
        "error",
        "An annotation file has no volume: it is not in the mapping, or it fits none, or several.",
        "Match it with nk.match(dataset, target.volumes()), or choose: "
        "mapping.with_volume('axl_inference_1.nii', 123).",
    ),
    CatalogEntry(
        "annotation-name-differs",
        "warning",
        "An annotation file was matched to the only volume of its plane; their names differ.",
        "If they are of different patients or cases, leave the file out; else choose the volume: "
        "mapping.with_volume(...).",
    ),
    CatalogEntry(
        "annotation-number-shared",
        "warning",
        "The number at the end of an annotation's name is its volume's own: it may be no index.",
        "If each value is a class of its own: scan(..., segmentation='semantic'); else choose the "
        "volume: mapping.with_volume(...).",
    ),
)

SCORES = (
    CatalogEntry(
        "scores-unreadable",
        "error",
        "A score table has no 'Layer' column, no 'Label-N' column, or is no table at all.",
        "Write a CSV with the header 'Layer, Label-1, Label-2, ...'.",
    ),
    CatalogEntry(
        "scores-cell",
        "error",
        "A cell of a score table is not a number.",
        "Write a number, or leave the cell empty for no score.",
    ),
    CatalogEntry(
        "scores-layer",
        "error",
        "A Layer of a score table is not a whole number.",
        "Write the frame number in the NIfTI file, counted from 1.",
    ),
    CatalogEntry(
        "scores-layer-zero",
        "error",
        "A score table has a Layer 0, but layers count from 1.",
        "If the table counts from 0, as the platform's exporter writes it: "
        "scan(..., score_base=0).",
    ),
    CatalogEntry(
        "scores-layer-outside",
        "error",
        "A Layer of a score table is outside the file.",
        "Correct the frame number; it counts along the slice axis of the NIfTI file.",
    ),
    CatalogEntry(
        "scores-layer-repeated",
        "error",
        "A Layer stands in a score table more than once.",
        "Keep one row for each frame.",
    ),
    CatalogEntry(
        "scores-range",
        "warning",
        "A score is outside 0 to 1; it lands as it is.",
        "Check the scale of the scores.",
    ),
    CatalogEntry(
        "scores-column",
        "warning",
        "A column of a score table is neither Layer, Label-N nor Comment-N; it is not used.",
        "Rename it, if it holds scores.",
    ),
    CatalogEntry(
        "scores-column-empty",
        "note",
        "A Label-N column of a score table has no score.",
        "Nothing, if the value was not scored; else fill in the column.",
    ),
    CatalogEntry(
        "scores-without-value",
        "warning",
        "A score table has a column for a value that the label map does not have.",
        "Check the number in the column's header against the pixel values of the mask.",
    ),
    CatalogEntry(
        "scores-by-class",
        "note",
        "Several annotation files share one score table: Label-N was read as class index N.",
        "To score single objects, give each annotation file its own table with its index.",
    ),
    CatalogEntry(
        "scores-slice-empty",
        "warning",
        "A label is scored on layers on which it has no voxel.",
        "Check the Layer column and the label map; ScoreTable.with_score(frame, value, None) "
        "removes a score.",
    ),
    CatalogEntry(
        "scores-slice-missing",
        "note",
        "A label that is scored has voxels on layers without a score.",
        "Nothing, if they were left out on purpose; else fill in the cells.",
    ),
    CatalogEntry(
        "scores-base-suspect",
        "warning",
        "The scores of a table fit the labels better if its layers count from the other number.",
        "If so, scan(..., score_base=0) where layers count from 0 (1 is the default), or write "
        "the table anew with nk.repairs.rebase_layers.",
    ),
    CatalogEntry(
        "scores-reversed-suspect",
        "warning",
        "The scores of a table fit the labels better if its layers count from the last frame.",
        "If so: nk.repairs.rebase_layers(dataset, table, base=1, reverse=True). If they count from "
        "the other number instead: scan(..., score_base=0).",
    ),
    CatalogEntry(
        "scores-frames-unknown",
        "error",
        "A score table has no annotation file of its plane and case: without it nobody can say in "
        "which direction its layers count on the volume.",
        "If they count along the platform's slices, as its exporter writes them: "
        "scan(..., score_frames='ras'); if from the other end: scan(..., score_frames='reversed'). "
        "Else put the annotation file beside the table.",
    ),
    CatalogEntry(
        "scores-need-target",
        "error",
        "A score table without masks updates figures that are on the target; no target was given.",
        "plan(..., target=target).",
    ),
    CatalogEntry(
        "scores-object-ambiguous",
        "error",
        "A column of a score table could be meant for several objects of the volume.",
        "Upload the masks with their table, so that each score has its object. If the number at "
        "the end of the table's name is no class index: scan(..., segmentation='semantic').",
    ),
)

SETS = (
    CatalogEntry(
        "planes-incomplete",
        "error",
        "A folder and case does not have exactly one volume for each of axl, cor and sag.",
        "Add what is missing; give a second set its own folder or case name; or accept the set as "
        "it is: waive='planes-incomplete'.",
    ),
    CatalogEntry(
        "planes-apart",
        "warning",
        "The volumes of a set of planes hardly cover the same region, or do not meet in space.",
        "Check that they are of one patient and series, and that their headers are right.",
    ),
    CatalogEntry(
        "content-repeated",
        "warning",
        "Two NIfTI files have the same content.",
        "If one of them was meant to be another image, export it again; else remove the copy.",
    ),
    CatalogEntry(
        "names-alike",
        "warning",
        "Volumes of a folder differ in name only by upper and lower case, or by .nii and .nii.gz.",
        "Keep one if they are copies; else give them names that tell them apart.",
    ),
    CatalogEntry(
        "annotation-without-volume",
        "error",
        "An annotation file has no volume of its plane and case in its folder.",
        "Put it next to its volume and name it alike: same case words, same plane.",
    ),
    CatalogEntry(
        "annotation-repeated",
        "error",
        "Two annotation files of a volume claim the same class.",
        "Give each file its own trailing index or class name.",
    ),
    CatalogEntry(
        "role-ambiguous",
        "error",
        "A file name says both volume (anatomic) and annotation.",
        "Rename the file so that only one of the two words is in it.",
    ),
    CatalogEntry(
        "name-prefixed",
        "note",
        "Volumes of the same file name in several folders got their folder's name in front.",
        "Nothing; rename the files to choose the names yourself.",
    ),
    CatalogEntry(
        "annotation-elsewhere",
        "note",
        "A volume's annotation folder was found elsewhere in the tree, and is the only one.",
        "Nothing; put it next to the volume to make it plain.",
    ),
    CatalogEntry(
        "volume-named-mask",
        "warning",
        "A file will land as a volume, though its name or folder speaks of annotations.",
        "If it is a mask, put it into the folder that is named like its volume.",
    ),
)
