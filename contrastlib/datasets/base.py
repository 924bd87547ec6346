"""What every data set of contrastlib is: a torch Dataset of :class:`Example`, with names and a checksum."""

from typing import NamedTuple

import torch
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms


class Example(NamedTuple):
    """One image of a data set, ready for a network."""

    image: torch.Tensor
    """(3, H, W), float32 in [0, 1], resized and cropped, not normalised"""
    label: int
    """index of its class in ``class_names``"""
    group: int
    """unit of resampling: the photograph that the image was cropped from"""
    name: str
    """name of the file, or of the drawing"""


class ImageSet(Dataset):
    """A data set of images: ``len(images)``, ``images[i]`` -> :class:`Example`.

    A DataLoader with its default collation gives an Example of batches: image (B, 3, H, W), label (B,),
    group (B,) and a list of names.
    """

    name: str
    class_names: list
    checksum: str
    """identifies the content: checksum of the archive, or version and seed of the generator"""

    def __len__(self):
        raise NotImplementedError

    def __getitem__(self, index):
        raise NotImplementedError


class Photographs(ImageSet):
    """Photographs with labels, of any size, resized and cropped alike.

    A subclass says how to open one: ``open(name) -> PIL.Image``.

    Parameters: ``entries``, list of (name, label); ``resize``, length of the shorter side before the crop;
    ``crop``, side of the square crop; ``crops``, 1 (centre) or 5 (centre and the four corners), all crops of
    a photograph being in one group.
    """

    def __init__(self, name, class_names, checksum, entries, *, resize=256, crop=224, crops=1):
        if crops not in (1, 5):
            raise ValueError(f"crops is {crops}: it must be 1 (the centre) or 5 (the centre and the corners)")
        if not 0 < crop <= resize:
            raise ValueError(f"crop is {crop}: it must lie between 1 and the shorter side, {resize}")
        self.name, self.class_names, self.checksum = name, list(class_names), checksum
        self.entries, self.resize, self.crop, self.crops = list(entries), resize, crop, crops

    def __len__(self):
        return len(self.entries) * self.crops

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {self.name}, which has {len(self)}")
        group, position = divmod(index % len(self), self.crops)
        name, label = self.entries[group]
        image = crop(self.open(name), self.resize, self.crop, CROPS[position])
        return Example(image, label, group, name)

    def open(self, name):
        raise NotImplementedError


CROPS = ("centre", "top left", "top right", "bottom left", "bottom right")


def crop(image, resize, size, place="centre"):
    """A square crop of a PIL image, as a tensor (3, size, size) with values in [0, 1].

    The shorter side becomes ``resize`` (bicubic with antialiasing, longer side rounded down; an image that
    has this size stays as it is), then ``size`` pixels are cut out at the ``place``, one of ``CROPS``.
    """
    image = transforms.resize(image.convert("RGB"), resize, InterpolationMode.BICUBIC, antialias=True)
    if place == "centre":
        return transforms.to_tensor(transforms.center_crop(image, size))
    top = 0 if "top" in place else image.height - size
    left = 0 if "left" in place else image.width - size
    return transforms.to_tensor(transforms.crop(image, top, left, size, size))
