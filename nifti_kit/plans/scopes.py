"""Which dataset of a project a folder is named like: texts in, texts out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

__all__ = ["DatasetFolders"]

SHOWN = 4
"""Datasets that a message lists before it counts the rest."""


def _last(dataset: str) -> str:
    return dataset.rsplit("/", 1)[-1]


_READINGS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (str, str),
    (str.casefold, str.casefold),
    (_last, str),
    (lambda dataset: _last(dataset).casefold(), str.casefold),
)
"""How a dataset and a folder may be alike, the strictest first: a nested dataset (``a/b``) by its
whole name, else by its own alone."""


class DatasetFolders:
    """Which folders of a source are named like datasets.

    Parameters
    ----------
    datasets
        The datasets' names; nested ones with ``/``.
    folders
        The folders of the source that hold annotations, each as its parts.
    """

    def __init__(self, datasets: Collection[str], folders: Iterable[tuple[str, ...]]) -> None:
        self.datasets = tuple(sorted(datasets))
        self._known: list[tuple[Callable[[str], str], dict[str, list[str]]]] = []
        for of_dataset, of_folder in _READINGS:
            known: defaultdict[str, list[str]] = defaultdict(list)
            for dataset in self.datasets:
                known[of_dataset(dataset)].append(dataset)
            self._known.append((of_folder, dict(known)))
        self.in_force = len(self.datasets) > 1 or any(self._named(parts)[0] for parts in folders)
        """Whether folders are dataset names: the scope is a project, or one of them says so."""

    def of(self, parts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        """Return the datasets that a folder's files may go to, and the folders inside it.

        The third is why there is no such dataset; the first then are those that may be meant.
        """
        if not self.in_force or not parts:
            return self.datasets, parts, ""
        named, inner = self._named(parts)
        if len(named) == 1:
            return tuple(named), inner, ""
        folder = "/".join(parts)
        if named:
            return tuple(named), (), f"its folder {folder} is like {_listed(named)}: which one?"
        there = _listed(self.datasets)
        return (), (), f"no dataset is named like its folder {folder} (there are: {there})"

    def _named(self, parts: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
        """Return the datasets that a run of folders is named like, and the folders behind it.

        The outermost run counts, and of those the longest.
        """
        for start in range(len(parts)):
            for stop in range(len(parts), start, -1):
                found = self._alike("/".join(parts[start:stop]))
                if found:
                    return found, parts[stop:]
        return [], ()

    def _alike(self, folder: str) -> list[str]:
        for spelled, known in self._known:
            found = known.get(spelled(folder))
            if found:
                return found
        return []


def _listed(names: Collection[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(list(names)[:SHOWN]) + more
