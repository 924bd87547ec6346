"""Figures and tables in the layout of the papers, and functions that several pages use."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from contrastlib import assets
from contrastlib.plotting import clipped, overlay
from contrastlib.report.figures.legible import legible
from contrastlib.report.figures.words import readable, words
from contrastlib.report.verdict_tables import title

PUBLISHED = Path(__file__).resolve().parents[3] / "data" / "published"
CONTRAST_ORDER = ("original", "mean", "maximum", "weighted")
SHORT = {
    "original": "ori.", "mean": "mean", "maximum": "max", "weighted": "wtd.",
    "linear_approximation": "LA", "gradcam": "GC", "xgradcam": "XC",
}
_ITERATION_COLOURS = {1: ("#d9d9d9", "#969696", "#525252"), 2: ("#fcd0c0", "#fb7050", "#a50f15"),
                      10: ("#cfe1f2", "#5ba3cf", "#08468b")}


def published(table: str) -> pd.DataFrame:
    """Published numbers of a table in data/published.

    Args:
        table: "sign_perturbation", "blurring_masking" or "clrp_ablation".

    Returns:
        The table.

    >>> published("sign_perturbation")["network"].nunique()
    9
    """
    return pd.read_csv(PUBLISHED / f"{table}.csv")


def counts(measured: Mapping[str, pd.DataFrame]) -> str:
    """Number of images of each network at each scale, in words.

    Args:
        measured: Scale -> table with network and image.

    Returns:
        The words.

    >>> counts({"quick": pd.DataFrame({"network": ["birds_vgg", "birds_vgg"], "image": [0, 1]})})
    'quick: 2 (small VGG)'
    """
    parts = []
    for scale, table in measured.items():
        images = table.groupby("network", sort=False)["image"].nunique()
        parts.append(f"{scale}: " + ", ".join(f"{n} ({title(name)})" for name, n in images.items()))
    return "; ".join(parts)


def perturbation_bars(changes: pd.DataFrame, columns: int = 2, title: str | None = None) -> Figure:
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
    for ax in axes.flat[len(networks):]:
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


def map_blocks(
    images: np.ndarray,
    maps: np.ndarray,
    row_titles: Sequence[str],
    classes: Sequence[Sequence[str]],
    alpha: float = 0.6,
    share: float = 1.0,
) -> Figure:
    """Figure 4 of Wang & Wang 2022: for each image the maps of its two most probable classes.

    Args:
        images: N images (N, H, W, 3) in [0, 1].
        maps: Maps (N, rows, 2, H, W), with one row for each method and contrast. 0 is drawn white.
        row_titles: Titles of the rows.
        classes: For each image the titles of its two columns.
        alpha: Opacity of the maps.
        share: Quantile of the absolute values of a map at which its colours end, see
            :func:`~contrastlib.plotting.clipped`.

    Returns:
        The figure.
    """
    count, rows = maps.shape[:2]
    figure, axes = plt.subplots(
        rows + 1,
        2 * count,
        figsize=(1.75 * 2 * count + 0.8, 1.75 * (rows + 1)),
        squeeze=False,
        layout="constrained",
    )
    for n in range(count):
        axes[0, 2 * n].imshow(images[n])
        axes[0, 2 * n + 1].set_axis_off()
        for k in range(2):
            for row in range(rows):
                ax = axes[row + 1, 2 * n + k]
                overlay(ax, images[n], clipped(maps[n, row, k], share), alpha)
                if row == 0:
                    ax.set_title(classes[n][k], fontsize=7, parse_math=False)
                if n == 0 and k == 0:
                    ax.set_ylabel(row_titles[row], fontsize=8)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    return figure


def answer(
    image: np.ndarray,
    heat: np.ndarray,
    names: Sequence[str],
    probabilities: Sequence[float],
    part: str | None = None,
) -> Figure:
    """An image and the maps of its two most probable classes, from the logits and against the others.

    Args:
        image: Image (H, W, 3) in [0, 1].
        heat: Maps (2, 2, H, W), original and weighted, of the first and of the second class.
        names: Names of the two classes.
        probabilities: Their probabilities.
        part: Part in which the two differ, if known.

    Returns:
        The figure.
    """
    figure, axes = plt.subplots(1, 5, figsize=(8.4, 2.4), layout="constrained")
    axes[0].imshow(image)
    asked = f"{names[0]} ({probabilities[0]:.2f})\nor {names[1]} ({probabilities[1]:.2f})?"
    axes[0].set_title(asked, fontsize=7.5, parse_math=False)
    if part:
        axes[0].set_xlabel(f"they differ in: {part}", fontsize=9)
    for k, ax in enumerate(axes[1:]):
        contrast, rank = divmod(k, 2)
        overlay(ax, image, heat[contrast, rank])
        ax.set_title(names[rank], fontsize=9, parse_math=False)
        ax.set_xlabel("from the logit" if contrast == 0 else "against the others", fontsize=9)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    return figure


def mean_lines(table: pd.DataFrame, x: str, y: str, ax: plt.Axes, legend: bool) -> None:
    """Draw the mean of ``y`` at each ``x`` with 95 % intervals, one line for each value of "line"."""
    sns.lineplot(
        table, x=x, y=y, hue="line", ax=ax, marker="o", markersize=4, errorbar=("ci", 95), n_boot=200, seed=0,
        legend=legend,
    )


def finished(figure: Figure) -> Figure:
    """Close a figure in pyplot, so that a notebook shows it once, as the value of its cell.

    Its texts are made large enough to be read on a page.

    >>> figure = finished(plt.figure())
    >>> figure.number in plt.get_fignums()
    False
    """
    plt.close(figure)
    return legible(figure)


def maker(name: str) -> str:
    """Description, author and licence of a photograph.

    >>> maker("chelsea.png")
    'a cat, Chelsea, by Stefan van der Walt (CC0)'
    """
    photo = assets.file(name)
    return f"{photo.what}, by {photo.credit} ({photo.licence})"


def credits(*names: str) -> HTML:
    """A line that names the authors of photographs.

    >>> credits("chelsea.png").data
    '<p class="credits">Photograph: a cat, Chelsea, by Stefan van der Walt (CC0). With scikit-image.</p>'
    """
    what = "Photograph" if len(names) == 1 else "Photographs"
    return HTML(
        f'<p class="credits">{what}: {html.escape("; ".join(map(maker, names)))}. With scikit-image.</p>'
    )


def left_out(what: str, *names: str) -> HTML:
    """A folded note that replaces a figure whose files are missing, with their names and instructions.

    >>> print(left_out("Zebras", "clrp_zebra_elephant.zip").data)
    <details class="left-out"><summary>Zebras: not part of this build</summary><p>...</p></details>
    """
    wanted = ", ".join(f"<code>{name}</code>" for name in names)
    return HTML(
        f'<details class="left-out"><summary>{html.escape(what)}: not part of this build</summary>'
        f"<p>Made where {wanted} "
        "are present, which are not ours to pass on. <code>python -m contrastlib data</code> says where "
        "each comes from "
        "and where to put it.</p></details>"
    )


def intervals(rows: pd.DataFrame, form: str = "+.3f") -> pd.Series:
    r"""Format the columns mean, low and high of each row as one cell of a table.

    >>> rows = pd.DataFrame({"mean": [0.1], "low": [-0.1], "high": [0.25]})
    >>> intervals(rows, "+.2f").item().replace("\xa0", " ")
    '+0.10 [-0.10, +0.25]'
    """
    texts = [
        f"{m:{form}} [{a:{form}},\N{NO-BREAK SPACE}{b:{form}}]"
        for m, a, b in rows[["mean", "low", "high"]].to_numpy()
    ]
    return pd.Series(texts, index=rows.index, dtype=object)


def masking_table(cells: pd.DataFrame, value: str = "relative_probability") -> pd.DataFrame:
    """Table 1 of both papers: rows dataset, method and t_i; columns baseline, kept sign and contrast.

    Args:
        cells: A table with dataset, method, target ("t1", "t2"), baseline, kept_sign ("positive",
            "negative"), contrast, value, and optionally before, the value of the unmasked images, which is
            shown in the first column.
        value: Name of the column with the values.

    Returns:
        The table.
    """
    row = ["dataset", "method", "target"]
    titles = {"positive": "Pos. features", "negative": "Neg. features"}
    cells = cells.assign(method=cells["method"].replace(SHORT), contrast=cells["contrast"].replace(SHORT),
                         kept_sign=cells["kept_sign"].map(titles))
    wide = cells.pivot(index=row, columns=["baseline", "kept_sign", "contrast"], values=value)
    contrasts = [SHORT[c] for c in CONTRAST_ORDER if SHORT[c] in set(cells["contrast"])]
    columns = pd.MultiIndex.from_product([cells["baseline"].unique(), titles.values(), contrasts])
    table = wide.loc[pd.MultiIndex.from_frame(cells[row].drop_duplicates()), columns]
    if "before" in cells:
        table.insert(0, ("Unmasked", "", "p"), cells.groupby(row)["before"].first())
    return readable(table)


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
