"""Base classes of the data sets: torch Datasets of :class:`Example`, with class names and a checksum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from contrastlib.assets import CorruptFile
from contrastlib.datasets.pictures import in_rgb


class Example(NamedTuple):
    """One image of a data set, ready for a network."""

    image: Tensor
    """(3, H, W), float32 in [0, 1], resized and cropped, not normalised."""
    label: int
    """Index of its class in ``class_names``."""
    group: int
    """Index of the photograph that the image was cropped from. It is the unit of resampling."""
    name: str
    """Name of the file, or of the synthetic image."""


class ImageSet(Dataset):
    """A data set of images: ``images[i]`` is an :class:`Example`.

    A DataLoader with its default collation returns an Example of batches: image (B, 3, H, W), label (B,),
    group (B,) and a list of names.
    """

    name: str
    """Name of the data set."""
    class_names: list[str]
    """Names of the classes, in the order of the labels."""
    checksum: str
    """Checksum of the archive, or version and seed of the generator. It identifies the content."""
    annotation_checksum: str = ""
    """Checksum of annotations that the set does without, which only evaluations of objects read."""

    def __len__(self) -> int:
        """Return the number of images."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> Example:
        """Return one image with its label, group and name."""
        raise NotImplementedError

    def sample(self, count: int | None) -> list[int]:
        """Return the indices of a representative sample of images.

        The indices are evenly spaced, because data sets are either sorted by class or not sorted at all.

        Args:
            count: Size of the sample. None, or a number larger than the data set, gives all indices.

        Returns:
            The indices, in increasing order.
        """
        total = len(self)
        if count is None or count >= total:
            return list(range(total))
        return ((np.arange(count) + 0.5) * total / count).astype(int).tolist()

    def objects(self, index: int) -> list[tuple[int, Tensor]]:
        """Class and region, boolean (H, W), of each object of an image whose position is known.

        Raises:
            ValueError: the set has no boxes.
        """
        raise ValueError(f"no boxes are read for {self.name}")


class Photographs(ImageSet):
    """Labelled photographs of any size, all resized and cropped in the same way.

    A subclass defines :meth:`open` and ``checksum``.

    Args:
        name: Name of the data set.
        class_names: Names of the classes, in the order of the labels.
        entries: (name, label) of each photograph.
        resize: Length of the shorter side before the crop, in pixels; or ``SQUEEZE``, which resizes the whole
            photograph to a square.
        crop: Side of the square crop, in pixels.
        crops: 1 (the centre) or 5 (the centre and the four corners, in this order). The crops of a photograph
            form one group.
        interpolation: Interpolation of the resizing.

    Raises:
        ValueError: ``crops`` is neither 1 nor 5, or the crop is larger than the resized photograph.
        CorruptFile: A label is none of the classes.
    """

    def __init__(
        self,
        name: str,
        class_names: Iterable[str],
        entries: Iterable[tuple[str, int]],
        *,
        resize: int | str = 256,
        crop: int = 224,
        crops: int = 1,
        interpolation: InterpolationMode | str = InterpolationMode.BICUBIC,
    ) -> None:
        """Check the sizes."""
        if crops not in (1, 5):
            raise ValueError(f"crops is {crops}: it must be 1 (the centre) or 5 (the centre and the corners)")
        if resize == SQUEEZE and crops > 1:
            raise ValueError(f"crops is {crops}: a photograph squeezed into a square leaves nothing to crop")
        if not 0 < crop <= (crop if resize == SQUEEZE else resize):
            raise ValueError(f"crop is {crop}: it must lie between 1 and the shorter side, {resize}")
        self.name, self.class_names, self.entries = name, list(class_names), list(entries)
        self.resize, self.crop, self.crops = resize, crop, crops
        self.interpolation = InterpolationMode(interpolation)
        for photograph, label in self.entries:
            if why := wrong_label(label, len(self.class_names)):
                raise CorruptFile(f"{photograph} of {name}: {why}")

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.entries) * self.crops

    def __getitem__(self, index: int) -> Example:
        """Return one crop with its label, group and name.

        Raises:
            IndexError: The data set has no crop with this index.
            CorruptFile: The photograph cannot be read.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no image {index} in {self.name}, which has {len(self)}")
        group, position = divmod(index % len(self), self.crops)
        name, label = self.entries[group]
        with reading(f"{name} of {self.name}"):
            image = crop(self.open(name), self.resize, self.crop, CROPS[position], self.interpolation)
        return Example(image, label, group, name)

    def open(self, name: str) -> Image.Image:
        """Open the photograph with this name, before resizing."""
        raise NotImplementedError


def wrong_label(label: int, classes: int) -> str:
    """Say what is wrong with a label. Empty if nothing is.

    >>> wrong_label(2, 2)
    'the label 2 is none of the 2 classes, which are counted from 0: correct it'
    """
    if 0 <= label < classes:
        return ""
    return f"the label {label} is none of the {classes} classes, which are counted from 0: correct it"


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn the errors of decoders, which are of many kinds, into one that names the image and the remedy.

    Args:
        what: The image, for the message.

    Raises:
        CorruptFile: The image cannot be read.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise CorruptFile(
            f"{what} cannot be read as an image: {error}. Replace the file, or get the data set again."
        ) from error


SQUEEZE = "squeeze"
"""Value of ``resize`` that resizes the whole photograph to a square, without a crop."""
CROPS = ("centre", "top left", "top right", "bottom left", "bottom right")
"""Positions of the crops, in their order in a data set."""


def crop(
    image: Image.Image,
    resize: int | str,
    size: int,
    position: str = "centre",
    interpolation: InterpolationMode = InterpolationMode.BICUBIC,
) -> Tensor:
    """Resize a photograph and cut out a square.

    The photograph is turned upright first. It is resized with antialiasing; an image that has the wanted size
    stays as it is.

    Args:
        image: The photograph.
        resize: Length of the shorter side after resizing, in pixels; the longer side is rounded down. With
            ``SQUEEZE`` both sides become ``size`` pixels, and nothing is cut off.
        size: Side of the square, in pixels.
        position: Where to cut out the square, one of ``CROPS``.
        interpolation: Interpolation of the resizing.

    Returns:
        The square, (3, size, size), with values in [0, 1].

    >>> crop(Image.new("L", (40, 20), 255), resize=10, size=8).shape
    torch.Size([3, 8, 8])
    """
    image = in_rgb(image)
    sides = [size, size] if resize == SQUEEZE else resize
    image = transforms.resize(image, sides, interpolation, antialias=True)
    if position == "centre":
        return transforms.to_tensor(transforms.center_crop(image, size))
    top = 0 if "top" in position else image.height - size
    left = 0 if "left" in position else image.width - size
    return transforms.to_tensor(transforms.crop(image, top, left, size, size))
