"""Attention that is computed as a matrix, so that it can be recorded with its graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

SOFTMAX = (functional.softmax, torch.softmax, torch.special.softmax, Tensor.softmax)
JOIN = (torch.cat, torch.concat, torch.concatenate)


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
        self._instead = {
            functional.scaled_dot_product_attention: self._scaled_dot_product,
            functional.multi_head_attention_forward: self._multi_head,
            torch.conv2d: self._convolution,
        }
        self._instead |= {softmax: partial(self._softmax, softmax) for softmax in SOFTMAX}
        self._instead |= {join: partial(self._join, join) for join in JOIN}

    def __torch_function__(
        self,
        operation: Callable,
        types: Sequence[type],
        args: Sequence = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self._instead.get(operation, operation)(*args, **(kwargs or {}))

    def _softmax(
        self, softmax: Callable, input: Tensor, dim: int | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        dim = kwargs.pop("axis", dim)
        output = softmax(input, dim, *args, **kwargs)
        if output.ndim == 4 and dim in (-1, 3):
            self._report(output)
        return output

    def _convolution(self, *args: Any, **kwargs: Any) -> Tensor:
        output = torch.conv2d(*args, **kwargs)
        if output.ndim == 4:
            self.grids.append(tuple(output.shape[-2:]))
        return output

    def _join(self, join: Callable, tensors: Sequence[Tensor], dim: int = 0, **kwargs: Any) -> Tensor:
        dim = kwargs.pop("axis", dim)
        output = join(tensors, dim, **kwargs)
        if dim in (1, -2) and output.ndim == 3 and output.requires_grad:
            self.joins.append([part.shape[1] for part in tensors])
        return output

    def _scaled_dot_product(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
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

    def _multi_head(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        """Compute ``multi_head_attention_forward``."""
        call = _MultiHead(*args, **kwargs)
        if not call.is_plain:
            return functional.multi_head_attention_forward(*args, **kwargs)
        query, key, value = call.projected()
        mask, dropout = call.mask(query), call.dropout_p if call.training else 0.0
        mixed, attention = self._attend(query, key, value, math.sqrt(query.shape[-1]), mask, dropout)
        mixed = functional.linear(mixed.transpose(1, 2).flatten(2), call.out_proj_weight, call.out_proj_bias)
        if not call.need_weights:
            return mixed.transpose(0, 1), None
        return mixed.transpose(0, 1), attention.mean(dim=1) if call.average_attn_weights else attention

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, divisor: float, mask: Tensor | None, dropout: float
    ) -> tuple[Tensor, Tensor]:
        """Return softmax(q k^T / divisor + mask) v, and the softmax, which is reported."""
        scores = (query / divisor) @ key.transpose(-2, -1)
        attention = (scores if mask is None else scores + mask).softmax(dim=-1)
        if attention.ndim == 4:
            self._report(attention)
        return (functional.dropout(attention, dropout) if dropout else attention) @ value, attention


class _MultiHead(NamedTuple):
    """The arguments of ``multi_head_attention_forward``, in the order of PyTorch. Tokens are (T, B, D)."""

    query: Tensor
    key: Tensor
    value: Tensor
    embed_dim_to_check: int
    num_heads: int
    in_proj_weight: Tensor | None
    in_proj_bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None
    add_zero_attn: bool
    dropout_p: float
    out_proj_weight: Tensor
    out_proj_bias: Tensor | None
    training: bool = True
    key_padding_mask: Tensor | None = None
    need_weights: bool = True
    attn_mask: Tensor | None = None
    use_separate_proj_weight: bool = False
    q_proj_weight: Tensor | None = None
    k_proj_weight: Tensor | None = None
    v_proj_weight: Tensor | None = None
    static_k: Tensor | None = None
    static_v: Tensor | None = None
    average_attn_weights: bool = True
    is_causal: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether there is a batch, and no keys beside those of the tokens."""
        others = (self.bias_k, self.bias_v, self.static_k, self.static_v)
        return self.query.ndim == 3 and not self.add_zero_attn and all(each is None for each in others)

    def projected(self) -> tuple[Tensor, ...]:
        """Return queries, keys and values (B, heads, T, d)."""
        tokens = [each.transpose(0, 1) for each in (self.query, self.key, self.value)]
        if self.query is self.key is self.value and not self.use_separate_proj_weight:
            packed = functional.linear(tokens[0], self.in_proj_weight, self.in_proj_bias)
            return packed.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind()
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        weights = separate if self.use_separate_proj_weight else self.in_proj_weight.chunk(3)
        biases = [None] * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return tuple(
            functional.linear(*each).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for each in zip(tokens, weights, biases)
        )

    def mask(self, query: Tensor) -> Tensor | None:
        """Return the sum of the masks, whose True means "left out", or None."""
        mask, padding = self.attn_mask, self.key_padding_mask
        if mask is not None and mask.ndim == 3:
            mask = mask.unflatten(0, query.shape[:2])
        masks = [mask, None if padding is None else padding[:, None, None]]
        floats = [
            torch.zeros_like(each, dtype=query.dtype).masked_fill(each, -torch.inf)
            if each.dtype == torch.bool else each
            for each in masks if each is not None
        ]  # fmt: skip
        return sum(floats) if floats else None
