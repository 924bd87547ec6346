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
:func:`~contrastlib.explainers.lrp.propagation.propagation`: rules, layer, biases, average_pooling, box. They
return the relevance of each pixel and channel (B, channels, H, W), in units of the logit (SGLRP: of the
probability's gradient), or with K in front. Maps that are not finite raise FloatingPointError. A ``target``
is a class, one for each image, K of each (K, B), or a function of the logits that gives one of these, such
as ``lambda y: y.topk(3).indices.T``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.contrasts import Classes
from contrastlib.explainers.lrp.propagation import Propagation, propagation

Targets = Classes | Callable[[Tensor], Classes]
Start = Callable[[Tensor, Classes], Tensor]  # outputs (B, N), classes -> what enters there for them, (B, N)
DUALS = {"uniform": "clrp1", "logits": "clrp1_coded"}


def lrp(model: nn.Module, images: Tensor, relevance: Callable[[Tensor], Tensor], **options) -> Tensor:
    """The relevance of each pixel, given what enters at the logits; linear in that.

    Args:
        relevance: logits (B, C) -> relevance (B, C) or (K, B, C); with ``layer=`` of its outputs.
        options: see :func:`~contrastlib.explainers.lrp.propagation.propagation`.

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
    _check_dual(dual)
    return _contrastive(DUALS[dual], model, images, target, signed, options)


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
    return _contrastive("clrp2", model, images, target, signed, options)


def relevance_maps(
    model: nn.Module, images: Tensor, target: Targets, methods: Sequence[str] | None = None, **options
) -> dict[str, Tensor]:
    """Maps of several methods from one forward pass; what several of them start from propagates once.

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
        return propagated(propagate, {name: METHODS[name] for name in methods}, lambda y, start: _each(start, y, target))


def propagated(
    propagate: Propagation, methods: Mapping[str, Method], entering: Callable[[Tensor, Start], Tensor]
) -> dict[str, Tensor]:
    """The map of each method, all of them propagated together and what several start from once.

    Args:
        entering: outputs (B, N) and a start -> the relevance that enters, (B, N) or (K, B, N).

    Raises:
        ValueError: the rules are not those that a method needs.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> with propagation(net, torch.rand(2, 3, 8, 8)) as propagate:
    ...     propagated(propagate, METHODS, lambda y, start: start(y, 1) + start(y, 2))["clrp2"].shape
    torch.Size([2, 3, 8, 8])
    """
    for method in methods.values():
        if method.z_plus and propagate.rules != "z_plus":
            raise ValueError(method.z_plus)
    starts = dict.fromkeys(start for method in methods.values() for start in method.starts)
    negated = dict.fromkeys(start for method in methods.values() for start in method.negated)
    plain, turned = _maps_of(propagate, starts, entering), _maps_of(propagate, negated, entering, negated=True)
    return {
        name: method.made_of(*(plain[start] for start in method.starts), *(turned[start] for start in method.negated))
        for name, method in methods.items()
    }


def _maps_of(
    propagate: Propagation, starts: Mapping[Start, None], entering: Callable, negated: bool = False
) -> dict[Start, Tensor]:
    if not starts:
        return {}
    relevance = torch.stack([entering(propagate.outputs, start) for start in starts])
    maps = propagate(relevance.flatten(0, -3), negated).unflatten(0, relevance.shape[:-2])
    return dict(zip(starts, maps))


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
    _check_dual(dual)
    if outputs.shape[1] < 2:
        raise ValueError("the dual of CLRP1 is all other classes, and there is none")
    rest = 1 - contrasts.original(outputs, target)
    if dual == "logits":
        return rest * outputs.abs()
    return rest * score(outputs, target).sum(dim=1, keepdim=True) / (outputs.shape[1] - 1)


def _check_dual(dual: str) -> None:
    if dual not in DUALS:
        raise ValueError(f"unknown dual {dual!r}; choose one of {', '.join(DUALS)}")


def _contrastive(name: str, model: nn.Module, images: Tensor, target: Targets, signed: bool, options: Mapping) -> Tensor:
    """The map of one of the DIFFERENCES, cut at 0 unless signed."""
    with propagation(model, images, **options) as propagate:
        difference = DIFFERENCES[name](propagate, target)
    return difference if signed else difference.clamp(min=0)


def _each(relevance: Start, outputs: Tensor, target: Targets) -> Tensor:
    """``relevance`` of each of K targets (K, B), or of one."""
    if outputs.ndim != 2:
        raise ValueError(f"targets are classes or neurons of outputs (B, N), not {tuple(outputs.shape)}: use lrp")
    target = target(outputs) if callable(target) else target
    if isinstance(target, Tensor) and target.ndim == 2:
        return torch.stack([relevance(outputs, each) for each in target])
    return relevance(outputs, target)


@dataclass(frozen=True)
class Method:
    """What enters at the outputs, and what becomes of the maps that arrive.

    Args:
        starts: of the relevances that propagate.
        made_of: maps of ``starts`` and then of ``negated`` -> the method's map.
        negated: of those that propagate with the weights of the last layer negated.
        z_plus: why it needs the z+ rules, if it does.
    """

    starts: tuple[Start, ...]
    made_of: Callable[..., Tensor]
    negated: tuple[Start, ...] = ()
    z_plus: str = ""

    def __call__(self, propagate: Propagation, target: Targets) -> Tensor:
        """The maps (B, channels, H, W) of a target, or with K in front."""
        return propagated(propagate, {"": self}, lambda y, start: _each(start, y, target))[""]

    def cut(self) -> Method:
        """The same, nothing below 0."""
        return replace(self, made_of=lambda *maps: self.made_of(*maps).clamp(min=0))


def _alone(maps: Tensor) -> Tensor:
    return maps


def _of_shares(own: Tensor, rest: Tensor) -> Tensor:
    """The difference of maps that are divided by their sums."""
    tiny = torch.finfo(own.dtype).tiny
    own, rest = (maps / maps.sum(dim=(-3, -2, -1), keepdim=True).clamp(min=tiny) for maps in (own, rest))
    return own - rest


DIFFERENCES: Mapping[str, Method] = {
    "clrp1": Method((score, others), torch.sub),
    "clrp1_coded": Method(
        (score, partial(others, dual="logits")), _of_shares,
        z_plus='clrp1 with the dual "logits" needs the z_plus rules: other maps may sum to 0, which they divide by',
    ),
    "clrp2": Method(
        (score,), torch.sub, negated=(score,),
        z_plus="clrp2 needs the z_plus rules: under the others negated weights give the same relevance",
    ),
}
METHODS: Mapping[str, Method] = {
    "lrp": Method((score,), _alone),
    **{name: difference.cut() for name, difference in DIFFERENCES.items()},
    "sglrp": Method((contrasts.probability,), _alone),
    "weighted_lrp": Method((lambda y, t: contrasts.weighted(y, t) * y,), _alone),
}
"""name -> method, called with a propagation and a target; for :func:`relevance_maps`"""
