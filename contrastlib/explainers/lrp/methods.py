"""Layer-wise relevance propagation (LRP) and its contrasts: choices of the initial relevance at the logits.

============  ==============================================================  ========================
method        initial relevance at the logits y for a target class t          source
============  ==============================================================  ========================
LRP           y_t e_t                                                         Bach et al. 2015
CLRP1         abs(y_t) e_t, less the map of abs(y_t) / (C-1) sum_{s!=t} e_s   Gu et al. 2018, sec. 4
CLRP2         abs(y_t) e_t, less its map with the last weights negated        Gu et al. 2018, sec. 4
SGLRP         grad_y p_t = p_t (1 - p_t) e_t - sum_{s!=t} p_t p_s e_s         Iwana et al. 2019
contrast      w * y, which is sum_s w_s LRP^s                                 Wang & Wang 2022's idea
============  ==============================================================  ========================

CLRP is max(0, difference). It starts from abs(y_t), as the published code does, since a class with a
negative logit would otherwise have its map and its dual exchanged. LRP starts from y_t here; the same code starts
it from abs(y_t) too, which is the option ``score="absolute"``.

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

from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers.explainer import register
from contrastlib.explainers.lrp.initial_relevance import (
    DIFFERENCES,
    DUALS,
    METHODS,
    Targets,
    check_dual,
    check_score,
    named_methods,
    of_each_target,
    propagated,
)
from contrastlib.explainers.lrp.propagation import propagation


def lrp(model: nn.Module, images: Tensor, relevance: Callable[[Tensor], Tensor], **options) -> Tensor:
    """The relevance of each pixel, given the initial relevance; linear in that.

    Args:
        relevance: logits (B, C) -> relevance (B, C) or (K, B, C); with ``layer=`` of its outputs.
        options: see :func:`~contrastlib.explainers.lrp.propagation.propagation`.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> lrp(net, torch.rand(2, 3, 8, 8), lambda y: y * contrasts.original(y, 1)).shape
    torch.Size([2, 3, 8, 8])
    """
    with propagation(model, images, **options) as propagate:
        return propagate(relevance(propagate.outputs))


@register(
    name="lrp", title="LRP",
    about="Each class's logit, propagated back to the pixels as relevance by the z+ rule.",
    space="pixels", needs="network", linear=True, formula=r"R(w \cdot y)",
    paper="bach2015", equation="the z+ rule: alpha 1, beta 0", cost="1 forward, 1 backward",
    passes_options_to=propagation,
)
def contrastive_lrp(
    model: nn.Module, images: Tensor, contrast_fn: ContrastFn, score: str = "logit", **options
) -> Tensor:
    """sum_s w_s LRP^s, for any contrast w; LRP itself (Bach et al. 2015) for w = e_t.

    The initial relevance is w * y, element by element, whatever the sign of y. For a target class with a positive
    logit ``score="absolute"`` gives the same LRP.

    Args:
        contrast_fn: logits (B, C) -> w (B, C) or (K, B, C), such as ``lambda y: contrasts.weighted(y, target)``.
        score: "logit", LRP^s starts from y_s e_s; or "absolute", from abs(y_s) e_s (code of Gu et al. 2018).

    Raises:
        ValueError: unknown score.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> contrastive_lrp(net, torch.rand(2, 3, 8, 8), lambda y: contrasts.weighted(y, 1)).shape
    torch.Size([2, 3, 8, 8])
    """
    check_score(score)
    return lrp(model, images, lambda y: contrast_fn(y) * (y.abs() if score == "absolute" else y), **options)


@register(
    title="SGLRP", about="The gradient of the target's probability, propagated back as relevance.",
    space="pixels", needs="network", linear=False, contrast=False, formula=r"R(\partial p_t / \partial y)",
    paper="iwana2019", equation="eq. 8", cost="1 forward, 1 backward", passes_options_to=propagation,
)
def sglrp(model: nn.Module, images: Tensor, target: Targets, **options) -> Tensor:
    """LRP from the gradient of p_t at the logits, the probability contrast (Iwana et al. 2019, eq. 8).

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> sglrp(net, torch.rand(2, 3, 8, 8), target=1).shape
    torch.Size([2, 3, 8, 8])
    """
    return lrp(model, images, lambda y: of_each_target(contrasts.probability, y, target), **options)


@register(
    title="CLRP1", about="Relevance of the target less that of the others, where that is positive.",
    space="pixels", needs="network", linear=False, contrast=False,
    formula=r"\max\big(0,\, R(|y_t|\, e_t) - R\big(\tfrac{|y_t|}{C-1} \sum_{s \neq t} e_s\big)\big)",
    paper="gu2018", equation="sec. 4", cost="1 forward, 2 backward", passes_options_to=propagation,
)
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

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> bool((clrp1(net, torch.rand(2, 3, 8, 8), target=1) >= 0).all())
    True
    """
    check_dual(dual)
    return _contrastive(DUALS[dual], model, images, target, signed, options)


@register(
    title="CLRP2",
    about="Relevance of the target less that by negated last weights, where that is positive.",
    space="pixels", needs="network", linear=False, contrast=False,
    formula=r"\max\big(0,\, R(|y_t|\, e_t) - R_{-W_L}(|y_t|\, e_t)\big)",
    paper="gu2018", equation="sec. 4", cost="1 forward, 2 backward", passes_options_to=propagation,
)
def clrp2(model: nn.Module, images: Tensor, target: Targets, signed: bool = False, **options) -> Tensor:
    """max(0, R - R_dual), the dual being the target with its weights in the last layer negated.

    Gu et al. 2018, sec. 4. The forward pass stays that of the network. With ``layer=`` the target is a
    neuron of that layer (sec. 5.3). It takes the z+ rule, under the others both maps are the same.

    Raises:
        ValueError: rules other than "z_plus", or outputs that have no weights of their own.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> bool((clrp2(net, torch.rand(2, 3, 8, 8), target=1) >= 0).all())
    True
    """
    return _contrastive("clrp2", model, images, target, signed, options)


def relevance_maps(
    model: nn.Module, images: Tensor, target: Targets, methods: Sequence[str] | None = None, score: str = "logit", **options
) -> dict[str, Tensor]:
    """Maps of several methods from one forward pass; an initial relevance that several share propagates once.

    Args:
        methods: names in :data:`contrastlib.explainers.lrp.initial_relevance.METHODS`, all when None.
        score: "logit", "lrp" starts from y_t, as :func:`contrastive_lrp` does; or "absolute", from abs(y_t), as
            CLRP does. The maps of a class with a negative logit then have the other sign.

    Raises:
        ValueError: unknown method or score, or rules that one of the methods cannot take: "clrp2" and
            "clrp1_coded" need "z_plus".

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> list(relevance_maps(net, torch.rand(2, 3, 8, 8), target=1, methods=["lrp", "clrp1"]))
    ['lrp', 'clrp1']
    """
    chosen = named_methods(METHODS if methods is None else methods, score)
    with propagation(model, images, **options) as propagate:
        return propagated(propagate, chosen, lambda y, relevance: of_each_target(relevance, y, target))


def _contrastive(name: str, model: nn.Module, images: Tensor, target: Targets, signed: bool, options: Mapping) -> Tensor:
    """The map of one of the DIFFERENCES, cut at 0 unless signed."""
    with propagation(model, images, **options) as propagate:
        difference = DIFFERENCES[name](propagate, target)
    return difference if signed else difference.clamp(min=0)
