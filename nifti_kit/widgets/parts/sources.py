"""Source picker: a folder, an archive or one file, and how it is to be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum, HasTraits, Tuple, Unicode

from nifti_kit.core.files import clean_path
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.layouts import EVERY_LAYOUT
from nifti_kit.datasets.names import is_nifti
from nifti_kit.datasets.proposals import Proposal
from nifti_kit.datasets.scanning import SCORE_FRAMES
from nifti_kit.datasets.sources import ARCHIVE_ENDINGS
from nifti_kit.errors import BadSource
from nifti_kit.widgets.parts.acts import refuse
from nifti_kit.widgets.parts.tasks import Task, Ticket

SAMPLES = "data_samples"
"""The folder of the repository with data to begin with."""

LOOKED_ABOVE = 3
"""Folders above the current one in which the samples are looked for: a notebook is one below."""

MOST_RECENT = 8
"""Sources that are remembered: as many as a list shows at a glance."""

CHOICES: dict[str, tuple[str, ...]] = {
    "layout": ("auto", *EVERY_LAYOUT),
    "segmentation": ("auto", "semantic", "instance"),
    "score_frames": SCORE_FRAMES,
    "score_base": ("auto", "0", "1"),
}
"""What can be chosen, as :func:`nifti_kit.scan` has it; ``auto`` says no base."""

GIVEN = ("classes", "pairs", "annotation_words")
"""What :func:`nifti_kit.scan` takes besides: it is given in code, and kept from scan to scan."""


def samples(folder: str | os.PathLike[str] = ".") -> dict[str, str]:
    """Return the repository's samples, name to path as seen from a folder; there may be none.

    A sample is a folder with a NIfTI file or a score table anywhere in it, or an archive.
    """
    above = Path(os.path.abspath(folder))  # noqa: PTH100  (links are kept: people know their name)
    for place in [above, *above.parents][: LOOKED_ABOVE + 1]:
        if (place / SAMPLES).is_dir():
            base = Path(os.path.relpath(place / SAMPLES, above))
            found = sorted((place / SAMPLES).iterdir())
            return {
                entry.name: (base / entry.name).as_posix() for entry in found if _is_sample(entry)
            }
    return {}


def _is_sample(entry: Path) -> bool:
    if entry.is_dir():
        return any(is_nifti(file.name) for file in entry.rglob("*"))
    return entry.name.endswith(ARCHIVE_ENDINGS)


class SourcePicker(HasTraits):
    """What is to be read, and what reading found."""

    path = Unicode()  # a folder, an archive or one NIfTI file
    # As :func:`nifti_kit.scan` has them.
    layout = Enum(CHOICES["layout"], "auto")
    segmentation = Enum(CHOICES["segmentation"], "auto")
    score_frames = Enum(CHOICES["score_frames"], "file")
    score_base = Enum(CHOICES["score_base"], "auto")
    dataset = AnyTrait()  # what the last scan found; None before, and while another source is read
    recent = Tuple()  # the sources that were read, the newest first

    def __init__(self, path: str | os.PathLike[str] = "", **choices: Any) -> None:
        """Take a path, and what else :func:`nifti_kit.scan` takes; nothing is read yet.

        Raises BadSource if something was chosen that there is not.
        """
        self._given = {name: choices.pop(name) for name in GIVEN if name in choices}
        if "score_base" in choices:
            base = choices["score_base"]
            choices["score_base"] = "auto" if base is None else str(base)
        for name, value in choices.items():
            if name not in CHOICES:
                expected = ", ".join((*CHOICES, *GIVEN))
                raise BadSource("there is no such choice", found=name, expected=expected)
            if value not in CHOICES[name]:
                expected = ", ".join(map(repr, CHOICES[name]))
                raise BadSource(f"{name} has no such choice", found=repr(value), expected=expected)
        super().__init__(path=os.fspath(path), **choices)
        self.samples = samples()  # data to begin with, name to path
        self.task = Task()  # the reading: headers only, but of a large folder it takes a while
        self.read: tuple[str, ...] = ()  # what was ``chosen`` of which ``dataset`` is
        self._scanning: tuple[str, ...] = ()
        self.observe(self._forget_error, ["path", *CHOICES])
        self.observe(self._note_read, "dataset")

    @classmethod
    def of(
        cls, source: str | os.PathLike[str] | Dataset | SourcePicker, **choices: Any
    ) -> SourcePicker:
        """Return the picker of a path or a dataset; one that several apps share as it is."""
        if isinstance(source, SourcePicker):
            return source
        if not isinstance(source, Dataset):
            return cls(source, **choices)
        picker = cls(source.source.given)
        picker.dataset = source
        return picker

    @property
    def error(self) -> str:
        """Why the last scan failed, in the words of the toolkit; empty where it did not."""
        return self.task.text if self.task.state == "failed" else ""

    @property
    def scan_blockers(self) -> list[str]:
        """Why the source cannot be read now."""
        if self.task.is_running:
            return ["A source is being read."]
        if not self.place:
            return ["Give the path of a folder, an archive or a NIfTI file."]
        if not os.path.exists(self.place):  # noqa: PTH110  (it never raises)
            return [f"There is no such file or folder: {self.place} (seen from {Path.cwd()})."]
        return []

    @property
    def proposal(self) -> Proposal | None:
        """Which mask would go to which image; None where that is not known, or taken already."""
        found = self.dataset
        return None if found is None or found.layout == "pairs" else found.proposal

    @property
    def proposal_blockers(self) -> list[str]:
        """Why no proposal can be taken now."""
        if self.proposal is None:
            return ["There is no proposal."]
        return self.scan_blockers

    def take_proposal(self) -> None:
        """Read the source again, its masks with the images that the proposal says.

        Raises BadSource if something is in the way: see ``proposal_blockers``.
        """
        refuse(self.proposal_blockers, "taking the proposal", BadSource)
        self.layout = "pairs"
        self.scan()

    @property
    def place(self) -> str:
        """The path without what is pasted along: quotes, and blanks at its ends."""
        return os.path.expanduser(clean_path(self.path))  # noqa: PTH111  (it never raises)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The place, and how it is to be read."""
        return self.place, *(getattr(self, name) for name in CHOICES)

    @property
    def said(self) -> dict[str, Any]:
        """What :func:`nifti_kit.scan` is told of how to read it, but for what it does anyway."""
        usual = SourcePicker.class_traits()
        chosen = {name: getattr(self, name) for name in CHOICES}
        own = {name: v for name, v in chosen.items() if v != usual[name].default_value}
        if "score_base" in own:
            own["score_base"] = int(own["score_base"])
        return {**own, **self._given}

    @property
    def is_read(self) -> bool:
        """Whether ``dataset`` is of what is chosen now."""
        return self.dataset is not None and self.read == self.chosen

    def scan(self) -> None:
        """Begin to read the source's names and headers; ``dataset`` is there when it is done.

        A path that is not there fails the task too, so that a run without a person ends with it.
        """
        if self.task.is_running:
            return
        self.dataset = None
        self._scanning = self.chosen
        self.task.start(self._scanned, then=self._keep)

    def join(self) -> Dataset:
        """Wait for the reading, and return the dataset; raises what it raised."""
        self.task.join()
        found: Dataset = self.dataset
        return found

    def _scanned(self, ticket: Ticket) -> Dataset:
        ticket.tell(0.0, "Reading names and headers ...")
        path, *choices = self._scanning  # a person may choose others meanwhile
        chosen: dict[str, Any] = dict(zip(CHOICES, choices, strict=True))
        base = chosen.pop("score_base")

        def told(done: int, total: int) -> None:
            ticket.tell(done / total, f"Reading headers: {done} of {counted(total, 'file')} ...")

        found = scan(
            path,
            score_base=None if base == "auto" else int(base),
            **chosen,
            on_file=told,
            **self._given,
        )
        ticket.check()
        return found

    def _forget_error(self, _: Any) -> None:
        """Say no longer why another path could not be read."""
        if self.error:
            self.task.forget()

    def _keep(self, found: Dataset) -> None:
        own = self._scanning[0]
        self.recent = (own, *(path for path in self.recent if path != own))[:MOST_RECENT]
        self.dataset = found

    def _note_read(self, change: Any) -> None:
        """Note what a dataset is of: of what was chosen when its reading began, or of what is.

        One in the place of another is that one mended, and of what that one is of.
        """
        if change["new"] is None:
            self.read = ()
        elif change["old"] is None:
            self.read = self._scanning if self.task.is_running else self.chosen
