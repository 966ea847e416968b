"""What will land: the plan, the volumes of annotations, the classes of the project. All pure.

``plan`` itself is ``nk.plan``, in ``plans.plan``: no name here is both a function and a module.
"""

from __future__ import annotations

from nifti_kit.plans.matching import match
from nifti_kit.plans.plan import Plan

__all__ = ["Plan", "match"]
