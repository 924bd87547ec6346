"""Photographs and CIFAR-10 images in zip archives, read in place.

An archive holds its images uncompressed, and a table ``index.csv`` with a row for each.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Callable, Iterable

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
        label: row of the index (a dict of strings) -> label, or None to leave the image out.
        options: ``resize=256, crop=224, crops=1``, as for :class:`.Photographs`.

    Raises:
        DataError: the archive is missing or corrupt, or its index does not describe it.
    """

    def __init__(self, name: str, file: str, class_names: Iterable[str],
                 label: Callable[[dict[str, str]], int | None], **options):
        self.path, self.checksum = assets.path(file), assets.entry(file)["sha256"]
        try:
            entries = [(row["file"], label(row)) for row in self._index()]
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise assets.CorruptFile(
                f"{self.path} is no zip archive with a sound index.csv: {error}") from error
        absent = {file for file, _ in entries} - set(self._zip().namelist())
        if absent:
            raise assets.CorruptFile(f"the index.csv of {self.path} names images that the archive does not "
                                     f"hold, such as {min(absent)}")
        super().__init__(name, class_names, [entry for entry in entries if entry[1] is not None], **options)

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


def imagenet_sample(**options) -> Archive:
    """1000 photographs, one for each class of ImageNet. Very probably training images."""
    return Archive("imagenet-sample", "imagenet_sample_1000.zip", imagenet_categories(),
                   lambda row: int(row["class_index"]), **options)


def imagenet_birds(**options) -> Archive:
    """The 59 birds among them. Labels are those of ImageNet-1k, whatever network looks at them."""

    def label(row):
        return int(row["class_index"]) if int(row["class_index"]) in BIRDS else None

    return Archive("imagenet-birds", "imagenet_sample_1000.zip", imagenet_categories(), label, **options)


def zebra_elephant(**options) -> Archive:
    """Four photographs of zebras and elephants together (gu2018). The label of all is zebra, 340."""
    return Archive("zebra-elephant", "clrp_zebra_elephant.zip", imagenet_categories(),
                   lambda row: int(row["relevant_classes"].split()[0]), **options)


def cifar10_test() -> Archive:
    """The 10,000 test images of CIFAR-10, after a heavy JPEG compression."""
    return _cifar10("cifar10-test", "cifar10_test.zip")


def cifar10_train() -> Archive:
    """The 50,000 training images of CIFAR-10, after a heavy JPEG compression."""
    return _cifar10("cifar10-train", "cifar10_train.zip")


def _cifar10(name: str, file: str) -> Archive:
    return Archive(name, file, CIFAR10, lambda row: int(row["class_index"]), resize=32, crop=32)
