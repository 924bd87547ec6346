"""The initial relevance of each LRP method, and how a method combines the maps of its relevances.

:mod:`contrastlib.explainers.lrp.methods` has the table of the methods. In this module, outputs (B, C) are the
logits of C classes, or the activations of C neurons of a linear layer. A target is one class, one class for
each image, N classes for each image (N, B), or a function of the outputs that returns one of these, such as
``lambda y: y.topk(3).indices.T``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from contrastlib import contrasts
from contrastlib._choices import check_choice
from contrastlib.contrasts import Classes
from contrastlib.explainers.lrp.propagation import Propagation

Targets = Classes | Callable[[Tensor], Classes]
"""A target, see above."""
InitialRelevance = Callable[[Tensor, Classes], Tensor]
"""Outputs (B, C), one target class or one for each image -> initial relevance (B, C)."""
DUALS = {"uniform": "clrp1", "logits": "clrp1_coded"}
"""Dual of CLRP1 -> name of the method in ``DIFFERENCES``."""


def logit(outputs: Tensor, target: Classes) -> Tensor:
    """The initial relevance of LRP: y_t e_t.

    Args:
        outputs: Outputs (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The initial relevance (B, C).

    >>> logit(torch.tensor([[3., -2.]]), 1)
    tensor([[ 0., -2.]])
    """
    return contrasts.original(outputs, target) * outputs


def score(outputs: Tensor, target: Classes) -> Tensor:
    """The initial relevance of CLRP: abs(y_t) e_t.

    Args:
        outputs: Outputs (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The initial relevance (B, C).

    >>> score(torch.tensor([[3., -2.]]), 1)
    tensor([[0., 2.]])
    """
    return contrasts.original(outputs, target) * outputs.abs()


def others(outputs: Tensor, target: Classes, dual: str = "uniform") -> Tensor:
    """The initial relevance of the dual of CLRP1: all classes other than the target class.

    Args:
        outputs: Outputs (B, C).
        target: Target class, or one target class for each image.
        dual: "uniform" gives each other class abs(y_t) / (C - 1) (Gu et al. 2018, sec. 4). "logits" gives
            class s abs(y_s) (code of Gu et al. 2018).

    Returns:
        The initial relevance (B, C).

    Raises:
        ValueError: The dual is unknown, or there is no other class.

    >>> others(torch.tensor([[3., -2., 4.]]), 0), others(torch.tensor([[3., -2., 4.]]), 0, "logits")
    (tensor([[0.0000, 1.5000, 1.5000]]), tensor([[0., 2., 4.]]))
    """
    check_choice("dual", dual, DUALS)
    if outputs.shape[1] < 2:
        raise ValueError("the dual of CLRP1 is all other classes, and there is none")
    rest = 1 - contrasts.original(outputs, target)
    if dual == "logits":
        return rest * outputs.abs()
    return rest * score(outputs, target).sum(dim=1, keepdim=True) / (outputs.shape[1] - 1)


def of_each_target(relevance: InitialRelevance, outputs: Tensor, target: Targets) -> Tensor:
    """Compute the initial relevance of one target or of N targets.

    Args:
        relevance: The initial relevance as a function of outputs and target class.
        outputs: Outputs (B, C).
        target: The target or targets.

    Returns:
        The initial relevance (B, C), or (N, B, C) for N targets of each image.

    Raises:
        ValueError: The outputs have another shape.
        IndexError: A target is not a class.

    >>> of_each_target(score, torch.tensor([[3., -2.]]), lambda y: y.argmax(dim=1))
    tensor([[3., 0.]])
    """
    if outputs.ndim != 2:
        raise ValueError(
            f"targets are classes or neurons of outputs (B, C), not {tuple(outputs.shape)}: use lrp"
        )
    target = target(outputs) if callable(target) else target
    if isinstance(target, Tensor) and target.ndim == 2:
        return torch.stack([relevance(outputs, each) for each in target])
    return relevance(outputs, target)


def propagated(
    propagate: Propagation,
    methods: Mapping[str, Method],
    initial_relevance: Callable[[Tensor, InitialRelevance], Tensor],
) -> dict[str, Tensor]:
    """Compute the maps of several methods.

    The relevances are propagated together. One that several methods share is propagated once.

    Args:
        propagate: The propagation.
        methods: Name -> method.
        initial_relevance: Outputs (B, C), initial relevance of a method as a function -> initial relevance
            (B, C) or (N, B, C). It defines the targets; see :func:`of_each_target`.

    Returns:
        Name -> maps (B, K, H, W) or (N, B, K, H, W).

    Raises:
        ValueError: A method needs other rules than those of the propagation.

    >>> from torch import nn
    >>> from contrastlib.explainers.lrp import propagation
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> with propagation(net, torch.rand(2, 3, 8, 8)) as propagate:
    ...     maps = propagated(propagate, METHODS, lambda y, relevance: relevance(y, 1) + relevance(y, 2))
    >>> maps["clrp2"].shape
    torch.Size([2, 3, 8, 8])
    """
    for method in methods.values():
        if method.z_plus and propagate.rules != "z_plus":
            raise ValueError(method.z_plus)
    relevances = dict.fromkeys(each for method in methods.values() for each in method.relevances)
    negated = dict.fromkeys(each for method in methods.values() for each in method.negated)
    maps = _maps_of(propagate, relevances, initial_relevance)
    negated_maps = _maps_of(propagate, negated, initial_relevance, negated=True)
    return {
        name: method.combine(
            *(maps[each] for each in method.relevances), *(negated_maps[each] for each in method.negated)
        )
        for name, method in methods.items()
    }


def _maps_of(
    propagate: Propagation,
    relevances: Iterable[InitialRelevance],
    initial_relevance: Callable[[Tensor, InitialRelevance], Tensor],
    negated: bool = False,
) -> dict[InitialRelevance, Tensor]:
    """Return the map of each initial relevance."""
    relevances = list(relevances)
    if not relevances:
        return {}
    relevance = torch.stack([initial_relevance(propagate.outputs, each) for each in relevances])
    maps = propagate(relevance.flatten(0, -3), negated).unflatten(0, relevance.shape[:-2])
    return dict(zip(relevances, maps))


@dataclass(frozen=True)
class Method:
    """An LRP method: its initial relevances, and how it combines their maps.

    Attributes:
        relevances: The initial relevances.
        combine: A function of the maps of ``relevances``, then of ``negated``. It returns the map of the
            method.
        negated: The initial relevances that are propagated with the weights of the last layer negated.
        z_plus: The reason why the method needs the z+ rule; empty if it does not.
    """

    relevances: tuple[InitialRelevance, ...]
    combine: Callable[..., Tensor]
    negated: tuple[InitialRelevance, ...] = ()
    z_plus: str = ""

    def __call__(self, propagate: Propagation, target: Targets) -> Tensor:
        """Compute the maps (B, K, H, W) of a target, or (N, B, K, H, W) of N targets."""
        maps = propagated(propagate, {"": self}, lambda y, relevance: of_each_target(relevance, y, target))
        return maps[""]

    def clamped(self) -> Method:
        """Return the method whose maps have 0 where those of this method are negative."""
        return replace(self, combine=lambda *maps: self.combine(*maps).clamp(min=0))


def _identity(maps: Tensor) -> Tensor:
    return maps


def _difference_of_shares(maps: Tensor, dual: Tensor) -> Tensor:
    """Divide maps and dual maps by their sums, then subtract."""
    tiny = torch.finfo(maps.dtype).tiny
    maps, dual = (each / each.sum(dim=(-3, -2, -1), keepdim=True).clamp(min=tiny) for each in (maps, dual))
    return maps - dual


DIFFERENCES: Mapping[str, Method] = {
    "clrp1": Method((score, others), torch.sub),
    "clrp1_coded": Method(
        (score, partial(others, dual="logits")),
        _difference_of_shares,
        z_plus='clrp1 with the dual "logits" needs the z_plus rules: it divides maps by their sums, '
        "which can be 0 under other rules",
    ),
    "clrp2": Method(
        (score,),
        torch.sub,
        negated=(score,),
        z_plus="clrp2 needs the z_plus rules: under other rules negated weights give the same relevance",
    ),
}
"""Name -> method of CLRP, whose map is the difference R - R_dual."""
LRP: Mapping[str, Method] = {"logit": Method((logit,), _identity), "absolute": Method((score,), _identity)}
"""Score -> LRP from the initial relevance y_t e_t, or abs(y_t) e_t as in the code of Gu et al. 2018."""
METHODS: Mapping[str, Method] = {
    "lrp": LRP["logit"],
    **{name: difference.clamped() for name, difference in DIFFERENCES.items()},
    "sglrp": Method((contrasts.probability,), _identity),
    "weighted_lrp": Method((lambda y, t: contrasts.weighted(y, t) * y,), _identity),
}
"""Name -> method, for :func:`contrastlib.explainers.lrp.methods.relevance_maps`."""


def named_methods(names: Iterable[str], score: str = "logit") -> dict[str, Method]:
    """Return the methods of those names.

    Args:
        names: Names in ``METHODS``.
        score: The initial relevance of "lrp": "logit", y_t e_t, or "absolute", abs(y_t) e_t, as in the code
            of Gu et al. 2018 and as in CLRP. The maps of a class with a negative logit have opposite signs.

    Returns:
        Name -> method.

    Raises:
        ValueError: A method or the score is unknown.

    >>> list(named_methods(["lrp", "clrp1"], score="absolute"))
    ['lrp', 'clrp1']
    """
    names = list(names)
    for name in names:
        check_choice("method", name, METHODS)
    check_choice("score", score, LRP)
    return {name: LRP[score] if name == "lrp" else METHODS[name] for name in names}
