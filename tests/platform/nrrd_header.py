"""The header of an NRRD file as the platform shows it in a volume's file meta."""

from __future__ import annotations

import json
from typing import Any

from tests.platform.refusals import wrong


def read(content: bytes) -> dict[str, Any]:
    """Return the fields of an NRRD header: numbers and vectors (mm) as lists, the rest as text."""
    head, found, _ = content.partition(b"\n\n")
    if not content.startswith(b"NRRD") or not found:
        raise wrong("the file of a volume is no NRRD file")
    fields: dict[str, Any] = {}
    for line in head.decode("ascii", "replace").splitlines()[1:]:
        key, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            fields[key] = parsed(key, value.strip())
    return fields


def parsed(key: str, value: str) -> Any:
    """Return the value of a field."""
    if key in ("dimension", "space dimension"):
        return int(value)
    if key == "sizes":
        return [int(one) for one in value.split()]
    if key in ("space directions", "space origin"):
        vectors = [json.loads(f"[{one.strip('()')}]") for one in value.split(") (") if one]
        return vectors if key == "space directions" else vectors[0]
    return value
