"""Checks: one small function per rule; ``check`` runs them all.

There are two tiers. What a plan needs too, all errors among it, is found by headers, names and one
reading of each volume and mask (:func:`findings_of`). What takes a closer look (parts, overlaps,
content) is found by :func:`check` alone: warnings and notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nifti_kit.checks import cases, geometry, labels, overlaps  # noqa: F401  (rules enter themselves)
from nifti_kit.checks.classes import class_names_alike
from nifti_kit.checks.files import content_repeated, going_along, unmatched
from nifti_kit.checks.label_maps import volumes_of_labels
from nifti_kit.checks.measures import TOO, Measured, keep_told, told_before
from nifti_kit.checks.pictures import Illustrator
from nifti_kit.checks.rules import found_in
from nifti_kit.checks.scores import boxed_evidence, score_evidence
from nifti_kit.core.findings import Finding, Findings, Waiver, refuse_strays, waivers
from nifti_kit.core.parallel import with_progress
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.reading import Looks, look_at_items, read_items
from nifti_kit.datasets.surveys import ItemSurvey, survey_item
from nifti_kit.errors import of_kind

__all__ = ["check", "findings_of", "known_besides"]


def check(
    dataset: Dataset,
    *,
    voxels: bool = True,
    waive: Iterable[Waiver] = (),
    on_item: Callable[[int, Item], Any] | None = None,
) -> Findings:
    """Return what is wrong with a dataset, with remedies; errors block an upload.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    voxels
        False reads headers only; True also reads every volume and mask to its end.
    waive
        What a person accepts: codes (for the whole dataset), or pairs of a code and a file
        (``("file-unreadable", "case_7/CT.nii.gz")``), mixed. It is kept, but does not block.
    on_item
        Called with the place (from 0) of each item and the item before its voxels are read; what
        it raises ends the check. A bar by default.

    Raises
    ------
    KeyError
        If ``waive`` has a code that the catalogue does not know.
    NiftiKitError
        If ``waive`` has a file of which nothing of that code was found, nor a later plan can
        find it.
    WrongArgument
        If ``dataset`` is no dataset, or an entry of ``waive`` neither a code nor a pair.
    """
    of_kind(dataset, Dataset, "nk.scan(...)")
    accepted = waivers(waive)  # an unknown code ends it before the work
    closer = list(_closer_look(dataset, on_item)) if voxels else []
    if voxels:
        keep_told(dataset, closer)
    found = [*findings_of(dataset, voxels=voxels), *unmatched(dataset), *closer]
    complete = voxels and dataset.layout != "annotations"
    refuse_strays(accepted, found, dataset.source.files, complete=complete)
    _, everything = going_along(dataset, accepted, found)
    return Findings(found, everything, Illustrator(dataset), dataset.source.given.name)


def findings_of(dataset: Dataset, *, voxels: bool) -> list[Finding]:
    """Return what scanning found and what headers show; with ``voxels`` what the voxels do."""
    found = [*dataset.findings, *found_in("dataset", dataset=dataset)]
    found += class_names_alike(dataset, None if voxels else ())
    for item in dataset.items:
        found += found_in("item", dataset=dataset, item=item)
    if voxels:
        found += volumes_of_labels(dataset)
        found += _labels_and_scores(dataset)
    return found


def known_besides(dataset: Dataset) -> list[Finding]:
    """Return what a plan tells beside :func:`findings_of`: what the last check of every voxel said.

    Where there was none, what the boxes of the labels say against scores.
    """
    told = told_before(dataset)
    if told is not None:
        return list(told)
    surveys = (survey_item(dataset, item) for item in dataset.items if item.tables)
    found = (one for survey in surveys for one in boxed_evidence(survey))
    return [one for one in found if one.code in TOO]


def _labels_and_scores(dataset: Dataset) -> Iterator[Finding]:
    surveys = list(read_items(dataset, dataset.items))
    for survey in surveys:
        yield from found_in("volume", dataset=dataset, volume=survey.item)
        for mask in survey.masks:
            yield from found_in("mask", dataset=dataset, item=survey.item, mask=mask)
        yield from survey.score_findings
        yield from found_in("survey", dataset=dataset, survey=survey)
    yield from found_in("surveys", dataset=dataset, surveys=surveys)


def _closer_look(dataset: Dataset, on_item: Callable[[int, Item], Any] | None) -> Iterator[Finding]:
    items = with_progress(dataset.items, on_item, "Checking", "item")
    measured = Measured(dataset)
    for survey, looks in look_at_items(dataset, items):
        yield from _closer_look_at(survey, looks)
        measured.add(survey, looks)
    yield from measured.findings()
    yield from content_repeated(dataset)


def _closer_look_at(survey: ItemSurvey, looks: Looks) -> Iterator[Finding]:
    yield from found_in("masks", looks=looks, masks=survey)
    shapes = {image: look.shapes for image, look in looks.items()}
    for mask in survey.masks:
        if mask.mask.image in shapes:
            parts = shapes[mask.mask.image]
            yield from found_in("parts", item=survey.item, mask=mask, parts=parts)
    yield from score_evidence(survey, shapes.get)
