"""Contrasts of methods that came after the papers: Finer-CAM, CASE, RFxG, ReST, and a group of classes.

All are cotangents over the logits, so every explainer of this package makes their maps. They differ in the
foils S (K classes), in how the foils are weighed, and in the sum of the weights. Where it is 0, what all
classes share does not enter the score <w, y>; otherwise it enters in the share that the sum of the weights
is. The arguments, the single logit and the errors are those of :mod:`contrastlib.contrasts.weights`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from contrastlib._class_sets import SIMILAR, SIMILAR_COUNT, Foils, check_strength, foil_mask, group_mask
from contrastlib._logits import Classes, as_pair, checked
from contrastlib.contrasts._parts import collapsed, one_hot
from contrastlib.contrasts.registry import Gradients, register

CASE_FOILS = 5


@register(
    title="Finer-CAM, printed",
    question="What speaks for {target} more than for {foils} on average?",
    about="less a share of the average of similar classes (Finer-CAM, as printed)",
    formula=r"e_t - \frac{\gamma}{K} \sum_{s \in S} e_s",
    paper="zhang2025",
    equation="as printed",
    sums_to_zero=False,
    total=r"1 - \gamma",
)
def finer_cam(
    logits: Tensor,
    target: Classes,
    foils: Foils = SIMILAR,
    foil_count: int | None = None,
    strength: float = 0.6,
) -> Tensor:
    """Finer-CAM as its paper prints it: w = e_t - g/K sum_{s in S} e_s, with the strength g.

    Source: Zhang et al. 2025, whose foils are the classes with the nearest logits and whose g is 0.6. What
    its authors published as code is :func:`finer_cam_coded`.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.
        foils: The K foils S, as in :func:`contrastlib.contrasts.weights.among`.
        foil_count: Number of similar foils; 3, or all other classes if there are fewer, by default.
        strength: The weight g of the foils together.

    Returns:
        The cotangent (B, C). The weights of an image sum to 1 - g.

    >>> finer_cam(torch.tensor([[6., 4., 3.5, 1.]]), 0)
    tensor([[ 1.0000, -0.2000, -0.2000, -0.2000]])
    """
    check_strength(strength)
    logits, target, single = checked(logits, target)
    return collapsed(one_hot(logits, target) - strength * _mean_of(logits, target, foils, foil_count), single)


@register(
    title="Finer-CAM, coded",
    question="Why {target} and not {foils}, as Finer-CAM's code weighs them?",
    about="against similar classes, through the softmax over them (Finer-CAM, as coded)",
    formula=r"e_t - \gamma \sum_{s \in S} \alpha_s (1 + y_s - \bar y) e_s, \;"
    r" \bar y = \sum_{s \in S} \alpha_s y_s",
    paper="zhang2025",
    equation="as coded by its authors",
    total=r"1 - \gamma",
)
def finer_cam_coded(
    logits: Tensor,
    target: Classes,
    foils: Foils = SIMILAR,
    foil_count: int | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Finer-CAM as coded: w is the gradient of y_t - g sum_{s in S} alpha_s y_s, also through alpha.

    alpha is the softmax of the logits of S alone. So w = e_t - g sum_{s in S} alpha_s (1 + y_s - m) e_s, with
    m = sum_{s in S} alpha_s y_s. A foil whose logit is more than 1 below m gets a positive weight: it counts
    for the target class. Source: the code of Zhang et al. 2025 and ``FinerWeightedTarget`` of
    pytorch-grad-cam, whose strength is 1 by default.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.
        foils: The foils S, as in :func:`contrastlib.contrasts.weights.among`.
        foil_count: Number of similar foils; 3, or all other classes if there are fewer, by default.
        strength: The weight g of the foils together.

    Returns:
        The cotangent (B, C). The weights of an image sum to 1 - g, which is 0 by default.

    >>> finer_cam_coded(torch.tensor([[6., 4., 3.5, 1.]]), 0)
    tensor([[ 1.0000, -0.7687, -0.2832,  0.0519]])
    """
    check_strength(strength)
    logits, target, single = checked(logits, target)
    mask = foil_mask(logits, target, foils, foil_count)
    among_foils = logits.masked_fill(~mask, -torch.inf)
    alpha = among_foils.softmax(dim=1)
    below = (logits - among_foils.amax(dim=1, keepdim=True)).masked_fill(~mask, 0)  # exact where alpha counts
    below = below.clamp(min=torch.finfo(below.dtype).min)  # 0 times infinity is not a number
    from_mean = below - (alpha * below).sum(dim=1, keepdim=True)
    return collapsed(one_hot(logits, target) - strength * alpha * (1 + from_mean), single)


@register(
    title="CASE",
    question="What speaks for {target} that it does not share with {foils}?",
    about="less what a layer has in common with similar classes, by least squares (CASE)",
    formula=r"e_t - \frac{c}{K} \sum_{s \in S} e_s, \;"
    r" c = \frac{\langle g^t, \bar g\rangle}{\lVert\bar g\rVert^2}, \;"
    r" g^t = \text{mean gradients of the channels}",
    paper="williamson2025",
    equation="as a cotangent",
    sums_to_zero=False,
    total="1 - c",
    similar_count=CASE_FOILS,
)
def case(
    logits: Tensor,
    target: Classes,
    foils: Foils = SIMILAR,
    foil_count: int | None = None,
    *,
    gradients_of: Gradients,
) -> Tensor:
    """CASE: w = e_t - c/K sum_{s in S} e_s, with the c that a layer gives by least squares.

    g^t are the weights of the channels in GradCAM, the gradients of y_t averaged over the positions of the
    layer, and m those of the mean logit of the foils. c = <g^t, m> / <m, m>, so that the channel weights of
    w, g^t - c m, are orthogonal to m. Source: Williamson et al. 2025, whose foils are the five classes that
    are most often confused with t; here they are named, or have the nearest logits. The paper applies a ReLU
    to the map, and this package does not.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.
        foils: The K foils S, as in :func:`contrastlib.contrasts.weights.among`.
        foil_count: Number of similar foils; 5, or all other classes if there are fewer, by default.
        gradients_of: A function of cotangents (N, B, C) that returns the gradients (N, B, K, h, w) of the
            layer. It is called once, with two cotangents.

    Returns:
        The cotangent (B, C). The weights of an image sum to 1 - c. If m is 0, so is c.

    Raises:
        ValueError: The layer has no spatial positions, or the network a single logit, whose two classes have
            nothing but their sign apart.

    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    >>> record = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> case(record.logits, 1, [0, 2], gradients_of=lambda w: record.pull_back(w)["0"])[:, 1]
    tensor([1., 1.])
    """
    given, (logits, target, single) = logits, checked(logits, target)
    if single:
        raise ValueError(
            "CASE compares what several classes read of a layer, and a network with a single logit has one: "
            'use the contrast "original"'
        )
    own, shared = one_hot(logits, target), _mean_of(logits, target, foils, foil_count, CASE_FOILS)
    gradients = gradients_of(torch.stack([own, shared]).to(given))
    if gradients.ndim != 5:
        raise ValueError(f"CASE needs a layer with gradients (B, K, h, w), got {tuple(gradients.shape[1:])}")
    g, m = gradients.mean(dim=(-2, -1)).to(torch.promote_types(gradients.dtype, torch.float32))
    square = (m * m).sum(dim=1)
    c = torch.where(square > 0, (g * m).sum(dim=1) / square.where(square > 0, 1), 0)
    return own - c.to(own)[:, None] * shared


@register(
    title="RFxG",
    question="What speaks for {target}, less all that speaks for {foils}?",
    about="less the sum of similar classes (RFxG)",
    formula=r"e_t - \sum_{s \in S} e_s",
    paper="elisha2026",
    equation="class against foils",
    sums_to_zero=False,
    total="1 - K",
)
def rfxg(logits: Tensor, target: Classes, foils: Foils = SIMILAR, foil_count: int | None = None) -> Tensor:
    """RFxG, a class against foils: w = e_t - sum_{s in S} e_s, not divided by their number K.

    Source: Elisha et al. 2026.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.
        foils: The K foils S, as in :func:`contrastlib.contrasts.weights.among`.
        foil_count: Number of similar foils; 3, or all other classes if there are fewer, by default.

    Returns:
        The cotangent (B, C). The weights of an image sum to 1 - K.

    >>> rfxg(torch.tensor([[6., 4., 3.5, 1.]]), 0, foils=[1, 2])
    tensor([[ 1., -1., -1.,  0.]])
    """
    logits, target, single = checked(logits, target)
    against = foil_mask(logits, target, foils, foil_count).to(logits)
    return collapsed(one_hot(logits, target) - against, single)


@register(
    title="RFxG group",
    question="What raises the logits of {target} together?",
    about="the sum of the logits of a group of classes, against nothing (RFxG)",
    formula=r"\sum_{s \in G} e_s",
    paper="elisha2026",
    equation="groups",
    sums_to_zero=False,
    total=r"\vert G \vert",
    takes_group=True,
)
def rfxg_group(logits: Tensor, target: Classes) -> Tensor:
    """RFxG, a group G of classes: w = sum_{s in G} e_s.

    Source: Elisha et al. 2026. The contrast of a group with the other classes is :func:`group`.

    Args:
        logits: Logits (B, C).
        target: The classes G, which are those of all images (an int or a sequence), or a boolean mask (B, C)
            that is true at the classes of each image.

    Returns:
        The cotangent (B, C), ones at the classes of the group. The weights of an image sum to the number of
        classes in G.

    Raises:
        TypeError: The classes are not integers.
        ValueError: The group is empty or holds a class twice, or the mask has another shape.
        IndexError: One of them is not a class.

    >>> rfxg_group(torch.tensor([[6., 4., 3.5, 1.]]), [0, 2])
    tensor([[1., 0., 1., 0.]])
    """
    logits, single = as_pair(logits)
    return collapsed(group_mask(logits, target, whole=True).to(logits), single, is_original=True)


@register(
    title="ReST",
    question="What raises the logit of {target} and the logarithm of its probability?",
    about="the logit plus the logarithm of the probability (ReST, of Shapley-CAM)",
    formula=r"2 e_t - p",
    paper="cai2025",
    equation="ReST",
    sums_to_zero=False,
    total="1",
)
def rest(logits: Tensor, target: Classes) -> Tensor:
    """ReST of Shapley-CAM: w = 2 e_t - p, the gradient of y_t + log p_t.

    w is that of *original* plus the gradient of log p_t, which is (1 - p_t) times that of *weighted*. So at
    high confidence w is nearly e_t. Source: Cai 2025, and ``ClassifierOutputReST`` of pytorch-grad-cam.

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        The cotangent (B, C). The weights of an image sum to 1.

    >>> rest(torch.tensor([[0., 0.]]), 0)
    tensor([[ 1.5000, -0.5000]])
    """
    logits, target, single = checked(logits, target)
    return collapsed(2 * one_hot(logits, target) - logits.softmax(dim=1), single)


@register(
    title="group",
    question="Why one of {target} and none of the others?",
    about="a group of classes against all others, the classes of both by their probability",
    formula=r"\sum_{s \in G} \beta_s e_s - \sum_{s \notin G} \alpha_s e_s, \;"
    r" \beta, \alpha \text{ over } G \text{ and the others}",
    paper="wang2022",
    equation="eq. 1, extended to a group by us",
    takes_group=True,
)
def group(logits: Tensor, target: Classes) -> Tensor:
    """Weights of a group G of classes against the rest: the gradient of the log-odds of the group.

    log(p_G / (1 - p_G)) = logsumexp_{s in G} y_s - logsumexp_{s not in G} y_s, where p_G is the sum of the
    probabilities of the classes in G. So w is the softmax of the logits of G alone, minus that of all other
    logits. It is exact at any confidence, because no probability is computed. With one class it is
    :func:`contrastlib.contrasts.weights.weighted`.

    Args:
        logits: Logits (B, C).
        target: The classes G, which are those of all images (an int or a sequence), or a boolean mask (B, C)
            that is true at the classes of each image.

    Returns:
        The cotangent (B, C). The weights of an image sum to 0.

    Raises:
        TypeError: The classes are not integers.
        ValueError: The group is empty, holds all classes or a class twice, or the mask has another shape.
        IndexError: One of them is not a class.

    >>> group(torch.tensor([[2., 2., 0., 0.]]), [0, 1])
    tensor([[ 0.5000,  0.5000, -0.5000, -0.5000]])
    """
    logits, single = as_pair(logits)
    mask = group_mask(logits, target)
    inside, outside = (logits.masked_fill(~part, -torch.inf).softmax(dim=1) for part in (mask, ~mask))
    return collapsed(inside - outside, single)


def _mean_of(
    logits: Tensor, target: Tensor, foils: Foils, count: int | None, default: int = SIMILAR_COUNT
) -> Tensor:
    """The weights (B, C) of the mean logit of the foils."""
    mask = foil_mask(logits, target, foils, count, default).to(logits)
    return mask / mask.sum(dim=1, keepdim=True)
