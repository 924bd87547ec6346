"""Networks by name: ``models.load("squeezenet1_1")``.

``contrastlib/assets/networks.yaml`` has an entry for each network of the registry.

- :mod:`~contrastlib.models.classifier`: a classifier with its class names, preprocessing and default layer
- :mod:`~contrastlib.models.pretrained`: the networks of the registry
- :mod:`~contrastlib.models.torchvision_hub`: the classifiers of torchvision
- :mod:`~contrastlib.models.class_names`: the class that a user means
- :mod:`~contrastlib.models.architectures`: architectures without weights
"""

from __future__ import annotations

import contextlib

from torch import nn

from contrastlib import assets
from contrastlib.autograd import last_convolution
from contrastlib.models import pretrained, torchvision_hub
from contrastlib.models.classifier import Classifier
from contrastlib.models.pretrained import build

__all__ = ["MODELS", "PREFERRED", "Classifier", "as_classifier", "build", "instead", "knows", "load", "title"]

MODELS = assets.networks()
"""Name -> record of each network of the registry. Networks of torchvision are not listed here."""

PREFERRED = assets.preferred_networks()
"""Names of the networks for any photographs. The first one whose weights are available is the default."""


def load(name: str) -> Classifier:
    """Load a trained classifier, in evaluation mode.

    Args:
        name: A name in ``MODELS``, for networks that the project trains also with another seed of training,
            such as "birds_vgg-seed1"; "torchvision/" and the name of a classifier of torchvision, such as
            "torchvision/vgg16_bn"; or the name of a classifier of torchvision and of the data set that it was
            fine-tuned on, such as "vgg16_bn/cub200".

    Returns:
        The classifier.

    Raises:
        TypeError: The name is not text.
        ValueError: The name is unknown; the message has the most similar names.
        DataError: The weights are missing or corrupt.

    >>> from contrastlib import assets
    >>> if assets.available("cifar10_resnet20.safetensors"):
    ...     network = load("cifar10_resnet20")
    """
    if not isinstance(name, str):
        raise TypeError(
            f"a network is loaded by its name, got {name!r} of type {type(name).__name__}: "
            "give text, such as 'efficientnet_lite0'"
        )
    if name.startswith(torchvision_hub.PREFIX):
        return torchvision_hub.load(name)
    if "/" in name:
        return torchvision_hub.load_finetuned(name)
    record = assets.network(name)
    if record is None:
        raise assets.unknown("network", name, [*MODELS, *torchvision_hub.names()])
    return pretrained.load(record)


def as_classifier(network: str | Classifier) -> Classifier:
    """Return a classifier for its name, or a classifier itself.

    Args:
        network: A name that :func:`load` takes, or a classifier.

    Raises:
        TypeError: It is something else. For a plain module, the message has the line that wraps it.
        ValueError: The name is unknown.
        DataError: The weights are missing or corrupt.

    >>> as_classifier("birds_vgg").name
    'birds_vgg'
    """
    if isinstance(network, Classifier):
        return network
    if isinstance(network, nn.Module):
        raise TypeError(
            f"a {type(network).__name__} has no class names and no preprocessing: wrap it, as in "
            f"{_wrapped(network)}"
        )
    return load(network)


def _wrapped(network: nn.Module) -> str:
    """The code that makes a classifier of a network, whose classes and layer are guessed from its modules."""
    layer = None
    with contextlib.suppress(ValueError):  # a Transformer, or a network without convolutions
        layer = f"network.{last_convolution(network)}"
    linear = [module.out_features for module in network.modules() if isinstance(module, nn.Linear)] or [1000]
    return (
        f"contrastlib.models.Classifier(network, name='own', class_names=[f'class {{i}}' for i in "
        f"range({linear[-1]})], layer={layer!r}, input_size=224, checksum='none')"
    )


def title(name: str) -> str:
    """Return the name of a network for pages, menus and figures.

    Args:
        name: A name that :func:`load` takes.

    Returns:
        The title in the registry, or the name itself if the registry does not have it.

    >>> title("birds_vgg"), title("torchvision/vgg16_bn")
    ('small VGG', 'torchvision/vgg16_bn')
    """
    record = assets.network(name)
    return record.title if record else name


def knows(network: Classifier) -> str:
    """Return what a network knows, in two sentences: its classes, and the set that the project trained it on.

    >>> knows(load("birds_vgg")).split("; ")[0]
    'small VGG knows the 30 species that contrastlib draws itself and nothing else'
    """
    record = assets.network(network.name)
    classes = record.classes.what if record else f"the {len(network.class_names)} classes of its weights"
    trained = assets.datasets()[record.training.images].title if record and record.training else None
    learned = f"; it learned them from {trained}" if trained else ""
    sentence = f"{title(network.name)} knows {classes} and nothing else{learned}."
    return f"{sentence} It names one of these, whatever the picture shows."


def instead(name: str) -> str | None:
    """Return a network for photographs that is on this machine, for one that cannot be loaded, or None.

    Torchvision's network of the same name comes first, then those of ``PREFERRED``.
    """
    theirs = torchvision_hub.PREFIX + name
    if theirs in torchvision_hub.names() and torchvision_hub.checkpoint(theirs).is_file():
        return theirs
    here = (each for each in PREFERRED if each != name and all(map(assets.available, MODELS[each].files)))
    return next(here, None)
