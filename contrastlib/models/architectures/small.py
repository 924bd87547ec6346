"""The small networks that the project trains itself, by name."""

from __future__ import annotations

from torch import nn

from contrastlib.models.architectures import small_vit
from contrastlib.models.architectures.small_cnn import SmallAlexNet, SmallResNet, SmallVGG

INPUT_SIZE = 128
NETWORKS = {
    "birds_vgg": SmallVGG, "birds_alexnet": SmallAlexNet, "birds_resnet": SmallResNet,
    "birds_vit": small_vit.birds_vit, "cifar10_vit": small_vit.cifar10_vit,
}  # fmt: skip
LAYERS = {"birds_vgg": "features.20", "birds_alexnet": "features.11", "birds_resnet": "layer3"}
"""The layer that maps are made from, the last one of 16 × 16, after its ReLU; Transformers have none."""


def input_size(name: str) -> int:
    """Side of a network's images, in pixels.

    >>> input_size("birds_vgg"), input_size("birds_vit")
    (128, 112)
    """
    return small_vit.SIZES.get(name, INPUT_SIZE)


def build(name: str, num_classes: int) -> nn.Module:
    """A network with fresh random weights, from torch's global random state.

    Raises:
        ValueError: a name that is not in ``NETWORKS``.

    >>> sum(weights.numel() for weights in build("birds_resnet", 30).parameters())
    342486
    """
    if name not in NETWORKS:
        raise ValueError(f"no small network is called {name!r}; the names are: {', '.join(NETWORKS)}")
    return NETWORKS[name](num_classes)
