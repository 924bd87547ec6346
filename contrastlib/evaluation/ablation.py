"""Put a patch of the mean image where a map is highest: how much does the activation drop?

Gu et al. 2018, sec. 5.2 (Table 1) for classes, sec. 5.3 (Fig. 5) for neurons of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.evaluation.localisation import METHOD_NAMES, class_evidence
from contrastlib.forward import forward, predict


def ablated(images: Tensor, places: Tensor, fill: Tensor, size: int) -> Tensor:
    """Images (B, channels, H, W) with a square of ``fill`` around places (B, 2), rows and columns.

    Args:
        fill: (channels, H, W); the patch has its values at the same pixels.
        size: side of the square, in pixels; it is cut at the border.

    Raises:
        ValueError: a place outside the image, an even or negative size.

    >>> ablated(torch.ones(1, 1, 3, 3), torch.tensor([[0, 2]]), torch.zeros(1, 3, 3), size=3)[0, 0]
    tensor([[1., 0., 0.],
            [1., 0., 0.],
            [1., 1., 1.]])
    """
    height, width = images.shape[-2:]
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size is {size}: the side of a square around a pixel is an odd number")
    if (places < 0).any() or (places >= torch.tensor([height, width], device=places.device)).any():
        raise ValueError(f"places must be rows below {height} and columns below {width}")
    rows, columns = (torch.arange(n, device=images.device)[None] for n in (height, width))
    near = [(line - places[:, axis, None]).abs() <= size // 2 for axis, line in enumerate((rows, columns))]
    patch = near[0][:, :, None] & near[1][:, None]
    return torch.where(patch[:, None], fill.to(images), images)


def highest(maps: Tensor) -> Tensor:
    """Row and column (B, 2) of the maximum of each map (B, H, W)."""
    flat = maps.flatten(1).argmax(dim=1)
    return torch.stack([flat // maps.shape[-1], flat % maps.shape[-1]], dim=1)


def drops(
    model: nn.Module, images: Tensor, labels: Tensor, fill: Tensor, methods: Sequence[str] = METHOD_NAMES, size: int = 9,
    seed: int = 0,
) -> pd.DataFrame:
    """Gu et al. 2018, Table 1: what the true class loses when the pixel that a map points at goes.

    Args:
        labels: (B,), the true class, whose map is made.
        fill: the mean image (channels, H, W), see :meth:`contrastlib.datasets.base.ImageSet.mean`.
        methods: see :func:`contrastlib.evaluation.localisation.class_evidence`; "random" is added.
        size: side of the patch, in pixels.
        seed: of the random places.

    Returns:
        One row for each image and method, with activation (logit before minus after), relative (the same
        over the logit's absolute value before) and probability (p before minus after).
    """
    maps = class_evidence(model, images, labels, methods)
    random = torch.rand(images[:, 0].shape, generator=torch.Generator().manual_seed(seed)).to(images)
    places = {name: highest(phi) for name, phi in (maps | {"random": random}).items()}
    before = predict(model, images)
    after = predict(model, torch.cat([ablated(images, place, fill, size) for place in places.values()]))
    tables = []
    for name, logits in zip(places, after.split(len(images))):
        y, y_before = (part.gather(1, labels[:, None]).squeeze(1).double() for part in (logits, before))
        p, p_before = (contrasts.log_odds(part.double(), labels).sigmoid() for part in (logits, before))
        tables.append(pd.DataFrame({
            "image": range(len(images)), "method": name,
            "activation": (y_before - y).numpy(force=True),
            "relative": ((y_before - y) / y_before.abs()).numpy(force=True),
            "probability": (p_before - p).numpy(force=True),
        }))
    return pd.concat(tables, ignore_index=True)


def neuron_drops(model: nn.Module, image: Tensor, layer: str, neurons: Sequence[int], maps: Tensor, fill: Tensor, size: int = 9) -> np.ndarray:
    """Gu et al. 2018, Fig. 5 (c): what each neuron loses when the patch of each other one goes.

    Args:
        image: (1, channels, H, W).
        layer: whose outputs (1, N) the neurons are.
        neurons: N' of them.
        maps: (N', H, W), the map of each; its highest place is replaced by ``fill``.

    Returns:
        (N', N'), row i: ablated at neuron i's place, column j: activation of neuron j before minus after.
    """
    images = torch.cat([image, ablated(image.expand(len(maps), -1, -1, -1), highest(maps), fill, size)])
    activation = forward(model, images, layer).activations[layer][:, list(neurons)]
    return (activation[:1] - activation[1:]).numpy(force=True)
