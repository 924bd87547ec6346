"""A classifier of images in [0, 1], with its class names, its preprocessing and its default layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from contrastlib.assets.records import IMAGENET_MEAN, IMAGENET_STD
from contrastlib.datasets.base import crop


class Normalise(nn.Module):
    """The normalisation of images (B, K, H, W) for each channel: (x - mean) / std.

    Args:
        mean: The mean of each channel.
        std: The standard deviation of each channel.

    >>> Normalise(mean=(0.5,), std=(0.25,))(torch.ones(1, 1, 1, 1)).item()
    2.0
    """

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images (B, K, H, W)."""
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """A network with its normalisation, which maps images (B, 3, H, W) in [0, 1] to logits (B, C).

    It is made in evaluation mode.

    Args:
        network: A network that maps normalised images to logits.
        name: The name that ``models.load`` takes.
        class_names: The names of the C classes.
        layer: The name, within the classifier, of the default layer of class activation maps. None if no
            layer of the network has outputs (B, K, h, w) with several spatial positions.
        input_size: Height and width of the images, in pixels.
        checksum: The SHA-256 checksum of the file of weights.
        resize: The length of the shorter side of a photograph before it is cropped, in pixels. If None, it is
            ``input_size``.
        interpolation: The interpolation that resizes a photograph.
        mean: The mean of each channel, for the normalisation.
        std: The standard deviation of each channel, for the normalisation.

    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> classifier = Classifier(network, name="tiny", class_names=["owl", "wren"], layer="network.0",
    ...                         input_size=8, checksum="none")
    >>> classifier(classifier.preprocess(Image.new("RGB", (30, 20)))[None]).shape
    torch.Size([1, 2])
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        class_names: Iterable[str],
        layer: str | None,
        input_size: int,
        checksum: str,
        resize: int | None = None,
        interpolation: InterpolationMode = InterpolationMode.BICUBIC,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.network = network
        self.name, self.class_names, self.layer, self.checksum = name, list(class_names), layer, checksum
        self.input_size, self.resize, self.interpolation = input_size, resize or input_size, interpolation
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits (B, C) of images (B, 3, H, W) in [0, 1]."""
        return self.network(self.normalise(images))

    def preprocess(self, image: Image.Image) -> Tensor:
        """Turn a photograph into an image of this network: resize its shorter side, then crop the centre.

        Args:
            image: The photograph.

        Returns:
            The image (3, H, W) in [0, 1], with H = W = ``input_size``.
        """
        return crop(image, self.resize, self.input_size, interpolation=self.interpolation)
