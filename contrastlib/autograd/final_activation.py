"""The activation at the end of a network, found in the graph of its output: a sigmoid or a softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from contrastlib.autograd.graph import node_kind

REPLACED = "contrastlib: replaced function"
"""Key of ``Node.metadata`` where a node stands for a function, as in DeepLIFT. The value is the name of the
function and the node of its input."""
ACTIVATIONS = {
    "sigmoid": "sigmoid", "hardsigmoid": "hard sigmoid", "softmax": "softmax", "logsigmoid": "log-sigmoid",
    "logsoftmax": "log-softmax",
}  # fmt: skip
LOGARITHMS = {"sigmoid": "log-sigmoid", "softmax": "log-softmax"}
# Operations that move, choose, average or clip values: what they make of probabilities are probabilities.
MOVING = {
    "Alias", "AsStrided", "Cat", "Clone", "Copy", "CopySlices", "Expand", "Flip", "Gather", "Index",
    "IndexSelect", "Permute", "ReshapeAlias", "Select", "Slice", "Split", "Squeeze", "Stack", "T", "ToCopy",
    "Transpose", "Unbind", "UnsafeView", "Unsqueeze", "View", "Where",
    "Amax", "Clamp", "ClampMax", "ClampMin", "Max", "Mean", "NanToNum",
    "AdaptiveAvgPool2D", "AdaptiveMaxPool2D", "AvgPool2D", "MaxPool2DWithIndices",
}  # fmt: skip
# the same as TorchScript writes them, without underscores
_MOVING = {kind.lower() for kind in MOVING} | {"contiguous", "dropout", "flatten", "narrow", "reshape", "to"}
COMPLEMENT = "Rsub"  # 1 - p
HIDDEN = "DifferentiableGraph"
"""Kind of the node that stands for all operations of a TorchScript module, once it has been optimised."""


def final_activation(output: Tensor) -> str:
    """Name the sigmoid, softmax, log-sigmoid or log-softmax whose values an output holds.

    The activation can be followed by operations that move, choose, average or clip values, by another dtype,
    by 1 - p, and by ``exp`` or ``log``. An activation that is multiplied, added to something else or read by
    another layer is not at the end.

    Args:
        output: The output of a network, with its graph.

    Returns:
        "sigmoid", "hard sigmoid", "softmax", "log-sigmoid" or "log-softmax"; "" if all or a part of the
        output comes from another operation, or if there is no graph.

    >>> z = torch.rand(2, 3, requires_grad=True)
    >>> final_activation(z.sigmoid()[:, :1].double()), final_activation(z.sigmoid() @ torch.rand(3, 2))
    ('sigmoid', '')
    """
    found = _activation(output.grad_fn)
    if found in LOGARITHMS.values():
        return found
    return found if found and ((output >= 0) & (output <= 1)).all() else ""


def mark_scripted(model: nn.Module, output: object) -> None:
    """Write into the graph which activation is hidden in a TorchScript module that ends a network.

    After its first runs such a module is one node of the graph. The activation is then found in its program.

    Args:
        model: The network.
        output: What it returned.
    """
    node = output.grad_fn if isinstance(output, Tensor) else None
    if node is None or not node.name().endswith(f"{HIDDEN}Backward"):
        return
    scripted = [module for module in model.modules() if isinstance(module, torch.jit.ScriptModule)]
    if not scripted:  # it is a function, whose program cannot be seen
        return
    inner = {part for module in scripted for part in module.modules() if part is not module}
    last = [module for module in scripted if module not in inner][-1]
    program = last.inlined_graph  # its nodes are valid as long as it exists
    name = _scripted_activation(next(program.outputs()).node())
    if name:
        node.metadata[REPLACED] = name, node


def _scripted_activation(node: torch.Node) -> str:
    """Return the name of the function of an activation from which the values of a node of a program come."""
    name = node.kind().partition("::")[2]
    plain = name.replace("_", "")
    if plain in ACTIVATIONS:
        return name
    if name == "If":
        ends = (_scripted_activation(end.node()) for block in node.blocks() for end in block.outputs())
        return next(filter(None, ends), "")
    inputs = list(node.inputs())
    return _scripted_activation(inputs[0].node()) if plain in _MOVING and inputs else ""


def _activation(root: Node | None) -> str:
    """Return the name of the activation from which all values of a node come, or "" if there is none."""
    found, seen, waiting = "", set(), [root]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        kind = _kind(node)
        if kind in MOVING or kind == COMPLEMENT:
            waiting += _below(node)
            continue
        name = _name(node, kind)
        if not name:
            return ""
        found = found or name
    return found


def _name(node: Node | None, kind: str) -> str:
    """Return the name of the activation of a node that moves no values, or "" if it is another operation."""
    if kind in ("Exp", "Log"):
        name = _activation(node.next_functions[0][0])
        names = LOGARITHMS if kind == "Log" else {log: name for name, log in LOGARITHMS.items()}
        return names.get(name, "")
    return ACTIVATIONS.get(kind.lower(), "")


def _kind(node: Node | None) -> str:
    """Return the name of the operation of a node, such as "Sigmoid", or "" if there is no node."""
    if node is None:
        return ""
    if REPLACED in node.metadata:
        return node.metadata[REPLACED][0].title().replace("_", "")
    return node_kind(node)


def _below(node: Node) -> list[Node]:
    """Return the nodes from which the values of a node come, without constants."""
    if REPLACED in node.metadata:
        return [node.metadata[REPLACED][1]]
    nodes = [below for below, _ in node.next_functions if below is not None]
    return nodes[-1:] if _kind(node) == "Copy" else nodes  # the last one is copied over the others
