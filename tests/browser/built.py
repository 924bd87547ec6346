"""The built book on the disk."""

import json
from pathlib import Path

from contrastlib import assets

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def pages() -> list[str]:
    """Addresses of all pages of the built book, relative to its root; index.html only leads to the first.

    Pages that ``run --page`` wrote beside them are not part of the book.
    """
    found = {page.relative_to(HTML).as_posix() for page in HTML.rglob("*.html")} - {"index.html"}
    return sorted(
        page
        for page in found
        if not page.startswith(("_static/", "_sources/")) and not page.endswith(".own.html")
    )


def differs_with_data(address: str) -> bool:
    """Whether the notebook of this page looked for files of $CONTRASTLIB_DATA that not everybody has."""
    stamp = ROOT / Path(address).with_suffix(".json")
    if not address.startswith("book/executed/") or not stamp.exists():
        return False
    inputs = json.loads(stamp.read_text())["inputs"]
    return any(
        f"file $CONTRASTLIB_DATA/{name}" in inputs
        for name, file in assets.files().items()
        if not file.package
    )
