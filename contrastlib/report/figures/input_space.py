"""Tables and figures of 02_input_space, from tables of ``contrastlib.evaluation.perturbation`` by scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from pandas.io.formats.style import Styler

from contrastlib import models
from contrastlib.evaluation import perturbation, rank_agreement
from contrastlib.report.claims.verdict_tables import PAPERS, title
from contrastlib.report.computing import batches
from contrastlib.report.figures.shared import (
    CONTRAST_ORDER,
    beside,
    finished,
    intervals,
    published,
)
from contrastlib.report.figures.words import readable, words
from contrastlib.report.results.provenance import as_list

ONE_IMAGE = (
    "Image {image} and two line charts of its target probability and target logit after the sign "
    "perturbation "
    "with epsilon {epsilon} of {network}, a line for each contrast."
)
PAIRS = [("weighted", "original"), ("weighted", "maximum"), ("weighted", "mean"), ("maximum", "original")]
CORRELATIONS = {"p_t": "accuracy ~ pₜ", "y_t": "accuracy ~ yₜ", "difference": "difference"}
ROWS = ["scale", "network", "quantity"]
_ITERATION_COLOURS = {
    1: ("#d9d9d9", "#969696", "#525252"),
    2: ("#fcd0c0", "#fb7050", "#a50f15"),
    10: ("#cfe1f2", "#5ba3cf", "#08468b"),
}


def bars(means: pd.DataFrame, title: str) -> Figure:
    """Figure 3 of Wang & Wang 2022 at the largest epsilon.

    Args:
        means: A table of :func:`contrastlib.evaluation.perturbation.mean_changes`, or the published one.
        title: Title of the figure. Epsilon is appended.

    Returns:
        The figure.
    """
    largest = means["epsilon"].max()
    return finished(_perturbation_bars(means[means["epsilon"] == largest], title=f"{title}: ε = {largest:g}"))


def _perturbation_bars(changes: pd.DataFrame, columns: int = 2, title: str | None = None) -> Figure:
    """Figure 3 of Wang & Wang 2022: a panel for each network, with the contrasts next to each other.

    In each group the wide light bars are changes of y_t (right axis), and the narrow bars those of p_t and of
    accuracy (left axis). Grey, red and blue are 1, 2 and more iterations.

    Args:
        changes: A table with network (a name, whose title is shown, or any text), contrast, iterations,
            quantity ("accuracy", "p_t" or "y_t"), change, and ``low`` and ``high`` if there is an interval.
        columns: Number of columns of panels.
        title: Title of the figure.

    Returns:
        The figure.
    """
    networks = list(changes["network"].unique())
    columns = min(columns, len(networks))
    rows = -(-len(networks) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(4 * columns, 2.3 * rows), squeeze=False, layout="constrained"
    )
    for index, (ax, network) in enumerate(zip(axes.flat, networks)):
        right = _perturbation_panel(ax, changes[changes["network"] == network])
        ax.set_title(words(network), fontsize=10, parse_math=False)
        if index % columns == 0:
            ax.set_ylabel("change of $p_t$, accuracy", fontsize=8)
        if index % columns == columns - 1 or network == networks[-1]:
            right.set_ylabel("change of $y_t$", fontsize=8)
    for ax in axes.flat[len(networks) :]:
        ax.set_axis_off()
    handles = [
        Patch(color=_colours(n)[i], label=f"{name}, N = {n}")
        for i, name in enumerate(("$y_t$", "$p_t$", "accuracy"))
        for n in sorted(changes["iterations"].unique())
    ]
    figure.legend(handles=handles, ncols=3, loc="outside lower center", fontsize=8, frameon=False)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def published_means() -> pd.DataFrame:
    """Means of Eriksson et al. 2025, in the columns of our tables."""
    return published("sign_perturbation").replace({"contrast": {"max": "maximum"}})


def one_image(
    networks: Mapping[str, Sequence], iterations: Sequence[int], epsilons: Sequence[float]
) -> Callable[..., Figure]:
    """Function that draws one image, and p_t and y_t after each number of iterations and before (dashed).

    Args:
        networks: Network -> [data set, ...].
        iterations: Numbers of iterations.
        epsilons: Values of ε, of which the largest is drawn first.

    Returns:
        A function of the name of a network, the index of an image and ε.
    """
    first, largest = next(iter(networks)), max(epsilons)

    def draw(network: str = first, image: int = 0, epsilon: float = largest) -> Figure:
        model = models.load(network)
        example = batches.load_dataset(networks[network][0], model.input_size)[image]
        pixels, label = example.image[None], torch.tensor([example.label])
        changes = perturbation.changes(model, pixels, label, iterations=iterations, epsilons=[epsilon])
        figure, axes = plt.subplots(1, 3, figsize=(8, 2.6), width_ratios=[2, 3, 3], layout="constrained")
        axes[0].imshow(example.image.permute(1, 2, 0))
        axes[0].set(title=model.class_names[example.label], xticks=[], yticks=[])
        for ax, value in zip(axes[1:], ("p_t", "y_t")):
            _lines(ax, changes, value)
        axes[2].legend(fontsize=7, frameon=False)
        return figure

    return draw


def side_by_side(means: Mapping[str, pd.DataFrame]) -> Styler:
    """Mean changes at the largest epsilon and number of iterations by scale, with a column for each contrast.

    Args:
        means: Scale, or "published" -> means as for :func:`bars`.

    Returns:
        The formatted table.
    """
    parts = {scale: _last(table).assign(cell=_cells) for scale, table in means.items()}
    table = pd.concat(parts, names=["scale"])
    return _wide(table.reset_index("scale"), "contrast")[list(CONTRAST_ORDER)].style.set_uuid("side-by-side")


def beside_published(means: Mapping[str, pd.DataFrame]) -> Styler:
    """Numbers of Figure 3: published means over networks, ours of the scale nearest to them, and differences.

    They are of the largest epsilon and number of iterations.
    """

    def mean(table: pd.DataFrame) -> pd.DataFrame:
        wide = _last(table).pivot_table(index="quantity", columns="contrast", values="change", sort=False)
        return readable(wide.loc[list(perturbation.QUANTITIES), list(CONTRAST_ORDER)])

    scale, table = list(means.items())[-1]
    theirs = {PAPERS["eriksson2025"]: mean(published_means())}
    return beside(mean(table), theirs, scale).set_uuid("beside-published")


def differences(measured: Mapping[str, pd.DataFrame], resamples: int) -> pd.DataFrame:
    """Differences of pairs of contrasts in all settings, with the columns scale and pair."""
    parts = {
        (scale, f"{a} − {b}"): perturbation.differences(table, first=a, second=b, resamples=resamples)
        for scale, table in measured.items()
        for a, b in PAIRS
    }
    ordered = {
        (scale, pair): part.set_index("network").loc[measured[scale]["network"].unique()].reset_index()
        for (scale, pair), part in parts.items()
    }
    return pd.concat(ordered, names=["scale", "pair"]).reset_index(["scale", "pair"])


def apart(differences: pd.DataFrame) -> Styler:
    """:func:`differences` at the largest epsilon and number of iterations of each scale, with intervals."""
    last = differences.groupby("scale", sort=False, group_keys=False)[list(differences)].apply(_last)
    return _wide(last.assign(cell=intervals(last)), "pair").style.set_uuid("apart")


def signs(differences: pd.DataFrame) -> Styler:
    """Number of settings whose interval is above 0, and in brackets number of those below 0."""
    cell = [*ROWS, "pair"]
    counted = differences.assign(above=differences["low"] > 0, below=differences["high"] < 0)
    counted = counted.groupby(cell, sort=False)[["above", "below"]].sum().reset_index()
    counted["cell"] = counted["above"].astype(str) + " (" + counted["below"].astype(str) + ")"
    return _wide(counted, "pair").style.set_uuid("signs")


def agreement(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """:func:`contrastlib.evaluation.rank_agreement.agreement` by scale, and as published."""
    found = {scale: rank_agreement.agreement(table, resamples) for scale, table in measured.items()}
    parts = {
        scale: part.assign(cell=intervals(part, "+.2f").where(part["mean"].notna(), "none"))
        for scale, part in found.items()
    }
    theirs = rank_agreement.of_means(published_means())
    parts["published"] = theirs.assign(cell=theirs["mean"].map("{:+.2f}".format))
    table = pd.concat(parts, names=["scale"]).reset_index("scale")
    names = list(dict.fromkeys(zip(table["scale"], table["network"])))
    wide = table.pivot(index=["scale", "network"], columns="correlation", values="cell")
    wide = wide.loc[names, list(CORRELATIONS)]
    return readable(wide.rename(columns=CORRELATIONS)).style.set_uuid("agreement")


def repeat_in_words(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Networks that were run twice, and the numbers of threads."""
    names = [title(name) for name in first["network"].unique() if name in set(second["network"])]
    earlier, later = map(_threads, (first, second))
    return (
        f"{', '.join(names)} were run twice, by different commits. The first runs used {earlier}, the second "
        f"{later}."
    )


def repeat(differences: pd.DataFrame) -> Styler:
    """Formatted table of :func:`contrastlib.evaluation.perturbation.repeat_differences`."""
    return readable(differences).style.format("{:.1e}").set_uuid("again")


def _lines(ax: plt.Axes, changes: pd.DataFrame, value: str) -> None:
    for marker, (contrast, part) in zip("osD^", changes.groupby("contrast", sort=False)):
        ax.plot(part["iterations"], part[value], marker=marker, label=contrast)
    ax.axhline(changes[f"{value}_before"].iloc[0], color="#444444", linewidth=0.8, linestyle="--")
    ax.set(xlabel="iterations", ylabel=f"${value}$", xticks=sorted(changes["iterations"].unique()))
    ax.spines[["top", "right"]].set_visible(False)


def _last(table: pd.DataFrame) -> pd.DataFrame:
    table = table[table["epsilon"] == table["epsilon"].max()]
    return table[table["iterations"] == table["iterations"].max()]


def _cells(means: pd.DataFrame) -> pd.Series:
    parts = [(part, "+.2f" if quantity == "y_t" else "+.3f") for quantity, part in means.groupby("quantity")]
    if "low" in means:
        return pd.concat([intervals(part.rename(columns={"change": "mean"}), form) for part, form in parts])
    return pd.concat([part["change"].map(f"{{:{form}}}".format) for part, form in parts])


def _wide(table: pd.DataFrame, columns: str) -> pd.DataFrame:
    """The column "cell" with a row for each scale, network and quantity. The order of rows is kept."""
    known = dict.fromkeys(zip(table["scale"], table["network"]))
    rows = [(*each, quantity) for each in known for quantity in perturbation.QUANTITIES]
    wide = table.pivot(index=ROWS, columns=columns, values="cell")[list(table[columns].unique())]
    wide = wide.reindex(pd.MultiIndex.from_tuples(rows, names=ROWS))
    return readable(wide)


def _threads(table: pd.DataFrame) -> str:
    threads = table.attrs["provenance"]["threads"]
    threads = as_list(threads if isinstance(threads, list) else [threads])
    return " or ".join(f"{n} thread{'s' if n > 1 else ''}" for n in threads)


def _colours(iterations: int) -> tuple[str, str, str]:
    """Light, middle and dark colour for a number of iterations.

    Numbers that the papers do not have share their colours.
    """
    return _ITERATION_COLOURS.get(iterations, _ITERATION_COLOURS[10])


def _perturbation_panel(ax: plt.Axes, changes: pd.DataFrame) -> plt.Axes:
    """Draw the bars of a network, and return the right axis."""
    right = ax.twinx()
    ax.set_zorder(right.get_zorder() + 1)
    ax.patch.set_visible(False)
    iterations = sorted(changes["iterations"].unique())
    contrasts = [c for c in CONTRAST_ORDER if c in set(changes["contrast"])]
    cells = changes.set_index(["contrast", "iterations", "quantity"])
    for i, contrast in enumerate(contrasts):
        for j, n in enumerate(iterations):
            light, middle, dark = _colours(n)
            x = i + (j - (len(iterations) - 1) / 2) * 0.28
            # wider than the other two together, and with an edge, to be visible next to higher ones
            _bar(right, x, cells.loc[(contrast, n, "y_t")], 0.26, light, edgecolor=middle, linewidth=0.6)
            _bar(ax, x - 0.035, cells.loc[(contrast, n, "p_t")], 0.06, middle)
            _bar(ax, x + 0.035, cells.loc[(contrast, n, "accuracy")], 0.06, dark)
    ax.set_xticks(range(len(contrasts)), contrasts, fontsize=8)
    for axis in (ax, right):
        axis.tick_params(axis="y", labelsize=7)
        axis.spines["top"].set_visible(False)
        axis.axhline(0, color="#333333", linewidth=0.5)
    _align_zeros(ax, right)
    return right


def _bar(ax: plt.Axes, x: float, cell: pd.Series, width: float, colour: str, **edge: Any) -> None:
    ax.bar(x, cell["change"], width, color=colour, **({"linewidth": 0} | edge))
    if pd.notna(cell.get("low", np.nan)):
        ax.plot([x, x], [cell["low"], cell["high"]], color="#222222", linewidth=0.7)


def _align_zeros(left: plt.Axes, right: plt.Axes) -> None:
    """Give 0 the same height on both axes."""
    below = max((-ax.get_ylim()[0] / ax.get_ylim()[1] if ax.get_ylim()[1] > 0 else 0) for ax in (left, right))
    for ax in (left, right):
        top = ax.get_ylim()[1]
        ax.set_ylim(-max(below, 0) * top, top)
