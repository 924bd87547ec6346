"""Data sets by name: ``datasets.load("imagenet-sample")``."""

from contrastlib import files
from contrastlib.datasets import archives
from contrastlib.datasets.base import Example, ImageSet

__all__ = ["DATASETS", "Example", "ImageSet", "load"]


def _birds(**options):
    from contrastlib.datasets.birds import Birds

    return Birds(**options)


def _bird_scenes(**options):
    from contrastlib.datasets.birds import BirdScenes

    return BirdScenes(**options)


DATASETS = {
    "birds": _birds,
    "bird-scenes": _bird_scenes,
    "imagenet-sample": archives.imagenet_sample,
    "imagenet-birds": archives.imagenet_birds,
    "zebra-elephant": archives.zebra_elephant,
    "cifar10-test": archives.cifar10_test,
    "cifar10-train": archives.cifar10_train,
}


def load(name, **options):
    """A data set by its name.

    Options: ``crop=224, crops=1`` for the photographs of ImageNet (5 crops: the centre and the corners);
    ``root`` for ``"folder"``; ``split`` and ``size`` for the synthetic birds.

    Raises ValueError for an unknown name, DataError when its file is missing or corrupt.
    """
    if name not in DATASETS:
        raise files.unknown("data set", name, DATASETS)
    return DATASETS[name](**options)
