"""DeepLIFT: non-linearities pass back their multipliers instead of their slopes (Shrikumar et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from contrastlib.autograd import check_images, forward
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers._arguments import Baseline, as_baseline, cotangent_of
from contrastlib.explainers._functions import function_name
from contrastlib.explainers.explainer import register

ELEMENTWISE = {
    "relu", "relu6", "hardtanh", "clamp", "clamp_min", "threshold", "leaky_relu", "prelu", "elu", "selu", "celu",
    "gelu", "silu", "mish", "softplus", "sigmoid", "logsigmoid", "tanh", "softsign", "hardswish", "hardsigmoid",
}  # fmt: skip
POOLS = {f"{kind}max_pool{d}d": d for kind in ("", "adaptive_") for d in (1, 2, 3)}
NO_CHANGE = 1e-10  # a difference to the baseline below it takes the slope instead of the ratio


@register(
    title="DeepLIFT",
    about="The difference of each pixel to a baseline, times its multiplier by the rescale rule.",
    space="pixels", needs="network", linear=True, formula=r"(x - x_0) \cdot m",
    paper="shrikumar2017", equation="sec. 3.5.1", cost="1 forward and 1 backward, of images and baseline",
)
def deeplift(model: nn.Module, images: Tensor, contrast_fn: ContrastFn, baseline: Baseline | None = None) -> Tensor:
    """phi(x) = (x - x0) * m, with m the multipliers of the rescale rule from the pixels to <w, y>.

    A non-linearity a = f(z) passes back (f(z) - f(z0)) / (z - z0) instead of its slope, z0 and f(z0)
    being what the baseline gives there (Shrikumar et al. 2017, sec. 3.5.1); where they do not differ,
    the slope. A maximum passes all back to its larger side: to the place of the image's maximum if that
    exceeds the baseline's, else to the place of the baseline's. Linear in w, which is taken at x, and
    complete: maps sum to <w, y(x) - y(x0)>.

    Activations and maximum pooling count however the network writes them: modules or functions, run once
    or often, in place, with overlapping windows. One pass forward, of images and baseline together.
    (Captum's takes modules that run once, and its maps are not complete where a maximum follows a ReLU
    directly or where windows overlap; elsewhere they are the same.)

    Args:
        model: maps images to logits (B, C).
        images: x, (B, channels, H, W), floating point.
        contrast_fn: logits (B, C) -> cotangent (B, C) or (K, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``.
        baseline: x0: a number, a colour (one value per channel) or a tensor that broadcasts to the
            images; 0 when None, which is black for images in [0, 1].

    Returns:
        (B, channels, H, W), or with K in front, in the unit of the score.

    Raises:
        TypeError, ValueError: images, logits, a cotangent or a baseline that do not fit; a network for
            which the maps are not complete, since it multiplies or normalises activations (attention,
            squeeze-and-excitation, layer norm).

    >>> from contrastlib.contrasts import weighted
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    >>> x = torch.rand(2, 3, 8, 8).double()
    >>> maps, w = deeplift(net, x, lambda y: weighted(y, [0, 3])), weighted(net(x), [0, 3])
    >>> torch.allclose(maps.sum(dim=(1, 2, 3)), (w * (net(x) - net(0 * x))).sum(dim=1))
    True
    """
    check_images(model, images)
    images = images.detach()
    start = as_baseline(baseline, images)
    with _Rescaled():
        record = forward(model, torch.cat([images, start]), once=True)
    logits, logits_at_start = record.logits.chunk(2)
    cotangent = cotangent_of(contrast_fn, logits)
    both = torch.cat([cotangent, torch.zeros_like(cotangent)], dim=-2)
    maps = (images - start) * record.pull_back(both)["input"].chunk(2, dim=-4)[0]
    _check_complete(model, maps, cotangent * logits, cotangent * logits_at_start)
    return maps


class _Rescaled(TorchFunctionMode):
    """While active, non-linearities of a batch [x, x0] keep their value and get multipliers as their slope."""

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None):
        name, kwargs = function_name(func), kwargs or {}
        z = args[0] if args else None
        if name not in ELEMENTWISE | POOLS.keys() or not getattr(z, "requires_grad", False):
            return func(*args, **kwargs)
        if name in POOLS:
            return _pooled(name, z, args[1:], kwargs)
        output = _activated(lambda leaf: func(leaf, *args[1:], **kwargs), z)
        in_place = func.__name__.endswith("_") or kwargs.get("inplace")
        return z.copy_(output) if in_place else output


def _activated(function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    leaf = z.detach().requires_grad_()
    with torch.enable_grad():
        values = function(leaf.clone())
    slope = torch.autograd.grad(values.sum(), leaf)[0]
    return _with_multipliers(values.detach(), z, slope)


def _pooled(name: str, z: Tensor, args: tuple, kwargs: dict) -> Tensor:
    values, places = getattr(F, name)(z.detach(), *args, **(kwargs | {"return_indices": True}))
    here, there = values.chunk(2)
    place = torch.where(here >= there, *places.chunk(2))
    place = torch.cat([place, place]).flatten(-POOLS[name])
    chosen = z.flatten(-POOLS[name]).gather(-1, place).view_as(values)
    return _with_multipliers(values, chosen, torch.ones_like(values))


def _with_multipliers(values: Tensor, z: Tensor, slope: Tensor) -> Tensor:
    """``values`` as a linear function of z; the slope is taken where z is the same at the baseline."""
    change = _change(z.detach())
    multiplier = torch.where(change.abs() < NO_CHANGE, slope, _change(values) / change)
    return values + multiplier * (z - z.detach())


def _change(both: Tensor) -> Tensor:
    here, there = both.chunk(2)
    return torch.cat([here - there, here - there])


def _check_complete(model: nn.Module, maps: Tensor, terms: Tensor, terms_at_start: Tensor) -> None:
    expected = (terms - terms_at_start).sum(dim=-1)
    reached = maps.sum(dim=(-3, -2, -1))
    # what rounding is measured by: the size of what was added up on either side
    size = maps.abs().sum(dim=(-3, -2, -1)) + (terms.abs() + terms_at_start.abs()).sum(dim=-1)
    gap = (reached - expected).abs()
    if (gap > torch.finfo(maps.dtype).eps ** 0.5 * size).any():
        worst = gap.argmax()
        raise ValueError(
            f"DeepLIFT's maps of {type(model).__name__} are not complete: one sums to {reached.flatten()[worst]:.4g} "
            f"where the score differs by {expected.flatten()[worst]:.4g}. The network has an operation that the "
            "rescale rule does not cover, such as a product or a normalisation of activations: "
            "use integrated_gradients"
        )
