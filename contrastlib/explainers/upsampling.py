"""Maps of a layer brought to the size of the images."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def upsample(maps: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Maps (..., h, w) to (..., H, W) by bilinear interpolation.

    ``align_corners=False`` puts each cell of a map over the image patch it stands for; the
    published codes use True.

    >>> import torch
    >>> upsample(torch.ones(2, 5, 7, 7), (224, 224)).shape
    torch.Size([2, 5, 224, 224])
    """
    planes = maps.reshape(-1, 1, *maps.shape[-2:])
    planes = F.interpolate(planes, size, mode="bilinear", align_corners=align_corners)
    return planes.reshape(*maps.shape[:-2], *size)
