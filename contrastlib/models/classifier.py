"""A classifier that takes images in [0, 1] and knows its classes, its preprocessing and its layer for maps."""

import torch
from torch import nn

from contrastlib.datasets.base import crop

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """(x − mean) / std, per channel.

    >>> Normalise(mean=(0.5,), std=(0.25,))(torch.ones(1, 1, 1, 1)).item()
    2.0
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images):
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """``classifier(images)``: images (B, 3, H, W) in [0, 1] -> logits (B, C). In evaluation mode.

    Parameters: ``network``, normalised images -> logits; ``layer``, dotted name in the Classifier of the
    layer whose activations maps are made from; ``input_size``, side of the square images in pixels;
    ``resize``, length of the shorter side of a photograph before it is cropped to that (default: no more than
    the crop); ``checksum``, SHA-256 of the weights.
    """

    def __init__(self, network, *, name, class_names, layer, input_size, checksum, resize=None,
                 mean=IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.network = network
        self.name, self.class_names, self.layer = name, list(class_names), layer
        self.input_size, self.resize, self.checksum = input_size, resize or input_size, checksum
        self.eval()

    def forward(self, images):
        return self.network(self.normalise(images))

    def preprocess(self, image):
        """A PIL image as (3, input_size, input_size) in [0, 1]: shorter side resized, crop at the centre."""
        return crop(image, self.resize, self.input_size)
