"""The gradient of a probability close to 1 in float32."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import predict


def softmax_gradients(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Compare the gradient of the softmax output p_t, as in the code of the papers, with its exact direction.

    The exact direction of grad_y p_t is that of the weighted contrast. t is the predicted class.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.

    Returns:
        One row for each image, with image (index in the batch), log_odds of t, target_weight (the computed
        derivative of p_t with respect to y_t, in the dtype of the model) and cosine between the computed
        gradient and the exact direction, which is NaN if the computed gradient is 0.
    """
    logits = predict(model, images)
    target = logits.argmax(dim=1)
    computed = softmax_gradient(logits, target).double()
    return pd.DataFrame({
        "image": range(len(images)),
        "log_odds": contrasts.log_odds(logits.double(), target).numpy(force=True),
        "target_weight": computed.gather(1, target[:, None]).squeeze(1).numpy(force=True),
        "cosine": _cosine_with_exact(computed, logits, target).numpy(force=True),
    })


def direction_lost(table: pd.DataFrame, cosine: float = 0.99) -> pd.DataFrame:
    """Share of images of each network whose gradient through the softmax lacks the exact direction.

    Args:
        table: A table of :func:`softmax_gradients`, with network and dataset.
        cosine: A direction is lost if its cosine with the exact one is below this, or if the gradient is 0.

    Returns:
        One row for each network and dataset, with network, dataset, images, log_odds (median), mean (share of
        images whose direction is lost) and target_lost (share whose derivative with respect to y_t is exactly
        0).

    >>> table = pd.DataFrame({"network": "a", "dataset": "b", "image": [0, 1], "log_odds": [1.0, 20.0],
    ...                       "target_weight": [0.2, 0.0], "cosine": [1.0, 0.6]})
    >>> direction_lost(table)[["log_odds", "mean", "target_lost"]].values.tolist()
    [[10.5, 0.5, 0.5]]
    """
    table = table.assign(lost=~(table["cosine"] >= cosine), target_lost=table["target_weight"] == 0)
    columns = {"images": ("image", "count"), "log_odds": ("log_odds", "median"),
               "mean": ("lost", "mean"), "target_lost": ("target_lost", "mean")}
    return table.groupby(["network", "dataset"], sort=False).agg(**columns).reset_index()


def direction_curve(log_odds: Tensor, rivals: Sequence[float] = (0.0, -1.0, -2.0)) -> pd.DataFrame:
    """Cosine of two float32 gradients with the exact one, as the logit of the target grows.

    Args:
        log_odds: Values (N,) of log(p_t / (1 - p_t)) of the target.
        rivals: Logits of the other classes.

    Returns:
        One row for each log-odds and contrast ("weighted" or "softmax"), with log_odds, contrast and cosine,
        which is NaN if the computed gradient is 0.

    >>> curve = direction_curve(torch.tensor([1.0, 20.0]))
    >>> curve.groupby("contrast")["cosine"].min().round(2).to_dict()
    {'softmax': 0.58, 'weighted': 1.0}
    """
    others = torch.tensor(rivals)
    logits = torch.cat([log_odds[:, None] + others.logsumexp(0), others.expand(len(log_odds), -1)], dim=1)
    target = torch.zeros(len(logits), dtype=torch.long)
    tables = []
    for contrast in ("weighted", "softmax"):
        computed = cotangent(contrast, logits, target).double()
        cosine = _cosine_with_exact(computed, logits, target)
        tables.append(pd.DataFrame({"log_odds": log_odds, "contrast": contrast, "cosine": cosine}))
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
    logits = logits.detach().requires_grad_()
    return torch.autograd.grad(logits.softmax(dim=1).gather(1, target[:, None]).sum(), logits)[0]


def cotangent(contrast: str, logits: Tensor, target: Tensor) -> Tensor:
    """:func:`contrastlib.contrasts.registry.cotangent` with one more contrast, "softmax".

    "softmax" is the gradient that the code of the papers computes for the weighted contrast, see
    :func:`softmax_gradient`.

    Args:
        contrast: Name of a contrast, or "softmax".
        logits: Logits (B, C).
        target: Target classes (B,).

    Returns:
        The cotangent (B, C).

    >>> cotangent("softmax", torch.tensor([[20., 0., 0.]]), torch.tensor([0]))[0, 0].item()
    0.0
    """
    return (
        softmax_gradient(logits, target)
        if contrast == "softmax"
        else contrasts.cotangent(contrast, logits, target)
    )


def _cosine_with_exact(computed: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Cosine (B,) of a float64 gradient of p_t with its exact direction, NaN if the gradient is 0."""
    exact = contrasts.weighted(logits.double(), target)
    norms = computed.norm(dim=1)
    cosine = (computed * exact).sum(dim=1) / (norms * exact.norm(dim=1))
    return cosine.where(norms > 0, torch.nan)
