"""This project's own networks."""

from __future__ import annotations

from functools import partial

from benchmarks.families.record import CLASSES, Network
from contrastlib import models

FAMILIES = {
    "VGG": ("birds_vgg", 64),
    "AlexNet": ("birds_alexnet", 64),
    "ResNet": ("birds_resnet", 64),
    "ResNet for CIFAR": ("cifar10_resnet20", 32),
    "ViT": ("birds_vit", 112),
    "EfficientNet-Lite": ("efficientnet_lite0", 64),
    "MobileNet v2, padded as TensorFlow does": ("mobilenet_v2", 64),
}
"""Family -> name in the registry of networks, and size of the images in pixels."""
NETWORKS = [
    Network("contrastlib", family, name, partial(models.build, name, CLASSES), size)
    for family, (name, size) in FAMILIES.items()
]
