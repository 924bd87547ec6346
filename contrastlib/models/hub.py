"""Torchvision's own classifiers with torchvision's own weights, downloaded where there is a network."""

from __future__ import annotations

from pathlib import Path

import torch
import torchvision
from torchvision.models import WeightsEnum

from contrastlib import files
from contrastlib.forward import last_convolution
from contrastlib.models.classifier import Classifier

PREFIX = "torchvision/"

LAYERS = {
    "resnet": "layer4",
    "wide_resnet": "layer4",
    "resnext": "layer4",
    "regnet": "trunk_output",
    "densenet": "features",
    "squeezenet": "features.12",
    "mobilenet": "features",
    "efficientnet": "features",
    "convnext": "features",
    "inception": "Mixed_7c",
    "googlenet": "inception5b",
    "mnasnet": "layers",
    "shufflenet": "conv5",
    "vit": None,
    "swin": None,
    "maxvit": None,
}
"""The last feature map by the beginning of a network's name, None for transformers. Any other network
(AlexNet, VGG) has its last convolution, as in wang2022 and eriksson2025: ``features[40]`` of vgg16_bn."""


def names() -> list[str]:
    """Names of all classifiers of torchvision, with the prefix.

    >>> "torchvision/vgg16_bn" in names()
    True
    """
    return [PREFIX + name for name in torchvision.models.list_models(module=torchvision.models)]


def load(name: str) -> Classifier:
    """A classifier of torchvision with its default weights, such as ``"torchvision/vgg16_bn"``.

    Raises:
        ValueError: torchvision has no such classifier.
        DataError: its weights are neither in torch's cache nor to be had, or are corrupt.
    """
    weights, path = _weights(name), fetch(name)
    preset = weights.transforms()
    network = torchvision.models.get_model(name.removeprefix(PREFIX), weights=weights)
    return Classifier(network, name=name, class_names=weights.meta["categories"], layer=_layer(name, network),
                      input_size=preset.crop_size[0], resize=preset.resize_size[0],
                      interpolation=preset.interpolation, mean=preset.mean, std=preset.std,
                      checksum=files.sha256(path))


def fetch(name: str) -> Path:
    """The file of a classifier's default weights in torch's cache, downloaded if need be, and checked."""
    weights = _weights(name)
    path = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
    if not path.exists():
        _download(name, weights, path)
    beginning = path.stem.rpartition("-")[2]  # torchvision's files carry the beginning of their SHA-256
    if not files.sha256(path).startswith(beginning):
        raise files.CorruptFile(f"{path} does not have the checksum {beginning}… that its name says. "
                                "Delete it, and it is downloaded anew.")
    return path


def _download(name: str, weights: WeightsEnum, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beginning = path.stem.rpartition("-")[2]
    try:
        torch.hub.download_url_to_file(weights.url, str(path), hash_prefix=beginning)
    except OSError as error:
        raise files.MissingFile(f"the weights of {name} could not be downloaded: {error}. "
                                f"Put {weights.url} at {path}.") from error
    except RuntimeError as error:  # torch's word for a wrong checksum
        raise files.CorruptFile(f"{weights.url} serves another content than it says: {error}") from error


def _weights(name: str) -> WeightsEnum:
    if name not in names():
        raise files.unknown("network", name, names())
    return torchvision.models.get_model_weights(name.removeprefix(PREFIX)).DEFAULT


def _layer(name: str, network: torch.nn.Module) -> str | None:
    for beginning, layer in LAYERS.items():
        if name.removeprefix(PREFIX).startswith(beginning):
            return layer and f"network.{layer}"
    return f"network.{last_convolution(network)}"
