"""For each code about matching and the classes of a project: what fires it, and what is near."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from nifti_kit.core.geometry import Grid
from nifti_kit.formats.class_maps import ClassEntry, ClassMap
from nifti_kit.plans.project import ProjectClasses
from nifti_kit.targets.records import ClassRef, ObjectRef, VolumeRef
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti

Find = Callable[[Path], Findings]


def matched(file: str, *volumes: str) -> Find:
    """Match one annotation file with volumes at its place in space, and plan it."""

    def find(folder: Path) -> Findings:
        write_nifti(folder / file, labels())
        dataset = nk.scan(folder)
        there = [
            VolumeRef(number, format(number, "032x"), f"{name}.nrrd", "d", Grid(SHAPE, AFFINE))
            for number, name in enumerate(volumes, start=1)
        ]
        return nk.plan(dataset, mapping=nk.match(dataset, there)).findings

    return find


def project(name: str, *found: ClassRef) -> Find:
    """Ask a project for the class of value 1, which the class map may have."""

    def find(_: Path) -> Findings:
        entries = (ClassEntry(1, name, None),) if name else ()
        classes = ProjectClasses(found, ClassMap(entries, "color_map.txt"))
        entry = classes.by_value(1)
        classes.landing_name(entry.name if entry else "Segment_1", 1, ())
        return Findings(classes.findings)

    return find


def bone(name: str, shape: str = "mask_3d", value: int = 1) -> ClassRef:
    return ClassRef(name, (1, 2, 3), f"Mask pixel value: {value}", shape)


def scored(target: bool = True, objects: int = 1, **options: Any) -> Find:
    """Plan a score table alone, for a volume with objects of its class on the target."""

    def find(folder: Path) -> Findings:
        (folder / "axl_score.csv").write_text("Layer,Label-1\n1,0.8\n")
        (folder / "mapping.json").write_text('{"axl_score.csv": 7}')
        there = SimpleNamespace(
            classes=lambda: (bone("Bone"),),
            volumes=lambda: (VolumeRef(7, "7", "CT.nrrd", "d", Grid(SHAPE, AFFINE)),),
            objects=lambda _: [
                ObjectRef(n, str(n), n, str(n), "Bone", 7, {}) for n in range(1, objects + 1)
            ],
        )
        return nk.plan(nk.scan(folder, **options), target=there if target else None).findings

    return find


def on_target(mapping: str | None, *names: str, version: str = "", scores: str = "") -> Find:
    """Plan one annotation file for a target with volumes 1, 2, ...; blockers are findings too."""

    def find(folder: Path) -> Findings:
        write_nifti(folder / "axl_mask.nii", labels())
        if mapping:
            (folder / "mapping.json").write_text(mapping)
        if scores:
            (folder / "axl_score.csv").write_text(scores)
        there = SimpleNamespace(
            classes=lambda: (),
            volumes=lambda: tuple(
                VolumeRef(number, str(number), f"{name}.nrrd", "d", Grid(SHAPE, AFFINE))
                for number, name in enumerate(names, start=1)
            ),
            objects=lambda _: [],
            version=version,
        )
        plan = nk.plan(nk.scan(folder), target=there)
        return Findings([*plan.findings, *plan.blockers])

    return find


def planned(values: tuple[int, ...]) -> Find:
    """Plan an annotation file with some values for a volume; blockers are findings too."""

    def find(folder: Path) -> Findings:
        write_nifti(folder / "axl_mask.nii", labels(values=values))
        plan = nk.plan(nk.scan(folder), mapping={"axl_mask.nii": 1})
        return Findings([*plan.findings, *plan.blockers])

    return find


AXL_1, SCORES = '{"axl_mask.nii": 1}', "Layer,Label-1\n1,0.8\n"

CASES: dict[str, tuple[Find, Find]] = {
    "annotation-matched": (
        on_target(None, "axl_anatomic"),
        on_target(None, "knee_axl_anatomic"),
    ),
    "mapping-id-unknown": (on_target('{"axl_mask.nii": 2}', "CT"), on_target(AXL_1, "CT")),
    "plan-empty": (planned(()), planned((1,))),
    "scores-instance-old": (
        on_target(AXL_1, "CT", version="6.13.7", scores=SCORES),
        on_target(AXL_1, "CT", version="6.13.8", scores=SCORES),
    ),
    "annotation-name-differs": (
        matched("anna_axl_mask.nii", "bert_axl_anatomic"),
        matched("anna_axl_mask.nii", "anna_left_axl_anatomic"),
    ),
    "annotation-number-shared": (
        matched("axl_mask_1.nii", "axl_anatomic_1"),
        matched("axl_mask_1.nii", "axl_anatomic"),
    ),
    "class-differs": (project("Femur", bone("Bone")), project("Bone", bone("Bone"))),
    "class-renamed": (
        project("Femur", bone("Femur", "polygon")),
        project("Femur", bone("Femur", "any")),
    ),
    "class-value-repeated": (
        project("", bone("Femur"), bone("Bone")),
        project("", bone("Femur"), bone("Bone", value=2)),
    ),
    "scores-frames-unknown": (scored(), scored(score_frames="ras")),
    "scores-need-target": (scored(target=False), scored()),
    "scores-object-ambiguous": (scored(objects=2), scored(objects=1)),
}
