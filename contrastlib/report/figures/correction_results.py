"""Tables and sentences of 05_corrections for the errata 18 to 26 and for the open choices."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.evaluation import choices, dominance, masking, masking_effects
from contrastlib.explainers import EXPLAINERS
from contrastlib.report.figures.masking import RULES
from contrastlib.report.figures.shared import intervals
from contrastlib.report.figures.words import words
from contrastlib.report.verdict_tables import spread, title

ROLLOUTS = {"review": "as in the code", "review, gradients aligned": "with aligned gradients alone",
            "review, rows normalised": "with normalised rows alone"}


def rollout_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 18 in Markdown: cosine of the rollout with the repaired one.

    The rollout is computed as coded, and with each repair alone.
    """
    def cosine(table: pd.DataFrame, name: str) -> str:
        rows = table[(table["map"] == name) & (table["contrast"] == "probability")]
        return spread(rows.groupby("network")["to_repaired"].mean().to_dict(), ".2f")

    return "Cosine with the repaired map: " + "; ".join(
        f"{words} {cosine(table, name)}" for table in measured.values() for name, words in ROLLOUTS.items()
    ) + ". More on the [page of Transformers](09_transformers.ipynb#gwar-errors)."


def fullgrad_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 19 in Markdown: negative area of FullGrad maps with and without bias terms.

    The post-processing psi is the identity.
    """
    def area(table: pd.DataFrame, variant: str) -> str:
        return spread(
            table[table["variant"] == variant].groupby("network")["negative"].mean().to_dict(), ".0%"
        )

    return (
        "Negative area with $\\psi$ the identity: "
        + "; ".join(
            f"{scale} {area(table, 'identity')}, with none of the bias terms {area(table, 'input only')}"
            for scale, table in measured.items()
        )
        + ". Proof and more measurements: [FullGrad](08_fullgrad.ipynb)."
    )


def dominance_in_words(
    agreement: Mapping[str, pd.DataFrame], norms: Mapping[str, pd.DataFrame], resamples: int
) -> str:
    """Effect of erratum 20 in Markdown: slopes of gradient norms, and cosines of the two maps."""
    parts = []
    for scale, table in norms.items():
        slopes = [
            dominance.slopes(part, resamples=resamples).loc["within images"]
            for _, part in table.groupby("network")
        ]
        parts.append(f"{scale}, in {sum(slope['low'] > 0 for slope in slopes)} of {len(slopes)} networks")
    alike = []
    for scale, table in agreement.items():
        rows = table[(table["p_2"] <= 0.1) & (table["method"] == "gradcam")]
        alike.append(f"{scale} {spread(rows.groupby('network')['weighted'].mean().to_dict(), '.2f')}")
    return (
        "Within images the norm of the gradient grows with the logit (interval above 0): "
        f"{'; '.join(parts)}. Cosine of weighted and original GradCAM where one class dominates ($p_2 \\leq "
        f"0.1$): {'; '.join(alike)}."
    )


def receptive_fields_in_words(sides: pd.Series) -> str:
    """Effect of erratum 39: sides of the receptive fields of VGG-16, by layer."""
    return "Side of the receptive field of a unit of VGG-16, in pixels: " + ", ".join(
        f"`features.{layer}` {side}" for layer, side in sides.items()
    ) + "."


def probability_maps_in_words(measured: pd.DataFrame) -> str:
    """Effect of erratum 40: cosines of the maps of p_t and of its log-odds, by method."""
    least = measured.groupby(["linear", "method"])["similarity"].agg(["mean", "min"])
    others = "; ".join(
        f"{EXPLAINERS[name].title} {row['mean']:.3f} ({row['min']:.3f})"
        for name, row in least.loc[False].iterrows()
    )
    return (
        f"Cosine of the map of $p_t$ with that of its log-odds: at least {least.loc[True, 'min'].min():.6f} "
        f"for the {len(least.loc[True])} methods that are linear in the cotangent. For the others, mean "
        f"(least): {others}."
    )


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


def duals_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 23 in Markdown: cosines of CLRP1 as printed and as coded, and of CLRP1 and CLRP2."""
    def cosine(table: pd.DataFrame, pair: str) -> str:
        return spread(
            table[table["methods"] == pair].groupby("network")["similarity"].mean().to_dict(), ".2f"
        )

    return (
        "Cosine of the two maps: "
        + "; ".join(
            f"{scale} {cosine(table, 'clrp1, clrp1_coded')}, and of CLRP1 and CLRP2 "
            f"{cosine(table, 'clrp1, clrp2')}"
            for scale, table in measured.items()
        )
        + ". Details: [relevance](10_lrp.ipynb#clrp1-duals)."
    )


def conservation_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Errata 24 and 25: medians of the relevance of the pixels, and of the cosines with input x gradient."""
    columns = {"arrived": "relevance at the pixels / logit", "input_x_gradient": "cosine, input × gradient",
               "pixels_x_gradient": "cosine, pixels × gradient"}
    keys = ["network", "rules", "biases"]
    table = pd.concat(
        {scale: t.groupby(keys, sort=False)[list(columns)].median() for scale, t in measured.items()},
        names=["scale"],
    )
    table = (
        table.rename(columns=columns)
        .rename(index=title, level="network")
        .rename(index={"z_plus": "z⁺", "epsilon": "ε"}, level="rules")
        .rename(index={True: "take part", False: "bypassed"}, level="biases")
    )
    return table.style.format("{:+.2f}", na_rep="overflow").set_uuid("conservation")


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
        f"Of the intervals lie above 0: {counts}. The rows hold different networks, since those with fewer "
        "than ten images drop out, so that their means are not comparable with each other."
    )


def choices_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Advantage of weighted maps with each choice by scale, beginning with the published choice."""
    parts = {scale: choices.masking_advantages(table, resamples) for scale, table in measured.items()}
    table = _published_first(pd.concat(parts, names=["scale"]).reset_index("scale"))
    table = table.assign(cell=intervals(table), choice=table["choice"].map(words))
    return _by_rule(table, ["scale", "network", "choice", "images"]).style.set_uuid("choices")


def gains_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Difference of the change of p_t between weighted and original steps with each choice, by scale."""
    parts = {scale: choices.perturbation_gains(table, resamples) for scale, table in measured.items()}
    table = _published_first(pd.concat(parts, names=["scale"]).reset_index("scale"))
    table["weighted − original"] = intervals(table, "+.4f")
    return (
        table.set_index(["scale", "network", "choice", "images"])[["weighted − original"]]
        .style.set_caption("change of pₜ, one step of ε = 0.003")
        .set_uuid("choices-perturbation")
    )


def choices_in_words(
    masked: Mapping[str, pd.DataFrame], perturbed: Mapping[str, pd.DataFrame], resamples: int
) -> str:
    """Number of intervals that change sides or that contain 0 only under another choice, in Markdown.

    The mean of the masking with the largest change is included.
    """
    compared = pd.concat(
        [choices.masking_turned(t, resamples) for t in masked.values()]
        + [choices.perturbation_turned(t, resamples) for t in perturbed.values()]
    )
    most = compared[compared["kept_sign"].notna()].nlargest(1, "moved").iloc[0]
    return (
        f"**Effect.** Of {len(compared)} intervals {int(compared['turned'].sum())} change sides and "
        f"{int(compared['lost'].sum())} come to contain 0. A mean of the masking moves by at most "
        f"{most['moved']:.3f}: {most['choice']}, {title(most['network'])}, {most['kept_sign']} pixels kept, "
        f"{RULES[most['mask_rule']]}."
    )


def _published_first(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by scale, network and choice, with the published choice first and titles of networks."""
    table = table.assign(
        place=table.groupby(["scale", "network"], sort=False).ngroup(),
        other=table["choice"] != choices.PUBLISHED,
    )
    table = table.sort_values(["place", "other"], kind="stable").drop(columns=["place", "other"])
    return table.assign(network=table["network"].map(title))


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
