"""What errors in print or in code do to a result, from tables of other evaluations: the measurements of page 05 without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contrastlib.evaluation import masking, statistics

STAGES = ("convolution", "+ batch norm", "+ ReLU")


def epsilon_ratios(changes: pd.DataFrame, quantity: str, resamples: int = 1000) -> pd.DataFrame:
    """Erratum 3: mean change at epsilon = 0.003 over that at 0.001, of the weighted contrast after 10 iterations.

    Args:
        changes: rows network, contrast, iterations, epsilon, quantity, change, and group and image where there are
            images to resample, as from :func:`contrastlib.evaluation.perturbation.tidy`.
        quantity: "p_t", "y_t" or "accuracy".
        resamples: of the bootstrap.

    Returns:
        A row for each network with mean, and low and high where there are images.
    """
    chosen = (changes["contrast"] == "weighted") & (changes["iterations"] == 10) & (changes["quantity"] == quantity)
    units = [name for name in ("group", "image") if name in changes]
    rows = {}
    for name, one in changes[chosen].groupby("network", sort=False):
        values = one.pivot(index=units or ["network"], columns="epsilon", values="change")[[0.003, 0.001]]
        rows[name] = {"mean": values[0.003].mean() / values[0.001].mean()}
        if units:
            draws = statistics.bootstrap(values.to_numpy(), values.index.get_level_values("group").to_numpy(), resamples)
            rows[name] |= dict(zip(("low", "high"), statistics.interval(draws[:, :1] / draws[:, 1:])[:, 0]))
    return pd.DataFrame(rows).T


def headers(masked: pd.DataFrame) -> pd.DataFrame:
    """Erratum 5: mean p_t1, and mean relative probability of t_1, of the unmasked images of each network.

    Args:
        masked: from :func:`contrastlib.evaluation.masking.relative_probabilities`.
    """
    first = masked[masked["rank"] == 1].drop_duplicates(["network", "image"])
    return first.groupby("network")[["p_1", "relative_probability_before"]].mean()


def blur_errors(draws: pd.DataFrame) -> pd.Series:
    """Erratum 6: standard deviations of a cell's mean over images.

    Args:
        draws: from :func:`contrastlib.evaluation.corrections.blur_draws`, of one network.

    Returns:
        images, how many; own_sigma, of the mean where each image has its own sigma; one_sigma, where all images
        share one; sampling, the standard error over images.
    """
    cells = draws.pivot(index="draw", columns="image", values="relative_probability")
    images = cells.shape[1]
    return pd.Series({
        "images": images, "own_sigma": np.sqrt(cells.var().sum()) / images, "one_sigma": cells.mean(axis=1).std(),
        "sampling": cells.mean().std() / np.sqrt(images),
    })


def direction_lost(precision: pd.DataFrame, bound: float = 0.99) -> pd.Series:
    """Erratum 10: share of images of each network whose softmax gradient misses the exact direction.

    Args:
        precision: from :func:`contrastlib.evaluation.precision.softmax_gradients`, of several networks.
        bound: the least cosine that counts as the same direction; a gradient of zero has none.
    """
    return (~(precision["cosine"] >= bound)).groupby(precision["network"], sort=False).mean()


def exact_minus_softmax(
    table: pd.DataFrame, value: str, by: Sequence[str], resamples: int = 500
) -> pd.DataFrame:
    """Erratum 10: paired differences of a value between the weighted contrast and the one through the softmax.

    Args:
        table: rows network, contrast ("weighted" and "softmax"), group, image and the columns ``by``; rows of one
            image and setting are averaged first.
        value: the column compared.
        by: columns that, beside network, make a setting.
        resamples: of the bootstrap.
    """
    keys = ["network", *by]
    means = table.groupby([*keys, "contrast", "group", "image"], sort=False)[value].mean().reset_index()
    return statistics.paired_differences(means, value, keys, first="weighted", second="softmax", resamples=resamples)


def without_factor(mean_of_classes: pd.DataFrame) -> pd.Series:
    """Erratum 12: cosine between the mean contrast without its factor and the original map, mean over images.

    With n the norm of the sum of the other classes' maps over that of phi^t, and c the cosine between the two,
    the map phi^t - sum_s phi^s has the cosine (1 - n c) / sqrt(1 - 2 n c + n^2) with phi^t.

    Args:
        mean_of_classes: from :func:`contrastlib.evaluation.three_classes.mean_by_class_count`, of several networks.

    Returns:
        network -> cosine.
    """
    most = mean_of_classes.groupby("network")["classes"].transform("max")
    every = mean_of_classes[mean_of_classes["classes"] == most]
    length, cosine = (every["classes"] - 1) * every["foil_norm"], every["foil_cosine"]
    turned = (1 - length * cosine) / np.sqrt(1 - 2 * length * cosine + length**2)
    return turned.groupby(every["network"], sort=False).mean()


def advantages_by_baseline(masked: pd.DataFrame, resamples: int = 1000) -> pd.DataFrame:
    """Erratum 14: the advantage of weighted GradCAM of t_1, positive pixels kept by sign, for each baseline.

    Args:
        masked: from :func:`contrastlib.evaluation.masking.relative_probabilities`.
        resamples: of the bootstrap.

    Returns:
        A row for each network and baseline, and one with baseline "zeros − black": the paired difference.
    """
    part = masked[(masked["method"] == "gradcam") & (masked["rank"] == 1) & (masked["mask_rule"] == "by_sign")
                  & (masked["kept_sign"] == "positive")]
    keys = ["network", "baseline"]
    each = masking.advantages(part, [*keys, "kept_sign"], resamples=resamples)
    wide = part.pivot(index=[*keys, "group", "image"], columns="contrast", values="relative_probability")
    above = (wide["weighted"] - wide["original"]).rename("advantage").reset_index()
    shift = statistics.paired_differences(
        above, "advantage", ["network"], between="baseline", first="zeros", second="black", resamples=resamples)
    return pd.concat([each.drop(columns="kept_sign"), shift.assign(baseline="zeros − black")], ignore_index=True)


def negative_area(maps: pd.DataFrame, threshold: float = 0.1) -> pd.DataFrame:
    """Erratum 15: mean share of negative area of GradCAM maps of t_1 along the last block of each network.

    Args:
        maps: from :func:`contrastlib.evaluation.similarity.describe`, at three layers of a network (convolution, batch
            norm, ReLU), at two (convolution, ReLU) or at one, which counts as after the ReLU.
        threshold: images with p_2 above it count.

    Returns:
        Columns original and weighted; a row for each network and stage (of ``STAGES``).
    """
    chosen = (maps["p_2"] > threshold) & (maps["method"] == "gradcam") & maps["contrast"].isin(["original", "weighted"])
    found = maps[chosen].groupby(["network", "layer", "contrast"], sort=False)["negative"].mean().unstack("contrast")
    stages = {1: STAGES[2:], 2: STAGES[::2], 3: STAGES}
    parts = {}
    for network, part in found.groupby("network", sort=False):
        part = part.droplevel("network").sort_index(key=lambda names: names.map(_numbers))
        parts[network] = part.set_axis(pd.Index(stages[len(part)], name="stage"))
    return pd.concat(parts, names=["network"])[["original", "weighted"]]


def at_thresholds(
    masked: pd.DataFrame, thresholds: Sequence[float], fewest: int = 10, resamples: int = 500
) -> pd.DataFrame:
    """Erratum 26: the advantage of weighted GradCAM over the images with p_2 above each threshold.

    Args:
        masked: from :func:`contrastlib.evaluation.masking.relative_probabilities`, of images above the least threshold.
        thresholds: of p_2.
        fewest: networks with fewer images than this above a threshold are left out there.
        resamples: of the bootstrap.

    Returns:
        A row for each threshold, network, rank, kept sign and mask rule, as from
        :func:`contrastlib.evaluation.masking.mean_advantages`, with the column threshold.
    """
    parts = []
    for threshold in thresholds:
        found = masking.mean_advantages(masked[masked["p_2"] > threshold], resamples=resamples)
        parts.append(found[found["images"] >= fewest].assign(threshold=threshold))
    return pd.concat(parts, ignore_index=True)


def _numbers(layer: str) -> tuple[int, ...]:
    """The numbers in a layer's name, in whose order its layers follow each other."""
    return tuple(map(int, re.findall(r"\d+", layer)))
