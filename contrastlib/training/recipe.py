"""The settings that a network is fine-tuned with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, besides the photographs; the defaults are the published settings."""

    epochs: int = 200
    batch: int = 128
    """images in a step, over all devices"""
    rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = False
    """as in the published code: see :func:`contrastlib.training.augmentation.augmentation`"""
    size: int = 224
    """side of the images in pixels; whole photographs are squeezed to it"""
    precision: str = "no"
    """mixed precision of accelerate: "no" (float32), "bf16" or "fp16\""""
    seed: int = 0
