"""What tables of intervals, and cases, say of a claim, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def verdict(differences: pd.DataFrame) -> str:
    """What intervals of differences say of the claim that all of them are positive.

    Returns:
        "supported" when every interval lies above 0, "mostly supported" when none lies below 0 and more than
        half lie above, "undecided" when none lies below and half or fewer above; "refuted" when more than half
        lie below, "mixed" when some do.

    Raises:
        ValueError: no interval.

    >>> verdict(pd.DataFrame({"low": [0.1, -0.1], "high": [0.3, 0.2]}))
    'undecided'
    >>> verdict(pd.DataFrame({"low": [0.1, 0.2], "high": [0.3, 0.4]}))
    'supported'
    """
    if not len(differences):
        raise ValueError("a verdict needs at least one interval, and this table has none")
    above, below = (differences["low"] > 0).mean(), (differences["high"] < 0).mean()
    if above == 1:
        return "supported"
    if below > 0.5:
        return "refuted"
    if below > 0:
        return "mixed"
    return "mostly supported" if above > 0.5 else "undecided"


def counted_verdict(differences: pd.DataFrame) -> str:
    """:func:`verdict`, and how many of the intervals lie above 0, and below.

    Raises:
        ValueError: no interval.

    >>> counted_verdict(pd.DataFrame({"low": [0.1, 0.2, -0.2], "high": [0.3, 0.4, -0.1]}))
    'mixed (2 of 3, 1 against)'
    >>> counted_verdict(pd.DataFrame({"low": [0.1, 0.2], "high": [0.3, 0.4]}))
    'supported (2 of 2)'
    """
    above, below = int((differences["low"] > 0).sum()), int((differences["high"] < 0).sum())
    against = f", {below} against" if below else ""
    return f"{verdict(differences)} ({above} of {len(differences)}{against})"


def verdict_of_cases(holds: Sequence[bool]) -> str:
    """What cases say of a claim about all of them: "supported" when it holds in each, "mixed" in some, "refuted" in none.

    Raises:
        ValueError: no case.

    >>> verdict_of_cases([True, False]), verdict_of_cases(pd.Series([0.95, 0.99]) > 0.9)
    ('mixed', 'supported')
    """
    holds = np.asarray(holds, dtype=bool)
    if not holds.size:
        raise ValueError("a verdict needs at least one case")
    return "supported" if holds.all() else "mixed" if holds.any() else "refuted"


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
