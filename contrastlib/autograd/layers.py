"""Layers of a network by name: the one that is meant, and the default one for activation maps."""

from __future__ import annotations

import difflib
import re

from torch import nn


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The module of that name; ValueError with the nearest names when there is none."""
    modules = dict(model.named_modules(remove_duplicate=False))
    if name and name in modules:
        return modules[name]
    near = difflib.get_close_matches(name, modules, n=5, cutoff=0.3)
    raise ValueError(f"no layer {name!r} in {type(model).__name__}; nearest names: {', '.join(near) or 'none'}")


def default_layer(model: nn.Module) -> str:
    """Name of the layer that activation maps are made from: the network's own ``layer`` if it is a name, else its last convolution.

    A module, or anything else, that a network keeps under the attribute ``layer`` is no name and does not count.

    Raises:
        ValueError: the network names no layer, and :func:`last_convolution` finds none.

    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
    >>> default_layer(network)
    '0'
    >>> network.layer = "1"
    >>> default_layer(network)
    '1'
    """
    own = getattr(model, "layer", None)
    return own if isinstance(own, str) and own else last_convolution(model)


def last_convolution(model: nn.Module) -> str:
    """Name of the last 2-d convolution in definition order, the default layer of activation maps.

    Auxiliary heads, as GoogLeNet's ``aux1``, do not count: they run in training only.

    Raises:
        ValueError: the model has no convolution, or is a Transformer whose attention comes behind it.
    """
    modules = [(name, module) for name, module in model.named_modules() if not is_auxiliary(name)]
    convolutions = [place for place, (_, module) in enumerate(modules) if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise ValueError(
            f"{type(model).__name__} has no 2-d convolution to find a layer by: "
            "name one with layer=..., or use a method of the input space (gradient, input_x_gradient)"
        )
    last = convolutions[-1]
    if sum("Attention" in type(module).__name__ for _, module in modules[last + 1 :]) > 1:  # one may pool what is there
        raise ValueError(
            f"{type(model).__name__} is a Transformer, whose only convolutions come before its attention: use vit_gradcam "
            "for a VisionTransformer, name a layer whose output is (B, channels, h, w), such as layer=\"permute\" of "
            "torchvision's Swin, or use a method of the input space (gradient, input_x_gradient)"
        )
    return modules[last][0]


def is_auxiliary(name: str) -> bool:
    """Whether a module belongs to a head that runs in training only, by the names in use.

    >>> is_auxiliary("aux1.conv"), is_auxiliary("AuxLogits.fc"), is_auxiliary("auxnet.conv")
    (True, True, False)
    """
    return any(re.fullmatch(r"aux(_?logits|_?classifier|_?head)?\d*", part.lower()) for part in name.split("."))
