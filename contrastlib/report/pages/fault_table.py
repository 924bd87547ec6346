"""Tables of the faults that the tests try, for the directive ``fault-table``."""

from __future__ import annotations

from pathlib import Path

import yaml
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.markdown import markdown_table
from contrastlib.report.results.provenance import REPOSITORY

FAULTS = REPOSITORY / "book" / "faults.yaml"


class FaultTable(SphinxDirective):
    """The tables of faults in a page written in Markdown."""

    def run(self) -> list:
        """Parse the tables. Called by Sphinx."""
        self.env.note_dependency(str(FAULTS))
        return self.parse_text_to_nodes(fault_table(), allow_section_headings=True)


def fault_table(path: Path = FAULTS) -> str:
    """Sections in Markdown, one for each group of faults, with a row for each fault.

    Args:
        path: YAML file of the groups. Each has a name, ``group``, and a list, ``faults``. An entry of it has
            the ``fault``, what ``happens``, and the ``test`` that tries it.

    >>> print(fault_table())
    ## Results and shards
    <BLANKLINE>
    | fault | what happens | test |
    | --- | --- | --- |
    | A bit of a result ... | The result is refused, ... | `tests/report/results/test_sealing.py::...` |
    ...
    """
    parts = []
    for each in yaml.safe_load(path.read_text(encoding="utf-8")):
        rows = [[row["fault"], row["happens"], f"`{row['test']}`"] for row in each["faults"]]
        parts.append(f"## {each['group']}\n\n{markdown_table(['fault', 'what happens', 'test'], rows)}\n")
    return "\n".join(parts)
