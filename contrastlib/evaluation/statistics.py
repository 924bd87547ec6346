"""Confidence intervals of means, by a paired bootstrap over photographs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit


def bootstrap(
    values: np.ndarray, groups: np.ndarray | None = None, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Means of bootstrap samples of groups.

    Whole groups are drawn with replacement, so that crops of one photograph stay together. All columns use
    the same draws, so that paired values stay paired.

    Args:
        values: Values (B,) or (B, S) of S quantities of B images.
        groups: Groups (B,), the units of resampling. If None, each image is a group.
        resamples: Number of bootstrap samples.
        seed: Seed of the draws.

    Returns:
        Means (resamples, S).

    Raises:
        ValueError: There are no values, some are NaN, or the groups have another length.

    >>> bootstrap(np.array([1., 1., 1.]), resamples=5).ravel()
    array([1., 1., 1., 1., 1.])
    """
    values = np.asarray(values, dtype=np.float64)
    if not values.size or np.isnan(values).any():
        raise ValueError("bootstrap needs at least one value and no NaN")
    values = values.reshape(len(values), -1)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values but {len(groups)} groups")
    _, member = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    sums = np.stack([np.bincount(member, weights=column) for column in values.T], axis=1)
    draws = _draws(len(sizes), resamples, seed).astype(np.float64)
    return (draws @ sums) / (draws @ sizes)[:, None]


@lru_cache(maxsize=16)  # the claims of a notebook need up to 8 numbers of groups in turn
def _draws(groups: int, resamples: int, seed: int) -> np.ndarray:
    """Number of times that each group is drawn in each sample, (resamples, groups).

    A bootstrap spends most of its time here. The smallest type of integers that fits is kept.
    """
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), resamples)
    return drawn.astype(np.min_scalar_type(groups))


def interval(samples: np.ndarray, groups: int, level: float = 0.95) -> np.ndarray:
    """Expanded percentile interval of each column of bootstrap samples.

    Percentiles of bootstrap samples of n groups are too close together for small n: the samples vary by
    (n - 1) / n as much as new data, and as a normal distribution where a t-distribution holds. So a tail of
    a = (1 - level) / 2 becomes the tail Phi(sqrt(n / (n - 1)) t_a) with the quantile t_a of the
    t-distribution with n - 1 degrees of freedom. Source: Hesterberg 2015.

    Args:
        samples: Bootstrap samples (resamples, S). Those that are NaN, because a quantity is not defined in
            them, do not count.
        groups: The number n of groups that were resampled.
        level: Level of confidence.

    Returns:
        Lower and upper limits (2, S), NaN for a column without samples.

    >>> interval(np.arange(101.)[:, None], groups=100_000, level=0.9).ravel().round(2)
    array([ 5., 95.])
    >>> interval(np.arange(101.)[:, None], groups=10, level=0.9).ravel().round(1)
    array([ 2.7, 97.3])
    """
    tail = (1 - level) / 2
    if groups > 1:
        tail = float(ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, tail)))
    ends = [100 * tail, 100 * (1 - tail)]
    if not np.isnan(samples).any():
        return np.percentile(samples, ends, axis=0)
    found = np.full((2, samples.shape[1]), np.nan)
    known = ~np.isnan(samples).all(axis=0)
    found[:, known] = np.nanpercentile(samples[:, known], ends, axis=0)
    return found


def means(
    table: pd.DataFrame,
    value: str,
    by: Sequence[str],
    unit: str = "group",
    level: float = 0.95,
    resamples: int = 2000,
    samples: bool = False,
) -> pd.DataFrame:
    """Mean of ``value`` in each setting, with its bootstrap interval.

    Args:
        table: A table with a row for each image and setting.
        value: Name of the column that is averaged.
        by: Columns that identify a setting.
        unit: Column with the unit of resampling.
        level: Level of confidence.
        resamples: Number of bootstrap samples.
        samples: Whether the bootstrap samples are returned too.

    Returns:
        A row for each setting, with mean, low, high, images and groups. With ``samples`` also samples
        (resamples,), and draw, which is the same for settings with the same images: they share their draws,
        so that a function of their samples is paired by image.

    Raises:
        ValueError: A value is NaN.

    >>> t = pd.DataFrame({"image": [0, 1], "group": [0, 1], "n": 1, "v": [2., 2.]})
    >>> means(t, "v", ["n"], resamples=10)[["mean", "low", "high", "images"]].values.tolist()
    [[2.0, 2.0, 2.0, 2.0]]
    """
    by = list(by)
    wide = table.assign(**{value: table[value].astype(float)}).pivot(
        index=[unit, "image"], columns=by, values=value
    )
    _refuse_nan(table[value])
    parts = []
    # settings with the same images share their draws
    for _, columns in wide.T.groupby(wide.notna().T.apply(tuple, axis=1), sort=False):
        part = columns.T.dropna()
        groups = part.index.get_level_values(unit).to_numpy()
        count = len(np.unique(groups))
        drawn = bootstrap(part.to_numpy(), groups, resamples)
        low, high = interval(drawn, count, level)
        summary = {
            "mean": part.mean().to_numpy(),
            "low": low,
            "high": high,
            "images": len(part),
            "groups": count,
        }
        if samples:
            summary |= {"samples": list(drawn.T), "draw": hash(tuple(part.index))}
        parts.append(pd.DataFrame(summary, index=part.columns))
    return table[by].drop_duplicates().merge(pd.concat(parts).reset_index(), on=by)


def each_row(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Rename the column ``value`` to mean, so that each row is a setting without an interval.

    >>> each_row(pd.DataFrame({"network": ["a"], "gap": [0.5]}), "gap").to_dict("records")
    [{'network': 'a', 'mean': 0.5}]
    """
    return table.rename(columns={value: "mean"})


def paired_differences(
    table: pd.DataFrame,
    value: str,
    by: Sequence[str],
    between: str = "contrast",
    first: str = "weighted",
    second: str = "original",
    unit: str = "group",
    level: float = 0.95,
    resamples: int = 2000,
    samples: bool = False,
) -> pd.DataFrame:
    """Mean over images of ``value`` under ``first`` minus that under ``second``, with its interval.

    Args:
        table: A table with a row for each image, setting and value of the column ``between``.
        value: Name of the column that is compared.
        by: Columns that identify a setting.
        between: Column with the two compared values.
        first: The value of ``between`` whose ``value`` is taken.
        second: The value of ``between`` whose ``value`` is subtracted.
        unit: Column with the unit of resampling.
        level: Level of confidence.
        resamples: Number of bootstrap samples.
        samples: As in :func:`means`.

    Returns:
        A row for each setting, with mean (of the difference), low, high, images and groups, and with
        ``samples`` the further columns of :func:`means`.

    Raises:
        ValueError: An image has only one of the two, or a value is NaN.

    >>> t = pd.DataFrame({"contrast": ["weighted", "original"], "v": [3., 1.]}).assign(image=0, group=0, n=1)
    >>> paired_differences(t, "v", ["n"], resamples=10)["mean"].item()
    2.0
    """
    compared = table[table[between].isin([first, second])]
    _refuse_nan(compared[value])
    pairs = compared.pivot(index=list(dict.fromkeys([*by, unit, "image"])), columns=between, values=value)
    if pairs.isna().any(axis=None) or pairs.shape[1] != 2:
        raise ValueError(f"some images have {first!r} but not {second!r} (or the reverse): nothing to pair")
    difference = pairs[first].astype(float) - pairs[second].astype(float)
    table = difference.rename("difference").reset_index()
    return means(table, "difference", by, unit, level, resamples, samples)


def objects_apart(table: pd.DataFrame) -> pd.DataFrame:
    """Number the objects of all images as if each were an image of its own. ``group`` stays.

    >>> objects_apart(pd.DataFrame({"image": [0, 0, 1, 1], "object": [0, 1, 0, 1]}))["image"].tolist()
    [0, 1, 2, 3]
    """
    return table.assign(image=table["image"] * (table["object"].max() + 1) + table["object"])


def distinct_methods(
    table: pd.DataFrame, value: str, by: Sequence[str], tolerance: float = 3e-4
) -> pd.DataFrame:
    """Methods of each network without repetitions, so that equal methods count once.

    If global average pooling follows the layer, several explainers give the same map. A method repeats
    another one if their mean absolute difference is at most ``tolerance`` times the mean absolute value. In
    the recorded results, rounding causes differences of 2e-5 between such methods, and the two closest
    methods that are not equal differ by 3e-3.

    Args:
        table: A table with a row for each network, method and combination of ``by``.
        value: Name of the column that is compared.
        by: Columns that, together with network and method, identify a row.
        tolerance: Tolerance of the relative difference.

    Returns:
        Columns network and method. Among equal methods, the first in alphabetical order remains.

    Raises:
        ValueError: A network, method and combination of ``by`` has several rows.

    >>> t = pd.DataFrame({"method": ["a", "b", "c"], "image": 0, "v": [0.5, 0.500001, 0.6]})
    >>> distinct_methods(t.assign(network="pooled"), "v", ["image"])["method"].tolist()
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


def _refuse_nan(values: pd.Series) -> None:
    """Raise an error if a column has NaN."""
    if values.isna().any():
        raise ValueError(f"{values.name} is NaN in {int(values.isna().sum())} rows: nothing to average there")


def _repeats(values: pd.Series, others: pd.Series, tolerance: float) -> bool:
    """Whether the values of two methods are equal up to the tolerance.

    A row that only one of them has is NaN, so the methods differ.
    """
    return bool((values - others).abs().mean(skipna=False) <= tolerance * others.abs().mean())
