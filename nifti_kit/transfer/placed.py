"""Placed by a person: what landed lies where a step put it, not where its own file says."""

from __future__ import annotations

from collections.abc import Iterable

from nifti_kit.core.text import counted, listed
from nifti_kit.errors import visible
from nifti_kit.plans.provenance import Provenance

SHOWN = 4
"""Files that a title names before it counts the rest."""


def placed_files(made_of: Provenance) -> dict[str, str]:
    """Return the files that a person placed, with the step that did: a repair, or ``volumes``.

    Of what was read alone: a file that was left out afterwards lies nowhere.
    """
    found = {one.file: one.placed for one in made_of.repairs if one.placed}
    for file in made_of.choices.get("volumes") or {}:
        found[file] = f"volumes, {found[file]}" if file in found else "volumes"
    return {file: step for file, step in found.items() if file in made_of.files}


def placed_text(made_of: Provenance, **sources: Iterable[str]) -> str:
    """Return what landed where a person put it, to stand in a title; empty where nothing did.

    ``sources`` are the source files of what landed, one for each, by what it is. A comparison with
    the source holds such a thing against the file as the person's step left it.
    """
    placed = placed_files(made_of)
    if not placed:
        return ""
    counts = {noun: sum(file in placed for file in own) for noun, own in sources.items()}
    counts["score table"] = sum(file.casefold().endswith(".csv") for file in placed)
    landed = [counted(count, noun) for noun, count in counts.items() if count]
    if not landed:
        return ""
    verb = "lies" if sum(counts.values()) == 1 else "lie"
    them = "it" if verb == "lies" else "them"
    named = listed((f"{step}: {visible(file)}" for file, step in placed.items()), SHOWN)
    return f"; {' and '.join(landed)} {verb} where a person put {them} ({named})"


def placed_lines(made_of: Provenance, most: int) -> list[str]:
    """Return so many of the files that a person placed, a line each, and how many more."""
    what = {one.file: one.what for one in made_of.repairs}
    chosen = made_of.choices.get("volumes") or {}
    lines = []
    for file in placed_files(made_of):
        said = [f"of the volume {chosen[file]}, as was chosen"] if file in chosen else []
        lines.append(
            f"Put by a person: {file}: {'; '.join([*said, *filter(None, [what.get(file)])])}"
        )
    more = len(lines) - most
    return lines[:most] + [f"Put by a person: {counted(more, 'more file')}"] * (more > 0)
