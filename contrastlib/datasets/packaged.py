"""Photographs that may be shown: those that come with scikit-image under a free licence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from PIL import Image

from contrastlib import assets
from contrastlib.datasets.base import Photographs


class PackagedPhotographs(Photographs):
    """Photographs of scikit-image: a cat, a cup of coffee, a rocket, a man with a camera, an astronaut.

    Args:
        labels: file -> the class that we name it by.
        class_names: of the labels.
        options: ``resize=256, crop=224, crops=1``, as for :class:`.Photographs`.

    Raises:
        DataError: scikit-image is not installed, or brings other files.

    >>> from contrastlib import datasets
    >>> cat = datasets.load("photographs")[0]
    >>> cat.name, cat.image.shape
    ('chelsea.png', torch.Size([3, 224, 224]))
    """

    def __init__(self, labels: Mapping[str, int], class_names: Iterable[str], **options):
        self.paths = {name: assets.path(name) for name in labels}
        contents = "".join(assets.file(name).sha256 for name in labels)
        self.checksum = hashlib.sha256(contents.encode()).hexdigest()
        super().__init__("photographs", class_names, labels.items(), **options)

    def open(self, name: str) -> Image.Image:
        return Image.open(self.paths[name])
