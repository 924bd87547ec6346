"""Explainers: pure functions of a forward pass and a cotangent, one file per family."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from contrastlib.explainers.cam import gradcam, linear_approximation, xgradcam
from contrastlib.explainers.gradients import gradient, input_x_gradient

INPUT_SPACE = {f.__name__: f for f in (gradient, input_x_gradient)}
ACTIVATION_SPACE = {f.__name__: f for f in (gradcam, linear_approximation, xgradcam)}
METHODS = INPUT_SPACE | ACTIVATION_SPACE


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
