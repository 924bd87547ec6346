"""Maps of a probability beside maps of its log-odds, by method (erratum 40).

The cotangent of p_t is p_t (1 - p_t) times that of its log-odds, which is the weighted contrast. A method
that is linear in the cotangent therefore gives maps of one direction. Other methods need not.
"""

from __future__ import annotations

from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import INPUT, default_layer, forward
from contrastlib.evaluation.similarity import cosine
from contrastlib.explainers import integrated_gradients, select
from contrastlib.explainers.vit import vit_forward


def compare(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, needs: str = "pass"
) -> pd.DataFrame:
    """Cosine of the map of p_t with the map of its log-odds, for the predicted class and each method.

    Args:
        model: As in :func:`contrastlib.explain`, or a Vision Transformer if ``needs`` is "tokens pass".
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        needs: "pass" for the methods of all networks, to which integrated gradients from black are added, or
            "tokens pass" for those of Transformers.

    Returns:
        One row for each image and method, with linear (whether the method is linear in the cotangent) and
        similarity (cosine).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = compare(net, torch.rand(2, 3, 8, 8))
    >>> table[table["linear"]]["similarity"].round(4).unique().tolist()
    [1.0]
    """
    chosen = select(needs=needs, contrast=True)
    methods = {name: (each.linear, each.function) for name, each in chosen.items()}
    if needs == "tokens pass":
        record = vit_forward(model, images, once=True)
    else:
        layer = default_layer(model, images)
        record = forward(model, images, [INPUT, layer], once=True)
        for name, each in chosen.items():
            at = INPUT if each.space == "pixels" else layer
            methods[name] = each.linear, partial(each.function, layer=at)
    target = record.logits.argmax(dim=1)

    def both(logits: Tensor) -> Tensor:
        return torch.stack([contrasts.weighted(logits, target), contrasts.probability(logits, target)])

    w = both(record.logits)
    maps = {name: (linear, explain(record, w)) for name, (linear, explain) in methods.items()}
    if needs == "pass":
        maps["integrated_gradients"] = False, integrated_gradients(model, images, both, contrast_at="path")
    return pd.concat([
        pd.DataFrame({
            "image": range(len(images)), "method": name, "linear": linear,
            "similarity": cosine(*pair).numpy(force=True),
        })
        for name, (linear, pair) in maps.items()
    ], ignore_index=True)  # fmt: skip
