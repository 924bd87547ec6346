"""Whether a result survives the choices that the papers leave open: tables with a column ``choice``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from contrastlib.evaluation import masking, perturbation, statistics

PUBLISHED = "as published"
SETTING = ("network", "kept_sign", "mask_rule")


def masking_advantages(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """The advantage of weighted maps, mean over both classes, for each choice.

    Args:
        table: from :func:`contrastlib.evaluation.masking.relative_probabilities` with a column choice, of one method.
        resamples: of the bootstrap.

    Returns:
        A row for each network, choice, kept sign and mask rule, as from
        :func:`contrastlib.evaluation.masking.advantages`.
    """
    keys = ["network", "choice", "kept_sign", "mask_rule"]
    rows = table[table["method"] != "blank"]
    means = rows.groupby([*keys, "contrast", "group", "image"], sort=False)["relative_probability"].mean().reset_index()
    return masking.advantages(means, keys, resamples=resamples)


def perturbation_gains(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """What weighted steps gain in p_t above original ones, for each choice.

    Args:
        table: from :func:`contrastlib.evaluation.perturbation.changes` with a column choice.
        resamples: of the bootstrap.

    Returns:
        A row for each network and choice, with mean, low, high, images, groups.
    """
    gained = perturbation.tidy(table)
    gained = gained[gained["quantity"] == "p_t"]
    return statistics.paired_differences(gained, "change", ["network", "choice"], resamples=resamples)


def beside_published(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Each interval beside that of the published choice.

    Args:
        rows: with choice, mean, low, high and the columns ``by``.
        by: columns that tell settings apart.

    Returns:
        The rows of the other choices, with turned (the interval lies on the other side of 0 than the published one),
        lost (it contains 0, and the published one does not) and moved (absolute difference of the means).

    >>> rows = pd.DataFrame({"network": "a", "choice": [PUBLISHED, "other"], "mean": [1., -1.], "low": [.5, -2.], "high": [2., -.5]})
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
    """Claims on :func:`masking_advantages`: a row for each setting and choice; ``mean`` is 1 where the interval changes sides."""
    compared = beside_published(masking_advantages(table, resamples), SETTING)
    return compared.assign(mean=compared["turned"].astype(float))


def perturbation_turned(table: pd.DataFrame, resamples: int = 500) -> pd.DataFrame:
    """Claims on :func:`perturbation_gains`: a row for each network and choice; ``mean`` is 1 where the interval changes sides."""
    compared = beside_published(perturbation_gains(table, resamples), ["network"])
    return compared.assign(mean=compared["turned"].astype(float))
