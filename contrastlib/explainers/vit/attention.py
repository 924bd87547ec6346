"""Attention that is computed as a matrix, so that it can be recorded with its graph."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

SOFTMAX = {functional.softmax, torch.softmax, torch.special.softmax, Tensor.softmax}
JOIN = {torch.cat, torch.concat, torch.concatenate}
_MULTI_HEAD = inspect.signature(functional.multi_head_attention_forward)


class AttentionMode(TorchFunctionMode):
    """A context in which attention is a matrix that is reported, in whatever library a network is written.

    ``scaled_dot_product_attention`` and PyTorch's multi-head attention use fused kernels, which never have
    the matrix. In this context they compute softmax(q k^T / sqrt(d) + mask) v step by step. A softmax that
    the network calls itself is reported as it is. So torchvision, timm, the models of transformers and
    networks of one's own need no setting. Attention that a library computes in kernels of its own
    (flash-attn, flex attention, xformers) is not seen.

    The context is one of the thread, and it replaces nothing in modules or in PyTorch.

    Args:
        report: It is called with the softmax (B, heads, T, T) of each attention.

    Attributes:
        grids: Height and width of the output of each 2-d convolution, in the order in which they run.
        joins: For each concatenation along the tokens, the number of tokens of its parts.

    >>> found = []
    >>> q = torch.rand(1, 2, 5, 4)
    >>> with AttentionMode(found.append):
    ...     fused = functional.scaled_dot_product_attention(q, q, q)
    >>> torch.allclose(fused, found[0] @ q)
    True
    """

    def __init__(self, report: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._report = report
        self.grids: list[tuple[int, int]] = []
        self.joins: list[list[int]] = []

    def __torch_function__(
        self, operation: Callable, types: Sequence[type], args: Sequence = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if operation is functional.scaled_dot_product_attention:
            return self._scaled_dot_product(*args, **kwargs)
        if operation is functional.multi_head_attention_forward:
            call = _MULTI_HEAD.bind(*args, **kwargs)
            call.apply_defaults()
            if _is_plain(call.arguments):
                return self._multi_head(**call.arguments)
        output = operation(*args, **kwargs)
        if operation in SOFTMAX:
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if output.ndim == 4 and dim in (-1, 3):
                self._report(output)
        elif operation is torch.conv2d and output.ndim == 4:
            self.grids.append(tuple(output.shape[-2:]))
        elif operation in JOIN and output.ndim == 3 and output.requires_grad:
            parts = args[0] if args else kwargs["tensors"]
            if kwargs.get("dim", args[1] if len(args) > 1 else 0) in (1, -2):
                self.joins.append([part.shape[1] for part in parts])
        return output

    def _scaled_dot_product(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
        dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Compute ``scaled_dot_product_attention``; the arguments are those of PyTorch."""
        if enable_gqa:
            groups = query.shape[-3] // key.shape[-3]
            key, value = (each.repeat_interleave(groups, dim=-3) for each in (key, value))
        if is_causal:
            ones = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device)
            attn_mask = ones.tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, -torch.inf)
        divisor = math.sqrt(query.shape[-1]) if scale is None else 1 / scale
        return self._attend(query, key, value, divisor, attn_mask, dropout_p)[0]

    def _multi_head(
        self, query: Tensor, key: Tensor, value: Tensor, num_heads: int, in_proj_weight: Tensor | None,
        in_proj_bias: Tensor | None, dropout_p: float, out_proj_weight: Tensor, out_proj_bias: Tensor | None,
        training: bool, key_padding_mask: Tensor | None, need_weights: bool, attn_mask: Tensor | None,
        average_attn_weights: bool, **others: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Compute ``multi_head_attention_forward``; the arguments are those of PyTorch."""
        same = query is key is value
        query, key, value = (tokens.transpose(0, 1) for tokens in (query, key, value))
        if same and in_proj_weight is not None:
            projected = functional.linear(query, in_proj_weight, in_proj_bias)
            query, key, value = projected.unflatten(-1, (3, num_heads, -1)).permute(2, 0, 3, 1, 4)
        else:
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
            packed = in_proj_weight is not None
            weights = in_proj_weight.chunk(3) if packed else [others[name] for name in names]
            biases = [None] * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
            query, key, value = (
                functional.linear(*each).unflatten(-1, (num_heads, -1)).transpose(1, 2)
                for each in zip((query, key, value), weights, biases)
            )
        mask = _added(attn_mask, key_padding_mask, query)
        dropout = dropout_p if training else 0.0
        mixed, attention = self._attend(query, key, value, math.sqrt(query.shape[-1]), mask, dropout)
        output = functional.linear(mixed.transpose(1, 2).flatten(2), out_proj_weight, out_proj_bias)
        if not need_weights:
            return output.transpose(0, 1), None
        return output.transpose(0, 1), attention.mean(dim=1) if average_attn_weights else attention

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, divisor: float, mask: Tensor | None, dropout: float
    ) -> tuple[Tensor, Tensor]:
        """Return softmax(q k^T / divisor + mask) v, and the softmax, which is reported."""
        scores = (query / divisor) @ key.transpose(-2, -1)
        attention = (scores if mask is None else scores + mask).softmax(dim=-1)
        if attention.ndim == 4:
            self._report(attention)
        return (functional.dropout(attention, dropout) if dropout else attention) @ value, attention


def _is_plain(arguments: Mapping[str, Any]) -> bool:
    """Tell whether multi-head attention has a batch, and no keys beside those of its tokens."""
    extra = ("bias_k", "bias_v", "static_k", "static_v")
    return (
        arguments["query"].ndim == 3 and not arguments["add_zero_attn"]
        and all(arguments[name] is None for name in extra)
    )  # fmt: skip


def _added(mask: Tensor | None, padding: Tensor | None, query: Tensor) -> Tensor | None:
    """Return the sum of the masks of multi-head attention, whose True means "left out", or None."""
    if mask is not None and mask.ndim == 3:
        mask = mask.unflatten(0, query.shape[:2])
    masks = [mask, None if padding is None else padding[:, None, None]]
    floats = [
        torch.zeros_like(each, dtype=query.dtype).masked_fill(each, -torch.inf)
        if each.dtype == torch.bool else each
        for each in masks if each is not None
    ]  # fmt: skip
    return sum(floats) if floats else None
