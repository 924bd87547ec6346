"""What a forward pass holds and does for the way back: nothing that only gradients of parameters would need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = {
    torch.conv1d, torch.conv2d, torch.conv3d, torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
}


class LinearInputsDropped(TorchFunctionMode):
    """Convolutions, and batch norms in evaluation, do not hold their inputs for the way back.

    Both are linear, so the gradient at their input does not depend on it; PyTorch holds it for the gradients of
    the parameters, also where these are not wanted. In VGG-16 with batch norm that is half of a forward pass's memory.
    On the way back a batch norm then scales the gradient and no more, where PyTorch on a CPU sums for its parameters as
    well, wanted or not, in twice the time. Where another argument than the input asks for a gradient, or others decide
    what is held (checkpoints, torch.func), nothing is dropped.

    >>> net, x = torch.nn.Conv2d(1, 2, 3).requires_grad_(False), torch.rand(1, 1, 4, 4, requires_grad=True)
    >>> with LinearInputsDropped():
    ...     dropped = net(x)
    >>> torch.autograd.grad(dropped.sum(), x)[0].equal(torch.autograd.grad(net(x).sum(), x)[0])
    True
    """

    def __torch_function__(
        self, operation: Callable, types: Sequence[type], args: Sequence = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if operation in CONVOLUTIONS and _is_linear(args, kwargs):
            with _held_as_shape(args[0]):
                return operation(*args, **kwargs)
        if operation is functional.batch_norm and _is_linear(args, kwargs):
            factors = _factors_of_batch_norm(*args, **kwargs)
            if factors is not None:
                return _Scaled.apply(args[0], factors, lambda images: operation(images, *args[1:], **kwargs))
        return operation(*args, **kwargs)


def _is_linear(args: Sequence, kwargs: Mapping[str, Any]) -> bool:
    """Whether a gradient can be asked of the first argument alone, as far as the arguments tell."""
    if not args or type(args[0]) is not Tensor or not args[0].requires_grad or _others_decide():
        return False
    return not any(isinstance(other, Tensor) and other.requires_grad for other in [*args[1:], *kwargs.values()])


def _factors_of_batch_norm(
    images: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor | None:
    """What each channel is multiplied by, in 32 bits at least; None where the statistics are those of the batch."""
    if training or running_var is None:
        return None
    factors = (running_var.to(torch.promote_types(running_var.dtype, torch.float32)) + eps).rsqrt()
    return factors if weight is None else factors * weight


class _Scaled(Function):
    """An operation that multiplies each channel by a factor (and may add to it), so that its gradient is multiplied too."""

    @staticmethod
    def forward(ctx, images: Tensor, factors: Tensor, operation: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(factors)
        return operation(images)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (factors,) = ctx.saved_tensors
        return (gradient * factors.view(-1, *[1] * (gradient.ndim - 2))).to(gradient.dtype), None, None


def _others_decide() -> bool:
    """Whether a checkpoint, or hooks like those below, or a transformation of torch.func is at work."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None or torch._C._functorch.peek_interpreter_stack() is not None


def _held_as_shape(tensor: Tensor) -> saved_tensors_hooks:
    """Within this context, operations hold the shape of ``tensor`` instead of its values, which nothing on the way back reads."""
    place, shape = tensor.data_ptr(), tensor.shape
    like, strides = tensor.new_empty(0), tensor.stride()  # other strides would be brought into order, value by value

    def pack(saved: Tensor) -> Tensor | None:
        return None if saved.shape == shape and saved.data_ptr() == place else saved

    def unpack(packed: Tensor | None) -> Tensor:
        return like.new_empty_strided(shape, strides) if packed is None else packed

    return saved_tensors_hooks(pack, unpack)
