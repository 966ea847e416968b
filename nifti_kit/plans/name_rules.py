"""How the name of an annotation file is like that of a volume: the rules, the strictest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nifti_kit.core.text import listed
from nifti_kit.datasets.names import words_of
from nifti_kit.datasets.plain_names import PlainName, numbered_words, plain_name

EXACT = "exact name"
CASE = "case identifiers"


def _spellings(
    name: str, folders: tuple[str, ...], further: tuple[str, ...]
) -> Iterator[PlainName]:
    """Yield a file's name with all of its folders' names in front, with fewer, with none.

    A volume of a name that several have got its folders' names in front on the platform.
    """
    for first in range(len(folders) + 1):
        yield plain_name("_".join([*folders[first:], name]), further)


Positions = npt.NDArray[np.int64]
"""Places of things in their order, from 0, ascending."""

_NOWHERE: Positions = np.array([], np.int64)

Key = TypeVar("Key", bound=Hashable)


class WordIndex:
    """Sets of words, and which of them are like another; what is found are their positions."""

    def __init__(self, sets: Sequence[frozenset[str]]) -> None:
        self._sizes = np.array([len(words) for words in sets], np.int16)
        self._of_case = _grouped((words, at) for at, words in enumerate(sets))
        self._having = _grouped((word, at) for at, words in enumerate(sets) for word in words)

    def in_common(self, words: Iterable[str]) -> npt.NDArray[np.int16]:
        """Return how many words the case of each name has in common with others."""
        counts = np.zeros_like(self._sizes)
        for word in words:
            counts[self._having.get(word, _NOWHERE)] += 1
        return counts

    def of_case(self, words: frozenset[str]) -> Positions:
        """Return where the case words are these, and there are any."""
        return self._of_case.get(words, _NOWHERE) if words else _NOWHERE

    def of_part(self, words: frozenset[str]) -> Positions:
        """Return where the case words are among these, or these among them, and there are any."""
        if self._having.keys().isdisjoint(words):
            return _NOWHERE
        counts = self.in_common(words)
        return np.flatnonzero((counts > 0) & ((counts == len(words)) | (counts == self._sizes)))


class NameIndex:
    """The names of volumes, and which of them are like another: none is compared with each.

    ``names``: volumes' names; what is found of them are their positions here.
    """

    def __init__(self, names: Sequence[PlainName]) -> None:
        self._names = names
        self._equal = _grouped((name, at) for at, name in enumerate(names))

    @cached_property
    def words(self) -> WordIndex:
        """Their case words."""
        return WordIndex([name.case for name in self._names])

    @cached_property
    def numbered(self) -> WordIndex:
        """Their case words, in which numbers are numbers; where there is none, that at the end."""
        return WordIndex([_with_tail(name) for name in self._names])

    @cached_property
    def numbers(self) -> WordIndex:
        """Their numbers, whatever stands before them."""
        return WordIndex([frozenset(n for _, n in name.own_numbers) for name in self._names])

    def named(self, name: PlainName) -> Positions:
        """Return where an annotation's name is a volume's, with or without an index at its end."""
        tails = dict.fromkeys((name.tail, name.tail[:-1]))
        found = (self._equal.get(replace(name, tail=tail), _NOWHERE) for tail in tails)
        return np.sort(np.concatenate(list(found)))

    def in_common(self, name: PlainName) -> npt.NDArray[np.int16]:
        """Return how many words and numbers of the case each name has in common with another."""
        numbers = {number for _, number in name.numbers}
        return self.numbered.in_common(name.numbered) + self.numbers.in_common(numbers)


def _with_tail(name: PlainName) -> frozenset[str]:
    return name.numbered if name.numbers else name.numbered | {str(number) for number in name.tail}


def _grouped(pairs: Iterable[tuple[Key, int]]) -> dict[Key, Positions]:
    """Return the positions of each key."""
    found: defaultdict[Key, list[int]] = defaultdict(list)
    for key, position in pairs:
        found[key].append(position)
    return {key: np.array(positions) for key, positions in found.items()}


@dataclass(frozen=True)
class NameRule:
    """One way in which a volume's name may fit a file's."""

    name: str  # ``exact name`` or ``case identifiers``
    looseness: int  # how loose the rule is, from 0
    # Whether it is for volumes without a plane in their names, or for those of the file's plane.
    planeless: bool
    fitting: Callable[[NameIndex], Positions]  # returns where a volume's name fits


def name_rules(
    name: str, folders: tuple[str, ...], further: tuple[str, ...] = ()
) -> Iterator[NameRule]:
    """Yield the rules for a file's name, the strictest first.

    ``folders``: the file's folders inside its dataset: their words may be part of the volume's
    name.
    ``further``: the dataset's own type words of annotations.
    """
    for number, spelled in enumerate(_spellings(name, folders, further)):
        yield NameRule(EXACT, number, False, partial(NameIndex.named, name=spelled))
    own = spelled  # the last of them has no folder in front
    above = [word for folder in folders for word in words_of(folder)]
    readings: list[tuple[Callable[[NameIndex], WordIndex], tuple[frozenset[str], ...]]] = [
        (lambda index: index.words, (own.case, own.case.union(above))),
        (lambda index: index.numbered, (own.numbered, numbered_words([*above, *own.ordered]))),
    ]
    has_number = any(letter.isdigit() for word in (*above, *own.ordered) for letter in word)
    ways = product((WordIndex.of_case, WordIndex.of_part), readings, (0, 1), (False, True))
    for number, (alike, (of, sets), with_folders, planeless) in enumerate(ways):
        is_same = with_folders and sets[1] == sets[0]
        if not is_same and (has_number or of is readings[0][0]):
            words = sets[with_folders]
            yield NameRule(CASE, number, planeless, partial(_fitting, of, alike, words))


def _fitting(
    of: Callable[[NameIndex], WordIndex],
    alike: Callable[[WordIndex, frozenset[str]], Positions],
    words: frozenset[str],
    index: NameIndex,
) -> Positions:
    return alike(of(index), words)


# Which dataset of a project a folder is named like: texts in, texts out

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

    ``datasets``: the datasets' names; nested ones with ``/``.
    ``folders``: the folders of the source that hold annotations, each as its parts.
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
            return (
                tuple(named),
                (),
                f"its folder {folder} is like {listed(named, SHOWN)}: which one?",
            )
        there = listed(self.datasets, SHOWN)
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
