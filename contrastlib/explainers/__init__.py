"""Explainers, one file per family.

Most are pure functions of a kept forward pass and a cotangent. Those that change how the network runs,
or run it at other points, take the network, the images and a contrast, a function of the logits.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from contrastlib.explainers.cam import gradcam, linear_approximation, xgradcam
from contrastlib.explainers.fullgrad import fullgrad
from contrastlib.explainers.gradients import gradient, input_x_gradient
from contrastlib.explainers.modified import deeplift, guided_backpropagation
from contrastlib.explainers.paths import integrated_gradients
from contrastlib.explainers.relevance import contrastive_lrp
from contrastlib.explainers.vit import attention_x_gradient, gradient_attention_rollout, vit_gradcam

INPUT_SPACE = {f.__name__: f for f in (gradient, input_x_gradient)}
ACTIVATION_SPACE = {f.__name__: f for f in (gradcam, linear_approximation, xgradcam)}
METHODS = INPUT_SPACE | ACTIVATION_SPACE
"""explainers of a pass that :func:`contrastlib.autograd.forward_pass.forward` recorded"""
TRANSFORMER = {f.__name__: f for f in (vit_gradcam, gradient_attention_rollout, attention_x_gradient)}
"""explainers of a pass that :func:`contrastlib.explainers.vit.vit_forward` recorded"""
OWN_PASS = {f.__name__: f for f in (integrated_gradients, guided_backpropagation, deeplift, fullgrad)}
OWN_PASS["lrp"] = contrastive_lrp
"""explainers (model, images, contrast) that run the network themselves"""
PIXELS = (*INPUT_SPACE, *OWN_PASS)
"""names of those whose maps are of the pixels, channel by channel"""


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
