"""Evaluations that need to know a data set beside its images: its mean image, and the boxes of its objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.datasets.base import ImageSet
from contrastlib.evaluation import transformers
from contrastlib.evaluation.ablation import ablation, mean_image
from contrastlib.report.batches import load_dataset


def ablation_in(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, count: int | None = 150, seed: int = 0, **options
) -> pd.DataFrame:
    """:func:`~contrastlib.evaluation.ablation.ablation` with the mean image of a data set of the registry.

    Args:
        dataset: name of the set that the images are from.
        count: of its images that the mean is taken over, all when None; they need not be those evaluated.
        seed: of the random position.
        options: methods and sizes of :func:`~contrastlib.evaluation.ablation.ablation`.
    """
    return ablation(model, images, labels, _mean_of(dataset, images.shape[-1], count), seed=seed, **options)


@lru_cache(maxsize=4)
def _mean_of(dataset: str, size: int, count: int | None) -> Tensor:
    images = load_dataset(dataset, size)
    return mean_image(images[i].image for i in images.sample(count))


def transformer_energy_on_birds(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, indices: Sequence[int]
) -> pd.DataFrame:
    """Energy of a Transformer's maps on the bird: all visible pixels of a drawn bird are the region.

    Args:
        model, images, labels: as of all studies.
        dataset: a set of single drawn birds, "birds".
        indices: of the images in that set.

    Returns:
        The table of :func:`~contrastlib.evaluation.transformers.energy_on_regions`.
    """
    birds = load_dataset(dataset, images.shape[-1])
    regions = np.stack([np.any(list(birds.annotations(i).parts.values()), axis=0) for i in indices])
    return transformers.energy_on_regions(model, images, torch.from_numpy(regions).to(images.device))


def objects_in_boxes(
    images: ImageSet, count: int | None = None, batch: int = 20
) -> Iterator[tuple[Tensor, Tensor, Tensor, list[int]]]:
    """Photographs and the boxes of their class for :func:`~contrastlib.evaluation.pointing_game.pointing_game`, a batch at a time.

    The object of image b is the union of its boxes, M_b = {pixels inside any box of class l_b}: all
    objects of the class are right, none of another is. Images without a pixel in M_b, as those whose
    boxes lie outside of the crop, are left out. No more than one batch is held at a time.

    Args:
        images: a set with boxes, "imagenet-val" or "cub200".
        count: that many images that stand for the set; all when None.
        batch: images at a time.

    Yields:
        For each batch its images (B, 3, H, W), labels l (B,), masks M (B, H, W) and indices in the set.

    Raises:
        ValueError: a set that has no boxes.
        MissingFile: the boxes are not there.
    """
    found = ((i, mask) for i in images.sample(count) if (mask := images.mask(i)).any())
    while part := list(islice(found, batch)):
        indices, masks = zip(*part)
        examples = [images[i] for i in indices]
        labels = torch.tensor([example.label for example in examples])
        yield torch.stack([example.image for example in examples]), labels, torch.stack(masks), list(indices)
