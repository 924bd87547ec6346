"""Noisy linear imputation: fill removed pixels so smoothly that their outline gives nothing away.

Each removed pixel is the weighted mean of its eight neighbours, 1/6 for those that share a side and 1/12 for
those at a corner, plus a little noise. Neighbours that are removed too are unknown, so this is a linear
system. It is solved from coarse to fine: the solution at half the size is the start at full size, where
Jacobi's iteration removes what is left.

Source: Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods" (ROAD).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from contrastlib.evaluation.seeding import image_seed

COARSEST = 4
"""Side in pixels below which removed pixels begin at the mean of those that are left."""


def imputed(
    images: Tensor, removed: Tensor, noise: float = 0.01, seed: int = 0, iterations: int = 10
) -> Tensor:
    """Fill removed pixels by noisy linear imputation.

    Args:
        images: Images (B, K, H, W).
        removed: Boolean masks (B, H, W) or (N, B, H, W) that are true at removed pixels.
        noise: Standard deviation of the noise, in the units of the images.
        seed: Seed of the noise, which also depends on the image, but not on its batch.
        iterations: Iterations of Jacobi at each size. With 10 of them the error is far below the noise.

    Returns:
        Images (B, K, H, W) or (N, B, K, H, W).

    Raises:
        ValueError: All pixels of an image are removed.

    >>> ramp = torch.arange(5.).expand(1, 1, 5, 5)
    >>> hole = torch.zeros(1, 5, 5, dtype=torch.bool)
    >>> hole[0, 2, 2] = True
    >>> imputed(ramp, hole, noise=0).allclose(ramp)
    True
    """
    if removed.flatten(-2).all(dim=-1).any():
        raise ValueError("all pixels of an image are removed, so nothing is left to fill it with")
    drawn = torch.stack([_noise(image, seed) for image in images]) * noise
    gone = removed[..., None, :, :]
    values = images.expand(*gone.shape[:-3], *images.shape[-3:])
    filled = _solved(values.flatten(0, -4), ~gone.flatten(0, -4), iterations).view(values.shape)
    return torch.where(gone, filled + drawn, images)


def _solved(values: Tensor, known: Tensor, iterations: int) -> Tensor:
    """Solve for the values (N, K, H, W) that are not known (N, 1, H, W)."""
    start = _mean_of_known(values, known)
    if min(values.shape[-2:]) > COARSEST:
        size, weight = values.shape[-2:], known.to(values)
        coarse = F.adaptive_avg_pool2d(weight, [-(-side // 2) for side in size])
        mean = F.adaptive_avg_pool2d(values * weight, coarse.shape[-2:]) / coarse.clamp(min=1e-9)
        start = _resized(_solved(mean, coarse > 0, iterations), size)
    filled = torch.where(known, values, start)
    total = _of_neighbours(torch.ones_like(filled[:1, :1]))
    for _ in range(iterations):
        filled = torch.where(known, values, _of_neighbours(filled) / total)
    return filled


def _of_neighbours(values: Tensor) -> Tensor:
    """Weighted sum of the eight neighbours; what lies outside the image is 0."""
    padded = F.pad(values, (1, 1, 1, 1))
    rows = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:] - 4 * values) / 12


def _mean_of_known(values: Tensor, known: Tensor) -> Tensor:
    return (values * known).sum(dim=(-2, -1), keepdim=True) / known.sum(dim=(-2, -1), keepdim=True)


def _resized(values: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(values, tuple(size), mode="bilinear", align_corners=False)


def _noise(image: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(image_seed(image, seed))
    return torch.randn(image.shape, generator=generator, dtype=image.dtype).to(image.device)
