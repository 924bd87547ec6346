"""Tables and figures of 21_scaling, from records of :mod:`contrastlib.report.computing.scaling`."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib.report.computing import scaling
from contrastlib.report.figures.shared import finished
from contrastlib.report.figures.words import words

CLOCKS = {"": "elapsed", "_cpu": "of processors"}
"""Clock of :func:`contrastlib.report.computing.scaling.predicted` -> what its seconds are."""


def in_short(records: Mapping[str, pd.DataFrame]) -> str:
    """Errors of the model and speed of two workers, in Markdown."""
    parts = []
    seconds = {
        **{name: {"clock": clock} for clock, name in CLOCKS.items()},
        "elapsed with the start of workers": {"with_start": True},
    }
    for name, options in seconds.items():
        error = _tested(records["runs"], **options)["error"].abs()
        within = (error <= scaling.LIMIT).sum()
        parts.append(
            f"It predicts the seconds {name} of {within} of {len(error)} measured runs within "
            f"{scaling.LIMIT:.0%}, with a largest error of {error.max():.0%}."
        )
    return " ".join([*parts, speed_in_words(records["runs"])])


def _tested(runs: pd.DataFrame, clock: str = "", with_start: bool = False) -> pd.DataFrame:
    """Predicted runs with one thread a worker, without those from which the model has its numbers."""
    table = scaling.predicted(runs[runs["threads"] == 1], clock, with_start)
    return table[~table["calibrated"]].sort_values(["study", "workers", "images"])


def passes_table(passes: pd.DataFrame) -> Styler:
    """Cost of a pass of each network at each size."""
    table = (
        passes.assign(
            **{
                "operations, 10⁹": passes["operations"] / 1e9,
                "forward, ms": 1000 * passes["forward"],
                "backward, ms": 1000 * passes["backward"],
                "10⁹ operations a second": passes["operations"] / passes["forward"] / 1e9,
            }
        )
        .set_index(["network", "size"])
        .iloc[:, -4:]
        .rename(index=words, level="network")
    )
    return (
        table.style.format("{:.1f}", subset=table.columns[1:])
        .format("{:.2f}", subset=table.columns[:1])
        .set_uuid("passes")
    )


def passes_figure(passes: pd.DataFrame) -> Figure:
    """Seconds of a forward and of a backward pass over the operations of a forward pass."""
    figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for column, style in {"forward": "o", "backward": "s"}.items():
        ax.plot(passes["operations"] / 1e9, 1000 * passes[column], style, label=f"{column} pass", alpha=0.7)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="operations of a forward pass of an image, 10⁹",
        ylabel="milliseconds of an image",
    )
    ax.grid(alpha=0.4)
    ax.legend()
    return finished(figure)


def model_table(runs: pd.DataFrame) -> Styler:
    """Measured and predicted seconds of each run that does not calibrate the model."""
    tested = {clock: _tested(runs, clock) for clock in CLOCKS}
    first = tested[""]
    shown = pd.DataFrame(
        {
            "study": first["study"].map(words),
            "images": first["images"],
            "workers": first["workers"].replace(0, "one process"),
            "other programs": first["others"],
        }
    )
    for clock, name in CLOCKS.items():
        for column in ("measured", "predicted", "error"):
            shown[f"{name}, {column}"] = tested[clock][column]
    errors = [name for name in shown if name.endswith("error")]
    seconds = [f"{name}, {column}" for name in CLOCKS.values() for column in ("measured", "predicted")]
    return (
        shown.style.format("{:.1f}", subset=[*seconds, "other programs"])
        .format("{:+.1%}", subset=errors)
        .hide(axis="index")
        .set_uuid("model")
    )


def speed_table(runs: pd.DataFrame) -> Styler:
    """Seconds of the longest run of each study, in one process and by workers."""
    return _speed(runs).style.format("{:.1f}").set_uuid("speed")


def _speed(runs: pd.DataFrame, with_start: bool = True) -> pd.DataFrame:
    """Seconds of the longest runs: a row for each study, a column for each way. Means over rounds."""
    longest = runs[runs["images"] == runs.groupby("study")["images"].transform("max")]
    one = "one process, " + longest["threads"].map({1: "one thread", 2: "two threads"}).fillna("")
    ways = one.where(longest["workers"] == 0, longest["workers"].map({1: "one worker", 2: "two workers"}))
    order = ["one process, one thread", "one process, two threads", "one worker", "two workers"]
    whole = longest["seconds"] + longest["start"].where(with_start & (longest["workers"] > 0), 0)
    table = longest.assign(way=ways, study=longest["study"].map(words), seconds=whole).pivot_table(
        index="study", columns="way", values="seconds"
    )
    return table.reindex(columns=order).rename_axis(index=None, columns=None)


def speed_in_words(runs: pd.DataFrame) -> str:
    """How fast two workers are beside one process, with their start and without, in Markdown."""
    start = runs.loc[runs["workers"] == 2, "start"].mean()
    return (
        f"Two workers that have begun are {_times_as_fast(_speed(runs, with_start=False))}. They take "
        f"{start:.0f} s to begin. With that, in runs as short as these, they are "
        f"{_times_as_fast(_speed(runs))}. So workers pay in runs of minutes."
    )


def _times_as_fast(speed: pd.DataFrame) -> str:
    """How fast two workers are beside one process, over the studies."""
    parts = []
    for threads in ("one thread", "two threads"):
        times = speed[f"one process, {threads}"] / speed["two workers"]
        parts.append(f"{times.min():.2f} to {times.max():.2f} times as fast as one process with {threads}")
    return " and ".join(parts)


def paper_table(paper: pd.DataFrame, teraflops: float) -> Styler:
    """Passes, shards, bytes and hours of each notebook at the papers' scale."""
    rows = scaling.paper_scale(paper, teraflops)
    table = rows.groupby(rows["notebook"].str.replace("_", " "))[["passes", "shards", "read", "hours"]].sum()
    table.loc["all"] = table.sum()
    shown = pd.DataFrame(
        {
            "passes, 10⁶": table["passes"] / 1e6,
            "shards": table["shards"],
            "read, GB": table["read"] / 1e9,
            "GPU hours": table["hours"],
        }
    ).rename_axis(index=None)
    return shown.style.format(
        {"passes, 10⁶": "{:,.1f}", "shards": "{:,.0f}", "read, GB": "{:,.0f}", "GPU hours": "{:,.1f}"}
    ).set_uuid("paper")


def left_out_in_words(paper: pd.DataFrame) -> str:
    """Studies whose passes are not counted, in Markdown."""
    missing = sorted(paper[paper["forwards"].isna()]["study"].unique())
    if not missing:
        return "The passes of all these studies are counted."
    return f"Not counted, and missing in the table: {', '.join(missing)}."


def million_in_words(paper: pd.DataFrame, teraflops: float, images: int, networks: int) -> str:
    """What Figure 3 needs with more images and networks, in Markdown.

    Args:
        paper: Record of that name, see :func:`contrastlib.report.computing.scaling.records`.
        teraflops: Operations a second of a GPU, in units of 10^12.
        images: Number of images.
        networks: Number of networks.

    Returns:
        Sentences.
    """
    job = million(paper, teraflops, images, networks)
    return (
        f"Figure 3 with {images:,} images and {networks} networks that cost as much as the nine of the paper "
        f"do on average: {job['passes'] / 1e9:,.1f} × 10⁹ passes, {job['hours']:,.0f} GPU hours, "
        f"{job['shards']:,.0f} shards, and {job['read'] / 1e12:,.1f} TB of image files, since each network "
        f"reads all images. One GPU takes {job['hours'] / 24:,.0f} days, and 1,000 GPUs take at least "
        f"{job['hours'] / 1000:,.1f} hours."
    )


def million(paper: pd.DataFrame, teraflops: float, images: int, networks: int) -> pd.Series:
    """Sums of Figure 3 for other numbers of images and networks.

    Args:
        paper: As in :func:`million_in_words`.
        teraflops: As in :func:`million_in_words`.
        images: Number of images.
        networks: Number of networks.

    Returns:
        The sums passes, hours, read (bytes) and shards.
    """
    figure_3 = scaling.paper_scale(paper[paper["study"] == "sign_perturbation"], teraflops)
    one = figure_3[["passes", "hours", "read"]].sum() / figure_3["images"].sum()
    return (one * images * networks).combine_first(
        pd.Series({"shards": float(np.ceil(images / scaling.SHARD) * networks)})
    )


def workers_figure(simulated: Mapping[str, pd.DataFrame]) -> Figure:
    """Hours over the number of workers. The dotted line is the time of one worker divided by their number."""
    figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for name, table in simulated.items():
        ax.plot(table["workers"], table["hours"], "o-", markersize=4, label=name)
    first = next(iter(simulated.values()))
    ax.plot(
        first["workers"],
        first["hours"].iloc[0] * first["workers"].iloc[0] / first["workers"],
        ":k",
        linewidth=0.9,
    )
    ax.set(xscale="log", yscale="log", xlabel="workers", ylabel="hours")
    ax.grid(alpha=0.4)
    ax.legend()
    return finished(figure)


def workers_in_words(simulated: Mapping[str, pd.DataFrame]) -> str:
    """Minutes, ended workers and lost computation for the largest number of workers, in Markdown."""
    parts = []
    for name, table in simulated.items():
        last = table.iloc[-1]
        parts.append(
            f"- {name}: {60 * last['hours']:.1f} minutes with {last['workers']:,.0f} workers. In "
            f"{60 * last['begin']:.1f} of them workers start and networks are loaded. "
            f"{last['ends']:,.0f} workers end and take {60 * last['lost']:.1f} minutes of computation with "
            "them"
        )
    return "\n".join(parts)
