"""Effects of errors in print or in code on a result, computed from the tables of other evaluations.

These are the measurements of page 05 that need no network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contrastlib.evaluation import masking_effects, statistics
from contrastlib.evaluation.masking import KEPT_SIGNS, MASK_RULES

STAGES = ("convolution", "+ batch norm", "+ ReLU")


def epsilon_ratios(changes: pd.DataFrame, quantity: str, resamples: int = 1000) -> pd.DataFrame:
    """Ratio of the mean change at epsilon = 0.003 to that at 0.001 (erratum 3).

    The changes are those of the weighted contrast after 10 iterations.

    Args:
        changes: A table with network, contrast, iterations, epsilon, quantity and change, as from
            :func:`contrastlib.evaluation.perturbation.tidy`. Group and image are present if images can be
            resampled.
        quantity: "p_t", "y_t" or "accuracy".
        resamples: Number of bootstrap samples.

    Returns:
        A row for each network, with mean, and with low and high if images can be resampled.

    >>> table = pd.DataFrame({"network": "n", "contrast": "weighted", "iterations": 10, "quantity": "y_t",
    ...     "epsilon": [0.001, 0.003], "change": [2.0, 6.0]})
    >>> epsilon_ratios(table, "y_t")["mean"].to_dict()
    {'n': 3.0}
    """
    chosen = (
        (changes["contrast"] == "weighted")
        & (changes["iterations"] == 10)
        & (changes["quantity"] == quantity)
    )
    units = [name for name in ("group", "image") if name in changes]
    rows = {}
    for name, one in changes[chosen].groupby("network", sort=False):
        values = one.pivot(index=units or ["network"], columns="epsilon", values="change")[[0.003, 0.001]]
        rows[name] = {"mean": values[0.003].mean() / values[0.001].mean()}
        if units:
            groups = values.index.get_level_values("group").to_numpy()
            draws = statistics.bootstrap(values.to_numpy(), groups, resamples)
            ends = statistics.interval(draws[:, :1] / draws[:, 1:], len(set(groups)))[:, 0]
            rows[name] |= dict(zip(("low", "high"), ends))
    return pd.DataFrame(rows).T


def headers(masked: pd.DataFrame) -> pd.DataFrame:
    """Mean p_1 and mean relative probability of t_1 of the unmasked images of each network (erratum 5).

    Args:
        masked: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`.

    Returns:
        A row for each network, with p_1 and relative_probability_before.

    >>> before = [0.75, 1.0]
    >>> table = pd.DataFrame({"image": [0, 1], "p_1": [0.5, 0.75], "relative_probability_before": before})
    >>> headers(table.assign(network="n", rank=1)).values.tolist()
    [[0.625, 0.875]]
    """
    first = masked[masked["rank"] == 1].drop_duplicates(["network", "image"])
    return first.groupby("network")[["p_1", "relative_probability_before"]].mean()


def as_coded(masked: pd.DataFrame) -> pd.DataFrame:
    """What the coded rule of equal masking masks, and what it changes, by network (erratum 13).

    Pixels go in the order of the map. So of n masked ones, those beyond the pixels that lack the kept sign
    have it. "by_sign" masks the pixels of the other sign, so that the table has their number.

    Args:
        masked: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`, with network and all
            of ``MASK_RULES`` for both signs.

    Returns:
        A row for each network, kept_sign and contrast, with wrong (mean share of the masked pixels that have
        the kept sign) and change (mean relative probability as coded, minus that with equal numbers of the
        other sign).

    >>> names = np.repeat(["by_sign", "equal_as_coded", "equal_as_described"], 2)
    >>> rules = pd.DataFrame({"mask_rule": names, "kept_sign": ["positive", "negative"] * 3})
    >>> rules["masked"] = [0.25, 0.75, 0.5, 0.25, 0.25, 0.75]
    >>> rules["relative_probability"] = [0.5, 0.5, 0.75, 0.5, 0.5, 0.25]
    >>> rules = rules.assign(network="n", contrast="original", method="gradcam", baseline="blur")
    >>> as_coded(rules.assign(rank=1, image=0, group=0))[["kept_sign", "wrong", "change"]].values.tolist()
    [['negative', 0.0, 0.25], ['positive', 0.5, 0.25]]
    """
    masked = masked[masked["mask_rule"].isin(MASK_RULES)]
    units = ["network", "contrast", "method", "rank", "group", "image"]
    areas = masked.pivot_table("masked", units, ["mask_rule", "kept_sign"], aggfunc="first", observed=True)
    coded = areas["equal_as_coded"]
    of_kept_sign = areas["by_sign"].rename(columns=dict(zip(KEPT_SIGNS, KEPT_SIGNS[::-1])))[coded.columns]
    wrong = ((coded + of_kept_sign - 1).clip(lower=0) / coded.where(coded > 0)).fillna(0)
    values = masked.pivot_table(
        "relative_probability", [*units, "baseline", "kept_sign"], "mask_rule", observed=True
    )
    change = values["equal_as_coded"] - values["equal_as_described"]
    cells = ["network", "kept_sign", "contrast"]
    wrong = wrong.rename_axis(columns="kept_sign").stack().groupby(cells).mean()
    return pd.DataFrame({"wrong": wrong, "change": change.groupby(cells).mean()}).reset_index()


def blur_errors(draws: pd.DataFrame) -> pd.Series:
    """Standard deviations of the mean of a cell over images (erratum 6).

    Args:
        draws: A table of :func:`contrastlib.evaluation.corrections.blur_draws`, of one network.

    Returns:
        images, their number; own_sigma, the standard deviation if each image has its own sigma; one_sigma,
        the same if all images share one sigma; sampling, the standard error over images.

    >>> table = pd.DataFrame({"image": [0, 0, 1, 1], "draw": [0, 1, 0, 1]})
    >>> table["relative_probability"] = [0.5, 0.5, 0.75, 0.75]
    >>> blur_errors(table)[["images", "own_sigma", "one_sigma"]].tolist()
    [2.0, 0.0, 0.0]
    """
    cells = draws.pivot(index="draw", columns="image", values="relative_probability")
    images = cells.shape[1]
    return pd.Series(
        {
            "images": images,
            "own_sigma": np.sqrt(cells.var().sum()) / images,
            "one_sigma": cells.mean(axis=1).std(),
            "sampling": cells.mean().std() / np.sqrt(images),
        }
    )


def exact_minus_softmax(
    table: pd.DataFrame, value: str, by: Sequence[str], resamples: int = 500
) -> pd.DataFrame:
    """Paired differences of a value, weighted contrast minus that through the softmax (erratum 10).

    Args:
        table: A table with network, contrast ("weighted" and "softmax"), group, image and the columns ``by``.
            Rows of one image and setting are averaged first.
        value: Name of the compared column.
        by: Columns that, together with network, identify a setting.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each setting, as from :func:`contrastlib.evaluation.statistics.paired_differences`.

    >>> table = pd.DataFrame({"network": "n", "contrast": ["weighted", "softmax"], "image": 0, "group": 0,
    ...     "v": [3.0, 1.0]})
    >>> exact_minus_softmax(table, "v", [], resamples=10)["mean"].item()
    2.0
    """
    keys = ["network", *by]
    means = table.groupby([*keys, "contrast", "group", "image"], sort=False)[value].mean().reset_index()
    return statistics.paired_differences(
        means, value, keys, first="weighted", second="softmax", resamples=resamples
    )


def without_factor(mean_of_classes: pd.DataFrame) -> pd.Series:
    """Mean cosine between the mean contrast without its factor and the original map (erratum 12).

    Let n be the norm of the sum of the maps of the other classes divided by the norm of phi^t, and c the
    cosine between the two. The map phi^t - sum_s phi^s has the cosine (1 - n c) / sqrt(1 - 2 n c + n^2) with
    phi^t.

    Args:
        mean_of_classes: A table of :func:`contrastlib.evaluation.three_classes.mean_by_class_count`, of one
            or more networks.

    Returns:
        Cosines, indexed by network.

    >>> table = pd.DataFrame({"network": ["n"], "image": 0, "classes": 10, "foil_norm": 1.0,
    ...     "foil_cosine": 0.0})
    >>> without_factor(table).round(3).to_dict()
    {'n': 0.11}
    """
    most = mean_of_classes.groupby("network")["classes"].transform("max")
    every = mean_of_classes[mean_of_classes["classes"] == most]
    length, cosine = (every["classes"] - 1) * every["foil_norm"], every["foil_cosine"]
    turned = (1 - length * cosine) / np.sqrt(1 - 2 * length * cosine + length**2)
    return turned.groupby(every["network"], sort=False).mean()


def advantages_by_baseline(masked: pd.DataFrame, resamples: int = 1000) -> pd.DataFrame:
    """Advantage of weighted GradCAM of t_1 for each baseline, with positive pixels kept by sign (erratum 14).

    Args:
        masked: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each network and baseline, and one with the baseline "zeros − black" for the paired
        difference.

    >>> import torch
    >>> from torch import nn
    >>> from contrastlib.evaluation.masking import relative_probabilities
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> images, fills = torch.rand(2, 3, 8, 8), ["zeros", "black"]
    >>> table = relative_probabilities(net, images, methods=["gradcam"], baselines=fills, threshold=0)
    >>> table = table.assign(network="n", group=table["image"])
    >>> advantages_by_baseline(table, resamples=10)["baseline"].tolist()
    ['black', 'zeros', 'zeros − black']
    """
    part = masked[
        (masked["method"] == "gradcam")
        & (masked["rank"] == 1)
        & (masked["mask_rule"] == "by_sign")
        & (masked["kept_sign"] == "positive")
    ]
    keys = ["network", "baseline"]
    each = masking_effects.advantages(part, [*keys, "kept_sign"], resamples=resamples)
    wide = part.pivot(index=[*keys, "group", "image"], columns="contrast", values="relative_probability")
    above = (wide["weighted"] - wide["original"]).rename("advantage").reset_index()
    shift = statistics.paired_differences(
        above,
        "advantage",
        ["network"],
        between="baseline",
        first="zeros",
        second="black",
        resamples=resamples,
    )
    return pd.concat(
        [each.drop(columns="kept_sign"), shift.assign(baseline="zeros − black")], ignore_index=True
    )


def negative_area(maps: pd.DataFrame, threshold: float = 0.1) -> pd.DataFrame:
    """Mean negative share of GradCAM maps of t_1 at layers of the last block of each network (erratum 15).

    Args:
        maps: A table of :func:`contrastlib.evaluation.similarity.describe`, for each network at three layers
            (convolution, batch norm, ReLU), at two (convolution, ReLU) or at one, which is that after the
            ReLU.
        threshold: Images with p_2 above it count.

    Returns:
        A row for each network and stage of ``STAGES``, with the columns original and weighted.
    """
    chosen = (
        (maps["p_2"] > threshold)
        & (maps["method"] == "gradcam")
        & maps["contrast"].isin(["original", "weighted"])
    )
    found = (
        maps[chosen]
        .groupby(["network", "layer", "contrast"], sort=False)["negative"]
        .mean()
        .unstack("contrast")
    )
    stages = {1: STAGES[2:], 2: STAGES[::2], 3: STAGES}
    parts = {}
    for network, part in found.groupby("network", sort=False):
        part = part.droplevel("network").sort_index(key=lambda names: names.map(_numbers))
        parts[network] = part.set_axis(pd.Index(stages[len(part)], name="stage"))
    return pd.concat(parts, names=["network"])[["original", "weighted"]]


def at_thresholds(
    masked: pd.DataFrame, thresholds: Sequence[float], fewest: int = 10, resamples: int = 500
) -> pd.DataFrame:
    """Advantage of weighted GradCAM over the images with p_2 above each threshold (erratum 26).

    Args:
        masked: A table of :func:`contrastlib.evaluation.masking.relative_probabilities`, of images above the
            smallest threshold.
        thresholds: Thresholds of p_2.
        fewest: Networks with fewer images above a threshold are left out at that threshold.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each threshold, network, rank, kept sign and mask rule, as from
        :func:`contrastlib.evaluation.masking_effects.mean_advantages`, with the column threshold.
    """
    parts = []
    for threshold in thresholds:
        found = masking_effects.mean_advantages(masked[masked["p_2"] > threshold], resamples=resamples)
        parts.append(found[found["images"] >= fewest].assign(threshold=threshold))
    return pd.concat(parts, ignore_index=True)


def _numbers(layer: str) -> tuple[int, ...]:
    """The numbers in the name of a layer, which sort the layers in the order of the network."""
    return tuple(map(int, re.findall(r"\d+", layer)))
