"""Explainers of Vision Transformers (torchvision's ``VisionTransformer``).

All start from one pass of :func:`vit_forward`, which records, for each block i of L,

================  ===========================================================  ===================
name              what                                                         shape
================  ===========================================================  ===================
``norm.i``        the block's input after its first layer norm                 (B, N, D)
``attention.i``   A_i, each head's softmax; its rows add up to 1               (B, heads, N, N)
``block.i``       the block's output                                           (B, N, D)
================  ===========================================================  ===================

with token 0 the class token, which alone reaches the logits, and 1 ... N - 1 the patches, row by row.
All explainers of one cotangent share one backward pass. Maps lie on the grid of the patches, 14 × 14 for
ViT-B/16 at 224 pixels: (B, h, w), or (K, B, h, w) for cotangents (K, B, C).

Attention takes L heads N² numbers an image, in ViT-B/16 22 MB in float32; a pull-back needs as much
again for each vector that goes back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import VisionTransformer

from contrastlib.autograd import ForwardPass, as_found, check_images, check_output, recording
from contrastlib.explainers.explainer import register

PUBLISHED = {"gradients": "reversed", "normalise": "transposed", "negatives": "clip", "discard_ratio": 0.9}
"""Options of :func:`gradient_attention_rollout` as its inventor's code has them."""
REVIEW = PUBLISHED | {"negatives": "keep", "discard_ratio": 0.0}
"""Options as the code of Eriksson et al. 2025 has them; its cotangent is contrasts.probability."""

NORMALISE = {
    "absolute": lambda matrix: matrix / matrix.abs().sum(dim=-1, keepdim=True),
    "rows": lambda matrix: matrix / matrix.sum(dim=-1, keepdim=True),
    "transposed": lambda matrix: matrix / matrix.sum(dim=-1).unsqueeze(-2),
    "none": lambda matrix: matrix,
}
"""How a factor (..., N, N) of :func:`gradient_attention_rollout` is normalised."""


def vit_forward(model: nn.Module, images: Tensor, once: bool = False) -> ForwardPass:
    """Run a Vision Transformer once and record all its attention matrices and blocks.

    Args:
        model: a ``VisionTransformer``, or a model that contains one and ends in its logits.
            It runs in evaluation mode (no dropout of attention) and is left as it was found.
        images: (B, channels, H, W) of the size that the network was made for.
        once: as in :func:`contrastlib.autograd.forward_pass.forward`.

    Raises:
        TypeError, ValueError: no Vision Transformer, or images that cannot be explained.

    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> list(record.activations)
    ['norm.0', 'attention.0', 'block.0', 'norm.1', 'attention.1', 'block.1']
    >>> record.activations["attention.1"].shape
    torch.Size([3, 2, 17, 17])
    """
    check_images(model, images)
    transformer = _transformer(model)
    if images.shape[-2:] != (transformer.image_size,) * 2:
        height, width = images.shape[-2:]
        raise ValueError(f"images are {height} x {width}: this network takes {transformer.image_size} squared")
    blocks = list(transformer.encoder.layers)
    modules = {f"norm.{i}": block.ln_1 for i, block in enumerate(blocks)}
    modules |= {f"block.{i}": block for i, block in enumerate(blocks)}
    recorded: dict[str, Tensor] = {}
    attentions = {f"attention.{i}": block.self_attention for i, block in enumerate(blocks)}
    hooked, replaced = recording(modules, recorded), _written_out(attentions, recorded)
    with as_found(model), hooked, replaced:
        logits = model(images.detach().clone())
    check_output(logits, len(images))
    return ForwardPass(model, logits, recorded, images.shape[-2:], once)


def is_transformer(model: nn.Module) -> bool:
    """Whether the explainers of this module apply: the model is, or contains, one ``VisionTransformer``.

    >>> is_transformer(nn.Sequential(VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)))
    True
    """
    return len(_transformers(model)) == 1


@register(
    title="GradCAM of tokens",
    about="Each feature of a block's tokens, weighted by its mean gradient.",
    space="tokens", needs="tokens pass", linear=True,
    formula=r"\sum_d \big(\frac{1}{N-1} \sum_i g_{id}\big)\, x_{jd}",
    paper="selvaraju2017", equation="for tokens as Eriksson et al. 2025, sec. 3.4", cost="1 forward, 1 backward",
)
def vit_gradcam(record: ForwardPass, cotangent: Tensor, layer: str | None = None, relu: bool = False) -> Tensor:
    """phi_j = sum_d (1/(N - 1) sum_i d<w,y>/dx_id) x_jd, over the patches i: GradCAM of tokens.

    Patches stand for spatial positions, features for channels. Selvaraju et al. 2017, for Transformers as in
    pytorch-grad-cam; Eriksson et al. 2025, sec. 3.4. Linear in w unless ``relu``.

    Args:
        layer: "block.i", x is the output of block i, or "norm.i", its input after the first layer norm.
            After the last block only the class token counts, so that there the gradient of every patch,
            and the map, is exactly 0; "norm" of the last block is the latest layer with a map, and the
            default.
        relu: clip the map at 0.

    Raises:
        ValueError: no such layer, or a pass that :func:`vit_forward` did not make.

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
    """The class token's row of Â_L ... Â_1, with Â_i = (mean over heads of A_i + I) / 2.

    Abnar & Zuidema 2020, sec. 3: the share of each patch in the class token if attention were all that
    mixes tokens. No class and no contrast enters. Values are at least 0; with the class token's own
    share, which is left out, they add up to 1.

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
    """The class token's row of R_L ... R_1, R_i = norm(I + E_i), E_i = mean over heads of G_i * A_i (GWAR).

    G_i = d<w,y>/dA_i, and * is element by element. Gildenblat's vit-explain (2020); Eriksson et al. 2025,
    sec. 3.5. The defaults are the repaired method, ``**PUBLISHED`` and ``**REVIEW`` the two public codes.

    A product of L factors that each depend on w, so NOT linear in w: neither is the map of a weighted
    contrast the weighted difference of the classes' maps, nor does w scaled (probability against weighted)
    give a scaled map, because E_i is weighed against I. What is linear in w is its first order in w,
    :func:`attention_x_gradient`.

    Args:
        gradients: "aligned", A_i meets its own gradient, or "reversed", G_{L+1-i}, as the codes zip
            attentions in forward with gradients in backward order.
        normalise: each row of I + E_i divided by its sum of absolute values ("absolute") or by its sum
            ("rows": that may be near 0 or negative once negatives are kept; without them the same as
            "absolute"); column j by the sum of row j ("transposed", what the codes do for want of keepdim);
            or not at all ("none", as in Chefer et al. 2021 b).
        negatives: "keep", or "clip" E_i at 0.
        discard_ratio: that share of the N² entries of E_i, the lowest, becomes 0. Negative ones are the
            lowest, so from the share of negatives on, "keep" and "clip" are the same.

    Returns:
        Maps (B, h, w), or (K, B, h, w), of no unit; the codes divide each by its maximum.

    Raises:
        ValueError: an option that does not exist, or a pass that :func:`vit_forward` did not make.

    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record, w = vit_forward(net, torch.rand(3, 3, 32, 32)), torch.eye(1000)[[1, 2, 3]]
    >>> gradient_attention_rollout(record, w).shape, gradient_attention_rollout(record, w, **REVIEW).shape
    (torch.Size([3, 4, 4]), torch.Size([3, 4, 4]))
    """
    _check_option("gradients", gradients, ("aligned", "reversed"))
    _check_option("normalise", normalise, NORMALISE)
    _check_option("negatives", negatives, ("keep", "clip"))
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
    """phi = the class token's row of sum_i E_i, E_i = mean over heads of A_i * d<w,y>/dA_i.

    The part of :func:`gradient_attention_rollout` that is linear in w: the derivative of its product,
    without normalisation, at w = 0. The unit is that of the score <w, y>. It counts what the class token
    reads from each patch, in all blocks, and not on which other patches a patch has drawn before.

    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> attention_x_gradient(vit_forward(net, torch.rand(3, 3, 32, 32)), torch.eye(1000)[[1, 2, 3]]).shape
    torch.Size([3, 4, 4])
    """
    return _on_grid(sum(edges[..., 0, 1:] for edges in _edges(record, cotangent)))


@contextmanager
def _written_out(modules: dict[str, nn.MultiheadAttention], recorded: dict[str, Tensor]) -> Iterator[None]:
    """Self-attention as a matrix that can be recorded; torch's own ends in a fused kernel that has none."""
    found = [vars(module).get("forward") for module in modules.values()]
    try:
        for name, module in modules.items():
            module.forward = partial(_attend, module, name, recorded)
        yield
    finally:
        for module, forward in zip(modules.values(), found):
            vars(module).pop("forward", None)
            if forward is not None:
                module.forward = forward


def _attend(module: nn.MultiheadAttention, name: str, recorded: dict[str, Tensor], tokens: Tensor, *_, **__):
    """What ``module.forward(tokens, tokens, tokens)`` returns in evaluation mode."""
    projected = functional.linear(tokens, module.in_proj_weight, module.in_proj_bias)
    query, key, value = projected.unflatten(-1, (3, module.num_heads, -1)).permute(2, 0, 3, 1, 4)
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
    attention = recorded[name] = scores.softmax(dim=-1)
    return module.out_proj((attention @ value).transpose(1, 2).flatten(2)), None


def _transformers(model: nn.Module) -> list[VisionTransformer]:
    return [module for module in model.modules() if isinstance(module, VisionTransformer)]


def _transformer(model: nn.Module) -> VisionTransformer:
    found = _transformers(model)
    if len(found) != 1:
        raise TypeError(
            f"{type(model).__name__} contains {len(found)} of torchvision's VisionTransformer, not one: use gradcam "
            "where layers have places, elsewhere a method of the input space (gradient, input_x_gradient)"
        )
    return found[0]


def _depth(record: ForwardPass) -> int:
    depth = sum(name.startswith("attention.") for name in record.activations)
    if not depth:
        raise ValueError("this pass recorded no attention: make it with vit_forward(model, images)")
    return depth


def _edges(record: ForwardPass, cotangent: Tensor, reverse: bool = False) -> Iterator[Tensor]:
    """E_i (..., B, N, N) from the last block down to the first, the order in which a row is rolled out."""
    depth = _depth(record)
    gradients = record.pull_back(cotangent)
    for i in reversed(range(depth)):
        gradient = gradients[f"attention.{depth - 1 - i if reverse else i}"]
        attention = record.activations[f"attention.{i}"]
        yield torch.einsum("...hij,...hij->...ij", gradient, attention) / attention.shape[1]


def _without_lowest(edges: Tensor, ratio: float) -> Tensor:
    flat = edges.flatten(-2)
    lowest = flat.topk(int(flat.shape[-1] * ratio), largest=False).indices
    return flat.scatter(-1, lowest, 0).view_as(edges)


def _rolled_out(factors: Iterator[Tensor]) -> Tensor:
    """The class token's row of the product of matrices (..., N, N), without its first entry, as maps."""
    row = next(factors)[..., :1, :]
    for factor in factors:
        row = row @ factor
    return _on_grid(row[..., 0, 1:])


def _on_grid(values: Tensor) -> Tensor:
    side = math.isqrt(values.shape[-1])
    return values.unflatten(-1, (side, side))


def _identity(matrices: Tensor) -> Tensor:
    return torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)


def _check_option(name: str, value: str, known) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(known)}")
