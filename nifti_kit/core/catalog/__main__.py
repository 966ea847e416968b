"""The catalogue as a page to read: ``python -m nifti_kit.core.catalog > notebooks/findings.md``."""

from __future__ import annotations

import re
import sys

from nifti_kit.core.catalog import SECTIONS

_INTRODUCTION = """\
# Findings

What `nk.check(dataset)` can say. An error blocks an upload, a warning is something that a person
should look at, a note is a fact. What is accepted is waived by its code; it stays in the report,
but does not block:

```python
findings = nk.check(dataset, waive="planes-incomplete")
plan = nk.plan(dataset, waive=["planes-incomplete", "mask-empty"])
findings.save("findings.html")
```

This page is written by `python -m nifti_kit.core.catalog > notebooks/findings.md`.
"""


def reference() -> str:
    """Return the catalogue as a Markdown page: every code by topic, with meaning and remedy."""
    parts = [_INTRODUCTION]
    for topic, entries in SECTIONS.items():
        parts.append(f"## {topic}\n")
        for entry in entries:
            meaning, remedy = _plain(entry.meaning), _plain(entry.remedy)
            said = f"**{entry.severity.capitalize()}.** {meaning}\n\n*What to do:* {remedy}\n"
            parts.append(f"### `{entry.code}`\n\n{said}")
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Return a text whose signs Markdown does not read as its own; code in backticks stays.

    Markdown takes no notice of an underscore within a word.
    """
    signs = r"(`[^`]*`)|([\\*\[\]<>|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))"
    return re.sub(signs, lambda at: at[1] or f"\\{at[2]}", text)


if __name__ == "__main__":
    sys.stdout.write(reference())
