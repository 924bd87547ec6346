"""Explainers that go back to the pixels.

Each takes a :class:`~contrastlib.autograd.forward_pass.ForwardPass` that recorded ``layer`` (the images, unless
another is named) and a cotangent (B, C) or (K, B, C); returns (B, channels, H, W), or with K in
front, in the unit of the cotangent's score per unit of the input.
"""

from __future__ import annotations

from torch import Tensor

from contrastlib.autograd import ForwardPass
from contrastlib.explainers.explainer import register


@register(
    title="Gradient", about="The gradient at the pixels, summed over channels.",
    space="pixels", needs="pass", linear=True, formula=r"\partial \langle w, y\rangle / \partial x",
    paper="simonyan2013", equation="sec. 3", cost="1 forward, 1 backward",
)
def gradient(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """phi(x) = grad_x <w, y> (Simonyan et al. 2013; Wang & Wang 2022, sec. 4).

    >>> import torch; from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> p = forward(net, torch.rand(1, 3, 2, 2))
    >>> torch.equal(gradient(p, torch.tensor([[1., -1.]])).flatten(), net[1].weight[0] - net[1].weight[1])
    True
    """
    return record.pull_back(cotangent)[record.layer(layer)].clone()  # the pass keeps its own


@register(
    title="Input × Gradient", about="Each pixel times its gradient, summed over channels.",
    space="pixels", needs="pass", linear=True, formula=r"x \cdot \partial \langle w, y\rangle / \partial x",
    paper="shrikumar2016", cost="1 forward, 1 backward",
)
def input_x_gradient(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """phi(x) = x * grad_x <w, y>, element by element (Shrikumar et al. 2016).

    x is what ``layer`` recorded. A network that normalises inside (its input in [0, 1]) and one
    that is fed normalised images have different x; record the normalising layer's output to
    explain the latter.

    >>> import torch; from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2, bias=False))
    >>> p = forward(net, torch.rand(1, 3, 2, 2))
    >>> torch.allclose(input_x_gradient(p, torch.tensor([[1., 0.]])).sum(), p.logits[0, 0])
    True
    """
    layer = record.layer(layer)
    return record.activations[layer] * record.pull_back(cotangent)[layer]
