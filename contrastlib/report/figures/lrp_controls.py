"""Figures with controls of 19_pointing and 20_conservation: a round of the pointing game, a rule of LRP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

import contrastlib
from contrastlib import contrasts, models
from contrastlib.autograd import INPUT, forward
from contrastlib.explainers import input_x_gradient
from contrastlib.explainers.lrp import relevance_maps
from contrastlib.plotting import overlay
from contrastlib.report.computing import batches
from contrastlib.report.figures.lrp_shared import METHODS

POINTING = {METHODS[name]: name for name in ("lrp", "clrp1", "clrp2", "sglrp", "weighted_lrp")}
"""Title -> method of :func:`pointing`."""
ONE_ROUND = (
    "Scene {scene} with two drawn birds, each in its box, and the maps of both birds by {method} of "
    "{network}. A circle marks the highest pixel of a map."
)
CONTRASTS = ("original", "mean", "maximum", "weighted")
RULE_NAMES = {"z+": "z_plus", "z": "z", "epsilon": "epsilon"}
"""Title -> rule of :func:`conservation`."""
ONE_RULE = (
    "Drawn bird {image}, its {contrast} LRP map by {network} under the {rule} rule, and input × gradient of "
    "the same contrast, with the input of the first layer."
)


def pointing(networks: Sequence[str]) -> Callable[..., Figure]:
    """Function that draws one round of the pointing game for both birds of a scene.

    Args:
        networks: Networks of drawn birds.

    Returns:
        The function.
    """

    def draw(network: str = networks[0], scene: int = 0, method: str = "lrp") -> Figure:
        model = models.load(network)
        scenes = batches.load_dataset("bird-scenes", model.input_size)
        image, (species, boxes) = scenes[scene].image, zip(*scenes.objects(scene))
        targets = torch.tensor(species)[:, None]
        maps = relevance_maps(model, image[None], targets, [method], score="absolute")[method]
        figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), layout="constrained")
        axes[0].imshow(image.permute(1, 2, 0))
        for box, colour in zip(boxes, ("black", "grey")):
            _outline(axes[0], box, colour)
        for ax, label, box, heat in zip(axes[1:], species, boxes, maps[:, 0].sum(dim=1)):
            overlay(ax, image.permute(1, 2, 0).numpy(), heat.numpy())
            row, column = divmod(int(heat.argmax()), heat.shape[1])
            ax.plot(column, row, "o", markersize=12, fillstyle="none", color="black", markeredgewidth=2)
            _outline(ax, box, "black")
            ax.set_title(f"{model.class_names[label]}: {'hit' if box[row, column] else 'missed'}", fontsize=9)
        for ax in axes:
            ax.set(xticks=[], yticks=[])
        return figure

    return draw


def conservation(networks: Sequence[str]) -> Callable[..., Figure]:
    """Function that draws the LRP map of one bird, with the relevance that starts and that arrives.

    Args:
        networks: Networks of drawn birds.

    Returns:
        The function.
    """

    def draw(
        network: str = networks[0], image: int = 0, rule: str = "z_plus", biases: bool = False,
        contrast: str = "original",
    ) -> Figure:  # fmt: skip
        model = models.load(network)
        pixels = batches.load_dataset("birds", model.input_size)[image].image[None]
        inputs = [INPUT, "normalise"] if hasattr(model, "normalise") else INPUT
        record = forward(model, pixels, inputs, once=True)
        logits = record.logits
        weights = contrasts.CONTRASTS[contrast].function(logits, logits.argmax(1))
        heat = contrastlib.explain(model, pixels, method="lrp", contrast=contrast, rules=rule, biases=biases)
        gradient = input_x_gradient(record, weights, list(record.activations)[-1]).sum(dim=1)
        cosine = torch.cosine_similarity(heat.flatten(), gradient.flatten(), dim=0)
        started = float((weights * logits).sum())
        figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), layout="constrained")
        shown = pixels[0].permute(1, 2, 0).numpy()
        axes[0].imshow(shown)
        axes[0].set_title(model.class_names[int(logits.argmax())], fontsize=9)
        overlay(axes[1], shown, heat[0].numpy())
        axes[1].set_title(f"LRP: {started:.2f} starts, {float(heat.sum()):.2f} arrives", fontsize=9)
        overlay(axes[2], shown, gradient[0].numpy())
        axes[2].set_title(f"input × gradient, cosine {float(cosine):+.2f}", fontsize=9)
        for ax in axes:
            ax.set(xticks=[], yticks=[])
        return figure

    return draw


def _outline(ax: plt.Axes, region: Tensor, colour: str) -> None:
    """Draw the border of a region (H, W)."""
    ax.contour(region.float(), levels=[0.5], colors=colour, linewidths=1)
