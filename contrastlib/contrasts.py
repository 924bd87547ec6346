"""Contrasts: which weights over the logits does an explanation start from?

A back-propagation explainer that is linear in its cotangent maps a vector w over the C logits to
a map. Every scheme of the papers is one choice of w for the target class t. Each is a function here,
registered with a :class:`Contrast`: the question that its map answers, the formula of its weights, and
where it comes from. ``CONTRASTS`` holds them by name; :func:`contrastlib.explain`, the command line, the
explorer and the tables of the book read them from there.

In the formulas e_t is the unit vector of class t and alpha the softmax of the logits without t.
``weighted`` is the gradient of the log-odds log(p_t / (1 - p_t)) = y_t - logsumexp_{s != t} y_s and is
exact at any confidence; the gradient of p_t taken through a float32 softmax is not, so nothing here goes
that way.

All functions take ``logits`` (B, C) and ``target`` (an int, or B class indices) and return the
cotangent (B, C) in the logits' dtype and on their device. A single logit (C = 1, a sigmoid
classifier) stands for the two logits (0, y): class 1 is the positive and class 0 the negative
one, and since y is a contrast already all schemes but ``probability`` agree there.

All of them raise ``ValueError`` or ``TypeError`` for logits that are not a finite floating (B, C)
tensor or that are probabilities, and ``IndexError`` for a target that is not a class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import TypeVar

import torch
from torch import Tensor

from contrastlib._logits import Classes, checked, foil_mask, own_weights

ContrastFn = Callable[[Tensor], Tensor]
"""a function of the logits (B, C) that returns weights of that shape"""
ContrastLike = str | Tensor | ContrastFn
"""the name of a contrast, weights (B, C), or a function that returns weights"""

PLACEHOLDERS = ("target", "rival", "others", "foils")
"""what a question can name: the target, the strongest other class, the probability of all others, the foils"""


@dataclass(frozen=True)
class Contrast:
    """What is known of a contrast.

    Attributes:
        name: how it is asked for, the name of its function.
        function: ``function(logits, target)``, or ``function(logits, target, foils)`` if it takes foils.
        question: what its map answers, with any of the ``PLACEHOLDERS`` in braces.
        about: what the target is set against, in a few words.
        formula: of the weights w, in LaTeX.
        paper: where it comes from, a key of the book's bibliography.
        equation: where in that paper.
        sums_to_zero: whether its weights always do, so that what raises all logits alike does not enter.
        takes_foils: whether it needs the classes to contrast the target with.
        scales: name of the contrast of which its weights are a positive multiple, or None. Such a multiple changes only
            the scale of a map that is linear in w; the explorer, whose colours follow the scale of each map, leaves these
            contrasts out.

    Raises:
        ValueError: the question has a field that is none of the ``PLACEHOLDERS``.

    >>> CONTRASTS["maximum"].question.format(target="owl", rival="wren")
    'Why owl and not wren?'
    """

    name: str
    function: Callable[..., Tensor]
    question: str
    about: str
    formula: str
    paper: str
    equation: str
    sums_to_zero: bool = True
    takes_foils: bool = False
    scales: str | None = None

    def __post_init__(self):
        unknown = {field for _, field, _, _ in Formatter().parse(self.question)} - {None, *PLACEHOLDERS}
        if unknown:
            raise ValueError(f"the question of {self.name!r} has the field {unknown.pop()!r}: "
                             f"it can have {', '.join(PLACEHOLDERS)}")

    @property
    def title(self) -> str:
        """The name as it is read."""
        return self.name.replace("_", " ")


CONTRASTS: dict[str, Contrast] = {}
"""name -> contrast, in the order in which they are listed"""

_Function = TypeVar("_Function", bound=Callable[..., Tensor])


def register(**fields) -> Callable[[_Function], _Function]:
    """Enter the function that follows into ``CONTRASTS``, by its name.

    Args:
        fields: those of :class:`Contrast`, but for name and function.
    """
    def enter(function: _Function) -> _Function:
        CONTRASTS[function.__name__] = Contrast(function.__name__, function, **fields)
        return function

    return enter


@register(
    question="What raises the logit of {target}?", about="the logit alone, against nothing",
    formula="e_t", paper="wang2022", equation="sec. 3.1", sums_to_zero=False,
)
def original(logits: Tensor, target: Classes) -> Tensor:
    """Weights of the plain explanation of a logit, w = e_t.

    >>> original(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[1., 0., 0.]])
    """
    logits, target, single = checked(logits, target)
    return _collapsed(_one_hot(logits, target), single, keep=True)


@register(
    question="Why {target} and not the average of the others?", about="against the average of all others",
    formula=r"e_t - \frac{1}{C-1} \sum_{s \neq t} e_s",
    paper="wang2022", equation="sec. 3.3, after Gu et al. 2018",
)
def mean(logits: Tensor, target: Classes) -> Tensor:
    """The target against the mean of all others, w = e_t - 1/(C-1) sum_{s != t} e_s.

    >>> mean(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    logits, target, single = checked(logits, target)
    chosen = _one_hot(logits, target)
    return _collapsed(chosen - (1 - chosen) / (logits.shape[1] - 1), single)


@register(
    question="Why {target} and not {rival}?", about="against the strongest rival",
    formula=r"e_t - e_{s^*}, \; s^* = \arg\max_{s \neq t} y_s",
    paper="wang2022", equation="sec. 3.3, after Dhurandhar et al. 2018",
)
def maximum(logits: Tensor, target: Classes) -> Tensor:
    """The target against its strongest rival, w = e_t - e_{s*}, s* = argmax_{s != t} y_s.

    Of rivals with equal logits one is taken, the first of them.

    >>> maximum(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[ 1., -1.,  0.]])
    """
    logits, target, single = checked(logits, target)
    rival = _without(logits, target).argmax(dim=1)
    return _collapsed(_one_hot(logits, target) - _one_hot(logits, rival), single)


@register(
    question="Why {target} and not the others ({others})?", about="against all others, each by its probability",
    formula=r"e_t - \sum_{s \neq t} \alpha_s e_s", paper="wang2022", equation="eq. 1",
)
def weighted(logits: Tensor, target: Classes) -> Tensor:
    """The target against the others by their softmax weight, w = e_t - sum_{s != t} alpha_s e_s.

    alpha = softmax of the logits without t (Wang & Wang 2022, eq. 1). Equal to the gradient of
    the log-odds log(p_t / (1 - p_t)) with respect to the logits.

    >>> weighted(torch.tensor([[5., 1., 1.]]), 0)
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    logits, target, single = checked(logits, target)
    return _collapsed(_one_hot(logits, target) - _without(logits, target).softmax(dim=1), single)


@register(
    question="What raises the probability of {target}?",
    about="against all others, each by its probability, times p (1 - p)",
    formula=r"p_t (1 - p_t) \big(e_t - \sum_{s \neq t} \alpha_s e_s\big)", paper="wang2022", equation="Prop. 2",
    scales="weighted",
)
def probability(logits: Tensor, target: Classes) -> Tensor:
    """The gradient of p_t with respect to the logits, w = p_t (1 - p_t) * weighted.

    p_t (1 - p_t) is taken as e / (1 + e)^2 with e = exp(-abs(m)) of the log-odds m, so that it keeps
    its relative precision where the softmax rounds p_t to 1. Below the smallest number of the dtype
    (m beyond 103 in float32) it is 0; the direction is then that of :func:`weighted`.

    >>> w = probability(torch.tensor([[20., 0., 0.]]), 0)
    >>> bool(w[0, 0] > 0) and bool(torch.isclose(w[0, 1], -w[0, 0] / 2))
    True
    """
    logits, target, single = checked(logits, target)
    margin = _log_odds(logits, target)[:, None]
    alpha = _without(logits, target).softmax(dim=1)
    e = (-margin.abs()).exp()
    scale = e / (1 + e) ** 2
    return _collapsed(scale * (_one_hot(logits, target) - alpha), single)


@register(
    question="Why {target} and not {foils}?", about="against chosen foils, each by its probability",
    formula=r"e_t - \sum_{s \in S} \alpha_s e_s, \; \alpha \text{ over the foils } S",
    paper="wang2022", equation="sec. 5.2", takes_foils=True,
)
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
    logits, target, single = checked(logits, target)
    mask = foil_mask(logits, target, foils)
    alpha = logits.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return _collapsed(_one_hot(logits, target) - alpha, single)


def by_name(name: str) -> Contrast:
    """The contrast of that name.

    Raises:
        ValueError: there is none.

    >>> by_name("mean").about
    'against the average of all others'
    """
    if name not in CONTRASTS:
        raise ValueError(f"unknown contrast {name!r}; choose one of {', '.join(CONTRASTS)}")
    return CONTRASTS[name]


def cotangent(contrast: ContrastLike, logits: Tensor, target: Classes, foils: Classes | None = None) -> Tensor:
    """The weights of the contrast of that name, or weights of one's own.

    Args:
        contrast: a name; or the weights (B, C) themselves; or a function of the logits (B, C) that returns
            them. Weights of one's own hold the target too, and ``target`` has no say then.
        foils: for a contrast that takes them, and no other.

    Raises:
        ValueError: unknown contrast, foils missing where they are needed or given to another, weights of
            another shape than the logits, or not finite.
        TypeError: weights that are no tensor.

    >>> cotangent("maximum", torch.tensor([[2., 1., 0.]]), target=1)
    tensor([[-1.,  1.,  0.]])
    >>> cotangent(lambda y: original(y, 0) - original(y, 2), torch.tensor([[2., 1., 0.]]), target=0)
    tensor([[ 1.,  0., -1.]])
    """
    known = next((each for each in CONTRASTS.values() if each.function is contrast), None)
    if known is None and isinstance(contrast, str):
        known = by_name(contrast)
    if known is not None and known.takes_foils:
        if foils is None:
            raise ValueError(f'the contrast "{known.name}" needs foils: the classes to contrast the target with')
        return known.function(logits, target, foils)
    if foils is not None:
        with_foils = " or ".join(f'"{each.name}"' for each in CONTRASTS.values() if each.takes_foils)
        given = repr(known.name) if known else "weights"
        raise ValueError(f"foils belong to the contrast {with_foils}, not to {given}")
    return known.function(logits, target) if known else own_weights(contrast, logits)


def log_odds(logits: Tensor, target: Classes) -> Tensor:
    """log(p_t / (1 - p_t)) = y_t - logsumexp_{s != t} y_s, shape (B,); exact at any confidence.

    >>> log_odds(torch.tensor([[200., 0.]]), 0)
    tensor([200.])
    """
    logits, target, _ = checked(logits, target)
    return _log_odds(logits, target)


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
