"""The options of the commands: the parameters of the library, as a shell gives them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

import click

from nifti_kit.commands.endings import opening
from nifti_kit.errors import visible

F = TypeVar("F", bound=Callable[..., Any])

INSTANCE = "instance:"
"""What a target that is no folder begins with; the id of the dataset follows."""

LAYOUTS = ("auto", "by_volume", "by_plane", "annotations", "pairs")
SEGMENTATIONS = ("auto", "semantic", "instance")
FRAMES = ("file", "ras", "reversed")
EXISTING = ("error", "skip", "replace", "append")
EXPORT_LAYOUTS = ("by_volume", "by_plane")
TABS = ("inspect", "mend", "scores", "match", "upload")
# As the library has them; they stand here too, for `--help` loads nothing of it.

source_argument = click.argument("source", type=click.Path(exists=True, path_type=Path))


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return several options as one decorator; help lists them in this order."""

    def decorated(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


scan_options = together(
    click.option(
        "--layout",
        type=click.Choice(LAYOUTS),
        default="auto",
        show_default=True,
        help="How the source is laid out.",
    ),
    click.option(
        "--segmentation",
        type=click.Choice(SEGMENTATIONS),
        default="auto",
        show_default=True,
        help="What a value in a mask by plane is: a class, or an object.",
    ),
    click.option(
        "--classes",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A class map to use instead of the source's own.",
    ),
    click.option(
        "--score-base",
        type=click.Choice(["0", "1"]),
        help="What the column Layer of score tables counts from.",
    ),
    click.option(
        "--score-frames",
        type=click.Choice(FRAMES),
        default="file",
        show_default=True,
        help="What the layers of tables without their annotation count along.",
    ),
    click.option(
        "--annotation-word",
        "annotation_words",
        multiple=True,
        metavar="WORD",
        help="A further word in names that says annotation. May be repeated.",
    ),
)

mapping_option = click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Which annotation is for which volume id, as JSON.",
)

waive_option = click.option(
    "--waive",
    multiple=True,
    metavar="CODE[:FILE]",
    help="A finding that you accept, for all files or for one. May be repeated.",
)


def target_options(*, required: bool) -> Callable[[F], F]:
    """Return the options that name a target."""
    return together(
        click.option(
            "--target",
            required=required,
            metavar="PATH|instance:ID",
            help="A project folder, or a dataset of the instance that SERVER_ADDRESS and "
            "API_TOKEN name.",
        ),
        click.option("--dataset", metavar="NAME", help="The dataset of a project folder."),
    )


output_options = together(
    click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, and nothing else."),
    click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Save it, too: as .html, .json or .csv (a receipt also as .md).",
    ),
)


def checked_out(out: Path | None, endings: tuple[str, ...], *sources: Path | str) -> None:
    """Refuse a place for ``--out`` that will not do, before the work."""
    if out is None:
        return
    if out.suffix.casefold() not in endings:
        raise wrong("--out", f"{visible(out)} does not end in {' or '.join(endings)}")
    if not out.resolve().parent.is_dir():
        raise wrong("--out", f"there is no folder {visible(out.parent)}")
    for source in map(Path, sources):
        if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
            raise wrong("--out", f"{visible(out)} lies in {visible(source)}, which is read")


def wrong(option: str, message: str) -> click.BadParameter:
    """Return the error of an option whose value will not do."""
    return click.BadParameter(message, param_hint=f"'{option}'")


def waivers_of(given: tuple[str, ...]) -> list[Any]:
    """Return waivers as the library has them; a code that is none is wrong use."""
    from nifti_kit.core.findings import waivers

    waive: list[Any] = []
    for text in given:
        code, colon, file = text.partition(":")
        waive.append((code, file) if colon else code)
    try:
        waivers(waive)
    except KeyError as error:
        raise wrong("--waive", visible(error.args[0])) from None
    return waive


def scanned(source: Path, chosen: Mapping[str, Any]) -> Any:
    """Return the data set of a source, with the options of a scan."""
    import nifti_kit as nk

    options = dict(chosen)
    base = options.pop("score_base", None)
    with opening():
        return nk.scan(
            source,
            **options,
            score_base=None if base is None else int(base),
            on_file=progress(),
        )


def opened_target(target: str, dataset: str | None, *, is_read: bool) -> Any:
    """Return a target that answers; one that is read has to be there."""
    if target.startswith(INSTANCE):
        return _opened_instance(target.removeprefix(INSTANCE), dataset)
    if is_read and not (Path(target) / "meta.json").is_file():
        raise wrong("--target", f"{visible(target)!r} is no project: it has no meta.json")
    if not target:
        raise wrong("--target", "the path is empty")
    import nifti_kit as nk

    with opening():
        folder = nk.ProjectFolder(target, dataset)
        folder.check_place()
        folder.volumes()
    return folder


def _opened_instance(number: str, dataset: str | None) -> Any:
    """Return a dataset of the instance that the environment names."""
    if dataset is not None:
        raise wrong("--dataset", "it is the one of --target: an instance's have numbers")
    if not (number.isascii() and number.isdecimal()):
        raise wrong("--target", f"{visible(number)!r} is no number of a dataset")
    import nifti_kit as nk

    with opening(), redirect_stdout(sys.stderr):  # the SDK's own log
        instance = nk.Instance.from_env(dataset_id=int(number))
        instance.volumes()
    return instance


def progress() -> Callable[..., None] | None:
    """Return what is told of progress: None, for the library's bar, where a terminal shows it."""
    return None if sys.stderr.isatty() else _quiet


def _quiet(*_: object) -> None:
    """Say nothing: a log or a pipe has no use for a bar."""
