"""Guided back-propagation: the gradient of which every ReLU passes only positive values back (Springenberg et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from contrastlib.autograd import forward
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers._arguments import cotangent_of
from contrastlib.explainers._functions import function_name
from contrastlib.explainers.explainer import register


@register(
    title="Guided Back-Propagation",
    about="The gradient at the pixels, of which every ReLU passes only positive values back.",
    space="pixels", needs="network", linear=False,
    formula=r"g \text{ with } g_z = \mathbb{1}[z > 0] \max(g_a, 0) \text{ at each } a = \max(z, 0)",
    paper="springenberg2015", equation="fig. 1", cost="1 forward, 1 backward",
)
def guided_backpropagation(model: nn.Module, images: Tensor, contrast_fn: ContrastFn) -> Tensor:
    """The gradient of <w, y> at the pixels, of which every ReLU passes only positive values back.

    At each ReLU a = max(z, 0) the slope g_a becomes g_z = 1[z > 0] max(g_a, 0) (Springenberg et al.
    2015, fig. 1). Every ReLU counts, however the network writes it: module or function, in place or
    not, ReLU6, a clamp at 0. Other non-linearities pass their gradient unchanged.

    Not linear in w: max(g, 0) of a difference is not the difference of max(g, 0). The map of a contrast
    is therefore not the contrast of the maps of the classes, and the map of -w is not the negative map.

    Args:
        model: maps images to logits (B, C).
        images: (B, channels, H, W), floating point.
        contrast_fn: logits (B, C) -> cotangent (B, C) or (K, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``.

    Returns:
        (B, channels, H, W), or with K in front, in the unit of the score per unit of the input.

    Raises:
        TypeError, ValueError: images, logits or a cotangent that do not fit, or no ReLU ran.

    >>> from contrastlib.contrasts import weighted
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> guided_backpropagation(net, torch.rand(2, 3, 8, 8), lambda y: weighted(y, [0, 3])).shape
    torch.Size([2, 3, 8, 8])
    """
    with _Guided() as guided:
        record = forward(model, images)
    if not guided.count:
        raise ValueError(
            f"no ReLU ran in {type(model).__name__}: guided back-propagation would be the plain gradient; "
            "use gradient instead, or for a TorchScript module, which hides its functions, the module it was made from"
        )
    cotangent = cotangent_of(contrast_fn, record.logits)
    # one by one: what is not linear must not be put together from a basis
    maps = [record.pull_back(one)["input"] for one in cotangent.reshape(-1, *record.logits.shape)]
    return torch.stack(maps).reshape(*cotangent.shape[:-2], *images.shape)


class _Guided(TorchFunctionMode):
    """While active, the outputs of ReLUs pass only positive gradients back."""

    count = 0

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None):
        output = func(*args, **(kwargs or {}))
        if _is_relu(func, args, kwargs or {}) and output.requires_grad:
            output.register_hook(lambda gradient: gradient.clamp(min=0))
            self.count += 1
        return output


def _is_relu(func: Callable, args: tuple, kwargs: dict) -> bool:
    name = function_name(func)
    if name in ("hardtanh", "clamp", "clamp_min"):  # ReLU6 is a hardtanh
        bound = args[1] if len(args) > 1 else kwargs.get("min_val", kwargs.get("min"))
        return isinstance(bound, Number) and bound == 0
    return name in ("relu", "relu6")
