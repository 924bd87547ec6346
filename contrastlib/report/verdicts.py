"""What the cells of a measurement say of a claim, in one word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt

import numpy as np
import pandas as pd

COMPARISONS: dict[str, Callable] = {"at_least": ge, "more_than": gt, "at_most": le, "less_than": lt}
IN_WORDS = {"at_least": "at least", "more_than": "more than", "at_most": "at most", "less_than": "less than"}


@dataclass(frozen=True)
class Criterion:
    """Which cells support a claim: those whose interval lies on one side of a bound, or whose value does.

    Attributes:
        intervals: "above" or "below"; None where values are judged.
        value: "at_least", "more_than", "at_most" or "less_than"; None where intervals are judged.
        bound: what the interval or value is compared with.

    Raises:
        ValueError: both or none of ``intervals`` and ``value``, or an unknown one.

    >>> Criterion(value="at_least", bound=0.8).sentence()
    'the value is at least 0.8'
    """

    intervals: str | None = None
    value: str | None = None
    bound: float = 0.0

    def __post_init__(self):
        if (self.intervals is None) == (self.value is None):
            raise ValueError("a criterion names one of intervals (above, below) and value")
        if self.intervals not in (None, "above", "below") or self.value not in (None, *COMPARISONS):
            raise ValueError(f"intervals lie above or below, values are {', '.join(COMPARISONS)}; got {self.intervals or self.value!r}")

    def sentence(self) -> str:
        """The criterion for one cell, in words."""
        if self.intervals:
            return f"the 95 % interval lies {self.intervals} {self.bound:g}"
        return f"the value is {IN_WORDS[self.value]} {self.bound:g}"


def verdict(effects: pd.DataFrame, criterion: Criterion) -> tuple[str, int, int]:
    """What the cells of a measurement say of the claim that all of them support.

    Args:
        effects: a row for each cell, with ``low`` and ``high`` where intervals are judged, else ``mean``.
        criterion: which cells support the claim.

    Returns:
        A word, how many cells support the claim, and how many oppose it. By intervals: "supported" when all support the
        claim; "mostly supported" when more than half do and none opposes it, with its whole interval on the other side;
        "undecided" when half or fewer do and none opposes it; "mixed" when some oppose it, "refuted" when more than half
        do. By values, where each cell supports or opposes: "supported" when all support, "refuted" when none does, else
        "mixed".

    Raises:
        ValueError: no cell.

    >>> table = pd.DataFrame({"low": [0.1, -0.1], "high": [0.3, 0.2]})
    >>> verdict(table, Criterion(intervals="above"))
    ('undecided', 1, 0)
    >>> verdict(pd.DataFrame({"mean": [0.95, 0.99]}), Criterion(value="more_than", bound=0.9))
    ('supported', 2, 0)
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


def distinct_methods(table: pd.DataFrame, value: str, by: Sequence[str], tolerance: float = 3e-4) -> pd.DataFrame:
    """The methods of each network that measure something of their own, for counts in which none counts twice.

    Where global average pooling follows the layer, several explainers give one and the same map. A method
    repeats another if their mean absolute difference is at most ``tolerance`` times the mean absolute value.
    Rounding, and single pixels that change sign with it, leave 2e-5 between such methods in the recorded
    results; the two closest methods that are not the same differ by 3e-3.

    Args:
        table: a row for each network, method and combination of ``by``.
        by: columns that, beside network and method, tell the rows apart.

    Returns:
        Columns network and method; of methods that repeat each other the first in the alphabet. Merged with a
        table of differences, it leaves those to count.

    Raises:
        ValueError: several rows for the same network, method and combination of ``by``.

    >>> t = pd.DataFrame({"network": "pooled", "method": ["a", "b", "c"], "image": 0, "v": [0.5, 0.500001, 0.6]})
    >>> distinct_methods(t, "v", ["image"])["method"].tolist()
    ['a', 'c']
    """
    wide = table.set_index(["network", *by, "method"])[value].astype(float).unstack("method")
    rows = []
    for network, part in wide.groupby("network"):
        own = []
        for method in part.columns[part.notna().any()]:
            if not any(_repeats(part[method], part[other], tolerance) for other in own):
                own.append(method)
        rows += [{"network": network, "method": method} for method in own]
    return pd.DataFrame(rows)


def _repeats(values: pd.Series, others: pd.Series, tolerance: float) -> bool:
    """NaN, a row that only one of the two has, makes them differ."""
    return bool((values - others).abs().mean(skipna=False) <= tolerance * others.abs().mean())
