"""Interventions on drawn birds: the evaluation of the studies ``interventions`` and their choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import assets
from contrastlib.autograd import predict
from contrastlib.datasets.birds import PARTS, SPECIES, SyntheticBirds
from contrastlib.datasets.birds.repainting import BACKGROUND, WHOLE_BIRD, Repainter, repainted_versions
from contrastlib.evaluation import control_scores, intervention_choices, interventions
from contrastlib.report.computing.batches import load_dataset

NAMES = (*PARTS, WHOLE_BIRD, BACKGROUND)
SEVERAL_PASSES = [
    "guided_backpropagation",
    "deeplift",
    "fullgrad",
    "integrated_gradients",
    "lrp",
    "sglrp",
    "clrp1",
    "clrp2",
]
"""Explainers that take several passes and are measured by the study ``slow_interventions``."""


def on_parts(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    dataset: str,
    indices: Sequence[int],
    repaintings: int = 4,
    threshold: float = 0.1,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """:func:`contrastlib.evaluation.interventions.compare` on drawn birds whose species has a rival.

    t and s are the two most probable species of an image whose second probability is above the threshold.

    Args:
        model: As in all evaluations.
        images: Images (B, K, H, W).
        labels: Not used, because the classes are the predicted ones.
        dataset: Name of a set of single drawn birds, "birds".
        indices: Indices of the images in that set.
        repaintings: Number of other traits that each part is repainted with, fewer if the catalogue has not
            as many; of other species for the whole bird, and of other backgrounds.
        threshold: Threshold of the second-highest probability of an image.
        seed: Seed of the choice of traits, species and backgrounds.
        **options: Options of :func:`contrastlib.evaluation.interventions.compare`.

    Returns:
        Its table, with p_2; the parts that are not ranked are "bird" and "background".
    """
    return _with_rivals(
        interventions.compare, model, images, dataset, indices, repaintings, threshold, seed, options
    )


def controls_on_parts(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    dataset: str,
    indices: Sequence[int],
    repaintings: int = 4,
    threshold: float = 0.1,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """:func:`contrastlib.evaluation.control_scores.ranking` on drawn birds whose species has a rival.

    Args:
        model: As in :func:`on_parts`.
        images: As there.
        labels: Not used.
        dataset: As there.
        indices: As there.
        repaintings: As there.
        threshold: As there.
        seed: As there, and seed of the controls.
        **options: Options of :func:`contrastlib.evaluation.control_scores.ranking`.

    Returns:
        Its table, with p_2.
    """
    ranking = partial(control_scores.ranking, seed=seed)
    return _with_rivals(ranking, model, images, dataset, indices, repaintings, threshold, seed, options)


def choices_on_parts(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    dataset: str,
    indices: Sequence[int],
    repaintings: Sequence[int] = (1, 2, 4),
    threshold: float = 0.1,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """:func:`contrastlib.evaluation.intervention_choices.differences` on birds whose species has a rival.

    Args:
        model: As in :func:`on_parts`.
        images: As there.
        labels: Not used.
        dataset: As there.
        indices: As there.
        repaintings: Numbers of other traits that each part is repainted with.
        threshold: As there.
        seed: As there.
        **options: Options of :func:`contrastlib.evaluation.intervention_choices.differences`.

    Returns:
        Its table, with p_2.
    """
    crossed = partial(intervention_choices.differences, repaintings=repaintings)
    return _with_rivals(crossed, model, images, dataset, indices, max(repaintings), threshold, seed, options)


def _with_rivals(
    evaluation: Callable[..., pd.DataFrame],
    model: nn.Module,
    images: Tensor,
    dataset: str,
    indices: Sequence[int],
    repaintings: int,
    threshold: float,
    seed: int,
    options: Mapping,
) -> pd.DataFrame:
    """Evaluate a network on those birds, repainted, that have a second probability above the threshold."""
    probabilities, classes = predict(model, images).softmax(dim=1).topk(2, dim=1)
    chosen = (probabilities[:, 1] > threshold).nonzero().flatten().tolist()
    if not chosen:
        return pd.DataFrame(columns=["image"])
    birds = load_dataset(dataset, images.shape[-1])
    repainted = repainted_birds(birds, images[chosen], [indices[b] for b in chosen], repaintings, seed)
    table = evaluation(model, repainted, classes[chosen], **options)
    index = np.array(chosen)[table["image"].to_numpy(dtype=int)]
    return table.assign(image=index, p_2=probabilities[:, 1].numpy(force=True)[index])


def with_seeds(networks: Mapping[str, Sequence]) -> dict[str, Sequence]:
    """Each network, and the same one from its further seeds of training whose weights are here.

    Args:
        networks: Network -> [data set, count, options], see :func:`contrastlib.report.studies.execution.run`.

    >>> list(with_seeds({"birds_vgg": ["birds", 10]}))[0]
    'birds_vgg'
    """
    return {each: spec for name, spec in networks.items() for each in assets.training_seeds(name)}


def repainted_birds(
    birds: SyntheticBirds, images: Tensor, indices: Sequence[int], repaintings: int = 4, seed: int = 0
) -> interventions.Repainted:
    """Repaint each part of drawn birds, the whole bird, and the background.

    Args:
        birds: The set.
        images: Images of it (B, K, H, W).
        indices: Their indices.
        repaintings: As in :func:`on_parts`.
        seed: As in :func:`on_parts`.
    """
    masks, versions, parts = zip(*(_repainted(birds, index, repaintings, seed) for index in indices))
    of = [torch.tensor([[number, part] for part in each]) for number, each in enumerate(parts)]
    layout = torch.channels_last if images.stride(1) == 1 else torch.contiguous_format
    pixels = torch.from_numpy(np.concatenate(versions)).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    return interventions.Repainted(
        images,
        torch.from_numpy(np.stack(masks)).to(images.device),
        NAMES,
        pixels.to(images) / 255,
        torch.cat(of),
        ranked=len(PARTS),
    )


@lru_cache(maxsize=64)
def _repainted(
    birds: SyntheticBirds, index: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Masks (P, H, W) of the parts of an image, its versions (M, H, W, K), and the part of each version."""
    notes = birds.annotations(index)
    seen = np.any(list(notes.parts.values()), axis=0)
    masks = np.stack([notes.parts.get(part, np.zeros_like(seen)) for part in PARTS] + [seen, ~seen])
    order, places = (np.random.default_rng((seed, index, stream)) for stream in range(2))
    others = [birds.scene(int(i)) for i in places.integers(len(birds), size=count)]
    painter = Repainter(birds.scene(index), SPECIES[notes.label], birds.size)
    made = repainted_versions(painter, list(notes.parts), others, count, order)
    versions = np.stack([image for images in made.values() for image in images])
    return masks, versions, [NAMES.index(part) for part, images in made.items() for _ in images]
