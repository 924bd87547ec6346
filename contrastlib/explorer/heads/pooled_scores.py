"""The head of SqueezeNet: a score of each class at each position, and their average."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contrastlib.explorer.heads.output import (
    Output,
    WeightedHead,
    modules_after_layer,
    random_image,
    same,
)
from contrastlib.models import Classifier


class PooledScores(WeightedHead):
    """A convolution of one position, a ReLU and global average pooling: y_s = mean_ij max(0, z^s_ij).

    The scores are z^s = sum_k W_sk a^k + b_s. The gradient of y_s is W_sk / (h w) where z^s is positive, and
    0 elsewhere. With m^s = 1 where z^s is positive:

    - GradCAM is mean(m^s) (z^s - b_s) / (h w)
    - the linear approximation is m^s (z^s - b_s) / (h w)
    - XGradCAM weighs channel k by W_sk / (h w) sum_ij m^s a^k / sum_ij abs(a^k)

    Source: Iandola et al. 2016, "SqueezeNet", and the formulas of :mod:`contrastlib.explainers.cam`.

    Args:
        weight: The weights W (C, K).
        bias: The biases b (C,).

    Attributes:
        methods: Names of the methods of each tensor of maps.
        bits: Bits of the stored weights with which maps stay within 1e-3 of their range.

    >>> logits, maps = PooledScores(torch.eye(3, 2), torch.zeros(3))(torch.ones(1, 2, 4, 4))
    >>> logits, [tuple(each.shape) for each in maps]
    (tensor([[1., 1., 0.]]), [(1, 3, 4, 4), (1, 3, 4, 4), (1, 3, 4, 4)])
    """

    methods = (("gradcam",), ("linear_approximation",), ("xgradcam",))
    bits = 32  # a rounded weight can turn a ReLU or the choice of a pool, and with it the map at a position

    def forward(self, activation: Tensor) -> Output:
        """Compute logits and maps from activations (1, K, h, w)."""
        positions = activation.shape[-2] * activation.shape[-1]
        linear = nn.functional.conv2d(activation, self.weight[:, :, None, None])
        scores = linear + self.bias[:, None, None]
        active = (scores > 0).to(scores)
        gradcam = active.mean(dim=(2, 3), keepdim=True) * linear / positions
        norm = activation.abs().sum(dim=(2, 3))[:, None]
        norm = torch.where(norm == 0, torch.ones_like(norm), norm)
        seen = active.flatten(2) @ activation.flatten(2).transpose(1, 2)  # (1, C, K)
        weights = self.weight / positions * seen / norm
        xgradcam = (weights @ activation.flatten(2)).unflatten(2, activation.shape[-2:])
        return Output(scores.relu().mean(dim=(2, 3)), (gradcam, active * linear / positions, xgradcam))

    @classmethod
    def of(cls, classifier: Classifier) -> PooledScores | None:
        """Read the head of a classifier, or return None if it has another one."""
        found = modules_after_layer(classifier, random_image(classifier))
        if found is None:
            return None
        activation, modules, logits = found
        modules = [module for module in modules if not isinstance(module, nn.Dropout)]
        kinds = [nn.Conv2d, nn.ReLU, nn.AdaptiveAvgPool2d]
        if [type(module) for module in modules] != kinds or modules[0].kernel_size != (1, 1):
            return None
        weight, bias = modules[0].weight.detach().flatten(1), modules[0].bias
        head = cls(weight, torch.zeros(len(weight)) if bias is None else bias.detach())
        return head if same(head(activation).logits, logits) else None
