"""Relevance inside a network: the units that receive it, and the share that a layer propagates.

Source: Gu et al. 2018, sec. 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.evaluation.similarity import cosine
from contrastlib.explainers.lrp import propagation, score


def arriving(model: nn.Module, images: Tensor, layers: Sequence[str], count: int) -> dict[str, Tensor]:
    """Relevance at the outputs of layers, by LRP with the z+ rule from each of the most probable classes.

    Args:
        model: A network that :func:`contrastlib.explainers.lrp.propagation.propagation` accepts.
        images: Images (B, K, H, W).
        layers: Names as in ``model.named_modules()``.
        count: Number N of classes.

    Returns:
        Layer -> relevance (N, B, units) of its units.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> arriving(net, torch.rand(2, 3, 8, 8), ["1"], count=3)["1"].shape
    torch.Size([3, 2, 144])
    """
    arrived: dict[str, list[Tensor]] = {name: [] for name in layers}

    def watching(name: str) -> Callable[[nn.Module, tuple, Tensor], None]:
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
    """Share of units that receive relevance from both of the two most probable classes.

    The share is that of the units that receive relevance from at least one of them.

    Args:
        model: As in :func:`arriving`.
        images: Images (B, K, H, W).
        labels: Not used, because the classes are the predicted ones.
        layers: As in :func:`arriving`.

    Returns:
        One row for each image and layer, with from_both (the share of units) and similarity (cosine of the
        relevances of the two classes).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> received(net, torch.rand(2, 3, 8, 8), layers=["0", "1"])["layer"].unique().tolist()
    ['0', '1']
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
                    "similarity": cosine(one, other, of_zero=0).numpy(force=True),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def passed_on(model: nn.Module, images: Tensor, steps: Mapping[str, tuple[str, str]]) -> pd.Series:
    """Share of the relevance of a layer that arrives at an earlier layer, median over images.

    Both relevances are those of the outputs. The class is the predicted one.

    Args:
        model: As in :func:`arriving`.
        images: Images (B, K, H, W).
        steps: Name of a step -> its earlier and its later layer.

    Returns:
        Step -> share.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> passed_on(net, torch.rand(2, 3, 8, 8), {"last layer": ("2", "3")}).round(3).to_dict()
    {'last layer': 1.0}
    """
    layers = dict.fromkeys(layer for pair in steps.values() for layer in pair)
    sums = {
        name: relevance[0].sum(dim=1)
        for name, relevance in arriving(model, images, list(layers), count=1).items()
    }
    return pd.Series(
        {step: (sums[earlier] / sums[later]).median().item() for step, (earlier, later) in steps.items()}
    )
