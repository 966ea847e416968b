"""What is on a volume besides masks with scores: other figures, tags, what others keep there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from nifti_kit.core.geometry import NORMALS
from nifti_kit.core.text import counted
from nifti_kit.targets.annotation import MASK_3D

TAGS, FIGURE, CUSTOM, OBJECT = "tags", "figure", "custom data", "object"
"""What it is."""


class Leaving(NamedTuple):
    """Something on a volume that is no mask with scores."""

    what: str  # ``tags``, ``figure``, ``custom data`` or ``object``
    name: str  # its class; empty for a volume's tags
    text: str  # what it is, in words
    content: Any  # what there is of it, as JSON has it
    # The key (in a folder) or the id (on an instance) of its object; None for a volume's tags.
    owner: Any


def leavings(content: dict[str, Any], scores: Mapping[str, Any]) -> Iterator[Leaving]:
    """Yield what of a volume's annotation is no mask with scores.

    ``scores`` has those of figures by the keys of the figures.
    """
    if tags := content.get("tags"):
        yield Leaving(TAGS, "", f"{counted(len(tags), 'tag')} of the volume", tags, None)
    objects = content.get("objects") or ()
    spatial = content.get("spatialFigures") or ()
    flat = list(_on_slices(content))
    classes = {key: _title(one) for one in objects for key in _keys(one)}
    for figure in spatial:
        own = scores.get(str(figure.get("key") or figure.get("id")), {})
        other = other_data(figure.get("customData") or own, own)
        yield from _figure(figure, classes.get(_owner(figure), ""), other)
    for where, figure in flat:
        what = f"{figure.get('geometryType', 'figure')} {where}"
        facts, owner = {"where": where, **figure}, _owner(figure)
        yield Leaving(FIGURE, classes.get(owner, ""), what, facts, owner)
    drawn = {_owner(figure) for figure in (*spatial, *(figure for _, figure in flat))}
    for one in objects:
        owner = next(iter(_keys(one)), None)
        if tags := one.get("tags"):
            text, facts = f"{counted(len(tags), 'tag')} of an object", {"object": one.get("id")}
            yield Leaving(TAGS, _title(one), text, {**facts, "tags": tags}, owner)
        if not drawn.intersection(_keys(one)):
            yield Leaving(OBJECT, _title(one), NO_FIGURE, one, owner)


NO_SCORE = "custom data that is no score"
NO_FIGURE = "it has no figure: nothing is drawn"


def _figure(figure: dict[str, Any], title: str, other: dict[str, Any]) -> Iterator[Leaving]:
    """Yield a 3D figure that is no mask, or what else than scores others keep with a mask."""
    kind = str(figure.get("geometryType", MASK_3D))
    if kind != MASK_3D:
        yield Leaving(FIGURE, title, kind, figure, _owner(figure))
    elif other:
        facts = {"figure": figure.get("id"), "customData": other}
        yield Leaving(CUSTOM, title, NO_SCORE, facts, _owner(figure))


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
