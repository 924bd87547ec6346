"""Tables and figures of 13_cost, from tables of :mod:`contrastlib.report.results.benchmark_records`."""

from __future__ import annotations

import inspect
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib.explainers import integrated_gradients
from contrastlib.report.figures.shared import finished
from contrastlib.report.figures.words import words
from contrastlib.report.results.benchmark_records import (
    KINDS,
    against_by_hand,
    many_maps,
    of_methods,
    promises,
    ratio,
)


def in_short(measured: pd.DataFrame) -> str:
    """Cost of many maps compared with other libraries, and additional cost of a contrast, in Markdown."""
    costs, methods = many_maps(measured), of_methods(measured)
    most = (methods["weighted"] / methods["original"] - 1).abs().max()
    others = costs.drop("contrastlib")
    return (
        f"24 maps of the last convolution of VGG-16 take {costs['contrastlib']:.2f} forward passes together, "
        f"and {others.min():.0f} with the fastest of {len(others)} other ways. The weighted map of no method "
        f"differs in cost from its original one by more than {most:.0%}. All numbers are ratios of what was "
        "measured side by side in one run, in rounds of changing order: medians over the rounds, and then "
        f"over {measured.attrs['records']} runs."
    )


def maps_of_a_layer(measured: pd.DataFrame) -> Figure:
    """Cost of 24 maps of a layer in forward passes, by library."""
    figure, ax = plt.subplots(figsize=(7, 1.9), layout="constrained")
    costs = many_maps(measured)
    _dots(ax, costs)
    _values(ax, costs)
    ax.invert_yaxis()
    return finished(figure)


def maps_of_each_method(measured: pd.DataFrame) -> Figure:
    """Cost of one map of each method in forward passes, original and weighted."""
    figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    pairs = of_methods(measured).rename(index=words)
    _dots(ax, pairs["original"], label="original", s=90, facecolors="none", edgecolors="#c44e52")
    _dots(ax, pairs["weighted"], label="weighted", s=30)
    _values(ax, pairs["weighted"])
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return finished(figure)


def path_in_words(measured: pd.DataFrame) -> str:
    """Cost of integrated gradients, in Markdown."""
    steps = inspect.signature(integrated_gradients).parameters["steps"].default
    passes = of_methods(measured).loc["integrated_gradients", "weighted"]
    return f"Integrated gradients take {steps} points of a path, {passes:.0f} forward passes."


def by_hand_table(measured: pd.DataFrame) -> Styler:
    """Cost relative to the same work by hand, with a row for each job and a column for each kind."""
    table = against_by_hand(measured).pivot_table(index="job", columns="kind", values="ratio", sort=False)
    table = table.reindex(columns=list(KINDS.values())).rename_axis(index=None, columns=None)
    return table.style.format("{:.2f}", na_rep="").set_uuid("ratios")


def promise_table(measured: pd.DataFrame) -> Styler:
    """Each promise with the median, smallest and largest ratio over the records, limit and verdict."""
    numbers = ["ratio", "min", "max", "limit"]
    return promises(measured).style.format("{:.3f}", subset=numbers).hide(axis="index").set_uuid("promises")


def promises_in_words(measured: pd.DataFrame) -> str:
    """Number of promises kept in all records, in some and in none, and memory of pixel maps, in Markdown."""
    words = promises(measured)["verdict"].value_counts()
    kept = words.get("kept", 0)
    others = {"undecided": "{} in some records only", "broken": "{} in none"}
    counts = [text.format(words[word]) for word, text in others.items() if word in words]
    held = {
        what: ratio(measured, "memory", what, "memory")
        for what in (
            "contrastlib, a map of the pixels",
            "contrastlib, 4 maps of the pixels",
            "by hand: a forward and 4",
        )
    }
    one, four, by_hand = held.values()
    return (
        f"{', '.join([f'{kept} of {words.sum()} are kept in every record', *counts])}. "
        f"A map of the pixels holds {one:.2f} of what one forward and one backward pass by hand hold. Four "
        "at once, whose graph has to stay until the last of four backward passes, hold "
        f"{four:.2f} of it, and {by_hand:.2f} by hand."
    )


def savings_in_words(measured: pd.DataFrame) -> str:
    """Cost of relevance propagation and of maps of all classes, in Markdown.

    Both are compared with other implementations.
    """
    lrp, zennit = of_methods(measured).loc["lrp", "original"], ratio(measured, "methods", "zennit", "cpu")
    ours, captum = (ratio(measured, "classes", library, "wall") for library in ("contrastlib", "captum"))
    pooled = ratio(measured, "pooled-classes", "contrastlib", "wall")
    return (
        f"An LRP map of SqueezeNet 1.1 takes {lrp:.1f} forward passes, with zennit alone {zennit:.1f}. Maps "
        f"of all classes of VGG-16 are {1 / ours:.1f} times as fast as a loop over the classes of the same "
        f"kept pass, and {captum / ours:.0f} times as fast as captum, called for one class after the other. "
        "For a ResNet-50, whose classifier is one small matrix after the mean over positions, it is "
        f"{1 / pooled:.1f} times the loop's speed."
    )


def build_table(steps: pd.DataFrame) -> Styler:
    """Formatted table of :func:`contrastlib.report.results.benchmark_records.build_times`."""
    numbers = steps.style.format("{:.0f}", subset=["seconds", "limit"], na_rep="").format(
        na_rep="", subset=["verdict"]
    )
    return numbers.set_caption(steps.attrs["made"]).set_uuid("build-times")


def browser_table(times: pd.DataFrame | None) -> Styler | None:
    """Times of the network in the browser, formatted, or None without a record.

    They come from :func:`contrastlib.report.results.benchmark_records.in_the_browser`.
    """
    if times is None:
        return None
    table = times.style.format("{:.0f}", subset=["milliseconds", "limit"], na_rep="")
    return table.format(na_rep="", subset=["verdict"]).set_caption(times.attrs["made"]).set_uuid("browser")


def browser_in_words(times: pd.DataFrame | None) -> str:
    """What the times of the browser are, or that there are none, in Markdown."""
    if times is None:
        return "It has not been measured: no record is kept."
    limited = times.dropna(subset="limit")
    kept = (limited["verdict"] == "kept").sum()
    return f"{kept} of {len(limited)} limits are kept in this run."


def moved_table(moved: pd.DataFrame) -> Styler:
    """The rows of :func:`contrastlib.report.results.benchmark_records.moved` in which numbers moved."""
    names = ["study", "network", "column"]
    shown = moved[moved["moved"] > 0]
    shown = shown.assign(**{name: shown[name].map(words) for name in names})
    return (
        shown.style.format({"moved": "{:.2%}", "largest": "{:.2g}"})
        .hide(axis="index")
        .set_caption(f"Numbers moved in {len(shown)} of {len(moved)} results.")
        .set_uuid("moved")
    )


def _dots(ax: plt.Axes, ratios: pd.Series, **style: Any) -> None:
    """Draw a dot for each row on a logarithmic axis, with a dashed line at one forward pass."""
    ax.scatter(ratios, ratios.index, zorder=3, **style)
    ax.axvline(1, color="black", linestyle="--", linewidth=0.8)
    ax.grid(alpha=0.4)
    ax.tick_params(labelsize=8)
    ax.margins(y=0.15 if len(ratios) < 6 else 0.06)
    ax.set(xscale="log", xlim=(0.7, 2 * ratios.max()))
    ax.set_xlabel("forward passes of the same batch", fontsize=9)


def _values(ax: plt.Axes, ratios: pd.Series) -> None:
    for name, value in ratios.items():
        ax.annotate(
            f"{value:.2f}", (value, name), xytext=(10, 0), textcoords="offset points", va="center", fontsize=8
        )
