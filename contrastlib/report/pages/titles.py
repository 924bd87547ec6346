"""Titles of the pages that have claims."""

from __future__ import annotations

import json
import re
from pathlib import Path

from contrastlib.report.results.provenance import REPOSITORY


def titles(root: Path = REPOSITORY) -> dict[str, str]:
    """Notebook with claims -> its title, from the first heading, in order of the names.

    >>> titles()["04_masking"]
    'Blurring and masking'
    """
    found = {}
    for path in sorted((root / "book" / "claims").glob("*.yaml")):
        notebook = json.loads((root / "notebooks" / f"{path.stem}.ipynb").read_text(encoding="utf-8"))
        text = "".join(notebook["cells"][0]["source"])
        found[path.stem] = re.search(r"^# (.+)$", text, re.MULTILINE)[1]
    return found
