"""Receptive fields: the pixels that can influence one unit of a layer (erratum 39)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn
from torchvision.models import vgg


def measured(model: nn.Module, images: Tensor, layers: Sequence[str]) -> pd.Series:
    """Sides of the receptive fields of layers, measured by gradients in float64.

    A pixel influences a unit if the derivative of the unit with respect to the pixel is not 0. The units
    are those of all channels at the middle of the map, and the score is the sum of their squares. Its
    gradient can be 0 within the receptive field, where a ReLU or a pooling passes nothing on, so the side is
    a lower bound.

    Args:
        model: A network that maps images to anything, such as the convolutional part of a classifier.
        images: Images (B, K, H, W), larger than the receptive fields. Each pixel that influences a unit in
            any of them counts.
        layers: Names as in ``model.named_modules()``, of layers with outputs (B, K, h, w).

    Returns:
        Layer -> side in pixels, the larger one of height and width of the box around these pixels.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    >>> measured(net, torch.rand(1, 3, 16, 16), ["0", "1"]).to_dict()
    {'0': 3, '1': 5}
    """
    model = copy.deepcopy(model).double().eval().requires_grad_(False)
    images = images.detach().double().requires_grad_()
    outputs: dict[str, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple, output: Tensor, name: str) -> None:
        outputs[name] = output.clone()  # which a ReLU in place does not overwrite

    for name in layers:
        model.get_submodule(name).register_forward_hook(partial(keep, name=name))
    model(images)
    sides = {}
    for name in layers:
        height, width = outputs[name].shape[-2:]
        score = outputs[name][..., height // 2, width // 2].square().sum()
        (slopes,) = torch.autograd.grad(score, images, retain_graph=True)
        counts = (slopes != 0).flatten(0, 1).any(dim=0)
        sides[name] = max(_extent(counts.any(dim=dim)) for dim in (0, 1))
    return pd.Series(sides, name="side")


def computed(steps: Iterable[tuple[int, int]]) -> list[int]:
    """Sides of the receptive fields of layers that follow each other.

    A layer with a kernel of k and a stride of s adds (k - 1) j to the side, where j is the distance in pixels
    of neighbouring units of its input, and multiplies j by s.

    Args:
        steps: Kernel and stride of each layer.

    Returns:
        The side after each layer.

    >>> computed([(3, 1), (2, 2), (3, 1)])
    [3, 4, 8]
    """
    side, distance, sides = 1, 1, []
    for kernel, stride in steps:
        side += (kernel - 1) * distance
        distance *= stride
        sides.append(side)
    return sides


def vgg16_features(seed: int = 0) -> nn.Sequential:
    """The convolutional part of torchvision's VGG-16, with random weights.

    Args:
        seed: Seed of the weights.

    Returns:
        The layers that ``torchvision.models.vgg16().features`` has, in evaluation mode.

    >>> len(vgg16_features())
    31
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return vgg.make_layers(vgg.cfgs["D"]).eval()


def _extent(marks: Tensor) -> int:
    """Distance from the first to the last True, both included; 0 without any."""
    positions = marks.nonzero().flatten()
    return int(positions[-1] - positions[0] + 1) if len(positions) else 0
