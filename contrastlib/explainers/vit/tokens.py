"""Which tokens are patches, where they lie in the image, and which tokens the head reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from contrastlib.autograd import gradients


@dataclass(frozen=True)
class Patches:
    """The patches among the tokens of a layer.

    Attributes:
        start: The number of tokens before the first patch (class, distillation and register tokens).
        height: The number of rows of patches, h.
        width: The number of patches in a row, w.
    """

    start: int
    height: int
    width: int

    @property
    def tokens(self) -> slice:
        """The positions of the patches among the tokens."""
        return slice(self.start, self.start + self.height * self.width)

    def on_grid(self, values: Tensor) -> Tensor:
        """Arrange the values (..., T) of tokens as maps (..., h, w) of the patches.

        >>> Patches(1, 2, 2).on_grid(torch.arange(5))
        tensor([[1, 2],
                [3, 4]])
        """
        return values[..., self.tokens].unflatten(-1, (self.height, self.width))


def find_patches(
    count: int, grids: Sequence[tuple[int, int]], joins: Sequence[Sequence[int]], size: Sequence[int]
) -> Patches:
    """Find the patches among the T tokens of a layer. The number of other tokens is T - h w.

    The first of these grids (h, w) is taken. Of several of one kind it is the one with the most patches.

    1. The grid of a convolution, whose h w positions are a part of the concatenation that made the T tokens.
    2. The grid of a convolution of at most T positions.
    3. The size of the images divided by a whole number, if h w is a part of that concatenation, as where
       patches are cut without a convolution.
    4. The same with h w = T, as where patches were merged.

    The patches lie where that part lies in the concatenation. Without one the other tokens come first.

    Args:
        count: The number of tokens, T.
        grids: Height and width of the output of each 2-d convolution.
        joins: For each concatenation of tokens, the number of tokens of its parts.
        size: Height and width (H, W) of the images.

    Returns:
        The patches.

    Raises:
        ValueError: There is no such grid, or there are two with the same number of patches.

    >>> find_patches(197, [(14, 14)], [[1, 196]], (224, 224))
    Patches(start=1, height=14, width=14)
    >>> find_patches(49, [(56, 56)], [], (224, 224))
    Patches(start=0, height=7, width=7)
    """
    whole = [parts for parts in joins if sum(parts) == count]
    counts = {part for parts in whole for part in parts}
    kinds = [(grids, counts), (grids, range(2, count + 1))]
    kinds += [(divided, wanted) for wanted in (counts, [count]) for divided in _divided(size)]
    found = next(filter(None, (_largest(*kind) for kind in kinds)), set())
    if len(found) != 1:
        which = "no grid of patches fits" if not found else f"the grid may be any of {sorted(found)}"
        raise ValueError(
            f"the layer has {count} tokens for images of {size[0]} x {size[1]}, and {which}: "
            "name a layer whose tokens are the patches, with layer=..."
        )
    ((height, width),) = found
    patches = height * width
    starts = {sum(parts[:i]) for parts in whole for i, part in enumerate(parts) if part == patches}
    return Patches(starts.pop() if len(starts) == 1 else count - patches, height, width)


def _largest(grids: Collection[tuple[int, int]], counts: Collection[int]) -> set[tuple[int, int]]:
    """Return the grids with the most patches among those whose number of patches is one of ``counts``."""
    fitting = {grid for grid in grids if grid[0] * grid[1] > 1 and grid[0] * grid[1] in counts}
    most = max((height * width for height, width in fitting), default=0)
    return {grid for grid in fitting if grid[0] * grid[1] == most}


def _divided(size: Sequence[int]) -> list[set[tuple[int, int]]]:
    """Grids of patches of p x p pixels, for each p: those that cover the image, and those that do not.

    The latter leave the rest of the image out, or pad it.
    """
    height, width = size
    exact = {(height // p, width // p) for p in range(1, min(size) + 1) if not height % p and not width % p}
    floor = {(height // p, width // p) for p in range(1, min(size) + 1)}
    return [exact, floor | {(-(-height // p), -(-width // p)) for p in range(1, max(size) + 1)}]


@dataclass(frozen=True)
class Reading:
    """What the head of a network reads of the tokens of the last block.

    Attributes:
        rows: The positions (R,) of the tokens that the logits are computed from.
        shares: The share (B, R) of each of them. They sum to 1.
    """

    rows: Tensor
    shares: Tensor


def find_reading(logits: Tensor, tokens: Tensor, sequence_first: bool = False) -> Reading:
    """Find the tokens of the last block that the logits are computed from.

    The rows are found from the backward pass of NaN, which reaches a token if and only if the logits are
    computed from it. So they depend neither on the class nor on the values of weights. A head that reads the
    class token gives row 0; the mean of the patches gives the rows of all patches.

    The shares are those of the score sum(y^2) / 2, which belongs to no class; see :func:`shares`.

    Args:
        logits: Logits (B, C), with their graph.
        tokens: Tokens (B, T, D) or (B, h, w, D) of the graph.
        sequence_first: Whether the tokens are (T, B, D).

    Returns:
        The rows and their shares. There is none if the logits do not depend on the tokens.

    >>> tokens = torch.rand(2, 5, 3, requires_grad=True)
    >>> find_reading(tokens[:, 0], tokens).rows, find_reading(tokens[:, 1:].mean(dim=1), tokens).rows
    (tensor([0]), tensor([1, 2, 3, 4]))
    >>> find_reading(torch.rand(2, 3, requires_grad=True) * 1, tokens).shares.shape
    torch.Size([2, 0])
    """

    def rowwise(tensor: Tensor) -> Tensor:
        return tensor.transpose(0, 1) if sequence_first else tensor.flatten(1, -2)

    def pull_back(cotangent: Tensor) -> Tensor:
        """Gradient (B, T, D) of <w, y>, from a backward pass of the head alone."""
        (gradient,) = gradients(
            [logits], [tokens], cotangent, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return rowwise(gradient)

    with torch.autograd.set_detect_anomaly(False):  # which would object to NaN
        reached = pull_back(torch.full_like(logits, torch.nan))
    rows = reached.isnan().any(dim=2).any(dim=0).nonzero().flatten()
    if len(rows) == 1:
        return Reading(rows, logits.detach().new_ones(len(logits), 1))
    return Reading(rows, shares(pull_back(logits.detach())[:, rows], rowwise(tokens.detach())[:, rows]))


def shares(gradients: Tensor, tokens: Tensor) -> Tensor:
    """Shares r_t of tokens b_t in a score s: r_t = norm(ds/db_t) norm(b_t) / sum_u norm(ds/db_u) norm(b_u).

    The product of both norms is the largest first-order effect that a token of this length can have. It does
    not change with the length of a token if a layer norm follows, so that the tokens of a mean count nearly
    alike. In a head that reads the class token beside the mean of the patches, each patch counts as far as
    it enters the mean.

    Args:
        gradients: Gradients (..., R, D) of the score.
        tokens: Tokens (..., R, D).

    Returns:
        Shares (..., R), which sum to 1. They are equal if all gradients are 0. R may be 0.

    >>> shares(torch.tensor([[1.], [3.]]), torch.ones(2, 1))
    tensor([0.2500, 0.7500])
    """
    products = gradients.norm(dim=-1) * tokens.norm(dim=-1)
    total = products.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, products / total, 1 / max(1, products.shape[-1]))
