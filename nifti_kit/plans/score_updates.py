"""Score updates: scores from tables without masks, for figures that are on the target already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import NORMALS, PLANES
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.names import parse_name
from nifti_kit.datasets.surveys import TableSurvey, survey_item
from nifti_kit.formats.scores import Score
from nifti_kit.plans.project import ProjectClasses, ProjectContent
from nifti_kit.targets.records import ObjectRef, ScoreUpdate, SliceScores, VolumeRef

SHOWN_OBJECTS = 8
"""Ids of objects that a message lists before it counts the rest."""


def landing_too(
    updates: Iterable[ScoreUpdate], landing: Mapping[str, PurePosixPath]
) -> Iterator[Finding]:
    """No object of an updated class lands on the same volume (``landing``: class to mask)."""
    for update in updates:
        if update.class_name in landing:
            message = (
                f"column Label-{update.value}: {update.class_name} is object {update.object_id}, "
                f"but one lands from {landing[update.class_name]} too"
            )
            yield finding("scores-object-ambiguous", update.table.relative, message)


class ScorePlanner:
    """Finds the figure and the slices of each column of tables without masks."""

    def __init__(
        self, dataset: Dataset, project: ProjectClasses, target: ProjectContent | None
    ) -> None:
        self.dataset, self.project, self.target = dataset, project, target
        self.findings: list[Finding] = []
        self._taken: dict[tuple[int, str, str], ScoreUpdate] = {}

    def updates(self, item: Item, volume_id: int | None) -> Iterator[ScoreUpdate]:
        """Yield the updates of an item without masks; what does not land is in the findings.

        ``volume_id``: the volume that its table belongs to; None where there is none.
        """
        for table in survey_item(self.dataset, item).tables:
            if self.target is None:
                message = f"{counted(len(table.read), 'score')} for figures that are there"
                self._find("scores-need-target", table, message)
            elif volume_id is not None:
                yield from self._on_volume(self.target, item, table, volume_id)

    def _find(self, code: str, table: TableSurvey, message: str) -> None:
        self.findings.append(finding(code, table.table.relative, message))

    def _on_volume(
        self, target: ProjectContent, item: Item, table: TableSurvey, volume_id: int
    ) -> Iterator[ScoreUpdate]:
        volume = target.volume(volume_id)
        if volume is None:
            self._find("annotation-unmatched", table, f"the target has no volume {volume_id}")
            return
        if self._may_be_class_index(table, volume):
            message = (
                f"its number {table.table.index} may be a class index, and then Label-N are "
                f"objects of that class; the volume {volume.name} has no such number"
            )
            self._find("scores-object-ambiguous", table, message)
            return
        for value in table.read.values:
            cells = [score for score in table.read if score.value == value]
            found = self._object(target, table, volume, value, len(cells)) if cells else None
            if found is not None:
                yield from self._placed(item, table, volume, found, cells)

    def _may_be_class_index(self, table: TableSurvey, volume: VolumeRef) -> bool:
        """Say whether the number at the end of a table's name is not known to be its volume's."""
        if table.table.index is None:
            return False
        own = parse_name(table.table.relative.name).tail
        chosen = self.dataset.choices.segmentation == "instance"
        return chosen or own != parse_name(volume.name).tail

    def _object(
        self, target: ProjectContent, table: TableSurvey, volume: VolumeRef, value: int, cells: int
    ) -> ObjectRef | None:
        """Return the one object of a value's class on a volume."""
        entry = self.project.by_value(value)
        what = f"no class has the pixel value {value}"
        if entry is not None:
            own = [one for one in target.objects(volume.id) if one.class_name == entry.name]
            found = [one for one in own if one.has_figure]
            if len(found) == 1:
                return found[0]
            if found:
                ids = listed((one.id for one in found), SHOWN_OBJECTS)
                message = (
                    f"column Label-{value}: the volume {volume.name} has {len(found)} objects of "
                    f"{entry.name}: {ids}"
                )
                self._find("scores-object-ambiguous", table, message)
                return None
            what = f"the volume {volume.name} has no object of {entry.name}"
        message = f"column Label-{value}: {what}; its {cells} scores do not land"
        self._find("scores-without-value", table, message)
        return None

    def _placed(
        self,
        item: Item,
        table: TableSurvey,
        volume: VolumeRef,
        found: ObjectRef,
        cells: Sequence[Score],
    ) -> Iterator[ScoreUpdate]:
        """Yield the update of one object, on the slices of the volume."""
        assert item.plane is not None
        if self.dataset.choices.score_frames == "file":
            return  # scores-frames-unknown names the table
        plane = NORMALS[item.plane]
        new = self._slices(item.plane, table, volume, cells)
        old = found.scores.get(plane, {})
        update = ScoreUpdate(
            volume.id,
            found.id,
            found.key,
            found.figure_id,
            found.figure_key,
            found.class_name,
            cells[0].value,
            plane,
            dict(old),
            new,
            table.table,
        )
        first = self._taken.setdefault((volume.id, found.figure_key, plane), update)
        if first is not update:
            message = (
                f"column Label-{update.value}: {first.table.relative} (Label-{first.value}) scores "
                f"{found.class_name} of the volume {volume.name} on the same plane"
            )
            self._find("scores-layer-repeated", table, message)
        elif new:
            yield update

    def _slices(
        self, plane: str, table: TableSurvey, volume: VolumeRef, cells: Sequence[Score]
    ) -> SliceScores:
        """Return scores by RAS+ slice index; layers outside the volume are in the findings."""
        count = volume.grid.shape[PLANES[plane]]
        backwards = self.dataset.choices.score_frames == "reversed"
        slices: dict[int, dict[str, str | None]] = {}
        for cell in cells:
            if cell.frame > count:
                message = (
                    f"row {cell.row}: Layer {cell.frame - 1 + table.read.base}, but the volume "
                    f"{volume.name} has {count} slices of plane {plane}"
                )
                found = finding("scores-layer-outside", table.table.relative, message)
                if found not in self.findings:  # once for a row, whatever its columns
                    self.findings.append(found)
                continue
            index = count - cell.frame if backwards else cell.frame - 1
            slices[index] = {"score": cell.score, "comment": cell.comment}
        return {str(index): slices[index] for index in sorted(slices)}
