"""Arguments of several explainers of the pixels: a function from logits to cotangents, and a baseline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from contrastlib.autograd import check_cotangent
from contrastlib.contrasts import ContrastFn

Baseline = float | Sequence[float] | Tensor
"""A number, a colour (a value for each of K channels), or a tensor that broadcasts to images (B, K, H, W)."""


def cotangent_of(contrast_fn: ContrastFn, logits: Tensor) -> Tensor:
    """Compute a cotangent and check it.

    Args:
        contrast_fn: Logits (B, C) -> cotangent (B, C) or (N, B, C).
        logits: Logits (B, C).

    Returns:
        The cotangent.

    Raises:
        TypeError: It is not a tensor.
        ValueError: It has another shape, or holds NaN or infinite values.

    >>> from contrastlib.contrasts import original
    >>> cotangent_of(lambda y: original(y, 1), torch.tensor([[2., 1., 0.]]))
    tensor([[0., 1., 0.]])
    """
    cotangent = contrast_fn(logits)
    check_cotangent(cotangent, logits)
    return cotangent


def as_baseline(baseline: Baseline | None, images: Tensor) -> Tensor:
    """Expand a baseline to the shape of the images.

    Args:
        baseline: A number, a colour (K values) or a tensor that broadcasts to the images. 0 if None.
        images: Images (B, K, H, W).

    Returns:
        The baseline (B, K, H, W), in the dtype of the images and on their device.

    Raises:
        TypeError: The baseline is not a number, a colour or a tensor.
        ValueError: The baseline does not broadcast to the images, or holds NaN or infinite values.

    >>> as_baseline([1, 0, 0], torch.rand(2, 3, 4, 4))[1, :, 3, 3]
    tensor([1., 0., 0.])
    """
    try:
        value = 0 if baseline is None else baseline
        baseline = torch.as_tensor(value, dtype=images.dtype, device=images.device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"a baseline is a number, a colour or a tensor, got {baseline!r}") from error
    baseline = baseline.detach()
    shape, channels = tuple(baseline.shape), images.shape[1]
    if shape == (channels,):
        baseline = baseline.view(-1, 1, 1)
    elif len(shape) == 1:
        raise ValueError(
            f"the baseline is a colour of {shape[0]} values, and the images have {channels} channels"
        )
    if not baseline.isfinite().all():
        raise ValueError("the baseline holds NaN or infinite values")
    try:
        return baseline.expand_as(images)
    except RuntimeError as error:
        raise ValueError(
            f"a baseline of shape {shape} does not broadcast to images of shape {tuple(images.shape)}"
        ) from error
