"""Figures of a map over its image, and the text for them."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import CenteredNorm
from matplotlib.image import AxesImage

COLOURS = "RdBu_r"
"""Colour map of all maps: red is positive, blue is negative, white is 0. It suits colour-blind readers."""
ROUNDING = 1e-3
"""How far a value of an image may lie outside of 0 to 1."""


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

    Raises:
        TypeError: The image or the map does not hold real numbers.
        ValueError: Their shapes are wrong or do not fit, they hold NaN or infinite values, or the values of
            the image or alpha are not from 0 to 1.

    >>> figure, ax = plt.subplots()
    >>> overlay(ax, np.zeros((4, 4, 3)), np.eye(4)).get_array().shape
    (4, 4)
    >>> plt.close(figure)
    """
    image, heat = _numbers("the image", image), _numbers("the map", heat)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"the image must be (H, W, 3), got {image.shape}: a tensor (3, H, W) becomes one "
            "with image.permute(1, 2, 0)"
        )
    if heat.shape != image.shape[:2]:
        raise ValueError(
            f"the map must be (H, W) = {image.shape[:2]} like the image, got {heat.shape}: "
            "resize it with contrastlib.explainers.upsample"
        )
    if image.min() < -ROUNDING or image.max() > 1 + ROUNDING:
        raise ValueError(
            f"the image has values from {image.min():.3g} to {image.max():.3g}, and not from 0 to 1: divide "
            "bytes by 255, or undo the normalisation"
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}: choose an opacity from 0 to 1")
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

    Raises:
        TypeError: The map does not hold real numbers.
        ValueError: The map is empty or holds NaN or infinite values, or the quantile is not from 0 to 1.

    >>> clipped(np.array([1., 1., 1., -9.]), share=0.5).tolist()
    [1.0, 1.0, 1.0, -1.0]
    """
    heat = _numbers("the map", heat)
    if not heat.size or not 0 <= share <= 1:
        raise ValueError(
            f"share is {share} and the map has {heat.size} values: choose a quantile from 0 to "
            "1, and a map that is not empty"
        )
    limit = np.quantile(np.abs(heat), share)
    return np.clip(heat, -limit, limit)


def percent(share: float) -> str:
    """Write a probability in percent, which is never rounded to 0 or 1.

    Neither are the numbers 0 and 1 themselves: a softmax gives them where they are the nearest floating-point
    numbers.

    Args:
        share: A number from 0 to 1.

    Returns:
        The percentage with one decimal.

    >>> percent(0.5), percent(0.9999), percent(1e-5), percent(0.0)
    ('50.0 %', '>99.9 %', '<0.1 %', '<0.1 %')
    """
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{float(share):.1%}".replace("%", " %")


def _numbers(what: str, values: object) -> np.ndarray:
    """The values as an array of finite real numbers."""
    try:
        array = np.asarray(values)
    except (RuntimeError, TypeError, ValueError) as error:  # of a tensor on a GPU, or of a ragged list
        raise TypeError(f"{what} must be an array: a tensor becomes one with .numpy(force=True)") from error
    if array.dtype.kind not in "buif":
        raise TypeError(f"{what} must hold real numbers, got {type(values).__name__} of {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds NaN or infinite values: see how it was computed")
    return array
