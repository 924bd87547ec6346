"""Verdicts: the agreement of the cells of a measurement with a claim, in one word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt

import pandas as pd


def _within(values: pd.Series, bound: float) -> pd.Series:
    return values.abs() < bound


COMPARISONS: dict[str, Callable] = {
    "at_least": ge,
    "more_than": gt,
    "at_most": le,
    "less_than": lt,
    "within": _within,
}
IN_WORDS = {
    "at_least": "at least",
    "more_than": "more than",
    "at_most": "at most",
    "less_than": "less than",
    "within": "within ±",
}


@dataclass(frozen=True)
class Criterion:
    """Condition for a cell to support a claim: its interval is on one side of a bound, or its value is.

    Attributes:
        intervals: "above" or "below". None if values are judged.
        value: "at_least", "more_than", "at_most", "less_than", or "within" for an absolute value below the
            bound. None if intervals are judged.
        bound: Bound of the interval or value.

    Raises:
        ValueError: Both or none of ``intervals`` and ``value`` are given, or one of them is unknown.

    >>> Criterion(value="at_least", bound=0.8).sentence()
    'the value is at least 0.8'
    >>> Criterion(value="more_than", bound=0.9999999999).sentence()
    'the value is more than 0.9999999999'
    """

    intervals: str | None = None
    value: str | None = None
    bound: float = 0.0

    def __post_init__(self) -> None:
        if (self.intervals is None) == (self.value is None):
            raise ValueError("a criterion names one of intervals (above, below) and value")
        if self.intervals not in (None, "above", "below") or self.value not in (None, *COMPARISONS):
            raise ValueError(
                f"intervals lie above or below, values are {', '.join(COMPARISONS)}; got "
                f"{self.intervals or self.value!r}"
            )

    def sentence(self) -> str:
        """The criterion for one cell in words."""
        if self.intervals:
            return f"the 95 % interval lies {self.intervals} {_number(self.bound)}"
        return f"the value is {IN_WORDS[self.value]} {_number(self.bound)}"


def _number(bound: float) -> str:
    """Six digits of a bound, or ten if six would be a whole number that it is not."""
    short = f"{bound:g}"
    return f"{bound:.10g}" if float(short).is_integer() and float(short) != bound else short


def verdict(effects: pd.DataFrame, criterion: Criterion) -> tuple[str, int, int]:
    """Verdict on a claim that all cells of a measurement support.

    A cell supports the claim if it meets the criterion. It opposes the claim if its whole interval is on the
    other side of the bound. If values are judged, each cell supports or opposes the claim.

    - "supported": all cells support the claim.
    - "mostly supported" (intervals only): more than half support it, and none opposes it.
    - "undecided" (intervals only): half or fewer support it, and none opposes it.
    - "mixed": some support and some oppose it. For intervals, some oppose it.
    - "refuted": more than half oppose it. For values, all oppose it.

    Args:
        effects: A row for each cell, with ``low`` and ``high`` if intervals are judged, and ``mean``
            otherwise.
        criterion: Condition for a cell to support the claim.

    Returns:
        The verdict, the number of supporting cells, and the number of opposing cells.

    Raises:
        ValueError: There is no cell.

    >>> table = pd.DataFrame({"low": [0.1, -0.1], "high": [0.3, 0.2]})
    >>> verdict(table, Criterion(intervals="above"))
    ('undecided', 1, 0)
    >>> verdict(pd.DataFrame({"mean": [0.95, 0.99]}), Criterion(value="more_than", bound=0.9))
    ('supported', 2, 0)
    >>> verdict(pd.DataFrame({"mean": [-0.02, 0.001]}), Criterion(value="within", bound=0.01))
    ('mixed', 1, 1)
    """
    if not len(effects):
        raise ValueError("a verdict needs at least one cell, and this table has none")
    if criterion.value:
        holds = COMPARISONS[criterion.value](effects["mean"], criterion.bound)
        word = "supported" if holds.all() else "mixed" if holds.any() else "refuted"
        return word, int(holds.sum()), int((~holds).sum())
    above, below = effects["low"] > criterion.bound, effects["high"] < criterion.bound
    support, oppose = (above, below) if criterion.intervals == "above" else (below, above)
    return _word_of_intervals(support.mean(), oppose.mean()), int(support.sum()), int(oppose.sum())


def _word_of_intervals(support: float, oppose: float) -> str:
    if support == 1:
        return "supported"
    if oppose > 0.5:
        return "refuted"
    if oppose > 0:
        return "mixed"
    return "mostly supported" if support > 0.5 else "undecided"
