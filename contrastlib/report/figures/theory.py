"""Tables and figures of 01_theory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import datasets
from contrastlib.evaluation import path_contrasts
from contrastlib.evaluation.precision import DTYPES, angles, direction_lost
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures.shared import finished, intervals
from contrastlib.report.figures.words import readable
from contrastlib.report.results.provenance import as_list

RATES = {
    "equal": "equal learning rates",
    "twice as long": "equal rates, the sigmoid trained twice as long",
    "doubled": "the sigmoid's rate doubled",
}
GRADIENTS = {
    "weighted": "weighted contrast",
    "softmax": "from $p_t$",
    "log_softmax": "from log $p_t$",
}
STYLES = {"weighted": "-", "softmax": "-", "log_softmax": ":"}
COLOURS = ("#b2182b", "#2166ac", "#1b7837")
SIZE = (6.5, 2.8)
MEDIAN = ("median log-odds", "")
PLAIN = {"softmax": "from p", "log_softmax": "from log p", "weighted": "weighted contrast"}
NEAR = 0.05
"""Relative error up to which an integral counts as nearly exact."""


def attribution_changes(table: pd.DataFrame) -> Styler:
    """Formatted table of :func:`contrastlib.evaluation.theory.shared_feature`."""
    columns = {
        "probability_change": "a probability changes by at most",
        "attribution_change": "an attribution changes by at most",
    }
    table = table.set_index("contrast")[list(columns)].rename(columns=columns)
    return table.style.format("{:.1e}").set_uuid("shared-feature")


def training_curves(table: pd.DataFrame) -> Figure:
    """Figure of :func:`contrastlib.evaluation.theory.training_gaps`, with a line for each learning rate."""
    figure, ax = _axes("update", "relative gap of the weights")
    for (rates, label), colour in zip(RATES.items(), COLOURS):
        part = table[table["rates"] == rates]
        ax.plot(part["update"], part["gap"], label=label, color=colour, linewidth=2)
    ax.set(ylim=(-0.02, 0.55))
    ax.legend(frameon=False)
    return finished(figure)


def gaps(table: pd.DataFrame) -> Styler:
    """Formatted gaps of ``order_gaps`` or ``probability_gaps``, with a row for each method.

    Args:
        table: A table of :func:`contrastlib.evaluation.theory.order_gaps` or
            :func:`contrastlib.evaluation.theory.probability_gaps`.

    Returns:
        The formatted table.
    """
    if "contrast" in table:
        wide = table.pivot(index="method", columns="contrast", values="gap")[list(table["contrast"].unique())]
    else:
        wide = table.set_index("method")[["gap"]].rename(columns={"gap": "relative gap"})
    return readable(wide).style.format("{:.0e}").set_uuid(f"gaps-{wide.shape[1]}")


def direction_curves(curve: pd.DataFrame) -> Figure:
    """Figure of :func:`contrastlib.evaluation.precision.direction_curve`, with a panel for each precision."""
    return _panels(curve, "cosine", "cosine with the exact direction", (0, 1.05))


def measured_angles(measured: pd.DataFrame) -> Figure:
    """Figure of :func:`contrastlib.evaluation.precision.angles`, with a panel for each precision."""
    return _panels(angles(measured), "angle", "angle to the exact direction (°)", (-3, 95))


def limits_in_words(curve: pd.DataFrame) -> str:
    """Log-odds from which each gradient lacks the exact direction, and from which it is 0."""
    sentences = []
    for dtype, of_dtype in curve.groupby("dtype", sort=False):
        ends = []
        for gradient in ("softmax", "log_softmax"):
            cosine = of_dtype[of_dtype["gradient"] == gradient].set_index("log_odds")["cosine"]
            wrong, gone = cosine[~(cosine >= 0.99)].index.min(), cosine[cosine.isna()].index.min()
            nothing = "" if pd.isna(gone) else f" (nothing is left from {gone:.1f} on)"
            ends.append(f"{wrong:.1f} through `{gradient}`{nothing}")
        sentences.append(f"**{dtype}**: from {', from '.join(ends)}")
    return f"Log-odds from which the direction is wrong (cosine below 0.99): {'; '.join(sentences)}."


def lost_directions(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Share of images of each network whose gradient of p_t lacks the exact direction, by precision.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.precision.rounded_gradients`.

    Returns:
        The formatted table.
    """
    parts = {scale: direction_lost(table) for scale, table in measured.items()}
    table = pd.concat(parts, names=["scale"]).reset_index("scale")
    table["network"], table["images"] = table["network"].map(title), table["dataset"].map(datasets.title)
    index = ["scale", "images", "network"]
    wide = table.pivot(index=index, columns=["gradient", "dtype"], values="mean")
    wide = wide[list(product(GRADIENTS, DTYPES))].rename(columns=PLAIN)
    form = {each: "{:.1%}" for each in wide} | {MEDIAN: "{:.1f}"}
    wide.insert(0, MEDIAN, table.groupby(index)["log_odds"].first())
    return wide.rename_axis(columns=(None, None)).style.format(form).set_uuid("precision")


def readings(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Cosines of other readings with the first one by scale.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.path_contrasts.compare`.
        resamples: Number of bootstrap samples.

    Returns:
        The formatted table.
    """
    parts = {scale: _readings(table, resamples) for scale, table in measured.items()}
    table = pd.concat(parts, names=["scale"])
    form = {"off": "{:.1%}", "cosine, off below 5 %": "{:.2f}", "of these": "{:.0f}"}
    return table.rename(index=title, level="network").style.format(form, na_rep="–").set_uuid("ig")


def points_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Numbers of points on the path of the integrals, such as "32 (quick) or 128 (real)"."""
    points = {scale: _points(table.attrs["provenance"]["parameters"]) for scale, table in measured.items()}
    return " or ".join(f"{' or '.join(map(str, each))} ({scale})" for scale, each in points.items())


def _readings(table: pd.DataFrame, resamples: int) -> pd.DataFrame:
    cell = ["network", "reading"]
    cosines = path_contrasts.cosines(table, resamples=resamples).set_index(cell)
    near = path_contrasts.cosines(table, off_below=NEAR, resamples=1).set_index(cell)
    off = path_contrasts.off(table).groupby([table[name] for name in cell]).median()
    whole = cosines.assign(cosine=intervals(cosines, ".2f"), off=off, near=near["mean"], count=near["images"])
    columns = ["cosine", "images", "off", "near", "count"]
    titles = {"near": "cosine, off below 5 %", "count": "of these"}
    return whole.drop(path_contrasts.READINGS[0], level="reading")[columns].rename(columns=titles)


def _points(parameters: dict | list) -> list[int]:
    """Numbers of points from the parameters of the shards of a table. 32 if they do not name any."""
    shards = as_list(parameters)
    return sorted({each["options"].get("steps", 32) for each in shards})


def _panels(table: pd.DataFrame, value: str, label: str, limits: tuple[float, float]) -> Figure:
    """A panel for each dtype, with a line of a value over the log-odds for each gradient."""
    figure, axes = plt.subplots(1, len(DTYPES), figsize=(9, 2.9), sharey=True)
    for ax, dtype in zip(axes, DTYPES):
        for gradient, colour in zip(GRADIENTS, COLOURS[::-1]):
            part = table[(table["dtype"] == dtype) & (table["gradient"] == gradient)].sort_values("log_odds")
            ax.plot(
                part["log_odds"],
                part[value],
                STYLES[gradient],
                label=GRADIENTS[gradient],
                color=colour,
                linewidth=2,
            )
        ax.set(title=dtype, xlabel="log-odds of the target", ylim=limits)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(label)
    axes[0].legend(frameon=False, loc="best")
    return finished(figure)


def _axes(x: str, y: str) -> tuple[Figure, plt.Axes]:
    figure, ax = plt.subplots(figsize=SIZE)
    ax.set(xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax
