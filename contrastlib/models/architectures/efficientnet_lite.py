"""EfficientNet-Lite, the EfficientNet whose only non-linearity is ReLU6.

Without squeeze-and-excitation and swish it is piecewise linear, so that FullGrad, LRP, DeepLIFT and guided
backpropagation apply. Its convolutions pad as TensorFlow does, since its published weights come from there.

References: Tan and Le, EfficientNet, ICML 2019 (table 1, compound scaling); the Lite variants are those of
TensorFlow's ``efficientnet/lite``.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from torch import Tensor, nn

from contrastlib.models.architectures.padding import SamePadConv2d

EPSILON = 1e-3  # of the batch norms, TensorFlow's


class Scale(NamedTuple):
    """How a variant differs from Lite0."""

    width: float
    """factor of the number of channels, rounded to a multiple of 8"""
    depth: float
    """factor of the number of blocks of a stage, rounded up"""
    input_size: int
    """side of its images, in pixels"""


SCALES = {0: Scale(1.0, 1.0, 224), 1: Scale(1.0, 1.1, 240), 2: Scale(1.1, 1.2, 260)}


class Stage(NamedTuple):
    """Blocks of one kind, as in Lite0; the first of them has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280  # channels, the same in every variant


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection; the input is added where the shapes agree."""

    def __init__(self, channels: int, stage: Stage, stride: int):
        super().__init__()
        width = channels * stage.expansion
        self.expand = _convolution(channels, width, 1) if stage.expansion > 1 else nn.Identity()
        self.depthwise = _convolution(width, width, stage.kernel, stride, groups=width)
        self.project = _convolution(width, stage.channels, 1)[:2]  # linear: without the ReLU6
        self.residual = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Normalised images (B, 3, H, W) -> logits (B, classes).

    Args:
        variant: 0, 1 or 2.
        num_classes: number of outputs.

    >>> import torch
    >>> EfficientNetLite(0, num_classes=5).eval()(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2, 5])
    """

    def __init__(self, variant: int = 0, num_classes: int = 1000):
        super().__init__()
        scale = SCALES[variant]
        layers, channels = [_convolution(3, STEM, 3, stride=2)], STEM
        for place, stage in enumerate(STAGES):
            ends = place in (0, len(STAGES) - 1)  # these are not repeated more often in any variant
            blocks = stage.blocks if ends else math.ceil(stage.blocks * scale.depth)
            stage = stage._replace(channels=_rounded(stage.channels * scale.width))
            for block in range(blocks):
                layers.append(InvertedResidual(channels, stage, 1 if block else stage.stride))
                channels = stage.channels
        layers.append(_convolution(channels, HEAD, 1))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(HEAD, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.pool(self.features(x)).flatten(1)))


def own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of :class:`EfficientNetLite`, from those of the package of the weights.

    >>> list(own_names({"_blocks.0._bn1.bias": 1, "_blocks.0._project_conv.weight": 2, "_fc.bias": 3}))
    ['features.1.depthwise.1.bias', 'features.1.project.0.weight', 'classifier.bias']
    """
    blocks = {int(found[1]) for name in state if (found := re.match(r"_blocks\.(\d+)\.", name))}
    head = max(blocks) + 2
    outer = {"_conv_stem": "features.0.0", "_bn0": "features.0.1", "_conv_head": f"features.{head}.0",
             "_bn1": f"features.{head}.1", "_fc": "classifier"}
    inner = {"_expand_conv": "expand.0", "_bn0": "expand.1", "_depthwise_conv": "depthwise.0", "_bn1": "depthwise.1",
             "_project_conv": "project.0", "_bn2": "project.1"}

    def renamed(name: str) -> str:
        *block, module, parameter = name.split(".")
        return f"features.{int(block[1]) + 1}.{inner[module]}.{parameter}" if block else f"{outer[module]}.{parameter}"

    return {renamed(name): value for name, value in state.items()}


def _convolution(channels: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    if stride == 1:  # TensorFlow's padding is the usual one there
        convolution = nn.Conv2d(channels, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        convolution = SamePadConv2d(channels, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=EPSILON), nn.ReLU6(inplace=True))


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, at most a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
