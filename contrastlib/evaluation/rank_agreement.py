"""Agreement of a quantity with accuracy in the order of the contrasts, after the sign perturbation.

Wang & Wang 2022, sec. 5.1, state that changes of p_t and of accuracy agree and those of y_t do not. Agreement
is measured by Spearman's rank correlation over the contrasts, for each network, epsilon and number of
iterations, and averaged over the latter two.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from contrastlib.evaluation import statistics
from contrastlib.evaluation.perturbation import QUANTITIES, SETTING, tidy

CORRELATIONS = ("p_t", "y_t", "difference")
MEAN = "mean of the networks"
COLUMNS = [*SETTING, "quantity", "contrast"]
DIGITS = 12
"""Digits of rounded means. Rounding gives means that differ by rounding errors only the same rank."""


def agreement(table: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Rank correlations of the changes of accuracy with those of p_t and y_t, with bootstrap intervals.

    Args:
        table: A table of :func:`contrastlib.evaluation.perturbation.changes`, with network, dataset and
            group. All networks have the same settings.
        resamples: Number of bootstrap samples of the photographs. Networks with the same photographs share
            them.

    Returns:
        One row for each network and :data:`MEAN`, and each of :data:`CORRELATIONS`, with network, correlation
        ("p_t", "y_t" or their "difference"), mean, low and high. Settings in which all contrasts change
        accuracy equally have no correlation and are left out.
    """
    images = ["dataset", "group", "image"]
    wide = tidy(table).pivot(index=images, columns=COLUMNS, values="change").sort_index(axis=1)
    values = _with_mean(_by_network(wide.mean().to_numpy(), wide.columns))
    draws = _with_mean(_by_network(_resampled_means(wide, resamples), wide.columns))
    groups = wide.index.droplevel("image").nunique()
    low, high = statistics.interval(draws.reshape(resamples, -1), groups)
    found = _rows([*_names(wide.columns), MEAN], mean=values.ravel(), low=low, high=high)
    order = [*table["network"].unique(), MEAN]
    return found.set_index("network").loc[order].reset_index()


def closer(table: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Difference of the rank correlations of p_t and y_t with accuracy, from :func:`agreement`.

    Args:
        table: As for :func:`agreement`.
        resamples: Number of bootstrap samples.

    Returns:
        The rows of the difference, for each network without :data:`MEAN`.
    """
    found = agreement(table, resamples)
    return found[(found["correlation"] == "difference") & (found["network"] != MEAN)]


def of_means(means: pd.DataFrame) -> pd.DataFrame:
    """:func:`agreement` of published means, without intervals and without :data:`MEAN`.

    Args:
        means: A table with network, epsilon, iterations, quantity, contrast and change.

    Returns:
        One row for each network and correlation, with mean.

    >>> changes = {"accuracy": (1, 2), "p_t": (1, 2), "y_t": (2, 1)}
    >>> rows = [("n", 0.1, 1, q, c, v) for q, values in changes.items() for c, v in zip("ab", values)]
    >>> of_means(pd.DataFrame(rows, columns=[*COLUMNS, "change"]))["mean"].tolist()
    [1.0, -1.0, 2.0]
    """
    columns = means.set_index(COLUMNS)["change"].sort_index()
    values = _with_mean(_by_network(columns.to_numpy(), columns.index))[:-1]
    return _rows(_names(columns.index), mean=values.ravel())


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation along the last axis. Equal values share the mean of their ranks.

    Args:
        a: Values (..., N).
        b: Values (..., N).

    Returns:
        Correlations (...), NaN if all values of ``a`` or of ``b`` are equal.

    >>> spearman(np.array([[1, 2, 3], [1, 1, 1]]), np.array([[1, 3, 2], [1, 2, 3]]))
    array([0.5, nan])
    """
    a, b = (np.sign(values[..., None] - values[..., None, :]).sum(-1) for values in (a, b))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))


def _names(columns: pd.MultiIndex) -> list[str]:
    return list(columns.get_level_values("network").unique())


def _rows(networks: list[str], **columns: np.ndarray) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([networks, CORRELATIONS], names=["network", "correlation"])
    return pd.DataFrame(columns, index).reset_index()


def _by_network(means: np.ndarray, columns: pd.MultiIndex) -> np.ndarray:
    """Correlations (..., networks, 2) of accuracy with p_t and y_t.

    The means (..., columns) are in sorted order.
    """
    contrasts = columns.get_level_values("contrast").nunique()
    shape = (*means.shape[:-1], len(_names(columns)), -1, len(QUANTITIES), contrasts)
    accuracy, p_t, y_t = np.moveaxis(means.reshape(shape).round(DIGITS), -2, 0)
    return np.stack([_mean(spearman(accuracy, other), -1) for other in (p_t, y_t)], axis=-1)


def _with_mean(correlations: np.ndarray) -> np.ndarray:
    """Append the mean over networks, and the difference of the two correlations: (..., networks + 1, 3)."""
    both = np.concatenate([correlations, _mean(correlations, -2)[..., None, :]], axis=-2)
    return np.concatenate([both, both[..., :1] - both[..., 1:]], axis=-1)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the values that are not NaN. It is NaN if all values are NaN."""
    with np.errstate(invalid="ignore"):
        return np.nansum(values, axis) / np.isfinite(values).sum(axis)


def _resampled_means(wide: pd.DataFrame, resamples: int) -> np.ndarray:
    """Means (resamples, columns) of bootstrap samples, each over the images of a network."""
    groups = wide.index.droplevel("image").factorize()[0]
    sums = statistics.bootstrap(wide.fillna(0).to_numpy(), groups, resamples)
    return sums / statistics.bootstrap(wide.notna().to_numpy(), groups, resamples)
