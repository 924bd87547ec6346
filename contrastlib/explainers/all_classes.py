"""The maps of all classes. Any linear contrast of them is a weighted sum of these maps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from contrastlib.autograd import ForwardPass

GRADIENT_BYTES = 2**28  # size of the gradients of the activations that are in memory together


def class_maps(
    record: ForwardPass, method: Callable[..., Tensor], layer: str | None = None, chunk: int | None = None
) -> Tensor:
    """Compute the map phi(e_s) of each class s.

    For a method that is linear in the cotangent, the map of a cotangent w is sum_s w_s phi(e_s).

    Args:
        record: A forward pass that recorded ``layer``, made with ``once=False``.
        method: An explainer of a recorded forward pass, such as :func:`contrastlib.explainers.cam.gradcam`.
        layer: The name of the layer to explain. If None, it is the only recorded layer.
        chunk: The number of classes in one backward pass. If None, it is as many as keep the gradients of the
            activations below 256 MB.

    Returns:
        The maps (C, B, ...).

    Raises:
        ValueError: The layer is not recorded, or ``chunk`` is below 1.
        RuntimeError: The forward pass was made for one cotangent, and there is more than one chunk.

    >>> from contrastlib.contrasts import weighted
    >>> from contrastlib.explainers import gradcam
    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    >>> record = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> maps = class_maps(record, gradcam)
    >>> w = weighted(record.logits, [0, 3])
    >>> maps.shape, torch.allclose(torch.einsum("bc,cbhw->bhw", w, maps), gradcam(record, w), atol=1e-6)
    (torch.Size([5, 2, 6, 6]), True)
    """
    layer = record.layer(layer)
    batch, count = record.logits.shape
    activation = record.activations[layer]
    if chunk is None:
        chunk = max(1, GRADIENT_BYTES // (activation.numel() * activation.element_size()))
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}: a backward pass needs at least one class")
    units = torch.eye(count, dtype=activation.dtype, device=activation.device)
    cotangents = (part[:, None].expand(-1, batch, -1) for part in units.split(chunk))
    return torch.cat([method(record, cotangent, layer) for cotangent in cotangents])
