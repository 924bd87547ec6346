"""The gradient of a probability close to 1, in 32 and 16 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import predict

DTYPES = ("float32", "float16", "bfloat16")
"""Precisions in which a cotangent is computed."""
GRADIENTS = ("softmax", "log_softmax", "weighted")
"""Computations of the direction of grad_y p_t, see :func:`cotangent`."""


def rounded_gradients(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    dtypes: Sequence[str] = DTYPES,
    gradients: Sequence[str] = GRADIENTS,
) -> pd.DataFrame:
    """Compare gradients of p_t that are computed in a given precision with their exact direction.

    The exact direction of grad_y p_t is that of the weighted contrast, computed in float64. t is the
    predicted class. The logits of the model are rounded to the precision first.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        dtypes: Names of floating-point types of torch, such as those of ``DTYPES``.
        gradients: Names of computations, see ``GRADIENTS``.

    Returns:
        One row for each image, dtype and gradient, with image (index in the batch), dtype, gradient, log_odds
        of t, target_weight (the computed derivative with respect to y_t) and cosine between the computed
        gradient and the exact direction, which is NaN if the computed gradient is 0.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> rounded_gradients(net, torch.rand(2, 3, 8, 8)).columns.tolist()
    ['image', 'dtype', 'gradient', 'log_odds', 'target_weight', 'cosine']
    """
    logits = predict(model, images)
    target = logits.argmax(dim=1)
    log_odds = contrasts.log_odds(logits.double(), target).numpy(force=True)
    tables = []
    for dtype, gradient in product(dtypes, gradients):
        computed = cotangent(gradient, logits.to(getattr(torch, dtype)), target).double()
        tables.append(
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "dtype": dtype,
                    "gradient": gradient,
                    "log_odds": log_odds,
                    "target_weight": computed.gather(1, target[:, None]).squeeze(1).numpy(force=True),
                    "cosine": _cosine_with_exact(computed, logits, target).numpy(force=True),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def direction_lost(table: pd.DataFrame, cosine: float = 0.99) -> pd.DataFrame:
    """Share of images of each network whose computed gradient lacks the exact direction.

    Args:
        table: A table of :func:`rounded_gradients`, with network and dataset.
        cosine: A direction is lost if its cosine with the exact one is below this, or if the gradient is 0.

    Returns:
        One row for each network, dataset, dtype and gradient, with images, log_odds (median), mean (share of
        images whose direction is lost), target_lost (share whose derivative with respect to y_t is exactly 0)
        and first (smallest log-odds of an image whose direction is lost, NaN if there is none).

    >>> table = pd.DataFrame({"network": "a", "dataset": "b", "dtype": "float32", "gradient": "softmax",
    ...                       "image": [0, 1], "log_odds": [1.0, 20.0], "target_weight": [0.2, 0.0],
    ...                       "cosine": [1.0, 0.6]})
    >>> direction_lost(table)[["log_odds", "mean", "target_lost", "first"]].values.tolist()
    [[10.5, 0.5, 0.5, 20.0]]
    """
    lost = ~(table["cosine"] >= cosine)
    table = table.assign(
        lost=lost, target_lost=table["target_weight"] == 0, first=table["log_odds"].where(lost)
    )
    columns = {
        "images": ("image", "count"),
        "log_odds": ("log_odds", "median"),
        "mean": ("lost", "mean"),
        "target_lost": ("target_lost", "mean"),
        "first": ("first", "min"),
    }
    by = ["network", "dataset", "dtype", "gradient"]
    return table.groupby(by, sort=False).agg(**columns).reset_index()


def lost_by_network(table: pd.DataFrame, dtype: str = "float32", gradient: str = "softmax") -> pd.Series:
    """Share of images whose gradient lacks the exact direction, for one precision and computation.

    Args:
        table: As in :func:`direction_lost`.
        dtype: A precision of the table.
        gradient: A computation of the table.

    Returns:
        Shares, indexed by network.
    """
    part = table[(table["dtype"] == dtype) & (table["gradient"] == gradient)]
    return direction_lost(part).set_index("network")["mean"]


def angles(table: pd.DataFrame, width: float = 2.0) -> pd.DataFrame:
    """Mean angle between computed and exact gradient, for images of similar log-odds.

    Args:
        table: A table of :func:`rounded_gradients`, of one or more networks, whose images are pooled.
        width: Width of a bin of log-odds.

    Returns:
        One row for each dtype, gradient and bin with images, with log_odds (centre of the bin), angle in
        degrees (0 to 180; a gradient of 0 counts as 90) and images.

    >>> table = pd.DataFrame({"dtype": "float32", "gradient": "softmax", "image": [0, 1],
    ...                       "log_odds": [0.5, 1.5], "cosine": [1.0, 0.0]})
    >>> angles(table)[["log_odds", "angle", "images"]].values.tolist()
    [[1.0, 45.0, 2.0]]
    """
    centre = (table["log_odds"] // width + 0.5) * width
    angle = np.degrees(np.arccos(table["cosine"].fillna(0.0).clip(-1, 1)))
    table = table.assign(log_odds=centre, angle=angle)
    columns = {"angle": ("angle", "mean"), "images": ("image", "count")}
    return table.groupby(["dtype", "gradient", "log_odds"], sort=False).agg(**columns).reset_index()


def direction_curve(
    log_odds: Tensor, rivals: Sequence[float] = (0.0, -1.0, -2.0), dtypes: Sequence[str] = DTYPES
) -> pd.DataFrame:
    """Cosine of computed gradients with the exact one, as the logit of the target grows.

    Args:
        log_odds: Values (N,) of log(p_t / (1 - p_t)) of the target.
        rivals: Logits of the other classes.
        dtypes: As in :func:`rounded_gradients`.

    Returns:
        One row for each dtype, gradient of ``GRADIENTS`` and log-odds, with dtype, gradient, log_odds and
        cosine, which is NaN if the computed gradient is 0.

    >>> curve = direction_curve(torch.tensor([1.0, 20.0]), dtypes=["float32"])
    >>> curve.groupby("gradient")["cosine"].min().round(2).to_dict()
    {'log_softmax': 0.58, 'softmax': 0.58, 'weighted': 1.0}
    """
    others = torch.tensor(rivals)
    logits = torch.cat([log_odds[:, None] + others.logsumexp(0), others.expand(len(log_odds), -1)], dim=1)
    target = torch.zeros(len(logits), dtype=torch.long)
    tables = []
    for dtype, gradient in product(dtypes, GRADIENTS):
        computed = cotangent(gradient, logits.to(getattr(torch, dtype)), target).double()
        cosine = _cosine_with_exact(computed, logits, target)
        row = {"dtype": dtype, "gradient": gradient, "log_odds": log_odds, "cosine": cosine}
        tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True)


def softmax_gradient(logits: Tensor, target: Tensor) -> Tensor:
    """Gradient of p_t with respect to the logits, by automatic differentiation of the softmax.

    Args:
        logits: Logits (B, C). Their dtype is that of the computation.
        target: Target classes (B,).

    Returns:
        The gradient (B, C).

    >>> softmax_gradient(torch.tensor([[20., 0.]]), torch.tensor([0]))[0, 0].item()
    0.0
    """
    return _gradient_of(torch.softmax, logits, target)


def log_softmax_gradient(logits: Tensor, target: Tensor) -> Tensor:
    """Gradient of log p_t with respect to the logits, by automatic differentiation of ``log_softmax``.

    It is (1 - p_t) times the weighted contrast, so it has the direction of the gradient of p_t.

    Args:
        logits: Logits (B, C). Their dtype is that of the computation.
        target: Target classes (B,).

    Returns:
        The gradient (B, C).

    >>> log_softmax_gradient(torch.tensor([[20., 0.]]), torch.tensor([0]))[0, 0].item()
    0.0
    """
    return _gradient_of(torch.log_softmax, logits, target)


def cotangent(gradient: str, logits: Tensor, target: Tensor) -> Tensor:
    """:func:`contrastlib.contrasts.registry.cotangent` with the two gradients of automatic differentiation.

    Args:
        gradient: Name of a contrast; or "softmax", the gradient that the code of the papers computes for the
            weighted contrast, see :func:`softmax_gradient`; or "log_softmax", see
            :func:`log_softmax_gradient`.
        logits: Logits (B, C).
        target: Target classes (B,).

    Returns:
        The cotangent (B, C).

    >>> cotangent("softmax", torch.tensor([[20., 0., 0.]]), torch.tensor([0]))[0, 0].item()
    0.0
    """
    if gradient == "softmax":
        return softmax_gradient(logits, target)
    if gradient == "log_softmax":
        return log_softmax_gradient(logits, target)
    return contrasts.cotangent(gradient, logits, target)


def _gradient_of(function: Callable[..., Tensor], logits: Tensor, target: Tensor) -> Tensor:
    """Gradient (B, C) of a function of the logits at the target classes, by automatic differentiation."""
    logits = logits.detach().requires_grad_()
    return torch.autograd.grad(function(logits, dim=1).gather(1, target[:, None]).sum(), logits)[0]


def _cosine_with_exact(computed: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Cosine (B,) of a float64 gradient of p_t with its exact direction, NaN if the gradient is 0."""
    exact = contrasts.weighted(logits.double(), target)
    norms = computed.norm(dim=1)
    cosine = (computed * exact).sum(dim=1) / (norms * exact.norm(dim=1))
    return cosine.where(norms > 0, torch.nan)
