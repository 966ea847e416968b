"""The reference page: ``python -m nifti_kit.core.catalog > notebooks/findings.md``."""

from __future__ import annotations

import sys

from nifti_kit.core.catalog.reference import reference

if __name__ == "__main__":
    sys.stdout.write(reference())
