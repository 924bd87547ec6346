"""Positions of the animals in the photographs of zebras and elephants of Gu et al. 2018, sec. 5.1."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.evaluation.relevance_mass import compare, region

ZEBRA, ELEPHANT = 340, 386
"""Classes of ImageNet: zebra and African elephant."""
BOXES = (
    {ZEBRA: [(0, 84, 60, 184)], ELEPHANT: [(100, 4, 224, 212)]},
    {ZEBRA: [(95, 90, 223, 224)], ELEPHANT: [(0, 0, 160, 130)]},
    {ZEBRA: [(70, 110, 224, 210)], ELEPHANT: [(0, 51, 147, 111), (0, 51, 42, 196)]},
    {
        ZEBRA: [(0, 97, 72, 206), (62, 112, 110, 184), (84, 155, 172, 224), (140, 101, 224, 191)],
        ELEPHANT: [(0, 20, 224, 97), (72, 20, 140, 124), (124, 20, 178, 118)],
    },
)
"""Boxes (x0, y0, x1, y1) of the animals in the photographs ze1 to ze4 of the paper.

The unit is a pixel of the central crop of 224 pixels. The boxes were determined by eye, with x1 and y1
exclusive. The region of a class has all pixels that its boxes cover.
"""


def zebra_elephant(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, **options: Any
) -> pd.DataFrame:
    """:func:`~contrastlib.evaluation.relevance_mass.compare` for the classes zebra and African elephant.

    Args:
        model: A network with the classes of ImageNet.
        images: The four photographs of the paper, in their order, (4, 3, 224, 224).
        labels: Not used, because the classes are zebra and African elephant.
        **options: Options of :func:`~contrastlib.evaluation.relevance_mass.compare`.

    Returns:
        The table of :func:`~contrastlib.evaluation.relevance_mass.compare`.

    Raises:
        ValueError: The images have another number or size.
    """
    if len(images) != len(BOXES) or images.shape[-2:] != (224, 224):
        raise ValueError(
            f"boxes are known for the four photographs of 224 x 224 pixels, got {tuple(images.shape)}"
        )
    targets = torch.tensor([[ZEBRA], [ELEPHANT]], device=images.device).expand(2, len(images))
    regions = torch.stack(
        [torch.stack([region(boxes[t], 224) for boxes in BOXES]) for t in (ZEBRA, ELEPHANT)]
    )
    return compare(model, images, targets, regions, **options)
