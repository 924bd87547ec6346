"""The contrasts: functions of the logits and a target class that return weights over the logits.

Each function takes

- ``logits``: Logits (B, C), a tensor of floating-point numbers.
- ``target``: Target class, or one target class for each image.

and returns the cotangent w (B, C), in the dtype of the logits and on their device. In the formulas alpha is
the softmax of the logits without the target class t: alpha_s = p_s / (1 - p_t) for s != t.

A network with a single logit y (C = 1), as a sigmoid classifier has, counts as a network with the two logits
(0, y): class 1 is the positive class, class 0 the negative one. The weight of y is returned (B, 1). For two
classes ``mean``, ``maximum`` and ``weighted`` are the same.

Each function raises

- ``TypeError`` if the logits are not a floating-point tensor, or if the target classes are not integers,
- ``ValueError`` if the logits are not finite, are probabilities, or do not have the shape (B, C), or if the
  number of target classes is not the number of images,
- ``IndexError`` if a target is not a class.
"""

from __future__ import annotations

import torch
from torch import Tensor

from contrastlib._class_sets import Foils, check_strength, foil_mask
from contrastlib._logits import Classes, checked
from contrastlib.contrasts._parts import collapsed, one_hot, without
from contrastlib.contrasts.registry import register


@register(
    question="What raises the logit of {target}?",
    about="the logit alone, against nothing",
    formula="e_t",
    paper="wang2022",
    equation="sec. 3.1",
    sums_to_zero=False,
    total="1",
)
def original(logits: Tensor, target: Classes) -> Tensor:
    """Weights of the logit of the target class: w = e_t.

    Source: Wang & Wang 2022, sec. 3.1.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The cotangent (B, C), ones at the target classes and zeros elsewhere. For a single logit it is 1 for
        class 1 and -1 for class 0.

    >>> original(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[1., 0., 0.]])
    """
    logits, target, single = checked(logits, target)
    return collapsed(one_hot(logits, target), single, is_original=True)


@register(
    question="Why {target} and not the average of the others?",
    about="against the average of all others",
    formula=r"e_t - \frac{1}{C-1} \sum_{s \neq t} e_s",
    paper="wang2022",
    equation="sec. 3.3",
)
def mean(logits: Tensor, target: Classes) -> Tensor:
    """Weights of the target class against the mean of all others: w = e_t - 1/(C-1) sum_{s != t} e_s.

    Source: Wang & Wang 2022, sec. 3.3. CLRP1 of Gu et al. is another contrast (erratum 31).

    Args:
        logits: Logits (B, C). Their values do not change the result.
        target: Target class, or one target class for each image.

    Returns:
        The cotangent (B, C). The weights of an image sum to 0.

    >>> mean(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    logits, target, single = checked(logits, target)
    chosen = one_hot(logits, target)
    return collapsed(chosen - (1 - chosen) / (logits.shape[1] - 1), single)


@register(
    question="Why {target} and not {rival}?",
    about="against the strongest rival",
    formula=r"e_t - e_{s^*}, \; s^* = \arg\max_{s \neq t} y_s",
    paper="wang2022",
    equation="sec. 3.3, after Dhurandhar et al. 2018",
)
def maximum(logits: Tensor, target: Classes) -> Tensor:
    """Weights of the target class against its strongest rival: w = e_t - e_{s*}, s* = argmax_{s != t} y_s.

    If several other classes have the same largest logit, the first of them is taken. Source: Wang & Wang
    2022, sec. 3.3, after Dhurandhar et al. 2018.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The cotangent (B, C). The weights of an image sum to 0.

    >>> maximum(torch.tensor([[2., 1., 0.]]), 0)
    tensor([[ 1., -1.,  0.]])
    """
    logits, target, single = checked(logits, target)
    rival = without(logits, target).argmax(dim=1)
    return collapsed(one_hot(logits, target) - one_hot(logits, rival), single)


@register(
    question="Why {target} and not the others ({others})?",
    about="against all others, each by its probability",
    formula=r"e_t - \sum_{s \neq t} \alpha_s e_s",
    paper="wang2022",
    equation="eq. 1",
)
def weighted(logits: Tensor, target: Classes) -> Tensor:
    """Weights of the target class against all others, by probability: w = e_t - sum_{s != t} alpha_s e_s.

    w is the gradient of the log-odds log(p_t / (1 - p_t)) with respect to the logits. It is exact at any
    confidence, because no probability is computed. Source: Wang & Wang 2022, eq. 1.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The cotangent (B, C). The weights of an image sum to 0.

    >>> weighted(torch.tensor([[5., 1., 1.]]), 0)
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    logits, target, single = checked(logits, target)
    return collapsed(one_hot(logits, target) - without(logits, target).softmax(dim=1), single)


@register(
    question="What raises the probability of {target}?",
    about="against all others, each by its probability, times p (1 - p)",
    formula=r"p_t (1 - p_t) \big(e_t - \sum_{s \neq t} \alpha_s e_s\big)",
    paper="wang2022",
    equation="Prop. 2",
    scales="weighted",
)
def probability(logits: Tensor, target: Classes) -> Tensor:
    """The gradient of p_t with respect to the logits: w = p_t (1 - p_t) times :func:`weighted`.

    The factor p_t (1 - p_t) is computed as e / (1 + e)^2 with e = exp(-abs(m)) and m the log-odds. So it
    keeps its relative precision where the softmax rounds p_t to 1. It is 0 where it is below the smallest
    number of the dtype (abs(m) > 103 in float32). Source: Wang & Wang 2022, Prop. 2.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The cotangent (B, C). The weights of an image sum to 0.

    >>> w = probability(torch.tensor([[20., 0., 0.]]), 0)
    >>> bool(w[0, 0] > 0) and bool(torch.isclose(w[0, 1], -w[0, 0] / 2))
    True
    """
    logits, target, single = checked(logits, target)
    margin = _log_odds(logits, target)[:, None]
    alpha = without(logits, target).softmax(dim=1)
    e = (-margin.abs()).exp()
    scale = e / (1 + e) ** 2
    return collapsed(scale * (one_hot(logits, target) - alpha), single)


@register(
    question="Why {target} and not {foils}?",
    about="against chosen foils, each by its probability",
    formula=r"e_t - \gamma \sum_{s \in S} \alpha_s e_s, \; \alpha \text{ over the foils } S",
    paper="wang2022",
    equation=r"sec. 5.2, with $\gamma = 1$",
    total=r"1 - \gamma",
)
def among(
    logits: Tensor, target: Classes, foils: Foils, foil_count: int | None = None, strength: float = 1.0
) -> Tensor:
    """Weights of the target class against chosen classes S, the foils: w = e_t - g sum_{s in S} alpha_s e_s.

    Here alpha is the softmax of the logits of S alone, and g is the strength. With one foil s and strength 1
    this is e_t - e_s. With all other classes as foils it is :func:`weighted`. Source: Wang & Wang 2022, sec.
    5.2, where the strength is 1.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.
        foils: Classes that are the foils of all images (an int or a sequence), a boolean mask (B, C) that
            is true at the foils of each image, or "similar", the classes whose logits are nearest to that of
            the target class.
        foil_count: Number of similar foils; 3, or all other classes if there are fewer, by default.
        strength: The weight g of the foils together. What all classes share remains in the share 1 - g.

    Returns:
        The cotangent (B, C). The weights of an image sum to 1 - g, which is 0 by default.

    Raises:
        TypeError: The strength or the number of foils is not a number.
        ValueError: An image has no foil, its target class is one of its foils, there are fewer other classes
            than similar foils, a number of foils is given for named foils, or the strength is not finite.
        IndexError: A foil is not a class.

    >>> among(torch.tensor([[2., 1., 0.]]), 0, foils=[2])
    tensor([[ 1.,  0., -1.]])
    >>> among(torch.tensor([[2., 1., 0.]]), 0, foils="similar", foil_count=1, strength=0.6)
    tensor([[ 1.0000, -0.6000,  0.0000]])
    """
    check_strength(strength)
    logits, target, single = checked(logits, target)
    mask = foil_mask(logits, target, foils, foil_count)
    alpha = logits.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return collapsed(one_hot(logits, target) - strength * alpha, single)


def log_odds(logits: Tensor, target: Classes) -> Tensor:
    """The log-odds of the target class: log(p_t / (1 - p_t)) = y_t - logsumexp_{s != t} y_s.

    It is exact at any confidence, because no probability is computed.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The log-odds (B,), in the unit of a logit.

    >>> log_odds(torch.tensor([[200., 0.]]), 0)
    tensor([200.])
    """
    logits, target, _ = checked(logits, target)
    return _log_odds(logits, target)


def _log_odds(logits: Tensor, target: Tensor) -> Tensor:
    logits = logits - logits.amax(dim=1, keepdim=True)  # a logarithm is lost in large ones
    return logits.gather(1, target[:, None]).squeeze(1) - without(logits, target).logsumexp(dim=1)
