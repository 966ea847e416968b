"""Pages of what a person has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from traitlets import HasTraits, Int

Shown = TypeVar("Shown")


class Pages(HasTraits, Generic[Shown]):
    """What was found, some of it at a time."""

    page = Int()  # from 0
    page_size = Int()  # how much is shown at a time

    @property
    def found(self) -> Sequence[Shown]:
        """All that there is to show, in order."""
        raise NotImplementedError

    @property
    def page_count(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-len(self.found) // self.page_size))

    @property
    def shown(self) -> Sequence[Shown]:
        """What is on the page."""
        first = self.page * self.page_size
        return self.found[first : first + self.page_size]

    def turn(self, pages: int) -> None:
        """Go forward or back by pages, as far as there are any."""
        self.page = min(max(self.page + pages, 0), self.page_count - 1)
