"""The catalogue of findings: one row per fault, with its severity, meaning and remedy.

``python -m nifti_kit.core.catalog > notebooks/findings.md`` writes it as a page to read.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

__all__ = ["CATALOG", "SECTIONS", "CatalogEntry", "lookup"]

_TABLE = """
## Files
source-empty | error | The source holds no NIfTI file. | Point scan() at the folder or archive that holds the .nii or .nii.gz files.
file-unused | warning | A file is no part of the layout and will not land. | Rename or move it so that it fits the layout, or leave it: nothing depends on it.
file-hidden | note | A hidden file or folder was passed over (a name that starts with a dot, __MACOSX). | Nothing, unless it was meant to be data: then rename it.
file-unreadable | error | A file is damaged, cut short, not what its name says, or no regular file (a pipe, a device). | Copy or export the file again from where it came from.
file-name | error | A name is not UTF-8, or has control characters: no report and no project can hold it. | Rename the file or folder.
link-outside | error | A link leads out of the source: it is not followed, and what it leads to does not land. | Put the file or folder itself in place of the link, or scan the folder that it leads to. If it is no data: remove the link, or waive='link-outside'.
analyze-pair | error | An image in two files (.hdr and .img: ANALYZE 7.5, or a NIfTI pair) does not land. | Convert it to one .nii or .nii.gz first, or move both files out of the source.
file-name-packing | note | A file's name says gzip and its bytes do not, or the other way round. | Nothing here; rename the file for other readers.
image-unsupported | error | A sound image that can be neither a volume nor a mask (2D, 4D, RGB, complex, ...). | Several frames (4D): nk.repairs.split_frames(dataset, file) makes a volume of each; nk.repairs.pick_frame(dataset, file, 1) takes one. Others: convert it to a 3D image of one number per voxel, or move it out of the folder.
left-out | note | A file was left out by a person; it does not land. | Nothing; to take it in again, scan without leave_out.
volume-given | note | A person gave a file its volume, in the place of the one that names speak of. | Nothing; to go by names again, scan without volumes.
repaired | note | A file was repaired in memory; what lands is not what is on disk. | Nothing; the repair's own proof says what it changed.
frames-left | error | One frame of several was picked; the others do not land. | Land them all: nk.repairs.split_frames (pictures) or nk.repairs.merge_frames (a mask of each class) in place of pick_frame. If they are not wanted, accept that: waive="frames-left".
annotation-unsupported | error | A sound image cannot be a mask (2D, RGB, complex, ...): its volume would land without it. | Convert it to a 3D image of one whole number per voxel; or leave it out: waive=[('annotation-unsupported', 'its path')].
name-long | error | The name of a volume is longer than file systems and the platform take. | Give the file, or the folder whose name stands in front, a shorter name.

## Geometry
grid-unusable | error | The header's affine is not finite, has an axis of length 0, or a size that no image has. | Where the other form gives a place: nk.repairs.use_form(dataset, file, "qform"). A mask in its volume's voxel order: nk.repairs.take_header. Else write the file again with a right header (sform or qform).
grid-sheared | error | The axes of the image are not perpendicular; the platform cannot hold that. | A volume with its masks: nk.repairs.straighten(dataset, file). A mask of a straight volume: nk.repairs.resample(dataset, file).
affine-forms-disagree | warning | sform and qform place the voxels differently; readers will choose differently. | The sform is used (NIfTI-1: method 3 before 2), unless it is all zeros. If the qform is right: nk.repairs.use_form(dataset, file, "qform").
affine-missing | warning | Neither sform nor qform is set; the voxel size alone places the voxels (method 1). | If the image has a known orientation, write it to the header: left and right may be exchanged here.
voxel-size-odd | warning | pixdim is no voxel size, or another one than that of the affine in force. | The affine places the voxels. If its voxel size is the wrong one, write the header again.
readers-disagree | warning | nibabel or ITK places the voxels elsewhere than the NIfTI standard, which is used here. | Save the file again with sform and qform alike, both codes 1, and millimetres as unit.
mask-reoriented | note | A mask has its volume's voxels in another order; it is reordered exactly. | Nothing.
mask-header-lost | error | A mask has its volume's shape, but the affine of an array saved without a header. | If the voxels are in the volume's order: repair = nk.repairs.take_header(dataset, file); nk.plots.planned(nk.plan(repair.dataset)) shows whether it fits.
mask-mirrored | error | A mask's header is its volume's, mirrored: LPS+ mm were written where NIfTI has RAS+ mm. | If it was made on this volume, its voxels are stored as the volume's: nk.repairs.take_header(dataset, file, order='stored'). If they run as its own header says: nk.repairs.take_header(dataset, file). Look which one fits: nk.plots.planned(nk.plan(repair.dataset)).
mask-translated | error | A mask has its volume's shape and directions, but lies elsewhere. | If it was made on this volume: nk.repairs.take_header(dataset, file). If its header is right: nk.repairs.resample. Else find its volume.
mask-resampled | error | A mask is on another grid than its volume, though they overlap in space. | nk.repairs.resample(dataset, file): nearest neighbours on the volume's grid.
mask-apart | error | A mask and its volume do not meet in space. | Check that the mask belongs to this volume (patient, series). If only its header is wrong: nk.repairs.take_header.
mask-axes-exchanged | error | A mask has its volume's shape with the axes in another order (an array saved in z, y, x), of which its header does not know. | nk.repairs.reorder_axes(dataset, file) moves the voxels into the volume's order; where the message names several orders, look which one fits and give it: axes=(2, 1, 0).
mask-header-inexact | error | A mask has its volume's voxels in number and order, but its header places them a little elsewhere (another converter, rounded digits). | If it was made on this volume: nk.repairs.take_header(dataset, findings.by_code()['mask-header-inexact']) takes its voxels by index, for all such masks at once.
mask-cropped | note | A mask covers a part of its volume, voxel on voxel; it lands where it was, with zeros around it. | Nothing.
mask-rounded | note | A mask has its volume's voxels but for the rounding of headers; it lands where its own header places it. | Nothing.
mask-other-form | note | A mask has its volume's voxels by the form of the volume's header that is not in force; both forms nearly agree. | Nothing; it lands where its own header places it.

## Labels
labels-unusable | error | A label map holds values that are no labels: fractions, NaN, negative or above 65535. | Save the label map with integers from 0 to 65535. Negative values or large ids: nk.repairs.relabel(dataset, file, {-1: 0}), or nk.repairs.relabel(dataset, file) to number them all. A probability map: nk.repairs.round_labels(dataset, file, threshold=0.5).
labels-rounded | note | Labels stored as floats were within 0.001 of an integer and were rounded. | Nothing; save label maps as integers to avoid this.
labels-scaled | note | A label file has scl_slope or scl_inter set; the scaled values were used, each as the nearest whole number within half a step. | Save label maps without scaling (scl_slope 1, scl_inter 0).
mask-empty | warning | A label map has no voxel but background; nothing lands from it. | If the structure should be there, export the mask again.
mask-full | warning | Every voxel of a label map has the same value: there is no background. | Check whether the file is a mask; if the structure is smaller, export the mask again.
label-specks | warning | A label has so few voxels that it may be a slip of the brush or a leftover. | Look at it where it lies; nk.repairs.drop_specks removes such specks.
label-disconnected | note | A label falls into parts that do not touch. | Nothing, if that is right (both lungs); nk.repairs.drop_specks removes tiny parts.
labels-gradient | warning | A label map of integers has the values of a picture, a probability map or a blurred mask. | Put a probability map through a threshold first; resample a mask with nearest neighbours.
masks-overlap | warning | Two annotation files of a volume claim the same voxels; both land. | If a voxel can have one class only, take the voxels out of one of the two files.
labels-merged | error | A label map of integers has a scl_slope above 1: labels that differ by less became one when it was saved. | Save it again as plain integers (scl_slope 1, scl_inter 0); what has merged cannot be had back. If its values are the labels, waive this.
scaling-ignored | warning | A header's scl_slope or scl_inter is not finite; the stored numbers were used unscaled. | If the values are wrong that way, write the file again with a right scl_slope.
mask-frames | error | An annotation file has several frames (4D), such as a mask of a class in each. | A mask of a class in each frame: nk.repairs.merge_frames(dataset, file). Label maps of points in time: nk.repairs.split_frames(dataset, [volume, file]). One frame alone: nk.repairs.pick_frame(dataset, file, 1).

## Outliers
outlier-volume | warning | A class is far larger or smaller than in the other items (from six on, alone and beside its other classes). | Look at the mask: a class that is cut short, or painted over, is to be drawn again. If the mask is right: nothing.
outlier-place | warning | A class lies far from where it lies in the other items (from six on), beside its other classes or in its image. | Look at the mask: whether it is of this patient, its left and right are exchanged, or it is upside down. If the mask is right: nothing.
outlier-parts | warning | A class lies in parts far from each other, which it does not in the other items (from six on). | Look at the part that is far from the largest: it may be of another class, or a slip of the brush. If the mask is right: nothing.
outlier-cut | note | A class that reaches the edge of its image stands out of the same class in other items (from six on): the image may cut it off. | Nothing, if the image cuts it off; else look at the mask.

## Sets of files
planes-incomplete | error | A folder (or a case, where it has several) does not have exactly one volume for each of axl, cor and sag. | Add what is missing; give a second set its own folder or case name; or land the planes that are there: nk.rescan(dataset, incomplete=folder).
planes-fewer | note | A set of planes lacks one or two of the three, which a person knows. | Nothing; to be told again, scan without incomplete.
planes-apart | warning | The volumes of a set of planes hardly cover the same region, or do not meet in space. | Check that they are of one patient and series, and that their headers are right.
content-repeated | warning | Two NIfTI files have the same content. | If one of them was meant to be another image, export it again; else remove the copy.
names-alike | warning | Volumes of a folder differ in name only by upper and lower case, or by .nii and .nii.gz. | Keep one if they are copies; else give them names that tell them apart.
annotation-without-volume | error | An annotation file or score table has no volume in its folder, or none that is clearly its own. | Put it next to its volume, with the same plane in its name; where a folder has several volumes of the plane, with the same other words too.
annotation-repeated | error | Two annotation files of a volume claim the same class. | Give each file its own trailing index or class name.
role-ambiguous | error | A file name says both volume (anatomic) and annotation. | Rename the file so that only one of the two words is in it.
name-prefixed | note | Volumes of the same file name in several folders got their folder's name in front. | Nothing; rename the files to choose the names yourself.
annotation-elsewhere | note | A volume's annotation folder was found elsewhere in the tree, and is the only one. | Nothing; put it next to the volume to make it plain.
words-differ | note | A file belongs to the only volume that it can in its folder, though other words of their names differ. | Nothing, if they are of one patient and series; else put it next to its own volume.
case-differs | warning | The names of a file and of its volume speak of different patients, sides or points in time. | If it is of another patient: give it its own volume (nk.rescan(dataset, volumes={file: volume})), or leave it out. If the names mean no such thing: nothing; receipt and proof name it.
volumes-alike | warning | A volume has the very content of that of another case. | One of them may be a copy for the wrong patient: leave it out, or export the right image again. If both are right: nothing; receipt and proof name it.
masks-alike | warning | A mask has the very voxels of the mask of another volume. | One of them may be a copy for the wrong patient: give it its own volume, or leave it out. If both are right: nothing; receipt and proof name it.
class-by-words | warning | Several annotation files of a plane have no index: the words that tell them apart are read as their classes. | Nothing, if those are the classes; else put an index at the end of each name of the set (axl_inference_1.nii) and give the classes: scan(..., classes={1: 'Femur'}).
type-word-unknown | error | The name of a NIfTI file beside volumes by plane has a plane, but no type word that is known. | Put 'anatomic' (a volume) or 'inference' (an annotation) into its name. To leave the file out, waive this code.
plane-unknown | error | The name of a NIfTI file beside volumes by plane has no plane (axl, cor or sag). | Put axl, cor or sag into its name, with 'anatomic' (a volume) or 'inference' (an annotation). A volume without a plane lands from a folder of its own, or with scan(..., layout='by_volume'). To leave the file out, waive this code.
volume-named-mask | warning | A file will land as a volume, though its name or folder speaks of annotations. | If it is a mask, say to which image it belongs: scan(..., pairs=...); or put it into the folder that is named like its volume.
volume-label-map | error | A file would land as a volume, but its voxels are those of a label map. | Say to which image it belongs: scan(..., pairs={'its path': 'path of its image'}). If it is an image: waive='volume-label-map'.
pairs-file | error | A file of the given pairs is not there, or has no image, or several readings. | Correct the path or the pattern in pairs=, or leave the file out.
pairs-taken | note | The pairs of a tree of a known make were taken, because layout='pairs' was chosen. | Nothing; dataset.proposal shows them.

## Classes
class-map-line | error | A line of the class map cannot be read. | Write it as 'value name' or 'value name red green blue' (0 to 255).
class-map-several | error | The source has several class maps that differ. | Keep one, or choose with scan(..., classes='path/to/map.txt').
class-map-above | note | The class map lies one level above the source, where the platform's exporter puts it. | Nothing; scan(..., classes={}) ignores it.
value-without-class | warning | A label value has no line in the class map; its class is named Segment_N. | Add the value to the class map.
class-without-value | note | A class of the class map is in no annotation file. | Nothing, if it does not occur in these images; else check the values of the masks.
class-names-alike | warning | Class names differ only in case, spaces, _ or -: they land as different classes. | If they are one class, write its name the same everywhere.
segmentation-ambiguous | warning | The names of annotation files and their values say different things of their kind. | If each value is a class of its own: scan(..., segmentation='semantic'); if each value is an object of one class: scan(..., segmentation='instance').
class-two-readings | error | The class of a mask can be read in two ways: from its name, or from its values. | If each value is a class of its own: scan(..., segmentation='semantic'); if the file's name is the class: scan(..., segmentation='instance').
class-differs | note | A class of the class map has another name, value or colour in the project. | Nothing, if the class map is right, or the colour does not matter; else give the project's names: scan(..., classes={1: 'Femur'}), or classes={} for its own.
class-renamed | note | The project has a class of that name that cannot hold a mask: a number was put behind it. | Nothing; rename the class in the class map, or in the project, to choose the name.
class-value-repeated | warning | Several classes of the project have one pixel value in their descriptions. | Say which one is meant: scan(..., classes={1: 'Femur'}).
class-table-read | note | A label table of another tool was recognised. | Nothing, if it is the right one; else give the classes: scan(..., classes={1: 'Femur'}).
class-table-ambiguous | error | A label table can be read in several ways, which give other classes. | Choose: scan(..., classes=nk.read_classes('path/to/table', dialect=...)), or give the names: scan(..., classes={1: 'Femur'}).
class-table-zero | warning | A label table gives 0 to a structure, but 0 is background in a mask: the table may count from 0. | If it does: scan(..., classes=nk.read_classes('path/to/table', plus=1)). If 0 is background: nothing.
class-table-regions | warning | Names of a label table stand for several values together; a voxel has one class. | Give the names of the single values: scan(..., classes={1: 'Edema'}).
class-tables-joined | note | Several label tables that agree with each other are used together. | Nothing; to use one of them: scan(..., classes='path/to/map.txt').
class-name-repeated | warning | Values of the masks have one class name in the label table: they land as one class. | If they are different structures, give the classes: scan(..., classes={1: 'Left lung', 2: 'Right lung'}).
names-in-header | note | A mask's own header names its values; these names are used. | Nothing, if they are right; else give the classes: scan(..., classes={1: 'Femur'}).
names-in-header-unused | warning | A mask's own header names its values, and not all of these names are used. | If each value is a class: scan(..., segmentation='semantic'). If the header is right, and the class map wrong: scan(..., classes={}).
instance-classes-unknown | error | An instance file of the platform's exporter says nothing of its class but its order. | Give the class of each file: scan(..., classes={'ds/cor_inference.nii.gz': 'Tibia', ...}); or, where a number means the same class in every volume, by the files' numbers (none = 1): classes={1: 'Kidney'}.
segmentation-unknown | error | The only annotation file of a plane comes from the platform's exporter; its values may be objects of one class, or classes. | Objects: give the class of each file: scan(..., classes={'ds/cor_inference.nii.gz': 'Tibia', ...}). Classes: scan(..., segmentation='semantic').

## Scores
scores-unreadable | error | A score table has no 'Layer' column, no 'Label-N' column, or is no table at all. | Write a CSV with the header 'Layer, Label-1, Label-2, ...'.
scores-cell | error | A cell of a score table says in words that there is no score (NaN, n/a, -). | Write a number, or leave the cell empty for no score.
scores-layer | error | A Layer of a score table is not a whole number. | Write the frame number in the NIfTI file, counted from 1.
scores-layer-zero | error | A score table has a Layer 0, but layers count from 1. | If the table counts from 0, as the platform's exporter writes it: scan(..., score_base=0).
scores-layer-outside | error | A Layer of a score table is outside the file. | Correct the frame number; it counts along the slice axis of the NIfTI file.
scores-layer-repeated | error | A Layer stands in a score table more than once. | Keep one row for each frame.
scores-range | warning | A score is outside 0 to 1; it lands as it is. | Check the scale of the scores.
scores-column | warning | A column of a score table is neither Layer, Label-N nor Comment-N; it is not used. | Rename it, if it holds scores.
scores-column-empty | note | A Label-N column of a score table has no score. | Nothing, if the value was not scored; else fill in the column.
scores-without-value | warning | A score table has a column for a value that the label map does not have. | Check the number in the column's header against the pixel values of the mask.
scores-by-class | warning | Label-N of a score table beside instance files has two readings: class index N of the files, or object value N in a file. | To score single objects, give each annotation file its own table with its index (axl_score_2.csv for axl_inference_2): there Label-N is the value. To score a class, give one table for all files; where there is one file only, a column for each of its objects.
scores-slice-empty | warning | A label is scored on layers on which it has no voxel. | Check the Layer column and the label map; ScoreTable.with_score(frame, value, None) removes a score.
scores-slice-missing | note | A label that is scored has voxels on layers without a score. | Nothing, if they were left out on purpose; else fill in the cells.
scores-base-suspect | warning | The scores of a table fit the labels better if its layers count from the other number. | If so, scan(..., score_base=0) where layers count from 0 (1 is the default), or write the table anew with nk.repairs.rebase_layers.
scores-reversed-suspect | warning | The scores of a table fit the labels better if its layers count from the last frame. | If so: nk.repairs.rebase_layers(dataset, table, base=1, reverse=True). If they count from the other number instead: scan(..., score_base=0).
scores-frames-unknown | error | A score table has no annotation file of its plane and case: without it nobody can say in which direction its layers count on the volume. | If they count along the platform's slices, as its exporter writes them: scan(..., score_frames='ras'); if from the other end: scan(..., score_frames='reversed'). Else put the annotation file beside the table.
scores-need-target | error | A score table without masks updates figures that are on the target; no target was given. | plan(..., target=target).
scores-object-ambiguous | error | A column of a score table could be meant for several objects of the volume. | Upload the masks with their table, so that each score has its object. If the number at the end of the table's name is no class index: scan(..., segmentation='semantic').
scores-of-cutout | warning | A score table belongs to a mask that covers a part of its volume: its layers are read as frames of the mask's file. | If they count the frames of the volume's file: nk.repairs.resample(dataset, mask) puts the mask onto the volume's grid first, frame on frame.
scores-cell-text | error | A cell of a score table holds a text, a percentage, or a number in a form that is not read. | Write a number (0.80 for 80%), or leave the cell empty for no score.
scores-cell-unheaded | error | A cell of a score table stands in a column without a header. | Name the column in the header line (Label-N for scores), or clear the cell.
scores-passed | note | Something around the cells of a score table was passed over: a line above the header, a row index, words behind Label-N. | Nothing, if it is no score; else mend the header.
scores-comment-formula | note | A comment of a score table begins like a formula of a spreadsheet (=, +, - or @). | Nothing: it lands as it is. Where the table is saved an apostrophe stands before it, so that a spreadsheet shows it as text; such an apostrophe is no part of the comment.
scores-base-unsaid | error | A score table may be one of the platform's exporter, whose layers count from 0, and nobody said what they count from. | If it is from the exporter: scan(..., score_base=0). If its first frame is Layer 1: scan(..., score_base=1).
scores-instance-old | note | Scores are to land on an instance that is too old to show them. | Nothing is lost: they are there when the instance is brought up to date.

## Mapping
mapping-unreadable | error | A JSON mapping is not valid JSON, or not an object of file names and ids. | Write {"annotation file name": volume id, ...}.
mapping-several | error | The source has several JSON files that could be the mapping. | Keep one, or read the right one with read_mapping() and give it to plan().
mapping-id | error | A volume id in the mapping is not a whole number above 0. | Write the volume's id as a plain number.
mapping-key | error | A key of the mapping names no annotation file, or more than one. | Write the file's name, with its dataset folder in front for a project-wide import.
mapping-prefix | error | A key of the mapping has no dataset folder, and several dataset folders have such a file. | Write the dataset folder in front of the name, as in 'dataset1/axl_inference_1.nii'.
mapping-id-shared | warning | Annotation files of different planes or cases are given to one volume. | Give each plane and case the id of its own volume.
annotation-unmatched | error | An annotation file has no volume: it is not in the mapping, or it fits none, or several. | Match it with nk.match(dataset, target.volumes()), or choose: mapping.with_volume('axl_inference_1.nii', 123).
annotation-name-differs | warning | The name of an annotation file speaks against its volume: matched as the only one of its plane, chosen, or mapped. | If they are of different patients or cases, leave the file out; else choose the volume: mapping.with_volume(...).
annotation-number-shared | warning | The number at the end of an annotation's name is its volume's own: it may be no index. | If each value is a class of its own: scan(..., segmentation='semantic'); else choose the volume: mapping.with_volume(...).
mapping-id-unknown | error | The target has no volume of the id that the mapping gives a file. | Correct the id in the mapping, or choose the right project and dataset; or leave the file out: waive=[('mapping-id-unknown', 'its path')].
mapping-table | note | A mapping was written as a table (as pandas does); it was read exactly. | Nothing; the plain form is {"annotation file name": volume id, ...}.
mapping-beside-volumes | error | The source has a mapping and volumes: the masks could be meant for the volumes here, or for those of the ids. | For the volumes of the ids: scan(..., layout='annotations'). For the volumes here: waive='mapping-beside-volumes'.
annotation-matched | note | An annotation file was matched to a volume of the target by its exact name, as there is no mapping. | Nothing, if it is the right volume; else mapping={'file': volume id}.
plan-empty | error | Nothing would land: no volume, no object and no score. | See the findings for what was not taken; point scan() at the folder that holds the data.
"""
"""``code | severity | meaning | remedy``, a row a code, by topic."""


@dataclass(frozen=True)
class CatalogEntry:
    """What a code stands for."""

    code: str
    severity: str
    meaning: str
    remedy: str


def _sections() -> dict[str, tuple[CatalogEntry, ...]]:
    sections = {}
    for section in _TABLE.split("## ")[1:]:
        topic, *rows = section.strip().splitlines()
        sections[topic] = tuple(CatalogEntry(*row.split(" | ")) for row in rows)
    return sections


SECTIONS = _sections()
"""The entries by topic."""

CATALOG = {entry.code: entry for section in SECTIONS.values() for entry in section}


def lookup(code: str) -> CatalogEntry:
    """Return the catalogue's entry for a code.

    Raises KeyError if there is no such code; the text names the nearest ones.
    """
    try:
        return CATALOG[code]
    except KeyError:
        near = difflib.get_close_matches(code, CATALOG, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"There is no finding code {code!r}.{hint}") from None
