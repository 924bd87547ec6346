"""The grid pointing game: which part of a map lies in the cell of a mosaic that shows the class.

Source: Böhle et al. 2021; Walter et al. 2026.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contrastlib.autograd import forward, predict
from contrastlib.evaluation.later_methods import METHODS, maps_of
from contrastlib.explainers import upsample

CELLS = 4
"""Cells of a mosaic, two by two."""


def localisation(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHODS,
    layer: str | None = None,
) -> pd.DataFrame:
    """The grid pointing game: which part of a map lies in the cell that shows the class.

    A mosaic has four images of different predicted classes, each at half its size. The first is an image of
    the batch, the others are those that come after it, with the first ones after the last. The map of each
    of the four classes is scored by the sum of its positive values in the cell of the class, over the sum of
    all its positive values. A map without positive values has the score 0. A constant map has 1/4.

    Args:
        model: As in :func:`contrastlib.evaluation.later_methods.drops`.
        images: Images (B, K, H, W) in [0, 1], with an even height and width.
        labels: Not used, because the classes are the predicted ones.
        methods: Names in ``METHODS``.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image of a mosaic and each method, with image (its index) and localisation (its mean
        score over the mosaics that show it). So images are the units of a bootstrap, and not mosaics, which
        share images. Without four images of different classes there is no row.
    """
    classes = predict(model, images).argmax(dim=1)
    chosen = [_four(classes.tolist(), first) for first in range(len(images))]
    chosen = [each for each in chosen if each]
    if not chosen:
        return pd.DataFrame(columns=["image", "contrast", "localisation"])
    index = torch.tensor(chosen, device=images.device)
    record = forward(model, mosaics(images, index), layer)
    scores = []
    for cell in range(CELLS):
        maps = maps_of(record, classes[index[:, cell]], methods)
        scores.append(torch.stack([in_cell(upsample(each, images.shape[-2:]), cell) for each in maps]))
    of_cells = torch.stack(scores).double().transpose(0, 1).flatten(1)  # (methods, cells × mosaics)
    table = pd.DataFrame(of_cells.T.numpy(force=True), columns=list(methods))
    means = table.groupby(index.T.flatten().numpy(force=True)).mean().rename_axis("image")
    return means.reset_index().melt("image", var_name="contrast", value_name="localisation")


def mosaics(images: Tensor, index: Tensor) -> Tensor:
    """Put four images, each at half its size, into one.

    Args:
        images: Images (B, K, H, W).
        index: Indices (M, 4) of the images at the top left, top right, bottom left and bottom right.

    Returns:
        Mosaics (M, K, H, W).

    >>> mosaics(torch.arange(4.)[:, None, None, None].expand(4, 1, 2, 2), torch.tensor([[3, 2, 1, 0]]))
    tensor([[[[3., 2.],
              [1., 0.]]]])
    """
    half = [side // 2 for side in images.shape[-2:]]
    small = F.interpolate(images, half, mode="bilinear", antialias=True, align_corners=False)[index]
    rows = [torch.cat([small[:, 2 * row], small[:, 2 * row + 1]], dim=-1) for row in range(2)]
    return torch.cat(rows, dim=-2)


def in_cell(maps: Tensor, cell: int) -> Tensor:
    """Sum of the positive values of maps in a cell of the mosaic, over the sum of all positive values.

    Args:
        maps: Maps (B, H, W).
        cell: Number of the cell: top left, top right, bottom left, bottom right.

    Returns:
        Scores (B,), 0 for a map without positive values.

    >>> in_cell(torch.tensor([[[3., 1.], [-5., 0.]]]), 0)
    tensor([0.7500])
    """
    positive = maps.clamp(min=0)
    height, width = (side // 2 for side in maps.shape[-2:])
    top, left = cell // 2 * height, cell % 2 * width
    inside = positive[:, top : top + height, left : left + width].sum(dim=(-2, -1))
    total = positive.sum(dim=(-2, -1))
    return torch.where(total > 0, inside / total.where(total > 0, 1), 0)


def _four(classes: Sequence[int], first: int) -> list[int]:
    """The indices of an image and the next three of other classes, or an empty list."""
    found = {}
    for step in range(len(classes)):
        index = (first + step) % len(classes)
        found.setdefault(classes[index], index)
        if len(found) == CELLS:
            return list(found.values())
    return []
