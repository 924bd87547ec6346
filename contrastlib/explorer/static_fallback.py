"""The static fallback of the explorer: an image of the initial state and its description."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from contrastlib import explainers
from contrastlib.explorer.arithmetic import pictures_of


class Shown(Protocol):
    """The part of the explorer's interface that its static fallback needs."""

    header: dict
    """The explorer's header."""
    chunks: Sequence[bytes]
    """The explorer's chunks."""
    state: dict
    """The explorer's state."""

    def map(self, pane: int) -> np.ndarray:
        """Return the map (h, w) of a pane."""
        ...

    def question(self, pane: int) -> str:
        """Return the question that the map of a pane answers."""
        ...


def static_image(explorer: Shown) -> bytes:
    """Draw the picture and the two maps of the current state as a WebP image.

    The same state gives the same bytes.
    """
    shown, image = _picture(explorer, 0)
    figure = Figure(figsize=(7.2, 2.75), dpi=150, layout="constrained")
    first, *others = figure.subplots(1, 3)
    first.imshow(image.astype(np.uint8))
    first.set_title(shown["title"] if len(shown["title"]) < 28 else "Picture", parse_math=False)
    for i, ax in enumerate(others):
        _, image = _picture(explorer, i)
        heat = explainers.upsample(torch.from_numpy(explorer.map(i))[None], image.shape[:2])[0].numpy()
        ax.imshow(overlaid(image, heat, explorer.header["colours"], explorer.state["opacity"]))
        pane = explorer.state["panes"][i]
        network = explorer.header["networks"][pane["network"]]["title"]
        method = explorer.header["methods"][pane["method"]]["title"]
        contrast = explorer.header["contrasts"][pane["contrast"]]["title"]
        ax.set_title(f"{'AB'[i]}: {method}, {contrast}")
        ax.set_xlabel(network, fontsize=8, parse_math=False)
    for ax in (first, *others):
        ax.set(xticks=[], yticks=[])
        ax.title.set_fontsize(9)
    file = io.BytesIO()
    figure.savefig(file, format="webp", pil_kwargs={"quality": 90, "method": 6})
    return file.getvalue()


def _picture(explorer: Shown, pane: int) -> tuple[dict, np.ndarray]:
    """Return the description of the picture of a pane, and its pixels (H, W, 3) from 0 to 255."""
    index = pictures_of(explorer.state)[pane]
    shown = explorer.header["pictures"][index]
    with Image.open(io.BytesIO(explorer.chunks[shown["image"]])) as stored:
        return shown, np.asarray(stored.convert("RGB"), dtype=float)


def overlaid(
    pixels: np.ndarray, heat: np.ndarray, colours: Sequence, opacity: float, limit: float | None = None
) -> np.ndarray:
    """Draw a map over its picture as ``drawing.js`` does: the more opaque the map, the greyer the picture.

    Args:
        pixels: Picture (H, W, 3), with values from 0 to 255.
        heat: Map (H, W).
        colours: RGB colours from the most negative to the most positive value.
        opacity: Opacity of the map, from 0 to 1. At 0 the picture has its own colours.
        limit: Value of the last colour; None stands for the largest absolute value of the map.

    Returns:
        Picture (H, W, 3) of bytes.

    >>> overlaid(np.full((1, 1, 3), 8.0), np.ones((1, 1)), [[0, 0, 0], [200, 0, 0]], 0.5).tolist()
    [[[104, 4, 4]]]
    """
    limit = abs(heat).max() if limit is None else limit
    share = (heat / limit + 1) / 2 if limit else np.full(heat.shape, 0.5)
    indices = np.clip(np.floor(share * len(colours)), 0, len(colours) - 1).astype(int)
    faded = (1 - opacity) * pixels + opacity * pixels.mean(axis=2, keepdims=True)
    mixed = (1 - opacity) * faded + opacity * np.asarray(colours, dtype=float)[indices]
    return np.rint(mixed).astype(np.uint8)


def sentence(explorer: Shown) -> str:
    """Describe the image that :func:`static_image` draws."""
    indices = dict.fromkeys(pictures_of(explorer.state))
    captions = " B: ".join(explorer.header["pictures"][index]["caption"] for index in indices)
    return (
        f"{captions} Two maps over the picture, red for evidence in favour and blue for evidence "
        f"against: A: {explorer.question(0)} B: {explorer.question(1)}"
    )
