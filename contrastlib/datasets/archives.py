"""Photographs and CIFAR-10 images in zip archives, read in place.

An archive holds its images uncompressed, and a table ``index.csv`` with a row for each.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Collection, Iterable

from PIL import Image

from contrastlib import assets
from contrastlib.datasets.base import Photographs

BIRDS = {*range(7, 25), *range(80, 101), *range(127, 147)}
"""the 59 classes of ImageNet-1k that are birds, by index"""

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Archive(Photographs):
    """The images of one zip archive of the registry, in the order of its index.

    Safe with the workers of a DataLoader: each process opens the archive for itself.

    Args:
        name: of the data set.
        file: of the archive, as in the registry.
        class_names: of the labels.
        label: column of the index with the label; the first number there, where there are several.
        only: the labels whose images belong to the set, or the import path of them; all when None.
        options: ``resize=256, crop=224, crops=1``, as for :class:`.Photographs`.

    Raises:
        DataError: the archive is missing or corrupt, or its index does not describe it.
    """

    def __init__(self, name: str, file: str, class_names: Iterable[str],
                 label: str = "class_index", only: Collection[int] | str | None = None, **options):
        self.path, self.checksum = assets.path(file), assets.file(file).sha256
        only = assets.imported(only) if isinstance(only, str) else only
        try:
            entries = [(row["file"], int(row[label].partition(" ")[0])) for row in self._index()]
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise assets.CorruptFile(
                f"{self.path} is no zip archive with a sound index.csv: {error}") from error
        absent = {file for file, _ in entries} - set(self._zip().namelist())
        if absent:
            raise assets.CorruptFile(f"the index.csv of {self.path} names images that the archive does not "
                                     f"hold, such as {min(absent)}")
        super().__init__(name, class_names, [entry for entry in entries if only is None or entry[1] in only], **options)

    def open(self, name: str) -> Image.Image:
        return Image.open(io.BytesIO(self._zip().read(name)))

    def _index(self) -> list[dict[str, str]]:
        with self._zip().open("index.csv") as table:
            return list(csv.DictReader(io.TextIOWrapper(table, encoding="utf-8")))

    def _zip(self) -> zipfile.ZipFile:
        # Once in each process: forked workers that share an open file share its position too.
        if getattr(self, "_opened", (None,))[0] != os.getpid():
            self._opened = os.getpid(), zipfile.ZipFile(self.path)
        return self._opened[1]

    def __getstate__(self) -> dict:
        return {key: value for key, value in vars(self).items() if key != "_opened"}


def imagenet_categories() -> list[str]:
    """The 1000 class names of ImageNet-1k, as torchvision writes them."""
    from torchvision.models import SqueezeNet1_1_Weights

    return SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
