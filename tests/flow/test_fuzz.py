"""Whatever the input is, it ends in a result or an error of ours, and nothing goes unnamed.

1,200 cases, the same ones each time. ``NIFTI_KIT_FUZZ=10`` makes it 20,000, by chance.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, example, given, reject, settings
from hypothesis import strategies as st

import nifti_kit as nk
from nifti_kit.core.catalog import CATALOG
from nifti_kit.errors import NiftiKitError
from tests.support import fuzzing as fz

FACTOR = float(os.environ.get("NIFTI_KIT_FUZZ", "0.3"))
REPORT_EVERY = 8
"""A report's pictures take as long as all else of a case: one of so many draws them."""

SECONDS = 20
"""No case takes a tenth of this: what takes as long hangs."""


def cases(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=max(1, round(count * FACTOR)),
        derandomize=FACTOR <= 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Shrinking takes minutes here, and steps are few: a failing case is short as it is.
        phases=(Phase.explicit, Phase.generate),
    )


def told(error: NiftiKitError) -> None:
    """An error of ours has a text, which can be written."""
    assert str(error).encode("utf-8", "backslashreplace")


class Hang(BaseException):
    """No exception that a library would catch."""


@contextmanager
def guarded() -> Iterator[Path]:
    """Yield an empty folder, and fail where a case takes too long."""

    def stop(*_: object) -> None:
        raise Hang(f"more than {SECONDS} seconds")

    alarm = getattr(signal, "SIGALRM", None)
    if alarm is not None:
        before = signal.signal(alarm, stop)
        signal.alarm(SECONDS)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    finally:
        if alarm is not None:
            signal.alarm(0)
            signal.signal(alarm, before)


@contextmanager
def unpacking_in(folder: Path) -> Iterator[None]:
    """Let temporary folders be made in this one."""
    folder.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


# What holds after every case


def examine(source: Path, out: Path, **choices: Any) -> Any:
    """Scan, check and plan; compare what they say with what is there. Return the dataset."""
    dataset = nk.scan(source, **choices)
    fast, findings, plan = nk.check(dataset, voxels=False), nk.check(dataset), nk.plan(dataset)
    for found in (*findings, *plan.findings):
        entry = CATALOG[found.code]
        assert found.severity == entry.severity
        assert found.message.strip()
        assert found.remedy or entry.severity != "error"
        found.path.encode()
    assert set(fast) <= set(findings)
    show(dataset, findings, plan, out)
    if source.is_file() and not dataset.source.is_archive:
        expected = [source.name.encode()]
    else:
        expected = list(files_below(dataset.root))
    every_file_is_accounted_for(dataset, findings, expected)
    every_label_is_planned_or_named(dataset, plan)
    every_score_lands_or_is_named(dataset, plan)
    return dataset


def show(dataset: Any, findings: Any, plan: Any, out: Path) -> None:
    """Bring out every form of the results."""
    texts = [repr(dataset), repr(findings), repr(plan), repr(dataset.classes)]
    shown = [part._repr_html_() for part in (dataset, findings, plan)]
    findings.save(out / "findings.json")
    findings.save(out / "findings.csv")
    if len(findings.to_json()) % REPORT_EVERY == 0:
        findings.save(out / "findings.html")
        shown.append((out / "findings.html").read_text(encoding="utf-8"))
    assert not any("<img src=x" in text or "<script>alert" in text for text in shown)
    assert len(json.loads((out / "findings.json").read_bytes())) == len(findings)
    assert len(findings.to_frame()) == len(json.loads(findings.to_json())) == len(findings)
    assert len(dataset.to_frame()) == len(dataset.items)
    assert len(plan.to_frame()) == len(plan.objects)
    assert all(texts)
    assert all(shown)
    assert plan.digest


def files_below(root: Path) -> Iterator[bytes]:
    top = os.fsencode(root) + b"/"
    for folder, _, names in os.walk(top):
        below = folder.removeprefix(top).strip(b"/")
        yield from (b"/".join([below, name]) if below else name for name in names)


def printable(path: bytes) -> str:
    """Return a path as findings name it: other bytes and control characters as escapes."""
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in ("Cc", "Zl", "Zp")
        else letter
        for letter in path.decode("utf-8", "backslashreplace")
    )


def every_file_is_accounted_for(dataset: Any, findings: Any, expected: list[bytes]) -> None:
    """Each file is used, or named in a finding, or lies in a folder that is named in one."""
    images = Counter(str(image.relative) for item in dataset.items for image in item.images)
    assert max(images.values(), default=1) == 1
    used = {*images, *(str(table.relative) for item in dataset.items for table in item.tables)}
    used |= {*dataset.classes.paths, dataset.mapping.path if dataset.mapping is not None else ""}
    named = {found.path for found in findings}
    unused = {path.relative_to(dataset.root).as_posix() for path in dataset.unused}
    assert len(unused) == len(dataset.unused)
    assert unused <= named
    assert not unused & set(images)
    for path in expected:
        parts = path.split(b"/")
        above = {printable(b"/".join(parts[:count])) for count in range(1, len(parts) + 1)}
        if not above & (used | named):
            assert repeats_the_class_map(dataset, path), printable(path)
    names = [item.name for item in dataset.items]
    assert len(set(names)) == len(names)
    assert all(name.endswith(".nrrd") for name in names)


def repeats_the_class_map(dataset: Any, path: bytes) -> bool:
    """A second class map that says the same has its use."""
    file = dataset.root / os.fsdecode(path)
    return path.lower().endswith(b".txt") and nk.read_classes(file) == dataset.classes


def every_label_is_planned_or_named(dataset: Any, plan: Any) -> None:
    """Each mask without an error (nor its volume) has an object for each value, voxels and all."""
    planned: dict[Any, dict[int, int]] = {}
    for item in plan.items:
        for found in item.objects:
            planned.setdefault(found.mask, {})[found.value] = found.voxels
    masks = [mask for item in dataset.items for mask in item.masks]
    assert set(planned) <= set(masks)
    faulty = {found.path for found in plan.blockers}
    named = {m for item in dataset.items for m in item.masks if str(m.relative) in faulty}
    lost = [item for item in dataset.items if item.volume and str(item.volume.relative) in faulty]
    named |= {mask for item in lost for mask in item.masks}
    for mask in masks:
        if mask in planned or mask not in named:
            assert planned.get(mask, {}) == fz.label_counts(mask.path.read_bytes())


def every_score_lands_or_is_named(dataset: Any, plan: Any) -> None:
    named = {found.path for found in plan.findings}
    for item in dataset.items:
        if any(str(table.relative) in named for table in item.tables) or not item.tables:
            continue
        masks, faulty = set(item.masks), {found.path for found in plan.blockers}
        if any(str(image.relative) in faulty for image in item.images):
            continue
        objects = [found for found in plan.objects if found.mask in masks]
        cells = sum(len(nk.read_scores(table.path)) for table in item.tables)
        landed = sum(found.score_count for found in objects)
        assert landed == cells if len(masks) == 1 else landed >= cells


def of_folder(files: fz.Files, **choices: Any) -> None:
    """Examine files in a folder: nothing is raised, and nothing there is changed."""
    with guarded() as folder:
        try:
            fz.write(folder / "in", files)
        except OSError:
            reject()  # a name that this file system does not take
        before = contents(folder / "in")
        examine(folder / "in", folder, **choices)
        assert contents(folder / "in") == before


def contents(folder: Path) -> dict[bytes, bytes]:
    paths = {path: folder / os.fsdecode(path) for path in files_below(folder)}
    return {path: file.read_bytes() for path, file in paths.items() if file.is_file()}


# Folders


@given(fz.seeds)
@cases(60)
def test_sound_files_of_every_type_are_taken_in(seed: fz.Seed) -> None:
    with guarded() as folder:
        fz.write(folder / "in", fz.files_of(seed))
        dataset = examine(folder / "in", folder)
        assert not dataset.unused
        assert sum(len(item.images) for item in dataset.items) == sum(
            path.endswith(fz.NIFTI_ENDINGS) for path in fz.files_of(seed)
        )


PLAIN: fz.Seed = ("by_plane", "i2", "u1", "<", 1, False, False)
LONG: fz.Seed = ("by_plane", "i2", "u1", "<", 2, False, False)
ALONE: fz.Seed = ("annotations", "i2", "u8", ">", 1, True, True)


@given(fz.seeds, st.lists(fz.geometry_steps, min_size=1, max_size=3))
@example(PLAIN, [("field", 0, "srow_x", 1, float("inf"))])
@example(LONG, [("field", 0, "srow_y", 3, 1e300)])
@example(LONG, [("field", 3, "srow_z", 3, -1e300)])
@example(LONG, [("field", 3, "srow_x", 0, 1e-150)])
@cases(200)
def test_header_fields_of_any_value(seed: fz.Seed, steps: list[fz.Step]) -> None:
    of_folder(fz.changed(fz.files_of(seed), steps))


@given(fz.seeds, st.lists(fz.byte_steps | fz.field_steps, min_size=1, max_size=4))
@example(ALONE, [("cut", file, True, 14) for file in range(3)])
@cases(200)
def test_bytes_that_are_changed_lost_or_added(seed: fz.Seed, steps: list[fz.Step]) -> None:
    of_folder(fz.changed(fz.files_of(seed), steps))


@given(fz.seeds, st.lists(fz.gzip_steps | fz.byte_steps, min_size=1, max_size=3).map(tuple))
@cases(150)
def test_gzip_streams_of_any_form(seed: fz.Seed, steps: tuple[fz.Step, ...]) -> None:
    of_folder(fz.changed(fz.files_of(seed), [*steps]))


@given(fz.seeds, st.lists(fz.name_steps | fz.set_steps, min_size=1, max_size=4))
@cases(200)
def test_names_folders_and_links_of_any_kind(seed: fz.Seed, steps: list[fz.Step]) -> None:
    of_folder(fz.changed(fz.files_of(seed), steps))


LAYOUTS = st.sampled_from(["auto", "by_volume", "by_plane", "annotations"])
KINDS = st.sampled_from(["auto", "semantic", "instance"])


@given(fz.seeds, st.lists(fz.set_steps | fz.text_steps, max_size=3), LAYOUTS, KINDS, st.booleans())
@cases(100)
def test_any_choice_for_any_files(
    seed: fz.Seed, steps: list[fz.Step], layout: str, kind: str, from_zero: bool
) -> None:
    files = fz.changed(fz.files_of(seed), steps)
    of_folder(files, layout=layout, segmentation=kind, score_base=int(not from_zero))


@given(fz.seeds, st.lists(fz.text_steps, min_size=1, max_size=3))
@cases(120)
def test_tables_class_maps_and_mappings_of_any_text(seed: fz.Seed, steps: list[fz.Step]) -> None:
    of_folder(fz.changed(fz.files_of(seed), steps))


any_steps = fz.byte_steps | fz.geometry_steps | fz.gzip_steps | fz.set_steps


@given(fz.seeds, fz.names, st.lists(any_steps, max_size=2))
@example(PLAIN, b".hdr", [])
@cases(60)
def test_one_file_of_any_name(seed: fz.Seed, name: bytes, steps: list[fz.Step]) -> None:
    with guarded() as folder:
        found = fz.changed(fz.files_of(seed), steps).values()
        content = next((each for each in found if isinstance(each, bytes)), b"")
        try:
            fz.write(folder / "in", {name: content})
        except OSError:
            reject()
        source = folder / "in" / os.fsdecode(name)
        try:
            examine(source, folder)
        except NiftiKitError as error:
            told(error)


# Archives


@given(
    fz.seeds,
    st.lists(any_steps, max_size=2),
    st.sampled_from([".zip", ".tar", ".tar.gz", ".tgz"]),
    st.lists(fz.byte_steps, max_size=2),
)
@cases(110)
def test_archives_of_any_bytes_and_names(
    seed: fz.Seed, steps: list[fz.Step], kind: str, damage: list[fz.Step]
) -> None:
    files = fz.changed(fz.files_of(seed), steps)
    archive = fz.changed({b"set": fz.archive_of(files, kind)}, damage)[b"set"]
    with guarded() as folder, unpacking_in(folder / "tmp"):
        (folder / f"set{kind}").write_bytes(archive)
        try:
            examine(folder / f"set{kind}", folder)
        except NiftiKitError as error:
            told(error)
        if any((folder / "tmp").iterdir()):
            gc.collect()  # an error may hold on to what it is about
        assert not any((folder / "tmp").iterdir())


# Readers on their own


def read(content: bytes, reader: Callable[[Path], Any]) -> Any:
    """Return what a reader makes of a file, None for an error of ours."""
    with guarded() as folder:
        (folder / "text").write_bytes(content)
        try:
            return reader(folder / "text")
        except NiftiKitError as error:
            told(error)
            return None


@given(fz.tables | fz.class_maps | st.binary(max_size=40), st.sampled_from([0, 1]))
@cases(120)
def test_score_tables_of_any_bytes(content: bytes, base: int) -> None:
    table = read(content, lambda path: nk.read_scores(path, base=base))
    if table is not None:
        assert repr(table)
        assert all(score.frame >= 1 and 1 <= score.value <= 65535 for score in table)
        assert len({(score.frame, score.value) for score in table}) == len(table)
        assert all(score.score is None or float(score.score) >= -1e308 for score in table)


@given(fz.class_maps | fz.tables | st.binary(max_size=40))
@cases(60)
def test_class_maps_of_any_bytes(content: bytes) -> None:
    found = read(content, nk.read_classes)
    if found is not None:
        assert repr(found)
        assert len({entry.value for entry in found}) == len(found) > 0
        assert all(entry.name.strip() and 1 <= entry.value <= 65535 for entry in found)
        colors = [entry.color for entry in found if entry.color is not None]
        assert all(0 <= part <= 255 for color in colors for part in color)


@given(fz.mappings | st.binary(max_size=40))
@cases(60)
def test_mappings_of_any_bytes(content: bytes) -> None:
    files = ["axl_inference.nii", "case2/cor_inference.nii.gz"]
    found = read(content, lambda path: nk.read_mapping(path, files))
    if found is not None:
        assert repr(found)
        known = [row for row in found if row.volume is not None]
        assert all(isinstance(row.volume, int) and row.volume > 0 for row in known)


# Masks and repairs

arrays = st.builds(
    lambda shape, dtype, value: np.full(shape, value).astype(dtype),
    st.sampled_from([(), (3,), (3, 4), fz.SHAPE, (0, 4, 5), (3, 4, 5, 1), (3, 4, 5, 2)]),
    st.sampled_from(["u1", "i2", "f4", "f8", "?", "u8", ">i4", "c8", "O", "U3"]),
    st.sampled_from([0, 1]),
)
headers = st.one_of(
    st.none(),
    st.integers(),
    st.lists(st.lists(fz.numbers, min_size=4, max_size=4), min_size=4, max_size=4),
    st.dictionaries(
        st.sampled_from(
            ["space", "space directions", "space origin", "sizes", "kinds", "encoding"]
        ),
        st.one_of(
            st.sampled_from(["left-posterior-superior", "RAS", "scanner-xyz", "", None]),
            st.lists(fz.numbers, max_size=4),
            st.lists(st.lists(fz.numbers, min_size=3, max_size=3), min_size=3, max_size=3),
        ),
    ),
)


@given(arrays, headers, st.sampled_from([None, 0, 1, 2, -1, 2.5]))
@cases(60)
def test_arrays_and_headers_of_any_kind(array: Any, header: Any, value: Any) -> None:
    with guarded():
        try:
            aligned = nk.align_mask(array, header, value=value)
        except NiftiKitError as error:
            told(error)
        else:
            assert aligned.voxels.shape == fz.SHAPE
            assert aligned.voxels.any()


MASKS, TABLES, IMAGES = ("inference", "mask", "liver", "lung"), (".csv",), (".nii", ".nii.gz")

REPAIRS: dict[str, tuple[Callable[[Any, Any], Any], tuple[str, ...]]] = {
    "take_header": (nk.repairs.take_header, MASKS),
    "reorient": (nk.repairs.reorient, MASKS),
    "resample": (nk.repairs.resample, MASKS),
    "round_labels": (nk.repairs.round_labels, MASKS),
    "threshold": (lambda data, file: nk.repairs.round_labels(data, file, threshold=0.5), MASKS),
    "drop_specks": (nk.repairs.drop_specks, MASKS),
    "pick_frame": (lambda data, file: nk.repairs.pick_frame(data, file, 1), IMAGES),
    "rebase_layers": (nk.repairs.rebase_layers, TABLES),
    "reverse": (
        lambda data, file: nk.repairs.rebase_layers(
            data, file, base=1, reverse=True, drop_faulty=True
        ),
        TABLES,
    ),
    "any": (nk.repairs.take_header, ("",)),
}
"""Each with what the names of the files hold that it is for."""


def repaired(folder: Path, name: str, at: int) -> Any:
    """Return what a repair makes of one of the files that it is for, None for an error of ours."""
    dataset = nk.scan(folder)
    repair, words = REPAIRS[name]
    files = [file for file in dataset.source.files if any(word in file.name for word in words)]
    try:
        return repair(dataset, files[at % len(files)] if files else "none.nii")
    except NiftiKitError as error:
        told(error)
        return None


@given(
    fz.seeds,
    st.lists(fz.geometry_steps | any_steps | fz.text_steps, max_size=3),
    st.sampled_from(sorted(REPAIRS)),
    fz.positions,
)
@cases(100)
def test_repairs_of_any_file(seed: fz.Seed, steps: list[fz.Step], repair: str, at: int) -> None:
    with guarded() as folder:
        try:
            fz.write(folder / "in", fz.changed(fz.files_of(seed), steps))
        except OSError:
            reject()
        done = repaired(folder / "in", repair, at)
        if done is None:
            return
        assert repr(done)
        assert done._repr_html_()
        assert len(done.to_frame()) == len(done.labels)
        found = nk.check(done.dataset)
        assert {fault.path for fault in found} >= {change.file for change in done.files}
        assert nk.plan(done.dataset).digest
        try:
            saved = done.save(folder / "saved")
        except NiftiKitError as error:
            told(error)
        else:
            names = {path.relative_to(folder / "saved").as_posix() for path in saved}
            assert {change.file for change in done.files} <= names
            assert all(path.is_file() for path in saved)
