"""Layer-wise relevance propagation (LRP) and its contrasts: choices of the relevance that enters at the logits.

============  ==============================================================  ========================
method        relevance at the logits y for a target t                        source
============  ==============================================================  ========================
LRP           y_t e_t                                                         Bach et al. 2015
CLRP1         abs(y_t) e_t, less the map of abs(y_t) / (C-1) sum_{s!=t} e_s   Gu et al. 2018, sec. 4
CLRP2         abs(y_t) e_t, less its map with the last weights negated        Gu et al. 2018, sec. 4
SGLRP         grad_y p_t = p_t (1 - p_t) e_t - sum_{s!=t} p_t p_s e_s         Iwana et al. 2019
contrast      w * y, which is sum_s w_s LRP^s                                 Wang & Wang 2022's idea
============  ==============================================================  ========================

CLRP is max(0, difference). It starts from abs(y_t), as the published code does, since a class with a
negative logit would otherwise have its map and its dual exchanged.

All functions run the network once (and what comes before its first layer with weights, to see where the
ends of the box arrive) and take the options of
:func:`~contrastlib.explainers.propagation.propagation`: rules, layer, biases, average_pooling, box. They
return the relevance of each pixel and channel (B, channels, H, W), in units of the logit (SGLRP: of the
probability's gradient), or with K in front. Maps that are not finite raise FloatingPointError. A ``target``
is a class, one for each image, K of each (K, B), or a function of the logits that gives one of these, such
as ``lambda y: y.topk(3).indices.T``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.contrasts import Classes
from contrastlib.explainers.propagation import Propagation, propagation

Targets = Classes | Callable[[Tensor], Classes]
DUALS = ("uniform", "logits")


def lrp(model: nn.Module, images: Tensor, relevance: Callable[[Tensor], Tensor], **options) -> Tensor:
    """The relevance of each pixel, given what enters at the logits; linear in that.

    Args:
        relevance: logits (B, C) -> relevance (B, C) or (K, B, C); with ``layer=`` of its outputs.
        options: see :func:`~contrastlib.explainers.propagation.propagation`.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> lrp(net, torch.rand(2, 3, 8, 8), lambda y: y * contrasts.original(y, 1)).shape
    torch.Size([2, 3, 8, 8])
    """
    with propagation(model, images, **options) as propagate:
        return propagate(relevance(propagate.outputs))


def contrastive_lrp(model: nn.Module, images: Tensor, contrast: Callable[[Tensor], Tensor], **options) -> Tensor:
    """sum_s w_s LRP^s with LRP^s from y_s e_s, for any contrast w; LRP itself for w = e_t.

    Args:
        contrast: logits (B, C) -> w (B, C) or (K, B, C), such as ``lambda y: contrasts.weighted(y, target)``.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> contrastive_lrp(net, torch.rand(2, 3, 8, 8), lambda y: contrasts.weighted(y, 1)).shape
    torch.Size([2, 3, 8, 8])
    """
    return lrp(model, images, lambda y: contrast(y) * y, **options)


def sglrp(model: nn.Module, images: Tensor, target: Targets, **options) -> Tensor:
    """LRP from the gradient of p_t at the logits, the probability contrast (Iwana et al. 2019, eq. 8).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> sglrp(net, torch.rand(2, 3, 8, 8), target=1).shape
    torch.Size([2, 3, 8, 8])
    """
    return lrp(model, images, lambda y: _each(contrasts.probability, y, target), **options)


def clrp1(
    model: nn.Module, images: Tensor, target: Targets, dual: str = "uniform", signed: bool = False, **options
) -> Tensor:
    """max(0, R - R_dual), the dual being all other classes (Gu et al. 2018, sec. 4).

    Args:
        dual: "uniform", the target's score spread evenly over the other classes, as the paper says;
            "logits", the absolute logit of each other class, and both maps divided by their sums, as
            the published code does. Its maps have no unit.
        signed: the difference itself, not cut at 0.

    Raises:
        ValueError: unknown dual, no other class, or the dual "logits" with rules other than "z_plus".

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> bool((clrp1(net, torch.rand(2, 3, 8, 8), target=1) >= 0).all())
    True
    """
    with propagation(model, images, **options) as propagate:
        return _cut(_clrp1(propagate, target, dual), signed)


def clrp2(model: nn.Module, images: Tensor, target: Targets, signed: bool = False, **options) -> Tensor:
    """max(0, R - R_dual), the dual being the target with its weights in the last layer negated.

    Gu et al. 2018, sec. 4. The forward pass stays that of the network. With ``layer=`` the target is a
    neuron of that layer (sec. 5.3). It takes the z+ rule, under the others both maps are the same.

    Raises:
        ValueError: rules other than "z_plus", or outputs that have no weights of their own.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> bool((clrp2(net, torch.rand(2, 3, 8, 8), target=1) >= 0).all())
    True
    """
    with propagation(model, images, **options) as propagate:
        return _cut(_clrp2(propagate, target), signed)


def relevance_maps(
    model: nn.Module, images: Tensor, target: Targets, methods: Sequence[str] | None = None, **options
) -> dict[str, Tensor]:
    """Maps of several methods from one forward pass.

    "lrp" starts from abs(y_t), as CLRP does: a map of a class with a negative logit would have the other sign.

    Args:
        methods: names in ``METHODS``, all when None.

    Raises:
        ValueError: unknown method, or rules that one of them cannot take: "clrp2" and "clrp1_coded" need "z_plus".

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> list(relevance_maps(net, torch.rand(2, 3, 8, 8), target=1, methods=["lrp", "clrp1"]))
    ['lrp', 'clrp1']
    """
    methods = list(METHODS) if methods is None else list(methods)
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; choose one of {', '.join(METHODS)}")
    with propagation(model, images, **options) as propagate:
        return {name: METHODS[name](propagate, target) for name in methods}


def score(outputs: Tensor, target: Classes) -> Tensor:
    """abs(y_t) e_t, also of neurons of a layer (B, N): the relevance that CLRP starts from.

    >>> score(torch.tensor([[3., -2.]]), 1)
    tensor([[0., 2.]])
    """
    return contrasts.original(outputs, target) * outputs.abs()


def others(outputs: Tensor, target: Classes, dual: str = "uniform") -> Tensor:
    """The relevance of CLRP1's dual: abs(y_t) / (C-1) at each other class, or abs(y_s) for "logits".

    >>> others(torch.tensor([[3., -2., 4.]]), 0), others(torch.tensor([[3., -2., 4.]]), 0, "logits")
    (tensor([[0.0000, 1.5000, 1.5000]]), tensor([[0., 2., 4.]]))
    """
    if dual not in DUALS:
        raise ValueError(f"unknown dual {dual!r}; choose one of {', '.join(DUALS)}")
    if outputs.shape[1] < 2:
        raise ValueError("the dual of CLRP1 is all other classes, and there is none")
    rest = 1 - contrasts.original(outputs, target)
    if dual == "logits":
        return rest * outputs.abs()
    return rest * score(outputs, target).sum(dim=1, keepdim=True) / (outputs.shape[1] - 1)


def _clrp1(propagate: Propagation, target: Targets, dual: str) -> Tensor:
    if dual == "logits" and propagate.rules != "z_plus":
        raise ValueError('clrp1 with the dual "logits" needs the z_plus rules: other maps may sum to 0, which they divide by')
    starts = _each(lambda y, t: torch.stack([score(y, t), others(y, t, dual)]), propagate.outputs, target)
    maps = propagate(starts.flatten(0, -3)).unflatten(0, starts.shape[:-2])
    if dual == "logits":
        maps = maps / maps.sum(dim=(-3, -2, -1), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)
    own, rest = maps.unbind(-5)
    return own - rest


def _clrp2(propagate: Propagation, target: Targets) -> Tensor:
    if propagate.rules != "z_plus":
        raise ValueError("clrp2 needs the z_plus rules: under the others negated weights give the same relevance")
    start = _each(score, propagate.outputs, target)
    return propagate(start) - propagate(start, negated=True)


def _cut(difference: Tensor, signed: bool = False) -> Tensor:
    return difference if signed else difference.clamp(min=0)


def _each(relevance: Callable[[Tensor, Classes], Tensor], outputs: Tensor, target: Targets) -> Tensor:
    """``relevance`` of each of K targets (K, B), or of one."""
    if outputs.ndim != 2:
        raise ValueError(f"targets are classes or neurons of outputs (B, N), not {tuple(outputs.shape)}: use lrp")
    target = target(outputs) if callable(target) else target
    if isinstance(target, Tensor) and target.ndim == 2:
        return torch.stack([relevance(outputs, each) for each in target])
    return relevance(outputs, target)


METHODS: Mapping[str, Callable[[Propagation, Targets], Tensor]] = {
    "lrp": lambda propagate, t: propagate(_each(score, propagate.outputs, t)),
    "clrp1": lambda propagate, t: _cut(_clrp1(propagate, t, "uniform")),
    "clrp1_coded": lambda propagate, t: _cut(_clrp1(propagate, t, "logits")),
    "clrp2": lambda propagate, t: _cut(_clrp2(propagate, t)),
    "sglrp": lambda propagate, t: propagate(_each(contrasts.probability, propagate.outputs, t)),
    "weighted_lrp": lambda propagate, t: propagate(_each(contrasts.weighted, propagate.outputs, t) * propagate.outputs),
}
"""name -> function of a propagation and a target; for :func:`relevance_maps`"""
