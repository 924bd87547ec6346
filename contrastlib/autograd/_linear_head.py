"""The head of a network: its last linear layers, which work on one vector for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge


def below_head(logits: Tensor, recorded: Sequence[Tensor]) -> GradientEdge | None:
    """Find the input of the head: the lowest node of the graph down to which there is one vector per image.

    That node is where a network flattens its activations or takes their spatial mean. Every path from the
    logits to a recorded tensor passes through it. Gradients of many cotangents can be propagated to it
    together, because a linear layer then reads its weights once for all of them. Below it each gradient is as
    large as the activations.

    Args:
        logits: Logits (B, C) with their graph.
        recorded: The tensors whose gradients are wanted.

    Returns:
        The edge of the graph at that node. None if there is no such node, or if a hook changes the gradient
        there: a backward pass in two parts would call the hook twice.

    >>> x = torch.rand(2, 3, 4, 4, requires_grad=True)
    >>> below_head(x.sin().flatten(1) @ torch.rand(48, 5), [x]).node.name()
    'ViewBackward0'
    >>> below_head(x.sin().sum(dim=(2, 3)), [x]) is None
    True
    """
    root, ends = logits.grad_fn, {get_gradient_edge(tensor).node for tensor in recorded}
    waiting = _users(root)
    users, ready, open_paths, lowest = waiting.copy(), [root], 0, None
    while ready and (node := ready.pop()) not in ends:
        open_paths -= users[node]
        if not open_paths and node is not root:  # every path passes through this node
            if not _is_vector(node, len(logits)):
                break
            lowest = node
        for below in _below(node):
            open_paths += 1
            waiting[below] -= 1
            if not waiting[below]:
                ready.append(below)
    edge = GradientEdge(lowest, 0) if lowest else None
    return edge if edge and _has_no_hook(edge) else None


def _users(root: Node) -> Counter[Node]:
    """Count, for each node of the graph below ``root``, the nodes that use its output."""
    users, unvisited = Counter({root: 0}), [root]
    while unvisited:
        for below in _below(unvisited.pop()):
            if below not in users:
                unvisited.append(below)
            users[below] += 1
    return users


def _below(node: Node) -> list[Node]:
    return [below for below, _ in node.next_functions if below is not None]


def _is_vector(node: Node, batch: int) -> bool:
    """Tell whether the output of a node is one number or one vector for each image of the batch."""
    shapes = [output.shape for output in node._input_metadata]
    return len(shapes) == 1 and len(shapes[0]) <= 2 and shapes[0][:1] == [batch]


def _has_no_hook(edge: GradientEdge) -> bool:
    """Tell whether a gradient arrives at an edge unchanged."""
    (output,) = edge.node._input_metadata
    values = torch.linspace(-2, 3, prod(output.shape), dtype=output.dtype, device=output.device)
    probe = values.reshape(output.shape)
    (received,) = torch.autograd.grad([edge], [edge], probe, retain_graph=True)
    return torch.equal(received, probe)
