"""Evaluations that need a property of the data set: its mean image, or the parts of its birds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.datasets.birds import Annotations, differing_parts
from contrastlib.evaluation import control_scores, transformers
from contrastlib.evaluation.ablation import ablation, mean_image, neuron_ablation
from contrastlib.evaluation.energy import energy_in_regions
from contrastlib.report.computing.batches import load_dataset


def ablation_in(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    dataset: str,
    count: int | None = 150,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """:func:`~contrastlib.evaluation.ablation.ablation` with the mean image of a data set of the registry.

    Args:
        model: As in all evaluations.
        images: Images (B, K, H, W).
        labels: Classes (B,).
        dataset: Name of the data set of the images.
        count: Number of its images over which the mean is computed. None for all. They may differ from the
            evaluated ones.
        seed: Seed of the random position.
        **options: Methods and sizes of :func:`~contrastlib.evaluation.ablation.ablation`.

    Returns:
        The table of :func:`~contrastlib.evaluation.ablation.ablation`.
    """
    return ablation(model, images, labels, _mean_of(dataset, images.shape[-1], count), seed=seed, **options)


def neuron_ablation_in(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    dataset: str,
    layer: str,
    count: int | None = 150,
    neurons: int = 8,
    size: int = 21,
) -> pd.DataFrame:
    """:func:`~contrastlib.evaluation.ablation.neuron_ablation` with the mean image of a data set.

    Args:
        model: As in all evaluations.
        images: Images (B, K, H, W).
        labels: Not used.
        dataset: As in :func:`ablation_in`.
        layer: As in :func:`~contrastlib.evaluation.ablation.neuron_ablation`.
        count: As in :func:`ablation_in`.
        neurons: Number of neurons of each image.
        size: Side of the patch in pixels.

    Returns:
        The table of :func:`~contrastlib.evaluation.ablation.neuron_ablation`.
    """
    fill = _mean_of(dataset, images.shape[-1], count)
    return neuron_ablation(model, images, labels, fill, layer, count=neurons, size=size)


def energy_in_differing_parts(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, indices: Sequence[int], **options: Any
) -> pd.DataFrame:
    """Energy of maps in the parts in which the two most probable species of a drawn bird differ.

    An image is left out if its species is not one of the two, or if none of these parts is visible.

    Args:
        model: As in all evaluations.
        images: Images (B, K, H, W).
        labels: Classes (B,).
        dataset: Name of a set of single drawn birds, "birds".
        indices: Indices of the images in that set.
        **options: Options of :func:`~contrastlib.evaluation.energy.energy_in_regions`.

    Returns:
        The table of :func:`~contrastlib.evaluation.energy.energy_in_regions`.
    """
    chosen, masks = _differing_regions(model, images, labels, dataset, indices)
    if not chosen:
        return pd.DataFrame(columns=["image", "method", "contrast", "energy", "area", "p_1", "p_2"])
    table = energy_in_regions(model, images[chosen], masks, **options)
    return table.assign(image=np.array(chosen)[table["image"]])


def controls_in_differing_parts(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    dataset: str,
    indices: Sequence[int],
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """:func:`contrastlib.evaluation.control_scores.in_regions` for those parts.

    Args:
        model: As in :func:`energy_in_differing_parts`.
        images: As there.
        labels: As there.
        dataset: As there.
        indices: As there.
        seed: Seed of the controls.
        **options: Options of :func:`~contrastlib.evaluation.control_scores.in_regions`.

    Returns:
        The table of :func:`~contrastlib.evaluation.control_scores.in_regions`.
    """
    chosen, masks = _differing_regions(model, images, labels, dataset, indices)
    table = control_scores.in_regions(model, images[chosen], masks, seed=seed, **options)
    return table.assign(image=np.array(chosen, dtype=int)[table["image"].to_numpy(dtype=int)])


def _differing_regions(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, indices: Sequence[int]
) -> tuple[list[int], Tensor]:
    """Indices of the images that count, and the regions (B, H, W) in which their two species differ."""
    birds = load_dataset(dataset, images.shape[-1])
    pairs = predict(model, images).topk(2, dim=1).indices.tolist()
    regions = [differing_region(birds.annotations(i), *pair) for i, pair in zip(indices, pairs)]
    chosen = [b for b, region in enumerate(regions) if labels[b].item() in pairs[b] and region.any()]
    masks = np.stack([regions[b] for b in chosen]) if chosen else np.zeros((0, *images.shape[-2:]), bool)
    return chosen, torch.from_numpy(masks).to(images.device)


def differing_region(bird: Annotations, first: int, second: int) -> np.ndarray:
    """Boolean mask (H, W) of the visible pixels of the parts in which two species differ.

    Args:
        bird: Annotations of a drawn bird.
        first: Index of a species.
        second: Index of another species.

    Returns:
        The mask.
    """
    every = np.zeros_like(next(iter(bird.parts.values())))
    for part in differing_parts(first, second):
        every |= bird.parts.get(part, False)
    return every


def transformer_energy_on_birds(
    model: nn.Module, images: Tensor, labels: Tensor, dataset: str, indices: Sequence[int]
) -> pd.DataFrame:
    """Energy of the maps of a Vision Transformer on a drawn bird, the region being all its visible pixels.

    Args:
        model: As in all evaluations.
        images: Images (B, K, H, W).
        labels: Not used.
        dataset: Name of a set of single drawn birds, "birds".
        indices: Indices of the images in that set.

    Returns:
        The table of :func:`~contrastlib.evaluation.transformers.energy_on_regions`.
    """
    birds = load_dataset(dataset, images.shape[-1])
    regions = np.stack([np.any(list(birds.annotations(i).parts.values()), axis=0) for i in indices])
    return transformers.energy_on_regions(model, images, torch.from_numpy(regions).to(images.device))


@lru_cache(maxsize=4)
def _mean_of(dataset: str, size: int, count: int | None) -> Tensor:
    images = load_dataset(dataset, size)
    return mean_image(images[i].image for i in images.sample(count))
