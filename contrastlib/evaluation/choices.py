"""Whether a result depends on the choices that the papers leave open: tables with a column ``choice``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from contrastlib.evaluation import masking_effects, perturbation, statistics

PUBLISHED = "as published"
SETTING = ("network", "kept_sign", "mask_rule")


def masking_advantages(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """Advantage of weighted maps, averaged over both classes, for each choice.

    Args:
        table: A table of :func:`contrastlib.evaluation.masking.relative_probabilities` of one method, with a
            column choice.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each network, choice, kept sign and mask rule, with the columns of
        :func:`contrastlib.evaluation.masking_effects.advantages`.
    """
    keys = ["network", "choice", "kept_sign", "mask_rule"]
    rows = table[table["method"] != "blank"]
    means = (
        rows.groupby([*keys, "contrast", "group", "image"], sort=False)["relative_probability"]
        .mean()
        .reset_index()
    )
    return masking_effects.advantages(means, keys, resamples=resamples)


def perturbation_gains(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """Mean difference of the change of p_t between weighted and original steps, for each choice.

    Args:
        table: A table of :func:`contrastlib.evaluation.perturbation.changes` with a column choice.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each network and choice, with mean, low, high, images and groups.
    """
    gained = perturbation.tidy(table)
    gained = gained[gained["quantity"] == "p_t"]
    return statistics.paired_differences(gained, "change", ["network", "choice"], resamples=resamples)


def beside_published(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Compare each interval with that of the published choice.

    Args:
        rows: A table with choice, mean, low, high and the columns ``by``.
        by: Columns that identify a setting.

    Returns:
        The rows of the other choices, with turned (the interval lies on the other side of 0 than the
        published one), lost (it contains 0, and the published one does not) and moved (absolute difference of
        the means).

    >>> columns = ["network", "choice", "mean", "low", "high"]
    >>> rows = pd.DataFrame([["a", PUBLISHED, 1., .5, 2.], ["a", "other", -1., -2., -.5]], columns=columns)
    >>> beside_published(rows, ["network"])[["turned", "lost", "moved"]].to_numpy().tolist()
    [[True, False, 2.0]]
    """
    rows = rows.assign(side=np.where(rows["low"] > 0, 1, np.where(rows["high"] < 0, -1, 0)))
    published = rows.loc[rows["choice"] == PUBLISHED, [*by, "mean", "side"]]
    pairs = rows[rows["choice"] != PUBLISHED].merge(published, on=list(by), suffixes=("", "_published"))
    return pairs.assign(
        turned=pairs["side"] * pairs["side_published"] < 0,
        lost=(pairs["side"] == 0) & (pairs["side_published"] != 0),
        moved=(pairs["mean"] - pairs["mean_published"]).abs(),
    )


def masking_turned(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """Whether an interval of :func:`masking_advantages` lies on the other side of 0 than the published one.

    Args:
        table: As for :func:`masking_advantages`.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each setting and choice. ``mean`` is 1 if the interval changes sides, and 0 otherwise.
    """
    compared = beside_published(masking_advantages(table, resamples), SETTING)
    return _as_cells(compared)


def perturbation_turned(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """Whether an interval of :func:`perturbation_gains` lies on the other side of 0 than the published one.

    Args:
        table: As for :func:`perturbation_gains`.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each network and choice. ``mean`` is 1 if the interval changes sides, and 0 otherwise.
    """
    compared = beside_published(perturbation_gains(table, resamples), ["network"])
    return _as_cells(compared)


def _as_cells(compared: pd.DataFrame) -> pd.DataFrame:
    """Rows whose mean is whether the interval turned, without the interval, which is of the effect."""
    return compared.assign(mean=compared["turned"].astype(float)).drop(columns=["low", "high"])
