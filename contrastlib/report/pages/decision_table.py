"""What a reader wants to know, and how to ask it, for the directive ``decision-table``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.markdown import markdown_table
from contrastlib.report.pages.claims import EXECUTED, executed_claims
from contrastlib.report.pages.findings import filled
from contrastlib.report.results.provenance import REPOSITORY

FILE = REPOSITORY / "book" / "decisions.yaml"
HEAD = {
    "want": "You want to know",
    "contrast": "contrast",
    "method": "method",
    "layer": "layer",
    "caveat": "what to keep in mind",
}


class DecisionTable(SphinxDirective):
    """The table, whose numbers link to the pages that they come from."""

    def run(self) -> list[nodes.Node]:
        """Parse the table. Called by Sphinx."""
        self.env.note_dependency(str(FILE))
        rows = yaml.safe_load(FILE.read_text(encoding="utf-8"))
        return self.parse_text_to_nodes(
            decision_table(rows, executed_claims(Path(self.env.srcdir) / EXECUTED))
        )


def decision_table(rows: Iterable[Mapping[str, str]], records: Mapping[str, Mapping]) -> str:
    """The table in Markdown.

    Args:
        rows: Texts by the keys of ``HEAD``, with names of numbers as in
            :func:`contrastlib.report.pages.findings.filled`.
        records: As from :func:`~contrastlib.report.pages.claims.executed_claims`.

    Returns:
        The table.
    """
    cells = [[filled(" ".join(row[key].split()), records) for key in HEAD] for row in rows]
    return markdown_table([*HEAD.values()], [[f"**{first}**", *rest] for first, *rest in cells])
