"""Tables and figures of 15_one_family: the methods as cotangents, and their measures.

They show records of contrasts and tables of :mod:`contrastlib.evaluation.later_methods`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import contrasts, models, plotting
from contrastlib.autograd import forward
from contrastlib.contrasts import CONTRASTS, Contrast
from contrastlib.evaluation import statistics
from contrastlib.evaluation.later_methods import METHODS, VAR, cotangent_of, maps_of
from contrastlib.explainers import EXPLAINERS, Explainer, upsample
from contrastlib.models.class_names import short
from contrastlib.report.claims.verdict_tables import PAPERS, title
from contrastlib.report.computing import batches
from contrastlib.report.figures.contrast_cells import formula_cell, sum_of_weights
from contrastlib.report.figures.shared import finished, intervals
from contrastlib.report.markdown import markdown_table

SOURCES = PAPERS | {"elisha2026": "Elisha et al. 2026", "cai2025": "Cai 2025"}
EXAMPLE = (6.0, 4.0, 3.5, 1.0)
FOR, AGAINST, WRONG = "#b2182b", "#2166ac", "#e08214"
WEIGHTS_AND_MAPS = (
    "Image {image} for {network}: the GradCAM map of the most probable class by each method, and the weights "
    "of the five most probable classes as bars."
)
MEASURES = {
    "drop": "drop of $p_t$",
    "drop_against_rival": "drop against the rival",
    "agreement": "agreement of two classes",
    "localisation": "in the right tile",
}


def name_of(method: str) -> str:
    """The title of a contrast, or of VAR.

    >>> name_of("finer_cam"), name_of("class_competition")
    ('Finer-CAM, printed', 'VAR')
    """
    return EXPLAINERS[method].title if method in EXPLAINERS else CONTRASTS[method].title


def family() -> Markdown:
    """Table of all contrasts and of VAR: source, sum of the weights, whether a map is linear, the weights."""
    rows = []
    for name, each in CONTRASTS.items():
        linear = "yes, given $c$" if each.needs_gradients else "yes"
        rows.append([_named(each, name), sum_of_weights(each), linear, formula_cell(each.formula)])
    var = EXPLAINERS[VAR]
    rows.append([_named(var, VAR), "no $w$", "no", f"map: {formula_cell(var.formula)}"])
    return Markdown(markdown_table(["method", "sum of $w$", "linear in $w$?", "weights $w$"], rows))


def bars(logits: Sequence[float] = EXAMPLE) -> Figure:
    """The weights of each contrast of class 0 against all other classes, for one image's logits.

    Args:
        logits: Logits of an image, that of the target class first.

    Returns:
        A panel for each contrast whose weights follow from the logits. A foil that counts for the target
        class is orange.
    """
    y = torch.tensor([logits], dtype=torch.float64)
    names = [name for name in METHODS if name in CONTRASTS and CONTRASTS[name].is_of_one_class]
    columns = 4
    figure, axes = plt.subplots(
        -(-len(names) // columns), columns, figsize=(8.4, 3.6), sharey=True, layout="constrained"
    )
    for ax, name in zip(axes.flat, names):
        foils = list(range(1, len(logits))) if CONTRASTS[name].takes_foils else None
        w = contrasts.cotangent(name, y, 0, foils)[0].numpy()
        _bars(ax, w, [f"{value:g}" for value in logits])
        ax.set_title(name_of(name), fontsize=9)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    figure.supxlabel("logit of each class, the target class first", fontsize=9)
    figure.supylabel("weight", fontsize=9)
    return finished(figure)


def weights_and_maps(networks: Mapping[str, Sequence]) -> Callable[..., Figure]:
    """Make a function that draws :func:`weights_and_map` of an image by one of several networks.

    Args:
        networks: Network -> [data set, ...].

    Returns:
        A function of the name of a network and the index of an image in its set.
    """
    first = next(iter(networks))

    def draw(network: str = first, image: int = 31) -> Figure:
        images = batches.load_dataset(networks[network][0], models.load(network).input_size)
        return weights_and_map(network, networks[network][0], image % len(images))

    return draw


def weights_and_map(network: str, dataset: str, index: int, count: int = 5) -> Figure:
    """The weights over the most probable classes of an image, and its map, for each method.

    Args:
        network: Name of a network.
        dataset: Name of an image set.
        index: Index of the image.
        count: Number of classes that are shown.

    Returns:
        A block for each method, with the map at the left. VAR has no weights.
    """
    model = models.load(network)
    image = batches.load_dataset(dataset, model.input_size)[index].image[None]
    record = forward(model, image, model.layer)
    top = record.logits[0].topk(count).indices
    target = top[:1]
    maps = upsample(maps_of(record, target, METHODS)[:, 0], image.shape[-2:]).numpy()
    names = [short(model.class_names[s]) for s in top.tolist()]
    figure, axes = plt.subplots(3, 6, figsize=(9.6, 5.4), width_ratios=[1.3, 1] * 3, layout="constrained")
    pixels = image[0].permute(1, 2, 0).numpy()
    for number, (name, heat) in enumerate(zip(METHODS, maps)):
        left, right = axes.flat[2 * number], axes.flat[2 * number + 1]
        plotting.overlay(left, pixels, heat)
        left.set(xticks=[], yticks=[])
        left.set_title(name_of(name), fontsize=9, loc="left")
        if name == VAR:
            right.set_axis_off()
            right.text(0.5, 0.5, "no weights", ha="center", va="center", fontsize=8, color="#555555")
            continue
        w = cotangent_of(record, target, name)[0, top].numpy()
        _bars(right, w, [textwrap.shorten(each, 22, placeholder="…") for each in names], flat=True)
    return finished(figure)


def table(measured: Mapping[str, pd.DataFrame], value: str, resamples: int, form: str = "+.2f") -> Styler:
    """Mean of a measure for each method and network, with its 95 % interval over photographs.

    Args:
        measured: Scale -> table of a study.
        value: Name of the column.
        resamples: Number of bootstrap samples.
        form: Format of the numbers.

    Returns:
        The table, with a row for each method and a column for each scale and network.
    """
    parts = []
    for scale, part in measured.items():
        known = part.dropna(subset=value)
        rows = statistics.means(known, value, ["network", "contrast"], resamples=resamples)
        parts.append(rows.assign(scale=scale, cell=intervals(rows, form)))
    rows = pd.concat(parts)
    rows = rows.assign(network=rows["network"].map(title), method=rows["contrast"].map(name_of))
    wide = rows.pivot(index="method", columns=["scale", "network"], values="cell")
    order = [name_of(name) for name in METHODS if name_of(name) in wide.index]
    return wide.loc[order].fillna("–").style.set_uuid(value)


def differences(tables: Sequence[pd.DataFrame], resamples: int) -> Figure:
    """What each method changes in each measure, against the original map of the same image.

    Args:
        tables: Tables of the studies of one scale.
        resamples: Number of bootstrap samples.

    Returns:
        A panel for each measure in ``MEASURES``, with 95 % intervals over photographs. Grey is no difference.
    """
    names = [name for name in METHODS if name != "original"]
    networks = list(dict.fromkeys(tables[0]["network"]))
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(9.6, 4.2), sharey=True, layout="constrained")
    for ax, (value, label) in zip(axes, MEASURES.items()):
        part = next(each for each in tables if value in each)
        for number, name in enumerate(names):
            rows = statistics.paired_differences(
                part, value, ["network"], first=name, second="original", resamples=resamples
            ).set_index("network")
            for position, network in enumerate(networks):
                row = rows.loc[network]
                y, colour = number + 0.16 * (position - (len(networks) - 1) / 2), f"C{position}"
                ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.4)
                ax.plot(
                    row["mean"],
                    y,
                    "o",
                    color=colour,
                    markersize=3.5,
                    label=title(network) if number == 0 else None,
                )
        ax.axvline(0, color="#999999", linewidth=0.8)
        ax.set_title(label, fontsize=9)
        ax.tick_params(labelsize=8)
    axes[0].set_yticks(range(len(names)), [name_of(name) for name in names], fontsize=8)
    axes[0].invert_yaxis()
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False
    )
    return finished(figure)


def positive_area(measured: Mapping[str, pd.DataFrame]) -> str:
    """A sentence on the area of VAR's maps, from a table of drops."""
    part = next(iter(measured.values()))
    means = part[part["contrast"] == VAR].groupby("network", sort=False)["positive"].mean()
    return (
        "VAR's maps are 0 where no class wins. The part above 0 covers "
        + ", ".join(f"{value:.0%} of an image ({title(name)})" for name, value in means.items())
        + ". Where it is less than the masked share, pixels that the map does not name are masked too."
    )


def _named(record: Contrast | Explainer, name: str) -> str:
    """Title, name in the library and source of a contrast or an explainer, for a cell of a table."""
    return f"{record.title}, `{name}`<br><small>{SOURCES[record.paper]}, {record.equation}</small>"


def _bars(ax: Axes, w: np.ndarray, labels: Sequence[str], flat: bool = False) -> None:
    """Bars of weights. A foil with a positive weight is orange."""
    colours = [FOR, *(WRONG if weight > 1e-9 else AGAINST for weight in w[1:])]
    (ax.barh if flat else ax.bar)(range(len(w)), w, color=colours)
    ax.tick_params(labelsize=7)
    if flat:
        ax.set_yticks(range(len(w)), labels, fontsize=6)
        ax.invert_yaxis()
        ax.axvline(0, color="#333333", linewidth=0.6)
        ax.set_xlim(-1.3, 1.3)
        return
    ax.set_xticks(range(len(w)), labels)
    ax.axhline(0, color="#333333", linewidth=0.6)
    ax.set_ylim(-1.35, 1.6)
    for position, weight in enumerate(w):
        ax.annotate(
            f"{weight:+.2f}",
            (position, weight),
            (0, 2 if weight >= 0 else -8),
            fontsize=6.5,
            textcoords="offset points",
            ha="center",
        )
