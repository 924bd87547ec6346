"""Tables and figures of 05_corrections for the errata 1 to 12.

Those of the other errata are in :mod:`contrastlib.report.figures.correction_results`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import contrasts, explainers, models, plotting
from contrastlib.autograd import forward
from contrastlib.evaluation import correction_tables, perturbation, statistics
from contrastlib.evaluation.precision import lost_by_network
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.computing import batches
from contrastlib.report.figures.shared import intervals, published
from contrastlib.report.figures.words import readable, words

SCALED_MEAN = (
    "Image {image} and its GradCAM maps under the mean contrast at {layer}, "
    "correct and with {factor} times the factor."
)


def clamp_table(steps: pd.DataFrame, resamples: int) -> Styler:
    """Erratum 1: both clamps, from a table of :func:`contrastlib.evaluation.corrections.sign_steps`."""
    part = steps[steps["form"].isin(["corrected", "printed clamp"])]
    keys = ["form", "iterations"]
    found = part.groupby(keys).agg({"largest": "max", "outside": "mean", "furthest": "max"})
    gains = statistics.means(part.assign(network=""), "change", keys, resamples=resamples).set_index(keys)
    table = (
        found.assign(change=intervals(gains, "+.4f"))
        .rename_axis(["clamp", "N"])
        .rename(
            columns={
                "largest": "largest change / ε",
                "outside": "values outside [0, 1]",
                "furthest": "furthest outside / ε",
                "change": "mean change of pₜ",
            }
        )
    )
    forms = {
        "largest change / ε": "{:.3f}",
        "values outside [0, 1]": "{:.2%}",
        "furthest outside / ε": "{:.3f}",
    }
    return table.style.format(forms).set_uuid("clamp")


def clamp_in_words(steps: pd.DataFrame, resamples: int) -> str:
    """Effect of the printed clamp on values and on the mean change of p_t, in Markdown."""
    differences = statistics.paired_differences(
        steps,
        "change",
        ["iterations"],
        between="form",
        first="printed clamp",
        second="corrected",
        resamples=resamples,
    )
    most = differences.loc[[differences["mean"].abs().idxmax()]]
    printed = steps[steps["form"] == "printed clamp"].groupby("iterations")["outside"].mean().max()
    return (
        f"{printed:.1%} of the values leave $[0,1]$. The mean change of $p_t$ differs by at most "
        f"{intervals(most, '+.4f').item()} (printed − corrected). Measured on one network with *weighted* "
        "steps."
    )


def index_table(steps: pd.DataFrame, resamples: int) -> Styler:
    """Erratum 2: mean change of p_t with the gradient at the start and with that at each step."""
    names = {"printed index": "printed (gradient at x⁰)", "corrected": "corrected (gradient at xⁿ)"}
    part = steps[steps["form"].isin(names)]
    gains = statistics.means(part, "change", ["form", "iterations"], resamples=resamples)
    cells = gains.assign(cell=intervals(gains), form=gains["form"].map(names))
    wide = cells.pivot(index="iterations", columns="form", values="cell")[list(names.values())]
    wide["largest difference of a value / ε, printed"] = (
        part[part["form"] == "printed index"].groupby("iterations")["apart"].max()
    )
    return (
        wide.rename_axis(index="N", columns=None)
        .style.format({"largest difference of a value / ε, printed": "{:.4f}"})
        .set_uuid("index")
    )


def epsilon_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Erratum 3: ratios of the mean changes at both epsilons, by scale and as published.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.perturbation.changes`.

    Returns:
        The formatted table.
    """
    parts = {}
    for source, rows in _epsilon_ratios(measured).items():
        cells = {
            f"Δ{words(quantity)}(0.003) / Δ{words(quantity)}(0.001)": intervals(each, ".2f")
            if "low" in each
            else each["mean"].map("{:.2f}".format)
            for quantity, each in rows.items()
        }
        parts[source] = pd.DataFrame(cells).rename(index=words)
    return pd.concat(parts, names=["source", "network"]).style.set_uuid("epsilon")


def epsilon_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Ratios of the changes if epsilon is tripled, in Markdown."""
    ratios = _epsilon_ratios(measured)

    def between(quantity: str) -> str:
        ends = {source: rows[quantity]["mean"] for source, rows in ratios.items()}
        return "; ".join(f"{source} {means.min():.2f} to {means.max():.2f}" for source, means in ends.items())

    return (
        "Tripling $\\epsilon$ multiplies the gain in $p_t$ as follows: "
        f"{between('p_t')}. For the gain in $y_t$, which has no bound, the ratios are: {between('y_t')}."
    )


def readings_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 8 in Markdown: cosines of the readings of integrated gradients."""

    def between(reading: str) -> str:
        means = {
            scale: t[t["reading"] == reading].groupby("network")["similarity"].mean()
            for scale, t in measured.items()
        }
        return "; ".join(f"{scale} {spread(each.to_dict(), '.2f')}" for scale, each in means.items())

    return (
        "Mean cosine of the weighted contrast of integrated gradients with the integrated "
        f"gradients of $p_t$: {between('probability')}; with those of the log-odds: {between('log-odds')}. "
        "Measured on the [theory page](01_theory.ipynb)."
    )


def product_table(compared: pd.DataFrame) -> Styler:
    """Erratum 9: cosines of integrated gradients with input x gradient, with and without biases."""
    names = {True: "as it is", False: "biases, means and shifts 0"}
    table = (
        compared.groupby(["explained", "biases"])["similarity"]
        .agg(["mean", "min", "max"])
        .rename(index=names, level="biases")
    )
    table = readable(table.rename_axis(index=["explained", "network"]))
    return table.style.format("{:.4f}").set_uuid("homogeneous")


def lost_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Erratum 10: share of images whose gradient lacks the exact direction in float32, by network."""
    lost = pd.concat(
        {scale: lost_by_network(t).rename(index=title) for scale, t in measured.items()},
        names=["scale"],
    )
    return lost.rename("direction lost").to_frame().style.format("{:.1%}").set_uuid("lost")


def float32_table(
    perturbed: Mapping[str, pd.DataFrame], masked: Mapping[str, pd.DataFrame], resamples: int
) -> Styler:
    """Erratum 10: exact contrast minus that through the softmax, by scale and network.

    Args:
        perturbed: Scale -> table of the study ``float32_perturbation``.
        masked: Scale -> table of the study ``float32_masking``.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        The formatted table.
    """
    cells = {}
    for scale in perturbed:
        gained = correction_tables.exact_minus_softmax(
            perturbation.tidy(perturbed[scale]), "change", ["quantity", "iterations"], resamples
        )
        gained = gained[gained["quantity"] != "accuracy"].sort_values(["quantity", "iterations"])
        kept = correction_tables.exact_minus_softmax(
            masked[scale][masked[scale]["method"] != "blank"],
            "relative_probability",
            ["kept_sign"],
            resamples,
        )
        rows = [f"Δ{row.quantity}, N = {row.iterations}" for row in gained.itertuples()]
        rows += [f"Table 2, {sign} pixels kept" for sign in kept["kept_sign"]]
        both = pd.concat([gained, kept])
        cells |= {
            (scale, title(network), name): text
            for name, network, text in zip(rows, both["network"], intervals(both, "+.4f"))
        }
    table = (
        pd.Series(cells)
        .unstack([0, 1], sort=False)
        .rename_axis(index="exact − through the softmax", columns=["scale", "network"])
    )
    return table.style.set_uuid("float32")


def factor_table(factors: pd.DataFrame) -> Styler:
    """Erratum 12: sum of the weights and cosine with the correct map, by factor."""
    table = factors.groupby("factor", sort=False)[["weights", "similarity"]].mean()
    return (
        table.rename(columns={"weights": "sum of the weights", "similarity": "cosine with the correct map"})
        .style.format("{:+.3f}")
        .set_uuid("mean-factor")
    )


def factor_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 12 in Markdown: cosine of the original map with that without the factor."""
    lines = "\n".join(
        f"- {scale}: " + ", ".join(f"{value:+.2f} ({title(name)})" for name, value in cosines.items())
        for scale, cosines in (
            (scale, correction_tables.without_factor(table)) for scale, table in measured.items()
        )
    )
    return (
        "From the norms and cosines measured on the page of [three classes](06_three_classes.ipynb), the "
        f"cosine between the map without the factor and the original one is:\n\n{lines}\n\nWhere it is near "
        "−1, the slip turns the map around."
    )


def scaled_mean(model: models.Classifier, dataset: str, images: int) -> Callable[..., Figure]:
    """Function that draws GradCAM of the predicted class minus a multiple of the mean of the other classes.

    Args:
        model: Network to explain.
        dataset: Name of the image set.
        images: Number of images that represent the set.

    Returns:
        The function.
    """
    image_set = batches.load_dataset(dataset, model.input_size)
    chosen, left_out = image_set.sample(images), len(model.class_names) - 1.0

    def draw(image: int = 0, factor: float = left_out, layer: str = model.layer) -> Figure:
        pixels = image_set[chosen[image]].image
        record = forward(model, pixels[None], layer)
        w = contrasts.mean(record.logits, record.logits.argmax(dim=1))
        heat = explainers.gradcam(record, torch.stack([w, torch.where(w > 0, w, factor * w)]))[:, 0]
        cosine = torch.cosine_similarity(*heat.flatten(1), dim=0)
        picture = pixels.permute(1, 2, 0).numpy()
        figure, axes = plt.subplots(1, 3, figsize=(5.2, 2.1), layout="constrained")
        axes[0].imshow(picture)
        axes[0].set(xticks=[], yticks=[])
        axes[0].set_title(model.class_names[int(w.argmax())], fontsize=8)
        titles = "correct", f"cosine with the correct one: {cosine:.2f}"
        for ax, phi, label in zip(axes[1:], explainers.upsample(heat, picture.shape[:2]).numpy(), titles):
            plotting.overlay(ax, picture, phi)
            ax.set_title(label, fontsize=8)
        return figure

    return draw


def _epsilon_ratios(measured: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    sources = {scale: perturbation.tidy(table) for scale, table in measured.items()} | {
        "published": published("sign_perturbation")
    }
    return {
        source: {quantity: correction_tables.epsilon_ratios(changes, quantity) for quantity in ("p_t", "y_t")}
        for source, changes in sources.items()
    }
