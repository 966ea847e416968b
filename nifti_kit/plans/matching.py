"""Matching: which volume of a target each annotation file belongs to, by its name and its place.

A file's folder says in which dataset its volume is, its name which one that is; the grids, compared
in world space, say whether that can be. What the names leave open stays open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import compare_grids
from nifti_kit.core.geometry.lattices import Lattices
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import natural_key
from nifti_kit.datasets.plain_names import (
    PlainName,
    numbered_by,
    numbers_apart,
    one_in_other,
    plain_name,
)
from nifti_kit.errors import BadSource, of_kind
from nifti_kit.formats.mappings import Mapping, MappingRow
from nifti_kit.plans.name_rules import (
    CASE,
    EXACT,
    DatasetFolders,
    NameIndex,
    Positions,
    name_rules,
)
from nifti_kit.targets.records import VolumeRef

ONLY = "only candidate of that plane"

RULES = (EXACT, CASE, ONLY)
"""What names say, the strictest first."""

_LAST = (RULES.index(ONLY), 0)

SHOWN = 4
"""Names that a message lists before it counts the rest."""

CANDIDATES = 100
"""Volumes that a row lists; 10,000 files with 10,000 each would be a gigabyte that nobody reads."""


def match(dataset: Dataset, volumes: Iterable[VolumeRef]) -> Mapping:
    """Return which volume each annotation file belongs to; ambiguous files stay unmatched.

    Where volumes of several datasets are given, or a folder of the source is named like their
    dataset, a file in such a folder goes to that dataset alone. Then the first of these rules that
    fits exactly one volume counts:

    ``exact name``
        The file's name without its role word, and without the index at its end, is the volume's
        name without ``anatomic``; its folders' names may stand in front.
    ``case identifiers``
        Plane and case words are the same, or those of one are among those of the other. Numbers
        are numbers: 2 is 02, P02 and patient_2, and never 01.
    ``only candidate of that plane``
        There is one volume of the file's plane; or of those that its name leaves open, one on
        which its voxels land.

    A volume is taken only if the file's voxels are voxels of it (in whatever order), if no number
    says that the two are of different cases, and if no other case or folder claims it for the same
    plane as well. A row lists the hundred likeliest
    volumes of those that its file may be for (``candidates``), and counts the others (``further``).

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
    there = list(volumes)
    folders = DatasetFolders(
        {ref.dataset for ref in there},
        {path.parent.parts for path in dataset.annotation_paths},
    )
    matcher = _Matcher(there, folders, dataset.choices.annotation_words)
    claims = [matcher.claim(item, file) for item in dataset.items for file in _files(item)]
    _settle(claims)
    names = {ref.id: f"{ref.dataset}/{ref.name}" for ref in there}
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


@dataclass(frozen=True, eq=False)
class _Fits:
    """Volumes that a file may be for, the likeliest first: the first of them, and their number."""

    first: tuple[_Volume, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        return listed(self.first, SHOWN, count=self.count)


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
    fits: _Fits = _Fits()
    meant: _Volume | None = None
    why: str = ""


Lands = npt.NDArray[np.bool_]
"""(n,), one for each volume of the target: whether a file's voxels are voxels of it."""


class _Group:
    """Volumes of some datasets, in the order of their names; ``at`` are their positions."""

    def __init__(self, there: Sequence[_Volume], at: Iterable[int]) -> None:
        self.there = there
        self.at = np.array(sorted(at), np.int64)
        self._planes: dict[str | None, _Group] = {}

    @cached_property
    def names(self) -> NameIndex:
        """What their names say."""
        return NameIndex([self.there[position].name for position in self.at])

    def of_plane(self, plane: str | None) -> _Group:
        """Return those with a plane in their names, or those without one."""
        if plane not in self._planes:
            at = (position for position in self.at if self.there[position].name.plane == plane)
            self._planes[plane] = _Group(self.there, at)
        return self._planes[plane]

    def ranked(self, name: PlainName, lands: Lands, among: Positions | None = None) -> Positions:
        """Return the likeliest first: by words and numbers in common, by place, by their names.

        A number at the end of a file's name may be an index, and comes after the place.
        ``among`` are some of them, all by default; what comes back are positions as in ``at``.
        """
        if among is not None and len(among) == 1:  # the usual case
            return self.at[among]
        rank = -4 * self.names.in_common(name) - np.int16(2) * lands[self.at]
        if name.tail:
            rank -= self.names.numbers.in_common(map(str, name.tail)) > 0
        at, rank = (self.at, rank) if among is None else (self.at[among], rank[among])
        return at[np.argsort(rank, kind="stable")]

    def fits(self, positions: Sequence[int] | Positions) -> _Fits:
        """Return volumes as a claim has them."""
        first = tuple(map(self.there.__getitem__, np.asarray(positions[:CANDIDATES]).tolist()))
        return _Fits(first, len(positions))


class _Matcher:
    """Finds the volumes that a file's folder and name fit."""

    def __init__(
        self, refs: Sequence[VolumeRef], folders: DatasetFolders, further: tuple[str, ...]
    ) -> None:
        self.folders, self.further = folders, further
        keys = [natural_key(f"{ref.dataset}/{ref.name}") for ref in refs]
        order = sorted(range(len(refs)), key=keys.__getitem__)
        there = [_Volume(refs[place], plain_name(refs[place].name)) for place in order]
        self._lattices = Lattices([volume.ref.grid for volume in there])
        self._all = _Group(there, range(len(there)))
        self._by_dataset: defaultdict[str, list[int]] = defaultdict(list)
        for position in np.argsort(order).tolist():  # in the order in which they were given
            self._by_dataset[there[position].ref.dataset].append(position)
        self._groups: dict[tuple[str, ...], _Group] = {}

    def claim(self, item: Item, file: MaskFile | TableFile) -> _Claim:
        """Return a file's claim: the one volume it means, or why there is none."""
        relative = file.relative
        claim = _Claim(item, file, plain_name(relative.name, self.further))
        datasets, inner, why = self.folders.of(relative.parent.parts)
        if why:
            claim.fits = self._all.fits(self._of_datasets(datasets))
            claim.why = why
            return claim
        group, lands = self._group(datasets), self._lands(file)
        found = self._fitting(claim, inner, group, lands)
        claim.fits = group.fits(found)
        if not claim.rule:
            where = f"dataset {datasets[0]}" if len(datasets) == 1 else "the target"
            kind = f"of plane {claim.name.plane}" if claim.name.plane else "with such a name"
            what = f"no volume {kind}" if len(group.at) else "no volumes"
            claim.why = f"{where} has {what}"
        elif len(found) == 1:
            _take(claim, int(found[0]), group, lands)
        else:
            _narrow(claim, found, group, lands)
        return claim

    def _of_datasets(self, datasets: Iterable[str]) -> list[int]:
        return [position for name in datasets for position in self._by_dataset[name]]

    def _group(self, datasets: tuple[str, ...]) -> _Group:
        if datasets is self.folders.datasets:  # thousands of names are not hashed for each file
            return self._all
        if datasets not in self._groups:
            self._groups[datasets] = _Group(self._all.there, self._of_datasets(datasets))
        return self._groups[datasets]

    def _lands(self, file: MaskFile | TableFile) -> Lands:
        """Return where a file lands; a table, which has no voxels, is no proof."""
        if isinstance(file, TableFile):
            return np.ones(len(self._all.there), bool)
        return self._lattices.same_as(file.grid)

    def _fitting(
        self, claim: _Claim, inner: tuple[str, ...], group: _Group, lands: Lands
    ) -> Positions:
        """Put the first rule that any volume fits into a claim; return those that fit, ranked."""
        name = claim.name
        own = group if name.plane is None else group.of_plane(name.plane)
        bare = _Group((), ()) if name.plane is None else group.of_plane(None)
        for rule in name_rules(claim.file.relative.name, inner, self.further):
            some = bare if rule.planeless else own
            if not len(some.at):
                continue
            found = rule.fitting(some.names)
            if len(found):
                claim.rule, claim.rank = rule.name, (RULES.index(rule.name), rule.looseness)
                return some.ranked(name, lands, found)
        if len(own.at) and name.plane is not None:
            claim.rule, claim.rank = ONLY, _LAST
            return own.ranked(name, lands)
        return bare.ranked(name, lands)


def _differ(claim: _Claim, volume: _Volume) -> bool:
    """Say whether file and volume both have case words, and each some that the other lacks."""
    ours, theirs = claim.name, volume.name
    if not (ours.case and theirs.case) or one_in_other(ours.case, theirs.case):
        return False
    return not one_in_other(ours.numbered, theirs.numbered)


def _may_be(claim: _Claim, volume: _Volume) -> bool:
    """Say whether nothing in the names of a file and a volume is against the two."""
    apart = numbers_apart(claim.name, volume.name, alone=claim.rule == ONLY)
    is_alike = apart is None and not _differ(claim, volume)
    return is_alike and not (claim.rule == CASE and numbered_by(claim.name, volume.name))


def _take(claim: _Claim, position: int, group: _Group, lands: Lands) -> None:
    """Take the volume that the name means, or say that the file's voxels do not land on it."""
    claim.meant = volume = group.there[position]
    apart = numbers_apart(claim.name, volume.name, alone=claim.rule == ONLY)
    if apart is not None and claim.rule != EXACT:
        says = f"by its {'plane' if claim.rule == ONLY else 'name'} it is for {volume}"
        claim.why = f"{says}, but its number is {apart[0]}, not {apart[1]}"
        return
    if claim.rule == CASE and (word := numbered_by(claim.name, volume.name)):
        claim.why = f"by its number it may be for {volume}, but that is the number of {word!r}"
        return
    if isinstance(claim.file, TableFile):
        if claim.rule == ONLY and _differ(claim, volume):
            claim.why = f"by its plane it is for {volume}, but its name is not, and it has no grid"
        return
    if lands[position]:
        return
    found = compare_grids(claim.file.grid, volume.ref.grid)
    if found.lands:  # it covers a part of the volume that its name means
        return
    far = ""
    if found.displacement_mm != float("inf"):
        far = f", by up to {found.displacement_mm:.3g} mm ({found.displacement_voxels:.3g} voxels)"
    says = "plane" if claim.rule == ONLY else "name"
    claim.why = f"by its {says} it is for {volume}, but its grid is not: {found.verdict}{far}"
    alike = group.of_plane(volume.name.plane)
    others = alike.ranked(claim.name, lands, np.flatnonzero(lands[alike.at]))
    if len(others):
        claim.why += f"; it fits {group.fits(others)}"
    claim.fits = group.fits([position, *others])


def _narrow(claim: _Claim, found: Positions, group: _Group, lands: Lands) -> None:
    """Take the one of several volumes on which the voxels land, if its name is not against it."""
    landing = found[lands[found]]
    if len(landing) == 1 and _may_be(claim, group.there[landing[0]]):
        claim.rule, claim.rank, claim.meant = ONLY, _LAST, group.there[landing[0]]
        claim.fits = group.fits(np.concatenate([landing, found[~lands[found]]]))
        return
    what = "by its plane" if claim.rule == ONLY else f"by {claim.rule}"
    claim.why = f"{len(found)} volumes fit {what}: {claim.fits}"
    if not len(landing):
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
        least = min(ranks.values())
        best = [item for item in ranks if ranks[item] == least]
        for claim in group if len(ranks) > 1 else ():
            is_best = ranks[claim.item] == least
            others = len(best) - is_best
            if others and not claim.why:
                # Of thousands that claim one volume, no more are looked at than are named.
                near = [one for one in best[: SHOWN + 1] if one is not claim.item]
                named = listed((one.annotation_paths[0] for one in near), SHOWN, count=others)
                fits = "fits" if others == 1 else "fit"
                claim.why = f"{named} {fits} {claim.meant} {'as well' if is_best else 'better'}"


def _row(claim: _Claim) -> MappingRow:
    ids = tuple(volume.ref.id for volume in claim.fits.first)
    further = claim.fits.count - len(ids)
    if claim.meant is None or claim.why:
        return MappingRow(claim.file.relative, None, "", ids, claim.why, further)
    return MappingRow(claim.file.relative, claim.meant.ref.id, claim.rule, ids, further=further)


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
