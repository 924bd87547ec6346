"""Maps of one class by several methods and contrasts, each network with the methods that apply to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from contrastlib import contrasts as schemes
from contrastlib.autograd import INPUT, forward
from contrastlib.explainers import EXPLAINERS, Explainer, upsample, vit

CONTRASTS = ("original", "mean", "maximum", "weighted", "probability", "among")
OWN = "own"
"""Contrast of the methods that define it themselves."""
PIECEWISE_LINEAR = ("deeplift", "fullgrad", "lrp", "sglrp", "clrp1", "clrp2")
"""Methods without a rule for the attention and the norms of a Transformer."""
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
        ValueError: The way of upsampling is unknown.
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
    """
    unknown = [name for name in methods or () if name not in EXPLAINERS]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; choose among {', '.join(EXPLAINERS)}")
    transformer = vit.is_transformer(model)
    return [
        name for name in methods or EXPLAINERS
        if EXPLAINERS[name].space != ("layer" if transformer else "tokens")
        and not (transformer and name in PIECEWISE_LINEAR)
    ]


def explanations(
    model: nn.Module, images: Tensor, target: Tensor, methods: Sequence[str] | None = None,
    contrasts: Sequence[str] = CONTRASTS, foils: int = 3, layer: str | None = None,
) -> Iterator[tuple[list[tuple[str, str]], Tensor]]:
    """Maps of a class by several methods and contrasts; methods that need the gradient share one pass.

    Args:
        model: The network.
        images: Images (B, K, H, W).
        target: Class of each image (B,).
        methods: Names of explainers, see :func:`applicable`.
        contrasts: Names of contrasts. Methods that define their contrast have one map, of contrast ``OWN``.
        foils: Number of foils, see :func:`weights_of`.
        layer: Layer of the methods that explain one. None stands for their default.

    Yields:
        For each method (method, contrast) of each map, and the maps (N, B, h, w).
    """
    def weights(logits: Tensor) -> Tensor:
        return torch.stack([weights_of(name, logits, target, foils) for name in contrasts])

    names = applicable(model, methods)
    passes = [name for name in names if EXPLAINERS[name].needs == "pass"]
    spaces = {EXPLAINERS[name].space: None for name in passes}
    layers = {"layer": layer or getattr(model, "layer", None), "pixels": INPUT}
    recorded = [layers[space] for space in spaces]
    record = forward(model, images, recorded, once=True) if passes else None
    tokens = None
    for name in names:
        explainer = EXPLAINERS[name]
        options = OPTIONS.get(name, {})
        if explainer.needs == "pass":
            made = explainer.function(record, weights(record.logits), layer=layers[explainer.space])
        elif explainer.needs == "tokens pass":
            tokens = tokens or vit.vit_forward(model, images, once=True)
            made = explainer.function(tokens, weights(tokens.logits), **_named_layer(explainer, layer))
        elif explainer.contrast:
            made = explainer.function(model, images, weights, **options)
        else:
            yield [(name, OWN)], explainer.map(explainer.function(model, images, lambda _: target))[None]
            continue
        yield [(name, contrast) for contrast in contrasts], explainer.map(made)


def weights_of(contrast: str, logits: Tensor, target: Tensor, foils: int = 3) -> Tensor:
    """Compute the cotangent (B, C) of a contrast; its foils, if it takes any, are the nearest classes.

    Args:
        contrast: Name of a contrast.
        logits: Logits (B, C).
        target: Class of each image (B,).
        foils: Number of foils: the classes whose logits are nearest to that of the target.

    Returns:
        The cotangent.

    Raises:
        ValueError: The contrast is unknown.

    >>> weights_of("among", torch.tensor([[3., 2., 2., -9.]]), torch.tensor([0]), foils=2)
    tensor([[ 1.0000, -0.5000, -0.5000,  0.0000]])
    """
    if not schemes.by_name(contrast).takes_foils:
        return schemes.cotangent(contrast, logits, target)
    distance = (logits - logits.gather(1, target[:, None])).abs().scatter(1, target[:, None], torch.inf)
    nearest = distance.topk(foils, dim=1, largest=False).indices
    return schemes.cotangent(contrast, logits, target, torch.zeros_like(logits).scatter(1, nearest, 1).bool())


def _named_layer(explainer: Explainer, layer: str | None) -> dict[str, str]:
    return {"layer": layer} if explainer.takes_layer and layer else {}
