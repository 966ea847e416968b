"""What files and projects hold, in one form: read with nibabel, numpy, csv and json alone.

Nothing here imports nifti_kit. A volume is known by its voxels, so that names may change; an object
by its class, its voxels in its volume's RAS+ grid, their places (mm), and its scores by slice.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import nibabel as nib
import numpy as np

from tests.support import oracle

NEAR_MM = 1e-4
PLANES = {normal: plane for plane, normal in oracle.NORMAL.items()}

Scores = dict[tuple[str, int], tuple[Decimal | str | None, str | None]]
"""(plane, slice of the volume in RAS+ order from 0) to score and comment."""


@dataclass
class Volume:
    """Where the voxels of a volume are, in RAS+ order, and their type."""

    affine: np.ndarray
    shape: tuple[int, ...]
    dtype: np.dtype


@dataclass
class Object:
    """``voxels`` (n, 3), sorted, count in the volume's RAS+ grid; ``places`` (n, 3) are theirs."""

    volume: str
    class_name: str
    voxels: np.ndarray
    places: np.ndarray
    scores: Scores = field(default_factory=dict)


@dataclass
class Content:
    """Volumes by fingerprint, objects, and the colour of each class that has one."""

    volumes: dict[str, Volume] = field(default_factory=dict)
    objects: list[Object] = field(default_factory=list)
    colors: dict[str, str] = field(default_factory=dict)

    def add_volume(self, data: np.ndarray, affine: np.ndarray) -> str:
        """Take a volume in RAS+ order; return its fingerprint."""
        content = np.ascontiguousarray(data, dtype="<f8").tobytes()
        known = f"{hashlib.sha256(content).hexdigest()[:12]} {data.shape}"
        assert known not in self.volumes, "two volumes have the same voxels"
        self.volumes[known] = Volume(affine, data.shape, data.dtype.newbyteorder("="))
        return known

    def add_object(
        self, volume: str, name: str, inside: np.ndarray, affine: np.ndarray, scores: Scores
    ) -> None:
        """Take an object by the voxels of its own array, and that array's affine."""
        places = nib.affines.apply_affine(affine, np.argwhere(inside))
        back = np.linalg.inv(self.volumes[volume].affine)
        found = nib.affines.apply_affine(back, places)
        voxels = np.rint(found).astype(int)
        assert np.abs(found - voxels).max(initial=0) < 0.02, "it lies between voxels"
        order = np.lexsort(voxels.T)
        self.objects.append(Object(volume, name, voxels[order], places[order], scores))


# What differs


class Difference(NamedTuple):
    """``what`` is volume, class, object or scores; ``name`` that of the class, or fingerprint."""

    what: str
    name: str
    words: str


def differences(before: Content, after: Content, *, empty_classes: bool = True) -> list[Difference]:
    """Return each volume, class, colour, object and score that is not the same.

    A class without objects counts where ``empty_classes``; a side without colours has any.
    """
    return [
        *_of_volumes(before, after),
        *_of_classes(before, after, empty_classes=empty_classes),
        *_of_objects(before, after),
    ]


def _of_volumes(before: Content, after: Content) -> Iterator[Difference]:
    for known in before.volumes.keys() ^ after.volumes.keys():
        yield Difference("volume", known, "is lost" if known in before.volumes else "is new")
    for known in before.volumes.keys() & after.volumes.keys():
        ours, theirs = before.volumes[known], after.volumes[known]
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in ours.shape])).reshape(3, -1).T
        moved = nib.affines.apply_affine(ours.affine, corners)
        moved -= nib.affines.apply_affine(theirs.affine, corners)
        if np.linalg.norm(moved, axis=1).max() > NEAR_MM:
            yield Difference("volume", known, f"moved by {np.abs(moved).max()} mm")
        if ours.dtype != theirs.dtype:
            yield Difference("volume", known, f"was {ours.dtype} and is {theirs.dtype}")


def _of_classes(before: Content, after: Content, *, empty_classes: bool) -> Iterator[Difference]:
    if not before.colors or not after.colors:
        return
    used = {one.class_name for one in (*before.objects, *after.objects)}
    for name in before.colors.keys() | after.colors.keys():
        ours, theirs = before.colors.get(name), after.colors.get(name)
        if ours != theirs and (empty_classes or name in used):
            yield Difference("class", name, f"was {ours} and is {theirs}")


def _of_objects(before: Content, after: Content) -> Iterator[Difference]:
    left: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
    for one in after.objects:
        left[one.volume, one.class_name].append(one)
    for one in before.objects:
        twins = [other for other in left[one.volume, one.class_name] if _same_place(one, other)]
        if not twins:
            yield Difference("object", one.class_name, f"of {len(one.voxels)} voxels is lost")
            continue
        twin = next((other for other in twins if other.scores == one.scores), twins[0])
        own = left[one.volume, one.class_name]
        del own[next(at for at, other in enumerate(own) if other is twin)]
        for key in one.scores.keys() | twin.scores.keys():
            if one.scores.get(key) != twin.scores.get(key):
                said = f"{one.scores.get(key)} and is {twin.scores.get(key)}"
                yield Difference("scores", one.class_name, f"on {key} was {said}")
    for (_, name), others in left.items():
        for one in others:
            yield Difference("object", name, f"of {len(one.voxels)} voxels is new")


def _same_place(one: Object, other: Object) -> bool:
    return (
        np.array_equal(one.voxels, other.voxels)
        and np.abs(one.places - other.places).max(initial=0) < NEAR_MM
    )


# A project in a folder


def of_project(path: Path, datasets: Iterable[str] = ("d",)) -> Content:
    """Return what is in datasets of a project: its files read with json and pynrrd."""
    found = Content()
    for dataset in datasets:
        project = oracle.read_project(path, dataset)
        for title, facts in project.classes.items():
            found.colors[title] = facts["color"]
        known = {name: found.add_volume(*pair) for name, pair in project.volumes.items()}
        for one in project.objects:
            scores = _custom_scores(one.custom_data)
            affine = oracle.affine_of(one.header)
            found.add_object(known[one.volume], one.class_name, one.inside, affine, scores)
    return found


def _custom_scores(custom: dict[str, Any]) -> Scores:
    return {
        (PLANES[normal], int(index)): (_number(entry["score"]), entry["comment"])
        for normal, slices in custom.items()
        for index, entry in slices.items()
        if (entry["score"], entry["comment"]) != (None, None)
    }


def _number(text: Any) -> Decimal | str | None:
    """Return a score as a number, also with a decimal comma; what is none as its text."""
    said = "" if text is None else str(text).strip().replace(",", ".")
    try:
        return Decimal(said) if said else None
    except InvalidOperation:
        return said


# Files: by volume, or by plane (a plane and ``anatomic`` in names)


def of_files(folder: Path, *, by_volume: bool = False) -> Content:
    """Return what lies in a folder of one of the specification's layouts.

    Names tell which one; ``by_volume`` is right whatever they say.
    """
    found = Content()
    classes = _class_map(folder)
    for name, color in classes.values():
        assert found.colors.setdefault(name, color) == color
    images = sorted(path for path in folder.rglob("*.nii*") if path.is_file())
    for place in sorted({path.parent for path in images}):
        here = [path for path in images if path.parent == place]
        if any(_stem(path) == place.name and path.parent == place.parent for path in images):
            continue  # the masks of a volume beside it
        if not by_volume and any(_role(path) == "anatomic" for path in here):
            _read_planes(found, here, classes)
        else:
            _read_volumes(found, here, classes)
    return found


def _class_map(folder: Path) -> dict[int, tuple[str, str]]:
    """Return number to name and #RRGGBB."""
    for path in sorted(folder.glob("*.txt")):
        return oracle.colour_map(path)
    for path in sorted(folder.glob("*.tsv")):
        with path.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened, delimiter="\t"))
        return {int(row["index"]): (row["name"], row["color"].upper()) for row in rows}
    return {}


def _stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$|\.csv$", "", path.name)


def _read_volumes(found: Content, here: list[Path], classes: Any) -> None:
    """Take the files of a folder as volumes, each with the folder that is named like it."""
    names = [name for name, _ in classes.values()]
    for path in here:
        volume = found.add_volume(*oracle.volume_in_ras(path))
        for mask in sorted((path.parent / _stem(path)).glob("*.nii*")):
            name = _class_of(_stem(mask), names)
            for inside, affine, _ in _parts(mask):
                found.add_object(volume, name, inside, affine, {})


def _class_of(stem: str, names: list[str]) -> str:
    """Return the class of a file: its name, as a web address has it, with ``~2`` for a second."""
    if stem in names:
        return stem
    name = unquote(re.sub(r"~[0-9]{1,4}$", "", stem))
    cut = [one for one in names if one.startswith(unquote(stem.rpartition("~")[0])[:60])]
    return name if name in names or len(cut) != 1 else cut[0]


def _parts(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield what each label of a file covers, the file's affine, and the label."""
    image = nib.load(path)
    data = np.rint(np.asanyarray(image.dataobj)).astype(int)
    if data.ndim == 4:
        data = data[..., 0]
    for value in np.unique(data[data != 0]).tolist():
        yield data == value, image.affine, value


def _plane(path: Path) -> str | None:
    words = re.split("[^a-z0-9]+", path.name.lower())
    return next((plane for plane in oracle.RAS_AXIS if plane in words), None)


def _role(path: Path) -> str | None:
    if _plane(path) is None:
        return None
    return "anatomic" if "anatomic" in path.name.lower() else "annotation"


def _tail(path: Path) -> list[str]:
    """Return the numbers at the end of a name: ``2`` and ``5`` of ``p1_axl_inference_2_5``."""
    found = re.search(r"(_[0-9]+)*$", _stem(path))
    return found[0].split("_")[1:] if found else []


def _read_planes(found: Content, here: list[Path], classes: Any) -> None:
    """Take the files of a folder as a set: a volume for each plane, and its masks and tables."""
    volumes = {_plane(path): path for path in here if _role(path) == "anatomic"}
    masks = [path for path in here if _role(path) == "annotation"]
    many = max(Counter(map(_plane, masks)).values(), default=0) > 1
    instance = many or any(_tail(mask) != _tail(volumes[_plane(mask)]) for mask in masks)
    known = {plane: found.add_volume(*oracle.volume_in_ras(p)) for plane, p in volumes.items()}
    for mask in masks:
        plane, index = _plane(mask), int((_tail(mask) or ["1"])[-1])
        assert plane is not None
        grid = found.volumes[known[plane]]
        table = _scores(_table_of(mask, instance=instance), mask, plane, grid)
        for inside, affine, value in _parts(mask):
            number = index if instance else value
            name = classes[number][0] if number in classes else f"Segment_{number}"
            found.add_object(known[plane], name, inside, affine, table.get(value, {}))


def _table_of(mask: Path, *, instance: bool) -> Path | None:
    """Return the table of a mask: of its plane, and of its index where files are classes."""
    tables = [
        path
        for path in mask.parent.glob("*.csv")
        if _plane(path) == _plane(mask) and (not instance or _tail(path) == _tail(mask))
    ]
    assert len(tables) < 2
    return tables[0] if tables else None


def _scores(table: Path | None, mask: Path, plane: str, volume: Volume) -> dict[int, Scores]:
    """Return the scores of each value: each frame's place looked up in the volume's RAS+ grid."""
    found: dict[int, Scores] = {}
    if table is None:
        return found
    with table.open(newline="", encoding="utf-8-sig") as opened:
        head, *rows = csv.reader(opened, skipinitialspace=True)
    for row in rows:
        index = _slice_of(int(row[0]), mask, plane, volume)
        cells = dict(zip(head, row, strict=False))
        for value in {int(name.partition("-")[2]) for name in head[1:]}:
            score = _number(cells.get(f"Label-{value}"))
            comment = cells.get(f"Comment-{value}", "").strip() or None
            if comment and re.match("'[=+@-]", comment):
                comment = comment[1:]  # a spreadsheet would take it for a formula
            if (score, comment) != (None, None):
                found.setdefault(value, {})[plane, index] = score, comment
    return found


def _slice_of(layer: int, mask: Path, plane: str, volume: Volume) -> int:
    image, ras = nib.load(mask), oracle.RAS_AXIS[plane]
    axis = [axes for axes, _ in nib.io_orientation(image.affine)].index(ras)
    place = (np.array(image.shape[:3]) - 1) / 2
    place[axis] = layer - 1
    world = nib.affines.apply_affine(image.affine, place)
    index = nib.affines.apply_affine(np.linalg.inv(volume.affine), world)[ras]
    assert abs(index - round(index)) < 1e-2
    return round(index)


# The original files again, voxel for voxel and header for header


KEPT = ("dim", "pixdim", "datatype", "bitpix", "qform_code", "sform_code", "quatern_b", "quatern_c",
        "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
        "xyzt_units", "descrip", "intent_code", "intent_name", "scl_slope", "scl_inter",
        "cal_max", "cal_min", "aux_file")  # fmt: skip
"""The fields of a header that say where voxels are, how they are stored, and what others noted."""


def unlike(original: Path, exported: Path) -> list[str]:
    """Return what a file does not share with its original: voxels as stored, and header fields."""
    ours, theirs = _raw(original), _raw(exported)
    found = [
        f"{name}: {ours[0][name]} became {theirs[0][name]}"
        for name in KEPT
        if not np.array_equal(ours[0][name], theirs[0][name], equal_nan=_is_number(ours[0][name]))
    ]
    if ours[0].endianness != theirs[0].endianness:
        found.append("another byte order")
    if ours[1].shape != theirs[1].shape:
        return [*found, f"shape: {ours[1].shape} became {theirs[1].shape}"]
    if differing := int(np.count_nonzero(ours[1] != theirs[1])):
        found.append(f"{differing} voxels differ")
    return found


def _is_number(value: Any) -> bool:
    return bool(np.issubdtype(np.asarray(value).dtype, np.floating))


def _raw(path: Path) -> tuple[Any, np.ndarray]:
    """Return the header as it is in the file, and the numbers as they are stored."""
    opened = nib.openers.ImageOpener if path.name.endswith("gz") else open
    with opened(str(path), "rb") as stream:
        content = stream.read()
    second = b"n+2" in content[:8]
    header = (
        nib.Nifti2Header(content[:540], check=False)
        if second
        else nib.Nifti1Header(content[:348], check=False)
    )
    count = int(np.prod(header.get_data_shape()))
    offset = int(header["vox_offset"]) or 352
    data = np.frombuffer(content, header.get_data_dtype(), count, offset)
    return header, data.reshape(header.get_data_shape(), order="F")


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def left_out(folder: Path) -> list[dict[str, Any]]:
    """Return what the JSON beside an export names as not exported."""
    path = folder / "not_exported.json"
    return json.loads(path.read_text()) if path.exists() else []


def unnamed(found: Iterable[Difference], folder: Path) -> list[Difference]:
    """Return what differs and is not named in the JSON beside an export: each name counts once."""
    named = Counter((one["what"], one["class"]) for one in left_out(folder))
    lost = []
    for one in found:
        # One entry may name many scores of an object.
        if named[one.what, one.name] and not one.words.endswith("new"):
            named[one.what, one.name] -= one.what == "object"
        else:
            lost.append(one)
    return lost
