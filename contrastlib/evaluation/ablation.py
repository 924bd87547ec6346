"""Ablation: occlude the most relevant position of an image and measure the activation that is lost.

The most relevant position is the maximum of a map. The patch around it is replaced by that of the mean image.

Source: Gu et al. 2018, Table 1 and sec. 5.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import forward, predict
from contrastlib.contrasts import log_odds
from contrastlib.evaluation import statistics
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency
from contrastlib.explainers.lrp import named_methods, propagation

METHODS = ("random", "gradient", "guided_backpropagation", "lrp", "clrp1", "clrp2")
TOGETHER = 64
"""Number of ablated images in one forward pass."""


def ablation(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    mean: Tensor,
    methods: Sequence[str] = METHODS,
    sizes: Sequence[int] = (5, 15, 31),
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the score of the true class before and after the maximum of its map is ablated.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Classes (B,) that are explained and measured.
        mean: Mean image (K, H, W), see :func:`mean_image`.
        methods: Methods of :func:`contrastlib.evaluation.saliency.saliency`. "random" ablates a random
            position.
        sizes: Sides of the patch in pixels. An odd patch is centred on a pixel.
        seed: Seed of the random position.

    Returns:
        One row for each image, method and size, with image, method, size, row and column of the position, and
        y_t and p_t after the ablation and before it (``_before``). The number in the paper is the mean of
        y_t_before - y_t.

    Raises:
        ValueError: The mean image has another shape than the images, or a patch has no pixel.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> images, labels, mean = torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), torch.zeros(3, 8, 8)
    >>> table = ablation(net, images, labels, mean, ["lrp", "random"], sizes=[3])
    >>> table[["image", "method", "size"]].values.tolist()
    [[0, 'lrp', 3], [1, 'lrp', 3], [0, 'random', 3], [1, 'random', 3]]
    """
    positions = [
        position_of_maximum(each)
        for each in saliency(model, images, labels, methods, seed, PAPERS_OPTIONS).values()
    ]
    before = _scores(predict(model, images), labels).add_suffix("_before")
    tables = []
    for size in sizes:
        for method, where in zip(methods, positions):
            after = _scores(_predict(model, ablated(images, where, mean, size)), labels)
            tables.append(
                after.join(before).assign(
                    image=range(len(images)),
                    method=method,
                    size=size,
                    row=where[:, 0].numpy(force=True),
                    column=where[:, 1].numpy(force=True),
                )
            )
    return pd.concat(tables, ignore_index=True)


def neuron_ablation(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    mean: Tensor,
    layer: str,
    count: int = 8,
    size: int = 31,
    methods: Sequence[str] = ("lrp", "clrp2"),
) -> pd.DataFrame:
    """Measure the neurons of a layer when the maximum of the map of one of them is ablated.

    Source: Gu et al. 2018, Fig. 5c.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used, because the neurons are the most active ones of each image.
        mean: Mean image (K, H, W), see :func:`mean_image`.
        layer: Name of a fully connected layer, or of the ReLU after it.
        count: Number of neurons.
        size: Side of the patch in pixels.
        methods: "lrp", "clrp1" or "clrp2", propagated from the neurons.

    Returns:
        One row for each image, method, ablated neuron i and measured neuron j, with image, method, ablated
        and neuron (ranks 0 ... count - 1 by activation), ablated_index and neuron_index (in the layer),
        before, after, and similarity (cosine of the maps of i and j).

    Raises:
        ValueError: The layer has fewer neurons than ``count``, or its outputs are not a matrix.
    """
    with propagation(model, images, layer=layer) as propagate:
        outputs = propagate.outputs
        if outputs.ndim != 2 or outputs.shape[1] < count:
            raise ValueError(
                f"layer {layer!r} gives {tuple(outputs.shape)}: {count} neurons of (B, N) are needed"
            )
        before, neurons = outputs.topk(count, dim=1)
        maps = {
            name: method(propagate, neurons.T).sum(dim=2)  # (count, B, H, W)
            for name, method in named_methods(methods, **PAPERS_OPTIONS["lrp"]).items()
        }
    tables = []
    for method, each in maps.items():
        changed = torch.cat([ablated(images, position_of_maximum(one), mean, size) for one in each])
        after = torch.cat(
            [forward(model, part, layer, once=True).activations[layer] for part in changed.split(TOGETHER)]
        )
        after = after.unflatten(0, each.shape[:2]).gather(2, neurons[None].expand(count, -1, -1))  # (i, B, j)
        tables.append(_neuron_table(neurons, before, after, _similarity(each)).assign(method=method))
    return pd.concat(tables, ignore_index=True)


def drops(table: pd.DataFrame) -> pd.DataFrame:
    """Add the losses of activation and probability to a table of :func:`ablation`.

    They are activation = y_t_before - y_t and probability = p_t_before - p_t.

    >>> table = pd.DataFrame({"y_t": [1.0], "p_t": [0.5], "y_t_before": [3.0], "p_t_before": [0.75]})
    >>> drops(table)[["activation", "probability"]].values.tolist()
    [[2.0, 0.25]]
    """
    return table.assign(
        activation=table["y_t_before"] - table["y_t"], probability=table["p_t_before"] - table["p_t"]
    )


def differences(table: pd.DataFrame, first: str, second: str, **options: Any) -> pd.DataFrame:
    """Mean difference of the lost activation between two methods, ``first`` minus ``second``.

    Args:
        table: A table of :func:`ablation`, of one or more networks.
        first: Name of a method.
        second: Name of another method.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each network and size, with the columns of
        :func:`contrastlib.evaluation.statistics.paired_differences`.

    >>> table = pd.DataFrame({"method": ["clrp2", "lrp"], "y_t_before": 3.0, "y_t": [1.0, 2.0],
    ...     "p_t_before": 0.5, "p_t": 0.25})
    >>> table = table.assign(network="n", size=5, image=0, group=0)
    >>> differences(table, "clrp2", "lrp")["mean"].item()
    1.0
    """
    by = ["network", "size"]
    return statistics.paired_differences(drops(table), "activation", by, "method", first, second, **options)


def relative_drops(table: pd.DataFrame, method: str, other: str) -> pd.DataFrame:
    """Ratio of the mean activation lost with one method to that lost with another.

    Args:
        table: A table of :func:`ablation`, of one or more networks.
        method: Name of the method in the numerator.
        other: Name of the method in the denominator.

    Returns:
        A row for each network and size, with ``mean``. It is infinite if no activation is lost with the other
        method.

    >>> table = pd.DataFrame({"method": ["clrp2", "lrp"], "y_t_before": 3.0, "y_t": [1.0, 2.0],
    ...     "p_t_before": 0.5, "p_t": 0.25})
    >>> relative_drops(table.assign(network="n", size=5), "clrp2", "lrp")["mean"].item()
    2.0
    """
    cells = drops(table).groupby(["network", "size", "method"], sort=False)
    mean = cells["activation"].mean().unstack("method")
    return (mean[method] / mean[other]).where(mean[other] > 0, float("inf")).rename("mean").reset_index()


def own_patches(table: pd.DataFrame, over: str = "neuron", tolerance: float = 1e-6) -> pd.DataFrame:
    """How often the loss of a neuron due to its own patch is the largest loss (Gu et al. 2018, Fig. 5c).

    A loss is the share 1 - after / before of the activation of a neuron.

    Args:
        table: A table of :func:`neuron_ablation`, of one method and one or more networks.
        over: "neuron" compares the losses of one neuron due to all patches. "ablated" compares the losses of
            all neurons due to one patch.
        tolerance: Losses that differ from the largest by less than this count as the largest too, because
            neurons whose maxima coincide have the same loss.

    Returns:
        A row for each network, with ``mean`` (the share of neurons, or patches) and ``chance`` (the share of
        all pairs of a neuron and a patch whose loss is the largest).
    """
    lost = 1 - table["after"] / table["before"]
    largest = (
        lost > lost.groupby([table["network"], table["image"], table[over]]).transform("max") - tolerance
    )
    own = table["ablated"] == table["neuron"]
    mean = largest[own].groupby(table.loc[own, "network"], sort=False).mean()
    chance = largest.groupby(table["network"], sort=False).mean()
    return pd.DataFrame({"mean": mean, "chance": chance}).reset_index()


def neuron_similarities(table: pd.DataFrame) -> pd.DataFrame:
    """Mean cosine of the maps of two different neurons, for each network.

    Args:
        table: A table of :func:`neuron_ablation`.

    Returns:
        A row for each network, with ``mean``.

    >>> table = pd.DataFrame({"ablated": [0, 0, 1], "neuron": [0, 1, 0], "similarity": [1.0, 0.5, 0.25]})
    >>> neuron_similarities(table.assign(network="n"))["mean"].item()
    0.375
    """
    pairs = table[table["ablated"] != table["neuron"]]
    return pairs.groupby("network", sort=False)["similarity"].mean().rename("mean").reset_index()


def mean_image(images: Iterable[Tensor]) -> Tensor:
    """Mean of images (K, H, W), computed in one pass in double precision.

    Args:
        images: Images of one size.

    Returns:
        The mean image (K, H, W) in the dtype of the images.

    Raises:
        ValueError: There is no image, or the images have several sizes.

    >>> mean_image([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)]).unique()
    tensor([0.5000])
    """
    total, count, kind = None, 0, None
    for image in images:
        if total is not None and image.shape != total.shape:
            raise ValueError(
                f"a mean image needs images of one size, got {tuple(image.shape)} and {tuple(total.shape)}"
            )
        total, kind = image.double() if total is None else total + image, image.dtype
        count += 1
    if total is None:
        raise ValueError("the mean image needs at least one image")
    return (total / count).to(kind)


def position_of_maximum(maps: Tensor) -> Tensor:
    """Row and column (B, 2) of the maximum of maps (B, H, W). Among equal values, the first one counts.

    >>> position_of_maximum(torch.tensor([[[0., 1.], [3., 2.]]]))
    tensor([[1, 0]])
    """
    width = maps.shape[-1]
    best = maps.flatten(1).argmax(dim=1)
    return torch.stack([best // width, best % width], dim=1)


def ablated(images: Tensor, positions: Tensor, mean: Tensor, size: int) -> Tensor:
    """Replace the patch around a position of each image by that of the mean image.

    The part of a patch that lies outside the image is cut off.

    Args:
        images: Images (B, K, H, W).
        positions: Rows and columns (B, 2).
        mean: Mean image (K, H, W).
        size: Side of the patch in pixels.

    Returns:
        The changed images (B, K, H, W).

    Raises:
        ValueError: The mean image has another shape than the images, or the patch has no pixel.

    >>> ablated(torch.ones(1, 1, 3, 3), torch.tensor([[0, 2]]), torch.zeros(1, 3, 3), size=3)
    tensor([[[[1., 0., 0.],
              [1., 0., 0.],
              [1., 1., 1.]]]])
    """
    if mean.shape != images.shape[1:] or size < 1:
        raise ValueError(
            f"the mean image must be {tuple(images.shape[1:])} and the patch must have a pixel, "
            f"got {tuple(mean.shape)} and {size}"
        )
    row, column = (axis[:, None, None] - (size - 1) // 2 for axis in positions.unbind(dim=1))
    rows, columns = (torch.arange(length, device=images.device) for length in images.shape[-2:])
    rows, columns = rows[:, None], columns[None]
    patch = (row <= rows) & (rows < row + size) & (column <= columns) & (columns < column + size)
    return torch.where(patch[:, None], mean.to(images), images)


def _predict(model: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([predict(model, part) for part in images.split(TOGETHER)])


def _scores(logits: Tensor, labels: Tensor) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y_t": logits.gather(1, labels[:, None]).squeeze(1).numpy(force=True),
            "p_t": log_odds(logits, labels).sigmoid().numpy(force=True),
        }
    )


def _similarity(maps: Tensor) -> Tensor:
    """Cosines (N, B, N) of all pairs of maps (N, B, H, W)."""
    flat = torch.nn.functional.normalize(maps.flatten(2), dim=2)
    return torch.einsum("ibp,jbp->ibj", flat, flat)


def _neuron_table(neurons: Tensor, before: Tensor, after: Tensor, similarity: Tensor) -> pd.DataFrame:
    """A row for each ablated neuron i, image b and measured neuron j.

    The arguments are (B, N), (B, N), (N, B, N) and (N, B, N), N being the number of neurons.
    """
    shape = after.shape
    i, b, j = (axis.flatten() for axis in torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij"))
    neurons = neurons.cpu()
    return pd.DataFrame(
        {
            "image": b.numpy(),
            "ablated": i.numpy(),
            "neuron": j.numpy(),
            "ablated_index": neurons[b, i].numpy(),
            "neuron_index": neurons[b, j].numpy(),
            "before": before.cpu()[b, j].numpy(),
            "after": after.flatten().numpy(force=True),
            "similarity": similarity.flatten().numpy(force=True),
        }
    )
