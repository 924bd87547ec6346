"""Explainers of the pixels that use the gradient alone.

Each function takes a recorded forward pass and a cotangent w, (B, C) or (N, B, C), and returns a map of each
channel, (B, K, H, W) or (N, B, K, H, W). Both functions are linear in w.
"""

from __future__ import annotations

from torch import Tensor

from contrastlib.autograd import ForwardPass
from contrastlib.explainers.explainer import register


@register(
    title="Gradient",
    about="The gradient at the pixels, summed over channels.",
    space="pixels",
    needs="pass",
    linear=True,
    formula=r"\partial \langle w, y\rangle / \partial x",
    paper="simonyan2013",
    equation="sec. 3",
    cost="1 forward, 1 backward",
)
def gradient(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """The gradient of the score with respect to the pixels: phi = d<w, y>/dx.

    Source: Simonyan et al. 2013, sec. 3; Wang & Wang 2022, sec. 4.

    Args:
        record: A forward pass that recorded the images or the layer.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: The name of a recorded layer, "input" for the images. If None, it is the only recorded one.

    Returns:
        The gradient, in the shape of x or with N in front. Its unit is that of the score per unit of x.

    Raises:
        ValueError: The layer is not recorded, or the cotangent does not fit the logits.

    >>> import torch
    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> record = forward(net, torch.rand(1, 3, 2, 2))
    >>> phi = gradient(record, torch.tensor([[1., -1.]]))
    >>> torch.equal(phi.flatten(), net[1].weight[0] - net[1].weight[1])
    True
    """
    return record.pull_back(cotangent)[record.layer(layer)].clone()  # the record keeps its own tensor


@register(
    title="Input × Gradient",
    about="Each pixel times its gradient, summed over channels.",
    space="pixels",
    needs="pass",
    linear=True,
    formula=r"x \cdot \partial \langle w, y\rangle / \partial x",
    paper="shrikumar2016",
    cost="1 forward, 1 backward",
)
def input_x_gradient(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """The input times the gradient: phi = x * d<w, y>/dx, where * is the product element by element.

    x is the recorded tensor. A network that normalises its images gets images in [0, 1] as x. To use the
    normalised images as x, record the layer that normalises them. Source: Shrikumar et al. 2016.

    Args:
        record: A forward pass that recorded the images or the layer.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: The name of a recorded layer, "input" for the images. If None, it is the only recorded one.

    Returns:
        The map, in the shape of x or with N in front, in the unit of the score <w, y>.

    Raises:
        ValueError: The layer is not recorded, or the cotangent does not fit the logits.

    >>> import torch
    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2, bias=False))
    >>> record = forward(net, torch.rand(1, 3, 2, 2))
    >>> torch.allclose(input_x_gradient(record, torch.tensor([[1., 0.]])).sum(), record.logits[0, 0])
    True
    """
    layer = record.layer(layer)
    return record.activations[layer] * record.pull_back(cotangent)[layer]
