"""The catalogue of findings: one entry per fault, with its severity, meaning and remedy."""

from __future__ import annotations

import difflib

from nifti_kit.core.catalog.entry import CatalogEntry
from nifti_kit.core.catalog.images import FILES, GEOMETRY, LABELS
from nifti_kit.core.catalog.sets import CLASSES, MAPPING, SCORES, SETS

__all__ = ["CATALOG", "SECTIONS", "CatalogEntry", "lookup"]

SECTIONS: dict[str, tuple[CatalogEntry, ...]] = {
    "Files": FILES,
    "Geometry": GEOMETRY,
    "Labels": LABELS,
    "Sets of files": SETS,
    "Classes": CLASSES,
    "Scores": SCORES,
    "Mapping": MAPPING,
}
"""The entries by topic."""

CATALOG: dict[str, CatalogEntry] = {
    entry.code: entry for section in SECTIONS.values() for entry in section
}


def lookup(code: str) -> CatalogEntry:
    """Return the catalogue's entry for a code.

    Raises
    ------
    KeyError
        If there is no such code; the text names the nearest ones.
    """
    try:
        return CATALOG[code]
    except KeyError:
        near = difflib.get_close_matches(code, CATALOG, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"There is no finding code {code!r}.{hint}") from None
