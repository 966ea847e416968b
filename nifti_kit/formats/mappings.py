"""Mappings: which annotation file belongs to which volume of the target; their JSON form."""

from __future__ import annotations

import difflib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nifti_kit.core.files import write_json
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.report import Row, Summary
from nifti_kit.core.text import listed, read_text
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mapping_tables import PLAIN_FORM, MappingTable, Pairs, is_table

if TYPE_CHECKING:
    import pandas as pd

MAX_ID = 2**63 - 1
"""Ids are 64-bit numbers in the platform's database."""

MAX_DIGITS = 4000
"""Longer numbers are kept as text: Python refuses to read more than 4300 digits."""

MAX_BYTES = 8 * 2**20
"""Of a JSON mapping; the size is looked at before a file is read. 100,000 files take 4 MB."""

MAX_ENTRIES = 500_000
"""Keys of a mapping, or cells where it is a table: no source has so many files."""

MAX_SHOWN = 60
"""Letters of a key or a value that a message shows."""

SHOWN = 5
"""Keys or files that a message lists before it counts the rest; each hint is a long search."""


@dataclass(frozen=True)
class MappingRow:
    """One annotation file and its volume.

    Attributes
    ----------
    annotation
        The file, relative to the source.
    volume
        The volume's id on the target; None while it is unmatched.
    rule
        What matched them: ``mapping`` for a row of a JSON file, ``chosen`` for a person's choice,
        or a rule of :func:`nifti_kit.match`; empty while unmatched.
    candidates
        The ids that could be meant, the likeliest first.
    why
        Why it is unmatched, where that is known.
    further
        How many more could be meant; :func:`nifti_kit.match` lists a hundred.
    by_person
        ``chosen`` (a volume), ``accepted`` (the one that was there) or ``left out``, as a person
        decided; empty while nobody did.
    """

    annotation: PurePosixPath
    volume: int | None
    rule: str = ""
    candidates: tuple[int, ...] = ()
    why: str = ""
    further: int = 0
    by_person: str = ""

    def chosen(self, volume_id: int) -> MappingRow:
        """Return it with a volume that a person chose."""
        return replace(self, volume=volume_id, rule="chosen", why="", by_person="chosen")


class Mapping(Summary):
    """The rows of a mapping, one for each annotation file.

    Attributes
    ----------
    rows
        In the order of the source's files.
    path
        The JSON file it was read from; empty where it came from elsewhere.
    faults
        What is wrong with the JSON file, or doubtful in what was matched.
    names
        The volumes' names, by id, where they are known: ``dataset/name.nrrd``.
    project
        Whether folders are dataset names (project scope), so that keys of the JSON form have
        them; None where that is not known.
    """

    columns = ("annotation", "volume", "name", "rule", "candidates", "why", "further")
    head = ("annotation", "volume", "rule", "candidates")
    row_word, text_rows, html_rows = "file", 50, 50

    def __init__(
        self,
        rows: Iterable[MappingRow],
        path: str = "",
        faults: Sequence[Finding] = (),
        *,
        names: MappingABC[int, str] = MappingProxyType({}),
        project: bool | None = None,
    ) -> None:
        self.rows = tuple(rows)
        self.path = path
        self.faults = tuple(faults)
        self.names = dict(names)
        self.project = project
        self._rows = {row.annotation: row for row in self.rows}

    def row_of(self, annotation: PurePosixPath) -> MappingRow | None:
        """Return the row of an annotation file, or None."""
        return self._rows.get(annotation)

    def volume_of(self, annotation: PurePosixPath) -> int | None:
        """Return the id of an annotation file's volume, or None."""
        row = self.row_of(annotation)
        return None if row is None else row.volume

    def with_volume(self, annotation: str | os.PathLike[str], volume_id: int) -> Mapping:
        """Return a mapping in which a person chose a file's volume: its rule is ``chosen``.

        Parameters
        ----------
        annotation
            The file's path below the source, or as much of its end as tells it from others.
        volume_id
            The id on the target; one of those that were matched, where these are known.

        Raises
        ------
        BadMapping
            If no file, or more than one, is meant, or there is no such volume.
        """
        key = PurePosixPath(annotation).as_posix()
        meant = _matching(key, _by_name(list(self._rows)))
        if len(meant) != 1:
            near = _nearest(key, list(self._rows))
            raise BadMapping(
                "no annotation file, or more than one, is meant",
                found=_short(key),
                expected=listed(meant, SHOWN) if meant else near,
                remedy="Give the file's path below the source.",
            )
        if not _is_id(volume_id) or (self.names and volume_id not in self.names):
            raise BadMapping(
                "there is no volume of this id",
                path=str(meant[0]),
                found=_short(volume_id),
                expected=listed(map(self._shown, self.names), SHOWN) or "a whole number above 0",
                remedy="Give the id of a volume of the target.",
            )
        chosen = self._rows[meant[0]].chosen(volume_id)
        rows = [chosen if row.annotation == meant[0] else row for row in self.rows]
        # What was doubtful of this file, a person has decided.
        faults = [fault for fault in self.faults if fault.path != str(meant[0])]
        return Mapping(rows, self.path, faults, names=self.names, project=self.project)

    @property
    def unmatched(self) -> tuple[MappingRow, ...]:
        """The rows that have no volume yet."""
        return tuple(row for row in self.rows if row.volume is None)

    def __iter__(self) -> Iterator[MappingRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def title(self) -> str:
        """Return how many files are matched."""
        of = f" {self.path}" if self.path else ""
        matched = len(self.rows) - len(self.unmatched)
        return f"Mapping{of}: {matched} of {len(self.rows)} annotation files matched"

    def cells(self) -> Iterable[Row]:
        """Yield one row per annotation file."""
        for row in self.rows:
            file, name = str(row.annotation), self._name(row.volume)
            yield file, row.volume, name, row.rule, row.candidates, row.why, row.further

    def told(self) -> Iterable[str]:
        """Yield a line of text for each file of which it is known why it is unmatched."""
        return (f"{row.annotation}: {row.why}" for row in self.unmatched if row.why)

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`, one row per annotation file."""
        import pandas as pd

        # Whole numbers with gaps: as floats, large ids would be others.
        volumes = pd.array([row.volume for row in self.rows], dtype="Int64")
        return super().to_frame().assign(volume=volumes)

    def _name(self, volume_id: int | None) -> str:
        return "" if volume_id is None else self.names.get(volume_id, "")

    def _shown(self, volume_id: int) -> str:
        name = self._name(volume_id)
        return f"{volume_id} ({name})" if name else str(volume_id)

    def shown_rows(self) -> Iterable[Row]:
        """Yield one row per annotation file: what needs a choice comes first."""
        for row in sorted(self.rows, key=lambda row: row.volume is not None):
            volume = "" if row.volume is None else self._shown(row.volume)
            candidates, count = map(self._shown, row.candidates), len(row.candidates) + row.further
            rule = row.rule or row.why or "unmatched"
            yield row.annotation, volume, rule, listed(candidates, SHOWN, count=count)

    def to_dict(self) -> dict[str, int]:
        """Return the specification's form: file name (with its dataset's folder) to volume id.

        Folders are left out in dataset scope, where all files lie in one folder.
        """
        rows = [row for row in self.rows if row.volume is not None]
        flat = not self.project and len({row.annotation.parent for row in self.rows}) <= 1
        return {
            row.annotation.name if flat else str(row.annotation): row.volume
            for row in rows
            if row.volume is not None
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mapping as a JSON file, beside its place first, then renamed."""
        write_json(Path(path), self.to_dict())


def read_mapping(
    path: str | os.PathLike[str] | MappingABC[str, int],
    annotations: Any,
    *,
    relative: str = "",
    faulty: Collection[str] = (),
) -> Mapping:
    """Return a JSON mapping, held against the annotation files that are there.

    A table that pandas wrote (``DataFrame.to_json`` in any of its forms) is read where one reading
    alone is possible: its columns name annotation files and whole ids, one of each.

    Parameters
    ----------
    path
        The JSON file, or what would stand in it: ``{"cor_inference_1.nii": 123}``, or with dataset
        folders in the keys.
    annotations
        A dataset of :func:`nifti_kit.scan`, or the annotation files' relative paths.
    relative
        The name for people; the path by default.
    faulty
        Relative paths of files that are there, and have an error of their own: a key may name
        them. Those of a dataset are known.

    Raises
    ------
    BadMapping
        If the file is no JSON object, has more keys than any source has files, or ``path`` is
        neither a path nor a dictionary.
    UnreadableFile
        If the file is no text, or is larger than any mapping.
    """
    files = [PurePosixPath(one) for one in getattr(annotations, "annotation_paths", annotations)]
    found = getattr(annotations, "findings", ())
    known = {*faulty, *(one.path for one in found if one.severity == "error")}
    note: list[Finding] = []
    if isinstance(path, MappingABC):
        shown = relative
        pairs = [(str(key), _plain(value)) for key, value in path.items()]
    elif isinstance(path, str | os.PathLike):
        shown = relative or str(path)
        pairs, recognised = _load(mapping_text(path), shown, files)
        note = [finding("mapping-table", shown, recognised)] * bool(recognised)
    else:
        raise BadMapping(
            "the mapping is in no known form",
            found=type(path).__name__,
            expected="a path, a dictionary, or what nk.read_mapping or nk.match returns",
        )
    return _held_against(files, pairs, shown, known, note)


def mapping_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a JSON mapping; raises as :func:`nifti_kit.core.text.read_text`."""
    return read_text(path, most=MAX_BYTES, what="mapping")


def is_named_mapping(file: PurePosixPath) -> bool:
    """Say whether a file is named like a mapping: it counts as one, or blocks."""
    name = file.name.casefold()
    return "mapping" in name and name.endswith((".json", *_NOT_JSON))


_NOT_JSON = (".jsonl", ".csv", ".tsv", ".xlsx", ".xls", ".yaml", ".yml")
"""Other kinds of tables and lists that people write a mapping in."""


def looks_like_mapping(text: str, files: Sequence[PurePosixPath] = ()) -> bool:
    """Say whether a JSON text may be meant as a mapping: a key of it ends .nii, .nii.gz or .csv.

    So may a text that cannot be parsed, and one without a key. With ``files`` only a text that
    can be read says so, for keys that end .nii or .nii.gz, and tables of those files.
    """
    try:
        pairs, _ = _load(text, "", files)
    except BadMapping:
        return not files and _is_broken(text)
    if files:
        return any(_is_annotation_key(key, (".nii", ".nii.gz")) for key, _ in pairs)
    return not pairs or any(_is_annotation_key(key) for key, _ in pairs)


def _is_broken(text: str) -> bool:
    try:
        _parsed(text, "")
    except BadMapping:
        return True
    return False


def _is_annotation_key(key: str, endings: tuple[str, ...] = (".nii", ".nii.gz", ".csv")) -> bool:
    return key.strip().casefold().endswith(endings)


def _plain(value: Any) -> Any:
    """Return Python's own number of a whole number, such as one of numpy's."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    return int(value) if is_whole else value


def _load(
    text: str, shown: str, files: Sequence[PurePosixPath]
) -> tuple[list[tuple[str, Any]], str]:
    """Return the pairs of a JSON mapping, repeated keys included; and what was recognised.

    The second is empty for the specification's form.
    """
    content = _parsed(text, shown)
    _refuse_flood(content, shown)
    if not is_table(content):
        return list(content), ""
    ends = _by_name(files)
    how, pairs = MappingTable(content, lambda key: _matching(key, ends), _is_id).pairs(shown)
    return pairs, how


def _parsed(text: str, shown: str) -> Any:
    """Return the content of a JSON text, or of one with an object on each line."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        if len(lines) > 1 and all(line.strip()[0] + line.strip()[-1] == "{}" for line in lines):
            return [json.loads(line, object_pairs_hook=Pairs, parse_int=_whole) for line in lines]
        return json.loads(text, object_pairs_hook=Pairs, parse_int=_whole)
    except RecursionError as error:
        raise _no_mapping(shown, "JSON that is nested too deep") from error
    except ValueError as error:
        raise _no_mapping(shown, str(error)) from error


def _refuse_flood(content: Any, shown: str) -> None:
    """Refuse a content with more keys or cells than any mapping."""
    own = content if isinstance(content, list) else []
    inner = [value for _, value in own] if isinstance(own, Pairs) else own
    count = len(own) + sum(len(part) for part in inner if isinstance(part, list))
    if count > MAX_ENTRIES:
        raise BadMapping(
            "the mapping is larger than any",
            path=shown,
            found=f"{count:,} keys or cells",
            expected=f"a key for each annotation file: at most {MAX_ENTRIES:,}",
            remedy="Give the right file; or write one for the annotation files of this source.",
        )


class _Digits(str):
    """A whole number that is too long to be an id."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _whole(digits: str) -> int | _Digits:
    return int(digits) if len(digits) <= MAX_DIGITS else _Digits(digits)


def _no_mapping(shown: str, found: str) -> BadMapping:
    return BadMapping(
        "the mapping cannot be read",
        path=shown,
        found=found,
        expected='an object such as {"axl_inference_1.nii": 123}',
        remedy=PLAIN_FORM,
    )


def _held_against(
    files: Sequence[PurePosixPath],
    pairs: Sequence[tuple[str, Any]],
    shown: str,
    faulty: Collection[str],
    note: Sequence[Finding],
) -> Mapping:
    faults: list[Finding] = list(note)
    nowhere: list[str] = []
    meant: defaultdict[PurePosixPath, list[int]] = defaultdict(list)
    ends = _by_name(files)
    out = _by_name([PurePosixPath(path) for path in faulty])
    for key, value in pairs:
        matches = _matching(key, ends)
        if not matches and not _matching(key, out):
            nowhere.append(key)
        elif len(matches) > 1:
            faults.append(_several(key, matches, shown))
        if not _is_id(value):
            message = f"key {_short(key)}: the id is {_short(value)}"
            faults.append(finding("mapping-id", shown, message, remedy=_id_remedy(value)))
        elif len(matches) == 1:
            meant[matches[0]].append(value)
    if nowhere:
        remedy = " ".join(filter(None, (_advice(key, files) for key in nowhere[:SHOWN])))
        message = _named_nowhere(nowhere, files)
        faults.append(finding("mapping-key", shown, message, remedy=remedy))
    rows = []
    for file in files:
        ids = sorted(set(meant[file]))
        if len(ids) > 1:
            faults.append(finding("mapping-id", shown, f"{file} has several ids: {ids}"))
        one = ids[0] if len(ids) == 1 else None
        rows.append(MappingRow(file, one, "mapping" if one else "", tuple(ids)))
    in_folders = any(len(_wanted(key).parts) > 1 for key, _ in pairs)
    return Mapping(rows, shown, faults, project=in_folders or None)


def _advice(key: str, files: Sequence[PurePosixPath]) -> str:
    """Return what to write in place of a key, where one file alone has its name but for the rest.

    The rest: folders, upper and lower case, and the ending .nii or .nii.gz.
    """
    wanted = _wanted(key)
    alike = [file for file in files if _bare(file.name) == _bare(wanted.name)]
    if len(alike) != 1:
        return ""
    (file,) = alike
    folder, own = str(wanted.parent), str(file.parent)
    steps = []
    if wanted.parts[-len(file.parts) :] != file.parts and len(file.parts) > len(wanted.parts):
        steps.append(f"put '{own}/' in front")
    elif folder not in (".", own):
        steps.append(f"leave '{folder}/' off" + f", put '{own}/' in front" * (own != "."))
    packed, named = (name.casefold().endswith(".gz") for name in (file.name, wanted.name))
    if packed != named:
        steps.append("add .gz" if packed else "leave .gz off")
    how = f" ({'; '.join(steps)})" if steps else " (upper and lower case count)"
    return f'Write "{file}" instead of {_short(key)}{how}.'


def _bare(name: str) -> str:
    """Return a file's name in lower case, without .nii or .nii.gz."""
    return name.casefold().removesuffix(".gz").removesuffix(".nii")


def unmatched_remedy(mapping: Mapping | None, relative: PurePosixPath) -> str:
    """Return what to do about an annotation file that has no volume."""
    file = repr(str(relative))
    leave = f"Or leave it out: waive=[('annotation-unmatched', {file})]."
    if mapping is None:
        return (
            "plan(dataset, target=target) takes the volume whose name is the same; else say which "
            f"it is: plan(dataset, mapping={{{file}: volume id}}). {leave}"
        )
    if mapping.path:
        return f'Add "{relative}": volume id, to {mapping.path}. {leave}'
    row = mapping.row_of(relative)
    known = row.candidates[0] if row is not None and row.candidates else "volume id"
    return f"Say which it is: mapping = mapping.with_volume({file}, {known}). {leave}"


def _several(key: str, matches: Sequence[PurePosixPath], shown: str) -> Finding:
    """Return the fault of a key that means several files: without a dataset folder, or at all."""
    folders = {file.parts[0] if len(file.parts) > 1 else "." for file in matches}
    names = listed(matches, SHOWN)
    code = "mapping-key"
    if len(_wanted(key).parts) == 1 and len(folders) > 1:
        code = "mapping-prefix"
        names = f"files in {len(folders)} dataset folders: {names}"
    return finding(code, shown, f"key {_short(key)} means {names}")


def _named_nowhere(keys: Sequence[str], files: Sequence[PurePosixPath]) -> str:
    """Return the message for keys that mean no file, the first few with the nearest file."""
    hints = [(_short(key), _nearest(key, files)) for key in keys[:SHOWN]]
    if len(keys) == 1:
        ((key, near),) = hints
        return f"key {key} names no file" + (f"; the nearest is {near}" if near else "")
    said = [f"{key} (the nearest is {near})" if near else key for key, near in hints]
    return f"{len(keys)} keys name no file: {listed([*said, *keys[SHOWN:]], SHOWN)}"


def _nearest(key: str, files: Sequence[PurePosixPath]) -> str:
    """Return the file whose path or name is most like a key; empty where none is."""
    spelled: dict[str, str] = {}
    for file in files:
        spelled.setdefault(file.name.casefold(), str(file))
        spelled[str(file).casefold()] = str(file)
    near = difflib.get_close_matches(str(_wanted(key)).casefold(), spelled, n=1)
    return spelled[near[0]] if near else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID


def _id_remedy(value: Any) -> str:
    """Return what to do about an id that is none; empty for what the catalogue says."""
    if isinstance(value, _Digits) or (isinstance(value, int) and value > MAX_ID):
        return f"No volume has so large an id ({MAX_ID} at most): correct it."
    if isinstance(value, str):
        number = value.strip()
        plain = number.isascii() and number.isdigit() and len(number) <= len(str(MAX_ID))
        return "It is text: " + (f"remove the quotes, {number}." if plain else "write a number.")
    if isinstance(value, bool) or value is None:
        return f"It is {json.dumps(value)}: write the volume's id, or remove the line."
    if isinstance(value, float) and value.is_integer() and 0 < value < MAX_ID:
        return f"It has a decimal point: write {value:.0f}."
    return ""


def _wanted(key: str) -> PurePosixPath:
    """Return the path that a key means: without blanks around, ``./`` and backslashes."""
    return PurePosixPath(key.strip().replace("\\", "/").removeprefix("./"))


def _by_name(files: Sequence[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    names: defaultdict[str, list[PurePosixPath]] = defaultdict(list)
    for file in files:
        names[file.name].append(file)
    return names


def _matching(key: str, files: dict[str, list[PurePosixPath]]) -> list[PurePosixPath]:
    """Return the files (given by their names) that a key means: the whole path, else the end."""
    raw = PurePosixPath(key)  # blanks and backslashes may be part of a name
    if raw in files.get(raw.name, []):
        return [raw]
    wanted = _wanted(key)
    alike = files.get(wanted.name, [])
    exact = [file for file in alike if file == wanted]
    return exact or [file for file in alike if file.parts[-len(wanted.parts) :] == wanted.parts]
