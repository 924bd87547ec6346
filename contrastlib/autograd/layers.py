"""Layers of a network: a layer by its name, and the default layer of activation maps."""

from __future__ import annotations

import difflib
import re

import torch
from torch import nn

WRAPPERS = {"_orig_mod", "module"}
"""Names under which ``torch.compile`` and data-parallel wrappers hold the network that they wrap."""


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the layer of that name.

    Wrappers such as ``torch.compile`` and ``DataParallel`` put ``_orig_mod`` or ``module`` into names. The
    name without them is understood as well.

    Args:
        model: The network.
        name: A name of ``model.named_modules()``, or that name without its wrappers.

    Returns:
        The module.

    Raises:
        ValueError: No layer has that name; the message has the most similar names. Or the layer is part of a
            compiled TorchScript module.

    >>> find_layer(nn.Sequential(nn.Linear(2, 3)), "0")
    Linear(in_features=2, out_features=3, bias=True)
    """
    check_visible(model)
    modules = dict(model.named_modules(remove_duplicate=False))
    plain = {} if name in modules else {_without_wrappers(each): each for each in modules}
    full = name if name in modules else plain.get(name, "")
    if full:
        _check_visible_layer(model, full)
        return modules[full]
    near = difflib.get_close_matches(name, modules, n=5, cutoff=0.3)
    raise ValueError(
        f"no layer {name!r} in {type(model).__name__}; nearest names: {', '.join(near) or 'none'}"
    )


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def check_visible(model: nn.Module) -> None:
    """Raise an error if the layers and functions of a network are hidden, because it is a compiled program.

    Args:
        model: The network.

    Raises:
        ValueError: It is a TorchScript module or an exported program. Neither calls hooks.

    >>> check_visible(nn.Linear(2, 3))
    """
    exported = isinstance(model, torch.fx.GraphModule) and "eval" in vars(model)  # it cannot be called
    if exported or isinstance(model, torch.jit.ScriptModule):
        kind = "exported program" if exported else "TorchScript module"
        raise ValueError(
            f"the network is a {kind}, whose layers and functions are hidden: explain the module that it was "
            "made from, or use gradient, input_x_gradient, integrated_gradients or guided_backpropagation"
        )


def _check_visible_layer(model: nn.Module, name: str) -> None:
    """Raise an error if a layer is part of a TorchScript module."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        if isinstance(model.get_submodule(".".join(parts[:end])), torch.jit.ScriptModule):
            raise ValueError(
                f"layer {name!r} is part of a TorchScript module, whose layers are hidden: explain the "
                "module that it was made from, or name another layer"
            )


def own_layer(model: nn.Module) -> str | None:
    """Return the name of the layer that a network names itself, in its attribute ``layer``.

    Args:
        model: The network.

    Returns:
        The name, or None if the attribute is no name.

    >>> own_layer(nn.Linear(2, 3)) is None
    True
    """
    own = getattr(model, "layer", None)
    return own if isinstance(own, str) and own else None


def last_convolution(model: nn.Module) -> str:
    """Return the name of the last 2-d convolution, in the order of definition.

    Auxiliary heads such as GoogLeNet's ``aux1`` do not count, because they run in training only.

    Args:
        model: The network.

    Returns:
        A name of ``model.named_modules()``.

    Raises:
        ValueError: The model has no 2-d convolution, or attention follows the last one (a Transformer).

    >>> last_convolution(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU()))
    '1'
    """
    modules = [(name, module) for name, module in model.named_modules() if not is_auxiliary(name)]
    convolutions = [index for index, (_, module) in enumerate(modules) if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise ValueError(
            f"{type(model).__name__} has no 2-d convolution, so there is no default layer: "
            "name one with layer=..., or use a method of the input space (gradient, input_x_gradient)"
        )
    last = convolutions[-1]
    attentions = sum("Attention" in type(module).__name__ for _, module in modules[last + 1 :])
    if attentions > 1:  # a single one can be the pooling of a convolutional network
        raise ValueError(
            f"{type(model).__name__} is a Transformer, whose only convolutions come before its attention: "
            "use vit_gradcam for a VisionTransformer, name a layer whose output is (B, channels, h, w), "
            'such as layer="permute" of torchvision\'s Swin, or use a method of the input space '
            "(gradient, input_x_gradient)"
        )
    return modules[last][0]


def is_auxiliary(name: str) -> bool:
    """Tell whether a module belongs to a head that runs in training only, by the usual names of such heads.

    Args:
        name: A name of ``model.named_modules()``.

    Returns:
        Whether a part of the name is such a name.

    >>> is_auxiliary("aux1.conv"), is_auxiliary("AuxLogits.fc"), is_auxiliary("auxnet.conv")
    (True, True, False)
    """
    auxiliary = r"aux(_?logits|_?classifier|_?head)?\d*"
    lower = name.lower()
    return "aux" in lower and any(re.fullmatch(auxiliary, part) for part in lower.split("."))
