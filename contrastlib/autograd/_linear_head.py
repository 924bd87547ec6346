"""The head of a network, its last linear layers, in the graph of a forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge


def below_head(logits: Tensor, recorded: Sequence[Tensor]) -> GradientEdge | None:
    """The lowest place with all ``recorded`` below it down to which every path from the logits carries a vector per image.

    That is where a network flattens its maps or takes their mean. Gradients of many contrasts go there together, since a
    linear layer reads its weights once for all of them; further down, where each is as large as the activations, a few
    at a time. None when there is no such place, or a hook changes the gradient there: at the end of the one way and
    at the start of the next it would do so twice.

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
        if not open_paths and node is not root:  # all paths meet here
            if not _is_vector(node, len(logits)):
                break
            lowest = node
        for below in _below(node):
            open_paths += 1
            waiting[below] -= 1
            if not waiting[below]:
                ready.append(below)
    edge = GradientEdge(lowest, 0) if lowest else None
    return edge if edge and _unhooked(edge) else None


def _users(root: Node) -> Counter[Node]:
    """How many operations take the output of each."""
    users, ahead = Counter({root: 0}), [root]
    while ahead:
        for below in _below(ahead.pop()):
            if below not in users:
                ahead.append(below)
            users[below] += 1
    return users


def _below(node: Node) -> list[Node]:
    return [below for below, _ in node.next_functions if below is not None]


def _is_vector(node: Node, batch: int) -> bool:
    shapes = [output.shape for output in node._input_metadata]
    return len(shapes) == 1 and len(shapes[0]) <= 2 and shapes[0][:1] == [batch]


def _unhooked(edge: GradientEdge) -> bool:
    (output,) = edge.node._input_metadata
    probe = torch.linspace(-2, 3, prod(output.shape), dtype=output.dtype, device=output.device).reshape(output.shape)
    (received,) = torch.autograd.grad([edge], [edge], probe, retain_graph=True)
    return torch.equal(received, probe)
