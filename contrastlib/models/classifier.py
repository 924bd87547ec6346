"""A classifier of images in [0, 1] that knows its classes, its preprocessing and its layer for maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from contrastlib.assets.records import IMAGENET_MEAN, IMAGENET_STD
from contrastlib.datasets.base import crop


class Normalise(nn.Module):
    """(x − mean) / std, per channel.

    >>> Normalise(mean=(0.5,), std=(0.25,))(torch.ones(1, 1, 1, 1)).item()
    2.0
    """

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """Images (B, 3, H, W) in [0, 1] -> logits (B, C). In evaluation mode.

    Args:
        network: normalised images -> logits.
        name: as given to ``models.load``.
        class_names: of the C outputs.
        layer: dotted name, within the Classifier, of the layer whose activations maps are made from; None
            where no layer of the network has a spatial extent in the usual form (B, K, h, w).
        input_size: side of the square images, in pixels.
        checksum: SHA-256 of the file of weights.
        resize: length of a photograph's shorter side before the crop; ``input_size`` when None.
        interpolation: of that resizing.
        mean, std: of the normalisation.

    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> classifier = Classifier(network, name="tiny", class_names=["owl", "wren"], layer="network.0",
    ...                         input_size=8, checksum="none")
    >>> classifier(classifier.preprocess(Image.new("RGB", (30, 20)))[None]).shape
    torch.Size([1, 2])
    """

    def __init__(self, network: nn.Module, *, name: str, class_names: Iterable[str], layer: str | None,
                 input_size: int, checksum: str, resize: int | None = None,
                 interpolation: InterpolationMode = InterpolationMode.BICUBIC,
                 mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD):
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.network = network
        self.name, self.class_names, self.layer, self.checksum = name, list(class_names), layer, checksum
        self.input_size, self.resize, self.interpolation = input_size, resize or input_size, interpolation
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.network(self.normalise(images))

    def preprocess(self, image: Image.Image) -> Tensor:
        """A photograph as (3, input_size, input_size) in [0, 1]: shorter side resized, crop at the centre."""
        return crop(image, self.resize, self.input_size, interpolation=self.interpolation)
