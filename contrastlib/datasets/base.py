"""What every data set of contrastlib is: a torch Dataset of :class:`Example`, with names and a checksum."""

from __future__ import annotations

from collections.abc import Iterable
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
    """(3, H, W), float32 in [0, 1], resized and cropped, not normalised"""
    label: int
    """index of its class in ``class_names``"""
    group: int
    """unit of resampling, the photograph that the image was cropped from"""
    name: str
    """name of the file, or of the drawing"""


class ImageSet(Dataset):
    """A data set of images: ``len(images)``, ``images[i]`` -> :class:`Example`.

    A DataLoader with its default collation gives an Example of batches: image (B, 3, H, W), label (B,),
    group (B,) and a list of names.
    """

    name: str
    class_names: list[str]
    checksum: str
    """identifies the content by the checksum of the archive, or by version and seed of the generator"""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Example:
        raise NotImplementedError

    def sample(self, count: int | None) -> list[int]:
        """Indices of ``count`` images that stand for the set, all when None or more.

        Evenly spread, as the sets are sorted by class or not at all.
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
    """Photographs of any size, with labels, all resized and cropped alike.

    A subclass says how to ``open`` one, and has a ``checksum``.

    Args:
        name: of the data set.
        class_names: of the labels.
        entries: (name, label) of each photograph.
        resize: length of the shorter side before the crop, or ``SQUEEZE``: the whole photograph, its sides
            made equal.
        crop: side of the square crop.
        crops: 1 (the centre) or 5 (the centre and the four corners, one after the other). The crops of a
            photograph are one group.
        interpolation: of the resizing.
    """

    def __init__(self, name: str, class_names: Iterable[str], entries: Iterable[tuple[str, int]], *,
                 resize: int | str = 256, crop: int = 224, crops: int = 1,
                 interpolation: InterpolationMode | str = InterpolationMode.BICUBIC):
        if crops not in (1, 5):
            raise ValueError(f"crops is {crops}: it must be 1 (the centre) or 5 (the centre and the corners)")
        if resize == SQUEEZE and crops > 1:
            raise ValueError(f"crops is {crops}: a photograph squeezed into a square leaves nothing to crop")
        if not 0 < crop <= (crop if resize == SQUEEZE else resize):
            raise ValueError(f"crop is {crop}: it must lie between 1 and the shorter side, {resize}")
        self.name, self.class_names, self.entries = name, list(class_names), list(entries)
        self.resize, self.crop, self.crops = resize, crop, crops
        self.interpolation = InterpolationMode(interpolation)

    def __len__(self) -> int:
        return len(self.entries) * self.crops

    def __getitem__(self, index: int) -> Example:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no image {index} in {self.name}, which has {len(self)}")
        group, position = divmod(index % len(self), self.crops)
        name, label = self.entries[group]
        try:
            image = crop(self.open(name), self.resize, self.crop, CROPS[position], self.interpolation)
        except (OSError, SyntaxError, ValueError) as error:  # what PIL raises for broken images, and in_rgb
            raise CorruptFile(f"{name} of {self.name} cannot be read as an image: {error}") from error
        return Example(image, label, group, name)

    def open(self, name: str) -> Image.Image:
        """The photograph of that name, as it is."""
        raise NotImplementedError


SQUEEZE = "squeeze"
CROPS = ("centre", "top left", "top right", "bottom left", "bottom right")


def crop(image: Image.Image, resize: int | str, size: int, place: str = "centre",
         interpolation: InterpolationMode = InterpolationMode.BICUBIC) -> Tensor:
    """A square crop of a photograph, upright, as a tensor (3, size, size) with values in [0, 1].

    The shorter side becomes ``resize`` pixels (with antialiasing, the longer side rounded down; an image of
    that size stays as it is), then a square of ``size`` pixels is cut out at the ``place``, one of ``CROPS``.
    With ``SQUEEZE`` both sides become ``size`` pixels, and nothing is cut off.

    >>> crop(Image.new("L", (40, 20), 255), resize=10, size=8).shape
    torch.Size([3, 8, 8])
    """
    image = in_rgb(image)
    sides = [size, size] if resize == SQUEEZE else resize
    image = transforms.resize(image, sides, interpolation, antialias=True)
    if place == "centre":
        return transforms.to_tensor(transforms.center_crop(image, size))
    top = 0 if "top" in place else image.height - size
    left = 0 if "left" in place else image.width - size
    return transforms.to_tensor(transforms.crop(image, top, left, size, size))
