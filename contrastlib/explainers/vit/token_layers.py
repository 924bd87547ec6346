"""The layers of a Transformer that have tokens of patches, for GradCAM of tokens."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

from contrastlib.autograd import ForwardPass
from contrastlib.explainers.vit.forward_pass import TokensPass
from contrastlib.explainers.vit.tokens import Patches


def check_pass(record: ForwardPass) -> None:
    """Raise an error unless a forward pass recorded the tokens of a Transformer.

    Args:
        record: The forward pass.

    Raises:
        ValueError: It is none of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
    """
    if not isinstance(record, TokensPass):
        raise ValueError("this pass recorded no attention: make it with vit_forward(model, images)")


def token_layer(record: TokensPass, layer: str | None = None) -> str:
    """Return the name of a layer with tokens.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        layer: The name to check. If None, the default layer is meant.

    Returns:
        The name.

    Raises:
        ValueError: There is no such layer, its output is not tokens, or the record is not one of
            ``vit_forward``.
    """
    check_pass(record)
    layers = [name for name in record.activations if not name.startswith("attention.")]
    layer = layer or _default_layer(record)
    if layer not in layers:
        raise ValueError(f"this Transformer has no layer {layer!r}; choose one of {', '.join(layers)}")
    if record.activations[layer].ndim not in (3, 4):
        raise ValueError(
            f"layer {layer!r} gives {tuple(record.activations[layer].shape)}, not tokens (B, T, D): "
            "choose another"
        )
    return layer


def _default_layer(record: TokensPass) -> str:
    last, windows = record.depth - 1, any(f"norm.{i}" not in record.activations for i in range(record.depth))
    layer = f"block.{last}" if windows and len(record.reading.rows) > 1 else f"norm.{last}"
    if layer in record.activations:
        return layer
    before = [name for name in _block_layers(record) if name != f"block.{last}"]
    return before[-1] if before else layer


def _block_layers(record: TokensPass) -> list[str]:
    """Return the names of the tokens of each block that were recorded, in the order of the blocks."""
    names = (f"{kind}.{i}" for i in range(record.depth) for kind in ("norm", "block"))
    return [name for name in names if name in record.activations]


def another_layer(record: TokensPass, cotangent: Tensor) -> str:
    """Name the last layer most of whose tokens are patches that get a gradient, for messages of errors.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        cotangent: The cotangent w, (B, C) or (N, B, C).

    Returns:
        The end of a sentence. Empty if there is none.
    """
    for name in reversed(_block_layers(record)):
        with suppress(ValueError):  # it cannot be told which tokens are patches
            patches, tokens, gradients = tokens_of(record, name, cotangent)
            most = 2 * patches.height * patches.width > tokens.shape[1]
            if most and gradients[..., patches.tokens, :].any():
                return f', or name another layer, such as layer="{name}"'
    return ""


def tokens_of(record: TokensPass, layer: str, cotangent: Tensor) -> tuple[Patches, Tensor, Tensor]:
    """Return the patches of a layer, its tokens and their gradients.

    Args:
        record: A record of :func:`~contrastlib.explainers.vit.forward_pass.vit_forward`.
        layer: The name of a layer.
        cotangent: The cotangent w, (B, C) or (N, B, C).

    Returns:
        The patches, tokens (B, T, D), and gradients (B, T, D) or (N, B, T, D).

    Raises:
        ValueError: It cannot be told which tokens are patches.
    """
    activations, gradients = record.activations[layer], record.pull_back(cotangent)[layer]
    if activations.ndim == 3:
        return record.patches(activations.shape[1]), activations, gradients
    patches = Patches(0, *_grid(layer, activations, record.size))
    return patches, activations.flatten(1, 2), gradients.flatten(-3, -2)


def _grid(layer: str, tokens: Tensor, size: torch.Size) -> tuple[int, int]:
    """Return the height and width of tokens (B, h, w, D), which have the proportions of the images."""
    height, width = tokens.shape[1:3]
    if abs(height * size[1] - width * size[0]) > max(size):
        raise ValueError(
            f"layer {layer!r} gives {tuple(tokens.shape)}, which is not (B, h, w, D) for images of "
            f'{size[0]} x {size[1]}: if it is (B, channels, h, w), use method="gradcam" with this layer'
        )
    return height, width
