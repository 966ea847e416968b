"""Imports that several threads may ask for at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "nifti_kit"

AT_ONCE = """
import sys, threading
import numpy as np
from nifti_kit.core.geometry import Grid, ras_orientation
from nifti_kit.formats.nifti_output import head_of
sys.setswitchinterval(1e-6)
grid, gate, faults = Grid((2, 2, 2), np.eye(4)), threading.Barrier(8), []
def work(call):
    gate.wait()
    try:
        call()
    except ImportError as error:
        faults.append(error)
calls = [lambda: ras_orientation(grid), lambda: head_of(grid, np.dtype("u1"))] * 4
threads = [threading.Thread(target=work, args=(call,)) for call in calls]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(faults)
"""


def test_nibabel_is_whole_before_anything_is_taken_from_it():
    """Two threads that begin with different modules of it get one that is half made."""
    bare = []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        taken = len(re.findall(r"^ +from nibabel", text, re.MULTILINE))
        after = r"^( +)whole_nibabel\(\)\n(?:\1from nibabel.*\n)+"
        whole = sum(
            found[0].count("from nibabel") for found in re.finditer(after, text, re.MULTILINE)
        )
        bare += [path.name] * (taken - whole)
        assert not re.search(r"^(from|import) nibabel", text, re.MULTILINE)
    assert bare == []


def test_threads_that_need_it_first_all_get_it():
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
