"""Data sets by name: ``datasets.load("imagenet-sample")``.

``contrastlib/assets/datasets.yaml`` describes each data set: its title, files, loader and licence. These
modules load them:

- :mod:`~contrastlib.datasets.base`: the base classes, an image with its label, and the crop of a photograph
- :mod:`~contrastlib.datasets.archives`: photographs and CIFAR-10 in zip archives
- :mod:`~contrastlib.datasets.folders`: a folder of images of one's own
- :mod:`~contrastlib.datasets.listed`: photographs with the boxes and the parts of their objects
- :mod:`~contrastlib.datasets.packaged`: photographs of scikit-image
- :mod:`~contrastlib.datasets.papers`: the data sets of the papers
- :mod:`~contrastlib.datasets.sources`: their sources, folders and archives
- :mod:`~contrastlib.datasets.pictures`: image files of any format, as 8-bit RGB
- :mod:`~contrastlib.datasets.birds`: drawn birds
"""

from __future__ import annotations

from typing import Any

from contrastlib import assets
from contrastlib.datasets.base import Example, ImageSet

__all__ = ["DATASETS", "Example", "ImageSet", "load", "title"]

DATASETS = assets.datasets()
"""Record of each registered data set, by name."""


def load(name: str, **options: Any) -> ImageSet:
    """Load a data set by name.

    Args:
        name: A key of ``DATASETS``.
        **options: Arguments of the loader that replace those of the record. Photographs take ``crop=224`` and
            ``crops=1`` (or 5: the centre and the corners), "folder" takes ``root``, "birds" takes ``split``
            and ``size``, and the data sets of the papers take ``split`` and ``resize``.

    Returns:
        The data set.

    Raises:
        ValueError: No data set has this name; the message suggests similar names.
        DataError: Files of the data set are missing or corrupt.

    >>> from contrastlib import assets
    >>> if assets.available("cifar10_test.zip"):
    ...     image, label, group, name = load("cifar10-test")[0]
    """
    if name not in DATASETS:
        raise assets.unknown("data set", name, DATASETS)
    record = DATASETS[name]
    classes = {"class_names": record.classes.listed()} if record.classes else {}
    return assets.imported(record.loader)(**{**classes, **record.arguments, **options})


def title(name: str) -> str:
    """Return the name of a data set for pages, menus and figures.

    Args:
        name: A name that :func:`load` takes.

    Returns:
        The title in the registry, or the name itself if the registry does not have it.

    >>> title("cifar10-test"), title("my photographs")
    ('CIFAR-10, test', 'my photographs')
    """
    return DATASETS[name].title if name in DATASETS else name
