"""Folded parts of the pages of notebooks: the code, and what a reader may skip.

In the book each cell of code is a bar that opens, but for those that the reader is to try.
``book/folds.yaml`` names what else is folded, such as tables whose result stands in a sentence. In JupyterLab
all is open.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from contrastlib.report.results.provenance import REPOSITORY

FILE = REPOSITORY / "book" / "folds.yaml"
WITHOUT_BAR = {"remove-input", "remove-cell", "hide-input"}
"""Tags of cells whose code needs no bar of its own."""
PARAMETERS = {
    "mystnb": {"code_prompt_show": "Show the parameters", "code_prompt_hide": "Hide the parameters"}
}
TO_TRY = "## Try this"
"""Heading of the section whose code stays open."""
OPENING, CLOSING = '<details class="fold"><summary>{}</summary>', "</details>"
HEADING = re.compile(r"(\(\S+\)=\n)?#")


@lru_cache
def folds(path: Path = FILE) -> dict[str, dict[str, str]]:
    """Notebook -> identifier of a cell, or of the first and last of several -> what the bar says."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def folded(says: str, text: str) -> str:
    r"""A text in Markdown below a bar.

    >>> folded("Details", "Because.")
    '<details class="fold"><summary>Details</summary>\n\nBecause.\n\n</details>'
    """
    return f"{OPENING.format(html.escape(says))}\n\n{text}\n\n{CLOSING}"


def with_folded_code(cells: Iterable[dict]) -> Iterator[dict]:
    """Cells of a notebook, those of code with a tag by which MyST-NB folds it.

    >>> code = {"cell_type": "code", "metadata": {"tags": ["parameters"]}}
    >>> heading = {"cell_type": "markdown", "metadata": {}, "source": "## Try this"}
    >>> [cell["metadata"].get("tags") for cell in with_folded_code([code, heading, code])]
    [['parameters', 'hide-input'], None, ['parameters']]
    """
    to_try = False
    for cell in cells:
        tags, text = cell["metadata"].get("tags", []), "".join(cell.get("source", ""))
        if cell["cell_type"] == "markdown" and text.startswith("## "):
            to_try = text.startswith(TO_TRY)
        if cell["cell_type"] == "code" and not to_try and not WITHOUT_BAR & set(tags):
            prompts = PARAMETERS if "parameters" in tags else {}
            cell = cell | {"metadata": cell["metadata"] | prompts | {"tags": [*tags, "hide-input"]}}
        yield cell


def with_folds(cells: Iterable[dict], own: Mapping[str, str]) -> Iterator[dict]:
    r"""Cells of a notebook, and before and after those that are folded together a cell in HTML.

    The heading of a folded text stays outside.

    Args:
        cells: The cells.
        own: Identifier of a cell, or of the first and the last of several (``first to last``) -> its bar.

    Yields:
        The cells.

    Raises:
        ValueError: No cell has one of the identifiers, or the last stands before the first.

    >>> text = {"id": "text", "cell_type": "markdown", "metadata": {}, "source": "## Why\n\nBecause."}
    >>> table = {"id": "table", "cell_type": "code", "metadata": {}, "source": "table"}
    >>> [cell["source"] for cell in with_folds([text, table], {"text to table": "The reason"})]
    ['## Why', '<details class="fold"><summary>The reason</summary>', 'Because.', 'table', '</details>']
    """
    bars = {tuple((ends.split(" to ") * 2)[:2]): says for ends, says in own.items()}
    opening, last = {first: (end, says) for (first, end), says in bars.items()}, None
    for cell in cells:
        name = cell.get("id")
        if name in opening:
            last, says = opening.pop(name)
            yield from _opened(cell, says)
        else:
            yield cell
        if name is not None and name == last:
            yield _markdown(f"{name}-end", CLOSING)
            last = None
    if opening or last:
        raise ValueError(f"book/folds.yaml: no cell {', '.join(opening) or last} where a fold begins or ends")


def _opened(cell: dict, says: str) -> Iterator[dict]:
    """A cell with the beginning of a fold before it, or below its heading."""
    heading, _, text = "".join(cell["source"]).partition("\n\n")
    if cell["cell_type"] == "markdown" and HEADING.match(heading):
        yield cell | {"source": heading}
        cell = cell | {"id": f"{cell['id']}-text", "source": text}
    yield _markdown(f"{cell['id']}-fold", OPENING.format(html.escape(says)))
    if "".join(cell["source"]):
        yield cell


def _markdown(name: str, text: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}
