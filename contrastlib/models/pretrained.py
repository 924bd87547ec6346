"""Networks of the registry: built with random weights, or loaded with their trained weights."""

from __future__ import annotations

import sys
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from contrastlib import assets
from contrastlib.models.classifier import Classifier


def build(name: str, num_classes: int) -> nn.Module:
    """Build a network of the registry with random weights, from PyTorch's global random state.

    Args:
        name: A name in the registry.
        num_classes: The number of classes, C.

    Returns:
        The network. It maps normalised images to logits (B, C).

    Raises:
        ValueError: The registry has no such network, and the message has the most similar names; or there is
            no class.

    >>> sum(weights.numel() for weights in build("birds_resnet", 30).parameters())
    342486
    """
    record = assets.network(name)
    if record is None:
        raise assets.unknown("network", name, assets.networks())
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(
            f"num_classes is {num_classes!r}: a network has a whole number of classes, 1 or more"
        )
    return _built(record, num_classes)


def load(network: assets.Network) -> Classifier:
    """Load the network of an entry of the registry, with its weights.

    Args:
        network: The entry.

    Returns:
        The classifier, in evaluation mode.

    Raises:
        DataError: A file of the network is missing or corrupt.
        ValueError: The entry names a Python object that does not exist.
    """
    if network.training:
        path, card = assets.trained(network.name)
        checksum = card["sha256"]
    else:
        file = next(iter(network.files.values()))
        path, checksum = assets.path(file.name), file.sha256
    names = class_names(network)
    module = _built(network, len(names))
    fill(module, read_weights(path, network.renamed_by), path)
    return Classifier(
        module, name=network.name, class_names=names, layer=network.layer and f"network.{network.layer}",
        input_size=network.input_size, resize=network.resize,
        interpolation=InterpolationMode(network.interpolation), mean=network.mean, std=network.std,
        checksum=checksum,
    )  # fmt: skip


def class_names(network: assets.Network) -> list[str]:
    """Return the names of the classes of a network.

    Args:
        network: The entry of the registry.

    Returns:
        The C names, in the order of the logits.

    Raises:
        DataError: The file with the names is missing or corrupt.

    >>> class_names(assets.networks()["cifar10_resnet20"])[:3]
    ['airplane', 'automobile', 'bird']
    """
    names = network.classes.names
    if names in network.files:
        return assets.path(names).read_text(encoding="utf-8").splitlines()
    return network.classes.listed()


def load_weights(network: nn.Module, path: Path) -> None:
    """Copy the parameters in a safetensors file into a network, in the precision of the network.

    ``num_batches_tracked`` of batch norms can be missing, because evaluation does not use it.

    Args:
        network: The network.
        path: The file.

    Raises:
        CorruptFile: The file is not a safetensors file, or its names or shapes are not those of the network.
    """
    fill(network, read_weights(path), path)


def _built(network: assets.Network, num_classes: int) -> nn.Module:
    return assets.imported(network.builder)(num_classes=num_classes, **network.arguments)


def read_weights(path: Path, renamed_by: str | None = None) -> dict[str, Tensor]:
    """Read a file of weights, which is a safetensors file unless its suffix is .pth or .pt.

    No code in the file is run.

    Args:
        path: The file.
        renamed_by: Import path of a function that renames the weights.

    Returns:
        Name -> tensor.

    Raises:
        CorruptFile: The file does not hold weights.
    """
    sys.audit("contrastlib.file", path)  # compiled code opens it; see contrastlib.report.notebooks.staleness
    try:
        if path.suffix in (".pth", ".pt"):
            state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            state = load_file(path)
        return assets.imported(renamed_by)(state) if renamed_by else state
    except Exception as error:  # torch raises many kinds, IndexError for one
        # torch recommends to run the code in the file
        why = "it holds something else than tensors" if isinstance(error, UnpicklingError) else error
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {why}") from error


def fill(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Copy parameters into a network.

    Args:
        network: The network.
        state: Name -> tensor.
        path: The file of the parameters, which errors name.

    Raises:
        CorruptFile: Parameters are missing or unexpected, or have another shape.
    """
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise assets.CorruptFile(f"{path} does not hold weights for this network: {error}") from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise assets.CorruptFile(
            f"{path} does not hold weights for this network: it lacks {missing[:3]}, "
            f"and has {unexpected[:3]} too many"
        )
