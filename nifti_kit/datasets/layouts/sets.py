"""Sets: the volumes by plane of one folder, and which of them a file belongs to.

The folder decides (specification); words only tell volumes of one plane and folder apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.layouts.grouping import Link, NamedFile

SHOWN = 4
"""Volumes or words that a message lists before it counts the rest."""

SetKey = tuple[str, ...]
"""Folder, the words that tell the set from others of its folder, and numbers where needed."""


class PlaneFolder:
    """The volumes by plane of one folder.

    ``volumes``: those of the folder, also such as cannot be read: what is theirs is not another's.
    ``tree``: those of the whole source.
    """

    def __init__(self, volumes: Sequence[NamedFile], tree: PlaneTree) -> None:
        self.volumes, self._tree = volumes, tree
        self._by_plane = _by_plane(volumes)
        self.is_one_set = all(len(own) == 1 for own in self._by_plane.values())

    def keys(self) -> dict[NamedFile, SetKey]:
        """Return the key of each volume's set: one set where no plane has several volumes."""
        folder = str(self.volumes[0].relative.parent)
        if self.is_one_set:
            return dict.fromkeys(self.volumes, (folder, ""))
        words = _telling_words(self._by_plane)
        groups: defaultdict[tuple[str | None, frozenset[str]], list[NamedFile]] = defaultdict(list)
        for volume in self.volumes:
            groups[volume.name.plane, words[volume]].append(volume)
        numbered = {own for (_, own), group in groups.items() if len(group) > 1}
        return {
            volume: (
                folder,
                "_".join(sorted(words[volume])),
                *(map(str, volume.name.tail) if words[volume] in numbered else ()),
            )
            for volume in self.volumes
        }

    def owner(self, file: NamedFile) -> tuple[NamedFile, Link] | str:
        """Return the volume that a file belongs to, and the link to it; or why there is none."""
        own = self._by_plane.get(file.name.plane, [])
        if not own:
            return self._tree.no_volume(file, self.volumes)
        chosen = own if len(own) == 1 else _fitting(file, own)
        links = [
            (volume, link)
            for volume in chosen
            if (link := _link(file, volume, alone=len(chosen) == 1)) is not None
        ]
        fits = any(_fit(file, volume) for volume in chosen)
        if not fits and (rivals := self._rivals(file, own)):
            return f"its words are those of {_named(rivals)}, not of {_named(own)} beside it"
        if len(links) != 1:
            what = f"{counted(len(own), 'volume')} of plane {file.name.plane} could own it"
            return f"{what}, and its words and number do not say which: {_named(own)}"
        volume, link = links[0]
        return (volume, link) if volume.image else f"its volume {volume.relative} cannot be used"

    def _rivals(self, file: NamedFile, own: Collection[NamedFile]) -> list[NamedFile]:
        """Return the volumes of other cases whose words are the file's, more than those of its own.

        Those of the same plane in other folders; in its own folder, where there are several sets,
        those of other planes too.
        """
        beside = () if self.is_one_set else self.volumes
        foreign = _words(file) - frozenset.intersection(*map(_words, own))
        others = [*self._tree.with_a_word(file.name.plane, foreign), *beside]
        shared = max(len(_words(file) & _words(volume)) for volume in own)
        return [
            volume
            for volume in dict.fromkeys(others)
            if volume not in own
            and _fit(file, volume)
            and len(_words(file) & _words(volume)) > shared
        ]


class PlaneTree:
    """The volumes by plane of a whole source, found by the words of their names."""

    def __init__(self, volumes: Iterable[NamedFile]) -> None:
        self._by_word: defaultdict[tuple[str | None, str], list[NamedFile]] = defaultdict(list)
        for volume in volumes:
            for word in _words(volume):
                self._by_word[volume.name.plane, word].append(volume)

    def with_a_word(self, plane: str | None, words: Iterable[str]) -> Iterable[NamedFile]:
        """Return the volumes of a plane that have one of the words."""
        lists = (self._by_word.get((plane, word), ()) for word in sorted(words))
        return dict.fromkeys(volume for found in lists for volume in found)

    def no_volume(self, file: NamedFile, here: Sequence[NamedFile]) -> str:
        """Return that a file's folder has no volume of its plane, and where its words have one."""
        has = f" (there are {_named(here)})" if here else ""
        alike = self.with_a_word(file.name.plane, _words(file))
        same = [volume for volume in alike if _words(volume) == _words(file)]
        elsewhere = f"; elsewhere there is {_named(same)}" if same else ""
        return f"its folder has no volume of plane {file.name.plane}{has}{elsewhere}"


def differing_words(file: NamedFile, volume: NamedFile) -> str:
    """Return which words the names of a file and its volume do not share; empty where none."""
    said = []
    for first, second, where in ((file, volume, "its name"), (volume, file, "the volume's")):
        alone = [word for word in first.name.words if word not in second.name.words]
        if alone:
            said.append(f"{listed(dict.fromkeys(alone), SHOWN)} in {where} alone")
    if not said and file.name.tail[:-1] not in ((), volume.name.tail, volume.name.tail[:-1]):
        said = [f"the numbers {listed(file.name.tail[:-1], SHOWN)} in its name"]
    return "; ".join(said)


def _by_plane(volumes: Iterable[NamedFile]) -> dict[str | None, list[NamedFile]]:
    found: defaultdict[str | None, list[NamedFile]] = defaultdict(list)
    for volume in volumes:
        found[volume.name.plane].append(volume)
    return dict(found)


def _words(file: NamedFile) -> frozenset[str]:
    return frozenset(file.name.words)


def _telling_words(
    by_plane: Mapping[str | None, Sequence[NamedFile]],
) -> dict[NamedFile, frozenset[str]]:
    """Return the words of each volume that tell it from the others of its plane.

    A volume that is alone in its plane, or has more words than its set has in other planes, takes
    those of the one set that has all of its words, or that its own words hold.
    """
    telling: dict[NamedFile, frozenset[str]] = {}
    same: defaultdict[frozenset[str], set[frozenset[str]]] = defaultdict(set)
    for own in by_plane.values():
        common = frozenset.intersection(*map(_with_numbers, own)) if len(own) > 1 else frozenset()
        telling |= {volume: _with_numbers(volume) - common for volume in own}
        for volume in own if len(own) > 1 else ():
            same[_with_numbers(volume)].add(telling[volume])
    found = dict(telling)
    for own in by_plane.values():
        there = {telling[volume] for volume in own}
        for volume in own:
            alike = same[_with_numbers(volume)] if len(own) == 1 else set()
            held = {key for key in telling.values() if key and key < telling[volume]} - there
            if one := [*alike] if len(alike) == 1 else [*held] if len(held) == 1 else []:
                found[volume] = one[0]
    return found


def _with_numbers(file: NamedFile) -> frozenset[str]:
    """Return the words of a name, and each that has a number behind it with that: ``ses-2``."""
    return _words(file) | {f"{word}-{number}" for word, number in _numbers(file)}


def _numbers(file: NamedFile) -> set[tuple[str, str]]:
    """Return the words of a name that have a number behind them, with the number: (ses, 2)."""
    words = file.name.words
    return {(word, number) for word, number in pairwise(words) if number.isdigit()}


def _fit(file: NamedFile, volume: NamedFile) -> bool:
    """Say whether the words of one are among those of the other, and no number contradicts."""
    words, others = _words(file), _words(volume)
    return (words <= others or words >= others) and not _contradict(file, volume)


def _contradict(file: NamedFile, volume: NamedFile) -> bool:
    """Say whether a word has another number in each name: ``sub-1_ses-2``, ``sub-2_ses-1``."""
    of_file, of_volume = _numbers(file), _numbers(volume)
    numbered = {word for word, _ in of_file} & {word for word, _ in of_volume}
    return any(
        {n for w, n in of_file if w == word} != {n for w, n in of_volume if w == word}
        for word in numbered
    )


def _fitting(file: NamedFile, own: Sequence[NamedFile]) -> list[NamedFile]:
    """Return the volumes of a file's plane with its words; else those whose words it has.

    Several only if their words are the same: then numbers tell them apart.
    """
    exact = [volume for volume in own if volume.name.case == file.name.case]
    exact = exact or [v for v in own if _words(v) == _words(file) and _fit(file, v)]
    if exact:
        return exact
    telling = _telling_words({None: own})
    held = [
        volume
        for volume in own
        if _fit(file, volume)
        or (
            telling[volume]
            and telling[volume] <= _with_numbers(file)
            and not _contradict(file, volume)
        )
    ]
    return held if len({_words(volume) for volume in held}) == 1 else []


def _link(file: NamedFile, volume: NamedFile, *, alone: bool) -> Link | None:
    """Return how a file's number continues its volume's, or None if it does not.

    ``axl_anatomic_1`` owns ``axl_inference_1`` (its own number) and ``axl_inference_1_2`` (index
    2 behind it); where it is the only one that can, any number: the last one is the index.
    """
    own, number = volume.name.tail, file.name.tail
    if number == own:
        return Link(file, None, extends=False)
    if len(number) == len(own) + 1 and number[: len(own)] == own:
        return Link(file, number[-1], extends=bool(own))
    if not alone:
        return None
    index = number[-1] if number and number[-1:] != own[-1:] else None
    return Link(file, index, extends=False)


def _named(volumes: Iterable[NamedFile]) -> str:
    return listed((volume.relative for volume in volumes), SHOWN)
