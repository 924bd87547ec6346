"""Captions of the figures in notebooks.

``book/captions.yaml`` has them by notebook and cell. In the book each figure is numbered. A notebook in
JupyterLab has its figures without captions, next to the text that introduces them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import yaml

from contrastlib.report.provenance import REPOSITORY

FILE = REPOSITORY / "book" / "captions.yaml"


@lru_cache
def captions(path: Path = FILE) -> dict[str, dict[str, str]]:
    """Notebook -> identifier of a cell -> caption of its figures."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def with_captions(cells: Iterable[dict], own: dict[str, str]) -> Iterator[dict]:
    """Cells of a notebook, those with figures with a caption for MyST-NB.

    Args:
        cells: The cells.
        own: Identifier of a cell -> caption.

    Yields:
        The cells.

    >>> cells = [{"id": "a", "metadata": {"mystnb": {"image": {"alt": "A line."}}}}, {"id": "b"}]
    >>> next(with_captions(cells, {"a": "Growth."}))["metadata"]["mystnb"]
    {'image': {'alt': 'A line.'}, 'figure': {'caption': 'Growth.'}}
    """
    for cell in cells:
        if cell.get("id") not in own:
            yield cell
            continue
        metadata = cell["metadata"]
        figure = {"figure": {"caption": own[cell["id"]].strip()}}
        yield {**cell, "metadata": {**metadata, "mystnb": {**metadata.get("mystnb", {}), **figure}}}
