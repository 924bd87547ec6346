"""What the masking of :mod:`contrastlib.evaluation.masking` says of two contrasts or two methods.

Differences of relative probabilities, positive as the papers claim, with intervals. Source: Wang & Wang 2022,
sec. 5.2.2; Eriksson et al. 2025, sec. 3.2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from contrastlib.evaluation import statistics
from contrastlib.evaluation.masking import PAPERS_BASELINES


def advantages(table: pd.DataFrame, by: Sequence[str], **options: Any) -> pd.DataFrame:
    """Mean differences of relative probabilities, weighted minus original, with the sign of the claim.

    The papers claim a higher probability if positive pixels are kept, and a lower one if negative pixels are
    kept. For negative pixels, the sign of the difference and of its interval is reversed.

    Args:
        table: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`, or means of it over
            some of its columns.
        by: Columns that identify a setting. They include "kept_sign".
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each setting, with the columns of
        :func:`contrastlib.evaluation.statistics.paired_differences`.

    >>> rows = [("weighted", 0.25), ("original", 0.5)]
    >>> table = pd.DataFrame(rows, columns=["contrast", "relative_probability"])
    >>> table = table.assign(image=0, group=0, kept_sign="negative")
    >>> advantages(table, ["kept_sign"], resamples=10)["mean"].item()
    0.25
    """
    found = statistics.paired_differences(table, "relative_probability", by, **options)
    turned = found["kept_sign"] == "negative"
    found.loc[turned, ["mean", "low", "high"]] = -found.loc[turned, ["mean", "high", "low"]].to_numpy()
    if "samples" in found:
        found["samples"] *= np.where(turned, -1, 1)
    return found


def mean_advantages(table: pd.DataFrame, method: str = "gradcam", **options: Any) -> pd.DataFrame:
    """:func:`advantages` of one method, for the mean over the three baselines of the papers.

    Args:
        table: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`, of one or more
            networks.
        method: Name of the method.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each network, rank, kept sign and mask rule, with the columns of :func:`advantages`, and
        masked_original and masked_weighted, the mean shares of pixels that each map masks.

    >>> import torch
    >>> from torch import nn
    >>> from contrastlib.evaluation.masking import relative_probabilities
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = relative_probabilities(net, torch.rand(2, 3, 8, 8), methods=["gradcam"], threshold=0)
    >>> table = table.assign(network="n", group=table["image"])
    >>> mean_advantages(table, resamples=10)["rank"].unique().tolist()
    [1, 2]
    """
    by = ["network", "rank", "kept_sign", "mask_rule"]
    part = table[(table["method"] == method) & table["baseline"].isin(PAPERS_BASELINES)]
    values = (
        part.groupby([*by, "contrast", "group", "image"], sort=False)[["relative_probability", "masked"]]
        .mean()
        .reset_index()
    )
    shares = (
        values.pivot_table(index=by, columns="contrast", values="masked", sort=False)
        .add_prefix("masked_")
        .reset_index()
    )
    return advantages(values, by, **options).merge(shares)


def advantage_left(table: pd.DataFrame, rule: str, **options: Any) -> pd.DataFrame:
    """Advantage of weighted maps under a mask rule, as a share of that under ``by_sign``.

    Args:
        table: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`, of one or more
            networks.
        rule: "equal_as_coded" or "equal_as_described".
        **options: Options of :func:`mean_advantages`.

    Returns:
        A row for each kept sign and network, with ``mean``, the ratio of the two advantages, each averaged
        over the ranks of the class.
    """
    mean = (
        mean_advantages(table, **options)
        .groupby(["kept_sign", "network", "mask_rule"], sort=False)["mean"]
        .mean()
        .unstack("mask_rule")
    )
    return (mean[rule] / mean["by_sign"]).rename("mean").reset_index()


def method_advantages(
    table: pd.DataFrame,
    method: str,
    others: Sequence[str],
    contrast: str = "weighted",
    unless: Mapping[str, object] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Mean differences of relative probabilities between a method and other ones.

    A difference is positive if the method has the higher advantage.

    Args:
        table: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`, of one or more
            networks.
        method: Name of the method.
        others: Names of the methods that it is compared with.
        contrast: Contrast of both maps.
        unless: Mapping from columns to values. Rows that have all of these values are left out.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each setting and other method. Networks in which the method equals another one are left out.
        If that is so in all networks, the table has no row.
    """
    by = ["network", "rank", "baseline", "kept_sign"]
    apart = statistics.distinct_methods(
        table, "relative_probability", [*by[1:], "mask_rule", "contrast", "image"]
    )
    part = table[
        (table["contrast"] == contrast)
        & table["network"].isin(apart.loc[apart["method"] == method, "network"])
    ]
    for_all = pd.Series(bool(unless), index=part.index)
    for column, value in (unless or {}).items():
        for_all &= part[column] == value
    part = part[~for_all]
    if part.empty:
        return pd.DataFrame(columns=[*by, "mean", "low", "high", "images", "groups"])
    return pd.concat(
        [advantages(part, by, between="method", first=method, second=other, **options) for other in others]
    )
