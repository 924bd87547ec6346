"""Interpolation of maps of a layer to the size of the images."""

from __future__ import annotations

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

    >>> import torch
    >>> upsample(torch.ones(2, 5, 7, 7), (224, 224)).shape
    torch.Size([2, 5, 224, 224])
    """
    planes = maps.reshape(-1, 1, *maps.shape[-2:])
    planes = F.interpolate(planes, size, mode="bilinear", align_corners=align_corners)
    return planes.reshape(*maps.shape[:-2], *size)
