"""Mixed trees: folders by plane and folders by volume side by side, each read by its own layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from nifti_kit.core.findings import finding
from nifti_kit.datasets.layouts.by_plane import group_by_plane
from nifti_kit.datasets.layouts.by_volume import group_by_volume
from nifti_kit.datasets.layouts.grouping import Files, Grouping, note_prefixed_names
from nifti_kit.datasets.names import VOLUME, parse_name, planes_meant, stem, unique_names


def group_by_folder(files: Files) -> Grouping:
    """Return the items of a tree with volumes by plane; its other folders are read by volume.

    A folder with a volume by plane is read by plane. A file in it without plane and type word is
    a volume by volume if a folder of its name is beside it.
    """
    paths = [*(image.relative for image in files.images), *files.unreadable]
    names = {path: parse_name(path.name, files.annotation_words) for path in paths}
    volumes = {path for path, name in names.items() if name.plane and name.role == VOLUME}
    folders = {path.parent for path in volumes}
    above = {parent for path in paths for parent in path.parents}
    others = {
        path
        for path, name in names.items()
        if path.parent not in folders
        or (not name.plane and not name.role and path.parent / stem(path.name) in above)
    }
    if not others:
        return group_by_plane(files)
    by_volume = group_by_volume(replace(_part(files, others), tables=()))
    strayed = _strayed(by_volume, {path.parent / stem(path.name): path for path in volumes}, files)
    by_plane = group_by_plane(_part(files, {*names} - others | strayed))
    return _together(by_plane, by_volume)


def _part(files: Files, paths: set[PurePosixPath]) -> Files:
    return replace(
        files,
        images=tuple(image for image in files.images if image.relative in paths),
        unreadable=tuple(path for path in files.unreadable if path in paths),
    )


def _strayed(
    grouping: Grouping, volumes: Mapping[PurePosixPath, PurePosixPath], files: Files
) -> set[PurePosixPath]:
    """Take out the files that are no volumes by volume; return those that are read by plane.

    These have a plane, or a type word and what others call a plane. ``volumes`` are those by
    plane, by the folder of their name: masks in it are named here.
    """
    strayed, kept = set(), []
    for item in grouping.items:
        image = item.volume
        assert image is not None  # each item by volume has one
        name = files.named(image).name
        folder = next((parent for parent in image.relative.parents if parent in volumes), None)
        if not item.masks and (name.plane or (name.role and planes_meant(name)[0])):
            strayed.add(image.relative)
        elif not item.masks and folder is not None:
            message = f"its folder is named like {volumes[folder]}, a volume by plane"
            remedy = (
                "Put it beside its volume, with plane and type word in its name; or read all by "
                "volume: scan(..., layout='by_volume')."
            )
            found = finding("annotation-without-volume", image.relative, message, remedy=remedy)
            grouping.findings.append(found)
            grouping.unused[image.relative] = ""
        else:
            kept.append(item)
    grouping.items = kept
    return strayed


def _together(*groupings: Grouping) -> Grouping:
    """Return groupings as one; names are unique over all of them."""
    items = [item for one in groupings for item in one.items]
    found = [f for one in groupings for f in one.findings if f.code != "name-prefixed"]
    unused = {path: why for one in groupings for path, why in one.unused.items()}
    together = Grouping([], unused, found)
    images = [item.volume for item in items if item.volume is not None]
    names = unique_names([image.relative for image in images])
    together.items = [
        replace(item, name=name, set_key=item.set_key if item.plane else (item.folder, name))
        for item, name in zip(items, names, strict=True)
    ]
    note_prefixed_names(images, names, together)
    return together
