"""Tables and figures of 07_dominance by scale.

They show tables of :mod:`contrastlib.evaluation.dominance`, and of masking where one class dominates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import contrasts, explainers, models, plotting
from contrastlib.autograd import forward
from contrastlib.evaluation import dominance, statistics
from contrastlib.evaluation.precision import softmax_gradient
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.computing import batches
from contrastlib.report.figures.shared import (
    finished,
    intervals,
    mean_lines,
)

METHODS = {"gradcam": explainers.EXPLAINERS["gradcam"].title, "gradient": "gradient of the pixels"}
VALUES = {"weighted": "cosine of weighted and original", "foils": "norm of the foils' term over that of φᵗ"}
RAISED = (
    "Image {image} and the GradCAM maps of its most probable class after {added} was added to that logit: "
    "original, weighted, and from the probability in float32."
)


def cosine_curves(agreement: Mapping[str, pd.DataFrame]) -> Figure:
    """Cosine of weighted and original map against the log-odds of the predicted class.

    The log-odds are in bins of width 2, each with ten images or more.
    """
    lines = pd.concat(agreement, names=["scale"]).reset_index("scale")
    lines["line"] = lines["network"].map(title) + " (" + lines["scale"] + ")"
    lines["bin"] = (lines["log_odds"] / 2).round() * 2
    lines = lines[lines.groupby(["line", "method", "bin"])["weighted"].transform("size") >= 10]
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True, layout="constrained")
    for ax, (method, name) in zip(axes, METHODS.items()):
        mean_lines(lines[lines["method"] == method], "bin", "weighted", ax, legend=ax is axes[0])
        ax.axhline(1, color="#888888", linewidth=0.6)
        ax.set(
            title=name, xlabel="log-odds of the predicted class", ylabel="cosine of weighted and original map"
        )
        sns.despine(ax=ax)
    handles, names = axes[0].get_legend_handles_labels()
    axes[0].get_legend().remove()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    return finished(figure)


def by_decision(agreement: Mapping[str, pd.DataFrame], threshold: float, resamples: int) -> Styler:
    """Similarity of GradCAM maps and size of the subtracted term, by kind of decision.

    Args:
        agreement: Scale -> table of the study ``dominance_table``.
        threshold: Threshold of the second-highest probability of an image.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        The formatted table.
    """
    rows = pd.concat(
        {
            (scale, label): statistics.means(
                _decided(table, threshold), value, ["network", "decision"], resamples=resamples
            )
            for scale, table in agreement.items()
            for value, label in VALUES.items()
        },
        names=["scale", "value"],
    ).reset_index(["scale", "value"])
    rows = rows.assign(cell=intervals(rows, ".2f"), network=rows["network"].map(title))
    order = rows[["scale", "network"]].drop_duplicates()
    wide = rows.pivot(index=["scale", "network"], columns=["value", "decision"], values="cell")
    return wide.loc[pd.MultiIndex.from_frame(order), list(VALUES.values())].style.set_uuid("by-decision")


def likeness_in_words(agreement: Mapping[str, pd.DataFrame], threshold: float, resamples: int) -> str:
    """Number of networks whose maps are more similar if a class dominates, and their cosines, in Markdown.

    Args:
        agreement: Scale -> table of the study ``dominance_table``.
        threshold: Threshold of the second-highest probability of an image.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        A list, with an item for each scale.
    """
    lines = []
    for scale, table in agreement.items():
        gaps = dominance.more_alike_where_dominated(table[table["method"] == "gradcam"], threshold, resamples)
        pixels = (
            table[table["method"] == "gradient"]
            .groupby(["network", table["p_2"] <= threshold])["weighted"]
            .mean()
            .unstack()
        )
        changes = (pixels[True] - pixels[False]).dropna().to_dict()
        lines.append(
            f"- {scale}: in {(gaps['low'] > 0).sum()} of {len(gaps)} networks GradCAM's weighted map is "
            "nearer to the original one where a class dominates. The mean cosine is "
            f"{spread(where_dominated(table, threshold, 'weighted'), '.2f')} there. For the gradient of the "
            f"pixels it differs from that of split decisions by {spread(changes, '+.2f')}."
        )
    return "\n".join(lines)


def foils_in_words(agreement: Mapping[str, pd.DataFrame], threshold: float) -> str:
    """Size of the subtracted term if a class dominates, in Markdown."""
    sizes = "; ".join(
        f"{scale} {spread(where_dominated(table, threshold, 'foils'), '.2f')}"
        for scale, table in agreement.items()
    )
    return (
        "The norm of the term that is subtracted, relative to that of $\\phi^t$, where a third or less was "
        f"to be expected: {sizes}."
    )


def norm_clouds(norms: Mapping[str, pd.DataFrame]) -> Figure:
    """Figure 6 of Eriksson et al. 2025: norms of gradients against logits, with fits.

    There is a panel for each network, with the pooled fit and the slopes of single images.
    """
    clouds = {
        f"{title(name)} ({scale})": part
        for scale, table in norms.items()
        for name, part in table.groupby("network", sort=False)
    }
    columns = min(3, len(clouds))
    rows = -(-len(clouds) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.9 * columns, 2.6 * rows), layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(clouds) :]:
        ax.set_axis_off()
    for ax, (name, part) in zip(axes.flat, clouds.items()):
        _cloud(ax, part)
        ax.set_title(name, fontsize=9)
    return finished(figure)


def slopes_table(
    norms: Mapping[str, pd.DataFrame], agreement: Mapping[str, pd.DataFrame], threshold: float, resamples: int
) -> Styler:
    """Pooled slopes and slopes within images, and similarity of the maps if a class dominates.

    Args:
        norms: Scale -> table of the study ``gradient_norms``.
        agreement: Scale -> table of the study ``dominance_table``.
        threshold: Threshold of the second-highest probability of an image.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        The formatted table.
    """
    parts = {
        (scale, name): part
        for scale, table in norms.items()
        for name, part in table.groupby("network", sort=False)
    }
    found = {key: dominance.slopes(part, resamples=resamples) for key, part in parts.items()}
    rows = pd.concat(found, names=["scale", "network", "estimate"])
    rows["slope [95 % interval]"] = intervals(rows.rename(columns={"slope": "mean"}), "+.3g")
    alike = {scale: where_dominated(table, threshold, "weighted") for scale, table in agreement.items()}
    rows["cosine where dominated"] = [alike.get(scale, {}).get(name, np.nan) for scale, name, _ in rows.index]
    rows = rows.rename(index=title, level="network")[
        ["slope [95 % interval]", "relative", "cosine where dominated"]
    ]
    return rows.style.format(
        {"relative": "{:+.1%}", "cosine where dominated": "{:.2f}"}, na_rep="–"
    ).set_uuid("slopes")


def slopes_in_words(norms: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Number of networks whose gradient norms increase with the logit within images, in Markdown.

    The number of networks with the same sign of the pooled slope is included.
    """
    agree, counted, lines = 0, 0, []
    for scale, table in norms.items():
        within, pooled = (
            dominance.relative_slopes(table, resamples, estimate) for estimate in ("within images", "pooled")
        )
        agree, counted = (
            agree + int((np.sign(within["mean"]) == np.sign(pooled["mean"])).sum()),
            counted + len(within),
        )
        lines.append(f"{(within['low'] > 0).sum()} of {len(within)} ({scale})")
    return (
        "Within images the norm grows with the logit, as the review saw in VGG-16, in these networks "
        f"(intervals above 0): {', '.join(lines)}. The pooled slope has the same sign in {agree} of "
        f"{counted}; what differs is the network."
    )


def float32_table(agreement: Mapping[str, pd.DataFrame]) -> Styler:
    """Share of images whose GradCAM map changes if it is propagated from p_t in float32.

    The cosines of both maps with the original one are included.
    """
    tables = {
        scale: dominance.float32_changes(table[table["method"] == "gradcam"])
        for scale, table in agreement.items()
    }
    titles = {
        "images": "images",
        "mean": "changed",
        "weighted": "weighted, where changed",
        "softmax": "from pₜ in float32, where changed",
    }
    shown = pd.concat(
        {scale: table.set_index("network") for scale, table in tables.items()}, names=["scale"]
    )[list(titles)]
    shown = shown.rename(columns=titles).rename(index=title, level="network")
    forms = {"images": "{:.0f}", "changed": "{:.1%}"} | dict.fromkeys(list(titles.values())[2:], "{:+.2f}")
    return shown.style.format(forms, na_rep="–").set_uuid("float32")


def raised_logit(model: models.Classifier, dataset: str) -> Callable[..., Figure]:
    """Function that draws the maps of an image with a raised logit of its predicted class."""
    images = batches.load_dataset(dataset, model.input_size)

    def draw(image: int = 0, added: float = 20) -> Figure:
        pixels = images[image].image[None]
        record = forward(model, pixels, model.layer)
        target = record.logits.argmax(1)
        logits = record.logits + added * contrasts.original(record.logits, target)
        cotangents = {
            "original": contrasts.original(logits, target),
            "weighted": contrasts.weighted(logits, target),
            "from $p_t$, float32": softmax_gradient(logits, target),
        }
        heat = explainers.gradcam(record, torch.stack(list(cotangents.values())))[:, 0]
        name = f"{model.class_names[target]}\nlog-odds {contrasts.log_odds(logits, target).item():.1f}"
        return _side_by_side(pixels[0].permute(1, 2, 0).numpy(force=True), heat, list(cotangents), name)

    return draw


def _decided(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Rows of GradCAM with a column that tells whether the decision is split."""
    part = table[table["method"] == "gradcam"]
    labels = f"split, p₂ > {threshold:g}", f"dominated, p₂ ≤ {threshold:g}"
    return part.assign(decision=np.where(part["p_2"] > threshold, *labels))


def where_dominated(table: pd.DataFrame, threshold: float, value: str) -> dict[str, float]:
    """Network -> mean of a value of GradCAM over its images whose second probability is not above it.

    Args:
        table: Table of the study ``dominance_table``.
        threshold: Threshold of the second-highest probability of an image.
        value: Column of the value.

    Returns:
        Network -> mean.
    """
    part = table[(table["method"] == "gradcam") & (table["p_2"] <= threshold)]
    return part.groupby("network", sort=False)[value].mean().to_dict()


def _cloud(ax: plt.Axes, part: pd.DataFrame) -> None:
    ax.plot(part["logit"], part["norm"], ".", markersize=1.2, alpha=0.35, color="#7a9cc6", rasterized=True)
    x = np.linspace(part["logit"].min(), part["logit"].max(), 100)
    ax.plot(
        x, np.polyval(np.polyfit(part["logit"], part["norm"], 2), x), "--", color="#222222", linewidth=1.2
    )
    for _, one in list(part.groupby("image"))[:12]:
        ends = np.array([one["logit"].min(), one["logit"].max()])
        ax.plot(
            ends,
            np.polyval(np.polyfit(one["logit"], one["norm"], 1), ends),
            color="#b2402a",
            linewidth=0.8,
            alpha=0.7,
        )
    ax.set(xlabel="$y_s$", ylabel=r"$\Vert\nabla_x y_s\Vert$", ylim=(0, part["norm"].quantile(0.995)))
    sns.despine(ax=ax)


def _side_by_side(pixels: np.ndarray, heat: torch.Tensor, titles: Sequence[str], name: str) -> Figure:
    """The image, and maps with their cosine with the first map."""
    cosines = torch.cosine_similarity(heat.flatten(1), heat[:1].flatten(1)).tolist()
    figure, axes = plt.subplots(1, 4, figsize=(8, 2.6), layout="constrained")
    axes[0].imshow(pixels)
    axes[0].set(xticks=[], yticks=[])
    axes[0].set_title(name, fontsize=8)
    for ax, phi, label, cosine in zip(
        axes[1:], explainers.upsample(heat, pixels.shape[:2]).numpy(force=True), titles, cosines
    ):
        plotting.overlay(ax, pixels, phi)
        ax.set_title(f"{label}\ncosine with original {cosine:.2f}", fontsize=8)
    return figure
