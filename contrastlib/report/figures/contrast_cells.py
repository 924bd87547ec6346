"""Formula of a contrast, and the sum of its weights, for the cells of tables in Markdown."""

from __future__ import annotations

import re

from contrastlib.contrasts import Contrast


def formula_cell(formula: str) -> str:
    """A formula for a cell of a table in Markdown, with what follows a comma and a space on its own line.

    >>> formula_cell("a b, c")
    '$a b, c$'
    """
    bare = formula.replace("|", r"\vert ")  # a bar would end the cell
    return "<br>".join(f"${part}$" for part in re.split(r", \\; *", bare))


def sum_of_weights(contrast: Contrast) -> str:
    """The sum of the weights of an image, in Markdown.

    >>> from contrastlib.contrasts import CONTRASTS
    >>> sum_of_weights(CONTRASTS["mean"]), sum_of_weights(CONTRASTS["rfxg"])
    ('0', '$1 - K$')
    """
    if not contrast.total:
        return "0" if contrast.sums_to_zero else "not 0"
    return f"${contrast.total}$" + (", 0 by default" if contrast.sums_to_zero else "")
