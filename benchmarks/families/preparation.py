"""Random weights and statistics under which every part of a network contributes to its logits.

Many families begin their training at weights close to 0, at gains of 0 or 1e-5, at biases of 0, and at a mean
of 0 and a variance of 1 in batch norms. With such values a branch is silent, and a wrong map of it would go
unseen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


def random_images(count: int, size: int) -> Tensor:
    """Return images (count, 3, size, size) in [0, 1] of random patches and noise, which differ as a whole.

    >>> random_images(2, 64).shape
    torch.Size([2, 3, 64, 64])
    """
    patches = functional.interpolate(torch.rand(count, 3, 5, 5), (size, size), mode="bilinear")
    return (0.7 * patches + 0.3 * torch.rand(count, 3, size, size)).contiguous()


def with_every_part(network: nn.Module, images: Tensor) -> nn.Module:
    """Change a network with random weights so that each of its parts contributes to the logits.

    Weak weights get a standard deviation of 1 / sqrt(inputs). Parameters that are constant get a deviation of
    0.1. Batch norms get the mean and the variance of the images.

    Args:
        network: The network. It is changed.
        images: Images (B, K, H, W).

    Returns:
        The network, in evaluation mode.

    >>> network = with_every_part(nn.Sequential(nn.BatchNorm2d(3)), torch.rand(2, 3, 8, 8))
    >>> bool((network[0].bias != 0).all()), bool((network[0].running_mean > 0.4).all())
    (True, True)
    """
    network.eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                _strengthen(module.weight)
        for parameter in network.parameters():
            if parameter.numel() and parameter.max() == parameter.min():
                parameter.add_(0.1 * torch.randn_like(parameter))
        _measure_batch_statistics(network, images)
    return network


def _strengthen(weight: Tensor) -> None:
    deviation, wanted = weight.std(correction=0), weight[0].numel() ** -0.5
    if 0 < deviation < wanted / 2:
        weight.mul_(wanted / deviation)


def _measure_batch_statistics(network: nn.Module, images: Tensor) -> None:
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        network(images)
    for norm, momentum in zip(norms, momenta):
        norm.eval().momentum = momentum
