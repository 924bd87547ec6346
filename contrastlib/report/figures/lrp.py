"""Tables of 10_lrp: of the studies of Gu et al. 2018, tables by scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
import torch
from IPython.display import HTML, Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import assets, models
from contrastlib.evaluation import ablation, pointing_game, relevance_flow, relevance_mass, statistics
from contrastlib.report import batches
from contrastlib.report.figures.shared import finished, intervals, left_out, published
from contrastlib.report.verdict_tables import spread, title
from contrastlib.report.zebra_elephant import ELEPHANT, ZEBRA

METHODS = {
    "lrp": "LRP", "clrp1": "CLRP1", "clrp1_coded": "CLRP1, code", "clrp2": "CLRP2", "sglrp": "SGLRP", "weighted_lrp": "weighted LRP",
    "gradient": "gradient", "guided_backpropagation": "guided back-propagation", "gradcam/original": "GradCAM, original",
    "gradcam/weighted": "GradCAM, weighted", "random": "random position", "centre": "centre of the image",
    "integrated_gradients": "integrated gradients", "deeplift": "DeepLIFT",
}
CLRP = ("clrp1", "clrp2")
PAIRS = {"1, 2": "first, second", "1, 3": "first, third", "1, random": "first, ten random"}
BLOCKS = {  # architecture -> layers whose relevance shows what a block's depthwise convolution and its projection pass on
    "efficientnet_lite0": ("network.features.{}.expand.0", "network.features.{}.depthwise.0", "network.features.{}.project.0"),
    "mobilenet_v2": ("network.features.{}.conv.0.0", "network.features.{}.conv.1.0", "network.features.{}.conv.2"),
}
Tables = Mapping[str, pd.DataFrame]


def where_measured(show: Callable) -> Callable:
    """Of a function of tables by scale: a note where there is no table."""

    @wraps(show)
    def call(measured: Tables, *args, **options):
        return show(measured, *args, **options) if measured else Markdown("*Not measured at this scale.*")

    return call


def similarity(measured: Tables) -> Styler:
    """Mean cosine of the maps of two classes, for each pair and method."""
    table = _together(measured)
    means = table.groupby(["pair", "method", "scale", "network"], sort=False)["similarity"].mean().unstack(["scale", "network"])
    order = [(pair, name) for pair in PAIRS for name in METHODS if (pair, name) in means.index]
    return _named(means.loc[order].rename(index=PAIRS)).style.format("{:+.2f}").set_uuid("similarity")


def similarity_in_words(measured: Tables, alike: float = 0.9) -> str:
    """Markdown: the cosines of the top two classes, and where CLRP1's maps of ten random classes are still like the top one's."""
    lines = []
    for scale, table in measured.items():
        means = table.groupby(["network", "pair", "method"], sort=False)["similarity"].mean().unstack(["pair", "method"])
        parts = [f"{METHODS[name]} {spread(means['1, 2', name].to_dict(), '.3f')}" for name in ("lrp", *CLRP, "sglrp")]
        random = means["1, random", "clrp1"]
        still = ", ".join(f"{title(name)} {value:.2f}" for name, value in random[random > alike].items())
        lines.append(f"- {scale}: {'; '.join(parts)}." + (
            f" With ten random classes together CLRP1's map of the top class is still alike in {still}." if still else ""))
    return "Cosine of the maps of the two most probable classes:\n\n" + "\n".join(lines)


@where_measured
def received(measured: Tables) -> Styler:
    """Units that receive relevance from both of the top two classes, and the cosine of what they receive."""
    table = _together(measured).groupby(["scale", "network", "layer"], sort=False)[["from_both", "similarity"]].mean()
    columns = {"from_both": "received from both", "similarity": "cosine"}
    formats = {"received from both": "{:.1%}", "cosine": "{:.3f}"}
    return _named(table.rename(columns=columns), 0).style.format(formats).set_uuid("receiving")


def two_objects(measured: Tables) -> Styler:
    """Positive energy in the region of the object asked for, in the other's, and the cosine of the maps of both."""
    table = _together(measured).groupby(["method", "scale", "network"], sort=False)[["own", "other", "similarity"]].mean()
    cells = [f"{own:.0%} / {other:.0%} / {cosine:+.2f}" for own, other, cosine in table.to_numpy()]
    return _named(pd.Series(cells, table.index).unstack(["scale", "network"])).style.set_uuid("two-objects")


def two_objects_in_words(measured: Tables) -> str:
    """Markdown: positive energy on the animal asked for, by scale."""
    names = ("lrp", *CLRP, "gradcam/weighted")
    lines = []
    for scale, table in measured.items():
        own = table.groupby(["method", "network"], sort=False)["own"].mean()
        lines.append(f"- {scale}: " + "; ".join(f"{METHODS[name]} {spread(own[name].to_dict(), '.0%')}" for name in names) + ".")
    return "Positive energy on the animal asked for:\n\n" + "\n".join(lines)


@where_measured
def initial_relevance(measured: Tables) -> Styler:
    """:func:`contrastlib.evaluation.relevance_mass.by_sign_of_initial_relevance` for each scale."""
    columns = {
        "maps": "maps", "negative_logit": "logit < 0", "negative_sum": "sum < 0", "empty": "no positive relevance",
        "positive": "weighted LRP, sum > 0", "lrp": "LRP, the same birds", "negative": "weighted LRP, sum < 0",
    }
    found = {scale: relevance_mass.by_sign_of_initial_relevance(table) for scale, table in measured.items()}
    table = pd.concat(found, names=["scale"]).reset_index("scale").set_index(["scale", "network"]).rename(columns=columns)
    shares = list(columns.values())[4:]
    return _named(table, 0).style.format("{:.0f}").format("{:.0%}", subset=shares, na_rep="–").set_uuid("initial-relevance")


def certainty(table: pd.DataFrame) -> Styler:
    """Probability of zebra and African elephant in each of the paper's photographs."""
    animals = {ZEBRA: "zebra", ELEPHANT: "African elephant"}
    known = table[(table["method"] == "lrp") & table["target"].isin(animals)]
    known = known.assign(photograph="ze" + (known["group"] + 1).astype(str), animal=known["target"].map(animals),
                         network=known["network"].map(title))
    return known.pivot(index="photograph", columns=["network", "animal"], values="p_t").style.format("{:.3f}").set_uuid("certainty")


@where_measured
def pointing_curves(measured: Tables) -> Figure:
    """Figure 4 of Gu et al. 2018: pointing accuracy against the share of energy kept, a panel for each network."""
    hits = _together(measured).groupby(["network", "method", "threshold"], sort=False)["hit"].mean().reset_index()
    networks = list(hits["network"].unique())
    figure, axes = plt.subplots(1, len(networks), figsize=(3 * len(networks), 3.6), sharey=True, layout="constrained", squeeze=False)
    for ax, name in zip(axes[0], networks):
        part = hits[hits["network"] == name].assign(method=lambda t: t["method"].map(METHODS))
        sns.lineplot(part, x="threshold", y="hit", hue="method", style="method", markers=True, dashes=False, markersize=4, ax=ax,
                     palette="colorblind")
        ax.set(title=title(name), xlabel="share of energy kept", ylabel="pointing accuracy")
        sns.despine(ax=ax)
        handles, labels = ax.get_legend_handles_labels()
        ax.get_legend().remove()
    figure.legend(handles, labels, ncols=4, loc="outside lower center", fontsize=8, frameon=False)
    return finished(figure)


@where_measured
def energy(measured: Tables) -> Styler:
    """Positive energy in the right box, a row for each method, and the box's share of the image."""
    table = _together(measured)
    maximum = table[table["threshold"] == table["threshold"].min()]
    shares = maximum.groupby(["method", "scale", "network"], sort=False)["energy"].mean().unstack(["scale", "network"])
    box = maximum.groupby(["scale", "network"], sort=False)["box"].mean()
    shares.loc["the box's share of the image"] = box[shares.columns]
    return _named(shares).style.format("{:.0%}").set_uuid("energy")


def drops(measured: Tables) -> Styler:
    """Table 1 of Gu et al. 2018: activation that the patch costs, in brackets probability; published rows below."""
    table = ablation.drops(_together(measured)).groupby(["scale", "network", "size", "method"], sort=False)[["activation", "probability"]].mean()
    text = table["activation"].map("{:+.2f}".format) + " (" + table["probability"].map("{:+.3f}".format) + ")"
    own = text.unstack("method").rename(columns=METHODS)
    theirs = published("clrp_ablation").assign(scale="published", size="?", cell=lambda t: t["dropped_activation"].map("{:+.4f}".format))
    theirs["method"] = theirs["method"].replace({
        "Random": METHODS["random"], "Gradient": METHODS["gradient"], "Guided backpropagation": METHODS["guided_backpropagation"]})
    both = pd.concat([own, theirs.pivot(index=["scale", "network", "size"], columns="method", values="cell")])[list(own.columns)]
    return _named(both.rename_axis(index={"size": "pixels"}), 0).style.format(na_rep="–").set_uuid("ablation")


def conservation(measured: Tables) -> Styler:
    """Sum of the map over the logit and cosines with input x gradient for each rule, medians over images."""
    measures = {"arrived": "sum of the map / logit", "input_x_gradient": "cosine, input × gradient",
                "pixels_x_gradient": "cosine, pixels × gradient"}
    medians = _together(measured).groupby(["scale", "network", "rules", "biases"], sort=False)[list(measures)].median()
    wide = medians.rename(columns=measures, index={"z_plus": "z+"}).unstack("biases")
    wide = wide.rename(columns={False: "bypassed", True: "taking part"})
    return _named(wide, 0).style.format(_two_digits, na_rep="overflow").set_uuid("conservation")


def lossy_in_words(measured: Tables, least: float = 0.5) -> str:
    """Markdown: the networks in which less than that share of the logit arrives at the pixels, LRP as the paper has it."""
    found = []
    for scale, table in measured.items():
        rows = table[(table["rules"] == "z_plus") & ~table["biases"].astype(bool)]
        arrived = rows.groupby("network", sort=False)["arrived"].median()
        found += [f"{title(name)} ({value:.1%}, {scale})" for name, value in arrived[arrived < least].items()]
    if not found:
        return "In no network here less than half of the logit arrives at the pixels under the $z^+$ rule, biases bypassed."
    return f"Under the $z^+$ rule, biases bypassed, less than half of the logit arrives at the pixels in {' and '.join(found)}."


def lost_in_blocks(network: str, dataset: str, count: int = 8, files: Sequence[str] = ()) -> Styler | HTML:
    """Share of the relevance that each block's depthwise convolution and projection pass on, medians over images.

    Args:
        network: of ``BLOCKS``.
        count: images of the set.
        files: without which there is a note in the place of the table.
    """
    if not all(map(assets.available, files)):
        return left_out(f"The same table for {title(network)}", *files)
    model = models.load(network)
    images = batches.load_dataset(dataset, model.input_size)
    shown = torch.stack([images[index].image for index in images.sample(count)])
    table = relevance_flow.passed_on(model, shown, _steps(model)).rename_axis(["convolution", "block"]).unstack("block")
    caption = f"{title(network)}, medians of {len(shown)} photographs"
    return table.style.format("{:.0%}").set_caption(caption).set_uuid(f"lost-{network.replace('_', '-')}")


@where_measured
def homogeneity(measured: Tables) -> Styler:
    """Mean cosines with input x gradient, of the networks as they are and without biases, means and shifts."""
    table = _together(measured).groupby(["scale", "network", "shifts", "method"], sort=False)["similarity"].mean().unstack("method")
    return _named(table.rename_axis(index={"shifts": "biases and shifts"}).rename(columns=METHODS), 0).style.format("{:.4f}").set_uuid("homogeneous")


def duals(measured: Tables) -> Styler:
    """Mean cosines of the maps of CLRP1 as printed, CLRP1 as coded and CLRP2."""
    table = _together(measured).groupby(["scale", "network", "methods"], sort=False)["similarity"].mean().unstack("methods")
    names = {pair: " and ".join(METHODS[name] for name in pair.split(", ")) for pair in table.columns}
    return _named(table.rename(columns=names), 0).style.format("{:.2f}").set_uuid("duals")


@where_measured
def neurons(measured: Tables) -> Styler:
    """How alike the maps of two neurons are, and how often a loss is largest by a neuron's own patch."""
    rows = {}
    for scale, table in measured.items():
        for name, part in table.groupby("method", sort=False):
            for row in ablation.neuron_similarities(part).itertuples():
                rows[scale, row.network, f"cosine of two neurons' maps, {METHODS[name]}"] = (row.mean, float("nan"))
        contrastive = table[table["method"] == "clrp2"]
        for over, what in (("neuron", "largest loss of a neuron, over patches"), ("ablated", "largest loss by a patch, over neurons")):
            for row in ablation.own_patches(contrastive, over).itertuples():
                rows[scale, row.network, f"{what}: share by its own"] = (row.mean, row.chance)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "by chance"])
    table.index = pd.MultiIndex.from_tuples(table.index, names=["scale", "network", "measure"])
    return _named(table, 0).style.format("{:.2f}", na_rep="–").set_uuid("neurons")


def differences(similar: Tables, objects: Tables, resamples: int) -> Styler:
    """What the claims of classes told apart and of objects found rest on, with intervals."""
    def of_classes(table: pd.DataFrame, name: str) -> pd.DataFrame:
        top = table[table["pair"] == "1, 2"]
        return statistics.paired_differences(top, "similarity", ["network"], "method", "lrp", name, resamples=resamples)

    def of_objects(table: pd.DataFrame, name: str) -> pd.DataFrame:
        return relevance_mass.differences(table, name, "lrp", resamples=resamples)

    parts = {"cosine of the top two, LRP minus it": _against(similar, of_classes), "energy in the right region, minus LRP's": _against(objects, of_objects)}
    cells = {name: _cells(table, ["scale", "network"]) for name, table in parts.items()}
    return _named(pd.concat(cells, axis=1), 0).style.format(na_rep="–").set_uuid("differences")


def drop_differences(measured: Tables, resamples: int) -> Styler:
    """Activation that the patches of CLRP1 and CLRP2 cost, minus that of LRP, with intervals."""
    table = _against(measured, lambda t, name: ablation.differences(t, name, "lrp", resamples=resamples))
    cells = _cells(table, ["scale", "network", "images", "size"]).rename_axis(index={"size": "pixels"})
    return _named(cells, 0).style.set_uuid("differences-ablation")


@where_measured
def pointing_differences(measured: Tables, resamples: int) -> Styler:
    """Pointing accuracy of CLRP1 and CLRP2 minus that of LRP at each share of energy kept, with intervals."""
    table = _against(measured, lambda t, name: pointing_game.differences(t, name, "lrp", resamples=resamples))
    cells = _cells(table, ["threshold", "scale", "network"]).unstack(["scale", "network"])
    return _named(cells).style.format_index("{:.0%}").set_uuid("differences-pointing")


def _steps(model: models.Classifier) -> dict[tuple[str, int], tuple[str, str]]:
    """(convolution, block) -> the layers before and after it, for the blocks that have all three layers."""
    known, steps = dict(model.named_modules()), {}
    for number in range(len(model.network.features)):
        expanded, depthwise, projected = (layer.format(number) for layer in BLOCKS[model.name])
        if {expanded, depthwise, projected} <= set(known):
            steps |= {("depthwise", number): (expanded, depthwise), ("projection", number): (depthwise, projected)}
    return steps


def _together(measured: Tables) -> pd.DataFrame:
    return pd.concat(measured, names=["scale"]).reset_index("scale")


def _named(table: pd.DataFrame, axis: int = 1) -> pd.DataFrame:
    """Titles for the names of networks on an axis and of methods on the other."""
    table = table.rename(title, axis=axis, level="network")
    return table.rename(METHODS, axis=1 - axis) if axis == 1 else table


def _against(measured: Tables, difference: Callable[[pd.DataFrame, str], pd.DataFrame]) -> pd.DataFrame:
    """Differences of both CLRP at each scale, with columns scale and method."""
    parts = {(scale, METHODS[name]): difference(table, name) for scale, table in measured.items() for name in CLRP}
    return pd.concat(parts, names=["scale", "method"]).reset_index(["scale", "method"])


def _cells(table: pd.DataFrame, index: Sequence[str]) -> pd.DataFrame:
    return table.assign(cell=intervals(table, "+.2f")).pivot(index=index, columns="method", values="cell")


def _two_digits(value: float) -> str:
    return f"{value:+.2f}" if abs(value) < 100 else f"{value:+.0e}"
