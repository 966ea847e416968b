"""What is on a volume and has no NIfTI form: other figures, tags, what others keep with figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nifti_kit.core.geometry import NORMALS
from nifti_kit.core.text import counted
from nifti_kit.exports.result import NotExported
from nifti_kit.targets.annotation import MASK_3D
from nifti_kit.targets.records import VolumeRef

NO_FORM = "a NIfTI file has no form for it"


def leavings(
    volume: VolumeRef, name: str, content: dict[str, Any], custom: Mapping[str, Any]
) -> Iterator[NotExported]:
    """Yield what of a volume's annotation is no mask with scores; ``name`` is for people.

    ``custom`` has the scores of figures by their keys.
    """
    for what, title, why, facts in _found(volume, content, custom):
        yield NotExported(volume.id, name, what, title, why, facts)


_Found = tuple[str, str, str, Any]
"""What it is, its class, why it has no form, and its content."""


def _found(
    volume: VolumeRef, content: dict[str, Any], custom: Mapping[str, Any]
) -> Iterator[_Found]:
    if tags := content.get("tags"):
        yield "tags", volume.name, f"{counted(len(tags), 'tag')} of the volume: {NO_FORM}", tags
    objects = content.get("objects") or ()
    spatial = content.get("spatialFigures") or ()
    flat = list(_on_slices(content))
    classes = {key: _title(one) for one in objects for key in _keys(one)}
    for figure in spatial:
        scores = custom.get(str(figure.get("key") or figure.get("id")), {})
        other = other_data(figure.get("customData") or scores, scores)
        yield from _figure(figure, classes.get(_owner(figure), ""), other)
    for where, figure in flat:
        why = f"{figure.get('geometryType', 'figure')} {where}: {NO_FORM}"
        yield "figure", classes.get(_owner(figure), ""), why, {"where": where, **figure}
    drawn = {_owner(figure) for figure in (*spatial, *(figure for _, figure in flat))}
    for one in objects:
        if tags := one.get("tags"):
            why = f"{counted(len(tags), 'tag')} of an object: {NO_FORM}"
            yield "tags", _title(one), why, {"object": one.get("id"), "tags": tags}
        if not drawn.intersection(_keys(one)):
            yield "object", _title(one), "it has no figure: nothing is drawn", one


def _figure(figure: dict[str, Any], title: str, other: dict[str, Any]) -> Iterator[_Found]:
    """Yield a 3D figure that is no mask, or what else than scores others keep with a mask."""
    kind = str(figure.get("geometryType", MASK_3D))
    if kind != MASK_3D:
        yield "figure", title, f"{kind}: {NO_FORM}", figure
    elif other:
        facts = {"figure": figure.get("id"), "customData": other}
        yield "custom data", title, f"it is no score: {NO_FORM}", facts


def _on_slices(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures that are drawn on single slices, with where that is in words."""
    for plane in content.get("planes") or ():
        for page in plane.get("slices") or ():
            for figure in page.get("figures") or ():
                yield f"on slice {page.get('index')} of the {plane.get('name')} plane", figure


def _title(one: dict[str, Any]) -> str:
    return str(one.get("classTitle", ""))


def _keys(one: dict[str, Any]) -> list[Any]:
    """Return what figures know an object by: its key in a folder, its id on an instance."""
    return [one[name] for name in ("key", "id") if one.get(name)]


def _owner(figure: dict[str, Any]) -> Any:
    return figure.get("objectKey") or figure.get("objectId")


def other_data(custom: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a figure's custom data is not by plane, or none of its ``scores``."""
    planes = scores.keys() & set(NORMALS.values())
    return {key: value for key, value in custom.items() if key not in planes}
