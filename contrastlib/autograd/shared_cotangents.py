"""A basis of several cotangents, so that a linear function is computed for the basis only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MOST_COMPARED = 64  # the cost of the comparison grows with the square of the number of cotangents


def through_basis(linear: Callable[[Tensor], Sequence[Tensor]], cotangents: Tensor) -> Sequence[Tensor]:
    """Apply a linear function to cotangents by applying it to a basis of them.

    Args:
        linear: Cotangents (R, B, C), for any R -> results (R, B, ...), linear in the cotangents.
        cotangents: Cotangents (N, B, C).

    Returns:
        The results (N, B, ...).

    >>> through_basis(lambda vectors: [3 * vectors], torch.tensor([[[1., -1., 0.]], [[.5, -.5, 0.]]]))
    [tensor([[[ 3.0000, -3.0000,  0.0000]],
    <BLANKLINE>
            [[ 1.5000, -1.5000,  0.0000]]])]
    """
    shared = shared_basis(cotangents)
    if shared is None:
        return linear(cotangents)
    weights, vectors = shared
    return [torch.einsum("bnr,rb...->nb...", weights, each) for each in linear(vectors)]


def shared_basis(cotangents: Tensor) -> tuple[Tensor, Tensor] | None:
    """Find R < N vectors of which N cotangents are linear combinations.

    Two kinds of bases are tried, and the smaller one is taken:

    1. Whole cotangents that are multiples of each other share a vector.
    2. At the few classes where the cotangents are largest, each class has a unit vector. The rest of each
       cotangent is a multiple of a few common vectors. The contrasts of one image are of this kind: outside
       the target classes they are multiples of the softmax or of the vector of ones. So ten contrasts of two
       target classes have a basis of four vectors.

    No entry of a combination is a difference of larger numbers, so an entry keeps its sign and its relative
    precision, and an entry that is exactly 0 stays 0.

    Args:
        cotangents: Cotangents (N, B, C).

    Returns:
        Weights (B, N, R) and vectors (R, B, C), with cotangent n = sum_r weights[:, n, r] vectors[r]. None if
        no such basis is found, or if there are more than ``MOST_COMPARED`` cotangents.

    >>> weights, vectors = shared_basis(torch.tensor([[[1., -1., 0.]], [[.5, -.5, 0.]], [[0., 1., -1.]]]))
    >>> weights.shape, vectors.shape
    (torch.Size([1, 3, 2]), torch.Size([2, 1, 3]))
    """
    if not 1 < len(cotangents) <= MOST_COMPARED:
        return None
    found = [basis for basis in (_of_wholes(cotangents), _without_classes(cotangents)) if basis is not None]
    return min(found, key=lambda basis: len(basis[1]), default=None)


def _of_wholes(cotangents: Tensor) -> tuple[Tensor, Tensor] | None:
    """The basis of kind 1, which the gradients of p_t and of its log-odds have, for example."""
    found = _multiples(cotangents, cotangents, most=len(cotangents) - 1)
    return (found[0].transpose(0, 1), torch.stack(found[1])) if found and found[1] else None


def _without_classes(cotangents: Tensor) -> tuple[Tensor, Tensor] | None:
    """The basis of kind 2."""
    count = len(cotangents)
    largest = torch.zeros_like(cotangents[0]).scatter_(1, cotangents.abs().argmax(dim=2).T, 1)
    classes = largest.topk(int(largest.sum(dim=1).max())).indices
    at_classes = classes.expand(count, -1, -1)
    found = _multiples(cotangents.scatter(2, at_classes, 0), cotangents, most=count - classes.shape[1] - 1)
    if found is None:
        return None
    factors, vectors = found
    units = [torch.zeros_like(cotangents[0]).scatter(1, one[:, None], 1) for one in classes.T]
    weights = torch.cat([cotangents.gather(2, at_classes), factors], dim=2)
    return weights.transpose(0, 1), torch.stack(units + vectors)


def _multiples(rests: Tensor, wholes: Tensor, most: int) -> tuple[Tensor, list[Tensor]] | None:
    """Write the rests of cotangents as multiples of common vectors.

    Args:
        rests: The rests (N, B, C) of the cotangents.
        wholes: The cotangents (N, B, C), which set the precision.
        most: The largest number R of vectors.

    Returns:
        Factors (N, B, R) and R vectors (B, C). None if more than ``most`` vectors are needed.
    """
    factors, vectors = rests.new_zeros(*rests.shape[:2], len(rests)), []
    for n, rest in enumerate(rests):
        if not rest.any():
            continue
        fitting = ((r, _multiple(rest, vector, wholes[n])) for r, vector in enumerate(vectors))
        r, factor = next(((r, factor) for r, factor in fitting if factor is not None), (len(vectors), 1))
        factors[n, :, r] = factor
        if r == len(vectors):
            vectors.append(rest)
    return (factors[..., : len(vectors)], vectors) if len(vectors) <= most else None


def _multiple(rest: Tensor, vector: Tensor, whole: Tensor) -> Tensor | None:
    """Return factors (B,) with rest = factor * vector, up to rounding. None if there are none.

    Args:
        rest: The rest (B, C) of a cotangent.
        vector: A vector (B, C).
        whole: The cotangent (B, C).
    """
    index = vector.abs().argmax(dim=1, keepdim=True)
    largest = vector.gather(1, index)
    factor = torch.where(largest == 0, 0, rest.gather(1, index) / largest)
    error = (rest - factor * vector).abs()
    precision = torch.finfo(rest.dtype)
    # Vectors that agree in 16 bits need not be multiples, so 16-bit dtypes are compared as float32 is.
    eps = min(precision.eps, torch.finfo(torch.float32).eps)
    close = error <= eps**0.5 * rest.abs() + precision.tiny
    # Sums of absolute values, because squares of small entries would underflow.
    fits = close.all() and (error.sum(dim=1) <= 16 * eps * whole.abs().sum(dim=1)).all()
    return factor[:, 0] if fits else None
