"""Photographs that may be shown: those that come with scikit-image under a free licence."""

from __future__ import annotations

import hashlib

from PIL import Image

from contrastlib import assets
from contrastlib.datasets.archives import imagenet_categories
from contrastlib.datasets.base import Photographs

LABELS = {"chelsea.png": 281, "coffee.png": 967, "rocket.jpg": 657, "camera.png": 872, "astronaut.png": 812}
"""file -> the class of ImageNet that we name it by: tabby, espresso, missile, tripod, space shuttle"""


class PackagedPhotographs(Photographs):
    """Five photographs of scikit-image: a cat, a cup of coffee, a rocket, a man with a camera, an astronaut.

    The classes are those of ImageNet-1k. The labels are ours: ImageNet has neither the name of the cat nor an
    astronaut.

    Args:
        options: ``resize=256, crop=224, crops=1``, as for :class:`.Photographs`.

    Raises:
        DataError: scikit-image is not installed, or brings other files.

    >>> cat = PackagedPhotographs()[0]
    >>> cat.name, cat.image.shape
    ('chelsea.png', torch.Size([3, 224, 224]))
    """

    def __init__(self, **options):
        self.paths = {name: assets.path(name) for name in LABELS}
        contents = "".join(assets.entry(name)["sha256"] for name in LABELS)
        self.checksum = hashlib.sha256(contents.encode()).hexdigest()
        super().__init__("photographs", imagenet_categories(), LABELS.items(), **options)

    def open(self, name: str) -> Image.Image:
        return Image.open(self.paths[name])
