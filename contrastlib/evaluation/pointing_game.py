"""The pointing game over energy thresholds (Gu et al. 2018, sec. 5.2 and Fig. 4).

The energy of a map is the sum of its positive values. The foreground at a threshold p is the smallest set of
highest pixels that has at least the share p of the energy. It is a hit if the whole foreground is in the box
of the target. At p = 0 the foreground is the maximum alone, which is the pointing game of Zhang et al. 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    """The pointing game for several methods, image by image.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Classes (B,) of the object in each box.
        boxes: Boxes (B, 4) or masks, as in :func:`pointing`.
        methods: Methods of :func:`contrastlib.evaluation.saliency.saliency`. "centre" always points at the
            centre of the image.
        thresholds: Shares of the energy, in [0, 1].

    Returns:
        The table of :func:`pointing` for each method, with the column method.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> labels, boxes = torch.tensor([0, 3]), torch.tensor([[0, 0, 4, 4], [2, 2, 8, 8]])
    >>> table = pointing_game(net, torch.rand(2, 3, 8, 8), labels, boxes, ["lrp", "centre"], [0.5])
    >>> table["method"].unique().tolist(), table.columns.tolist()
    (['lrp', 'centre'], ['image', 'threshold', 'hit', 'inside', 'kept', 'energy', 'box', 'method'])
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
    """:func:`pointing_game` for every object of every image, with the map of the class of the object.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the classes are those of the objects.
        objects: For each image, a sequence of the class and the region (H, W) of each object. An image
            without objects has no row.
        methods: As in :func:`pointing_game`.
        thresholds: As in :func:`pointing_game`.

    Returns:
        The table of :func:`pointing_game` with the column object, the number of the object in its image.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> region = torch.zeros(8, 8, dtype=torch.bool)
    >>> region[:4] = True
    >>> objects = [[(3, region), (0, ~region)], []]
    >>> table = of_objects(net, torch.rand(2, 3, 8, 8), None, objects, ["centre"], [0.5])
    >>> table[["image", "object", "method"]].values.tolist()
    [[0, 0, 'centre'], [0, 1, 'centre']]
    """
    tables = []
    for number in range(max(map(len, objects))):
        having = [i for i, each in enumerate(objects) if len(each) > number]
        classes, regions = zip(*(objects[i][number] for i in having))
        targets = torch.tensor(classes, device=images.device)
        table = pointing_game(model, images[having], targets, torch.stack(regions), methods, thresholds)
        tables.append(table.assign(image=np.array(having)[table["image"]], object=number))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def differences(table: pd.DataFrame, first: str, second: str, **options: Any) -> pd.DataFrame:
    """Mean differences of pointing accuracy between two methods, ``first`` minus ``second``.

    Args:
        table: A table of :func:`of_objects`, of one or more networks.
        first: Name of a method.
        second: Name of another method.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each network and threshold, with the columns of
        :func:`contrastlib.evaluation.statistics.paired_differences`.

    >>> table = pd.DataFrame({"method": ["clrp1", "lrp"], "hit": [True, False], "threshold": 0.5})
    >>> differences(table.assign(network="n", image=0, object=0, group=0), "clrp1", "lrp")["mean"].item()
    1.0
    """
    apart, by = statistics.objects_apart(table), ["network", "threshold"]
    return statistics.paired_differences(apart, "hit", by, "method", first, second, **options)


def distances(table: pd.DataFrame, first: str, second: str, **options: Any) -> pd.DataFrame:
    """Absolute values of :func:`differences`.

    Args:
        table: A table of :func:`of_objects`, of one or more networks.
        first: Name of a method.
        second: Name of another method.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        As :func:`differences`. low and high are the smallest and the largest absolute value in the interval.

    >>> table = pd.DataFrame({"method": ["clrp1", "lrp"], "hit": [False, True], "threshold": 0.5})
    >>> distances(table.assign(network="n", image=0, object=0, group=0), "clrp1", "lrp")["mean"].item()
    1.0
    """
    found = differences(table, first, second, **options)
    nearest = found["low"].clip(lower=0) - found["high"].clip(upper=0)
    if "samples" in found:
        found["samples"] = found["samples"].map(np.abs)
    return found.assign(mean=found["mean"].abs(), low=nearest, high=found[["low", "high"]].abs().max(axis=1))


def largest_distance(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Largest of the mean :func:`distances` over the thresholds, for each network.

    Args:
        table: A table of :func:`of_objects`, of one or more networks.
        first: Name of a method.
        second: Name of another method.

    Returns:
        A row for each network, with mean, images and groups.

    >>> table = pd.DataFrame({"method": ["clrp1", "lrp"], "hit": [False, True], "threshold": 0.5})
    >>> largest_distance(table.assign(network="n", image=0, object=0, group=0), "clrp1", "lrp")["mean"].item()
    1.0
    """
    found = distances(table, first, second, resamples=1)
    return found.groupby("network", sort=False, as_index=False)[["mean", "images", "groups"]].max()


def largest_rise(table: pd.DataFrame) -> pd.DataFrame:
    """Largest increase of pointing accuracy between consecutive thresholds over all methods.

    Args:
        table: A table of :func:`of_objects`, of one or more networks.

    Returns:
        A row for each network, with mean, which is below 0 if every accuracy decreases at every step.

    >>> t = pd.DataFrame({"network": "n", "method": "m", "threshold": [0, 0.1, 0.2], "hit": [1, 0.5, 0.75]})
    >>> largest_rise(t)["mean"].tolist()
    [0.25]
    """
    accuracy = table.groupby(["network", "method", "threshold"])["hit"].mean()
    rises = accuracy.groupby(["network", "method"]).diff()
    return rises.groupby("network", sort=False).max().rename("mean").reset_index()


def pointing(maps: Tensor, boxes: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> pd.DataFrame:
    """Foreground of maps and its overlap with boxes, with one sort for all thresholds.

    Args:
        maps: Maps (B, H, W).
        boxes: Boxes (B, 4) in pixels (x0, y0, x1, y1) with x1 and y1 exclusive, or boolean masks (B, H, W)
            that are True on the object.
        thresholds: Shares of the energy, in [0, 1].

    Returns:
        One row for each image and threshold, with

        - image and threshold
        - hit: whether the whole foreground is inside the box
        - inside: share of the pixels of the foreground that are inside
        - kept: share of the pixels of the image that are in the foreground
        - box: share of the image that the box covers
        - energy: share of all energy that is inside, which does not depend on the threshold

        A map without positive values has no foreground: hit is False and inside is 0.

    Raises:
        ValueError: The shapes do not fit, a box has no pixel, a threshold is outside [0, 1], or maps have
            NaN.

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
    # reduced slightly, so that a share of all energy is reached in spite of rounding
    wanted = torch.as_tensor(levels, device=maps.device) * held[:, -1:] * (1 - 1e-12)
    positive = (energy > 0).sum(dim=1, keepdim=True)
    count = (torch.searchsorted(held, wanted) + 1).minimum(positive)
    within = inside.gather(1, (count - 1).clamp(min=0)) * (count > 0)
    shape, whole = count.shape, held[:, -1]
    shares = (maps.double().clamp(min=0) * masks).sum(dim=(1, 2)) / torch.where(whole == 0, 1, whole)
    return pd.DataFrame(
        {
            "image": np.repeat(np.arange(shape[0]), shape[1]),
            "threshold": np.tile(levels, shape[0]),
            "hit": ((within == count) & (count > 0)).flatten().numpy(force=True),
            "inside": (within / count.clamp(min=1)).flatten().numpy(force=True),
            "kept": (count / energy.shape[1]).flatten().numpy(force=True),
            "energy": np.repeat(shares.numpy(force=True), shape[1]),
            "box": np.repeat(masks.double().mean(dim=(1, 2)).numpy(force=True), shape[1]),
        }
    )


def as_masks(boxes: Tensor, maps: Tensor) -> Tensor:
    """Convert boxes (B, 4) to boolean masks (B, H, W), and return masks unchanged.

    Args:
        boxes: Boxes (B, 4) in pixels (x0, y0, x1, y1), or boolean masks (B, H, W).
        maps: Maps (B, H, W), which give the size.

    Returns:
        Boolean masks (B, H, W).

    Raises:
        ValueError: The shapes do not fit the maps, or a box has no pixel.

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
        raise ValueError(
            f"the box of image {int(empty.nonzero()[0])} holds no pixel: x0 < x1 and y0 < y1 inside the image"
        )
    return masks
