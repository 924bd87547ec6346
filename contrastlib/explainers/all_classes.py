"""The maps of all classes at once: any contrast of them is then a weighted sum."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from contrastlib.autograd import ForwardPass

GRADIENT_BYTES = 2**28  # of the activations' gradients that are held at a time


def class_maps(record: ForwardPass, method: Callable, layer: str | None = None, chunk: int | None = None) -> Tensor:
    """phi^s of every class s, (C, B, ...): the Jacobian of the logits at a layer, read as maps.

    Classes go back ``chunk`` at a time in one batched backward pass each. Since explainers are linear
    in the cotangent, sum_s w_s phi^s is the map of the contrast w.

    Args:
        record: a forward pass that recorded ``layer``, made with ``once=False``.
        method: an explainer, such as :func:`contrastlib.explainers.cam.gradcam`.
        layer: where the maps are made; the only recorded one when None.
        chunk: classes at a time; as many as keep their gradients below 256 MB when None.

    Raises:
        ValueError: the layer is not recorded, or chunk is not positive.
        RuntimeError: the pass was made for one cotangent, and there is more than one chunk.

    >>> from contrastlib.contrasts import weighted
    >>> from contrastlib.explainers import gradcam
    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    >>> p = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> maps = class_maps(p, gradcam)
    >>> w = weighted(p.logits, [0, 3])
    >>> maps.shape, torch.allclose(torch.einsum("bc,cbhw->bhw", w, maps), gradcam(p, w), atol=1e-6)
    (torch.Size([5, 2, 6, 6]), True)
    """
    layer = record.layer(layer)
    batch, count = record.logits.shape
    activation = record.activations[layer]
    if chunk is None:
        chunk = max(1, GRADIENT_BYTES // (activation.numel() * activation.element_size()))
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}: at least one class has to go back at a time")
    units = torch.eye(count, dtype=activation.dtype, device=activation.device)
    return torch.cat([method(record, part[:, None].expand(-1, batch, -1), layer) for part in units.split(chunk)])
