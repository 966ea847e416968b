"""The command line: check, plan, upload, verify, export, compare, report.

Exit codes: 0 fine, 1 findings or differences, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nifti_kit.commands.arguments import (
    CHOICES,
    Ending,
    existing_target,
    json_option,
    mapping_option,
    out_option,
    scanned,
    side_of,
    source_options,
    target_of,
    target_options,
    waive_option,
)

FINE, FOUND, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes; 130 is that of the shell for an interrupt."""

GO_ON = "Interrupted. The same call goes on where this one ended."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and exit with its code."""
    code = run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough; nothing may be written at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; faults are told in words on stderr."""
    from nifti_kit.errors import BadClassMap, BadMapping, BadSource, NiftiKitError, WrongArgument

    try:
        return int(commands.main(arguments, prog_name="nifti-kit", standalone_mode=False) or FINE)
    except click.ClickException as error:
        error.show()
        return WRONG_USE
    except (click.Abort, KeyboardInterrupt):
        click.echo(GO_ON, err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return FOUND
    except NiftiKitError as error:
        click.echo(f"Error: {error}", err=True)
        misused = isinstance(error, BadSource | BadMapping | BadClassMap | WrongArgument)
        return WRONG_USE if misused or type(error) is NiftiKitError else FOUND


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nifti-kit", prog_name="nifti-kit")
def commands() -> None:
    """Folders of NIfTI volumes, masks and score tables into Supervisely, and back.

    Exit codes: 0 fine, 1 findings or differences, 2 wrong use.
    """


def _quiet(*_: Any) -> None:
    """Take the place of a bar where nobody looks."""


def _bar() -> Any:
    """Return what progress is told to: None makes a bar, on a terminal only."""
    return None if sys.stderr.isatty() else _quiet


def _told(result: Any, ok: bool, as_json: bool, out: Path | None) -> int:
    """Print a result, write it to a file if asked, and return the exit code."""
    if out is not None:
        result.save(out)
    click.echo(result.to_json() if as_json else repr(result))
    return FINE if ok else FOUND


@commands.command()
@click.argument("source")
@click.option("--headers-only", is_flag=True, help="Read no voxels.")
@source_options
@waive_option
@out_option()
@json_option
def check(
    source: str, headers_only: bool, waive: Any, out: Path | None, as_json: bool, **choices: Any
) -> int:
    """Say what is wrong in SOURCE, and what to do about it; 1 if errors block an upload."""
    from nifti_kit.checks import check as call

    dataset = scanned(source, choices, _bar())
    findings = call(dataset, voxels=not headers_only, waive=waive, on_item=_bar())
    return _told(findings, findings.ok, as_json, out)


@commands.command()
@click.argument("source")
@target_options(required=False)
@mapping_option
@source_options
@waive_option
@out_option()
@json_option
def plan(
    source: str,
    target: str | None,
    dataset: str | None,
    mapping: str | None,
    waive: Any,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> int:
    """Say what of SOURCE will land, and what is in the way; 1 if something is."""
    made = _planned(source, target_of(target, dataset) if target else None, mapping, waive, choices)
    return _told(made, not made.blockers, as_json, out)


def _planned(source: str, target: Any, mapping: str | None, waive: Any, choices: Any) -> Any:
    from nifti_kit.plans.plan import plan as call

    found = scanned(source, choices, _bar())
    return call(found, mapping=mapping, waive=waive, target=target, on_item=_bar())


@commands.command()
@click.argument("source")
@target_options(required=True)
@click.option("--existing", type=click.Choice(CHOICES["existing"]), default="error")
@mapping_option
@click.option("--journal", metavar="FILE", help="A file that remembers what has landed.")
@source_options
@waive_option
@out_option(Ending(".html", ".json", ".csv", ".md"))
@json_option
def upload(  # noqa: PLR0913, PLR0917 (each is an option)
    source: str,
    target: str,
    dataset: str | None,
    existing: str,
    mapping: str | None,
    journal: str | None,
    waive: Any,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> int:
    """Land SOURCE on a target; the same call goes on where an earlier one ended."""
    from nifti_kit.transfer.upload import upload as call

    opened = target_of(target, dataset)
    made = _planned(source, opened, mapping, waive, choices)
    receipt = call(made, opened, existing=existing, on_progress=_bar(), journal=journal)
    return _told(receipt, True, as_json, out)


@commands.command()
@click.argument("source")
@target_options(required=True)
@mapping_option
@source_options
@waive_option
@out_option()
@json_option
def verify(
    source: str,
    target: str,
    dataset: str | None,
    mapping: str | None,
    waive: Any,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> int:
    """Compare what is on a target with SOURCE, voxel by voxel; nothing is written."""
    from nifti_kit.transfer.verification import verify as call

    opened = existing_target(target, dataset)
    made = _planned(source, opened, mapping, waive, choices)
    proof = call(made, opened, on_item=_bar())
    return _told(proof, proof.ok, as_json, out)


@commands.command()
@click.argument("target")
@click.argument("folder")
@click.option("--dataset", metavar="NAME", help="One dataset of a project's folder.")
@click.option("--layout", type=click.Choice(CHOICES["form"]), default="by_volume")
@click.option("--like", metavar="SOURCE", help="The files that it was made of, for their grids.")
@click.option("--volume", "volumes", multiple=True, metavar="NAME|ID", help="Only these.")
@out_option()
@json_option
def export(  # noqa: PLR0913, PLR0917 (each is an option)
    target: str,
    folder: str,
    dataset: str | None,
    layout: str,
    like: str | None,
    volumes: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> int:
    """Write a project (a folder, or instance:ID) as NIfTI files to a new FOLDER."""
    from nifti_kit.exports.exporting import export as call

    opened = existing_target(target, dataset)
    chosen = [int(name) if name.isdigit() else name for name in volumes] or None
    made = call(opened, folder, layout=layout, like=like, volumes=chosen, on_volume=_bar())
    return _told(made, made.ok, as_json, out)


@commands.command()
@click.argument("a")
@click.argument("b")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Only these classes.")
@out_option()
@json_option
def compare(a: str, b: str, classes: tuple[str, ...], out: Path | None, as_json: bool) -> int:
    """Say what differs between A and B: folders of files, project folders, or instance:ID."""
    from nifti_kit.comparisons import compare as call

    found = call(side_of(a), side_of(b), classes=classes or None, on_volume=_bar())
    return _told(found, found.ok, as_json, out)


@commands.command()
@click.argument("source")
@source_options
@waive_option
@out_option()
@json_option
def report(source: str, waive: Any, out: Path | None, as_json: bool, **choices: Any) -> int:
    """Describe the data set in SOURCE; --out page.html is a page of it."""
    from nifti_kit.checks import check as checked
    from nifti_kit.pages import report as call

    dataset = scanned(source, choices, _bar())
    findings = checked(dataset, waive=waive, on_item=_bar())
    page = call(dataset, findings=findings, on_item=_bar())
    return _told(page, findings.ok, as_json, out)
