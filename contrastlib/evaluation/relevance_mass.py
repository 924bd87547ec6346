"""Relevance mass accuracy of maps of images with two objects.

It is the share of the sum of a map's positive values that lies in the region of the explained object. The
columns of the tables call it energy.

Source: Gu et al. 2018, sec. 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import predict
from contrastlib.evaluation import statistics
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency
from contrastlib.evaluation.similarity import cosine

METHODS = ("lrp", "clrp1", "clrp2", "sglrp", "weighted_lrp", "gradcam/original", "gradcam/weighted")


def compare(
    model: nn.Module, images: Tensor, targets: Tensor, regions: Tensor, methods: Sequence[str] = METHODS
) -> pd.DataFrame:
    """Compare the maps of the classes of both objects of each image.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        targets: Classes (2, B) of the two objects.
        regions: Boolean regions (2, B, H, W) of the two objects.
        methods: Methods of :func:`contrastlib.evaluation.saliency.saliency`.

    Returns:
        One row for each image, object (0, 1) and method, with target (its class), y_t, p_t, the shares of the
        positive energy of its map in its own region (own) and in that of the other object (other), and
        similarity, the cosine with the map of the other object. The shares are 0 for a map without positive
        values.

    Raises:
        ValueError: The shapes do not fit, or an object has no pixel.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> regions = torch.zeros(2, 2, 8, 8, dtype=torch.bool)
    >>> regions[0, :, :4], regions[1, :, 4:] = True, True
    >>> table = compare(net, torch.rand(2, 3, 8, 8), torch.tensor([[0, 1], [3, 2]]), regions, ["lrp"])
    >>> table[["image", "object", "method", "target"]].values.tolist()
    [[0, 0, 'lrp', 0], [1, 0, 'lrp', 1], [0, 1, 'lrp', 3], [1, 1, 'lrp', 2]]
    """
    if targets.shape != (2, len(images)) or regions.shape != (2, len(images), *images.shape[-2:]):
        raise ValueError(
            f"images {tuple(images.shape)} need classes (2, B) and regions (2, B, H, W), "
            f"got {tuple(targets.shape)} and {tuple(regions.shape)}"
        )
    if not regions.flatten(2).any(dim=2).all():
        raise ValueError("the region of an object holds no pixel")
    logits = predict(model, images)
    scores = {"y_t": logits.gather(1, targets.T).T, "p_t": logits.softmax(dim=1).gather(1, targets.T).T}
    tables = []
    for method, maps in saliency(model, images, targets, methods, options=PAPERS_OPTIONS).items():
        maps = maps.double()
        similarity = cosine(*maps, of_zero=0)
        own, other = _energy(maps, regions), _energy(maps, regions.flip(0))
        for which, target in enumerate(targets):
            columns = {
                "target": target,
                **{name: values[which] for name, values in scores.items()},
                "own": own[which],
                "other": other[which],
                "similarity": similarity,
            }
            table = pd.DataFrame({name: values.numpy(force=True) for name, values in columns.items()})
            tables.append(table.assign(image=range(len(images)), object=which, method=method))
    return pd.concat(tables, ignore_index=True)


def of_objects(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    objects: Sequence[Sequence[tuple[int, Tensor]]],
    methods: Sequence[str] = METHODS,
) -> pd.DataFrame:
    """:func:`compare` for images with two objects each, and the sum of the initial relevance of weighted LRP.

    Args:
        model: As in :func:`compare`.
        images: Images (B, K, H, W).
        labels: Not used, because the classes are those of the objects.
        objects: For each image, the class and the region (H, W) of both objects.
        methods: As in :func:`compare`.

    Returns:
        The table of :func:`compare` with the column initial_relevance, the sum of w_s y_s over s, where w is
        the weighted contrast. It equals y_t - sum_{s != t} alpha_s y_s.

    Raises:
        ValueError: An image does not have two objects.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> region = torch.zeros(8, 8, dtype=torch.bool)
    >>> region[:4] = True
    >>> table = of_objects(net, torch.rand(1, 3, 8, 8), None, [[(3, region), (0, ~region)]], ["lrp"])
    >>> table[["image", "object", "target"]].values.tolist()
    [[0, 0, 3], [0, 1, 0]]
    """
    counts = sorted({len(each) for each in objects})
    if counts != [2]:
        raise ValueError(f"images of two objects are compared, got {counts} of them")
    classes = [[each[number][0] for each in objects] for number in range(2)]
    targets = torch.tensor(classes, device=images.device)
    regions = torch.stack([torch.stack([each[number][1] for each in objects]) for number in range(2)])
    table = compare(model, images, targets, regions, methods)
    logits = predict(model, images)
    sums = torch.stack([(contrasts.weighted(logits, target) * logits).sum(dim=1) for target in targets])
    return table.assign(initial_relevance=sums.numpy(force=True)[table["object"], table["image"]])


def differences(table: pd.DataFrame, first: str, second: str, **options: Any) -> pd.DataFrame:
    """Mean differences of the positive energy in the region of the object, method ``first`` minus ``second``.

    Args:
        table: A table of :func:`compare` or :func:`of_objects`, of one or more networks.
        first: Name of a method.
        second: Name of another method.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each network, with the columns of
        :func:`contrastlib.evaluation.statistics.paired_differences`.

    >>> table = pd.DataFrame({"method": ["clrp1", "lrp"], "own": [0.75, 0.5], "image": 0, "object": 0})
    >>> differences(table.assign(network="n", group=0), "clrp1", "lrp")["mean"].item()
    0.25
    """
    apart = statistics.objects_apart(table)
    return statistics.paired_differences(apart, "own", ["network"], "method", first, second, **options)


def by_sign_of_initial_relevance(table: pd.DataFrame) -> pd.DataFrame:
    """Weighted LRP by the sign of the sum of its initial relevance, compared with LRP.

    Args:
        table: A table of :func:`of_objects`, of one or more networks.

    Returns:
        A row for each network, with the counts maps, negative_logit, negative_sum and empty (maps of weighted
        LRP without positive relevance), and the mean shares of positive energy in the region of the object:
        positive (weighted LRP if the sum is positive), lrp (LRP for the same objects) and negative (weighted
        LRP if the sum is not positive).
    """
    rows = {}
    for network, part in statistics.objects_apart(table).groupby("network", sort=False):
        maps = {name: each.set_index("image") for name, each in part.groupby("method")}
        weighted, plain = maps["weighted_lrp"], maps["lrp"]
        positive = weighted["initial_relevance"] > 0
        rows[network] = {
            "maps": len(weighted),
            "negative_logit": (weighted["y_t"] < 0).sum(),
            "negative_sum": (~positive).sum(),
            "empty": (weighted["own"] + weighted["other"] == 0).sum(),
            "positive": weighted["own"][positive].mean(),
            "lrp": plain["own"][positive].mean(),
            "negative": weighted["own"][~positive].mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network").reset_index()


def _energy(maps: Tensor, regions: Tensor) -> Tensor:
    """Share (2, B) of the positive energy of maps (2, B, H, W) inside regions."""
    positive = maps.clamp(min=0)
    whole = positive.sum(dim=(2, 3))
    return (positive * regions.to(maps.device)).sum(dim=(2, 3)) / torch.where(whole == 0, 1, whole)


def region(boxes: Sequence[Sequence[int]], size: int) -> Tensor:
    """Pixels of a square image that boxes cover.

    Args:
        boxes: Boxes (x0, y0, x1, y1) in pixels, with x1 and y1 exclusive.
        size: Side of the image in pixels.

    Returns:
        A boolean mask (size, size).

    >>> region([(0, 0, 1, 2), (1, 1, 2, 2)], 2).int()
    tensor([[1, 0],
            [1, 1]], dtype=torch.int32)
    """
    covered = torch.zeros(size, size, dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        covered[y0:y1, x0:x1] = True
    return covered
