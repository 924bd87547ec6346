"""Maps by plain autograd: what the gradient methods must give, computed without the library's own code.

All of them explain the log-odds of the target, whose gradient is the contrast "weighted".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

BOUNDS = {
    "ClampBackward1": "_saved_min",
    "ClampMinBackward0": "_saved_min",
    "HardtanhBackward0": "_saved_min_val",
}
"""Node of a graph that is a ReLU where its lower bound is 0 -> attribute with that bound."""


def logits_of(output: Any) -> Tensor:
    """Return the logits (B, C) of an output: a tensor, or an object with the attribute ``logits``."""
    return output if isinstance(output, Tensor) else output.logits


def log_odds(logits: Tensor, target: Tensor) -> Tensor:
    """Return log(p_t / (1 - p_t)) (B,) of the targets (B,).

    >>> log_odds(torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([1]))
    tensor([-0.6931])
    """
    own = logits.gather(1, target[:, None])[:, 0]
    others = logits.scatter(1, target[:, None], -torch.inf)
    return own - others.logsumexp(dim=1)


def pixel_maps(network: nn.Module, images: Tensor, target: Tensor, steps: int) -> dict[str, Tensor]:
    """Compute the maps of the pixels that are sums of gradients.

    Args:
        network: A network in evaluation mode.
        images: Images (B, K, H, W).
        target: Target classes (B,).
        steps: Points on the path of the integrated gradients, from black.

    Returns:
        Name of a method -> maps (B, H, W).
    """
    pixels = images.clone().requires_grad_()
    logits = logits_of(network(pixels.clone()))
    score = log_odds(logits, target).sum()
    (weights,) = torch.autograd.grad(score, logits, retain_graph=True)
    (gradient,) = torch.autograd.grad(score, pixels, retain_graph=True)
    with _guided(score):
        (guided,) = torch.autograd.grad(score, pixels)
    maps = {
        "gradient": gradient,
        "input_x_gradient": images * gradient,
        "integrated_gradients": images * _mean_gradient(network, images, weights, steps),
        "guided_backpropagation": guided,
    }
    return {name: each.sum(dim=1) for name, each in maps.items()}


def _mean_gradient(network: nn.Module, images: Tensor, weights: Tensor, steps: int) -> Tensor:
    """Return the mean gradient of <w, y> on the path from black to images, at the middle of each step.

    All points are one batch. The gradients of deep networks with random weights change with the last digit of
    a point, and the last digits of convolutions with the size of a batch.
    """
    at = (torch.arange(steps).to(images) + 0.5) / steps
    points = torch.lerp(torch.zeros_like(images), images, at.view(-1, 1, 1, 1, 1)).flatten(0, 1)
    points.requires_grad_()
    score = (weights.repeat(steps, 1) * logits_of(network(points.clone()))).sum()
    (gradients,) = torch.autograd.grad(score, points)
    return gradients.unflatten(0, (steps, -1)).mean(dim=0)


def layer_maps(network: nn.Module, images: Tensor, target: Tensor, layer: str) -> dict[str, Tensor]:
    """Compute the class activation maps of a layer.

    Args:
        network: A network in evaluation mode.
        images: Images (B, K, H, W).
        target: Target classes (B,).
        layer: Name of a module.

    Returns:
        Name of a method -> maps (B, h, w). There are none if the module does not run exactly once, or does
        not return (B, channels, h, w).
    """
    kept: list = []
    hook = network.get_submodule(layer).register_forward_hook(_keeper(kept))
    try:
        logits = logits_of(network(images.clone()))
    finally:
        hook.remove()
    if len(kept) != 1 or kept[0].ndim != 4:
        return {}
    (activation,) = kept
    competing = _competing(logits, target)
    of_classes = [
        torch.autograd.grad(logits.gather(1, each[:, None]).sum(), activation, retain_graph=True)[0]
        for each in competing.T
    ]
    (gradient,) = torch.autograd.grad(log_odds(logits, target).sum(), activation)
    activation = activation.detach()
    product = gradient * activation
    norm = activation.abs().sum(dim=(2, 3), keepdim=True)
    weights = {
        "gradcam": gradient.mean(dim=(2, 3), keepdim=True),
        "linear_approximation": gradient,
        "xgradcam": product.sum(dim=(2, 3), keepdim=True) / norm.where(norm > 0, torch.ones_like(norm)),
    }
    maps = {name: (each * activation).sum(dim=1) for name, each in weights.items()}
    each = torch.stack([(g.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1) for g in of_classes])
    return maps | {"class_competition": _won(each)}


def _competing(logits: Tensor, target: Tensor, count: int = 5) -> Tensor:
    """The target class, the most probable others and the least probable one of each image."""
    rows = []
    for row, own in zip(logits.argsort(dim=1, descending=True).tolist(), target.tolist()):
        others = [each for each in row if each != own]
        rows.append([own, *others[:-1][: count - 1], others[-1]])
    return torch.tensor(rows)


def _won(maps: Tensor) -> Tensor:
    """VAR without its threshold: the first map, times its share, where the share is above the average."""
    largest = maps.abs().amax(dim=(0, 2, 3), keepdim=True)
    share = (10 * maps.abs() / largest).softmax(dim=0)[0]
    return maps[0] * share * (share > 1 / len(maps))


def _keeper(kept: list) -> Callable:
    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # what follows may work in place

    return hook


@contextmanager
def _guided(score: Tensor) -> Iterator[None]:
    """Let every ReLU below a score pass only positive gradients back, by hooks on the nodes of its graph."""
    hooks = [node.register_hook(_positive) for node in _nodes(score) if _is_relu(node)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _positive(of_inputs: tuple, of_outputs: tuple) -> tuple:
    """Return the gradients that a ReLU passes on. They have the sign of those that arrive, or are 0."""
    return tuple(None if each is None else each.clamp(min=0) for each in of_inputs)


def _nodes(score: Tensor) -> set:
    found, open_ = set(), [score.grad_fn]
    while open_:
        node = open_.pop()
        if node is not None and node not in found:
            found.add(node)
            open_ += [below for below, _ in node.next_functions]
    return found


def _is_relu(node: Any) -> bool:
    name = node.name()
    return name == "ReluBackward0" or name in BOUNDS and getattr(node, BOUNDS[name]) == 0
