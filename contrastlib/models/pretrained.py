"""Networks of the registry, built from their entries: fresh, or with their weights."""

from __future__ import annotations

import sys
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from contrastlib import assets
from contrastlib.models.classifier import Classifier


def build(name: str, num_classes: int) -> nn.Module:
    """A network of the registry with fresh random weights, from torch's global random state, without its normalisation.

    Raises:
        ValueError: the registry has no such network.

    >>> sum(weights.numel() for weights in build("birds_resnet", 30).parameters())
    342486
    """
    known = assets.networks()
    if name not in known:
        raise assets.unknown("network", name, known)
    return _built(known[name], num_classes)


def load(network: assets.Network) -> Classifier:
    """The network of an entry, with its weights.

    Raises:
        DataError: its files are missing or corrupt.
        ValueError: an import path of the entry leads nowhere.
    """
    if network.training:
        path, card = assets.trained(network.name)
        checksum = card["sha256"]
    else:
        file = next(iter(network.files.values()))
        path, checksum = assets.path(file.name), file.sha256
    names = class_names(network)
    module = _built(network, len(names))
    _fill(module, _state(path, network.renamed_by), path)
    return Classifier(
        module, name=network.name, class_names=names, layer=network.layer and f"network.{network.layer}",
        input_size=network.input_size, resize=network.resize, interpolation=InterpolationMode(network.interpolation),
        mean=network.mean, std=network.std, checksum=checksum,
    )  # fmt: skip


def class_names(network: assets.Network) -> list[str]:
    """The names of a network's outputs.

    >>> class_names(assets.networks()["cifar10_resnet20"])[:3]
    ['airplane', 'automobile', 'bird']
    """
    names = network.classes.names
    if names in network.files:
        return assets.path(names).read_text(encoding="utf-8").splitlines()
    return network.classes.listed()


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network with the parameters of a safetensors file, converted to the network's precision.

    ``num_batches_tracked``, which evaluation does not use, may be absent.

    Raises:
        CorruptFile: it is no safetensors file, or its names or shapes are not the network's.
    """
    _fill(network, _state(path), path)


def _built(network: assets.Network, num_classes: int) -> nn.Module:
    return assets.imported(network.builder)(num_classes=num_classes, **network.arguments)


def _state(path: Path, renamed_by: str | None = None) -> dict[str, Tensor]:
    """What a file of weights holds: PyTorch's own form by the ending .pth or .pt, else safetensors."""
    sys.audit("contrastlib.file", path)  # safetensors opens it: see contrastlib.report.staleness
    try:
        if path.suffix in (".pth", ".pt"):
            state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            state = load_file(path)
        return assets.imported(renamed_by)(state) if renamed_by else state
    except (SafetensorError, RuntimeError, UnpicklingError, KeyError, ValueError) as error:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {error}") from error


def _fill(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {error}") from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: it lacks {missing[:3]}, "
                                 f"and has {unexpected[:3]} too many")
