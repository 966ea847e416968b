"""Sources of histories: small ones that are mended, and get new cases, as time goes by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nrrd import volume_pieces
from nifti_kit.targets.encoding import MaskFiles, by_source
from tests.support.builders import AFFINE, labels, volume, write_nifti
from tests.support.uploads import digest

KINDS = ("volumes", "annotations")
"""What a source has: volumes with masks, or masks for volumes that are there."""

SHAPE = (4, 5, 6)


class Source:
    """The folder that is uploaded: one case, or two; each version of a mask has other voxels."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.volume_ids: dict[int, int] = {}
        """For annotations: the volume of each case on the target."""
        self.cases = 1
        self.version = 0
        self.values = (1, 2)
        self.write()

    @staticmethod
    def affine(case: int) -> Any:
        """Return where the voxels of a case are (mm)."""
        found = np.array(AFFINE)
        found[0, 3] += case
        return found

    def write(self) -> None:
        """Write what it has now."""
        for case in range(self.cases):
            mask = np.roll(labels(SHAPE, self.values if case == 0 else (1,)), self.turns(case), 2)
            if self.kind == "annotations":
                write_nifti(self.folder / self.mask_name(case), mask, self.affine(case))
            else:
                self.write_volume(self.folder, case)
                write_nifti(self.folder / "AB"[case] / "liver.nii.gz", mask, self.affine(case))
        if self.kind == "annotations":
            names = {self.mask_name(case): number for case, number in self.volume_ids.items()}
            mapping = {name: names[name] for name in sorted(names)[: self.cases]}
            (self.folder / "mapping.json").write_text(json.dumps(mapping))

    def turns(self, case: int) -> int:
        return self.version if case == 0 else 0

    @staticmethod
    def mask_name(case: int) -> str:
        return f"axl_inference_{case + 1}.nii.gz"

    @staticmethod
    def volume_name(case: int) -> str:
        return f"{'AB'[case]}.nrrd"

    def item_name(self, case: int) -> str:
        """Return what a journal calls a case."""
        by_volume = self.kind == "volumes"
        return self.volume_name(case) if by_volume else f"volume {self.volume_ids.get(case)}"

    def write_volume(self, folder: Path, case: int) -> None:
        write_nifti(folder / f"{'AB'[case]}.nii.gz", volume(SHAPE) + case, self.affine(case))

    def plan(self) -> Any:
        return nk.plan(nk.scan(self.folder), waive="planes-incomplete")

    def planned(self) -> list[list[Any]]:
        """Return class, geometry and scores of each object, as they are to land."""
        found = []
        for group in by_source(list(enumerate(self.plan().objects))):
            objects = [planned for _, planned in group]
            files = MaskFiles(objects)
            found += [
                [planned.class_name, [digest(files.file_of(planned))], [planned.scores]]
                for planned in objects
            ]
        return found


_masks: list[bytes] = []


def masks_of_persons() -> list[bytes]:
    """Return geometries that a person draws: none of them is one of the source's."""
    if not _masks:
        for number in range(12):
            array = np.zeros(SHAPE, dtype=np.uint8)
            array[3, :, :].flat[: number + 1] = 1
            pages = [array[:, :, k] for k in range(SHAPE[2])]
            pieces = volume_pieces(Grid(SHAPE, AFFINE), array.dtype, pages)
            _masks.append(b"".join(pieces))
    return _masks
