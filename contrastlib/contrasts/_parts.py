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
    """
    if not single:
        return weights
    return weights[:, 1:] - weights[:, :1] if is_original else weights[:, 1:]
