"""Explainers that go back to the activations a^k of a convolutional layer.

None applies a ReLU: negative areas speak for the other classes (Wang & Wang 2022, sec. 4). Each
takes a :class:`~contrastlib.autograd.forward_pass.ForwardPass` that recorded ``layer`` (the only one, unless
named) with activations (B, K, h, w), and a cotangent w (B, C) or (N, B, C); returns maps
(B, h, w), or with N in front, in units of the cotangent's score. All are linear in w.
"""

from __future__ import annotations

import torch
from torch import Tensor

from contrastlib.autograd import ForwardPass
from contrastlib.explainers.explainer import register


@register(
    title="GradCAM", about="Each channel of a layer, weighted by its mean gradient.",
    space="layer", needs="pass", linear=True, formula=r"\sum_k \big(\frac{1}{hw} \sum_{ij} g^k_{ij}\big)\, a^k",
    paper="selvaraju2017", equation="without ReLU, as Wang & Wang 2022, eq. 2",
    cost="1 forward, 1 backward to the layer", for_transformers="vit_gradcam",
)
def gradcam(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """phi = sum_k (1/(h w) sum_ij d<w,y>/da_ij^k) a^k, without ReLU.

    Selvaraju et al. 2017 in the form of Wang & Wang 2022, eq. 2.

    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    >>> gradcam(forward(net, torch.rand(2, 3, 8, 8), "0"), torch.eye(5)[[1, 2]]).shape
    torch.Size([2, 6, 6])
    """
    activation, gradient = _pulled_back(record, cotangent, layer)
    return _channel_sum(gradient.mean(dim=(-2, -1)), activation)


@register(
    title="Linear Approximation",
    about="Each activation times its gradient, over channels.",
    space="layer", needs="pass", linear=True, formula=r"\sum_k g^k a^k",
    paper="wang2022", equation="sec. 4", cost="1 forward, 1 backward to the layer",
)
def linear_approximation(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """phi = sum_k a^k * d<w,y>/da^k, element by element (Wang & Wang 2022, sec. 4).

    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5, bias=False))
    >>> p = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> map_of_class_0 = linear_approximation(p, torch.eye(5)[[0, 0]])
    >>> torch.allclose(map_of_class_0.sum(dim=(1, 2)), p.logits[:, 0], atol=1e-6)
    True
    """
    activation, gradient = _pulled_back(record, cotangent, layer)
    return (gradient * activation).sum(dim=-3)  # six times as fast as einsum, which transposes both


@register(
    title="XGradCAM", about="Each channel of a layer, weighted by its gradients where it is active.",
    space="layer", needs="pass", linear=True,
    formula=r"\sum_k \big(\sum_{ij} \frac{a^k_{ij}}{\lVert a^k\rVert_1}\, g^k_{ij}\big)\, a^k",
    paper="fu2020", equation="normalised as Eriksson et al. 2025, eq. 3", cost="1 forward, 1 backward to the layer",
)
def xgradcam(
    record: ForwardPass, cotangent: Tensor, layer: str | None = None, normaliser: str = "absolute"
) -> Tensor:
    """phi = sum_k (sum_ij a_ij^k / norm_k * d<w,y>/da_ij^k) a^k.

    Args:
        normaliser: "absolute", norm_k = sum_ij abs(a_ij^k) (Eriksson et al. 2025, eq. 3), or "sum",
            sum_ij a_ij^k as published (Fu et al. 2020). They agree where activations are not
            negative; elsewhere the sum can be near 0. A channel that is 0 everywhere adds nothing.

    Raises:
        ValueError: unknown normaliser.

    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    >>> p, w = forward(net, torch.rand(2, 3, 8, 8), "1"), torch.eye(5)[[0, 0]]
    >>> torch.allclose(xgradcam(p, w), xgradcam(p, w, normaliser="sum"))
    True
    """
    norms = {"absolute": lambda a: a.abs().sum(dim=(-2, -1)), "sum": lambda a: a.sum(dim=(-2, -1))}
    if normaliser not in norms:
        raise ValueError(f"unknown normaliser {normaliser!r}; choose one of {', '.join(norms)}")
    activation, gradient = _pulled_back(record, cotangent, layer)
    weights = (gradient * activation).sum(dim=(-2, -1))
    norm = norms[normaliser](activation)
    weights = torch.where(norm == 0, torch.zeros_like(weights), weights / norm)
    return _channel_sum(weights, activation)


def _pulled_back(record: ForwardPass, cotangent: Tensor, layer: str | None) -> tuple[Tensor, Tensor]:
    layer = record.layer(layer)
    activation = record.activations[layer]
    if activation.ndim != 4:
        raise ValueError(
            f"layer {layer!r} gives {tuple(activation.shape)}, not (B, K, h, w): activation maps need a layer "
            "with places, such as a convolution"
        )
    _check_places(layer, activation.shape, record.size)
    return activation, record.pull_back(cotangent)[layer]


def _check_places(layer: str, shape: torch.Size, size: torch.Size) -> None:
    """A map needs several places, and they lie as those of the images do, to within a cell."""
    (_, channels, h, w), (height, width) = shape, size

    def alike(a: int, b: int) -> bool:
        return abs(a * width - b * height) < max(height, width)

    if not alike(h, w) and alike(channels, h):
        raise ValueError(
            f"layer {layer!r} gives {tuple(shape)}, which for images of {height} x {width} looks like (B, h, w, K): "
            "activation maps need (B, K, h, w), such as the layer \"permute\" of torchvision's Swin"
        )
    if h * w == 1 and height * width > 1:
        raise ValueError(f"layer {layer!r} has a single place, and its map is one number: name an earlier layer, or enlarge the images")


def _channel_sum(weights: Tensor, activation: Tensor) -> Tensor:
    return torch.einsum("...bk,bkhw->...bhw", weights, activation)
