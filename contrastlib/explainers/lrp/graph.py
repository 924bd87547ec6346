"""The check that each operation of a network has a rule for relevance."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from zennit.types import Linear

from contrastlib.autograd.graph import node_kind
from contrastlib.autograd.modes import CHECKPOINTS
from contrastlib.explainers._functions import graph_nodes, is_relu
from contrastlib.explainers.lrp.operations import Merged, Passed, Ruled
from contrastlib.explainers.lrp.origins import origins

OWN = {each.__name__ for each in (Merged, Passed, Ruled)}
"""Kinds of the nodes of this package."""
RELUS = {"Relu", "Hardtanh"}
# operations whose gradient moves relevance from outputs to inputs and keeps its sum
MOVING = {
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Cat", "Slice", "Split", "ConstantPadNd",
    "Permute", "Transpose", "AsStrided", "Clone", "Alias", "Copy", "ToCopy", "MaxPool2DWithIndices",
    "AdaptiveMaxPool2D", "Amax", "Max", "Mean", "AvgPool2D", "AdaptiveAvgPool2D", "AccumulateGrad", "Select",
    "Unbind", "SplitWithSizes", "Stack", "Expand", "Flip", "Roll", "PixelShuffle", "PixelUnshuffle",
    "NativeChannelShuffle", "T", "UpsampleNearest2D",
}  # fmt: skip
CAUSES = {
    "Add": "an addition of a constant or of activations of different shapes: give a layer that bias",
    "Sub": "a difference of activations",
    "Mul": "a product of activations, such as a gate",
    "Div": "a quotient of activations, such as a normalisation",
    "NativeLayerNorm": "a norm whose statistics depend on the image",
    "NativeGroupNorm": "a norm whose statistics depend on the image",
    "FusedRmsNorm": "a norm whose statistics depend on the image",
    "Softmax": "a softmax, as in attention",
    "CheckpointFunction": CHECKPOINTS,
}
"""Kind of a node without a rule -> what it comes from, for error messages."""
FAMILIAR = (
    Linear, _BatchNorm, nn.ReLU, nn.ReLU6, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
    nn.Dropout, nn.Flatten, nn.Identity,
)  # fmt: skip


def check_graph(model: nn.Module, outputs: Tensor, again: Callable[[], object], pixels: Tensor) -> None:
    """Check that each operation that gives the outputs has a rule, and make ReLUs pass relevance unchanged.

    Args:
        model: The network, for the message.
        outputs: The tensor from which relevance is propagated, with its graph.
        again: Runs the network once more with the same rules, for the message.
        pixels: The images, which require a gradient. Relevance ends at the input of the first layer.

    Raises:
        ValueError: An operation has no rule, or pixels reach the outputs past the first layer.

    >>> import torch
    >>> x, net = torch.rand(2, 3, requires_grad=True), nn.Sigmoid()
    >>> check_graph(net, net(x), lambda: net(x), torch.rand(2, 3))
    Traceback (most recent call last):
    ...
    ValueError: relevance propagation has no rule for an operation of Sigmoid (Sigmoid in Sigmoid itself). ...
    """
    for node in graph_nodes(outputs.grad_fn):
        if getattr(node, "variable", None) is pixels:
            raise ValueError(
                f"pixels reach the outputs of {type(model).__name__} past its first layer, and relevance "
                "propagation has a rule for one first layer alone: use a method without such rules, such as "
                "input_x_gradient or integrated_gradients"
            )
        if _passes_by_gradient(node):
            continue
        if _passes_unchanged(node):
            node.register_hook(_unchanged)
            continue
        raise ValueError(
            f"relevance propagation has no rule for an operation of {type(model).__name__} "
            f"({_cause(model, node, again)}). It has rules for convolutions, linear layers, batch norm after "
            "them, ReLU, pooling, concatenation and the addition of activations of the same shape; modules "
            f"of other kinds here: {unfamiliar(model, FAMILIAR)}. Use a method without such rules, such as "
            "input_x_gradient or integrated_gradients"
        )


def _cause(model: nn.Module, node: Node, again: Callable[[], object]) -> str:
    """Name the first operation without a rule, what it comes from, and the module that runs it."""

    def has_none(each: Node) -> bool:
        return not _passes_by_gradient(each) and not _passes_unchanged(each)

    found = origins(model, again, has_none) or [(node, "")]
    together = [each for each in found if each[1] == found[0][1]]
    # The last one whose cause is known says more than those before it, such as the sum in a quotient.
    node, module = next((each for each in reversed(together) if node_kind(each[0]) in CAUSES), found[0])
    kind = node_kind(node)
    cause = f"{kind}: {CAUSES[kind]};" if kind in CAUSES else kind
    return f"{cause} in {module}" if module else cause


def _passes_by_gradient(node: Node) -> bool:
    """Tell whether the gradient of a node is its rule."""
    kind = node_kind(node)
    return kind in OWN or kind in MOVING


def _passes_unchanged(node: Node) -> bool:
    """Tell whether relevance passes a node unchanged."""
    kind = node_kind(node)
    return kind in RELUS or is_relu(node) or _is_scaling(node, kind) or _is_merged(node, kind)


def _unchanged(below: tuple, above: tuple) -> tuple:
    """Pass relevance unchanged to the inputs that have any."""
    return tuple(each if each is None else above[0] for each in below)


def _is_scaling(node: Node, kind: str) -> bool:
    """Tell whether a node multiplies an activation by a positive number, or divides it by one."""
    if kind not in ("Mul", "Div") or any(source is not None for source, _ in node.next_functions[1:]):
        return False
    factor = node._saved_other  # a number where the operation takes no tensor
    return factor > 0 if isinstance(factor, Number) else factor.numel() == 1 and factor.item() > 0


def _is_merged(node: Node, kind: str) -> bool:
    """Tell whether a node is a batch norm that has been merged into the layer before, and changes nothing."""
    if kind not in ("NativeBatchNorm", "CudnnBatchNorm") or node._saved_training:
        return False
    mean, factors = node._saved_running_mean, (node._saved_running_var, node._saved_weight)
    if mean is None or mean.any() or node._saved_eps:
        return False
    return all(each is not None and bool((each == 1).all()) for each in factors)


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
        f"{name} ({type(module).__name__})"
        for name, module in model.named_modules()
        if next(module.children(), None) is None and not isinstance(module, familiar)
    ]
    return ", ".join(unknown[:3]) or "none"
