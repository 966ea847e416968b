"""Rules about which class a label is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.header_names import classes_of, header_names, lost_names
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.layouts.pairs import says_nothing
from nifti_kit.datasets.names import ANNOTATION, parse_name
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey, class_is_name, survey_item
from nifti_kit.formats.class_maps import ClassEntry, ClassMap, title_of

EXPORTED_MAP = "color_map.txt"
"""The name under which the platform's exporter writes its class map."""

MOST_OF_THE_MAP = 0.5
"""A label map has most of the values of its class map; objects are a few of a long table's."""

MOST_UNNAMED = 200
"""Values without a class that are told one by one: with more, the class map is another one."""

SHOWN = 5
"""Values or classes that a message names before it counts the rest."""


@rule("dataset", "surveys")
def values_without_class(
    dataset: Dataset, surveys: Sequence[ItemSurvey], project: ClassMap | None = None
) -> Iterator[Finding]:
    """Where there is a class map, every value (or file index) has a class in it.

    ``project`` are the classes of a project, which stand in where a mask's own header is the map.
    """
    unnamed: dict[tuple[int, int], list[tuple[MaskSurvey, int]]] = {}
    for survey in surveys:
        for mask in survey.masks:
            classes = classes_of(dataset, survey.item, mask.mask)
            if not classes:
                continue
            if class_is_name(dataset, survey.item, mask) or survey.item.segmentation == "instance":
                yield from _unnamed_file(dataset, survey.item, mask, classes)
                continue
            for value, number, voxels in _unnamed_values(mask, classes, project):
                unnamed.setdefault((value, number), []).append((mask, voxels))
    for (value, number), where in [*unnamed.items()][:MOST_UNNAMED]:
        files = [str(mask.mask.relative) for mask, _ in where]
        seen, places = counted(sum(voxels for _, voxels in where), "voxel"), ""
        if len(files) > 1:
            seen += f" in {counted(len(files), 'file')}"
            places = f"; it is in {listed(files, SHOWN)}"
        message = f"value {value} ({seen}) has no class: Segment_{number}{places}"
        yield finding("value-without-class", files[0], message)
    if more := [*unnamed][MOST_UNNAMED:]:
        message = f"{len(more):,} more values have no class: {listed((v for v, _ in more), SHOWN)}"
        yield finding("value-without-class", "", message)


def _unnamed_file(
    dataset: Dataset, item: Item, survey: MaskSurvey, classes: ClassMap
) -> Iterator[Finding]:
    """Yield a finding if the class of a file, by its words or its index, is not in the map."""
    message = ""
    if class_is_name(dataset, item, survey):
        name = survey.mask.class_name
        if item.plane and name is not None and classes.by_name(name) is None:
            message = f"its words {name!r} are no class of the class map"
    elif (number := survey.mask.index) is not None and classes.by_value(number) is None:
        message = f"index {number} has no class: Segment_{number}"
    if message:
        yield finding("value-without-class", survey.mask.relative, message)


def _unnamed_values(
    survey: MaskSurvey, classes: ClassMap, project: ClassMap | None
) -> Iterator[tuple[int, int, int]]:
    """Yield the values of a label map without a class: value, number in the map, voxels."""
    origins = survey.mask.origins
    for label in survey.labels.labels if survey.labels else ():
        number = survey.mask.class_number(label.value)
        is_named = bool(label.value in origins and origins[label.value].name)
        maps = [classes, *([] if project is None else [project])]
        if not is_named and not any(known.by_value(number) for known in maps):
            yield label.value, number, label.voxels


@rule("dataset", "surveys")
def label_table(dataset: Dataset, surveys: Sequence[ItemSurvey]) -> Iterator[Finding]:
    """What a label table of another tool names is said, and held against the masks' values."""
    classes = dataset.classes
    masks = [(survey.item, mask) for survey in surveys for mask in survey.masks]
    used = {number for item, mask in masks for number in _asked(dataset, item, mask)}
    known = {number for number in used if classes.by_value(number) is not None}
    yield from _named_alike(classes, known)
    if not classes.dialect:
        return
    title = title_of(classes.dialect)
    is_sure = all(fault.code != "class-table-ambiguous" for fault in classes.faults)
    if is_sure and classes.dialect not in ("specification", "names"):
        message = f"{title}, names {len(known)} of the {counted(len(used), 'value')}"
        if not used:
            message = f"{title}, {counted(len(classes), 'class')}"
        yield finding("class-table-read", classes.path, message)
    for other in classes.others:
        named = sum(other.by_value(number) is not None for number in used)
        if named > len(known):
            message = (
                f"as {title} it names {len(known)} of the {counted(len(used), 'value')} of the "
                f"masks, as {title_of(other.dialect)} {named}"
            )
            remedy = (
                f"Choose: scan(..., classes=nk.read_classes(dataset.root / {classes.path!r}, "
                f"dialect={other.dialect!r})), or dialect={classes.dialect!r}."
            )
            yield finding("class-table-ambiguous", classes.path, message, remedy=remedy)


def _asked(dataset: Dataset, item: Item, survey: MaskSurvey) -> Iterable[int]:
    """Return the numbers for which a mask needs a class: its values, or its file's index."""
    values = survey.labels.values if survey.labels else ()
    if class_is_name(dataset, item, survey):
        return ()
    if item.segmentation == "semantic" or not values:
        return map(survey.mask.class_number, values)
    return (survey.mask.index or 1,)


def _named_alike(classes: ClassMap, used: Iterable[int]) -> Iterator[Finding]:
    """Yield the values of the masks that have one name in the label table."""
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for value in sorted(used):
        alike[classes[value].name].append(value)
    for name, values in alike.items():
        if len(values) > 1:
            message = f"values {listed(values, SHOWN)} are all {name!r}: they land as one class"
            yield finding("class-name-repeated", classes.path, message)


@rule("dataset", "item")
def files_of_one_class(dataset: Dataset, item: Item) -> Iterator[Finding]:
    """No file gets a class by hand that another file of its volume has."""
    given, taken = {name for _, name in dataset.choices.file_classes}, dict[str, PurePosixPath]()
    for mask in item.masks:
        name = mask.class_name or ""
        first = taken.setdefault(name, mask.relative)
        if name in given and first != mask.relative:
            message = f"{first} has the class {name!r} too: they land as one class"
            yield finding("class-name-repeated", mask.relative, message)


@rule("dataset", "item", "mask")
def names_in_headers(dataset: Dataset, item: Item, survey: MaskSurvey) -> Iterator[Finding]:
    """What a mask's own header calls its values is used, or named where it is not."""
    relative, names = survey.mask.relative, header_names(dataset, survey.mask)
    lost = lost_names(dataset, survey.mask)
    yield from names.faults
    values = survey.labels.values if survey.labels else ()
    own = [entry for value in values if (entry := (names or lost).by_value(value)) is not None]
    if not own:
        return
    shown = listed((f"{entry.value} {entry.name}" for entry in own), SHOWN)
    count = f"{len(own)} of the {counted(len(values), 'value')}"
    classes = classes_of(dataset, item, survey.mask)
    if classes is names:
        yield finding("names-in-header", relative, f"its header names {count}: {shown}")
        return
    if lost:
        message = f"its header named {count} before it was repaired: {shown}"
    elif item.segmentation != "semantic":
        name = survey.mask.class_name
        if name is not None and {_plain(entry.name) for entry in own} == {_plain(name)}:
            return
        message = f"its header names {count} ({shown}), but its values are read as objects"
    else:
        other = [entry for entry in own if _differs(entry, classes.by_value(entry.value))]
        if not other:
            return
        named = (f"{entry.value} {entry.name}" for entry in other)
        where = classes.path or "the classes that were given"
        message = f"its header says otherwise than {where}, and is not used: {listed(named, SHOWN)}"
    remedy = _given(own) if lost else ""
    yield finding("names-in-header-unused", relative, message, remedy=remedy)


def _differs(entry: ClassEntry, other: ClassEntry | None) -> bool:
    return other is None or _plain(other.name) != _plain(entry.name)


def _given(entries: Iterable[ClassEntry]) -> str:
    """Return how a person gives classes in code."""
    classes = {entry.value: entry.name for entry in entries}
    return f"If the repair kept the values, give the names: scan(..., classes={classes!r})."


@rule("dataset", "item")
def exported_instances(dataset: Dataset, item: Item) -> Iterator[Finding]:
    """The class of an instance file is known: not one that the platform's exporter numbered.

    The exporter numbers the files of a volume in the order in which it meets their classes, the
    first one without a number of its own (``axl_inference_5`` beside ``axl_inference_5_2`` for
    ``axl_anatomic_5``); its ``color_map.txt`` counts otherwise. What a person gave a class by its
    name is known; where such a file is in a set, the others without a number need one too.
    """
    given = dataset.choices.classes or ClassMap()
    unknown = [
        mask
        for mask in item.masks
        if mask.class_name is None and given.by_value(mask.index or 1) is None
    ]
    if item.segmentation != "instance" or item.plane is None or not unknown:
        return
    exported = PurePosixPath(dataset.classes.path).name == EXPORTED_MAP
    named = any(
        mask.class_name is not None
        for other in dataset.items
        for mask in other.masks
        if other.plane is not None and other.set_key == item.set_key
    )
    own = _own(item)
    tails = [_number(mask.relative) for mask in item.masks]
    extended = any(len(tail) > len(own) and tail[: len(own)] == own for tail in tails)
    first = any(not tail or (tail == own and extended) for tail in tails)
    message = "an exported instance file; its number is no class of color_map.txt"
    if named and not exported:
        message = "other files of its set have a class by their name, and this one has no number"
    for mask in unknown if first and (exported or named) else ():
        yield finding("instance-classes-unknown", mask.relative, message)


@rule("dataset", "surveys")
def class_without_value(dataset: Dataset, surveys: Sequence[ItemSurvey]) -> Iterator[Finding]:
    """Every class of the class map is in some annotation file."""
    classes = dataset.classes
    masks = [(survey.item, mask) for survey in surveys for mask in survey.masks]
    if not masks or any(mask.labels is None for _, mask in masks):
        return  # what a file holds that cannot be read is not known
    used = {number for item, mask in masks for number in _numbers(dataset, item, mask)}
    unused = [f"{entry.value} {entry.name}" for entry in classes if entry.value not in used]
    if unused:
        are = "is" if len(unused) == 1 else "are"
        message = (
            f"{len(unused)} of its {counted(len(classes), 'class')} {are} in no annotation file: "
            f"{listed(unused, SHOWN)}"
        )
        yield finding("class-without-value", classes.path, message)


def _numbers(dataset: Dataset, item: Item, survey: MaskSurvey) -> Iterable[int]:
    """Return the entries of the class map that an annotation file uses, by their values."""
    values = survey.labels.values if survey.labels else ()
    mask = survey.mask
    if values and class_is_name(dataset, item, survey):
        entry = dataset.classes.by_name(mask.class_name or "")
        return () if entry is None else (entry.value,)
    if item.segmentation == "semantic" or not values:
        return map(mask.class_number, values)
    return (mask.index or 1,)


def class_names_alike(
    dataset: Dataset, surveys: Sequence[ItemSurvey] | None = None
) -> Iterator[Finding]:
    """Class names that differ only in case, spaces, ``_`` or ``-`` are written in one way.

    Of a class map only what some mask has counts; ``surveys`` says what that is, and by default
    the masks are read for it.
    """
    spellings: defaultdict[str, defaultdict[str, list[PurePosixPath]]]
    spellings = defaultdict(lambda: defaultdict(list))
    for item in dataset.items:
        for mask in item.masks:
            by_class = item.segmentation == "semantic" and dataset.layout != "pairs"
            if mask.class_name is not None and not by_class:
                spellings[_plain(mask.class_name)][mask.class_name].append(mask.relative)
    if surveys is None:
        surveys = [survey_item(dataset, item) for item in dataset.items] if dataset.classes else ()
    masks = ((found.item, mask) for found in surveys for mask in found.masks)
    used = {number for item, mask in masks for number in _asked(dataset, item, mask)}
    for entry in dataset.classes:
        if entry.value in used:
            path = PurePosixPath(dataset.classes.path or "the class map")
            spellings[_plain(entry.name)][entry.name].append(path)
    for names in spellings.values():
        (usual, files), *others = sorted(names.items(), key=lambda name: -len(name[1]))
        for name, own in others:
            message = f"class {name!r} ({_where(own)}) and class {usual!r} ({_where(files)})"
            message += " land as two classes"
            yield finding("class-names-alike", own[0], message)


def _plain(name: str) -> str:
    """Return a name without what tools change in it: case, spaces, ``_`` and ``-``."""
    numbers_apart = re.sub(r"(?<=\d)[\s_-]+(?=\d)", "+", name)  # L1-2 is not L12
    return re.sub(r"[\s_-]+", "", numbers_apart).casefold() or name


def _where(files: Sequence[PurePosixPath]) -> str:
    more = len(files) - 1
    return str(files[0]) + (f" and {counted(more, 'other file')}" if more else "")


@rule("dataset", "surveys")
def segmentation_ambiguous(dataset: Dataset, surveys: Iterable[ItemSurvey]) -> Iterator[Finding]:
    """The names of annotation files and their values agree on semantic or instance.

    One finding for each set of planes, on its first annotation file. It is an error below the
    class map of the platform's exporter: what it exports as semantic has no value without a class
    in it, and it exports all volumes alike.
    """
    surveys = list(surveys)
    yield from _kinds_changed(dataset, surveys)
    if dataset.classes and dataset.choices.segmentation != "auto":
        yield from _kinds_chosen(dataset, surveys)
    if not dataset.classes or dataset.choices.segmentation != "auto":
        return
    several = next(filter(_is_exported_set, surveys), None)
    labels = [mask.labels for survey in surveys for mask in survey.masks if mask.labels]
    every = sorted({value for found in labels for value in found.values})
    for masks in _sets(surveys):
        values = sorted(
            {m.mask.class_number(value) for _, m in masks if m.labels for value in m.labels.values}
        )
        kinds = {item.segmentation for item, _ in masks}
        first = masks[0][1].mask.relative
        named, exported = listed(values, SHOWN), is_below_exported_map(dataset, first)
        if kinds == {"instance"} and _may_be_semantic(dataset.classes, masks, values):
            message = (
                "read as instance, because of the number at the end of its name; but it is the "
                f"only annotation file of its plane, and values {named} all have a class: "
                "it may be semantic"
            )
            yield finding("segmentation-ambiguous", first, message)
        elif kinds == {"semantic"} and exported and several is not None:
            message = (
                "the only annotation file of its plane, in an export of instances (see "
                f"{several.masks[0].mask.relative}): values {named} are objects of one class, "
                "and nothing says of which"
            )
            yield finding("segmentation-unknown", first, message)
        elif kinds == {"semantic"} and exported and _are_objects(dataset.classes, values):
            message = (
                "the only annotation file of its plane, below the exporter's class map; of its "
                f"values {named} not all have a class in it: they may be objects of one class"
            )
            yield finding("segmentation-unknown", first, message)
        elif kinds == {"semantic"} and exported and _counts(every, len(dataset.classes)):
            message = (
                "read as semantic, as the only annotation file of its plane; but its values "
                f"{named} could be objects: the exporter's class map has more classes than any file"
            )
            yield finding("segmentation-ambiguous", first, message)
        elif kinds == {"semantic"} and _may_be_instances(dataset.classes, values):
            message = (
                "read as semantic, as the only annotation file of its plane; but of its values "
                f"{named} only 1 can have a class in the class map: they may be instances"
            )
            yield finding("segmentation-ambiguous", first, message)


def _kinds_chosen(dataset: Dataset, surveys: Iterable[ItemSurvey]) -> Iterator[Finding]:
    """Name files whose names and values say another kind than was chosen for the whole source.

    Where names speak of both kinds: a choice that was meant for some is for the others too.
    """
    kind, classes, surveys = dataset.choices.segmentation, dataset.classes, list(surveys)
    items = [survey.item for survey in surveys if survey.item.plane and survey.item.masks]
    tails = [(_own(item), {_number(mask.relative) for mask in item.masks}) for item in items]
    if len({len(found) > 1 or not found <= {(), own} for own, found in tails}) == 1:
        return
    for masks in _sets(surveys):
        own = {_own(item) for item, _ in masks}
        numbers = {_number(mask.mask.relative) for _, mask in masks} - {(), *own}
        for _, mask in masks:
            values = mask.labels.values if mask.labels else ()
            file = mask.mask.relative
            if kind == "instance" and not numbers and len(values) > 1:
                is_against = all(classes.by_value(value) is not None for value in values)
                said = f"values {listed(values, SHOWN)} all have a class"
            else:
                index = (_number(file) or (1,))[-1]
                is_against = kind == "semantic" and bool(numbers) and set(values) == {1} != {index}
                is_against &= classes.by_value(index) is not None
                said = f"its number {index} has a class, and its only value is 1"
            if is_against:
                message = f"read as {kind}, as was chosen for the whole source; but {said}"
                yield finding("segmentation-ambiguous", file, message)


def _kinds_changed(dataset: Dataset, surveys: Iterable[ItemSurvey]) -> Iterator[Finding]:
    """Name sets that may be of another kind since files of them were left out, or given to others.

    Not where both kinds give the same classes.
    """
    gone: defaultdict[tuple[PurePosixPath, str | None], list[PurePosixPath]] = defaultdict(list)
    volumes = [item.volume.relative for item in dataset.items if item.volume is not None]
    for file in map(PurePosixPath, (*dataset.choices.left_out, *dict(dataset.choices.volumes))):
        name = parse_name(file.name, dataset.choices.annotation_words)
        if name.role == ANNOTATION:
            gone[file.parent, name.plane].append(file)
        else:
            volumes.append(file)
    if not gone or dataset.choices.segmentation != "auto":
        return
    rivals = Counter((file.parent, parse_name(file.name).plane) for file in volumes)
    for masks in _sets(surveys):
        for item, mask in masks if masks[0][0].segmentation == "semantic" else ():
            file, case = mask.mask.relative, parse_name(mask.mask.relative.name).case
            others = gone[file.parent, item.plane]
            if rivals[file.parent, item.plane] > 1:
                others = [one for one in others if parse_name(one.name).case == case]
            same = {(_number(file) or (1,))[-1]}
            if others and mask.labels and set(mask.labels.values) != same:
                message = (
                    f"read as semantic, now that {listed(others, SHOWN)} is out of its set; with "
                    "that it was one of several files of its plane: its values may be objects"
                )
                yield finding("segmentation-ambiguous", file, message)


@rule("dataset", "surveys")
def class_readings(dataset: Dataset, surveys: Iterable[ItemSurvey]) -> Iterator[Finding]:
    """The class of a mask is its file's name or its values, not either of both.

    Where a file by volume has several values, and these are those of the class map (half of them
    at least), which does not know its name; and where the one value of a pair's only mask has a
    class of another name. Without a class map a name such as ``GT`` is doubtful (a warning).
    """
    if dataset.choices.segmentation != "auto":
        return
    by_name: defaultdict[str, list[MaskSurvey]] = defaultdict(list)
    for survey in surveys:
        for mask in survey.masks if survey.item.plane is None else ():
            name = mask.mask.class_name
            if name is None or not class_is_name(dataset, survey.item, mask):
                continue
            if survey.item.segmentation != "semantic" or len(survey.masks) == 1:
                by_name[_plain(name)].append(mask)
    for masks in by_name.values():
        yield from _readings(dataset, masks)


def _readings(dataset: Dataset, masks: Sequence[MaskSurvey]) -> Iterator[Finding]:
    """Name the two readings of files of one class name, where there are two."""
    name = masks[0].mask.class_name or ""
    several = [m for m in masks if m.labels and len(m.labels.values) > 1]
    told = several or (masks if dataset.layout == "pairs" else [])
    values = sorted({value for m in masks if m.labels for value in m.labels.values})
    classes = dataset.classes
    named = [f"{value} {entry.name}" for value in values if (entry := classes.by_value(value))]
    nameless = bool(several) and says_nothing(several[0].mask.relative)
    if not values or classes.by_name(name) is not None or len(named) < len(values):
        code = "segmentation-ambiguous" if nameless and not classes else ""
    else:
        most = not several or len(values) >= MOST_OF_THE_MAP * len(classes)
        code = "class-two-readings" if most or nameless else ""
    for mask in told if code else ():
        known = f", and the class map has {listed(named, SHOWN)}" if named else ""
        message = (
            f"its values are {listed(mask.labels.values if mask.labels else (), SHOWN)}{known}: "
            f"objects of the class {name!r}, or classes by value (segmentation='semantic')?"
        )
        yield finding(code, mask.mask.relative, message)


def _may_be_semantic(
    classes: ClassMap, masks: Iterable[tuple[Item, MaskSurvey]], values: Sequence[int]
) -> bool:
    """Say whether files read as instance by their number alone have a class for each value."""
    several = any(mask.labels and len(mask.labels.values) > 1 for _, mask in masks)
    numbered = any(_number(mask.mask.relative) not in ((), _own(item)) for item, mask in masks)
    return several and numbered and all(classes.by_value(value) is not None for value in values)


def _may_be_instances(classes: ClassMap, values: Sequence[int]) -> bool:
    """Say whether values count objects: 1, 2, ... n, and the class map knows 1 at the most."""
    return _counts(values) and all(classes.by_value(value) is None for value in values[1:])


def is_below_exported_map(dataset: Dataset, file: PurePosixPath) -> bool:
    """Say whether a file lies as the exporter lays it: its class map is one level above.

    (A class map beside the file is the specification's own.)
    """
    name = PurePosixPath(dataset.classes.path)
    above = PurePosixPath("..") if file.parent == PurePosixPath() else file.parent.parent
    return name.name == EXPORTED_MAP and name.parent == above


def _are_objects(classes: ClassMap, values: Sequence[int]) -> bool:
    """Say whether values count objects: 1, 2, ... n, and the class map does not know them all."""
    return _counts(values) and any(classes.by_value(value) is None for value in values)


def _counts(values: Sequence[int], below: int | None = None) -> bool:
    """Say whether values count: 1, 2, ... n, with n from 2, and less than ``below``."""
    several = len(values) > 1 and (below is None or len(values) < below)
    return several and list(values) == list(range(1, len(values) + 1))


def _is_exported_set(survey: ItemSurvey) -> bool:
    """Say whether an item has several files, the first of which has no number of its own."""
    item = survey.item
    tails = [_number(mask.relative) for mask in item.masks]
    own = _own(item)
    numbered = item.segmentation == "instance" and item.plane is not None and len(tails) > 1
    return numbered and own in tails and all(tail[: len(own)] == own for tail in tails)


def _number(relative: PurePosixPath) -> tuple[int, ...]:
    return parse_name(relative.name).tail


def _own(item: Item) -> tuple[int, ...]:
    """Return the numbers at the end of the name of an item's volume."""
    return _number(item.volume.relative) if item.volume else ()


def _sets(surveys: Iterable[ItemSurvey]) -> Iterator[list[tuple[Item, MaskSurvey]]]:
    """Yield the annotation files of each set of planes, where no plane has several."""
    sets: defaultdict[tuple[str, ...], list[tuple[Item, MaskSurvey]]] = defaultdict(list)
    for survey in surveys:
        if survey.item.plane is not None:
            sets[survey.item.set_key] += [(survey.item, mask) for mask in survey.masks]
    for masks in sets.values():
        if masks and len({item.plane for item, _ in masks}) == len(masks):
            yield masks
