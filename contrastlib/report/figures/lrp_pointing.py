"""Tables and figures of 19_pointing: the pointing game, ablation, and neurons in place of classes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib.evaluation import ablation, pointing_game
from contrastlib.report.claims.verdict_tables import PAPERS, title
from contrastlib.report.figures.lrp_shared import (
    METHODS,
    Tables,
    against,
    cells,
    named,
    where_measured,
)
from contrastlib.report.figures.shared import beside, finished, published, together

IN_PRINT = {
    "Random": "random",
    "Gradient": "gradient",
    "Guided backpropagation": "guided_backpropagation",
    "LRP": "lrp",
    "CLRP1": "clrp1",
    "CLRP2": "clrp2",
}
"""Method of the published table -> method here."""


@where_measured
def pointing_curves(measured: Tables) -> Figure:
    """Figure 4 of Gu et al. 2018: pointing accuracy against the share of energy, a panel for each network."""
    hits = (
        together(measured).groupby(["network", "method", "threshold"], sort=False)["hit"].mean().reset_index()
    )
    networks = list(hits["network"].unique())
    figure, axes = plt.subplots(
        1, len(networks), figsize=(3 * len(networks), 3.6), sharey=True, layout="constrained", squeeze=False
    )
    for ax, name in zip(axes[0], networks):
        part = hits[hits["network"] == name].assign(method=lambda t: t["method"].map(METHODS))
        sns.lineplot(
            part,
            x="threshold",
            y="hit",
            hue="method",
            style="method",
            markers=True,
            dashes=False,
            markersize=4,
            ax=ax,
            palette="colorblind",
        )
        ax.set(title=title(name), xlabel="share of energy kept", ylabel="pointing accuracy")
        sns.despine(ax=ax)
        handles, labels = ax.get_legend_handles_labels()
        ax.get_legend().remove()
    figure.legend(handles, labels, ncols=4, loc="outside lower center", fontsize=8, frameon=False)
    return finished(figure)


@where_measured
def energy(measured: Tables) -> Styler:
    """Positive energy in the box of the object for each method, and area of the box."""
    table = together(measured)
    maximum = table[table["threshold"] == table["threshold"].min()]
    shares = (
        maximum.groupby(["method", "scale", "network"], sort=False)["energy"]
        .mean()
        .unstack(["scale", "network"])
    )
    box = maximum.groupby(["scale", "network"], sort=False)["box"].mean()
    shares.loc["the box's share of the image"] = box[shares.columns]
    return named(shares).style.format("{:.0%}").set_uuid("energy")


def drops(measured: Tables) -> Styler:
    """Table 1 of Gu et al. 2018: loss of activation, and of probability in brackets.

    The published numbers are included.
    """
    table = (
        ablation.drops(together(measured))
        .groupby(["scale", "network", "size", "method"], sort=False)[["activation", "probability"]]
        .mean()
    )
    text = table["activation"].map("{:+.2f}".format) + " (" + table["probability"].map("{:+.3f}".format) + ")"
    own = text.unstack("method").rename(columns=METHODS)
    theirs = published("clrp_ablation").assign(
        scale="published", size="?", cell=lambda t: t["dropped_activation"].map("{:+.4f}".format)
    )
    theirs["method"] = theirs["method"].map(IN_PRINT).map(METHODS)
    both = pd.concat(
        [own, theirs.pivot(index=["scale", "network", "size"], columns="method", values="cell")]
    )[list(own.columns)]
    return named(both.rename_axis(index={"size": "pixels"}), 0).style.format(na_rep="–").set_uuid("ablation")


@where_measured
def neurons(measured: Tables) -> Styler:
    """Similarity of the maps of two neurons, and shares of largest losses due to the own patch."""
    rows = {}
    for scale, table in measured.items():
        for name, part in table.groupby("method", sort=False):
            for row in ablation.neuron_similarities(part).itertuples():
                rows[scale, row.network, f"cosine of two neurons' maps, {METHODS[name]}"] = (
                    row.mean,
                    float("nan"),
                )
        contrastive = table[table["method"] == "clrp2"]
        for over, what in (
            ("neuron", "largest loss of a neuron, over patches"),
            ("ablated", "largest loss by a patch, over neurons"),
        ):
            for row in ablation.own_patches(contrastive, over).itertuples():
                rows[scale, row.network, f"{what}: share by its own"] = (row.mean, row.chance)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "by chance"])
    table.index = pd.MultiIndex.from_tuples(table.index, names=["scale", "network", "measure"])
    return named(table, 0).style.format("{:.2f}", na_rep="–").set_uuid("neurons")


def drop_differences(measured: Tables, resamples: int) -> Styler:
    """Loss of activation with CLRP1 and CLRP2 minus that with LRP, with intervals."""
    table = against(measured, lambda t, name: ablation.differences(t, name, "lrp", resamples=resamples))
    wide = cells(table, ["scale", "network", "images", "size"]).rename_axis(index={"size": "pixels"})
    return named(wide, 0).style.set_uuid("differences-ablation")


@where_measured
def pointing_differences(measured: Tables, resamples: int) -> Styler:
    """Pointing accuracy of CLRP1 and CLRP2 minus that of LRP at each share of energy, with intervals."""
    table = against(measured, lambda t, name: pointing_game.differences(t, name, "lrp", resamples=resamples))
    wide = cells(table, ["threshold", "scale", "network"]).unstack(["scale", "network"])
    return named(wide).style.format_index("{:.0%}").set_uuid("differences-pointing")


def drops_beside_published(measured: Tables) -> Styler:
    """Table 1 of Gu et al. 2018 as shares of the largest drop of a network: published, ours, and differences.

    Rows are means over networks. The units of the published drops are not known, nor the size of the patch.
    Ours are of the scale that is nearest to the paper.
    """
    scale, table = list(measured.items())[-1]
    own = ablation.drops(table).groupby(["network", "size", "method"])["activation"].mean()
    ours = _of_largest(own.unstack("method"))[list(IN_PRINT.values())].groupby("size").mean()
    ours = ours.rename(columns=METHODS).rename_axis(index="pixels")
    printed = published("clrp_ablation").pivot(index="network", columns="method", values="dropped_activation")
    theirs = _of_largest(printed).mean().rename(IN_PRINT).rename(METHODS)
    theirs = pd.DataFrame([theirs] * len(ours), index=ours.index)  # at each size
    return beside(ours, {PAPERS["gu2018"]: theirs}, scale, ".2f").set_uuid("beside-published")


def _of_largest(drops: pd.DataFrame) -> pd.DataFrame:
    """Drops of a row as shares of its largest one."""
    return drops.div(drops.max(axis=1), axis=0)
