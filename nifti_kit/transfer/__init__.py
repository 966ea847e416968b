"""Lands a plan on a target, remembers it, proves it: nothing twice, nothing missing.

``upload`` itself is ``nk.upload``, in ``transfer.upload``: no name here is both a function and a
module.
"""

from __future__ import annotations

from nifti_kit.transfer.journal import Journal
from nifti_kit.transfer.proof import Proof
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.verification import verify
from nifti_kit.transfer.workers import Progress

__all__ = ["Journal", "Progress", "Proof", "Receipt", "verify"]
