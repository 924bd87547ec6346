"""The forward pass of a Vision Transformer, with its attention and its blocks recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from contrastlib.autograd import ForwardPass, as_found, check_images, find_layer, read_logits, run
from contrastlib.explainers.vit.attention import AttentionMode
from contrastlib.explainers.vit.blocks import Block, BlockFinder
from contrastlib.explainers.vit.tokens import Patches, Reading, find_patches, find_reading


class TokensPass(ForwardPass):
    """A recorded forward pass of a Transformer; :func:`vit_forward` makes one.

    Args:
        model: The network.
        logits: Logits (B, C) with their graph.
        size: Height and width (H, W) of the images.
        once: As in :class:`contrastlib.autograd.forward_pass.ForwardPass`.
        finder: The blocks and layers that were found.
        mode: The context in which the network ran.

    Attributes:
        depth: The number L of blocks.
        partial: Why no product of the attention of all blocks is defined, or "".
        reading: What the head reads of the tokens that leave the last block.
    """

    def __init__(
        self,
        model: nn.Module,
        logits: Tensor,
        size: torch.Size,
        once: bool,
        finder: BlockFinder,
        mode: AttentionMode,
    ) -> None:
        blocks = finder.blocks
        self.depth, self.partial = len(blocks), _partial(blocks)
        self._grids, self._joins = mode.grids, mode.joins
        activations = _activations(blocks, attention=not self.partial)
        activations |= {name: each.tensor for name, each in finder.layers.items() if each.unchanged}
        super().__init__(model, logits, activations, size, once)
        sequence_first = any(block.sequence_first for block in blocks)
        self._reordered = {name for name, a in activations.items() if sequence_first and a.ndim == 3}
        for name in self._reordered:
            self.activations[name] = self.activations[name].transpose(0, 1)
        self.reading: Reading = find_reading(logits, blocks[-1].output.tensor, sequence_first)

    def pull_back(self, cotangent: Tensor) -> dict[str, Tensor]:
        """Compute gradients as :meth:`contrastlib.autograd.forward_pass.ForwardPass.pull_back` does."""
        gradients = super().pull_back(cotangent)
        return gradients | {name: gradients[name].transpose(-3, -2) for name in self._reordered}

    def patches(self, count: int) -> Patches:
        """Find the patches among the T tokens of a layer.

        Args:
            count: The number of tokens, T.

        Returns:
            The patches, see :func:`contrastlib.explainers.vit.tokens.find_patches`.

        Raises:
            ValueError: They cannot be told.
        """
        return find_patches(count, self._grids, self._joins, self.size)


def vit_forward(
    model: nn.Module, images: Tensor, once: bool = False, layers: Sequence[str] = ()
) -> TokensPass:
    """Run a Vision Transformer once and record the attention and the output of each block.

    The network may be one of torchvision, of timm or of transformers, or one's own. Its attention is computed
    as a matrix also where the network asks for a fused kernel, see
    :class:`contrastlib.explainers.vit.attention.AttentionMode`. For each block i the record has these
    activations, with T tokens of D features:

    =================  ========================================================  ================
    name               activations                                               shape
    =================  ========================================================  ================
    ``"norm.i"``       the tokens that the attention of the block reads: the     (B, T, D)
                       output of its first layer norm
    ``"attention.i"``  A_i: the softmax of each head, whose rows sum to 1        (B, heads, T, T)
    ``"block.i"``      output of the block                                       (B, T, D)
    =================  ========================================================  ================

    In a block of class attention (CaiT) only the Q class tokens read, so that A_i is (B, heads, Q, T) and the
    output of the block is (B, Q, D). Networks that attend within windows (Swin) have ``"block.i"`` alone,
    (B, T, D) or (B, h, w, D). Attention that pools the tokens after the last block is part of the head.

    The tokens are the patches, row by row, and others before them: class, distillation and register tokens.
    How many there are, and which tokens the head reads, is found out and not assumed; see
    :mod:`contrastlib.explainers.vit.tokens`.

    The attention of ViT-B/16 takes 22 MB for each image in float32. A backward pass needs as much again for
    each cotangent. The forward pass takes about as long as with a fused kernel at 197 tokens.

    Args:
        model: A Vision Transformer that returns its logits, or a model that contains one. It runs in
            evaluation mode, without dropout, and its state is restored afterwards.
        images: Images (B, K, H, W), of a size that the network takes.
        once: Whether only one cotangent will be propagated, as in
            :func:`contrastlib.autograd.forward_pass.forward`.
        layers: Names as in ``model.named_modules()`` of other modules to record. If a module returns several
            tensors, the first one is recorded. The names of the table need not be given.

    Returns:
        The recorded forward pass.

    Raises:
        TypeError: The model has no attention between tokens, or the images have a wrong type.
        ValueError: The images or the logits have a wrong shape or wrong values, or a layer does not exist or
            does not return a tensor.

    >>> from torchvision.models import VisionTransformer
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> record = vit_forward(net, torch.rand(3, 3, 32, 32))
    >>> list(record.activations)
    ['norm.0', 'attention.0', 'block.0', 'norm.1', 'attention.1', 'block.1']
    >>> record.activations["attention.1"].shape
    torch.Size([3, 2, 17, 17])
    """
    check_images(model, images)
    modules = dict(model.named_modules()) if layers else {}
    others = [name for name in layers if name in modules or not re.fullmatch(r"(norm|block)\.\d+", name)]
    finder = BlockFinder(model, len(images), {name: find_layer(model, name) for name in others})
    mode = AttentionMode(finder.attention)
    with as_found(model):
        with finder.following(), mode:
            returned = run(model, images.detach().clone().requires_grad_().clone())
        logits = read_logits(returned, len(images))
        if not finder.blocks:
            raise TypeError(
                f"{type(model).__name__} is no Vision Transformer: nothing that it computes is attention "
                "between the tokens of an image. Use gradcam if its layers have spatial positions, otherwise "
                "a method of the input space (gradient, input_x_gradient). If it has attention in kernels of "
                'its own, load it without them, such as with attn_implementation="sdpa"'
            )
        missing = [name for name in others if name not in finder.layers]
        if missing:
            raise ValueError(f"layer {missing[0]!r} did not run in this forward pass; choose another")
        return TokensPass(model, logits, images.shape[-2:], once, finder, mode)


def _activations(blocks: Sequence[Block], attention: bool) -> dict[str, Tensor]:
    """Name -> tensor of what the blocks read, compute and return."""
    named = {}
    for i, block in enumerate(blocks):
        if block.is_global and block.read.unchanged:
            named[f"norm.{i}"] = block.read.tensor
        if attention:
            named[f"attention.{i}"] = block.attention
        if block.output is not None and block.output.unchanged:
            named[f"block.{i}"] = block.output.tensor
    return named


def _partial(blocks: Sequence[Block]) -> str:
    """Say why no product of the attention of all blocks is defined, or ""."""
    *_, queries, tokens = blocks[-1].attention.shape
    patches = tokens - queries if blocks[-1].is_class_attention else tokens
    sources = [None if block.read is None else _source(block.read.tensor) for block in blocks]
    for i, block in enumerate(blocks):
        shape = tuple(block.attention.shape)
        if not block.is_global:
            return f"block {i} attends within windows or over channels, its attention being {shape}"
        if block.output is None or not block.output.unchanged:
            return f"the output of block {i} cannot be told apart, or is changed in place"
        if sources[i] in sources[:i]:
            return f"blocks {sources.index(sources[i])} and {i} attend side by side"
        if shape[-1] != tokens and shape[-2:] != (patches, patches):
            return f"the number of tokens changes: the attention of block {i} is {shape}"
    return ""


def _source(tokens: Tensor) -> object:
    """The operation whose output the norm before an attention takes, or the tokens if there is none."""
    previous = tokens.grad_fn.next_functions if tokens.grad_fn else ()
    return previous[0][0] if previous else tokens
