"""Networks and images for measurements: torchvision's architectures, random weights, random pixels."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn


def torchvision_network(name: str, classes: int = 1000) -> nn.Module:
    """Return a network with random weights, in evaluation mode and with parameters that require gradients.

    Args:
        name: Name of a torchvision network.
        classes: Number of its classes.
    """
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None, num_classes=classes).eval()


def as_studies_have_it(network: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """Return both in the channels-last memory format of the studies, which is the fastest one on a CPU."""
    return network.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last)


def images_like(size: int, batch: int) -> Tensor:
    """Return random images (batch, 3, size, size) in [0, 1]."""
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
