"""Generated sets: words, cases, planes, roles, separators and folders, in any mix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from nifti_kit.datasets.layouts import Grouping, detect_layout, group_files
from nifti_kit.datasets.names import natural_key, parse_name
from tests.support.layout_files import files, places
from tests.support.properties import untimed

PLANES = ("axl", "cor", "sag")
ROLES = ("inference", "mask", "ann", "segmentation", "Label")
WORDS = (
    *("knee", "left", "t2", "tse", "fs", "nnunet", "v2", "v2.1", "patient7", "S01", "20240131"),
    *("1.2.840.113619.2.7", "Sub", "isotropic", "mprage", "1.3.12.2.1107", "v3", "20230228"),
)
CASES = ("", "caseA", "caseB", "patient_7", "sub-01_ses-2")
FOLDERS = ("", "item_1", "item_2", "deep/er/item_1", "knee/of/7")
SEPARATORS = ("_", "-", ".", " ", "__")


@dataclass(frozen=True)
class Named:
    """A file's name in parts; ``words`` stand before the plane, between it and the role, behind."""

    folder: str
    case: str
    plane: str
    role: str
    words: tuple[str, ...] = ("", "", "")
    number: str = ""
    separator: str = "_"
    upper: bool = False
    ending: str = ".nii"

    @property
    def path(self) -> str:
        before, between, behind = self.words
        parts = (self.case, before, self.plane, between, self.role, behind, self.number)
        name = self.separator.join(part for part in parts if part)
        return str(PurePosixPath(self.folder, (name.upper() if self.upper else name) + self.ending))


WORD = st.sampled_from(("", "", *WORDS))
VOLUME = st.builds(
    Named,
    st.sampled_from(FOLDERS),
    st.sampled_from(CASES),
    st.sampled_from(PLANES),
    st.sampled_from(("anatomic", "anatomical")),
    st.tuples(WORD, WORD, WORD),
    st.sampled_from(("", "", "1", "2")),
    st.sampled_from(SEPARATORS),
    st.booleans(),
    st.sampled_from((".nii", ".nii.gz")),
)
ANNOTATION = st.builds(
    Named,
    st.sampled_from(FOLDERS),
    st.sampled_from(CASES),
    st.sampled_from(PLANES),
    st.sampled_from((*ROLES, "gt", "prediction")),
    st.tuples(WORD, WORD, WORD),
    st.sampled_from(("", "", "1", "2", "1_2")),
    st.sampled_from(SEPARATORS),
    st.booleans(),
    st.sampled_from((".nii", ".nii", ".nii.gz", ".csv")),
).map(lambda one: replace(one, role="score") if one.ending == ".csv" else one)
BY_VOLUME = st.sampled_from(
    ("CT.nii", "CT/lung.nii", "b/MR.nii.gz", "b/MR/liver.nii", "b/MR/cor.nii")
)


def read(names: list[str], words: tuple[str, ...] = ()) -> Grouping:
    """Group files as scan does where no layout is chosen."""
    ordered = sorted(set(names), key=natural_key)
    images = [PurePosixPath(name) for name in ordered if not name.endswith((".csv", ".CSV"))]
    given_files = replace(files(*ordered, words=words), by_folder=True)
    return group_files(detect_layout(images, words), given_files)


@settings(untimed, max_examples=200)
@given(
    volumes=st.lists(VOLUME, min_size=1, max_size=8),
    annotations=st.lists(ANNOTATION, max_size=8),
    others=st.lists(BY_VOLUME, max_size=4),
    words=st.sampled_from(((), ("gt",), ("gt", "prediction"))),
)
def test_every_mask_lands_on_a_volume_of_its_own_folder_and_plane_or_is_named(
    volumes: list[Named], annotations: list[Named], others: list[str], words: tuple[str, ...]
) -> None:
    names = [*(one.path for one in (*volumes, *annotations)), *others]
    grouping = read(names, words)
    assert places(grouping) == sorted(set(names))
    named = {found.path for found in grouping.findings}
    for path, reason in grouping.unused.items():
        assert reason or str(path) in named
    of_planes = {one.path for one in annotations}
    for item in grouping.items:
        assert item.volume is not None
        assert str(item.volume.relative) not in of_planes  # no mask lands as a volume
        for file in (*item.masks, *item.tables):
            if str(file.relative) in of_planes:
                assert file.relative.parent == item.volume.relative.parent
                assert parse_name(file.relative.name, words).plane == item.plane
            else:
                assert item.plane is None
    errors = {found.path for found in grouping.findings if found.severity == "error"}
    lost = [path for path in grouping.unused if path.suffix != ".csv"]
    assert errors >= {str(path) for path in lost}  # no image is passed over under a warning


Shape = list[tuple[str, str, str | None, list[int | None]]]


def shape_of(grouping: Grouping) -> Shape:
    """Return what lands but for names: folder, plane, kind, indices of the masks."""
    return sorted(
        (item.folder, item.plane or "", item.segmentation, [mask.index for mask in item.masks])
        for item in grouping.items
    )


@st.composite
def sets(draw: st.DrawFn) -> list[Named]:
    """Return unambiguous sets in several folders: one volume per plane, masks, a table."""
    found = []
    for folder in draw(st.lists(st.sampled_from(FOLDERS), min_size=1, max_size=3, unique=True)):
        kind = draw(st.sampled_from(("semantic", "instance")))
        for plane in PLANES:
            found.append(Named(folder, "", plane, "anatomic"))
            if kind == "semantic":
                found += [Named(folder, "", plane, "mask")] * draw(st.integers(0, 1))
            else:
                indices = draw(st.lists(st.integers(1, 4), unique=True, max_size=3))
                found += [Named(folder, "", plane, "mask", number=str(n)) for n in indices]
    return found


@settings(untimed, max_examples=150)
@given(data=st.data(), one=sets())
def test_adding_words_to_the_names_of_unambiguous_sets_changes_nothing_but_names(
    data: st.DataObject, one: list[Named]
) -> None:
    before = read([file.path for file in one])
    named = []
    for file in one:
        # A word of another folder's volume is another case's: each folder has its own words.
        own = WORDS[FOLDERS.index(file.folder) :: len(FOLDERS)]
        separator = data.draw(st.sampled_from(SEPARATORS))
        plain = [word for word in own if separator != "." or "." not in word]
        words = data.draw(st.tuples(*[st.sampled_from(("", *plain))] * 3))
        named.append(
            replace(file, words=words, separator=separator, upper=data.draw(st.booleans()))
        )
    after = read([file.path for file in named])
    assert shape_of(after) == shape_of(before)
    assert {found.code for found in after.findings} <= {"words-differ", "name-prefixed", *(
        found.code for found in before.findings
    )}  # fmt: skip
