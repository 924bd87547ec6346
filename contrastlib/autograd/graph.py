"""Paths through the graph of a network's logits, and what is done with an activation on them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

REARRANGING = {
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T", "Clone",
    "Alias", "ToCopy", "AsStrided",
}  # fmt: skip
"""Kinds of nodes that only give an activation another shape, memory layout or dtype."""


def node_kind(node: Node) -> str:
    """Return the name of the operation of a node.

    Args:
        node: A node of a graph.

    Returns:
        The name without "Backward" and a number.

    >>> import torch
    >>> node_kind(torch.ones(1, requires_grad=True).exp().grad_fn)
    'Exp'
    """
    return re.sub(r"^torch::autograd::|Backwards?\d*$", "", node.name())


def node_of(tensor: Tensor) -> Node:
    """Return the node that stands for a tensor in its graph, also if the graph begins there.

    Args:
        tensor: A tensor that requires a gradient.

    Returns:
        The node.

    >>> import torch
    >>> node_kind(node_of(torch.ones(1, requires_grad=True)))
    'AccumulateGrad'
    """
    return get_gradient_edge(tensor).node


def below(root: Node) -> set[Node]:
    """Return the nodes that a node depends on.

    Args:
        root: The node.

    Returns:
        The nodes, without ``root``.

    >>> import torch
    >>> x = torch.rand(1, requires_grad=True)
    >>> sorted(node_kind(node) for node in below(x.exp().sin().grad_fn))
    ['AccumulateGrad', 'Exp']
    """
    seen, waiting = set(), [root]
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is not None and node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen


def path_between(logits: Tensor, activation: Tensor) -> list[Node]:
    """Return the nodes on all paths from logits to an activation, each before those that it depends on.

    Args:
        logits: Logits (B, C) with their graph.
        activation: A tensor of that graph.

    Returns:
        The nodes, without that of the activation. Empty if the logits do not depend on it.

    >>> import torch
    >>> x = torch.rand(1, 2, requires_grad=True)
    >>> [node.name() for node in path_between(x.exp().sin(), x)]
    ['SinBackward0', 'ExpBackward0']
    """
    leads, order = {node_of(activation): True, None: False}, []
    waiting = [(logits.grad_fn, False)]
    while waiting:
        node, done = waiting.pop()
        if done:
            leads[node] = any(leads[each] for each, _ in node.next_functions)
            order.append(node)
        elif node not in leads:
            leads[node] = False
            waiting.append((node, True))
            waiting += [(each, False) for each, _ in node.next_functions if each not in leads]
    return [node for node in reversed(order) if leads[node]]


def carries_all(logits: Tensor, activation: Tensor, sources: Iterable[Tensor]) -> bool:
    """Tell whether all that logits get from some tensors passes through one activation.

    So it is at the end of a block and not inside it, where other paths lead past it.

    Args:
        logits: Logits (B, C) with their graph.
        activation: The activation.
        sources: Tensors of the graph.

    Returns:
        Whether each path from the logits to one of them leads through the activation.

    >>> import torch
    >>> x = torch.rand(1, 2, requires_grad=True)
    >>> branch = x.exp()
    >>> block = branch + x
    >>> logits = block.sin()
    >>> carries_all(logits, block, [x]), carries_all(logits, branch, [x])
    (True, False)
    """
    ends = {node_of(source) for source in sources}
    seen, waiting = {node_of(activation), None}, [logits.grad_fn]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        if node in ends:
            return False
        seen.add(node)
        waiting += [each for each, _ in node.next_functions]
    return True


def is_one_of_a_sum(path: Collection[Node], activation: Tensor, others: Iterable[Tensor]) -> bool:
    """Tell whether an activation is added to another one that it does not depend on.

    An example is the convolution in the shortcut of a residual block, which is added to the last one of the
    block.

    Args:
        path: The nodes between the logits and the activation, from :func:`path_between`.
        activation: The activation.
        others: The other activations.

    Returns:
        Whether it is.

    >>> import torch
    >>> x = torch.rand(1, 2, requires_grad=True)
    >>> shortcut, main = x.exp(), x.sin()
    >>> added, joined = shortcut + main, torch.cat([shortcut, main])
    >>> [is_one_of_a_sum(path_between(y.cos(), shortcut), shortcut, [main]) for y in (added, joined)]
    [True, False]
    """
    own = node_of(activation)
    parallel = {node_of(each) for each in others if each is not activation} - below(own)
    if not parallel:
        return False
    on_path = {own, *path}
    terms = [each for node in path if node_kind(node) == "Add" for each, _ in node.next_functions]
    return any(parallel & {term, *below(term)} for term in terms if term is not None and term not in on_path)


def is_normalised(path: Sequence[Node], activation: Tensor) -> bool:
    """Tell whether the next operation normalises the channels of each position, or each channel alone.

    A norm of channels does not change with the length of its input, so activation times gradient sums to 0
    at each position. A norm of each channel does not change with a constant that is added to its input, so
    the gradients of a channel sum to 0.

    Args:
        path: The nodes between the logits and the activation, from :func:`path_between`.
        activation: The activation (B, K, h, w).

    Returns:
        Whether it does.

    >>> import torch
    >>> x, norm = torch.rand(2, 3, 4, 4, requires_grad=True), torch.nn.LayerNorm(3)
    >>> outputs = norm(x.permute(0, 2, 3, 1)), x.relu(), torch.nn.GroupNorm(1, 3)(x)
    >>> [is_normalised(path_between(y.sin(), x), x) for y in outputs]
    [True, False, False]
    """
    node, channels = node_of(activation), activation.shape[1]
    while True:
        users = [each for each in path if any(source is node for source, _ in each.next_functions)]
        if len(users) != 1:
            return False
        (node,) = users
        name = node_kind(node)
        if name in ("NativeLayerNorm", "FusedRmsNorm"):
            return list(node._saved_normalized_shape) == [channels]
        if name == "NativeGroupNorm":
            return node._saved_group == channels
        if name in ("NativeBatchNorm", "CudnnBatchNorm"):
            return node._saved_training
        if name not in REARRANGING:
            return False
