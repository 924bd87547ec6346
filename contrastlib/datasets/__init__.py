"""Data sets by name: ``datasets.load("imagenet-sample")``. ``contrastlib/assets/datasets.yaml`` has an entry for each."""

from __future__ import annotations

from contrastlib import assets
from contrastlib.datasets.base import Example, ImageSet

__all__ = ["DATASETS", "Example", "ImageSet", "load"]

DATASETS = assets.datasets()
"""name -> record"""


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
    record = DATASETS[name]
    classes = {"class_names": record.classes.listed()} if record.classes else {}
    return assets.imported(record.loader)(**{**classes, **record.arguments, **options})
