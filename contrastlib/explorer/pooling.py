"""Sums of pixel maps over squares of pixels, which make them small enough to store."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pooling(side: int) -> int:
    """Choose the side of the squares, in pixels, so that the pooled map has about 32 values a side.

    Args:
        side: Side of the map in pixels. The result divides it.

    >>> pooling(128), pooling(112), pooling(224), pooling(32)
    (4, 4, 7, 1)
    """
    divisors = [n for n in range(1, side + 1) if side % n == 0]
    return min((n for n in divisors if side // n >= min(side, 16)), key=lambda n: abs(side // n - 32))


def pool(maps: Tensor, factor: int) -> Tensor:
    """Sum maps (..., H, W) over squares of ``factor`` pixels a side.

    >>> import torch
    >>> pool(torch.ones(2, 4, 4), 2).shape, pool(torch.ones(2, 4, 4), 2).unique().item()
    (torch.Size([2, 2, 2]), 4.0)
    """
    return F.avg_pool2d(maps.flatten(0, -3), factor, divisor_override=1).unflatten(0, maps.shape[:-2])
