"""Replace the most relevant position of an image and measure what falls (Gu et al. 2018, Table 1 and sec. 5.3).

The position is the maximum of a map; the patch around it takes the values that the mean image has there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import forward, predict
from contrastlib.contrasts import log_odds
from contrastlib.evaluation import statistics
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency
from contrastlib.explainers.lrp import named_methods, propagation

METHODS = ("random", "gradient", "guided_backpropagation", "lrp", "clrp1", "clrp2")
TOGETHER = 64  # ablated images in one forward pass


def ablation(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    mean: Tensor,
    methods: Sequence[str] = METHODS,
    sizes: Sequence[int] = (5, 15, 31),
    seed: int = 0,
) -> pd.DataFrame:
    """What the true class loses when the maximum of its map is ablated, image by image.

    Args:
        model: logits (B, C) from images.
        images: (B, channels, H, W).
        labels: (B,), the classes explained and measured.
        mean: (channels, H, W), see :func:`mean_image`.
        methods: see :func:`contrastlib.evaluation.saliency.saliency`; "random" ablates a random position.
        sizes: sides of the patch in pixels; odd ones have a pixel in their middle.
        seed: of the random position.

    Returns:
        One row for each image, method and size: image, method, size, row and column of the position, y_t and p_t
        after and (``_before``) before. The paper's number is the mean of y_t_before - y_t.

    Raises:
        ValueError: the mean image has another shape, or a patch no pixel.
    """
    positions = [position_of_maximum(each) for each in saliency(model, images, labels, methods, seed, PAPERS_OPTIONS).values()]
    before = _scores(predict(model, images), labels).add_suffix("_before")
    tables = []
    for size in sizes:
        for method, where in zip(methods, positions):
            after = _scores(_predict(model, ablated(images, where, mean, size)), labels)
            tables.append(after.join(before).assign(
                image=range(len(images)), method=method, size=size,
                row=where[:, 0].numpy(force=True), column=where[:, 1].numpy(force=True),
            ))
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
    """Which neurons of a layer fall when what one of them looks at is ablated (Gu et al. 2018, Fig. 5c).

    Args:
        labels: not used; the neurons are those most active in each image.
        layer: name of a fully connected layer, or of the ReLU after it.
        count: of neurons.
        methods: "lrp", "clrp1" or "clrp2" from the neurons.

    Returns:
        One row for each image, method, ablated neuron i and measured neuron j: image, method, ablated,
        neuron (ranks 0 ... count - 1 by activation), ablated_index, neuron_index (in the layer), before,
        after, and similarity (cosine) of the maps of i and j.

    Raises:
        ValueError: the layer has fewer neurons, or its outputs are not (B, N).
    """
    with propagation(model, images, layer=layer) as propagate:
        outputs = propagate.outputs
        if outputs.ndim != 2 or outputs.shape[1] < count:
            raise ValueError(f"layer {layer!r} gives {tuple(outputs.shape)}: {count} neurons of (B, N) are needed")
        before, neurons = outputs.topk(count, dim=1)
        maps = {name: method(propagate, neurons.T).sum(dim=2)  # (count, B, H, W)
                for name, method in named_methods(methods, **PAPERS_OPTIONS["lrp"]).items()}
    tables = []
    for method, each in maps.items():
        changed = torch.cat([ablated(images, position_of_maximum(one), mean, size) for one in each])
        after = torch.cat([forward(model, part, layer, once=True).activations[layer] for part in changed.split(TOGETHER)])
        after = after.unflatten(0, each.shape[:2]).gather(2, neurons[None].expand(count, -1, -1))  # (i, B, j)
        tables.append(_neuron_table(neurons, before, after, _similarity(each)).assign(method=method))
    return pd.concat(tables, ignore_index=True)


def drops(table: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`ablation` with activation = y_t_before - y_t and probability = p_t_before - p_t."""
    return table.assign(
        activation=table["y_t_before"] - table["y_t"], probability=table["p_t_before"] - table["p_t"]
    )


def differences(table: pd.DataFrame, first: str, second: str, **options) -> pd.DataFrame:
    """Mean differences of the activation lost at the positions of two methods, ``first`` minus ``second``.

    Args:
        table: from :func:`ablation`, of several networks.
        options: of :func:`contrastlib.evaluation.statistics.paired_differences`, which says what is returned.

    Returns:
        A row for each network and size.
    """
    by = ["network", "size"]
    return statistics.paired_differences(drops(table), "activation", by, "method", first, second, **options)


def relative_drops(table: pd.DataFrame, method: str, other: str) -> pd.DataFrame:
    """Mean activation lost at the positions of one method, over that of another; inf where that loses none.

    Args:
        table: from :func:`ablation`, of several networks.

    Returns:
        A row for each network and size, with ``mean``.
    """
    cells = drops(table).groupby(["network", "size", "method"], sort=False)
    mean = cells["activation"].mean().unstack("method")
    return (mean[method] / mean[other]).where(mean[other] > 0, float("inf")).rename("mean").reset_index()


def own_patches(table: pd.DataFrame, over: str = "neuron", tolerance: float = 1e-6) -> pd.DataFrame:
    """How often the loss of a neuron by its own patch is the largest of its kind (Gu et al. 2018, Fig. 5c).

    A loss is the share 1 - after / before of a neuron's activation. Losses within ``tolerance`` of the largest
    are all the largest: neurons that point at one position lose the same there.

    Args:
        table: from :func:`neuron_ablation`, of one method and several networks.
        over: "neuron", largest of the losses of a neuron by all patches; "ablated", largest of the losses of all
            neurons by a patch.

    Returns:
        A row for each network, with ``mean`` (the share of neurons, or patches) and ``chance`` (the share of all
        pairs of a neuron and a patch whose loss is the largest of its kind).
    """
    lost = 1 - table["after"] / table["before"]
    largest = lost > lost.groupby([table["network"], table["image"], table[over]]).transform("max") - tolerance
    own = table["ablated"] == table["neuron"]
    mean = largest[own].groupby(table.loc[own, "network"], sort=False).mean()
    chance = largest.groupby(table["network"], sort=False).mean()
    return pd.DataFrame({"mean": mean, "chance": chance}).reset_index()


def neuron_similarities(table: pd.DataFrame) -> pd.DataFrame:
    """Mean cosine of the maps of two neurons, for each network; table from :func:`neuron_ablation`."""
    pairs = table[table["ablated"] != table["neuron"]]
    return pairs.groupby("network", sort=False)["similarity"].mean().rename("mean").reset_index()


def mean_image(images: Iterable[Tensor]) -> Tensor:
    """The mean of images (channels, H, W), in one pass and in double precision.

    Raises:
        ValueError: no image, or images of several sizes.

    >>> mean_image([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)]).unique()
    tensor([0.5000])
    """
    total, count, kind = None, 0, None
    for image in images:
        if total is not None and image.shape != total.shape:
            raise ValueError(f"images of one size have a mean image: got {tuple(image.shape)} and {tuple(total.shape)}")
        total, kind = image.double() if total is None else total + image, image.dtype
        count += 1
    if total is None:
        raise ValueError("no image has no mean")
    return (total / count).to(kind)


def position_of_maximum(maps: Tensor) -> Tensor:
    """Row and column of the maximum of maps (B, H, W), of equal ones the first: (B, 2).

    >>> position_of_maximum(torch.tensor([[[0., 1.], [3., 2.]]]))
    tensor([[1, 0]])
    """
    width = maps.shape[-1]
    best = maps.flatten(1).argmax(dim=1)
    return torch.stack([best // width, best % width], dim=1)


def ablated(images: Tensor, positions: Tensor, mean: Tensor, size: int) -> Tensor:
    """Images whose patch of ``size`` pixels around each position (row, column) is the mean image's.

    What of a patch lies outside the image is cut off.

    >>> ablated(torch.ones(1, 1, 3, 3), torch.tensor([[0, 2]]), torch.zeros(1, 3, 3), size=3)
    tensor([[[[1., 0., 0.],
              [1., 0., 0.],
              [1., 1., 1.]]]])
    """
    if mean.shape != images.shape[1:] or size < 1:
        raise ValueError(
            f"the mean image must be {tuple(images.shape[1:])} and the patch have a pixel, "
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
    return pd.DataFrame({
        "y_t": logits.gather(1, labels[:, None]).squeeze(1).numpy(force=True),
        "p_t": log_odds(logits, labels).sigmoid().numpy(force=True),
    })


def _similarity(maps: Tensor) -> Tensor:
    """Cosine of every pair of maps (n, B, H, W): (n, B, n)."""
    flat = torch.nn.functional.normalize(maps.flatten(2), dim=2)
    return torch.einsum("ibp,jbp->ibj", flat, flat)


def _neuron_table(neurons: Tensor, before: Tensor, after: Tensor, similarity: Tensor) -> pd.DataFrame:
    """A row for each of (ablated i, image b, neuron j) from (B, n), (B, n), (n, B, n), (n, B, n)."""
    shape = after.shape
    i, b, j = (axis.flatten() for axis in torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij"))
    neurons = neurons.cpu()
    return pd.DataFrame({
        "image": b.numpy(), "ablated": i.numpy(), "neuron": j.numpy(),
        "ablated_index": neurons[b, i].numpy(), "neuron_index": neurons[b, j].numpy(),
        "before": before.cpu()[b, j].numpy(), "after": after.flatten().numpy(force=True),
        "similarity": similarity.flatten().numpy(force=True),
    })
