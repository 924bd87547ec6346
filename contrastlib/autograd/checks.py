"""Checks of models, images and cotangents. Each error message says how to correct the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contrastlib.autograd.turns import has_turn


def check_model(model: nn.Module) -> None:
    """Raise an error unless gradients can be propagated through a model.

    Args:
        model: The model.

    Raises:
        TypeError: It is not a ``torch.nn.Module``.
        ValueError: It was made in inference mode, is on the meta device, or is quantised.

    >>> check_model(lambda images: images.mean())
    Traceback (most recent call last):
    ...
    TypeError: the model must be a torch.nn.Module, got function: wrap a function in one
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"the model must be a torch.nn.Module, got {type(model).__name__}: wrap a function in one"
        )
    parameter = next(model.parameters(), None)
    if parameter is not None and parameter.is_inference():
        raise ValueError(
            "the model was made under torch.inference_mode, which allows no gradients: make it outside"
        )
    if parameter is not None and parameter.is_meta:
        raise ValueError("the model is on the meta device, without values: load its weights first")
    quantised = next((name for name, m in model.named_modules() if _is_quantised(m)), None)
    if quantised is not None:
        raise ValueError(
            f"layer {quantised!r} is quantised and has no gradients: explain the model that was quantised"
        )


def _is_quantised(module: nn.Module) -> bool:
    """Tell whether a module computes with integers. ``FloatFunctional`` is prepared for that and does not."""
    kind = type(module)
    return ".quantized." in kind.__module__ and kind.__name__ != "FloatFunctional"


def check_images(model: nn.Module, images: Tensor) -> None:
    """Raise an error unless a model can explain these images.

    Args:
        model: The model.
        images: Images (B, K, H, W).

    Raises:
        TypeError: The model is no module, or the images are not a floating-point tensor.
        ValueError: The model allows no gradients, or the images have another shape, dtype or device than the
            model needs, or hold NaN or infinite values.

    >>> import torch
    >>> check_images(nn.Conv2d(3, 4, 3), torch.rand(3, 8, 8))
    Traceback (most recent call last):
    ...
    ValueError: images must have shape (B, channels, H, W), got (3, 8, 8): add the batch dimension with
        images[None]
    """
    if not (isinstance(model, nn.Module) and has_turn(model)):  # it was checked before it got its turn
        check_model(model)
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a tensor (B, channels, H, W), got {type(images).__name__}")
    if not images.is_floating_point():
        raise TypeError(
            f"images must be floating point, got {images.dtype}: convert with images.float() / 255"
        )
    if images.layout is not torch.strided:
        raise ValueError(f"images are stored as {images.layout}: make them dense with images.to_dense()")
    if images.ndim != 4 or 0 in images.shape:
        hint = {
            3: ": add the batch dimension with images[None]",
            5: ": for frames of videos, see frames= of contrastlib.explain",
        }.get(images.ndim, "")
        raise ValueError(f"images must have shape (B, channels, H, W), got {tuple(images.shape)}{hint}")
    parameter = next(model.parameters(), None)
    if parameter is not None and (parameter.device != images.device or parameter.dtype != images.dtype):
        raise ValueError(
            f"images are {images.dtype} on {images.device}, "
            f"the model is {parameter.dtype} on {parameter.device}: "
            "bring the images there with images.to(next(model.parameters()))"
        )
    # A finite sum means finite images. The sum costs a tenth of a check of each pixel.
    if not images.sum().isfinite() and not images.isfinite().all():
        raise ValueError("images hold NaN or infinite values")


def check_cotangent(cotangent: Tensor, logits: Tensor) -> None:
    """Raise an error unless a tensor is one cotangent (B, C), or N cotangents (N, B, C), for logits (B, C).

    Args:
        cotangent: The tensor.
        logits: Logits (B, C).

    Raises:
        TypeError: It is not a tensor.
        ValueError: It has another shape, or holds NaN or infinite values.

    >>> import torch
    >>> check_cotangent(torch.ones(5), torch.rand(2, 5))
    Traceback (most recent call last):
    ...
    ValueError: cotangent must be (B, C) or (N, B, C) with (B, C) = (2, 5), got (5,)
    """
    if not isinstance(cotangent, Tensor):
        raise TypeError(f"a cotangent must be a tensor, got {type(cotangent).__name__}: check the contrast")
    if cotangent.shape[-2:] != logits.shape or cotangent.ndim not in (2, 3):
        raise ValueError(
            f"cotangent must be (B, C) or (N, B, C) with (B, C) = {tuple(logits.shape)}, "
            f"got {tuple(cotangent.shape)}"
        )
    if not cotangent.isfinite().all():
        raise ValueError("the cotangent holds NaN or infinite values: check the contrast that it comes from")
