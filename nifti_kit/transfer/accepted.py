"""What a person answers for: accepted errors of what landed, and what a step put elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from nifti_kit.core.findings import Finding, Findings, Waiver
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import visible
from nifti_kit.plans.left_out import LeftOut
from nifti_kit.plans.provenance import Provenance

SHOWN = 4
"""Codes or files that a title names before it counts the rest."""

BY_HAND = ("chosen", "place")
"""The rules of a mapping's rows where a person, and no name, said which volume it is."""

Accepted = tuple[Finding, ...]


def accepted_errors(
    findings: Findings, waivers: Iterable[Waiver], left_out: Iterable[LeftOut]
) -> Accepted:
    """Return the errors that a person accepted, but for those of files that did not land."""
    said = set(waivers)
    gone = {path for one in left_out for path in (one.path, *one.files)}
    return tuple(
        found
        for found in findings.waived
        if found.severity == "error"
        and found.path not in gone
        and not said.isdisjoint((found.code, (found.code, found.path)))
    )


def accepted_text(accepted: Sequence[Finding], **sources: Iterable[str]) -> str:
    """Return what landed with accepted errors, to stand in a title; empty where nothing did.

    ``sources`` are the source files of what landed, one for each, by what it is. An error of a
    folder, or of the whole source, is one of all that lies in it.
    """
    if not accepted:
        return ""
    landed, codes = counted_of(accepted, **sources)
    if not landed:
        return f"; {counted(len(accepted), 'accepted error')} ({codes})"
    return f"; {landed} landed with accepted errors ({codes})"


def counted_of(found: Sequence[Finding], **sources: Iterable[str]) -> tuple[str, str]:
    """Return how much of what landed some findings concern, in words, and their codes."""
    paths = {str(PurePosixPath(one.path)) for one in found}
    counts = {noun: sum(_concerns(paths, file) for file in own) for noun, own in sources.items()}
    landed = [counted(count, noun) for noun, count in counts.items() if count]
    return " and ".join(landed), listed(dict.fromkeys(one.code for one in found), SHOWN)


def accepted_lines(accepted: Sequence[Finding], most: int) -> list[str]:
    """Return so many of the accepted errors, a line each, and how many more there are."""
    lines = [f"Accepted: {one.code}, {one.path or 'the source'}: {one.message}" for one in accepted]
    more = len(lines) - most
    return lines[:most] + [f"Accepted: {counted(more, 'more error')}"] * (more > 0)


def accepted_codes(accepted: Iterable[Finding], file: str) -> tuple[str, ...]:
    """Return the codes of the accepted errors that concern a source file."""
    found = (one.code for one in accepted if _concerns({str(PurePosixPath(one.path))}, file))
    return tuple(dict.fromkeys(found))


def _concerns(paths: set[str], file: str) -> bool:
    path = PurePosixPath(file)
    return bool(file) and not paths.isdisjoint(map(str, (path, *path.parents)))


def accepted_facts(accepted: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return accepted errors as JSON has them."""
    return [{"code": one.code, "path": one.path, "message": one.message} for one in accepted]


# What lies where a step put it, not where its own file says


def placed_files(made_of: Provenance) -> dict[str, str]:
    """Return the files that a person placed, with what did: a repair, ``volumes``, ``mapping``.

    Of what was read alone: a file that was left out afterwards lies nowhere.
    """
    found = {one.file: one.placed for one in made_of.repairs if one.placed}
    for file in made_of.choices.get("volumes") or {}:
        found[file] = f"volumes, {found[file]}" if file in found else "volumes"
    for row in made_of.choices.get("mapping") or ():
        if row["rule"] in BY_HAND and row["volume"] is not None:
            file = row["path"]
            found[file] = f"mapping, {found[file]}" if file in found else "mapping"
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
