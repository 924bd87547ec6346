"""Maps of one class by several methods and contrasts, each network with the methods that apply to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import one_hot

from contrastlib import contrasts as schemes
from contrastlib.autograd import INPUT, default_layer, forward
from contrastlib.explainers import EXPLAINERS, Explainer, upsample, vit

CONTRASTS = tuple(name for name, record in schemes.CONTRASTS.items() if not record.takes_group)
"""All contrasts of a class; those of a group are that of the logit or of the log-odds for a single class."""
OWN = "own"
"""Contrast of the methods that define it themselves."""
OPTIONS = {"integrated_gradients": {"steps": 16}}
"""Options of methods that differ from their defaults."""
UPSAMPLINGS = ("centres", "corners", "nearest")


def enlarged(maps: Tensor, size: Sequence[int], upsampling: str = "centres") -> Tensor:
    """Enlarge maps (N, B, h, w) to (N, B, H, W), bilinearly or not.

    Args:
        maps: The maps.
        size: Height and width (H, W).
        upsampling: "centres" and "corners" interpolate bilinearly, with the values in the centres of patches
            or the outer ones at the corners; "nearest" does not interpolate.

    Returns:
        The maps; as they are if they have that size.

    Raises:
        ValueError: ``upsampling`` is unknown.

    >>> enlarged(torch.tensor([[[[0., 4.]]]]), (1, 4))
    tensor([[[[0., 1., 3., 4.]]]])
    >>> enlarged(torch.tensor([[[[0., 4.]]]]), (1, 4), "nearest")
    tensor([[[[0., 0., 4., 4.]]]])
    """
    if upsampling not in UPSAMPLINGS:
        raise ValueError(f"upsampling is {upsampling!r}: it must be one of {', '.join(UPSAMPLINGS)}")
    if maps.shape[-2:] == tuple(size):
        return maps
    if upsampling == "nearest":
        return functional.interpolate(maps, tuple(size), mode="nearest")
    return upsample(maps, tuple(size), align_corners=upsampling == "corners")


def applicable(model: nn.Module, methods: Sequence[str] | None = None) -> list[str]:
    """Select the explainers that apply to the architecture of a network.

    Args:
        model: The network.
        methods: Names of explainers. None stands for all.

    Returns:
        Their names, without those for the other architecture.

    Raises:
        ValueError: A name is unknown.

    >>> applicable(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), ["gradcam", "vit_gradcam"])
    ['gradcam']
    """
    unknown = [name for name in methods or () if name not in EXPLAINERS]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; choose among {', '.join(EXPLAINERS)}")
    transformer = vit.is_transformer(model)
    return [
        name
        for name in methods or EXPLAINERS
        if EXPLAINERS[name].space != ("layer" if transformer else "tokens")
        and (EXPLAINERS[name].through_attention or not transformer)
    ]


def explanations(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    methods: Sequence[str] | None = None,
    contrasts: Sequence[str] = CONTRASTS,
    foils: int | None = None,
    layer: str | None = None,
) -> Iterator[tuple[list[tuple[str, str]], Tensor]]:
    """Maps of a class by several methods and contrasts; methods that need the gradient share one pass.

    Args:
        model: The network.
        images: Images (B, K, H, W).
        target: Class of each image (B,).
        methods: Names of explainers, see :func:`applicable`.
        contrasts: Names of contrasts. Methods that define their contrast have one map, of contrast ``OWN``.
            A contrast that depends on a layer is left out for methods without a convolutional layer.
        foils: Number of foils, see :func:`weights_of`.
        layer: Layer of the methods that explain one. None stands for their default, which is
            :func:`~contrastlib.autograd.forward_pass.default_layer` for activation maps.

    Yields:
        For each method (method, contrast) of each map, and the maps (N, B, h, w).

    Raises:
        ValueError: A method or a contrast is unknown, or the network has no default layer and a method asks
            for one. The methods have errors of their own.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> images, target = torch.rand(2, 3, 8, 8), torch.tensor([0, 3])
    >>> for rows, maps in explanations(net, images, target, ["gradcam", "gradient"], ["original", "mean"]):
    ...     print(rows, tuple(maps.shape))
    [('gradcam', 'original'), ('gradcam', 'mean')] (2, 2, 6, 6)
    [('gradient', 'original'), ('gradient', 'mean')] (2, 2, 8, 8)
    """
    names = applicable(model, methods)
    passes = [name for name in names if EXPLAINERS[name].needs == "pass"]
    spaces = dict.fromkeys(EXPLAINERS[name].space for name in passes)
    layers = {"pixels": INPUT}
    if "layer" in spaces:
        layers["layer"] = layer or default_layer(model, images)
    recorded = [layers[space] for space in spaces]
    free = [name for name in contrasts if not schemes.by_name(name).needs_gradients]
    many = len(free) < len(contrasts) or any(not EXPLAINERS[name].contrast for name in passes)
    record = forward(model, images, recorded, once=not many) if passes else None
    tokens = None
    for name in names:
        explainer = EXPLAINERS[name]
        chosen = contrasts if explainer.needs == "pass" and explainer.space == "layer" else free
        if not explainer.contrast:
            made = (
                explainer.function(record, target, layer=layers[explainer.space])
                if explainer.needs == "pass"
                else explainer.function(model, images, lambda _: target)
            )
            yield [(name, OWN)], explainer.map(made)[None]
            continue
        if explainer.needs == "pass":
            w = _stacked(chosen, record.logits, target, foils, lambda v: record.pull_back(v)[layers["layer"]])
            made = explainer.function(record, w, layer=layers[explainer.space])
        elif explainer.needs == "tokens pass":
            tokens = tokens or vit.vit_forward(model, images, once=True)
            w = _stacked(chosen, tokens.logits, target, foils)
            made = explainer.function(tokens, w, **_named_layer(explainer, layer))
        else:

            def weights(logits: Tensor, chosen: Sequence[str] = chosen) -> Tensor:
                return _stacked(chosen, logits, target, foils)

            made = explainer.function(model, images, weights, **OPTIONS.get(name, {}))
        yield [(name, contrast) for contrast in chosen], explainer.map(made)


def weights_of(
    contrast: str,
    logits: Tensor,
    target: Tensor,
    foils: int | None = None,
    gradients_of: schemes.Gradients | None = None,
) -> Tensor:
    """Compute the cotangent (B, C) of a contrast; its foils, if it takes any, are the nearest classes.

    Args:
        contrast: Name of a contrast. One of a group of classes gets the target class alone.
        logits: Logits (B, C).
        target: Class of each image (B,).
        foils: Number of foils: the classes whose logits are nearest to that of the target. None stands for
            the number that the contrast has by default.
        gradients_of: The gradients of a layer, for a contrast that needs them.

    Returns:
        The cotangent.

    Raises:
        ValueError: The contrast is unknown, or needs gradients and gets none.

    >>> weights_of("among", torch.tensor([[3., 2., 2., -9.]]), torch.tensor([0]), foils=2)
    tensor([[ 1.0000, -0.5000, -0.5000,  0.0000]])
    """
    record = schemes.by_name(contrast)
    if record.takes_group:
        return schemes.cotangent(contrast, logits, one_hot(target, logits.shape[1]).bool())
    if not record.takes_foils:
        return schemes.cotangent(contrast, logits, target)
    count = {} if foils is None else {"foil_count": foils}
    return schemes.cotangent(contrast, logits, target, "similar", gradients_of, **count)


def _stacked(
    contrasts: Sequence[str],
    logits: Tensor,
    target: Tensor,
    foils: int | None,
    gradients_of: schemes.Gradients | None = None,
) -> Tensor:
    return torch.stack([weights_of(name, logits, target, foils, gradients_of) for name in contrasts])


def _named_layer(explainer: Explainer, layer: str | None) -> dict[str, str]:
    return {"layer": layer} if explainer.takes_layer and layer else {}
