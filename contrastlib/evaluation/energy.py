"""Share of a map inside a region that is known to be relevant, without reference to a network."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import forward
from contrastlib.evaluation.masking import METHOD_NAMES, explanations
from contrastlib.explainers import upsample


def energy_in(maps: Tensor, regions: Tensor) -> Tensor:
    """Share of the absolute values of a map inside a region: sum_R abs(phi) / sum abs(phi).

    Args:
        maps: Maps (..., H, W).
        regions: Boolean regions R, of a shape that broadcasts against the maps.

    Returns:
        Shares (...) in [0, 1], NaN for a map that is 0 everywhere.

    >>> energy_in(torch.tensor([[1., -3.]]), torch.tensor([[False, True]])).item()
    0.75
    """
    size = maps.abs()
    return (size * regions).sum(dim=(-2, -1)) / size.sum(dim=(-2, -1))


def energy_in_regions(
    model: nn.Module,
    images: Tensor,
    regions: Tensor,
    methods: Sequence[str] = METHOD_NAMES,
    contrasts: Sequence[str] = ("original", "weighted"),
) -> pd.DataFrame:
    """:func:`energy_in` of the maps of the most probable class, enlarged to the size of the images.

    Args:
        model: As in :func:`contrastlib.evaluation.masking.relative_probabilities`. The maps are those of its
            default layer.
        images: Images (B, K, H, W) in [0, 1].
        regions: Boolean regions (B, H, W), one for each image.
        methods: Names of explainers of the activation space.
        contrasts: Names of contrasts.

    Returns:
        One row for each method, contrast and image, with image (index in the batch), method, contrast,
        energy, area (share of the image covered by the region, which is the energy of a constant map), p_1
        and p_2 (the two highest probabilities).

    Raises:
        ValueError: The regions have another size than the images, or one has no pixel.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = energy_in_regions(net, torch.rand(2, 3, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool),
    ...     ["gradcam"])
    >>> table[["contrast", "image", "area"]].values.tolist()
    [['original', 0, 1.0], ['original', 1, 1.0], ['weighted', 0, 1.0], ['weighted', 1, 1.0]]
    """
    if regions.shape != (len(images), *images.shape[-2:]) or not regions.flatten(1).any(dim=1).all():
        raise ValueError(
            f"images {tuple(images.shape)} need regions (B, H, W), none empty; got {tuple(regions.shape)}"
        )
    record = forward(model, images, None, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(2, dim=1)
    maps = explanations(record, classes[:, :1], methods, contrasts)[:, :, 0]
    energy = torch.stack([energy_in(upsample(each, images.shape[-2:]), regions) for each in maps])
    index = pd.MultiIndex.from_product(
        [methods, contrasts, range(len(images))], names=["method", "contrast", "image"]
    )
    table = pd.DataFrame({"energy": energy.flatten().numpy(force=True)}, index).reset_index()
    columns = {
        "area": regions.double().mean(dim=(1, 2)),
        "p_1": probabilities[:, 0],
        "p_2": probabilities[:, 1],
    }
    return table.assign(
        **{name: values.numpy(force=True)[table["image"]] for name, values in columns.items()}
    )
