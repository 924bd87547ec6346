"""Captions of the figures in notebooks.

``book/captions.yaml`` has them by notebook and cell. In the book each figure is numbered. A notebook in
JupyterLab has its figures without captions, next to the text that introduces them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import yaml

from contrastlib.report.provenance import REPOSITORY

WITHOUT_CODE = {"tags": ["remove-input"]}
"""Metadata of a cell of which the book shows the outputs only."""
FILE = REPOSITORY / "book" / "captions.yaml"


@lru_cache
def captions(path: Path = FILE) -> dict[str, dict[str, str]]:
    """Notebook -> identifier of a cell -> caption of its figures."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def with_captions(cells: Iterable[dict], own: dict[str, str]) -> Iterator[dict]:
    """Cells of an executed notebook, those with figures with a caption for MyST-NB.

    MyST-NB captions every output of a cell. What a cell shows beside its figures, such as who took a
    photograph, therefore moves to a cell without code.

    Args:
        cells: The cells.
        own: Identifier of a cell -> caption.

    Yields:
        The cells.

    >>> figure, credit = {"data": {"image/png": ""}}, {"data": {"text/html": "By Ann."}}
    >>> cell = {"id": "a", "metadata": {"mystnb": {"image": {"alt": "A line."}}}, "outputs": [figure, credit]}
    >>> first, second = with_captions([cell], {"a": "Growth."})
    >>> first["metadata"]["mystnb"], first["outputs"] == [figure]
    ({'image': {'alt': 'A line.'}, 'figure': {'caption': 'Growth.'}}, True)
    >>> second["metadata"], second["outputs"] == [credit]
    ({'tags': ['remove-input']}, True)
    """
    for cell in cells:
        if cell.get("id") in own:
            yield from _captioned(cell, own[cell["id"]].strip())
        else:
            yield cell


def _captioned(cell: dict, caption: str) -> Iterator[dict]:
    """A cell in parts, by whether its outputs are images, which get it. The first part has the code."""
    for n, (images, outputs) in enumerate(groupby(cell["outputs"], _is_image)):
        part = cell if n == 0 else cell | {"id": f"{cell['id']}-{n}", "source": "", "metadata": WITHOUT_CODE}
        metadata = part["metadata"]
        if images:
            figure = {"figure": {"caption": caption}}
            metadata = metadata | {"mystnb": metadata.get("mystnb", {}) | figure}
        yield part | {"outputs": list(outputs), "metadata": metadata}
    if not cell["outputs"]:
        yield cell


def _is_image(output: dict) -> bool:
    """Whether an output of a cell is an image."""
    return any(form.startswith("image/") for form in output.get("data", {}))
