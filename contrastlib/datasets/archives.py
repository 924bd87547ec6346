"""Photographs and CIFAR-10 images in zip archives, read without unpacking.

An archive holds its images uncompressed, and a table ``index.csv`` with one row for each image.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Collection, Iterable
from typing import Any

from PIL import Image

from contrastlib import assets
from contrastlib.datasets.base import Photographs, wrong_label

BIRDS = {*range(7, 25), *range(80, 101), *range(127, 147)}
"""Indices of the 59 classes of ImageNet-1k that are birds."""

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
"""Class names of CIFAR-10, in the order of its labels."""


class Archive(Photographs):
    """The images of one registered zip archive, in the order of its index.

    Workers of a DataLoader can share it, because each process opens the archive itself.

    Args:
        name: Name of the data set.
        file: Name of the archive in the registry.
        class_names: Names of the classes, in the order of the labels.
        label: Column of the index that holds the label. If a cell holds several numbers, the first one
            counts.
        only: Labels of the images to keep, or the import path of a collection of labels. None keeps all
            images.
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Attributes:
        path: Path of the archive.
        checksum: SHA-256 of the archive.

    Raises:
        DataError: The archive is missing or corrupt, or its index does not match its content.
    """

    def __init__(
        self,
        name: str,
        file: str,
        class_names: Iterable[str],
        label: str = "class_index",
        only: Collection[int] | str | None = None,
        **options: Any,
    ) -> None:
        """Read the index of the archive."""
        self.path, self.checksum = assets.path(file), assets.file(file).sha256
        only = assets.imported(only) if isinstance(only, str) else only
        class_names = list(class_names)
        try:
            entries = self._index(label, len(class_names))
        except Exception as error:  # zipfile, csv and decoders raise errors of many kinds
            raise assets.CorruptFile(
                f"{self.path} is not a zip archive with a valid index.csv: {error}. "
                "Replace it by a whole one."
            ) from error
        absent = {file for file, _ in entries} - set(self._zip().namelist())
        if absent:
            raise assets.CorruptFile(
                f"the index.csv of {self.path} lists images that the archive does not "
                f"contain, such as {min(absent)}"
            )
        kept = [entry for entry in entries if only is None or entry[1] in only]
        super().__init__(name, class_names, kept, **options)

    def open(self, name: str) -> Image.Image:
        """Open the image with this name in the archive."""
        return Image.open(io.BytesIO(self._zip().read(name)))

    def _index(self, label: str, classes: int) -> list[tuple[str, int]]:
        """Read (name, label) of each image.

        Raises:
            ValueError: A line has no such columns, or no label of a class. The message has its number.
        """
        entries = []
        with self._zip().open("index.csv") as table:
            rows = csv.DictReader(io.TextIOWrapper(table, encoding="utf-8"))
            for row in rows:
                try:
                    name, text = row["file"], row[label]
                    number = int((text or "").partition(" ")[0])
                except KeyError as error:
                    raise ValueError(f"it has no column {error}") from error
                except ValueError as error:
                    raise ValueError(f"line {rows.line_num}: {text!r} is no label") from error
                if why := wrong_label(number, classes):
                    raise ValueError(f"line {rows.line_num}: {why}")
                entries.append((name, number))
        return entries

    def _zip(self) -> zipfile.ZipFile:
        # Opened once in each process: forked workers would share the file position of an open file.
        if getattr(self, "_opened", (None,))[0] != os.getpid():
            self._opened = os.getpid(), zipfile.ZipFile(self.path)
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the open archive, which cannot be pickled."""
        return {key: value for key, value in vars(self).items() if key != "_opened"}


def imagenet_categories() -> list[str]:
    """Return the 1,000 class names of ImageNet-1k, as torchvision spells them."""
    from torchvision.models import SqueezeNet1_1_Weights

    return SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
