"""A map over its image, and the words and numbers beside it."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import CenteredNorm

COLOURS = "RdBu_r"  # red speaks for the class, blue against it, white is 0; told apart by colour-blind readers


def class_title(name: str, probability: float, width: int = 26) -> str:
    """A class and its probability as the title of a small picture, in lines of at most ``width`` characters.

    >>> class_title("Poecile atricapillus (Black-capped Chickadee)", 0.558)
    'Poecile atricapillus\\n(Black-capped Chickadee)\\n0.56'
    """
    return "\n".join([*textwrap.wrap(name, width), f"{probability:.2f}"])


def overlay(ax: plt.Axes, image: np.ndarray, heat: np.ndarray, alpha: float = 0.6):
    """A map (H, W) over its image in grey, red positive, blue negative, white at 0."""
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1)
    ax.imshow(grey)
    ax.set(xticks=[], yticks=[])
    return ax.imshow(heat, cmap=COLOURS, norm=CenteredNorm(), alpha=alpha)


def clipped(heat: np.ndarray, share: float = 0.995) -> np.ndarray:
    """A map of pixels cut at that quantile of its absolute values, so that single pixels do not set the scale.

    >>> clipped(np.array([1., 1., 1., -9.]), share=0.5).tolist()
    [1.0, 1.0, 1.0, -1.0]
    """
    limit = np.quantile(np.abs(heat), share)
    return np.clip(heat, -limit, limit)


def percent(share: float) -> str:
    """A probability in percent; none that is merely near 0 or 1 looks as if it were that.

    >>> percent(0.5), percent(0.9999), percent(1e-5)
    ('50.0 %', '>99.9 %', '<0.1 %')
    """
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{float(share):.1%}".replace("%", " %")
