"""The forward pass of a Vision Transformer, with its attention and its blocks recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import VisionTransformer

from contrastlib.autograd import ForwardPass, as_found, check_images, read_logits, recording


def vit_forward(model: nn.Module, images: Tensor, once: bool = False) -> ForwardPass:
    """Run a Vision Transformer once and record the attention and the output of each block.

    For each block i the record has these activations, with T tokens of D features:

    =================  ========================================================  ================
    name               activations                                               shape
    =================  ========================================================  ================
    ``"norm.i"``       input of the block after its first layer norm             (B, T, D)
    ``"attention.i"``  A_i: the softmax of each head, whose rows sum to 1        (B, heads, T, T)
    ``"block.i"``      output of the block                                       (B, T, D)
    =================  ========================================================  ================

    Token 0 is the class token; the logits are computed from its output alone. The other tokens are the
    patches, row by row. The attention of ViT-B/16 takes 22 MB for each image in float32. A backward pass
    needs as much again for each cotangent.

    Args:
        model: A ``VisionTransformer``, or a model that contains one and returns its logits. It runs in
            evaluation mode, without dropout, and its state is restored afterwards.
        images: Images (B, K, H, W), with H = W = the image size of the network.
        once: Whether only one cotangent will be propagated, as in
            :func:`contrastlib.autograd.forward_pass.forward`.

    Returns:
        The recorded forward pass.

    Raises:
        TypeError: The model does not contain exactly one ``VisionTransformer``, or the images have a wrong
            type.
        ValueError: The images or the logits have a wrong shape or wrong values.

    >>> import torch
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> list(record.activations)
    ['norm.0', 'attention.0', 'block.0', 'norm.1', 'attention.1', 'block.1']
    >>> record.activations["attention.1"].shape
    torch.Size([3, 2, 17, 17])
    """
    check_images(model, images)
    transformer = _transformer(model)
    if images.shape[-2:] != (transformer.image_size,) * 2:
        height, width = images.shape[-2:]
        size = transformer.image_size
        raise ValueError(f"images are {height} x {width}: this network takes images of {size} x {size}")
    blocks = list(transformer.encoder.layers)
    modules = {f"norm.{i}": block.ln_1 for i, block in enumerate(blocks)}
    modules |= {f"block.{i}": block for i, block in enumerate(blocks)}
    recorded: dict[str, Tensor] = {}
    attentions = {f"attention.{i}": block.self_attention for i, block in enumerate(blocks)}
    hooked, replaced = recording(modules, recorded), _recording_attention(attentions, recorded)
    with as_found(model), hooked, replaced:
        logits = read_logits(model(images.detach().clone()), len(images))
    return ForwardPass(model, logits, recorded, images.shape[-2:], once)


def is_transformer(model: nn.Module) -> bool:
    """Tell whether a model is, or contains, exactly one ``VisionTransformer``.

    Args:
        model: The model.

    Returns:
        Whether :func:`vit_forward` takes this model.

    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> is_transformer(nn.Sequential(net))
    True
    """
    return len(_transformers(model)) == 1


def _transformers(model: nn.Module) -> list[VisionTransformer]:
    return [module for module in model.modules() if isinstance(module, VisionTransformer)]


def _transformer(model: nn.Module) -> VisionTransformer:
    found = _transformers(model)
    if len(found) != 1:
        raise TypeError(
            f"{type(model).__name__} contains {len(found)} of torchvision's VisionTransformer, not one: "
            "use gradcam if its layers have spatial positions, otherwise a method of the input space "
            "(gradient, input_x_gradient)"
        )
    return found[0]


@contextmanager
def _recording_attention(
    modules: Mapping[str, nn.MultiheadAttention], recorded: dict[str, Tensor]
) -> Iterator[None]:
    """Compute self-attention as a matrix inside this context and record it.

    PyTorch's own code uses a fused kernel, which never has the matrix.
    """
    own = [vars(module).get("forward") for module in modules.values()]
    try:
        for name, module in modules.items():
            module.forward = partial(_attend, module, name, recorded)
        yield
    finally:
        for module, forward in zip(modules.values(), own):
            vars(module).pop("forward", None)
            if forward is not None:
                module.forward = forward


def _attend(
    module: nn.MultiheadAttention, name: str, recorded: dict[str, Tensor], tokens: Tensor, *_: Any, **__: Any
) -> tuple[Tensor, None]:
    """Compute ``module.forward(tokens, tokens, tokens)`` of evaluation mode, and record the attention."""
    projected = functional.linear(tokens, module.in_proj_weight, module.in_proj_bias)
    query, key, value = projected.unflatten(-1, (3, module.num_heads, -1)).permute(2, 0, 3, 1, 4)
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
    attention = recorded[name] = scores.softmax(dim=-1)
    return module.out_proj((attention @ value).transpose(1, 2).flatten(2)), None
