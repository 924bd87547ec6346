"""Photographs that scikit-image provides under a free licence, so that the report may show them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image

from contrastlib import assets
from contrastlib.datasets.base import Photographs


class PackagedPhotographs(Photographs):
    """Photographs of scikit-image: a cat, a cup of coffee, a rocket, a man with a camera, an astronaut.

    Args:
        labels: File name of each photograph, and the label that this project gives it.
        class_names: Names of the classes, in the order of the labels.
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Attributes:
        paths: Path of each photograph, by file name.
        checksum: SHA-256 of the checksums of all photographs.

    Raises:
        DataError: scikit-image is not installed, or its files differ from the registered ones.

    >>> from contrastlib import datasets
    >>> cat = datasets.load("photographs")[0]
    >>> cat.name, cat.image.shape
    ('chelsea.png', torch.Size([3, 224, 224]))
    """

    def __init__(self, labels: Mapping[str, int], class_names: Iterable[str], **options: Any) -> None:
        """Find the files."""
        self.paths = {name: assets.path(name) for name in labels}
        contents = "".join(assets.file(name).sha256 for name in labels)
        self.checksum = hashlib.sha256(contents.encode()).hexdigest()
        super().__init__("photographs", class_names, labels.items(), **options)

    def open(self, name: str) -> Image.Image:
        """Open the photograph with this file name."""
        return Image.open(self.paths[name])
