"""Matching: which volume of a target each annotation file belongs to, by its name and its place.

A file's folder says in which dataset its volume is, its name which one that is; the grids, compared
in world space, say whether that can be. What the names leave open stays open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import Grid, compare_grids, lattice_orientation
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import natural_key
from nifti_kit.errors import BadSource, of_kind
from nifti_kit.formats.mappings import Mapping, MappingRow
from nifti_kit.plans.name_rules import (
    CASE,
    EXACT,
    DatasetFolders,
    PlainName,
    name_rules,
    one_in_other,
    plain_name,
)
from nifti_kit.targets.records import VolumeRef

ONLY = "only candidate of that plane"

RULES = (EXACT, CASE, ONLY)
"""What names say, the strictest first."""

_LAST = (RULES.index(ONLY), 0)

SHOWN = 4
"""Names that a message lists before it counts the rest."""


def match(dataset: Dataset, volumes: Iterable[VolumeRef]) -> Mapping:
    """Return which volume each annotation file belongs to; ambiguous files stay unmatched.

    Where volumes of several datasets are given, or a folder of the source is named like their
    dataset, a file in such a folder goes to that dataset alone. Then the first of these rules that
    fits exactly one volume counts:

    ``exact name``
        The file's name without its role word, and without the index at its end, is the volume's
        name without ``anatomic``; its folders' names may stand in front.
    ``case identifiers``
        Plane and case words are the same, or those of one are among those of the other.
    ``only candidate of that plane``
        There is one volume of the file's plane; or of those that its name leaves open, one on
        which its voxels land.

    A volume is taken only if the file's voxels are voxels of it (in whatever order), and if no
    other case or folder claims it for the same plane as well.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned, of the ``annotations`` layout.
    volumes
        What a target's ``volumes()`` returned.

    Raises
    ------
    BadSource
        If the dataset is of another layout.
    WrongArgument
        If ``dataset`` is no dataset.
    """
    of_kind(dataset, Dataset, "nk.scan(...)")
    if dataset.layout != "annotations":
        raise BadSource(
            "only annotations without their volumes are matched",
            path=dataset.source.given,
            found=f"the layout {dataset.layout}",
            expected="the layout annotations",
            remedy="scan(..., layout='annotations')",
        )
    there = [_Volume(ref, plain_name(ref.name)) for ref in volumes]
    folders = DatasetFolders(
        {volume.ref.dataset for volume in there},
        {path.parent.parts for path in dataset.annotation_paths},
    )
    matcher = _Matcher(there, folders, dataset.choices.annotation_words)
    claims = [matcher.claim(item, file) for item in dataset.items for file in _files(item)]
    _settle(claims)
    names = {volume.ref.id: f"{volume.ref.dataset}/{volume.ref.name}" for volume in there}
    rows = [_row(claim) for claim in claims]
    doubts = [*_differing(claims), *_numbered_alike(dataset, claims)]
    return Mapping(rows, "", doubts, names=names, project=folders.in_force)


def only_exact(mapping: Mapping) -> Mapping:
    """Return what exact names say of a mapping that :func:`match` made, each in a note.

    Nobody has looked at it, so what another rule says is left open, and says so.
    """
    rows = []
    notes = []
    for row in mapping:
        name = "" if row.volume is None else f"volume {row.volume} ({mapping.names[row.volume]})"
        if row.rule == EXACT:
            notes.append(finding("annotation-matched", row.annotation, f"{row.rule}: {name}"))
        elif row.volume is not None:
            why = f"it may be for {name}, by {row.rule}; only exact names are taken unasked"
            row = replace(row, volume=None, rule="", why=why)  # noqa: PLW2901
        rows.append(row)
    open_rows = {str(row.annotation) for row in rows if row.volume is None}
    doubts = [fault for fault in mapping.faults if fault.path not in open_rows]
    faults = [*doubts, *notes]
    return Mapping(rows, "", faults, names=mapping.names, project=mapping.project)


def _files(item: Item) -> Sequence[MaskFile | TableFile]:
    """Return the files of an item that need a volume: a table only where it stands alone."""
    return item.tables if item.is_scores_alone else item.masks


@dataclass(frozen=True, eq=False)
class _Volume:
    """A volume of the target, and what its name says."""

    ref: VolumeRef
    name: PlainName

    def __str__(self) -> str:
        return f"{self.ref.dataset}/{self.ref.name} (id {self.ref.id})"


@dataclass(eq=False)
class _Claim:
    """An annotation file, or a score table that stands alone, and the volumes its name fits.

    ``rank`` says how well (less is better): the rule, then how loosely within the rule.
    """

    item: Item
    file: MaskFile | TableFile
    name: PlainName
    rule: str = ""
    rank: tuple[int, int] = (0, 0)
    fits: tuple[_Volume, ...] = ()
    meant: _Volume | None = None
    why: str = ""


class _Matcher:
    """Finds the volumes that a file's folder and name fit."""

    def __init__(
        self, there: Sequence[_Volume], folders: DatasetFolders, further: tuple[str, ...]
    ) -> None:
        self.folders, self.further = folders, further
        self.by_dataset: defaultdict[str, list[_Volume]] = defaultdict(list)
        for volume in there:
            self.by_dataset[volume.ref.dataset].append(volume)

    def claim(self, item: Item, file: MaskFile | TableFile) -> _Claim:
        """Return a file's claim: the one volume it means, or why there is none."""
        relative = file.relative
        claim = _Claim(item, file, plain_name(relative.name, self.further))
        datasets, inner, why = self.folders.of(relative.parent.parts)
        if why:
            claim.fits = tuple(v for name in datasets for v in self.by_dataset[name])
            claim.why = why
            return claim
        pool = [v for name in datasets for v in self.by_dataset[name]]
        self._fit(claim, inner, pool)
        if not claim.rule:
            where = f"dataset {datasets[0]}" if len(datasets) == 1 else "the target"
            kind = f"of plane {claim.name.plane}" if claim.name.plane else "with such a name"
            claim.why = f"{where} has no volume {kind}" if pool else f"{where} has no volumes"
        elif len(claim.fits) == 1:
            _take(claim, claim.fits[0], pool)
        else:
            _narrow(claim)
        return claim

    def _fit(self, claim: _Claim, inner: tuple[str, ...], pool: Sequence[_Volume]) -> None:
        """Put the first rule that any volume fits into a claim, with those that fit."""
        plane = claim.name.plane
        own = [v for v in pool if plane is None or v.name.plane == plane]
        bare = [v for v in pool if plane is not None and v.name.plane is None]
        for rule in name_rules(claim.file.relative.name, inner, self.further):
            fits = [v for v in (bare if rule.planeless else own) if rule.fits(v.name)]
            if fits:
                claim.rule, claim.fits = rule.name, _ranked(claim, fits)
                claim.rank = (RULES.index(rule.name), rule.looseness)
                return
        if own and plane is not None:
            claim.rule, claim.rank, claim.fits = ONLY, _LAST, _ranked(claim, own)
        else:
            claim.fits = _ranked(claim, bare)


def _differ(claim: _Claim, volume: _Volume) -> bool:
    """Say whether file and volume both have case words, and each some that the other lacks."""
    own, others = claim.name.case, volume.name.case
    return bool(own and others) and not one_in_other(own, others)


def _ranked(claim: _Claim, volumes: Iterable[_Volume]) -> tuple[_Volume, ...]:
    """Return volumes, the likeliest first: by words in common, then by place, then by name."""
    return tuple(
        sorted(
            volumes,
            key=lambda v: (
                -len(claim.name.case & v.name.case),
                not _lands(claim, v),
                natural_key(f"{v.ref.dataset}/{v.ref.name}"),
            ),
        )
    )


def _lands(claim: _Claim, volume: _Volume) -> bool:
    """Say whether a file's voxels are voxels of a volume; a table, which has none, is no proof."""
    file = claim.file
    return isinstance(file, TableFile) or _is_same_lattice(file.grid, volume.ref.grid)


@lru_cache(maxsize=4096)
def _is_same_lattice(mask: Grid, there: Grid) -> bool:
    """Say whether the voxels of one grid are those of the other, in whatever order.

    The same pairs are asked for again and again: instance files share their grid.
    """
    if sorted(mask.shape) != sorted(there.shape) or lattice_orientation(mask, there) is None:
        return False
    return compare_grids(mask, there).lands


def _take(claim: _Claim, volume: _Volume, pool: Iterable[_Volume]) -> None:
    """Take the volume that the name means, or say that the file's voxels do not land on it."""
    claim.meant = volume
    if isinstance(claim.file, TableFile):
        if claim.rule == ONLY and _differ(claim, volume):
            claim.why = f"by its plane it is for {volume}, but its name is not, and it has no grid"
        return
    if _lands(claim, volume):
        return
    found = compare_grids(claim.file.grid, volume.ref.grid)
    if found.lands:  # it covers a part of the volume that its name means
        return
    far = ""
    if found.displacement_mm != float("inf"):
        far = f", by up to {found.displacement_mm:.3g} mm ({found.displacement_voxels:.3g} voxels)"
    says = "plane" if claim.rule == ONLY else "name"
    claim.why = f"by its {says} it is for {volume}, but its grid is not: {found.verdict}{far}"
    plane = volume.name.plane
    others = _ranked(claim, (v for v in pool if v.name.plane == plane and _lands(claim, v)))
    if others:
        claim.why += f"; it fits {listed(others, SHOWN)}"
    claim.fits = (volume, *others)


def _narrow(claim: _Claim) -> None:
    """Take the one of several volumes on which the voxels land, if its name is not against it."""
    landing = [volume for volume in claim.fits if _lands(claim, volume)]
    if len(landing) == 1 and not _differ(claim, landing[0]):
        claim.rule, claim.rank, claim.meant = ONLY, _LAST, landing[0]
        claim.fits = (landing[0], *(v for v in claim.fits if v is not landing[0]))
        return
    what = "by its plane" if claim.rule == ONLY else f"by {claim.rule}"
    claim.why = f"{len(claim.fits)} volumes fit {what}: {listed(claim.fits, SHOWN)}"
    if not landing:
        claim.why += "; its grid is that of none of them"


def _settle(claims: Iterable[_Claim]) -> None:
    """Leave a volume to the one set of files of a plane that fits it best, or to none."""
    rivals: defaultdict[tuple[int, str | None], list[_Claim]] = defaultdict(list)
    for claim in claims:
        if claim.meant is not None:
            rivals[claim.meant.ref.id, claim.name.plane].append(claim)
    for group in rivals.values():
        ranks: dict[Item, tuple[int, int, bool]] = {}
        for claim in group:
            # Of two that fit equally by name, one whose grid was refused is out.
            rank = (*claim.rank, bool(claim.why))
            ranks[claim.item] = min(rank, ranks.get(claim.item, rank))
        best = [item for item in ranks if ranks[item] == min(ranks.values())]
        for claim in group if len(ranks) > 1 else ():
            others = [item.annotation_paths[0] for item in best if item is not claim.item]
            if others:
                how = "as well" if claim.item in best else "better"
                fits = "fits" if len(others) == 1 else "fit"
                claim.why = claim.why or f"{listed(others, SHOWN)} {fits} {claim.meant} {how}"


def _row(claim: _Claim) -> MappingRow:
    ids = tuple(volume.ref.id for volume in claim.fits)
    if claim.meant is None or claim.why:
        return MappingRow(claim.file.relative, None, "", ids, claim.why)
    return MappingRow(claim.file.relative, claim.meant.ref.id, claim.rule, ids)


def _differing(claims: Iterable[_Claim]) -> Iterator[Finding]:
    """A file's case words are not against those of the only volume of its plane."""
    for claim in claims:
        if claim.meant is None or claim.why or not _differ(claim, claim.meant):
            continue
        ours, theirs = (" ".join(sorted(n.case)) for n in (claim.name, claim.meant.name))
        message = (
            f"its name says {ours!r}, that of {claim.meant} {theirs!r}; it is the only volume of "
            f"plane {claim.name.plane}"
        )
        yield finding("annotation-name-differs", claim.file.relative, message)


def _numbered_alike(dataset: Dataset, claims: Iterable[_Claim]) -> Iterator[Finding]:
    """The number at the end of a volume's only annotation file is not the volume's own."""
    owned: defaultdict[int, list[_Claim]] = defaultdict(list)
    for claim in claims:
        if claim.meant is not None and not claim.why:
            owned[claim.meant.ref.id].append(claim)
    for group in owned.values():
        claim = group[0]
        assert claim.meant is not None
        own = bool(claim.name.tail) and claim.name.tail == claim.meant.name.tail
        read_so = dataset.choices.segmentation == "auto" and claim.item.segmentation == "instance"
        if len(group) == 1 and own and read_so:
            message = (
                f"its number {claim.name.tail[-1]} was read as a class index; but it is that of "
                f"its volume {claim.meant}"
            )
            yield finding("annotation-number-shared", claim.file.relative, message)
