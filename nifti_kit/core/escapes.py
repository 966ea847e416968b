"""Text from files and servers, made safe to show: it moves no cursor and hides no part."""

from __future__ import annotations

__all__ = ["visible"]


def visible(text: object, *, keep: str = "") -> str:
    r"""Return a text in which every character that cannot be seen is an escape, such as ``\x1b``.

    Those are control characters (a terminal's and a notebook's colours and links begin with one),
    line ends, marks that turn the direction of writing, and bytes of a name that are no UTF-8.

    Parameters
    ----------
    keep
        Characters that stay, such as a line end where lines are wanted.
    """
    return "".join(
        letter if letter.isprintable() or letter in keep else _escape(letter)
        for letter in str(text)
    )


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
