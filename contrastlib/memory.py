"""What a forward pass holds for the way back: nothing that only gradients of parameters would need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
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
    Where another argument than the input asks for a gradient, or others decide what is held (checkpoints, torch.func),
    nothing is dropped.

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
        if not _is_linear(operation, args, kwargs):
            return operation(*args, **kwargs)
        with _held_as_shape(args[0]):
            return operation(*args, **kwargs)


def _is_linear(operation: Callable, args: Sequence, kwargs: Mapping[str, Any]) -> bool:
    """Linear in the first argument, with no gradient asked of the others."""
    if operation is functional.batch_norm:
        training = kwargs.get("training", args[5] if len(args) > 5 else False)
    elif operation in CONVOLUTIONS:
        training = False
    else:
        return False
    if training or not args or type(args[0]) is not Tensor or _others_decide():
        return False
    return not any(isinstance(other, Tensor) and other.requires_grad for other in [*args[1:], *kwargs.values()])


def _others_decide() -> bool:
    """Whether a checkpoint, or hooks like those below, or a transformation of torch.func is at work."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None or torch._C._functorch.peek_interpreter_stack() is not None


def _held_as_shape(tensor: Tensor) -> saved_tensors_hooks:
    """Within this context, operations hold the shape of ``tensor`` instead of its values; zeros stand for it on the way back."""
    place, shape, like = tensor.data_ptr(), tensor.shape, tensor.new_zeros(())

    def pack(saved: Tensor) -> Tensor | None:
        return None if saved.shape == shape and saved.data_ptr() == place else saved

    def unpack(packed: Tensor | None) -> Tensor:
        return like.expand(shape) if packed is None else packed

    return saved_tensors_hooks(pack, unpack)
