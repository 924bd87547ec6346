"""A forward pass that saves no tensors which only gradients of parameters need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = {
    torch.conv1d, torch.conv2d, torch.conv3d,
    torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
}  # fmt: skip


class LinearInputsDropped(TorchFunctionMode):
    """A context in which convolutions, and batch norms in evaluation mode, do not save their inputs.

    Both operations are linear, so the gradient at the input does not depend on the input. PyTorch saves the
    input for the gradients of the parameters, even if these are not wanted. In VGG-16 with batch norm such
    inputs are half of the memory of a forward pass.

    The backward pass of a batch norm is a multiplication in this context. On a CPU, PyTorch's own takes twice
    the time, because it always sums the gradients of the parameters.

    The context changes nothing for an operation if an argument other than the input requires a gradient, or
    if something else controls which tensors are saved (checkpointing, torch.func).

    >>> net, x = torch.nn.Conv2d(1, 2, 3).requires_grad_(False), torch.rand(1, 1, 4, 4, requires_grad=True)
    >>> with LinearInputsDropped():
    ...     dropped = net(x)
    >>> torch.autograd.grad(dropped.sum(), x)[0].equal(torch.autograd.grad(net(x).sum(), x)[0])
    True
    """

    def __torch_function__(
        self,
        operation: Callable,
        types: Sequence[type],
        args: Sequence = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if operation in CONVOLUTIONS and _is_linear(args, kwargs):
            with _shape_saved_only(args[0]):
                return operation(*args, **kwargs)
        if operation is functional.batch_norm and _is_linear(args, kwargs):
            factors = _batch_norm_factors(*args, **kwargs)
            if factors is not None:
                return _Scaled.apply(args[0], factors, lambda images: operation(images, *args[1:], **kwargs))
        return operation(*args, **kwargs)


def _is_linear(args: Sequence, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a gradient can be wanted at the first argument and at no other."""
    if not args or type(args[0]) is not Tensor or not args[0].requires_grad or _saving_is_controlled():
        return False
    others = [*args[1:], *kwargs.values()]
    return not any(isinstance(other, Tensor) and other.requires_grad for other in others)


def _batch_norm_factors(
    images: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    """Return the factor (K,) of each channel, or None if the batch norm uses the statistics of the batch."""
    if training or running_var is None:
        return None
    factors = (running_var.to(torch.promote_types(running_var.dtype, torch.float32)) + eps).rsqrt()
    return factors if weight is None else factors * weight


class _Scaled(Function):
    """An operation that scales each channel and adds a constant to it. Its gradient is scaled likewise."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, images: Tensor, factors: Tensor, operation: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.save_for_backward(factors)
        return operation(images)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (factors,) = ctx.saved_tensors
        return (gradient * factors.view(-1, *[1] * (gradient.ndim - 2))).to(gradient.dtype), None, None


def _saving_is_controlled() -> bool:
    """Tell whether hooks on saved tensors (checkpointing) or a transformation of torch.func are active."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None or torch._C._functorch.peek_interpreter_stack() is not None


def _shape_saved_only(tensor: Tensor) -> saved_tensors_hooks:
    """Make a context in which operations save the shape of ``tensor`` instead of its values.

    The backward pass gets a tensor of that shape with arbitrary values, which it does not read.
    """
    address, shape = tensor.data_ptr(), tensor.shape
    # The strides are kept, because the backward pass would copy a tensor with other strides.
    like, strides = tensor.new_empty(0), tensor.stride()

    def pack(saved: Tensor) -> Tensor | None:
        return None if saved.shape == shape and saved.data_ptr() == address else saved

    def unpack(packed: Tensor | None) -> Tensor:
        return like.new_empty_strided(shape, strides) if packed is None else packed

    return saved_tensors_hooks(pack, unpack)
