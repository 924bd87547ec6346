"""Noisy linear imputation: fill removed pixels so smoothly that their outline gives nothing away.

Each removed pixel is the weighted mean of its eight neighbours, 1/6 for those that share a side and 1/12 for
those at a corner, plus a little noise. Neighbours that are removed too are unknown, so this is a linear
system. It is solved by multigrid: Jacobi's iteration removes what is rough in the error, and the rest is
solved for at half the size.

Source: Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods" (ROAD).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from contrastlib.evaluation.seeding import image_seed

COARSEST = 4
"""Side in pixels up to which the system is solved at its own size."""


def imputed(images: Tensor, removed: Tensor, noise: float = 0.01, seed: int = 0, cycles: int = 5) -> Tensor:
    """Fill removed pixels by noisy linear imputation.

    Args:
        images: Images (B, K, H, W).
        removed: Boolean masks (B, H, W) or (N, B, H, W) that are true at removed pixels.
        noise: Standard deviation of the noise, in the units of the images.
        seed: Seed of the noise, which also depends on the image, but not on its batch.
        cycles: Cycles of multigrid. Each leaves about half of the error or less. After five of them the mean
            error is below 0.003 for images in [0, 1], even if 90 % of the pixels are removed.

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
    filled = _solved(values.flatten(0, -4), gone.flatten(0, -4), cycles).view(values.shape)
    return torch.where(gone, filled + drawn, images)


def _solved(values: Tensor, gone: Tensor, cycles: int) -> Tensor:
    """Values (N, K, H, W) of which those that are gone (N, 1, H, W) solve the system."""
    known = ~gone
    mean = (values * known).sum(dim=(-2, -1), keepdim=True) / known.sum(dim=(-2, -1), keepdim=True)
    filled = torch.where(gone, mean, values)
    for _ in range(cycles):
        filled = filled + _correction(torch.where(gone, _mean_of_neighbours(filled) - filled, 0), gone)
    return filled


def _correction(residual: Tensor, gone: Tensor, sweeps: int = 2) -> Tensor:
    """Approximate the e, 0 where nothing is gone, with e - (mean of the neighbours of e) = residual."""

    def smoothed(e: Tensor, times: int) -> Tensor:
        for _ in range(times):
            e = torch.where(gone, residual + _mean_of_neighbours(e), 0)
        return e

    size = residual.shape[-2:]
    e = smoothed(torch.zeros_like(residual), sweeps)
    if min(size) <= COARSEST:
        return smoothed(e, 5 * sweeps)
    half = [-(-side // 2) for side in size]
    left = torch.where(gone, residual - e + _mean_of_neighbours(e), 0)
    inside = F.adaptive_avg_pool2d(gone.to(residual), half) > 0.999  # all four pixels are gone
    coarse = torch.where(inside, 4 * F.adaptive_avg_pool2d(left, half), 0)  # pixels are twice as far apart
    fine = F.interpolate(_correction(coarse, inside, sweeps), size, mode="bilinear", align_corners=False)
    return smoothed(e + torch.where(gone, fine, 0), sweeps)


def _mean_of_neighbours(values: Tensor) -> Tensor:
    """Weighted mean of the eight neighbours of each pixel, of those that lie in the image."""
    return _of_neighbours(values) / _of_neighbours(torch.ones_like(values[:1, :1]))


def _of_neighbours(values: Tensor) -> Tensor:
    """Weighted sum of the eight neighbours; what lies outside the image is 0."""
    padded = F.pad(values, (1, 1, 1, 1))
    rows = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:] - 4 * values) / 12


def _noise(image: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(image_seed(image, seed))
    return torch.randn(image.shape, generator=generator, dtype=image.dtype).to(image.device)
