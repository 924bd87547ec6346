"""Photographs and CIFAR-10 images in zip archives, read in place.

An archive holds its images uncompressed, and a table ``index.csv`` with a row for each.
"""

import csv
import io
import os
import zipfile

from PIL import Image

from contrastlib import files
from contrastlib.datasets.base import Photographs

BIRDS = {*range(7, 25), *range(80, 101), *range(127, 147)}
"""the 59 classes of ImageNet-1k that are birds, by index"""


class Archive(Photographs):
    """The images of one zip archive of the registry, in the order of its index.

    Parameters: ``file``, its name in the registry; ``label``, row of the index (dict of strings) -> label, or
    None to leave the image out; the others as for :class:`~contrastlib.datasets.base.Photographs`.
    """

    def __init__(self, name, file, class_names, label, **options):
        self.path = files.path(file)
        entries = [(row["file"], label(row)) for row in self._index()]
        entries = [(image, label) for image, label in entries if label is not None]
        super().__init__(name, class_names, files.entry(file)["sha256"], entries, **options)

    def open(self, name):
        return Image.open(io.BytesIO(self._zip().read(name)))

    def _index(self):
        try:
            with self._zip().open("index.csv") as table:
                rows = list(csv.DictReader(io.TextIOWrapper(table, encoding="utf-8")))
        except (KeyError, zipfile.BadZipFile) as error:
            raise files.CorruptFile(f"{self.path} is not a zip archive with an index.csv: {error}") from error
        absent = {row.get("file") for row in rows} - set(self._zip().namelist())
        if absent:
            raise files.CorruptFile(f"the index of {self.path} names files that it does not hold: "
                                    f"{', '.join(map(str, sorted(absent, key=str)[:3]))}")
        return rows

    def _zip(self):
        # Opened once in each process: an open file shared by forked workers would share its position too.
        if getattr(self, "_opened", (None,))[0] != os.getpid():
            self._opened = os.getpid(), zipfile.ZipFile(self.path)
        return self._opened[1]

    def __getstate__(self):
        return {key: value for key, value in vars(self).items() if key != "_opened"}


def imagenet_categories():
    """The 1000 class names of ImageNet-1k, as torchvision writes them."""
    from torchvision.models import SqueezeNet1_1_Weights

    return SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]


def imagenet_sample(**options):
    """1000 photographs, one for each class of ImageNet. Very probably training images."""
    return Archive("imagenet-sample", "imagenet_sample_1000.zip", imagenet_categories(),
                   lambda row: int(row["class_index"]), **options)


def imagenet_birds(**options):
    """The 59 birds among them; labels are those of ImageNet-1k."""

    def label(row):
        return int(row["class_index"]) if int(row["class_index"]) in BIRDS else None

    return Archive("imagenet-birds", "imagenet_sample_1000.zip", imagenet_categories(), label, **options)


def zebra_elephant(**options):
    """Four photographs of zebras and elephants together (gu2018); the label of all is zebra, 340."""
    return Archive("zebra-elephant", "clrp_zebra_elephant.zip", imagenet_categories(),
                   lambda row: int(row["relevant_classes"].split()[0]), **options)


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def cifar10_test():
    """The 10,000 test images of CIFAR-10, after a heavy JPEG compression."""
    return _cifar10("cifar10-test", "cifar10_test.zip")


def cifar10_train():
    """The 50,000 training images of CIFAR-10, after a heavy JPEG compression."""
    return _cifar10("cifar10-train", "cifar10_train.zip")


def _cifar10(name, file):
    return Archive(name, file, CIFAR10, lambda row: int(row["class_index"]), resize=32, crop=32)
