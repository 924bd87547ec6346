"""What float32 does to the gradient of a probability that is nearly 1."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import predict


def softmax_gradients(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Back-propagate from the softmax output p_t, as the papers' code does, and compare with the truth.

    The exact direction of grad_y p_t is that of the weighted contrast. t is the predicted class.

    Returns:
        One row an image, with image (index in the batch), log_odds of t, target_weight (the computed
        derivative of p_t by y_t in the model's dtype) and cosine between the computed gradient
        and the exact direction (NaN where the computed one is zero).
    """
    logits = predict(model, images)
    target = logits.argmax(dim=1)
    computed = softmax_gradient(logits, target).double()
    exact = contrasts.weighted(logits.double(), target)
    norms = computed.norm(dim=1)
    cosine = (computed * exact).sum(dim=1) / (norms * exact.norm(dim=1))
    return pd.DataFrame({
        "image": range(len(images)),
        "log_odds": contrasts.log_odds(logits.double(), target).numpy(force=True),
        "target_weight": computed.gather(1, target[:, None]).squeeze(1).numpy(force=True),
        "cosine": cosine.where(norms > 0, torch.nan).numpy(force=True),
    })


def softmax_gradient(logits: Tensor, target: Tensor) -> Tensor:
    """grad_y p_t (B, C) by automatic differentiation of softmax in the dtype of the logits.

    >>> softmax_gradient(torch.tensor([[20., 0.]]), torch.tensor([0]))[0, 0].item()
    0.0
    """
    logits = logits.detach().requires_grad_()
    return torch.autograd.grad(logits.softmax(dim=1).gather(1, target[:, None]).sum(), logits)[0]


def cotangent(contrast: str, logits: Tensor, target: Tensor) -> Tensor:
    """:func:`contrastlib.contrasts.registry.cotangent` (B, C), and "softmax", what the papers' code has for the weighted contrast.

    >>> cotangent("softmax", torch.tensor([[20., 0., 0.]]), torch.tensor([0]))[0, 0].item()
    0.0
    """
    return softmax_gradient(logits, target) if contrast == "softmax" else contrasts.cotangent(contrast, logits, target)
