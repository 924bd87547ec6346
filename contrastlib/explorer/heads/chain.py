"""A head of layers that run one after the other, with its backward pass written out: VGG and AlexNet."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from contrastlib.explorer.heads.output import Output, modules_after_layer, random_image, same
from contrastlib.models import Classifier

MOST = 100
"""Number of classes up to which the gradients of all logits are small enough for a browser."""


def _linear(module: nn.Linear, x: Tensor, gradient: Tensor) -> Tensor:
    return (gradient @ module.weight).reshape(-1, *x.shape[1:])


def _relu(module: nn.ReLU, x: Tensor, gradient: Tensor) -> Tensor:
    return gradient * (x > 0)


def _same(module: nn.Module, x: Tensor, gradient: Tensor) -> Tensor:
    return gradient


def _average_pool(module: nn.AdaptiveAvgPool2d, x: Tensor, gradient: Tensor) -> Tensor:
    tall, wide = (x.shape[i] // gradient.shape[i] for i in (2, 3))
    spread = gradient[:, :, :, None, :, None].expand(-1, -1, -1, tall, -1, wide) / (tall * wide)
    return spread.reshape(-1, *x.shape[1:])


def _max_pool(module: nn.MaxPool2d, x: Tensor, gradient: Tensor) -> Tensor:
    """Send each gradient to the first of the largest values in its window, as PyTorch does."""
    side, (_, channels, height, width) = module.kernel_size, x.shape
    rows, columns = height // side, width // side
    windows = x.reshape(1, channels, rows, side, columns, side).transpose(3, 4).flatten(4)
    first = (torch.arange(side * side) == windows.argmax(dim=4, keepdim=True)).to(x)
    spread = (gradient[..., None] * first).unflatten(4, (side, side)).transpose(3, 4)
    return spread.reshape(-1, channels, height, width)


BACKWARD: dict[type[nn.Module], Callable[[nn.Module, Tensor, Tensor], Tensor]] = {
    nn.Linear: _linear,
    nn.ReLU: _relu,
    nn.Dropout: _same,
    nn.Identity: _same,
    nn.AdaptiveAvgPool2d: _average_pool,
    nn.MaxPool2d: _max_pool,
}
"""Kind of a layer -> function of the layer, its input and the gradients (C, ...) of its output, which returns
the gradients (C, ...) of its input."""


class Chain(nn.Module):
    """Layers that run one after the other. The gradients g^k of all logits at the input give the maps.

    They are those of :mod:`contrastlib.explainers.cam`: GradCAM sum_k mean_ij(g^k) a^k, the linear
    approximation sum_k g^k a^k, and XGradCAM, which weighs a^k by sum_ij g^k a^k / sum_ij abs(a^k).

    Args:
        modules: The layers, each of a kind in ``BACKWARD``. Activations are flattened before a linear layer.

    Attributes:
        methods: Names of the methods of each tensor of maps.
        bits: Bits of the stored weights with which maps stay within 1e-3 of their range.

    >>> head = Chain([nn.MaxPool2d(2), nn.Linear(8, 5)])
    >>> logits, maps = head(torch.rand(1, 2, 4, 4))
    >>> logits.shape, [tuple(each.shape) for each in maps]
    (torch.Size([1, 5]), [(1, 5, 4, 4), (1, 5, 4, 4), (1, 5, 4, 4)])
    """

    methods = (("gradcam",), ("linear_approximation",), ("xgradcam",))
    bits = 32  # a rounded weight can turn a ReLU or the choice of a pool, and with it the map at a position

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(modules)
        self.rules = [BACKWARD[type(module)] for module in modules]

    def forward(self, activation: Tensor) -> Output:
        """Compute logits and maps from activations (1, K, h, w)."""
        inputs, x = [], activation
        for layer in self.layers:
            inputs.append(x)
            x = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
        gradient = torch.eye(x.shape[1])
        for layer, rule, given in reversed(list(zip(self.layers, self.rules, inputs))):
            gradient = rule(layer, given, gradient)
        product = gradient * activation
        norm = activation.abs().sum(dim=(2, 3))
        shares = product.sum(dim=(2, 3)) / torch.where(norm == 0, torch.ones_like(norm), norm)
        channels = activation[0].flatten(1)
        gradcam, xgradcam = (
            (weights @ channels).unflatten(1, activation.shape[-2:])[None]
            for weights in (gradient.mean(dim=(2, 3)), shares)
        )
        return Output(x, (gradcam, product.sum(dim=1)[None], xgradcam))

    @classmethod
    def of(cls, classifier: Classifier) -> Chain | None:
        """Read the head of a classifier, or return None if it has another one."""
        found = modules_after_layer(classifier, random_image(classifier))
        if found is None:
            return None
        activation, modules, logits = found
        if not modules or logits.shape[1] > MOST or not all(type(module) in BACKWARD for module in modules):
            return None
        x = activation
        for module in modules:
            if isinstance(module, nn.MaxPool2d) and not _without_overlap(module, x):
                return None
            if isinstance(module, nn.Linear):
                x = x.flatten(1)
                if x.shape[1] != module.in_features:
                    return None
            smaller = module(x)
            if isinstance(module, nn.AdaptiveAvgPool2d) and any(
                x.shape[i] % smaller.shape[i] for i in (2, 3)
            ):
                return None
            x = smaller
        return cls(modules) if x.shape == logits.shape and same(x, logits) else None


def _without_overlap(pool: nn.MaxPool2d, x: Tensor) -> bool:
    """Tell whether the windows of a pool are squares that tile its input."""
    side = pool.kernel_size
    return (
        isinstance(side, int)
        and pool.stride == side
        and pool.padding == 0
        and pool.dilation == 1
        and x.shape[2] % side == x.shape[3] % side == 0
    )
