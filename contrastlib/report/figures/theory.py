"""Tables and figures of 01_theory."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib.evaluation import path_contrasts
from contrastlib.evaluation.precision import direction_lost
from contrastlib.report.figures.shared import finished, intervals
from contrastlib.report.figures.words import readable
from contrastlib.report.provenance import as_list
from contrastlib.report.verdict_tables import title

RATES = {
    "equal": "equal learning rates", "twice as long": "equal rates, the sigmoid trained twice as long",
    "doubled": "the sigmoid's rate doubled",
}
GRADIENTS = {"weighted": "weighted contrast", "softmax": "back-propagated from $p_t$"}
COLOURS = ("#b2182b", "#2166ac", "#1b7837")
SIZE = (6.5, 2.8)
LOST = {
    "images": "{:d}", "median log-odds": "{:.1f}", "direction lost": "{:.1%}", "target's term 0": "{:.1%}",
}
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
    """Figure of :func:`contrastlib.evaluation.precision.direction_curve`, with a line for each gradient."""
    figure, ax = _axes("log-odds of the target, log(p$_t$ / (1 − p$_t$))", "cosine with the exact direction")
    for (contrast, label), colour in zip(reversed(GRADIENTS.items()), COLOURS[::2]):
        part = curve[curve["contrast"] == contrast]
        ax.plot(part["log_odds"], part["cosine"], label=f"{label}, float32", color=colour, linewidth=2)
    ax.set(ylim=(0, 1.05))
    ax.legend(frameon=False, loc="lower left")
    return finished(figure)


def limits_in_words(curve: pd.DataFrame) -> str:
    """Log-odds from which the softmax gradient lacks the exact direction, and from which it is 0."""
    softmax = curve[curve["contrast"] == "softmax"].set_index("log_odds")["cosine"]
    wrong, gone = softmax[~(softmax >= 0.99)].index.min(), softmax[softmax.isna()].index.min()
    return (
        f"Through the softmax the direction is wrong (cosine below 0.99) from log-odds of {wrong:.1f} on, "
        f"and nothing is left from {gone:.1f} on."
    )


def lost_directions(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Number of affected images by scale.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.precision.softmax_gradients`.

    Returns:
        The formatted table.
    """
    parts = {scale: direction_lost(table) for scale, table in measured.items()}
    table = pd.concat(parts, names=["scale"]).reset_index("scale")
    table["network"] = table["network"].map(title)
    columns = dict(zip(("images", "log_odds", "mean", "target_lost"), LOST))
    table = table.set_index(["scale", "dataset", "network"])[list(columns)]
    return table.rename(columns=columns).style.format(LOST).set_uuid("precision")


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
    shards = as_list(parameters if isinstance(parameters, list) else [parameters])
    return sorted({each["options"].get("steps", 32) for each in shards})


def _axes(x: str, y: str) -> tuple[Figure, plt.Axes]:
    figure, ax = plt.subplots(figsize=SIZE)
    ax.set(xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax
