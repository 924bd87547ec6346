"""Layer-wise relevance propagation (LRP) and its contrastive forms, which differ in the initial relevance.

=============  =============================================================  ========================
method         initial relevance at the logits y for a target class t         source
=============  =============================================================  ========================
LRP            y_t e_t                                                        Bach et al. 2015
CLRP1          abs(y_t) e_t; minus the map of abs(y_t)/(C-1) sum_{s!=t} e_s   Gu et al. 2018, sec. 4
CLRP2          abs(y_t) e_t; minus its map with the last weights negated      Gu et al. 2018, sec. 4
SGLRP          dp_t/dy = p_t (1 - p_t) e_t - sum_{s!=t} p_t p_s e_s           Iwana et al. 2019, eq. 8
any contrast   w * y, whose map is sum_s w_s LRP^s                            Wang & Wang 2022, adapted
=============  =============================================================  ========================

The maps of CLRP are max(0, difference). CLRP uses abs(y_t) as its published code does: with y_t, a class with
a negative logit would have its map and its dual exchanged. LRP uses y_t, or abs(y_t) with the option
``score="absolute"``, as the same code does.

Each function runs the network once. It takes the options of
:func:`contrastlib.explainers.lrp.propagation.propagation`: ``rules``, ``layer``, ``biases``,
``average_pooling``, ``box``. It returns maps (B, K, H, W), or (N, B, K, H, W) for N targets of each image, in
the unit of a logit (SGLRP: of a probability). It raises what ``propagation`` raises, and
``FloatingPointError`` if the maps are not finite.

A target is one class, one class for each image, N classes for each image (N, B), or a function of the logits
that returns one of these, such as ``lambda y: y.topk(3).indices.T``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib._choices import check_choice
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers.explainer import register
from contrastlib.explainers.lrp.initial_relevance import (
    DIFFERENCES,
    DUALS,
    LRP,
    METHODS,
    Targets,
    named_methods,
    of_each_target,
    propagated,
)
from contrastlib.explainers.lrp.propagation import propagation


def lrp(model: nn.Module, images: Tensor, relevance: Callable[[Tensor], Tensor], **options: Any) -> Tensor:
    """Propagate any initial relevance to the pixels. The maps are linear in the initial relevance.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W), floating point.
        relevance: Logits (B, C) -> initial relevance (B, C) or (N, B, C). With the option ``layer``, a
            function of the outputs of that layer.
        **options: Options of :func:`contrastlib.explainers.lrp.propagation.propagation`.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of the initial relevance.

    Raises:
        TypeError: The images or the initial relevance have a wrong type.
        ValueError: They have a wrong shape or wrong values, or an operation of the network has no rule.
        FloatingPointError: The maps are not finite.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> lrp(net, torch.rand(2, 3, 8, 8), lambda y: y * contrasts.original(y, 1)).shape
    torch.Size([2, 3, 8, 8])
    """
    with propagation(model, images, **options) as propagate:
        return propagate(relevance(propagate.outputs))


@register(
    name="lrp",
    title="LRP",
    about="Each class's logit, propagated back to the pixels as relevance by the z+ rule.",
    space="pixels",
    needs="network",
    linear=True,
    formula=r"R(w \cdot y)",
    paper="bach2015",
    equation="the z+ rule: alpha 1, beta 0",
    cost="1 forward, 1 backward",
    passes_options_to=propagation,
    through_attention=False,
)
def contrastive_lrp(
    model: nn.Module, images: Tensor, contrast_fn: ContrastFn, score: str = "logit", **options: Any
) -> Tensor:
    """LRP of a contrast w: the relevance of the pixels for the initial relevance w * y.

    The map is sum_s w_s LRP^s, where LRP^s is the map of class s. For w = e_t this is LRP. Source: Bach et
    al. 2015; the contrast as in Wang & Wang 2022.

    Args:
        model: A network that maps images to logits y (B, C).
        images: Images (B, K, H, W), floating point.
        contrast_fn: Logits (B, C) -> cotangent w (B, C) or (N, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``.
        score: "logit" is the initial relevance w * y. "absolute" is w * abs(y), as in the code of Gu et al.
            2018. For w = e_t both are the same if the logit y_t is positive.
        **options: Options of :func:`contrastlib.explainers.lrp.propagation.propagation`.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of a logit.

    Raises:
        TypeError: The images or the cotangent have a wrong type.
        ValueError: The score is unknown, the images or the cotangent have a wrong shape or wrong values, or
            an operation of the network has no rule.
        FloatingPointError: The maps are not finite.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> contrastive_lrp(net, torch.rand(2, 3, 8, 8), lambda y: contrasts.weighted(y, 1)).shape
    torch.Size([2, 3, 8, 8])
    """
    check_choice("score", score, LRP)
    return lrp(model, images, lambda y: contrast_fn(y) * (y.abs() if score == "absolute" else y), **options)


@register(
    title="SGLRP",
    about="The gradient of the target's probability, propagated back as relevance.",
    space="pixels",
    needs="network",
    linear=False,
    contrast=False,
    formula=r"R(\partial p_t / \partial y)",
    paper="iwana2019",
    equation="eq. 8",
    cost="1 forward, 1 backward",
    passes_options_to=propagation,
    through_attention=False,
)
def sglrp(model: nn.Module, images: Tensor, target: Targets, **options: Any) -> Tensor:
    """SGLRP: the relevance of the pixels for the initial relevance dp_t/dy.

    That initial relevance is the contrast "probability". Source: Iwana et al. 2019, eq. 8.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W), floating point.
        target: The target or targets.
        **options: Options of :func:`contrastlib.explainers.lrp.propagation.propagation`.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of a probability per logit.

    Raises:
        TypeError: The images or the target have a wrong type.
        ValueError: They have a wrong shape or wrong values, or an operation of the network has no rule.
        IndexError: A target is not a class.
        FloatingPointError: The maps are not finite.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> sglrp(net, torch.rand(2, 3, 8, 8), target=1).shape
    torch.Size([2, 3, 8, 8])
    """
    return lrp(model, images, lambda y: of_each_target(contrasts.probability, y, target), **options)


@register(
    title="CLRP1",
    about="Relevance of the target less that of the others, where that is positive.",
    space="pixels",
    needs="network",
    linear=False,
    contrast=False,
    formula=r"\max\big(0,\, R(|y_t|\, e_t) - R\big(\tfrac{|y_t|}{C-1} \sum_{s \neq t} e_s\big)\big)",
    paper="gu2018",
    equation="sec. 4",
    cost="1 forward, 2 backward",
    passes_options_to=propagation,
    through_attention=False,
)
def clrp1(
    model: nn.Module,
    images: Tensor,
    target: Targets,
    dual: str = "uniform",
    signed: bool = False,
    **options: Any,
) -> Tensor:
    """CLRP1: max(0, R - R_dual), where the dual is all classes other than the target class.

    Source: Gu et al. 2018, sec. 4.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W), floating point.
        target: The target or targets.
        dual: "uniform" divides the score of the target class equally among the other classes, as the paper
            says. "logits" gives each other class the absolute value of its logit, and divides both maps by
            their sums, as the published code does. Its maps have no unit.
        signed: Whether the map is the difference itself, with its negative values.
        **options: Options of :func:`contrastlib.explainers.lrp.propagation.propagation`.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of a logit.

    Raises:
        TypeError: The images or the target have a wrong type.
        ValueError: The dual is unknown, there is no other class, the dual is "logits" and the rules are not
            "z_plus", the arguments have a wrong shape or wrong values, or an operation of the network has no
            rule.
        IndexError: A target is not a class.
        FloatingPointError: The maps are not finite.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> bool((clrp1(net, torch.rand(2, 3, 8, 8), target=1) >= 0).all())
    True
    """
    check_choice("dual", dual, DUALS)
    return _difference(DUALS[dual], model, images, target, signed, options)


@register(
    title="CLRP2",
    about="Relevance of the target less that by negated last weights, where that is positive.",
    space="pixels",
    needs="network",
    linear=False,
    contrast=False,
    formula=r"\max\big(0,\, R(|y_t|\, e_t) - R_{-W_L}(|y_t|\, e_t)\big)",
    paper="gu2018",
    equation="sec. 4",
    cost="1 forward, 2 backward",
    passes_options_to=propagation,
    through_attention=False,
)
def clrp2(model: nn.Module, images: Tensor, target: Targets, signed: bool = False, **options: Any) -> Tensor:
    """CLRP2: max(0, R - R_dual), where the dual is the target class with negated weights.

    The weights of the last layer are negated in the backward pass alone. It needs the z+ rule: under the
    other rules both maps are the same. Source: Gu et al. 2018, sec. 4.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W), floating point.
        target: The target or targets. With the option ``layer``, they are neurons of that layer (sec. 5.3).
        signed: Whether the map is the difference itself, with its negative values.
        **options: Options of :func:`contrastlib.explainers.lrp.propagation.propagation`.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of a logit.

    Raises:
        TypeError: The images or the target have a wrong type.
        ValueError: The rules are not "z_plus", the last layer with weights does not give the outputs, the
            arguments have a wrong shape or wrong values, or an operation of the network has no rule.
        IndexError: A target is not a class.
        FloatingPointError: The maps are not finite.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> bool((clrp2(net, torch.rand(2, 3, 8, 8), target=1) >= 0).all())
    True
    """
    return _difference("clrp2", model, images, target, signed, options)


def relevance_maps(
    model: nn.Module,
    images: Tensor,
    target: Targets,
    methods: Sequence[str] | None = None,
    score: str = "logit",
    **options: Any,
) -> dict[str, Tensor]:
    """Compute the maps of several methods from one forward pass.

    An initial relevance that several methods share is propagated once.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W), floating point.
        target: The target or targets.
        methods: Names in :data:`contrastlib.explainers.lrp.initial_relevance.METHODS`. If None, all of them.
        score: The initial relevance of "lrp": "logit", y_t e_t, or "absolute", abs(y_t) e_t as in CLRP.
        **options: Options of :func:`contrastlib.explainers.lrp.propagation.propagation`.

    Returns:
        Name -> maps (B, K, H, W) or (N, B, K, H, W).

    Raises:
        TypeError: The images or the target have a wrong type.
        ValueError: A method or the score is unknown, "clrp2" or "clrp1_coded" is used with rules other than
            "z_plus", the arguments have a wrong shape or wrong values, or an operation of the network has no
            rule.
        IndexError: A target is not a class.
        FloatingPointError: The maps are not finite.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> list(relevance_maps(net, torch.rand(2, 3, 8, 8), target=1, methods=["lrp", "clrp1"]))
    ['lrp', 'clrp1']
    """
    chosen = named_methods(METHODS if methods is None else methods, score)
    with propagation(model, images, **options) as propagate:
        return propagated(propagate, chosen, lambda y, relevance: of_each_target(relevance, y, target))


def _difference(
    name: str, model: nn.Module, images: Tensor, target: Targets, signed: bool, options: Mapping[str, Any]
) -> Tensor:
    """Compute the map of one of the ``DIFFERENCES``, without its negative values unless ``signed``."""
    with propagation(model, images, **options) as propagate:
        difference = DIFFERENCES[name](propagate, target)
    return difference if signed else difference.clamp(min=0)
