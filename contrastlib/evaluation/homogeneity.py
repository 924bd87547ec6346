"""Methods that equal input x gradient in homogeneous networks (Wang & Wang 2022, sec. 4; errata 9, 25)."""

from __future__ import annotations

from copy import deepcopy

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers import deeplift, input_x_gradient, integrated_gradients
from contrastlib.explainers.lrp import contrastive_lrp

SHIFTS = ("bias", "running_mean", "mean")
"""Attributes of layers. "mean" is that of the normalisation of the pixels."""


def without_shifts(model: nn.Module) -> nn.Module:
    """Copy a network and set its biases, running means and the shift of its normalisation to 0.

    The copy satisfies f(a x) = a f(x) for a > 0 if its layers allow that.

    >>> net = without_shifts(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    >>> x = torch.rand(1, 4)
    >>> torch.allclose(net(2 * x), 2 * net(x))
    True
    """
    copied = deepcopy(model)
    for module in copied.modules():
        for name in SHIFTS:
            value = getattr(module, name, None)
            if isinstance(value, Tensor):
                value.data.zero_()
    return copied


def compare(model: nn.Module, images: Tensor, labels: Tensor | None = None, steps: int = 16) -> pd.DataFrame:
    """Cosine of three methods with input x gradient, for a network and its copy of :func:`without_shifts`.

    The methods are integrated gradients and DeepLIFT (rescale rule), both from black, and LRP with the z rule
    and relevance of biases. All maps are of the predicted class, in float64 and in one memory layout, so that
    equal values stay equal before a maximum is taken.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        steps: Number of steps of integrated gradients.

    Returns:
        One row for each image, method and shifts ("kept" or "set to 0"), with similarity, the cosine with the
        product of the pixels and the gradient.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = compare(net, torch.rand(2, 3, 8, 8))
    >>> table[table["shifts"] == "set to 0"]["similarity"].round(6).unique().tolist()
    [1.0]
    """
    images, tables = images.double().contiguous(), []
    for shifts, network in (("kept", deepcopy(model)), ("set to 0", without_shifts(model))):
        network = network.double().to(memory_format=torch.contiguous_format)
        for method, similarity in _similarities(network, images, steps).items():
            tables.append(
                pd.DataFrame(
                    {
                        "image": range(len(images)),
                        "method": method,
                        "shifts": shifts,
                        "similarity": similarity.numpy(force=True),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _similarities(model: nn.Module, images: Tensor, steps: int) -> dict[str, Tensor]:
    record = forward(model, images)
    w = contrasts.original(record.logits, record.logits.argmax(dim=1))
    product = input_x_gradient(record, w).flatten(1)
    maps = {
        "integrated_gradients": integrated_gradients(model, images, lambda y: w, steps=steps),
        "deeplift": deeplift(model, images, lambda y: w),
        "lrp": contrastive_lrp(model, images, lambda y: w, rules="z", biases=True),
    }
    return {name: torch.cosine_similarity(phi.flatten(1), product) for name, phi in maps.items()}
