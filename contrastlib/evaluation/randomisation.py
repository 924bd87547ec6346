"""Randomisation of parameters and of labels: does a map change when the network has learned something else?

- The layers of a network lose their parameters one after the other, from the top down, until all are random.
- The network is replaced by another one, such as one that was trained on shuffled labels.

The maps of the same class are compared with those of the intact network. A map that stays the same does not
show what the network learned.

Source: Adebayo et al. 2018, "Sanity checks for saliency maps" (the cascade and shuffled labels); Hedström et
al. 2024, "Sanity checks revisited" (entropy of the map of the random network).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.stats import rankdata
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.evaluation.control_maps import CONTRASTS, METHODS
from contrastlib.evaluation.maps_of_contrasts import applicable, enlarged, explanations
from contrastlib.evaluation.statistics import paired_differences

WINDOW = 7
"""Side in pixels of the windows of :func:`structural_similarity`."""
RIGHT, SHUFFLED = "right labels", "shuffled labels"
"""Keys of two networks that differ only in the labels of their training, see :func:`loss_of_labels`."""
KEYS = ["network", "method", "contrast", "group", "image"]
"""Columns that identify a map in tables of several networks."""


def cascade(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHODS,
    contrasts: Sequence[str] = CONTRASTS,
    steps: int = 6,
    layer: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Likeness of maps before and after the upper layers have lost their parameters.

    The values of each parameter are permuted at random, and so are the means and variances of batch norms.
    Their distribution stays, so that activations keep their size.

    Args:
        model: A network with logits (B, C). It is not changed.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the one that the intact network finds most probable.
        methods: Names of explainers; those for another architecture are left out.
        contrasts: Names of contrasts.
        steps: Number of networks, from one that lost its last layer to one that lost all of them, at equal
            distances in the number of layers.
        layer: Layer of the methods that explain one. None stands for their default.
        seed: Seed of the permutations, the same for all images.

    Returns:
        One row for each image, method, contrast and step (0 is the intact network), with

        - lost: share of the layers that are random
        - spearman: rank correlation with the map of the intact network, 0 if a map has no differences
        - ssim: structural similarity to it (Wang et al. 2004), both divided by their largest absolute value
        - entropy: entropy of the histogram of the map, in nats

    Raises:
        ValueError: A method or a contrast is unknown, or no method applies to the network.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = cascade(net, torch.rand(2, 3, 8, 8), contrasts=["weighted"], steps=2)
    >>> table["lost"].unique().tolist()
    [0.0, 0.5, 1.0]
    """
    target = predict(model, images).argmax(dim=1)
    options = {"methods": _some_applicable(model, methods), "contrasts": contrasts, "layer": layer}
    names = layers_from_the_top(model)
    changed, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    intact, tables, done = None, [], 0
    for step, count in enumerate([0, *np.linspace(1, len(names), steps).round().astype(int)]):
        for name in names[done:count]:
            randomise(changed.get_submodule(name), generator)
        done = count
        made = list(explanations(changed, images, target, **options))
        intact = intact or made
        for (keys, maps), (_, before) in zip(made, intact):
            tables.append(
                _compared(keys, maps, before, images.shape[-2:]).assign(step=step, lost=count / len(names))
            )
    return pd.concat(tables, ignore_index=True)


def likeness_to_networks(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    compared_with: Mapping[str, nn.Module],
    methods: Sequence[str] = METHODS,
    contrasts: Sequence[str] = CONTRASTS,
    layer: str | None = None,
) -> pd.DataFrame:
    """Likeness of the maps of a network to those of other networks of the same architecture and classes.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used, because the class is the one that ``model`` finds most probable.
        compared_with: What another network stands for -> that network, with logits (B, C).
        methods: Names of explainers. Those for another architecture are left out.
        contrasts: Names of contrasts.
        layer: Layer of the methods that explain one. None stands for their default.

    Returns:
        One row for each image, method, contrast and other network, with other (its key), spearman, ssim and
        entropy as in :func:`cascade`.

    Raises:
        ValueError: There is no other network, a method or a contrast is unknown, or no method applies to the
            network. Or another network has another number of classes, other methods apply to it, or its maps
            have another size.

    >>> def small():
    ...     return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = likeness_to_networks(
    ...     small(), torch.rand(2, 3, 8, 8), compared_with={"again": small()}, contrasts=["weighted"])
    >>> table[["image", "other"]].values.tolist()
    [[0, 'again'], [1, 'again']]
    """
    if not compared_with:
        raise ValueError("compared_with is empty: name at least one other network")
    logits, chosen = predict(model, images), _some_applicable(model, methods)
    target, options = logits.argmax(dim=1), {"methods": chosen, "contrasts": contrasts, "layer": layer}
    own, tables = list(explanations(model, images, target, **options)), []
    for name, other in compared_with.items():
        classes = predict(other, images).shape[1]
        if classes != logits.shape[1]:
            raise ValueError(
                f"{name!r} has {classes} classes and the network {logits.shape[1]}: compare networks of the "
                "same classes"
            )
        theirs = applicable(other, methods)
        if theirs != chosen:
            raise ValueError(
                f"{', '.join(theirs) or 'no method'} can explain {name!r}, and {', '.join(chosen)} the "
                "network: compare networks of one architecture, or choose methods for both"
            )
        made = explanations(other, images, target, **options)
        for (keys, maps), (_, own_maps) in zip(made, own, strict=True):
            if maps.shape != own_maps.shape:
                raise ValueError(
                    f"the maps of {name!r} have {maps.shape[-2]} x {maps.shape[-1]} values and those of the "
                    f"network {own_maps.shape[-2]} x {own_maps.shape[-1]}: compare networks of one "
                    "architecture"
                )
            tables.append(_compared(keys, maps, own_maps, images.shape[-2:]).assign(other=name))
    return pd.concat(tables, ignore_index=True)


def layers_from_the_top(model: nn.Module) -> list[str]:
    """Names of the modules that have parameters of their own, the last defined ones first.

    >>> layers_from_the_top(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)))
    ['2', '0']
    """
    own = {name.rpartition(".")[0]: None for name, _ in model.named_parameters()}
    return list(own)[::-1]


def randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Permute the values of each parameter and of each floating-point buffer of a module, in place.

    Args:
        module: The module, without its children.
        generator: The source of the permutations.

    >>> line = nn.Linear(3, 2)
    >>> before = line.weight.detach().clone()
    >>> randomise(line, torch.Generator().manual_seed(0))
    >>> line.weight.equal(before), line.weight.sum().allclose(before.sum())
    (False, True)
    """
    for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        if values.is_floating_point():
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            values.data.copy_(values.data.reshape(-1)[order].view(values.shape))


def rank_correlation(maps: Tensor, others: Tensor) -> np.ndarray:
    """Spearman's rank correlation of maps, 0 if all values of a map are equal.

    Args:
        maps: Maps (..., H, W).
        others: Maps (..., H, W).

    Returns:
        Correlations (...).

    >>> rank_correlation(torch.tensor([[1., 2.], [3., 9.]]), torch.tensor([[0., 1.], [2., 3.]])).item()
    1.0
    """
    a, b = (rankdata(each.flatten(-2).numpy(force=True), axis=-1) for each in (maps, others))
    a, b = (each - each.mean(axis=-1, keepdims=True) for each in (a, b))
    norms = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return (a * b).sum(axis=-1) / np.where(norms > 0, norms, 1)


def structural_similarity(maps: Tensor, others: Tensor) -> Tensor:
    """Structural similarity (SSIM) of maps, in windows of ``WINDOW`` pixels.

    Args:
        maps: Maps (..., H, W), of at least ``WINDOW`` pixels on each side. They are divided by their largest
            absolute value.
        others: Maps (..., H, W).

    Returns:
        The mean over all windows (...), with a range of values of 2 and the constants 0.01 and 0.03 of Wang
        et al. 2004, eq. 13.

    >>> structural_similarity(torch.eye(9), 3 * torch.eye(9)).item()
    1.0
    """

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values[:, None], WINDOW, stride=1)[:, 0]

    x, y = (_scaled(each).reshape(-1, *maps.shape[-2:]) for each in (maps, others))
    m_x, m_y = mean(x), mean(y)
    variances = mean(x * x) - m_x**2 + mean(y * y) - m_y**2
    covariance = mean(x * y) - m_x * m_y
    c_1, c_2 = 0.02**2, 0.06**2
    likeness = (2 * m_x * m_y + c_1) * (2 * covariance + c_2) / ((m_x**2 + m_y**2 + c_1) * (variances + c_2))
    return likeness.mean(dim=(-2, -1)).view(maps.shape[:-2])


def entropy(maps: Tensor, bins: int = 100) -> np.ndarray:
    """Entropy, in nats, of the histogram of the values of each map between its lowest and highest value.

    Args:
        maps: Maps (..., H, W).
        bins: Number of bins of the same width.

    Returns:
        Entropies (...): 0 if all values lie in one bin, log(bins) if they are spread evenly.

    >>> entropy(torch.tensor([[0., 1.], [0., 1.]])).round(4).item()
    0.6931
    """
    flat = maps.flatten(-2).numpy(force=True).reshape(-1, maps.shape[-2] * maps.shape[-1])
    shares = np.stack([np.histogram(values, bins)[0] / values.size for values in flat])
    found = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    return found.reshape(maps.shape[:-2])


def sensitivity(table: pd.DataFrame, value: str = "spearman") -> pd.DataFrame:
    """Mean likeness of each map over all steps after the first: the area under its curve.

    Args:
        table: A table of :func:`cascade`, with network and group.
        value: "spearman" or "ssim".

    Returns:
        One row for each network, method, contrast and image.

    >>> table = pd.DataFrame({"step": [0, 1, 2], "lost": [0.0, 0.5, 1.0], "spearman": [1.0, 0.5, 0.25]})
    >>> table = table.assign(network="n", method="gradcam", contrast="weighted", image=0, group=0)
    >>> sensitivity(table)["spearman"].tolist()
    [0.375]
    """
    return table[table["step"] > 0].groupby(KEYS, sort=False, as_index=False)[value].mean()


def likeness_between_contrasts(
    table: pd.DataFrame,
    first: str = "weighted",
    second: str = "original",
    value: str = "spearman",
    **options: Any,
) -> pd.DataFrame:
    """Mean likeness of the maps of one contrast minus that of another one; negative if it is more sensitive.

    Args:
        table: A table of :func:`cascade`, with network and group.
        first: A contrast.
        second: The other one.
        value: As in :func:`sensitivity`.
        **options: Options of :func:`~contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        One row for each network and method, with mean, low and high.
    """
    return paired_differences(
        sensitivity(table, value), value, ["network", "method"], first=first, second=second, **options
    )


def loss_of_labels(
    table: pd.DataFrame, right: str = RIGHT, shuffled: str = SHUFFLED, value: str = "spearman"
) -> pd.DataFrame:
    """Likeness that maps lose when the labels of the training are shuffled.

    It is the likeness to the maps of a network of right labels minus that to the maps of one of shuffled
    labels, both trained on the same images by the same recipe.

    Args:
        table: A table of :func:`likeness_to_networks`, with network and group.
        right: Key of the network of right labels.
        shuffled: Key of the network of shuffled labels.
        value: "spearman" or "ssim".

    Returns:
        One row for each network, method, contrast and image, with loss.

    Raises:
        ValueError: One of the two networks is not in the table.

    >>> table = pd.DataFrame({"other": ["right labels", "shuffled labels"], "spearman": [0.75, 0.25]})
    >>> table = table.assign(network="n", method="gradcam", contrast="weighted", image=0, group=0)
    >>> loss_of_labels(table)["loss"].tolist()
    [0.5]
    """
    wide = table.pivot(index=KEYS, columns="other", values=value)
    missing = [key for key in (right, shuffled) if key not in wide]
    if missing:
        raise ValueError(f"no network stands for {missing[0]!r} in this table, but for {', '.join(wide)}")
    return (wide[right] - wide[shuffled]).rename("loss").reset_index()


def loss_of_labels_between_contrasts(
    table: pd.DataFrame, first: str = "weighted", second: str = "original", **options: Any
) -> pd.DataFrame:
    """Mean of :func:`loss_of_labels` of one contrast minus that of another; positive if it is more sensitive.

    Args:
        table: As there.
        first: A contrast.
        second: The other one.
        **options: Options of :func:`~contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        One row for each network and method, with mean, low and high.
    """
    return paired_differences(
        loss_of_labels(table), "loss", ["network", "method"], first=first, second=second, **options
    )


def rise_of_entropy(table: pd.DataFrame) -> pd.DataFrame:
    """Relative rise of the entropy of a map when all layers are random (the efficient test, eMPRT).

    It is (h' - h) / h for the entropies h of the map of the intact network and h' of the random one.

    Args:
        table: A table of :func:`cascade`, with network and group.

    Returns:
        One row for each network, method, contrast and image, with rise.

    >>> table = pd.DataFrame({"step": [0, 1], "lost": [0.0, 1.0], "entropy": [2.0, 3.0]})
    >>> table = table.assign(network="n", method="gradcam", contrast="weighted", image=0, group=0)
    >>> rise_of_entropy(table)["rise"].tolist()
    [0.5]
    """
    ends = table[table["step"].isin([0, table["step"].max()])]
    wide = ends.pivot(index=KEYS, columns="step", values="entropy")
    return ((wide.iloc[:, 1] - wide.iloc[:, 0]) / wide.iloc[:, 0]).rename("rise").reset_index()


def _some_applicable(model: nn.Module, methods: Sequence[str]) -> list[str]:
    """The methods that apply to a network, or an error if there is none."""
    found = applicable(model, methods)
    if not found:
        raise ValueError(
            f"methods = {list(methods)}: none of them applies to the architecture of the network"
        )
    return found


def _compared(
    keys: Sequence[tuple[str, str]], maps: Tensor, others: Tensor, size: Sequence[int]
) -> pd.DataFrame:
    """Rows of maps (N, B, h, w) and the maps to compare them with."""
    full, full_others = (enlarged(each, size) for each in (maps, others))
    index = pd.MultiIndex.from_tuples(
        [(*key, image) for key in keys for image in range(maps.shape[1])],
        names=["method", "contrast", "image"],
    )
    columns = {
        "spearman": rank_correlation(maps, others).ravel(),
        "ssim": structural_similarity(full, full_others).flatten().numpy(force=True),
        "entropy": entropy(full).ravel(),
    }
    return pd.DataFrame(columns, index).reset_index()


def _scaled(maps: Tensor) -> Tensor:
    size = maps.abs().amax(dim=(-2, -1), keepdim=True).double()
    return maps.double() / torch.where(size > 0, size, 1)
