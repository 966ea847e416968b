"""What uploads keep: listed with what is known of it, and removed by a person's choice only."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError, WrongArgument
from nifti_kit.transfer.kept import JOURNAL, SHOWN, Kept
from tests.platform import Platform
from tests.support.landings import write_annotations, write_volumes
from tests.support.uploads import killed, land, new_target

DONE, OPEN = "20261127-101500-a1b2c3", "20261128-093000-d4e5f6"


def put(path: Path, content: bytes = b"x" * 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def home(state_home: Path) -> Path:
    """The folder of uploads: one that ended, and one that did not."""
    home = state_home / "nifti_kit"
    for place in ("replaced/d/A/A.json", "replaced/d/A/7.nrrd", "left-9/d/A/A.json"):
        put(home / "kept" / DONE / place)
    put(home / "kept" / OPEN / "scores" / "d" / "A.json")
    head = {"plan": "p", "target": "Instance('https://sly.example', dataset_id=3)"}
    journal = json.dumps({**head, "session": OPEN})
    put(home / "0123456789abcdef.jsonl", f'\n{journal}\n\n{{"begin": "A"}}\n'.encode())
    put(home / "0123456789abcdef.jsonl.lock")
    return home


@pytest.fixture
def kept(home: Path) -> Kept:
    del home
    return nk.kept()


def test_nothing_is_kept_where_nothing_was_uploaded(state_home: Path) -> None:
    found = nk.kept()
    assert (len(found), found.size, list(found)) == (0, 0, [])
    assert repr(found) == f"Kept: nothing in {state_home / 'nifti_kit'}"
    assert "nothing" in found._repr_html_()
    assert found.to_frame().empty
    assert not state_home.exists()


def test_what_is_kept_has_session_kind_time_and_size(kept: Kept) -> None:
    first, journal, scores = kept
    assert first.session == DONE
    assert first.what == ("left", "replaced")
    assert first.when == datetime(2026, 11, 27, 10, 15, tzinfo=timezone.utc)
    assert (first.files, first.size, first.target, first.is_needed) == (3, 30, "", False)
    assert (scores.what, scores.files, scores.is_needed) == (("scores",), 1, True)
    assert (journal.what, journal.session, journal.is_needed) == ((JOURNAL,), OPEN, True)
    assert journal.target == scores.target == "Instance('https://sly.example', dataset_id=3)"
    assert kept.size == 40 + journal.size
    assert kept[0] is first
    assert kept[:2] == (first, journal)


def test_what_is_kept_is_shown_as_text_page_and_table(kept: Kept, home: Path) -> None:
    text = repr(kept)
    size, needed = kept[1].size, " (an unfinished upload needs it)"
    assert text.splitlines() == [
        f"Kept: 5 files, {40 + size} bytes in {home}; 1 upload unfinished",
        f"  {DONE}: left, replaced, 3 files, 30 bytes, 2026-11-27 10:15 UTC, target unknown",
        f"  {OPEN}: {JOURNAL}, 1 file, {size} bytes, 2026-11-28 09:30 UTC, {kept[1].target}",
        f"  {OPEN}: scores, 1 file, 10 bytes, 2026-11-28 09:30 UTC, {kept[1].target}{needed}",
    ]
    assert DONE in kept._repr_html_()
    frame = kept.to_frame()
    assert frame["session"].tolist() == [DONE, OPEN, OPEN]
    assert frame["bytes"].sum() == kept.size
    assert repr(kept[0]) == f"<{text.splitlines()[1].strip()}>"


def test_megabytes_are_said(home: Path) -> None:
    put(home / "kept" / DONE / "replaced" / "big.nrrd", bytes(3_400_000))
    assert "4 files, 3.4 MB" in repr(nk.kept())


def test_a_long_list_is_cut(home: Path) -> None:
    for number in range(SHOWN):
        put(home / "kept" / f"20250101-000000-{number:06}" / "replaced" / "a.json")
    found = nk.kept()
    assert len(found) == SHOWN + 3
    assert repr(found).splitlines()[-1] == "  ... and 3 more rows; all are in to_frame()"
    assert "... and 3 more" in found._repr_html_()


def test_names_on_disk_are_shown_escaped(home: Path) -> None:
    put(home / "kept" / "a\x1b[31m\u202eb<img src=x>" / "c\nd" / "a.json")
    head = {"plan": "p", "target": "\x1b[31m\u202e<script>", "session": 7}
    put(home / "strange.jsonl", json.dumps(head).encode())
    found = nk.kept()
    for text in (repr(found), found._repr_html_(), *map(repr, found)):
        assert not set("\x1b\u202e") & set(text)
    assert "<img" not in found._repr_html_()
    assert "<script" not in found._repr_html_()
    assert r"a\x1b[31m\u202eb" in repr(found)
    assert "strange.jsonl: " in repr(found)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"no JSON", b"[1]", b'"a"', b'{"session": ["a"]}', b"\xff", b"[" * 9]
)
def test_a_journal_that_is_none_is_listed_all_the_same(content: bytes, home: Path) -> None:
    path = put(home / "strange.jsonl", content)
    (entry,) = [entry for entry in nk.kept() if entry.path == path]
    assert (entry.session, entry.target, entry.what) == ("", "", (JOURNAL,))
    assert entry.when.year > 2000
    with pytest.raises(TargetError, match="not finished needs this"):
        nk.kept().remove("strange.jsonl")
    left = nk.kept().remove("strange.jsonl", unfinished="strange.jsonl")
    assert path not in [entry.path for entry in left]


# Removed by choice


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("by", ["name", "entry", "list"])
def test_what_a_person_chooses_is_removed_and_the_rest_stays(
    by: str, kept: Kept, home: Path
) -> None:
    left = kept.remove({"name": DONE, "entry": kept[0], "list": [kept[0], DONE]}[by])
    assert not (home / "kept" / DONE).exists()
    assert [entry.session for entry in left] == [OPEN, OPEN]
    assert left.size == kept.size - 30
    assert len(kept) == 3


def test_nothing_is_removed_where_nothing_is_chosen(kept: Kept, home: Path) -> None:
    before = files(home)
    assert len(kept.remove([])) == 3
    with pytest.raises(TypeError):
        kept.remove()  # type: ignore[call-arg]
    for none in ("", "nothing", "..", "../..", DONE[:-1], "*"):
        with pytest.raises(TargetError, match="nothing of this run is kept") as caught:
            kept.remove(none)
        assert DONE in str(caught.value.expected)
    with pytest.raises(WrongArgument, match="names nothing that is kept"):
        kept.remove(3)  # type: ignore[arg-type]
    assert files(home) == before


@pytest.mark.parametrize("number", [1, 2])
def test_what_an_unfinished_upload_needs_stays_unless_it_is_given_up_by_name(
    number: int, kept: Kept, home: Path
) -> None:
    before = files(home)
    for which in (OPEN, kept[number], [DONE, kept[number]], kept):
        with pytest.raises(TargetError, match="an upload that is not finished") as caught:
            kept.remove(which)
        assert files(home) == before
    assert "Instance('https://sly.example', dataset_id=3)" in str(caught.value.found)
    with pytest.raises(TargetError, match="not finished"):
        kept.remove(OPEN, unfinished=DONE)
    assert f"remove({OPEN!r}, unfinished={OPEN!r})" in caught.value.remedy
    left = kept.remove(OPEN, unfinished=OPEN)
    assert [entry.session for entry in left] == [DONE]
    assert files(home) == {"A.json", "7.nrrd", "0123456789abcdef.jsonl.lock"}


def test_what_has_changed_since_it_was_listed_is_not_removed(kept: Kept, home: Path) -> None:
    added = put(home / "kept" / DONE / "replaced" / "new.nrrd")
    with pytest.raises(TargetError, match="changed since it was listed") as caught:
        kept.remove(DONE)
    assert caught.value.found == "4 files, 40 bytes"
    assert added.exists()
    nk.kept().remove(DONE)
    with pytest.raises(TargetError, match="changed since it was listed") as caught:
        kept.remove(DONE)
    assert caught.value.found == "nothing"


def test_an_upload_that_began_since_it_was_listed_keeps_what_it_needs(
    kept: Kept, home: Path
) -> None:
    put(home / "other.jsonl", json.dumps({"session": DONE}).encode())
    with pytest.raises(TargetError, match="not finished"):
        kept.remove(DONE)
    assert (home / "kept" / DONE).exists()


def test_a_link_is_removed_and_what_it_points_to_is_not(home: Path, tmp_path: Path) -> None:
    mine = put(tmp_path / "mine" / "work.txt")
    (home / "kept" / "link").symlink_to(mine.parent)
    (home / "kept" / DONE / "replaced" / "inner").symlink_to(mine.parent)
    (home / "link.jsonl").symlink_to(mine)
    found = nk.kept()
    assert {entry.name: entry.files for entry in found}["link"] == 1
    assert found.size < 1000
    found.remove(["link", "link.jsonl", DONE], unfinished=["link.jsonl"])
    assert mine.read_bytes() == b"x" * 10
    assert not os.path.lexists(home / "kept" / "link")
    assert not (home / "kept" / DONE).exists()


def test_a_disk_that_refuses_is_told(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refused)
    with pytest.raises(TargetError, match="Permission denied"):
        kept.remove(DONE)


def test_a_folder_that_cannot_be_listed_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(TargetError, match="cannot be read") as caught:
        nk.kept()
    assert str(home) in str(caught.value)


# Real uploads


def test_what_an_upload_to_a_folder_replaces_is_listed_beside_its_project(tmp_path: Path) -> None:
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    land(source, target)
    receipt = land(source, target, existing="replace")
    assert len(nk.kept()) == 0
    found = nk.kept(tmp_path / "p")
    (entry,) = found
    assert entry.path == receipt.backup
    assert entry.what == ("replaced",)
    assert entry.files == 2
    assert str(tmp_path / "p") in entry.target
    assert f"beside {tmp_path / 'p'}" in repr(found)
    assert len(found.remove(entry)) == 0
    assert nk.verify(receipt, target).ok


def test_what_an_unfinished_upload_to_an_instance_keeps_is_needed_until_it_ends(
    tmp_path: Path, platform: Platform
) -> None:
    target = new_target(platform)
    land(write_volumes(tmp_path / "in", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    folder = write_annotations(tmp_path / "again", ref.id)
    land(folder, target)
    assert len(nk.kept()) == 0
    assert killed(
        lambda: land(folder, target, existing="replace"),
        1,
        method="annotation-objects.bulk.remove",
        heard=True,
    )
    found = nk.kept()
    assert {entry.what for entry in found} == {("replaced",), (JOURNAL,)}
    assert {entry.target for entry in found} == {repr(target)}
    assert all(entry.is_needed for entry in found)
    receipt = land(folder, target, existing="replace")
    (entry,) = nk.kept()
    assert (entry.path, entry.is_needed) == (receipt.backup, False)
    assert entry.files >= 3
    assert len(nk.kept().remove(entry.session)) == 0


def test_what_is_no_path_is_told() -> None:
    with pytest.raises(WrongArgument, match="no path"):
        nk.kept(3)  # type: ignore[arg-type]


def test_a_journal_beside_a_project_is_listed_with_it(tmp_path: Path) -> None:
    head = {"plan": "p", "target": "ProjectFolder('p')", "session": OPEN}
    put(tmp_path / "p.journals" / "a.jsonl", json.dumps(head).encode())
    put(tmp_path / "p.replaced" / OPEN / "d" / "A" / "A.json")
    put(tmp_path / "p.replaced" / OPEN / "scores" / "d" / "A.json")
    journal, replaced = nk.kept(tmp_path / "p")
    assert (journal.what, journal.target) == ((JOURNAL,), "ProjectFolder('p')")
    assert (replaced.what, replaced.is_needed) == (("replaced", "scores"), True)


def test_what_is_no_path_has_nothing_kept_beside_it() -> None:
    with pytest.raises(TargetError, match="this is no path"):
        nk.kept("a\0b")
