"""The ResNets for CIFAR-10 of He et al., "Deep residual learning for image recognition" (CVPR 2016), §4.2.

Three stages of n blocks with 16, 32 and 64 channels, 6n + 2 layers with parameters. Shortcuts have none
("option A"). Names of parameters are those of github.com/akamaster/pytorch_resnet_cifar10.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Shortcut(nn.Module):
    """Option A: every second pixel, and as many channels of zeros before the old ones as after them."""

    def __init__(self, added_channels: int):
        super().__init__()
        self.added_channels = added_channels

    def forward(self, features: Tensor) -> Tensor:
        half = self.added_channels // 2
        return functional.pad(features[:, :, ::2, ::2], (0, 0, 0, 0, half, half))


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut around them."""

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = Shortcut(channels - channels_in) if stride > 1 else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        hidden = functional.relu(self.bn1(self.conv1(features)))
        return functional.relu(self.bn2(self.conv2(hidden)) + self.shortcut(features))


class CifarResNet(nn.Module):
    """ResNet of ``depth`` 6n + 2: normalised images (B, 3, 32, 32) -> logits (B, classes).

    Raises:
        ValueError: the depth is not 6n + 2.

    >>> sum(parameter.numel() for parameter in CifarResNet(20).parameters())
    269722
    """

    def __init__(self, depth: int, num_classes: int = 10):
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth is {depth}: it must be 6n + 2 (20, 32, 44, 56, ...)")
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks, stride=1)
        self.layer2 = _stage(16, 32, blocks, stride=2)
        self.layer3 = _stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean((2, 3)))


def _stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = Block(channels_in, channels, stride)
    return nn.Sequential(first, *(Block(channels, channels, 1) for _ in range(blocks - 1)))
