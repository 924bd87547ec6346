"""Explainers of Vision Transformers.

Each function takes the record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward` and a cotangent
w, (B, C) or (N, B, C). Several methods for one cotangent share one backward pass. Maps lie on the grid of the
patches, 14 x 14 for ViT-B/16 at 224 pixels: (B, h, w) or (N, B, h, w). In the formulas A_i is the attention
of block i, (B, heads, T, T), and token 0 is the class token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from contrastlib._choices import check_choice
from contrastlib.autograd import ForwardPass
from contrastlib.explainers.explainer import register

PUBLISHED = {"gradients": "reversed", "normalise": "transposed", "negatives": "clip", "discard_ratio": 0.9}
"""Options of :func:`gradient_attention_rollout` that reproduce the published code (Gildenblat 2020)."""
REVIEW = PUBLISHED | {"negatives": "keep", "discard_ratio": 0.0}
"""Options that reproduce the code of Eriksson et al. 2025, whose cotangent is the contrast "probability"."""

NORMALISE = {
    "absolute": lambda matrix: matrix / matrix.abs().sum(dim=-1, keepdim=True),
    "rows": lambda matrix: matrix / matrix.sum(dim=-1, keepdim=True),
    "transposed": lambda matrix: matrix / matrix.sum(dim=-1).unsqueeze(-2),
    "none": lambda matrix: matrix,
}
"""Name -> normalisation of a factor (..., T, T) of :func:`gradient_attention_rollout`."""


@register(
    title="GradCAM of tokens",
    about="Each feature of a block's tokens, weighted by its mean gradient.",
    space="tokens", needs="tokens pass", linear=True,
    formula=r"\sum_d \big(\frac{1}{T-1} \sum_i g_{id}\big)\, a_{jd}",
    paper="selvaraju2017", equation="for tokens as Eriksson et al. 2025, sec. 3.4",
    cost="1 forward, 1 backward",
)
def vit_gradcam(
    record: ForwardPass, cotangent: Tensor, layer: str | None = None, relu: bool = False
) -> Tensor:
    """GradCAM of tokens: phi_j = sum_d (1/(T - 1) sum_i d<w, y>/da_id) a_jd, for each patch j.

    a are the activations (T, D) of a layer; i runs over the patches. Patches replace the spatial positions of
    GradCAM, and features replace its channels.

    Source: Selvaraju et al. 2017, for tokens as in pytorch-grad-cam and Eriksson et al. 2025, sec. 3.4.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: "norm.i" or "block.i": the input of block i after its first layer norm, or its output. If None,
            it is "norm" of the last block. The output of the last block has no map, because the logits depend
            on its class token alone, and the gradient at every patch is 0.
        relu: Whether negative values are set to 0. The map is linear in w if they are not.

    Returns:
        Maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>.

    Raises:
        ValueError: There is no such layer, or the record is not one of ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> vit_gradcam(record, torch.eye(1000)[[1, 2, 3]], "norm.0").shape
    torch.Size([3, 4, 4])
    """
    layer = layer or f"norm.{_depth(record) - 1}"
    layers = [name for name in record.activations if not name.startswith("attention")]
    if layer not in layers:
        raise ValueError(f"this Transformer has no layer {layer!r}; choose one of {', '.join(layers)}")
    patches = record.activations[layer][:, 1:]
    weights = record.pull_back(cotangent)[layer][..., 1:, :].mean(dim=-2)
    maps = _on_grid(torch.einsum("...bd,bjd->...bj", weights, patches))
    return maps.clamp(min=0) if relu else maps


def attention_rollout(record: ForwardPass) -> Tensor:
    """Attention rollout: the class token's row of the product R_L ... R_1, with R_i = (A_i + I) / 2.

    Here A_i is the mean of the attention over heads. A value is the share of a patch in the class token under
    the assumption that only attention mixes tokens. The map does not depend on a class or a contrast.

    Source: Abnar & Zuidema 2020, sec. 3.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.

    Returns:
        Maps (B, h, w) of values from 0 to 1. Together with the share of the class token itself they sum to 1.

    Raises:
        ValueError: The record is not one of ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> attention_rollout(vit_forward(net, torch.rand(3, 3, 32, 32))).shape
    torch.Size([3, 4, 4])
    """
    heads = [record.activations[f"attention.{i}"].mean(dim=1) for i in range(_depth(record))]
    return _rolled_out((attention + _identity(attention)) / 2 for attention in reversed(heads))


@register(
    title="Gradient attention rollout",
    about="Attention times gradient, through all blocks.",
    space="tokens", needs="tokens pass", linear=False,
    formula=r"\Big[\prod_i \operatorname{norm}\big(I + \operatorname{mean}_h(A_i \cdot g_i)\big)\Big]_{0j}",
    paper="gildenblat2020", equation="repaired; Eriksson et al. 2025, sec. 3.5", cost="1 forward, 1 backward",
)
def gradient_attention_rollout(
    record: ForwardPass, cotangent: Tensor, *, gradients: str = "aligned", normalise: str = "absolute",
    negatives: str = "keep", discard_ratio: float = 0.0,
) -> Tensor:
    """Gradient-weighted attention rollout: the class token's row of R_L ... R_1, with R_i = norm(I + E_i).

    The review abbreviates it as GWAR. E_i is the mean over heads of A_i * G_i, element by element, with the
    gradient G_i = d<w, y>/dA_i. The default options are those of the repaired method. ``PUBLISHED`` and
    ``REVIEW`` are the options of the two public codes.

    The map is not linear in w, because it is a product of L factors that each depend on w. So the map of a
    contrast is not the contrast of the maps of the classes. Nor is the map of a multiple of w that multiple
    of the map, because E_i is added to I. :func:`attention_x_gradient` is the part of the map that is linear
    in w.

    Source: Gildenblat 2020 (vit-explain); Eriksson et al. 2025, sec. 3.5.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        gradients: "aligned" multiplies A_i by its own gradient. "reversed" multiplies it by G_{L+1-i}, as the
            public codes do, which pair attention in forward order with gradients in backward order.
        normalise: The normalisation of I + E_i. "absolute" divides each row by the sum of its absolute
            values. "rows" divides each row by its sum, which can be close to 0 or negative if E_i has
            negative entries. "transposed" divides column j by the sum of row j, as the public codes do.
            "none" does nothing, as in Chefer et al. 2021 b.
        negatives: "keep" keeps negative entries of E_i. "clip" sets them to 0.
        discard_ratio: The share of the T^2 entries of E_i, the lowest ones, that is set to 0; at least 0 and
            below 1. Negative entries are the lowest. So "keep" and "clip" are the same if the share is that
            of the negative entries or larger.

    Returns:
        Maps (B, h, w) or (N, B, h, w), without a unit. The public codes divide each map by its maximum.

    Raises:
        ValueError: An option is unknown, or the record is not one of ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record, w = vit_forward(net, torch.rand(3, 3, 32, 32)), torch.eye(1000)[[1, 2, 3]]
    >>> gradient_attention_rollout(record, w).shape, gradient_attention_rollout(record, w, **REVIEW).shape
    (torch.Size([3, 4, 4]), torch.Size([3, 4, 4]))
    """
    check_choice("gradients", gradients, ("aligned", "reversed"))
    check_choice("normalise", normalise, NORMALISE)
    check_choice("negatives", negatives, ("keep", "clip"))
    if not 0 <= discard_ratio < 1:
        raise ValueError(f"discard_ratio is {discard_ratio}: it must be at least 0 and below 1")

    def factors() -> Iterator[Tensor]:
        for edges in _edges(record, cotangent, gradients == "reversed"):
            edges = edges.clamp(min=0) if negatives == "clip" else edges
            yield NORMALISE[normalise](_without_lowest(edges, discard_ratio) + _identity(edges))

    return _rolled_out(factors())


@register(
    title="Attention × Gradient",
    about="Attention times its gradient, summed over blocks.",
    space="tokens", needs="tokens pass", linear=True,
    formula=r"\Big[\sum_i \operatorname{mean}_h(A_i \cdot g_i)\Big]_{0j}",
    paper="gildenblat2020", equation="its part that is linear in w", cost="1 forward, 1 backward",
)
def attention_x_gradient(record: ForwardPass, cotangent: Tensor) -> Tensor:
    """Attention times gradient: phi is the class token's row of sum_i E_i.

    E_i is the mean over heads of A_i * d<w, y>/dA_i. The map is the derivative of
    :func:`gradient_attention_rollout` without normalisation with respect to w, at w = 0. It counts what the
    class token reads from each patch in each block. It does not count what a patch read from other patches
    before.

    Source: the part of Gildenblat 2020 that is linear in w.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        cotangent: The cotangent w, (B, C) or (N, B, C).

    Returns:
        Maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>.

    Raises:
        ValueError: The record is not one of ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> attention_x_gradient(record, torch.eye(1000)[[1, 2, 3]]).shape
    torch.Size([3, 4, 4])
    """
    return _on_grid(sum(edges[..., 0, 1:] for edges in _edges(record, cotangent)))


def _depth(record: ForwardPass) -> int:
    """Return the number L of blocks."""
    depth = sum(name.startswith("attention.") for name in record.activations)
    if not depth:
        raise ValueError("this pass recorded no attention: make it with vit_forward(model, images)")
    return depth


def _edges(record: ForwardPass, cotangent: Tensor, reverse: bool = False) -> Iterator[Tensor]:
    """Yield E_i (..., B, T, T) from the last block to the first, the order in which a row is multiplied."""
    depth = _depth(record)
    gradients = record.pull_back(cotangent)
    for i in reversed(range(depth)):
        gradient = gradients[f"attention.{depth - 1 - i if reverse else i}"]
        attention = record.activations[f"attention.{i}"]
        yield torch.einsum("...hij,...hij->...ij", gradient, attention) / attention.shape[1]


def _without_lowest(edges: Tensor, ratio: float) -> Tensor:
    """Set the lowest entries of each matrix (..., T, T) to 0, a share ``ratio`` of them."""
    flat = edges.flatten(-2)
    lowest = flat.topk(int(flat.shape[-1] * ratio), largest=False).indices
    return flat.scatter(-1, lowest, 0).view_as(edges)


def _rolled_out(factors: Iterator[Tensor]) -> Tensor:
    """Return the class token's row of a product of matrices (..., T, T), as maps of the patches."""
    row = next(factors)[..., :1, :]
    for factor in factors:
        row = row @ factor
    return _on_grid(row[..., 0, 1:])


def _on_grid(values: Tensor) -> Tensor:
    """Arrange the values (..., T - 1) of the patches as maps (..., h, w)."""
    side = math.isqrt(values.shape[-1])
    return values.unflatten(-1, (side, side))


def _identity(matrices: Tensor) -> Tensor:
    return torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
