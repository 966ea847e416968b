"""Programs that are measured, each in a process of its own: time, peak memory, requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.platform import Platform

# ru_maxrss of a child begins at its parent's: VmHWM is that of the process itself.
PEAK = """
import json, os, sys, time
def told(start, **more):
    seconds = time.perf_counter() - start
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, **more}))
"""

OURS_TO_INSTANCE = (
    PEAK
    + """
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
import nifti_kit as nk
nk.Instance, nk.plan, nk.scan, nk.upload  # loaded now: the time of imports does not count
source, dataset_id, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
api = SimpleNamespace(server_address=os.environ["SERVER_ADDRESS"], token=os.environ["API_TOKEN"])
start = time.perf_counter()
plan = nk.plan(nk.scan(source), waive="planes-incomplete")
planned = time.perf_counter() - start
target = nk.Instance(api, dataset_id)
pool = ThreadPoolExecutor(workers) if workers else None
nk.upload(plan, target, on_progress=lambda _: None, executor=pool)
told(start, planned=planned)
"""
)

# The SDK's importer as its application runs it.
THEIRS_TO_INSTANCE = (
    PEAK
    + """
import supervisely as sly
from supervisely.convert.converter import ImportManager
source, dataset_id = sys.argv[1], int(sys.argv[2])
start = time.perf_counter()
ImportManager(source, sly.ProjectType.VOLUMES).upload_dataset(dataset_id)
told(start)
"""
)

OURS_TO_FOLDER = (
    PEAK
    + """
import nifti_kit as nk
nk.ProjectFolder, nk.plan, nk.scan, nk.upload
source, out = sys.argv[1:3]
start = time.perf_counter()
plan = nk.plan(nk.scan(source), waive="planes-incomplete")
planned = time.perf_counter() - start
nk.upload(plan, nk.ProjectFolder(out, dataset="ct"), on_progress=lambda _: None)
told(start, planned=planned)
"""
)

# What any tool must do: unpack what is there, pack the same bytes, write them.
FLOOR = (
    PEAK
    + """
from pathlib import Path
from isal import igzip
source, out = map(Path, sys.argv[1:3])
out.mkdir()
start = time.perf_counter()
for path in sorted(source.rglob("*.nii.gz")):
    content = igzip.decompress(path.read_bytes())
    (out / path.name).write_bytes(igzip.compress(content, 1))
told(start)
"""
)


def run(code: str, *arguments: object, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a program; return what it tells: ``seconds``, ``peak_mb`` and more."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def run_against(platform: Platform, scratch: Path, code: str, *arguments: object) -> dict[str, Any]:
    """Run a program that uploads; add how many requests it made, and how much it sent."""
    for folder in ("data", "state"):
        (scratch / folder).mkdir(parents=True, exist_ok=True)
    env = {
        "SERVER_ADDRESS": platform.address,
        "API_TOKEN": platform.token,
        "SLY_APP_DATA_DIR": str(scratch / "data"),
        "TEAM_ID": str(platform.state.team["id"]),
        "XDG_STATE_HOME": str(scratch / "state"),
        "HOME": str(scratch),
    }
    before = len(platform.requests)
    told = run(code, *arguments, env=env)
    requests = platform.requests[before:]
    kinds = Counter(one.method for one in requests)
    sent_mb = sum(one.size for one in requests) / 2**20
    return {**told, "requests": len(requests), "sent_mb": sent_mb, "methods": kinds}
