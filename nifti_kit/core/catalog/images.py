"""Codes about files, their geometry and their labels."""

from __future__ import annotations

from nifti_kit.core.catalog.entry import CatalogEntry

__all__ = ["FILES", "GEOMETRY", "LABELS"]

FILES = (
    CatalogEntry(
        "source-empty",
        "error",
        "The source holds no NIfTI file.",
        "Point scan() at the folder or archive that holds the .nii or .nii.gz files.",
    ),
    CatalogEntry(
        "file-unused",
        "warning",
        "A file is no part of the layout and will not land.",
        "Rename or move it so that it fits the layout, or leave it: nothing depends on it.",
    ),
    CatalogEntry(
        "file-hidden",
        "note",
        "A hidden file or folder was passed over (a name that starts with a dot, __MACOSX).",
        "Nothing, unless it was meant to be data: then rename it.",
    ),
    CatalogEntry(
        "file-unreadable",
        "error",
        "A file is damaged, cut short, or not what its name says.",
        "Copy or export the file again from where it came from.",
    ),
    CatalogEntry(
        "file-name",
        "error",
        "A name is not UTF-8, or has control characters: no report and no project can hold it.",
        "Rename the file or folder.",
    ),
    CatalogEntry(
        "link-outside",
        "note",
        "A link leads out of the source; what it leads to is taken in.",
        "Nothing, if that is meant; else remove the link.",
    ),
    CatalogEntry(
        "analyze-pair",
        "error",
        "An image in two files (.hdr and .img: ANALYZE 7.5, or a NIfTI pair) does not land.",
        "Convert it to one .nii or .nii.gz first, or move both files out of the source.",
    ),
    CatalogEntry(
        "file-name-packing",
        "note",
        "A file's name says gzip and its bytes do not, or the other way round.",
        "Nothing here; rename the file for other readers.",
    ),
    CatalogEntry(
        "image-unsupported",
        "error",
        "A sound image that can be neither a volume nor a mask (2D, 4D, RGB, complex, ...).",
        "4D: nk.repairs.pick_frame(dataset, file, frame). Others: convert it to a 3D image of one "
        "number per voxel, or move it out of the folder.",
    ),
    CatalogEntry(
        "repaired",
        "note",
        "A file was repaired in memory; what lands is not what is on disk.",
        "Nothing; the repair's own proof says what it changed.",
    ),
)

GEOMETRY = (
    CatalogEntry(
        "grid-unusable",
        "error",
        "The header's affine is not finite, has an axis of length 0, or a size that no image has.",
        "A mask in its volume's voxel order: nk.repairs.take_header. Else write the file again "
        "with a right header (sform or qform).",
    ),
    CatalogEntry(
        "grid-sheared",
        "error",
        "The axes of the image are not perpendicular; the platform cannot hold that.",
        "A mask: nk.repairs.resample puts it onto its volume's grid. A volume: resample it onto "
        "perpendicular axes where it came from.",
    ),
    CatalogEntry(
        "affine-forms-disagree",
        "warning",
        "sform and qform place the voxels differently; readers will choose differently.",
        "The sform is used (NIfTI-1: method 3 before 2). If it is the wrong one, remove it.",
    ),
    CatalogEntry(
        "affine-missing",
        "warning",
        "Neither sform nor qform is set; the voxel size alone places the voxels (method 1).",
        "If the image has a known orientation, write it to the header: left and right may be "
        "exchanged here.",
    ),
    CatalogEntry(
        "voxel-size-odd",
        "warning",
        "pixdim is no voxel size, or another one than that of the affine in force.",
        "The affine places the voxels. If its voxel size is the wrong one, write the header again.",
    ),
    CatalogEntry(
        "readers-disagree",
        "warning",
        "nibabel or ITK places the voxels elsewhere than the NIfTI standard, which is used here.",
        "Save the file again with sform and qform alike, both codes 1, and millimetres as unit.",
    ),
    CatalogEntry(
        "mask-reoriented",
        "note",
        "A mask has its volume's voxels in another order; it is reordered exactly.",
        "Nothing.",
    ),
    CatalogEntry(
        "mask-header-lost",
        "error",
        "A mask has its volume's shape, but the affine of an array saved without a header.",
        "If the voxels are in the volume's order: nk.repairs.take_header(dataset, file).",
    ),
    CatalogEntry(
        "mask-translated",
        "error",
        "A mask has its volume's shape and directions, but lies elsewhere.",
        "If it was made on this volume: nk.repairs.take_header(dataset, file). If its header is "
        "right: nk.repairs.resample. Else find its volume.",
    ),
    CatalogEntry(
        "mask-resampled",
        "error",
        "A mask is on another grid than its volume, though they overlap in space.",
        "nk.repairs.resample(dataset, file): nearest neighbours on the volume's grid.",
    ),
    CatalogEntry(
        "mask-apart",
        "error",
        "A mask and its volume do not meet in space.",
        "Check that the mask belongs to this volume (patient, series). If only its header is "
        "wrong: nk.repairs.take_header.",
    ),
)

LABELS = (
    CatalogEntry(
        "labels-unusable",
        "error",
        "A label map holds values that are no labels: fractions, NaN, negative or above 65535.",
        "Save the label map with integers from 0 to 65535, or nk.repairs.round_labels (with "
        "threshold=0.5 for a probability map).",
    ),
    CatalogEntry(
        "labels-rounded",
        "note",
        "Labels stored as floats were within 0.001 of an integer and were rounded.",
        "Nothing; save label maps as integers to avoid this.",
    ),
    CatalogEntry(
        "labels-scaled",
        "note",
        "A label file has scl_slope or scl_inter set; the scaled values were used.",
        "Save label maps without scaling (scl_slope 1, scl_inter 0).",
    ),
    CatalogEntry(
        "mask-empty",
        "warning",
        "A label map has no voxel but background; nothing lands from it.",
        "If the structure should be there, export the mask again.",
    ),
    CatalogEntry(
        "mask-full",
        "warning",
        "Every voxel of a label map has the same value: there is no background.",
        "Check whether the file is a mask; if the structure is smaller, export the mask again.",
    ),
    CatalogEntry(
        "label-specks",
        "warning",
        "A label has so few voxels that it may be a slip of the brush or a leftover.",
        "Look at it where it lies; nk.repairs.drop_specks removes such specks.",
    ),
    CatalogEntry(
        "label-disconnected",
        "note",
        "A label falls into parts that do not touch.",
        "Nothing, if that is right (both lungs); nk.repairs.drop_specks removes tiny parts.",
    ),
    CatalogEntry(
        "labels-gradient",
        "warning",
        "A label map of integers has the values of a picture, a probability map or a blurred mask.",
        "Put a probability map through a threshold first; resample a mask with nearest neighbours.",
    ),
    CatalogEntry(
        "masks-overlap",
        "warning",
        "Two annotation files of a volume claim the same voxels; both land.",
        "If a voxel can have one class only, take the voxels out of one of the two files.",
    ),
    CatalogEntry(
        "scaling-ignored",
        "warning",
        "A header's scl_slope or scl_inter is not finite; the stored numbers were used unscaled.",
        "If the values are wrong that way, write the file again with a right scl_slope.",
    ),
)
