"""What the explorer shows: drawn birds, images of a data set, photographs.

A :class:`Picture` knows what readers see, what a network sees, and the line of Python that loads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from contrastlib import datasets, models
from contrastlib.autograd import predict
from contrastlib.datasets.birds.sets import Annotations
from contrastlib.datasets.pictures import open_photo
from contrastlib.models import Classifier
from contrastlib.models.class_names import short

SHOWN = 256  # side at which birds are drawn for readers, in pixels


class Picture(ABC):
    """A picture for the explorer.

    Attributes:
        title: a short name.
        caption: a sentence.
        truth: what it is known to show, or None.
        code: lines of Python that make ``image`` of it, given ``network``; "{size}" stands for the side of
            the network's images.
    """

    title: str
    caption: str
    truth: str | None = None
    code: str

    @abstractmethod
    def tensor(self, network: Classifier) -> Tensor:
        """The image (3, size, size) in [0, 1] that a network takes."""

    @abstractmethod
    def shown(self, networks: Sequence[Classifier]) -> Tensor:
        """The image (3, H, W) in [0, 1] that readers see, with the same frame as those the networks take."""

    def parts(self) -> tuple[list[str], np.ndarray] | None:
        """Names of the parts of what is shown, and for each pixel (H, W) the number of its part, 0 for none.

        None where they are not known.
        """
        return None


class _Drawn(Picture):
    """A picture of one of the two sets of drawn birds."""

    def __init__(self, set_name: str, index: int, split: str, caption: str | None):
        self._options = {"split": split}
        self._name, self._index = set_name, index
        drawn = self._at(SHOWN)
        self._birds = [drawn.class_names[label] for label in drawn.labels(index)]
        self.title = self.truth = " and ".join(self._birds)
        self.caption = caption or f"{self.title} (drawing {index} of the {split} pictures)."
        self.code = (f"image = contrastlib.datasets.load({set_name!r}, split={split!r}, "
                     f"size={{size}})[{index}].image")

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
        for bird, each in zip(self._birds, annotations if several else [annotations]):
            for part, mask in each.parts.items():
                labels[mask] = len(names)
                names.append(f"{part} of the {bird}" if several else part)
        return names, labels


class _OfSet(Picture):
    def __init__(self, set_name: str, index: int, options: dict, caption: str | None):
        images = datasets.load(set_name, **options)
        example = images[index]
        self._image = example.image
        self.title = self.truth = short(images.class_names[example.label])
        self.caption = caption or f"{self.title} (image {index} of {set_name})."
        arguments = ", ".join([repr(set_name), *(f"{key}={value!r}" for key, value in options.items())])
        self.code = f"image = contrastlib.datasets.load({arguments})[{index}].image"

    def tensor(self, network: Classifier) -> Tensor:
        side = self._image.shape[-1]
        if side != network.input_size:
            raise ValueError(
                f"{self.title!r} has {side} pixels a side, {network.name} takes {network.input_size}: load it "
                f"with of_set(name, index, crop={network.input_size}), or show it to networks of its own size"
            )
        return self._image

    def shown(self, networks: Sequence[Classifier]) -> Tensor:
        return self._image


class _Photograph(Picture):
    def __init__(self, photo: Image.Image | str | Path, title: str | None, caption: str | None):
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
                f"these networks cut photographs differently, so that their maps do not lie on one picture: "
                f"{', '.join(frames)}; make an explorer for each"
            )
        return self.tensor(networks[0])


def bird(index: int, split: str = "test", caption: str | None = None) -> Picture:
    """A drawn bird: readers see it at 256 pixels, each network the same scene at its own size.

    Args:
        index: of :class:`contrastlib.datasets.birds.sets.SyntheticBirds`.
        split: "train", "validation" or "test".
        caption: a sentence; the species and the number when None.

    Raises:
        ValueError, IndexError: unknown split; no such picture.

    >>> picture = bird(31)
    >>> picture.title, picture.shown([]).shape
    ('Rust-crowned Finch', torch.Size([3, 256, 256]))
    """
    return _Drawn("birds", index, split, caption)


def bird_scene(index: int, split: str = "test", caption: str | None = None) -> Picture:
    """Two drawn birds of different species; arguments and errors as of :func:`bird`.

    >>> bird_scene(7).title
    'Black-throated Tanager and White-ringed Starling'
    """
    return _Drawn("bird-scenes", index, split, caption)


def first_birds(
    network: str | Classifier, wanted: int, fits: Callable[[Tensor], bool], split: str = "test"
) -> list[Picture]:
    """The first drawn birds that fit by their probabilities, so that none is chosen by its map.

    Args:
        network: a name for :func:`contrastlib.models.load`, or a classifier.
        wanted: how many.
        fits: is given the probabilities (C,) of a picture, the highest first.
        split: as for :func:`bird`.

    Raises:
        ValueError: unknown split, or fewer pictures fit.

    >>> [picture.title for picture in first_birds("birds_vgg", 2, lambda p: p[1] > 0.4)]
    ['Black-browed Warbler', 'Sable-winged Tanager']
    """
    network = models.load(network) if isinstance(network, str) else network
    images = datasets.load("birds", split=split, size=network.input_size)
    probabilities = (predict(network, each.image[None])[0].softmax(0).sort(descending=True).values for each in images)
    found = list(islice((index for index, p in enumerate(probabilities) if fits(p)), wanted))
    if len(found) < wanted:
        raise ValueError(f"{len(found)} of the {split} pictures fit: want fewer than {wanted}, or ask for less")
    return [bird(index, split) for index in found]


def first_scenes(network: str | Classifier, wanted: int, split: str = "test") -> list[Picture]:
    """The first scenes with two drawn birds whose species are the two most probable ones.

    Args:
        network: a name for :func:`contrastlib.models.load`, or a classifier.
        wanted: how many, at most.
        split: as for :func:`bird`.

    >>> first_scenes("birds_vgg", 1)[0].title
    'Ash-crowned Finch and Rust-crowned Finch'
    """
    network = models.load(network) if isinstance(network, str) else network
    scenes = datasets.load("bird-scenes", split=split, size=network.input_size)
    found = (
        index for index in range(len(scenes))
        if set(predict(network, scenes[index].image[None])[0].topk(2).indices.tolist()) == set(scenes.labels(index))
    )
    return [bird_scene(index, split) for index in islice(found, wanted)]


def of_set(name: str, index: int, caption: str | None = None, **options) -> Picture:
    """An image of a registered data set, such as "imagenet-birds" or "cifar10-test".

    Args:
        name, options: as for :func:`contrastlib.datasets.load`.
        index: of the image.
        caption: a sentence; the class and the number when None.

    Raises:
        ValueError: unknown set; or, when it is explained, an image of another size than the network takes.
        IndexError: no such image.
        DataError: its files are missing or corrupt.

    >>> of_set("birds", 31, split="test", size=64).code
    "image = contrastlib.datasets.load('birds', split='test', size=64)[31].image"
    """
    return _OfSet(name, index, options, caption)


def photograph(
    photo: Image.Image | str | Path, title: str | None = None, caption: str | None = None
) -> Picture:
    """A photograph of the reader's own, seen as the network sees it: resized and cropped.

    Args:
        photo: a picture of PIL, or a file.
        title: a short name; that of the file when None.
        caption: a sentence; the title when None.

    Raises:
        ValueError: the file is missing or no picture; or, when it is explained, networks that cut
            photographs differently.

    >>> photograph(Image.new("RGB", (60, 40)), title="A grey wall").caption
    'A grey wall.'
    """
    return _Photograph(photo, title, caption)


def _frame(network: Classifier) -> float | str:
    """Which part of a photograph's shorter side the network sees."""
    return network.resize if isinstance(network.resize, str) else network.input_size / network.resize
