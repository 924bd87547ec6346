"""Contrasts: which weights over the logits does an explanation start from?

A back-propagation explainer that is linear in its cotangent maps a vector w over the C logits to
a map. Every scheme of the papers is one choice of w for the target class t:

============  ==================================================  =========================
contrast      w                                                   source
============  ==================================================  =========================
original      e_t                                                 the logit y_t
mean          e_t - 1/(C-1) sum_{s != t} e_s                      Gu et al. 2018
maximum       e_t - e_{s*},  s* = argmax_{s != t} y_s             Dhurandhar et al. 2018
weighted      e_t - sum_{s != t} alpha_s e_s                      Wang & Wang 2022, eq. 1
probability   p_t (1 - p_t) * weighted  =  grad_y p_t             Wang & Wang 2022, Prop. 2
among         weighted, with alpha over the chosen foils only     Wang & Wang 2022, sec. 5.2
============  ==================================================  =========================

with alpha = softmax of the logits without t. ``weighted`` is the gradient of the log-odds
log(p_t / (1 - p_t)) = y_t - logsumexp_{s != t} y_s and is exact at any confidence; the gradient of
p_t taken through a float32 softmax is not, so nothing here goes that way.

All functions take ``logits`` (B, C) and ``target`` (an int, or B class indices) and return the
cotangent (B, C) in the logits' dtype and on their device. A single logit (C = 1, a sigmoid
classifier) stands for the two logits (0, y): class 1 is the positive and class 0 the negative
one, and since y is a contrast already all schemes but ``probability`` agree there.

All of them raise ``ValueError`` or ``TypeError`` for logits that are not a finite floating (B, C)
tensor or that are probabilities, and ``IndexError`` for a target that is not a class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Classes = int | Sequence[int] | Tensor
Contrast = str | Tensor | Callable[[Tensor], Tensor]


def original(logits: Tensor, target: Classes) -> Tensor:
    """Weights of the plain explanation of a logit, w = e_t.

    >>> original(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[1., 0., 0.]])
    """
    logits, target, single = _checked(logits, target)
    return _collapsed(_one_hot(logits, target), single, keep=True)


def mean(logits: Tensor, target: Classes) -> Tensor:
    """The target against the mean of all others, w = e_t - 1/(C-1) sum_{s != t} e_s.

    >>> mean(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    logits, target, single = _checked(logits, target)
    chosen = _one_hot(logits, target)
    return _collapsed(chosen - (1 - chosen) / (logits.shape[1] - 1), single)


def maximum(logits: Tensor, target: Classes) -> Tensor:
    """The target against its strongest rival, w = e_t - e_{s*}, s* = argmax_{s != t} y_s.

    Of rivals with equal logits one is taken, the first of them.

    >>> maximum(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[ 1., -1.,  0.]])
    """
    logits, target, single = _checked(logits, target)
    rival = _without(logits, target).argmax(dim=1)
    return _collapsed(_one_hot(logits, target) - _one_hot(logits, rival), single)


def weighted(logits: Tensor, target: Classes) -> Tensor:
    """The target against the others by their softmax weight, w = e_t - sum_{s != t} alpha_s e_s.

    alpha = softmax of the logits without t (Wang & Wang 2022, eq. 1). Equal to the gradient of
    the log-odds log(p_t / (1 - p_t)) with respect to the logits.

    >>> weighted(torch.tensor([[5., 1., 1.]]), 0)
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    logits, target, single = _checked(logits, target)
    return _collapsed(_one_hot(logits, target) - _without(logits, target).softmax(dim=1), single)


def probability(logits: Tensor, target: Classes) -> Tensor:
    """The gradient of p_t with respect to the logits, w = p_t (1 - p_t) * weighted.

    p_t (1 - p_t) is taken as e / (1 + e)^2 with e = exp(-abs(m)) of the log-odds m, so that it keeps
    its relative precision where the softmax rounds p_t to 1. Below the smallest number of the dtype
    (m beyond 103 in float32) it is 0; the direction is then that of :func:`weighted`.

    >>> w = probability(torch.tensor([[20., 0., 0.]]), 0)
    >>> bool(w[0, 0] > 0) and bool(torch.isclose(w[0, 1], -w[0, 0] / 2))
    True
    """
    logits, target, single = _checked(logits, target)
    margin = _log_odds(logits, target)[:, None]
    alpha = _without(logits, target).softmax(dim=1)
    e = (-margin.abs()).exp()
    scale = e / (1 + e) ** 2
    return _collapsed(scale * (_one_hot(logits, target) - alpha), single)


def among(logits: Tensor, target: Classes, foils: Classes) -> Tensor:
    """The target against chosen foils S, w = e_t - sum_{s in S} alpha_s e_s.

    alpha = softmax of the logits of S. One foil gives the pairwise contrast e_t - e_s, all other
    classes give :func:`weighted`.

    Args:
        foils: classes to contrast with, the same for all images (an int or a sequence), or a
            boolean tensor (B, C) that is true at each image's foils.

    Raises:
        ValueError: no foil, or the target is among its own foils.
        IndexError: a foil is not a class.

    >>> among(torch.tensor([[2., 1., 0.]]), 0, foils=[2])
    tensor([[ 1.,  0., -1.]])
    """
    logits, target, single = _checked(logits, target)
    mask = _foil_mask(logits, target, foils)
    alpha = logits.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return _collapsed(_one_hot(logits, target) - alpha, single)


CONTRASTS = {f.__name__: f for f in (original, mean, maximum, weighted, probability, among)}
QUESTIONS = {
    "original": "What raises the logit of {target}?",
    "mean": "Why {target} and not the average of the others?",
    "maximum": "Why {target} and not {rival}?",
    "weighted": "Why {target} and not the others ({others})?",
    "probability": "What raises the probability of {target}?",
    "among": "Why {target} and not {foils}?",
}
"""contrast -> what its map answers, in words"""


def cotangent(contrast: Contrast, logits: Tensor, target: Classes, foils: Classes | None = None) -> Tensor:
    """The contrast of that name, or weights of one's own.

    Args:
        contrast: a name; or the weights (B, C) themselves; or a function of the logits (B, C) that returns
            them. Weights of one's own hold the target too, and ``target`` has no say then.
        foils: for "among" and no other.

    Raises:
        ValueError: unknown contrast, foils missing for "among" or given to another, weights of another
            shape than the logits, or not finite.
        TypeError: weights that are no tensor.

    >>> cotangent("maximum", torch.tensor([[2., 1., 0.]]), target=1)
    tensor([[-1.,  1.,  0.]])
    >>> cotangent(lambda y: original(y, 0) - original(y, 2), torch.tensor([[2., 1., 0.]]), target=0)
    tensor([[ 1.,  0., -1.]])
    """
    contrast = next((name for name, scheme in CONTRASTS.items() if scheme is contrast), contrast)
    named = isinstance(contrast, str)
    if named and contrast not in CONTRASTS:
        raise ValueError(f"unknown contrast {contrast!r}; choose one of {', '.join(CONTRASTS)}")
    if named and contrast == "among":
        if foils is None:
            raise ValueError('the contrast "among" needs foils: the classes to contrast the target with')
        return among(logits, target, foils)
    if foils is not None:
        given = repr(contrast) if named else "weights"
        raise ValueError(f'foils belong to the contrast "among", not to {given}')
    return CONTRASTS[contrast](logits, target) if named else _own(contrast, logits)


def log_odds(logits: Tensor, target: Classes) -> Tensor:
    """log(p_t / (1 - p_t)) = y_t - logsumexp_{s != t} y_s, shape (B,); exact at any confidence.

    >>> log_odds(torch.tensor([[200., 0.]]), 0)
    tensor([200.])
    """
    logits, target, _ = _checked(logits, target)
    return _log_odds(logits, target)


def check_logits(logits: Tensor) -> None:
    """Raise a TypeError or ValueError, with the remedy, unless these can be logits (B, C)."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise TypeError(f"logits must be a floating-point tensor, got {kind}")
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits must have shape (B, C), one row an image, got {tuple(logits.shape)}")
    if not logits.isfinite().all():
        rows = (~logits.isfinite()).any(dim=1).nonzero().flatten().tolist()
        raise ValueError(f"logits are NaN or infinite in row(s) {rows[:5]}: check the images and the network")
    if logits.shape[1] > 1 and _are_probabilities(logits):
        raise ValueError(
            "every row is non-negative and sums to 1: these are probabilities, not logits. "
            "Remove the network's final softmax, or pass log-probabilities (p.log())."
        )


def _own(contrast: Tensor | Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    check_logits(logits)
    weights = contrast(logits) if callable(contrast) else contrast
    if not isinstance(weights, Tensor):
        raise TypeError(
            f"a contrast is a name, a tensor of weights or a function that returns one, not {weights!r}"
        )
    if weights.is_complex():
        raise TypeError(f"weights must be real, got {weights.dtype}")
    if weights.shape != logits.shape:
        raise ValueError(
            f"weights must have the logits' shape (B, C) = {tuple(logits.shape)}, a row for each image, "
            f"got {tuple(weights.shape)}"
        )
    weights = weights.detach().to(logits)
    if not weights.isfinite().all():
        raise ValueError("weights hold NaN or infinite values: check the contrast they come from")
    return weights


def _are_probabilities(logits: Tensor) -> bool:
    eps = torch.finfo(logits.dtype).eps
    tolerance = eps if logits.dtype.itemsize == 2 else 100 * eps  # 16 bits round coarsely: a hundred steps are any logits
    sums = logits.to(torch.promote_types(logits.dtype, torch.float32)).sum(dim=1)
    return bool((logits >= 0).all() and torch.allclose(sums, torch.ones_like(sums), rtol=0, atol=tolerance))


def _checked(logits: Tensor, target: Classes) -> tuple[Tensor, Tensor, bool]:
    """Validated logits with at least two classes, targets (B,), and whether there was one logit."""
    check_logits(logits)
    logits, single = logits.detach(), logits.shape[1] == 1
    if single:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return logits, _class_indices(target, logits, "target"), single


def _class_indices(classes: Classes, logits: Tensor, what: str) -> Tensor:
    indices = _as_tensor(classes, logits, what)
    if indices.dtype == torch.bool:
        raise TypeError(f"{what} must hold integer class indices, got truth values")
    batch, count = logits.shape
    if indices.ndim == 0:
        indices = indices.expand(batch)
    if indices.shape != (batch,):
        raise ValueError(
            f"{what} must be one class or one for each of the {batch} images, got shape {tuple(indices.shape)}"
        )
    _check_range(indices, count, what)
    return indices


def _as_tensor(classes: Classes, logits: Tensor, what: str) -> Tensor:
    try:
        tensor = torch.as_tensor(classes, device=logits.device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{what} must hold integer class indices, got {classes!r}") from error
    if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex()):
        raise TypeError(f"{what} must hold integer class indices, got {tensor.dtype}")
    return tensor if tensor.dtype == torch.bool else tensor.long()


def _check_range(indices: Tensor, count: int, what: str) -> None:
    outside = indices[(indices < 0) | (indices >= count)]
    if outside.numel():
        raise IndexError(f"{what} {outside[0].item()} is not a class: there are {count} (0 to {count - 1})")


def _foil_mask(logits: Tensor, target: Tensor, foils: Classes) -> Tensor:
    foils = _as_tensor(foils, logits, "foils")
    if foils.dtype == torch.bool:
        if foils.shape != logits.shape:
            raise ValueError(f"a foil mask must have the logits' shape {tuple(logits.shape)}, got {tuple(foils.shape)}")
        mask = foils
    else:
        if foils.ndim > 1:
            raise ValueError("foils must be class indices common to all images, or a boolean mask (B, C)")
        foils = foils.reshape(-1)
        _check_range(foils, logits.shape[1], "foil")
        mask = torch.zeros_like(logits, dtype=torch.bool)
        mask[:, foils] = True
    if not mask.any(dim=1).all():
        raise ValueError("foils are empty: name at least one class to contrast the target with")
    if mask.gather(1, target[:, None]).any():
        raise ValueError("the target is among its own foils: leave it out")
    return mask


def _one_hot(logits: Tensor, index: Tensor) -> Tensor:
    return torch.zeros_like(logits).scatter_(1, index[:, None], 1)


def _without(logits: Tensor, target: Tensor) -> Tensor:
    return logits.scatter(1, target[:, None], -torch.inf)


def _log_odds(logits: Tensor, target: Tensor) -> Tensor:
    return logits.gather(1, target[:, None]).squeeze(1) - _without(logits, target).logsumexp(dim=1)


def _collapsed(weights: Tensor, single: bool, keep: bool = False) -> Tensor:
    """Weights over the pair (0, y) as a weight of y; e_t of the negative class is taken as -y."""
    if not single:
        return weights
    return weights[:, 1:] - weights[:, :1] if keep else weights[:, 1:]
