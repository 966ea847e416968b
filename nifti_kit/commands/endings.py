"""How a command ends: its exit code, and what is said about it on stderr."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO

import click

from nifti_kit.errors import (
    BadClassMap,
    BadMapping,
    BadSource,
    NiftiKitError,
    WrongArgument,
    visible,
)

FINE, FOUND, WRONG_USE, STOPPED = 0, 1, 2, 130
"""Exit codes; 130 is that of shells for what Ctrl-C (signal 2) has ended."""

_WRONG_USE = (BadClassMap, BadMapping, BadSource, WrongArgument)
"""Errors in what a person gave, not in data; so is a NiftiKitError of no kind of its own."""


class Ended(click.ClickException):
    """A command that ends with a word on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it, whatever letters the terminal has."""
        with suppress(BrokenPipeError):
            click.echo(_encoded(self.message, sys.stderr), file=file, err=True)


@contextmanager
def opening() -> Iterator[None]:
    """Take every error for one of use: what a person named cannot be opened, or is not there."""
    try:
        yield
    except NiftiKitError as error:
        raise ended_by(error, WRONG_USE) from error


@contextmanager
def ending(how_to_go_on: str) -> Iterator[None]:
    """Turn what ends the work of the library into words and an exit code: no traceback.

    ``how_to_go_on``: what a person who has stopped it with Ctrl-C can do.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Ended(f"Stopped. {how_to_go_on}", STOPPED) from None
    except NiftiKitError as error:
        raise ended_by(error, _code_of(error)) from error
    except OSError as error:  # such as a full disk, where no file of ours is concerned
        raise Ended(f"Error: {visible(error)}", FOUND) from error


def _code_of(error: NiftiKitError) -> int:
    is_use = isinstance(error, _WRONG_USE) or type(error) is NiftiKitError
    return WRONG_USE if is_use else FOUND


def ended_by(error: NiftiKitError, code: int) -> Ended:
    """Return the end that an error is, in the words in which a notebook shows it."""
    return Ended(_EXISTING.sub(r"--existing \1", "\n".join(error._render_traceback_())), code)


_EXISTING = re.compile(r"existing='(\w+)'")
"""A choice as code has it, in the remedies of a target; a shell gives it as an option."""


def refuse_blocked(plan: Any) -> None:
    """End a command while errors stand in a plan's way, and say with which option they may pass."""
    blockers = plan.blockers
    if not blockers:
        return
    lines = [repr(blockers), "Nothing is written."]
    if plan.findings.errors:
        lines[1] += f" Mend the files, or accept them: {_acceptance(blockers)}."
    raise Ended("\n".join(lines), FOUND)


def say(result: Any, *, as_json: bool) -> None:
    """Write a result to stdout: as JSON, or as text; a pipe that was closed wants no more.

    JSON is written in ASCII, in which it means the same: file names may hold what a terminal obeys.
    """
    if as_json:
        text = _NO_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], result.to_json())
    else:
        text = visible(repr(result), keep="\n")
    try:
        click.echo(_encoded(text, sys.stdout))
    except BrokenPipeError:
        close_quietly()


def _encoded(text: str, stream: TextIO) -> bytes:
    """Return a text in the letters of a stream; what it has none for stands as its code."""
    return text.encode(stream.encoding or "utf-8", "backslashreplace")


_NO_ASCII = re.compile(r"[^\n -~]")


def close_quietly() -> None:
    """Let the interpreter flush its stdout, which nobody reads any more, into nothing."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 (a device, not a path of anybody's)
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def _acceptance(blockers: Any) -> str:
    """Return the options that accept errors: all of them, and one of one file."""
    every = " ".join(f"--waive {code}" for code in blockers.by_code())
    pairs = [f"{found.code}:{found.path}" for found in blockers]
    typed = [shlex.quote(pair) for pair in pairs if visible(pair) == pair]
    one = f"; one of one file with --waive {typed[0]}" if typed else ""
    return f"all of these codes with {every}{one}"
