"""Tables and sentences of 05_corrections, the errata 18 to 26 and the choices left open."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.evaluation import choices, dominance, masking
from contrastlib.report.figures.masking import RULES
from contrastlib.report.figures.shared import intervals
from contrastlib.report.verdict_tables import spread, title

ROLLOUTS = {"review": "as in the code", "review, gradients aligned": "with aligned gradients alone",
            "review, rows normalised": "with normalised rows alone"}


def rollout_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Markdown, erratum 18: cosine of the rollout with the repaired one, as coded and with each repair alone."""
    def cosine(table, name):
        rows = table[(table["map"] == name) & (table["contrast"] == "probability")]
        return spread(rows.groupby("network")["to_repaired"].mean().to_dict(), ".2f")

    return "**Effect.** Cosine with the repaired map: " + "; ".join(
        f"{words} {cosine(table, name)}" for table in measured.values() for name, words in ROLLOUTS.items()
    ) + ". More on the [page of Transformers](09_transformers.ipynb#gwar-errors)."


def fullgrad_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Markdown, erratum 19: negative area of FullGrad maps with psi the identity, and without bias terms."""
    def area(table, variant):
        return spread(table[table["variant"] == variant].groupby("network")["negative"].mean().to_dict(), ".0%")

    return "**Effect.** Negative area with $\\psi$ the identity: " + "; ".join(
        f"{scale} {area(table, 'identity')}, with none of the bias terms {area(table, 'input only')}" for scale, table in measured.items()
    ) + ". Proof and more measurements: [FullGrad](08_fullgrad.ipynb)."


def dominance_in_words(agreement: Mapping[str, pd.DataFrame], norms: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Markdown, erratum 20: in how many networks explanations grow with the logit, and how alike both maps are."""
    parts = []
    for scale, table in norms.items():
        slopes = [dominance.slopes(part, resamples=resamples).loc["within images"] for _, part in table.groupby("network")]
        parts.append(f"{scale}, in {sum(slope['low'] > 0 for slope in slopes)} of {len(slopes)} networks")
    alike = []
    for scale, table in agreement.items():
        rows = table[(table["p_2"] <= 0.1) & (table["method"] == "gradcam")]
        alike.append(f"{scale} {spread(rows.groupby('network')['weighted'].mean().to_dict(), '.2f')}")
    return (
        f"**Effect.** Within images the norm of the gradient grows with the logit (interval above 0): {'; '.join(parts)}. Cosine of "
        f"weighted and original GradCAM where one class dominates ($p_2 \\leq 0.1$): {'; '.join(alike)}."
    )


def scored_table(scored: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Erratum 21: advantages of weighted maps under a second network, by scale."""
    parts = {scale: masking.advantages(table[table["method"] != "blank"], ["network", "rank", "kept_sign", "mask_rule"], resamples=resamples)
             for scale, table in scored.items()}
    table = pd.concat(parts, names=["scale"]).reset_index("scale")
    table = table.assign(cell=intervals(table), network=table["network"].map(title), target="t" + table["rank"].astype(str))
    return _by_rule(table, ["scale", "network", "images", "target"]).style.set_uuid("scoring-models")


def confound_in_words(masked: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Markdown, erratum 22: the advantage by sign and at equal counts, positive pixels of t_1 kept, and the masked shares."""
    lines, smaller, count = [], 0, 0
    for scale, table in masked.items():
        found = masking.mean_advantages(table[table["rank"] == 1], resamples=resamples)
        found = found[found["kept_sign"] == "positive"].assign(cell=intervals(found)).set_index(["network", "mask_rule"])
        for network in found.index.unique("network"):
            sign, equal = found.loc[(network, "by_sign")], found.loc[(network, "equal_as_described")]
            lines.append(f"- {scale}, {title(network)}: by sign {sign['cell']}, {sign['masked_original']:.1%} and "
                         f"{sign['masked_weighted']:.1%} masked; at equal counts {equal['cell']}, {equal['masked_weighted']:.1%} masked")
            smaller, count = smaller + (equal["mean"] < sign["mean"]), count + 1
    return (
        "**Effect.** *Weighted* minus *original*, GradCAM, $t_1$, positive pixels kept, mean of the three baselines, and the shares that "
        "the *original* and the *weighted* map mask:\n\n" + "\n".join(lines)
        + f"\n\nThe difference is smaller at equal counts in {smaller} of {count} networks."
    )


def duals_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Markdown, erratum 23: cosine of CLRP1 as printed and as coded, and of CLRP1 and CLRP2."""
    def cosine(table, pair):
        return spread(table[table["methods"] == pair].groupby("network")["similarity"].mean().to_dict(), ".2f")

    return "**Effect.** Cosine of the two maps: " + "; ".join(
        f"{scale} {cosine(table, 'clrp1, clrp1_coded')}, and of CLRP1 and CLRP2 {cosine(table, 'clrp1, clrp2')}"
        for scale, table in measured.items()
    ) + ". Details: [relevance](10_lrp.ipynb#clrp1-duals)."


def conservation_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Errata 24 and 25: medians of the relevance that arrives, and of the cosines with input x gradient."""
    columns = {"arrived": "relevance at the pixels / logit", "input_x_gradient": "cosine, input × gradient",
               "pixels_x_gradient": "cosine, pixels × gradient"}
    keys = ["network", "rules", "biases"]
    table = pd.concat({scale: t.groupby(keys, sort=False)[list(columns)].median() for scale, t in measured.items()}, names=["scale"])
    table = table.rename(columns=columns).rename(index=title, level="network").rename(
        index={"z_plus": "z⁺", "epsilon": "ε"}, level="rules").rename(index={True: "take part", False: "bypassed"}, level="biases")
    return table.style.format("{:+.2f}", na_rep="overflow").set_uuid("conservation")


def threshold_table(found: pd.DataFrame) -> Styler:
    """Erratum 26: :func:`contrastlib.evaluation.correction_tables.at_thresholds`, means over networks and both classes."""
    rows = found.assign(above=found["low"] > 0).groupby(["threshold", "kept_sign", "mask_rule"])
    means = rows.agg(mean=("mean", "mean"), above=("above", "sum"), cells=("above", "size")).reset_index()
    means["cell"] = [f"{row.mean:+.3f} ({row.above} of {row.cells})".replace(" ", "\N{NO-BREAK SPACE}") for row in means.itertuples(index=False)]
    wide = _by_rule(means, ["threshold"])
    images = found.groupby("threshold")["images"]
    wide["images", "of a network"] = [f"{least} to {most}" for least, most in zip(images.min(), images.max())]
    return wide.rename_axis(index="p_2 >").style.format_index("{:.1f}", axis=0).set_uuid("thresholds")


def threshold_in_words(found: pd.DataFrame) -> str:
    """Markdown: at which thresholds all means are as claimed, and how many intervals lie above 0."""
    means = found.groupby(["threshold", "kept_sign", "mask_rule"])["mean"].mean().unstack([1, 2])
    above = (found["low"] > 0).groupby(found["threshold"]).agg(["sum", "size"])
    as_claimed = [f"{threshold:g}" for threshold, row in means.iterrows() if (row > 0).all()]
    counts = ", ".join(f"{row['sum']} of {row['size']} at {threshold:g}" for threshold, row in above.iterrows())
    return (
        f"**Effect.** All means are on the claimed side at thresholds of {', '.join(as_claimed) or 'none'}. Of the intervals lie above 0: "
        f"{counts}. The rows hold different networks, since those with fewer than ten images drop out, so that their means are not "
        "comparable with each other."
    )


def choices_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """The advantage of weighted maps under each choice, the published one first, by scale."""
    parts = {scale: choices.masking_advantages(table, resamples) for scale, table in measured.items()}
    table = _published_first(pd.concat(parts, names=["scale"]).reset_index("scale"))
    return _by_rule(table.assign(cell=intervals(table)), ["scale", "network", "choice", "images"]).style.set_uuid("choices")


def gains_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """What weighted steps gain in p_t above original ones under each choice, by scale."""
    parts = {scale: choices.perturbation_gains(table, resamples) for scale, table in measured.items()}
    table = _published_first(pd.concat(parts, names=["scale"]).reset_index("scale"))
    table["weighted − original"] = intervals(table, "+.4f")
    return table.set_index(["scale", "network", "choice", "images"])[["weighted − original"]].style.set_caption(
        "change of p_t, one step of ε = 0.003").set_uuid("choices-perturbation")


def choices_in_words(masked: Mapping[str, pd.DataFrame], perturbed: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Markdown: how many intervals change sides or come to contain 0, and which mean of the masking moves most."""
    compared = pd.concat(
        [choices.masking_turned(t, resamples) for t in masked.values()] + [choices.perturbation_turned(t, resamples) for t in perturbed.values()])
    most = compared[compared["kept_sign"].notna()].nlargest(1, "moved").iloc[0]
    return (
        f"**Effect.** Of {len(compared)} intervals {int(compared['turned'].sum())} change sides and {int(compared['lost'].sum())} come to "
        f"contain 0. A mean of the masking moves by at most {most['moved']:.3f}: {most['choice']}, {title(most['network'])}, "
        f"{most['kept_sign']} pixels kept, {RULES[most['mask_rule']]}."
    )


def _published_first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by scale, network and choice, the published choice first, with titles of networks."""
    table = table.assign(
        place=table.groupby(["scale", "network"], sort=False).ngroup(), other=table["choice"] != choices.PUBLISHED)
    table = table.sort_values(["place", "other"], kind="stable").drop(columns=["place", "other"])
    return table.assign(network=table["network"].map(title))


def _by_rule(table: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """The column ``cell``, a column for each kept sign and mask rule; rows in the order in which they come."""
    order = pd.MultiIndex.from_frame(table[index].drop_duplicates()) if len(index) > 1 else table[index[0]].drop_duplicates()
    columns = pd.MultiIndex.from_product([masking.KEPT_SIGNS, list(RULES)], names=["kept_sign", "mask_rule"])
    wide = table.pivot(index=index, columns=["kept_sign", "mask_rule"], values="cell").loc[order]
    wide = wide.reindex(columns=columns.intersection(wide.columns, sort=False)).rename(columns=RULES, level="mask_rule")
    return wide.rename_axis(columns=["pixels kept", "masked"])
