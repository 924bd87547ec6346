"""Explainers of Vision Transformers.

Each function takes the record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward` and a cotangent
w, (B, C) or (N, B, C). Several methods for one cotangent share one backward pass. Maps lie on the grid of the
patches, 14 x 14 for ViT-B/16 at 224 pixels: (B, h, w) or (N, B, h, w). In the formulas A_i is the attention
of block i, (B, heads, T, T), P are the patches among the T tokens, and R are the tokens of the last block
that the head reads: the class token, the class and the distillation token, all patches if it takes their
mean, or any others. :func:`~contrastlib.explainers.vit.tokens.find_reading` finds R from a backward pass of
the head.

In blocks of class attention (CaiT) the patches do not read. Their rows of A_i are those of the identity in
the plain rollout, and 0 in the other methods. So are the rows of class tokens in blocks that have none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from contrastlib._choices import check_choice
from contrastlib.explainers.explainer import register
from contrastlib.explainers.vit.forward_pass import TokensPass
from contrastlib.explainers.vit.token_layers import another_layer, check_pass, token_layer, tokens_of
from contrastlib.explainers.vit.tokens import Patches, shares

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
    space="tokens",
    needs="tokens pass",
    linear=True,
    formula=r"\sum_d \big(\frac{1}{|P|} \sum_{i \in P} g_{id}\big)\, a_{jd}",
    paper="selvaraju2017",
    equation="for tokens as Eriksson et al. 2025, sec. 3.4",
    cost="1 forward, 1 backward",
)
def vit_gradcam(
    record: TokensPass, cotangent: Tensor, layer: str | None = None, relu: bool = False
) -> Tensor:
    """GradCAM of tokens: phi_j = sum_d (1/N sum_i d<w, y>/da_id) a_jd, for each patch j.

    a are the activations (T, D) of a layer; i runs over the N patches. Patches replace the spatial positions
    of GradCAM, and features replace its channels. Class, distillation and register tokens have no position
    and are left out.

    Source: Selvaraju et al. 2017, for tokens as in pytorch-grad-cam and Eriksson et al. 2025, sec. 3.4.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: "norm.i" or "block.i": the tokens that the attention of block i reads, after its first layer
            norm, or the output of the block. Or the name of a layer that ``vit_forward`` was asked to record,
            whose output is (B, T, D) or (B, h, w, D). If None, it is "norm" of the last block. In networks
            that attend within windows, whose head reads the patches (Swin), it is the output of the last
            block. If the last block has neither, it is the last layer before it.
        relu: Whether negative values are set to 0. The map is linear in w if they are not.

    Returns:
        Maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>.

    Raises:
        ValueError: There is no such layer, its output is not (B, T, D) or (B, h, w, D), it has a single
            patch, it cannot be told which tokens are patches, no gradient reaches the patches (as in the
            output of the last block, if the head reads the class token), or the record is not one of
            ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> vit_gradcam(record, torch.eye(1000)[[1, 2, 3]], "norm.0").shape
    torch.Size([3, 4, 4])
    """
    layer = token_layer(record, layer)
    if record.activations[layer].shape[1:-1].numel() == 1:
        raise ValueError(
            f"layer {layer!r} has a single token for images of {record.size[0]} x {record.size[1]}, so its "
            f"map is one number: enlarge the images{another_layer(record, cotangent)}"
        )
    patches, activations, gradients = tokens_of(record, layer, cotangent)
    if gradients.any() and not gradients[..., patches.tokens, :].any():
        raise ValueError(
            f"no gradient reaches the patches of layer {layer!r}: the head reads other tokens of it, or its "
            "tokens are padded. Use a method of the pixels (gradient, input_x_gradient)"
            f"{another_layer(record, cotangent)}"
        )
    weights = gradients[..., patches.tokens, :].mean(dim=-2)
    maps = patches.on_grid(torch.einsum("...bd,bjd->...bj", weights, activations))
    return maps.clamp(min=0) if relu else maps


def attention_rollout(record: TokensPass) -> Tensor:
    """Attention rollout: phi is r^T R_L ... R_1, with R_i = (A_i + I) / 2.

    Here A_i is the mean of the attention over heads. r are the shares (T,) of the tokens that the head
    reads, which sum to 1. If it reads the class token, phi is the class token's row of the product.
    Otherwise r_t is proportional to norm(dq/db_t) norm(b_t), where b_t are the tokens of the last block
    and q = sum(y^2) / 2 is a score of all logits; see :func:`contrastlib.explainers.vit.tokens.shares`.
    The mean of patches gives about equal shares.

    A value is the share of a patch in what the head reads, under the assumption that only attention mixes
    tokens. The map does not depend on a class or a contrast.

    Source: Abnar & Zuidema 2020, sec. 3, for a head that reads the class token.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.

    Returns:
        Maps (B, h, w) of values from 0 to 1. Together with the shares of the other tokens they sum to 1.

    Raises:
        ValueError: The network attends within windows or merges tokens, it cannot be told which tokens are
            patches, or the record is not one of ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> attention_rollout(vit_forward(net, torch.rand(3, 3, 32, 32))).shape
    torch.Size([3, 4, 4])
    """
    _check_all_attend(record)
    heads = [record.activations[f"attention.{i}"].mean(dim=1) for i in range(record.depth)]
    wide = map(_widened(record, 1), reversed(heads))
    factors = ((attention + _identity(attention)) / 2 for attention in wide)
    return _rolled_out(record, record.reading.shares, factors)


@register(
    title="Gradient attention rollout",
    about="Attention times gradient, through all blocks.",
    space="tokens",
    needs="tokens pass",
    linear=False,
    formula=r"\Big[r^{\top} \prod_i \operatorname{norm}\big(I + \operatorname{mean}_h(A_i g_i)\big)\Big]_j",
    paper="gildenblat2020",
    equation="repaired; Eriksson et al. 2025, sec. 3.5",
    cost="1 forward, 1 backward",
)
def gradient_attention_rollout(
    record: TokensPass,
    cotangent: Tensor,
    *,
    gradients: str = "aligned",
    normalise: str = "absolute",
    negatives: str = "keep",
    discard_ratio: float = 0.0,
) -> Tensor:
    """Gradient-weighted attention rollout: phi is r^T R_L ... R_1, with R_i = norm(I + E_i).

    The review abbreviates it as GWAR. E_i is the mean over heads of A_i * G_i, element by element, with
    the gradient G_i = d<w, y>/dA_i. r are the shares (T,) of the tokens b_t that the head reads in the
    score: r_t is proportional to norm(d<w, y>/db_t) norm(b_t). If the head reads the class token, phi is
    the class token's row of the product. The default options are those of the repaired method.
    ``PUBLISHED`` and ``REVIEW`` are the options of the two public codes.

    The map is not linear in w, because it is a product of L factors that each depend on w. So the map of a
    contrast is not the contrast of the maps of the classes. Nor is the map of a multiple of w that multiple
    of the map, because E_i is added to I. If the head reads one token, :func:`attention_x_gradient` is the
    part of the map that is linear in w.

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
        ValueError: An option is unknown, the network attends within windows or merges tokens, it cannot be
            told which tokens are patches, or the record is not one of ``vit_forward``.

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
            edges = _widened(record, 0)(_without_lowest(edges, discard_ratio))
            yield NORMALISE[normalise](edges + _identity(edges))

    _check_all_attend(record)
    return _rolled_out(record, _shares(record, cotangent), factors())


@register(
    title="Attention × Gradient",
    about="Attention times its gradient, summed over blocks.",
    space="tokens",
    needs="tokens pass",
    linear=True,
    formula=r"\sum_{r \in Q} \Big[\sum_i \operatorname{mean}_h(A_i \cdot g_i)\Big]_{rj}",
    paper="gildenblat2020",
    equation="its part that is linear in w",
    cost="1 forward, 1 backward",
)
def attention_x_gradient(record: TokensPass, cotangent: Tensor) -> Tensor:
    """Attention times gradient: phi is the sum over r in Q of the rows of sum_i E_i.

    E_i is the mean over heads of A_i * d<w, y>/dA_i. Q are the tokens that the head reads. The rows are
    added and not averaged: the gradient already has the factor by which the head reads a token, such as
    one over their number in a mean. If the head reads the class token, phi is its row. The map is then
    the derivative of :func:`gradient_attention_rollout` without normalisation with respect to w, at w = 0.

    The map counts what the tokens that the head reads have read from each patch in each block. It does not
    count what a patch that the head does not read had read from other patches before.

    Source: the part of Gildenblat 2020 that is linear in w.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        cotangent: The cotangent w, (B, C) or (N, B, C).

    Returns:
        Maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>.

    Raises:
        ValueError: The network attends within windows or merges tokens, it cannot be told which tokens are
            patches, or the record is not one of ``vit_forward``.

    >>> from torchvision.models import VisionTransformer
    >>> from contrastlib.explainers.vit import vit_forward
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> attention_x_gradient(record, torch.eye(1000)[[1, 2, 3]]).shape
    torch.Size([3, 4, 4])
    """
    _check_all_attend(record)
    rows, patches = record.reading.rows, _patches(record)
    read = (_widened(record, 0)(edges)[..., rows, :].sum(dim=-2) for edges in _edges(record, cotangent))
    return patches.on_grid(sum(read)).to(_dtype(record))


def _check_all_attend(record: TokensPass) -> None:
    """Raise an error unless each block has attention between all tokens of an image."""
    check_pass(record)
    if record.partial:
        raise ValueError(
            f"{record.partial}, so that products and sums of the attention of all blocks are not defined: "
            "use vit_gradcam, or a method of the input space (gradient, input_x_gradient)"
        )


def _patches(record: TokensPass) -> Patches:
    """Return the patches among the tokens of the last block's attention."""
    return record.patches(_count(record))


def _count(record: TokensPass) -> int:
    return record.activations[f"attention.{record.depth - 1}"].shape[-1]


def _edges(record: TokensPass, cotangent: Tensor, reverse: bool = False) -> Iterator[Tensor]:
    """Yield E_i (..., B, Q, T) from the last block to the first, the order in which a row is multiplied."""
    gradients = record.pull_back(cotangent)
    for i in reversed(range(record.depth)):
        gradient = gradients[f"attention.{record.depth - 1 - i if reverse else i}"]
        attention = record.activations[f"attention.{i}"]
        if gradient.shape[-2:] != attention.shape[-2:]:
            raise ValueError(
                'gradients="reversed" pairs attention with the gradients of another block, and the blocks of '
                'this network have attention of different shapes: use gradients="aligned"'
            )
        yield torch.einsum("...hij,...hij->...ij", gradient, attention) / attention.shape[1]


def _shares(record: TokensPass, cotangent: Tensor) -> Tensor:
    """Return the shares (..., B, R) of the tokens that the head reads in the score <w, y>."""
    rows = record.reading.rows
    if len(rows) == 1:
        return record.reading.shares
    last = f"block.{record.depth - 1}"
    gradients, tokens = record.pull_back(cotangent)[last], record.activations[last]
    if tokens.ndim == 4:  # (B, h, w, D)
        gradients, tokens = gradients.flatten(-3, -2), tokens.flatten(1, 2)
    return shares(gradients[..., rows, :], tokens[:, rows])


def _widened(record: TokensPass, rest: float) -> Callable[[Tensor], Tensor]:
    """Make a function that puts a matrix (..., Q, T) of one block in one (..., T, T) of all tokens.

    Args:
        record: The record.
        rest: The value of the diagonal in the rows of tokens that do not read in the block.
    """
    count = _count(record)

    def widen(matrix: Tensor) -> Tensor:
        queries, keys = matrix.shape[-2:]
        if queries == keys == count:
            return matrix
        first = 0 if keys == count else _patches(record).start
        wide = (rest * _identity(matrix.new_empty(0, count))).repeat(*matrix.shape[:-2], 1, 1)
        wide[..., first : first + queries, :] = 0
        wide[..., first : first + queries, first : first + keys] = matrix
        return wide

    return widen


def _without_lowest(edges: Tensor, ratio: float) -> Tensor:
    """Set the lowest entries of each matrix (..., Q, T) to 0, a share ``ratio`` of them."""
    flat = edges.flatten(-2)
    lowest = flat.topk(int(flat.shape[-1] * ratio), largest=False).indices
    return flat.scatter(-1, lowest, 0).view_as(edges)


def _rolled_out(record: TokensPass, shares: Tensor, factors: Iterator[Tensor]) -> Tensor:
    """Return r^T times a product of matrices (..., T, T), as maps of the patches.

    Args:
        record: The record.
        shares: The shares r (..., R) of the tokens that the head reads.
        factors: The matrices, from the last block to the first.
    """
    rows = next(factors)[..., record.reading.rows, :]
    row = rows if len(record.reading.rows) == 1 else shares.to(rows)[..., None, :] @ rows
    for factor in factors:
        row = row @ factor
    return _patches(record).on_grid(row[..., 0, :]).to(_dtype(record))


def _dtype(record: TokensPass) -> torch.dtype:
    """Return the dtype of the tokens. Attention can have more bits, and logits can have fewer."""
    return record.activations[f"block.{record.depth - 1}"].dtype


def _identity(matrices: Tensor) -> Tensor:
    return torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
