"""What the contrasts of an image have in common, so that it goes back through the network once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

COMPARED = 64  # contrasts at most, because comparing them costs the square of their number


def through_basis(linear: Callable[[Tensor], Sequence[Tensor]], cotangents: Tensor) -> Sequence[Tensor]:
    """What a linear function makes of cotangents (K, B, C), computed for the fewest that all of them are made of.

    >>> through_basis(lambda vectors: [3 * vectors], torch.tensor([[[1., -1., 0.]], [[.5, -.5, 0.]]]))
    [tensor([[[ 3.0000, -3.0000,  0.0000]],
    <BLANKLINE>
            [[ 1.5000, -1.5000,  0.0000]]])]
    """
    shared = shared_basis(cotangents)
    if shared is None:
        return linear(cotangents)
    weights, vectors = shared
    return [torch.einsum("bkr,rb...->kb...", weights, each) for each in linear(vectors)]


def shared_basis(cotangents: Tensor) -> tuple[Tensor, Tensor] | None:
    """Weights (B, K, R) and vectors (R, B, C) that give cotangents (K, B, C); None unless R is less than K.

    The contrasts of one image have weights of their own at a few classes; elsewhere they are multiples of the
    same few vectors, the softmax and that of ones: eight of two targets need four. The few classes are cut out
    of those vectors, so that no entry is a difference of larger ones: an exact 0 stays one, all others keep
    their sign and precision, and so does a map where a shallow head passes them on one by one. Or whole contrasts
    are multiples of each other.

    >>> weights, vectors = shared_basis(torch.tensor([[[1., -1., 0.]], [[.5, -.5, 0.]], [[0., 1., -1.]]]))
    >>> weights.shape, vectors.shape
    (torch.Size([1, 3, 2]), torch.Size([2, 1, 3]))
    """
    if not 1 < len(cotangents) <= COMPARED:
        return None
    found = [basis for basis in (_of_wholes(cotangents), _without_classes(cotangents)) if basis is not None]
    return min(found, key=lambda basis: len(basis[1]), default=None)


def _of_wholes(cotangents: Tensor) -> tuple[Tensor, Tensor] | None:
    """The basis where whole contrasts are multiples of each other, as the gradients of p_t and of its log-odds."""
    found = _multiples(cotangents, cotangents, most=len(cotangents) - 1)
    return (found[0].transpose(0, 1), torch.stack(found[1])) if found and found[1] else None


def _without_classes(cotangents: Tensor) -> tuple[Tensor, Tensor] | None:
    """The basis where they are multiples but for the few classes at which each is largest."""
    count = len(cotangents)
    largest = torch.zeros_like(cotangents[0]).scatter_(1, cotangents.abs().argmax(dim=2).T, 1)
    classes = largest.topk(int(largest.sum(dim=1).max())).indices
    at_classes = classes.expand(count, -1, -1)
    found = _multiples(cotangents.scatter(2, at_classes, 0), cotangents, most=count - classes.shape[1] - 1)
    if found is None:
        return None
    factors, vectors = found
    alone = [torch.zeros_like(cotangents[0]).scatter(1, one[:, None], 1) for one in classes.T]
    weights = torch.cat([cotangents.gather(2, at_classes), factors], dim=2)
    return weights.transpose(0, 1), torch.stack(alone + vectors)


def _multiples(rests: Tensor, wholes: Tensor, most: int) -> tuple[Tensor, list[Tensor]] | None:
    """Factors (K, B, R) and R vectors (B, C) that give the rests (K, B, C) of the wholes; None if R would exceed ``most``."""
    factors, vectors = rests.new_zeros(*rests.shape[:2], len(rests)), []
    for k, rest in enumerate(rests):
        if not rest.any():
            continue
        fitting = ((r, _multiple(rest, vector, wholes[k])) for r, vector in enumerate(vectors))
        r, factor = next(((r, factor) for r, factor in fitting if factor is not None), (len(vectors), 1))
        factors[k, :, r] = factor
        if r == len(vectors):
            vectors.append(rest)
    return (factors[..., : len(vectors)], vectors) if len(vectors) <= most else None


def _multiple(rest: Tensor, vector: Tensor, whole: Tensor) -> Tensor | None:
    """Factors (B,) with rest = factor * vector (B, C) up to rounding of each entry and of the whole; None if there are none."""
    place = vector.abs().argmax(dim=1, keepdim=True)
    largest = vector.gather(1, place)
    factor = torch.where(largest == 0, 0, rest.gather(1, place) / largest)
    error = (rest - factor * vector).abs()
    precision = torch.finfo(rest.dtype)
    eps = min(precision.eps, torch.finfo(torch.float32).eps)  # what is alike in 16 bits need not be the same
    close = error <= eps**0.5 * rest.abs() + precision.tiny
    # sums, since the squares of small entries would vanish
    fits = close.all() and (error.sum(dim=1) <= 16 * eps * whole.abs().sum(dim=1)).all()
    return factor[:, 0] if fits else None
