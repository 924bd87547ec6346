"""Sentences with the measured effects of corrections, most of them of Wang & Wang 2022.

More sentences, and the tables, are in :mod:`contrastlib.report.figures.corrections` and
:mod:`contrastlib.report.figures.correction_results`. A table by scale is a mapping from scales to tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from contrastlib.evaluation import (
    correction_tables,
    masking_effects,
    perturbation,
    statements,
    statistics,
)
from contrastlib.evaluation.precision import lost_by_network
from contrastlib.report.claims.verdict_tables import spread
from contrastlib.report.figures.shared import intervals, published

Tables = Mapping[str, pd.DataFrame]


def index_in_words(steps: pd.DataFrame, resamples: int) -> str:
    """Effect of erratum 2: the change of p_t after most steps, with both gradients."""
    most = steps["iterations"].max()
    part = steps[(steps["iterations"] == most) & (steps["form"] != "printed clamp")]
    gains = statistics.means(part, "change", ["form"], resamples=resamples)
    cells = dict(zip(gains["form"], intervals(gains, "+.4f")))
    apart = steps[steps["form"] == "printed index"]["apart"].max()
    bound = f"by more than {apart:.4f} ε" if apart >= 5e-5 else "by 0.0001 ε or more"
    return (
        f"With the printed gradient no value differs {bound} between 1 and {most} steps. "
        f"After {most} steps the mean change of $p_t$ is {cells['printed index']} as printed and "
        f"{cells['corrected']} as corrected (one network of drawn birds, *weighted*, ε = 0.003)."
    )


def header_in_words(masked: pd.DataFrame) -> str:
    """Effect of erratum 5: the mean probability and the mean relative probability of the first class."""
    means = correction_tables.headers(masked)
    quoted = published("blurring_masking").query(
        "paper == 'wang2022' and dataset == 'CUB-200' and target == 't1'"
    )
    return (
        f"Images with $p_2 > 0.1$: mean $p_{{t_1}}$ {spread(means['p_1'].to_dict(), '.3f')}, relative "
        f"probability {spread(means['relative_probability_before'].to_dict(), '.3f')}. The published value "
        f"for CUB-200 is {quoted['unmodified_relative_probability'].iloc[0]:.3f}."
    )


def path_in_words(training: pd.DataFrame) -> str:
    """Effect of erratum 7: gaps of the weights after the last update, by comparison."""
    last = training.groupby("rates")["gap"].last()
    updates = training["update"].max()
    return (
        f"Relative gap of the weights after {updates} updates: {last['equal']:.3f} at equal rates; "
        f"{last['twice as long']:.4f} at equal rates if the sigmoid is trained for {2 * updates} updates; "
        f"{last['doubled']:.0e} at twice the rate."
    )


def product_in_words(compared: pd.DataFrame, explained: str) -> str:
    """Effect of errata 8 and 9: cosines of integrated gradients with input x gradient.

    Args:
        compared: A table of :func:`contrastlib.evaluation.corrections.path_and_product`.
        explained: "y_t" or "p_t".

    Returns:
        The sentence.
    """
    found = compared[compared["explained"] == explained].groupby("biases")["similarity"].agg(["mean", "min"])
    bare, own = found.loc[False], found.loc[True]
    return (
        f"Cosine of integrated gradients of ${explained}$ with input × gradient of it, mean (least): without "
        f"biases, means and shifts {bare['mean']:.4f} ({bare['min']:.4f}), with them {own['mean']:.4f} "
        f"({own['min']:.4f}); one network of drawn birds."
    )


def float32_in_words(precision: Tables, perturbed: Tables, masked: Tables, resamples: int) -> str:
    """Effect of erratum 10: shares of images, and the largest difference of a result.

    Args:
        precision: Scale -> table of the study ``precision_table``.
        perturbed: Scale -> table of the study ``float32_perturbation``.
        masked: Scale -> table of the study ``float32_masking``.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        A sentence.
    """
    lost = "; ".join(
        f"{scale} {spread(lost_by_network(table).to_dict(), '.1%')}" for scale, table in precision.items()
    )
    gains = pd.concat(
        [
            correction_tables.exact_minus_softmax(
                perturbation.tidy(table), "change", ["quantity", "iterations"], resamples
            )
            for table in perturbed.values()
        ]
    )
    kept = pd.concat(
        [
            correction_tables.exact_minus_softmax(
                table[table["method"] != "blank"], "relative_probability", ["kept_sign"], resamples
            )
            for table in masked.values()
        ]
    )
    largest = [
        intervals(rows.loc[[rows["mean"].abs().idxmax()]], "+.4f").item()
        for rows in (
            each.reset_index(drop=True)
            for each in (gains[gains["quantity"] == "p_t"], gains[gains["quantity"] == "y_t"], kept)
        )
    ]
    return (
        f"Share of images whose direction is lost (cosine below 0.99): {lost}. Largest differences, exact "
        f"minus through the softmax: {largest[0]} in the change of $p_t$ and {largest[1]} in that of $y_t$ "
        f"in the sign perturbation; {largest[2]} in a relative probability where $p_2 \\leq 0.1$."
    )


def wrong_sign_in_words(counted: pd.DataFrame) -> str:
    """Effect of erratum 13: share of the masked pixels that have the sign to be kept."""
    coded = counted[counted["mask_rule"] == "equal_as_coded"]
    wrong = coded.groupby(["kept_sign", "contrast"])["wrong"].mean()
    return (
        "Share of the masked pixels that have the sign to be kept, as coded: "
        + "; ".join(f"{sign} kept, *{contrast}* {value:.0%}" for (sign, contrast), value in wrong.items())
        + (
            " (one network of drawn birds). Where equal numbers of the other sign are masked, which is our "
            "rule, it is 0."
        )
    )


def coded_in_words(masked: pd.DataFrame, scale: str) -> str:
    """Effect of erratum 13 on the table: share of pixels of the wrong sign, and change of the value."""
    found = correction_tables.as_coded(masked)
    networks = found["network"].nunique()
    cells = [
        f"{sign} kept, *{contrast}* {_ends(part['wrong'], '.0%')}, value {_ends(part['change'], '+.2f')}"
        for (sign, contrast), part in found.groupby(["kept_sign", "contrast"])
    ]
    return (
        "Share of the masked pixels that have the sign to be kept, as coded, and relative probability as "
        f"coded minus that with equal numbers of the other sign: {'; '.join(cells)} ({scale}, "
        f"{networks} networks, "
        "mean over methods, baselines and both classes, from the table of the masking page)."
    )


def _ends(values: pd.Series, form: str) -> str:
    """The smallest and the largest of some values."""
    return " to ".join(dict.fromkeys(f"{value:{form}}" for value in (values.min(), values.max())))


def normalisers_in_words(normalised: pd.DataFrame) -> str:
    """Effect of erratum 16: cosine of the maps with both normalisers, and what the sum keeps, by layer."""
    by_layer = normalised.groupby("layer", sort=False)
    kept = by_layer["kept"].median()
    return (
        "Mean cosine of the maps with both normalisers, and median of the sum of the map with $\\lVert "
        "a\\rVert_1$ over $\\sum a\\,\\partial y$: "
        + "; ".join(
            f"`{layer}` {value:.3f}, {kept[layer]:+.2f}"
            for layer, value in by_layer["similarity"].mean().items()
        )
        + "."
    )


def conserved_in_words(measured: Tables) -> str:
    """Effect of erratum 24: relevance at the pixels over the logit under the z+ rule, without biases."""
    parts = []
    for scale, table in measured.items():
        rows = table[(table["rules"] == "z_plus") & ~table["biases"]]
        medians = rows.groupby("network")["arrived"].median().dropna().to_dict()
        parts.append(f"{scale} {spread(medians, '.2f')}")
    return (
        "Relevance at the pixels over the logit under the $z^+$ rule with biases bypassed, medians: "
        f"{'; '.join(parts)}."
    )


def scored_in_words(scored: Tables, resamples: int) -> str:
    """Effect of erratum 21: numbers of intervals on the claimed side when a second network scores."""
    parts = []
    for scale, table in scored.items():
        found = masking_effects.advantages(
            table[table["method"] != "blank"],
            ["network", "rank", "kept_sign", "mask_rule"],
            resamples=resamples,
        )
        above, below = int((found["low"] > 0).sum()), int((found["high"] < 0).sum())
        parts.append(f"{scale} {above} of {len(found)} intervals on the claimed side, {below} on the other")
    return f"Scored by a second network, *weighted* minus *original*: {'; '.join(parts)}."


def rules_in_words(measured: Tables, chosen: Sequence[str]) -> str:
    """Effect of errata 25 and 27: cosines of LRP with input x gradient, for these rules."""
    names = {"z": "LRP-0 ($z$ rule)", "epsilon": "ε rule", "z_plus": "$z^+$ rule"}
    return (
        "Median cosine with input × gradient, biases taking part in the denominators: "
        + "; ".join(
            f"{words} "
            + ", ".join(
                f"{scale} {spread(_median(table, rules), '.2f')}" for scale, table in measured.items()
            )
            for rules, words in names.items()
            if rules in chosen
        )
        + "."
    )


def sensitivities_in_words(precision: Tables) -> str:
    """Effect of erratum 28: how much the factor p_t (1 - p_t) differs between images."""
    parts = []
    for scale, table in precision.items():
        found = statements.sensitivities(table)
        ratios = (found["largest"] / found["smallest"]).to_dict()
        parts.append(
            f"{scale} median {spread(found['median'].to_dict(), '.2g')}, largest over smallest "
            f"{spread(ratios, '.1e')}"
        )
    return f"Factor $p_t(1-p_t)$ over the images of a network: {'; '.join(parts)}."


def ranges_in_words(measured: pd.DataFrame) -> str:
    """Effect of erratum 29: GradCAM with the printed range of the indices."""
    part = measured[measured["range"] != "all positions"].groupby("contrast")[["similarity", "size"]]
    means, least = part.mean(), part.min()
    return (
        "GradCAM as printed beside that over all positions: "
        + "; ".join(
            f"*{contrast}* mean cosine {row['similarity']:.3f} (least "
            f"{least.loc[contrast, 'similarity']:.3f}), size {row['size']:.2f}"
            for contrast, row in means.iterrows()
        )
        + " (one network of drawn birds)."
    )


def subtracted_in_words(linear: pd.DataFrame, measured: Tables) -> str:
    """Effect of erratum 30: norm of the subtracted mean by number of classes, on drawn and real networks."""
    wide = linear.pivot(index="classes", columns="features", values="subtracted")
    few, many = wide.index.min(), wide.index.max()
    networks = []
    for scale, table in measured.items():
        norms = table.groupby(["network", "classes"])["foil_norm"].mean().unstack("classes")
        first = norms.apply(lambda row: row.dropna().iloc[0], axis=1).to_dict()
        last = norms.apply(lambda row: row.dropna().iloc[-1], axis=1).to_dict()
        networks.append(f"{scale} {spread(first, '.2f')} for one other class, {spread(last, '.2f')} for all")
    return (
        f"In a linear classifier with {few} to {many} classes the subtracted mean keeps its whole size on "
        f"features that all classes share ({wide['shared'].min():.2f} to {wide['shared'].max():.2f} of the "
        f"target's map), and falls from {wide['own'][few]:.2f} to {wide['own'][many]:.2f} on features with "
        f"weights of their own. Norm of the subtracted mean in networks, GradCAM: {'; '.join(networks)}."
    )


def clrp1_in_words(measured: pd.DataFrame) -> str:
    """Effect of erratum 31: cosines of CLRP1 with the mean contrast of LRP maps."""
    before, after = (
        spread(measured.groupby("network")[name].mean().to_dict(), ".2f")
        for name in ("before_clipping", "after_clipping")
    )
    return (
        "Mean cosine of CLRP1 with the mean contrast of the LRP maps of all classes: "
        f"{after}; before CLRP1 sets negative relevance to 0, {before}."
    )


def alike_in_words(measured: Tables, threshold: float = 0.1) -> str:
    """Effect of erratum 32: cosines of the original GradCAM maps of the two most probable classes."""
    parts = []
    for scale, table in measured.items():
        rows = table[
            (table["p_2"] > threshold) & (table["method"] == "gradcam") & (table["contrast"] == "original")
        ]
        parts.append(f"{scale} {spread(rows.groupby('network')['similarity'].mean().to_dict(), '.2f')}")
    return f"Mean cosine of the *original* GradCAM maps of the top two classes: {'; '.join(parts)}."


def _median(table: pd.DataFrame, rules: str) -> dict[str, float]:
    rows = table[(table["rules"] == rules) & table["biases"]]
    return rows.groupby("network")["input_x_gradient"].median().dropna().to_dict()
