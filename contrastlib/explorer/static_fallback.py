"""The static fallback of the explorer: an image of the initial state and its description."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from contrastlib import explainers, plotting


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


def still(explorer: Shown) -> bytes:
    """Draw the picture and the two maps of the current state as a WebP image.

    The same state gives the same bytes.
    """
    shown = explorer.header["pictures"][explorer.state["picture"]]
    with Image.open(io.BytesIO(explorer.chunks[shown["image"]])) as stored:
        image = np.asarray(stored.convert("RGB")) / 255
    figure = Figure(figsize=(7.2, 2.75), dpi=150, layout="constrained")
    first, *others = figure.subplots(1, 3)
    first.imshow(image)
    first.set(xticks=[], yticks=[])
    first.set_title(shown["title"] if len(shown["title"]) < 28 else "Picture", parse_math=False)
    for i, ax in enumerate(others):
        heat = explainers.upsample(torch.from_numpy(explorer.map(i))[None], image.shape[:2])[0].numpy()
        plotting.overlay(ax, image, heat, explorer.state["opacity"])
        pane = explorer.state["panes"][i]
        network = explorer.header["networks"][pane["network"]]["title"]
        method = explorer.header["methods"][pane["method"]]["title"]
        contrast = explorer.header["contrasts"][pane["contrast"]]["title"]
        ax.set_title(f"{'AB'[i]}: {method}, {contrast}")
        ax.set_xlabel(network, fontsize=8, parse_math=False)
    for ax in (first, *others):
        ax.title.set_fontsize(9)
    file = io.BytesIO()
    figure.savefig(file, format="webp", pil_kwargs={"quality": 90, "method": 6})
    return file.getvalue()


def sentence(explorer: Shown) -> str:
    """Describe the image that :func:`still` draws."""
    shown = explorer.header["pictures"][explorer.state["picture"]]
    return (f"{shown['caption']} Two maps over the picture, red for evidence in favour and blue for evidence "
            f"against: A: {explorer.question(0)} B: {explorer.question(1)}")
