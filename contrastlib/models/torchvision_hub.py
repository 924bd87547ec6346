"""Classifiers of torchvision, with its own weights, which are downloaded if need be, or fine-tuned."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import WeightsEnum
from torchvision.transforms import InterpolationMode

from contrastlib import assets
from contrastlib.autograd import last_convolution
from contrastlib.models.classifier import Classifier
from contrastlib.models.pretrained import fill, load_weights, read_weights

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

PRETRAINED = {
    "googlenet": {"aux_logits": False, "transform_input": True, "init_weights": False},
    "inception": {"aux_logits": True, "transform_input": True, "init_weights": False},
    "vgg": {"init_weights": False},
}
"""Beginning of a network's name -> arguments with which torchvision builds it for its pretrained weights."""

CHECKSUMS = {
    "alexnet-owt-7be5be79.pth": "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "googlenet-1378be20.pth": "1378be20a8e875cf1568b8a71654e704449655e34711a959a38b04fb34905cef",
    "mobilenet_v3_small-047dcff4.pth": "047dcff4addef86ea5bc2eff13c9614dc11f47ab1160d0a71a25e7db994f4e1f",
    "resnet18-f37072fd.pth": "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    "resnet50-11ad3fa6.pth": "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
    "vgg16-397923af.pth": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "vgg16_bn-6c64b313.pth": "6c64b3138f2f4fcb3bcc4cafde11619c4f440eb1631787e93a682fd88305888a",
    "vit_b_16-c867db91.pth": "c867db91d3e12c6cbadabb610d73c24a546bf82d8c03a9fea34f43a712ddb0e9",
}
"""File of weights -> its SHA-256. Of other files, only the digits in their name are known."""


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
    weights, (network, checksum) = _weights(name), pretrained(name)
    preset = weights.transforms()
    return Classifier(
        network, name=name, class_names=weights.meta["categories"], layer=_layer(name, network),
        input_size=preset.crop_size[0], resize=preset.resize_size[0], interpolation=preset.interpolation,
        mean=preset.mean, std=preset.std, checksum=checksum,
    )  # fmt: skip


def pretrained(name: str) -> tuple[nn.Module, str]:
    """Return a network of torchvision with its default weights, and the SHA-256 of their file.

    The file is read without running code in it, as torchvision's own loader would.

    Args:
        name: A name with the prefix, such as "torchvision/vgg16_bn".

    Returns:
        The network, which maps normalised images to logits (B, C), and the checksum.

    Raises:
        ValueError: torchvision has no such classifier; the message has the most similar names.
        DataError: The weights are corrupt, or they are not in PyTorch's cache and cannot be downloaded.
    """
    weights, path = _weights(name), fetch(name)
    architecture = name.removeprefix(PREFIX)
    network = _built(architecture, num_classes=len(weights.meta["categories"]))
    fill(network, _named_as_built(architecture, read_weights(path)), path)
    return network, assets.sha256(path)


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
        sys.audit("contrastlib.file", part)  # a dependency; see contrastlib.report.notebooks.staleness
        if not part.is_file():
            raise assets.MissingFile(
                f"{part}, of the network {name}, is not there. Make it with "
                f"`python -m contrastlib finetune {architecture} {dataset}` (hours on a GPU)."
            )
    card = assets.read_card(path.with_suffix(".json"), ("class_names", "recipe", "resize", "interpolation"))
    _check(path, card)
    network = _built(architecture)
    replace_head(network, len(card["class_names"]))
    load_weights(network, path)
    return Classifier(
        network, name=name, class_names=card["class_names"], layer=_layer(PREFIX + architecture, network),
        input_size=card["recipe"]["size"], resize=card["resize"],
        interpolation=InterpolationMode(card["interpolation"]), checksum=card["sha256"],
    )  # fmt: skip


def _check(path: Path, card: dict) -> None:
    """Compare fine-tuned weights with their card."""
    found, again = assets.sha256(path), "delete both files and run `python -m contrastlib finetune` again"
    if "sha256" not in card:
        raise assets.CorruptFile(
            f"{path.with_suffix('.json')} does not have the SHA-256 of the weights beside it: if you know "
            f'that they are whole, add "sha256": "{found}"; otherwise {again}.'
        )
    if found != card["sha256"]:
        raise assets.CorruptFile(
            f"{path} has another content: its SHA-256 is not that of its card. Restore both files from a "
            f"copy, or {again}."
        )


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
    path, head = [
        (path, module)
        for path, module in network.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
    ][-1]
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
        CorruptFile: The file does not have the checksum of ``CHECKSUMS``, or the one that is part of its
            name.
    """
    url, path = _weights(name).url, checkpoint(name)
    beginning = path.stem.rpartition("-")[2]  # torchvision's names end with the beginning of the SHA-256
    if not path.exists():
        from contrastlib.assets.download import download  # requests is slow to import

        download(url, path, f"sha256:{CHECKSUMS.get(path.name, beginning)}")
    expected = CHECKSUMS.get(path.name, beginning)
    if not assets.sha256(path).startswith(expected):
        shown = expected + "…" * (expected == beginning)
        raise assets.CorruptFile(
            f"{path} does not have the checksum {shown}. Delete it, and it is downloaded anew."
        )
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


def _built(architecture: str, **options: int) -> nn.Module:
    """Build a network as torchvision does for its pretrained weights, with random weights."""
    own = next((given for beginning, given in PRETRAINED.items() if architecture.startswith(beginning)), {})
    return torchvision.models.get_model(architecture, weights=None, **own, **options)


def _named_as_built(architecture: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename or remove weights as torchvision does: old names in DenseNets, extra heads of GoogLeNet."""
    if architecture.startswith("densenet"):
        return {
            re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key): value
            for key, value in state.items()
        }
    if architecture == "googlenet":
        return {key: value for key, value in state.items() if not key.startswith(("aux1.", "aux2."))}
    return state
