"""The call of a network and of its gradients, and what is said when PyTorch cannot compute them."""

from __future__ import annotations

import dis
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from contrastlib.autograd.final_activation import mark_scripted

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""Parts of the messages of PyTorch's RuntimeErrors for memory."""


def run(model: nn.Module, images: Tensor) -> Any:
    """Call a model.

    Args:
        model: The model.
        images: Images (B, K, H, W).

    Returns:
        What the model returns.

    Raises:
        ValueError: PyTorch cannot compute the output of these images, which have other channels or another
            size than the model takes. Errors that the code of the model itself raises are not changed, nor
            those for memory.

    >>> run(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.rand(1, 3, 4, 4))
    Traceback (most recent call last):
    ...
    ValueError: Sequential cannot run on images of shape (1, 3, 4, 4) (...shapes cannot be multiplied...
    """
    try:
        returned = model(images)
    except Exception as error:
        if not _is_of_pytorch(error) or any(part in str(error) for part in NO_MEMORY):
            raise
        said = str(error).partition("\n")[0].strip(" .") or type(error).__name__
        if "Guard failed" in said:
            raise ValueError(
                f"the exported program takes no such batch ({said}): export it with "
                "dynamic_shapes=({0: torch.export.Dim.AUTO},), or explain the module that it was made from"
            ) from error
        raise ValueError(
            f"{type(model).__name__} cannot run on images of shape {tuple(images.shape)} ({said}): "
            "give images of the channels and the size that it was made for"
        ) from error
    mark_scripted(model, returned)
    return returned


def gradients(
    outputs: Tensor | Sequence[Tensor | GradientEdge],
    inputs: Tensor | Sequence[Tensor | GradientEdge],
    cotangents: Tensor,
    **options: Any,
) -> tuple[Tensor, ...]:
    """Compute gradients with ``torch.autograd.grad``.

    Args:
        outputs: The outputs.
        inputs: The tensors whose gradients are returned.
        cotangents: The cotangent of the outputs.
        **options: Options of ``torch.autograd.grad``.

    Returns:
        The gradient of each of the inputs.

    Raises:
        ValueError: An operation of the network has overwritten values that the gradient needs, or cuDNN
            refuses a recurrent layer in evaluation mode.

    >>> x = torch.ones(2, requires_grad=True)
    >>> gradients([x.tanh().mul_(2)], [x], torch.ones(2))
    Traceback (most recent call last):
    ...
    ValueError: an operation in place overwrites values that the gradient needs: ...
    """
    try:
        return torch.autograd.grad(outputs, inputs, cotangents, **options)
    except RuntimeError as error:
        if "RNN backward" in str(error):
            raise ValueError(
                "cuDNN computes gradients of an LSTM or a GRU in training mode only: explain this network "
                "inside of `with torch.backends.cudnn.flags(enabled=False):`"
            ) from error
        if "inplace operation" not in str(error):
            raise
        raise ValueError(
            "an operation in place overwrites values that the gradient needs: write it out of place, such as "
            "nn.ReLU(inplace=False); torch.autograd.set_detect_anomaly(True) shows which one it is"
        ) from error


def _is_of_pytorch(error: BaseException) -> bool:
    """Tell whether PyTorch raised the error, by a ``raise`` statement or in a compiled operation."""
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    code = last.tb_frame.f_code
    if code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]:
        return last.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "torch"
    return isinstance(error, RuntimeError)
