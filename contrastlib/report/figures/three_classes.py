"""Tables and figures of 06_three_classes by scale.

They show tables of :mod:`contrastlib.evaluation.three_classes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from torch import Tensor

from contrastlib import assets, explainers, models, plotting
from contrastlib.autograd import ForwardPass, forward
from contrastlib.evaluation import masking, statistics, three_classes
from contrastlib.report.claims.records import claims
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.computing import batches
from contrastlib.report.figures.shared import files_of, finished, intervals, left_out, mean_lines

FOILS = {"third": lambda foil: foil == 3, "top two": lambda foil: foil < 3}
FIRST_FROM = (
    "GradCAM maps by {network} of the three most probable classes of the first split decision from image "
    "{start} on, with the contrasts original, mean, maximum, weighted in columns."
)

_LEVEL = (
    "The fall has nearly ended at a tenth of the classes: {tenth:.1%} of the norm of $\\phi^t$ there and "
    "{norm:.1%} with all, on average. The number of classes is not the reason. The map of a class that the "
    "image does not show is small to begin with."
)
_FALLING = (
    "The term is small at a tenth of the classes already ({tenth:.1%}) and goes on falling, to {norm:.1%}."
)
_SUM_ZERO = (
    "The maps of all classes sum to about zero: the mean of the others is $-\\phi^t/(C-1)$ (cosine "
    "{cosine:.2f}), which the factor alone makes small."
)
_LARGE = (
    "The term is not small ({norm:.0%}), and the mean contrast is the original one all the same: the "
    "subtracted mean has cosine {cosine:+.2f} with $\\phi^t$. To subtract it changes the length of the map "
    "and hardly its direction, and a colour scale set for each map hides the rest."
)


def figure_5(
    model: models.Classifier, dataset: str, threshold: float, wanted: int, start: int = 0, step: int = 1
) -> Figure:
    """Figure 5 of Wang & Wang 2022: maps of the three most probable classes.

    The images are the first ones whose third-highest probability is above the threshold. They are not
    selected otherwise. For each image, the classes are in rows and the contrasts in columns.

    Args:
        model: A classifier.
        dataset: Name of the image set.
        threshold: Threshold of the third-highest probability.
        wanted: Largest number of images.
        start: First index that is searched.
        step: Step of the searched indices.

    Returns:
        The figure.

    Raises:
        ValueError: No image passes the threshold.
    """
    images = batches.load_dataset(dataset, model.input_size)
    pixels = (images[i].image[None] for i in range(start, len(images), step))
    records = ((each, forward(model, each, model.layer)) for each in pixels)
    chosen = list(
        islice(
            (each for each in records if each[1].logits.softmax(1).topk(3).values[0, 2] > threshold), wanted
        )
    )
    if not chosen:
        raise ValueError(
            f"no image of {dataset} from number {start} on has a third probability above {threshold:g} in "
            f"{model.name}: lower the threshold"
        )
    figure = plt.figure(figsize=(1.15 * 5, 1.2 * 3 * len(chosen)), layout="constrained")
    for block, each in zip(np.atleast_1d(figure.subfigures(len(chosen), 1, hspace=0.03)), chosen):
        _block(block, model, *each)
    return figure


def first_from(networks: Mapping[str, Sequence], threshold: float) -> Callable[..., Figure]:
    """Function that draws :func:`figure_5` for the first image from an index on."""
    first = next(iter(networks))

    def draw(network: str = first, start: int = 200) -> Figure:
        return figure_5(models.load(network), networks[network][0], threshold, 1, start)

    return draw


def bird_photographs(threshold: float, wanted: int) -> Figure | HTML:
    """:func:`figure_5` for photographs of birds and the network for 964 species.

    A note replaces the figure if files are missing.
    """
    files = files_of("imagenet-birds", "mobilenet_v2_birds")
    if not all(map(assets.available, files)):
        return left_out("The same for photographs of birds, and a network for 964 species", *files)
    return finished(figure_5(models.load("mobilenet_v2_birds"), "imagenet-birds", threshold, wanted, step=5))


def likeness(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Cosine of the map of the most probable class with the original one by contrast, scale and network."""
    rows = (
        pd.concat(
            {
                scale: statistics.means(
                    table[(table["rank"] == 1) & (table["foil"] == 2)],
                    "to_original",
                    ["network", "contrast"],
                    resamples=resamples,
                )
                for scale, table in measured.items()
            },
            names=["scale"],
        )
        .reset_index("scale")
        .rename(columns={"groups": "photographs"})
    )
    rows = rows.assign(cell=intervals(rows, "+.2f"), network=rows["network"].map(title))
    wide = rows.pivot(index=["scale", "network", "images", "photographs"], columns="contrast", values="cell")
    return wide[list(three_classes.CONTRASTS[1:])].style.set_uuid("likeness")


def growth_curves(growth: Mapping[str, pd.DataFrame]) -> Figure:
    """Cosine of mean and original map, and norm of the subtracted mean, against the number of classes."""
    curves = pd.concat(growth, names=["scale"]).reset_index("scale")
    curves["line"] = curves["network"].map(title) + " (" + curves["scale"] + ")"
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    labels = {
        "similarity": "cosine of mean and original map",
        "foil_norm": "norm of the subtracted mean / norm of $\\phi^t$",
    }
    for ax, (value, label) in zip(axes, labels.items()):
        mean_lines(curves, "classes", value, ax, legend=ax is axes[0])
        ax.set(xscale="log", xlabel="classes", ylabel=label)
        sns.despine(ax=ax)
    axes[0].set_ylim(top=1.01)
    axes[1].set_ylim(bottom=0)
    axes[0].legend(fontsize=7, frameon=False, title=None)
    return finished(figure)


def growth_table(growth: Mapping[str, pd.DataFrame]) -> Styler:
    """Mean map of the other classes for few classes and for all, by scale and network."""
    table = pd.concat({scale: growth_numbers(each) for scale, each in growth.items()}, names=["scale"])
    titles = {
        "classes": "classes",
        "two": "norm, one other class",
        "tenth": "norm, a tenth of the classes",
        "norm": "norm, all classes",
        "cosine": "cosine with φᵗ",
        "a": "norm falls like (C − 1)⁻ᵃ, a",
        "similarity": "cosine of mean and original map",
    }
    forms = {"classes": "{:.0f}", "cosine": "{:+.2f}", "similarity": "{:.3f}", "a": "{:.2f}"}
    forms = {titles[key]: forms.get(key, "{:.1%}") for key in titles}
    table = table[list(titles)].rename(columns=titles).rename(index=title, level="network")
    return table.style.format(forms, na_rep="–").set_uuid("growth")


def growth_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Norms of the subtracted mean, its cosine with the map, and the exponent of the decrease, by network.

    Args:
        table: A table of :func:`contrastlib.evaluation.three_classes.mean_by_class_count`, of one or more
            networks.

    Returns:
        Columns classes (number of all classes), two, tenth and norm (norms with two classes, about a tenth,
        and all, relative to that of the map), cosine, similarity and a (exponent), indexed by network.
    """
    means = table.groupby(["network", "classes"], sort=False)[
        ["foil_norm", "foil_cosine", "similarity"]
    ].mean()
    falls = three_classes.falling_exponents(table).set_index("network")["mean"]
    rows = {}
    for name in means.index.unique("network"):
        each = means.loc[name].sort_index()
        count = each.index[-1]
        tenth = each.index[np.abs(each.index - count / 10).argmin()]
        rows[name] = {
            "classes": count,
            "two": each["foil_norm"].iloc[0],
            "tenth": each.loc[tenth, "foil_norm"],
            "norm": each["foil_norm"].iloc[-1],
            "cosine": each["foil_cosine"].iloc[-1],
            "similarity": each["similarity"].iloc[-1],
            "a": falls[name],
        }
    return pd.DataFrame(rows).T.rename_axis("network")


def growth_in_words(growth: Mapping[str, pd.DataFrame]) -> str:
    """Reasons for the small effect of the subtracted mean on the map, in each network, in Markdown."""
    claim = claims("06_three_classes")["subtracted-mean-falls-with-classes"]
    table = pd.concat({scale: growth_numbers(each) for scale, each in growth.items()}, names=["scale"])
    large, rest = table[table["norm"] >= 0.5], table[table["norm"] < 0.5]
    zero = rest[((rest["norm"] * (rest["classes"] - 1) - 1).abs() < 0.05) & (rest["cosine"] < -0.95)]
    rest = rest.drop(zero.index)
    falling = rest["a"] > claim.evidence.criterion.bound
    groups = [(rest[~falling], _LEVEL), (rest[falling], _FALLING), (zero, _SUM_ZERO), (large, _LARGE)]
    return "\n".join(
        f"- **{_named(part)}.** {text.format(**part.mean())}" for part, text in groups if len(part)
    )


def kept(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Relative probabilities before and after masking, and weighted minus maximum with intervals.

    The positive pixels are kept.
    """
    return (
        pd.concat({scale: _kept(table, resamples) for scale, table in measured.items()}, names=["scale"])
        .rename(index=title, level="network")
        .style.format(precision=3)
        .set_uuid("kept")
    )


def cells_left_out(measured: Mapping[str, pd.DataFrame]) -> str:
    """Number of cells of the last claim that have too few photographs, at each scale, in words."""
    fewest = claims("06_three_classes")["weighted-knows-third-class"].evidence.fewest
    parts = []
    for scale, table in measured.items():
        photographs = table.groupby("network", sort=False)["group"].nunique()
        few = photographs[photographs < fewest]
        names = f" ({', '.join(map(title, few.index))})" if len(few) else ""
        parts.append(f"{scale} {2 * len(few)} of {2 * len(photographs)}{names}")
    return (
        f"Cells of the last claim that rest on fewer than {fewest} photographs are shown below and do not "
        f"count: {'; '.join(parts)}."
    )


def _block(block: Figure, model: models.Classifier, pixels: Tensor, record: ForwardPass) -> None:
    """One image: maps of its three most probable classes in rows, contrasts in columns."""
    top = record.logits.softmax(1).topk(3)
    maps = masking.explanations(record, top.indices, ("gradcam",), three_classes.CONTRASTS)[0, :, :, 0]
    image = pixels[0].permute(1, 2, 0).numpy(force=True)
    heat = explainers.upsample(maps, image.shape[:2]).numpy(force=True)
    titles = [
        plotting.class_title(model.class_names[c], p, width=18) for c, p in zip(top.indices[0], top.values[0])
    ]
    axes = block.subplots(3, 1 + len(heat))
    for rank in range(3):
        axes[rank, 0].set_axis_off()
        if rank > 0:
            axes[rank, 0].text(0.5, 0.5, titles[rank], ha="center", va="center", fontsize=7, parse_math=False)
        for c, contrast in enumerate(three_classes.CONTRASTS):
            plotting.overlay(axes[rank, c + 1], image, heat[c, rank])
            if rank == 0:
                axes[rank, c + 1].set_title(contrast, fontsize=8)
    axes[0, 0].imshow(image)
    axes[0, 0].set_title(titles[0], fontsize=7, parse_math=False)


def _kept(table: pd.DataFrame, resamples: int) -> pd.DataFrame:
    table = table[table["rank"].isin([1, 2])]
    table = pd.concat([table[which(table["foil"])].assign(foil=name) for name, which in FOILS.items()])
    by = ["network", "foil", "rank"]
    cells = (
        table.groupby([*by, "contrast"], sort=False)["relative_probability"]
        .mean()
        .unstack()[list(three_classes.CONTRASTS)]
    )
    cells.insert(0, "before", table.groupby(by, sort=False)["relative_probability_before"].mean())
    gain = statistics.paired_differences(
        table, "relative_probability", by, second="maximum", resamples=resamples
    )
    cells["weighted − maximum"] = gain.assign(cell=intervals(gain)).set_index(by)["cell"]
    return cells.rename_axis(index={"foil": "against", "rank": "map of"}).rename(
        index="t{}".format, level="map of"
    )


def _named(rows: pd.DataFrame) -> str:
    return ", ".join(f"{title(name)} ({scale})" for scale, name in rows.index)
