"""Classifiers of torchvision, with its own weights, which are downloaded if need be, or fine-tuned."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torchvision
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.transforms import InterpolationMode

from contrastlib import assets
from contrastlib.autograd import last_convolution
from contrastlib.models.classifier import Classifier
from contrastlib.models.pretrained import load_weights

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
    "swin": "permute",
    "maxvit": "blocks.3",
}
"""Beginning of a network's name -> its last layer with spatial positions, or None if it has no such layer.

Other networks (AlexNet, VGG) have their last convolution as default layer, as in wang2022 and eriksson2025:
``features[40]`` of vgg16_bn."""

PRETRAINED = {"googlenet": {"aux_logits": False, "transform_input": True, "init_weights": False}}
"""Name of a network -> arguments with which torchvision builds it for its pretrained weights."""


def names() -> list[str]:
    """Return the names of all classifiers of torchvision, with the prefix.

    Returns:
        The names.

    >>> "torchvision/vgg16_bn" in names()
    True
    """
    return [PREFIX + name for name in torchvision.models.list_models(module=torchvision.models)]


def load(name: str) -> Classifier:
    """Load a classifier of torchvision with its default weights.

    Args:
        name: A name with the prefix, such as "torchvision/vgg16_bn".

    Returns:
        The classifier, in evaluation mode.

    Raises:
        ValueError: torchvision has no such classifier; the message has the most similar names.
        DataError: The weights are corrupt, or they are not in PyTorch's cache and cannot be downloaded.
    """
    weights, path = _weights(name), fetch(name)
    preset = weights.transforms()
    network = torchvision.models.get_model(name.removeprefix(PREFIX), weights=weights)
    return Classifier(
        network, name=name, class_names=weights.meta["categories"], layer=_layer(name, network),
        input_size=preset.crop_size[0], resize=preset.resize_size[0], interpolation=preset.interpolation,
        mean=preset.mean, std=preset.std, checksum=assets.sha256(path),
    )  # fmt: skip


def load_finetuned(name: str) -> Classifier:
    """Load a classifier that ``python -m contrastlib finetune`` trained.

    Args:
        name: The name of a classifier of torchvision, a slash and the name of a data set: "vgg16_bn/cub200".

    Returns:
        The classifier, in evaluation mode.

    Raises:
        ValueError: torchvision has no such classifier, or there is no such data set.
        DataError: The weights are missing or corrupt.
    """
    architecture, _, dataset = name.partition("/")
    sets = [name for name, images in assets.datasets().items() if images.folder]
    if PREFIX + architecture not in names() or dataset not in sets:
        known = [f"{network.removeprefix(PREFIX)}/{images}" for network in names() for images in sets]
        raise assets.unknown("network", name, [*names(), *known])
    path = assets.root() / "finetuned" / f"{name}.safetensors"
    for part in (path, path.with_suffix(".json")):
        sys.audit("contrastlib.file", part)  # the notebook depends on it; see contrastlib.report.staleness
        if not part.is_file():
            raise assets.MissingFile(
                f"{part}, of the network {name}, is not there. Make it with "
                f"`python -m contrastlib finetune {architecture} {dataset}` (hours on a GPU).")
    card = finetuned_card(path.with_suffix(".json"))
    network = torchvision.models.get_model(architecture, weights=None, **PRETRAINED.get(architecture, {}))
    replace_head(network, len(card["class_names"]))
    load_weights(network, path)
    return Classifier(
        network, name=name, class_names=card["class_names"], layer=_layer(PREFIX + architecture, network),
        input_size=card["recipe"]["size"], resize=card["resize"],
        interpolation=InterpolationMode(card["interpolation"]), checksum=assets.sha256(path),
    )  # fmt: skip


def finetuned_card(path: Path) -> dict:
    """Read the card beside the weights that ``python -m contrastlib finetune`` made.

    Args:
        path: The JSON file.

    Returns:
        The card: classes, recipe, preprocessing, scores.

    Raises:
        CorruptFile: The file cannot be read, or lacks a field.
    """
    remedy = "delete it with the weights beside it, and fine-tune again"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        lacking = {"class_names", "recipe", "resize", "interpolation", "test"} - card.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise assets.CorruptFile(f"{path} is damaged ({error}): {remedy}") from error
    if lacking:
        raise assets.CorruptFile(f"{path} is damaged, it lacks {', '.join(sorted(lacking))}: {remedy}")
    return card


def replace_head(network: nn.Module, classes: int) -> None:
    """Replace the last layer of a network by a new one for another number of classes.

    Args:
        network: The network, which is changed in place.
        classes: The number of classes, C.

    >>> network = torchvision.models.squeezenet1_1()
    >>> replace_head(network, 7)
    >>> network(torch.rand(1, 3, 64, 64)).shape
    torch.Size([1, 7])
    """
    path, head = [(path, module) for path, module in network.named_modules()
                  if isinstance(module, (nn.Linear, nn.Conv2d))][-1]
    bias = head.bias is not None
    if isinstance(head, nn.Linear):
        fresh = nn.Linear(head.in_features, classes, bias)
    else:
        fresh = nn.Conv2d(head.in_channels, classes, head.kernel_size, bias=bias)
    network.set_submodule(path, fresh)


def fetch(name: str) -> Path:
    """Return the file of a classifier's default weights in PyTorch's cache.

    The file is downloaded if it is missing.

    Args:
        name: A name with the prefix, such as "torchvision/vgg16_bn".

    Returns:
        The path of the file, whose checksum has been verified.

    Raises:
        ValueError: torchvision has no such classifier; the message has the most similar names.
        MissingFile: The download failed. What arrived is kept, and the next call resumes the download.
        CorruptFile: The file does not have the checksum that is part of its name.
    """
    url, path = _weights(name).url, checkpoint(name)
    beginning = path.stem.rpartition("-")[2]  # torchvision's names end with the beginning of the SHA-256
    if not path.exists():
        from contrastlib.assets.download import download  # requests and pooch are slow to import

        download(url, path, f"sha256:{beginning}")
    if not assets.sha256(path).startswith(beginning):
        raise assets.CorruptFile(f"{path} does not have the checksum {beginning}… that its name says. "
                                 "Delete it, and it is downloaded anew.")
    return path


def checkpoint(name: str) -> Path:
    """Where the file of a classifier's default weights lies in torch's cache, once it has been downloaded.

    Raises:
        ValueError: torchvision has no such classifier.

    >>> checkpoint("torchvision/resnet50").name
    'resnet50-11ad3fa6.pth'
    """
    return Path(torch.hub.get_dir(), "checkpoints", _weights(name).url.rpartition("/")[2])


def _weights(name: str) -> WeightsEnum:
    if name not in names():
        raise assets.unknown("network", name, names())
    return torchvision.models.get_model_weights(name.removeprefix(PREFIX)).DEFAULT


def _layer(name: str, network: torch.nn.Module) -> str | None:
    """Return the name of the default layer within a :class:`Classifier`."""
    for beginning, layer in LAYERS.items():
        if name.removeprefix(PREFIX).startswith(beginning):
            return layer and f"network.{layer}"
    return f"network.{last_convolution(network)}"
