"""Measures of relevance maps: whether they discriminate classes, and whether relevance is conserved.

Source: Gu et al. 2018, sec. 3.1 and 4; errata 23 to 25.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward
from contrastlib.evaluation.seeding import image_seed
from contrastlib.evaluation.similarity import cosine
from contrastlib.explainers import gradient, guided_backpropagation, input_x_gradient
from contrastlib.explainers.lrp import (
    METHODS,
    InitialRelevance,
    contrastive_lrp,
    named_methods,
    propagated,
    propagation,
    relevance_maps,
)

RANDOM, AMONG = 10, 100
"""Number of random classes of the fourth map of the paper, and number of most probable classes among which
they are drawn."""


def class_similarity(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = tuple(METHODS),
    seed: int = 0,
) -> pd.DataFrame:
    """Similarity of the maps of the three most probable classes, by method (Gu et al. 2018, Fig. 1).

    Args:
        model: A network that :func:`contrastlib.explainers.lrp.propagation.propagation` accepts.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the predicted ones.
        methods: Names in :data:`contrastlib.explainers.lrp.initial_relevance.METHODS`. LRP starts from
            abs(y_t). The gradient and guided back-propagation are always compared as well.
        seed: Seed of the random classes.

    Returns:
        One row for each image, method and pair, with similarity, with the cosine of two maps, summed over
        channels. The pairs "1, 2" and "1, 3" are of the most probable classes. The pair "1, random" compares
        the most probable class with 10 classes drawn from the 100 most probable ones. Their initial
        relevances are added before CLRP sets negative relevance to 0.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = class_similarity(net, torch.rand(2, 3, 8, 8), methods=["lrp", "clrp1"])
    >>> table["method"].unique().tolist(), table["pair"].unique().tolist()
    (['lrp', 'clrp1', 'gradient', 'guided_backpropagation'], ['1, 2', '1, 3', '1, random'])
    """
    with propagation(model, images) as propagate:
        logits = propagate.outputs
        top = logits.topk(3, dim=1).indices.T
        drawn = random_classes(logits, images, seed)

        def initial_relevance(outputs: Tensor, relevance: InitialRelevance) -> Tensor:
            return torch.stack([*(relevance(outputs, t) for t in top), together(outputs, relevance, drawn)])

        maps = propagated(propagate, named_methods(methods, score="absolute"), initial_relevance)
    cotangents = torch.stack([*(contrasts.original(logits, t) for t in top), drawn])
    maps["gradient"] = gradient(forward(model, images, once=True), cotangents)
    maps["guided_backpropagation"] = guided_backpropagation(model, images, lambda y: cotangents)
    rows = []
    for name, phi in maps.items():
        first, *rest = phi.sum(dim=2).flatten(2).double()
        for pair, other in zip(("1, 2", "1, 3", "1, random"), rest):
            rows.append(
                pd.DataFrame(
                    {
                        "image": range(len(images)),
                        "method": name,
                        "pair": pair,
                        "similarity": cosine(first, other, of_zero=0).numpy(force=True),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def together(outputs: Tensor, relevance: InitialRelevance, classes: Tensor) -> Tensor:
    """Sum of the initial relevances (B, C) of several classes.

    Args:
        outputs: Logits (B, C).
        relevance: Function that returns the initial relevance (B, C) of one class.
        classes: Tensor (B, C) of ones at the classes and zeros elsewhere.

    Returns:
        The sum (B, C).

    >>> from contrastlib.explainers.lrp import score
    >>> together(torch.tensor([[3., -2., 4.]]), score, torch.tensor([[1., 1., 0.]]))
    tensor([[3., 2., 0.]])
    """
    of_any_image = classes.sum(dim=0).nonzero().flatten().tolist()
    return sum(
        (relevance(outputs, t) * classes[:, t : t + 1] for t in of_any_image), torch.zeros_like(outputs)
    )


def conservation(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Relevance of the pixels that is propagated from the logit of the predicted class, for every rule.

    Args:
        model: A network that :func:`contrastlib.explainers.lrp.propagation.propagation` accepts.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.

    Returns:
        One row for each image, rules and biases (False if biases are bypassed, True if they receive
        relevance). The columns are arrived (sum of the map over the logit, 1 if relevance is conserved), and
        the cosines of the map with two products of input and gradient: input_x_gradient, for the input of the
        first layer with weights (after a ``normalise`` of the model), and pixels_x_gradient. All three are
        NaN if the relevance overflows.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> conservation(net, torch.rand(2, 3, 8, 8))[["rules", "biases"]].drop_duplicates().values.tolist()
    [['z_plus', False], ['z_plus', True], ['epsilon', False], ['epsilon', True], ['z', False], ['z', True]]
    """
    record = forward(model, images, [INPUT, "normalise"] if hasattr(model, "normalise") else INPUT, once=True)
    target = record.logits.argmax(dim=1)
    w = contrasts.original(record.logits, target)
    pixels, product = (
        input_x_gradient(record, w, name).flatten(1).double()
        for name in (INPUT, list(record.activations)[-1])
    )
    logit = record.logits.gather(1, target[:, None]).squeeze(1).double()
    rows = []
    for rules in ("z_plus", "epsilon", "z"):
        for biases in (False, True):
            flat = _relevance_of(model, images, target, rules=rules, biases=biases).flatten(1).double()
            rows.append(
                pd.DataFrame(
                    {
                        "image": range(len(images)),
                        "rules": rules,
                        "biases": biases,
                        "arrived": (flat.sum(dim=1) / logit).numpy(force=True),
                        "input_x_gradient": cosine(flat, product, of_zero=0).numpy(force=True),
                        "pixels_x_gradient": cosine(flat, pixels, of_zero=0).numpy(force=True),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def _relevance_of(model: nn.Module, images: Tensor, target: Tensor, **options: Any) -> Tensor:
    """LRP map of the logit of the target, NaN for images whose relevance overflows."""
    try:
        return contrastive_lrp(model, images, lambda y: contrasts.original(y, target), **options)
    except FloatingPointError:
        pass  # after this block the traceback is freed, and with it all tensors of the pass
    if len(images) == 1:
        return torch.full_like(images, torch.nan)
    return torch.cat([_relevance_of(model, *one, **options) for one in zip(images.split(1), target.split(1))])


def duals(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Compare CLRP1 as described, CLRP1 as coded, and CLRP2, for the predicted class (erratum 23).

    Args:
        model: A network that :func:`contrastlib.explainers.lrp.propagation.propagation` accepts.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.

    Returns:
        One row for each image and pair of methods, with similarity (cosine of the maps, summed over channels)
        and zero (share of pixels of the first map that are 0).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> duals(net, torch.rand(2, 3, 8, 8))["methods"].unique().tolist()
    ['clrp1, clrp1_coded', 'clrp1, clrp2', 'clrp1_coded, clrp2']
    """
    maps = relevance_maps(model, images, lambda y: y.argmax(dim=1), ["clrp1", "clrp1_coded", "clrp2"])
    maps = {name: phi.sum(dim=1).flatten(1).double() for name, phi in maps.items()}
    rows = []
    for one, other in (("clrp1", "clrp1_coded"), ("clrp1", "clrp2"), ("clrp1_coded", "clrp2")):
        rows.append(
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "methods": f"{one}, {other}",
                    "similarity": cosine(maps[one], maps[other], of_zero=0).numpy(force=True),
                    "zero": (maps[one] == 0).double().mean(dim=1).numpy(force=True),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def boxes(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Compare the relevance maps of two boxes of the z^B rule of the first layer, for the predicted class.

    One is the interval of the normalised values of each channel, -mean_c / std_c to (1 - mean_c) / std_c.
    The other is one interval for all channels, from the lowest to the highest of these values, as in the
    code of Gu et al. 2018: -2.1179 to 2.64 with the means and standard deviations of ImageNet (erratum 44).

    Args:
        model: A network with ``normalise``, see :class:`contrastlib.models.classifier.Normalise`.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the class is the predicted one.

    Returns:
        One row for each image and method (LRP, CLRP1 and CLRP2), with similarity (cosine of the two maps,
        summed over channels), and arrived, the sum of the map with one interval over that with an interval
        for each channel.
    """
    mean, std = model.normalise.mean, model.normalise.std
    low, high = -mean / std, (1 - mean) / std
    one_interval = (low.min() * std + mean, high.max() * std + mean)
    first, second = (
        {name: phi.sum(dim=1).flatten(1).double() for name, phi in maps.items()}
        for maps in (
            relevance_maps(model, images, lambda y: y.argmax(dim=1), ["lrp", "clrp1", "clrp2"], box=box)
            for box in ((0.0, 1.0), one_interval)
        )
    )
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "method": name,
                    "similarity": cosine(first[name], second[name], of_zero=0).numpy(force=True),
                    "arrived": (second[name].sum(dim=1) / first[name].sum(dim=1)).numpy(force=True),
                }
            )
            for name in first
        ],
        ignore_index=True,
    )


def medians(table: pd.DataFrame, value: str, away_from: float | None = None) -> pd.DataFrame:
    """Median of a column over images for each network, or its distance from a number.

    Args:
        table: A table of :func:`conservation`, of one rule and treatment of biases.
        value: Name of a column, such as "arrived".
        away_from: If given, the absolute difference between the median and this number is returned.

    Returns:
        A row for each network, with ``mean``.

    >>> t = pd.DataFrame({"network": "n", "arrived": [0.5, 0.75, 1.0]})
    >>> medians(t, "arrived", away_from=1)["mean"].item()
    0.25
    """
    found = table.groupby("network", sort=False)[value].median()
    return (found if away_from is None else (found - away_from).abs()).rename("mean").reset_index()


def random_classes(logits: Tensor, images: Tensor, seed: int) -> Tensor:
    """Draw ten of the hundred most probable classes of each image (Gu et al. 2018, Fig. 1).

    Only classes with positive logits are drawn, so that the propagated relevance is positive. If there are
    fewer than ten, all of them are taken. The draw depends on the image and the seed, not on the batch.

    Args:
        logits: Logits (B, C).
        images: Images (B, K, H, W).
        seed: Seed of the draw.

    Returns:
        Tensor (B, C) of ones at the classes and zeros elsewhere.

    >>> random_classes(torch.tensor([[3., -1., 2.]]), torch.rand(1, 3, 8, 8), seed=0)
    tensor([[1., 0., 1.]])
    """
    likely = min(AMONG, logits.shape[1])
    generators = (torch.Generator().manual_seed(image_seed(image, seed)) for image in images)
    scores = torch.stack([torch.rand(logits.shape[1], generator=each) for each in generators]).to(
        logits.device
    )
    order = logits.argsort(dim=1, descending=True)
    outside = torch.ones_like(scores, dtype=torch.bool).scatter(1, order[:, :likely], False) | (logits <= 0)
    drawn = scores.masked_fill(outside, -1).topk(min(RANDOM, likely), dim=1)
    return torch.zeros_like(logits).scatter(1, drawn.indices, (drawn.values >= 0).to(logits.dtype))
