"""Guided back-propagation: each ReLU passes only positive gradients back (Springenberg et al. 2015)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from contrastlib.autograd import forward
from contrastlib.autograd.graph import node_kind
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers._arguments import cotangent_of
from contrastlib.explainers._functions import MASKING, function_name, graph_nodes, is_relu, relu_by_mask
from contrastlib.explainers.explainer import register


@register(
    title="Guided Back-Propagation",
    about="The gradient at the pixels, of which every ReLU passes only positive values back.",
    space="pixels",
    needs="network",
    linear=False,
    formula=r"g \text{ with } g_z = \mathbb{1}[z > 0] \max(g_a, 0) \text{ at each } a = \max(z, 0)",
    paper="springenberg2015",
    equation="fig. 1",
    cost="1 forward, 1 backward",
)
def guided_backpropagation(model: nn.Module, images: Tensor, contrast_fn: ContrastFn) -> Tensor:
    """Guided back-propagation: d<w, y>/dx with a modified gradient at each ReLU a = max(z, 0).

    The gradient at a ReLU is g_z = 1[z > 0] max(g_a, 0). Here g_a is the gradient that arrives at the output
    of the ReLU, and g_z the one that it passes to its input.

    A ReLU can be a module or a function and can work in place. Each of these counts: ``relu``, ``relu6``,
    ``hardtanh``, ``clamp`` and ``clip`` from 0 on, ``threshold`` at 0, the maximum with zeros, and the
    product with or the choice by the mask ``x > 0``. Other formulas, such as ``(x + abs(x)) / 2``, do not
    count. They pass their gradient unchanged, as leaky ReLUs and other non-linearities do. A function that
    the network defines with its own backward pass and calls a ReLU is refused.

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
        ValueError: They have a wrong shape or wrong values, no ReLU ran in the network, or it cannot be told
            whether an operation is a ReLU.

    >>> from contrastlib.contrasts import weighted
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> guided_backpropagation(net, torch.rand(2, 3, 8, 8), lambda y: weighted(y, [0, 3])).shape
    torch.Size([2, 3, 8, 8])
    """
    with _Masks() as masks:
        record = forward(model, images)
    if not _guide(model, record.root, masks):
        raise ValueError(
            f"no ReLU ran in {type(model).__name__}, so guided back-propagation is the gradient: "
            "use gradient instead"
        )
    cotangent = cotangent_of(contrast_fn, record.logits)
    # One at a time, because maps that are not linear in w cannot be combined from those of a basis.
    maps = [record.pull_back(one)["input"] for one in cotangent.reshape(-1, *record.logits.shape)]
    return torch.stack(maps).reshape(*cotangent.shape[:-2], *images.shape)


class _Masks(TorchFunctionMode):
    """A context that tells which functions are a ReLU that is written with a mask.

    Attributes:
        relus: The nodes of the graph that are such a ReLU.
        others: The nodes of the other functions with masks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.relus: set[Node] = set()
        self.others: set[Node] = set()

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, kwargs = function_name(func), kwargs or {}
        if name not in MASKING:
            return func(*args, **kwargs)
        x = relu_by_mask(name, args, kwargs)
        output = func(*args, **kwargs)
        changed = args[0] if name == "setitem" else output
        if isinstance(changed, Tensor):  # torch.where of a mask alone gives indices
            (self.others if x is None else self.relus).add(changed.grad_fn)
        return output


def _guide(model: nn.Module, root: Node, masks: _Masks) -> int:
    """Let the ReLUs of a graph pass only positive gradients, and return how many there are.

    Raises:
        ValueError: An operation can be a ReLU, and it cannot be told whether it is one.
    """
    count, hidden = 0, any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())
    for node in graph_nodes(root):
        if is_relu(node) or node in masks.relus:
            node.register_prehook(lambda gradients: (gradients[0].clamp(min=0),))
            count += 1
        elif _is_own_relu(node) or (hidden and node not in masks.others and _has_mask(node)):
            raise ValueError(
                f"an operation of {type(model).__name__} ({node_kind(node)}) may be a ReLU that is "
                "written in another way, which cannot be told from outside: write it as torch.relu, or use "
                "gradient"
            )
    return count


def _has_mask(node: Node) -> bool:
    """Tell whether a node is a choice by a mask or a product with one."""
    kind = node_kind(node)
    factors = (node._saved_self, node._saved_other) if kind == "Mul" else ()
    masks = [each for each in factors if each is not None and each.dtype == torch.bool]
    return kind in ("Where", "MaskedFill") or bool(masks)


def _is_own_relu(node: Node) -> bool:
    """Tell whether a node is a function that the network defines itself and calls a ReLU."""
    own = isinstance(node, torch.autograd.function.BackwardCFunction)
    return own and re.search(r"(?<!leaky_)(?<!leaky)(?<![pr])relu", node_kind(node).lower()) is not None
