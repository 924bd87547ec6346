"""What stands where the explorer will be: a drawing of the preset and a sentence."""

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
    """What is drawn: the explorer, as far as its still needs it."""

    header: dict
    chunks: Sequence[bytes]
    state: dict

    def map(self, pane: int) -> np.ndarray: ...

    def question(self, pane: int) -> str: ...


def still(explorer: Shown) -> bytes:
    """A WebP of the picture and the two maps as the state has them; the same bytes for the same state."""
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
        method, contrast = (explorer.header[each + "s"][pane[each]]["title"] for each in ("method", "contrast"))
        ax.set_title(f"{'AB'[i]}: {method}, {contrast}")
        ax.set_xlabel(network, fontsize=8, parse_math=False)
    for ax in (first, *others):
        ax.title.set_fontsize(9)
    file = io.BytesIO()
    figure.savefig(file, format="webp", pil_kwargs={"quality": 90, "method": 6})
    return file.getvalue()


def sentence(explorer: Shown) -> str:
    """What the still shows."""
    shown = explorer.header["pictures"][explorer.state["picture"]]
    return (f"{shown['caption']} Two maps over it, red for and blue against: "
            f"A: {explorer.question(0)} B: {explorer.question(1)}")
