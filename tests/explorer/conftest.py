"""Small random networks of both kinds that look at drawn birds."""

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from contrastlib import models
from contrastlib.datasets.birds import SPECIES

NAMES = [species.name for species in SPECIES]


def convolutional(dtype=torch.float32, classes=30, name="tiny"):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 14 * 14, 16),
        nn.ReLU(),
        nn.Linear(16, classes),
    )
    return _classifier(network, name, "network.2", 64, classes, dtype)


def transformer(dtype=torch.float32, name="tiny_vit"):
    torch.manual_seed(0)
    network = VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=30)
    nn.init.normal_(network.heads.head.weight)
    return _classifier(network, name, None, 32, 30, dtype)


def _classifier(network, name, layer, size, classes, dtype):
    names = NAMES if classes == 30 else [f"class {i}" for i in range(classes)]
    return models.Classifier(
        network, name=name, class_names=names, layer=layer, input_size=size, checksum="none"
    ).to(dtype)


@pytest.fixture(scope="session")
def networks():
    return [convolutional(), transformer()]


@pytest.fixture
def make_network():
    return {"convolutional": convolutional, "transformer": transformer}
