"""Small networks and images on which the corrections are proved. More are in tests/conftest.py."""

import pytest
import torch

from contrastlib.autograd import predict

EXACT = 1e-10


@pytest.fixture
def edged(images):
    """Images of which many values lie at a border of [0, 1] or nearer to one than epsilon."""
    return torch.where(images < 0.2, 0.0005, torch.where(images > 0.8, 1.0, images))


@pytest.fixture
def labels(network, images):
    """The least probable class of each image."""
    return predict(network, images).argmin(dim=1)
