"""Which rules there are: each enters itself, and says what it looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from nifti_kit.core.findings import Finding

F = TypeVar("F", bound=Callable[..., Iterable[Finding]])

_RULES: defaultdict[tuple[str, ...], list[Callable[..., Iterable[Finding]]]] = defaultdict(list)


def rule(*given: str) -> Callable[[F], F]:
    """Enter a rule by what it is given; the last of these is what it looks at, one at a time.

    ``dataset``, ``item``: headers and names. ``volume`` (an item whose volume was read to its end),
    ``mask`` (its survey), ``survey`` (of an item), ``surveys`` (of all items): what a plan needs
    too. ``parts`` (of each label of a mask), ``masks`` (an item's survey), ``looks`` (at its masks,
    by their images): a closer look.
    """

    def enter(function: F) -> F:
        _RULES[given].append(function)
        return function

    return enter


def found_in(scope: str, **known: Any) -> Iterator[Finding]:
    """Yield what the rules find that look at one thing, each given what it takes of ``known``."""
    for given, rules in _RULES.items():
        if given[-1] == scope:
            for one in rules:
                yield from one(*(known[name] for name in given))
