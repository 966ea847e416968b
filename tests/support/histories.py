"""Histories: uploads that are interrupted while other people work on the same volumes.

A history is a word: a letter for each thing that happens; then the same call is made until it ends
well. Who makes, changes and removes what is written down, so that it can be told at each step
whether anything of anybody is gone, and at the end whether anything of ours is twice or missing.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked, TargetError
from tests.support.history_sources import KINDS, SHAPE, Source, masks_of_persons
from tests.support.landings import land, quiet
from tests.support.uploads import Killed, digest

LETTERS = {
    "u": "our upload comes to its end",
    "k": "our upload is killed",
    "f": "our upload meets faults: of the server, or of the disk",
    "s": "somebody else uploads while our upload runs",
    "c": "a colleague uploads the same folder",
    "d": "a person draws on a volume",
    "e": "a person changes an object",
    "r": "a person removes an object, or a volume",
    "m": "a mask of the source is mended",
    "n": "a new case is put into the source",
}

EXISTING = ("error", "skip", "replace", "append")

__all__ = ["EXISTING", "KINDS", "LETTERS", "World", "sample", "words"]

MOST_CALLS = 6
"""So often the same call is made at the end, each time as the remedy of the last error says."""

A_WHILE = 20
"""Seconds after which a second upload is not told, but waits."""


FIRST = {"volumes": "ukfsc", "annotations": "ukfscdr"}
"""What can happen where nothing of a source is on the target; for annotations their volumes are."""

LIKELY = {"k": 4, "f": 3, "u": 2}
"""How much more likely chance chooses what leaves something half."""


def words(most: int, kind: str) -> Iterator[str]:
    """Yield every order of up to so many letters, of which the first one can happen."""
    yield ""
    for count in range(most):
        for first, *others in product(FIRST[kind], *[LETTERS] * count):
            yield first + "".join(others)


def sample(count: int, length: int, kind: str, seed: str) -> list[str]:
    """Return random words of a length, the same for the same seed."""
    chance = random.Random(f"{seed} {kind} {length}")

    def some(letters: Collection[str], count: int) -> str:
        weights = [LIKELY.get(letter, 1) for letter in letters]
        return "".join(chance.choices([*letters], weights, k=count))

    return [some(FIRST[kind], 1) + some(LETTERS, length - 1) for _ in range(count)]


Key = tuple[str, Any]
"""``volume`` or ``object``, and its id."""

Facts = dict[Key, dict[str, Any]]
"""Volumes (name, voxels, slices), and objects (class, volume, geometries, scores)."""


class World:
    """One history: a source, a target, and who has made what on it.

    Parameters
    ----------
    folder
        Everything of it lies there.
    kind
        What the source has.
    existing
        What our call chooses each time.
    word
        What happens; with ``existing`` it decides all that is left to chance.
    """

    def __init__(self, folder: Path, kind: str, existing: str, word: str) -> None:
        self.folder, self.existing, self.word = folder, existing, word
        self.chance = random.Random(f"{word} {kind} {existing}")
        self.now = existing
        """What the call that runs has chosen: a remedy may say something else."""
        self.journal = self.chance.choice([None, None, folder / "journal.jsonl"])
        self.source = Source(folder / "in", kind)
        self.theirs: Facts = {}
        """What others have made or changed, and what we had landed whole: as it was left."""
        self.ours: dict[Key, int] = {}
        """What our calls have made, with the number of the run."""
        self.run = 0
        """How many of our calls have ended well: each begins a new run."""
        self.edited: set[Key] = set()
        """What a person has changed."""
        self.aside: list[list[Any]] = []
        """What was replaced since our last receipt."""
        self.before: Facts = {}
        """What was there before our last call."""
        self.begun = False
        """Whether something of ours was, of an earlier call with the same journal."""
        self.story: list[str] = []
        self.seen = self.there()
        if kind == "annotations":
            self.add_bases()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.source.kind} {self.existing} {self.word!r}>"

    keys_recur = False
    """Whether the key of what was removed may be that of something new, whoever makes it."""

    mended_is_made_anew = False
    """Whether what had begun to land of a file goes when that is mended; unless it was changed."""

    others_may_come = False
    """Whether others may upload to it while we do."""

    # What a target is asked; each kind of target says how

    def open(self) -> Any:
        """Return the target as a new process opens it."""
        raise NotImplementedError

    def there(self) -> Facts:
        """Return all volumes and objects with their content."""
        raise NotImplementedError

    def killing(self) -> AbstractContextManager[Any]:
        """End the caller at a step of its upload."""
        raise NotImplementedError

    def faulty(self) -> AbstractContextManager[Any]:
        """Let something go wrong with a step of an upload, or with several."""
        raise NotImplementedError

    def draw(self, volume_id: Any, title: str, mask: bytes) -> None:
        """Draw an object with its figure, as a person does."""
        raise NotImplementedError

    def change(self, key: Key, scores: Any, mask: bytes | None) -> None:
        """Give an object other scores, or another mask."""
        raise NotImplementedError

    def remove(self, key: Key) -> None:
        """Remove an object, or a volume with all that is on it."""
        raise NotImplementedError

    def check_files(self) -> None:
        """See that nothing is left of what is no part of any volume or object."""

    # Who does something, and what it has changed

    def observe_us(self) -> None:
        """Take what is new for ours; see that all that is of others is there."""
        now = self.there()
        self.ours |= dict.fromkeys(now.keys() - self.seen.keys(), self.run)
        self.check_theirs(now)
        self.forget(self.seen.keys() - now.keys())
        self.seen = now

    @contextmanager
    def by_us(self) -> Iterator[None]:
        self.before = self.seen
        stays = self.journal is not None and self.journal.exists()
        self.begun = bool(self.ours) if stays else self.run in self.ours.values()
        try:
            yield
        finally:
            self.observe_us()

    @contextmanager
    def by_others(self, what: str) -> Iterator[None]:
        """Write down what others do, also in the middle of our upload."""
        self.observe_us()
        self.story.append(what)
        yield
        now = self.there()
        gone = self.seen.keys() - now.keys()
        self.forget(gone)
        new = {key: one for key, one in now.items() if self.seen.get(key) != one}
        self.edited |= {key for key in new if key in self.seen}
        self.theirs |= new
        self.seen = now

    def forget(self, gone: Iterable[Key]) -> None:
        """Know nothing more of what is gone: its key may be given again."""
        for key in gone:
            self.theirs.pop(key, None)
            self.ours.pop(key, None)
            self.edited.discard(key)

    def objects(self, facts: Facts) -> Facts:
        return {key: one for key, one in facts.items() if key[0] == "object"}

    # What happens

    def play(self) -> None:
        for letter in self.word:
            self.story.append(LETTERS[letter])
            getattr(self, f"_{letter}")()

    def upload(self, on_progress: Callable[[Any], Any] = quiet) -> bool:
        """Make our call; where it ends well, see that all is there; say if the proof is good."""
        target = self.open()
        with self.by_us():
            receipt = self.landed(target, on_progress)
        return self.check_receipt(receipt, target)

    def landed(self, target: Any, on_progress: Callable[[Any], Any] = quiet) -> Any:
        return land(
            self.source.folder,
            target,
            waive="planes-incomplete",
            existing=self.now,
            journal=self.journal,
            on_progress=on_progress,
        )

    def _u(self) -> None:
        self.interrupted(nullcontext())

    def _k(self) -> None:
        self.interrupted(self.killing())

    def _f(self) -> None:
        self.interrupted(self.faulty())

    def interrupted(self, trouble: AbstractContextManager[Any]) -> None:
        """Make our call while something goes wrong; it may come to its end all the same."""
        target = self.open()
        try:
            with self.by_us(), trouble:
                receipt = self.landed(target)
        except (Killed, TargetError) as ended:
            self.story.append(f"it ended in {type(ended).__name__}: {ended}")
            if not self.journals():  # it died when all had landed
                self.begin_anew()
        else:
            self.story.append("it landed")
            self.check_receipt(receipt, target)

    def _s(self) -> None:
        """Begin a second upload while ours runs: ours goes on, and the second is told."""
        if self.others_may_come and self.chance.random() < 0.3:
            self.beside_a_colleague()
            return
        ended: list[BaseException | None] = []

        def second() -> None:
            try:
                self.landed(self.open())
            except BaseException as error:  # noqa: BLE001 - shown to the test, whatever it is
                ended.append(error)
            else:
                ended.append(None)

        def progress(_: Any) -> None:
            if not ended:
                thread = Thread(target=second, daemon=True)
                thread.start()
                thread.join(A_WHILE)
                assert ended, "the second upload waits"

        with suppress(TargetError):
            self.upload(progress)
        told = [isinstance(one, TargetError) and "under way" in str(one) for one in ended]
        assert all(told), f"the second upload was not told: {ended}"

    def beside_a_colleague(self) -> None:
        """Upload, and have a colleague upload in its middle."""
        moments = iter([False] * self.chance.randrange(6) + [True])

        def progress(_: Any) -> None:
            if next(moments, False):
                self._c()

        with suppress(TargetError):
            self.upload(progress)

    def _c(self) -> None:
        existing = self.chance.choice(["error", "append", "skip"])
        with self.by_others(f"a colleague uploads, existing={existing}"):
            self.colleague(self.source.folder, existing)

    def colleague(self, folder: Path, existing: str = "error") -> None:
        """Upload a folder as another person does, from another machine with journals of its own."""
        copied = shutil.copytree(folder, self.folder / "theirs", dirs_exist_ok=True)
        home = os.environ["XDG_STATE_HOME"]
        os.environ["XDG_STATE_HOME"] = str(self.folder / "colleague")
        options = {"existing": existing, "waive": "planes-incomplete"}
        try:
            with suppress(TargetError):
                land(Path(copied), self.open(), **options)
        finally:
            os.environ["XDG_STATE_HOME"] = home
            shutil.rmtree(copied)

    def add_bases(self, cases: tuple[int, ...] = (0, 1)) -> None:
        """Make the volumes for annotations, as a person has made them before."""
        base = self.folder / "base"
        for case in cases:
            self.source.write_volume(base, case)
        with self.by_others("a person makes the volumes"):
            self.colleague(base)
        names = {one["name"]: key[1] for key, one in self.seen.items() if key[0] == "volume"}
        self.source.volume_ids = {
            case: self.id_of(names[self.source.volume_name(case)]) for case in (0, 1)
        }
        self.source.write()
        shutil.rmtree(base)

    def id_of(self, volume_key: Any) -> int:
        """Return the id that a mapping has of a volume."""
        return int(volume_key)

    def _d(self) -> None:
        rooms = sorted(key[1] for key in self.seen if key[0] == "volume")
        if not rooms:
            return
        title = self.chance.choice([*self.titles(), "Bone"])
        number = self.chance.randrange(3)
        room = self.chance.choice(rooms)
        with self.by_others(f"a person draws mask {number} of {title} on {room}"):
            self.draw(room, title, masks_of_persons()[number])

    def titles(self) -> list[str]:
        """Return the classes that the source plans."""
        return sorted({planned.name for planned in self.source.plan().classes})

    def drawn(self) -> list[Key]:
        """Return the objects that a person sees: an object without a mask cannot be seen."""
        objects = self.objects(self.seen).items()
        return sorted(key for key, one in objects if one["geometry"] and "" not in one["geometry"])

    def _e(self) -> None:
        if not (drawn := self.drawn()):
            return
        ours = [key for key in drawn if key in self.ours]
        key = self.chance.choice(ours or drawn)
        if self.chance.random() < 0.5:
            scores = {"0-0-1": {"1": {"score": f"0.{len(self.story)}", "comment": "a person's"}}}
            with self.by_others(f"a person scores {key}"):
                self.change(key, scores, None)
        else:
            with self.by_others(f"a person draws {key} anew"):
                self.change(key, None, masks_of_persons()[3 + len(self.story) % 9])

    def _r(self) -> None:
        drawn = self.drawn()
        rooms = sorted(key for key in self.seen if key[0] == "volume")
        if drawn and self.chance.random() < 0.7:
            ours = [key for key in drawn if key in self.ours]
            key = self.chance.choice(ours or drawn)
        elif rooms:
            key = self.chance.choice(rooms)
        else:
            return
        with self.by_others(f"a person removes {key}"):
            self.remove(key)

    def _m(self) -> None:
        self.leave_to_the_choice()
        if self.chance.random() < 0.3:
            self.source.values = (1, 5 - self.source.values[1])  # 3, and then 2 again
        self.source.version += 1
        self.source.write()

    def leave_to_the_choice(self) -> None:
        """Count what has landed of the case that is mended as of an earlier run.

        ``existing`` decides about it as in a first call, and ``append`` adds all of it. So it is
        everywhere with what had landed whole.
        """
        done = json.dumps({"done": self.source.item_name(0)})[:-1]
        is_done = any(done in path.read_text() for path in self.journals())
        if self.mended_is_made_anew and not is_done:
            return
        name = self.source.volume_name(0)
        rooms = {key[1] for key, one in self.seen.items() if one.get("name") == name}
        for key, one in self.objects(self.seen).items():
            if key in self.ours and one["volume"] in rooms:
                self.ours[key] = -1

    def _n(self) -> None:
        self.source.cases = 2
        self.source.write()

    # What must hold

    def check_theirs(self, now: Facts) -> None:
        """Nothing of others is gone or changed, but for what was replaced on purpose, and kept."""
        gone = {key: one for key, one in self.theirs.items() if now.get(key) != one}
        if not gone:
            return
        kept, titles = self.kept(self.folder), self.titles()
        for key, one in gone.items():
            assert key[0] == "object", f"a volume is gone or changed: {key} {one} {now.get(key)}"
            assert self.now == "replace", f"gone or changed: {key} {one} {now.get(key)}"
            assert one["class"] in titles, f"of no class that is planned: {key} {one}"
            for geometry, scores in zip(one["geometry"], one["scores"], strict=True):
                content = [one["class"], geometry, scores]
                assert content in kept, f"not kept: {key} {content} of {kept}"
                self.aside.append(content)
            self.forget([key])
            if key in now:  # another one, to which it was given again
                assert self.keys_recur, f"changed: {key} {one} {now[key]}"
                self.ours[key] = self.run

    def kept(self, folder: Path) -> list[list[Any]]:
        """Return class, geometry and scores of what is kept aside anywhere in a folder."""
        found = []
        for path in folder.rglob("*.json"):
            if self.is_target(path):
                continue
            content = json.loads(path.read_bytes())
            for figure in content.get("spatialFigures", ()):
                masks = [path.parent / f"{figure.get(name)}.nrrd" for name in ("id", "key")]
                title = title_of(content, figure)
                found += [
                    [title, digest(mask.read_bytes()), figure.get("customData") or {}]
                    for mask in masks
                    if mask.exists()
                ]
        return found

    def is_target(self, path: Path) -> bool:
        """Say whether a file is on the target, or in a source."""
        return path.name in ("mapping.json", "meta.json", "key_id_map.json")

    def check_receipt(self, receipt: Any, target: Any) -> bool:
        """Nothing of ours is twice or missing, what went is kept; return what the proof says."""
        self.check_once()
        self.check_landed(receipt)
        self.check_choice(receipt)
        proof = nk.verify(receipt, target)
        edited = [key for key in self.keys_of(receipt) if key in self.edited]
        assert proof.ok == (not edited), f"{proof}, and a person has changed {edited}"
        if self.aside:
            kept = [] if receipt.backup is None else self.kept(receipt.backup)
            left = [one for one in self.aside if one not in kept]
            assert not left, f"what went is not where the receipt says, {receipt.backup}: {left}"
        self.check_files()
        assert self.journals() <= {self.journal}, "the upload is whole, and its journal is there"
        self.begin_anew()
        return bool(proof.ok)

    def journals(self) -> set[Path]:
        """Return the journals of our uploads."""
        return {path for path in self.folder.rglob("*.jsonl") if "colleague" not in path.parts}

    def begin_anew(self) -> None:
        """Take what has landed for what is there, for each call that follows."""
        self.aside.clear()
        self.run += 1
        self.theirs |= {key: one for key, one in self.seen.items() if key in self.ours}

    def check_once(self) -> None:
        """Nothing is half, no volume lacks a slice or has one twice, no object of ours is twice."""
        objects = self.objects(self.seen)
        half = [key for key, one in objects.items() if not one["geometry"] or "" in one["geometry"]]
        assert not half, f"objects without a figure, or figures without geometry: {half}"
        for key, one in self.seen.items():
            if key[0] == "volume":
                assert one["slices"] == {1: sum(SHAPE)}, f"slices of {key}: {one['slices']}"
        own = Counter(
            json.dumps([one[name] for name in ("volume", "class", "geometry")])
            for key, one in objects.items()
            if self.ours.get(key) == self.run and key not in self.theirs
        )
        assert max(own.values(), default=1) == 1, f"of ours there are twice: {own}"

    def keys_of(self, receipt: Any) -> list[Key]:
        return [("object", self.key_of(landed.ref)) for landed in receipt.objects]

    def key_of(self, ref: Any) -> Any:
        """Return the id by which an object is known here."""
        return ref.id

    def check_landed(self, receipt: Any) -> None:
        """Each planned object is there once, as it was planned or as a person has changed it."""
        keys, planned = self.keys_of(receipt), self.source.planned()
        assert len(set(keys)) == len(keys) == len(planned)
        assert [key for key in keys if key not in self.seen] == [], "said to be there, and is not"
        content = {
            key: [self.seen[key][name] for name in ("class", "geometry", "scores")] for key in keys
        }
        whole = [content[key] for key in keys if key not in self.edited]
        assert not [one for one in whole if one not in planned], f"{whole} of {planned}"
        if len(whole) == len(planned):
            assert sorted(map(json.dumps, whole)) == sorted(map(json.dumps, planned))
        for key, landed in zip(keys, receipt.objects, strict=True):
            added = key in self.ours or self.keys_recur
            assert added or not landed.added, f"said to be added by us: {key}"
        own = {key for key in self.objects(self.seen) if self.ours.get(key) == self.run}
        extra = own - set(keys) - self.theirs.keys()
        assert not extra, f"of ours is there what nobody planned: {extra}"

    def check_choice(self, receipt: Any) -> None:
        """See that ``existing`` was kept to where nothing of ours was begun."""
        landed = self.keys_of(receipt)
        added = {key for key in landed if key not in self.before}
        rooms = {self.seen[key]["volume"] for key in added}
        planned = {(self.seen[key]["volume"], self.seen[key]["class"]) for key in landed}
        there = {
            key
            for key, one in self.objects(self.before).items()
            if (one["volume"], one["class"]) in planned and one["volume"] in rooms
        }
        if self.begun or not added:
            return
        assert self.now != "error" or not there, f"added beside what was there: {there}"
        assert self.now != "replace" or not there & self.seen.keys(), f"not replaced: {there}"
        if self.now == "append":
            assert added == {key for key in landed if self.seen[key]["volume"] in rooms}

    # The end

    def end(self) -> str:
        """Make the same call until it ends well; say how often its remedies were followed."""
        for count in range(MOST_CALLS):
            try:
                is_whole = self.upload()
            except (TargetError, PlanBlocked) as error:
                self.story.append(f"refused: {error}")
                self.follow(error)
            else:
                if is_whole:
                    self.end_again()
                return f"landed after {count} remedies" if count else "landed"
        raise AssertionError("the remedies lead nowhere")

    def end_again(self) -> None:
        """Upload once more what is there: nothing is added."""
        before, self.now = self.seen, "skip"
        self.story.append("the same call with existing=skip")
        self.upload()
        assert self.seen == before, "what is there is uploaded again"

    def follow(self, error: TargetError | PlanBlocked) -> None:
        """Do what the remedy of an error says."""
        remedy = error.remedy or ""
        if "existing='skip'" in remedy:
            self.now = self.chance.choice(["skip", "skip", "replace", "append"])
            self.story.append(f"the same call with existing={self.now}")
        elif "remove volume" in remedy:
            number = int(remedy.partition("remove volume ")[2].split()[0])
            assert ("volume", number) in self.ours, "it is not of ours that it was left unfinished"
            with self.by_others(f"a person saves volume {number}, and removes it"):
                self.remove(("volume", number))
        elif "Correct the id in the mapping" in remedy:
            names = {one["name"] for key, one in self.seen.items() if key[0] == "volume"}
            gone = tuple(case for case in (0, 1) if self.source.volume_name(case) not in names)
            self.add_bases(gone)
        else:
            assert "the same call" in remedy, f"a remedy that cannot be followed: {error}"


def title_of(content: dict[str, Any], figure: dict[str, Any]) -> str:
    """Return the class of a figure's object in an annotation, by ids or keys."""
    for one in content["objects"]:
        by_id = "id" in one and one["id"] == figure.get("objectId")
        if by_id or ("key" in one and one["key"] == figure.get("objectKey")):
            return str(one["classTitle"])
    return ""
