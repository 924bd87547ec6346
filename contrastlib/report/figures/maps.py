"""Tables, plots and sentences of 03_maps.

They are functions of tables by scale of :func:`contrastlib.evaluation.similarity.describe` and
:func:`contrastlib.report.studies.dataset_evaluations.energy_in_differing_parts`.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import assets
from contrastlib.evaluation import statistics
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.figures import shared
from contrastlib.report.figures.map_images import TwoMaps

SCHEMES = ("original", "weighted")
CELL = ["network", "method", "contrast"]


def values_of_cat(cat: TwoMaps) -> dict[str, float | str]:
    """Names, probabilities and cosines of the maps of the cat, for the landing page."""
    values = {f"cat_{rank}": name for rank, name in zip(("first", "second", "third"), cat.names)}
    values |= {f"cat_p_{rank}": p for rank, p in enumerate(cat.probabilities, 1)}
    return values | {f"cat_cosine_{contrast}": cosine for contrast, cosine in cat.cosines.items()}


def values_of_parts(truth: pd.DataFrame, network: str = "birds_vgg") -> dict[str, float]:
    """Energy of the GradCAM maps of a network in the differing parts, for the landing page.

    Without that network there are no values.
    """
    rows = truth[(truth["network"] == network) & (truth["method"] == "gradcam")]
    if rows.empty:
        return {}
    energy = rows.groupby("contrast")["energy"].mean()
    return {f"energy_{network}_gradcam_{contrast}": float(mean) for contrast, mean in energy.items()} | {
        f"energy_area_{network}": float(rows["area"].mean()),
        f"energy_images_{network}": int(rows["image"].nunique()),
    }


def similarities(split: Mapping[str, pd.DataFrame], resamples: int) -> dict[str, pd.DataFrame]:
    """Mean cosines of the maps of two classes by scale, with intervals.

    The maps are those of the last listed layer of each network.
    """
    return {
        scale: statistics.means(_own_layer(t), "similarity", CELL, resamples=resamples)
        for scale, t in split.items()
    }


def similarity_table(similar: Mapping[str, pd.DataFrame]) -> Styler:
    """:func:`similarities` with a column for each contrast."""
    table = _together(similar).rename(columns={"groups": "photographs"})
    table["cell"] = shared.intervals(table, "+.2f")
    index = ["scale", "network", "images", "photographs", "method"]
    contrasts = ["original", "weighted", "mean", "maximum"]
    return table.pivot(index=index, columns="contrast", values="cell")[contrasts].style.set_uuid("similarity")


def similarity_boxes(split: Mapping[str, pd.DataFrame]) -> Figure:
    """Box plots of the cosines of GradCAM maps, with a panel for each scale."""
    widths = [2 + table["network"].nunique() for table in split.values()]
    figure, axes = plt.subplots(
        1,
        len(split),
        figsize=(0.95 * sum(widths), 3.8),
        width_ratios=widths,
        layout="constrained",
        squeeze=False,
        dpi=80,
    )
    for ax, (scale, table) in zip(axes[0], split.items()):
        shown = _own_layer(table)[lambda t: t["method"] == "gradcam"].assign(
            network=lambda t: t["network"].map(title)
        )
        sns.boxplot(
            shown,
            x="contrast",
            y="similarity",
            hue="network",
            order=shared.CONTRAST_ORDER,
            ax=ax,
            fliersize=1.5,
            linewidth=0.8,
            palette="colorblind",
        )
        ax.set(
            title=f"{scale}: GradCAM", xlabel="", ylabel="cosine of the two classes' maps", ylim=(-1.05, 1.05)
        )
        ax.legend(fontsize=8, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.1))
        sns.despine(ax=ax)
    return shared.finished(figure)


def likeness_in_words(similar: Mapping[str, pd.DataFrame]) -> str:
    """Cosines of original GradCAM maps by scale and classes of the networks, in Markdown."""
    lines = []
    for scale, table in similar.items():
        part = table[(table["method"] == "gradcam") & (table["contrast"] == "original")]
        for classes, same in part.groupby(part["network"].map(_classes), sort=False):
            lines.append(
                f"- {scale}, {classes}: {spread(same.set_index('network')['mean'].to_dict(), '+.2f')}"
            )
    return "Mean cosine of the *original* GradCAM maps, by what the networks know:\n\n" + "\n".join(lines)


def complementary_in_words(similar: Mapping[str, pd.DataFrame], bound: float = -0.95) -> str:
    """Networks whose interval of the cosine of weighted GradCAM maps reaches a bound, in Markdown."""
    lines = []
    for scale, table in similar.items():
        part = table[(table["method"] == "gradcam") & (table["contrast"] == "weighted")].set_index("network")
        names = ", ".join(map(title, part.index[part["low"] <= bound])) or "none"
        lines.append(
            f"- {scale}: {names}, of {len(part)}; the means are {spread(part['mean'].to_dict(), '+.2f')}"
        )
    return (
        "Networks in which the interval of the mean cosine of the *weighted* GradCAM maps reaches down to "
        f"{bound:g}:\n\n" + "\n".join(lines)
    )


def negative_table(split: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Negative share of original and weighted maps at each layer."""
    by = ["network", "layer", "method", "contrast"]
    chosen = {scale: table[table["contrast"].isin(SCHEMES)] for scale, table in split.items()}
    table = _together(
        {scale: statistics.means(t, "negative", by, resamples=resamples) for scale, t in chosen.items()}
    )
    table["cell"] = shared.intervals(table, ".1%")
    table["layer"] = table["layer"].str.removeprefix("network.")
    return table.pivot(index=["scale", *by[:3]], columns="contrast", values="cell").style.set_uuid("negative")


def parts_table(truth: pd.DataFrame, resamples: int) -> Styler:
    """Energy in the differing parts, its difference with an interval, and the area of the parts."""
    gain = _gain(truth, resamples)
    table = truth.pivot_table(index=["network", "method"], columns="contrast", values="energy", sort=False)
    table.insert(0, "area of the parts", truth.groupby(["network", "method"])["area"].mean())
    table["difference"] = shared.intervals(gain.set_index(["network", "method"]), "+.3f")
    table["images"] = gain.set_index(["network", "method"])["images"]
    names = {name: title(name) for name in truth["network"].unique()} | shared.SHORT
    return (
        table.rename(index=names)
        .style.format("{:.3f}", subset=["area of the parts", *SCHEMES])
        .set_uuid("truth")
    )


def parts_in_words(truth: pd.DataFrame, resamples: int) -> str:
    """Largest difference and largest energy, in Markdown."""
    gain, energy = _gain(truth, resamples)["mean"].max(), truth.groupby(CELL)["energy"].mean().max()
    return (
        "The differences are small. The largest gain of a *weighted* map over the *original* one is "
        f"{100 * gain:+.1f} percentage points, "
        f"and no row has more than {energy:.1%} of its maps on these parts; the rest lies elsewhere."
    )


def _gain(truth: pd.DataFrame, resamples: int) -> pd.DataFrame:
    return statistics.paired_differences(truth, "energy", ["network", "method"], resamples=resamples)


def _own_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the layer that the other pages use, which is the last listed one of each network."""
    return table[table["layer"] == table.groupby("network")["layer"].transform("last")]


def _together(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of all scales in one, with titles of networks and short names of methods."""
    table = shared.together(tables)
    return table.assign(network=table["network"].map(title), method=table["method"].replace(shared.SHORT))


def _classes(network: str) -> str:
    """Description of the classes of a network. For a network that is not in the registry, it is its name."""
    record = assets.network(network)
    return record.classes.what if record else network
