"""Plain names: file names as they are compared, in which numbers are numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from nifti_kit.datasets.names import parse_name, words_of

_NUMBERED = re.compile(r"([^\W\d_]*)0*([0-9]+)")
"""A word that ends in a number: its letters, and the number without zeros in front."""

_CASE_WORDS = frozenset(
    ("p", "pt", "pat", "patient", "s", "sub", "subj", "subject", "case", "id", "no", "nr")
)
"""Words before the number of a case, which say nothing else: P02, patient_2 and 02 are one."""

_LONGEST_NUMBER = 4
"""Digits of a number that tells cases apart; a longer one may be a date, as of another visit."""


@dataclass(frozen=True)
class PlainName:
    """A file's name as it is compared with another's.

    Attributes
    ----------
    plane
        ``axl``, ``cor``, ``sag`` or None.
    words
        Plane and case words in their order, without the role word and the numbers at the end.
    case
        The case words.
    tail
        The numbers at the end.
    ordered
        The case words in their order.
    """

    plane: str | None
    words: tuple[str, ...]
    case: frozenset[str]
    tail: tuple[int, ...]
    ordered: tuple[str, ...] = field(default=(), compare=False)

    @property
    def numbered(self) -> frozenset[str]:
        """The case words, in which numbers are numbers: P02, patient_2 and 02 are ``2``."""
        return numbered_words(self.ordered)

    @property
    def numbers(self) -> tuple[tuple[str, str], ...]:
        """The numbers of the case, each with the word before it; that of P02 and patient_2 is "".

        Dates and the like are none.
        """
        return numbers_of(self.ordered)

    @property
    def own_numbers(self) -> tuple[tuple[str, str], ...]:
        """The numbers of a volume: where its case has none, those at its end, no index of it."""
        return self.numbers or tuple(("", str(number)) for number in self.tail)


@lru_cache(maxsize=16)  # a file's own name is asked for again with each of its rules
def plain_name(name: str, further: tuple[str, ...] = ()) -> PlainName:
    """Return a file's name as it is compared: lower case, without role and ending.

    ``further`` are the dataset's own type words of annotations.
    """
    parsed = parse_name(name, further)
    case = parsed.words
    left = Counter([*case, parsed.plane] if parsed.plane else case)
    words = []
    for word in words_of(parsed.stem):
        if left[word]:
            left[word] -= 1
            words.append(word)
    return PlainName(parsed.plane, tuple(words), frozenset(case), parsed.tail, case)


def _read(words: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return words as letters, number and the word that the number is of.

    The word of a case is dropped, before the first number of a name.
    """
    found: list[tuple[str, str, str]] = []
    is_first = True
    for word in words:
        match = _NUMBERED.fullmatch(word)
        letters, number = (match[1], match[2]) if match else (word, "")
        before = found[-1][0] if found and not found[-1][1] else ""
        label = letters or before
        if number and is_first:
            is_first = False
            if label in _CASE_WORDS:
                if not letters:
                    found.pop()
                letters = label = ""
        found.append((letters, number, label))
    return found


def numbers_of(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the numbers among words as :attr:`PlainName.numbers` has them."""
    found = [(label, number) for _, number, label in _read(words) if number]
    return tuple(pair for pair in found if len(pair[1]) <= _LONGEST_NUMBER)


def numbered_words(words: Iterable[str]) -> frozenset[str]:
    """Return words as a set in which numbers are numbers; 02_2 is not 02: one stands twice."""
    counts = Counter(letters + number for letters, number, _ in _read(words))
    again = (f"{word} {at}" for word, count in counts.items() for at in range(1, count))
    return frozenset((*counts, *again))


def numbers_apart(file: PlainName, volume: PlainName, *, alone: bool) -> tuple[str, str] | None:
    """Return numbers of a file and a volume that say that they are not of one case, or None.

    They do if what stands before them is the same. If numbers ``alone`` speak, because no word
    does, it is enough that none is in both.
    """
    ours, theirs = file.numbers, volume.own_numbers
    labels = {label for label, _ in ours} & {label for label, _ in theirs}
    for label in (*sorted(labels), None) if alone else sorted(labels):
        own, others = ({n for at, n in found if label in (at, None)} for found in (ours, theirs))
        if own and others and not own & others:
            return min(own), min(others)
    return None


def numbered_by(file: PlainName, volume: PlainName) -> str:
    """Return the word whose number alone makes a file like a volume: lesion_2 is not P02; or ""."""
    if one_in_other(file.case, volume.case):
        return ""
    theirs = {number for _, number in volume.own_numbers}
    labels = [label for label, number in file.numbers if number in theirs]
    is_case = any(not label or label in volume.case for label in labels)
    return "" if is_case or not labels else labels[0]


def one_in_other(words: frozenset[str], others: frozenset[str]) -> bool:
    """Say whether all words of one are among those of the other."""
    return words <= others or words >= others
