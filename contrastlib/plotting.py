"""Figures of a map over its image, and the text for them."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import CenteredNorm
from matplotlib.image import AxesImage

COLOURS = "RdBu_r"
"""Colour map of all maps: red is positive, blue is negative, white is 0. It suits colour-blind readers."""


def class_title(name: str, probability: float, width: int = 26) -> str:
    r"""Write the name of a class and its probability as the title of a small image.

    Args:
        name: The name of the class.
        probability: Its probability, from 0 to 1.
        width: The largest number of characters in a line.

    Returns:
        The name in one or more lines, then the probability with two decimals.

    >>> class_title("Poecile atricapillus (Black-capped Chickadee)", 0.558)
    'Poecile atricapillus\n(Black-capped Chickadee)\n0.56'
    """
    return "\n".join([*textwrap.wrap(name, width), f"{probability:.2f}"])


def overlay(ax: plt.Axes, image: np.ndarray, heat: np.ndarray, alpha: float = 0.6) -> AxesImage:
    """Draw a map over its image in grey. Positive values are red, negative ones blue, 0 is white.

    Args:
        ax: The axes to draw on.
        image: The image (H, W, 3), with values from 0 to 1.
        heat: The map (H, W).
        alpha: The opacity of the map, from 0 to 1.

    Returns:
        The artist of the map, which a colour bar can be made for.

    >>> figure, ax = plt.subplots()
    >>> overlay(ax, np.zeros((4, 4, 3)), np.eye(4)).get_array().shape
    (4, 4)
    >>> plt.close(figure)
    """
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1)
    ax.imshow(grey)
    ax.set(xticks=[], yticks=[])
    return ax.imshow(heat, cmap=COLOURS, norm=CenteredNorm(), alpha=alpha)


def clipped(heat: np.ndarray, share: float = 0.995) -> np.ndarray:
    """Clip a map at a quantile of its absolute values, so that a few pixels do not set the colour scale.

    Args:
        heat: The map, of any shape.
        share: The quantile, from 0 to 1.

    Returns:
        The clipped map, of the same shape.

    >>> clipped(np.array([1., 1., 1., -9.]), share=0.5).tolist()
    [1.0, 1.0, 1.0, -1.0]
    """
    limit = np.quantile(np.abs(heat), share)
    return np.clip(heat, -limit, limit)


def percent(share: float) -> str:
    """Write a share from 0 to 1 in percent. A share that is only close to 0 or 1 is not rounded to it.

    Args:
        share: A number from 0 to 1.

    Returns:
        The percentage with one decimal.

    >>> percent(0.5), percent(0.9999), percent(1e-5)
    ('50.0 %', '>99.9 %', '<0.1 %')
    """
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{float(share):.1%}".replace("%", " %")
