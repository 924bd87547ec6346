"""Functions of PyTorch and nodes of its graph, and which of them are a ReLU."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from contrastlib.autograd.graph import node_kind

MASKING = {"mul", "where", "masked_fill", "setitem"}
"""Names of functions that can compute a ReLU as a product with, or a choice by, the mask x > 0."""
CLAMPING = {
    "Clamp": "min", "ClampMin": "min", "Hardtanh": "min_val", "Threshold": "threshold",
    "LeakyRelu": "negative_slope",
}  # fmt: skip
"""Kind of a node -> the saved value that is 0 if the node is a ReLU."""


def function_name(func: Callable) -> str:
    """Return the name of a function without the underscores that mark functions in place and operators.

    Args:
        func: A function of PyTorch, as a :class:`torch.overrides.TorchFunctionMode` receives it.

    Returns:
        The name, or "" if the function has none. The operator ``*=`` has the name of ``*``.

    >>> function_name(torch.relu_), function_name(torch.Tensor.__rmul__)
    ('relu', 'mul')
    """
    name = getattr(func, "__name__", "")
    operator = re.fullmatch(r"__[ri]?(mul|add)__", name)
    return operator[1] if operator else name.strip("_")


def is_in_place(func: Callable, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a function changes its first argument in place.

    Args:
        func: A function of PyTorch.
        kwargs: Its arguments by name.

    Returns:
        Whether it does.

    >>> is_in_place(torch.relu_, {}), is_in_place(torch.Tensor.__mul__, {})
    (True, False)
    """
    name = getattr(func, "__name__", "")
    return bool(re.fullmatch(r"__(i.*|setitem)__|.*[^_]_", name) or kwargs.get("inplace"))


def graph_nodes(root: Node | None) -> Iterator[Node]:
    """Walk over the nodes of a graph, each once.

    Args:
        root: The node to begin at.

    Yields:
        The nodes that ``root`` depends on, with itself.

    >>> [node_kind(node) for node in graph_nodes(torch.ones(1, requires_grad=True).relu().exp().grad_fn)]
    ['Exp', 'Relu', 'AccumulateGrad']
    """
    seen, waiting = set(), [root]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [below for below, _ in node.next_functions]
        yield node


def is_relu(node: Node) -> bool:
    """Tell whether a node of the graph is a ReLU, whichever function of PyTorch made it.

    These count: ``relu``, ``relu6``, ``hardtanh``, ``clamp``, ``clip`` and ``clamp_min`` from 0 on,
    ``threshold`` at 0, ``leaky_relu`` of slope 0, and ``maximum``, ``max`` and ``fmax`` with zeros.

    Args:
        node: The node.

    Returns:
        Whether it is a ReLU.

    >>> x = torch.rand(2, requires_grad=True)
    >>> is_relu(torch.max(x, torch.zeros(2)).grad_fn), is_relu(x.clamp(-1, 1).grad_fn)
    (True, False)
    """
    kind = node_kind(node)
    if kind in CLAMPING:
        return _is_zero(getattr(node, f"_saved_{CLAMPING[kind]}"))
    if kind in ("Maximum", "Fmax"):
        sides = zip(("self", "other"), node.next_functions)
        return any(below is None and _is_zero(getattr(node, f"_saved_{side}")) for side, (below, _) in sides)
    return kind == "Relu"


def relu_by_mask(name: str, args: Sequence, kwargs: Mapping[str, Any]) -> Tensor | None:
    """Return x if a function is about to compute max(x, 0) with the mask x > 0.

    These count: ``x * (x > 0)``, ``torch.where(x > 0, x, 0)``, ``x.masked_fill(x < 0, 0)`` and
    ``x[x < 0] = 0``, also with >= or <=, and with the mask as a number.

    Args:
        name: A name in ``MASKING``.
        args: The positional arguments of the function.
        kwargs: The other arguments.

    Returns:
        x, or None if the function computes something else.

    >>> x = torch.tensor([-1., 2.], requires_grad=True)
    >>> relu_by_mask("mul", (x, x > 0), {}) is x, relu_by_mask("mul", (x, x), {}) is x
    (True, False)
    """
    args, found = [*args, *kwargs.values()], []
    if name == "mul" and len(args) == 2:
        pairs = [(x, mask) for x, mask in (args, args[::-1]) if _is_activation(x) and _is_constant(mask)]
        found = [x for x, mask in pairs if _is_mask(mask) and torch.equal(mask * x, x.clamp(min=0))]
    elif name == "where" and len(args) == 3:
        if isinstance(args[1], Tensor) and args[1].dtype == torch.bool:  # x.where(condition, 0)
            args[:2] = args[1::-1]
        condition, x, other = args
        pairs = [(x, condition)] if _is_zero(other) else [(other, ~condition)] if _is_zero(x) else []
        pairs = [(x, mask) for x, mask in pairs if _is_activation(x)]
        found = [x for x, mask in pairs if torch.equal(x.where(mask, 0), x.clamp(min=0))]
    elif name in ("masked_fill", "setitem") and len(args) == 3:
        x, mask, value = args
        is_mask = isinstance(mask, Tensor) and mask.dtype == torch.bool
        if is_mask and _is_activation(x) and _is_zero(value) and (name != "setitem" or mask.shape == x.shape):
            found = [x] if mask.any() and torch.equal(x.masked_fill(mask, 0), x.clamp(min=0)) else []
    return next(iter(found), None)


def _is_activation(x: object) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _is_constant(x: object) -> bool:
    return isinstance(x, Tensor) and not x.requires_grad


def _is_mask(mask: Tensor) -> bool:
    """Tell whether a tensor is a mask. A tensor of ones that are no truth values is a factor."""
    if mask.dtype == torch.bool:
        return True
    return bool(((mask == 0) | (mask == 1)).all() and not mask.all())


def _is_zero(value: object) -> bool:
    """Tell whether a value is the number 0 or a tensor of zeros."""
    if isinstance(value, Tensor):
        return not value.any()
    return isinstance(value, Number) and value == 0
