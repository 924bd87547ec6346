"""Relevance inside a network: which units receive it, and what a layer passes on (Gu et al. 2018, sec. 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.explainers.lrp import propagation, score


def arriving(model: nn.Module, images: Tensor, layers: Sequence[str], count: int) -> dict[str, Tensor]:
    """Relevance at the outputs of layers, of LRP with the z+ rule from each of the most probable classes.

    Args:
        model: a network that :func:`contrastlib.explainers.lrp.propagation.propagation` takes.
        images: (B, channels, H, W).
        layers: names as in ``model.named_modules()``.
        count: of classes.

    Returns:
        layer -> relevance (count, B, N) of its N units.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> arriving(net, torch.rand(2, 3, 8, 8), ["1"], count=3)["1"].shape
    torch.Size([3, 2, 144])
    """
    arrived: dict[str, list[Tensor]] = {name: [] for name in layers}

    def watching(name: str):
        def watch(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            output.register_hook(lambda relevance: arrived[name].append(relevance.flatten(1)))

        return watch

    with ExitStack() as stack:
        for name in layers:
            stack.callback(model.get_submodule(name).register_forward_hook(watching(name)).remove)
        propagate = stack.enter_context(propagation(model, images))
        for target in propagate.outputs.topk(count, dim=1).indices.T:
            propagate(score(propagate.outputs, target))
    return {name: torch.stack(each) for name, each in arrived.items()}


def received(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, layers: Sequence[str] = ()
) -> pd.DataFrame:
    """Units that receive relevance from both of the two most probable classes, of those that receive any.

    Args:
        model, images, layers: see :func:`arriving`.
        labels: not used; the classes are the predicted ones.

    Returns:
        One row for each image and layer, with from_both (the share of units) and similarity (cosine of
        what they receive).
    """
    tables = []
    for name, (one, other) in arriving(model, images, layers, count=2).items():
        both, either = (one != 0) & (other != 0), (one != 0) | (other != 0)
        tables.append(
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "layer": name,
                    "from_both": (both.sum(dim=1) / either.sum(dim=1)).numpy(force=True),
                    "similarity": torch.cosine_similarity(one, other).numpy(force=True),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def passed_on(model: nn.Module, images: Tensor, steps: Mapping[str, tuple[str, str]]) -> pd.Series:
    """Share of a layer's relevance that arrives at an earlier layer, both at the outputs; medians over images.

    Args:
        model, images: see :func:`arriving`; the class is the predicted one.
        steps: name of a step -> its earlier and its later layer.

    Returns:
        Step -> share.
    """
    layers = dict.fromkeys(layer for pair in steps.values() for layer in pair)
    sums = {
        name: relevance[0].sum(dim=1)
        for name, relevance in arriving(model, images, list(layers), count=1).items()
    }
    return pd.Series(
        {step: (sums[earlier] / sums[later]).median().item() for step, (earlier, later) in steps.items()}
    )
