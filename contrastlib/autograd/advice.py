"""The layers of a network that have maps, for messages of errors.

Another forward pass, of one image, finds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from torch import Tensor, nn

from contrastlib.autograd.graph import below, carries_all, node_kind, path_between
from contrastlib.autograd.mixing import mixes_positions
from contrastlib.autograd.modes import WITHOUT_GRADIENTS, as_found
from contrastlib.autograd.outputs import read_logits
from contrastlib.autograd.running import gradients, run
from contrastlib.autograd.spatial_layers import LastConvolutions, is_grid

MOST_LISTED = 8  # layers in an error message


def refuse_default(model: nn.Module, images: Tensor, last: LastConvolutions) -> NoReturn:
    """Raise an error that says why a network has no default layer, and which layers it has instead.

    Args:
        model: The network.
        images: Images (B, K, H, W).
        last: What a forward pass of the network recorded.

    Raises:
        ValueError: Always.
    """
    kind, (height, width) = type(model).__name__, images.shape[-2:]
    if last.without_gradients:
        raise ValueError(f"the last convolutions of {kind} run {WITHOUT_GRADIENTS}")
    if last.mixed:
        why = f"{kind} mixes spatial positions after its last convolution, by attention or over tokens"
    elif any(isinstance(module, nn.Conv2d) for module in model.modules()):
        why = (
            f"none of the last 2-d convolutions of {kind} has more than one spatial position for images of "
            f"{height} x {width}"
        )
    else:
        why = f"{kind} has no 2-d convolution"
    raise ValueError(f"{why}, so there is no default layer: {_instead(model, images, last.mixed)}")


def layer_with_map(
    model: nn.Module, image: Tensor, cotangent: Tensor, cancels: Callable[[Tensor, Tensor], bool]
) -> str | None:
    """Return the last layer at which a map is not 0 up to rounding.

    Args:
        model: The network.
        image: An image (1, K, H, W).
        cotangent: A cotangent (1, C) of it.
        cancels: Tells for an activation (1, K, h, w) and its gradient whether the map is 0 there.

    Returns:
        The name, or None if there is none.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> layer_with_map(net, torch.rand(1, 3, 8, 8), torch.ones(1, 5), lambda a, g: not g.any())
    '1'
    """
    *grids, logits = _grids(model, image)
    layers = _with_maps(*grids, logits)
    if not layers:
        return None
    found = gradients([logits], list(layers.values()), cotangent.to(logits), retain_graph=True)
    named = reversed(list(zip(layers.items(), found)))
    return next((name for (name, output), g in named if not cancels(output.detach(), g)), None)


def _instead(model: nn.Module, images: Tensor, mixed: bool) -> str:
    """Say which layers have maps, and which methods need no layer."""
    grids, pixels, logits = _grids(model, images)
    layers = _with_maps(grids, pixels, logits)
    others = "a method of the pixels (gradient, input_x_gradient)"
    if layers:
        listed = ", ".join(f"{name} {tuple(output.shape[1:])}" for name, output in layers.items())
        best = next(reversed(layers))
        return f'name a layer, best layer="{best}"; these have maps: {listed}. Or use {others}'
    where = "after the mixing " if grids else ""
    if not mixed:
        return f"no layer {where}has spatial positions. Use {others}, or enlarge the images"
    attends = any(re.search("ScaledDotProduct|Softmax", node_kind(node)) for node in below(logits.grad_fn))
    tokens = "vit_gradcam, which explains tokens, or " if attends else ""
    return f"no layer {where}has spatial positions. Use {tokens}{others}"


def _with_maps(grids: dict[str, Tensor], pixels: Tensor, logits: Tensor) -> dict[str, Tensor]:
    """Return the layers with spatial positions whose maps show where something is.

    Such a layer has spatial positions, all that the logits get from the pixels passes through it, and no
    positions are mixed after it. So it is at the end of a block, and not in a branch or inside attention.
    """
    found: list[tuple[str, Tensor]] = []
    for name, output in reversed(grids.items()):
        path = path_between(logits, output)
        if not path or not carries_all(logits, output, [pixels]):
            continue
        if len(found) == MOST_LISTED or mixes_positions(path, output):
            break
        found.append((name, output))
    return dict(reversed(found))


def _grids(model: nn.Module, images: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Run a model on one image, and return the layers with spatial positions, the pixels and the logits.

    Layers are given as name -> output (1, K, h, w), with its graph, in the order of the forward pass. Of
    several names of one tensor the shortest is given. Modules that run more than once are left out.
    """
    found: dict[str, Tensor] = {}
    ran: set[str] = set()
    repeated: set[str] = set()

    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            (repeated if name in ran else ran).add(name)
            if not is_grid(output, images.shape[-2:]) or output.shape[1] == 1 or len(output) != 1:
                return
            if not output.requires_grad:  # a table of positions, which does not depend on the images
                return
            before = next(reversed(found), None)
            if before is not None and found[before] is output:
                del found[before]
            found[min(before, name, key=len) if before and before not in found else name] = output

        return hook

    handles = [module.register_forward_hook(hook_for(name)) for name, module in model.named_modules() if name]
    pixels = images[:1].detach().clone().requires_grad_()
    try:
        with as_found(model):
            logits = read_logits(run(model, pixels.clone()), batch=1)
    finally:
        for handle in handles:
            handle.remove()
    return {name: output for name, output in found.items() if name not in repeated}, pixels, logits
