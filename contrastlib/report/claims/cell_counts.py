"""The rule by which verdicts were given before, which counts cells. One table shows it beside the present."""

from __future__ import annotations

import pandas as pd

from contrastlib.report.claims.verdicts import Criterion


def counted(cells: pd.DataFrame, criterion: Criterion) -> str:
    """Verdict by the number of cells that meet a criterion, with these numbers.

    A cell supports the claim if it meets the criterion. It opposes the claim if its whole interval is on the
    other side of the bound. If values are judged, each cell supports or opposes the claim.

    - "supported": all cells support the claim.
    - "mostly supported" (intervals only): more than half support it, and none opposes it.
    - "undecided" (intervals only): half or fewer support it, and none opposes it.
    - "mixed": some support and some oppose it. For intervals, some oppose it.
    - "refuted": more than half oppose it. For values, all oppose it.

    Args:
        cells: A row for each cell, with ``low`` and ``high`` if intervals are judged, and ``mean`` otherwise.
        criterion: Condition for a cell to support the claim.

    Returns:
        The verdict, and how many cells support and oppose the claim.

    Raises:
        ValueError: There is no cell.

    >>> table = pd.DataFrame({"low": [0.1, -0.3], "high": [0.3, -0.2]})
    >>> counted(table, Criterion(intervals="above"))
    'mixed (1 of 2, 1 against)'
    >>> counted(pd.DataFrame({"mean": [0.95, 0.99]}), Criterion(value="more_than", bound=0.9))
    'supported (2 of 2)'
    """
    if not len(cells):
        raise ValueError("a verdict needs at least one cell, and this table has none")
    if criterion.value:
        support = cells["mean"].map(criterion.holds)
        word = "supported" if support.all() else "mixed" if support.any() else "refuted"
        return f"{word} ({support.sum()} of {len(cells)})"
    above, below = cells["low"] > criterion.bound, cells["high"] < criterion.bound
    support, oppose = (above, below) if criterion.intervals == "above" else (below, above)
    against = f", {oppose.sum()} against" * bool(oppose.any())
    return f"{_word(support.mean(), oppose.mean())} ({support.sum()} of {len(cells)}{against})"


def _word(support: float, oppose: float) -> str:
    if support == 1:
        return "supported"
    if oppose > 0.5:
        return "refuted"
    if oppose > 0:
        return "mixed"
    return "mostly supported" if support > 0.5 else "undecided"
