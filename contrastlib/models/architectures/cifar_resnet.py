"""The ResNets for CIFAR-10 (He et al. 2016, "Deep residual learning for image recognition", CVPR, sec. 4.2).

They have three stages of n blocks, with 16, 32 and 64 channels, and 6n + 2 layers with parameters. Shortcuts
have no parameters ("option A"). The names of parameters are those of
github.com/akamaster/pytorch_resnet_cifar10.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Shortcut(nn.Module):
    """A shortcut of option A: it takes every second pixel and adds channels of zeros on both sides.

    Args:
        added_channels: The number of channels to add, half of them before the existing ones.

    >>> import torch
    >>> Shortcut(2)(torch.ones(1, 4, 6, 6)).shape
    torch.Size([1, 6, 3, 3])
    """

    def __init__(self, added_channels: int) -> None:
        super().__init__()
        self.added_channels = added_channels

    def forward(self, features: Tensor) -> Tensor:
        """Apply the shortcut to features (B, K, h, w)."""
        half = self.added_channels // 2
        return functional.pad(features[:, :, ::2, ::2], (0, 0, 0, 0, half, half))


class Block(nn.Module):
    """A residual block of two 3 x 3 convolutions.

    Args:
        channels_in: The number of channels of its input.
        channels: The number of channels of its output.
        stride: The stride of its first convolution.

    >>> import torch
    >>> Block(4, 8, stride=2)(torch.ones(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = Shortcut(channels - channels_in) if stride > 1 else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Apply the block to features (B, K, h, w)."""
        hidden = functional.relu(self.bn1(self.conv1(features)))
        return functional.relu(self.bn2(self.conv2(hidden)) + self.shortcut(features))


class CifarResNet(nn.Module):
    """A ResNet that maps normalised images (B, 3, 32, 32) to logits (B, C).

    Args:
        depth: The number of layers with parameters, 6n + 2.
        num_classes: The number of classes, C.

    Raises:
        ValueError: The depth is not 6n + 2.

    >>> sum(parameter.numel() for parameter in CifarResNet(20).parameters())
    269722
    """

    def __init__(self, depth: int, num_classes: int = 10) -> None:
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
        """Compute the logits (B, C) of images (B, 3, 32, 32)."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean((2, 3)))


def _stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = Block(channels_in, channels, stride)
    return nn.Sequential(first, *(Block(channels, channels, 1) for _ in range(blocks - 1)))
