"""Parts of the formulas of contrasts: unit vectors, logits without a class, and a single logit."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(logits: Tensor, index: Tensor) -> Tensor:
    """Unit vectors (B, C) of the classes ``index`` (B,), in the dtype of the logits."""
    return torch.zeros_like(logits).scatter_(1, index[:, None], 1)


def without(logits: Tensor, target: Tensor) -> Tensor:
    """Logits in which the target class is -inf, so that its softmax is 0."""
    return logits.scatter(1, target[:, None], -torch.inf)


def collapsed(weights: Tensor, single: bool, is_original: bool = False) -> Tensor:
    """Turn weights of the two logits (0, y) into the weight of y if there is a single logit.

    The original contrast of class 0 gives no weight to y. It counts as the logit -y, so its weight is -1.

    Args:
        weights: Weights (B, C), or (B, 2) of the logits (0, y).
        single: Whether there is a single logit.
        is_original: Whether the weights are those of the original contrast, or of a group against nothing.

    Returns:
        Weights (B, C), or (B, 1).

    >>> collapsed(torch.tensor([[1., 0.]]), single=True, is_original=True)
    tensor([[-1.]])
    """
    if not single:
        return weights
    return weights[:, 1:] - weights[:, :1] if is_original else weights[:, 1:]
