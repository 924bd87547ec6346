"""Relevance maps in numbers: do they tell classes apart, and is relevance conserved?

Gu et al. 2018, sec. 3.1 and 4; errata 23 to 25.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward
from contrastlib.evaluation.seeding import image_seed
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

RANDOM, AMONG = 10, 100  # the paper's fourth map: that many classes, drawn from so many most probable ones


def class_similarity(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, methods: Sequence[str] = tuple(METHODS), seed: int = 0
) -> pd.DataFrame:
    """How alike the maps of the three most probable classes are, by method (Gu et al. 2018, Fig. 1).

    Args:
        model: a network that :func:`contrastlib.explainers.lrp.propagation.propagation` takes.
        images: (B, channels, H, W) in [0, 1].
        labels: not used; the classes are the predicted ones.
        methods: names in :data:`contrastlib.explainers.lrp.initial_relevance.METHODS`, LRP from abs(y_t); the
            gradient and guided back-propagation are always compared as well.
        seed: of the random classes.

    Returns:
        One row for each image, method and pair, with similarity: the cosine of two maps, channels summed.
        Pairs: "1, 2" and "1, 3" of the most probable classes; "1, random" with 10 classes drawn from the 100
        most probable together: their initial relevances are added (CLRP is cut at 0 after that).
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
            cosine = torch.nn.functional.cosine_similarity(first, other)
            rows.append(pd.DataFrame({"image": range(len(images)), "method": name, "pair": pair, "similarity": cosine.numpy(force=True)}))
    return pd.concat(rows, ignore_index=True)


def together(outputs: Tensor, relevance: InitialRelevance, classes: Tensor) -> Tensor:
    """Initial relevance (B, C) of several classes together: the sum of the initial relevances of each.

    Args:
        outputs: the logits (B, C).
        classes: (B, C), ones at the classes, zeros elsewhere.

    >>> from contrastlib.explainers.lrp import score
    >>> together(torch.tensor([[3., -2., 4.]]), score, torch.tensor([[1., 1., 0.]]))
    tensor([[3., 2., 0.]])
    """
    of_any_image = classes.sum(dim=0).nonzero().flatten().tolist()
    return sum((relevance(outputs, t) * classes[:, t : t + 1] for t in of_any_image), torch.zeros_like(outputs))


def conservation(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Relevance that reaches the pixels, of the predicted class's logit, for every rule.

    Returns:
        One row for each image, rules and biases (False: bypassed; True: they take their part), with
        arrived (sum of the map over the logit; 1 if relevance is conserved), and cosines of the map with
        those of input x gradient: input_x_gradient, the input being that of the first layer
        with weights (after a ``normalise`` of the model's own), and pixels_x_gradient. All three are NaN
        where relevance overflows.
    """
    record = forward(model, images, [INPUT, "normalise"] if hasattr(model, "normalise") else INPUT, once=True)
    target = record.logits.argmax(dim=1)
    w = contrasts.original(record.logits, target)
    pixels, product = (input_x_gradient(record, w, name).flatten(1).double() for name in (INPUT, list(record.activations)[-1]))
    logit = record.logits.gather(1, target[:, None]).squeeze(1).double()
    rows = []
    for rules in ("z_plus", "epsilon", "z"):
        for biases in (False, True):
            flat = _relevance_of(model, images, target, rules=rules, biases=biases).flatten(1).double()
            rows.append(pd.DataFrame({
                "image": range(len(images)), "rules": rules, "biases": biases,
                "arrived": (flat.sum(dim=1) / logit).numpy(force=True),
                "input_x_gradient": torch.cosine_similarity(flat, product).numpy(force=True),
                "pixels_x_gradient": torch.cosine_similarity(flat, pixels).numpy(force=True),
            }))
    return pd.concat(rows, ignore_index=True)


def _relevance_of(model: nn.Module, images: Tensor, target: Tensor, **options) -> Tensor:
    """LRP of the target's logit, NaN for the images whose relevance overflows."""
    try:
        return contrastive_lrp(model, images, lambda y: contrasts.original(y, target), **options)
    except FloatingPointError:
        pass  # until the error is let go, its traceback keeps all that was computed
    if len(images) == 1:
        return torch.full_like(images, torch.nan)
    return torch.cat([_relevance_of(model, *one, **options) for one in zip(images.split(1), target.split(1))])


def duals(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Erratum 23: CLRP1 as the paper says and as its code has it, and CLRP2, for the predicted class.

    Returns:
        One row for each image and pair of methods, with similarity (cosine of the maps, channels
        summed) and, of the first map, zero (share of pixels at 0).
    """
    maps = relevance_maps(model, images, lambda y: y.argmax(dim=1), ["clrp1", "clrp1_coded", "clrp2"])
    maps = {name: phi.sum(dim=1).flatten(1).double() for name, phi in maps.items()}
    rows = []
    for one, other in (("clrp1", "clrp1_coded"), ("clrp1", "clrp2"), ("clrp1_coded", "clrp2")):
        rows.append(pd.DataFrame({
            "image": range(len(images)), "methods": f"{one}, {other}",
            "similarity": torch.cosine_similarity(maps[one], maps[other]).numpy(force=True),
            "zero": (maps[one] == 0).double().mean(dim=1).numpy(force=True),
        }))
    return pd.concat(rows, ignore_index=True)


def medians(table: pd.DataFrame, value: str, away_from: float | None = None) -> pd.DataFrame:
    """Median of a column over images, or its distance from a number, for each network.

    Args:
        table: from :func:`conservation`, of one rule and treatment of biases.
        value: column, such as "arrived".
        away_from: the absolute difference of the median from it is given instead.

    >>> t = pd.DataFrame({"network": "n", "arrived": [0.5, 0.75, 1.0]})
    >>> medians(t, "arrived", away_from=1)["mean"].item()
    0.25
    """
    found = table.groupby("network", sort=False)[value].median()
    return (found if away_from is None else (found - away_from).abs()).rename("mean").reset_index()


def random_classes(logits: Tensor, images: Tensor, seed: int) -> Tensor:
    """Ones (B, C) at ten classes drawn from the hundred most probable ones of each image (Gu et al. 2018, Fig. 1).

    Only classes with positive logits are drawn, so that what propagates is positive; fewer if there are fewer.
    What is drawn depends on the image (B, channels, H, W) and the seed, not on the batch.

    >>> random_classes(torch.tensor([[3., -1., 2.]]), torch.rand(1, 3, 8, 8), seed=0)
    tensor([[1., 0., 1.]])
    """
    likely = min(AMONG, logits.shape[1])
    generators = (torch.Generator().manual_seed(image_seed(image, seed)) for image in images)
    scores = torch.stack([torch.rand(logits.shape[1], generator=each) for each in generators]).to(logits.device)
    order = logits.argsort(dim=1, descending=True)
    outside = torch.ones_like(scores, dtype=torch.bool).scatter(1, order[:, :likely], False) | (logits <= 0)
    drawn = scores.masked_fill(outside, -1).topk(min(RANDOM, likely), dim=1)
    return torch.zeros_like(logits).scatter(1, drawn.indices, (drawn.values > 0).to(logits.dtype))
