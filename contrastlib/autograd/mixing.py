"""Whether a network mixes spatial positions after a layer, read from the graph of its logits.

Attention and token mixing write into each position what other positions hold. A map of a layer before them
does not show where the network found something. Two kinds of operations are told apart by what they do, not
by the names of their classes:

- Attention is a fused kernel or a pair of batched matrix products. A single one after which at most one
  linear layer works on the positions is the pooling of a convolutional network.
- Other operations are probed: a NaN at one element of the last of them is propagated back to the layer. It
  arrives at every position that the element depends on, whatever the weights are. What all positions share,
  such as the gate of squeeze-and-excitation or the statistics of a norm, does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

from contrastlib.autograd.graph import below, node_kind
from contrastlib.autograd.running import gradients

LOCAL = {
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T", "Expand",
    "Clone", "Alias", "Copy", "ToCopy", "AsStrided", "Cat", "Slice", "Select", "Split", "SplitWithSizes",
    "ConstantPadNd", "Add", "Sub", "Mul", "Div", "Neg", "Pow", "Exp", "Sqrt", "Rsqrt", "Abs", "Where",
    "MaskedFill", "Clamp", "ClampMin", "Maximum", "Threshold", "Relu", "Hardtanh", "LeakyRelu", "PreluKernel",
    "Elu", "Gelu", "Silu", "Mish", "Sigmoid", "Tanh", "Softplus", "Hardswish", "Hardsigmoid", "NativeDropout",
    "Convolution", "_Scaled", "NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm",
    "MaxPool2DWithIndices", "AdaptiveMaxPool2D", "AvgPool2D", "AdaptiveAvgPool2D", "Mean", "Sum",
    "AccumulateGrad",
}  # fmt: skip
"""Kinds of nodes that move, keep or pool positions, or add up neighbours, but do not mix them."""
NORMS = {"NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm"}
SHARED = {"Mean", "Sum", "Var", "VarMean", "Std", "StdMean", "LinalgVectorNorm", "Norm", "Amax", "Amin"}
LINEAR = {"Mm", "Addmm", "Linear"}
PRODUCTS = {"Bmm", "Baddbmm"}
LOCAL_SHARE = 0.25  # of the positions; an operation that works on neighbours reaches fewer


def mixes_positions(path: Sequence[Node], activation: Tensor) -> bool:
    """Tell whether spatial positions are mixed between an activation and the logits.

    Args:
        path: The nodes between them, from :func:`contrastlib.autograd.graph.path_between`. The graph is kept.
        activation: The activation (B, K, h, w).

    Returns:
        Whether they are.

    >>> from contrastlib.autograd.graph import path_between
    >>> x = torch.rand(2, 3, 4, 4, requires_grad=True)
    >>> mixed, local = (x.flatten(2) @ torch.rand(16, 16)).mean(dim=2), x.relu().mean(dim=(2, 3))
    >>> mixes_positions(path_between(mixed, x), x), mixes_positions(path_between(local, x), x)
    (True, False)
    """
    nodes = [node for node in path if not _is_vector(node, len(activation))]
    fused = [node for node in nodes if node_kind(node).startswith("ScaledDotProduct")]
    products = [node for node in nodes if node_kind(node) in PRODUCTS]
    if len(fused) + len(products) / 2 > 1:
        return True
    if fused or products:
        before = {node for attention in (*fused, *products) for node in below(attention)}
        return sum(node_kind(node) in LINEAR for node in nodes if node not in before) > 1
    unknown = [node for node in nodes if node_kind(node) not in LOCAL]
    return bool(unknown) and _share_reached(unknown[0], activation, path) > LOCAL_SHARE


def _is_vector(node: Node, batch: int) -> bool:
    """Tell whether a node gives one vector for each image."""
    return all(len(each.shape) <= 2 and each.shape[0] == batch for each in node._input_metadata if each.shape)


def _share_reached(node: Node, activation: Tensor, path: Sequence[Node]) -> float:
    """Return the share of the positions of an activation (B, K, h, w) that an element depends on."""
    output = node._input_metadata[0]
    seed = torch.zeros(output.shape, dtype=output.dtype, device=output.device)
    seed.view(-1)[int(0.618 * seed.numel())] = torch.nan  # no class token, which is the first
    kinds = [(each, node_kind(each)) for each in path]
    handles = [each.register_hook(_passing(kind)) for each, kind in kinds if kind in NORMS | SHARED]
    try:
        with torch.autograd.set_detect_anomaly(False):  # the seed is not a number
            (gradient,) = gradients(
                [GradientEdge(node, 0)], [activation], seed, retain_graph=True, materialize_grads=True
            )
    finally:
        for handle in handles:
            handle.remove()
    reached = gradient.isnan().any(dim=1).flatten(1)
    return reached.sum().item() / reached.shape[1]


def _passing(kind: str) -> Callable:
    """Make a hook that lets a norm pass its gradient unchanged, and what all positions share pass none."""

    def change(below: tuple, above: tuple) -> tuple:
        if kind in SHARED:
            return tuple(each if each is None else torch.zeros_like(each) for each in below)
        return (above[0], *below[1:])

    return change
