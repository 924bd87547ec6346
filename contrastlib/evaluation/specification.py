"""Specification curve: an effect under every combination of choices, and how much each choice moves it.

Source: Simonsohn, Simmons & Nelson 2020, Specification curve analysis, Nature Human Behaviour 4. They draw
all effects in order, and below them the choices of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

REST = "combinations"
"""Name of the share of variance that no choice explains alone."""


def specifications(
    table: pd.DataFrame,
    effects: Callable[[pd.DataFrame], pd.DataFrame],
    thresholds: Sequence[float],
    column: str = "p_2",
) -> pd.DataFrame:
    """Effects at several thresholds of a column, besides the choices that the table has.

    Args:
        table: A table with a row for each image and combination of choices.
        effects: Function that computes a row for each combination, with mean, low and high.
        thresholds: Rows above a threshold count.
        column: Column that is compared with the threshold.

    Returns:
        The rows of all thresholds with the column threshold. A threshold without rows is left out.

    >>> table = pd.DataFrame({"p_2": [0.1, 0.3], "v": [1.0, 3.0]})
    >>> mean = lambda rows: pd.DataFrame({"mean": [rows["v"].mean()]})
    >>> specifications(table, mean, [0.0, 0.2, 0.5]).to_numpy().tolist()
    [[2.0, 0.0], [3.0, 0.2]]
    """
    parts = {threshold: table[table[column] > threshold] for threshold in thresholds}
    found = [effects(rows).assign(threshold=threshold) for threshold, rows in parts.items() if len(rows)]
    return pd.concat(found, ignore_index=True)


def curve(cells: pd.DataFrame, choices: Sequence[str]) -> pd.DataFrame:
    """The cells in the order of their means.

    Args:
        cells: A row for each combination of choices, with mean.
        choices: Columns of the choices.

    Returns:
        The cells from the smallest to the largest mean, indexed by their rank.

    Raises:
        ValueError: There is no cell, a choice is no column, or two cells made the same choices.

    >>> curve(pd.DataFrame({"layer": ["a", "b"], "mean": [0.5, 0.25]}), ["layer"])["layer"].tolist()
    ['b', 'a']
    """
    missing = [choice for choice in choices if choice not in cells]
    if missing or not len(cells):
        raise ValueError(f"no column {', '.join(missing)}" if missing else "a curve needs at least one cell")
    if cells.duplicated(list(choices)).any():
        raise ValueError(f"some cells have the same {', '.join(choices)}: name the choice that differs")
    return cells.sort_values("mean", kind="stable").reset_index(drop=True)


def variance_shares(cells: pd.DataFrame, choices: Sequence[str]) -> pd.Series:
    r"""Share of the variance of the means that each choice explains.

    It is :math:`\sum_k n_k (m_k - m)^2 / \sum_i (x_i - m)^2` over the options k of a choice, where m_k is the
    mean of the n_k cells with that option and m that of all cells x_i. If every option occurs with all others
    equally often, the shares add up, and :data:`REST` is what only combinations of choices explain.
    Otherwise shares overlap, and :data:`REST` is what the sum of all choices leaves.

    Args:
        cells: As for :func:`curve`.
        choices: Columns of the choices.

    Returns:
        Choice -> share, from the largest to the smallest, then :data:`REST`. All are 0 if means are equal.

    >>> cells = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "mean": [0.0, 1.0, 2.0, 3.0]})
    >>> variance_shares(cells, ["b", "a"]).round(2).to_dict()
    {'a': 0.8, 'b': 0.2, 'combinations': 0.0}
    """
    means = cells["mean"] - cells["mean"].mean()
    total = (means**2).sum()
    if total == 0:
        return pd.Series(0.0, index=[*choices, REST])
    alone = {
        choice: (means.groupby(cells[choice]).transform("mean") ** 2).sum() / total for choice in choices
    }
    options = pd.get_dummies(cells[list(choices)].astype(str), dtype=float).to_numpy()
    fitted = options @ np.linalg.lstsq(options, means.to_numpy(), rcond=None)[0]
    rest = ((means - fitted) ** 2).sum() / total
    ordered = pd.Series(alone).sort_values(ascending=False, kind="stable")
    return pd.concat([ordered, pd.Series({REST: rest})])
