"""Values of notebooks on other pages of the book.

A notebook says them in a sentence (:class:`contrastlib.report.notebooks.said.Said`), whose output has them in
its metadata.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from contrastlib.report.notebooks.said import values_in
from contrastlib.report.pages.claims import EXECUTED


def shown(folder: Path, text: str) -> str:
    """A value as text.

    Args:
        folder: Folder of the executed notebooks.
        text: Notebook, name and format, such as "03_maps cat_p_1 .0%".

    Returns:
        The formatted value.

    Raises:
        ValueError: The notebook has no value of that name.
    """
    page, name, form = text.split()
    values = values_in(json.loads((folder / f"{page}.ipynb").read_text(encoding="utf-8")))
    if name not in values:
        known = ", ".join(values) or "none"
        raise ValueError(f"{page} has no value {name!r} for other pages, but {known}: run `make book`")
    return format(values[name], form)


class ValueRole(SphinxRole):
    """A value of a notebook: see :func:`shown` for the text of the role."""

    def run(self) -> tuple[list[nodes.Node], list]:
        """Create the text. Called by Sphinx."""
        return [nodes.Text(shown(Path(self.env.srcdir) / EXECUTED, self.text))], []
