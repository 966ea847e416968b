"""Steps: what a person did to a data set, in order; saved, replayed on the next delivery, as code.

A step is a repair, a choice of ``scan``, or a finding that is accepted with a reason. Nothing here
changes a file: a step gives the data set anew, as :mod:`nifti_kit.repairs` does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from nifti_kit.checks import check
from nifti_kit.core.catalog import CATALOG
from nifti_kit.core.files import save_as
from nifti_kit.core.findings import Waiver, waivers
from nifti_kit.core.parallel import going_on
from nifti_kit.core.text import counted, listed, read_text
from nifti_kit.datasets.dataset import Dataset, rescan
from nifti_kit.datasets.items import TableFile
from nifti_kit.datasets.surveys import fingerprint_of
from nifti_kit.errors import NiftiKitError, visible
from nifti_kit.repairs import frames, masks, tables, values, volumes
from nifti_kit.repairs.repair import FileChange, Repair, changed_labels, standings

FORMAT = "nifti_kit steps 1"
"""The first key of a file of steps."""

LONGEST = 60
"""Letters of a value that a title has."""

LONGEST_REASON = 300
"""Letters of a reason that a title has; plan, receipt and proof keep all of it."""

SHOWN = 3
"""Files that a title names before it counts the rest."""

CHECKED = "findings for steps"
"""The key of a dataset's memory: several steps may ask for what was found in the same one."""

LARGEST = 2**53
"""No number of a step is as large: labels, frames, voxels and thresholds are told by less."""

MOST_STEPS = 100_000
"""A file with more is no list of what a person did."""

JUDGED = frozenset(("mask-translated", "mask-apart"))
"""Codes whose repair rests on a person's look at the very file: its header says otherwise."""

ELSEWHERE = JUDGED | {"mask-resampled", "mask-header-lost", "mask-mirrored", "mask-axes-exchanged"}
"""Codes of a mask that does not fit its volume: where both happen to lie says which it is."""

REPAIRS: dict[str, Callable[..., Repair]] = {
    "take_header": masks.take_header,
    "reorient": masks.reorient,
    "resample": masks.resample,
    "reorder_axes": masks.reorder_axes,
    "round_labels": masks.round_labels,
    "drop_specks": masks.drop_specks,
    "merge_frames": frames.merge_frames,
    "split_frames": frames.split_frames,
    "pick_frame": frames.pick_frame,
    "relabel": values.relabel,
    "straighten": volumes.straighten,
    "use_form": volumes.use_form,
    "rebase_layers": tables.rebase_layers,
    "replace_table": tables.replace_table,
}
"""By what a step does: the repair that it calls."""

CHOICES = (
    *("leave_out", "volumes", "incomplete", "classes"),
    *("score_base", "score_frames", "segmentation"),
)
"""What a step can choose, as :func:`nifti_kit.rescan` has it."""

ACCEPT = "accept"

PLAN = "plan"
"""What found something that no check finds: it can be sought again by another plan alone."""


@dataclass(frozen=True)
class Step:
    """One thing that was done.

    Attributes
    ----------
    do
        The name of a repair, of a choice of :func:`nifti_kit.rescan`, or ``accept``.
    files
        The files or folders concerned, by their paths below the source.
    values
        What else was said: the parameters of a repair, or what was chosen.
    finding
        The code of the finding that it answers; empty where there was none.
    every
        Whether it was meant for all findings of the code: replayed, it is for all that are there.
    reason
        Why, as a person typed it; needed to accept something.
    seen
        What came of it, for a replay to compare with: how the files stood afterwards, and what
        they held; of what was accepted, what the finding said.

    Raises
    ------
    NiftiKitError
        If there is no such step, or its values are none of it.
    """

    do: str
    files: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    finding: str = ""
    every: bool = False
    reason: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for why in _unfit(self):
            raise NiftiKitError(
                f"a step cannot be done: {why}", found=visible(self.do)[:LONGEST] or "no name"
            )

    @property
    def title(self) -> str:
        """What was done, to which files, in a line."""
        files = listed(self.files, SHOWN)
        said = ", ".join(f"{name}={_short(value)}" for name, value in self.values.items())
        what = self.do.replace("_", " ") + (f" ({said})" if said else "")
        words = f"{what}: {files}" if files else what
        return visible(f"{words}; {self.reason[:LONGEST_REASON]}" if self.reason else words)

    @property
    def code(self) -> str:
        """The step as Python, on a variable ``dataset``; what is accepted is a comment."""
        if self.do == ACCEPT:
            return f"# accepted: {self._waivers()!r}"
        if self.do in CHOICES:
            return f"dataset = nk.rescan(dataset, {self.do}={self._choice()!r})"
        given = self.files[0] if len(self.files) == 1 else list(self.files)
        said = "".join(f", {name}={value!r}" for name, value in self._arguments().items())
        return f"dataset = nk.repairs.{self.do}(dataset, {given!r}{said}).dataset"

    def _arguments(self) -> dict[str, Any]:
        """Return the parameters of a repair; what JSON has no form for is made again."""
        found = dict(self.values)
        if isinstance(found.get("axes"), list):
            found["axes"] = tuple(found["axes"])
        if isinstance(found.get("mapping"), Mapping):
            found["mapping"] = {_number(old): new for old, new in found["mapping"].items()}
        return found

    def _choice(self) -> Any:
        """Return what is chosen, as :func:`nifti_kit.rescan` takes it."""
        if self.do in ("leave_out", "incomplete"):
            return list(self.files)
        if self.do == "volumes":
            return dict.fromkeys(self.files, self.values["volume"])
        if self.do == "classes":
            if self.files:
                return dict.fromkeys(self.files, self.values["name"])
            return {int(value): _class(given) for value, given in self.values.items()}
        return self.values[self.do]

    def _waivers(self) -> dict[Waiver, str]:
        return {(self.finding, file): self.reason for file in self.files}

    def facts(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        lists = {"files": list(self.files), "values": dict(self.values), "seen": dict(self.seen)}
        said = {"finding": self.finding, "every": self.every, "reason": self.reason}
        return {"do": self.do, **lists, **said}


def _short(value: Any) -> str:
    """Return a value in a line; a whole table is not told again."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _number(text: Any) -> Any:
    """Return a label value that was a key of JSON."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _class(given: Any) -> Any:
    """Return a class as :func:`nifti_kit.scan` takes it: its name, or that with its colour."""
    return given if isinstance(given, str) else (given[0], tuple(given[1]))


def _unfit(step: Step) -> Iterator[str]:
    """Yield why there can be no such step; nothing where it can be tried."""
    if step.finding and step.finding not in CATALOG:
        yield f"there is no finding {visible(step.finding)[:LONGEST]}"
    if not all(map(_is_plain, step.values.values())):
        yield "a value is neither a text nor a number of a common size, nor made of such"
    if not step.seen.get("lost", "0").isdecimal():
        yield "it does not say how many labels were lost"
    if step.every and (step.do == "volumes" or (step.finding in JUDGED and step.do in REPAIRS)):
        yield "what needs a look at each file cannot be meant for all of them"
    if step.do == ACCEPT:
        if not step.finding or not step.reason.strip():
            yield "a finding is accepted by its code, with a reason"
    elif step.do in REPAIRS:
        yield from _unfit_parameters(step)
    elif step.do in CHOICES:
        yield from _unfit_choice(step)
    else:
        yield "there is none of that name"


def _unfit_choice(step: Step) -> Iterator[str]:
    if step.do == "classes" and not step.files:
        if not all(map(_is_class, step.values.items())):
            yield "these are no classes"
        return
    wanted = {"leave_out": (), "incomplete": (), "volumes": ("volume",), "classes": ("name",)}
    names = wanted.get(step.do, (step.do,))
    if set(step.values) != set(names):
        yield f"it needs {listed(names, SHOWN) or 'no value'}, and nothing else"
    elif not all(isinstance(step.values[name], str) for name in names if name != "score_base"):
        yield f"{listed(names, SHOWN)} is no text"


def _unfit_parameters(step: Step) -> Iterator[str]:
    repair = signature(REPAIRS[step.do])
    known = listed(list(repair.parameters)[2:], len(repair.parameters)) or "none"
    try:
        repair.bind(None, step.files, **step._arguments())
    except TypeError as error:
        yield visible(f"{error}; it has these parameters: {known}")
    except (ValueError, OverflowError):
        yield "mapping has a key that is no number"


def _is_plain(value: Any) -> bool:
    """Say whether a value is one that JSON has, with numbers that can be worked with."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    is_number = isinstance(value, int | float) and -LARGEST < value < LARGEST
    return value is None or isinstance(value, str) or is_number


def _is_class(entry: tuple[str, Any]) -> bool:
    """Say whether an entry is a value with the name of its class, or that with its colour."""
    value, given = entry
    if not str(value).isdecimal():
        return False
    if isinstance(given, str):
        return True
    is_pair = isinstance(given, list | tuple) and len(given) == 2  # noqa: PLR2004
    return is_pair and isinstance(given[0], str) and isinstance(given[1], list | tuple)


class Applied(NamedTuple):
    """A data set after steps.

    Attributes
    ----------
    dataset
        The data set to check, to plan or to go on with.
    waive
        What is accepted, with the reasons: what :func:`nifti_kit.check` and
        :func:`nifti_kit.plan` take.
    repairs
        What each step changed, in their order.
    undone
        A sentence for each step, or file of a step, that did not fit and was not taken.
    taken
        The steps that were taken, with the files that they were taken for.
    """

    dataset: Dataset
    waive: dict[Waiver, str]
    repairs: tuple[Repair, ...]
    undone: tuple[str, ...]
    taken: Steps


class Steps(Sequence[Step]):
    """What was done, in order; immutable.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_plane_semantic")
    >>> steps = nk.Steps().add(nk.Step("leave_out", ("sag_inference.nii.gz",)))
    >>> print(steps.code("data_samples/by_plane_semantic"))
    import nifti_kit as nk
    <BLANKLINE>
    dataset = nk.scan('data_samples/by_plane_semantic')
    dataset = nk.rescan(dataset, leave_out=['sag_inference.nii.gz'])
    plan = nk.plan(dataset)
    >>> len(steps.apply(dataset).dataset.unused) - len(dataset.unused)
    1
    """

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._steps = tuple(steps)

    def __getitem__(self, at: Any) -> Any:
        return Steps(self._steps[at]) if isinstance(at, slice) else self._steps[at]

    def __len__(self) -> int:
        return len(self._steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and self._steps == other._steps

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = [f"{at}. {step.title}" for at, step in enumerate(self, start=1)]
        return "\n".join([counted(len(self), "step"), *lines])

    def add(self, step: Step) -> Steps:
        """Return these steps, and one more."""
        return Steps((*self._steps, step))

    def undo(self) -> Steps:
        """Return these steps without the last one."""
        return Steps(self._steps[:-1])

    @property
    def waive(self) -> dict[Waiver, str]:
        """What is accepted, with the reasons; not of files that were left out since."""
        found: dict[Waiver, str] = {}
        for step in self:
            found |= step._waivers() if step.do == ACCEPT else {}
            gone = step.files if step.do == "leave_out" else ()
            found = {one: why for one, why in found.items() if one[1] not in gone}
        return found

    def code(self, source: str | os.PathLike[str], **choices: Any) -> str:
        """Return a script that does the same to a source, up to its plan.

        ``choices`` are those with which :func:`nifti_kit.scan` reads it.
        """
        done = [step.code for step in self if step.do != ACCEPT]
        said = "".join(f", {name}={value!r}" for name, value in choices.items())
        scan = f"dataset = nk.scan({os.fspath(source)!r}{said})"
        lines = ["import nifti_kit as nk", "", scan, *done]
        waive = f", waive={self.waive!r}" if self.waive else ""
        return "\n".join([*lines, f"plan = nk.plan(dataset{waive})"])

    def preview(self, dataset: Dataset, step: Step) -> Repair:
        """Return what a step would change: files and labels before and after.

        Raises
        ------
        NiftiKitError
            If the step cannot be done; the text says why, and what to do instead.
        """
        return preview(dataset, step)

    def take(self, dataset: Dataset, step: Step) -> tuple[Steps, Repair]:
        """Return these steps and one more, with what it changed; its proof is kept for replays.

        Raises
        ------
        NiftiKitError
            If the step cannot be done.
        """
        done = preview(dataset, step)
        return self.add(seen(dataset, step, done)), done

    def apply(
        self, dataset: Dataset, *, on_step: Callable[[int, Step], Any] | None = None
    ) -> Applied:
        """Return a data set after all steps, in order.

        The data set may be another delivery of the same kind. A step whose file or finding is not
        there, or that would do something else than it did, is not taken, and named in ``undone``.
        What was for all findings of a code is for all that there are now; but what a person
        decided by a look at single files is only for files with the same bytes.

        ``on_step`` is called with each step and its place (from 0) before it is done; what it
        raises ends the work.
        """
        anew, repairs, undone, taken = dataset, [], [], Steps()
        for at, step in enumerate(self):
            if on_step is not None:
                on_step(at, step)
            fitting, why = _fitting(anew, step)
            undone += why
            if fitting is None:
                continue
            try:
                done = preview(anew, fitting)
            except NiftiKitError as error:
                undone.append(f"{fitting.title}: not taken: {error.message}")
                continue
            if unlike := _unlike(step, done):
                undone.append(f"{fitting.title}: not taken: {unlike}")
                continue
            anew, taken = done.dataset, taken.add(fitting)
            repairs.append(done)
        waive = {one: why for one, why in taken.waive.items() if not _is_cured(anew, taken, one)}
        return Applied(anew, waive, tuple(repairs), tuple(undone), taken)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the steps to a ``.json``, or as a script to a ``.py``.

        Raises
        ------
        NiftiKitError
            If the name has another ending, or the file cannot be written.
        """
        save_as(path, "steps", {".json": self.to_json, ".py": lambda: self.code("SOURCE") + "\n"})

    def to_json(self) -> str:
        """Return the steps as the text of a JSON file."""
        facts = {"format": FORMAT, "steps": [step.facts() for step in self]}
        return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def read_steps(path: str | os.PathLike[str]) -> Steps:
    """Return the steps of a file that :meth:`Steps.save` wrote.

    Raises
    ------
    NiftiKitError
        If it is no such file, or a step in it is none that there is.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "steps.json")
    >>> nk.Steps([nk.Step("score_base", values={"score_base": 0})]).save(path)
    >>> print(nk.read_steps(path))
    1 step
    1. score base (score_base=0)
    """
    try:
        content = json.loads(read_text(path))
        if content["format"] != FORMAT or len(content["steps"]) > MOST_STEPS:
            raise ValueError("another format")
        return Steps(_step(facts) for facts in content["steps"])
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        raise NiftiKitError(
            "it is no file of steps",
            path=path,
            found=visible(str(error))[:200],
            expected=f"what Steps.save writes, with format {FORMAT!r}",
            remedy="Save the steps again, from the notebook in which they were done.",
        ) from error


def _step(facts: Any) -> Step:
    """Return a step of JSON; raises ValueError where it is none that there is."""
    return Step(
        str(facts["do"]),
        tuple(map(str, facts["files"])),
        {str(name): value for name, value in facts["values"].items()},
        str(facts["finding"]),
        facts["every"] is True,
        str(facts["reason"]),
        {str(name): str(value) for name, value in facts["seen"].items()},
    )


def preview(dataset: Dataset, step: Step) -> Repair:
    """Return the data set after a step, with what it changed."""
    if step.do in REPAIRS:
        return REPAIRS[step.do](dataset, list(step.files), **step._arguments())
    if step.do == ACCEPT:
        waivers(step._waivers())
        anew, what = dataset, "accepted as it is"
    else:
        anew = rescan(dataset, **{step.do: step._choice()})
        said = {"leave_out": "left out", "volumes": f"given to {step.values.get('volume')}"}
        what = said.get(step.do, step.do.replace("_", " "))
    further = set(anew.choices.left_out) - {*dataset.choices.left_out, *step.files}
    paths = [PurePosixPath(file) for file in (*step.files, *sorted(further))]
    images = [path for path in paths if path in set(dataset.source.files)]
    before, after = standings(dataset, images), standings(anew, images)
    files = [FileChange(str(path), what, before[path], after[path]) for path in images]
    return Repair(anew, (), files, changed_labels(dataset, anew, images))


def seen(dataset: Dataset, step: Step, done: Repair) -> Step:
    """Return a step with what came of it: what a replay compares with."""
    after = {change.file: change.after.partition(":")[0] for change in done.files}
    found = {"after": listed(sorted(set(after.values())), len(after)), "lost": str(len(done.lost))}
    said = _messages(dataset, step.finding) if step.finding else {}
    if step.finding and said.keys().isdisjoint(step.files or said):
        found["by"] = PLAN
    elif step.do == ACCEPT:
        found = {f"says {file}": said.get(file, "") for file in step.files}
    if step.finding in JUDGED and step.do in REPAIRS:
        found |= {f"sha256 {file}": _sha256(dataset, file) for file in step.files}
    return replace(step, seen=found)


def _is_cured(dataset: Dataset, taken: Steps, waiver: Waiver) -> bool:
    """Say whether steps mended what an earlier one accepted: a plan refuses to accept nothing."""
    code, file = waiver if isinstance(waiver, tuple) else (waiver, "")
    own = [step for step in taken if step.do == ACCEPT and waiver in step._waivers()]
    is_of_plan = any(step.seen.get("by") == PLAN for step in own)
    return not is_of_plan and file not in _messages(dataset, code)


def _messages(dataset: Dataset, *codes: str) -> dict[str, str]:
    """Return what the findings of some codes say, by their files."""
    found: dict[str, str] = {}
    if CHECKED not in dataset.memory:
        dataset.memory[CHECKED] = check(dataset, on_item=lambda *_: going_on())  # no bar
    for one in dataset.memory[CHECKED]:
        if one.code in codes:
            found[one.path] = "; ".join(filter(None, (found.get(one.path, ""), one.message)))
    return found


def _sha256(dataset: Dataset, file: str) -> str:
    """Return the checksums of a file and of its volume, which a person saw together."""
    path = PurePosixPath(file)
    own = [item for item in dataset.items if path in [mask.relative for mask in item.masks]]
    volumes = [item.volume.relative for item in own if item.volume is not None]
    paths = dict.fromkeys((path, *volumes))
    found = [fingerprint_of(dataset, TableFile(dataset.root / one, one)) for one in paths]
    return "" if None in found else " ".join(one.sha256 for one in found if one is not None)


def _unlike(step: Step, done: Repair) -> str:
    """Return how what a step did differs from what it did the first time; empty if it does not."""
    if not step.seen or step.do == ACCEPT:
        return ""
    after = {change.after.partition(":")[0] for change in done.files}
    known = set(step.seen.get("after", "").split(", "))
    if "after" in step.seen and after - known:
        return f"it would end as {listed(sorted(after), len(after))}, not as {step.seen['after']}"
    if len(done.lost) > int(step.seen.get("lost", "0")):
        return f"{counted(len(done.lost), 'label')} would be lost"
    return ""


def _fitting(dataset: Dataset, step: Step) -> tuple[Step | None, list[str]]:
    """Return a step for the files of this data set, and a sentence for each that does not fit."""
    there = {str(file) for file in dataset.source.files} | {
        str(parent) for file in dataset.source.files for parent in file.parents if parent.name
    }
    if not step.finding or step.seen.get("by") == PLAN:
        gone = [file for file in step.files if file and file not in there]
        kept = tuple(file for file in step.files if file not in gone)
        why = [f"{step.title}: {file} is not in this source" for file in gone]
        return (replace(step, files=kept) if kept or not step.files else None), why
    return _answering(dataset, step)


def _answering(dataset: Dataset, step: Step) -> tuple[Step | None, list[str]]:
    """Return a step for the files that have the finding that it answers."""
    is_sent_off = step.finding in ELSEWHERE and step.do in ("leave_out", "volumes")
    codes = ELSEWHERE if is_sent_off else (step.finding,)
    found = _messages(dataset, *codes)
    wanted = tuple(found) if step.every else step.files
    why = [
        f"{step.title}: {file or 'the source'} has no finding {step.finding} here"
        for file in step.files
        if file not in found and (not step.every or not found)
    ]
    kept = [file for file in wanted if file in found]
    if step.finding in JUDGED and step.do in REPAIRS:
        same = [f for f in kept if step.seen.get(f"sha256 {f}", "") == _sha256(dataset, f) != ""]
        why += [
            f"{step.title}: {file} is another image than the one that was looked at: look at it"
            for file in kept
            if file not in same
        ]
        kept = same
    if step.do == ACCEPT and not step.every:
        other = [f for f in kept if step.seen.get(f"says {f}", found[f]) != found[f]]
        why += [
            f"{step.title}: not accepted: of {file or 'the source'} it is found now: {found[file]}"
            for file in other
        ]
        kept = [file for file in kept if file not in other]
    if step.every and step.finding in ELSEWHERE and step.do in REPAIRS:
        others = masks.of_another(dataset, kept)
        why += [
            f"{step.title}: not taken for {file}: by its own header it is of {volume}: look at it"
            for file, volume in others.items()
        ]
        kept = [file for file in kept if file not in others]
    if not step.files and found:
        return step, why
    return (replace(step, files=tuple(kept)) if kept else None), why
