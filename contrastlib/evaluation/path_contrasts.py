"""Possible meanings of "integrated gradients of a contrast", and their differences (errata 8 and 9)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.contrasts import log_odds, probability, weighted
from contrastlib.evaluation.statistics import means
from contrastlib.explainers.integrated_gradients import integrated_gradients

READINGS = ("weights fixed at x", "log-odds", "probability")


def compare(model: nn.Module, images: Tensor, labels: Tensor | None = None, steps: int = 32) -> pd.DataFrame:
    """Integrated gradients from black for the predicted class t, in three readings.

    "weights fixed at x" is the weighted contrast of the integrated gradients of each class, which Wang & Wang
    2022, sec. 4, identify with the explanation of p_t. "log-odds" and "probability" integrate the gradients
    of log(p_t / (1 - p_t)) and of p_t. Their cotangents change along the path.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        steps: Number of points on the path.

    Returns:
        One row for each image and reading, with image, reading, log_odds (of t at x), similarity (cosine with
        the first reading), total (sum of the map), and change (difference of the function of the reading
        between x and black). The first reading is not the integral of the gradient of a function, so change
        is that of the log-odds.

    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    >>> table = compare(net, torch.rand(2, 3, 4, 4), steps=64).set_index("reading")
    >>> bool(((table["total"] - table["change"]).loc["probability"].abs() < 1e-3).all())
    True
    """
    logits, black = predict(model, images), predict(model, torch.zeros_like(images))
    target = logits.argmax(dim=1)
    fixed = weighted(logits, target)
    maps = (
        integrated_gradients(
            model,
            images,
            lambda y: torch.stack([fixed, weighted(y, target), probability(y, target)]),
            baseline=0,
            steps=steps,
            contrast_at="path",
        )
        .flatten(2)
        .double()
    )
    ends = log_odds(logits.double(), target), log_odds(black.double(), target)
    change = {"log-odds": ends[0] - ends[1], "probability": ends[0].sigmoid() - ends[1].sigmoid()}
    change["weights fixed at x"] = change["log-odds"]
    similarity = torch.cosine_similarity(maps[:1], maps, dim=2)
    tables = []
    for reading, map_, cosine in zip(READINGS, maps, similarity):
        columns = {
            "log_odds": ends[0],
            "similarity": cosine,
            "total": map_.sum(dim=1),
            "change": change[reading],
        }
        table = pd.DataFrame({name: values.numpy(force=True) for name, values in columns.items()})
        tables.append(table.assign(image=range(len(images)), reading=reading))
    return pd.concat(tables, ignore_index=True)


def cosines(table: pd.DataFrame, off_below: float | None = None, **options: Any) -> pd.DataFrame:
    """Mean cosine with the first reading and its interval, for each network and reading.

    Args:
        table: A table of :func:`compare`, with network and group.
        off_below: If given, only maps whose relative error (see :func:`off`) is below it count.
        **options: Options of :func:`contrastlib.evaluation.statistics.means`.

    Returns:
        A row for each network and reading, with the columns of
        :func:`contrastlib.evaluation.statistics.means`. Networks without a map that counts have no row.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = compare(net, torch.rand(2, 3, 8, 8), steps=4).assign(network="n", group=[0, 1] * 3)
    >>> cosines(table, resamples=10)["reading"].tolist()
    ['weights fixed at x', 'log-odds', 'probability']
    """
    if off_below is not None:
        table = table[off(table) < off_below]
    if table.empty:
        return pd.DataFrame(columns=["network", "reading", "mean", "low", "high", "images", "groups"])
    return means(table, "similarity", ["network", "reading"], **options)


def off(table: pd.DataFrame) -> pd.Series:
    """Relative error of the integral: difference of the sum of each map from the change of its function.

    It is 0 if the integral is exact. Changes below 0.001 count as 0.001.

    Args:
        table: A table of :func:`compare`.

    Returns:
        One number for each row.

    >>> off(pd.DataFrame({"total": [1.1, 0.0], "change": [1.0, 0.0]})).round(3).tolist()
    [0.1, 0.0]
    """
    return (table["total"] - table["change"]).abs() / table["change"].abs().clip(lower=1e-3)
