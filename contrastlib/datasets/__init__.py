"""Data sets by name: ``datasets.load("imagenet-sample")``."""

from __future__ import annotations

from functools import partial

from contrastlib import assets
from contrastlib.datasets import archives, papers
from contrastlib.datasets.base import Example, ImageSet
from contrastlib.datasets.folders import Folder
from contrastlib.datasets.packaged import PackagedPhotographs

__all__ = ["DATASETS", "Example", "ImageSet", "load"]


def _birds(**options) -> ImageSet:
    from contrastlib.datasets.birds import SyntheticBirds

    return SyntheticBirds(**options)


def _bird_scenes(**options) -> ImageSet:
    from contrastlib.datasets.birds import BirdScenes

    return BirdScenes(**options)


DATASETS = {
    "birds": _birds,
    "bird-scenes": _bird_scenes,
    "photographs": PackagedPhotographs,
    "imagenet-sample": archives.imagenet_sample,
    "imagenet-birds": archives.imagenet_birds,
    "zebra-elephant": archives.zebra_elephant,
    "cifar10-test": archives.cifar10_test,
    "cifar10-train": archives.cifar10_train,
    "folder": Folder,
    "imagenet-val": papers.ImageNetVal,
    "cub200": papers.CUB200,
    **{name: partial(papers.from_torchvision, name) for name in papers.TORCHVISION},
}


def load(name: str, **options) -> ImageSet:
    """A data set by its name.

    Args:
        name: one of ``DATASETS``.
        options: ``crop=224, crops=1`` for photographs (5 crops: the centre and the corners); ``root`` for
            "folder"; ``split`` and ``size`` for "birds"; ``split`` and ``resize`` for the papers' sets.

    Raises:
        ValueError: unknown name, with the nearest ones.
        DataError: its files are missing or corrupt.

    >>> from contrastlib import assets
    >>> if assets.available("cifar10_test.zip"):
    ...     image, label, group, name = load("cifar10-test")[0]
    """
    if name not in DATASETS:
        raise assets.unknown("data set", name, DATASETS)
    return DATASETS[name](**options)
