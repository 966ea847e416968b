"""Data-set cards: what landed in a page of Markdown, for those who will use it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from nifti_kit.core.catalog import CATALOG
from nifti_kit.core.findings import Finding
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import visible
from nifti_kit.formats.class_maps import color_text
from nifti_kit.plans.left_out import LeftOut
from nifti_kit.plans.provenance import Provenance
from nifti_kit.transfer.landed import LandedItem, LandedObject

SHOWN = 6
"""Voxel sizes, files or words that a cell lists before it counts the rest."""

MM3_PER_ML = 1000

Cells = Sequence[object]


def card_text(
    items: Sequence[LandedItem],
    made_of: Provenance,
    left_out: Iterable[LeftOut],
    accepted: Iterable[Finding],
) -> str:
    """Return the card of what landed. Names are escaped, and no folder is named but the source."""
    objects = [landed for item in items for landed in item.objects]
    parts = (
        _head(items, objects, made_of),
        _classes(objects),
        _decisions(made_of, left_out, accepted),
        _files(made_of),
    )
    return "\n".join(line for part in parts for line in part)


def escaped(text: object) -> str:
    r"""Return a text that Markdown shows as it is: no markup, link or end of a cell.

    >>> escaped("a|b <i> www.x.org")
    'a\\|b \\<i\\> www\\.x.org'
    """
    shown = re.sub(r"([\\`*_{}\[\]<>&|#~!$@])", r"\\\1", visible(text))
    return shown.replace("://", ":\\/\\/").replace("www.", "www\\.")


def _table(head: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    """Yield the lines of a table; nothing where it has no rows."""
    lines = ["| " + " | ".join(map(escaped, row)) + " |" for row in rows]
    if lines:
        yield "| " + " | ".join(map(str, head)) + " |"
        yield "| " + " | ".join("---" for _ in head) + " |"
        yield from lines


def _head(
    items: Sequence[LandedItem], objects: Sequence[LandedObject], made_of: Provenance
) -> Iterator[str]:
    yield f"# Data set: {escaped(made_of.source or 'of an unknown source')}"
    yield ""
    what = (
        f"{counted(len(items), 'volume')} with {counted(len(objects), 'object')}, "
        f"from NIfTI files, landed on {made_of.target or 'a target'}"
    )
    when = "" if made_of.ended is None else f" on {made_of.ended:%Y-%m-%d %H:%M} UTC"
    yield f"{escaped(what)}{when}."
    yield ""
    scores = sum(landed.planned.score_count for landed in objects)
    datasets = Counter(item.volume.dataset for item in items)
    added = sum(item.added for item in items)
    there = len(items) - added
    rows = [
        ("Source", made_of.source),
        ("Layout", made_of.choices.get("layout", "")),
        ("Datasets", listed((f"{k} ({counted(n, 'volume')})" for k, n in datasets.items()), SHOWN)),
        ("Volumes", f"{added} new, {there} there before"),
        ("Voxel size, mm (R, A, S)", _sizes(items)),
        ("Objects", len(objects)),
        ("Scores", f"{scores} on slices"),
        ("Score updates", sum(len(item.updates) for item in items)),
    ]
    yield from _table(("What", ""), ((name, cell) for name, cell in rows if cell))
    yield ""


def _sizes(items: Sequence[LandedItem]) -> str:
    sizes = Counter(" x ".join(f"{mm:.3g}" for mm in item.volume.grid.voxel_size) for item in items)
    shown = (f"{size} ({counted(n, 'volume')})" for size, n in sizes.most_common())
    return listed(shown, SHOWN, "; ")


def _classes(objects: Iterable[LandedObject]) -> Iterator[str]:
    own: defaultdict[str, list[LandedObject]] = defaultdict(list)
    for landed in objects:
        own[landed.ref.class_name].append(landed)
    rows = [
        (
            name,
            color_text(some[0].planned.color),
            len(some),
            sum(landed.planned.voxels for landed in some),
            f"{sum(landed.planned.mm3 for landed in some) / MM3_PER_ML:.4g}",
        )
        for name, some in own.items()
    ]
    if rows:
        yield from ("## Classes", "")
        yield from _table(("Class", "Colour", "Objects", "Voxels", "ml"), rows)
        yield ""


def _decisions(
    made_of: Provenance, left_out: Iterable[LeftOut], accepted: Iterable[Finding]
) -> Iterator[str]:
    """Yield what a person decided: what did not land, what was accepted, what was mended."""
    out = [(one.path, one.code, _meaning(one.code)) for one in left_out]
    errors = [(one.path, one.code, _meaning(one.code)) for one in accepted]
    pairs = [("all", one) if isinstance(one, str) else one[::-1] for one in made_of.waivers]
    why = [made_of.reasons.get(one, "") for one in made_of.waivers]
    waivers = [
        (path, code, _meaning(code), said) for (path, code), said in zip(pairs, why, strict=True)
    ]
    repairs = [(one.file, one.what, one.left) for one in made_of.repairs]
    chosen = made_of.choices.get("volumes") or {}
    repairs += [
        (file, f"of the volume {volume}, as was chosen", "") for file, volume in chosen.items()
    ]
    for heading, head, rows in (
        ("Left out", ("File", "Code", "Why"), out),
        ("Landed with accepted errors", ("File", "Code", "What it means"), errors),
        ("Waivers", ("File", "Code", "What is accepted", "Why"), waivers),
        ("Repairs", ("File", "What was done", "What was left"), repairs),
    ):
        yield from (f"## {heading}", "")
        yield from _table(head, rows) if rows else ("None.",)
        yield ""


def _meaning(code: str) -> str:
    return CATALOG[code].meaning if code in CATALOG else ""


def _files(made_of: Provenance) -> Iterator[str]:
    """Yield versions, choices and checksums."""
    yield from ("## Made with", "")
    chosen = {k: v for k, v in made_of.choices.items() if isinstance(v, str | int)}
    rows = [(name, number or "not installed") for name, number in made_of.versions.items()]
    yield from _table(("What", ""), [*rows, *chosen.items()])
    files = made_of.files
    yield from ("", f"<details><summary>SHA-256 of {counted(len(files), 'file')}</summary>", "")
    sums = ((path, found.sha256, found.size) for path, found in files.items())
    yield from _table(("File", "SHA-256", "Bytes"), sums)
    yield from ("", "</details>", "")
