"""Table of the contrasts, made from their records, for the directive ``contrast-table``."""

from __future__ import annotations

from sphinx.util.docutils import SphinxDirective

from contrastlib import contrasts
from contrastlib.report.figures.contrast_cells import formula_cell, sum_of_weights
from contrastlib.report.markdown import markdown_table


class ContrastTable(SphinxDirective):
    """The table of contrasts in a page written in Markdown."""

    def run(self) -> list:
        """Parse the table. Called by Sphinx."""
        for each in contrasts.CONTRASTS.values():
            self.env.note_dependency(each.function.__code__.co_filename)
        return self.parse_text_to_nodes(contrast_table())


def contrast_table() -> str:
    """Table in Markdown with a row for each contrast: weights, question, sum of the weights and source.

    >>> print(contrast_table())
    | `contrast=` | weights $w$ | the question | their sum | source |
    ...
    | `"maximum"` | $e_t - e_{s^*}$<br>... | Why $t$ and not $s^*$? | 0 | {cite:t}`wang2022`, sec. 3.3, ... |
    ...
    """
    words = {"target": "$t$", "rival": "$s^*$", "others": "$1 - p_t$", "foils": "$S$"}
    rows = [
        [
            f'`"{each.name}"`',
            formula_cell(each.formula),
            each.question.format(**words),
            sum_of_weights(each),
            f"{{cite:t}}`{each.paper}`, {each.equation}",
        ]
        for each in contrasts.CONTRASTS.values()
    ]
    return markdown_table(["`contrast=`", "weights $w$", "the question", "their sum", "source"], rows)
