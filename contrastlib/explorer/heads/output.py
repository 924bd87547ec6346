"""What every head returns, and how a head is read from a classifier."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from contrastlib.models import Classifier

SAME = 1e-5
"""Largest difference, relative to the largest value, of numbers that are treated as equal."""


class Output(NamedTuple):
    """What a head returns."""

    logits: Tensor
    """Logits (1, C)."""
    maps: tuple[Tensor, ...]
    """Maps (1, C, h, w) of all classes, one for each group of methods."""


class WeightedHead(nn.Module):
    """A head that is made of weights and biases of the classes.

    Args:
        weight: The weights W (C, K).
        bias: The biases b (C,).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)


def same(found: Tensor, wanted: Tensor) -> bool:
    """Tell whether two tensors are equal up to rounding.

    >>> same(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1e-7])), same(torch.zeros(1), torch.ones(1))
    (True, False)
    """
    return bool((found - wanted).abs().max() <= SAME * wanted.abs().max())


def random_image(classifier: Classifier, seed: int = 0) -> Tensor:
    """Return an image (1, 3, H, W) of random pixels, always the same for a seed."""
    side = classifier.input_size
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def modules_after_layer(
    classifier: Classifier, image: Tensor
) -> tuple[Tensor, list[nn.Module], Tensor] | None:
    """Run a classifier, and return the modules without parts that run after its layer.

    Args:
        classifier: The classifier.
        image: An image (1, 3, H, W).

    Returns:
        The activations of the layer, the modules in the order in which they run, and the logits. None if a
        module runs more than once.

    >>> from contrastlib import models
    >>> network = models.load("birds_vgg")
    >>> activation, modules, logits = modules_after_layer(network, random_image(network))
    >>> [type(module).__name__ for module in modules]
    ['MaxPool2d', 'AdaptiveAvgPool2d', 'Linear', 'ReLU', 'Dropout', 'Linear']
    """
    layer, activations, modules = classifier.get_submodule(classifier.layer), [], []

    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if module is layer:
            activations.append(output.clone())
        elif activations and not any(module.children()):
            modules.append(module)

    handles = [module.register_forward_hook(hook) for module in classifier.modules()]
    try:
        logits = classifier(image)
    finally:
        for handle in handles:
            handle.remove()
    once = len(activations) == 1 and len(set(modules)) == len(modules)
    return (activations[0], modules, logits) if once else None
