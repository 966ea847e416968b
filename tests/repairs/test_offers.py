"""Offers: each, followed to the letter, ends its finding; the safe ones come first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.core.catalog import CATALOG
from nifti_kit.errors import NiftiKitError
from nifti_kit.repairs.offers import Offer
from tests.core.test_codes import CASES

FILLED = {"name": "Femur", "reason": "looked at", "threshold": 0.5}
"""What a person would type where nothing stands."""

LEFT = {
    ("mask-frames", "merge_frames"): "the sample's frames overlap by no class",
}


def filled(offer: Offer) -> dict[str, Any]:
    """Return what a person fills in: what stands there, the first choice, or a text."""
    return {
        option.name: option.default
        if option.default is not None
        else option.choices[0][0]
        if option.choices
        else FILLED[option.name]
        for option in offer.options
        if option.required or option.default is not None
    }


@pytest.mark.parametrize("code", sorted(CASES))
def test_each_offer_ends_its_finding(code: str, tmp_path: Path) -> None:
    CASES[code][0](tmp_path)
    try:
        dataset = nk.scan(tmp_path)
    except NiftiKitError:
        pytest.skip("its case is read with choices of its own")
    found = [one for one in nk.check(dataset) if one.code == code]
    told = []
    for offer in nk.offers(dataset, found[0]) if found else ():
        step = offer.step(**filled(offer))
        try:
            done = nk.Steps().preview(dataset, step)
        except NiftiKitError as error:
            told.append(f"{offer.kind} {offer.title}: refused: {error}")
            continue
        waive = nk.Steps([step]).waive
        after = nk.check(done.dataset, waive=waive)
        still = [f for f in after if (f.code, f.path) == (code, found[0].path) and not f.waived]
        told += [f"{offer.kind} {offer.title}: still there: {one}" for one in still]
        namespace: dict[str, Any] = {"nk": nk, "dataset": dataset}
        exec(step.code, namespace)
        assert repr(namespace["dataset"]) == repr(done.dataset)
    print(code, CATALOG[code].severity, len(found), told)
    assert told == []
