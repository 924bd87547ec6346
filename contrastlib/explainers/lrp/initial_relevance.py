"""The initial relevance of each method of layer-wise relevance propagation (LRP), and what becomes of its maps.

The table of the methods is in :mod:`contrastlib.explainers.lrp.methods`. A target is a class, one for each image,
K of each (K, B), or a function of the logits that gives one of these, such as ``lambda y: y.topk(3).indices.T``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from contrastlib import contrasts
from contrastlib.contrasts import Classes
from contrastlib.explainers.lrp.propagation import Propagation

Targets = Classes | Callable[[Tensor], Classes]
InitialRelevance = Callable[[Tensor, Classes], Tensor]  # outputs (B, N), classes -> the initial relevance for them, (B, N)
DUALS = {"uniform": "clrp1", "logits": "clrp1_coded"}


def logit(outputs: Tensor, target: Classes) -> Tensor:
    """y_t e_t, the initial relevance of LRP (B, N), also of neurons of a layer.

    >>> logit(torch.tensor([[3., -2.]]), 1)
    tensor([[ 0., -2.]])
    """
    return contrasts.original(outputs, target) * outputs


def score(outputs: Tensor, target: Classes) -> Tensor:
    """abs(y_t) e_t, the initial relevance of CLRP (B, N), also of neurons of a layer.

    >>> score(torch.tensor([[3., -2.]]), 1)
    tensor([[0., 2.]])
    """
    return contrasts.original(outputs, target) * outputs.abs()


def others(outputs: Tensor, target: Classes, dual: str = "uniform") -> Tensor:
    """The initial relevance of CLRP1's dual: abs(y_t) / (C-1) at each other class, or abs(y_s) for "logits".

    >>> others(torch.tensor([[3., -2., 4.]]), 0), others(torch.tensor([[3., -2., 4.]]), 0, "logits")
    (tensor([[0.0000, 1.5000, 1.5000]]), tensor([[0., 2., 4.]]))
    """
    check_dual(dual)
    if outputs.shape[1] < 2:
        raise ValueError("the dual of CLRP1 is all other classes, and there is none")
    rest = 1 - contrasts.original(outputs, target)
    if dual == "logits":
        return rest * outputs.abs()
    return rest * score(outputs, target).sum(dim=1, keepdim=True) / (outputs.shape[1] - 1)


def check_dual(dual: str) -> None:
    """Refuse a name that is not in ``DUALS``.

    >>> check_dual("none")
    Traceback (most recent call last):
    ValueError: unknown dual 'none'; choose one of uniform, logits
    """
    if dual not in DUALS:
        raise ValueError(f"unknown dual {dual!r}; choose one of {', '.join(DUALS)}")


def of_each_target(relevance: InitialRelevance, outputs: Tensor, target: Targets) -> Tensor:
    """``relevance`` (K, B, N) of each of K targets (K, B), or (B, N) of one.

    >>> of_each_target(score, torch.tensor([[3., -2.]]), lambda y: y.argmax(dim=1))
    tensor([[3., 0.]])
    """
    if outputs.ndim != 2:
        raise ValueError(f"targets are classes or neurons of outputs (B, N), not {tuple(outputs.shape)}: use lrp")
    target = target(outputs) if callable(target) else target
    if isinstance(target, Tensor) and target.ndim == 2:
        return torch.stack([relevance(outputs, each) for each in target])
    return relevance(outputs, target)


def propagated(
    propagate: Propagation, methods: Mapping[str, Method], initial_relevance: Callable[[Tensor, InitialRelevance], Tensor]
) -> dict[str, Tensor]:
    """The map of each method. All are propagated together; an initial relevance that several share, once.

    Args:
        initial_relevance: outputs (B, N) and an initial relevance -> the initial relevance, (B, N) or (K, B, N).

    Raises:
        ValueError: the rules are not those that a method needs.

    >>> from torch import nn; from contrastlib.explainers.lrp import propagation
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> with propagation(net, torch.rand(2, 3, 8, 8)) as propagate:
    ...     propagated(propagate, METHODS, lambda y, relevance: relevance(y, 1) + relevance(y, 2))["clrp2"].shape
    torch.Size([2, 3, 8, 8])
    """
    for method in methods.values():
        if method.z_plus and propagate.rules != "z_plus":
            raise ValueError(method.z_plus)
    relevances = dict.fromkeys(relevance for method in methods.values() for relevance in method.relevances)
    negated = dict.fromkeys(relevance for method in methods.values() for relevance in method.negated)
    plain, turned = _maps_of(propagate, relevances, initial_relevance), _maps_of(propagate, negated, initial_relevance, negated=True)
    return {
        name: method.combine(*(plain[relevance] for relevance in method.relevances), *(turned[relevance] for relevance in method.negated))
        for name, method in methods.items()
    }


def _maps_of(
    propagate: Propagation, relevances: Mapping[InitialRelevance, None], initial_relevance: Callable, negated: bool = False
) -> dict[InitialRelevance, Tensor]:
    if not relevances:
        return {}
    relevance = torch.stack([initial_relevance(propagate.outputs, relevance) for relevance in relevances])
    maps = propagate(relevance.flatten(0, -3), negated).unflatten(0, relevance.shape[:-2])
    return dict(zip(relevances, maps))


@dataclass(frozen=True)
class Method:
    """The initial relevances of a method, and what it makes of their maps.

    Args:
        relevances: the initial relevances.
        combine: maps of ``relevances`` and then of ``negated`` -> the method's map.
        negated: the initial relevances that propagate with the weights of the last layer negated.
        z_plus: why the method needs the z+ rules, if it does.
    """

    relevances: tuple[InitialRelevance, ...]
    combine: Callable[..., Tensor]
    negated: tuple[InitialRelevance, ...] = ()
    z_plus: str = ""

    def __call__(self, propagate: Propagation, target: Targets) -> Tensor:
        """The maps (B, channels, H, W) of a target, or with K in front."""
        return propagated(propagate, {"": self}, lambda y, relevance: of_each_target(relevance, y, target))[""]

    def clamped(self) -> Method:
        """The same, nothing below 0."""
        return replace(self, combine=lambda *maps: self.combine(*maps).clamp(min=0))


def _identity(maps: Tensor) -> Tensor:
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
LRP: Mapping[str, Method] = {"logit": Method((logit,), _identity), "absolute": Method((score,), _identity)}
"""score -> LRP that starts from y_t, or from abs(y_t) as in the code of Gu et al. 2018"""
METHODS: Mapping[str, Method] = {
    "lrp": LRP["logit"],
    **{name: difference.clamped() for name, difference in DIFFERENCES.items()},
    "sglrp": Method((contrasts.probability,), _identity),
    "weighted_lrp": Method((lambda y, t: contrasts.weighted(y, t) * y,), _identity),
}
"""name -> method, called with a propagation and a target; for :func:`contrastlib.explainers.lrp.methods.relevance_maps`"""


def named_methods(names: Iterable[str], score: str = "logit") -> dict[str, Method]:
    """The methods of those names, "lrp" from the score said.

    Args:
        names: in ``METHODS``.
        score: what "lrp" starts from: "logit", y_t, or "absolute", abs(y_t), as the code of Gu et al. 2018
            does and as CLRP always does. They differ in the sign of the map of a class with a negative logit.

    Raises:
        ValueError: unknown method or score.

    >>> list(named_methods(["lrp", "clrp1"], score="absolute"))
    ['lrp', 'clrp1']
    """
    names = list(names)
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; choose one of {', '.join(METHODS)}")
    check_score(score)
    return {name: LRP[score] if name == "lrp" else METHODS[name] for name in names}


def check_score(score: str) -> None:
    """Refuse a name that is not in ``LRP``.

    >>> check_score("square")
    Traceback (most recent call last):
    ValueError: unknown score 'square'; choose one of logit, absolute
    """
    if score not in LRP:
        raise ValueError(f"unknown score {score!r}; choose one of {', '.join(LRP)}")
