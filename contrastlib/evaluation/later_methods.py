"""Measures that later papers use, for the maps of their methods and of the contrasts before them.

- :func:`drops`: how far the probability of a class falls when the highest 5 % of its map are masked
  (Zhang et al. 2025), and how many of the highest pixels two rival classes share (Williamson et al. 2025)
- :func:`shared_evidence`: what changes in a map when one vector is added to the last layer's weights of all
  classes, which changes no probability

The grid pointing game of Walter et al. 2026 is in :mod:`contrastlib.evaluation.grid_pointing`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import ForwardPass, forward, predict
from contrastlib.evaluation.masking import baseline
from contrastlib.explainers import EXPLAINERS, class_competition, upsample

VAR = "class_competition"
METHODS = ("original", "weighted", "among", "finer_cam", "finer_cam_coded", "case", "rfxg", "rest", VAR)
"""Names of contrasts of a single class, with similar foils, and VAR."""


def drops(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHODS,
    share: float = 0.05,
    fill: str = "blur",
    layer: str | None = None,
) -> pd.DataFrame:
    """Fall of the probability when the highest pixels are masked, and agreement of the maps of two classes.

    Args:
        model: A network with logits (B, C) of images in [0, 1]. It normalises them itself.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the two most probable ones, t and s.
        methods: Names in ``METHODS``. The maps are GradCAM maps of the layer, enlarged to the images.
        share: Share of the pixels that are masked, and of those that are compared.
        fill: Name of a :func:`~contrastlib.evaluation.masking.baseline`.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image and method, with

        - drop: (p_t - p_t') / p_t, where p_t' is the probability of t after masking
        - drop_against_rival: the same for the relative probability e^y_t / (e^y_t + e^y_s)
        - agreement: number of pixels that are among the highest of both maps, that of t and that of s, over
          the number of the highest pixels of one map
        - positive: share of the pixels at which the map of t is above 0. If it is below the share of the
          highest pixels, pixels at 0 or below are masked too, the first ones at 0 first.

    Raises:
        ValueError: The share is not in (0, 1], or the baseline or a method is unknown.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = drops(net, torch.rand(2, 3, 8, 8), methods=["original", "weighted"])
    >>> table[["image", "contrast"]].values.tolist()
    [[0, 'original'], [1, 'original'], [0, 'weighted'], [1, 'weighted']]
    """
    record = forward(model, images, layer)
    t, s = record.logits.topk(2, dim=1).indices.T
    size = images.shape[-2:]
    maps = torch.stack([maps_of(record, target, methods) for target in (t, s)])
    full = upsample(maps.flatten(0, 2), size).unflatten(0, maps.shape[:3])  # (2, methods, B, H, W)
    masks, positive = highest(full, share), (full[0] > 0).double().mean(dim=(-2, -1))
    filled = baseline(fill, model, images)
    after = torch.stack([predict(model, torch.where(mask[:, None], filled, images)) for mask in masks[0]])
    before = record.logits.double()
    pair = torch.stack([t, s], dim=1)

    def relative(logits: Tensor) -> Tensor:
        return logits.double().gather(1, pair).softmax(dim=1)[:, 0]

    def probability(logits: Tensor) -> Tensor:
        return logits.double().softmax(dim=1).gather(1, t[:, None])[:, 0]

    common = (masks[0] & masks[1]).sum(dim=(-2, -1)) / masks[0].sum(dim=(-2, -1))
    return pd.concat([
        pd.DataFrame({
            "image": range(len(images)), "contrast": name,
            "drop": (1 - probability(each) / probability(before)).numpy(force=True),
            "drop_against_rival": (1 - relative(each) / relative(before)).numpy(force=True),
            "agreement": common[number].double().numpy(force=True),
            "positive": positive[number].numpy(force=True),
        })
        for number, (name, each) in enumerate(zip(methods, after))
    ], ignore_index=True)  # fmt: skip


def highest(maps: Tensor, share: float) -> Tensor:
    """Mark the highest pixels of each map. Of equal pixels the first ones count.

    Args:
        maps: Maps (..., H, W).
        share: Share of the pixels.

    Returns:
        A boolean mask (..., H, W), true at round(share * H * W) pixels of each map, at least at one.

    Raises:
        ValueError: The share is not in (0, 1].

    >>> highest(torch.tensor([[3., 1.], [2., 3.]]), share=0.5)
    tensor([[ True, False],
            [False,  True]])
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: choose a share of the pixels above 0, up to 1")
    flat = maps.flatten(-2)
    count = max(1, round(share * flat.shape[-1]))
    first = flat.argsort(dim=-1, descending=True, stable=True)[..., :count]
    return torch.zeros_like(flat, dtype=torch.bool).scatter_(-1, first, True).view_as(maps)


def shared_evidence(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHODS,
    layer: str | None = None,
) -> pd.DataFrame:
    """What survives in a map of evidence that all classes share.

    One vector is added to the weights of all classes in the last layer: the mean of the rows, at the length
    of a row. All logits of an image then rise by the same number, and no probability changes. The map of the
    logit changes by the map of that number. Any other map with a cotangent w changes by sum_s w_s times it.

    Args:
        model: A network whose last layer is an :class:`torch.nn.Linear` with a row for each class.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the class is the predicted one.
        methods: Names in ``METHODS``.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image and method, with

        - survives: norm of the change of the map over that of the change of the *original* map
        - sum: sum of the weights w, NaN for VAR, which has none
        - gap: distance of survives from the absolute value of sum, NaN for VAR and where the weights change
          with the network (CASE)

    Raises:
        ValueError: The last layer is no linear one.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = shared_evidence(net, torch.rand(2, 3, 8, 8), methods=["original", "weighted"])
    >>> table.groupby("contrast")["survives"].mean().round(3).abs().to_dict()
    {'original': 1.0, 'weighted': 0.0}
    """
    moved = with_shared_evidence(model)
    before, after = (forward(each, images, layer) for each in (model, moved))
    target = before.logits.argmax(dim=1)

    names = ("original", *methods)
    changes = (maps_of(after, target, names) - maps_of(before, target, names)).flatten(2).norm(dim=2).double()
    tables = []
    for name, survives in zip(methods, changes[1:] / changes[0]):
        unknown = torch.full_like(survives, torch.nan)
        total = unknown if name == VAR else cotangent_of(before, target, name).sum(dim=1).double()
        fixed = name != VAR and not contrasts.by_name(name).needs_gradients
        gap = (survives - total.abs()).abs() if fixed else unknown
        columns = {"survives": survives, "sum": total, "gap": gap}
        numbers = {column: values.numpy(force=True) for column, values in columns.items()}
        tables.append(pd.DataFrame({"image": range(len(images)), "contrast": name, **numbers}))
    return pd.concat(tables, ignore_index=True)


def with_shared_evidence(model: nn.Module) -> nn.Module:
    """Copy a network, and add one vector to the weights of all classes in its last layer.

    Args:
        model: A network whose last layer is an :class:`torch.nn.Linear` with a row for each class.

    Returns:
        The copy. The vector is the mean of the rows, enlarged to their mean length.

    Raises:
        ValueError: There is no linear layer, or the mean of its rows is 0.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    >>> x = torch.rand(1, 3, 2, 2)
    >>> change = with_shared_evidence(net)(x) - net(x)
    >>> (change - change.mean()).abs().max().item() < 1e-5
    True
    """
    moved = copy.deepcopy(model)
    linear = [each for each in moved.modules() if isinstance(each, nn.Linear)]
    if not linear:
        raise ValueError("the network has no linear layer, so it has no rows of classes to add a vector to")
    weight = linear[-1].weight.data
    mean = weight.mean(dim=0)
    if not mean.norm() > 0:
        raise ValueError("the rows of the last layer have the mean 0, which names no direction")
    weight += weight.norm(dim=1).mean() * mean / mean.norm()
    return moved


def maps_of(record: ForwardPass, target: Tensor, methods: Sequence[str]) -> Tensor:
    """GradCAM maps of contrasts, and maps of VAR.

    Args:
        record: A forward pass that recorded one layer, made with ``once=False``.
        target: Target classes (B,).
        methods: Names in ``METHODS``.

    Returns:
        Maps (methods, B, h, w).

    Raises:
        ValueError: A method is unknown.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> record = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> maps_of(record, torch.tensor([0, 3]), ["original", "weighted"]).shape
    torch.Size([2, 2, 6, 6])
    """
    named = [name for name in methods if name != VAR]
    cotangents = torch.stack([cotangent_of(record, target, name) for name in named])
    maps = dict(zip(named, EXPLAINERS["gradcam"].function(record, cotangents)))
    if VAR in methods:
        maps[VAR] = class_competition(record, target)
    return torch.stack([maps[name] for name in methods])


def cotangent_of(record: ForwardPass, target: Tensor, name: str) -> Tensor:
    """The cotangent of a contrast, with similar foils if it takes any.

    Args:
        record: A forward pass that recorded one layer, made with ``once=False``.
        target: Target classes (B,).
        name: Name of a contrast of a single class.

    Returns:
        The cotangent (B, C).

    Raises:
        ValueError: No contrast has that name.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> record = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> cotangent_of(record, torch.tensor([0, 3]), "original").argmax(dim=1)
    tensor([0, 3])
    """
    each, layer = contrasts.by_name(name), record.layer()
    return contrasts.cotangent(
        name,
        record.logits,
        target,
        "similar" if each.takes_foils else None,
        (lambda w: record.pull_back(w)[layer]) if each.needs_gradients else None,
    )
