"""A volume with two livers, and where it lands: what tests of what others do meanwhile share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.instance import Instance
from tests.platform import Platform
from tests.support.landings import write_volumes
from tests.support.uploads import new_target

LIVERS = {"A": {"liver": (1, 2)}}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A volume with two objects of one class."""
    return write_volumes(tmp_path / "in", LIVERS)


@pytest.fixture
def target(platform: Platform) -> Instance:
    return new_target(platform)


@pytest.fixture
def folder(tmp_path: Path) -> ProjectFolder:
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


def problems(proof: Any) -> list[tuple[str, str, str]]:
    """Return what is wrong, or too much, with its class."""
    return [(row.kind, row.name, row.problem) for row in proof.failures]
