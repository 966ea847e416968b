"""The command line ``nifti-kit``: each command is one call of the library.

Exit codes: 0 fine; 1 errors, differences, or a refusal because of data; 2 wrong use; 130 stopped
by Ctrl-C.
"""

from __future__ import annotations

from nifti_kit.commands.program import run

__all__ = ["run"]
