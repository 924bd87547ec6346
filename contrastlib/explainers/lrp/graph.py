"""The check that each operation of a network has a rule for relevance."""

from __future__ import annotations

import re
from collections.abc import Collection

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from zennit.types import Linear

from contrastlib.explainers.lrp.rules import Ruled

RELUS = {"Relu", "Hardtanh"}
# operations whose gradient moves relevance from outputs to inputs and keeps its sum
MOVING = {
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Cat", "Slice", "Split", "ConstantPadNd",
    "Permute", "Transpose", "AsStrided", "Clone", "Alias", "Copy", "MaxPool2DWithIndices",
    "AdaptiveMaxPool2D", "Mean", "AvgPool2D", "AdaptiveAvgPool2D", "AccumulateGrad",
}  # fmt: skip
FAMILIAR = (
    Linear, _BatchNorm, nn.ReLU, nn.ReLU6, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
    nn.Dropout, nn.Flatten, nn.Identity,
)  # fmt: skip


def check_graph(model: nn.Module, outputs: Tensor, stacks: Collection[Node]) -> None:
    """Check that each operation that gives the outputs has a rule, and make ReLUs pass relevance unchanged.

    Args:
        model: The network, for the message.
        outputs: The tensor from which relevance is propagated, with its graph.
        stacks: The nodes that belong to the rule of a sum, from
            :class:`contrastlib.explainers.lrp.rules.RuledFunctions`.

    Raises:
        ValueError: An operation has no rule.

    >>> import torch
    >>> x = torch.rand(2, 3, requires_grad=True)
    >>> check_graph(nn.Sigmoid(), x.sigmoid(), set())
    Traceback (most recent call last):
    ...
    ValueError: relevance propagation has no rule for an operation of Sigmoid (Sigmoid). ...
    """
    seen, waiting = set(), [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [parent for parent, _ in node.next_functions]
        kind = re.sub(r"^torch::autograd::|Backwards?\d*$", "", node.name())
        if kind in RELUS:
            node.register_hook(lambda below, above: above)
        elif node not in stacks and kind != Ruled.__name__ and kind not in MOVING:
            raise ValueError(
                f"relevance propagation has no rule for an operation of {type(model).__name__} ({kind}). "
                "It has rules for convolutions, linear layers, batch norm after them, ReLU, pooling, "
                "concatenation and the addition of activations of the same shape; "
                f"modules of other kinds here: {unfamiliar(model, FAMILIAR)}"
            )


def unfamiliar(model: nn.Module, familiar: tuple[type, ...]) -> str:
    """List up to three modules of unknown kinds, for error messages.

    Args:
        model: The network.
        familiar: The known kinds of modules.

    Returns:
        Names and kinds of modules without children that are of no known kind, or "none".

    >>> unfamiliar(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), FAMILIAR)
    '1 (Tanh)'
    """
    unknown = [
        f"{name} ({type(module).__name__})" for name, module in model.named_modules()
        if next(module.children(), None) is None and not isinstance(module, familiar)
    ]
    return ", ".join(unknown[:3]) or "none"
