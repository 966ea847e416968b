"""The program: its commands, each with the call of the library that it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nifti_kit import __version__
from nifti_kit.commands.endings import (
    FINE,
    FOUND,
    STOPPED,
    Ended,
    ending,
    opening,
    refuse_blocked,
    say,
)
from nifti_kit.commands.options import (
    EXISTING,
    EXPORT_LAYOUTS,
    INSTANCE,
    TABS,
    checked_out,
    mapping_option,
    opened_target,
    output_options,
    progress,
    scan_options,
    scanned,
    source_argument,
    target_options,
    together,
    waive_option,
    waivers_of,
    wrong,
)

PAGES = (".html", ".json", ".csv")
"""Endings of what is saved; a receipt has its card, too."""

AGAIN = "Nothing was written; the same command begins anew."


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command of the shell, and return its exit code."""
    try:
        code = program.main(arguments, prog_name="nifti-kit", standalone_mode=False)
    except click.exceptions.Abort:
        Ended("Stopped.", STOPPED).show()
        return STOPPED
    except click.ClickException as error:
        error.show()
        return error.code if isinstance(error, Ended) else error.exit_code
    return code if isinstance(code, int) else FINE


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Take folders of NIfTI volumes, masks and scores into Supervisely, and prove what landed.

    Exit codes: 0 fine; 1 errors, differences, or a refusal because of data; 2 wrong use; 130
    stopped by Ctrl-C.
    """


def _told(result: Any, *, fine: bool, as_json: bool, out: Path | None) -> int:
    """Show a result and save it; return the exit code."""
    say(result, as_json=as_json)
    if out is not None:
        result.save(out)
    return FINE if fine else FOUND


@program.command("check")
@source_argument
@together(scan_options, waive_option, output_options)
def check_command(
    *, source: Path, waive: tuple[str, ...], as_json: bool, out: Path | None, **scan: Any
) -> int:
    """Say what is wrong, and what to do about it."""
    import nifti_kit as nk

    with ending(AGAIN):
        checked_out(out, PAGES, source)
        accepted = waivers_of(waive)
        findings = nk.check(scanned(source, scan), waive=accepted, on_item=progress())
        return _told(findings, fine=findings.ok, as_json=as_json, out=out)


def _planned(
    source: Path,
    chosen: dict[str, Any],
    target: Any,
    mapping: Path | None,
    waive: Sequence[Any],
) -> Any:
    """Return the plan of a source for a target, or for none."""
    import nifti_kit as nk

    dataset = scanned(source, chosen)
    with opening():
        given = None if mapping is None else nk.read_mapping(mapping, dataset)
    return nk.plan(dataset, mapping=given, waive=waive, target=target, on_item=progress())


@program.command("plan")
@source_argument
@together(scan_options, mapping_option, waive_option, target_options(required=False))
@output_options
def plan_command(
    *,
    source: Path,
    mapping: Path | None,
    waive: tuple[str, ...],
    target: str | None,
    dataset: str | None,
    as_json: bool,
    out: Path | None,
    **scan: Any,
) -> int:
    """Say what would land, and what stands in the way."""
    with ending(AGAIN):
        checked_out(out, PAGES, source)
        accepted = waivers_of(waive)
        there = None if target is None else opened_target(target, dataset, is_read=False)
        planned = _planned(source, scan, there, mapping, accepted)
        return _told(planned, fine=not planned.blockers, as_json=as_json, out=out)


@program.command("upload")
@source_argument
@together(scan_options, mapping_option, waive_option, target_options(required=True))
@click.option(
    "--existing",
    type=click.Choice(EXISTING),
    default="error",
    show_default=True,
    help="What to do with volumes and objects that are there.",
)
@output_options
def upload_command(  # noqa: PLR0913 (each is one thing that a person may want to choose)
    *,
    source: Path,
    mapping: Path | None,
    waive: tuple[str, ...],
    target: str,
    dataset: str | None,
    existing: str,
    as_json: bool,
    out: Path | None,
    **scan: Any,
) -> int:
    """Land a source on a target, and show the receipt."""
    import nifti_kit as nk

    with ending("What has landed stays; the same command goes on from there."):
        checked_out(out, (*PAGES, ".md"), source, target)
        accepted = waivers_of(waive)
        there = opened_target(target, dataset, is_read=False)
        planned = _planned(source, scan, there, mapping, accepted)
        refuse_blocked(planned)
        if not there.has_dataset and any(item.volume for item in planned.items):
            raise wrong("--dataset", "new volumes need the name of a dataset")
        receipt = nk.upload(planned, there, existing=existing, on_progress=progress())
        return _told(receipt, fine=True, as_json=as_json, out=out)


@program.command("verify")
@source_argument
@together(scan_options, mapping_option, waive_option, target_options(required=True))
@output_options
def verify_command(
    *,
    source: Path,
    mapping: Path | None,
    waive: tuple[str, ...],
    target: str,
    dataset: str | None,
    as_json: bool,
    out: Path | None,
    **scan: Any,
) -> int:
    """Prove what is on a target, voxel by voxel.

    It is read back and compared with the source; nothing is written.
    """
    import nifti_kit as nk

    with ending(AGAIN):
        checked_out(out, PAGES, source, target)
        accepted = waivers_of(waive)
        there = opened_target(target, dataset, is_read=True)
        planned = _planned(source, scan, there, mapping, accepted)
        refuse_blocked(planned)
        proof = nk.verify(planned, there, on_item=progress())
        return _told(proof, fine=proof.ok, as_json=as_json, out=out)


@program.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@target_options(required=True)
@click.option(
    "--layout",
    type=click.Choice(EXPORT_LAYOUTS),
    default="by_volume",
    show_default=True,
    help="How the files are laid out.",
)
@click.option(
    "--like",
    type=click.Path(exists=True, path_type=Path),
    help="The files that the project was made of: each mask goes back to the grid of its own.",
)
@click.option(
    "--volumes",
    multiple=True,
    metavar="NAME|ID",
    help="A volume to export; all by default. May be repeated.",
)
@output_options
def export_command(  # noqa: PLR0913 (as above)
    *,
    folder: Path,
    target: str,
    dataset: str | None,
    layout: str,
    like: Path | None,
    volumes: tuple[str, ...],
    as_json: bool,
    out: Path | None,
) -> int:
    """Write a project to NIfTI files.

    FOLDER is new or empty, or one in which the same command was stopped.
    """
    import nifti_kit as nk

    with ending("What is whole in the folder stays; the same command goes on from there."):
        checked_out(out, PAGES, folder, target, *([] if like is None else [like]))
        exported = nk.export(
            opened_target(target, dataset, is_read=True),
            folder,
            layout=layout,
            like=like,
            volumes=[int(one) if one.isdecimal() else one for one in volumes] or None,
            on_volume=progress(),
        )
        return _told(exported, fine=exported.ok, as_json=as_json, out=out)


@program.command("compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--classes",
    multiple=True,
    metavar="NAME",
    help="A class to compare; all by default. May be repeated.",
)
@output_options
def compare_command(
    *, a: str, b: str, classes: tuple[str, ...], as_json: bool, out: Path | None
) -> int:
    """Say what differs between two annotation sets A and B.

    Each is a folder of NIfTI files, an archive, a project folder, or instance:ID.
    """
    import nifti_kit as nk

    with ending(AGAIN):
        checked_out(out, PAGES, *(one for one in (a, b) if not one.startswith(INSTANCE)))
        sides = [_side(one) for one in (a, b)]
        found = nk.compare(*sides, classes=classes or None, on_volume=progress())
        return _told(found, fine=found.ok, as_json=as_json, out=out)


def _side(given: str) -> Any:
    """Return what is compared: a target, or a data set."""
    if given.startswith(INSTANCE) or (Path(given) / "meta.json").is_file():
        return opened_target(given, None, is_read=True)
    dataset = scanned(Path(given), {})
    return dataset if dataset.items else given  # of which the library says what it expects


@program.command("report")
@source_argument
@together(scan_options, waive_option, output_options)
def report_command(
    *, source: Path, waive: tuple[str, ...], as_json: bool, out: Path | None, **scan: Any
) -> int:
    """Show what is in a data set.

    With --out page.html as one page, with plots and pictures.
    """
    import nifti_kit as nk

    with ending(AGAIN):
        checked_out(out, PAGES, source)
        accepted = waivers_of(waive)
        dataset = scanned(source, scan)
        findings = nk.check(dataset, waive=accepted, on_item=progress())
        page = nk.report(dataset, findings=findings, on_item=progress())
        return _told(page, fine=page.ok, as_json=as_json, out=out)


@program.command("app")
@source_argument
@click.option(
    "--tab",
    type=click.Choice(TABS),
    default="inspect",
    show_default=True,
    help="The tab in front.",
)
@target_options(required=False)
@click.option(
    "--steps",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Steps that were saved for an earlier delivery.",
)
@click.option(
    "--out",
    default="out",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where findings, steps, tables, receipts and proofs are saved.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Of the server.")
@click.option("--no-browser", is_flag=True, help="Open no browser: the address is told.")
def app_command(  # noqa: PLR0913 (as above)
    *,
    source: Path,
    tab: str,
    target: str | None,
    dataset: str | None,
    steps: Path | None,
    out: Path,
    port: int | None,
    no_browser: bool,
) -> int:
    """Open the workbench on a data set, in a browser; Ctrl-C ends it."""
    from nifti_kit.commands.app import cell_of, serve

    if target is None and dataset is not None:
        raise wrong("--dataset", "it needs --target, the project folder that it is in")
    if target is not None:
        opened_target(target, dataset, is_read=False)
        target = target if target.startswith(INSTANCE) else str(Path(target).absolute())
    chosen = None if steps is None else str(steps.absolute())
    code = cell_of(
        source.absolute(), target, dataset, steps=chosen, tab=tab, out=str(out.absolute())
    )
    return serve(code, port, opens=not no_browser)
