"""What will land: a plan as tables, and what becomes of what is on the target already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nifti_kit.core.text import BYTES_PER_MB, counted
from nifti_kit.errors import visible
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans.plan import Plan, update_lines
from nifti_kit.targets.records import PlannedItem, there_text, updates_text
from nifti_kit.transfer.accepted import accepted_codes
from nifti_kit.transfer.proof import ExtraObject, Proof, ProofRow
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.widgets.parts.table import Column, Row, Table, Tone, columns_of

EXISTING_HELP = {
    "error": "Refuse, and change nothing, if any of it is there already.",
    "skip": "Keep what is there and identical; add only what is missing.",
    "replace": "Objects of the same classes go, the new ones take their place; what goes is kept "
    "in a folder aside.",
    "append": "Keep all objects that are there, and add the new ones beside them.",
}
"""What each choice of ``existing`` does. A volume that is there is never overwritten: one with
other voxels is refused."""

SHOWN_DIGITS = 3
"""Of megabytes: kilobytes still show."""

SHOWN_LINES = 12
"""Changes of scores that are shown before the rest is counted."""

_ITEMS = (
    Column("name", "Volume"),
    Column("lands", "What lands", filtered=True),
    Column("objects", "Objects", "number"),
    Column("scores", "Scores", "number"),
    Column("size", "Files, MB", "number"),
    Column("there", "On the target already"),
)
_NUMBERS = ("volume id", "object id", "value", "voxels", "scores")
_OBJECTS = columns_of(Plan, _NUMBERS, ("item", "class"), item="Volume")
_CLASSES = (
    Column("name", "Class"),
    Column("value", "Value", "number"),
    Column("objects", "Objects", "number"),
    Column("voxels", "Voxels", "number"),
    Column("scores", "Scores", "number"),
    Column("color", "Colour"),
)


class PlanTables:
    """What a plan will land, as tables."""

    def __init__(self) -> None:
        # Tables (:class:`nifti_kit.widgets.parts.table.Table`) with a row for each; choosing a
        # volume leaves its objects alone in ``objects``.
        self.items = Table(_ITEMS)
        self.objects = Table(_OBJECTS)
        self.classes = Table(_CLASSES)
        self.items.observe(self._show_one, "selected")

    def show(self, plan: Plan | None) -> None:
        """Fill the tables; None empties them."""
        colors = {} if plan is None else {found.name: found.color for found in plan.classes}
        items = () if plan is None else plan.items
        self.items.rows = tuple(_item_row(at, item) for at, item in enumerate(items))
        rows = () if plan is None else plan.records()
        self.objects.rows = tuple(_object_row(at, row, colors) for at, row in enumerate(rows))
        self.classes.rows = () if plan is None else tuple(_class_rows(plan))
        self.objects.filter_by("item", "")

    def _show_one(self, _: Any = None) -> None:
        row = self.items.row(self.items.selected)
        self.objects.filter_by("item", "" if row is None else str(row.cells["name"]))


def title(plan: Plan) -> str:
    """Return a plan in one line, such as ``1 volume, 2 objects, 2 classes, 3 scores``."""
    parts = [
        counted(sum(item.volume is not None for item in plan.items), "volume"),
        counted(len(plan.objects), "object"),
        counted(len(plan.classes), "class"),
        counted(sum(planned.score_count for planned in plan.objects), "score"),
    ]
    if plan.left_out:
        parts.append(f"{counted(len(plan.left_out), 'file')} left out")
    return f"{', '.join(parts)}{updates_text(plan.updates)}"


def there_lines(plan: Plan, existing: str) -> list[str]:
    """Return what is on the target already, and what a choice of ``existing`` makes of it."""
    volumes = sum(item.volume_there is not None for item in plan.items)
    objects = len(plan.there)
    parts = [f"{counted(volumes, 'volume')} of the same name"] * bool(volumes)
    parts += [f"{counted(objects, 'object')} of the same classes"] * bool(objects)
    said = [f"On the target already: {' and '.join(parts)}."] * bool(parts)
    if parts:
        said.append(_consequence(existing, volumes, objects))
    changed = [
        f"{visible(item.name)}: {update.class_name} (object {update.object_id}). {line}"
        for item in plan.items
        for update in item.updates
        for line in update_lines(update)
    ]
    more = len(changed) - SHOWN_LINES
    return said + changed[:SHOWN_LINES] + [f"... and {counted(more, 'more change')}"] * (more > 0)


def _consequence(existing: str, volumes: int, objects: int) -> str:
    if existing == "error":
        return "error: the upload will be refused, and nothing changed. Choose another."
    same = "Volumes stay as they are; one with other voxels is refused." if volumes else ""
    them = counted(objects, "object")
    said = {
        "skip": "what is identical stays, and is not added again",
        "replace": f"{them} will go, and be kept in a folder aside",
        "append": f"{them} will stay beside the new ones",
    }[existing]
    return (
        f"{existing}: {said if objects or existing == 'skip' else 'no object goes'}. {same}".strip()
    )


def _item_row(at: int, item: PlannedItem) -> Row:
    cells = {
        "name": item.name,
        "lands": _what_lands(item),
        "objects": len(item.objects),
        "scores": sum(found.score_count for found in item.objects)
        + sum(len(update.new) for update in item.updates),
        "size": _size(item),
        "there": _there(item),
    }
    return Row(str(at), cells, tone="warning" if cells["there"] else "")


def _what_lands(item: PlannedItem) -> str:
    if item.volume is not None:
        return "a new volume" if item.volume_there is None else "a volume that is there"
    if item.updates and not item.objects:
        return "scores alone"
    return "annotations" if item.volume_id is not None else "nothing"


def _there(item: PlannedItem) -> str:
    parts = [f"the volume (id {item.volume_there})"] * (item.volume_there is not None)
    parts += [there_text(item.there)] * bool(item.there)
    old = sum(len(update.old) for update in item.updates)
    parts += [counted(old, "score")] * bool(old)
    return "; ".join(parts)


def _object_row(at: int, found: dict[str, Any], colors: Mapping[str, Sequence[int]]) -> Row:
    name = found["class"]
    return Row(str(at), found, colors={"class": colors[name]} if name in colors else {})


def _class_rows(plan: Plan) -> Iterator[Row]:
    own = defaultdict(list)
    for planned in plan.objects:
        own[planned.class_name].append(planned)
    for found in plan.classes:
        objects = own[found.name]
        cells = {
            "name": found.name,
            "value": found.value,
            "objects": len(objects),
            "voxels": sum(planned.voxels for planned in objects),
            "scores": sum(planned.score_count for planned in objects),
            "color": "from the class map" if found.color_is_given else "chosen by the toolkit",
        }
        yield Row(found.name, cells, colors={"name": found.color})


def _size(item: PlannedItem) -> float | None:
    """Return how much there is to read (MB); None where a file is gone."""
    try:
        return round(sum(map(_bytes, item.images)) / BYTES_PER_MB, SHOWN_DIGITS)
    except OSError:
        return None


def _bytes(image: ImageFile) -> int:
    return image.path.stat().st_size if image.content is None else len(image.content)


# Evidence: what landed, and how it compares with its source, as tables

_LANDED = columns_of(Receipt, _NUMBERS, ("volume", "class"))
_PROVED = (
    Column("verdict", "Verdict", filtered=True),
    Column("kind", "What"),
    Column("volume", "Volume"),
    Column("name", "Class"),
    Column("compared", "Voxels compared", "number"),
    Column("differing", "Differ", "number"),
    Column("displacement", "Displacement, mm", "number"),
    Column("problem", "Problem"),
)


class ReceiptTables:
    """Receipt and proof as tables."""

    def __init__(self) -> None:
        self.landed = Table(_LANDED)  # a row for each object and update of scores that landed
        # A row for each volume, object and update that was compared, and for what is too much; what
        # is not as meant comes first, then what landed with accepted errors; objects of others come
        # last.
        self.proved = Table(_PROVED)

    def show_receipt(self, receipt: Receipt | None) -> None:
        """Show what landed; None empties the table."""
        rows = () if receipt is None else receipt.records()
        accepted = () if receipt is None else receipt.accepted
        self.landed.rows = tuple(
            Row(str(at), row, tone="warning" if accepted_codes(accepted, row["from"]) else "")
            for at, row in enumerate(rows)
        )

    def show_proof(self, proof: Proof | None) -> None:
        """Show how it compares; None empties the table."""
        accepted = () if proof is None else proof.accepted
        pairs = [(row, accepted_codes(accepted, row.source)) for row in proof.rows] if proof else []
        pairs.sort(key=lambda pair: (pair[0].ok, not pair[1]))
        self.proved.rows = (
            *(_proof_row(str(at), row, codes) for at, (row, codes) in enumerate(pairs)),
            *(
                _extra_row(f"extra-{at}", one)
                for at, one in enumerate(proof.extra if proof else ())
            ),
        )


def first_line(result: Any) -> str:
    """Return the title of a receipt or a proof."""
    return "" if result is None else visible(result.title())


def _proof_row(key: str, row: ProofRow, codes: Sequence[str]) -> Row:
    """Return a row; one of which errors were accepted is as meant, and never plain good."""
    accepted = f"accepted: {', '.join(codes)}" if codes else ""
    verdict = "as meant, with accepted errors" if codes else "as meant"
    cells = {
        "verdict": verdict if row.ok else "NOT as meant",
        "kind": row.kind,
        "volume": row.volume,
        "name": row.name if row.kind != "volume" else "",
        "compared": row.compared,
        "differing": row.differing,
        "displacement": row.displacement_mm,
        "problem": "; ".join(filter(None, (row.why, accepted))),
    }
    fine: Tone = "warning" if codes else "good"
    return Row(key, cells, tone=fine if row.ok else "error")


def _extra_row(key: str, one: ExtraObject) -> Row:
    """Return the row of an object of others, of which nothing is compared: it is no problem."""
    cells = {
        "verdict": "of others",
        "kind": f"object {one.object_id}, {one.what}",
        "volume": one.volume,
        "name": one.class_name,
        "compared": None,
        "differing": None,
        "displacement": None,
        "problem": "",
    }
    return Row(key, cells)
