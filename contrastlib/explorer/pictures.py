"""Pictures for the explorer: drawn birds, images of data sets, photographs.

A :class:`Picture` provides the image that readers see, the image that a network receives, and the code that
loads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from contrastlib import datasets, models
from contrastlib.autograd import predict
from contrastlib.datasets.birds.sets import Annotations
from contrastlib.datasets.pictures import open_photo
from contrastlib.models import Classifier
from contrastlib.models.class_names import short

SHOWN = 256
"""Side of drawn birds as readers see them, in pixels."""


class Picture(ABC):
    """A picture for the explorer.

    Attributes:
        title: A short name.
        caption: A sentence.
        truth: Names of the classes that it shows, or None if they are not known.
        code: Python code that loads it as ``image``, given ``network``. "{size}" stands for the side of the
            network's images.
    """

    title: str
    caption: str
    truth: str | None = None
    code: str

    @abstractmethod
    def tensor(self, network: Classifier) -> Tensor:
        """Return the image (3, size, size) in [0, 1] that a network receives."""

    @abstractmethod
    def shown(self, networks: Sequence[Classifier]) -> Tensor:
        """Return the image (3, H, W) in [0, 1] that readers see, with the same crop as for the networks."""

    def parts(self) -> tuple[list[str], np.ndarray] | None:
        """Return the names of its parts, and the number (H, W) of the part that each pixel shows.

        The number is the index of the name; index 0 stands for pixels of no part. The result is None if the
        parts are not known.
        """
        return None


class _Synthetic(Picture):
    """An image of one of the two data sets of drawn birds."""

    def __init__(self, set_name: str, index: int, split: str, caption: str | None) -> None:
        self._options = {"split": split}
        self._name, self._index = set_name, index
        images = self._at(SHOWN)
        self._birds = [images.class_names[label] for label in images.labels(index)]
        self.title = self.truth = " and ".join(self._birds)
        self.caption = caption or f"{self.title} (image {index} of the synthetic {split} images)."
        self.code = (
            f"image = contrastlib.datasets.load({set_name!r}, split={split!r}, size={{size}})[{index}].image"
        )

    def _at(self, size: int) -> datasets.ImageSet:
        return datasets.load(self._name, size=size, **self._options)

    def tensor(self, network: Classifier) -> Tensor:
        return self._at(network.input_size)[self._index].image

    def shown(self, networks: Sequence[Classifier]) -> Tensor:
        return self._at(SHOWN)[self._index].image

    def parts(self) -> tuple[list[str], np.ndarray]:
        annotations = self._at(SHOWN).annotations(self._index)
        several = not isinstance(annotations, Annotations)
        names, labels = [""], np.zeros((SHOWN, SHOWN), dtype=np.uint8)
        for species, each in zip(self._birds, annotations if several else [annotations]):
            for part, mask in each.parts.items():
                labels[mask] = len(names)
                names.append(f"{part} of the {species}" if several else part)
        return names, labels


class _OfSet(Picture):
    """An image of a registered data set."""

    def __init__(self, set_name: str, index: int, options: dict, caption: str | None) -> None:
        images = datasets.load(set_name, **options)
        example = images[index]
        self._image = example.image
        self.title = self.truth = short(images.class_names[example.label])
        self.caption = caption or f"{self.title} (image {index} of {datasets.title(set_name)})."
        arguments = ", ".join([repr(set_name), *(f"{key}={value!r}" for key, value in options.items())])
        self.code = f"image = contrastlib.datasets.load({arguments})[{index}].image"

    def tensor(self, network: Classifier) -> Tensor:
        side = self._image.shape[-1]
        if side != network.input_size:
            size = network.input_size
            raise ValueError(
                f"{self.title!r} has {side} pixels a side, {network.name} takes {size}: load it with "
                f"of_set(name, index, crop={size}), or show it to networks of its own size"
            )
        return self._image

    def shown(self, networks: Sequence[Classifier]) -> Tensor:
        return self._image


class _Photograph(Picture):
    """A photograph, resized and cropped as each network does it."""

    def __init__(self, photo: Image.Image | str | Path, title: str | None, caption: str | None) -> None:
        self._photo = photo if isinstance(photo, Image.Image) else open_photo(Path(photo))
        file = "photo.jpg" if isinstance(photo, Image.Image) else Path(photo).name
        self.title = title or ("Your picture" if isinstance(photo, Image.Image) else Path(photo).stem)
        self.caption = caption or f"{self.title}."
        self.code = f"import PIL.Image\nimage = network.preprocess(PIL.Image.open({file!r}))"

    def tensor(self, network: Classifier) -> Tensor:
        return network.preprocess(self._photo)

    def shown(self, networks: Sequence[Classifier]) -> Tensor:
        frames = {network.name: _frame(network) for network in networks}
        if len(set(frames.values())) > 1:
            raise ValueError(
                f"these networks crop photographs differently, so that their maps do not fit one picture: "
                f"{', '.join(frames)}; make an explorer for each"
            )
        return self.tensor(networks[0])


def as_picture(picture: Picture | Image.Image | str | Path) -> Picture:
    """Return a picture for a PIL image or the path of an image file, or a picture itself.

    Args:
        picture: A picture, an image or a path.

    Raises:
        TypeError: It is something else; the message says what to wrap it in.
        ValueError: The file does not exist or is not an image.

    >>> as_picture(Image.new("RGB", (60, 40))).title
    'Your picture'
    """
    if isinstance(picture, Picture):
        return picture
    if isinstance(picture, Image.Image | str | Path):
        return photograph(picture)
    remedy = {
        Tensor: "wrap a tensor (3, H, W) in [0, 1] in torchvision.transforms.functional.to_pil_image(...)",
        np.ndarray: "wrap an array (H, W, 3) of uint8 in PIL.Image.fromarray(...)",
    }.get(
        type(picture),
        "give a PIL image, the path of a file, or a picture such as contrastlib.explorer.bird(31)",
    )
    raise TypeError(f"a picture cannot be a {type(picture).__name__}: {remedy}")


def bird(index: int, split: str = "test", caption: str | None = None) -> Picture:
    """Return a synthetic bird. Readers see it at 256 pixels, each network the same scene at its own size.

    Args:
        index: Index in :class:`contrastlib.datasets.birds.sets.SyntheticBirds`.
        split: "train", "validation" or "test".
        caption: A sentence. None stands for the species and the index.

    Raises:
        ValueError: The split is unknown.
        IndexError: There is no such image.

    >>> picture = bird(31)
    >>> picture.title, picture.shown([]).shape
    ('Rust-crowned Finch', torch.Size([3, 256, 256]))
    """
    return _Synthetic("birds", index, split, caption)


def bird_scene(index: int, split: str = "test", caption: str | None = None) -> Picture:
    """Return an image with two drawn birds of different species.

    Args:
        index: Index in :class:`contrastlib.datasets.birds.sets.BirdScenes`.
        split: As for :func:`bird`.
        caption: As for :func:`bird`.

    Raises:
        ValueError: The split is unknown.
        IndexError: There is no such image.

    >>> bird_scene(7).title
    'Black-throated Tanager and White-ringed Starling'
    """
    return _Synthetic("bird-scenes", index, split, caption)


def first_birds(
    network: str | Classifier, wanted: int, fits: Callable[[Tensor], bool], split: str = "test"
) -> list[Picture]:
    """Return the first drawn birds whose probabilities satisfy a condition.

    Birds that are selected in this way are not selected by their maps.

    Args:
        network: A name for :func:`contrastlib.models.load`, or a classifier.
        wanted: Number of birds.
        fits: Condition on the probabilities (C,) of an image, sorted in decreasing order.
        split: "train", "validation" or "test".

    Raises:
        ValueError: The split is unknown, or fewer images satisfy the condition.

    >>> [picture.title for picture in first_birds("birds_vgg", 2, lambda p: p[1] > 0.4)]
    ['Black-browed Warbler', 'Sable-winged Tanager']
    """
    network = models.as_classifier(network)
    images = datasets.load("birds", split=split, size=network.input_size)
    logits = (predict(network, each.image[None])[0] for each in images)
    probabilities = (each.softmax(0).sort(descending=True).values for each in logits)
    found = list(islice((index for index, p in enumerate(probabilities) if fits(p)), wanted))
    if len(found) < wanted:
        raise ValueError(
            f"{len(found)} of the {split} images satisfy the condition: ask for fewer than "
            f"{wanted}, or relax it"
        )
    return [bird(index, split) for index in found]


def first_scenes(network: str | Classifier, wanted: int, split: str = "test") -> list[Picture]:
    """Return the first scenes with two drawn birds whose species are the two most probable ones.

    Args:
        network: A name for :func:`contrastlib.models.load`, or a classifier.
        wanted: Largest number of scenes.
        split: As for :func:`bird`.

    Raises:
        ValueError: The split is unknown.

    >>> first_scenes("birds_vgg", 1)[0].title
    'Ash-crowned Finch and Rust-crowned Finch'
    """
    network = models.as_classifier(network)
    scenes = datasets.load("bird-scenes", split=split, size=network.input_size)
    found = (
        index
        for index in range(len(scenes))
        if set(predict(network, scenes[index].image[None])[0].topk(2).indices.tolist())
        == set(scenes.labels(index))
    )
    return [bird_scene(index, split) for index in islice(found, wanted)]


def of_set(name: str, index: int, caption: str | None = None, **options: Any) -> Picture:
    """Return an image of a registered data set, such as "imagenet-birds" or "cifar10-test".

    Args:
        name: Name of the data set.
        index: Index of the image.
        caption: A sentence. None stands for the class and the index.
        **options: Options of :func:`contrastlib.datasets.load`.

    Raises:
        ValueError: The data set is unknown; or, when the image is explained, its size is not that of the
            network.
        IndexError: There is no such image.
        DataError: Files of the data set are missing or corrupt.

    >>> of_set("birds", 31, split="test", size=64).code
    "image = contrastlib.datasets.load('birds', split='test', size=64)[31].image"
    """
    return _OfSet(name, index, options, caption)


def photograph(
    photo: Image.Image | str | Path, title: str | None = None, caption: str | None = None
) -> Picture:
    """Return a photograph of the reader, shown as the network receives it: resized and cropped.

    Args:
        photo: A PIL image, or the path of an image file.
        title: A short name. None stands for the name of the file.
        caption: A sentence. None stands for the title.

    Raises:
        ValueError: The file does not exist or is not an image; or, when the photograph is explained, the
            networks crop photographs differently.

    >>> photograph(Image.new("RGB", (60, 40)), title="A grey wall").caption
    'A grey wall.'
    """
    return _Photograph(photo, title, caption)


def _frame(network: Classifier) -> float | str:
    """Return which fraction of the shorter side of a photograph the network receives."""
    return network.resize if isinstance(network.resize, str) else network.input_size / network.resize
