"""Arguments: what a command is given, as the library takes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

INSTANCE = "instance:"
"""Before the id of a dataset on a live instance, where a folder could stand."""

CHOICES = {
    "layout": ("auto", "by_volume", "by_plane", "annotations", "pairs"),
    "segmentation": ("auto", "semantic", "instance"),
    "score_frames": ("file", "ras", "reversed"),
    "existing": ("error", "skip", "replace", "append"),
    "form": ("by_volume", "by_plane"),
}

Command = Callable[..., Any]


class Ending(click.ParamType[Path]):
    """A file whose ending says what is written to it: looked at before the work."""

    name = "file"

    def __init__(self, *endings: str) -> None:
        self.endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or fail."""
        path = Path(value)
        if path.suffix.casefold() not in self.endings:
            self.fail(f"{path.name!r} ends in none of {', '.join(self.endings)}", param, ctx)
        return path


FILE = click.Path(exists=True, dir_okay=False)
PAGE = Ending(".html", ".json", ".csv")


def source_options(command: Command) -> Command:
    """Add the choices of :func:`nifti_kit.scan`."""
    for option in reversed((
        click.option("--layout", type=click.Choice(CHOICES["layout"]), default="auto"),
        click.option("--segmentation", type=click.Choice(CHOICES["segmentation"]), default="auto"),
        click.option("--classes", type=FILE, help="A class map in the place of the source's."),
        click.option("--score-base", type=click.IntRange(0, 1), help="What layers count from."),
        click.option("--score-frames", type=click.Choice(CHOICES["score_frames"])),
        click.option("--pairs", metavar="PATTERN", help="'lab/{case}.nii -> im/{case}.nii'"),
        click.option("--annotation-word", "annotation_words", multiple=True, metavar="WORD"),
    )):  # fmt: skip
        command = option(command)
    return command


def mapping_option(command: Command) -> Command:
    """Add which annotation is for which volume."""
    said = "Which annotation is for which volume."
    return click.option("--mapping", type=FILE, help=said)(command)


def waive_option(command: Command) -> Command:
    """Add what a person accepts."""
    return click.option(
        "--waive",
        multiple=True,
        metavar="CODE[:FILE]",
        callback=_waivers,
        help="A finding that is accepted: everywhere, or of one file.",
    )(command)


def json_option(command: Command) -> Command:
    """Add JSON in the place of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")(
        command
    )


def out_option(endings: Ending = PAGE) -> Callable[[Command], Command]:
    """Add a file for the result."""
    said = f"Write the result to a file too: {', '.join(endings.endings)}."
    return click.option("--out", type=endings, metavar="FILE", help=said)


def target_options(required: bool) -> Callable[[Command], Command]:
    """Add where a plan lands."""
    said = f"A project's folder, or {INSTANCE}ID of a dataset."
    target = click.option("--target", required=required, metavar="TARGET", help=said)
    dataset = click.option("--dataset", metavar="NAME", help="The dataset in a folder.")

    def add(command: Command) -> Command:
        both: Command = target(dataset(command))
        return both

    return add


def _waivers(_: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[Any, ...]:
    from nifti_kit.core.findings import waivers

    pairs = [(code, file) if colon else code for code, colon, file in map(_parted, given)]
    try:
        return waivers(pairs)
    except KeyError as error:
        raise click.BadParameter(str(error.args[0]), param=param) from None


def _parted(text: str) -> tuple[str, str, str]:
    return text.partition(":")


def scanned(source: str, choices: dict[str, Any], quiet: Any) -> Any:
    """Return the data set that a command is about."""
    from nifti_kit.datasets.dataset import scan

    given = {name: value for name, value in choices.items() if value not in (None, ())}
    return scan(source, on_file=quiet, **given)


def target_of(text: str, dataset: str | None) -> Any:
    """Return a target: a folder, or a dataset of an instance.

    Raises
    ------
    click.BadParameter
        If it is none, or cannot be opened.
    """
    from nifti_kit.errors import NiftiKitError

    try:
        if text.startswith(INSTANCE):
            from nifti_kit.targets.instance import Instance

            return Instance.from_env(dataset_id=int(text.removeprefix(INSTANCE)))
        from nifti_kit.targets.folder import ProjectFolder

        return ProjectFolder(text, dataset)
    except NiftiKitError as error:
        raise click.BadParameter(str(error)) from None
    except ValueError:
        raise click.BadParameter(f"{text!r}: a number stands behind {INSTANCE}") from None


def existing_target(text: str, dataset: str | None) -> Any:
    """Return a target that is to be read: a folder has to be there.

    Raises
    ------
    click.BadParameter
        If it is none, or cannot be opened.
    """
    if not text.startswith(INSTANCE) and not os.path.exists(os.path.join(text, "meta.json")):  # noqa: PTH110, PTH118 (a text that is no path is told as it is)
        raise click.BadParameter(f"{text!r} is no project folder: it has no meta.json")
    return target_of(text, dataset)


def side_of(text: str) -> Any:
    """Return one side of a comparison: a folder by its path, or a dataset of an instance."""
    return target_of(text, None) if text.startswith(INSTANCE) else text
