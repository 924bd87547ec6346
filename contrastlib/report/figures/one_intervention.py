"""A figure of 14_interventions: one picture, one part repainted, and all parts by map and by effect."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from contrastlib import models
from contrastlib.autograd import predict
from contrastlib.datasets.birds import PARTS, SyntheticBirds
from contrastlib.evaluation.interventions import QUESTIONS, falls, in_parts
from contrastlib.evaluation.maps_of_contrasts import enlarged, explanations
from contrastlib.evaluation.rank_agreement import spearman
from contrastlib.plotting import overlay
from contrastlib.report.computing.batches import load_dataset
from contrastlib.report.figures.interventions import ASKED
from contrastlib.report.figures.shared import finished
from contrastlib.report.studies.bird_interventions import repainted_birds

NAMED = 6
"""Number of parts, those farthest from the origin, whose names are written."""
ALT = (
    "Picture {image}, the same with the part repainted whose effect is largest, the {contrast} GradCAM map, "
    "and a point for each part: its sum in the map over the fall of {question}."
)


def birds_of(model: models.Classifier) -> SyntheticBirds:
    """The test pictures in the size that a network takes."""
    return load_dataset("birds", model.input_size)


def one_picture(model: models.Classifier, birds: SyntheticBirds) -> Callable[..., Figure]:
    """Function that draws a picture, its most effective repainting, a map, and each part by map and fall."""

    def draw(
        image: int = 300, contrast: str = "original", question: str = "logit", repaintings: int = 2
    ) -> Figure:
        pixels = birds[image].image[None]
        classes = predict(model, pixels).topk(2, dim=1).indices
        repainted = repainted_birds(birds, pixels, [image], repaintings)
        fall = falls(model, repainted, *classes.T)[0, :, QUESTIONS.index(question)].numpy()
        methods = ["gradcam", "vit_gradcam"]
        ((_, maps),) = explanations(model, pixels, classes[:, 0], methods, [contrast])
        heat = enlarged(maps, pixels.shape[-2:])
        values = in_parts(heat, repainted.masks)[0, 0].numpy()
        seen = [number for number in range(len(PARTS)) if np.isfinite(fall[number])]
        first = max(seen, key=lambda number: fall[number])
        (version,) = (repainted.of[:, 1] == first).nonzero()[0].tolist()
        names = [model.class_names[c] for c in classes[0]]
        pictures = [each.permute(1, 2, 0).numpy() for each in (pixels[0], repainted.versions[version])]
        figure, axes = plt.subplots(1, 4, figsize=(9, 2.9), width_ratios=[1, 1, 1, 1.5], layout="constrained")
        for ax, picture in zip(axes, pictures):
            ax.imshow(picture)
        axes[0].set_title(f"{names[0]}\nor {names[1]}?", fontsize=8)
        title = f"another {PARTS[first]}:\n{ASKED[question]} falls by {fall[first]:.2f} (mean)"
        axes[1].set_title(title, fontsize=8)
        overlay(axes[2], pictures[0], heat[0, 0].numpy())
        axes[2].set_title(f"{contrast} map", fontsize=8)
        for ax in axes[:3]:
            ax.set(xticks=[], yticks=[])
        _points(axes[3], fall[seen], values[seen], [PARTS[number] for number in seen], question)
        return finished(figure)

    return draw


def _points(ax: plt.Axes, fall: np.ndarray, values: np.ndarray, names: list[str], question: str) -> None:
    ax.scatter(fall, values, s=12, color="#08468b")
    distance = (fall / np.abs(fall).max()) ** 2 + (values / np.abs(values).max()) ** 2
    for number in distance.argsort()[::-1][:NAMED]:
        style = {"xytext": (3, 2), "textcoords": "offset points", "fontsize": 7.5}
        ax.annotate(names[number], (fall[number], values[number]), **style)
    ax.axhline(0, color="#999999", linewidth=0.5)
    ax.axvline(0, color="#999999", linewidth=0.5)
    ax.set_xlabel(f"fall of {ASKED[question]}", fontsize=8)
    ax.set_ylabel("sum of the map in the part", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.set_title(f"rank correlation {spearman(fall, values):+.2f}", fontsize=8)
