"""Offers: what can be done about a finding, in the order of safety.

First what the evidence supports, then leaving the file out, and last accepting it as it is. An
offer makes a :class:`nifti_kit.repairs.steps.Step`, which can be looked at before it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import Any, Literal

from nifti_kit.core.catalog import lookup
from nifti_kit.core.findings import Finding
from nifti_kit.core.geometry import Grid, axis_orders, compare_grids, placed_on
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.components import SPECK_VOXELS
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.repairs.steps import ACCEPT, JUDGED, REPAIRS, Step

Kind = Literal["repair", "leave out", "other volume", "choose", "accept"]

MOST_VOLUMES = 500
"""Volumes that a list offers; more are typed."""

NAMED = 3
"""Volumes that a sentence names."""


@dataclass(frozen=True)
class Option:
    """What a person fills in.

    Attributes
    ----------
    name, label
        The name in code, and the words beside the field.
    kind
        ``choice`` (one of ``choices``), ``text``, ``number`` or ``flag``.
    choices
        Pairs of a value and its words.
    default
        What stands there at first; None where nothing does.
    required
        Whether the offer needs it.
    """

    name: str
    label: str
    kind: Literal["choice", "text", "number", "flag"] = "text"
    choices: tuple[tuple[Any, str], ...] = ()
    default: Any = None
    required: bool = True


@dataclass(frozen=True)
class Offer:
    """One thing that can be done about a finding.

    Attributes
    ----------
    kind
        ``repair``, ``leave out``, ``other volume``, ``choose`` or ``accept``.
    title
        As on a button: ``Take the volume's header``.
    what
        What will happen, in a sentence or two; to accept: what will land, in words and mm.
    options
        What a person fills in.
    finding
        The code that it answers.
    files
        The files or folders concerned, by their paths below the source.
    """

    kind: Kind
    title: str
    what: str
    do: str
    finding: str
    files: tuple[str, ...]
    options: tuple[Option, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    every: bool = False

    def step(self, **values: Any) -> Step:
        """Return the step, with what a person filled in.

        Raises
        ------
        NiftiKitError
            If something that is needed is missing, or is none of the choices.
        """
        given = {
            option.name: _filled(option, values.pop(option.name, None), self.files)
            for option in self.options
        }
        if values:
            raise NiftiKitError(f"the offer has no option {next(iter(values))!r}")
        given = {name: value for name, value in given.items() if value not in (None, "")}
        reason = str(given.pop("reason", "")).strip()
        said = {**self.values, **given}
        if self.do == "classes" and "value" in said:
            color = said.get("color")
            named = said["name"] if color is None else (said["name"], color)
            said = {str(said["value"]): named}
        whole = self.do in ("classes", "score_base", "segmentation") and not self._by_file
        files = () if whole else self.files
        return Step(self.do, files, said, self.finding, self.every, reason)

    @property
    def _by_file(self) -> bool:
        return self.do == "classes" and "value" not in self.values

    def for_code(self, findings: Iterable[Finding]) -> Offer | None:
        """Return the same for all findings of the code at once; None where it cannot be.

        What needs a look at each file, or another answer for each, cannot.
        """
        if self.finding in JUDGED and self.kind == "repair":
            return None
        if self.kind == "other volume" or self.do == "classes":
            return None
        paths = tuple(dict.fromkeys(f.path for f in findings if f.code == self.finding))
        if len(paths) < 2:  # noqa: PLR2004
            return None
        return replace(self, files=paths, every=True)


def _filled(option: Option, value: Any, files: Sequence[str]) -> Any:
    """Return what a person filled in, or what stood there."""
    value = option.default if value is None else value
    if isinstance(value, str):
        value = value.strip()
    if value in (None, ""):
        if option.required:
            raise NiftiKitError(
                f"{option.label} is missing",
                path=files[0] if files else None,
                remedy=f"Fill in: {option.label}.",
            )
        return None
    if option.kind == "number" and not isinstance(value, int | float):
        try:
            value = float(value) if "." in str(value) else int(value)
        except ValueError as error:
            raise NiftiKitError(
                f"{option.label} is no number", found=repr(value), remedy="Write a number."
            ) from error
    if option.kind == "choice" and value not in [choice for choice, _ in option.choices]:
        raise NiftiKitError(
            f"{option.label} has no such choice",
            found=repr(value),
            expected=listed((repr(choice) for choice, _ in option.choices), 2 * NAMED),
        )
    return value


def offers(dataset: Dataset, finding: Finding) -> tuple[Offer, ...]:
    """Return what can be done about a finding, in the order of safety.

    Repairs and choices that the evidence supports come first, then leaving the file out, and last
    accepting it. Of a mask whose own header speaks against its volume that is: the volume that it
    fits, leaving it out, and only then a repair that takes its voxels by index.

    Parameters
    ----------
    dataset
        What the finding is about.
    finding
        One of ``nk.check(dataset)``.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_plane_semantic", leave_out="sag_anatomic.nii.gz")
    >>> found = nk.check(dataset).by_code()["planes-incomplete"][0]
    >>> (first, *_, last) = nk.offers(dataset, found)
    >>> first.title, last.kind
    ('Land the planes that are there', 'accept')
    """
    place = _Place(dataset, finding)
    own = [offer for rule in _BY_CODE.get(finding.code, ()) for offer in rule(place)]
    repairs = [offer for offer in own if offer.kind in ("repair", "choose")]
    other = [*place.other_volume()]
    out = [*place.leave_out()]
    is_against = finding.code in JUDGED or bool(other and place.fitting)
    ordered = [*other, *out, *repairs] if is_against else [*repairs, *other, *out]
    return (*ordered, *place.accept())


def _shares_voxels(image: ImageFile, volume: ImageFile) -> bool:
    """Say whether a mask may land on a volume: a whole comparison of thousands takes seconds."""
    other = [] if volume.sform is None or volume.qform is None else [volume.qform]
    grids = [volume.grid, *(Grid(volume.shape, form) for form in other)]
    placed = [(grid, placed_on(image.grid, grid)) for grid in grids if not grid.problem]
    return any(found is not None and found.is_inside(grid.shape) for grid, found in placed)


@dataclass(frozen=True)
class _Place:
    """A finding with the item and image that it is about."""

    dataset: Dataset
    finding: Finding

    @property
    def path(self) -> str:
        return self.finding.path

    @cached_property
    def item(self) -> Item | None:
        for item in self.dataset.items:
            files = [image.relative for image in item.images]
            if PurePosixPath(self.path) in (*files, *(table.relative for table in item.tables)):
                return item
        return None

    @property
    def image(self) -> ImageFile | None:
        own = self.item.images if self.item else ()
        return next((image for image in own if str(image.relative) == self.path), None)

    @property
    def volume(self) -> ImageFile | None:
        return self.item.volume if self.item else None

    @property
    def is_mask(self) -> bool:
        return self.image is not None and self.image is not self.volume

    @cached_property
    def fitting(self) -> list[str]:
        """The other volumes on whose voxels the mask lies by its own header."""
        image = self.image
        if image is None or not self.is_mask or image.grid.problem:
            return []
        volumes = (item.volume for item in self.dataset.items if item.volume is not None)
        others = [one for one in volumes if one is not self.volume]
        near = [one for one in others if _shares_voxels(image, one)]
        return [str(one.relative) for one in near if image.aligned_to(one).lands]

    def offer(
        self,
        do: str,
        title: str,
        what: str,
        *options: Option,
        kind: Kind | None = None,
        files: tuple[str, ...] | None = None,
        **values: Any,
    ) -> Offer:
        """Return an offer about the finding's own file."""
        kind = kind or ("repair" if do in REPAIRS else "choose")
        own = (self.path,) if files is None else files
        return Offer(kind, title, what, do, self.finding.code, own, options, values)

    def other_volume(self) -> Iterator[Offer]:
        """It belongs to another volume: where it is a mask or a table, and there are others."""
        code = self.finding.code
        is_loose = code in ("annotation-without-volume", "volume-label-map", "volume-named-mask")
        is_elsewhere = self.is_mask and code.startswith(("mask", "outlier-", "planes-", "case-"))
        if self.dataset.layout == "annotations" or not (is_loose or is_elsewhere):
            return
        own = str(self.volume.relative) if self.volume is not None else ""
        every = [str(item.volume.relative) for item in self.dataset.items if item.volume]
        others = [one for one in every if one not in (own if self.is_mask else "", self.path)]
        if not others:
            return
        fitting = self.fitting
        ordered = [*fitting, *(one for one in others if one not in fitting)][:MOST_VOLUMES]
        choices = tuple(
            (one, f"{one} (its voxels fit)" if one in fitting else one) for one in ordered
        )
        option = Option("volume", "Its volume", "choice", choices, ordered[0] if fitting else None)
        what = "It is taken for a mask of the volume that you choose, and checked against that."
        if fitting:
            what = f"By its own header its voxels are those of {listed(fitting, NAMED)}. {what}"
        yield self.offer(
            "volumes", "It belongs to another volume", what, option, kind="other volume"
        )

    def leave_out(self) -> Iterator[Offer]:
        """Leave the file out, where it is one."""
        if PurePosixPath(self.path) in self.dataset.source.files:
            what = "It does not land; that stays on record in plan and receipt."
            if self.image is not None and self.image is self.volume:
                what = f"The volume does not land, and with it its masks. {what}"
            yield self.offer("leave_out", "Leave this file out", what, kind="leave out")

    def accept(self) -> Iterator[Offer]:
        """Accept it, unless it blocks nothing."""
        if lookup(self.finding.code).severity == "note":
            return
        reason = Option("reason", "Why it is right as it is")
        yield self.offer(ACCEPT, "Accept as it is", self._lands(), reason, kind="accept")

    def _lands(self) -> str:
        """Return what lands where it is accepted."""
        image, volume = self.image, self.volume
        said = f"Nothing is mended: {self.finding.message}. "
        if image is None or volume is None or not self.is_mask:
            return said + "What of it cannot land is left out, and named in plan and receipt."
        alignment = image.aligned_to(volume)
        if alignment.lands:
            return said + f"The mask lands on {volume.relative} as it is."
        return said + (
            f"The mask lands where its own header puts it, beside the voxels of {volume.relative}, "
            "or is left out where that cannot be; receipt and proof name it as an accepted error."
        )


Rule = Callable[[_Place], Iterable[Offer]]


def _told(do: str, title: str, what: str, *options: Option, **values: Any) -> Rule:
    """Return the rule that always makes one offer; ``{message}`` is what the finding says."""
    return lambda place: [
        place.offer(do, title, what.format(message=place.finding.message), *options, **values)
    ]


# Masks that lie elsewhere


def _header(place: _Place, *, stored_first: bool = False) -> Iterator[Offer]:
    """Take the volume's header, in the order that the mask's voxels are in."""
    image, volume = place.image, place.volume
    if image is None or volume is None or sorted(image.shape) != sorted(volume.shape):
        return
    by_header = ("header", "as its own header says")
    stored = ("stored", "as the volume's voxels are stored")
    orders = [by_header]
    if image.grid.problem or image.grid.axis_codes != volume.grid.axis_codes:
        orders = [stored, by_header] if stored_first else [by_header, stored]
    if not volume.grid.problem and (
        turned := re.search(r"order='([A-Z]{3})'", place.finding.remedy)
    ):
        orders.append((turned[1], f"{turned[1]}: its slices are reversed"))
    order = Option("order", "The order of its voxels", "choice", tuple(orders), orders[0][0])
    what = (
        f"Its voxels are taken by index as those of {volume.relative}: none is lost. Nothing in "
        "the files proves that it was drawn on this image: look at the picture."
    )
    yield place.offer("take_header", "Take the volume's header", what, order)


def _forms(place: _Place) -> Iterator[Offer]:
    """Use the other form of the mask's header, or of its volume's, where the mask fits by it."""
    image, volume = place.image, place.volume
    if image is None or volume is None:
        return
    if image.sform is not None and image.qform is not None:
        by_qform = Grid(image.shape, image.qform)
        if not by_qform.problem and compare_grids(by_qform, volume.grid).lands:
            what = "By its qform it lies on the voxels of its volume."
            yield place.offer("use_form", "Use the mask's qform", what, form="qform")
    if image.aligned_to(volume).fits_other_form:
        what = "By the volume's qform the mask lies on its voxels; its other masks move with it."
        files = (str(volume.relative),)
        yield place.offer("use_form", "Use the volume's qform", what, files=files, form="qform")


def _resampled(place: _Place) -> Iterator[Offer]:
    if place.image is not None and not place.image.grid.problem and place.volume is not None:
        what = (
            f"Nearest neighbours on the grid of {place.volume.relative}, where the mask's own "
            "header puts it; voxel counts change."
        )
        yield place.offer("resample", "Put it on the volume's grid", what)


def _exchanged(place: _Place) -> Iterator[Offer]:
    image, volume = place.image, place.volume
    if image is None or volume is None:
        return
    orders = axis_orders(image.shape, volume.shape)
    what = (
        f"Its axes are put in the order of {volume.relative}, and it takes that header: no voxel "
        "is lost. Look at the picture."
    )
    choices = tuple((order, f"{order}") for order in orders)
    axes = [Option("axes", "The order of its axes", "choice", choices, orders[0])]
    options = axes if len(orders) > 1 else []
    yield place.offer("reorder_axes", "Put its axes in order", what, *options)


# Frames, values, forms


_PROBABILITY = Option("threshold", "Threshold, for probabilities", "number", required=False)

_MERGED_FRAMES = _told(
    "merge_frames",
    "A class in each frame",
    "Each frame is the mask of a class; overlaps are kept. Its own file stays as it is.",
    _PROBABILITY,
)
_ONE_FRAME = _told(
    "pick_frame",
    "One frame alone",
    "One frame lands; the others are named as left.",
    Option("frame", "Which frame, from 1", "number", default=1),
)


def _frames(place: _Place) -> Iterator[Offer]:
    if "dimensions" in place.finding.message or "frames" in place.finding.message:
        what = "Each frame becomes a volume of its own, bit for bit."
        yield place.offer("split_frames", "A volume of each frame", what)
        yield from _ONE_FRAME(place)


def _values(place: _Place) -> Iterator[Offer]:
    if "repairs.relabel" in place.finding.remedy:
        what = "Values that are no labels are numbered 1, 2, ...; which was which is kept."
        yield place.offer("relabel", "Number the values", what)
    if "repairs.round_labels" not in place.finding.remedy:
        return
    what = "Each value goes to the nearest whole number, or is 1 from the threshold on."
    yield place.offer("round_labels", "Round the values", what, _PROBABILITY)


_CUT = _told(
    "round_labels",
    "Cut at a threshold",
    "A voxel is 1 where its value is at least the threshold, and background elsewhere.",
    Option("threshold", "Threshold", "number"),
)
_WITHOUT_SPECKS = _told(
    "drop_specks",
    "Remove the specks",
    "Parts of so few voxels are taken out of the mask; the proof counts them.",
    Option("fewer_than", "Parts of fewer voxels than", "number", default=SPECK_VOXELS),
)


def _unusable(place: _Place) -> Iterator[Offer]:
    form = re.search(r"use_form\(dataset, .*?'(qform|sform)'\)", place.finding.remedy)
    if form and place.image is not None:
        what = f"Its {form[1]} gives a place; its masks with the same header go with it."
        yield place.offer("use_form", f"Use its {form[1]}", what, form=form[1])
    if place.is_mask:
        yield from _header(place)


def _sheared(place: _Place) -> Iterator[Offer]:
    volume = place.volume
    if place.is_mask and volume is not None and not (volume.grid.problem or volume.grid.is_sheared):
        yield from _resampled(place)
    elif volume is not None:
        what = (
            "The volume and its masks on perpendicular axes; interpolated where slices do not move "
            "by whole voxels, and the proof says how far."
        )
        yield place.offer("straighten", "Straighten it", what, files=(str(volume.relative),))


def _two_forms(place: _Place) -> Iterator[Offer]:
    for form in ("qform", "sform"):
        if place.image is not None and getattr(place.image, form) is not None:
            what = f"Both forms of the header say what the {form} says; masks go with their volume."
            yield place.offer("use_form", f"Use the {form}", what, form=form)


# Scores


def _bases(place: _Place) -> Iterator[Offer]:
    """Count the layers from the other number: of this table, or of all."""
    other = 0 if place.dataset.score_base == 1 else 1
    what = f"Its layers count from {other}: {place.finding.message}."
    if place.dataset.choices.score_base is None:
        yield place.offer("rebase_layers", f"Count this table from {other}", what, base=other)
    yield from _all_from(other)(place)


def _all_from(base: int) -> Rule:
    what = f"The layers of all score tables count from {base}. {{message}}."
    return _told("score_base", f"Count all tables from {base}", what, score_base=base)


def _reversed(place: _Place) -> Iterator[Offer]:
    what = "Its layers count from the last frame of the mask."
    base = place.dataset.score_base
    yield place.offer("rebase_layers", "Count from the last frame", what, base=base, reverse=True)


def _faulty(place: _Place) -> Iterator[Offer]:
    what = "Rows and cells that cannot be read do not land; the others do. Both are counted."
    base = place.dataset.score_base
    yield place.offer(
        "rebase_layers", "Leave the faulty cells out", what, base=base, drop_faulty=True
    )


# Classes and sets


def _unnamed(place: _Place) -> Iterator[Offer]:
    """Name a value; the class map of the source keeps its other lines."""
    value = re.match(r"value (\d+)\b", place.finding.message)
    if value is not None:
        name = Option("name", f"The class of value {value[1]}")
        what = f"The value {value[1]} is this class in all masks; the class map keeps its lines."
        yield place.offer("classes", "Name the class", what, name, value=int(value[1]))


_BY_FILE = _told(
    "classes",
    "Give the file its class",
    "Each value in this file is an object of this class.",
    Option("name", "The class of this file"),
)
_EACH_VALUE, _EACH_FILE = (
    _told("segmentation", words, f"{words}, in the whole source.", segmentation=kind)
    for kind, words in (("semantic", "Each value is a class"), ("instance", "The file is a class"))
)
_LACKING = _told(
    "incomplete",
    "Land the planes that are there",
    "What is there lands, and the set is known to lack planes: {message}.",
)


_BY_CODE: dict[str, tuple[Rule, ...]] = {
    "mask-header-lost": (_header,),
    "mask-mirrored": (partial(_header, stored_first=True),),
    "mask-translated": (_forms, _header, _resampled),
    "mask-apart": (_forms, _header),
    "mask-resampled": (_forms, _resampled),
    "mask-header-inexact": (_forms, _header, _resampled),
    "mask-axes-exchanged": (_exchanged,),
    "mask-frames": (_MERGED_FRAMES, _ONE_FRAME),
    "image-unsupported": (_frames,),
    "labels-unusable": (_values,),
    "labels-gradient": (_CUT,),
    "label-specks": (_WITHOUT_SPECKS,),
    "label-disconnected": (_WITHOUT_SPECKS,),
    "grid-unusable": (_unusable,),
    "grid-sheared": (_sheared,),
    "affine-forms-disagree": (_two_forms,),
    "scores-layer-zero": (_bases,),
    "scores-base-suspect": (_bases,),
    "scores-base-unsaid": (_all_from(0), _all_from(1)),
    "scores-reversed-suspect": (_reversed,),
    "scores-cell": (_faulty,),
    "scores-cell-text": (_faulty,),
    "scores-layer": (_faulty,),
    "scores-layer-outside": (_faulty,),
    "scores-layer-repeated": (_faulty,),
    "value-without-class": (_unnamed,),
    "instance-classes-unknown": (_BY_FILE,),
    "class-two-readings": (_EACH_VALUE, _EACH_FILE),
    "segmentation-ambiguous": (_EACH_VALUE, _EACH_FILE),
    "segmentation-unknown": (_BY_FILE, _EACH_VALUE),
    "names-in-header-unused": (_EACH_VALUE,),
    "planes-incomplete": (_LACKING,),
}
"""By code, the repairs and choices that answer it; others have leaving out and accepting."""
