"""What explainers of the pixels take: a contrast as a function of the logits, and a baseline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from contrastlib.autograd import check_cotangent
from contrastlib.contrasts import ContrastFn

Baseline = float | Sequence[float] | Tensor


def cotangent_of(contrast_fn: ContrastFn, logits: Tensor) -> Tensor:
    """What the contrast makes of these logits, checked: (B, C) or (K, B, C).

    >>> from contrastlib.contrasts import original
    >>> cotangent_of(lambda y: original(y, 1), torch.tensor([[2., 1., 0.]]))
    tensor([[0., 1., 0.]])
    """
    cotangent = contrast_fn(logits)
    check_cotangent(cotangent, logits)
    return cotangent


def as_baseline(baseline: Baseline | None, images: Tensor) -> Tensor:
    """A number, a colour or a tensor as images of the same shape; 0 when None.

    Raises:
        TypeError, ValueError: it is none of these, does not broadcast to the images, or is not finite.

    >>> as_baseline([1, 0, 0], torch.rand(2, 3, 4, 4))[1, :, 3, 3]
    tensor([1., 0., 0.])
    """
    try:
        baseline = torch.as_tensor(0 if baseline is None else baseline, dtype=images.dtype, device=images.device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"a baseline is a number, a colour or a tensor, got {baseline!r}") from error
    baseline = baseline.detach()
    shape, channels = tuple(baseline.shape), images.shape[1]
    if shape == (channels,):
        baseline = baseline.view(-1, 1, 1)
    elif len(shape) == 1:
        raise ValueError(f"the baseline is a colour of {shape[0]} values, the images have {channels} channels")
    if not baseline.isfinite().all():
        raise ValueError("the baseline holds NaN or infinite values")
    try:
        return baseline.expand_as(images)
    except RuntimeError as error:
        raise ValueError(
            f"a baseline of shape {shape} does not broadcast to images of shape {tuple(images.shape)}"
        ) from error
