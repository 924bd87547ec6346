"""Similarity of the maps of two classes, and share of negative values.

Source: Wang & Wang 2022, sec. 5.2.1 and appendix G; Eriksson et al. 2025, sec. 3.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import forward
from contrastlib.contrasts import log_odds
from contrastlib.evaluation.masking import METHOD_NAMES, explanations


def cosine(maps: Tensor, others: Tensor, of_zero: float = float("nan")) -> Tensor:
    """Cosine of each map with another one, at any scale.

    Maps of the contrast *probability* have the factor p_t (1 - p_t), and little relevance arrives at the
    pixels of some networks. Their norm can be below the eps that ``torch.cosine_similarity`` uses.

    Args:
        maps: Maps (B, ...).
        others: The maps that they are compared with, of the same shape.
        of_zero: The value where a map is 0.

    Returns:
        Cosines (B,) in float64.

    >>> cosine(torch.tensor([[1e-9, 0.0], [0.0, 0.0]]), torch.ones(2, 2))
    tensor([0.7071,    nan], dtype=torch.float64)
    """
    maps, others = (each.flatten(1).double() for each in (maps, others))
    norms = [each.norm(dim=1, keepdim=True) for each in (maps, others)]
    cosines = (maps / norms[0] * (others / norms[1])).sum(dim=1)
    return cosines.masked_fill((norms[0] == 0).logical_or(norms[1] == 0)[:, 0], of_zero)


def describe(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHOD_NAMES,
    contrasts: Sequence[str] = ("original", "mean", "maximum", "weighted"),
    layers: Sequence[str] = (),
) -> pd.DataFrame:
    """Compare the maps of the two most probable classes of each image.

    Args:
        model: As in :func:`contrastlib.evaluation.masking.relative_probabilities`.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the predicted ones.
        methods: Names of explainers of the activation space.
        contrasts: Names of contrasts.
        layers: Names of layers. If empty, it is the default layer of the network.

    Returns:
        One row for each image, layer, method and contrast, with

        - image (index in the batch), layer, method and contrast
        - similarity: cosine of the maps of t_1 and t_2
        - negative: share of the map of t_1 below 0
        - p_1, p_2, p_3 and log_odds of t_1

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = describe(net, torch.rand(2, 3, 8, 8), methods=["gradcam"], contrasts=["weighted"])
    >>> table[["image", "layer", "method", "contrast"]].values.tolist()
    [[0, '0', 'gradcam', 'weighted'], [1, '0', 'gradcam', 'weighted']]
    """
    tables = []
    # one at a time, because the gradients of several layers together need most of the memory
    for layer in list(layers) or [None]:
        record = forward(model, images, layer, once=True)
        probabilities, classes = record.logits.softmax(dim=1).topk(3, dim=1)
        maps = explanations(record, classes[:, :2], methods, contrasts).flatten(-2)
        similarity = torch.cosine_similarity(maps[:, :, 0], maps[:, :, 1], dim=-1)
        negative = (maps[:, :, 0] < 0).float().mean(dim=-1)
        index = pd.MultiIndex.from_product(
            [methods, contrasts, range(len(images))], names=["method", "contrast", "image"]
        )
        table = pd.DataFrame(
            {
                "similarity": similarity.flatten().numpy(force=True),
                "negative": negative.flatten().numpy(force=True),
            },
            index,
        ).reset_index()
        image = table["image"].to_numpy()
        for rank in range(3):
            table[f"p_{rank + 1}"] = probabilities[:, rank].numpy(force=True)[image]
        table["log_odds"] = log_odds(record.logits, classes[:, 0]).numpy(force=True)[image]
        tables.append(table.assign(layer=record.layer()))
    return pd.concat(tables, ignore_index=True)
