"""The pointing game over energy thresholds (Gu et al. 2018, sec. 5.2 and Fig. 4).

A map's energy is the sum of its positive values. Its foreground at a threshold p is the fewest highest
pixels that hold at least the share p of the energy; a hit has all of it in the target's box. At p = 0 the
foreground is the maximum alone: the pointing game of Zhang et al. 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.evaluation import statistics
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency

METHODS = ("gradient", "guided_backpropagation", "lrp", "clrp1", "clrp2", "centre")
COLUMNS = ("image", "object", "method", "threshold", "hit", "inside", "kept", "energy", "box")
THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def pointing_game(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    boxes: Tensor,
    methods: Sequence[str] = METHODS,
    thresholds: Sequence[float] = THRESHOLDS,
) -> pd.DataFrame:
    """The pointing game of several methods, image by image.

    Args:
        model, images: as in :func:`contrastlib.explain`.
        labels: (B,), the class of the object in each box.
        boxes: (B, 4) or masks, as in :func:`pointing`.
        methods: see :func:`contrastlib.evaluation.saliency.saliency`; "centre" always points there.

    Returns:
        The table of :func:`pointing` for each method, with column method.
    """
    maps = saliency(model, images, labels, methods, options=PAPERS_OPTIONS)
    tables = [pointing(maps[method], boxes, thresholds).assign(method=method) for method in methods]
    return pd.concat(tables, ignore_index=True)


def of_objects(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    objects: Sequence[Sequence[tuple[int, Tensor]]],
    methods: Sequence[str] = METHODS,
    thresholds: Sequence[float] = THRESHOLDS,
) -> pd.DataFrame:
    """:func:`pointing_game` for every object of every image, by the map of the object's class.

    Args:
        model, images, methods, thresholds: see :func:`pointing_game`.
        labels: not used; the classes are those of the objects.
        objects: class and region (H, W) of each object, a sequence for each image; without any it has no row.

    Returns:
        The table of :func:`pointing_game` with column object, the object's number in its image.
    """
    tables = []
    for number in range(max(map(len, objects))):
        having = [i for i, each in enumerate(objects) if len(each) > number]
        classes, regions = zip(*(objects[i][number] for i in having))
        targets = torch.tensor(classes, device=images.device)
        table = pointing_game(model, images[having], targets, torch.stack(regions), methods, thresholds)
        tables.append(table.assign(image=np.array(having)[table["image"]], object=number))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def differences(table: pd.DataFrame, first: str, second: str, **options) -> pd.DataFrame:
    """Mean differences of pointing accuracy between two methods, ``first`` minus ``second``.

    Args:
        table: from :func:`of_objects`, of several networks.
        options: of :func:`contrastlib.evaluation.statistics.paired_differences`, which says what is returned.

    Returns:
        A row for each network and threshold.
    """
    apart, by = statistics.objects_apart(table), ["network", "threshold"]
    return statistics.paired_differences(apart, "hit", by, "method", first, second, **options)


def distances(table: pd.DataFrame, first: str, second: str, **options) -> pd.DataFrame:
    """Absolute values of :func:`differences`; low and high are the least and the greatest in the interval."""
    found = differences(table, first, second, **options)
    nearest = found["low"].clip(lower=0) - found["high"].clip(upper=0)
    return found.assign(mean=found["mean"].abs(), low=nearest, high=found[["low", "high"]].abs().max(axis=1))


def largest_distance(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """The largest of the mean :func:`distances` over the thresholds, for each network."""
    found = distances(table, first, second, resamples=1)
    return found.groupby("network", sort=False, as_index=False)[["mean", "images", "groups"]].max()


def largest_rise(table: pd.DataFrame) -> pd.DataFrame:
    """The largest rise of pointing accuracy from one threshold to the next over all methods, by network.

    Args:
        table: from :func:`of_objects`, of several networks.

    Returns:
        Columns network and mean; below 0 if every accuracy falls at every step.

    >>> t = pd.DataFrame({"network": "n", "method": "m", "threshold": [0, 0.1, 0.2], "hit": [1, 0.5, 0.75]})
    >>> largest_rise(t)["mean"].tolist()
    [0.25]
    """
    accuracy = table.groupby(["network", "method", "threshold"])["hit"].mean()
    rises = accuracy.groupby(["network", "method"]).diff()
    return rises.groupby("network", sort=False).max().rename("mean").reset_index()


def pointing(maps: Tensor, boxes: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> pd.DataFrame:
    """Where the foreground of maps lies, one sort for all thresholds.

    Args:
        maps: (B, H, W).
        boxes: (B, 4) pixels (x0, y0, x1, y1) with x1, y1 exclusive, or boolean masks (B, H, W) that are true
            on the object.
        thresholds: shares of the energy to keep, in [0, 1].

    Returns:
        One row for each image and threshold: image, threshold, hit (all of the foreground inside),
        inside (share of the foreground's pixels that are), kept (share of the image's pixels in the
        foreground), box (share of the image that the box covers), energy (share of all energy that is
        inside, whatever the threshold). A map without positive values has no foreground: no hit,
        nothing inside.

    Raises:
        ValueError: shapes that do not fit, a box without pixels, a threshold outside [0, 1], NaN in maps.

    >>> maps = torch.tensor([[[3., 1.], [0., -5.]]])
    >>> pointing(maps, torch.tensor([[0, 0, 1, 2]]), [0, 0.5, 0.9])[["threshold", "hit", "inside"]]
       threshold    hit  inside
    0        0.0   True     1.0
    1        0.5   True     1.0
    2        0.9  False     0.5
    """
    levels = np.asarray(thresholds, dtype=float)
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError(f"thresholds are shares of the energy in [0, 1], got {list(thresholds)}")
    if not maps.isfinite().all():
        raise ValueError("maps hold NaN or infinite values")
    masks = as_masks(boxes, maps)
    energy, order = maps.double().clamp(min=0).flatten(1).sort(dim=1, descending=True, stable=True)
    inside = masks.flatten(1).gather(1, order).cumsum(dim=1)
    held = energy.cumsum(dim=1)
    # a hair less, so that a share of all energy is not missed by rounding of the sum
    wanted = torch.as_tensor(levels, device=maps.device) * held[:, -1:] * (1 - 1e-12)
    positive = (energy > 0).sum(dim=1, keepdim=True)
    count = (torch.searchsorted(held, wanted) + 1).minimum(positive)
    within = inside.gather(1, (count - 1).clamp(min=0)) * (count > 0)
    shape, whole = count.shape, held[:, -1]
    shares = (maps.double().clamp(min=0) * masks).sum(dim=(1, 2)) / torch.where(whole == 0, 1, whole)
    return pd.DataFrame({
        "image": np.repeat(np.arange(shape[0]), shape[1]),
        "threshold": np.tile(levels, shape[0]),
        "hit": ((within == count) & (count > 0)).flatten().numpy(force=True),
        "inside": (within / count.clamp(min=1)).flatten().numpy(force=True),
        "kept": (count / energy.shape[1]).flatten().numpy(force=True),
        "energy": np.repeat(shares.numpy(force=True), shape[1]),
        "box": np.repeat(masks.double().mean(dim=(1, 2)).numpy(force=True), shape[1]),
    })


def as_masks(boxes: Tensor, maps: Tensor) -> Tensor:
    """Boxes (B, 4) as boolean masks (B, H, W); masks as they are.

    Raises:
        ValueError: shapes that do not fit the maps, or nothing inside.

    >>> as_masks(torch.tensor([[1, 0, 2, 1]]), torch.zeros(1, 2, 3)).int()
    tensor([[[0, 1, 0],
             [0, 0, 0]]], dtype=torch.int32)
    """
    if boxes.dtype == torch.bool and boxes.shape == maps.shape:
        masks = boxes.to(maps.device)
    elif boxes.shape == (len(maps), 4) and boxes.dtype != torch.bool:
        x0, y0, x1, y1 = (side[:, None, None] for side in boxes.to(maps.device).unbind(dim=1))
        rows, columns = (torch.arange(length, device=maps.device) for length in maps.shape[-2:])
        rows, columns = rows[:, None], columns[None]
        masks = (x0 <= columns) & (columns < x1) & (y0 <= rows) & (rows < y1)
    else:
        raise ValueError(
            f"boxes must be (B, 4) or boolean masks (B, H, W) for maps {tuple(maps.shape)}, "
            f"got {boxes.dtype} {tuple(boxes.shape)}"
        )
    empty = ~masks.flatten(1).any(dim=1)
    if empty.any():
        raise ValueError(f"the box of image {int(empty.nonzero()[0])} holds no pixel: x0 < x1 and y0 < y1 inside the image")
    return masks
