"""Tables and sentences of 17_masking_errata: what corrections and open choices do to the masking."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib import explainers, models
from contrastlib.autograd import forward
from contrastlib.datasets import ImageSet
from contrastlib.evaluation import choices, correction_tables, masking, masking_effects
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures.correction_results import published_first, turned_in_words
from contrastlib.report.figures.masking import RULES
from contrastlib.report.figures.shared import intervals, published
from contrastlib.report.figures.words import words

CONTRASTS = ("original", "weighted")

ONE_IMAGE = (
    "What three rules of masking leave of image {image}, {kept_sign} pixels kept: the original map of the "
    "most probable class above, the weighted one below."
)
IN_PRINT = {"wang2022": "Wang & Wang", "eriksson2025": "the review"}


def three_rules(model: models.Classifier, images: ImageSet) -> Callable[..., Figure]:
    """Function that draws one image of a set, with the pixels that each rule of masking leaves.

    Args:
        model: Network that is explained by GradCAM.
        images: The set.

    Returns:
        The function.
    """

    def draw(image: int = 0, kept_sign: str = "positive") -> Figure:
        pixels = images[image].image[None]
        record = forward(model, pixels, model.layer)
        first = record.logits.argmax(1, keepdim=True)
        maps = masking.explanations(record, first, ("gradcam",), CONTRASTS)[0, :, 0, 0]
        maps = explainers.upsample(maps, pixels.shape[-2:], align_corners=True)
        figure, axes = plt.subplots(2, len(masking.MASK_RULES), figsize=(8.4, 6), layout="constrained")
        for rule, column in zip(masking.MASK_RULES, axes.T):
            masked = masking.masked_pixels(maps, kept_sign, rule)
            column[0].set_title(RULES[rule], fontsize=9)
            for ax, contrast, hidden in zip(column, CONTRASTS, masked):
                ax.imshow(torch.where(hidden, 1.0, pixels[0]).permute(1, 2, 0))
                ax.set(xticks=[], yticks=[], xlabel=f"{contrast}, {hidden.float().mean():.0%} masked")
        return figure

    return draw


def header_table(masked: pd.DataFrame) -> Styler:
    """Erratum 5: p_1 and the relative probability of t_1 before masking."""
    table = correction_tables.headers(masked).rename(
        index=title,
        columns={"p_1": "mean p of t₁", "relative_probability_before": "relative probability of t₁"},
    )
    return table.style.format("{:.3f}").set_uuid("header")


def blur_in_words(draws: pd.DataFrame) -> str:
    """Effect of erratum 6 in Markdown: standard deviations caused by the blur and by sampling."""
    if draws.empty:
        return "None of these drawings has $p_2 > 0.1$: take more of them."
    errors = correction_tables.blur_errors(draws)
    return (
        f"On the {errors['images']:.0f} drawings with $p_2 > 0.1$: a fresh $\\sigma$ for each "
        f"image, as in the code, moves the cell by {errors['own_sigma']:.4f} (standard deviation), one "
        f"$\\sigma$ for the whole table by {errors['one_sigma']:.4f}, and the choice of images by "
        f"{errors['sampling']:.4f} (standard error). The last is "
        f"{errors['sampling'] / errors['own_sigma']:.0f} times the first, and both fall with the square root "
        "of the number of images."
    )


def wrong_sign_table(counted: pd.DataFrame) -> Styler:
    """Erratum 13: share of masked pixels, and share of those that have the kept sign."""
    keys = ["kept_sign", "mask_rule", "contrast"]
    table = counted.groupby(keys)[["masked", "wrong"]].mean().unstack("contrast")
    order = pd.MultiIndex.from_product([masking.KEPT_SIGNS, masking.MASK_RULES], names=keys[:2])
    table = (
        table.reindex(order)
        .rename(index=RULES, level="mask_rule")
        .rename(columns={"wrong": "of these, of the sign to keep"}, level=0)
    )
    return table.rename_axis(index=["pixels kept", "counted"]).style.format("{:.1%}").set_uuid("mask-rule")


def baseline_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Erratum 14: advantage of weighted maps with each baseline.

    Args:
        measured: Scale -> table of :func:`~contrastlib.evaluation.correction_tables.advantages_by_baseline`.

    Returns:
        The formatted table.
    """
    names = {
        "black": "black",
        "zeros": 'ImageNet mean ("zeros")',
        "mean": "image's own mean",
        "zeros − black": "ImageNet mean − black",
    }
    table = pd.concat(measured, names=["scale"]).reset_index("scale")
    table = table.assign(cell=intervals(table), network=table["network"].map(title))
    wide = table.pivot(index=["scale", "network"], columns="baseline", values="cell")[list(names)].rename(
        columns=names
    )
    return wide.style.set_uuid("zeros-advantage")


def baseline_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Difference of the advantages with the mean colour and with black, in Markdown."""
    parts = []
    for scale, table in measured.items():
        shift = table[table["baseline"] == "zeros − black"]
        apart = int(((shift["low"] > 0) | (shift["high"] < 0)).sum())
        most = shift.loc[[shift["mean"].abs().idxmax()]]
        parts.append(
            f"{scale}, the interval of the difference leaves out 0 in {apart} of {len(shift)} networks; the "
            f"largest is {intervals(most).item()} ({title(most['network'].item())})"
        )
    return f"On the advantage of *weighted*: {'; '.join(parts)}."


def scored_table(scored: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Erratum 21: advantages of weighted maps measured by a second network, by scale."""
    parts = {
        scale: masking_effects.advantages(
            table[table["method"] != "blank"],
            ["network", "rank", "kept_sign", "mask_rule"],
            resamples=resamples,
        )
        for scale, table in scored.items()
    }
    table = pd.concat(parts, names=["scale"]).reset_index("scale")
    table = table.assign(
        cell=intervals(table), network=table["network"].map(title), target="t" + table["rank"].astype(str)
    )
    return _by_rule(table, ["scale", "network", "images", "target"]).style.set_uuid("scoring-models")


def confound_in_words(masked: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Effect of erratum 22 in Markdown: the advantage by sign and at equal counts, and the masked shares.

    The maps are of t_1, with positive pixels kept.
    """
    lines, smaller, count = [], 0, 0
    for scale, table in masked.items():
        found = masking_effects.mean_advantages(table[table["rank"] == 1], resamples=resamples)
        found = (
            found[found["kept_sign"] == "positive"]
            .assign(cell=intervals(found))
            .set_index(["network", "mask_rule"])
        )
        for network in found.index.unique("network"):
            sign, equal = found.loc[(network, "by_sign")], found.loc[(network, "equal_as_described")]
            lines.append(
                f"- {scale}, {title(network)}: by sign {sign['cell']}, {sign['masked_original']:.1%} and "
                f"{sign['masked_weighted']:.1%} masked; at equal counts {equal['cell']}, "
                f"{equal['masked_weighted']:.1%} masked"
            )
            smaller, count = smaller + (equal["mean"] < sign["mean"]), count + 1
    return (
        "*Weighted* minus *original*, GradCAM, $t_1$, positive pixels kept, mean of the three "
        "baselines, and the shares that the *original* and the *weighted* map mask:\n\n"
        + "\n".join(lines)
        + f"\n\nThe difference is smaller at equal counts in {smaller} of {count} networks."
    )


def threshold_bounds() -> str:
    """Bounds on the threshold τ in Markdown, from the published means before masking (erratum 26)."""
    table = published("blurring_masking").query("table == 'Table 1' and target == 't1'")
    most = table.groupby("paper")["unmodified_relative_probability"].max()
    bounds = " and ".join(
        f"{value:.3f} in {IN_PRINT[paper]} ($\\tau$ below {1 - value:.3f})" for paper, value in most.items()
    )
    return f"The published means before masking reach {bounds}."


def threshold_table(found: pd.DataFrame) -> Styler:
    """Erratum 26: means of a table over networks and both classes.

    Args:
        found: A table of :func:`contrastlib.evaluation.correction_tables.at_thresholds`.

    Returns:
        The formatted table.
    """
    rows = found.assign(above=found["low"] > 0).groupby(["threshold", "kept_sign", "mask_rule"])
    means = rows.agg(mean=("mean", "mean"), above=("above", "sum"), cells=("above", "size")).reset_index()
    means["cell"] = [
        f"{row.mean:+.3f} ({row.above} of {row.cells})".replace(" ", "\N{NO-BREAK SPACE}")
        for row in means.itertuples(index=False)
    ]
    wide = _by_rule(means, ["threshold"])
    images = found.groupby("threshold")["images"]
    wide["images", "of a network"] = [f"{least} to {most}" for least, most in zip(images.min(), images.max())]
    return wide.rename_axis(index="p₂ >").style.format_index("{:.1f}", axis=0).set_uuid("thresholds")


def threshold_in_words(found: pd.DataFrame) -> str:
    """Thresholds at which all means have the claimed sign, and numbers of intervals above 0, in Markdown."""
    means = found.groupby(["threshold", "kept_sign", "mask_rule"])["mean"].mean().unstack([1, 2])
    above = (found["low"] > 0).groupby(found["threshold"]).agg(["sum", "size"])
    as_claimed = [f"{threshold:g}" for threshold, row in means.iterrows() if (row > 0).all()]
    counts = ", ".join(
        f"{row['sum']} of {row['size']} at {threshold:g}" for threshold, row in above.iterrows()
    )
    return (
        f"All means are on the claimed side at thresholds of {', '.join(as_claimed) or 'none'}. "
        f"Intervals above 0: {counts}. The rows hold different networks, since those with fewer "
        "than ten images drop out, so that their means are not comparable with each other."
    )


def choices_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Advantage of weighted maps with each choice by scale, beginning with the published choice."""
    parts = {scale: choices.masking_advantages(table, resamples) for scale, table in measured.items()}
    table = published_first(pd.concat(parts, names=["scale"]).reset_index("scale"))
    table = table.assign(cell=intervals(table), choice=table["choice"].map(words))
    return _by_rule(table, ["scale", "network", "choice", "images"]).style.set_uuid("choices")


def choices_in_words(measured: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Number of intervals that another choice turns, and the mean that it moves most, in Markdown."""
    compared = pd.concat([choices.masking_turned(table, resamples) for table in measured.values()])
    most = compared.nlargest(1, "moved").iloc[0]
    return (
        f"{turned_in_words(compared)} A mean moves by at most {most['moved']:.3f}: {most['choice']}, "
        f"{title(most['network'])}, {most['kept_sign']} pixels kept, {RULES[most['mask_rule']]}."
    )


def _by_rule(table: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """The column ``cell`` with a column for each kept sign and mask rule. The order of rows is kept."""
    order = (
        pd.MultiIndex.from_frame(table[index].drop_duplicates())
        if len(index) > 1
        else table[index[0]].drop_duplicates()
    )
    columns = pd.MultiIndex.from_product([masking.KEPT_SIGNS, list(RULES)], names=["kept_sign", "mask_rule"])
    wide = table.pivot(index=index, columns=["kept_sign", "mask_rule"], values="cell").loc[order]
    wide = wide.reindex(columns=columns.intersection(wide.columns, sort=False)).rename(
        columns=RULES, level="mask_rule"
    )
    return wide.rename_axis(columns=["pixels kept", "masked"])
