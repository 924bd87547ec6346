"""Guided back-propagation: each ReLU passes only positive gradients back (Springenberg et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Number
from typing import Any

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
    """Guided back-propagation: d<w, y>/dx with a modified gradient at each ReLU a = max(z, 0).

    The gradient at a ReLU is g_z = 1[z > 0] max(g_a, 0). Here g_a is the gradient that arrives at the output
    of the ReLU, and g_z the one that it passes to its input. A ReLU can be a module or a function and can
    work in place. ReLU6 and a clamp at 0 count as well. Other non-linearities pass their gradient unchanged.

    The map is not linear in w, because max(g, 0) is not linear. So the map of a contrast is not the contrast
    of the maps of the classes, and the map of -w is not the negative of the map of w.

    Source: Springenberg et al. 2015, fig. 1.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images x (B, K, H, W), floating point.
        contrast_fn: Logits (B, C) -> cotangent w (B, C) or (N, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of the score per unit of x.

    Raises:
        TypeError: The images or the cotangent have a wrong type.
        ValueError: They have a wrong shape or wrong values, or no ReLU ran in the network.

    >>> from contrastlib.contrasts import weighted
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> guided_backpropagation(net, torch.rand(2, 3, 8, 8), lambda y: weighted(y, [0, 3])).shape
    torch.Size([2, 3, 8, 8])
    """
    with _Guided() as guided:
        record = forward(model, images)
    if not guided.count:
        raise ValueError(
            f"no ReLU ran in {type(model).__name__}, so guided back-propagation is the gradient: "
            "use gradient instead. For a TorchScript module, whose functions are hidden, explain the module "
            "that it was made from"
        )
    cotangent = cotangent_of(contrast_fn, record.logits)
    # One at a time, because maps that are not linear in w cannot be combined from those of a basis.
    maps = [record.pull_back(one)["input"] for one in cotangent.reshape(-1, *record.logits.shape)]
    return torch.stack(maps).reshape(*cotangent.shape[:-2], *images.shape)


class _Guided(TorchFunctionMode):
    """A context in which ReLUs pass only positive gradients back.

    Attributes:
        count: The number of ReLUs that ran.
    """

    count = 0

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if _is_relu(func, args, kwargs or {}) and output.requires_grad:
            output.register_hook(lambda gradient: gradient.clamp(min=0))
            self.count += 1
        return output


def _is_relu(func: Callable, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    name = function_name(func)
    if name in ("hardtanh", "clamp", "clamp_min"):  # ReLU6 is a hardtanh
        bound = args[1] if len(args) > 1 else kwargs.get("min_val", kwargs.get("min"))
        return isinstance(bound, Number) and bound == 0
    return name in ("relu", "relu6")
