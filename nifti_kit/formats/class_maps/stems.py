"""Class names as names of files, and back: a class map says which class a file stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nifti_kit.core.files import digest, name_size
from nifti_kit.errors import visible
from nifti_kit.formats.class_maps.entries import ClassMap

LONGEST = 200
"""Bytes of a class name in a file's name: an ending, and a number for a further file, follow."""

_NO_FILE = frozenset('/\\:*?"<>|%~')
"""What no name of a file has, on any system; and what says that something else is meant."""

_FURTHER = re.compile(r"~[0-9]{1,4}$")
"""Behind the name of a class: a further file of it, for objects that overlap those of others."""


def class_stems(names: Iterable[str]) -> dict[str, str]:
    """Return each class name as the name of a file without its ending.

    It is the name itself where it can be. What no file can have is written as in a web address
    (``a/b`` is ``a%2Fb``), and so are the capitals of names that differ in case only, which some
    disks take for one. A name that is too long is cut, and ends in its digest.

    >>> class_stems(["Femur", "T1/T2"])
    {'Femur': 'Femur', 'T1/T2': 'T1%2FT2'}
    """
    known = list(dict.fromkeys(names))
    folded = [_stem(name).casefold() for name in known]
    return {
        name: _stem(name, capitals=folded.count(one) > 1)
        for name, one in zip(known, folded, strict=True)
    }


def further_stem(stem: str, number: int) -> str:
    """Return the name of a further file of a class: ``Femur~2``; the first is its own name."""
    return stem if number == 1 else f"{stem}~{number}"


def class_of_stem(stem: str, classes: ClassMap) -> str | None:
    """Return the class of a map that a file's name stands for, where it is not the name itself."""
    bare = _FURTHER.sub("", stem)
    if not {"%", "~"} & {*stem} or any(entry.name == stem for entry in classes):
        return None
    names = [entry.name for entry in classes]
    meant = [n for n in names if bare in (n, _stem(n), _stem(n, capitals=True))]
    return meant[0] if len(set(meant)) == 1 else None


def _stem(name: str, *, capitals: bool = False) -> str:
    last = len(name) - 1
    stem = "".join(
        _coded(letter) if _is_coded(letter, at in (0, last), capitals) else letter
        for at, letter in enumerate(name)
    )
    if name_size(stem) <= LONGEST:
        return stem
    short = stem.encode("utf-8", "replace")[: LONGEST - len("~") - len(digest(name))]
    return f"{short.decode(errors='ignore')}~{digest(name)}"


def _is_coded(letter: str, is_end: bool, capitals: bool) -> bool:
    if letter in _NO_FILE or visible(letter) != letter or (is_end and letter in " ."):
        return True
    return capitals and letter != letter.casefold()


def _coded(letter: str) -> str:
    """Return a character as a web address has it, each of its bytes in two digits."""
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
