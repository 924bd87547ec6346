"""DeepLIFT: each non-linearity has a multiplier instead of its slope (Shrikumar et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from contrastlib.autograd import check_images, check_visible, forward
from contrastlib.autograd.final_activation import REPLACED
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers._arguments import Baseline, as_baseline, cotangent_of
from contrastlib.explainers._functions import MASKING, function_name, is_in_place, relu_by_mask
from contrastlib.explainers.explainer import register

ELEMENTWISE = {
    "relu", "relu6", "hardtanh", "clamp", "clamp_min", "threshold", "leaky_relu", "prelu", "elu", "selu",
    "celu", "gelu", "silu", "mish", "softplus", "sigmoid", "logsigmoid", "tanh", "softsign", "hardswish",
    "hardsigmoid", "clip", "maximum", "minimum", "max", "min", "fmax", "fmin", "rrelu", "hardshrink",
    "softshrink", "tanhshrink", "abs",
}  # fmt: skip
POOLS = {f"{kind}max_pool{d}d": d for kind in ("", "adaptive_") for d in (1, 2, 3)}
NO_CHANGE = 1e-10  # for a smaller difference to the baseline, the multiplier is the slope


@register(
    title="DeepLIFT",
    about="The difference of each pixel to a baseline, times its multiplier by the rescale rule.",
    space="pixels",
    needs="network",
    linear=True,
    formula=r"(x - x_0) \cdot m",
    paper="shrikumar2017",
    equation="sec. 3.5.1",
    cost="1 forward and 1 backward, of images and baseline",
    through_attention=False,
)
def deeplift(
    model: nn.Module, images: Tensor, contrast_fn: ContrastFn, baseline: Baseline | None = None
) -> Tensor:
    """DeepLIFT with the rescale rule: phi = (x - x0) * m, where m are the multipliers from x to <w, y>.

    The multiplier of a non-linearity a = f(z) is (f(z) - f(z0)) / (z - z0), where z0 is its input for the
    baseline x0. It is the slope f'(z) where z and z0 do not differ. Maximum pooling passes the gradients of
    image and baseline to one position: to the maximum of the image if that is at least the maximum of the
    baseline, otherwise to the maximum of the baseline.

    The map is linear in w. w is computed from the logits of the images. The map is complete: it sums to
    <w, y(x) - y(x0)>.

    Non-linearities can be modules or functions, can work in place and can run several times. The images and
    the baseline go through the network in one forward pass. Captum's DeepLIFT takes modules that run once.
    Its maps are not complete if maximum pooling follows a ReLU directly or has overlapping windows; otherwise
    they are the same.

    Source: Shrikumar et al. 2017, sec. 3.5.1.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images x (B, K, H, W), floating point.
        contrast_fn: Logits (B, C) -> cotangent w (B, C) or (N, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``.
        baseline: The baseline x0: a number, a colour (K values) or a tensor that broadcasts to the images. If
            None, it is 0, which is black for images in [0, 1].

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of the score <w, y>.

    Raises:
        TypeError: The images, the cotangent or the baseline have a wrong type.
        ValueError: They have a wrong shape or wrong values, or the maps are not complete because the network
            multiplies or normalises activations (attention, squeeze-and-excitation, layer norm). Layers are
            checkpointed, or the network is a compiled program.

    >>> from contrastlib.contrasts import weighted
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    >>> x = torch.rand(2, 3, 8, 8).double()
    >>> maps, w = deeplift(net, x, lambda y: weighted(y, [0, 3])), weighted(net(x), [0, 3])
    >>> torch.allclose(maps.sum(dim=(1, 2, 3)), (w * (net(x) - net(0 * x))).sum(dim=1))
    True
    """
    check_images(model, images)
    check_visible(model)
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
    """A context in which non-linearities of a batch [x, x0] have multipliers as their gradients."""

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, kwargs = function_name(func), kwargs or {}
        if not torch.is_grad_enabled():  # inside an autograd.Function, which has a gradient of its own
            return func(*args, **kwargs)
        z = next((each for each in args if getattr(each, "requires_grad", False)), None)
        if z is not None and name in POOLS:
            return _pooled(name, z, args[1:], kwargs)
        if z is not None and name in MASKING and (x := relu_by_mask(name, args, kwargs)) is not None:
            name, z, output = "relu", x, _activated(torch.relu, x)
        elif z is not None and _is_elementwise(name, args, kwargs):
            position = next(i for i, each in enumerate(args) if each is z)
            before, after = args[:position], args[position + 1 :]
            output = _activated(lambda leaf: func(*before, leaf, *after, **kwargs), z)
        else:
            return func(*args, **kwargs)
        output.grad_fn.metadata[REPLACED] = name, z.grad_fn
        return args[0].copy_(output) if is_in_place(func, kwargs) else output


def _is_elementwise(name: str, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a function changes the elements of one activation, each by itself."""
    if name in ("max", "min") and not (len(args) == 2 and isinstance(args[1], Tensor)):
        return False  # the maximum over all positions, or over those of a dimension
    activations = [each for each in (*args, *kwargs.values()) if getattr(each, "requires_grad", False)]
    return name in ELEMENTWISE and len(activations) == 1


def _activated(function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Apply a non-linearity element by element."""
    leaf = z.detach().requires_grad_()
    with torch.enable_grad():
        values = function(leaf.clone())
    slope = torch.autograd.grad(values.sum(), leaf)[0]
    return _with_multipliers(values.detach(), z, slope)


def _pooled(name: str, z: Tensor, args: tuple, kwargs: Mapping[str, Any]) -> Tensor:
    """Apply maximum pooling."""
    values, indices = getattr(F, name)(z.detach(), *args, **{**kwargs, "return_indices": True})
    of_images, of_baseline = values.chunk(2)
    index = torch.where(of_images >= of_baseline, *indices.chunk(2))
    index = torch.cat([index, index]).flatten(-POOLS[name])
    chosen = z.flatten(-POOLS[name]).gather(-1, index).view_as(values)
    return _with_multipliers(values, chosen, torch.ones_like(values))


def _with_multipliers(values: Tensor, z: Tensor, slope: Tensor) -> Tensor:
    """Return ``values`` as a linear function of z, whose gradient is the multiplier.

    Args:
        values: Outputs of the non-linearity for the batch [x, x0].
        z: Inputs of the non-linearity, with their graph.
        slope: The slope, which is taken where z is the same for image and baseline.
    """
    change = _change(z.detach())
    smallest = max(NO_CHANGE, torch.finfo(z.dtype).tiny)  # NO_CHANGE rounds to 0 in float16
    multiplier = torch.where(change.abs() < smallest, slope, _change(values) / change)
    return values + multiplier * (z - z.detach())


def _change(both: Tensor) -> Tensor:
    """Return the differences of images and baseline, twice, from a batch [x, x0]."""
    of_images, of_baseline = both.chunk(2)
    return torch.cat([of_images - of_baseline, of_images - of_baseline])


def _check_complete(model: nn.Module, maps: Tensor, terms: Tensor, terms_at_start: Tensor) -> None:
    """Raise an error unless maps sum to the difference of the scores.

    Args:
        model: The network, for the message.
        maps: Maps (..., B, K, H, W).
        terms: w * y(x), (..., B, C).
        terms_at_start: w * y(x0), (..., B, C).
    """
    expected = (terms - terms_at_start).sum(dim=-1)
    reached = maps.sum(dim=(-3, -2, -1))
    # Rounding errors are proportional to the absolute values that are added on both sides.
    size = maps.abs().sum(dim=(-3, -2, -1)) + (terms.abs() + terms_at_start.abs()).sum(dim=-1)
    gap = (reached - expected).abs()
    if (gap > torch.finfo(maps.dtype).eps ** 0.5 * size).any():
        worst = gap.argmax()
        raise ValueError(
            f"DeepLIFT's maps of {type(model).__name__} are not complete: one sums to "
            f"{reached.flatten()[worst]:.4g}, and the score differs by {expected.flatten()[worst]:.4g}. "
            "The network has an operation that the rescale rule does not cover, such as a product or a "
            "normalisation of activations: use integrated_gradients"
        )
