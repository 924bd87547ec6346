"""Relevance maps of 10_lrp and 19_pointing as figures: of several classes, of two objects, of neurons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import Tensor

from contrastlib import assets, models, plotting
from contrastlib.evaluation.conservation import random_classes, together
from contrastlib.explainers.lrp import named_methods, propagated, propagation, relevance_maps, score
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.computing import batches
from contrastlib.report.figures.lrp_shared import METHODS
from contrastlib.report.figures.shared import files_of, finished, left_out
from contrastlib.report.studies.animal_positions import ELEPHANT, ZEBRA

CONTRASTIVE = ("clrp1", "clrp2", "sglrp", "weighted_lrp")
OF_TWO = ("lrp", *CONTRASTIVE)
ONE_SCENE = (
    "Scene {scene} with two drawn birds of different species, and for each species the maps of LRP, CLRP1, "
    "CLRP2, SGLRP and weighted LRP of {network}."
)


def of_three_classes(
    model: models.Classifier, image: Tensor, methods: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Maps (3, H, W) of the three most probable classes by each method, and the titles of the classes.

    Args:
        model: The classifier.
        image: Image (3, H, W).
        methods: Names of methods.

    Returns:
        Method -> maps, and the titles.
    """
    maps = relevance_maps(model, image[None], lambda y: y.topk(3, dim=1).indices.T, methods, score="absolute")
    with torch.no_grad():
        probabilities, classes = model(image[None])[0].softmax(dim=0).topk(3)
    titles = [plotting.class_title(model.class_names[c], p, width=16) for c, p in zip(classes, probabilities)]
    return {name: phi[:, 0].sum(dim=1).numpy() for name, phi in maps.items()}, titles


def of_random_classes(model: models.Classifier, image: Tensor) -> np.ndarray:
    """LRP (H, W) of ten random classes together, the fourth map of Figure 1 of Gu et al. 2018."""
    with propagation(model, image[None]) as propagate:
        drawn = random_classes(propagate.outputs, image[None], seed=0)
        return propagate(together(propagate.outputs, score, drawn))[0].sum(dim=0).numpy()


def class_maps(networks: Mapping[str, Sequence], count: int) -> Figure:
    """LRP of the three most probable classes and of ten random ones, with a row for each image and network.

    Args:
        networks: Network -> [image set, ...].
        count: Number of images of each set.

    Returns:
        The figure.
    """
    axes = _grid(count * len(networks), 5, 1.35)
    for row, (index, (name, (dataset, *_))) in zip(axes, product(range(count), networks.items())):
        model = models.load(name)
        image = batches.load_dataset(dataset, model.input_size)[index].image
        maps, titles = of_three_classes(model, image, ["lrp"])
        row[0].imshow(image.permute(1, 2, 0))
        row[0].set_ylabel(title(name), fontsize=7.5)
        _draw_row(
            row[1:], image, [*maps["lrp"], of_random_classes(model, image)], [*titles, "ten random\nclasses"]
        )
    return finished(axes[0, 0].figure)


def contrastive_maps(model: models.Classifier, dataset: str, count: int) -> Figure:
    """Maps of the three most probable classes by the contrastive methods, in rows.

    Args:
        model: The classifier.
        dataset: Name of the data set.
        count: Number of images.

    Returns:
        The figure.
    """
    axes = _grid(len(CONTRASTIVE), 3 * count, 1.25)
    image_set = batches.load_dataset(dataset, model.input_size)
    for index in range(count):
        image = image_set[index].image
        maps, titles = of_three_classes(model, image, CONTRASTIVE)
        for number, (row, (name, heat)) in enumerate(zip(axes, maps.items())):
            row[0].set_ylabel(METHODS[name], fontsize=7.5)
            _draw_row(row[3 * index : 3 * index + 3], image, heat, titles if number == 0 else [""] * 3)
    return finished(axes[0, 0].figure)


def photograph_maps(model: models.Classifier, image: Tensor) -> Figure:
    """An image with its three most probable classes in rows, and LRP methods in columns."""
    maps, titles = of_three_classes(model, image, OF_TWO)
    axes = _grid(3, 1 + len(maps), 1.25)
    axes[0, 0].imshow(image.permute(1, 2, 0))
    for number, (row, name) in enumerate(zip(axes, titles)):
        row[0].set_ylabel(name, fontsize=7.5, parse_math=False)
        methods = [METHODS[each] if number == 0 else "" for each in maps]
        _draw_row(row[1:], image, [heat[number] for heat in maps.values()], methods)
    return finished(axes[0, 0].figure)


def one_scene(names: Sequence[str]) -> Callable[..., Figure]:
    """Function that draws one scene with two drawn birds, and the maps of both species by a network."""

    def draw(network: str = names[0], scene: int = 0) -> Figure:
        model = models.load(network)
        scenes = batches.load_dataset("bird-scenes", model.input_size)
        return of_two_objects(
            model, scenes[scene].image, scenes.labels(scene), f"scene {scene}, {title(network)}"
        )

    return draw


def zebras(model: models.Classifier) -> list[Figure] | list[HTML]:
    """Figures of the photographs of zebras and elephants of the paper, or a note if their files are missing.

    Args:
        model: Network to explain. If it lacks the classes of these animals, SqueezeNet 1.1 replaces it.

    Returns:
        The figures, or the note.
    """
    knows = "zebra" in model.class_names
    files = files_of("zebra-elephant", *([] if knows else ["squeezenet1_1"]))
    if not all(map(assets.available, files)):
        return [left_out("The paper's photographs of zebras and elephants", *files)]
    model = model if knows else models.load("squeezenet1_1")
    herds = batches.load_dataset("zebra-elephant")
    shown = [herds[index] for index in range(len(herds))]
    return [finished(of_two_objects(model, each.image, (ZEBRA, ELEPHANT), each.name)) for each in shown]


def of_two_objects(model: models.Classifier, image: Tensor, classes: Sequence[int], caption: str) -> Figure:
    """An image with two objects: classes in rows, LRP and the contrastive methods in columns.

    Args:
        model: The classifier.
        image: Image (3, H, W).
        classes: Indices of the classes.
        caption: What the image shows.

    Returns:
        The figure.
    """
    maps = relevance_maps(model, image[None], torch.tensor(classes)[:, None], OF_TWO, score="absolute")
    axes = _grid(2, 1 + len(maps), 1.3)
    for number, (row, label) in enumerate(zip(axes, classes)):
        row[0].imshow(image.permute(1, 2, 0))
        row[0].set_ylabel(model.class_names[label], fontsize=7, parse_math=False)
        methods = [METHODS[name] if number == 0 else "" for name in maps]
        _draw_row(row[1:], image, [phi[number, 0].sum(dim=0).numpy() for phi in maps.values()], methods)
    axes[0, 0].figure.suptitle(caption, fontsize=9, parse_math=False)
    return axes[0, 0].figure


def neurons(network: str, dataset: str, layer: str, table: pd.DataFrame) -> Figure:
    """Figure 5 of Gu et al. 2018: maps of the most active neurons of a layer, and losses due to the patches.

    Args:
        network: Name of the network.
        dataset: Name of the image set. Its first measured image is drawn.
        layer: Name of the layer.
        table: A table of :func:`contrastlib.evaluation.ablation.neuron_ablation`.

    Returns:
        The figure.
    """
    shown = table[
        (table["network"] == network)
        & (table["method"] == "clrp2")
        & (table["image"] == table["image"].min())
    ]
    order = shown.drop_duplicates("neuron").sort_values("neuron")["neuron_index"].tolist()
    model = models.load(network)
    image = batches.load_dataset(dataset, model.input_size)[int(table["image"].min())].image
    figure = plt.figure(figsize=(9.6, 2.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[3, 1])
    axes = left.subplots(2, 1 + len(order))
    for number, (row, (name, heat)) in enumerate(zip(axes, _of_neurons(model, image, layer, order).items())):
        row[0].imshow(image.permute(1, 2, 0))
        row[0].set(xticks=[], yticks=[])
        row[0].set_ylabel(METHODS[name], fontsize=8)
        _draw_row(row[1:], image, heat, order if number == 0 else [""] * len(order))
    _draw_losses(right.subplots(), shown, order)
    return finished(figure)


def _draw_losses(ax: plt.Axes, shown: pd.DataFrame, order: Sequence[int]) -> None:
    """Draw the share of its activation that each neuron loses due to the patch of each neuron."""
    lost = shown.assign(lost=1 - shown["after"] / shown["before"]).pivot(
        index="ablated_index", columns="neuron_index", values="lost"
    )
    sns.heatmap(
        lost.loc[order, order],
        cmap=plotting.COLOURS,
        center=0,
        ax=ax,
        square=True,
        xticklabels=1,
        yticklabels=1,
        cbar_kws={"label": "activation lost", "shrink": 0.6},
    )
    ax.tick_params(labelsize=6)
    ax.set(xlabel="neuron", ylabel="patch of neuron")


def _of_neurons(
    model: models.Classifier, image: Tensor, layer: str, order: Sequence[int]
) -> dict[str, np.ndarray]:
    with propagation(model, image[None], layer=layer) as propagate:
        targets = torch.tensor(order)[:, None]
        methods = named_methods(["lrp", "clrp2"], score="absolute")
        maps = propagated(propagate, methods, lambda y, start: torch.stack([start(y, t) for t in targets]))
    return {name: phi[:, 0].sum(dim=1).numpy() for name, phi in maps.items()}


def _grid(rows: int, columns: int, height: float) -> np.ndarray:
    """Axes without ticks and frames, small enough for the screen of a phone."""
    axes = plt.subplots(
        rows, columns, figsize=(1.1 * columns, height * rows), layout="constrained", squeeze=False
    )[1]
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return axes


def _draw_row(axes: Sequence[plt.Axes], image: Tensor, maps: Sequence[np.ndarray], titles: Sequence) -> None:
    for ax, heat, text in zip(axes, maps, titles):
        plotting.overlay(ax, image.permute(1, 2, 0).numpy(), plotting.clipped(heat), alpha=0.8)
        ax.set_title(text, fontsize=7.5, parse_math=False)
