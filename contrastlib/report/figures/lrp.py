"""Tables of 10_lrp and 19_pointing: several classes, two objects, the pointing game, ablation, neurons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib.evaluation import ablation, pointing_game, relevance_mass, statistics
from contrastlib.report.figures.lrp_shared import METHODS, Tables, named, together, where_measured
from contrastlib.report.figures.shared import finished, intervals, published
from contrastlib.report.verdict_tables import spread, title
from contrastlib.report.zebra_elephant import ELEPHANT, ZEBRA

CLRP = ("clrp1", "clrp2")
PAIRS = {"1, 2": "first, second", "1, 3": "first, third", "1, random": "first, ten random"}


def similarity(measured: Tables) -> Styler:
    """Mean cosine of the maps of two classes, for each pair and method."""
    table = together(measured)
    means = (
        table.groupby(["pair", "method", "scale", "network"], sort=False)["similarity"]
        .mean()
        .unstack(["scale", "network"])
    )
    order = [(pair, name) for pair in PAIRS for name in METHODS if (pair, name) in means.index]
    return named(means.loc[order].rename(index=PAIRS)).style.format("{:+.2f}").set_uuid("similarity")


def similarity_in_words(measured: Tables, alike: float = 0.9) -> str:
    """Cosines of the maps of the two most probable classes, in Markdown.

    Networks whose CLRP1 map of random classes has a cosine above ``alike`` with that of the top class are
    named.
    """
    lines = []
    for scale, table in measured.items():
        means = (
            table.groupby(["network", "pair", "method"], sort=False)["similarity"]
            .mean()
            .unstack(["pair", "method"])
        )
        parts = [
            f"{METHODS[name]} {spread(means['1, 2', name].to_dict(), '.3f')}"
            for name in ("lrp", *CLRP, "sglrp")
        ]
        random = means["1, random", "clrp1"]
        still = ", ".join(f"{title(name)} {value:.2f}" for name, value in random[random > alike].items())
        lines.append(
            f"- {scale}: {'; '.join(parts)}."
            + (
                f" With ten random classes together CLRP1's map of the top class is still alike in {still}."
                if still
                else ""
            )
        )
    return "Cosine of the maps of the two most probable classes:\n\n" + "\n".join(lines)


@where_measured
def received(measured: Tables) -> Styler:
    """Share of units that receive relevance from both of the top two classes, and the cosine."""
    table = (
        together(measured)
        .groupby(["scale", "network", "layer"], sort=False)[["from_both", "similarity"]]
        .mean()
    )
    columns = {"from_both": "received from both", "similarity": "cosine"}
    formats = {"received from both": "{:.1%}", "cosine": "{:.3f}"}
    return named(table.rename(columns=columns), 0).style.format(formats).set_uuid("receiving")


def two_objects(measured: Tables) -> Styler:
    """Positive energy in the regions of both objects, and cosine of the maps."""
    table = (
        together(measured)
        .groupby(["method", "scale", "network"], sort=False)[["own", "other", "similarity"]]
        .mean()
    )
    cells = [f"{own:.0%} / {other:.0%} / {cosine:+.2f}" for own, other, cosine in table.to_numpy()]
    return named(pd.Series(cells, table.index).unstack(["scale", "network"])).style.set_uuid("two-objects")


def two_objects_in_words(measured: Tables) -> str:
    """Positive energy on the explained animal by scale, in Markdown."""
    names = ("lrp", *CLRP, "gradcam/weighted")
    lines = []
    for scale, table in measured.items():
        own = table.groupby(["method", "network"], sort=False)["own"].mean()
        lines.append(
            f"- {scale}: "
            + "; ".join(f"{METHODS[name]} {spread(own[name].to_dict(), '.0%')}" for name in names)
            + "."
        )
    return "Positive energy on the animal asked for:\n\n" + "\n".join(lines)


@where_measured
def initial_relevance(measured: Tables) -> Styler:
    """:func:`contrastlib.evaluation.relevance_mass.by_sign_of_initial_relevance` for each scale."""
    columns = {
        "maps": "maps",
        "negative_logit": "logit < 0",
        "negative_sum": "sum < 0",
        "empty": "no positive relevance",
        "positive": "weighted LRP, sum > 0",
        "lrp": "LRP, the same birds",
        "negative": "weighted LRP, sum < 0",
    }
    found = {scale: relevance_mass.by_sign_of_initial_relevance(table) for scale, table in measured.items()}
    table = (
        pd.concat(found, names=["scale"])
        .reset_index("scale")
        .set_index(["scale", "network"])
        .rename(columns=columns)
    )
    shares = list(columns.values())[4:]
    return (
        named(table, 0)
        .style.format("{:.0f}")
        .format("{:.0%}", subset=shares, na_rep="–")
        .set_uuid("initial-relevance")
    )


def certainty(table: pd.DataFrame) -> Styler:
    """Probabilities of zebra and African elephant in each photograph of the paper."""
    animals = {ZEBRA: "zebra", ELEPHANT: "African elephant"}
    known = table[(table["method"] == "lrp") & table["target"].isin(animals)]
    known = known.assign(
        photograph="ze" + (known["group"] + 1).astype(str),
        animal=known["target"].map(animals),
        network=known["network"].map(title),
    )
    return (
        known.pivot(index="photograph", columns=["network", "animal"], values="p_t")
        .style.format("{:.3f}")
        .set_uuid("certainty")
    )


@where_measured
def pointing_curves(measured: Tables) -> Figure:
    """Figure 4 of Gu et al. 2018: pointing accuracy against the share of energy, a panel for each network."""
    hits = (
        together(measured)
        .groupby(["network", "method", "threshold"], sort=False)["hit"]
        .mean()
        .reset_index()
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
    theirs["method"] = theirs["method"].replace(
        {
            "Random": METHODS["random"],
            "Gradient": METHODS["gradient"],
            "Guided backpropagation": METHODS["guided_backpropagation"],
        }
    )
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


def differences(similar: Tables, objects: Tables, resamples: int) -> Styler:
    """Effects of the claims on the discrimination of classes and objects, with intervals."""

    def of_classes(table: pd.DataFrame, name: str) -> pd.DataFrame:
        top = table[table["pair"] == "1, 2"]
        return statistics.paired_differences(
            top, "similarity", ["network"], "method", "lrp", name, resamples=resamples
        )

    def of_objects(table: pd.DataFrame, name: str) -> pd.DataFrame:
        return relevance_mass.differences(table, name, "lrp", resamples=resamples)

    parts = {
        "cosine of the top two, LRP minus it": _against(similar, of_classes),
        "energy in the right region, minus LRP's": _against(objects, of_objects),
    }
    cells = {name: _cells(table, ["scale", "network"]) for name, table in parts.items()}
    return named(pd.concat(cells, axis=1), 0).style.format(na_rep="–").set_uuid("differences")


def drop_differences(measured: Tables, resamples: int) -> Styler:
    """Loss of activation with CLRP1 and CLRP2 minus that with LRP, with intervals."""
    table = _against(measured, lambda t, name: ablation.differences(t, name, "lrp", resamples=resamples))
    cells = _cells(table, ["scale", "network", "images", "size"]).rename_axis(index={"size": "pixels"})
    return named(cells, 0).style.set_uuid("differences-ablation")


@where_measured
def pointing_differences(measured: Tables, resamples: int) -> Styler:
    """Pointing accuracy of CLRP1 and CLRP2 minus that of LRP at each share of energy, with intervals."""
    table = _against(measured, lambda t, name: pointing_game.differences(t, name, "lrp", resamples=resamples))
    cells = _cells(table, ["threshold", "scale", "network"]).unstack(["scale", "network"])
    return named(cells).style.format_index("{:.0%}").set_uuid("differences-pointing")


def _against(measured: Tables, difference: Callable[[pd.DataFrame, str], pd.DataFrame]) -> pd.DataFrame:
    """Differences of CLRP1 and CLRP2 from LRP at each scale, with the columns scale and method."""
    parts = {
        (scale, METHODS[name]): difference(table, name) for scale, table in measured.items() for name in CLRP
    }
    return pd.concat(parts, names=["scale", "method"]).reset_index(["scale", "method"])


def _cells(table: pd.DataFrame, index: Sequence[str]) -> pd.DataFrame:
    return table.assign(cell=intervals(table, "+.2f")).pivot(index=index, columns="method", values="cell")
