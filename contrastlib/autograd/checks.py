"""What cannot be explained, and what to do about it: checks of models, images, outputs and cotangents."""

from __future__ import annotations

from torch import Tensor, nn

from contrastlib._logits import check_logits


def check_model(model: nn.Module) -> None:
    """Raise a TypeError or ValueError, with the remedy, unless gradients can pass this model."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model must be a torch.nn.Module, got {type(model).__name__}: wrap a function in one")
    parameter = next(model.parameters(), None)
    if parameter is not None and parameter.is_inference():
        raise ValueError("the model was made under torch.inference_mode, which lets no gradient pass: make it outside")
    if parameter is not None and parameter.is_meta:
        raise ValueError("the model is on the meta device, without values: load its weights first")
    quantised = next((name for name, m in model.named_modules() if ".quantized." in type(m).__module__), None)
    if quantised is not None:
        raise ValueError(f"layer {quantised!r} is quantised, which lets no gradient pass: explain the model it was made from")


def check_images(model: nn.Module, images: Tensor) -> None:
    """Raise a TypeError or ValueError, with the remedy, unless the model can explain these images."""
    check_model(model)
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a tensor (B, channels, H, W), got {type(images).__name__}")
    if not images.is_floating_point():
        raise TypeError(f"images must be floating point, got {images.dtype}: convert with images.float() / 255")
    if images.ndim != 4 or 0 in images.shape:
        hint = ": add the batch dimension with images[None]" if images.ndim == 3 else ""
        raise ValueError(f"images must have shape (B, channels, H, W), got {tuple(images.shape)}{hint}")
    parameter = next(model.parameters(), None)
    if parameter is not None and (parameter.device != images.device or parameter.dtype != images.dtype):
        raise ValueError(
            f"images are {images.dtype} on {images.device}, the model is {parameter.dtype} on {parameter.device}: "
            "bring the images there with images.to(next(model.parameters()))"
        )
    # one sum tells nearly always, and costs a tenth of looking at every pixel
    if not images.sum().isfinite() and not images.isfinite().all():
        raise ValueError("images hold NaN or infinite values")


def check_output(logits: object, batch: int) -> None:
    """Raise a TypeError or ValueError, with the remedy, unless a model returned logits (B, C) for B images."""
    if not isinstance(logits, Tensor):
        raise ValueError(  # a model's fault, not that of an argument's type
            f"the model must return logits ({batch}, C), one row an image, got {type(logits).__name__}: "
            "wrap it in a module that returns the logits alone"
        )
    if logits.ndim != 2 or len(logits) != batch:
        raise ValueError(f"the model must return logits ({batch}, C), one row an image, got {tuple(logits.shape)}")
    check_logits(logits)


def check_cotangent(cotangent: Tensor, logits: Tensor) -> None:
    """Raise a TypeError or ValueError unless this is a finite (B, C) or (K, B, C) for logits (B, C)."""
    if not isinstance(cotangent, Tensor):
        raise TypeError(f"a cotangent must be a tensor, got {type(cotangent).__name__}: check the contrast")
    if cotangent.shape[-2:] != logits.shape or cotangent.ndim not in (2, 3):
        raise ValueError(
            f"cotangent must be (B, C) or (K, B, C) with (B, C) = {tuple(logits.shape)}, "
            f"got {tuple(cotangent.shape)}"
        )
    if not cotangent.isfinite().all():
        raise ValueError("the cotangent holds NaN or infinite values: check the contrast it comes from")
