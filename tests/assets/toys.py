"""A network and a data set that only an extra registry file names, in ``test_extra_registry.py``."""

import torch
from torch import nn

from contrastlib.datasets import Example, ImageSet


def network(num_classes, width):
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )


class Noise(ImageSet):
    """Random images of a size."""

    def __init__(self, class_names, size, length=4):
        self.name, self.class_names, self.size, self.length = "toys", class_names, size, length
        self.checksum = f"noise, {size} px"

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        image = torch.rand(3, self.size, self.size, generator=torch.Generator().manual_seed(index))
        return Example(image, index % 2, index, f"noise-{index}")
