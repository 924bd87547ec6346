"""Evaluations that need the mean image of a data set beside its images."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd
from torch import Tensor, nn

from contrastlib.evaluation.ablation import ablation, mean_image, neuron_ablation
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


def neuron_ablation_in(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, layer: str, count: int | None = 150,
    neurons: int = 8, size: int = 21,
) -> pd.DataFrame:
    """:func:`~contrastlib.evaluation.ablation.neuron_ablation` with the mean image of a set of the registry.

    Args:
        dataset, count: see :func:`ablation_in`.
        layer, size: see :func:`~contrastlib.evaluation.ablation.neuron_ablation`.
        neurons: how many of each image.
    """
    fill = _mean_of(dataset, images.shape[-1], count)
    return neuron_ablation(model, images, labels, fill, layer, count=neurons, size=size)


@lru_cache(maxsize=4)
def _mean_of(dataset: str, size: int, count: int | None) -> Tensor:
    images = load_dataset(dataset, size)
    return mean_image(images[i].image for i in images.sample(count))
