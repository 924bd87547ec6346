"""The weighted contrast where one class dominates (Eriksson et al. 2025, sec. 4.3 and Fig. 6).

The review argues that the weighted map then equals the original one, because explanations grow with their
logit and because the gradient of p_t vanishes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import INPUT, default_layer, forward
from contrastlib.contrasts import log_odds, original, weighted
from contrastlib.evaluation.precision import softmax_gradient
from contrastlib.evaluation.statistics import bootstrap, interval
from contrastlib.explainers import gradcam


def agreement(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, layer: str | None = None
) -> pd.DataFrame:
    """Cosine of the weighted with the original map of the predicted class.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        layer: The layer of GradCAM. If None, it is the default layer of the network.

    Returns:
        One row for each image and method (gradient, gradcam), with

        - weighted: cosine of the weighted with the original map
        - softmax: the same for the map propagated from p_t in the dtype of the model, NaN if that map is 0
        - foils: norm of sum_s alpha_s phi^s over that of phi^t
        - p_t, p_2 and log_odds of t

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> agreement(net, torch.rand(2, 3, 8, 8)).columns.tolist()
    ['image', 'method', 'weighted', 'softmax', 'foils', 'p_t', 'p_2', 'log_odds']
    """
    layer = layer or default_layer(model, images)
    record = forward(model, images, [INPUT, layer], once=True)
    probabilities = record.logits.softmax(dim=1).topk(2, dim=1).values
    target = record.logits.argmax(dim=1)
    computed = softmax_gradient(record.logits, target)
    size = computed.norm(dim=1, keepdim=True)
    cotangents = torch.stack(
        [
            original(record.logits, target),
            weighted(record.logits, target),
            computed / torch.where(size == 0, 1, size),
        ]
    )
    maps = {"gradient": record.pull_back(cotangents)[INPUT], "gradcam": gradcam(record, cotangents, layer)}
    tables = []
    for method, phi in maps.items():
        logit, contrast, softmax = phi.flatten(2).double()
        tables.append(
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "method": method,
                    "weighted": _cosine(contrast, logit),
                    "softmax": _cosine(softmax, logit),
                    "foils": ((logit - contrast).norm(dim=1) / logit.norm(dim=1)).numpy(force=True),
                    "p_t": probabilities[:, 0].double().numpy(force=True),
                    "p_2": probabilities[:, 1].double().numpy(force=True),
                    "log_odds": log_odds(record.logits, target).double().numpy(force=True),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def gradient_norms(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, ends: int = 12, step: int = 20
) -> pd.DataFrame:
    """Norm of grad_x y_s and logit y_s for many classes of an image (Eriksson et al. 2025, Fig. 6).

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used.
        ends: Number of classes with the highest logits, and of classes with the lowest, that are all taken.
        step: Of the classes between them, every ``step``-th is taken. The review takes 50 and 20 of 1,000
            classes.

    Returns:
        One row for each image and chosen class, with image, rank (0 is the most probable class), logit and
        norm.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> gradient_norms(net, torch.rand(2, 3, 8, 8), ends=2)["rank"].tolist()
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """
    record = forward(model, images, INPUT, once=True)
    logits, order = record.logits.sort(dim=1, descending=True)
    count = order.shape[1]
    ranks = np.unique(
        np.r_[: min(ends, count), min(ends, count) : count : step, max(0, count - ends) : count]
    )
    units = torch.nn.functional.one_hot(order[:, ranks].T, count).to(images.dtype)
    norms = record.pull_back(units)[INPUT].flatten(2).norm(dim=2)
    index = pd.MultiIndex.from_product([ranks, range(len(images))], names=["rank", "image"])
    return pd.DataFrame(
        {
            "logit": logits[:, ranks].T.flatten().double().numpy(force=True),
            "norm": norms.flatten().double().numpy(force=True),
        },
        index,
    ).reset_index()


def slopes(
    table: pd.DataFrame, x: str = "logit", y: str = "norm", resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Slope of y on x over all rows (pooled), and within images.

    A pooled slope depends on the classes of one image and on differences between images. The slope within
    images depends on the former only. It is the fixed-effects estimate sum (x - mean_i x)(y - mean_i y) / sum
    (x - mean_i x)^2, where mean_i is the mean over the rows of image i.

    Args:
        table: A table of :func:`gradient_norms` with group.
        x: Name of the column x.
        y: Name of the column y.
        resamples: Number of bootstrap samples of the groups.
        seed: Seed of the bootstrap.

    Returns:
        Rows "pooled" and "within images", with slope, low and high (95 % interval), and relative, the slope
        over the mean of y.

    >>> t = pd.DataFrame({"image": [0, 0, 1, 1], "logit": [0., 1., 4., 5.], "norm": [1., 2., 0., 1.]})
    >>> slopes(t.assign(group=t["image"]), resamples=10)["slope"].round(2).to_dict()
    {'pooled': -0.18, 'within images': 1.0}
    """
    rows = {}
    for name, centre in (
        ("pooled", None),
        ("within images", table.groupby("image")[[x, y]].transform("mean")),
    ):
        centred = table[[x, y]] - (table[[x, y]].mean() if centre is None else centre)
        products = {
            "n": 1.0,
            "x": centred[x],
            "y": centred[y],
            "xx": centred[x] ** 2,
            "xy": centred[x] * centred[y],
        }
        sums = pd.DataFrame(products).groupby(table["group"]).sum()
        samples = bootstrap(sums.to_numpy(), sums.index.to_numpy(), resamples, seed)
        low, high = interval(_slope(*samples.T)[:, None], len(sums))[:, 0]
        slope = _slope(*sums.sum())
        rows[name] = {"slope": slope, "low": low, "high": high, "relative": slope / table[y].mean()}
    return pd.DataFrame(rows).T


def relative_slopes(
    table: pd.DataFrame, resamples: int = 1000, estimate: str = "within images"
) -> pd.DataFrame:
    """:func:`slopes` of each network, in units of its mean norm.

    Args:
        table: A table of :func:`gradient_norms`, of one or more networks.
        resamples: Number of bootstrap samples.
        estimate: "within images" or "pooled".

    Returns:
        A row for each network, with mean (the relative change of the norm when the logit grows by one), low
        and high.
    """
    return pd.DataFrame(
        [
            {
                "network": name,
                **_in_units(slopes(part, resamples=resamples).loc[estimate], part["norm"].mean()),
            }
            for name, part in table.groupby("network", sort=False)
        ]
    )


def more_alike_where_dominated(
    table: pd.DataFrame, threshold: float = 0.1, resamples: int = 1000, value: str = "weighted"
) -> pd.DataFrame:
    """Mean cosine of weighted and original maps where p_2 <= threshold, minus that where p_2 > threshold.

    The two means are over different images, so the difference is not paired. Groups are resampled.

    Args:
        table: A table of :func:`agreement`, of one method and one or more networks, or another table with
            network, group, p_2 and a column of cosines.
        threshold: Threshold of p_2.
        resamples: Number of bootstrap samples.
        value: Name of the column of cosines.

    Returns:
        A row for each network that has images on both sides, with mean, low, high, images and groups.
    """
    rows = []
    for name, part in table.groupby("network", sort=False):
        over = (part["p_2"] <= threshold).to_numpy()
        if over.any() and not over.all():
            columns = np.stack([over * part[value], over, ~over * part[value], ~over], axis=1).astype(float)
            groups = part["group"].nunique()
            draws = _gap(bootstrap(columns, part["group"].to_numpy(), resamples))[:, None]
            low, high = interval(draws, groups)[:, 0]
            rows.append(
                {
                    "network": name,
                    "mean": _gap(columns.mean(axis=0)),
                    "low": low,
                    "high": high,
                    "images": len(part),
                    "groups": groups,
                }
            )
    return pd.DataFrame(rows, columns=["network", "mean", "low", "high", "images", "groups"])


def float32_changes(table: pd.DataFrame, tolerance: float = 0.01) -> pd.DataFrame:
    """Share of images whose map changes if it is propagated from p_t through the softmax.

    The softmax is computed in the dtype of the model. A map has changed if its cosine with the original map
    differs from that of the weighted map by more than the tolerance, or if it is 0.

    Args:
        table: A table of :func:`agreement`, of one method and one or more networks.
        tolerance: Tolerance of the cosine.

    Returns:
        A row for each network, with mean (the share), images, and the means of weighted and softmax over the
        changed maps.

    >>> table = pd.DataFrame({"weighted": [0.9, 0.9], "softmax": [0.9, float("nan")], "image": [0, 1],
    ...     "network": "n"})
    >>> float32_changes(table)["mean"].item()
    0.5
    """
    changed = table["softmax"].isna() | ((table["softmax"] - table["weighted"]).abs() > tolerance)
    rows = [
        {"network": name, "mean": changed[part.index].mean(), "images": len(part)}
        | part.loc[changed[part.index], ["weighted", "softmax"]].mean().to_dict()
        for name, part in table.groupby("network", sort=False)
    ]
    return pd.DataFrame(rows)


def _in_units(slope: pd.Series, unit: float) -> dict[str, float]:
    return {"mean": slope["slope"] / unit, "low": slope["low"] / unit, "high": slope["high"] / unit}


def _gap(sums: np.ndarray) -> np.ndarray:
    """Difference of two means, from the sums or means of (values, ones) of both."""
    with np.errstate(invalid="ignore"):  # of samples without any image on one side
        return sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3]


def _slope(n: np.ndarray, x: np.ndarray, y: np.ndarray, xx: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Slope of the least-squares line, from sums over points.

    Args:
        n: Number of points.
        x: Sum of x.
        y: Sum of y.
        xx: Sum of x squared.
        xy: Sum of the products x y.

    Returns:
        The slope, one for each bootstrap sample if the arguments are arrays.
    """
    return (xy - x * y / n) / (xx - x**2 / n)


def _cosine(maps: Tensor, others: Tensor) -> np.ndarray:
    norms = maps.norm(dim=1) * others.norm(dim=1)
    cosine = (maps * others).sum(dim=1) / norms
    return torch.where(norms == 0, torch.nan, cosine).numpy(force=True)
