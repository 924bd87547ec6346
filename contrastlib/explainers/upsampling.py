"""Interpolation of maps of a layer to the size of the images."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch.nn.functional as F
from torch import Tensor


def upsample(maps: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Interpolate maps to the size of the images, bilinearly.

    Args:
        maps: Maps (..., h, w).
        size: Height and width (H, W).
        align_corners: If False, each value of a map lies in the centre of the image patch that it stands for.
            If True, the values at the corners of a map lie at the corners of the image, as in the published
            codes.

    Returns:
        Maps (..., H, W).

    Raises:
        TypeError: The maps are not a floating-point tensor, or the size is not two whole numbers.
        ValueError: A height or a width is 0, or the maps have fewer than 2 dimensions.

    >>> import torch
    >>> upsample(torch.ones(2, 5, 7, 7), (224, 224)).shape
    torch.Size([2, 5, 224, 224])
    """
    _check_maps(maps)
    _check_size(size)
    planes = maps.reshape(-1, 1, *maps.shape[-2:])
    planes = F.interpolate(planes, size, mode="bilinear", align_corners=align_corners)
    return planes.reshape(*maps.shape[:-2], *size)


def _check_maps(maps: Tensor) -> None:
    if not isinstance(maps, Tensor):
        raise TypeError(
            f"maps must be a tensor (..., h, w), got {type(maps).__name__}: use torch.as_tensor(maps)"
        )
    if not maps.is_floating_point():
        raise TypeError(f"maps must be floating point, got {maps.dtype}: convert them with maps.float()")
    if maps.ndim < 2 or 0 in maps.shape[-2:]:
        raise ValueError(f"maps must have shape (..., h, w) with h and w from 1, got {tuple(maps.shape)}")


def _check_size(size: Sequence[int]) -> None:
    whole = isinstance(size, Sequence) and all(isinstance(side, Integral) for side in size)
    if not whole or len(size) != 2:
        raise TypeError(f"size must be two whole numbers (H, W), got {size!r}: take images.shape[-2:]")
    if min(size) < 1:
        raise ValueError(f"size is {tuple(size)}: height and width must be at least 1")
