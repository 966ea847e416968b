"""Files beside volumes by plane whose names lack a plane or a type word that is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from nifti_kit.core.findings import finding
from nifti_kit.core.text import listed
from nifti_kit.datasets.layouts.grouping import NO_PLANE, Files, Grouping, NamedFile
from nifti_kit.datasets.names import PLANE_WORDS, planes_meant

SHOWN = 4
"""Words that a message lists before it counts the rest."""

LIKELY_WORDS = frozenset(
    (
        *("pred", "preds", "prediction", "predictions", "predicted", "output", "result", "auto"),
        *("gt", "groundtruth", "truth", "manual", "consensus", "expert", "reader", "rater"),
        *("roi", "rois", "lesion", "lesions", "contour", "contours", "outline", "delineation"),
        *("lbl", "labeled", "labelled", "msk", "segm", "segmented", "annot", "annotated"),
    )
)
"""What others call an annotation: which word of several is shown as the type word."""


@dataclass(frozen=True)
class _Unplaced:
    """A file, the plane that its name means, the word for that, and what may be its type word."""

    file: NamedFile
    plane: str | None
    plane_word: str
    type_word: str | None
    others: tuple[str, ...]


def name_unplaced(
    files: Iterable[NamedFile], volumes: Collection[NamedFile], given: Files, grouping: Grouping
) -> None:
    """Name each file that has no plane, or no type word that is known, as an error."""
    found = [_unplaced(file, volumes) for file in files]
    likely = sorted({one.type_word for one in found if one.type_word in LIKELY_WORDS} - {None})
    for one in found:
        grouping.unused[one.file.relative] = ""
        shown = [*given.annotation_words, *(likely if one.type_word in LIKELY_WORDS else ())]
        shown += [one.type_word] if one.type_word else []
        code, message, remedy = _said(one, tuple(dict.fromkeys(shown)))
        grouping.findings.append(finding(code, one.file.relative, message, remedy=remedy))


def _unplaced(file: NamedFile, volumes: Collection[NamedFile]) -> _Unplaced:
    plane, plane_word, words = file.name.plane, "", list(file.name.words)
    if plane is None:
        plane, plane_word = planes_meant(file.name)
        words = [word for word in words if word != plane_word.casefold()]
        if plane is None:
            plane, plane_word, words = _glued(words)
    beside = [v for v in volumes if v.relative.parent == file.relative.parent]
    known = {word for v in beside if v.name.plane == plane for word in v.name.words}
    left = [word for word in words if word not in known and not word[0].isdigit()]
    others = tuple(word for word in left if "." not in word)
    likely = [word for word in others if word.rstrip("0123456789") in LIKELY_WORDS]
    chosen = likely[0].rstrip("0123456789") if likely else next(reversed(others), None)
    return _Unplaced(file, plane, plane_word, None if file.name.role else chosen, others)


def _glued(words: Sequence[str]) -> tuple[str | None, str, list[str]]:
    """Return the plane that stands within a word beside what may be a type word: ``axlpred``."""
    for at, word in enumerate(words):
        for plane in PLANE_WORDS:
            rest = word.removeprefix(plane) if word.startswith(plane) else word.removesuffix(plane)
            if rest != word and rest.rstrip("0123456789") in LIKELY_WORDS:
                return plane, plane, [*words[:at], rest, *words[at + 1 :]]
    return None, "", list(words)


def _said(one: _Unplaced, shown: tuple[str, ...]) -> tuple[str, str, str]:
    """Return code, message and remedy."""
    name = one.file.relative.name
    planes = [plane for plane in PLANE_WORDS if plane in one.file.name.case]
    if len(planes) > 1 and one.file.name.plane is None:
        return "plane-unknown", f"its name says several planes: {', '.join(planes)}", ""
    if one.plane is None:
        what = NO_PLANE if one.file.name.role else f"{NO_PLANE}, and no type word that is known"
        return "plane-unknown", what, ""
    words = ", ".join(f'"{word}"' for word in shown)
    further = f"scan(..., annotation_words=({words}{',' * (len(shown) == 1)}))"
    if one.plane_word and one.plane not in one.plane_word.casefold():
        what = f"its name says {one.plane_word!r}, which is no plane (axl, cor or sag)"
        remedy = f"Rename it with {one.plane}: {name.replace(one.plane_word, one.plane)}"
        if one.file.name.role is None and one.type_word:
            what += f", and {one.type_word!r} is no type word that is known"
            remedy += f", and if {one.type_word!r} says annotation: {further}"
        return "plane-unknown", what, f"{remedy}."
    what = f"its plane is {one.plane}, but no word of its name is a type word that is known"
    if one.type_word is None:
        return "type-word-unknown", what, ""
    what += f" ({listed(one.others, SHOWN)})"
    remedy = f"If {one.type_word!r} says that it is an annotation: {further}. "
    return "type-word-unknown", what, remedy + "If it is a volume, put 'anatomic' into its name."
