"""Recipes: the settings that decide the weights of a network, besides the images that it is trained on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings that every training run has."""

    epochs: int
    seed: int = 0
    batch: int
    """images in a step, over all devices"""


@dataclass(frozen=True, kw_only=True)
class FromScratchRecipe(Recipe):
    """How a small network is trained from scratch; the defaults are those of the networks on drawn birds."""

    epochs: int = 14
    batch: int = 32
    peak_rate: float = 1.5e-3
    """the highest learning rate of the cycle"""
    weight_decay: float = 0.02
    shift: int = 0
    """largest random shift of an image in pixels, in each direction"""
    label_smoothing: float = 0.0
    shuffled_labels: bool = False
    """whether the labels are permuted at random before training, so that they say nothing of the images"""
    stored_as: str = "float32"
    """precision that the finished weights are rounded to"""


@dataclass(frozen=True, kw_only=True)
class FineTuningRecipe(Recipe):
    """How a classifier of torchvision is fine-tuned; the defaults are the published settings."""

    epochs: int = 200
    batch: int = 128
    rate: float = 1e-3
    """learning rate, constant"""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = False
    """as in the published code: see :func:`contrastlib.training.augmentation.augmentation`"""
    size: int = 224
    """side of the images in pixels; whole photographs are squeezed to it"""
    precision: str = "no"
    """mixed precision of accelerate: "no" (float32), "bf16" or "fp16\""""
