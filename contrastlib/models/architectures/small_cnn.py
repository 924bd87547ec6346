"""Small convolutional networks for the drawn birds.

Their structure and the names of their parts are those of torchvision's large networks. They map normalised
images (B, 3, 128, 128) to logits (B, C). Their last convolutions have 16 x 16 spatial positions; VGG-16 has
14 x 14 for images of 224 pixels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


class SmallVGG(nn.Module):
    """A VGG with batch norm. Its parts are ``features``, ``avgpool`` and ``classifier``, as in ``vgg16_bn``.

    Args:
        num_classes: The number of classes, C.

    >>> import torch
    >>> SmallVGG(30)(torch.zeros(2, 3, 128, 128)).shape
    torch.Size([2, 30])
    """

    LAYOUT = (16, "M", 32, "M", 64, 64, "M", 128, 128, "M")

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        layers, channels = [], 3
        for width in self.LAYOUT:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Sequential(
            nn.Linear(channels * 16, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, num_classes)
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits (B, C) of normalised images (B, 3, 128, 128)."""
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class SmallAlexNet(nn.Module):
    """An AlexNet without normalisation. Its parts are ``features``, ``avgpool`` and ``classifier``.

    Args:
        num_classes: The number of classes, C.

    >>> import torch
    >>> SmallAlexNet(30)(torch.zeros(2, 3, 128, 128)).shape
    torch.Size([2, 30])
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(),
            nn.Conv2d(128, 96, 3, padding=1), nn.ReLU(),
            nn.Conv2d(96, 96, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(96 * 16, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, num_classes)
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits (B, C) of normalised images (B, 3, 128, 128)."""
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class SmallResNet(nn.Module):
    """A ResNet of four basic blocks. Its parts are ``conv1``, ``layer1`` to ``layer3``, ``avgpool``, ``fc``.

    Args:
        num_classes: The number of classes, C.

    >>> import torch
    >>> SmallResNet(30)(torch.zeros(2, 3, 128, 128)).shape
    torch.Size([2, 30])
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(BasicBlock(24, 24))
        self.layer2 = nn.Sequential(_widening_block(24, 48))
        self.layer3 = nn.Sequential(_widening_block(48, 96), BasicBlock(96, 96))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(96, num_classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits (B, C) of normalised images (B, 3, 128, 128)."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        return self.fc(self.avgpool(maps).flatten(1))


def _widening_block(channels: int, width: int) -> BasicBlock:
    shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride=2, bias=False), nn.BatchNorm2d(width))
    return BasicBlock(channels, width, stride=2, downsample=shortcut)


def _initialise(network: nn.Module) -> None:
    """Initialise the convolutions as torchvision does (He initialisation)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
