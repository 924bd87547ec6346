"""Networks and images to measure with: torchvision's architectures, random weights, random pixels."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn


def torchvision_network(name: str, classes: int = 1000) -> nn.Module:
    """In evaluation mode, with all parameters learnable, as users have them."""
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None, num_classes=classes).eval()


def as_studies_have_it(network: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """In the layout that is fastest on a CPU."""
    return network.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last)


def images_like(size: int, batch: int) -> Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
