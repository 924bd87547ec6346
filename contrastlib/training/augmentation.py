"""Random views of photographs to train on, the same for the same seed, epoch and photograph."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2

from contrastlib.datasets.base import Photographs, reading
from contrastlib.training.recipe import FineTuningRecipe


class Augmented(Dataset):
    """Images and labels to train on: the images of a set as they are, or random views of its photographs.

    >>> from contrastlib.datasets import load
    >>> from contrastlib.assets import available
    >>> if available("clrp_zebra_elephant.zip"):
    ...     recipe = FineTuningRecipe(augment=True, size=64)
    ...     image, label = Augmented(load("zebra-elephant"), recipe)[0]
    ...     assert image.shape == (3, 64, 64)
    """

    def __init__(self, images: Photographs, recipe: FineTuningRecipe) -> None:
        """Start with epoch 0; set the attribute `epoch` to get other views.

        Args:
            images: The set.
            recipe: Its `augment`, `size` and `seed` decide the views.
        """
        self.images, self.recipe, self.epoch = images, recipe, 0
        self.transform = augmentation(recipe.size)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """The image (3, size, size) in [0, 1] and the label of this index.

        Raises:
            CorruptFile: The photograph cannot be read.
        """
        if not self.recipe.augment:
            example = self.images[index]
            return example.image, example.label
        name, label = self.images.entries[index]
        with reading(f"{name} of {self.images.name}"):
            photograph = self.images.open(name)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed((1000 * self.recipe.seed + self.epoch) * len(self) + index)
            return self.transform(photograph), label


def augmentation(size: int) -> v2.Transform:
    """A transform, photograph -> random view (3, size, size) in [0, 1], as in the code of both papers.

    Args:
        size: Side of the view in pixels.
    """
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomRotation(30),
            v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
            v2.RandomAffine(degrees=0, translate=(0.1, 0.1)),
            v2.RandomResizedCrop(size, scale=(0.7, 1), interpolation=InterpolationMode.BILINEAR),
            v2.RandomPerspective(distortion_scale=0.2, interpolation=InterpolationMode.BICUBIC),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([v2.GaussianBlur(3, sigma=(0.1, 2.0))], p=0.2),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
