"""Two objects in one picture: does a map find the one asked for (Gu et al. 2018, sec. 5.1)?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency

METHODS = ("lrp", "clrp1", "clrp2", "sglrp", "weighted_lrp", "gradcam/original", "gradcam/weighted")


def compare(
    model: nn.Module, images: Tensor, targets: Tensor, regions: Tensor, methods: Sequence[str] = METHODS
) -> pd.DataFrame:
    """Maps of both classes, image by image.

    Args:
        model: logits (B, C) from images.
        images: (B, channels, H, W).
        targets: (2, B), the classes of the two objects.
        regions: boolean (2, B, H, W), true where each object is.
        methods: see :func:`contrastlib.evaluation.saliency.saliency`.

    Returns:
        One row for each image, object (0, 1) and method: target (its class), y_t and p_t, and of its map
        the share of the positive energy in its own region (own) and in the other object's (other), and
        similarity, the cosine with the map of the other object. A map without positive values has no
        energy anywhere: 0.

    Raises:
        ValueError: shapes that do not fit, or an object without a pixel.
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
        similarity = torch.cosine_similarity(*maps.flatten(2))
        own, other = _energy(maps, regions), _energy(maps, regions.flip(0))
        for which, target in enumerate(targets):
            columns = {"target": target, **{name: values[which] for name, values in scores.items()},
                       "own": own[which], "other": other[which], "similarity": similarity}
            table = pd.DataFrame({name: values.numpy(force=True) for name, values in columns.items()})
            tables.append(table.assign(image=range(len(images)), object=which, method=method))
    return pd.concat(tables, ignore_index=True)


def _energy(maps: Tensor, regions: Tensor) -> Tensor:
    """Share of the positive energy of maps (2, B, H, W) inside regions: (2, B)."""
    positive = maps.clamp(min=0)
    whole = positive.sum(dim=(2, 3))
    return (positive * regions.to(maps.device)).sum(dim=(2, 3)) / torch.where(whole == 0, 1, whole)


def region(boxes: Sequence[Sequence[int]], size: int) -> Tensor:
    """What boxes (x0, y0, x1, y1) cover of a square of ``size`` pixels: boolean (size, size).

    >>> region([(0, 0, 1, 2), (1, 1, 2, 2)], 2).int()
    tensor([[1, 0],
            [1, 1]], dtype=torch.int32)
    """
    covered = torch.zeros(size, size, dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        covered[y0:y1, x0:x1] = True
    return covered
