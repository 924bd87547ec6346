"""Evaluations that need to know a data set beside its images: its mean, boxes of objects, parts of birds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.datasets.base import ImageSet
from contrastlib.datasets.birds import Annotations, differing_parts
from contrastlib.evaluation.ablation import ablation, mean_image
from contrastlib.evaluation.energy import energy_in_regions
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


def energy_in_differing_parts(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, indices: Sequence[int], **options
) -> pd.DataFrame:
    """Energy of maps on the parts in which the two most probable species of a drawn bird differ.

    Images whose own species is not among the two are left out, and those that show none of these parts.

    Args:
        model, images, labels: as of all studies.
        dataset: a set of single drawn birds, "birds".
        indices: of the images in that set.
        options: of :func:`~contrastlib.evaluation.energy.energy_in_regions`, whose table this is.
    """
    birds = load_dataset(dataset, images.shape[-1])
    pairs = predict(model, images).topk(2, dim=1).indices.tolist()
    regions = [differing_region(birds.annotations(i), *pair) for i, pair in zip(indices, pairs)]
    chosen = [b for b, region in enumerate(regions) if labels[b].item() in pairs[b] and region.any()]
    if not chosen:
        return pd.DataFrame(columns=["image", "method", "contrast", "energy", "area", "p_1", "p_2"])
    masks = torch.from_numpy(np.stack([regions[b] for b in chosen])).to(images.device)
    table = energy_in_regions(model, images[chosen], masks, **options)
    return table.assign(image=np.array(chosen)[table["image"]])


def differing_region(bird: Annotations, first: int, second: int) -> np.ndarray:
    """Boolean (H, W): the visible pixels of the parts in which two species differ."""
    every = np.zeros_like(next(iter(bird.parts.values())))
    for part in differing_parts(first, second):
        every |= bird.parts.get(part, False)
    return every


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
